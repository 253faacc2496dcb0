mod asim_alert;
mod built_in;
mod defender;
mod nothing_is_lost;
mod tables;

use serde_json::Value;

use super::{Layout, Row};
use model::event::Event;

/// An event of `tests/fixtures/layouts`.
fn fixture(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/layouts/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn event(json: &Value) -> Event {
    Event::new(json.to_string().into(), None)
}

/// What rows say, and the tables that they go to.
fn rows(layout: Layout, json: &Value) -> Vec<(&'static str, Value)> {
    let rows = layout.rows(&event(json)).unwrap();
    rows.iter().map(|row| (row.table, columns(row))).collect()
}

fn columns(row: &Row) -> Value {
    serde_json::from_slice(&row.event.to_json()).unwrap()
}

/// Asserts that a row has at least these columns.
fn assert_has(row: &Value, expected: &Value) {
    for (column, value) in expected.as_object().unwrap() {
        assert_eq!(row.get(column), Some(value), "{column} of {row:#}");
    }
}
