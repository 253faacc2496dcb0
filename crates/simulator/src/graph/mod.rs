//! Fake Microsoft Graph: the tenant's incidents, as the security API lists and changes them.
//!
//! A request is read by [`read`] or [`mod@write`]; [`tenant`] holds what there is. An incident is the list of its events
//! ([`lifecycle`]), which [`incident_index`] finds and [`incident`] writes as JSON, with its [`evidence`].

// https://learn.microsoft.com/graph/api/resources/security-api-overview

pub(crate) mod dialect;
pub(crate) mod edit;
pub(crate) mod enum_members;
mod evidence;
mod incident;
mod incident_index;
mod lifecycle;
mod read;
pub(crate) mod tenant;
mod write;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::sim_state::SimState;

pub use tenant::Tenant;

/// The routes of both versions.
pub(crate) fn routes() -> Router<Arc<SimState>> {
    ["v1.0", "beta"].into_iter().fold(Router::new(), |routes, version| {
        let all = format!("/{version}/security/incidents");
        routes
            .route(&all, get(read::list))
            .route(&format!("{all}/{{id}}"), get(read::get).patch(write::update))
            .route(&format!("{all}/{{id}}/comments"), post(write::comment))
            .route(&format!("{all}/mergeIncidents"), post(write::merge))
    })
}
