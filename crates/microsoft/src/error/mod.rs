//! What went wrong with a request, as a type. Verdict, metric label, remedy and log level follow from it, here and nowhere else.

use std::fmt;
use std::time::Duration;

use runtime::edge::EdgeError;
use runtime::retry::Verdict;
use tracing::Level;

mod connect;
mod edge;
mod token;

pub use crate::answer::Answer;
pub use connect::ConnectError;
use edge::{edge_error_type, edge_message};
pub use token::TokenError;

/// Why a request did not do what was asked.
#[derive(Clone, Debug)]
pub enum ServiceError {
    /// There is no answer, or not all of it.
    NoAnswer {
        /// Why there is none.
        error: EdgeError,
        /// The id that we gave the request, if we gave it one.
        request_id: Option<String>,
    },
    /// Nobody gave a token, so that the request was not sent.
    NoToken(TokenError),
    /// The service, or something between it and us, refuses.
    Rejected(Box<Rejected>),
    /// There is an answer, and it cannot be used.
    Unusable {
        /// What is wrong with it.
        reason: Unusable,
        /// The service's id of the request.
        request_id: Option<String>,
    },
}

/// An answer whose status is no success.
#[derive(Clone, Debug)]
pub struct Rejected {
    /// What was asked.
    pub operation: Operation,
    /// What the answer means.
    pub rejection: Rejection,
    /// Its status and the service's own words.
    pub answer: Answer,
}

/// What was asked, as far as the meaning of a refusal depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Reading incidents of Microsoft Graph.
    GraphRead,
    /// Changing an incident of Microsoft Graph.
    GraphWrite,
    /// Listing incidents of Microsoft Sentinel.
    SentinelList,
    /// Reading or writing one incident of Microsoft Sentinel.
    SentinelIncident,
    /// Posting rows to a stream of a data collection rule.
    Ingest,
    /// Looking for a data collection rule in Azure Resource Graph.
    FindRule,
    /// Reading a data collection rule.
    ReadRule,
    /// Reading a table of a workspace.
    ReadTable,
    /// Querying a workspace.
    Query,
}

/// What a refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// What was sent is wrong.
    BadRequest,
    /// The token is not accepted.
    Unauthorized,
    /// The identity has no permission for this.
    Forbidden,
    /// What everything else would be in is not there: a rule, a workspace, the API itself.
    NotFound,
    /// The one incident is not there.
    NoSuchIncident,
    /// The workspace has no Microsoft Sentinel.
    NotOnboarded,
    /// The link to the next page has expired: the listing must be begun again.
    ListingExpired,
    /// The call is larger than the service takes.
    TooLarge,
    /// Too many requests.
    Throttled,
    /// The service is not available now.
    Unavailable,
    /// The service failed.
    ServerFailed,
    /// An answer that the service does not give: something between it and us answers instead.
    Unexpected,
    /// What was to be created or replaced has been changed by somebody else just now.
    Conflict,
    /// The service cannot do that at all.
    Unsupported,
}

/// What is wrong with an answer that is a success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It is no JSON, or not of the documented shape.
    Unreadable(String),
    /// The link to the next page leads away from the service: here is where it should lead.
    ForeignLink(String),
}

// === impl Rejected ===

impl Rejected {
    /// What it means for the request.
    fn verdict(&self) -> Verdict {
        let later = self.answer.retry_after.map_or(Verdict::Retry, Verdict::RetryAfter);
        match (self.rejection, self.operation) {
            (Rejection::BadRequest, Operation::Ingest) | (Rejection::TooLarge, _) => Verdict::Split,
            (
                Rejection::BadRequest,
                Operation::GraphRead
                | Operation::GraphWrite
                | Operation::SentinelList
                | Operation::SentinelIncident
                | Operation::Query,
            )
            | (Rejection::Unauthorized | Rejection::Forbidden | Rejection::NotFound, Operation::GraphRead)
            | (Rejection::NoSuchIncident | Rejection::ListingExpired, _) => Verdict::GiveUp,
            (
                Rejection::Throttled
                | Rejection::Unavailable
                | Rejection::ServerFailed
                | Rejection::Unexpected,
                _,
            ) => later,
            _ => Verdict::Retry,
        }
    }

    /// What to do about it.
    fn remedy(&self) -> &'static str {
        use Operation::{FindRule, GraphRead, GraphWrite, Ingest, Query, ReadRule, ReadTable};
        use Operation::{SentinelIncident, SentinelList};
        use Rejection::{BadRequest, Forbidden, NoSuchIncident, NotFound, Unauthorized};
        match (self.rejection, self.operation) {
            (BadRequest, GraphRead) => "Graph refuses the query; check endpoint and page_size",
            (BadRequest, GraphWrite) => "Graph refuses the change",
            (BadRequest, Ingest) => "the rows are refused",
            (BadRequest, SentinelList | SentinelIncident) => "Microsoft Sentinel refuses the request",
            (BadRequest, FindRule | ReadRule | ReadTable) => "Azure Resource Manager refuses the request",
            (BadRequest, Query) => "Log Analytics refuses the query",
            (Unauthorized, Query) => {
                "Log Analytics refuses the token; check that cloud and the endpoint of queries belong together"
            }
            (Forbidden, Query) => {
                "the identity may not query the workspace: give it the role Log Analytics Reader on the workspace (that takes \
                 up to an hour to work)"
            }
            (NotFound, Query) => {
                "there is no such workspace here: its id is a GUID, which `az monitor log-analytics workspace show` prints as \
                 customerId; neither its name nor its resource id"
            }
            (Unauthorized, GraphRead | GraphWrite) => {
                "Graph refuses the token; check that cloud, endpoint and token_scope belong together"
            }
            (Unauthorized, Ingest) => {
                "the token is refused; check that cloud, endpoint and token_scope belong together"
            }
            (Unauthorized, SentinelList | SentinelIncident) => {
                "Azure Resource Manager refuses the token; check that cloud, endpoint and token_scope belong together, and \
                 that subscription_id is one of the identity's tenant"
            }
            (Unauthorized, FindRule | ReadRule | ReadTable) => {
                "the token is refused; check that cloud, management_endpoint and management_token_scope belong together"
            }
            (Forbidden, GraphRead) => {
                "the application may not read incidents: give it the Microsoft Graph application permission \
                 SecurityIncident.Read.All and have an administrator consent to it"
            }
            (Forbidden, GraphWrite) => {
                "the application may not change incidents: give it the Microsoft Graph application permission \
                 SecurityIncident.ReadWrite.All and have an administrator consent to it"
            }
            (Forbidden, Ingest) if self.says("isdcrdcebindingvalid: false") => {
                "the endpoint is not the rule's: endpoint must be the URL of the data collection endpoint that the rule names \
                 (dataCollectionEndpointId), or the rule's own"
            }
            (Forbidden, Ingest)
                if self.says("public network access") || self.says("network security perimeter") =>
            {
                "the endpoint takes nothing from public networks: send from a network that has a private link to it, or allow \
                 public access in the endpoint's network settings"
            }
            (Forbidden, Ingest) if self.answer.words.starts_with('<') => {
                "a page answers in the place of the service: a firewall or a proxy refuses the request"
            }
            (Forbidden, Ingest) => {
                "the identity may not ingest here: give it the role Monitoring Metrics Publisher on the data collection rule \
                 (that takes up to 30 minutes to work), and check dcr_immutable_id"
            }
            (Forbidden, SentinelList | SentinelIncident) => {
                "the identity may not do this: give it the role Microsoft Sentinel Reader, or to write Microsoft Sentinel \
                 Responder, on the workspace or its resource group (that takes some minutes to work)"
            }
            (Forbidden, FindRule) => "the identity may not look for the rule in Azure Resource Graph",
            (Forbidden, ReadRule) => {
                "the identity may not read the rule: it needs the role Monitoring Reader, or Reader, on it"
            }
            (Forbidden, ReadTable) => {
                "the identity may not read the table: it needs the role Log Analytics Reader, or Reader, on the workspace"
            }
            (NotFound, GraphRead | GraphWrite) => {
                "there are no security incidents here: check endpoint and cloud, and that the tenant has Defender XDR"
            }
            (NotFound, Ingest) => {
                "no such rule or stream here: check endpoint, dcr_immutable_id and stream_name"
            }
            (NotFound, SentinelList | SentinelIncident) => {
                "there is no such workspace, or it has no Microsoft Sentinel: check endpoint, cloud, subscription_id, \
                 resource_group and workspace_name"
            }
            (NotFound, FindRule | ReadRule | ReadTable) => {
                "it is not there, or not in this cloud: check management_endpoint"
            }
            (NoSuchIncident, SentinelList | SentinelIncident) => "there is no such incident in the workspace",
            (NoSuchIncident, _) => "there is no such incident in this tenant",
            (rejection, _) => rejection.remedy(),
        }
    }

    /// Whether the service's words have this in them, which is in lower case.
    fn says(&self, words: &str) -> bool {
        self.answer.words.to_lowercase().contains(words)
    }

    fn message(&self) -> String {
        let Answer { status, words, retry_after, .. } = &self.answer;
        let remedy = match self.rejection {
            Rejection::Throttled | Rejection::Unavailable => asked(self.remedy(), *retry_after),
            _ => self.remedy().to_owned(),
        };
        match (status, words.as_str()) {
            (None, "") => remedy,
            (None, words) => words.to_owned(),
            (Some(status), "") => format!("HTTP {status}: {remedy}"),
            (Some(status), words) => format!("HTTP {status}: {remedy} (the service says: {words})"),
        }
    }
}

fn asked(what: &str, retry_after: Option<Duration>) -> String {
    retry_after.map_or_else(
        || format!("{what}; trying again"),
        |wait| format!("{what}; trying again in {:.1} s, as asked", wait.as_secs_f64()),
    )
}

// === impl Rejection ===

impl Rejection {
    /// The metric's label `error_type`.
    const fn error_type(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Unauthorized => "authentication_failed",
            Self::Forbidden => "forbidden",
            Self::NotFound | Self::NoSuchIncident => "not_found",
            Self::NotOnboarded => "not_onboarded",
            Self::ListingExpired => "gone",
            Self::TooLarge => "too_large",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::ServerFailed => "server_error",
            Self::Unexpected => "unexpected_status",
            Self::Conflict => "stale",
            Self::Unsupported => "unsupported",
        }
    }

    /// What to do about it, whatever was asked.
    const fn remedy(self) -> &'static str {
        match self {
            Self::BadRequest => "the request is refused",
            Self::Unauthorized => "the token is refused",
            Self::Forbidden => "the identity may not do this",
            Self::NotFound => "it is not there",
            Self::NoSuchIncident => "there is no such incident",
            Self::NotOnboarded => {
                "the workspace has no Microsoft Sentinel: add Sentinel to it, and check subscription_id, resource_group and \
                 workspace_name"
            }
            Self::ListingExpired => "the listing has expired",
            Self::TooLarge => "the call is too large",
            Self::Throttled => "too many requests",
            Self::Unavailable => "the service is unavailable",
            Self::ServerFailed => "the service failed; trying again",
            Self::Unexpected => {
                "an answer that the service does not give; check the endpoint, and whether a proxy answers instead"
            }
            Self::Conflict => "it was changed by somebody else just now",
            Self::Unsupported => "the service cannot do that",
        }
    }
}

// === impl ServiceError ===

impl ServiceError {
    /// An answer that cannot be read, of `service`.
    pub fn unreadable(service: &str, error: impl fmt::Display, request_id: Option<String>) -> Self {
        let reason = Unusable::Unreadable(format!("{service}'s answer cannot be read: {error}"));
        Self::Unusable { reason, request_id }
    }

    /// A refusal that no answer of a service stands behind; `words` say what happened.
    pub fn refused(operation: Operation, rejection: Rejection, words: impl Into<String>) -> Self {
        let answer = Answer { words: words.into(), ..Answer::default() };
        Self::Rejected(Box::new(Rejected { operation, rejection, answer }))
    }

    /// What it means for the request.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Rejected(rejected) => rejected.verdict(),
            Self::NoToken(error) => error.retry_after().map_or(Verdict::Retry, Verdict::RetryAfter),
            Self::NoAnswer { .. } | Self::Unusable { .. } => Verdict::Retry,
        }
    }

    /// The metric's label `error_type`.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::NoAnswer { error, .. } => edge_error_type(error),
            Self::NoToken(error) => error.error_type(),
            Self::Rejected(rejected) => rejected.rejection.error_type(),
            Self::Unusable { reason: Unusable::Unreadable(_), .. } => "answer_unreadable",
            Self::Unusable { reason: Unusable::ForeignLink(_), .. } => "foreign_link",
        }
    }

    /// How loud a log line about it is: what is waited for as the service asks is handled, and no error.
    pub fn level(&self) -> Level {
        match self.verdict() {
            Verdict::RetryAfter(_) => Level::WARN,
            Verdict::Retry | Verdict::Split | Verdict::GiveUp => Level::ERROR,
        }
    }

    /// The service's id of the request.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Rejected(rejected) => rejected.answer.request_id.as_deref(),
            Self::NoAnswer { request_id, .. } | Self::Unusable { request_id, .. } => request_id.as_deref(),
            Self::NoToken(_) => None,
        }
    }

    /// The same with the id that we gave the request, unless the service gave it one.
    #[must_use]
    pub fn or_request_id(mut self, id: String) -> Self {
        match &mut self {
            Self::Rejected(rejected) => rejected.answer.request_id.get_or_insert(id),
            Self::NoAnswer { request_id, .. } | Self::Unusable { request_id, .. } => {
                request_id.get_or_insert(id)
            }
            Self::NoToken(_) => return self,
        };
        self
    }

    /// What happened and what to do, without the id of the request.
    pub fn message(&self) -> String {
        match self {
            Self::NoAnswer { error, .. } => edge_message(error),
            Self::NoToken(error) => format!("no token: {}", error.message()),
            Self::Rejected(rejected) => rejected.message(),
            Self::Unusable { reason: Unusable::Unreadable(words), .. } => words.clone(),
            Self::Unusable { reason: Unusable::ForeignLink(home), .. } => format!(
                "the link to the next page does not lead to {home}, where our token may go; set endpoint to the host that the \
                 links have"
            ),
        }
    }

    /// What the refusal means, if it is one.
    pub fn rejection(&self) -> Option<Rejection> {
        match self {
            Self::Rejected(rejected) => Some(rejected.rejection),
            _ => None,
        }
    }

    /// Whether the service says that what was sent is wrong.
    pub fn is_bad_request(&self) -> bool {
        self.rejection() == Some(Rejection::BadRequest)
    }

    /// Whether it is about who asks or where, so that nothing else will be accepted either until somebody mends that.
    pub fn is_about_everything(&self) -> bool {
        match self {
            Self::NoToken(_) => true,
            Self::Rejected(rejected) => matches!(
                rejected.rejection,
                Rejection::Unauthorized
                    | Rejection::Forbidden
                    | Rejection::NotFound
                    | Rejection::NotOnboarded
            ),
            Self::NoAnswer { .. } | Self::Unusable { .. } => false,
        }
    }

    /// Whether asking for less might help.
    pub fn is_heavy(&self) -> bool {
        match self {
            Self::NoAnswer { error, .. } => {
                matches!(error, EdgeError::TimedOut(_) | EdgeError::Lost(_) | EdgeError::TooLarge(_))
            }
            Self::Rejected(rejected) => rejected.rejection == Rejection::ServerFailed,
            Self::Unusable { reason, .. } => matches!(reason, Unusable::Unreadable(_)),
            Self::NoToken(_) => false,
        }
    }

    /// Whether fewer requests at a time might help.
    pub fn is_back_pressure(&self) -> bool {
        match self {
            Self::NoAnswer { error, .. } => matches!(error, EdgeError::TimedOut(_)),
            Self::Rejected(rejected) => {
                matches!(rejected.rejection, Rejection::Throttled | Rejection::Unavailable)
            }
            Self::NoToken(_) | Self::Unusable { .. } => false,
        }
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())?;
        self.request_id().map_or(Ok(()), |id| write!(f, " [request id {id}]"))
    }
}

impl std::error::Error for ServiceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NoAnswer { error, .. } | Self::NoToken(TokenError::NoAnswer(error)) => Some(error),
            _ => None,
        }
    }
}

impl From<EdgeError> for ServiceError {
    fn from(error: EdgeError) -> Self {
        Self::NoAnswer { error, request_id: None }
    }
}

impl From<TokenError> for ServiceError {
    fn from(error: TokenError) -> Self {
        Self::NoToken(error)
    }
}

#[cfg(test)]
mod tests;
