//! Every value of an event is in its rows, whatever it is.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{FIXTURES, event, fixture, rows, written};
use crate::sinks::sentinel_logs::layout::{Layout, Table};

/// Field names that layouts know, and some that they do not.
const NAMES: &str = "id tenantId displayName description summary status severity classification determination assignedTo \
    customTags systemTags comments priorityScore createdDateTime lastUpdateDateTime incidentWebUrl \
    redirectIncidentId alerts evidence incidentId category categories mitreTechniques title productName \
    firstActivityDateTime lastActivityDateTime @odata.type verdict roles tags userAccount accountName \
    imageFile fileSize processId ipAddress hostName timestamp source_type message host hostname procid \
    version deviceVendor dst spt cn1 msg facility AdditionalData ExtraColumns größe a;b=c\\d Type Computer \
    TimeGenerated kind tenant incident alert name revision url fields before after changed_at changed_by alerts_added \
    merged_into reopened alertWebUrl";

/// Left out of syslog and CEF because they say nothing.
const KNOWN: [&str; 3] = ["source_type", "version", "cefVersion"];

/// Any JSON, with names that layouts look for more often than not.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z\"\\\\;={\u{e9}]{0,6}".prop_map(Value::from),
        (0_u32..1_000_000).prop_map(|n| json!(format!("2026-11-23T10:00:00.{n:06}Z"))),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        prop_oneof![proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from), any_object(inner),]
    })
}

fn any_object(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let name = proptest::sample::select(NAMES.split(' ').collect::<Vec<_>>()).prop_map(str::to_owned);
    proptest::collection::vec((name, inner), 0..12)
        .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>()))
}

/// Something with alerts and evidence in it, and whatever else.
fn any_incident() -> impl Strategy<Value = Value> {
    let evidence = proptest::collection::vec(any_object(any_json()), 0..3);
    let alert = (any_object(any_json()), evidence).prop_map(|(mut alert, evidence)| {
        alert["evidence"] = evidence.into();
        alert
    });
    (any_object(any_json()), proptest::collection::vec(alert, 0..3)).prop_map(|(mut incident, alerts)| {
        incident["alerts"] = alerts.into();
        incident
    })
}

/// Makes every text and number a different one, so that one of them cannot stand for another.
fn number_leaves(value: &mut Value, next: &mut u32) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| number_leaves(item, next)),
        Value::Object(fields) => fields.values_mut().for_each(|value| number_leaves(value, next)),
        Value::String(text) if text.starts_with("2026-") => {
            *next += 1;
            *text = format!("2026-11-23T10:00:00.{next:06}Z");
        }
        Value::String(text) => {
            *next += 1;
            *text = format!("{text}#{next}#");
        }
        Value::Number(_) => {
            *next += 1;
            *value = json!(1_000_000 + *next);
        }
        Value::Bool(_) | Value::Null => {}
    }
}

/// Texts and numbers in a value. Of a text that is a list of texts or more, as columns have them, the whole.
fn leaves(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| leaves(item, found)),
        Value::Object(fields) => fields.values().for_each(|value| leaves(value, found)),
        Value::String(text) => {
            found.push(text.strip_prefix("#microsoft.graph.security.").unwrap_or(text).to_owned());
        }
        Value::Number(number) => found.push(number.to_string()),
        Value::Bool(_) | Value::Null => {}
    }
}

/// Asserts that all of `input` is in the rows; what is quoted in a text of a row may be escaped there.
fn assert_kept(layout: Layout, input: &Value) {
    let mut kept = Vec::new();
    for (_, row) in rows(layout, input) {
        leaves(&row, &mut kept);
    }
    let mut wanted = Vec::new();
    let mut input = input.clone();
    if ["alert", "evidence", "change"].iter().any(|kind| input["kind"] == *kind) {
        // The table says it, or EventOriginalType.
        input.as_object_mut().unwrap().remove("kind");
    }
    leaves(&input, &mut wanted);
    for leaf in wanted {
        let in_json = serde_json::to_string(&leaf).unwrap();
        let in_extensions = |text: &str| text.replace('\\', "\\\\").replace(';', "\\;");
        let forms = [
            leaf.clone(),
            in_json.trim_matches('"').to_owned(),
            in_extensions(&leaf),
            in_extensions(&in_json),
        ];
        let found = kept.iter().any(|text| {
            forms.iter().any(|form| {
                text == form
                    || (form.len() > 2 && text.contains(form.as_str()))
                    || text.contains(&format!("={form};"))
            })
        });
        assert!(found, "{leaf:?} of {input:#} is not in {kept:#?}");
    }
}

/// Asserts that rows have only columns that their table has, with values that those take.
fn assert_fits(layout: Layout, input: &Value) {
    let tables: BTreeMap<&str, &Table> = layout.tables().iter().map(|table| (table.name, table)).collect();
    for (table, row) in written(layout, &event(input)).unwrap() {
        let columns: Vec<(String, &serde_json::value::RawValue)> =
            super::super::fields::Fields::of(serde_json::from_str(&row).unwrap())
                .unwrap()
                .iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect();
        let mut names: Vec<_> = columns.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|two| two[0] != two[1]), "twice in {names:?}");
        for (name, value) in columns {
            let column_type = tables[table].column_type(&name);
            assert!(column_type.is_some_and(|column_type| column_type.takes(value.get())), "{name}: {value}");
        }
    }
}

#[test]
fn every_value_of_every_fixture_is_in_its_rows() {
    for (layout, names) in FIXTURES {
        // One text of these becomes many; what of it is where is written down.
        for name in names.iter().filter(|name| !["cef-raw", "cef-behind-tag"].contains(name)) {
            let mut event = fixture(name);
            if matches!(layout, Layout::Syslog | Layout::CommonSecurityLog) {
                let fields = event.as_object_mut().unwrap();
                fields.retain(|name, value| !KNOWN.contains(&name.as_str()) && value != "-");
            }
            if name == &"cef-merged" {
                // The same time, in another form; and a message whose parts are all there.
                event["start"] = "2026-11-23T09:00:00.123Z".into();
                event.as_object_mut().unwrap().remove("message");
            }
            assert_kept(layout, &event);
            assert_fits(layout, &event);
        }
    }
}

proptest! {
    #[test]
    fn every_value_of_an_incident_is_in_its_rows(mut incident in any_incident()) {
        number_leaves(&mut incident, &mut 0);
        incident["id"] = "4711".into();
        incident["incidentWebUrl"] = "https://security.microsoft.com/x".into();
        incident.as_object_mut().unwrap().remove("incidentId");
        for layout in [Layout::Defender, Layout::AsimAlert] {
            assert_kept(layout, &incident);
            assert_fits(layout, &incident);
        }
    }

    #[test]
    fn every_value_of_what_comes_alone_is_in_its_rows(
        kind in proptest::sample::select(vec!["alert", "evidence", "change"]),
        mut event in any_object(any_json()),
        incident in any_object(any_json()),
        subject in any_object(any_json()),
        alert in any_object(any_json()),
    ) {
        event["incident"] = incident;
        event["alert"] = alert;
        event[kind] = subject;
        number_leaves(&mut event, &mut 0);
        event["kind"] = kind.into();
        for layout in [Layout::Defender, Layout::AsimAlert] {
            assert_kept(layout, &event);
            assert_fits(layout, &event);
        }
    }

    #[test]
    fn every_value_of_a_log_is_in_its_row(mut log in any_object(any_json())) {
        number_leaves(&mut log, &mut 0);
        log["message"] = "m#0#".into();
        log["deviceVendor"] = "v#0#".into();
        for layout in [Layout::Syslog, Layout::SyslogWithExtra, Layout::CommonSecurityLog] {
            assert_kept(layout, &log);
            assert_fits(layout, &log);
        }
    }

    #[test]
    fn a_hostile_message_is_refused_or_becomes_a_row_that_fits(
        message in "(<13>[ -~]{0,20})?CEF: ?0\\|([a-z\"\\\\|]{0,6}\\|){2,7}([a-z]{0,9}[0-9]?[= |\"\\\\\u{0}\u{e9}\n]{0,3}){0,30}",
        more in any_object(any_json()),
    ) {
        let mut log = more;
        log["message"] = message.into();
        if written(Layout::CommonSecurityLog, &event(&log)).is_ok() {
            assert_fits(Layout::CommonSecurityLog, &log);
        }
    }
}
