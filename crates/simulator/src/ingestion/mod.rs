//! Fake Azure Monitor Logs Ingestion: takes rows ([`ingest`]) for the streams of data collection rules ([`dcr`]), and loses
//! what the real service loses ([`columns`]).

// https://learn.microsoft.com/azure/azure-monitor/logs/logs-ingestion-api-overview

pub(crate) mod columns;
mod dcr;
mod ingest;

use std::sync::Arc;

use axum::Router;
use axum::routing::post;

use crate::sim_state::SimState;

pub use dcr::{ColumnType, Columns, Dcr, DcrError, Flow};
pub(crate) use ingest::REQUESTS_PER_MINUTE;

/// The one route that takes rows.
pub(crate) fn routes() -> Router<Arc<SimState>> {
    Router::new().route("/dataCollectionRules/{rule}/streams/{stream}", post(ingest::ingest))
}
