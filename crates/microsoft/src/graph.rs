//! Microsoft Graph's security incidents.
//!
//! Source: <https://learn.microsoft.com/graph/api/security-list-incidents>

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use serde_json::value::RawValue;
use url::Url;

use super::Failure;
use super::authorized::Authorized;
use super::cloud::Cloud;
use super::http::{Reply, https_url};
use super::listing::{self, IncidentPage};
use model::problem::Problem;
use model::watermark::Slice;
use runtime::clock::Clock;
use runtime::retry::Verdict;
use runtime::retry::quota::{Allowance, Amount, Quota};

/// Most incidents in one page. The page below states no maximum; above 50 the service answers 400 and names this number.
/// Source: <https://learn.microsoft.com/graph/api/security-list-incidents>
pub const MAX_PAGE_SIZE: u32 = 50;
/// Most requests in a minute that the service allows an application in a tenant.
/// Source: <https://learn.microsoft.com/graph/throttling-limits#security-detections-and-incidents-service-limits>
pub const MAX_REQUESTS_A_MINUTE: usize = 150;
/// The code of an answer that Graph has no words for: for a 404, the path is not one of its own.
const UNKNOWN: &str = "UnknownError";
/// Most bytes of one answer that are read: fifty incidents are a megabyte, fifty very large ones some tens.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Reads incidents, and writes to them. Cheap to clone.
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

/// The base URL that is `written` in the options at `path`, else that of `cloud`. What is wrong with them is told; `purpose` is
/// what is to be done there.
pub fn endpoint(
    written: Option<&str>,
    cloud: Cloud,
    purpose: &str,
    path: &str,
    problems: &mut Vec<Problem>,
) -> Option<Url> {
    if cloud.graph().is_none() {
        let message = format!(
            "Microsoft Graph has no incident API in the China cloud, so there is nothing to {purpose} there"
        );
        problems.push(Problem::new(format!("{path}.cloud"), message));
    }
    let base = written.or(cloud.graph())?;
    let url = https_url(base);
    if url.is_none() {
        let message = "must be an https URL, such as https://graph.microsoft.com";
        problems.push(Problem::new(format!("{path}.endpoint"), message));
    }
    url
}

/// So many requests a minute, and in an hour no more than thirty times as many.
#[must_use]
pub fn quota(a_minute: usize, clock: &Clock) -> Arc<Quota> {
    let allowances = [(a_minute, Duration::from_mins(1)), (a_minute * 30, Duration::from_hours(1))];
    let allowance = |(most, within)| Allowance { amount: Amount::Requests(most), within };
    Arc::new(Quota::new(allowances.map(allowance).to_vec(), clock.clone()))
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
    pub async fn next_page(&self, url: &Url) -> Result<IncidentPage, Failure> {
        let reply = self.get(url).await?;
        match reply.status {
            200 => listing::read_page(&reply, &self.url, "Graph", str::to_owned),
            _ => Err(refusal(&reply)),
        }
    }

    /// The incident, without its alerts, as the service sends it; nothing if it says that there is none.
    pub async fn incident(&self, id: &str) -> Result<Option<Bytes>, Failure> {
        let reply = self.get(&self.url_of(id, &[])).await?;
        match reply.status {
            200 => Ok(Some(reply.body)),
            // Without a code of its own the path is unknown, and not the incident.
            404 if Failure::code_of(&reply).is_some_and(|code| code != UNKNOWN) => Ok(None),
            _ => Err(refusal(&reply)),
        }
    }

    /// Changes the properties that stand in `body`, and answers the whole incident, without its alerts.
    ///
    /// Source: <https://learn.microsoft.com/graph/api/security-incident-update>
    pub async fn patch_incident(&self, id: &str, body: Bytes) -> Result<Bytes, Failure> {
        self.quota.spend(0).await;
        let url = self.url_of(id, &[]);
        let request = |http: &reqwest::Client| prepared(http.patch(url.clone())).body(body.clone());
        let reply = self.authorized.send(MAX_ANSWER_BYTES, request).await?;
        match reply.status {
            200 => Ok(reply.body),
            _ => Err(write_refusal(&reply)),
        }
    }

    /// Adds a comment, and answers all that the incident has now. The service adds it again if it is asked again.
    ///
    /// Source: <https://learn.microsoft.com/graph/api/security-incident-post-comments>
    pub async fn post_comment(&self, id: &str, text: &str) -> Result<Vec<Bytes>, Failure> {
        self.quota.spend(0).await;
        let url = self.url_of(id, &["comments"]);
        let body =
            json!({"@odata.type": "microsoft.graph.security.alertComment", "comment": text}).to_string();
        let request = |http: &reqwest::Client| prepared(http.post(url.clone())).body(body.clone());
        let reply = self.authorized.send(MAX_ANSWER_BYTES, request).await?;
        match reply.status {
            200 | 201 => {
                decode_comments(&reply.body).map_err(|error| listing::unreadable(&reply, "Graph", &error))
            }
            _ => Err(write_refusal(&reply)),
        }
    }

    async fn get(&self, url: &Url) -> Result<Reply, Failure> {
        self.quota.spend(0).await;
        self.authorized.send(MAX_ANSWER_BYTES, |http| prepared(http.get(url.clone()))).await
    }

    /// Where one incident is, or something below it. Whatever stands in an id stays within its segment.
    fn url_of(&self, id: &str, below: &[&str]) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.push(id).extend(below);
        }
        url
    }

    /// Reads one incident, or finds that there is none: to see whether reading works.
    pub async fn probe(&self, slice: Slice) -> Result<usize, Failure> {
        Ok(self.first_page(slice, 1, Alerts::Expanded).await?.incidents.len())
    }
}

/// What every request says of itself.
fn prepared(request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
    request
        // Without it, newer enum members read "unknownFutureValue".
        // Source: https://learn.microsoft.com/graph/best-practices-concept#handling-future-members-in-evolvable-enumerations
        .header("Prefer", "include-unknown-enum-members")
        .header("Accept", "application/json")
        .header("Content-Type", "application/json")
}

/// The comments of an answer, which is documented as a list of them, and may come in the envelope of a collection.
fn decode_comments(body: &Bytes) -> Result<Vec<Bytes>, serde_json::Error> {
    if body.trim_ascii_start().starts_with(b"[") {
        let comments: Vec<&RawValue> = serde_json::from_slice(body)?;
        return Ok(comments.iter().map(|comment| body.slice_ref(comment.get().as_bytes())).collect());
    }
    listing::decode(body).map(|page| page.members)
}

fn write_refusal(reply: &Reply) -> Failure {
    let (verdict, error_type, remedy) = match reply.status {
        400 => (Verdict::GiveUp, "bad_request", "Graph refuses the change"),
        401 => (
            Verdict::Retry,
            "authentication_failed",
            "Graph refuses the token; check that cloud, endpoint and token_scope belong together",
        ),
        403 => (
            Verdict::Retry,
            "forbidden",
            "the application may not change incidents: give it the Microsoft Graph application permission \
             SecurityIncident.ReadWrite.All and have an administrator consent to it",
        ),
        404 if Failure::code_of(reply).is_some_and(|code| code != UNKNOWN) => {
            (Verdict::GiveUp, "not_found", "there is no such incident in this tenant")
        }
        404 => (
            Verdict::Retry,
            "not_found",
            "there are no security incidents here: check endpoint and cloud, and that the tenant has Defender XDR",
        ),
        _ => return Failure::common(reply),
    };
    Failure::answered(reply, verdict, error_type, remedy)
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
    fn comments_are_read_with_and_without_an_envelope() {
        for body in
            [r#"[{"comment":"a"}, {"comment":"b"}]"#, r#"{"value":[{"comment":"a"},{"comment":"b"}]}"#]
        {
            let comments = decode_comments(&Bytes::from_static(body.as_bytes())).unwrap();
            assert_eq!(comments, [r#"{"comment":"a"}"#, r#"{"comment":"b"}"#], "{body}");
        }
        assert!(decode_comments(&Bytes::from_static(b"<html>")).is_err());
    }

    #[test]
    fn a_change_that_is_refused_is_given_up_and_a_permission_that_is_missing_is_waited_for() {
        let reply = |status, body: &'static str| Reply {
            status,
            retry_after: None,
            request_id: None,
            date: None,
            body: body.into(),
        };
        let of = |code: &str| {
            format!(r#"{{"error":{{"code":"{code}","message":"its own words"}}}}"#).leak() as &'static str
        };
        let refused = write_refusal(&reply(400, of("BadRequest")));
        assert_eq!(refused.verdict, Verdict::GiveUp);
        assert!(refused.message.contains("its own words"), "{refused}");
        let forbidden = write_refusal(&reply(403, of("Forbidden")));
        assert_eq!(forbidden.verdict, Verdict::Retry);
        assert!(forbidden.message.contains("SecurityIncident.ReadWrite.All"), "{forbidden}");
        assert_eq!(write_refusal(&reply(404, of("NotFound"))).verdict, Verdict::GiveUp);
        // Not the incident is missing, but the whole service.
        assert_eq!(write_refusal(&reply(404, of(UNKNOWN))).verdict, Verdict::Retry);
        assert_eq!(write_refusal(&reply(404, "<html>")).verdict, Verdict::Retry);
    }
}
