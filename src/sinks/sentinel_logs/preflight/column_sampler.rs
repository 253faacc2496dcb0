//! Looks at rows whose columns nobody knows beforehand, for some that the stream does not declare.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde_json::value::RawValue;
use tokio::time::Instant;
use tracing::warn;

use super::compare::declared;
use super::finding::{declaration, quoted};
use super::rule_monitor::Shared;
use crate::sinks::sentinel_logs::layout::ColumnType;
use crate::sinks::sentinel_logs::packer::Request;
use microsoft::data_collection_rules::{DataCollectionRule, NamedColumn};
use microsoft::logs_ingestion::MAX_CALL_BYTES;

/// One request of a stream is looked at in so long.
const SAMPLE_INTERVAL: Duration = Duration::from_mins(1);
/// So many names are reported, and no more: names come from events.
const MAX_REPORTED: usize = 1_000;

/// Looks at the rows of one stream.
pub(in crate::sinks::sentinel_logs) struct ColumnSampler {
    rule: String,
    stream: String,
    shared: Arc<Shared>,
    state: Mutex<SamplerState>,
}

#[derive(Default)]
struct SamplerState {
    /// The columns that the stream has; nothing until the rule has been read.
    declared: Option<BTreeSet<String>>,
    reported: BTreeSet<String>,
    /// Nothing is looked at before this.
    next: Option<Instant>,
}

/// Columns that have a value somewhere, and the type that would suit it.
type Columns = BTreeMap<String, ColumnType>;

// === impl ColumnSampler ===

impl ColumnSampler {
    pub(super) fn new(rule: &str, stream: &str, shared: Arc<Shared>) -> Self {
        Self { rule: rule.to_owned(), stream: stream.to_owned(), shared, state: Mutex::default() }
    }

    /// Says which columns the stream has.
    pub(super) fn set_declared(&self, rule: &DataCollectionRule) {
        if let Some(columns) = declared(rule, &self.stream) {
            self.state().declared = Some(columns.iter().map(|column| column.name.clone()).collect());
        }
    }

    /// Looks at the rows of a request, unless some were looked at a short while ago. Does not wait for it.
    pub(in crate::sinks::sentinel_logs) fn sample(self: &Arc<Self>, request: &Request) {
        if self.is_due() {
            tokio::spawn(Arc::clone(self).compare(request.body.clone(), request.gzip));
        }
    }

    fn state(&self) -> MutexGuard<'_, SamplerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a request may be looked at now. Then none may for a while.
    pub(super) fn is_due(&self) -> bool {
        let now = self.shared.clock.monotonic();
        let mut state = self.state();
        if state.declared.is_none() || state.next.is_some_and(|next| now < next) {
            return false;
        }
        state.next = Some(now + SAMPLE_INTERVAL);
        true
    }

    async fn compare(self: Arc<Self>, body: Bytes, gzip: bool) {
        let columns = move || if gzip { columns_of(&unzipped(&body)) } else { columns_of(&body) };
        let columns = self.shared.clock.off_thread().run(columns).await.unwrap_or_default();
        if self.undeclared(&columns).is_empty() {
            return;
        }
        // Somebody may have mended the rule since.
        if let Ok(rule) = self.shared.read_once(&self.rule).await {
            self.set_declared(&rule);
        }
        let undeclared = self.undeclared(&columns);
        if !undeclared.is_empty() {
            self.report(&undeclared);
        }
    }

    /// Those that are not declared and have not been reported.
    pub(super) fn undeclared(&self, columns: &Columns) -> Vec<NamedColumn> {
        let state = self.state();
        let is_known = |name: &String| {
            state.reported.contains(name)
                || state.declared.as_ref().is_none_or(|declared| declared.contains(name))
        };
        let undeclared = columns.iter().filter(|(name, _)| !is_known(name));
        let named = undeclared.map(|(name, column_type)| NamedColumn {
            name: name.clone(),
            column_type: column_type.in_stream().to_owned(),
        });
        named.take(MAX_REPORTED.saturating_sub(state.reported.len())).collect()
    }

    pub(super) fn report(&self, columns: &[NamedColumn]) {
        self.state().reported.extend(columns.iter().map(|column| column.name.clone()));
        let labels = &self.shared.labels;
        labels.count_finding("column_undeclared");
        warn!(
            component_id = labels.id,
            finding = "column_undeclared",
            "{}: something is lost: stream {} of the rule {}: it does not declare {}, which rows have, and what is written there \
             vanishes without an error. Add to its columns and to the table: {}; or name the columns that it does declare in \
             the option columns, so that all other fields go into ExtraColumns",
            labels,
            self.stream,
            self.rule,
            quoted(columns.iter().map(|column| column.name.as_str())),
            declaration(columns)
        );
    }
}

/// The rows of a body that was compressed here.
fn unzipped(body: &[u8]) -> Vec<u8> {
    #[expect(clippy::disallowed_types, reason = "no larger than a request may be")]
    let mut decoder = flate2::read::GzDecoder::new(body).take(MAX_CALL_BYTES as u64);
    let mut json = Vec::new();
    if decoder.read_to_end(&mut json).is_err() {
        json.clear();
    }
    json
}

/// The columns of rows.
pub(super) fn columns_of(rows: &[u8]) -> Columns {
    let rows: Vec<BTreeMap<Cow<'_, str>, &RawValue>> = serde_json::from_slice(rows).unwrap_or_default();
    let values = rows.iter().flatten().filter(|(_, value)| value.get() != "null");
    let mut columns = Columns::new();
    for (name, value) in values {
        if !columns.contains_key(name.as_ref()) {
            columns.insert(name.clone().into_owned(), type_of(value));
        }
    }
    columns
}

/// The type that would suit a value.
fn type_of(value: &RawValue) -> ColumnType {
    let types =
        [ColumnType::DateTime, ColumnType::String, ColumnType::Boolean, ColumnType::Long, ColumnType::Real];
    types.into_iter().find(|one| one.takes(value.get())).unwrap_or(ColumnType::Dynamic)
}
