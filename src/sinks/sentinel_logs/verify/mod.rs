//! `verify`: sends a marked row to every stream that is known beforehand, and looks for it in its table.
//!
//! 204 says that the service has a row, and not that the row is anywhere: a transformation may fail on it, and what a stream does
//! not declare vanishes.

mod marked;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::Value;
use tokio::time::Instant;
use url::Url;
use uuid::Builder;

use super::encoder::TimeField;
use super::layout::Layout;
use super::ready::SentinelLogs;
use super::table_plan::TablePlan;
use super::targets::{EXCUSED, StreamKey};
use crate::component::{Arrival, Verified, VerifyOptions};
use marked::{MarkedRow, PREFIX};
use microsoft::ServiceError;
use microsoft::authorized::Authorized;
use microsoft::data_collection_rules::DataCollectionRule;
use microsoft::log_analytics::{LogAnalytics, Query};
use microsoft::logs_ingestion::LogsIngestion;
use runtime::clock::Clock;
use runtime::retry::Verdict;

/// How long to wait between two queries: at first, and at most. The service allows 200 in 30 seconds.
/// Source: <https://learn.microsoft.com/azure/azure-monitor/fundamentals/service-limits#query-api>
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// How often a row is sent that the service does not take just now.
const SENDS: u32 = 4;
/// The log of data collection rules, if a diagnostic setting switches it on.
/// Source: <https://learn.microsoft.com/azure/azure-monitor/reference/tables/dcrlogerrors>
const ERRORS: &str = "DCRLogErrors";
/// Most lines of that log that are read.
const MOST_ERRORS: usize = 100;

/// One stream, and what is known of it.
struct StreamCheck<'s> {
    key: &'s StreamKey,
    /// The table that its rows go to.
    table: String,
    id: String,
    marked: MarkedRow,
    ingestion: LogsIngestion,
    /// Who is asked; or why nobody can be.
    queries: Result<LogAnalytics, String>,
    is_search: bool,
    clock: &'s Clock,
    timeout: Duration,
}

// === impl SentinelLogs ===

impl SentinelLogs {
    /// Sends a marked row to every stream that does not depend on events, and looks for it.
    pub(super) async fn verified(
        &self,
        authorized: Authorized,
        clock: &Clock,
        mut rng: fastrand::Rng,
        options: &VerifyOptions,
    ) -> Vec<Verified> {
        let (endpoint, scope) = self.config.identity.cloud.log_analytics();
        let queries = authorized.with_scope(scope.to_owned());
        let base = options.query_endpoint.clone().map_or_else(|| Url::parse(endpoint), Ok);
        let preflight = self.preflight(&authorized);
        let streams = self.targets.fixed();
        let mut rules = BTreeMap::new();
        for StreamKey { rule, .. } in &streams {
            if !rules.contains_key(rule) {
                rules.insert(rule.clone(), preflight.read(rule).await.map_err(|why| why.to_string()));
            }
        }
        let mut verified = Vec::new();
        let mut checks = Vec::new();
        for key in &streams {
            let rule = rules.get(&key.rule).and_then(|rule| rule.as_ref().ok());
            let why = rules.get(&key.rule).and_then(|rule| rule.as_ref().err());
            let table = table_of(key, rule);
            let id = Builder::from_random_bytes(rng.u128(..).to_be_bytes()).into_uuid().to_string();
            let Some(marked) = self.marked(key, rule, &table, &format!("{PREFIX}{id}"), clock) else {
                let why = "the layout makes no row for this stream".to_owned();
                verified.push(Verified::new(key, Arrival::Untried(why)));
                continue;
            };
            let workspace = options.workspace_id.clone().or_else(|| workspace_of(key, rule?));
            let asked = match (&base, workspace) {
                (Ok(base), Some(workspace)) => {
                    Ok(LogAnalytics::new(queries.clone(), base.clone(), workspace))
                }
                (Err(error), _) => Err(error.to_string()),
                (_, None) => Err(format!(
                    "nobody knows which workspace to ask: give --workspace-id, or give the identity the role Monitoring Reader \
                     on the rule{}",
                    why.map(|why| format!(" ({why})")).unwrap_or_default()
                )),
            };
            let endpoint = self.targets.endpoints.of(&key.rule);
            checks.push(StreamCheck {
                key,
                table,
                id,
                marked,
                ingestion: LogsIngestion::new(authorized.clone(), endpoint, &key.rule, &key.stream),
                queries: asked,
                is_search: self.config.table_plan != TablePlan::Analytics,
                clock,
                timeout: options.timeout,
            });
        }
        let found = futures::future::join_all(checks.iter().map(StreamCheck::run)).await;
        let keys: Vec<_> = checks.iter().map(|check| check.key).collect();
        verified.extend(excused(&keys, found));
        if let Some(open) = self.targets.open() {
            let arrival = Arrival::Untried(format!("not tried: {open}"));
            verified.push(Verified { destination: String::new(), arrival, errors: Vec::new() });
        }
        verified
    }

    fn marked(
        &self,
        key: &StreamKey,
        rule: Option<&DataCollectionRule>,
        table: &str,
        marker: &str,
        clock: &Clock,
    ) -> Option<MarkedRow> {
        let (config, now) = (&self.config, clock.now());
        if config.layout != Layout::Raw {
            return marked::of_layout(config.layout, config.table_plan, key.table, marker, now);
        }
        let declared = rule.and_then(|rule| {
            let streams = rule.properties.stream_declarations.iter();
            let mut streams = streams.filter(|(name, _)| name.eq_ignore_ascii_case(&key.stream));
            streams.next().map(|(_, stream)| stream.columns.as_slice())
        });
        let time = TimeField::of(&config.timestamp_field).column;
        Some(marked::of_fields(declared, config.columns.as_ref(), &time, table, marker, now))
    }
}

/// What the streams came to, each with whether it has taken its row. It is no failure of one that it has not if events need not choose
/// it, and others of the same rule and of the same name have.
fn excused(keys: &[&StreamKey], found: Vec<(Verified, bool)>) -> Vec<Verified> {
    let taking = keys.iter().zip(&found).filter(|(_, (_, is_taken))| *is_taken);
    let taking: Vec<_> = taking.map(|(key, _)| *key).collect();
    let excuse = |(key, (mut verified, is_taken)): (&&StreamKey, (Verified, bool))| {
        if let Arrival::Missing(why) = &verified.arrival
            && !is_taken
            && key.is_excused(&taking)
        {
            verified.arrival = Arrival::Untried(format!("{why}; {EXCUSED}"));
        }
        verified
    };
    keys.iter().zip(found).map(excuse).collect()
}

/// The table that a stream's rows go to: what the rule says, or else what its name does.
fn table_of(key: &StreamKey, rule: Option<&DataCollectionRule>) -> String {
    let output = rule.and_then(|rule| {
        let takes = |streams: &[String]| streams.iter().any(|name| name.eq_ignore_ascii_case(&key.stream));
        let mut flows = rule.properties.data_flows.iter().filter(|flow| takes(&flow.streams));
        flows.next()?.output_stream.as_deref()
    });
    let name = output.unwrap_or(&key.stream);
    let name = name.strip_prefix("Custom-").or_else(|| name.strip_prefix("Microsoft-")).unwrap_or(name);
    // It becomes part of a query.
    name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

/// The id of the workspace that a stream's rows go to.
fn workspace_of(key: &StreamKey, rule: &DataCollectionRule) -> Option<String> {
    let takes = |streams: &[String]| streams.iter().any(|name| name.eq_ignore_ascii_case(&key.stream));
    let mut flows = rule.properties.data_flows.iter().filter(|flow| takes(&flow.streams));
    let destinations = flows.next().map_or(&[][..], |flow| &flow.destinations);
    let mut workspaces = rule.properties.destinations.log_analytics.iter();
    let named = workspaces.find(|workspace| destinations.contains(&workspace.name));
    named.map(|workspace| workspace.workspace_id.clone()).filter(|id| !id.is_empty())
}

// === impl Verified ===

impl Verified {
    fn new(key: &StreamKey, arrival: Arrival) -> Self {
        Self { destination: format!("{}/{}", key.rule, key.stream), arrival, errors: Vec::new() }
    }
}

// === impl StreamCheck ===

impl StreamCheck<'_> {
    /// Sends the row and looks for it. Answers what it came to, and whether the service has taken the row.
    async fn run(&self) -> (Verified, bool) {
        let began = self.clock.monotonic();
        if let Err(error) = self.send().await {
            let why = format!("the row was not taken: {error}");
            return (Verified::new(self.key, Arrival::Missing(why)), false);
        }
        let queries = match &self.queries {
            Ok(queries) => queries,
            Err(why) => {
                let why = format!("the service has taken the row (204), and {why}");
                return (Verified::new(self.key, Arrival::Missing(why)), true);
            }
        };
        let arrival = self.wait(queries, began).await;
        let mut verified = Verified::new(self.key, arrival);
        let is_missing = matches!(verified.arrival, Arrival::Missing(_));
        verified.errors = self.errors(queries, is_missing).await;
        (verified, true)
    }

    /// Sends the row, again if the service does not take it just now.
    async fn send(&self) -> Result<(), ServiceError> {
        let mut body = vec![b'['];
        body.extend_from_slice(&self.marked.json);
        body.push(b']');
        let body = bytes::Bytes::from(body);
        for sent in 1.. {
            let Err(error) = self.ingestion.post_as(self.id.clone(), body.clone(), false).await else {
                break;
            };
            let wait = match error.verdict() {
                Verdict::RetryAfter(wait) => wait.min(LONGEST_WAIT),
                Verdict::Retry => FIRST_WAIT,
                Verdict::Split | Verdict::GiveUp => return Err(error),
            };
            if sent >= SENDS {
                return Err(error);
            }
            self.clock.sleep(wait).await;
        }
        Ok(())
    }

    /// Asks until the row is there, or the time is over.
    async fn wait(&self, queries: &LogAnalytics, began: Instant) -> Arrival {
        let kql =
            format!("{} | where {} | project TimeGenerated | take 1", self.table, self.marked.condition);
        let mut wait = FIRST_WAIT;
        loop {
            let day = TimeDelta::days(1);
            let timespan = (self.clock.now() - day, self.clock.now() + day);
            let query = Query { kql: kql.clone(), timespan, is_search: self.is_search };
            let last = match queries.query(&query).await {
                Ok(Some(found)) if !found.rows.is_empty() => {
                    let after = self.clock.monotonic() - began;
                    let marker = format!("{PREFIX}{}", self.id);
                    return Arrival::Arrived { table: self.table.clone(), marker, after };
                }
                Ok(Some(found)) => found.partial.map(|why| format!("; {why}")).unwrap_or_default(),
                Ok(None) => {
                    "; the workspace does not know the table, or the column that marks the row".to_owned()
                }
                Err(error) if matches!(error.verdict(), Verdict::GiveUp) || is_refusal(&error) => {
                    let why =
                        format!("the service has taken the row (204), and cannot be asked for it: {error}");
                    return Arrival::Missing(why);
                }
                Err(error) => format!("; the last query failed: {error}"),
            };
            let left = self.timeout.saturating_sub(self.clock.monotonic() - began);
            if left.is_zero() {
                return Arrival::Missing(format!(
                    "the service has taken the row (204), and after {} s it is not in {}{last}. It is the row in which {}",
                    self.timeout.as_secs(),
                    self.table,
                    self.marked.condition
                ));
            }
            self.clock.sleep(wait.min(left)).await;
            wait = (wait * 3 / 2).min(LONGEST_WAIT);
        }
    }

    /// What the log of the rule says of the stream in the last hour; and of a missing log, if a row is missing too.
    async fn errors(&self, queries: &LogAnalytics, is_missing: bool) -> Vec<String> {
        let stream = self.key.stream.replace(['\'', '\\'], "");
        let kql = format!(
            "{ERRORS} | where InputStreamId == '{stream}' | project ClientRequestId, OperationName, Message | take {MOST_ERRORS}"
        );
        let timespan = (self.clock.now() - TimeDelta::hours(1), self.clock.now() + TimeDelta::minutes(5));
        let found = match queries.query(&Query { kql, timespan, is_search: false }).await {
            Ok(Some(found)) => found.rows,
            Ok(None) if is_missing => {
                return vec![format!(
                    "there is no table {ERRORS}: switch on the diagnostic setting 'Log Errors' of the rule, and it says what became \
                     of rows"
                )];
            }
            Ok(None) | Err(_) => return Vec::new(),
        };
        let mut counts: BTreeMap<(bool, String), u64> = BTreeMap::new();
        for row in found {
            let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
            let is_ours = text("ClientRequestId").eq_ignore_ascii_case(&self.id);
            let said = format!("{}: {}", text("OperationName"), text("Message"));
            *counts.entry((!is_ours, said)).or_default() += 1;
        }
        let said = counts.into_iter().map(|((is_other, said), count)| {
            let of = if is_other { "other rows" } else { "this row" };
            format!("{ERRORS}, of {of} in the last hour, {count} times: {said}")
        });
        said.collect()
    }
}

/// Whether asking again is of no use: somebody has to do something first.
fn is_refusal(error: &ServiceError) -> bool {
    matches!(error.error_type(), "forbidden" | "not_found" | "authentication_failed")
}
