//! The Logs Ingestion API of Azure Monitor.
//!
//! Source: <https://learn.microsoft.com/azure/azure-monitor/logs/logs-ingestion-api-overview>

use bytes::Bytes;
use url::Url;

use super::authorized::Authorized;
use super::listing;
use crate::answer;
use crate::error::{Operation, ServiceError};

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
    #[must_use]
    pub fn new(authorized: Authorized, endpoint: &Url, dcr_immutable_id: &str, stream_name: &str) -> Self {
        let path = ["dataCollectionRules", dcr_immutable_id, "streams", stream_name];
        let mut url = listing::below(endpoint, path);
        url.set_query(Some(&format!("api-version={API_VERSION}")));
        Self { authorized, url }
    }

    /// Posts a JSON array of rows, compressed or not.
    pub async fn post(&self, body: Bytes, gzip: bool) -> Result<(), ServiceError> {
        self.post_as(azure_core::Uuid::new_v4().to_string(), body, gzip).await
    }

    /// The same in a request of that id, a GUID: it shows up as `ClientRequestId` in the table `DCRLogErrors`, if a
    /// transformation fails on the rows later.
    pub async fn post_as(&self, id: String, body: Bytes, gzip: bool) -> Result<(), ServiceError> {
        let mut request = listing::request(http::Method::POST, &self.url, body);
        let headers = request.headers_mut();
        if let Ok(id) = http::HeaderValue::try_from(&id) {
            headers.insert("x-ms-client-request-id", id);
        }
        if gzip {
            headers.insert(http::header::CONTENT_ENCODING, http::HeaderValue::from_static("gzip"));
        }
        match self.authorized.send(MAX_ANSWER_BYTES, request).await {
            // Anything else, a proxy's login page for one, is not the service's word that it has the rows.
            Ok(reply) if reply.status == 204 => Ok(()),
            Ok(reply) => Err(answer::rejected(&reply, Operation::Ingest).or_request_id(id)),
            Err(error) => Err(error.or_request_id(id)),
        }
    }

    /// Posts an empty array, which every stream accepts: to see whether posting works.
    pub async fn probe(&self) -> Result<(), ServiceError> {
        self.post(Bytes::from_static(b"[]"), false).await
    }
}
