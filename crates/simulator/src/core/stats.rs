//! What the simulator counts, and how a caller waits for it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

/// A snapshot of all counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Tokens handed out.
    pub tokens_issued: u64,
    /// Token requests that were refused.
    pub tokens_refused: u64,
    /// Requests to Graph, whatever became of them.
    pub graph_requests: u64,
    /// Requests to Graph that the quota let through in the last sixty seconds.
    pub graph_requests_last_minute: u64,
    /// Requests to Graph that the quota lets through in sixty seconds.
    pub graph_quota_per_minute: u64,
    /// Requests to Graph that the quota refused.
    pub graph_throttled: u64,
    /// Incidents in Graph's answers, repeated ones too.
    pub graph_incidents_served: u64,
    /// Clients' writes to incidents, in Graph or the workspace, that were done.
    pub incident_writes: u64,
    /// Requests to Sentinel's incidents, whatever became of them.
    pub security_insights_requests: u64,
    /// Requests to Sentinel's incidents that Azure Resource Manager throttled.
    pub security_insights_throttled: u64,
    /// Requests for lists of Defender incidents, page by page.
    pub defender_lists: u64,
    /// Requests for lists of Sentinel incidents, page by page.
    pub sentinel_lists: u64,
    /// Requests to Logs Ingestion, whatever became of them.
    pub ingestion_requests: u64,
    /// Requests to Logs Ingestion that are being answered now.
    pub ingestion_at_once: u64,
    /// The most requests to Logs Ingestion that were being answered at one time.
    pub ingestion_most_at_once: u64,
    /// Requests to Logs Ingestion that were answered, by status.
    pub ingestion_by_status: BTreeMap<u16, u64>,
    /// Requests to Azure Resource Manager, whatever became of them.
    pub resource_manager_requests: u64,
    /// Requests to the queries of Log Analytics, whatever became of them.
    pub log_analytics_requests: u64,
    /// Bytes of all accepted bodies as they came.
    pub ingestion_bytes_wire: u64,
    /// Bytes of all accepted bodies, decompressed.
    pub ingestion_bytes_json: u64,
    /// The largest body that came, accepted or not.
    pub largest_wire: u64,
    /// The largest body after decompression, accepted or not (as far as it was decompressed).
    pub largest_json: u64,
    /// Rows that were accepted.
    pub rows_ingested: u64,
    /// Rows that were accepted, by stream.
    pub rows_by_stream: BTreeMap<String, u64>,
    /// Different (`id_`, `lastUpdateDateTime`) among the rows that have both.
    pub distinct_rows: u64,
    /// Rows whose (`id_`, `lastUpdateDateTime`) had been ingested before.
    pub duplicate_rows: u64,
    /// The largest `lastUpdateDateTime` among the rows.
    pub newest_row: Option<String>,
    /// Bodies that were one object instead of an array: answered with 204, and gone.
    pub bare_objects: u64,
    /// Values that vanished because their column is not declared, by column.
    pub columns_vanished: BTreeMap<String, u64>,
    /// Values that became null because they do not fit their column, by column.
    pub type_mismatches: BTreeMap<String, u64>,
    /// Values that were cut at 64 KB, by column.
    pub fields_truncated: BTreeMap<String, u64>,
    /// Rows without a readable `TimeGenerated`.
    pub time_generated_missing: u64,
    /// Faults that happened to a request (`Pass` is none).
    pub faults_fired: u64,
}

/// One ingested row, without what vanished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// When it was ingested, by the clock of the simulator.
    pub at: DateTime<Utc>,
    /// The stream it was sent to.
    pub stream: String,
    /// The values of its declared columns.
    pub columns: Map<String, Value>,
}

/// One state of an incident.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision {
    /// The id of the incident.
    pub id: String,
    /// The `lastUpdateDateTime` of the incident, to the letter.
    pub last_update: String,
}

/// One write that was done, whether its answer arrived or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// When it was done, by the clock of the simulator.
    pub at: DateTime<Utc>,
    /// What it did.
    pub kind: WriteKind,
    /// The id of the Defender incident, or the name of the Sentinel incident.
    pub incident: String,
}

/// What a write did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WriteKind {
    /// A Defender incident's properties changed.
    DefenderUpdated,
    /// A Defender incident gained a comment.
    DefenderCommented,
    /// A Defender incident became part of another one.
    DefenderMerged,
    /// A Sentinel incident came to be.
    SentinelCreated,
    /// A Sentinel incident was replaced.
    SentinelUpdated,
    /// A Sentinel incident went.
    SentinelDeleted,
    /// A Sentinel incident gained a comment.
    SentinelCommented,
    /// A comment of a Sentinel incident was replaced.
    SentinelCommentUpdated,
    /// A comment of a Sentinel incident went.
    SentinelCommentDeleted,
}
