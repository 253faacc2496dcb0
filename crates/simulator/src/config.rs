//! What the simulator is started with.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::ingestion::{Columns, Dcr};
use crate::sentinel::WorkspaceConfig;

/// How long a token lives that Entra ID issues.
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow#successful-response-1
const TOKEN_LIFETIME: Duration = Duration::from_secs(3599);

/// Requests to the security API per minute, app and tenant.
// https://learn.microsoft.com/graph/throttling-limits#security-detections-and-incidents-service-limits
const GRAPH_REQUESTS_PER_MINUTE: u32 = 150;

/// The most incidents on one page, and how many there are if nobody asks for fewer. The vendor
/// documents neither; readers of the live service report that more are refused.
// https://learn.microsoft.com/graph/api/security-list-incidents#optional-query-parameters
pub(crate) const LARGEST_PAGE: usize = 50;

/// Everything about one simulator.
#[derive(Clone)]
pub struct SimulatorConfig {
    /// The address to listen at, which must be on loopback. Port 0 takes any free one.
    pub listen: SocketAddr,
    /// The seed of all that is random: the same seed gives the same tenant, faults and answers.
    pub seed: u64,
    /// The one tenant of the fake Entra ID.
    pub tenant_id: String,
    /// The client id of the one application in the tenant.
    pub client_id: String,
    /// The client secret of the application.
    pub client_secret: String,
    /// The display name of the application, under which its changes and comments appear.
    pub client_name: String,
    /// The application permissions in Graph that were granted.
    pub graph_permissions: Vec<String>,
    /// How long a token is accepted.
    pub token_lifetime: Duration,
    /// Graph requests let through in any sixty seconds.
    pub graph_requests_per_minute: u32,
    /// Incidents on a page if the request has no `$top`; 50 at the most.
    pub page_size: usize,
    /// Whether 1 MB is enforced for what is on the wire only, and not for what it decompresses to.
    pub wire_size_only: bool,
    /// Whether ingested rows are kept whole. If not, only counts and row keys are.
    pub keep_rows: bool,
    /// What incidents there are, and what happens to them.
    pub incidents: IncidentsConfig,
    /// What Graph's documentation leaves open, done otherwise than usual.
    pub oddities: Oddities,
    /// The data collection rule.
    pub dcr: Dcr,
    /// The one workspace with Microsoft Sentinel.
    pub workspace: WorkspaceConfig,
    /// What becomes of rows on their way into tables, and of queries for them.
    pub log_analytics: LogAnalyticsConfig,
    /// Data collection rules beside the first one.
    pub more_dcrs: Vec<Dcr>,
    /// Tables that are not as the rules' streams would have them: with other columns, or missing.
    pub tables: BTreeMap<String, Option<Columns>>,
    /// What the application may do with Azure's resources.
    pub roles: Roles,
}

/// What an identity may do with Azure's resources.
#[derive(Clone, Copy, Debug)]
pub struct Roles {
    /// Whether it may read data collection rules, as with Monitoring Reader.
    pub reads_rules: bool,
    /// Whether it may read tables, as with Log Analytics Reader.
    pub reads_tables: bool,
    /// Whether it may query the workspace, as with Log Analytics Reader.
    pub queries: bool,
    /// What it may do with Sentinel's incidents.
    pub incidents: WorkspaceRole,
}

/// What becomes of rows on their way into tables, and of queries for them.
#[derive(Clone, Debug)]
pub struct LogAnalyticsConfig {
    /// How long after it was accepted a row is found.
    pub delay: Duration,
    /// Streams whose transformation fails, with what is said of it: their rows are accepted, and go nowhere.
    pub failing_transforms: BTreeMap<String, String>,
    /// Whether the rules' errors are kept in the table `DCRLogErrors`, which a diagnostic setting switches on.
    pub keeps_errors: bool,
}

/// What an identity may do with Sentinel's incidents.
// https://learn.microsoft.com/azure/sentinel/roles#microsoft-sentinel-specific-roles
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorkspaceRole {
    /// No role: not even reading.
    None,
    /// Microsoft Sentinel Reader: reads incidents and comments.
    Reader,
    /// Microsoft Sentinel Responder: changes and comments them, too.
    Responder,
    /// Microsoft Sentinel Contributor: deletes them, too.
    Contributor,
}

/// What Graph's documentation leaves open, done otherwise than usual: a reader must do without.
#[derive(Clone, Debug, Default)]
pub struct Oddities {
    /// `@odata.count` is always this.
    pub count: Option<usize>,
    /// No page has an `@odata.nextLink`.
    pub no_next_link: bool,
    /// Links to further pages are given, and refused with 400 when they are followed.
    pub refuses_skip: bool,
    /// Whatever holds this incident with its alerts is answered with 500.
    pub fails_on: Option<String>,
    /// Links to further pages lead to this origin.
    pub links_lead_to: Option<String>,
}

/// What incidents there are, and what happens to them.
#[derive(Clone, Debug)]
pub struct IncidentsConfig {
    /// Incidents that exist at the start.
    pub initial: usize,
    /// The span before the start in which those were opened and updated, evenly spread.
    pub initial_span: Duration,
    /// Changes a minute that happen by themselves; 0 for none.
    pub changes_per_minute: f64,
    /// Alerts of an incident when it is opened.
    pub alerts_per_incident: usize,
    /// Pieces of evidence of an alert when it is raised.
    pub evidence_per_alert: usize,
    /// A change becomes visible this long after the `lastUpdateDateTime` it gave.
    pub indexing_delay: Duration,
}

// === impl Roles ===

impl Default for Roles {
    fn default() -> Self {
        Self { reads_rules: true, reads_tables: true, queries: true, incidents: WorkspaceRole::Contributor }
    }
}

// === impl LogAnalyticsConfig ===

impl Default for LogAnalyticsConfig {
    fn default() -> Self {
        Self { delay: Duration::ZERO, failing_transforms: BTreeMap::new(), keeps_errors: true }
    }
}

// === impl SimulatorConfig ===

impl SimulatorConfig {
    /// All data collection rules.
    pub(crate) fn rules(&self) -> impl Iterator<Item = &Dcr> {
        std::iter::once(&self.dcr).chain(&self.more_dcrs)
    }
}

impl Default for SimulatorConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: 0,
            tenant_id: "2f6d1c9e-53a1-4b0e-9c54-0b3f2f6a7d11".to_owned(),
            client_id: "8b1f0a52-7c39-4d2b-a6f0-5a9d3c1e4b22".to_owned(),
            client_secret: "simulated-secret".to_owned(),
            client_name: "vector-sentinel".to_owned(),
            graph_permissions: ["SecurityIncident.ReadWrite.All", "SecurityData.Manage.All"]
                .map(str::to_owned)
                .into(),
            token_lifetime: TOKEN_LIFETIME,
            graph_requests_per_minute: GRAPH_REQUESTS_PER_MINUTE,
            page_size: LARGEST_PAGE,
            wire_size_only: false,
            keep_rows: true,
            incidents: IncidentsConfig::default(),
            oddities: Oddities::default(),
            dcr: Dcr::defender_incidents(),
            workspace: WorkspaceConfig::default(),
            log_analytics: LogAnalyticsConfig::default(),
            more_dcrs: Vec::new(),
            tables: BTreeMap::new(),
            roles: Roles::default(),
        }
    }
}

impl fmt::Debug for SimulatorConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatorConfig")
            .field("listen", &self.listen)
            .field("seed", &self.seed)
            .field("tenant_id", &self.tenant_id)
            .field("client_id", &self.client_id)
            .field("incidents", &self.incidents)
            .finish_non_exhaustive()
    }
}

// === impl IncidentsConfig ===

impl Default for IncidentsConfig {
    fn default() -> Self {
        Self {
            initial: 0,
            initial_span: Duration::from_hours(1),
            changes_per_minute: 0.0,
            alerts_per_incident: 1,
            evidence_per_alert: 5,
            indexing_delay: Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_show_the_secret() {
        let config = SimulatorConfig { client_secret: "hunter2".to_owned(), ..SimulatorConfig::default() };
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
