use serde_json::json;

use super::*;

fn columns(need: &StreamNeed) -> Vec<(&str, &str)> {
    need.table.columns.iter().map(|column| (column.name, column.column_type.in_stream())).collect()
}

fn sample(lines: &[serde_json::Value]) -> Sample {
    let lines: Vec<_> = lines.iter().map(ToString::to_string).collect();
    Sample::read(&lines.join("\n")).unwrap()
}

#[test]
fn the_tables_of_a_layout_have_a_stream_each_or_the_one_that_is_named() {
    let streams = |options: Value| {
        let needed = Deployment::of(&options, None).unwrap();
        let names = needed.streams.iter();
        names.map(|need| format!("{} {}", need.name, need.table.output_stream())).collect::<Vec<_>>()
    };
    assert_eq!(
        streams(json!({"dcr_immutable_id": "${DCR}", "layout": "asim_alert"})),
        ["Custom-ASimAlertEvent_CL Custom-ASimAlertEvent_CL"]
    );
    assert_eq!(streams(json!({"layout": "defender"})).len(), Layout::Defender.tables().len());
    assert_eq!(
        streams(json!({"layout": "syslog", "stream_name": "Custom-fw"})),
        ["Custom-fw Microsoft-Syslog"]
    );
    assert_eq!(
        streams(json!({"layout": "defender", "stream_name": "Custom-All_CL"})),
        ["Custom-All_CL Custom-All_CL"]
    );
    assert_eq!(
        streams(json!({"layout": "defender", "stream_name": "Custom-X{{ table }}"}))[0],
        "Custom-XDefenderIncidents_CL Custom-DefenderIncidents_CL"
    );
    let open =
        Deployment::of(&json!({"layout": "syslog", "stream_name": "Custom-{{ site }}"}), None).unwrap();
    assert!(open.streams.is_empty() && open.open[0].contains("depend on the event"), "{open:?}");
    let extra = Deployment::of(&json!({"layout": "syslog", "syslog": {"extra": "column"}}), None).unwrap();
    assert_eq!(extra.streams[0].table.added_columns().next().unwrap().name, "ExtraFields_CF");
}

#[test]
fn a_stream_that_cannot_be_declared_is_left_open() {
    for (options, instead) in [
        (
            json!({"layout": "common_security_log", "stream_name": "Microsoft-CommonSecurityLog"}),
            "Custom-CommonSecurityLog",
        ),
        (json!({"layout": "syslog", "stream_name": "custom-Syslog"}), "Custom-Syslog"),
        (json!({"layout": "asim_alert", "stream_name": "Microsoft-{{ table }}"}), "Custom-ASimAlertEvent_CL"),
    ] {
        let needed = Deployment::of(&options, None).unwrap();
        assert!(needed.streams.is_empty(), "{needed:?}");
        assert!(needed.open[0].ends_with(&format!("set stream_name to {instead}")), "{needed:?}");
    }
}

#[test]
fn a_table_of_ones_own_has_the_columns_of_the_option() {
    let types = json!({"stream_name": "Custom-Fw_CL", "timestamp_field": "Seen", "table_plan": "auxiliary",
        "columns": {"Seen": "datetime", "port": "int", "ExtraColumns": "dynamic", "TruncatedColumns": "dynamic"}});
    let needed = Deployment::of(&types, None).unwrap();
    let [need] = needed.streams.as_slice() else { panic!("{needed:?}") };
    assert_eq!(columns(need), [("TimeGenerated", "datetime"), ("Seen", "datetime"), ("port", "int")]);
    assert_eq!((need.time_from.as_deref(), need.plan), (Some("Seen"), TablePlan::Auxiliary));
    assert_eq!((needed.open.len(), needed.columns), (0, None));

    let names = json!({"stream_name": "Custom-Fw_CL", "columns": ["TimeGenerated", "port", "who"]});
    let needed = Deployment::of(&names, Some(&sample(&[json!({"port": 1})]))).unwrap();
    assert_eq!(
        columns(&needed.streams[0]),
        [("TimeGenerated", "datetime"), ("port", "long"), ("who", "dynamic")]
    );
    for (options, words) in [
        (json!({"stream_name": "Custom-Fw_CL"}), "Give --sample"),
        (json!({"stream_name": "Custom-Syslog"}), "take its layout"),
        (json!({"stream_name": "Microsoft-Syslog"}), "take its layout"),
        (json!({}), "stream_name is missing"),
    ] {
        let needed = Deployment::of(&options, None).unwrap();
        assert!(needed.open.iter().any(|open| open.contains(words)), "{options}: {needed:?}");
    }
}

#[test]
fn the_table_of_incidents_is_known() {
    let needed = |columns: Value| {
        let options = json!({"stream_name": "Custom-DefenderIncidentsRaw_CL", "columns": columns});
        Deployment::of(&options, None).unwrap()
    };
    let all = needed(Value::Null);
    assert_eq!(columns(&all.streams[0]).len(), RAW_INCIDENTS.columns.len());
    assert!(all.open.is_empty() && all.columns.is_some());
    let named = needed(json!(["TimeGenerated", "priorityScore", "mine"]));
    let expected = [("TimeGenerated", "datetime"), ("priorityScore", "int"), ("mine", "dynamic")];
    assert_eq!(columns(&named.streams[0]), expected);
    assert_eq!(named.open.len(), 1);
}

#[test]
fn columns_are_learned_from_a_sample() {
    let events = [
        json!({"timestamp": "2026-11-23T10:00:00Z", "table": "Fw", "id": 7, "n": 1, "r": 1, "when": "2026-11-23T10:00:00Z",
            "ok": true, "mixed": 1, "text": "a", "gone": null, "@odata.type": "x", "N": 1}),
        json!({"log": {"table": "Fw", "r": 1.5, "when": "later", "mixed": "a", "list": [1]}}),
        json!({"table": "Dns", "timestamp": "x", "TimeGenerated": "2026-11-23T10:00:00Z"}),
        json!({"no table": 1}),
    ];
    let options = json!({"stream_name": "Custom-{{ table }}_CL"});
    let needed = Deployment::of(&options, Some(&sample(&events))).unwrap();
    let [dns, fw] = needed.streams.as_slice() else { panic!("{needed:?}") };
    assert_eq!(columns(dns), [("TimeGenerated", "datetime"), ("table", "string"), ("timestamp", "string")]);
    let expected = [
        ("TimeGenerated", "datetime"),
        ("table", "string"),
        ("id_", "long"),
        ("n", "long"),
        ("r", "real"),
        ("when", "string"),
        ("ok", "boolean"),
        ("mixed", "dynamic"),
        ("text", "string"),
        ("gone", "dynamic"),
        ("list", "dynamic"),
    ];
    assert_eq!(columns(fw), expected);
    let open = needed.open.join("\n");
    for words in [
        "'N' differs from 'n'",
        "'@odata.type'",
        "printed are the streams of the sample",
        "1 events of the sample lack a field",
        "one list for all of them",
    ] {
        assert!(open.contains(words), "{words}: {open}");
    }
    assert_eq!(needed.columns, None);
    let one = Deployment::of(&json!({"stream_name": "Custom-Fw_CL"}), Some(&sample(&events[..1]))).unwrap();
    assert!(one.columns.unwrap().starts_with("{TimeGenerated: datetime, table: string, id_: long"));
    for wrong in ["", "{\"a\":1}\n[1]", "text"] {
        Sample::read(wrong).unwrap_err();
    }
}

#[test]
fn two_sinks_may_write_to_one_stream() {
    let need = |columns: Value| {
        let mut options = json!({"stream_name": "Custom-Fw_CL"});
        options["columns"] = columns;
        Deployment::of(&options, None).unwrap().streams.remove(0)
    };
    let mut one = need(json!({"a": "string", "b": "int"}));
    let differ = one.merge(&need(json!({"b": "string", "c": "long"}))).unwrap();
    assert_eq!(differ, ["Custom-Fw_CL: 'b' is int and string, and so dynamic"]);
    assert_eq!(
        columns(&one),
        [("TimeGenerated", "datetime"), ("a", "string"), ("b", "dynamic"), ("c", "long")]
    );
    assert!(too_many_streams(11).is_some() && too_many_streams(10).is_none());
}

#[test]
fn what_two_sinks_of_one_stream_do_not_agree_in_is_told() {
    let need = |options: Value| Deployment::of(&options, None).unwrap().streams.remove(0);
    let raw = |more: Value| {
        let mut options =
            json!({"stream_name": "Custom-Fw_CL", "columns": {"a": "string", "When": "datetime"}});
        options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        need(options)
    };
    let mut one = raw(json!({}));
    assert_eq!(one.merge(&raw(json!({}))).unwrap(), [""; 0]);
    for (other, words) in [
        (raw(json!({"table_plan": "basic"})), "table_plan is Analytics and Basic: printed is Analytics"),
        (raw(json!({"timestamp_field": "When"})), "timestamp_field is TimeGenerated and When"),
        (raw(json!({"columns": {"A": "string"}})), "'A' differs from 'a' in nothing but case"),
        (
            raw(json!({"stream_name": "Custom-fw_CL", "columns": {"A": "int"}})),
            "'A' differs from 'a' in nothing but case",
        ),
        (
            need(json!({"layout": "syslog", "stream_name": "Custom-Fw_CL2"})),
            "into the table Fw_CL, and another sink's into Syslog",
        ),
    ] {
        let told = raw(json!({})).merge(&other).unwrap();
        assert!(told.len() == 1 && told[0].contains(words), "{words}: {told:?}");
    }
    one.merge(&raw(json!({"columns": {"A": "int"}}))).unwrap();
    assert_eq!(columns(&one), [("TimeGenerated", "datetime"), ("When", "datetime"), ("a", "dynamic")]);
    // A column that is added to one of Microsoft's tables is there for both.
    let mut host = need(json!({"layout": "syslog"}));
    let other = need(json!({"layout": "syslog", "syslog": {"extra": "column"}}));
    assert_eq!(host.merge(&other).unwrap(), [""; 0]);
    assert_eq!(host.table.added_columns().count(), 1);
}
