//! What a request to incidents is for, so that a fault can wait for its kind.

use axum::http::Method;
use serde::Deserialize;

/// One kind of request to Defender's or Sentinel's incidents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// A list of Defender incidents.
    DefenderList,
    /// One Defender incident.
    DefenderGet,
    /// An update of a Defender incident.
    DefenderUpdate,
    /// A comment on a Defender incident.
    DefenderComment,
    /// A merge of Defender incidents.
    DefenderMerge,
    /// A list of Sentinel incidents.
    SentinelList,
    /// One Sentinel incident.
    SentinelGet,
    /// A Sentinel incident that is created or updated.
    SentinelPut,
    /// A Sentinel incident that is deleted.
    SentinelDelete,
    /// A list of the comments of a Sentinel incident.
    SentinelListComments,
    /// One comment of a Sentinel incident.
    SentinelGetComment,
    /// A comment of a Sentinel incident that is created or updated.
    SentinelPutComment,
    /// A comment of a Sentinel incident that is deleted.
    SentinelDeleteComment,
}

// === impl Operation ===

impl Operation {
    /// The operation of a request, if it is about incidents.
    pub(crate) fn of(method: &Method, path: &str) -> Option<Self> {
        let is_sentinel = path.starts_with("/subscriptions/");
        if !is_sentinel && !path.contains("/security/incidents") {
            return None;
        }
        let mut parts = path.split('/').skip_while(|part| !part.eq_ignore_ascii_case("incidents"));
        // Azure Resource Manager has other resources, too.
        parts.next()?;
        let parts = (parts.next(), parts.next(), parts.next());
        Some(match (is_sentinel, method, parts) {
            (false, &Method::GET, (None, ..)) => Self::DefenderList,
            (false, &Method::POST, (Some("mergeIncidents"), ..)) => Self::DefenderMerge,
            (false, &Method::GET, (Some(_), None, _)) => Self::DefenderGet,
            (false, &Method::PATCH, (Some(_), None, _)) => Self::DefenderUpdate,
            (false, &Method::POST, (Some(_), Some("comments"), _)) => Self::DefenderComment,
            (true, &Method::GET, (None, ..)) => Self::SentinelList,
            (true, &Method::GET, (Some(_), None, _)) => Self::SentinelGet,
            (true, &Method::PUT, (Some(_), None, _)) => Self::SentinelPut,
            (true, &Method::DELETE, (Some(_), None, _)) => Self::SentinelDelete,
            (true, &Method::GET, (Some(_), Some("comments"), None)) => Self::SentinelListComments,
            (true, &Method::GET, (Some(_), Some("comments"), Some(_))) => Self::SentinelGetComment,
            (true, &Method::PUT, (Some(_), Some("comments"), Some(_))) => Self::SentinelPutComment,
            (true, &Method::DELETE, (Some(_), Some("comments"), Some(_))) => Self::SentinelDeleteComment,
            _ => return None,
        })
    }
}
