//! From any event to requests, on the way that all of them go.

use std::collections::BTreeMap;
use std::io::Write;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use flate2::write::GzDecoder;
use proptest::prelude::*;
use serde_json::value::RawValue;

use super::*;
use crate::sinks::sentinel_logs::column::Column;
use crate::sinks::sentinel_logs::layout::{ColumnType, Layout};
use crate::sinks::sentinel_logs::packer::{Packer, Request};
use crate::sinks::sentinel_logs::{Columns, ColumnsConfig, TablePlan};
use model::value::Value;

/// Columns with what they hold, if that is known.
type Declared = BTreeMap<&'static str, Option<ColumnType>>;

const LAYOUTS: [Layout; 5] =
    [Layout::Raw, Layout::Defender, Layout::AsimAlert, Layout::CommonSecurityLog, Layout::Syslog];
/// Columns of a stream that takes events as they are.
const DECLARED: [(&str, ColumnType); 8] = [
    ("TimeGenerated", ColumnType::DateTime),
    ("id_", ColumnType::String),
    ("message", ColumnType::String),
    ("severity", ColumnType::Long),
    ("timestamp", ColumnType::DateTime),
    ("alerts", ColumnType::Dynamic),
    ("ExtraColumns", ColumnType::Dynamic),
    ("TruncatedColumns", ColumnType::Dynamic),
];

fn now() -> DateTime<Utc> {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

/// Names that layouts look for, that are reserved, and that no column can have.
fn name() -> impl Strategy<Value = String> {
    let known = "id title displayName alerts evidence incidentWebUrl lastUpdateDateTime severity message deviceVendor \
        facility timestamp TimeGenerated ExtraColumns TruncatedColumns_ @odata.type";
    prop_oneof![4 => proptest::sample::select(known.split(' ').collect::<Vec<_>>()).prop_map(str::to_owned), 1 => "(?s).{0,50}"]
}

fn any_value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        8 => proptest::collection::vec(any::<u8>(), 0..12).prop_map(Bytes::from),
        8 => ".{0,20}".prop_map(Bytes::from),
        1 => (".", 1..70_000_usize).prop_map(|(text, times)| Bytes::from(text.repeat(times))),
    ];
    let leaf = prop_oneof![
        4 => text.prop_map(Value::Bytes),
        1 => any::<i64>().prop_map(Value::Integer),
        1 => any::<f64>().prop_map(Value::Float),
        1 => any::<bool>().prop_map(Value::Boolean),
        2 => (1_700_000_000..1_900_000_000_i64, 0..1_000_000_000_u32)
            .prop_map(|(seconds, nanos)| Value::Timestamp(DateTime::from_timestamp(seconds, nanos).unwrap())),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(4, 30, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            object(inner).prop_map(Value::Object),
        ]
    })
}

fn object(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = BTreeMap<String, Value>> {
    proptest::collection::btree_map(name(), inner, 0..8)
}

/// What some layout takes, now and then.
fn any_event() -> impl Strategy<Value = Event> {
    let text = |text: &'static str| Value::Bytes(Bytes::from_static(text.as_bytes()));
    let complete = move |(mut fields, alerts): (BTreeMap<String, Value>, Vec<BTreeMap<String, Value>>)| {
        fields.insert("id".to_owned(), text("4711"));
        fields.insert("incidentWebUrl".to_owned(), text("https://security.microsoft.com/x"));
        fields.insert("alerts".to_owned(), Value::Array(alerts.into_iter().map(Value::Object).collect()));
        fields.insert("message".to_owned(), text("m"));
        fields.insert("deviceVendor".to_owned(), text("v"));
        Value::Object(fields)
    };
    let alerts = proptest::collection::vec(object(any_value()), 0..3);
    let value = prop_oneof![
        4 => (object(any_value()), alerts).prop_map(complete),
        2 => object(any_value()).prop_map(Value::Object),
        1 => any_value(),
    ];
    (value, any::<bool>(), proptest::option::of(0..2_000_000_000_i64)).prop_map(|(value, as_json, time)| {
        let time = time.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        if as_json { Event::new(value.to_json(), time) } else { Event::from_value(value) }
    })
}

/// What is known of the tables: nothing of those that take events as they are, or names, or types; and their plan.
fn any_columns() -> impl Strategy<Value = (Option<ColumnsConfig>, TablePlan)> {
    let names = || DECLARED.iter().map(|(name, _)| (*name).to_owned()).collect();
    let types = || DECLARED.iter().map(|(name, found)| ((*name).to_owned(), *found)).collect();
    prop_oneof![
        Just((None, TablePlan::Analytics)),
        Just((Some(ColumnsConfig::Names(names())), TablePlan::Basic)),
        Just((Some(ColumnsConfig::Types(types())), TablePlan::Analytics)),
        Just((Some(ColumnsConfig::Types(types())), TablePlan::Auxiliary)),
    ]
}

fn json(request: &Request) -> Vec<u8> {
    if !request.gzip {
        return request.body.to_vec();
    }
    let mut plain = GzDecoder::new(Vec::new());
    plain.write_all(&request.body).unwrap();
    plain.finish().unwrap()
}

/// Asserts that a request is one that the service takes, of columns that the stream has.
fn assert_fits(request: &Request, max_bytes: usize, declared: Option<&Declared>, plan: TablePlan) {
    let json = json(request);
    assert!(json.len() <= max_bytes && request.body.len() <= max_bytes && json.len() == request.json_bytes);
    let rows: Vec<BTreeMap<String, &RawValue>> = serde_json::from_slice(&json).unwrap();
    assert_eq!(rows.len(), request.rows.len());
    for row in rows {
        assert!(ColumnType::DateTime.takes(row["TimeGenerated"].get()), "{row:?}");
        for (name, json) in row {
            assert!(Column::is_declarable(&name), "{name}");
            let value: serde_json::Value = serde_json::from_str(json.get()).unwrap();
            let bytes = value.as_str().map_or(json.get().len(), str::len);
            assert!(bytes <= 65_536 || value.is_number(), "{name} has {bytes} bytes");
            let Some(declared) = declared else { continue };
            let column_type = declared.get(name.as_str()).unwrap_or_else(|| panic!("{name} is not declared"));
            let Some(column_type) = column_type.filter(|_| !value.is_null()) else { continue };
            assert!(column_type.takes(json.get()), "{name}: {json}");
            if plan == TablePlan::Auxiliary && column_type == ColumnType::DateTime {
                let fraction = value.as_str().unwrap().split_once('.').map_or("", |(_, fraction)| fraction);
                assert!(fraction.bytes().take_while(u8::is_ascii_digit).count() <= 6, "{name}: {json}");
            }
        }
    }
}

proptest! {
    #[test]
    fn any_event_becomes_requests_that_the_service_takes_or_is_refused(
        events in proptest::collection::vec(any_event(), 0..6),
        max_bytes in 1_000..300_000_usize,
        compress: bool,
        (columns, plan) in any_columns(),
    ) {
        let events: Batch = events.into();
        for layout in LAYOUTS {
            let types = columns.as_ref().map(|columns| Columns::of_config(columns, plan));
            let encoder = Encoder::new(layout, plan, "TimeGenerated", types, None, max_bytes - 2);
            let (rows, rowless) = Rows::new(&encoder, Arc::clone(&events), now());
            let mut accounted: BTreeSet<usize> = rowless.iter().map(|(event, _)| *event).collect();
            let mut tables: Vec<_> = layout.tables().iter().map(|table| Some((table.name, table))).collect();
            if tables.is_empty() {
                tables.push(None);
            }
            for table in tables {
                let name = table.map(|(name, _)| name);
                let declared = match (table, &columns) {
                    (Some((_, table)), _) => {
                        Some(table.declared().map(|column| (column.name, Some(column.column_type))).collect())
                    }
                    (None, Some(ColumnsConfig::Types(_))) => {
                        Some(DECLARED.map(|(name, found)| (name, Some(found))).into())
                    }
                    (None, Some(ColumnsConfig::Names(_))) => Some(DECLARED.map(|(name, _)| (name, None)).into()),
                    (None, None) => None,
                };
                let chosen = (0..rows.count()).filter(|row| rows.table(*row) == name).collect();
                let packer = Packer::new(&rows, chosen, max_bytes, compress.then_some(6));
                for packed in packer {
                    accounted.extend(packed.refused.iter().map(|(row, _)| rows.event(*row).0));
                    for (_, reason) in &packed.refused {
                        prop_assert!(["too_large", "not_an_object"].contains(&reason.code), "{reason:?}");
                    }
                    let Some(request) = packed.request else { continue };
                    assert_fits(&request, max_bytes, declared.as_ref(), plan);
                    accounted.extend(request.rows.iter().map(|row| rows.event(*row).0));
                }
            }
            prop_assert_eq!(accounted.len(), events.len(), "{:?}", layout);
        }
    }
}
