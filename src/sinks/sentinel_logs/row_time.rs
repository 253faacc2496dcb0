//! The time of a row: how it is read from a field, and which times Azure leaves as they are.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use model::time::{log_time, rfc3339};

/// Azure puts the time of ingestion in the place of a `TimeGenerated` older than this, or this much in the future.
/// Source: <https://learn.microsoft.com/azure/azure-monitor/logs/log-standard-columns#timegenerated>
const OLDEST: TimeDelta = TimeDelta::days(2);
const NEWEST: TimeDelta = TimeDelta::days(1);

/// A field that is a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct FieldTime<'a> {
    pub(super) time: DateTime<Utc>,
    /// The field's value.
    pub(super) json: &'a str,
    /// Whether that is a time as the service takes it for sure.
    pub(super) is_rfc3339: bool,
}

/// When events were taken in, and which times Azure leaves as they are when their rows are sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowTime {
    /// When events were taken in: the time of those that do not tell their own.
    pub(super) now: DateTime<Utc>,
    oldest: DateTime<Utc>,
    newest: DateTime<Utc>,
}

// === impl RowTime ===

impl RowTime {
    /// Events are taken in `now`, and their rows sent at once.
    pub(super) fn of(now: DateTime<Utc>) -> Self {
        Self::sent_at(now, now)
    }

    /// Events were taken in at `now`, and their rows are `sent` later.
    pub(super) fn sent_at(now: DateTime<Utc>, sent: DateTime<Utc>) -> Self {
        let oldest = sent.checked_sub_signed(OLDEST).unwrap_or(DateTime::<Utc>::MIN_UTC);
        let newest = sent.checked_add_signed(NEWEST).unwrap_or(DateTime::<Utc>::MAX_UTC);
        Self { now, oldest, newest }
    }

    /// Whether Azure will put another in the place of this `TimeGenerated`.
    pub(super) fn is_replaced(&self, time: DateTime<Utc>) -> bool {
        time < self.oldest || time > self.newest
    }
}

/// A time of ours, as JSON.
pub(super) fn time_of_row(time: DateTime<Utc>) -> String {
    format!("\"{}\"", time.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// The time that a JSON value is, in any form that logs have.
pub(super) fn read_time(json: &str, now: DateTime<Utc>) -> Option<FieldTime<'_>> {
    let text = json.strip_prefix('"').and_then(|json| json.strip_suffix('"'));
    if let Some(time) = text.and_then(rfc3339) {
        return Some(FieldTime { time, json, is_rfc3339: true });
    }
    let time = match text {
        Some(text) if !text.contains('\\') => log_time(text, Some(now)),
        Some(_) => log_time(&serde_json::from_str::<String>(json).ok()?, Some(now)),
        None => log_time(json, None),
    };
    time.map(|time| FieldTime { time, json, is_rfc3339: false })
}
