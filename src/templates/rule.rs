//! The resources that rows need.

use super::node::{Node, Reference, Resource, ResourceKind, Template};
use crate::sinks::sentinel_logs::TablePlan;
use crate::sinks::sentinel_logs::layout::{ColumnType, Table, TableColumn, TableKind};

/// What the workspace is called among the rule's destinations.
const DESTINATION: &str = "workspace";

/// A data collection rule to deploy.
#[derive(Clone, Debug)]
pub struct RuleTemplate {
    /// What its default name ends in.
    pub name: String,
    /// Its streams, each into a table.
    pub streams: Vec<RuleStream>,
}

/// A stream of a rule, and the table that it goes into.
#[derive(Clone, Debug)]
pub struct RuleStream {
    /// Its name, with `Custom-` in front.
    pub name: String,
    /// The table, whose columns the stream declares.
    pub table: Table,
    /// The plan of the table.
    pub plan: TablePlan,
    /// The column that `TimeGenerated` is made of, if it is not written.
    pub time_from: Option<String>,
}

// === impl RuleStream ===

impl RuleStream {
    /// The stream that rows of a table are sent to.
    pub fn of(table: &Table, plan: TablePlan) -> Self {
        Self { name: table.stream(), table: *table, plan, time_from: None }
    }

    /// Whether its table has to be made or changed. Microsoft's are there, with the plan Analytics.
    fn makes_table(&self) -> bool {
        self.table.kind == TableKind::Custom
            || self.plan != TablePlan::Analytics
            || self.table.added_columns().next().is_some()
    }
}

/// The template of `rules` and the tables of their streams.
pub(super) fn template(rules: &[RuleTemplate], endpoint: bool, head: Vec<String>) -> Template {
    let mut resources: Vec<Resource> = Vec::new();
    for stream in rules.iter().flat_map(|rule| &rule.streams).filter(|stream| stream.makes_table()) {
        let place = ResourceKind::Table(stream.table.name);
        if !resources.iter().any(|known| known.place == place) {
            resources.push(table_resource(&stream.table, stream.plan));
        }
    }
    if endpoint {
        let network = Node::object([("publicNetworkAccess", Node::text("Enabled"))]);
        resources.push(Resource {
            place: ResourceKind::Endpoint,
            after_tables: Vec::new(),
            kind: None,
            properties: Node::object([("networkAcls", network)]),
        });
    }
    for (number, rule) in rules.iter().enumerate() {
        let made = rule.streams.iter().filter(|stream| stream.makes_table());
        let mut after_tables: Vec<_> = made.map(|stream| stream.table.name).collect();
        after_tables.dedup();
        resources.push(Resource {
            place: ResourceKind::Rule(number),
            after_tables,
            // A rule of this kind has its own URL; one behind an endpoint must not be.
            // Source: https://learn.microsoft.com/azure/azure-monitor/essentials/data-collection-rule-structure
            kind: (!endpoint).then_some("Direct"),
            properties: rule_properties(&rule.streams, endpoint),
        });
    }
    for number in 0..rules.len() {
        resources.push(Resource {
            place: ResourceKind::Role(number),
            after_tables: Vec::new(),
            kind: None,
            properties: Node::object([
                ("roleDefinitionId", Node::Reference(Reference::RoleDefinition)),
                ("principalId", Node::Reference(Reference::Principal)),
                // A managed identity is one too. Said because Azure may not know a new identity yet.
                ("principalType", Node::text("ServicePrincipal")),
            ]),
        });
    }
    let names = rules.iter().map(|rule| rule.name.clone()).collect();
    Template { names, resources, endpoint, head }
}

fn table_resource(table: &Table, plan: TablePlan) -> Resource {
    // Of one of Microsoft's tables, only what is added to it is said.
    let columns: Vec<_> = match table.kind {
        TableKind::Custom => table.declared().collect(),
        TableKind::BuiltIn { .. } => table.added_columns().collect(),
    };
    let has_schema = !columns.is_empty();
    let columns = columns.into_iter().map(|column| {
        Node::object([
            ("name", Node::text(column.name)),
            ("type", Node::text(in_table(column.column_type))),
            ("description", Node::text(column.description)),
        ])
    });
    let mut properties = Vec::new();
    if has_schema {
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

fn rule_properties(streams: &[RuleStream], endpoint: bool) -> Node {
    let declarations =
        streams.iter().map(|stream| (stream.name.clone(), declaration(&stream.table))).collect();
    let flows = streams.iter().map(|stream| {
        Node::object([
            ("streams", Node::List(vec![Node::text(&stream.name)])),
            ("destinations", Node::List(vec![Node::text(DESTINATION)])),
            ("transformKql", Node::Text(transform(stream))),
            ("outputStream", Node::text(stream.table.output_stream())),
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
fn transform(stream: &RuleStream) -> String {
    let TableKind::BuiltIn { notes } = stream.table.kind else {
        return match &stream.time_from {
            Some(column) => format!("source | extend TimeGenerated = {column}"),
            None => "source".to_owned(),
        };
    };
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
