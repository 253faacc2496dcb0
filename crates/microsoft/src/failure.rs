use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use super::http::Reply;
use runtime::retry::Verdict;
use runtime::store::StoreError;

/// How much of a service's own words goes into a message.
const WORDS_SHOWN: usize = 500;

/// A request that did not do what was asked: what that means, and words that say what to do.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What it means for the request.
    pub verdict: Verdict,
    /// The kind of error, for the metric's `error_type` label.
    pub error_type: &'static str,
    /// What happened and what to do.
    pub message: String,
    /// The service's id of the request.
    pub request_id: Option<String>,
}

/// The error body of Microsoft Graph and of Azure: <https://learn.microsoft.com/graph/errors#json-representation>
#[derive(Default, Deserialize)]
struct Envelope {
    #[serde(default)]
    error: EnvelopeError,
}

#[derive(Default, Deserialize)]
struct EnvelopeError {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

// === impl Failure ===

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::unanswered("state_file", error.to_string())
    }
}

impl Failure {
    /// A failure that an answer tells of. `remedy` says what to do; the service's own words are added.
    #[must_use]
    pub fn answered(reply: &Reply, verdict: Verdict, error_type: &'static str, remedy: &str) -> Self {
        let words = words_of(&reply.body);
        let message = if words.is_empty() {
            format!("HTTP {}: {remedy}", reply.status)
        } else {
            format!("HTTP {}: {remedy} (the service says: {words})", reply.status)
        };
        Self { verdict, error_type, message, request_id: reply.request_id.clone() }
    }

    /// A failure without an answer that could be used.
    #[must_use]
    pub fn unanswered(error_type: &'static str, message: impl Into<String>) -> Self {
        Self { verdict: Verdict::Retry, error_type, message: message.into(), request_id: None }
    }

    /// Whether the answer has the services' own form, rather than that of something between them and us.
    #[must_use]
    pub fn is_from_service(reply: &Reply) -> bool {
        Self::code_of(reply).is_some()
    }

    /// The code in the services' own form of an error; nothing if the answer has another form.
    #[must_use]
    pub fn code_of(reply: &Reply) -> Option<String> {
        let Envelope { error } = serde_json::from_slice(&reply.body).ok()?;
        (!error.code.is_empty()).then_some(error.code)
    }

    /// Whether asking for less might help.
    #[must_use]
    pub fn is_heavy(&self) -> bool {
        ["server_error", "timed_out", "answer_too_large", "answer_unreadable", "connection_lost"]
            .contains(&self.error_type)
    }

    /// Whether fewer requests at a time might help.
    #[must_use]
    pub fn is_back_pressure(&self) -> bool {
        ["throttled", "unavailable", "timed_out"].contains(&self.error_type)
    }

    /// What every service here means by a status that has no special meaning to it.
    #[must_use]
    pub fn common(reply: &Reply) -> Self {
        let later = reply.retry_after.map_or(Verdict::Retry, Verdict::RetryAfter);
        match reply.status {
            429 => Self::answered(reply, later, "throttled", &asked("too many requests", reply.retry_after)),
            503 => Self::answered(
                reply,
                later,
                "unavailable",
                &asked("the service is unavailable", reply.retry_after),
            ),
            500..=599 => Self::answered(reply, later, "server_error", "the service failed; trying again"),
            _ => Self::answered(
                reply,
                later,
                "unexpected_status",
                "an answer that the service does not give; check the endpoint, and whether a proxy answers instead",
            ),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.request_id.as_ref().map_or(Ok(()), |id| write!(f, " [request id {id}]"))
    }
}

fn asked(what: &str, retry_after: Option<Duration>) -> String {
    retry_after.map_or_else(
        || format!("{what}; trying again"),
        |wait| format!("{what}; trying again in {:.1} s, as asked", wait.as_secs_f64()),
    )
}

/// The service's own words, from its error envelope or else the text itself, cut to a length for a log line.
fn words_of(body: &[u8]) -> String {
    let words = match serde_json::from_slice::<Envelope>(body) {
        Ok(Envelope { error }) if !error.message.is_empty() || !error.code.is_empty() => {
            format!("{}: {}", error.code, error.message)
        }
        _ => String::from_utf8_lossy(body).into_owned(),
    };
    let one_line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    one_line.chars().take(WORDS_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, retry_after: Option<Duration>, body: &'static str) -> Reply {
        Reply { status, retry_after, request_id: Some("r-1".to_owned()), date: None, body: body.into() }
    }

    #[test]
    fn the_services_own_words_and_request_id_are_in_the_message() {
        let body = r#"{"error":{"code":"TooManyRequests","message":"Please retry\nagain later."}}"#;
        let failure = Failure::common(&reply(429, Some(Duration::from_millis(2_128)), body));
        assert_eq!(failure.verdict, Verdict::RetryAfter(Duration::from_millis(2_128)));
        let text = failure.to_string();
        assert!(
            text.contains("TooManyRequests: Please retry again later.") && text.contains("[request id r-1]"),
            "{text}"
        );
    }

    #[test]
    fn a_body_that_is_no_envelope_is_quoted_and_cut() {
        let long: &'static str = Box::leak("<html> ü".repeat(1_000).into_boxed_str());
        let failure = Failure::common(&reply(502, None, long));
        assert_eq!(failure.verdict, Verdict::Retry);
        assert!(failure.message.contains("<html> ü<html>") && failure.message.chars().count() < 700);
    }
}
