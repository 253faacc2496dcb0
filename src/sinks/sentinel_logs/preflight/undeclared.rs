//! Looks at rows whose columns nobody knows beforehand, for some that the stream does not declare.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde_json::value::RawValue;
use tokio::time::Instant;
use tracing::warn;

use super::compare::declared;
use super::finding::{declaration, quoted};
use super::lookout::Shared;
use crate::sinks::sentinel_logs::layout::ColumnType;
use crate::sinks::sentinel_logs::packer::Request;
use microsoft::data_collection_rules::{DataCollectionRule, NamedColumn};
use microsoft::logs_ingestion::MAX_CALL_BYTES;

/// One request of a stream is looked at in so long.
const PAUSE: Duration = Duration::from_mins(1);
/// So many names are told, and no more: names come from events.
const MAX_TOLD: usize = 1_000;

/// Looks at the rows of one stream.
pub(in crate::sinks::sentinel_logs) struct Undeclared {
    rule: String,
    stream: String,
    shared: Arc<Shared>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The columns that the stream has; nothing until the rule has been read.
    declared: Option<HashSet<String>>,
    told: HashSet<String>,
    /// Nothing is looked at before this.
    next: Option<Instant>,
}

/// Columns that have a value somewhere, and the type that would suit it.
type Columns = BTreeMap<String, ColumnType>;

// === impl Undeclared ===

impl Undeclared {
    pub(super) fn new(rule: &str, stream: &str, shared: Arc<Shared>) -> Self {
        Self { rule: rule.to_owned(), stream: stream.to_owned(), shared, known: Mutex::default() }
    }

    /// Says which columns the stream has.
    pub(super) fn compare_with(&self, rule: &DataCollectionRule) {
        if let Some(columns) = declared(rule, &self.stream) {
            self.known().declared = Some(columns.iter().map(|column| column.name.clone()).collect());
        }
    }

    /// Looks at the rows of a request, unless some were looked at a short while ago. Does not wait for it.
    pub(in crate::sinks::sentinel_logs) fn look_at(self: &Arc<Self>, request: &Request) {
        if self.is_time() {
            tokio::spawn(Arc::clone(self).compare(request.body.clone(), request.gzip));
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a request may be looked at now. Then none may for a while.
    pub(super) fn is_time(&self) -> bool {
        let now = self.shared.clock.monotonic();
        let mut known = self.known();
        if known.declared.is_none() || known.next.is_some_and(|next| now < next) {
            return false;
        }
        known.next = Some(now + PAUSE);
        true
    }

    async fn compare(self: Arc<Self>, body: Bytes, gzip: bool) {
        let columns = move || if gzip { columns_of(&unzipped(&body)) } else { columns_of(&body) };
        let columns = tokio::task::spawn_blocking(columns).await.unwrap_or_default();
        if self.unknown(&columns).is_empty() {
            return;
        }
        // Somebody may have mended the rule since.
        if let Ok(rule) = self.shared.read_once(&self.rule).await {
            self.compare_with(&rule);
        }
        let unknown = self.unknown(&columns);
        if !unknown.is_empty() {
            self.tell(&unknown);
        }
    }

    /// Those that are not declared and have not been told.
    pub(super) fn unknown(&self, columns: &Columns) -> Vec<NamedColumn> {
        let known = self.known();
        let is_known = |name: &String| {
            known.told.contains(name)
                || known.declared.as_ref().is_none_or(|declared| declared.contains(name))
        };
        let unknown = columns.iter().filter(|(name, _)| !is_known(name));
        let named = unknown.map(|(name, column_type)| NamedColumn {
            name: name.clone(),
            column_type: column_type.in_stream().to_owned(),
        });
        named.take(MAX_TOLD.saturating_sub(known.told.len())).collect()
    }

    pub(super) fn tell(&self, columns: &[NamedColumn]) {
        self.known().told.extend(columns.iter().map(|column| column.name.clone()));
        let labels = &self.shared.labels;
        labels.count_finding("column_undeclared");
        warn!(
            component_id = labels.id,
            finding = "column_undeclared",
            "Something is lost: stream {} of the rule {}: it does not declare {}, which rows have, and what is written there \
             vanishes without an error. Add to its columns and to the table: {}; or name the columns that it does declare in \
             the option columns, so that all other fields go into ExtraColumns",
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
    let rows: Vec<HashMap<Cow<'_, str>, &RawValue>> = serde_json::from_slice(rows).unwrap_or_default();
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
