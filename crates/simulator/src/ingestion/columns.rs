//! What becomes of a row: what the stream did not declare vanishes, what does not fit is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use serde_json::{Map, Value};

use crate::core::ticks::Ticks;
use crate::ingestion::ColumnType;

/// Longer values are cut.
// https://learn.microsoft.com/azure/azure-monitor/fundamentals/service-limits#logs-ingestion-api
pub(crate) const LONGEST_VALUE: usize = 65_536;

/// What got lost on the way into the table, by column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Losses {
    pub(crate) vanished: BTreeMap<String, u64>,
    pub(crate) mismatched: BTreeMap<String, u64>,
    pub(crate) truncated: BTreeMap<String, u64>,
    pub(crate) without_time: u64,
}

/// Counts bytes and keeps none.
struct Length(usize);

/// Fits a row to the declared columns.
pub(crate) fn fit(
    row: Map<String, Value>,
    columns: &BTreeMap<String, ColumnType>,
    losses: &mut Losses,
) -> Map<String, Value> {
    let time = row.get("TimeGenerated").and_then(Value::as_str).and_then(Ticks::parse);
    losses.without_time += u64::from(time.is_none());
    let mut kept = Map::with_capacity(row.len());
    for (name, value) in row {
        let Some(kind) = columns.get(&name) else {
            *losses.vanished.entry(name).or_default() += 1;
            continue;
        };
        let value = if !fits(&value, *kind) {
            *losses.mismatched.entry(name.clone()).or_default() += 1;
            Value::Null
        } else if let Some(cut) = cut(&value) {
            *losses.truncated.entry(name.clone()).or_default() += 1;
            Value::String(cut)
        } else {
            value
        };
        kept.insert(name, value);
    }
    kept
}

/// What a table of the plan Auxiliary has against a row; the whole call is refused for it.
// https://learn.microsoft.com/azure/azure-monitor/logs/create-custom-table-auxiliary
pub(crate) fn auxiliary_objection(
    row: &Map<String, Value>,
    columns: &BTreeMap<String, ColumnType>,
) -> Option<String> {
    row.iter().find_map(|(name, value)| match (columns.get(name)?, value) {
        (ColumnType::Dynamic, _) => None,
        (_, Value::Object(_) | Value::Array(_)) => {
            Some(format!("Column '{name}' is not dynamic and has nested JSON."))
        }
        (ColumnType::DateTime, Value::String(text)) if !is_iso_8601_in_micros(text) => {
            Some(format!("Column '{name}' is not in the ISO 8601 format with at most 6 decimal places."))
        }
        _ => None,
    })
}

/// A table of the plan Auxiliary drops a column whose name differs from another's in nothing but case.
// https://learn.microsoft.com/azure/azure-monitor/logs/create-custom-table#add-or-delete-a-custom-column
pub(crate) fn drop_same_names(row: &mut Map<String, Value>, losses: &mut Losses) {
    let mut seen = BTreeSet::new();
    row.retain(|name, _| {
        let first = seen.insert(name.to_ascii_lowercase());
        if !first {
            *losses.vanished.entry(name.clone()).or_default() += 1;
        }
        first
    });
}

fn is_iso_8601_in_micros(text: &str) -> bool {
    let digits =
        text.split_once('.').map_or(0, |(_, rest)| rest.bytes().take_while(u8::is_ascii_digit).count());
    digits <= 6 && text.as_bytes().get(10) == Some(&b'T')
}

fn fits(value: &Value, kind: ColumnType) -> bool {
    match (kind, value) {
        (_, Value::Null) | (ColumnType::Dynamic, _) => true,
        (ColumnType::String, value) => value.is_string(),
        (ColumnType::Int, value) => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        (ColumnType::Long, value) => value.is_i64(),
        (ColumnType::Real, value) => value.is_number(),
        (ColumnType::Boolean, value) => value.is_boolean(),
        (ColumnType::DateTime, value) => value.as_str().and_then(Ticks::parse).is_some(),
    }
}

/// The beginning of a value that is too long. A dynamic one is cut as the text it is, so what remains
/// is no JSON any more.
fn cut(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => (text.len() > LONGEST_VALUE).then(|| beginning(text)),
        Value::Array(_) | Value::Object(_) => {
            let mut length = Length(0);
            serde_json::to_writer(&mut length, value).ok()?;
            (length.0 > LONGEST_VALUE).then(|| beginning(&value.to_string()))
        }
        _ => None,
    }
}

fn beginning(text: &str) -> String {
    text.get(..text.floor_char_boundary(LONGEST_VALUE)).unwrap_or_default().to_owned()
}

// === impl Length ===

impl Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fitted(row: &Value) -> (Value, Losses) {
        let columns = [
            ("TimeGenerated", ColumnType::DateTime),
            ("text", ColumnType::String),
            ("int", ColumnType::Int),
            ("long", ColumnType::Long),
            ("real", ColumnType::Real),
            ("flag", ColumnType::Boolean),
            ("any", ColumnType::Dynamic),
        ];
        let columns = columns.into_iter().map(|(name, kind)| (name.to_owned(), kind)).collect();
        let mut losses = Losses::default();
        let kept = fit(row.as_object().unwrap().clone(), &columns, &mut losses);
        (Value::Object(kept), losses)
    }

    #[test]
    fn a_row_that_fits_loses_nothing() {
        let row = json!({"TimeGenerated": "2026-02-25T16:29:33.1Z", "text": "a", "int": -1,
            "long": 5_000_000_000_i64, "real": 1.5, "flag": true, "any": {"a": [1]}});
        assert_eq!(fitted(&row), (row, Losses::default()));
    }

    #[test]
    fn values_of_the_wrong_type_become_null_and_are_counted() {
        let row = json!({"TimeGenerated": "yesterday", "text": 1, "int": 5_000_000_000_i64, "long": "1",
            "real": "x", "flag": "true", "any": null});
        let (kept, losses) = fitted(&row);
        assert!(kept.as_object().unwrap().values().all(Value::is_null), "{kept}");
        assert_eq!(losses.mismatched.len(), 6);
        assert_eq!(losses.without_time, 1);
    }

    #[test]
    fn what_was_not_declared_vanishes_and_is_counted() {
        let (kept, losses) = fitted(&json!({"TimeGenerated": "2026-02-25T16:29:33Z", "Text": "x"}));
        assert_eq!(kept, json!({"TimeGenerated": "2026-02-25T16:29:33Z"}));
        assert_eq!(losses.vanished, BTreeMap::from([("Text".to_owned(), 1)]));
    }

    #[test]
    fn an_auxiliary_table_refuses_nested_json_and_more_than_microseconds() {
        let columns = [
            ("TimeGenerated", ColumnType::DateTime),
            ("text", ColumnType::String),
            ("any", ColumnType::Dynamic),
        ];
        let columns = columns.into_iter().map(|(name, kind)| (name.to_owned(), kind)).collect();
        let objection = |row: Value| auxiliary_objection(row.as_object().unwrap(), &columns);
        let fits = json!({"TimeGenerated": "2026-02-25T16:29:33.123456Z", "text": "a", "any": {"a": [1]}, "Text": [1]});
        assert_eq!(objection(fits), None);
        for refused in [
            json!({"text": {"a": 1}}),
            json!({"text": [1]}),
            json!({"TimeGenerated": "2026-02-25T16:29:33.1234567Z"}),
            json!({"TimeGenerated": "2026-02-25 16:29:33Z"}),
        ] {
            assert!(objection(refused.clone()).is_some(), "{refused}");
        }
    }

    #[test]
    fn an_auxiliary_table_drops_a_name_that_is_there_in_another_case() {
        let mut row = json!({"Text": "a", "text": "b"}).as_object().unwrap().clone();
        let mut losses = Losses::default();
        drop_same_names(&mut row, &mut losses);
        assert_eq!(row.len(), 1);
        assert_eq!(losses.vanished.values().sum::<u64>(), 1);
    }

    #[test]
    fn a_long_value_is_cut_at_64_kb_on_a_whole_character() {
        let longest = "a".repeat(LONGEST_VALUE);
        let row = json!({"TimeGenerated": "2026-02-25T16:29:33Z", "text": format!("b{}", "ü".repeat(LONGEST_VALUE)),
            "any": [longest]});
        let (kept, losses) = fitted(&row);
        assert_eq!(kept["text"].as_str().unwrap().len(), LONGEST_VALUE - 1);
        assert_eq!(kept["any"].as_str().unwrap().len(), LONGEST_VALUE);
        assert_eq!(losses.truncated, BTreeMap::from([("any".to_owned(), 1), ("text".to_owned(), 1)]));
        let fitting = json!({"TimeGenerated": "2026-02-25T16:29:33Z", "text": longest});
        assert_eq!(fitted(&fitting).1, Losses::default());
    }
}
