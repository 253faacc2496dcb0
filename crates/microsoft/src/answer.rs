//! The text of services, read in one place: what an answer that is no success says, and what that means.
//!
//! Each case stands in the tests with an answer as the service sends it.

use std::time::Duration;

use serde::Deserialize;

use crate::error::{Operation, Rejected, Rejection, ServiceError};
use crate::http::Reply;

/// How much of a service's own words goes into a message.
const WORDS_SHOWN: usize = 500;
/// The code of an answer that Graph has no words for: for a 404, the path is not one of its own.
const GRAPH_UNKNOWN: &str = "UnknownError";
/// Azure Resource Manager's codes for a 404 that is about what the incident would be in.
/// Source: <https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors>
const NOT_THE_INCIDENT: [&str; 8] = [
    "InvalidResourceNamespace",
    "InvalidResourceType",
    "InvalidSubscriptionId",
    "NoRegisteredProviderFound",
    "ParentResourceNotFound",
    "ResourceGroupNotFound",
    "SubscriptionNotFound",
    "WorkspaceNotFound",
];

/// What Resource Graph may answer to an identity that may read nothing at all, with status 400; or 403, or an empty list. The
/// page has the list, other clients the rest.
/// Source: <https://learn.microsoft.com/azure/governance/resource-graph/troubleshoot/general>
const READS_NOTHING: &str = "novalidsubscriptionsinqueryrequest";
/// What is said of a subscription that the identity's tenant does not know, with status 404.
/// Source: <https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-not-found>
const UNKNOWN_SUBSCRIPTION: &str = "subscriptionnotfound";

/// What is said of a query that names what is not there, with status 400.
/// Source: <https://learn.microsoft.com/azure/azure-monitor/logs/api/errors>
const UNKNOWN_NAME: &str = "failed to resolve";

/// What is kept of an answer that is no success.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Its HTTP status; nothing if there was no answer, but only what we know ourselves.
    pub status: Option<u16>,
    /// The service's own words, cut to a length for a log line.
    pub words: String,
    /// What the service asks us to wait.
    pub retry_after: Option<Duration>,
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

/// The error that an answer amounts to which is no success of `operation`.
pub(crate) fn rejected(reply: &Reply, operation: Operation) -> ServiceError {
    let answer = Answer {
        status: Some(reply.status),
        words: words_of(reply),
        retry_after: reply.retry_after,
        request_id: reply.request_id.clone(),
    };
    let rejection = rejection(reply, operation);
    ServiceError::Rejected(Box::new(Rejected { operation, rejection, answer }))
}

/// What a status and its body mean.
fn rejection(reply: &Reply, operation: Operation) -> Rejection {
    use Operation::{GraphRead, GraphWrite, Ingest, Query, SentinelIncident, SentinelList};
    let is_sentinel = matches!(operation, SentinelList | SentinelIncident);
    let is_graph = matches!(operation, GraphRead | GraphWrite);
    match reply.status {
        400 if is_graph => Rejection::BadRequest,
        400 if is_sentinel && mentions(reply, "not onboarded") => Rejection::NotOnboarded,
        400 if is_sentinel && is_from_service(reply) => Rejection::BadRequest,
        400 if operation == Query && is_from_service(reply) => Rejection::BadRequest,
        400 if operation == Ingest && may_be_about_rows(reply) => Rejection::BadRequest,
        401 => Rejection::Unauthorized,
        403 => Rejection::Forbidden,
        404 if operation == GraphWrite && is_about_a_graph_incident(reply) => Rejection::NoSuchIncident,
        404 if operation == SentinelIncident && is_about_a_sentinel_incident(reply) => {
            Rejection::NoSuchIncident
        }
        404 => Rejection::NotFound,
        410 if is_sentinel || operation == GraphRead => Rejection::ListingExpired,
        413 if operation == Ingest => Rejection::TooLarge,
        429 => Rejection::Throttled,
        503 => Rejection::Unavailable,
        500..=599 => Rejection::ServerFailed,
        _ => Rejection::Unexpected,
    }
}

/// Whether the answer has the services' own form, rather than that of something between them and us.
pub(crate) fn is_from_service(reply: &Reply) -> bool {
    code_of(reply).is_some()
}

/// Whether a 400 may be about what is in a request: the service's bodies are not documented, and a header or nothing may be all
/// that it says. A page or a plain text is of something in between. Whoever refuses everything is found out by an empty request.
fn may_be_about_rows(reply: &Reply) -> bool {
    let body = reply.body.trim_ascii();
    reply.error_code.is_some() || body.is_empty() || body.starts_with(b"{")
}

/// The code in the services' own form of an error; nothing if the answer has another form.
fn code_of(reply: &Reply) -> Option<String> {
    let Envelope { error } = serde_json::from_slice(&reply.body).ok()?;
    (!error.code.is_empty()).then_some(error.code)
}

/// Whether a 404 of Graph says that the incident is missing: without a code of its own the path is unknown, and not the incident.
pub(crate) fn is_about_a_graph_incident(reply: &Reply) -> bool {
    code_of(reply).is_some_and(|code| code != GRAPH_UNKNOWN)
}

/// Whether a 404 of Azure Resource Manager says that the incident is missing, and not what it would be in.
pub(crate) fn is_about_a_sentinel_incident(reply: &Reply) -> bool {
    code_of(reply).is_some_and(|code| {
        let code = code.as_str();
        // The code of a resource group's missing workspace too, which only the words tell from an incident.
        let of_a_workspace = code == "ResourceNotFound" && !mentions(reply, "incidents/");
        !NOT_THE_INCIDENT.contains(&code) && !of_a_workspace
    })
}

/// Whether Resource Graph says that the identity may read nothing: then there is no rule for it either.
pub(crate) fn reads_nothing(reply: &Reply) -> bool {
    (reply.status == 400 && mentions(reply, READS_NOTHING)) || (reply.status == 403 && is_from_service(reply))
}

/// Whether a 404 says that the table is missing, and not the subscription that it would be in.
pub(crate) fn is_about_the_table(reply: &Reply) -> bool {
    is_from_service(reply) && !mentions(reply, UNKNOWN_SUBSCRIPTION)
}

/// Whether a query names a table or column that the workspace does not know.
/// Source: <https://learn.microsoft.com/azure/azure-monitor/logs/api/errors>
pub(crate) fn is_about_a_name(reply: &Reply) -> bool {
    is_from_service(reply) && mentions(reply, UNKNOWN_NAME)
}

/// Whether the body has a text in it, wherever, in whatever case. `words` is in lower case.
fn mentions(reply: &Reply, words: &str) -> bool {
    String::from_utf8_lossy(&reply.body).to_ascii_lowercase().contains(words)
}

/// The service's own words, from its error envelope or else the text itself, cut to a length for a log line.
fn words_of(reply: &Reply) -> String {
    let body = &reply.body;
    let words = match serde_json::from_slice::<Envelope>(body) {
        _ if body.is_empty() => reply.error_code.clone().unwrap_or_default(),
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
    use runtime::retry::Verdict;

    fn reply(status: u16, body: &str) -> Reply {
        Reply {
            error_code: None,
            status,
            retry_after: None,
            request_id: Some("r-1".to_owned()),
            date: None,
            body: body.to_owned().into(),
        }
    }

    fn error(code: &str, message: &str) -> String {
        serde_json::json!({"error": {"code": code, "message": message}}).to_string()
    }

    #[test]
    fn a_query_may_name_what_is_not_there() {
        // As the service answers where there is no such table.
        let body = serde_json::json!({"error": {
            "message": "The request had some invalid properties", "code": "BadArgumentError",
            "innererror": {"code": "SemanticError", "message": "A semantic error occurred.", "innererror": {
                "code": "SEM0100",
                "message": "'where' operator: Failed to resolve table or column expression named 'Firewall_CL'",
            }},
        }});
        assert!(is_about_a_name(&reply(400, &body.to_string())));
        assert!(!is_about_a_name(&reply(400, &error("BadArgumentError", "Syntax Error"))));
        assert!(!is_about_a_name(&reply(400, "Failed to resolve host")));
    }

    #[test]
    fn each_recorded_answer_means_what_it_says() {
        use Operation::{
            FindRule, GraphRead, GraphWrite, Ingest, Query, ReadRule, SentinelIncident, SentinelList,
        };
        use Rejection::{
            BadRequest, Forbidden, ListingExpired, NoSuchIncident, NotFound, NotOnboarded, ServerFailed,
        };
        use Rejection::{Throttled, TooLarge, Unauthorized, Unavailable, Unexpected};
        use Verdict::{GiveUp, Retry, Split};
        let html = "<html>".to_owned();
        let not_onboarded = error("BadRequest", "Workspace 'w' is not onboarded to Microsoft Sentinel.");
        // Operation, status, body; what it means, and what follows from that.
        for (operation, status, body, rejection, verdict, error_type) in [
            (GraphRead, 400, error("BadRequest", "Invalid page size"), BadRequest, GiveUp, "bad_request"),
            (GraphRead, 400, html.clone(), BadRequest, GiveUp, "bad_request"),
            (Query, 400, error("BadArgumentError", "invalid properties"), BadRequest, GiveUp, "bad_request"),
            (Query, 400, html.clone(), Unexpected, Retry, "unexpected_status"),
            (Query, 403, error("InsufficientAccessError", ""), Forbidden, Retry, "forbidden"),
            (Query, 404, error("PathNotFoundError", ""), NotFound, Retry, "not_found"),
            (Query, 429, error("TooManyRequests", ""), Throttled, Retry, "throttled"),
            (
                GraphRead,
                401,
                error("InvalidAuthenticationToken", ""),
                Unauthorized,
                GiveUp,
                "authentication_failed",
            ),
            (GraphRead, 403, error("Forbidden", ""), Forbidden, GiveUp, "forbidden"),
            (GraphRead, 404, error("NotFound", ""), NotFound, GiveUp, "not_found"),
            (GraphRead, 410, html.clone(), ListingExpired, GiveUp, "gone"),
            (GraphRead, 500, html.clone(), ServerFailed, Retry, "server_error"),
            (GraphRead, 302, html.clone(), Unexpected, Retry, "unexpected_status"),
            (GraphWrite, 400, error("BadRequest", "its own words"), BadRequest, GiveUp, "bad_request"),
            (GraphWrite, 403, error("Forbidden", ""), Forbidden, Retry, "forbidden"),
            (GraphWrite, 404, error("NotFound", ""), NoSuchIncident, GiveUp, "not_found"),
            // Not the incident is missing, but the whole service.
            (GraphWrite, 404, error(GRAPH_UNKNOWN, ""), NotFound, Retry, "not_found"),
            (GraphWrite, 404, html.clone(), NotFound, Retry, "not_found"),
            (SentinelList, 400, not_onboarded, NotOnboarded, Retry, "not_onboarded"),
            (SentinelList, 400, error("BadRequest", "title is too long"), BadRequest, GiveUp, "bad_request"),
            // Not the service's word: something in between has answered.
            (SentinelList, 400, html.clone(), Unexpected, Retry, "unexpected_status"),
            (SentinelList, 404, error("NotFound", ""), NotFound, Retry, "not_found"),
            (SentinelList, 410, html.clone(), ListingExpired, GiveUp, "gone"),
            (
                SentinelIncident,
                404,
                error("NotFound", "Incident not found"),
                NoSuchIncident,
                GiveUp,
                "not_found",
            ),
            (SentinelIncident, 404, error("WorkspaceNotFound", ""), NotFound, Retry, "not_found"),
            (Ingest, 400, error("InvalidPayload", ""), BadRequest, Split, "bad_request"),
            (Ingest, 400, html.clone(), Unexpected, Retry, "unexpected_status"),
            (Ingest, 400, "Bad Request".to_owned(), Unexpected, Retry, "unexpected_status"),
            (Ingest, 400, String::new(), BadRequest, Split, "bad_request"),
            (Ingest, 400, r#"{"Message":"Invalid request"}"#.to_owned(), BadRequest, Split, "bad_request"),
            (Ingest, 400, r#"{"error":"invalid_request"}"#.to_owned(), BadRequest, Split, "bad_request"),
            (Ingest, 413, html.clone(), TooLarge, Split, "too_large"),
            (Ingest, 403, error("OperationFailed", ""), Forbidden, Retry, "forbidden"),
            (Ingest, 404, error("NotFound", ""), NotFound, Retry, "not_found"),
            (Ingest, 429, html.clone(), Throttled, Retry, "throttled"),
            (Ingest, 503, html.clone(), Unavailable, Retry, "unavailable"),
            (FindRule, 429, html.clone(), Throttled, Retry, "throttled"),
            (ReadRule, 403, error("AuthorizationFailed", ""), Forbidden, Retry, "forbidden"),
        ] {
            let found = rejected(&reply(status, &body), operation);
            let expected = (Some(rejection), verdict, error_type);
            assert_eq!(
                (found.rejection(), found.verdict(), found.error_type()),
                expected,
                "{operation:?} {status} {body}"
            );
        }
    }

    #[test]
    fn every_refusal_that_has_a_remedy_names_it() {
        for (operation, status, expected) in [
            (Operation::GraphWrite, 403, "SecurityIncident.ReadWrite.All"),
            (Operation::GraphRead, 403, "SecurityIncident.Read.All"),
            (Operation::SentinelList, 403, "Sentinel Reader"),
            (Operation::SentinelIncident, 403, "Responder"),
            (Operation::SentinelList, 404, "workspace_name"),
            (Operation::Ingest, 403, "Monitoring Metrics Publisher"),
            (Operation::ReadTable, 403, "Log Analytics Reader"),
        ] {
            let message = rejected(&reply(status, ""), operation).message();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn a_code_in_a_header_is_the_services_word() {
        let with_code =
            |body| Reply { error_code: Some("InvalidRequestBody".to_owned()), ..reply(400, body) };
        for (body, words) in [("", "InvalidRequestBody"), ("<html>", "<html>")] {
            let found = rejected(&with_code(body), Operation::Ingest);
            assert_eq!(found.rejection(), Some(Rejection::BadRequest));
            assert!(found.message().contains(words), "{found}");
        }
    }

    #[test]
    fn a_403_that_is_not_about_a_role_says_what_it_is_about() {
        for (words, expected) in [
            (
                error("OperationFailed", "IsRbacPresent: True, IsDcrDceBindingValid: False"),
                "dataCollectionEndpointId",
            ),
            (error("Forbidden", "Public network access is disabled"), "private link"),
            ("<html>Blocked</html>".to_owned(), "a firewall or a proxy"),
            (
                error("OperationFailed", "IsRbacPresent: False, IsDcrDceBindingValid: True"),
                "Monitoring Metrics Publisher",
            ),
        ] {
            let message = rejected(&reply(403, &words), Operation::Ingest).message();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn only_the_services_word_that_the_incident_is_missing_is_taken_for_that() {
        let missing = |code, message| is_about_a_sentinel_incident(&reply(404, &error(code, message)));
        assert!(missing("NotFound", "Incident not found"));
        assert!(missing(
            "ResourceNotFound",
            "…/providers/Microsoft.SecurityInsights/Incidents/7 was not found"
        ));
        assert!(!missing(
            "ResourceNotFound",
            "The Resource 'Microsoft.OperationalInsights/workspaces/w' was not found"
        ));
        assert!(!missing("ResourceGroupNotFound", "Resource group 'g' could not be found."));
        assert!(!missing("SubscriptionNotFound", "The subscription 's' could not be found."));
        assert!(!is_about_a_sentinel_incident(&reply(404, "<html>")));
    }

    #[test]
    fn the_services_own_words_and_request_id_are_in_the_message() {
        let body = r#"{"error":{"code":"TooManyRequests","message":"Please retry\nagain later."}}"#;
        let text = rejected(&reply(429, body), Operation::GraphRead).to_string();
        assert!(
            text.contains("TooManyRequests: Please retry again later.") && text.contains("[request id r-1]"),
            "{text}"
        );
    }

    #[test]
    fn a_body_that_is_no_envelope_is_quoted_and_cut() {
        let message = rejected(&reply(502, &"<html> ü".repeat(1_000)), Operation::Ingest).message();
        assert!(message.contains("<html> ü<html>") && message.chars().count() < 700, "{message}");
    }
}
