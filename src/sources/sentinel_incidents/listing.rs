use async_trait::async_trait;
use bytes::{BufMut, Bytes, BytesMut};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use url::Url;

use crate::sources::incidents::{Listing, Weight};
use microsoft::ServiceError;
use microsoft::listing::IncidentPage;
use microsoft::security_insights::{MAX_PAGE_SIZE, SecurityInsights};
use model::incident::Revision;
use model::watermark::Slice;

/// Sentinel's listing, which says how many comments an incident has, and not which.
pub(super) struct SentinelListing(pub(super) SecurityInsights);

/// What says where comments are, and how many.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(default)]
    name: Option<String>,
    /// Sentinel has no such member: it is where we put them.
    #[serde(borrow, default)]
    comments: Option<&'a RawValue>,
    #[serde(default)]
    properties: Option<Properties>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    additional_data: Option<AdditionalData>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AdditionalData {
    comments_count: Option<Value>,
}

#[async_trait]
impl Listing for SentinelListing {
    fn service(&self) -> &'static str {
        "Microsoft Sentinel"
    }

    fn incidents(&self) -> &'static str {
        "Microsoft Sentinel incidents"
    }

    fn max_page_size(&self) -> u32 {
        MAX_PAGE_SIZE
    }

    fn heavy_part(&self) -> Option<&'static str> {
        None
    }

    async fn first_page(&self, slice: Slice, top: u32, _: Weight) -> Result<IncidentPage, ServiceError> {
        self.0.first_page(slice, top).await
    }

    async fn next_page(&self, url: &Url) -> Result<IncidentPage, ServiceError> {
        self.0.next_page(url).await
    }

    fn revision(&self, json: &str) -> Revision {
        Revision::of_sentinel(json)
    }

    async fn complete(&self, _: &Revision, json: &Bytes) -> Result<Bytes, ServiceError> {
        // What is no incident that we know travels as it is.
        let Ok(Head { name: Some(name), comments: None, properties }) = serde_json::from_slice(json) else {
            return Ok(json.clone());
        };
        let count = properties.and_then(|properties| properties.additional_data?.comments_count);
        let comments =
            if count == Some(Value::from(0)) { Vec::new() } else { self.0.comments(&name).await? };
        Ok(with_comments(json, &comments))
    }
}

/// The incident with one more member, and every byte of its own.
fn with_comments(json: &Bytes, comments: &[Bytes]) -> Bytes {
    // It was read as an object with a name, so it ends with a brace and is not empty.
    let Some(open) = json.trim_ascii_end().strip_suffix(b"}") else { return json.clone() };
    let length: usize = comments.iter().map(|comment| comment.len() + 1).sum();
    let mut complete = BytesMut::with_capacity(open.len() + length + 32);
    complete.put_slice(open);
    complete.put_slice(br#","comments":["#);
    for (i, comment) in comments.iter().enumerate() {
        if i > 0 {
            complete.put_u8(b',');
        }
        complete.put_slice(comment);
    }
    complete.put_slice(b"]}");
    complete.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_added_and_no_byte_is_changed() {
        let json = Bytes::from_static(b"{\"name\":\"n\", \"n\":1.50,\"new\\u0041\":{} }\n");
        let comments = [Bytes::from_static(br#"{"name":"c1"}"#), Bytes::from_static(br#"{"name": "c2"}"#)];
        assert_eq!(
            with_comments(&json, &comments),
            &b"{\"name\":\"n\", \"n\":1.50,\"new\\u0041\":{} ,\"comments\":[{\"name\":\"c1\"},{\"name\": \"c2\"}]}"[..]
        );
        assert_eq!(
            with_comments(&json, &[]),
            &b"{\"name\":\"n\", \"n\":1.50,\"new\\u0041\":{} ,\"comments\":[]}"[..]
        );
    }
}
