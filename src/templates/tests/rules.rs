//! Templates of rules, in each language.

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::sinks::sentinel_logs::TablePlan;
use crate::sinks::sentinel_logs::layout::{ColumnType, Layout, RAW_INCIDENTS, Table};
use crate::templates::{Format, of_layout, rule};

fn rule_of(layout: Layout, plan: TablePlan, format: Format, endpoint: bool) -> String {
    let (tables, name) = of_layout(layout);
    rule(tables, name, plan, format, endpoint)
}

/// Source: <https://learn.microsoft.com/azure/azure-monitor/fundamentals/service-limits#data-collection-rules>
const MAX_FLOWS: usize = 10;
/// Source: <https://learn.microsoft.com/azure/azure-monitor/fundamentals/service-limits#data-collection-rules>
const MAX_TRANSFORM: usize = 15_360;

fn tables(layout: Layout) -> Vec<&'static Table> {
    if layout == Layout::Raw { vec![&RAW_INCIDENTS] } else { layout.tables().iter().collect() }
}

fn arm(layout: Layout, endpoint: bool) -> Value {
    serde_json::from_str(&rule_of(layout, TablePlan::Analytics, Format::Arm, endpoint)).unwrap()
}

/// The resources of a type.
fn resources<'a>(template: &'a Value, resource_type: &str) -> Vec<&'a Value> {
    let resources = template["resources"].as_array().unwrap().iter();
    resources.filter(|resource| resource["type"] == resource_type).collect()
}

#[test]
fn each_table_has_a_stream_with_its_columns_and_a_flow() {
    for &layout in Layout::value_variants() {
        let template = arm(layout, false);
        let rules = resources(&template, "Microsoft.Insights/dataCollectionRules");
        let properties = &rules[0]["properties"];
        let declarations = properties["streamDeclarations"].as_object().unwrap();
        let flows = properties["dataFlows"].as_array().unwrap();
        assert_eq!((rules.len(), flows.len(), declarations.len()), (1, tables(layout).len(), flows.len()));
        assert!(flows.len() <= MAX_FLOWS);
        for (table, flow) in tables(layout).iter().zip(flows) {
            assert_eq!(flow["streams"], json!([table.stream()]));
            assert_eq!(flow["outputStream"], table.output_stream());
            assert_eq!(flow["destinations"], json!(["workspace"]));
            assert!(flow["transformKql"].as_str().unwrap().len() <= MAX_TRANSFORM);
            let columns = declarations[&table.stream()]["columns"].as_array().unwrap();
            let names: Vec<_> = columns.iter().map(|column| column["name"].as_str().unwrap()).collect();
            let declared: Vec<_> = table.declared().map(|column| column.name).collect();
            assert_eq!(names, declared);
            assert!(names.ends_with(&["ExtraColumns", "TruncatedColumns"]));
        }
    }
}

#[test]
fn custom_tables_are_made_before_the_rule_and_built_in_ones_are_not() {
    let template = arm(Layout::Defender, false);
    let tables = resources(&template, "Microsoft.OperationalInsights/workspaces/tables");
    assert_eq!(tables.len(), 4);
    for table in &tables {
        let name = table["properties"]["schema"]["name"].as_str().unwrap();
        assert_eq!(table["name"], format!("[format('{{0}}/{{1}}', parameters('workspaceName'), '{name}')]"));
        assert_eq!(table["properties"]["schema"]["columns"][0]["type"], "dateTime");
    }
    let rules = resources(&template, "Microsoft.Insights/dataCollectionRules");
    assert_eq!(rules[0]["dependsOn"].as_array().unwrap().len(), 4);
    for layout in [Layout::Syslog, Layout::CommonSecurityLog] {
        let template = arm(layout, false);
        assert!(resources(&template, "Microsoft.OperationalInsights/workspaces/tables").is_empty());
    }
}

#[test]
fn a_plan_is_set_on_every_table_of_ours_and_of_microsofts_and_before_the_rule() {
    for (layout, count) in [(Layout::Defender, 4), (Layout::Syslog, 1), (Layout::CommonSecurityLog, 1)] {
        let text = rule_of(layout, TablePlan::Auxiliary, Format::Arm, false);
        let template: Value = serde_json::from_str(&text).unwrap();
        let tables = resources(&template, "Microsoft.OperationalInsights/workspaces/tables");
        assert_eq!(tables.len(), count);
        for table in tables {
            assert_eq!(table["properties"]["plan"], "Auxiliary");
            let is_ours = table["name"].as_str().unwrap().ends_with("_CL')]");
            assert_eq!(table["properties"].get("schema").is_some(), is_ours);
        }
        let rules = resources(&template, "Microsoft.Insights/dataCollectionRules");
        assert_eq!(rules[0]["dependsOn"].as_array().unwrap().len(), count);
    }
    let bicep = rule_of(Layout::Syslog, TablePlan::Auxiliary, Format::Bicep, false);
    assert!(bicep.contains("name: 'Syslog'\n  properties: { plan: 'Auxiliary' }"), "{bicep}");
    let terraform = rule_of(Layout::AsimAlert, TablePlan::Basic, Format::Terraform, false);
    assert!(terraform.contains("plan = \"Basic\""), "{terraform}");
}

#[test]
fn what_the_encoder_notes_gets_into_a_built_in_table_too() {
    let template = arm(Layout::Syslog, false);
    let rules = resources(&template, "Microsoft.Insights/dataCollectionRules");
    let transform = rules[0]["properties"]["dataFlows"][0]["transformKql"].as_str().unwrap();
    assert!(transform.starts_with("source | extend SyslogMessage = strcat(iff("), "{transform}");
    assert!(
        transform.ends_with(", SyslogMessage) | project-away ExtraColumns, TruncatedColumns"),
        "{transform}"
    );
    assert_eq!(transform.matches('(').count(), transform.matches(')').count());
}

#[test]
fn a_rule_has_its_own_url_or_an_endpoint() {
    let direct = arm(Layout::Raw, false);
    let rule = resources(&direct, "Microsoft.Insights/dataCollectionRules")[0];
    assert_eq!(rule["kind"], "Direct");
    assert!(rule["properties"].get("dataCollectionEndpointId").is_none());
    assert!(resources(&direct, "Microsoft.Insights/dataCollectionEndpoints").is_empty());

    let behind = arm(Layout::Raw, true);
    let rule = resources(&behind, "Microsoft.Insights/dataCollectionRules")[0];
    assert!(rule.get("kind").is_none());
    let id = "[resourceId('Microsoft.Insights/dataCollectionEndpoints', parameters('endpointName'))]";
    assert_eq!(rule["properties"]["dataCollectionEndpointId"], id);
    assert!(rule["dependsOn"].as_array().unwrap().contains(&id.into()));
    assert_eq!(resources(&behind, "Microsoft.Insights/dataCollectionEndpoints").len(), 1);
}

#[test]
fn the_identity_gets_the_role_on_the_rule_alone() {
    let template = arm(Layout::AsimAlert, false);
    let roles = resources(&template, "Microsoft.Authorization/roleAssignments");
    assert_eq!(roles.len(), 1);
    let rule = "[resourceId('Microsoft.Insights/dataCollectionRules', parameters('ruleName'))]";
    assert_eq!(roles[0]["scope"], rule);
    assert_eq!(roles[0]["properties"]["principalId"], "[parameters('principalId')]");
    let definition = roles[0]["properties"]["roleDefinitionId"].as_str().unwrap();
    assert!(definition.contains("3913510d-42f4-4e42-8a64-420c390055eb"), "{definition}");
}

#[test]
fn every_expression_in_arm_names_what_there_is() {
    fn expressions(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| expressions(item, found)),
            Value::Object(fields) => fields.values().for_each(|value| expressions(value, found)),
            Value::String(text) if text.starts_with('[') => found.push(text.clone()),
            _ => {}
        }
    }
    for endpoint in [false, true] {
        let template = arm(Layout::Defender, endpoint);
        let mut found = Vec::new();
        expressions(&template, &mut found);
        assert!(found.len() > 8);
        for expression in found {
            assert_eq!(expression.matches('(').count(), expression.matches(')').count(), "{expression}");
            assert!(expression.ends_with(']'), "{expression}");
            for name in expression.split("parameters('").skip(1) {
                let name = name.split('\'').next().unwrap();
                assert!(template["parameters"].get(name).is_some(), "{name}");
            }
        }
    }
}

/// What is outside of quotes; a quote behind a backslash does not end a text.
fn outside_quotes(text: &str, quote: char) -> String {
    let (mut outside, mut inside, mut escaped) = (String::new(), false, false);
    for character in text.chars() {
        if inside && escaped {
            escaped = false;
        } else if inside && character == '\\' {
            escaped = true;
        } else if character == quote {
            inside = !inside;
            outside.push(quote);
        } else if !inside {
            outside.push(character);
        } else {
            assert_ne!(character, '\n', "a text that does not end on its line");
        }
    }
    assert!(!inside);
    outside
}

fn assert_balanced(text: &str) {
    let mut open = Vec::new();
    for character in text.chars() {
        match character {
            '(' | '[' | '{' => open.push(character),
            ')' => assert_eq!(open.pop(), Some('(')),
            ']' => assert_eq!(open.pop(), Some('[')),
            '}' => assert_eq!(open.pop(), Some('{')),
            _ => {}
        }
    }
    assert!(open.is_empty());
}

/// Names and types in the lines of columns of a text in Bicep or HCL.
fn columns(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().map(str::trim).filter(|line| line.starts_with("{ name"));
    let texts = |line: &str| {
        let line = line.replace('\'', "\"");
        let mut parts = line.split('"');
        (parts.nth(1).unwrap().to_owned(), parts.nth(1).unwrap().to_owned())
    };
    lines.map(texts).collect()
}

/// The same of a template in ARM, in the same order.
fn arm_columns(template: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut add = |columns: &Value| {
        let text = |column: &Value, name: &str| column[name].as_str().unwrap().to_owned();
        found.extend(
            columns.as_array().unwrap().iter().map(|column| (text(column, "name"), text(column, "type"))),
        );
    };
    for resource in template["resources"].as_array().unwrap() {
        let properties = &resource["properties"];
        if properties["schema"].is_object() {
            add(&properties["schema"]["columns"]);
        }
        for stream in
            properties["streamDeclarations"].as_object().into_iter().flat_map(|streams| streams.values())
        {
            add(&stream["columns"]);
        }
    }
    found
}

#[test]
fn bicep_and_terraform_say_what_arm_says() {
    for &layout in Layout::value_variants() {
        for endpoint in [false, true] {
            let template = arm(layout, endpoint);
            let expected = arm_columns(&template);
            let resources = template["resources"].as_array().unwrap();
            for (format, quote) in [(Format::Bicep, '\''), (Format::Terraform, '"')] {
                let text = rule_of(layout, TablePlan::Analytics, format, endpoint);
                assert_eq!(columns(&text), expected, "{layout:?} {format:?}");
                for resource in resources {
                    let (resource_type, version) = (&resource["type"], &resource["apiVersion"]);
                    let word = format!("{}@{}", resource_type.as_str().unwrap(), version.as_str().unwrap());
                    assert!(text.contains(&word), "{word}");
                }
                assert_eq!(text.contains(&format!("{quote}Direct{quote}")), !endpoint);
                // Texts that hold an expression have quotes of their own.
                let plain =
                    text.replace(r#"${join("/", slice(split("/", var.resource_group_id), 0, 3))}"#, "");
                assert_balanced(&outside_quotes(&plain, quote));
            }
        }
    }
}

#[test]
fn what_is_referred_to_is_declared() {
    for endpoint in [false, true] {
        let terraform = rule_of(Layout::Defender, TablePlan::Analytics, Format::Terraform, endpoint);
        for variable in terraform.split("var.").skip(1) {
            let name: String = variable.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            assert!(terraform.contains(&format!("variable \"{name}\"")), "{name}");
        }
        for resource in terraform.split("azapi_resource.").skip(1) {
            let name: String = resource.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            assert!(terraform.contains(&format!("resource \"azapi_resource\" \"{name}\"")), "{name}");
        }
        let bicep = rule_of(Layout::Defender, TablePlan::Analytics, Format::Bicep, endpoint);
        assert_eq!(bicep.contains("param endpointName"), endpoint);
        assert_eq!(bicep.contains("endpoint.id"), endpoint);
    }
}

#[test]
fn a_table_of_ones_own_has_the_columns_that_were_asked_for() {
    let columns = [("message", ColumnType::String), ("id_", ColumnType::Long), ("message", ColumnType::Int)];
    let columns = columns.map(|(name, column_type)| (name.to_owned(), column_type)).to_vec();
    let table = Table::custom("Firewall_CL".to_owned(), columns).unwrap();
    let text = rule(&[table], "firewall".to_owned(), TablePlan::Analytics, Format::Arm, false);
    let template: Value = serde_json::from_str(&text).unwrap();
    let rules = resources(&template, "Microsoft.Insights/dataCollectionRules");
    let declared = &rules[0]["properties"]["streamDeclarations"]["Custom-Firewall_CL"]["columns"];
    let types: Vec<_> =
        declared.as_array().unwrap().iter().map(|column| (&column["name"], &column["type"])).collect();
    let expected = json!([
        ["TimeGenerated", "datetime"],
        ["message", "string"],
        ["id_", "long"],
        ["ExtraColumns", "dynamic"],
        ["TruncatedColumns", "dynamic"],
    ]);
    assert_eq!(json!(types), expected);
    for (name, column) in
        [("Firewall", "a"), ("_CL", "a"), ("1_CL", "a"), ("A b_CL", "a"), ("A_CL", "id"), ("A_CL", "a-b")]
    {
        Table::custom(name.to_owned(), vec![(column.to_owned(), ColumnType::String)]).unwrap_err();
    }
}
