//! Fake Microsoft Sentinel: the incidents of one workspace and their comments, as the provider
//! `Microsoft.SecurityInsights` serves them at Azure Resource Manager.
//!
//! A request passes [`arm_gateway`] (token, role, version, throttling), is read by [`query`] or [`draft`], and done by
//! [`store`]. [`connector`] plays Microsoft's own Defender XDR connector; [`workspace`] is for tests.

// https://learn.microsoft.com/rest/api/securityinsights/incidents
// https://learn.microsoft.com/rest/api/securityinsights/incident-comments

mod arm_gateway;
mod comments;
mod config;
mod connector;
mod directory;
mod draft;
mod incident;
mod incidents;
mod query;
mod raw;
mod store;
mod workspace;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use crate::sim_state::SimState;

pub(crate) use arm_gateway::ArmGateway;
pub use config::{ArmQuota, ConnectorConfig, WorkspaceConfig};
pub use directory::User;
#[cfg(test)]
pub(crate) use query::INCIDENTS;
pub(crate) use store::Incidents;
pub use workspace::Workspace;

/// Everything of `Microsoft.SecurityInsights`. The paths are in the letters of the specification, and in those of the
/// `id`s that the service gives out; Azure Resource Manager itself does not mind their case.
pub(crate) fn routes() -> Router<Arc<SimState>> {
    let mut routes = Router::new();
    for groups in ["resourceGroups", "resourcegroups"] {
        for incidents in ["incidents", "Incidents"] {
            let all = format!(
                "/subscriptions/{{subscription}}/{groups}/{{group}}/providers/Microsoft.OperationalInsights\
                /workspaces/{{workspace}}/providers/Microsoft.SecurityInsights/{incidents}"
            );
            let one = format!("{all}/{{incident}}");
            let comments = format!("{one}/comments");
            let comment = format!("{comments}/{{comment}}");
            routes = routes
                .route(&all, get(incidents::list))
                .route(&one, get(incidents::get).put(incidents::put).delete(incidents::delete))
                .route(&comments, get(comments::list))
                .route(&comment, get(comments::get).put(comments::put).delete(comments::delete));
        }
    }
    routes
}
