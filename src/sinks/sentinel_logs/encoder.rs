//! How one sink writes rows: as its layout says, or an event's fields as the columns of its row.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use super::column::{Column, PlainNames};
use super::columns::Columns;
use super::encoding::Encoding;
use super::field_path::{FieldPath, Segment};
use super::fields_row::FieldsRow;
pub(super) use super::fields_row::USUAL_TIME_FIELDS;
use super::layout::{Layout, WriteRows, read_object};
use super::row_time::RowTime;
pub(super) use super::row_time::time_of_row;
use super::row_writer::is_long;
use super::spread::{ALERTS, Spread, is_incident};
use super::table_plan::TablePlan;
use model::event::{Body, Event};
use model::json::{each_element, each_field, each_field_of_text};
use runtime::quarantine::Reason;

/// The column of a row's time, which every table has.
/// Source: <https://learn.microsoft.com/azure/azure-monitor/logs/log-standard-columns#timegenerated>
pub(super) const TIME_GENERATED: &str = "TimeGenerated";

/// Most columns of a table.
/// Source: <https://learn.microsoft.com/azure/azure-monitor/fundamentals/service-limits#log-analytics-workspaces>
const MAX_COLUMNS: usize = 500;

/// Encoder of one sink: writes events as rows. Cheap to clone.
#[derive(Clone)]
pub struct Encoder(pub(super) RowFormat);

/// What rows are made of.
#[derive(Clone)]
pub(super) enum RowFormat {
    /// One row an event, with a column for each of its fields.
    Fields(Arc<FieldsEncoder>),
    /// Rows of a layout's tables.
    Tables(TablesEncoder),
}

/// Writes the rows that a layout makes of events.
#[derive(Clone)]
pub(super) struct TablesEncoder {
    pub(super) write_rows: WriteRows,
    pub(super) encoding: Option<Arc<Encoding>>,
    pub(super) plan: TablePlan,
    pub(super) max_row_bytes: usize,
}

/// Writes an event's fields as the columns of its row. Of an event that is JSON text, values are copied as they stand in it;
/// nothing is parsed that need not be.
pub(super) struct FieldsEncoder {
    pub(super) time: TimeField,
    /// The columns that the stream has, if that is known.
    pub(super) declared: Option<Columns>,
    pub(super) encoding: Option<Arc<Encoding>>,
    /// Names of fields that are columns as they are; not known if options have a say in it.
    pub(super) plain_names: Option<PlainNames>,
    pub(super) max_row_bytes: usize,
}

/// What there is to say of a row that was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowNotes {
    /// Number of fields that were cut at 64 KB.
    pub truncated_fields: u64,
    /// Number of events whose own time could not be read, so that the row has another.
    pub unread_times: u64,
}

/// Where the time of an event is, and the column that it goes into: the option `timestamp_field`.
#[derive(Clone, Debug)]
pub(super) struct TimeField {
    pub(super) column: String,
    /// The way to the field; one segment if it is a field of the event itself.
    path: Vec<Segment>,
}

// === impl Encoder ===

impl Encoder {
    /// Encoder of rows as `layout` says, of at most `max_row_bytes` each, for tables of this `plan`.
    ///
    /// Of a layout that leaves events as they are, `timestamp_field` is the column of the event's time; and if the columns
    /// that the stream has are `declared`, no field goes into any other, nor into one that cannot hold it. `encoding` leaves out
    /// or changes fields before that.
    pub fn new(
        layout: Layout,
        plan: TablePlan,
        timestamp_field: &str,
        declared: Option<Columns>,
        encoding: Option<Arc<Encoding>>,
        max_row_bytes: usize,
    ) -> Self {
        Self(if let Some(write_rows) = layout.write_rows() {
            RowFormat::Tables(TablesEncoder { write_rows, encoding, plan, max_row_bytes })
        } else {
            let time = TimeField::of(timestamp_field);
            RowFormat::Fields(Arc::new(FieldsEncoder::new(time, declared, encoding, max_row_bytes)))
        })
    }
}

// === impl TimeField ===

impl TimeField {
    /// What can be a column's name is both the field and the column. Anything else is the path of a field, whose time goes into
    /// `TimeGenerated`.
    pub(super) fn of(written: &str) -> Self {
        let path = FieldPath::parse(written).map(|FieldPath(path)| path);
        match path {
            Ok(path) if Column::of(written) != Column::Plain(written) => {
                Self { column: TIME_GENERATED.to_owned(), path }
            }
            _ => Self { column: written.to_owned(), path: vec![Segment::Field(written.to_owned())] },
        }
    }

    /// The value of the field, if it is this one, or within it.
    pub(super) fn find<'v>(&self, name: &str, json: &'v str) -> Option<&'v str> {
        let (first, rest) = self.path.split_first()?;
        matches!(first, Segment::Field(first) if first == name).then_some(())?;
        let mut found = json;
        for segment in rest {
            let mut inner = None;
            match segment {
                Segment::Field(name) => {
                    each_field(found.as_bytes(), |field, json| {
                        if field == name {
                            inner = Some(json);
                        }
                    });
                }
                Segment::Index(index) => {
                    let mut elements = Vec::new();
                    each_element(found, |json| elements.push(json));
                    let at = usize::try_from(*index)
                        .ok()
                        .or_else(|| elements.len().checked_sub(index.unsigned_abs()));
                    inner = at.and_then(|at| elements.get(at).copied());
                }
            }
            found = inner?;
        }
        Some(found)
    }

    pub(super) const fn is_whole_field(&self) -> bool {
        self.path.len() == 1
    }
}

// === impl FieldsEncoder ===

impl FieldsEncoder {
    fn new(
        time: TimeField,
        declared: Option<Columns>,
        encoding: Option<Arc<Encoding>>,
        max_row_bytes: usize,
    ) -> Self {
        let plain_names = (declared.is_none() && encoding.is_none()).then(|| {
            let first = time.path.first().and_then(|segment| match segment {
                Segment::Field(name) => Some(name.as_str()),
                Segment::Index(_) => None,
            });
            PlainNames::except(USUAL_TIME_FIELDS.into_iter().chain([time.column.as_str()]).chain(first))
        });
        Self { time, declared, encoding, plain_names, max_row_bytes }
    }

    /// Appends the event's row to `out`, and answers what there is to say of it. An event without a time of its own gets
    /// `now`. If the event cannot be a row, `out` is as before.
    pub(super) fn write_row(
        &self,
        event: &Event,
        now: RowTime,
        out: &mut Vec<u8>,
    ) -> Result<RowNotes, Reason> {
        let written;
        let json: &[u8] = match event.body() {
            Body::Json(json) => json,
            Body::Value(value) => {
                written = value.to_json();
                &written
            }
        };
        let Ok(text) = std::str::from_utf8(json) else { return Err(not_an_object(json)) };
        let start = out.len();
        let mut row = FieldsRow::new(self, text, now, false, out);
        if !each_field_of_text(text, |field| row.field(field)) {
            out.truncate(start);
            return Err(not_an_object(json));
        }
        row.finish(event.timestamp().unwrap_or(now.now))
    }

    /// How the alerts of an incident are spread over columns and rows, if they do not fit into one column.
    pub(super) fn spread(&self, event: &Event, now: RowTime) -> Option<Spread> {
        let json = match event.body() {
            Body::Json(json) if !is_long(json.len()) => return None,
            _ => event.to_json(),
        };
        if !is_long(json.len()) || !is_incident(&json) {
            return None;
        }
        let mut alerts = None;
        each_field(&json, |name, value| {
            if name == ALERTS && alerts.is_none() {
                alerts = Some(value);
            }
        });
        let written = match &self.encoding {
            None => Cow::Borrowed(alerts?),
            Some(encoding) => encoding.field(ALERTS, alerts?)?,
        };
        let is_column = self.declared.as_ref().is_none_or(|columns| columns.takes_as_it_is(ALERTS, &written));
        if !is_column || !is_long(written.len()) {
            return None;
        }
        let text = std::str::from_utf8(&json).ok()?;
        let mut out = Vec::new();
        let mut row = FieldsRow::new(self, text, now, true, &mut out);
        each_field_of_text(text, |field| row.field(field)).then_some(())?;
        let (row, unread_times) = row.complete(event.timestamp().unwrap_or(now.now));
        let rest = (row.stop(), unread_times);
        let alerts = match written {
            Cow::Borrowed(alerts) => json.slice_ref(alerts.as_bytes()),
            Cow::Owned(alerts) => Bytes::from(alerts),
        };
        Spread::of(&alerts, self.columns_for_alerts(), rest, &self.time.column, self.max_row_bytes)
    }

    /// How many columns the stream has for alerts, as far as is known: `alerts`, `alerts_2` and so on.
    fn columns_for_alerts(&self) -> usize {
        let is_declared = |number: &usize| {
            let name = format!("{ALERTS}_{number}");
            self.declared.as_ref().is_some_and(|columns| columns.takes_as_it_is(&name, "[]"))
        };
        1 + (2..MAX_COLUMNS).take_while(is_declared).count()
    }
}

fn not_an_object(json: &[u8]) -> Reason {
    // Slower, but it knows where the mistake is.
    read_object(json).err().unwrap_or_else(|| Reason {
        code: "not_an_object",
        message: "an event must be an object to become a row".to_owned(),
        request_id: None,
    })
}

#[cfg(test)]
#[path = "encoder_tests.rs"]
mod tests;
