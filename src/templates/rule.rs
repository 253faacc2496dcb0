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

    /// The same stream, into its table by the name that this has in `tables`.
    fn of_one(&self, tables: &[WholeTable]) -> Self {
        let mut stream = self.clone();
        let made = tables.iter().find(|made| made.table.name.eq_ignore_ascii_case(self.table.name));
        stream.table.name = made.map_or(self.table.name, |made| made.table.name);
        stream
    }
}

/// A table with what the streams of all rules need of it.
struct WholeTable {
    table: Table,
    columns: Vec<TableColumn>,
    plan: TablePlan,
}

/// The tables that have to be made or changed. Names that differ in nothing but case are one to Azure. `differ` takes in what
/// cannot be right for all streams, in sentences.
fn tables(rules: &[RuleTemplate], differ: &mut Vec<String>) -> Vec<WholeTable> {
    let mut tables: Vec<WholeTable> = Vec::new();
    for stream in rules.iter().flat_map(|rule| &rule.streams).filter(|stream| stream.makes_table()) {
        let RuleStream { table, plan, .. } = stream;
        let Some(known) = tables.iter_mut().find(|known| known.table.name.eq_ignore_ascii_case(table.name))
        else {
            tables.push(WholeTable { table: *table, columns: table.columns.to_vec(), plan: *plan });
            continue;
        };
        if known.plan != *plan {
            let (plan, others) = (known.plan.name(), plan.name());
            differ.push(format!(
                "{} has the plan {plan} here, and other streams of it ask for {others}.",
                table.name
            ));
        }
        for column in table.columns {
            let found = known.columns.iter().find(|found| found.name.eq_ignore_ascii_case(column.name));
            match found {
                None => known.columns.push(*column),
                Some(found) if found.name == column.name && found.column_type == column.column_type => {}
                Some(found) => differ.push(format!(
                    "{} has the column {}: {} here, and the stream {} declares {}: {}. Give it one name and one type in all sinks.",
                    table.name,
                    found.name,
                    found.column_type.in_stream(),
                    stream.name,
                    column.name,
                    column.column_type.in_stream()
                )),
            }
        }
    }
    tables
}

/// The template of `rules` and the tables of their streams.
pub(super) fn template(rules: &[RuleTemplate], endpoint: bool, mut head: Vec<String>) -> Template {
    let mut differ = Vec::new();
    let tables = tables(rules, &mut differ);
    differ.dedup();
    head.extend(differ);
    let mut resources: Vec<_> = tables.iter().map(table_resource).collect();
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
        // A table has one name, in whatever case a sink has it.
        let streams: Vec<_> = rule.streams.iter().map(|stream| stream.of_one(&tables)).collect();
        let is_after = |made: &&WholeTable| {
            let mut streams = rule.streams.iter();
            streams.any(|stream| stream.table.name.eq_ignore_ascii_case(made.table.name))
        };
        let after_tables = tables.iter().filter(is_after).map(|made| made.table.name).collect();
        resources.push(Resource {
            place: ResourceKind::Rule(number),
            after_tables,
            // A rule of this kind has its own URL; one behind an endpoint must not be.
            // Source: https://learn.microsoft.com/azure/azure-monitor/essentials/data-collection-rule-structure
            kind: (!endpoint).then_some("Direct"),
            properties: rule_properties(&streams, endpoint),
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

fn table_resource(WholeTable { table, columns, plan }: &WholeTable) -> Resource {
    let whole = Table { columns: columns.clone().leak(), ..*table };
    // Of one of Microsoft's tables, only what is added to it is said.
    let columns: Vec<_> = match table.kind {
        TableKind::Custom => whole.declared().collect(),
        TableKind::BuiltIn { .. } => whole.added_columns().collect(),
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
    if *plan != TablePlan::Analytics {
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
