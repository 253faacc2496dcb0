//! The options of `sentinel_incidents`, the sink.

use std::sync::Arc;

use async_trait::async_trait;
use incident_model::field::Side;
use incident_model::options::SyncConfig;
use schemars::JsonSchema;
use serde::Deserialize;

use super::native::NativeIncidents;
use super::service::SentinelWorkspace;
use crate::component::{
    BuildError, Built, Component, Kind, Probed, Registered, Runtime, SyncDirection, Validation,
};
use crate::sinks::incident_sync::{Assembly, SyncOptions, WriteConfig, probed};
use crate::sinks::quarantine::QuarantineConfig;
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
pub struct SentinelIncidents {
    connection: Connection,
    workspace: Workspace,
    sync: SyncOptions,
    quarantine: QuarantineConfig,
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

#[async_trait]
impl Component for SentinelIncidents {
    async fn probe(&self, connector: &Connector) -> Vec<Probed> {
        match self.client(connector) {
            Ok(client) => probed(client.probe().await),
            Err(error) => vec![Probed::Failed(error.to_string())],
        }
    }

    fn check(&self, connector: &Connector) -> Result<(), BuildError> {
        self.client(connector).map(drop)
    }

    fn build(&self, id: &str, runtime: &mut Runtime) -> Result<Built, BuildError> {
        let client = self.client(&runtime.connector)?;
        let native = NativeIncidents::new(client.clone(), runtime.connector.clock.clone());
        let target = |owners| Arc::new(SentinelWorkspace { client, native, owners }) as _;
        let assembly =
            Assembly { labels: Self::labels(id), options: self.sync.clone(), quarantine: self.quarantine };
        assembly.build(target, runtime).map(Built::Sink)
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
        let SentinelIncidentsConfig { connection, workspace, sync, write, quarantine } = config;
        let connection = connection.validate(arm::WRITING, path, validation.proxy, &mut problems);
        workspace.validate(path, &mut problems);
        let sync = SyncOptions::validate(sync, write, path, &mut problems);
        quarantine.validate(path, &mut problems);
        match connection {
            Some(connection) if problems.is_empty() => Ok(Self { connection, workspace, sync, quarantine }),
            _ => Err(problems),
        }
    }
}
