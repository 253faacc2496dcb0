//! Where shippers other than Vector push to one of our sinks, and what they must show.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::link::wrong_address;
use model::problem::Problem;
use runtime::secret::SensitiveString;

/// The directory in `data_dir` with the certificates of listeners for which the file names none.
pub const LISTEN_DIR: &str = "listen";

/// The port that messages have as an example.
const EXAMPLE_PORT: u16 = 6200;
/// The shortest bearer token that is accepted, in characters.
const MIN_TOKEN_CHARS: usize = 16;

/// A listener for shippers other than Vector: they post events to `/sinks/` and the id of this sink.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListenConfig {
    /// The address to listen on, `host:port`, always with TLS. Another address than loopback needs `tls`. Example:
    /// `127.0.0.1:6200`.
    address: String,
    /// What each request must have, beside a certificate or in its place. Default: nothing.
    auth: Option<ListenAuthConfig>,
    /// How events are written in what is posted.
    #[serde(default)]
    decoding: DecodingConfig,
    /// Certificates of your own. Default: on loopback, certificates that are made in `data_dir`, and a shipper must show its part
    /// of them.
    tls: Option<ListenTlsConfig>,
}

/// What a request must have to be accepted.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListenAuthConfig {
    /// The way in which a request shows that it may push.
    #[expect(dead_code, reason = "there is one")]
    strategy: ListenAuthStrategy,
    /// The token, at least 16 characters. Example: `SECRET[local.token]`.
    token: SensitiveString,
}

/// A way in which a request shows that it may push.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ListenAuthStrategy {
    /// By the header `Authorization: Bearer` with the token.
    Bearer,
}

/// How events are written.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct DecodingConfig {
    /// The form of events. Default: `json`.
    codec: ListenCodec,
}

/// How events are written in what is posted to a listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ListenCodec {
    /// A JSON object is an event: one in each line, or all in one JSON array.
    #[default]
    Json,
    /// As Vector writes them: a line is `{"log": …}`.
    NativeJson,
}

/// Certificates of a listener, PEM files.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "Vector's names")]
struct ListenTlsConfig {
    /// The path of the certificate authority that has signed the certificates of shippers: each must show one. Default: none is
    /// asked for one, and `auth` is needed. Example: `/etc/vector-sentinel/shippers-ca.pem`.
    ca_file: Option<PathBuf>,
    /// The path of the certificate that the listener shows. Example: `/etc/vector-sentinel/listener.pem`.
    crt_file: PathBuf,
    /// The path of the private key of `crt_file`. Example: `/etc/vector-sentinel/listener.key`.
    key_file: PathBuf,
}

/// Where shippers other than Vector push to a sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The address, `host:port`.
    pub address: String,
    /// How events are written.
    pub codec: ListenCodec,
    /// The bearer token that each request must have, if any.
    pub token: Option<SensitiveString>,
    /// Certificates, if the file names some.
    pub tls: Option<ListenTls>,
}

/// Certificates of a [`Listen`], PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenTls {
    /// The authority of the certificates that shippers must show, if they must.
    pub ca_file: Option<PathBuf>,
    /// The certificate that we show.
    pub crt_file: PathBuf,
    /// Its private key.
    pub key_file: PathBuf,
}

// === impl ListenConfig ===

impl ListenConfig {
    /// Checks the options under `path`.
    pub(super) fn validate(self, path: &str, problems: &mut Vec<Problem>) -> Listen {
        let mut problem = |option: &str, message: &str| {
            problems.push(Problem::new(format!("{path}.{option}"), message));
        };
        let needed = "certificates of your own: give listen.tls";
        if let Some(message) = wrong_address(&self.address, EXAMPLE_PORT, self.tls.is_some(), needed) {
            problem("address", &message);
        }
        let token = self.auth.map(|auth| auth.token);
        if let Some(token) = token.as_ref().map(SensitiveString::expose) {
            // https://www.rfc-editor.org/rfc/rfc6750#section-2.1
            if token.len() < MIN_TOKEN_CHARS || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
                problem("auth.token", "must be at least 16 characters of ASCII, and no blanks");
            }
        }
        if self.tls.as_ref().is_some_and(|tls| tls.ca_file.is_none()) && token.is_none() {
            problem(
                "tls",
                "anybody could push: give ca_file, so that shippers must show certificates, or listen.auth",
            );
        }
        let tls = self.tls.map(|ListenTlsConfig { ca_file, crt_file, key_file }| ListenTls {
            ca_file,
            crt_file,
            key_file,
        });
        Listen { address: self.address, codec: self.decoding.codec, token, tls }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const TOKEN: &str = "correct-horse-battery-staple";

    fn validated(options: Value) -> (Listen, Vec<String>) {
        let mut problems = Vec::new();
        let config: ListenConfig = serde_json::from_value(options).unwrap();
        let listen = config.validate("sinks.s.listen", &mut problems);
        (listen, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn whoever_pushes_must_show_a_certificate_or_a_token() {
        let mutual = json!({"ca_file": "/ca", "crt_file": "/crt", "key_file": "/key"});
        let alone = json!({"crt_file": "/crt", "key_file": "/key"});
        let auth = json!({"strategy": "bearer", "token": TOKEN});
        for right in [
            json!({"address": "127.0.0.1:6200"}),
            json!({"address": "localhost:6200", "auth": auth}),
            json!({"address": "0.0.0.0:6200", "tls": mutual}),
            json!({"address": "[::]:6200", "tls": alone, "auth": auth}),
            json!({"address": "logs.example.com:6200", "tls": mutual, "auth": auth}),
        ] {
            assert_eq!(validated(right.clone()).1, [""; 0], "{right}");
        }
        for (wrong, expected) in [
            (
                json!({"address": "0.0.0.0:6200", "auth": auth}),
                "sinks.s.listen.address: a listener on another",
            ),
            (json!({"address": "6200"}), "sinks.s.listen.address: must be host:port"),
            (json!({"address": "127.0.0.1:6200", "tls": alone}), "sinks.s.listen.tls: anybody could push"),
            (
                json!({"address": "127.0.0.1:6200", "auth": {"strategy": "bearer", "token": "short"}}),
                "sinks.s.listen.auth.token: must be at least 16",
            ),
            (
                json!({"address": "127.0.0.1:6200", "auth": {"strategy": "bearer", "token": "two words and more"}}),
                "sinks.s.listen.auth.token: must be at least 16",
            ),
        ] {
            let problems = validated(wrong).1;
            assert!(problems.len() == 1 && problems[0].starts_with(expected), "{problems:?}");
        }
    }

    #[test]
    fn events_are_json_unless_the_file_says_otherwise_and_the_token_is_never_shown() {
        let auth = json!({"strategy": "bearer", "token": TOKEN});
        let (listen, _) = validated(json!({"address": "127.0.0.1:1", "auth": auth}));
        assert_eq!(listen.codec, ListenCodec::Json);
        assert_eq!(listen.token.as_ref().unwrap().expose(), TOKEN);
        assert!(!format!("{listen:?}").contains(TOKEN));
        let native = json!({"address": "127.0.0.1:1", "decoding": {"codec": "native_json"}});
        assert_eq!(validated(native).0.codec, ListenCodec::NativeJson);
    }
}
