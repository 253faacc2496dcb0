//! The options of `defender_incidents`, the sink.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::TimeDelta;
use incident_model::field::Side;
use incident_model::options::SyncConfig;
use schemars::JsonSchema;
use serde::Deserialize;

use super::service::DefenderTenant;
use crate::component::{
    BuildError, Built, Component, Kind, Probed, Registered, Runtime, SyncDirection, Validation,
};
use crate::sinks::incident_sync::{Assembly, SyncOptions, WriteConfig, probed};
use crate::sinks::quarantine::QuarantineConfig;
use microsoft::connection::{Connection, ConnectionConfig, Connector};
use microsoft::graph::{self, GraphIncidents};
use model::problem::Problem;
use model::watermark::Slice;

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
    /// What is kept in sync, and how: the same in both directions of a pair.
    #[serde(default)]
    pub sync: SyncConfig,
    /// What this direction may write.
    #[serde(default)]
    pub write: WriteConfig,
    /// The quarantine (dead letters), for what can never be written.
    #[serde(default)]
    pub quarantine: QuarantineConfig,
}

/// The sink, its options checked.
#[derive(Clone, Debug)]
pub struct DefenderIncidents {
    connection: Connection,
    sync: SyncOptions,
    quarantine: QuarantineConfig,
}

// === impl DefenderIncidents ===

impl DefenderIncidents {
    /// The client for these options: reads certificate files and that of owners, asks nobody anything.
    pub fn client(&self, connector: &Connector) -> Result<GraphIncidents, BuildError> {
        self.sync.check()?;
        Ok(GraphIncidents::connect(&self.connection, connector)?)
    }
}

#[async_trait]
impl Component for DefenderIncidents {
    async fn probe(&self, connector: &Connector) -> Vec<Probed> {
        let slice = Slice::open(connector.clock.now() - TimeDelta::days(30));
        match self.client(connector) {
            Ok(client) => probed(client.probe(slice).await),
            Err(error) => vec![Probed::Failed(error.to_string())],
        }
    }

    fn check(&self, connector: &Connector) -> Result<(), BuildError> {
        self.client(connector).map(drop)
    }

    fn build(&self, id: &str, runtime: &mut Runtime) -> Result<Built, BuildError> {
        let client = self.client(&runtime.connector)?;
        let target = |_| Arc::new(DefenderTenant { client }) as _;
        let assembly =
            Assembly { labels: Self::labels(id), options: self.sync.clone(), quarantine: self.quarantine };
        assembly.build(target, runtime).map(Built::Sink)
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
        let DefenderIncidentsConfig { connection, sync, write, quarantine } = config;
        let connection = connection.validate(graph::WRITING, path, validation.proxy, &mut problems);
        let sync = SyncOptions::validate(sync, write, path, &mut problems);
        quarantine.validate(path, &mut problems);
        match connection {
            Some(connection) if problems.is_empty() => Ok(Self { connection, sync, quarantine }),
            _ => Err(problems),
        }
    }
}
