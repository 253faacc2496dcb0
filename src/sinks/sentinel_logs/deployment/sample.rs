//! Columns that are learned from a sample of events.

use std::collections::BTreeMap;

use bytes::Bytes;
use thiserror::Error;

use super::Typed;
use crate::sinks::sentinel_logs::column::Column;
use crate::sinks::sentinel_logs::column_type::is_time;
use crate::sinks::sentinel_logs::encoder::{TIME_GENERATED, USUAL_TIME_FIELDS};
use crate::sinks::sentinel_logs::layout::ColumnType;
use crate::sinks::sentinel_logs::template::Template;
use model::event::Event;
use model::json::each_field;

/// Events as the sink gets them.
#[derive(Clone, Debug)]
pub struct Sample(Vec<Event>);

/// Why a file is no sample.
#[derive(Debug, Error)]
pub enum SampleError {
    /// A line is no event.
    #[error("line {0} is no JSON object: a sample has an event on each line")]
    Line(usize),
    /// It has no line.
    #[error("there is no event in it")]
    Empty,
}

/// The columns that events have.
#[derive(Debug, Default)]
pub(super) struct Learned {
    pub(super) columns: Typed,
    /// Fields that get no column, in sentences.
    pub(super) left_out: Vec<String>,
}

// === impl Sample ===

impl Sample {
    /// Reads a file with an event on each line, plain or as Vector's `native_json`.
    pub fn read(text: &str) -> Result<Self, SampleError> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let events = lines.map(|(index, line)| event(line).ok_or(SampleError::Line(index + 1)));
        let events: Vec<_> = events.collect::<Result<_, _>>()?;
        if events.is_empty() { Err(SampleError::Empty) } else { Ok(Self(events)) }
    }

    pub(super) fn events(&self) -> impl Iterator<Item = &Event> {
        self.0.iter()
    }

    /// The events by the stream that they go to; those that come to none are left out.
    pub(super) fn by_stream(&self, template: &Template) -> Vec<(String, Vec<&Event>)> {
        let mut streams: BTreeMap<String, Vec<&Event>> = BTreeMap::new();
        for event in self.events() {
            if let Ok(stream) = template.render(event, None) {
                streams.entry(stream).or_default().push(event);
            }
        }
        streams.into_iter().collect()
    }
}

fn event(line: &str) -> Option<Event> {
    let mut names = Vec::new();
    let mut log = None;
    let is_object = each_field(line.as_bytes(), |name, value| {
        if name == "log" && value.starts_with('{') {
            log = Some(value);
        }
        names.push(name.to_owned());
    });
    let json = if names.len() == 1 { log.unwrap_or(line) } else { line };
    is_object.then(|| Event::new(Bytes::from(json.to_owned()), None))
}

/// The columns that the fields of events become in rows whose time is in the column `time`.
pub(super) fn learn(events: &[&Event], time: &str) -> Learned {
    let mut found: BTreeMap<String, (usize, Option<ColumnType>)> = BTreeMap::new();
    let mut extra: Vec<String> = Vec::new();
    for event in events {
        let json = event.to_json();
        let mut fields = Vec::new();
        each_field(&json, |name, value| fields.push((name.to_owned(), value.to_owned())));
        let has_time = fields.iter().any(|(name, _)| name == time || name == TIME_GENERATED);
        for (name, value) in fields {
            // It moves into the column of the row's time.
            if name == time || (!has_time && USUAL_TIME_FIELDS.contains(&name.as_str())) {
                continue;
            }
            let column = match Column::of(&name) {
                Column::Plain(name) => name.to_owned(),
                Column::Reserved(name) => format!("{name}_"),
                Column::Extra(name) => {
                    if !extra.iter().any(|known| known == name) {
                        extra.push(name.to_owned());
                    }
                    continue;
                }
            };
            let next = found.len();
            let (_, known) = found.entry(column).or_insert((next, None));
            *known = wider(*known, type_of(&value));
        }
    }
    let mut in_order: Vec<_> = found.into_iter().collect();
    in_order.sort_by_key(|(_, (order, _))| *order);
    let mut learned = Learned::default();
    for (name, (_, column_type)) in in_order {
        let clash = learned.columns.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name));
        if let Some((known, _)) = clash {
            let why = format!(
                "'{name}' differs from '{known}' in nothing but case: it gets no column, and goes into ExtraColumns"
            );
            learned.left_out.push(why);
            continue;
        }
        // What was null everywhere may be anything.
        learned.columns.push((name, column_type.unwrap_or(ColumnType::Dynamic)));
    }
    if !extra.is_empty() {
        let why =
            format!("'{}' cannot be the names of columns: they go into ExtraColumns", extra.join("', '"));
        learned.left_out.push(why);
    }
    learned
}

/// What a value is; nothing if it is null.
fn type_of(json: &str) -> Option<ColumnType> {
    Some(match json.bytes().next()? {
        b'n' => return None,
        b't' | b'f' => ColumnType::Boolean,
        b'"' if serde_json::from_str::<String>(json).is_ok_and(|text| is_time(&text)) => ColumnType::DateTime,
        b'"' => ColumnType::String,
        b'{' | b'[' => ColumnType::Dynamic,
        _ if json.parse::<i64>().is_ok() => ColumnType::Long,
        _ => ColumnType::Real,
    })
}

/// The type that takes both.
fn wider(known: Option<ColumnType>, found: Option<ColumnType>) -> Option<ColumnType> {
    use ColumnType::{DateTime, Dynamic, Long, Real, String};
    match (known, found) {
        (None, one) | (one, None) => one,
        (Some(one), Some(other)) if one == other => known,
        (Some(Long | Real), Some(Long | Real)) => Some(Real),
        (Some(DateTime | String), Some(DateTime | String)) => Some(String),
        _ => Some(Dynamic),
    }
}
