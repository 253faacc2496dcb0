//! The comparison: a rule and its tables on one side, what is written on the other. Pure.

use url::Url;

use super::finding::{Finding, Severity, declaration, quoted};
use super::written_columns::WrittenColumns;
use crate::sinks::sentinel_logs::column::Column;
use crate::sinks::sentinel_logs::columns::MAX_COLUMNS;
use crate::sinks::sentinel_logs::layout::{ColumnType, needs_sentinel};
use crate::sinks::sentinel_logs::table_plan::TablePlan;
use microsoft::data_collection_rules::{DataCollectionRule, DataFlow, LogTable, NamedColumn};

/// The column of the row's time, which every table has.
/// Source: <https://learn.microsoft.com/azure/azure-monitor/logs/log-standard-columns#timegenerated>
const TIME_GENERATED: &str = "TimeGenerated";
/// A rule of this kind has a URL of its own.
/// Source: <https://learn.microsoft.com/azure/azure-monitor/essentials/data-collection-rule-structure>
const DIRECT: &str = "Direct";
/// How many streams are named that may have been meant.
const NAMES_SHOWN: usize = 10;
const ALL_TYPES: [ColumnType; 7] = [
    ColumnType::String,
    ColumnType::Int,
    ColumnType::Long,
    ColumnType::Real,
    ColumnType::Boolean,
    ColumnType::Dynamic,
    ColumnType::DateTime,
];

/// One stream of a rule, and what goes into it.
#[derive(Clone, Copy)]
pub(super) struct Stream<'a> {
    /// The rule's immutable id.
    pub(super) id: &'a str,
    pub(super) rule: &'a DataCollectionRule,
    pub(super) name: &'a str,
    pub(super) written: &'a WrittenColumns,
}

/// A table that a stream's rows reach as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Resource id of its workspace.
    pub(super) workspace: String,
    pub(super) table: String,
}

/// Whether the rule is asked for where it is.
pub(super) fn endpoint(id: &str, rule: &DataCollectionRule, endpoint: &Url) -> Vec<Finding> {
    let mut findings = Vec::new();
    let properties = &rule.properties;
    let is_direct = rule.kind.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case(DIRECT));
    let own = properties.endpoints.logs_ingestion.as_deref().and_then(|url| Url::parse(url).ok());
    if let Some(own) = own
        && is_direct
        && properties.data_collection_endpoint_id.is_none()
        && own.origin() != endpoint.origin()
    {
        let message = format!(
            "the rule {id} has its own URL and is behind no data collection endpoint: set endpoint, or endpoints.{id}, to {} \
             in the place of {}",
            own.origin().ascii_serialization(),
            endpoint.origin().ascii_serialization()
        );
        findings.push(Finding::new("endpoint_differs", Severity::Doubtful, message));
    }
    let location: String =
        rule.location.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase();
    if let Some(region) = endpoint.host_str().and_then(region)
        && !location.is_empty()
        && !region.eq_ignore_ascii_case(&location)
    {
        let message = format!(
            "the rule {id} is in {location} and the endpoint in {region}, which Azure does not allow: use an endpoint in \
             {location}"
        );
        findings.push(Finding::new("region_differs", Severity::Doubtful, message));
    }
    findings
}

/// The region in the host of an endpoint: `my-dce-5kyl.eastus-1.ingest.monitor.azure.com`.
/// Source: <https://learn.microsoft.com/azure/azure-monitor/essentials/data-collection-endpoint-overview>
fn region(host: &str) -> Option<&str> {
    let (before, _) = host.split_once(".ingest.monitor.azure.")?;
    let (_, label) = before.rsplit_once('.')?;
    Some(label.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('-'))
}

/// The columns that a rule declares for a stream.
pub(super) fn declared<'r>(rule: &'r DataCollectionRule, stream: &str) -> Option<&'r [NamedColumn]> {
    let streams = &rule.properties.stream_declarations;
    let (_, found) = streams.iter().find(|(name, _)| name.eq_ignore_ascii_case(stream))?;
    Some(&found.columns)
}

// === impl Stream ===

impl Stream<'_> {
    /// What of the rule does not fit.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let flows: Vec<_> = self.flows().collect();
        let Some(declared) = self.declared() else {
            // One of Microsoft's is declared by nobody.
            let known = self.name.starts_with("Microsoft-") && !flows.is_empty();
            return if known { Vec::new() } else { vec![self.missing()] };
        };
        let mut findings = Vec::new();
        if flows.is_empty() {
            let message = format!(
                "{self}: no data flow of the rule takes it, so its rows go nowhere: name it in the 'streams' of a data flow \
                 whose outputStream is the table",
            );
            findings.push(Finding::new("no_data_flow", Severity::Blocking, message));
        }
        let time = self.time(declared, &flows);
        findings.extend(self.undeclared(declared, time.is_none()));
        findings.extend(self.notes(declared));
        findings.extend(self.types(declared));
        findings.extend(self.unusable(declared));
        findings.extend(time);
        findings
    }

    fn declared(&self) -> Option<&[NamedColumn]> {
        declared(self.rule, self.name)
    }

    fn flows(&self) -> impl Iterator<Item = &DataFlow> {
        let takes = |flow: &&DataFlow| flow.streams.iter().any(|name| name.eq_ignore_ascii_case(self.name));
        self.rule.properties.data_flows.iter().filter(takes)
    }

    fn missing(&self) -> Finding {
        let mut names: Vec<_> = self.rule.properties.stream_declarations.keys().map(String::as_str).collect();
        let wanted = self.name.to_lowercase();
        names.sort_by_key(|name| strsim::damerau_levenshtein(&name.to_lowercase(), &wanted));
        let has = match names.len() {
            0 => "it declares none".to_owned(),
            count if count > NAMES_SHOWN => {
                names.truncate(NAMES_SHOWN);
                format!("it has {} and {} more", quoted(names), count - NAMES_SHOWN)
            }
            _ => format!("it has {}", quoted(names)),
        };
        let message = format!(
            "{self}: there is no such stream, and every row is refused; {has}. Set stream_name to the right one, or declare \
             it in streamDeclarations and in a data flow"
        );
        Finding::new("stream_missing", Severity::Blocking, message)
    }

    fn undeclared(&self, declared: &[NamedColumn], and_time: bool) -> Option<Finding> {
        let mut lacks = self.lacking(declared, true);
        // That is reported in other words.
        lacks.retain(|column| and_time || column.name != TIME_GENERATED);
        if lacks.is_empty() {
            return None;
        }
        let twins = lacks
            .iter()
            .filter_map(|column| declared.iter().find(|known| known.name.eq_ignore_ascii_case(&column.name)));
        let twins: Vec<_> = twins.map(|known| known.name.as_str()).collect();
        let in_another_case = match twins.len() {
            0 => String::new(),
            _ => format!("; it has {}, but upper and lower case are different columns", quoted(twins)),
        };
        let message = format!(
            "{self}: it does not declare {}, and what is written there vanishes without an error{in_another_case}. {}",
            quoted(lacks.iter().map(|column| column.name.as_str())),
            to_add("its columns", declared.len(), &lacks)
        );
        Some(Finding::new("column_undeclared", Severity::DataLoss, message))
    }

    /// Our own columns that rows may have though nobody has asked for them.
    fn notes(&self, declared: &[NamedColumn]) -> Option<Finding> {
        let lacks = self.lacking(declared, false);
        if lacks.is_empty() {
            return None;
        }
        let message = format!(
            "{self}: it does not declare {}. Fields whose name cannot be a column's, times that Azure will replace, and the \
             note that something was cut, vanish without an error. Add to its columns and to the table: {}",
            quoted(lacks.iter().map(|column| column.name.as_str())),
            declaration(&lacks)
        );
        Some(Finding::new("notes_undeclared", Severity::Doubtful, message))
    }

    /// Columns that rows have and the stream has not.
    fn lacking(&self, declared: &[NamedColumn], expected: bool) -> Vec<NamedColumn> {
        let written = self.written.columns.iter().filter(|column| column.expected == expected);
        let lacks = written.filter(|column| !declared.iter().any(|known| known.name == column.name));
        let named = lacks.map(|column| NamedColumn {
            name: column.name.clone(),
            column_type: column.column_type.map_or("...", ColumnType::in_stream).to_owned(),
        });
        named.collect()
    }

    fn types(&self, declared: &[NamedColumn]) -> Option<Finding> {
        let mut clashes = Vec::new();
        let mut right = Vec::new();
        for column in &self.written.columns {
            let known = declared.iter().find(|known| known.name == column.name);
            let (Some(known), Some(written)) = (known, column.column_type) else { continue };
            let found =
                ALL_TYPES.into_iter().find(|one| one.in_stream().eq_ignore_ascii_case(&known.column_type));
            if found.is_some_and(|found| !takes_all(found, written)) {
                clashes.push(format!("'{}' is {} there", column.name, known.column_type));
                let column_type = written.in_stream().to_owned();
                right.push(NamedColumn { name: column.name.clone(), column_type });
            }
        }
        if clashes.is_empty() {
            return None;
        }
        let or_columns = if self.written.types_are_options {
            "; or give the option columns the types that are declared, so that other values go into ExtraColumns"
        } else {
            ""
        };
        let message = format!(
            "{self}: {}; values that are not of that type become null without an error. Declare instead, in the table too: \
             {}{or_columns}",
            clashes.join(", "),
            declaration(&right)
        );
        Some(Finding::new("type_differs", Severity::DataLoss, message))
    }

    /// Declared names that no row ever has.
    fn unusable(&self, declared: &[NamedColumn]) -> Option<Finding> {
        let names = declared.iter().map(|column| column.name.as_str());
        let names: Vec<_> = names.filter(|name| !Column::is_declarable(name)).collect();
        if names.is_empty() {
            return None;
        }
        let written = names.iter().map(|name| match Column::of(name) {
            Column::Reserved(name) => format!("'{name}' is written as '{name}_'"),
            Column::Plain(name) | Column::Extra(name) => format!("'{name}' goes into ExtraColumns"),
        });
        let message = format!(
            "{self}: it declares {}, which a table cannot have or Log Analytics reserves, and which no row has: {}. Declare \
             these instead, and use them in transformKql",
            quoted(names.iter().copied()),
            written.collect::<Vec<_>>().join(", ")
        );
        Some(Finding::new("name_unusable", Severity::Doubtful, message))
    }

    fn time(&self, declared: &[NamedColumn], flows: &[&DataFlow]) -> Option<Finding> {
        let is_made =
            |flow: &&DataFlow| flow.transform_kql.as_deref().is_some_and(|kql| kql.contains(TIME_GENERATED));
        if flows.iter().all(is_made) {
            return None;
        }
        let is_declared = declared.iter().any(|column| column.name == TIME_GENERATED);
        let (severity, what) = match (is_declared, self.written.has(TIME_GENERATED)) {
            (true, true) => return None,
            (false, _) => (Severity::DataLoss, "it does not declare TimeGenerated, which every table needs"),
            (true, false) => {
                (Severity::Doubtful, "TimeGenerated is not written, and becomes the time of arrival")
            }
        };
        let message = format!(
            "{self}: {what}, and the data flow's transformKql does not make it. Declare it as datetime and leave \
             timestamp_field as it is, or let transformKql extend TimeGenerated"
        );
        Some(Finding::new("time_missing", severity, message))
    }

    /// The tables that its rows reach as they are, without a transformation.
    pub(super) fn targets(&self) -> Vec<Target> {
        let mut targets = Vec::new();
        for flow in self.flows() {
            let transform = flow.transform_kql.as_deref().unwrap_or_default().trim();
            let output = flow.output_stream.as_deref().unwrap_or(self.name);
            let table = output.strip_prefix("Custom-").or_else(|| output.strip_prefix("Microsoft-"));
            let Some(table) = table.filter(|_| transform.is_empty() || transform == "source") else {
                continue;
            };
            let workspaces = self.rule.properties.destinations.log_analytics.iter();
            for workspace in workspaces.filter(|workspace| flow.destinations.contains(&workspace.name)) {
                let workspace = workspace.workspace_resource_id.clone();
                targets.push(Target { workspace, table: table.to_owned() });
            }
        }
        targets.dedup();
        targets
    }

    /// A table that is not there.
    pub(super) fn missing_table(&self, target: &Target) -> Finding {
        let what_to_do = if needs_sentinel(&target.table) {
            "it comes with Microsoft Sentinel and cannot be created: enable Sentinel on the workspace"
        } else {
            "create it first"
        };
        let message = format!("{self}: its rows go to {target}, and there is no such table: {what_to_do}");
        Finding::new("table_missing", Severity::Blocking, message)
    }

    /// What is passed on to a table that lacks it.
    pub(super) fn lacking_in(&self, target: &Target, table: &LogTable) -> Option<Finding> {
        let passed = self
            .declared()
            .unwrap_or_default()
            .iter()
            .filter(|column| Column::is_declarable(&column.name) && self.written.has(&column.name));
        let lacks: Vec<NamedColumn> = passed
            .filter(|column| !table.columns.iter().any(|known| known.name == column.name))
            .cloned()
            .collect();
        if lacks.is_empty() {
            return None;
        }
        let message = format!(
            "{self}: it declares columns that {target} lacks, and what is written there vanishes without an error. {}",
            to_add("the table", table.columns.len(), &lacks)
        );
        Some(Finding::new("table_column_missing", Severity::DataLoss, message))
    }

    /// A table that has another plan than rows are written for.
    pub(super) fn plan_of(&self, target: &Target, table: &LogTable, expected: TablePlan) -> Option<Finding> {
        let found = TablePlan::ALL.into_iter().find(|plan| plan.name().eq_ignore_ascii_case(&table.plan))?;
        let (severity, cost) = match (found, expected) {
            _ if found == expected => return None,
            (TablePlan::Auxiliary, _) => {
                let cost = "a row is refused that has a time with more than six digits behind the point, or nested JSON in any \
                            but a dynamic column";
                (Severity::DataLoss, cost)
            }
            (_, TablePlan::Auxiliary) => {
                (Severity::Doubtful, "times are cut to six digits, which the table does not ask for")
            }
            _ => (Severity::Doubtful, "nothing is lost, but it costs and can do something else"),
        };
        let types = if found == TablePlan::Auxiliary && !self.written.is_typed() {
            ", with columns as a map of names and types"
        } else {
            ""
        };
        let (name, option) = (found.name(), found.name().to_lowercase());
        let (expected, written) = (expected.name(), expected.name().to_lowercase());
        let message = format!(
            "{self}: {target} has the plan {name}, and rows are written for {expected}: {cost}. Set table_plan to {option} in \
             the place of {written}{types}; or let the rule send rows to a table of the plan {expected}",
        );
        Some(Finding::new("plan_differs", severity, message))
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let workspace = self.workspace.rsplit('/').next().unwrap_or_default();
        write!(f, "the table {} of the workspace {workspace}", self.table)
    }
}

impl std::fmt::Display for Stream<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "stream {} of the rule {}", self.name, self.id)
    }
}

/// How to have columns that something lacks, which has so many already.
fn to_add(what: &str, has: usize, lacks: &[NamedColumn]) -> String {
    if has + lacks.len() <= MAX_COLUMNS {
        return format!("Add to {what}: {}", declaration(lacks));
    }
    format!(
        "It has {has} columns and lacks {}, and a table has at most {MAX_COLUMNS}: name those that are searched for in columns, \
         and the rest goes into ExtraColumns",
        lacks.len()
    )
}

/// Whether a column takes every value of a type.
fn takes_all(column: ColumnType, values: ColumnType) -> bool {
    use ColumnType::{DateTime, Dynamic, Int, Long, Real, String};
    column == values
        || matches!((column, values), (Dynamic, _) | (String, DateTime) | (Long, Int) | (Real, Int | Long))
}
