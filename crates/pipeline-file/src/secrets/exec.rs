//! The `exec` backend: a command that gets the keys as JSON and answers with their values.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, Command},
};

use super::backend::{Fetched, MAX_BYTES, non_empty};
use super::error::{BackendError, KeyError};
use runtime::clock::Clock;

/// Secrets from a command, which gets the keys as JSON and answers with their values.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ExecBackend {
    /// The command: the path of a script or binary, then its arguments. Example: `[/usr/local/bin/secrets, --json]`.
    #[schemars(length(min = 1))]
    command: Vec<String>,
    /// The seconds that the command may take. Default: 5.
    #[serde(default = "default_timeout")]
    timeout: u64,
    /// The protocol that the command is spoken to in. Default: `{version: v1}`.
    #[serde(default)]
    protocol: Protocol,
}

/// The protocol, which says what the command is told besides the keys.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "version")]
#[schemars(transform = describe_version)]
enum Protocol {
    /// Version 1.0: the command gets the keys, and has its settings from elsewhere.
    #[default]
    V1,
    /// Version 1.1: the command gets its settings with each request.
    V1_1 {
        /// With `version: v1_1`, which needs it, the name of the backend, which is `type` in the request. Example: `azure_key_vault`.
        backend_type: String,
        /// With `version: v1_1`, which needs them, the settings that are passed on as `config` in the request. Example: `{vault: contoso}`.
        backend_config: Map<String, Value>,
    },
}

/// What is written to the command.
#[derive(Serialize)]
struct Query<'a> {
    version: &'static str,
    secrets: &'a BTreeSet<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    backend_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<&'a Map<String, Value>>,
}

/// What the command says about one key.
#[derive(Deserialize)]
struct Answer {
    value: Option<String>,
    error: Option<String>,
}

/// The tag of an enum has no docstring of its own.
fn describe_version(schema: &mut schemars::Schema) {
    for variant in schema.get_mut("oneOf").and_then(Value::as_array_mut).into_iter().flatten() {
        variant["properties"]["version"]["description"] =
            "The version of the protocol: `v1`, in which the command gets the keys, or `v1_1`, in which it gets its settings, too."
                .into();
    }
}

const fn default_timeout() -> u64 {
    5
}

// === impl Protocol ===

impl Protocol {
    const fn query<'a>(&'a self, secrets: &'a BTreeSet<String>) -> Query<'a> {
        match self {
            Self::V1 => Query { version: "1.0", secrets, backend_type: None, config: None },
            Self::V1_1 { backend_type, backend_config } => Query {
                version: "1.1",
                secrets,
                backend_type: Some(backend_type.as_str()),
                config: Some(backend_config),
            },
        }
    }
}

// === impl ExecBackend ===

impl ExecBackend {
    pub(super) async fn fetch(&self, keys: &BTreeSet<String>, clock: &Clock) -> Fetched {
        let output = run(self, keys, clock).await?;
        // The error of `from_slice` may hold a secret.
        let mut answers: BTreeMap<String, Answer> =
            serde_json::from_slice(&output).map_err(|_| BackendError::NotTheProtocol)?;
        let fetched = keys
            .iter()
            .map(|key| (key.clone(), answers.remove(key).ok_or(KeyError::NotInOutput).and_then(value)));
        Ok(fetched.collect())
    }

    fn spawn(&self) -> Result<Child, BackendError> {
        let Some((program, arguments)) = self.command.split_first() else {
            return Err(BackendError::NoCommand);
        };
        Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(BackendError::NotStarted)
    }
}

/// The output of the command.
async fn run(backend: &ExecBackend, keys: &BTreeSet<String>, clock: &Clock) -> Result<Vec<u8>, BackendError> {
    let query = serde_json::to_vec(&backend.protocol.query(keys))?;
    let mut child = backend.spawn()?;
    let limit = Duration::from_secs(backend.timeout);
    let outcome = tokio::select! {
        outcome = converse(&mut child, &query) => outcome,
        () = clock.sleep(limit) => Err(BackendError::Late(backend.timeout)),
    };
    match outcome {
        Ok((status, output)) if status.success() => Ok(output),
        Ok((status, _)) => Err(BackendError::Failed(status)),
        Err(error) => {
            // It may have ended by itself by now; then there is nothing to kill.
            child.kill().await.ok();
            Err(error)
        }
    }
}

/// The value of an answer. What the command says about a failure is its own words, so like its error
/// output they go to the log and not into our message.
fn value(answer: Answer) -> Result<String, KeyError> {
    if let Some(error) = answer.error {
        // What the command says may hold the secret.
        drop(error);
        return Err(KeyError::Refused);
    }
    non_empty(answer.value.unwrap_or_default())
}

/// Asks, listens and waits for the end, all at once: a command may answer before it has read everything.
async fn converse(child: &mut Child, query: &[u8]) -> Result<(ExitStatus, Vec<u8>), BackendError> {
    let stdin = child.stdin.take();
    let stdout = child.stdout.take();
    let stderr = child.stderr.take();
    let ask = async move {
        if let Some(mut stdin) = stdin {
            // A command that knows its secrets without reading the question has closed the pipe.
            stdin.write_all(query).await.ok();
        }
        Ok(())
    };
    let listen = async move {
        let mut output = Vec::new();
        if let Some(stdout) = stdout {
            let read = stdout.take(MAX_BYTES + 1).read_to_end(&mut output).await;
            read.map_err(BackendError::Output)?;
        }
        if output.len() as u64 > MAX_BYTES {
            return Err(BackendError::OutputTooLarge);
        }
        Ok(output)
    };
    let log = async move {
        if let Some(stderr) = stderr {
            drain(stderr).await;
        }
        Ok(())
    };
    let ((), output, ()) = tokio::try_join!(ask, listen, log)?;
    let status = child.wait().await.map_err(BackendError::Lost)?;
    Ok((status, output))
}

/// Reads what the command writes to its error output, and logs that there was some. Not what: a script that shows its
/// steps shows the secret.
async fn drain(stderr: impl AsyncRead + Unpin) {
    let bytes =
        tokio::io::copy(&mut BufReader::new(stderr), &mut tokio::io::sink()).await.unwrap_or_default();
    if bytes > 0 {
        tracing::warn!(
            bytes,
            "A secret backend's command wrote to its error output; run it by hand to see what."
        );
    }
}
