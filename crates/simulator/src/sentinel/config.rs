//! What the workspace is started with.

use std::time::Duration;

use super::directory::{self, User};

/// Incidents on a page if nobody asks for a number. Not documented.
const PAGE_SIZE: usize = 50;

/// The one workspace with Microsoft Sentinel.
#[derive(Clone, Debug)]
pub struct WorkspaceConfig {
    /// The id of the subscription that the workspace is in.
    pub subscription_id: String,
    /// The name of the resource group that the workspace is in.
    pub resource_group: String,
    /// The name of the workspace.
    pub name: String,
    /// Incidents of analytics rules at the start.
    pub initial: usize,
    /// Incidents or comments on a page if the request has no `$top`.
    pub page_size: usize,
    /// How many requests Azure Resource Manager lets through.
    pub quota: ArmQuota,
    /// Who can own incidents.
    pub users: Vec<User>,
    /// Microsoft's own Defender XDR connector, if there is one.
    pub connector: Option<ConnectorConfig>,
    /// Whether links to further pages are percent-encoded. Those of the service are not.
    pub escapes_next_link: bool,
    /// Whether what an update says of the classification is thrown away unless the incident is closed. The vendor does
    /// not say what becomes of it: as a rule it is kept as it was sent.
    pub reopening_clears_classification: bool,
}

/// Token buckets, each with its size and how many tokens it gains a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArmQuota {
    /// The bucket for reads: 250 tokens, and 25 more a second, unless said.
    pub reads: (u32, u32),
    /// The bucket for writes: 200 tokens, and 10 more a second, unless said.
    pub writes: (u32, u32),
    /// The bucket for deletes: 200 tokens, and 10 more a second, unless said.
    pub deletes: (u32, u32),
}

/// Microsoft's own Defender XDR connector: it mirrors Defender's incidents into the workspace, and brings status, owner
/// and classification back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectorConfig {
    /// How many of a hundred of Defender's incidents it takes; which ones follows from the seed.
    pub percent: u8,
    /// A new incident comes into the workspace this long after it was opened; changes come at once.
    pub delay: Duration,
}

// === impl WorkspaceConfig ===

impl WorkspaceConfig {
    /// The path of the provider in this workspace.
    pub fn path(&self) -> String {
        format!("{}/providers/Microsoft.SecurityInsights", self.resource_id())
    }

    /// The workspace's own resource id.
    pub(crate) fn resource_id(&self) -> String {
        format!("{}/providers/Microsoft.OperationalInsights/workspaces/{}", self.group(), self.name)
    }

    /// The resource id of its group.
    pub(crate) fn group(&self) -> String {
        format!("/subscriptions/{}/resourceGroups/{}", self.subscription_id, self.resource_group)
    }
}

impl Default for WorkspaceConfig {
    fn default() -> Self {
        Self {
            subscription_id: "d0cfe6b2-9ac0-4464-9919-dccaee2e48c0".to_owned(),
            resource_group: "soc".to_owned(),
            name: "soc-workspace".to_owned(),
            initial: 0,
            page_size: PAGE_SIZE,
            quota: ArmQuota::default(),
            users: directory::analysts(),
            connector: None,
            escapes_next_link: false,
            reopening_clears_classification: false,
        }
    }
}

// === impl ArmQuota ===

impl ArmQuota {
    /// More than anybody asks for.
    pub const fn unlimited() -> Self {
        let bucket = (1_000_000, 1_000_000);
        Self { reads: bucket, writes: bucket, deletes: bucket }
    }
}

// https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling#regional-throttling-and-token-bucket-algorithm
impl Default for ArmQuota {
    fn default() -> Self {
        Self { reads: (250, 25), writes: (200, 10), deletes: (200, 10) }
    }
}

// === impl ConnectorConfig ===

impl ConnectorConfig {
    /// It takes every incident, at once.
    pub const fn everything() -> Self {
        Self { percent: 100, delay: Duration::ZERO }
    }
}
