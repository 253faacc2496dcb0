//! Listings of incidents, as Graph and Azure Resource Manager page them.

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use crate::error::{ServiceError, Unusable};
use crate::http::Reply;
use model::watermark::Slice;

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

/// What an answer's body holds.
#[derive(Debug)]
pub struct Page {
    /// The members' JSON texts, cut out of the body without copying.
    pub members: Vec<Bytes>,
    /// `@odata.nextLink` of Graph, `nextLink` of Azure Resource Manager.
    pub next: Option<String>,
    /// How many there are in all: `@odata.count`.
    pub count: Option<u64>,
}

#[derive(Deserialize)]
struct Listing<'a> {
    #[serde(borrow)]
    value: Vec<&'a RawValue>,
    #[serde(rename = "@odata.nextLink", alias = "nextLink")]
    next: Option<String>,
    #[serde(rename = "@odata.count")]
    count: Option<u64>,
}

/// Takes the body of a listing apart.
pub fn decode(body: &Bytes) -> Result<Page, serde_json::Error> {
    let listing: Listing<'_> = serde_json::from_slice(body)?;
    let members = listing.value.iter().map(|member| body.slice_ref(member.get().as_bytes())).collect();
    Ok(Page { members, next: listing.next.filter(|link| !link.is_empty()), count: listing.count })
}

/// Reads one page of `service`, whose link to the next must lead to where `home` is. `escaped` makes a URL of a link.
pub(super) fn read_page(
    reply: &Reply,
    home: &Url,
    service: &str,
    escaped: impl Fn(&str) -> String,
) -> Result<IncidentPage, ServiceError> {
    let Page { members, next, count } =
        decode(&reply.body).map_err(|error| unreadable(reply, service, &error))?;
    let next = match next {
        None => None,
        // The token goes where the link points, so that must be where we sent it before.
        Some(link) => match Url::parse(&escaped(&link)) {
            Ok(url) if url.origin() == home.origin() => Some(url),
            _ => {
                let reason = Unusable::ForeignLink(home.origin().ascii_serialization());
                return Err(ServiceError::Unusable { reason, request_id: reply.request_id.clone() });
            }
        },
    };
    Ok(IncidentPage { incidents: members, next, count, server_time: reply.date })
}

/// An answer of `service` that is no JSON, or not of the shape that is documented.
pub(super) fn unreadable(reply: &Reply, service: &str, error: &serde_json::Error) -> ServiceError {
    ServiceError::unreadable(service, error, reply.request_id.clone())
}

/// The condition that the time `property` is within `slice`.
pub(super) fn within(property: &str, slice: Slice) -> String {
    let from = format!("{property} ge {}", ticks(slice.from));
    slice.to.map_or_else(|| from.clone(), |to| format!("{from} and {property} lt {}", ticks(to)))
}

/// The URL of what is `below` another, whose path may end in a slash. Whatever stands in a segment stays within it.
pub(super) fn below<'s>(url: &Url, below: impl IntoIterator<Item = &'s str>) -> Url {
    let mut url = url.clone();
    // It has a path, because an https URL has a host.
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(below);
    }
    url
}

/// A request without a body to `url`.
pub(super) fn get(url: &Url) -> http::Request<Bytes> {
    request(http::Method::GET, url, Bytes::new())
}

/// A request of JSON, to `url`.
pub(super) fn request(method: http::Method, url: &Url, body: Bytes) -> http::Request<Bytes> {
    let mut request = http::Request::new(body);
    *request.method_mut() = method;
    // A URL is always one that can be asked for.
    if let Ok(uri) = url.as_str().parse() {
        *request.uri_mut() = uri;
    }
    let json = http::HeaderValue::from_static("application/json");
    request.headers_mut().insert(http::header::ACCEPT, json.clone());
    request.headers_mut().insert(http::header::CONTENT_TYPE, json);
    request
}

/// A condition as a query's value.
pub(super) fn query_value(text: &str) -> String {
    let value: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    // A plus sign for a space is a form's custom, not a URL's.
    value.replace('+', "%20")
}

/// A time with the seven fraction digits that Microsoft keeps.
fn ticks(time: DateTime<Utc>) -> String {
    let nine = time.to_rfc3339_opts(SecondsFormat::Nanos, true);
    // "….123456700Z": two digits and the Z less, and the Z again.
    let seven = nine.get(..nine.len() - 3).unwrap_or(&nine);
    format!("{seven}Z")
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
        assert_eq!(page.members[0], &br#"{"id":"1", "n":1.50,"new\u0041":{}}"#[..]);
        assert_eq!((page.members.len(), page.count, page.next), (2, Some(2), None));
    }

    #[test]
    fn both_names_of_the_link_are_read_and_an_empty_one_is_none() {
        let next = |body: &'static str| decode(&body.into()).unwrap().next;
        assert_eq!(next(r#"{"value":[],"nextLink":"https://a/1"}"#).as_deref(), Some("https://a/1"));
        assert_eq!(next(r#"{"value":[],"@odata.nextLink":"https://a/2"}"#).as_deref(), Some("https://a/2"));
        assert_eq!(next(r#"{"value":[],"nextLink":""}"#), None);
        assert_eq!(next(r#"{"value":[],"nextLink":null}"#), None);
    }
}
