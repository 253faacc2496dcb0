//! The row of an event whose fields are its columns.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use chrono::{DateTime, SecondsFormat, Utc};

use super::column::{Column, EXTRA_COLUMNS};
use super::encoder::{FieldsEncoder, RowNotes};
use super::row_time::{FieldTime, RowTime, read_time, time_of_row};
use super::row_writer::{RowWriter, is_long};
use super::spread::{ALERTS, is_incident};
use model::json::{JsonField, each_field, write_text};
use runtime::quarantine::Reason;

/// Where an event's time is unless the options say: Vector's field, and that of ECS and Logstash.
/// Source: <https://vector.dev/docs/reference/configuration/global-options/#log_schema.timestamp_key>,
/// <https://www.elastic.co/docs/reference/ecs/ecs-base#field-timestamp>
pub(super) const USUAL_TIME_FIELDS: [&str; 2] = ["timestamp", "@timestamp"];

/// Writes the fields of one event into the columns of its row.
pub(super) struct FieldsRow<'a> {
    encoder: &'a FieldsEncoder,
    row: RowWriter<'a>,
    /// JSON of the event.
    text: &'a str,
    /// Whether alerts are left to somebody else.
    without_alerts: bool,
    /// Fields of the event that stand behind each other and are columns as they are, and are not in the row yet.
    run: Range<usize>,
    now: RowTime,
    /// The row's time, as JSON, if Azure will put another in its place, and the field that it came with if that is a usual one.
    replaced_time: Option<(Option<&'static str>, Cow<'a, str>)>,
    has_time: bool,
    /// Whether a field should have been a time, and could not be read.
    is_time_unread: bool,
    /// The times in the usual fields, until it is known whether the row needs one.
    usual_times: [Option<FieldTime<'a>>; USUAL_TIME_FIELDS.len()],
    /// The fields in `ExtraColumns`, without braces.
    extra: Vec<u8>,
}

// === impl FieldsRow ===

impl<'a> FieldsRow<'a> {
    /// Begins the row of the event with this `text`, at the end of `out`.
    pub(super) fn new(
        encoder: &'a FieldsEncoder,
        text: &'a str,
        now: RowTime,
        without_alerts: bool,
        out: &'a mut Vec<u8>,
    ) -> Self {
        Self {
            encoder,
            row: RowWriter::new(out, encoder.max_row_bytes),
            text,
            without_alerts,
            run: 0..0,
            now,
            replaced_time: None,
            has_time: false,
            is_time_unread: false,
            usual_times: Default::default(),
            extra: Vec::new(),
        }
    }

    /// Takes a field of the event: here a field meets its column.
    #[inline]
    pub(super) fn field(&mut self, field: JsonField<'_, 'a>) {
        // Most fields of most events, in a hurry.
        if field.is_compact
            && !is_long(field.range.len())
            && self.encoder.plain_names.as_ref().is_some_and(|plain| plain.contains(field.name))
        {
            self.column_as_it_stands(field.range);
        } else {
            self.special_field(field);
        }
    }

    fn special_field(&mut self, field: JsonField<'_, 'a>) {
        let (name, json) = (field.name, field.json);
        if !self.has_time
            && let Some(found) = self.encoder.time.find(name, json)
        {
            match read_time(found, self.now.now) {
                Some(time) => {
                    self.has_time = true;
                    self.keep_if_replaced(None, time.time, Cow::Borrowed(found));
                    self.time_column(time);
                    if self.encoder.time.is_whole_field() {
                        return;
                    }
                }
                None => self.is_time_unread |= found != "null",
            }
        } else if let Some(at) = USUAL_TIME_FIELDS.iter().position(|usual| *usual == name)
            && self.usual_times[at].is_none()
        {
            match read_time(json, self.now.now) {
                Some(time) => {
                    self.usual_times[at] = Some(time);
                    return;
                }
                None => self.is_time_unread |= json != "null",
            }
        }
        let text = (field.is_compact && !is_long(json.len())).then_some(field.range);
        self.other_field(name, json, text);
    }

    /// Takes a field that is not the row's time, and stands so in the event, if it can be a column as it stands there.
    fn other_field(&mut self, name: &str, json: &str, text: Option<Range<usize>>) {
        let written = match &self.encoder.encoding {
            None => Cow::Borrowed(json),
            Some(encoding) => match encoding.field(name, json) {
                None => return,
                Some(json) => json,
            },
        };
        if name == self.encoder.time.column {
            // Not the row's time: the column could not take it, and it must not be lost.
            self.extra_field(name, &written);
            return;
        }
        let (suffix, fitting) = match Column::of(name) {
            Column::Plain(name) => ("", self.fitting(name, "", &written)),
            Column::Reserved(name) => ("_", self.fitting(name, "_", &written)),
            Column::Extra(_) => ("", None),
        };
        match (fitting, text) {
            (Some(fitting), Some(text)) if suffix.is_empty() && std::ptr::eq(&raw const *fitting, json) => {
                self.column_as_it_stands(text);
            }
            (Some(_), _) if name == ALERTS && self.without_alerts => {}
            (Some(fitting), _) => self.column(name, suffix, &fitting),
            (None, _) => self.extra_field(name, &written),
        }
    }

    /// Writes a column that stands in the event as it is in the row: together with its neighbours, when their run ends.
    fn column_as_it_stands(&mut self, text: Range<usize>) {
        // Between two that stand behind each other is a comma, and nothing else.
        if self.run.end + 1 == text.start && !self.run.is_empty() {
            self.run.end = text.end;
        } else {
            self.end_run();
            self.run = text;
        }
    }

    fn end_run(&mut self) {
        if !self.run.is_empty() {
            self.row.columns(self.text.get(self.run.clone()).unwrap_or_default());
            self.run = 0..0;
        }
    }

    fn column(&mut self, name: &str, suffix: &str, json: &str) {
        self.end_run();
        self.row.column(name, suffix, json);
    }

    /// Ends the row; `time` is its time if no field has said so.
    pub(super) fn finish(self, time: DateTime<Utc>) -> Result<RowNotes, Reason> {
        let (row, unread_times) = self.complete(time);
        row.finish().map(|size| RowNotes { truncated_fields: size.truncated_fields, unread_times })
    }

    /// Writes all that is left, and answers the row that can be ended, and how many times could not be read.
    pub(super) fn complete(mut self, time: DateTime<Utc>) -> (RowWriter<'a>, u64) {
        for (name, found) in USUAL_TIME_FIELDS.into_iter().zip(std::mem::take(&mut self.usual_times)) {
            match found {
                Some(found) if !self.has_time => {
                    self.has_time = true;
                    self.keep_if_replaced(Some(name), found.time, Cow::Borrowed(found.json));
                    self.time_column(found);
                }
                Some(found) => self.other_field(name, found.json, None),
                None => {}
            }
        }
        let unread_times = u64::from(self.is_time_unread && !self.has_time);
        if !self.has_time {
            let text = time_of_row(time);
            self.column(&self.encoder.time.column, "", &text);
            self.keep_if_replaced(None, time, Cow::Owned(text));
        }
        self.end_run();
        self.write_replaced_time();
        if !self.extra.is_empty() {
            self.extra.insert(0, b'{');
            self.extra.push(b'}');
            let extra = String::from_utf8(self.extra).unwrap_or_default();
            self.row.column(EXTRA_COLUMNS, "", &extra);
        }
        // What is no incident is kept whole, in the quarantine.
        if self.row.is_too_large() && is_incident(self.text.as_bytes()) {
            self.row.cut_to_row();
        }
        (self.row, unread_times)
    }

    /// Takes note of the row's time if Azure will put another in its place.
    fn keep_if_replaced(&mut self, came_as: Option<&'static str>, time: DateTime<Utc>, json: Cow<'a, str>) {
        if self.now.is_replaced(time) {
            self.replaced_time = Some((came_as, json));
        }
    }

    /// Writes a time that Azure will replace into `ExtraColumns`, when all else is there: under the name of its column or, if that is
    /// taken, under the one that it came with, or another. It is the first there, so that it is not cut off.
    fn write_replaced_time(&mut self) {
        let Some((came_as, json)) = self.replaced_time.take() else { return };
        let extra = [b"{", self.extra.as_slice(), b"}"].concat();
        let mut taken = BTreeSet::new();
        each_field(&extra, |name, _| {
            taken.insert(name.to_owned());
        });
        let mut name = self.encoder.time.column.clone();
        if taken.contains(&name)
            && let Some(came_as) = came_as
        {
            came_as.clone_into(&mut name);
        }
        while taken.contains(&name) {
            name.push('_');
        }
        let mut kept = Vec::new();
        write_text(&name, &mut kept);
        kept.push(b':');
        kept.extend_from_slice(json.as_bytes());
        if !self.extra.is_empty() {
            kept.push(b',');
        }
        self.extra.splice(0..0, kept);
    }

    /// What is written of a value into a column, if the stream has it and it can hold the value, as far as is known.
    fn fitting<'v>(&self, name: &str, suffix: &str, json: &'v str) -> Option<Cow<'v, str>> {
        match (&self.encoder.declared, suffix) {
            (None, _) => Some(Cow::Borrowed(json)),
            (Some(columns), "") => columns.fit(name, json),
            (Some(columns), suffix) => columns.fit(&format!("{name}{suffix}"), json),
        }
    }

    /// Writes the column of the event's time.
    fn time_column(&mut self, FieldTime { time, json, is_rfc3339 }: FieldTime<'_>) {
        let with_all_digits = || format!("\"{}\"", time.to_rfc3339_opts(SecondsFormat::AutoSi, true));
        let written = if is_rfc3339 { Cow::Borrowed(json) } else { Cow::Owned(with_all_digits()) };
        let fitting = self.fitting(&self.encoder.time.column, "", &written);
        self.column(&self.encoder.time.column, "", fitting.as_ref().unwrap_or(&written));
    }

    /// Takes a field into `ExtraColumns`. A null says no more than its absence.
    fn extra_field(&mut self, name: &str, json: &str) {
        if json == "null" {
            return;
        }
        if !self.extra.is_empty() {
            self.extra.push(b',');
        }
        write_text(name, &mut self.extra);
        self.extra.push(b':');
        self.extra.extend_from_slice(json.as_bytes());
    }
}
