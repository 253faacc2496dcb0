//! What has to be deployed before a sink can write: read off its options, which need not be complete yet, because the ids that
//! go into them come from the deployment.

mod sample;

use serde::Deserialize;
use serde_json::Value;

use super::column::{EXTRA_COLUMNS, TRUNCATED_COLUMNS};
use super::columns::ColumnsConfig;
use super::encoder::{TIME_GENERATED, TimeField};
use super::layout::{
    ColumnType, Layout, RAW_INCIDENTS, SyslogConfig, Table, TableColumn, TableError, TableKind,
};
use super::table_plan::TablePlan;
use super::template::Template;

use sample::{Learned, learn};
pub use sample::{Sample, SampleError};

/// Most streams and flows of one rule.
/// Source: <https://learn.microsoft.com/azure/azure-monitor/fundamentals/service-limits#data-collection-rules>
const MAX_STREAMS: usize = 10;
/// Most columns of a table.
/// Source: <https://learn.microsoft.com/azure/azure-monitor/fundamentals/service-limits#log-analytics-workspaces>
const MAX_COLUMNS: usize = 500;

/// What the name of a stream begins with that rows are sent to.
/// Source: <https://learn.microsoft.com/azure/azure-monitor/essentials/data-collection-rule-structure#stream-declarations>
const DECLARED: &str = "Custom-";

/// What one sink needs.
#[derive(Clone, Debug, Default)]
pub struct Deployment {
    /// The option `dcr_immutable_id`, as it is written: an id, a variable, a template or anything that stands for one.
    pub rule: String,
    /// The streams that its rows go to, as far as that is known.
    pub streams: Vec<StreamNeed>,
    /// What is not known or cannot be printed, in sentences.
    pub open: Vec<String>,
    /// The value that the option `columns` should have, if it has none.
    pub columns: Option<String>,
}

/// A stream, and the table that it goes into.
#[derive(Clone, Debug)]
pub struct StreamNeed {
    /// Its name, with `Custom-` in front.
    pub name: String,
    /// The table, whose columns the stream declares.
    pub table: Table,
    /// The plan of the table.
    pub plan: TablePlan,
    /// The column that `TimeGenerated` is made of, if it is not written.
    pub time_from: Option<String>,
}

/// Options that say what to deploy. Whatever else is there does not matter.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Options {
    dcr_immutable_id: String,
    layout: Layout,
    stream_name: Option<String>,
    timestamp_field: Option<String>,
    columns: Option<ColumnsConfig>,
    syslog: SyslogConfig,
    table_plan: TablePlan,
}

/// Columns of a table, with their types.
type Typed = Vec<(String, ColumnType)>;

// === impl Deployment ===

impl Deployment {
    /// What a sink with these options needs; what is in no option is learned from a sample of its events, if there is one.
    pub fn of(options: &Value, sample: Option<&Sample>) -> Result<Self, serde_json::Error> {
        let options = Options::deserialize(options)?;
        let mut needed = Self { rule: options.dcr_immutable_id.clone(), ..Self::default() };
        match options.layout {
            Layout::Raw => needed.raw(&options, sample),
            Layout::Syslog => needed.layout(&options, options.syslog.layout()),
            layout => needed.layout(&options, layout),
        }
        Ok(needed)
    }

    /// Adds the streams of a layout's tables.
    fn layout(&mut self, options: &Options, layout: Layout) {
        let written = options.stream_name.as_deref().unwrap_or("Custom-{{ table }}");
        let Ok(template) = Template::parse(written) else { return self.open.push(unknown(written)) };
        if let Some(stream) = template.fixed() {
            // All rows go to one stream: of several tables it has the columns of all.
            let mut columns: Typed = Vec::new();
            for column in layout.tables().iter().flat_map(|table| table.columns) {
                merge(&mut columns, column.name, column.column_type);
            }
            match (layout.tables(), stream.strip_prefix("Custom-").filter(|name| name.ends_with("_CL"))) {
                (_, Some(name)) => match Table::custom(name.to_owned(), columns) {
                    Ok(table) => self.add(stream, table, options, None),
                    Err(error) => self.open.push(not_printed(stream, &error)),
                },
                ([table], None) => self.add(stream, *table, options, None),
                (_, None) => self.open.push(unknown(stream)),
            }
            return;
        }
        for table in layout.tables() {
            match template.for_table(table.name) {
                Some(stream) => self.add(&stream, *table, options, None),
                None => return self.open.push(unknown(written)),
            }
        }
    }

    /// Adds the streams of events that stay as they are.
    fn raw(&mut self, options: &Options, sample: Option<&Sample>) {
        let Some(written) = options.stream_name.as_deref() else {
            return self.open.push(
                "stream_name is missing: the stream of the rule, such as Custom-Firewall_CL".to_owned(),
            );
        };
        let Ok(template) = Template::parse(written) else { return self.open.push(unknown(written)) };
        let events = match (template.fixed(), sample) {
            (Some(stream), None) => vec![(stream.to_owned(), Vec::new())],
            (Some(stream), Some(sample)) => vec![(stream.to_owned(), sample.events().collect())],
            (None, None) => return self.open.push(unknown(written)),
            (None, Some(sample)) => {
                self.open.push(format!(
                    "stream_name '{written}' depends on the event: printed are the streams of the sample, and no others"
                ));
                let by_stream = sample.by_stream(&template);
                let lost =
                    sample.events().count() - by_stream.iter().map(|(_, events)| events.len()).sum::<usize>();
                if lost > 0 {
                    self.open.push(format!(
                        "{lost} events of the sample lack a field of stream_name, and come to no stream: in a run they go to the \
                         quarantine"
                    ));
                }
                by_stream
            }
        };
        let is_one = events.len() == 1;
        let time = TimeField::of(options.timestamp_field.as_deref().unwrap_or(TIME_GENERATED)).column;
        for (stream, events) in events {
            let learned = (!events.is_empty()).then(|| learn(&events, &time));
            let columns = self.columns_of(&stream, options, learned, &time);
            let Some(name) = stream.strip_prefix("Custom-").filter(|name| Table::is_custom_name(name)) else {
                self.open.push(format!(
                    "the stream '{stream}' is not printed: with layout raw, rows go to a table of your own, whose name ends in \
                     _CL, so that the stream is Custom-NAME_CL. For a table of Microsoft's take its layout"
                ));
                continue;
            };
            let time_from = (time != TIME_GENERATED).then(|| time.clone());
            match Table::custom(name.to_owned(), columns) {
                Ok(table) => self.add(&stream, table, options, time_from),
                Err(error) => self.open.push(not_printed(&stream, &error)),
            }
        }
        if !is_one && self.columns.take().is_some() {
            self.open.push(
                "each table has the columns of its own events, and the option columns would be one list for all of them: a field \
                 that comes later vanishes, unless each table gets a sink of its own with columns"
                    .to_owned(),
            );
        }
    }

    /// The columns of a stream of events that stay as they are: what the option says, or what was learned.
    fn columns_of(&mut self, stream: &str, options: &Options, learned: Option<Learned>, time: &str) -> Typed {
        let mut columns: Typed = vec![(time.to_owned(), ColumnType::DateTime)];
        // Events that are known: incidents as they are.
        let incidents = if stream == RAW_INCIDENTS.stream() { RAW_INCIDENTS.columns } else { &[] };
        let known: Typed = match &learned {
            Some(learned) => learned.columns.clone(),
            None => incidents.iter().map(|column| (column.name.to_owned(), column.column_type)).collect(),
        };
        match &options.columns {
            Some(ColumnsConfig::Types(types)) => {
                for (name, column_type) in types {
                    let clash = merge(&mut columns, name, *column_type);
                    self.open.extend(clash.map(|clash| format!("{stream}: {clash}")));
                }
            }
            Some(ColumnsConfig::Names(names)) => {
                let mut untyped = Vec::new();
                for name in names.iter().filter(|name| *name != time && !is_ours(name)) {
                    let found = known.iter().find(|(known, _)| known == name).map(|(_, found)| *found);
                    if found.is_none() {
                        untyped.push(name.as_str());
                    }
                    let clash = merge(&mut columns, name, found.unwrap_or(ColumnType::Dynamic));
                    self.open.extend(clash.map(|clash| format!("{stream}: {clash}")));
                }
                if !untyped.is_empty() {
                    self.open.push(format!(
                        "the types of these columns of '{stream}' are not known, and so are dynamic: {}. Give the option columns a map \
                         of types, or give --sample",
                        untyped.join(", ")
                    ));
                }
            }
            None => {
                if known.is_empty() {
                    self.open.push(format!(
                        "the columns of '{stream}' are not known: what it does not declare vanishes. Give --sample, a file with \
                         an event on each line; or the option columns"
                    ));
                    return columns;
                }
                for (name, column_type) in known {
                    merge(&mut columns, &name, column_type);
                }
                let left_out = learned.into_iter().flat_map(|learned| learned.left_out);
                self.open.extend(left_out.map(|why| format!("{stream}: {why}")));
            }
        }
        if columns.len() > MAX_COLUMNS - 2 {
            self.open.push(format!("'{stream}' has more than {MAX_COLUMNS} columns, which a table cannot have: the first are printed"));
            columns.truncate(MAX_COLUMNS - 3);
        }
        if options.columns.is_none() {
            let named =
                columns.iter().map(|(name, column_type)| format!("{name}: {}", column_type.in_stream()));
            let named: Vec<_> = named
                .chain(["ExtraColumns", "TruncatedColumns"].map(|name| format!("{name}: dynamic")))
                .collect();
            self.columns = Some(format!("{{{}}}", named.join(", ")));
        }
        columns
    }

    fn add(&mut self, stream: &str, table: Table, options: &Options, time_from: Option<String>) {
        if !stream.starts_with(DECLARED) {
            return self.open.push(format!(
                "the stream '{stream}' is not printed: a stream that is sent to is declared by the rule, and so begins with \
                 {DECLARED}, in front of one of Microsoft's tables, too: set stream_name to {}",
                table.stream()
            ));
        }
        self.streams.push(StreamNeed { name: stream.to_owned(), table, plan: options.table_plan, time_from });
    }
}

impl StreamNeed {
    /// Takes in what another sink needs of the same stream. Answers what cannot be right for both, in sentences.
    pub fn merge(&mut self, other: &Self) -> Result<Vec<String>, TableError> {
        let mut differ = Vec::new();
        let name = &self.name;
        if !self.table.name.eq_ignore_ascii_case(other.table.name) {
            differ.push(format!(
                "the stream '{name}' goes into the table {}, and another sink's into {}: take another stream_name for one of them",
                self.table.name, other.table.name
            ));
            return Ok(differ);
        }
        if self.plan != other.plan {
            let (plan, others) = (self.plan.name(), other.plan.name());
            let table = self.table.name;
            differ.push(format!(
                "the table {table} has one plan, and table_plan is {plan} and {others}: printed is {plan}"
            ));
        }
        if self.time_from != other.time_from {
            let time = |need: &Self| need.time_from.clone().unwrap_or_else(|| TIME_GENERATED.to_owned());
            let (time, others) = (time(self), time(other));
            differ.push(format!(
                "timestamp_field is {time} and {others} for the stream '{name}', and the rule makes TimeGenerated of one: of {time}. \
                 Take the same for both, or another stream"
            ));
        }
        if self.table.columns == other.table.columns {
            return Ok(differ);
        }
        if matches!(self.table.kind, TableKind::BuiltIn { .. }) {
            let mut columns = self.table.columns.to_vec();
            let is_new = |column: &&TableColumn| !self.table.columns.contains(column);
            columns.extend(other.table.columns.iter().filter(is_new));
            self.table.columns = columns.leak();
            return Ok(differ);
        }
        let mut columns: Typed = Vec::new();
        for column in self.table.columns {
            merge(&mut columns, column.name, column.column_type);
        }
        for column in other.table.columns {
            let clash = merge(&mut columns, column.name, column.column_type);
            differ.extend(clash.map(|clash| format!("{name}: {clash}")));
        }
        self.table = Table::custom(self.table.name.to_owned(), columns)?;
        Ok(differ)
    }
}

/// Why a rule cannot have so many streams.
pub fn too_many_streams(count: usize) -> Option<String> {
    (count > MAX_STREAMS).then(|| {
        format!("it has {count} streams, and Azure allows {MAX_STREAMS} in one rule: give some of the sinks a rule of their own")
    })
}

/// Whether every table has it anyway.
fn is_ours(name: &str) -> bool {
    [EXTRA_COLUMNS, TRUNCATED_COLUMNS].contains(&name)
}

/// Adds a column. One of two types takes any value. Names that differ in nothing but case are one to Azure. Answers what differs.
fn merge(columns: &mut Typed, name: &str, column_type: ColumnType) -> Option<String> {
    let Some((known, known_type)) = columns.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name))
    else {
        columns.push((name.to_owned(), column_type));
        return None;
    };
    let is_one_type = *known_type == column_type;
    let (one, other) = (known_type.in_stream(), column_type.in_stream());
    if !is_one_type {
        *known_type = ColumnType::Dynamic;
    }
    if known != name {
        return Some(format!(
            "'{name}' differs from '{known}' in nothing but case, and a table has one of them: '{known}' is printed"
        ));
    }
    (!is_one_type).then(|| format!("'{name}' is {one} and {other}, and so dynamic"))
}

fn unknown(stream: &str) -> String {
    format!(
        "the streams of stream_name '{stream}' depend on the event, and none is printed: give --sample, a file with an event on \
         each line; or print each with `vector-sentinel generate dcr --layout raw --table NAME_CL`"
    )
}

fn not_printed(stream: &str, error: &TableError) -> String {
    format!("the stream '{stream}' is not printed: {error}")
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
