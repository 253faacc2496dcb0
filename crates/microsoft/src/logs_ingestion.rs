//! The Logs Ingestion API of Azure Monitor.
//!
//! Source: <https://learn.microsoft.com/azure/azure-monitor/logs/logs-ingestion-api-overview>

use bytes::Bytes;
use url::Url;

use super::Failure;
use super::authorized::Authorized;
use super::http::Reply;
use runtime::retry::Verdict;

/// Most bytes of one call, before and after compression.
/// Source: <https://learn.microsoft.com/azure/azure-monitor/fundamentals/service-limits#logs-ingestion-api>
pub const MAX_CALL_BYTES: usize = 1_048_576;
/// The version of the API.
/// Source: <https://learn.microsoft.com/rest/api/monitor/data-plane/ingestion/upload>
const API_VERSION: &str = "2023-01-01";
/// Most bytes of an answer that are read: a success has none, an error a few hundred.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Sends rows to one stream of one data collection rule. Cheap to clone.
#[derive(Clone)]
pub struct LogsIngestion {
    authorized: Authorized,
    url: Url,
}

// === impl LogsIngestion ===

impl LogsIngestion {
    /// `endpoint` is the data collection endpoint's, or the rule's own.
    pub fn new(
        authorized: Authorized,
        endpoint: &Url,
        dcr_immutable_id: &str,
        stream_name: &str,
    ) -> Result<Self, String> {
        let mut url = endpoint.clone();
        url.path_segments_mut()
            .map_err(|()| format!("the endpoint {endpoint} cannot have a path"))?
            .pop_if_empty()
            .extend(["dataCollectionRules", dcr_immutable_id, "streams", stream_name]);
        url.set_query(Some(&format!("api-version={API_VERSION}")));
        Ok(Self { authorized, url })
    }

    /// Posts a JSON array of rows, compressed or not.
    pub async fn post(&self, body: Bytes, gzip: bool) -> Result<(), Failure> {
        // Shows up as ClientRequestId in the table DCRLogErrors, if a transformation fails on the rows later.
        let id = azure_core::Uuid::new_v4().to_string();
        let request = |http: &reqwest::Client| {
            let request = http
                .post(self.url.clone())
                .header("Content-Type", "application/json")
                .header("x-ms-client-request-id", &id)
                .body(body.clone());
            if gzip { request.header("Content-Encoding", "gzip") } else { request }
        };
        let answer = match self.authorized.send(MAX_ANSWER_BYTES, request).await {
            // Anything else, a proxy's login page for one, is not the service's word that it has the rows.
            Ok(reply) if reply.status == 204 => Ok(()),
            Ok(reply) => Err(refusal(&reply)),
            Err(failure) => Err(failure),
        };
        answer.map_err(|failure| Failure { request_id: failure.request_id.or(Some(id)), ..failure })
    }

    /// Posts an empty array, which every stream accepts: to see whether posting works.
    pub async fn probe(&self) -> Result<(), Failure> {
        self.post(Bytes::from_static(b"[]"), false).await
    }
}

fn refusal(reply: &Reply) -> Failure {
    let (verdict, error_type, remedy) = match reply.status {
        400 if Failure::is_from_service(reply) => (Verdict::Split, "bad_request", "the rows are refused"),
        413 => (Verdict::Split, "too_large", "the call is too large"),
        401 => (
            Verdict::Retry,
            "authentication_failed",
            "the token is refused; check that cloud, endpoint and token_scope belong together",
        ),
        403 => (
            Verdict::Retry,
            "forbidden",
            "the identity may not ingest here: give it the role Monitoring Metrics Publisher on the data collection rule \
             (that takes up to 30 minutes to work), and check dcr_immutable_id",
        ),
        404 => (
            Verdict::Retry,
            "not_found",
            "no such rule or stream here: check endpoint, dcr_immutable_id and stream_name",
        ),
        _ => return Failure::common(reply),
    };
    Failure::answered(reply, verdict, error_type, remedy)
}
