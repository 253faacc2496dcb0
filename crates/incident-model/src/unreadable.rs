//! Why a text says nothing of an incident.

use thiserror::Error;

/// Why a text is no incident, or no comment, of a side.
#[derive(Debug, Error)]
pub enum UnreadableIncident {
    /// It is no incident of Microsoft Graph.
    #[error("this is no incident of Microsoft Graph (id, lastUpdateDateTime …): {0}")]
    Graph(#[source] serde_json::Error),
    /// It is no comment of Microsoft Graph.
    #[error("a comment of Microsoft Graph cannot be read: {0}")]
    GraphComment(#[source] serde_json::Error),
    /// It is no incident of Microsoft Sentinel.
    #[error("this is no incident of Microsoft Sentinel (name, properties.lastModifiedTimeUtc …): {0}")]
    Sentinel(#[source] serde_json::Error),
    /// It is no comment of Microsoft Sentinel.
    #[error("a comment of Microsoft Sentinel cannot be read: {0}")]
    SentinelComment(#[source] serde_json::Error),
}
