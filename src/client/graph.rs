//! Microsoft Graph's security incidents.
//!
//! Source: <https://learn.microsoft.com/graph/api/security-list-incidents>

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use super::Failure;
use super::authorized::Authorized;
use super::http::Reply;
use crate::model::watermark::Slice;
use crate::retry::Verdict;
use crate::retry::quota::Quota;

/// Most incidents in one page. The page below states no maximum; above 50 the service answers 400 and names this number.
/// Source: <https://learn.microsoft.com/graph/api/security-list-incidents>
pub const MAX_PAGE_SIZE: u32 = 50;
/// Most bytes of one answer that are read: fifty incidents are a megabyte, fifty very large ones some tens.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Reads incidents. Cheap to clone.
#[derive(Clone)]
pub struct GraphIncidents {
    authorized: Authorized,
    /// `…/v1.0/security/incidents`.
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

/// One page of a listing.
#[derive(Debug)]
pub struct IncidentPage {
    /// The incidents, each as the JSON text that the service sent. They share the answer's memory.
    pub incidents: Vec<Bytes>,
    /// Where the next page is, if there is one.
    pub next: Option<Url>,
    /// How many incidents the whole listing has, as the service counted them for this page.
    pub count: Option<u64>,
    /// The service's time.
    pub server_time: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
struct Listing<'a> {
    #[serde(borrow)]
    value: Vec<&'a RawValue>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
    #[serde(rename = "@odata.count")]
    count: Option<u64>,
}

// === impl GraphIncidents ===

impl GraphIncidents {
    /// `base` is Graph's, such as `https://graph.microsoft.com`.
    pub fn new(authorized: Authorized, base: &Url, quota: Arc<Quota>) -> Result<Self, String> {
        let path = format!("{}/v1.0/security/incidents", base.path().trim_end_matches('/'));
        let url = base.join(&path).map_err(|error| format!("cannot use the endpoint {base}: {error}"))?;
        Ok(Self { authorized, url, quota })
    }

    /// The first page of the incidents that were last updated in `slice`: at most `top` of them.
    pub async fn first_page(&self, slice: Slice, top: u32, alerts: Alerts) -> Result<IncidentPage, Failure> {
        let mut filter = format!("lastUpdateDateTime ge {}", ticks(slice.from));
        if let Some(to) = slice.to {
            filter = format!("{filter} and lastUpdateDateTime lt {}", ticks(to));
        }
        // A plus sign for a space is a form's custom, not a URL's.
        let filter: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        let filter = filter.replace('+', "%20");
        let mut url = self.url.clone();
        let expand = match alerts {
            Alerts::Expanded => "&$expand=alerts",
            Alerts::Left => "",
        };
        url.set_query(Some(&format!("$top={top}&$count=true{expand}&$filter={filter}")));
        self.next_page(&url).await
    }

    /// The page at `url`, which an earlier page gave.
    pub async fn next_page(&self, url: &Url) -> Result<IncidentPage, Failure> {
        self.quota.spend(0).await;
        let request = |http: &reqwest::Client| {
            http.get(url.clone())
                // Without it, newer enum members read "unknownFutureValue".
                // Source: https://learn.microsoft.com/graph/best-practices-concept#handling-future-members-in-evolvable-enumerations
                .header("Prefer", "include-unknown-enum-members")
                .header("Accept", "application/json")
        };
        let reply = self.authorized.send(MAX_ANSWER_BYTES, request).await?;
        match reply.status {
            200 => self.read_page(&reply),
            _ => Err(refusal(&reply)),
        }
    }

    /// Reads one incident, or finds that there is none: to see whether reading works.
    pub async fn probe(&self, slice: Slice) -> Result<usize, Failure> {
        Ok(self.first_page(slice, 1, Alerts::Expanded).await?.incidents.len())
    }

    fn read_page(&self, reply: &Reply) -> Result<IncidentPage, Failure> {
        let unreadable = |what: String| Failure {
            request_id: reply.request_id.clone(),
            ..Failure::unanswered("answer_unreadable", format!("Graph's answer cannot be read: {what}"))
        };
        let Page { incidents, next, count } =
            decode(&reply.body).map_err(|error| unreadable(error.to_string()))?;
        let next = match next {
            None => None,
            // The token goes where the link points, so that must be where we sent it before.
            Some(link) => match Url::parse(&link) {
                Ok(url) if url.origin() == self.url.origin() => Some(url),
                _ => {
                    let message = format!(
                        "the link to the next page does not lead to {}, where our token may go; set endpoint to the host \
                         that the links have",
                        self.url.origin().ascii_serialization()
                    );
                    let request_id = reply.request_id.clone();
                    return Err(Failure { request_id, ..Failure::unanswered("foreign_link", message) });
                }
            },
        };
        Ok(IncidentPage { incidents, next, count, server_time: reply.date })
    }
}

/// What an answer's body holds.
#[derive(Debug)]
pub struct Page {
    /// The incidents' JSON texts, cut out of the body without copying.
    pub incidents: Vec<Bytes>,
    /// `@odata.nextLink`.
    pub next: Option<String>,
    /// `@odata.count`.
    pub count: Option<u64>,
}

/// Takes the body of a listing apart.
pub fn decode(body: &Bytes) -> Result<Page, serde_json::Error> {
    let listing: Listing<'_> = serde_json::from_slice(body)?;
    let incidents = listing.value.iter().map(|incident| body.slice_ref(incident.get().as_bytes())).collect();
    Ok(Page { incidents, next: listing.next, count: listing.count })
}

/// A time with the seven fraction digits that Graph keeps.
fn ticks(time: DateTime<Utc>) -> String {
    let nine = time.to_rfc3339_opts(SecondsFormat::Nanos, true);
    // "….123456700Z": two digits and the Z less, and the Z again.
    let seven = nine.get(..nine.len() - 3).unwrap_or(&nine);
    format!("{seven}Z")
}

fn refusal(reply: &Reply) -> Failure {
    let (verdict, error_type, remedy) = match reply.status {
        400 => (Verdict::GiveUp, "bad_request", "Graph refuses the query; check endpoint and page_size"),
        401 => (
            Verdict::GiveUp,
            "authentication_failed",
            "Graph refuses the token; check that cloud, endpoint and token_scope belong together",
        ),
        403 => (
            Verdict::GiveUp,
            "forbidden",
            "the application may not read incidents: give it the Microsoft Graph application permission \
             SecurityIncident.Read.All and have an administrator consent to it",
        ),
        404 => (
            Verdict::GiveUp,
            "not_found",
            "there are no security incidents here: check endpoint and cloud, and that the tenant has Defender XDR",
        ),
        // A link to a page that has expired: the listing must be begun again.
        410 => (Verdict::GiveUp, "gone", "the listing has expired"),
        _ => return Failure::common(reply),
    };
    Failure::answered(reply, verdict, error_type, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_asked_for_with_seven_digits() {
        let time = DateTime::parse_from_rfc3339("2026-02-25T16:29:33.123456789Z").unwrap().to_utc();
        assert_eq!(ticks(time), "2026-02-25T16:29:33.1234567Z");
    }

    #[test]
    fn incidents_keep_every_byte_that_was_sent() {
        let body = Bytes::from_static(
            br#"{"@odata.count":2,"value":[ {"id":"1", "n":1.50,"new\u0041":{}}, {"id":"2"}]}"#,
        );
        let page = decode(&body).unwrap();
        assert_eq!(page.incidents[0], &br#"{"id":"1", "n":1.50,"new\u0041":{}}"#[..]);
        assert_eq!((page.incidents.len(), page.count, page.next), (2, Some(2), None));
    }
}
