//! Tokens as their audiences see them: opaque, for one audience, until they expire.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use chrono::{DateTime, Utc};
use fastrand::Rng;

use crate::core::random::hex;
use crate::core::store::lock;

/// Whom a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    Graph,
    Monitor,
    /// Azure Resource Manager.
    Management,
    /// The queries of Log Analytics.
    LogAnalytics,
}

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Missing,
    Unknown,
    Expired,
    WrongAudience,
}

/// All tokens that were issued. No `Debug`, so that none is ever printed.
pub(crate) struct Tokens {
    lifetime: Duration,
    state: Mutex<State>,
}

struct State {
    rng: Rng,
    issued: BTreeMap<String, Token>,
}

struct Token {
    audience: Audience,
    expires: DateTime<Utc>,
}

/// Resources that a scope can name, in all clouds.
// https://learn.microsoft.com/graph/deployments#microsoft-graph-and-graph-explorer-service-root-endpoints
// https://learn.microsoft.com/azure/azure-monitor/logs/logs-ingestion-api-overview#authentication
// https://learn.microsoft.com/azure/azure-monitor/logs/api/access-api
const RESOURCES: [(&str, Audience); 14] = [
    ("https://graph.microsoft.com", Audience::Graph),
    ("https://graph.microsoft.us", Audience::Graph),
    ("https://dod-graph.microsoft.us", Audience::Graph),
    ("https://microsoftgraph.chinacloudapi.cn", Audience::Graph),
    ("https://monitor.azure.com", Audience::Monitor),
    ("https://monitor.azure.us", Audience::Monitor),
    ("https://monitor.azure.cn", Audience::Monitor),
    ("https://api.loganalytics.io", Audience::LogAnalytics),
    ("https://api.loganalytics.azure.com", Audience::LogAnalytics),
    ("https://api.loganalytics.us", Audience::LogAnalytics),
    ("https://api.loganalytics.azure.cn", Audience::LogAnalytics),
    ("https://management.azure.com", Audience::Management),
    ("https://management.usgovcloudapi.net", Audience::Management),
    ("https://management.chinacloudapi.cn", Audience::Management),
];

// === impl Audience ===

impl Audience {
    /// Whom a token for `resource` is for; `own` is the simulator's own address, which is Graph.
    pub(crate) fn of_resource(resource: &str, own: &str) -> Option<Self> {
        let resource = resource.trim_end_matches('/');
        if resource == own {
            return Some(Self::Graph);
        }
        RESOURCES.iter().find(|(known, _)| *known == resource).map(|(_, audience)| *audience)
    }
}

// === impl Tokens ===

impl Tokens {
    pub(crate) fn new(seed: u64, lifetime: Duration) -> Self {
        Self { lifetime, state: Mutex::new(State { rng: Rng::with_seed(seed), issued: BTreeMap::new() }) }
    }

    /// A new token.
    pub(crate) fn issue(&self, audience: Audience, now: DateTime<Utc>) -> String {
        let mut state = lock(&self.state);
        // As long as a real one, so that headers are as large as in life.
        let token = hex(&mut state.rng, 1400);
        state.issued.insert(token.clone(), Token { audience, expires: now + self.lifetime });
        token
    }

    /// Whether `audience` accepts the token.
    pub(crate) fn check(
        &self,
        token: Option<&str>,
        audience: Audience,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let token = token.ok_or(Refusal::Missing)?;
        let state = lock(&self.state);
        let known = state.issued.get(token).ok_or(Refusal::Unknown)?;
        if known.audience != audience {
            return Err(Refusal::WrongAudience);
        }
        if known.expires <= now { Err(Refusal::Expired) } else { Ok(()) }
    }

    /// From now on the token has expired.
    pub(crate) fn expire(&self, token: &str) {
        if let Some(token) = lock(&self.state).issued.get_mut(token) {
            token.expires = DateTime::UNIX_EPOCH;
        }
    }

    /// From now on every token issued so far has expired.
    pub(crate) fn expire_all(&self) {
        for token in lock(&self.state).issued.values_mut() {
            token.expires = DateTime::UNIX_EPOCH;
        }
    }
}
