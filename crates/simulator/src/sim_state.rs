//! What all the fakes share.

use std::sync::Mutex;
use std::time::Duration;

use axum::http::Uri;
use axum::http::uri::Authority;
use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use tokio_util::sync::CancellationToken;

use crate::config::SimulatorConfig;
use crate::core::clock::SimClock;
use crate::core::faults::Faults;
use crate::core::limits::Quota;
use crate::core::random::{guid, mixed};
use crate::core::records::Records;
use crate::core::stats::{Stats, Write, WriteKind};
use crate::core::store::{Store, lock};
use crate::entra::tokens::Tokens;
use crate::graph::tenant::Tenant;
use crate::ingestion::REQUESTS_PER_MINUTE;
use crate::sentinel::{ArmGateway, Incidents};

/// One simulated cloud. No `Debug`: it holds tokens.
pub(crate) struct SimState {
    /// The origin of everything, without a slash at the end.
    pub(crate) url: String,
    pub(crate) clock: SimClock,
    pub(crate) tokens: Tokens,
    pub(crate) tenant: Tenant,
    pub(crate) incidents: Store<Incidents>,
    pub(crate) arm_gateway: ArmGateway,
    pub(crate) records: Records,
    pub(crate) faults: Faults,
    pub(crate) graph_quota: Mutex<Quota>,
    pub(crate) ingestion_quota: Mutex<Quota>,
    pub(crate) config: SimulatorConfig,
    /// How long it takes until the tenant changes by itself, if it does.
    pub(crate) pause: Option<Duration>,
    /// Whether the simulator is gone.
    pub(crate) stopped: CancellationToken,
    /// Until when the tenant has lived.
    lived: Mutex<DateTime<Utc>>,
    ids: Mutex<Rng>,
}

// === impl SimState ===

impl SimState {
    pub(crate) fn new(config: SimulatorConfig, url: String, clock: SimClock) -> Self {
        // Each part has a generator of its own, so that they do not disturb each other's sequence.
        let seed = |part| mixed(config.seed, part);
        let rate = config.incidents.changes_per_minute;
        Self {
            tokens: Tokens::new(seed(1), config.token_lifetime),
            tenant: Tenant::new(seed(2), config.tenant_id.clone(), &config.incidents, clock.clone()),
            faults: Faults::new(seed(3)),
            ids: Mutex::new(Rng::with_seed(seed(4))),
            incidents: Incidents::open(seed(5), &config.workspace, clock.clone()),
            arm_gateway: ArmGateway::new(config.workspace.quota),
            records: Records::new(config.keep_rows),
            graph_quota: Mutex::new(Quota::new(config.graph_requests_per_minute)),
            ingestion_quota: Mutex::new(Quota::new(REQUESTS_PER_MINUTE)),
            pause: Duration::try_from_secs_f64(60.0 / rate).ok(),
            stopped: CancellationToken::new(),
            lived: Mutex::new(clock.now()),
            url,
            clock,
            config,
        }
    }

    /// Lets everything happen in the tenant that was due by now, at the time when it was due.
    pub(crate) fn catch_up(&self) {
        let Some(pause) = self.pause.and_then(|pause| TimeDelta::from_std(pause).ok()) else { return };
        let now = self.clock.now();
        let mut lived = lock(&self.lived);
        while let Some(due) = lived.checked_add_signed(pause).filter(|due| *due <= now) {
            *lived = due;
            self.tenant.step_at(due);
        }
    }

    /// Where it is, as a URL says it.
    pub(crate) fn authority(&self) -> Option<Authority> {
        self.url.parse::<Uri>().ok()?.into_parts().authority
    }

    /// The origin of one of its hosts.
    pub(crate) fn url_of(&self, host: &str) -> String {
        let port = self.authority().and_then(|authority| authority.port_u16());
        port.map_or_else(|| format!("https://{host}"), |port| format!("https://{host}:{port}"))
    }

    /// Whether it is what answers there.
    pub(crate) fn is_at(&self, authority: &Authority) -> bool {
        let Some(own) = self.authority() else { return false };
        let host = authority.host();
        let mut hosts = self.config.rules().filter_map(|rule| rule.host.as_deref());
        let known = host == own.host() || host == "localhost" || hosts.any(|known| known == host);
        known && authority.port_u16() == own.port_u16()
    }

    /// A name for one request.
    pub(crate) fn request_id(&self) -> String {
        guid(&mut lock(&self.ids))
    }

    /// Notes a client's write that was done.
    pub(crate) fn note(&self, kind: WriteKind, incident: &str) {
        self.records.write(Write { at: self.clock.now(), kind, incident: incident.to_owned() });
    }

    pub(crate) fn stats(&self) -> Stats {
        let used = lock(&self.graph_quota).used(self.clock.ticks());
        Stats {
            graph_requests_last_minute: used as u64,
            graph_quota_per_minute: self.config.graph_requests_per_minute.into(),
            ..self.records.stats()
        }
    }
}
