mod rule_monitor;

use serde_json::{Value, json};

use super::compare::{Stream, Target, endpoint};
use super::finding::{Finding, Severity};
use super::written_columns::WrittenColumns;
use crate::sinks::sentinel_logs::layout::{ColumnType, Layout, RAW_INCIDENTS, Table};
use crate::sinks::sentinel_logs::{ColumnsConfig, TablePlan};
use microsoft::data_collection_rules::{DataCollectionRule, LogTable, NamedColumn};

const ID: &str = "dcr-00000000000000000000000000000001";
const STREAM: &str = "Custom-Rows_CL";

fn columns(columns: &[(&str, &str)]) -> Vec<NamedColumn> {
    let named = columns.iter().map(|(name, column_type)| NamedColumn {
        name: (*name).to_owned(),
        column_type: (*column_type).to_owned(),
    });
    named.collect()
}

/// A rule with one stream, and the data flows of `flows`.
fn rule(declared: &[(&str, &str)], flows: &Value) -> DataCollectionRule {
    let columns: Vec<_> =
        declared.iter().map(|(name, column_type)| json!({"name": name, "type": column_type})).collect();
    serde_json::from_value(json!({
        "location": "West Europe", "kind": "Direct",
        "properties": {
            "streamDeclarations": {STREAM: {"columns": columns}, "Custom-Other_CL": {"columns": []}},
            "destinations": {"logAnalytics": [{"name": "here", "workspaceResourceId": "/w/soc"}]},
            "dataFlows": flows,
            "endpoints": {"logsIngestion": "https://rule-1a2b.westeurope-1.ingest.monitor.azure.com"},
        },
    }))
    .unwrap()
}

fn flow(transform: Option<&str>) -> Value {
    json!([{"streams": [STREAM], "destinations": ["here"], "transformKql": transform, "outputStream": STREAM}])
}

fn findings(declared: &[(&str, &str)], flows: &Value, written: &WrittenColumns) -> Vec<Finding> {
    let rule = rule(declared, flows);
    Stream { id: ID, rule: &rule, name: STREAM, written }.findings()
}

/// The one finding there is.
fn only(findings: &[Finding]) -> (&'static str, Severity, &str) {
    let [Finding { code, severity, message }] = findings else { panic!("{findings:#?}") };
    (code, *severity, message)
}

fn with_columns(names: &[&str]) -> WrittenColumns {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    WrittenColumns::raw("TimeGenerated", Some(&ColumnsConfig::Names(names)))
}

/// Of a sink whose option `columns` has these types, and ours.
fn with_types(types: &[(&str, ColumnType)]) -> WrittenColumns {
    let ours = [
        ("TimeGenerated", ColumnType::DateTime),
        ("ExtraColumns", ColumnType::Dynamic),
        ("TruncatedColumns", ColumnType::Dynamic),
    ];
    let types = ours.iter().chain(types).map(|(name, found)| ((*name).to_owned(), *found));
    WrittenColumns::raw("TimeGenerated", Some(&ColumnsConfig::Types(types.collect())))
}

const OURS: [(&str, &str); 3] =
    [("TimeGenerated", "datetime"), ("ExtraColumns", "dynamic"), ("TruncatedColumns", "dynamic")];

fn ours_and<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&OURS[..], more].concat()
}

#[test]
fn a_rule_that_declares_what_is_written_is_not_talked_about() {
    let every = Layout::Defender.tables().iter().chain(Layout::Syslog.tables()).chain([&RAW_INCIDENTS]);
    for table in every {
        let declared: Vec<_> =
            table.declared().map(|column| (column.name, column.column_type.in_stream())).collect();
        let found = findings(&declared, &flow(Some("source")), &WrittenColumns::of_tables(&[table]));
        assert_eq!(found, [], "{}", table.name);
    }
    let written = with_columns(&["TimeGenerated", "n", "ExtraColumns", "TruncatedColumns"]);
    assert_eq!(findings(&ours_and(&[("n", "int"), ("more", "int")]), &flow(None), &written), []);
    assert_eq!(findings(&OURS, &flow(None), &WrittenColumns::raw("TimeGenerated", None)), []);
}

#[test]
fn a_missing_stream_is_reported_with_those_there_are_the_nearest_first() {
    let rule = rule(&OURS, &flow(None));
    let written = WrittenColumns::raw("TimeGenerated", None);
    let stream = |name| Stream { id: ID, rule: &rule, name, written: &written };
    for (name, order) in [
        ("Custom-Row_CL", "'Custom-Rows_CL', 'Custom-Other_CL'"),
        ("Custom-Others_CL", "'Custom-Other_CL', 'Custom-Rows_CL'"),
    ] {
        let found = stream(name).findings();
        let (code, severity, message) = only(&found);
        assert_eq!((code, severity), ("stream_missing", Severity::Blocking));
        assert!(message.contains(order) && message.contains("Set stream_name"), "{message}");
    }
    assert_eq!(stream("custom-rows_cl").findings(), [], "the service does not mind the case");
    assert_eq!(only(&stream("Microsoft-Syslog").findings()).0, "stream_missing");
}

#[test]
fn a_stream_that_no_data_flow_takes_leads_nowhere() {
    let flows = json!([{"streams": ["Custom-Other_CL"], "destinations": ["here"]}]);
    let found = findings(&OURS, &flows, &WrittenColumns::raw("TimeGenerated", None));
    let (code, severity, message) = only(&found);
    assert_eq!((code, severity), ("no_data_flow", Severity::Blocking));
    assert!(message.contains(STREAM) && message.contains("outputStream"), "{message}");
}

#[test]
fn columns_that_vanish_are_reported_with_what_to_declare() {
    let written = with_columns(&["TimeGenerated", "n", "id_", "ExtraColumns", "TruncatedColumns"]);
    let found = findings(&[("TimeGenerated", "datetime"), ("n", "int")], &flow(None), &written);
    let (code, severity, message) = only(&found);
    assert_eq!((code, severity), ("column_undeclared", Severity::DataLoss));
    assert!(message.contains("declare 'id_', 'ExtraColumns', 'TruncatedColumns'"), "{message}");
    assert!(message.contains(r#"{"name": "ExtraColumns", "type": "dynamic"}"#), "{message}");
    let table: &Table = &Layout::Syslog.tables()[0];
    let declared: Vec<_> =
        table.declared().map(|column| (column.name, column.column_type.in_stream())).collect();
    let without: Vec<_> = declared.iter().copied().filter(|(name, _)| *name != "ProcessID").collect();
    let found = findings(&without, &flow(None), &WrittenColumns::of_tables(&[table]));
    assert!(
        only(&found).2.ends_with(r#"Add to its columns: {"name": "ProcessID", "type": "int"}"#),
        "{found:?}"
    );
}

#[test]
fn notes_that_nobody_was_asked_to_declare_are_only_a_doubt() {
    let found =
        findings(&[("TimeGenerated", "datetime")], &flow(None), &WrittenColumns::raw("TimeGenerated", None));
    let (code, severity, message) = only(&found);
    assert_eq!((code, severity), ("notes_undeclared", Severity::Doubtful));
    assert!(message.contains("'ExtraColumns', 'TruncatedColumns'"), "{message}");
}

#[test]
fn a_type_that_does_not_take_every_value_is_reported_and_a_wider_one_is_not() {
    let table: &Table = &Layout::Syslog.tables()[0];
    let with = |name: &str, column_type: &str| {
        let column = table.declared().map(|column| {
            let own = column.column_type.in_stream();
            (column.name, if column.name == name { column_type.to_owned() } else { own.to_owned() })
        });
        let declared: Vec<_> = column.collect();
        let declared: Vec<_> = declared.iter().map(|(name, found)| (*name, found.as_str())).collect();
        findings(&declared, &flow(None), &WrittenColumns::of_tables(&[table]))
    };
    for (name, wider) in [
        ("ProcessID", "long"),
        ("ProcessID", "real"),
        ("ProcessID", "dynamic"),
        ("EventTime", "string"),
        ("EventTime", "dateTime"),
        ("HostName", "unheard-of"),
    ] {
        assert_eq!(with(name, wider), [], "{name} as {wider}");
    }
    for (name, wrong, right) in
        [("ProcessID", "string", "int"), ("HostName", "long", "string"), ("HostName", "datetime", "string")]
    {
        let found = with(name, wrong);
        let (code, severity, message) = only(&found);
        assert_eq!((code, severity), ("type_differs", Severity::DataLoss));
        let declare = format!("{{\"name\": \"{name}\", \"type\": \"{right}\"}}");
        assert!(
            message.contains(&format!("'{name}' is {wrong} there")) && message.contains(&declare),
            "{message}"
        );
    }
}

#[test]
fn declared_names_that_no_row_has_are_reported_with_those_it_has() {
    let declared = ours_and(&[("id", "string"), ("with space", "string")]);
    let found = findings(&declared, &flow(None), &WrittenColumns::raw("TimeGenerated", None));
    let (code, severity, message) = only(&found);
    assert_eq!((code, severity), ("name_unusable", Severity::Doubtful));
    assert!(message.contains("'id' is written as 'id_', 'with space' goes into ExtraColumns"), "{message}");
}

#[test]
fn a_row_without_its_time_is_reported_unless_the_transformation_makes_it() {
    let without = [("Time", "datetime"), ("ExtraColumns", "dynamic"), ("TruncatedColumns", "dynamic")];
    let raw = |field| WrittenColumns::raw(field, None);
    let makes_it = flow(Some("source | extend TimeGenerated = Time"));
    assert_eq!(findings(&without, &makes_it, &raw("Time")), []);
    for field in ["Time", "TimeGenerated"] {
        let found = findings(&without, &flow(Some("source")), &raw(field));
        let (code, severity, message) = only(&found);
        assert_eq!((code, severity), ("time_missing", Severity::DataLoss), "{field}");
        assert!(message.contains("Declare it as datetime"), "{message}");
    }
    // The transformation makes a time, and the event's own vanishes.
    assert_eq!(only(&findings(&without, &makes_it, &raw("TimeGenerated"))).0, "column_undeclared");
    let names = ["Time", "ExtraColumns", "TruncatedColumns"].map(str::to_owned);
    let other = WrittenColumns::raw("Time", Some(&ColumnsConfig::Names(names.into())));
    let found = findings(&ours_and(&[("Time", "datetime")]), &flow(None), &other);
    assert_eq!((only(&found).0, only(&found).1), ("time_missing", Severity::Doubtful));
}

#[test]
fn only_a_table_that_rows_reach_as_they_are_is_looked_at() {
    let written = WrittenColumns::raw("TimeGenerated", None);
    let targets = |transform: Option<&str>, destination: &str| {
        let mut flows = flow(transform);
        flows[0]["destinations"] = json!([destination]);
        let rule = rule(&OURS, &flows);
        Stream { id: ID, rule: &rule, name: STREAM, written: &written }.targets()
    };
    let table = Target { workspace: "/w/soc".to_owned(), table: "Rows_CL".to_owned() };
    for transform in [None, Some(""), Some(" source ")] {
        assert_eq!(targets(transform, "here"), std::slice::from_ref(&table), "{transform:?}");
    }
    assert_eq!(targets(Some("source | project n"), "here"), []);
    assert_eq!(targets(None, "elsewhere"), []);
}

#[test]
fn a_table_that_is_missing_or_lacks_columns_is_reported() {
    let declared = ours_and(&[("n", "int"), ("unused", "int"), ("id", "string")]);
    let rule = rule(&declared, &flow(None));
    let target = Target { workspace: "/w/soc".to_owned(), table: "Rows_CL".to_owned() };
    let written = with_columns(&["TimeGenerated", "n", "ExtraColumns", "TruncatedColumns"]);
    let stream = |written| Stream { id: ID, rule: &rule, name: STREAM, written };
    let found = stream(&written).missing_table(&target);
    assert_eq!((found.code, found.severity), ("table_missing", Severity::Blocking));
    assert!(
        found.message.contains("no such table: create it first")
            && found.message.contains("Rows_CL of the workspace soc"),
        "{}",
        found.message
    );

    let builtin = Target { table: "CommonSecurityLog".to_owned(), ..target.clone() };
    let found = stream(&written).missing_table(&builtin);
    assert!(found.message.contains("enable Sentinel on the workspace"), "{}", found.message);

    let table = LogTable { plan: "Analytics".to_owned(), columns: columns(&OURS) };
    let found = stream(&written).lacking_in(&target, &table).unwrap();
    assert_eq!((found.code, found.severity), ("table_column_missing", Severity::DataLoss));
    assert!(
        found.message.ends_with(r#"Add to the table: {"name": "n", "type": "int"}"#),
        "{}",
        found.message
    );
    // Where events' own fields make columns, any that is declared may come.
    let raw = WrittenColumns::raw("TimeGenerated", None);
    let found = stream(&raw).lacking_in(&target, &table).unwrap();
    assert!(found.message.contains("\"n\"") && found.message.contains("\"unused\""), "{}", found.message);
    let whole = LogTable { columns: columns(&ours_and(&[("n", "int")])), ..table };
    assert_eq!(stream(&written).lacking_in(&target, &whole), None);
}

#[test]
fn a_column_in_another_case_is_named_and_more_than_a_table_can_have_are_not_to_be_added() {
    let written = with_columns(&["TimeGenerated", "message", "ExtraColumns", "TruncatedColumns"]);
    let found = findings(&ours_and(&[("Message", "string")]), &flow(None), &written);
    let (code, _, message) = only(&found);
    assert!(
        code == "column_undeclared"
            && message.contains("it has 'Message', but upper and lower case are different columns"),
        "{message}"
    );

    let names: Vec<String> = (0..503).map(|number| format!("c{number}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "string")).collect();
    let (rule, target) = (
        rule(&ours_and(&many), &flow(None)),
        Target { workspace: "/w/soc".to_owned(), table: "Rows_CL".to_owned() },
    );
    let raw = WrittenColumns::raw("TimeGenerated", None);
    let lacking = |columns: Vec<NamedColumn>| {
        let stream = Stream { id: ID, rule: &rule, name: STREAM, written: &raw };
        let table = LogTable { plan: "Analytics".to_owned(), columns };
        stream.lacking_in(&target, &table).unwrap().message
    };
    let full = lacking(columns(&many[..497]));
    assert!(full.contains("It has 497 columns and lacks 9, and a table has at most 500"), "{full}");
    let long = lacking(columns(&many[..400]));
    assert!(long.contains("has at most 500") && long.len() < 500, "{long}");
    let own = ["TimeGenerated", "ExtraColumns", "TruncatedColumns"];
    let some: Vec<&str> = names[..40].iter().map(String::as_str).chain(own).collect();
    let some = with_columns(&some);
    let found = findings(&OURS, &flow(None), &some);
    let message = only(&found).2;
    assert!(message.contains("'c29' and 10 more, and what is written"), "{message}");
    assert!(message.ends_with("and 10 more"), "{message}");
}

#[test]
fn types_of_the_option_columns_are_compared_and_may_be_narrower() {
    let written = with_types(&[("n", ColumnType::Int), ("text", ColumnType::String)]);
    let found = |n, text| findings(&ours_and(&[("n", n), ("text", text)]), &flow(None), &written);
    for n in ["int", "long", "real", "dynamic"] {
        assert_eq!(found(n, "string"), [], "{n}");
    }
    let differing = found("boolean", "int");
    let (code, severity, message) = only(&differing);
    assert_eq!((code, severity), ("type_differs", Severity::DataLoss));
    for words in [
        "'n' is boolean there, 'text' is int there",
        r#"{"name": "n", "type": "int"}, {"name": "text", "type": "string"}"#,
        "or give the option columns the types that are declared",
    ] {
        assert!(message.contains(words), "{words}: {message}");
    }
    let undeclared = findings(&ours_and(&[("n", "int")]), &flow(None), &written);
    assert!(only(&undeclared).2.ends_with(r#"Add to its columns: {"name": "text", "type": "string"}"#));
}

#[test]
fn a_table_of_another_plan_is_reported_with_the_option_to_set() {
    let rule = rule(&OURS, &flow(None));
    let target = Target { workspace: "/w/soc".to_owned(), table: "Rows_CL".to_owned() };
    let found = |plan: &str, expected, written: &WrittenColumns| {
        let table = LogTable { plan: plan.to_owned(), columns: columns(&OURS) };
        let stream = Stream { id: ID, rule: &rule, name: STREAM, written };
        stream.plan_of(&target, &table, expected)
    };
    let typed = with_types(&[]);
    for (plan, expected) in [
        ("Analytics", TablePlan::Analytics),
        ("auxiliary", TablePlan::Auxiliary),
        ("", TablePlan::Auxiliary),
        ("Unheard-of", TablePlan::Analytics),
    ] {
        assert_eq!(found(plan, expected, &typed), None, "{plan}");
    }
    for (plan, expected, severity, cost, fix) in [
        (
            "Auxiliary",
            TablePlan::Analytics,
            Severity::DataLoss,
            "a row is refused",
            "table_plan to auxiliary in",
        ),
        ("Auxiliary", TablePlan::Basic, Severity::DataLoss, "a row is refused", "table_plan to auxiliary in"),
        (
            "Analytics",
            TablePlan::Auxiliary,
            Severity::Doubtful,
            "cut to six digits",
            "table_plan to analytics in",
        ),
        ("Basic", TablePlan::Analytics, Severity::Doubtful, "nothing is lost", "table_plan to basic in"),
    ] {
        let Finding { code, severity: found, message } = found(plan, expected, &typed).unwrap();
        assert_eq!((code, found), ("plan_differs", severity), "{plan} {expected:?}");
        assert!(message.contains(cost) && message.contains(fix), "{message}");
        assert!(
            message.contains("Rows_CL of the workspace soc") && !message.contains("map of names"),
            "{message}"
        );
    }
    for untyped in [with_columns(&["TimeGenerated", "n"]), WrittenColumns::raw("TimeGenerated", None)] {
        let found = found("Auxiliary", TablePlan::Analytics, &untyped).unwrap();
        assert!(
            found.message.contains("auxiliary in the place of analytics, with columns as a map"),
            "{found:?}"
        );
    }
}

#[test]
fn a_rule_that_is_not_behind_the_endpoint_is_reported_with_where_it_is() {
    let mut rule = rule(&OURS, &flow(None));
    let at = |rule: &DataCollectionRule, url: &str| endpoint(ID, rule, &url.parse().unwrap());
    let own = "https://rule-1a2b.westeurope-1.ingest.monitor.azure.com";
    assert_eq!(at(&rule, own), []);
    let found = at(&rule, "https://dce-5kyl.westeurope-1.ingest.monitor.azure.com");
    let (code, severity, message) = only(&found);
    assert_eq!((code, severity), ("endpoint_differs", Severity::Doubtful));
    assert!(message.contains(&format!("to {own} in the place of")), "{message}");
    // Behind an endpoint of its own, it may be asked for there, too; but only in its region.
    rule.properties.data_collection_endpoint_id = Some("/subscriptions/s/dce".to_owned());
    assert_eq!(at(&rule, "https://dce-5kyl.westeurope-1.ingest.monitor.azure.com"), []);
    let found = at(&rule, "https://dce-5kyl.eastus2-1.ingest.monitor.azure.us");
    assert_eq!(only(&found).0, "region_differs");
    assert!(only(&found).2.contains("in westeurope and the endpoint in eastus2,"), "{found:?}");
    assert_eq!(at(&rule, "https://proxy.example.com"), [], "no region can be told from this host");
}
