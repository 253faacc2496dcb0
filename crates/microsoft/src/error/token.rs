//! Why there is no token.

use std::time::Duration;

use runtime::edge::EdgeError;

use super::edge::{edge_error_type, edge_message};
use crate::credential::{Refusal, remedy_for};

/// Why there is no token.
#[derive(Clone, Debug)]
pub enum TokenError {
    /// Whoever gives tokens cannot be reached.
    NoAnswer(EdgeError),
    /// Entra ID refuses: a wrong secret, an unknown application or tenant, an expired certificate.
    Refused(String),
    /// Entra ID asks to come later, and perhaps when, or has failed.
    Unavailable(String, Option<Duration>),
    /// No managed identity answers on this machine.
    NoManagedIdentity(String),
    /// The managed identity's endpoint on this machine answers, and gives no token; perhaps it asks for a wait.
    IdentityEndpoint(Refusal, Option<Duration>),
    /// What the credential is made from cannot be used: a file, a variable, the `az` command.
    Unusable(String),
}

// === impl TokenError ===

impl TokenError {
    /// The metric's label `error_type`.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::NoAnswer(error) => edge_error_type(error),
            Self::Refused(_) | Self::NoManagedIdentity(_) | Self::Unusable(_) => "authentication_failed",
            Self::IdentityEndpoint(refusal, _) if !refusal.passes() => "authentication_failed",
            Self::Unavailable(..) | Self::IdentityEndpoint(..) => "unavailable",
        }
    }

    /// The wait that is asked for.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable(_, wait) | Self::IdentityEndpoint(_, wait) => *wait,
            _ => None,
        }
    }

    /// What happened and what to do.
    pub fn message(&self) -> String {
        match self {
            // The login host is not to blame.
            Self::NoAnswer(error @ EdgeError::Proxy(_)) => edge_message(error),
            Self::NoAnswer(error) => format!("the login host does not answer: {}", edge_message(error)),
            Self::Refused(words) => {
                remedy_for(words).map_or_else(|| words.clone(), |remedy| format!("{remedy} ({words})"))
            }
            Self::Unavailable(words, _) => format!("the login host failed; trying again ({words})"),
            Self::NoManagedIdentity(words) => format!(
                "no managed identity answers; that works only on Azure, with an identity assigned to the machine or service \
                 ({words})"
            ),
            Self::IdentityEndpoint(refusal, _) => refusal.message(),
            Self::Unusable(words) => words.clone(),
        }
    }
}
