//! The resources that rows need.

use super::node::{Node, Reference, Resource, ResourceKind, Template};
use crate::sinks::sentinel_logs::TablePlan;
use crate::sinks::sentinel_logs::layout::{ColumnType, Table, TableColumn, TableKind};

/// What the workspace is called among the rule's destinations.
const DESTINATION: &str = "workspace";

/// The template of `tables`; `name` ends the rule's default name.
pub(super) fn template(tables: &[Table], name: String, plan: TablePlan, endpoint: bool) -> Template {
    // Microsoft's tables are there, with the plan Analytics.
    let made: Vec<_> = tables
        .iter()
        .filter(|table| table.kind == TableKind::Custom || plan != TablePlan::Analytics)
        .collect();
    let mut resources: Vec<_> = made.iter().map(|table| table_resource(table, plan)).collect();
    if endpoint {
        let network = Node::object([("publicNetworkAccess", Node::text("Enabled"))]);
        resources.push(Resource {
            place: ResourceKind::Endpoint,
            after_tables: Vec::new(),
            kind: None,
            properties: Node::object([("networkAcls", network)]),
        });
    }
    resources.push(Resource {
        place: ResourceKind::Rule,
        after_tables: made.iter().map(|table| table.name).collect(),
        // A rule of this kind has its own URL; one behind an endpoint must not be.
        // Source: https://learn.microsoft.com/azure/azure-monitor/essentials/data-collection-rule-structure
        kind: (!endpoint).then_some("Direct"),
        properties: rule_properties(tables, endpoint),
    });
    resources.push(Resource {
        place: ResourceKind::Role,
        after_tables: Vec::new(),
        kind: None,
        properties: Node::object([
            ("roleDefinitionId", Node::Reference(Reference::RoleDefinition)),
            ("principalId", Node::Reference(Reference::Principal)),
            // A managed identity is one too. Said because Azure may not know a new identity yet.
            ("principalType", Node::text("ServicePrincipal")),
        ]),
    });
    Template { name, resources, endpoint }
}

fn table_resource(table: &Table, plan: TablePlan) -> Resource {
    let columns = table.declared().map(|column| {
        Node::object([
            ("name", Node::text(column.name)),
            ("type", Node::text(in_table(column.column_type))),
            ("description", Node::text(column.description)),
        ])
    });
    let mut properties = Vec::new();
    if table.kind == TableKind::Custom {
        let schema =
            Node::object([("name", Node::text(table.name)), ("columns", Node::List(columns.collect()))]);
        properties.push(("schema".to_owned(), schema));
    }
    if plan != TablePlan::Analytics {
        properties.push(("plan".to_owned(), Node::text(plan.name())));
    }
    Resource {
        place: ResourceKind::Table(table.name),
        after_tables: Vec::new(),
        kind: None,
        properties: Node::Object(properties),
    }
}

fn rule_properties(tables: &[Table], endpoint: bool) -> Node {
    let declarations = tables.iter().map(|table| (table.stream(), declaration(table))).collect();
    let flows = tables.iter().map(|table| {
        Node::object([
            ("streams", Node::List(vec![Node::text(table.stream())])),
            ("destinations", Node::List(vec![Node::text(DESTINATION)])),
            ("transformKql", Node::Text(transform(table))),
            ("outputStream", Node::text(table.output_stream())),
        ])
    });
    let workspace = Node::object([
        ("name", Node::text(DESTINATION)),
        ("workspaceResourceId", Node::Reference(Reference::Workspace)),
    ]);
    let destinations = Node::object([("logAnalytics", Node::List(vec![workspace]))]);
    let flows = Node::List(flows.collect());
    let mut properties = vec![("description".to_owned(), Node::text("Rows from vector-sentinel."))];
    if endpoint {
        properties.push(("dataCollectionEndpointId".to_owned(), Node::Reference(Reference::Endpoint)));
    }
    properties.push(("streamDeclarations".to_owned(), Node::Object(declarations)));
    properties.push(("destinations".to_owned(), destinations));
    properties.push(("dataFlows".to_owned(), flows));
    Node::Object(properties)
}

fn declaration(table: &Table) -> Node {
    let column = |column: TableColumn| {
        let column_type = Node::text(column.column_type.in_stream());
        Node::object([("name", Node::text(column.name)), ("type", column_type)])
    };
    Node::object([("columns", Node::List(table.declared().map(column).collect()))])
}

/// What the rule does with each row. Nothing for a table of ours; Microsoft's have no columns for the encoder's notes, so
/// these are put in front of a text that has room for them: in front, because what is too long is cut at the end.
fn transform(table: &Table) -> String {
    let TableKind::BuiltIn { notes } = table.kind else { return "source".to_owned() };
    // Source: https://learn.microsoft.com/azure/azure-monitor/essentials/data-collection-transformations-kql
    let note = |column: &str| {
        format!("iff(isnotempty(tostring({column})), strcat('{column}=', tostring({column}), ';'), '')")
    };
    format!(
        "source | extend {notes} = strcat({}, {}, {notes}) | project-away ExtraColumns, TruncatedColumns",
        note("ExtraColumns"),
        note("TruncatedColumns")
    )
}

/// Source: <https://learn.microsoft.com/azure/templates/microsoft.operationalinsights/workspaces/tables#column>
const fn in_table(column_type: ColumnType) -> &'static str {
    match column_type {
        ColumnType::DateTime => "dateTime",
        other => other.in_stream(),
    }
}
