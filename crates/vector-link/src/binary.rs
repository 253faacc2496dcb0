//! The stock Vector on this machine: where it is, which version it is, and what it says about a configuration.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use thiserror::Error;
use tokio::process::Command;

use runtime::clock::Clock;

/// Its answer to `--version` needs no time worth mentioning; a program that waits for something is not Vector.
const VERSION_LIMIT: Duration = Duration::from_secs(10);
/// Compiling many transforms takes a while on a busy machine.
const VALIDATE_LIMIT: Duration = Duration::from_mins(2);
/// What this build is tested with: any patch of it.
const TESTED: (u64, u64) = (0, 57);
/// Older ones are refused: nobody has tried them.
const OLDEST: (u64, u64) = (0, 40);
/// The first one that interpolates environment variables only when told to.
/// <https://vector.dev/docs/reference/environment_variables/>
const ASKS_FOR_INTERPOLATION: (u64, u64) = (0, 57);
/// Vector adds the files that these name to those on its command line, and refuses two limits for its shutdown.
/// <https://vector.dev/docs/reference/cli/>
const NOT_FOR_OURS: [&str; 6] = [
    "VECTOR_CONFIG",
    "VECTOR_CONFIG_DIR",
    "VECTOR_CONFIG_JSON",
    "VECTOR_CONFIG_TOML",
    "VECTOR_CONFIG_YAML",
    "VECTOR_NO_GRACEFUL_SHUTDOWN_LIMIT",
];

/// A Vector that runs on this machine and is not too old.
#[derive(Clone, Debug)]
pub struct Binary {
    path: PathBuf,
    version: (u64, u64, u64),
    clock: Clock,
}

/// Why there is no Vector that can be used, or what it has to say.
#[derive(Debug, Error)]
pub enum BinaryError {
    /// Nobody has named a Vector, and there is none where one is looked for.
    #[error(
        "there is no vector on the PATH: install it from https://vector.dev/docs/setup/installation/ or name it with \
         --vector-bin"
    )]
    NotFound,
    /// What was named is no file that can be run.
    #[error("{} {problem}. It is named by {by}", path.display())]
    Named {
        /// What was named.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
        /// The option or variable that has named it.
        by: &'static str,
    },
    /// It does not tell its version.
    #[error("{} --version: {cause}. Is it Vector, built for this machine?", path.display())]
    Version {
        /// The file that was run.
        path: PathBuf,
        /// Why it does not.
        #[source]
        cause: RunError,
    },
    /// Its version is not one of Vector.
    #[error(
        "{} is not Vector: asked for its version, it ended with {status} and said \"{said}\". Name Vector with --vector-bin",
        path.display()
    )]
    NotVector {
        /// The file that was run.
        path: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// The beginning of what it said.
        said: String,
    },
    /// Nobody has tried a version so old.
    #[error("{name} is too old: install {}.{} or later, at best {}.{}", OLDEST.0, OLDEST.1, TESTED.0, TESTED.1)]
    TooOld {
        /// What it is.
        name: String,
    },
    /// It does not check a configuration.
    #[error("{} validate: {cause}", path.display())]
    Validate {
        /// The file that was run.
        path: PathBuf,
        /// Why it does not.
        #[source]
        cause: RunError,
    },
    /// It refuses a configuration: its own words.
    #[error("{0}")]
    Refused(String),
}

/// Why a program gave no answer.
#[derive(Debug, Error)]
pub enum RunError {
    /// It cannot be started, or is lost.
    #[error("it cannot be run: {0}")]
    Run(#[from] std::io::Error),
    /// It takes too long.
    #[error("it did not end within {} s", .0.as_secs())]
    Late(Duration),
}

// === impl Binary ===

impl Binary {
    /// Finds Vector: the file that `--vector-bin` gives, or `VECTOR_BIN`, or the first `vector` on the `PATH`.
    pub async fn find(
        given: Option<&Path>,
        environment: &BTreeMap<String, String>,
        clock: &Clock,
    ) -> Result<Self, BinaryError> {
        let path = locate(given, environment)?;
        let version = ask_version(&path, clock).await?;
        let binary = Self { path, version, clock: clock.clone() };
        if binary.minor_version() < OLDEST {
            return Err(BinaryError::TooOld { name: binary.name() });
        }
        Ok(binary)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What to tell the user about its version, if anything.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let is_tested = self.minor_version() == TESTED;
        (!is_tested).then(|| {
            format!("this build is tested with {1}.{2}, and this is {0}", self.name(), TESTED.0, TESTED.1)
        })
    }

    /// Asks Vector about a configuration in YAML (or JSON), without touching network or disk; the error is its words.
    ///
    /// `allow_env` lets Vector put environment variables into the text, which versions before 0.57 always do.
    pub async fn validate(&self, config: &Path, allow_env: bool) -> Result<(), BinaryError> {
        let mut command = self.command();
        command.args(["--color", "never", "validate", "--no-environment"]);
        command.args(self.interpolation(allow_env)).arg("--config-yaml").arg(config);
        let output = run(&mut command, VALIDATE_LIMIT, &self.clock)
            .await
            .map_err(|cause| BinaryError::Validate { path: self.path.clone(), cause })?;
        if output.status.success() { Ok(()) } else { Err(BinaryError::Refused(complaint(&output))) }
    }

    /// Vector, to be given arguments: what it reads is on its command line only.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        for name in NOT_FOR_OURS {
            command.env_remove(name);
        }
        command
    }

    /// The argument that allows environment variables in a configuration, if one is needed for it.
    pub(super) fn interpolation(&self, allow_env: bool) -> Option<&'static str> {
        (allow_env && self.minor_version() >= ASKS_FOR_INTERPOLATION)
            .then_some("--dangerously-allow-env-var-interpolation")
    }

    const fn minor_version(&self) -> (u64, u64) {
        (self.version.0, self.version.1)
    }

    /// What it is: `Vector 0.57.0 (/usr/bin/vector)`.
    #[must_use]
    pub fn name(&self) -> String {
        let (major, minor, patch) = self.version;
        format!("Vector {major}.{minor}.{patch} ({})", self.path.display())
    }
}

/// Where Vector is. The path is absolute: a bare file name would be looked for on the `PATH` when it is run.
fn locate(given: Option<&Path>, environment: &BTreeMap<String, String>) -> Result<PathBuf, BinaryError> {
    let from_environment = environment.get("VECTOR_BIN").filter(|path| !path.is_empty()).map(Path::new);
    let named = given
        .map(|path| ("--vector-bin", path))
        .or_else(|| from_environment.map(|path| ("the environment variable VECTOR_BIN", path)));
    let Some((by, path)) = named else {
        return on_path(Path::new("vector"), environment).ok_or(BinaryError::NotFound);
    };
    if is_executable(path) {
        return Ok(absolute(path));
    }
    // A name without a directory is looked for as a shell does.
    if path.components().count() == 1
        && let Some(found) = on_path(path, environment)
    {
        return Ok(found);
    }
    let problem = if path.is_dir() {
        "is a directory; name the file `vector` in it"
    } else if path.exists() {
        "cannot be executed; is it the right file, and does it have the permission (chmod +x)?"
    } else {
        "is not there"
    };
    Err(BinaryError::Named { path: path.to_owned(), problem, by })
}

fn on_path(name: &Path, environment: &BTreeMap<String, String>) -> Option<PathBuf> {
    let path = environment.get("PATH").map_or("", String::as_str);
    let mut candidates = std::env::split_paths(path).map(|dir| dir.join(name));
    candidates.find(|path| is_executable(path)).map(|path| absolute(&path))
}

fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

async fn ask_version(path: &Path, clock: &Clock) -> Result<(u64, u64, u64), BinaryError> {
    let output = run(Command::new(path).arg("--version"), VERSION_LIMIT, clock)
        .await
        .map_err(|cause| BinaryError::Version { path: path.to_owned(), cause })?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.strip_prefix("vector ").and_then(parse).filter(|_| output.status.success());
    version.ok_or_else(|| {
        let said = text.lines().next().unwrap_or_default().chars().take(80).collect();
        BinaryError::NotVector { path: path.to_owned(), status: output.status, said }
    })
}

/// Reads `0.57.0 (x86_64-unknown-linux-gnu …)`, also with something like `-nightly` behind the number.
fn parse(text: &str) -> Option<(u64, u64, u64)> {
    let number = text.split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
    let mut parts = number.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??, parts.next()??))
}

/// Runs a command to its end, or ends it when the time is up.
async fn run(command: &mut Command, limit: Duration, clock: &Clock) -> Result<Output, RunError> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    tokio::select! {
        output = command.output() => Ok(output?),
        () = clock.sleep(limit) => Err(RunError::Late(limit)),
    }
}

/// What `vector validate` says is wrong: without what it says is right, and without the lines it draws.
fn complaint(output: &Output) -> String {
    let printed = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let mut kept = printed.iter().map(|text| {
        let is_noise = |line: &&str| {
            line.starts_with('√') || (line.starts_with('-') && line.trim_matches('-').is_empty())
        };
        let lines: Vec<_> = text.lines().map(str::trim_end).filter(|line| !is_noise(line)).collect();
        lines.join("\n").trim().to_owned()
    });
    // Its findings are on the standard output; the error output has log lines, unless it could not even begin.
    kept.find(|text| !text.is_empty()).unwrap_or_else(|| format!("vector validate failed: {}", output.status))
}

#[cfg(test)]
#[path = "binary_tests.rs"]
mod tests;
