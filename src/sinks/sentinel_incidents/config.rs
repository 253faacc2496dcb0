//! The options of `sentinel_incidents`, the sink.

use std::sync::Arc;

use incident_model::field::Side;
use schemars::JsonSchema;
use serde::Deserialize;

use super::native::NativeIncidents;
use super::service::SentinelWorkspace;
use crate::component::{
    BuildError, Built, Component, Kind, Probe, Registered, Runtime, SyncDirection, Validation,
};
use crate::sinks::incident_sync::{IncidentSyncConfig, SyncOptions, assemble, probed};
use microsoft::arm::{self, ArmQuota, MAX_READS_A_MINUTE};
use microsoft::connection::{Connection, ConnectionConfig, Connector};
use microsoft::security_insights::{SecurityInsights, Workspace};
use model::problem::Problem;

/// Writes what incidents of Defender XDR say into Microsoft Sentinel: creates them there, and keeps status, owner,
/// classification, tags and comments in sync. Its inputs are incidents of `defender_incidents`.
///
/// The identity needs the role Microsoft Sentinel Responder on the workspace.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct SentinelIncidentsConfig {
    /// Where Azure Resource Manager is, who asks, and how.
    #[serde(flatten)]
    pub connection: ConnectionConfig,
    /// Where incidents are written.
    #[serde(flatten)]
    pub workspace: Workspace,
    /// What is kept in sync, and how.
    #[serde(flatten)]
    pub sync: IncidentSyncConfig,
}

/// The sink, its options checked.
#[derive(Clone, Debug)]
pub struct SentinelIncidents {
    connection: Connection,
    workspace: Workspace,
    sync: SyncOptions,
}

// === impl SentinelIncidents ===

impl SentinelIncidents {
    /// The client for these options: reads certificate files and that of owners, asks nobody anything.
    pub fn client(&self, connector: &Connector) -> Result<SecurityInsights, BuildError> {
        self.sync.check()?;
        let writes = self.connection.requests_a_minute;
        let reads = (writes * 2).min(MAX_READS_A_MINUTE.max(writes));
        let quota = ArmQuota::a_minute(reads, writes, &connector.clock);
        Ok(SecurityInsights::connect(&self.connection, &self.workspace, quota, connector)?)
    }
}

impl Component for SentinelIncidents {
    fn probe(&self, connector: &Connector) -> Result<Probe<'_>, BuildError> {
        let client = self.client(connector)?;
        Ok(Box::pin(async move { probed(client.probe().await) }))
    }

    fn warnings(&self, path: &str) -> Vec<Problem> {
        self.connection.identity.warnings(path)
    }

    fn build(&self, id: &str, runtime: &mut Runtime) -> Result<Built, BuildError> {
        let client = self.client(&runtime.connector)?;
        let native = NativeIncidents::new(client.clone(), runtime.connector.clock.clone());
        let target = |owners| Arc::new(SentinelWorkspace { client, native, owners }) as _;
        assemble(Self::labels(id), self.sync.clone(), target, runtime).map(Built::Sink)
    }

    fn sync(&self) -> Option<SyncDirection<'_>> {
        Some(self.sync.direction(Side::Sentinel))
    }
}

impl Registered for SentinelIncidents {
    const KIND: Kind = Kind::Sink;
    const TYPE: &'static str = "sentinel_incidents";
    type Config = SentinelIncidentsConfig;

    fn validate(config: Self::Config, validation: &Validation<'_>) -> Result<Self, Vec<Problem>> {
        let (path, mut problems) = (validation.path.as_str(), Vec::new());
        let SentinelIncidentsConfig { connection, workspace, sync } = config;
        let connection = connection.validate(arm::WRITING, path, validation.proxy, &mut problems);
        workspace.validate(path, &mut problems);
        let sync = SyncOptions::validate(sync, path, &mut problems);
        match connection {
            Some(connection) if problems.is_empty() => Ok(Self { connection, workspace, sync }),
            _ => Err(problems),
        }
    }
}
