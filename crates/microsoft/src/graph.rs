//! Microsoft Graph's security incidents.
//!
//! Source: <https://learn.microsoft.com/graph/api/security-list-incidents>

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::TimeDelta;
use serde_json::json;
use serde_json::value::RawValue;
use url::Url;

use super::authorized::Authorized;
use super::cloud::Cloud;
use super::connection::{Api, Connection, Connector};
use super::http::Reply;
use super::listing::{self, IncidentPage};
use crate::answer;
use crate::error::{ConnectError, Operation, ServiceError};
use model::watermark::Slice;
use runtime::clock::Clock;
use runtime::retry::quota::{Allowance, Amount, Quota};

/// Most incidents in one page. The page below states no maximum; above 50 the service answers 400 and names this number.
/// Source: <https://learn.microsoft.com/graph/api/security-list-incidents>
pub const MAX_PAGE_SIZE: u32 = 50;
/// Most requests in a minute that the service allows an application in a tenant.
/// Source: <https://learn.microsoft.com/graph/throttling-limits#security-detections-and-incidents-service-limits>
const MAX_REQUESTS_A_MINUTE: usize = 150;
/// Most bytes of one answer that are read: fifty incidents are a megabyte, fifty very large ones some tens.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Reads incidents, and writes to them. Cheap to clone.
#[derive(Clone)]
pub struct GraphIncidents {
    authorized: Authorized,
    /// The collection: `…/v1.0/security/incidents`.
    url: Url,
    quota: Arc<Quota>,
}

/// Whether incidents are listed with their alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alerts {
    /// With alerts and their evidence.
    Expanded,
    /// Without: the property is missing.
    Left,
}

/// The API for whoever reads incidents. Requests: far under what Graph allows, and what the older incident API allows.
/// Source: <https://learn.microsoft.com/graph/throttling-limits>
pub const READING: Api = Api {
    base: Cloud::graph,
    missing: "Microsoft Graph has no incident API in the China cloud, so there is nothing to read there",
    max_requests: MAX_REQUESTS_A_MINUTE,
    default_requests: 50,
};
/// The API for whoever writes to incidents. Requests: together with whoever reads, well under what Graph allows.
/// Source: <https://learn.microsoft.com/graph/throttling-limits>
pub const WRITING: Api = Api {
    missing: "Microsoft Graph has no incident API in the China cloud, so there is nothing to write there",
    ..READING
};

/// So many requests a minute, and in an hour no more than thirty times as many.
fn quota(a_minute: usize, clock: &Clock) -> Arc<Quota> {
    let allowances = [(a_minute, Duration::from_mins(1)), (a_minute * 30, Duration::from_hours(1))];
    let allowance = |(most, within)| Allowance { amount: Amount::Requests(most), within };
    Arc::new(Quota::new(allowances.map(allowance).to_vec(), clock.clone()))
}

// === impl GraphIncidents ===

impl GraphIncidents {
    /// The client of a connection: reads certificate files, asks nobody anything.
    pub fn connect(connection: &Connection, connector: &Connector) -> Result<Self, ConnectError> {
        let authorized = Authorized::new(&connection.identity, connector)?;
        let quota = quota(connection.requests_a_minute, &connector.clock);
        let mut url = listing::below(&connection.endpoint, ["v1.0", "security", "incidents"]);
        url.set_query(None);
        Ok(Self { authorized, url, quota })
    }

    /// The first page of the incidents that were last updated in `slice`: at most `top` of them.
    pub async fn first_page(
        &self,
        slice: Slice,
        top: u32,
        alerts: Alerts,
    ) -> Result<IncidentPage, ServiceError> {
        let filter = listing::query_value(&listing::within("lastUpdateDateTime", slice));
        let mut url = self.url.clone();
        let expand = match alerts {
            Alerts::Expanded => "&$expand=alerts",
            Alerts::Left => "",
        };
        url.set_query(Some(&format!("$top={top}&$count=true{expand}&$filter={filter}")));
        self.next_page(&url).await
    }

    /// The page at `url`, which an earlier page gave.
    pub async fn next_page(&self, url: &Url) -> Result<IncidentPage, ServiceError> {
        let reply = self.get(url).await?;
        match reply.status {
            200 => listing::read_page(&reply, &self.url, "Graph", str::to_owned),
            _ => Err(answer::rejected(&reply, Operation::GraphRead)),
        }
    }

    /// The incident, without its alerts, as the service sends it; nothing if it says that there is none.
    pub async fn incident(&self, id: &str) -> Result<Option<Bytes>, ServiceError> {
        let reply = self.get(&listing::below(&self.url, [id])).await?;
        match reply.status {
            200 => Ok(Some(reply.body)),
            404 if answer::is_about_a_graph_incident(&reply) => Ok(None),
            _ => Err(answer::rejected(&reply, Operation::GraphRead)),
        }
    }

    /// Changes the properties that stand in `body`, and answers the whole incident, without its alerts.
    ///
    /// Source: <https://learn.microsoft.com/graph/api/security-incident-update>
    pub async fn patch_incident(&self, id: &str, body: Bytes) -> Result<Bytes, ServiceError> {
        self.quota.spend(0).await;
        let url = listing::below(&self.url, [id]);
        let request = prepared(listing::request(http::Method::PATCH, &url, body));
        let reply = self.authorized.send(MAX_ANSWER_BYTES, request).await?;
        match reply.status {
            200 => Ok(reply.body),
            _ => Err(answer::rejected(&reply, Operation::GraphWrite)),
        }
    }

    /// Adds a comment, and answers all that the incident has now. The service adds it again if it is asked again.
    ///
    /// Source: <https://learn.microsoft.com/graph/api/security-incident-post-comments>
    pub async fn post_comment(&self, id: &str, text: &str) -> Result<Vec<Bytes>, ServiceError> {
        self.quota.spend(0).await;
        let url = listing::below(&self.url, [id, "comments"]);
        let body =
            json!({"@odata.type": "microsoft.graph.security.alertComment", "comment": text}).to_string();
        let request = prepared(listing::request(http::Method::POST, &url, body.into()));
        let reply = self.authorized.send(MAX_ANSWER_BYTES, request).await?;
        match reply.status {
            200 | 201 => {
                decode_comments(&reply.body).map_err(|error| listing::unreadable(&reply, "Graph", &error))
            }
            _ => Err(answer::rejected(&reply, Operation::GraphWrite)),
        }
    }

    async fn get(&self, url: &Url) -> Result<Reply, ServiceError> {
        self.quota.spend(0).await;
        self.authorized.send(MAX_ANSWER_BYTES, prepared(listing::get(url))).await
    }

    /// Reads one incident of the last thirty days, or finds that there is none: to see whether reading works.
    pub async fn probe(&self) -> Result<usize, ServiceError> {
        let slice = Slice::open(self.authorized.now() - TimeDelta::days(30));
        Ok(self.first_page(slice, 1, Alerts::Expanded).await?.incidents.len())
    }
}

/// What every request says of itself.
fn prepared(mut request: http::Request<Bytes>) -> http::Request<Bytes> {
    // Without it, newer enum members read "unknownFutureValue".
    // Source: https://learn.microsoft.com/graph/best-practices-concept#handling-future-members-in-evolvable-enumerations
    let prefer = http::HeaderValue::from_static("include-unknown-enum-members");
    request.headers_mut().insert("Prefer", prefer);
    request
}

/// The comments of an answer, which is documented as a list of them, and may come in the envelope of a collection.
fn decode_comments(body: &Bytes) -> Result<Vec<Bytes>, serde_json::Error> {
    if body.trim_ascii_start().starts_with(b"[") {
        let comments: Vec<&RawValue> = serde_json::from_slice(body)?;
        return Ok(comments.iter().map(|comment| body.slice_ref(comment.get().as_bytes())).collect());
    }
    listing::decode(body).map(|page| page.members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_read_with_and_without_an_envelope() {
        for body in
            [r#"[{"comment":"a"}, {"comment":"b"}]"#, r#"{"value":[{"comment":"a"},{"comment":"b"}]}"#]
        {
            let comments = decode_comments(&Bytes::from_static(body.as_bytes())).unwrap();
            assert_eq!(comments, [r#"{"comment":"a"}"#, r#"{"comment":"b"}"#], "{body}");
        }
        assert!(decode_comments(&Bytes::from_static(b"<html>")).is_err());
    }
}
