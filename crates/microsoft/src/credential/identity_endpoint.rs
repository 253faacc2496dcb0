//! What the endpoint of managed identities on this machine (IMDS, or App Service's) answers when it gives no token.

use std::fmt;

use serde_json::Value;

/// Most characters of an answer's words that are repeated.
const MOST_WORDS: usize = 300;

/// An answer that is no token.
/// Source: <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token#error-handling>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its HTTP status.
    pub status: u16,
    /// The endpoint's own words.
    pub words: String,
}

// === impl Refusal ===

impl Refusal {
    /// An answer with that status and body.
    pub(super) fn of(status: u16, body: &[u8]) -> Self {
        let json = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let said =
            ["error_description", "message", "error"].into_iter().find_map(|key| json.get(key)?.as_str());
        let text = String::from_utf8_lossy(body);
        let words = said.unwrap_or(&text).split_whitespace().collect::<Vec<_>>().join(" ");
        Self { status, words: words.chars().take(MOST_WORDS).collect() }
    }

    /// Whether it passes by itself: the endpoint is being updated, is busy or fails.
    pub(crate) fn passes(&self) -> bool {
        matches!(self.status, 404 | 410 | 429) || self.status >= 500
    }

    /// What to do about it, and what was said.
    pub(crate) fn message(&self) -> String {
        let Self { status, words } = self;
        let lower = words.to_lowercase();
        let remedy = if lower.contains("multiple user assigned identities") {
            "several identities are assigned to this machine or service: set auth.user_assigned_managed_identity_id to the \
             client id of the one to use"
        } else if lower.contains("identity not found") || lower.contains("no managed identity") {
            "this machine or service has no such identity: assign it, or check auth.user_assigned_managed_identity_id and \
             auth.user_assigned_managed_identity_id_type"
        } else {
            match status {
                404 | 410 => {
                    "the managed identity's endpoint is not ready, which passes within about a minute on a machine of Azure; \
                     trying again"
                }
                429 => {
                    "too many requests to the managed identity's endpoint, from this machine as a whole; trying again"
                }
                500.. => "the managed identity's endpoint failed; trying again",
                _ => {
                    "the managed identity's endpoint refuses; is an identity assigned to this machine or service, and is that \
                      Azure's own endpoint which answers?"
                }
            }
        };
        let words = if words.is_empty() { String::new() } else { format!(" (it says: {words})") };
        format!("HTTP {status}: {remedy}{words}")
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())
    }
}

impl std::error::Error for Refusal {}
