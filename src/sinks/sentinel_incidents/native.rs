//! Which incidents Microsoft's own connector has brought into the workspace.
//!
//! They are known by the id that they have in Defender. Whether the service can filter by that is not documented, so all
//! incidents are listed once, and then those that have changed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Mutex;
use tokio::time::Instant;

use incident_model::sentinel;
use microsoft::ServiceError;
use microsoft::security_insights::{MAX_PAGE_SIZE, SecurityInsights};
use model::watermark::Slice;
use runtime::clock::Clock;

/// How old the list may be.
const FRESH: Duration = Duration::from_mins(1);
/// How far back it is read again: a change may appear later than it says.
const OVERLAP: TimeDelta = TimeDelta::minutes(15);

/// The incidents that the connector has brought.
pub(super) struct NativeIncidents {
    client: SecurityInsights,
    clock: Clock,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    read: Option<Instant>,
    /// The newest change that was listed.
    until: Option<DateTime<Utc>>,
    /// Sentinel's names, by the tenant that they name, if they do, and Defender's id.
    names: BTreeMap<(Option<String>, String), String>,
    /// The tenants that were named.
    tenants: BTreeSet<Option<String>>,
}

/// What is known of one incident.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Native {
    /// It is here, under this name.
    Here(String),
    /// Others of its tenant are.
    Expected,
    /// The connector does not bring this tenant's incidents.
    No,
}

// === impl NativeIncidents ===

impl NativeIncidents {
    pub(super) fn new(client: SecurityInsights, clock: Clock) -> Self {
        Self { client, clock, known: Mutex::default() }
    }

    /// Whether the connector has brought an incident of Defender's, or will.
    pub(super) async fn find(&self, tenant: &str, id: &str) -> Result<Native, ServiceError> {
        let mut known = self.known.lock().await;
        if known.read.is_none_or(|at| self.clock.monotonic() - at > FRESH) {
            self.refresh(&mut known).await?;
        }
        // A link that names no tenant is to the workspace's own, which is most often Defender's too.
        let tenants = [Some(tenant.to_lowercase()), None];
        let name = |tenant: &Option<String>| known.names.get(&(tenant.clone(), id.to_owned()));
        Ok(match tenants.iter().find_map(name) {
            Some(name) => Native::Here(name.clone()),
            None if tenants.iter().any(|tenant| known.tenants.contains(tenant)) => Native::Expected,
            None => Native::No,
        })
    }

    async fn refresh(&self, known: &mut Known) -> Result<(), ServiceError> {
        let began = self.clock.monotonic();
        let mut until = known.until;
        let from = known.until.map_or(DateTime::UNIX_EPOCH, |until| until - OVERLAP);
        let mut page = self.client.first_page(Slice::open(from), MAX_PAGE_SIZE).await?;
        loop {
            for incident in page.incidents.iter().filter_map(|json| sentinel::read(json).ok()) {
                until = until.max(Some(incident.version));
                if let Some(origin) = incident.origin().filter(|origin| origin.is_native()) {
                    let tenant = origin.provider_tenant.as_ref().map(|tenant| tenant.to_lowercase());
                    known.tenants.insert(tenant.clone());
                    known.names.insert((tenant, origin.provider_incident_id.clone()), incident.id.clone());
                }
            }
            let Some(next) = page.next else { break };
            page = self.client.next_page(&next).await?;
        }
        // Only now: a listing that broke off is begun again, in whatever order it came.
        (known.read, known.until) = (Some(began), until);
        Ok(())
    }
}
