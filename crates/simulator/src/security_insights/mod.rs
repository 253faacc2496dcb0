//! Fake Microsoft Sentinel: the incidents of one workspace and their comments, as the provider
//! `Microsoft.SecurityInsights` serves them at Azure Resource Manager.
//!
//! A request passes [`door`] (token, role, version, throttling), is read by [`query`] or [`draft`], and done by
//! [`store`]. [`connector`] plays Microsoft's own Defender XDR connector; [`analysts`] is for tests.

// https://learn.microsoft.com/rest/api/securityinsights/incidents
// https://learn.microsoft.com/rest/api/securityinsights/incident-comments

mod analysts;
mod comments;
mod config;
mod connector;
mod directory;
mod door;
mod draft;
mod incident;
mod incidents;
mod query;
mod store;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use super::world::World;

pub use analysts::Workspace;
pub use config::{ArmQuota, ConnectorConfig, WorkspaceConfig};
pub use directory::User;
pub(super) use door::Doors;
#[cfg(test)]
pub(crate) use query::INCIDENTS;
pub(super) use store::Incidents;

/// Everything of `Microsoft.SecurityInsights`. The paths are in the letters of the specification, and in those of the
/// `id`s that the service gives out; Azure Resource Manager itself does not mind their case.
pub(super) fn routes() -> Router<Arc<World>> {
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
