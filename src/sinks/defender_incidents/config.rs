//! The options of `defender_incidents`, the sink.

use std::sync::Arc;

use incident_model::field::Side;
use schemars::JsonSchema;
use serde::Deserialize;

use super::service::DefenderTenant;
use crate::component::{
    BuildError, Built, Component, Kind, Probe, Registered, Runtime, SyncDirection, Validation,
};
use crate::sinks::incident_sync::{IncidentSyncConfig, SyncOptions, assemble, probed};
use microsoft::connection::{Connection, ConnectionConfig, Connector};
use microsoft::graph::{self, GraphIncidents};
use model::problem::Problem;

/// Writes what incidents of Microsoft Sentinel say back into Defender XDR: status, owner, classification, tags and comments.
/// Its inputs are incidents of `sentinel_incidents`.
///
/// The identity needs the Microsoft Graph application permission `SecurityIncident.ReadWrite.All`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct DefenderIncidentsConfig {
    /// Where Microsoft Graph is, who asks, and how.
    #[serde(flatten)]
    pub connection: ConnectionConfig,
    /// What is kept in sync, and how.
    #[serde(flatten)]
    pub sync: IncidentSyncConfig,
}

/// The sink, its options checked.
#[derive(Clone, Debug)]
pub struct DefenderIncidents {
    connection: Connection,
    sync: SyncOptions,
}

// === impl DefenderIncidents ===

impl DefenderIncidents {
    /// The client for these options: reads certificate files and that of owners, asks nobody anything.
    pub fn client(&self, connector: &Connector) -> Result<GraphIncidents, BuildError> {
        self.sync.check()?;
        Ok(GraphIncidents::connect(&self.connection, connector)?)
    }
}

impl Component for DefenderIncidents {
    fn probe(&self, connector: &Connector) -> Result<Probe<'_>, BuildError> {
        let client = self.client(connector)?;
        Ok(Box::pin(async move { probed(client.probe().await) }))
    }

    fn warnings(&self, path: &str) -> Vec<Problem> {
        self.connection.identity.warnings(path)
    }

    fn build(&self, id: &str, runtime: &mut Runtime) -> Result<Built, BuildError> {
        let client = self.client(&runtime.connector)?;
        let target = |_| Arc::new(DefenderTenant { client }) as _;
        assemble(Self::labels(id), self.sync.clone(), target, runtime).map(Built::Sink)
    }

    fn sync(&self) -> Option<SyncDirection<'_>> {
        Some(self.sync.direction(Side::Defender))
    }
}

impl Registered for DefenderIncidents {
    const KIND: Kind = Kind::Sink;
    const TYPE: &'static str = "defender_incidents";
    type Config = DefenderIncidentsConfig;

    fn validate(config: Self::Config, validation: &Validation<'_>) -> Result<Self, Vec<Problem>> {
        let (path, mut problems) = (validation.path.as_str(), Vec::new());
        let DefenderIncidentsConfig { connection, sync } = config;
        let connection = connection.validate(graph::WRITING, path, validation.proxy, &mut problems);
        let sync = SyncOptions::validate(sync, path, &mut problems);
        match connection {
            Some(connection) if problems.is_empty() => Ok(Self { connection, sync }),
            _ => Err(problems),
        }
    }
}
