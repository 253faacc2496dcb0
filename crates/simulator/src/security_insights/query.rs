//! Reads the query options of a list, cuts its page, and writes the link to the next one.

// https://learn.microsoft.com/rest/api/securityinsights/incidents/list#uri-parameters

use axum::http::Uri;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::super::world::World;
use super::door::Objection;
use super::filter::{Filter, Order};

/// Incidents in one answer.
// https://learn.microsoft.com/azure/sentinel/sentinel-service-limits#incident-limits
const LARGEST_PAGE: usize = 1_000;

/// A list as it was asked for.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) filter: Filter,
    pub(super) order: Order,
    top: usize,
    skip: usize,
    /// Everything but `$skipToken`, for the next page.
    kept: Vec<(String, String)>,
}

// === impl Query ===

impl Query {
    pub(super) fn parse(uri: &Uri, page_size: usize) -> Result<Self, Objection> {
        let mut query = Self {
            filter: Filter::default(),
            order: Order::default(),
            top: page_size.clamp(1, LARGEST_PAGE),
            skip: 0,
            kept: Vec::new(),
        };
        let raw = uri.query().unwrap_or_default();
        for (name, value) in form_urlencoded::parse(raw.as_bytes()).into_owned() {
            match name.as_str() {
                "$filter" => query.filter = Filter::parse(&value).map_err(Objection::bad_request)?,
                "$orderby" => query.order = Order::parse(&value).map_err(Objection::bad_request)?,
                "$top" => query.top = top(&value).map_err(Objection::bad_request)?,
                "$skipToken" => {
                    let invalid = || Objection::bad_request("Invalid value for $skipToken.");
                    query.skip = skip(&value).ok_or_else(invalid)?;
                    continue;
                }
                _ => {}
            }
            // Clients put their own `api-version` behind a link that has one.
            query.kept.retain(|(known, _)| *known != name);
            query.kept.push((name, value));
        }
        Ok(query)
    }

    /// Comments take no filter and no order here.
    pub(super) fn of_comments(uri: &Uri, page_size: usize) -> Result<Self, Objection> {
        let query = Self::parse(uri, page_size)?;
        if query.kept.iter().any(|(name, _)| name == "$filter" || name == "$orderby") {
            return Err(Objection::bad_request(super::filter::SYNTAX));
        }
        Ok(query)
    }

    /// The page out of the whole list, as it is now: what moved since the page before comes twice or not at all.
    pub(super) fn page(&self, world: &World, uri: &Uri, whole: &[Value]) -> Value {
        let page: Vec<_> = whole.iter().skip(self.skip).take(self.top).collect();
        let mut body = json!({"value": page});
        let after = self.skip.saturating_add(page.len());
        if after < whole.len() {
            body["nextLink"] = json!(self.next_link(world, uri, after));
        }
        body
    }

    fn next_link(&self, world: &World, uri: &Uri, skip: usize) -> String {
        let token = BASE64_URL_SAFE_NO_PAD.encode(json!({"skip": skip}).to_string());
        let pairs = self.kept.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let pairs = pairs.chain([("$skipToken", token.as_str())]);
        let address = format!("{}{}", world.url, uri.path());
        if world.config.workspace.escapes_next_link {
            let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            return format!("{address}?{query}");
        }
        // As the service does it: spaces, quotes and all.
        let query: Vec<_> = pairs.map(|(name, value)| format!("{name}={value}")).collect();
        format!("{address}?{}", query.join("&"))
    }
}

fn top(text: &str) -> Result<usize, String> {
    let top: Option<usize> = text.parse().ok();
    top.filter(|top| (1..=LARGEST_PAGE).contains(top))
        .ok_or_else(|| format!("Invalid value '{text}' for $top: it must be between 1 and {LARGEST_PAGE}."))
}

fn skip(token: &str) -> Option<usize> {
    let token: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    usize::try_from(token.get("skip")?.as_u64()?).ok()
}
