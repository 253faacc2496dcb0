//! A data collection rule: the streams that rows can be sent to, and the columns they declare.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

// https://learn.microsoft.com/azure/azure-monitor/essentials/data-collection-rule-structure#stream-declarations
const STREAM_PREFIX: &str = "Custom-";

/// Names that a table keeps for itself.
// https://learn.microsoft.com/azure/azure-monitor/logs/create-custom-table
const RESERVED: &str =
    "_ResourceId id _SubscriptionId BilledSize InvalidTimeGenerated IsBillable TenantId Type UniqueId Title";

// https://learn.microsoft.com/azure/azure-monitor/fundamentals/service-limits#log-analytics-workspaces
const LONGEST_COLUMN_NAME: usize = 45;

/// The region of a rule that names none.
const LOCATION: &str = "westeurope";

/// A rule with its streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dcr {
    /// The id in the path of an ingestion request.
    pub immutable_id: String,
    /// Columns and their types, by stream.
    pub streams: BTreeMap<String, Columns>,
    /// Streams whose table has the plan Auxiliary.
    pub auxiliary: BTreeSet<String>,
    /// The data flows: which streams go into which table.
    pub flows: Vec<Flow>,
    /// The kind of the rule: `Direct`, if it has a URL of its own.
    pub kind: Option<String>,
    /// The region of the rule.
    pub location: String,
    /// The only host at which it takes rows, if there is one.
    pub host: Option<String>,
}

/// Columns and their types.
pub type Columns = BTreeMap<String, ColumnType>;

/// The way of streams into a table.
// https://learn.microsoft.com/azure/azure-monitor/essentials/data-collection-rule-structure#data-flows
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Flow {
    /// The names of the streams.
    pub streams: Vec<String>,
    /// The transformation of each row in KQL: it is shown, and not done.
    #[serde(default)]
    pub transform_kql: Option<String>,
    /// The stream of the table.
    #[serde(default)]
    pub output_stream: Option<String>,
}

/// The type of a declared column.
// https://learn.microsoft.com/azure/azure-monitor/essentials/data-collection-rule-structure#stream-declarations
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    /// Text of at most 64 KB.
    String,
    /// A whole number of 32 bits.
    Int,
    /// A whole number of 64 bits.
    Long,
    /// A number with fractions.
    Real,
    /// True or false.
    Boolean,
    /// JSON of any shape.
    Dynamic,
    /// A time as text.
    DateTime,
}

/// Why a rule cannot be used.
#[derive(Debug, Error)]
pub enum DcrError {
    /// It does not look like the JSON of a rule.
    #[error("not a data collection rule: {0}")]
    Shape(#[from] serde_json::Error),
    /// It declares no stream at all.
    #[error("the rule declares no stream")]
    Empty,
    /// A stream that rows cannot be sent to.
    #[error("stream {0} does not start with Custom-")]
    Stream(String),
    /// A column that the table would not take.
    #[error("stream {stream}: column {column} {reason}")]
    Column {
        /// The stream that declares the column.
        stream: String,
        /// The name of the column.
        column: String,
        /// What is wrong with the name.
        reason: &'static str,
    },
}

/// The part of a rule's JSON that ingestion reads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    #[serde(default)]
    immutable_id: Option<String>,
    #[serde(default)]
    stream_declarations: BTreeMap<String, Declaration>,
    #[serde(default)]
    data_flows: Vec<Flow>,
}

/// What stands around the properties.
#[derive(Default, Deserialize)]
struct Resource {
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    location: Option<String>,
}

#[derive(Deserialize)]
struct Declaration {
    columns: Vec<Column>,
}

#[derive(Deserialize)]
struct Column {
    name: String,
    #[serde(rename = "type")]
    kind: ColumnType,
}

// === impl Dcr ===

impl Dcr {
    /// A rule of its own URL with the given streams, each into a table of its name as it is, if a table could have them.
    pub fn new(immutable_id: String, streams: BTreeMap<String, Columns>) -> Result<Self, DcrError> {
        let rule = Self::direct(immutable_id, streams);
        rule.check()?;
        Ok(rule)
    }

    /// The same rule, with tables of the plan Auxiliary behind all of its streams.
    #[must_use]
    pub fn into_auxiliary(self) -> Self {
        Self { auxiliary: self.streams.keys().cloned().collect(), ..self }
    }

    fn direct(immutable_id: String, streams: BTreeMap<String, Columns>) -> Self {
        let flow = |stream: &String| Flow {
            streams: vec![stream.clone()],
            transform_kql: Some("source".to_owned()),
            output_stream: Some(stream.clone()),
        };
        Self {
            immutable_id,
            flows: streams.keys().map(flow).collect(),
            streams,
            kind: Some("Direct".to_owned()),
            location: LOCATION.to_owned(),
            host: None,
            auxiliary: BTreeSet::new(),
        }
    }

    /// Whether a table could have what the rule declares.
    pub(crate) fn check(&self) -> Result<(), DcrError> {
        if self.streams.is_empty() {
            return Err(DcrError::Empty);
        }
        for (stream, columns) in &self.streams {
            if !stream.starts_with(STREAM_PREFIX) {
                return Err(DcrError::Stream(stream.clone()));
            }
            for column in columns.keys() {
                if let Some(reason) = objection(column) {
                    return Err(DcrError::Column { stream: stream.clone(), column: column.clone(), reason });
                }
            }
        }
        Ok(())
    }

    /// Reads the JSON of a real rule, as an ARM template or the REST API has it (the resource, or its
    /// `properties`). A template names no immutable id, so the one of the default rule stands in.
    pub fn from_json(json: &str) -> Result<Self, DcrError> {
        let mut value: Value = serde_json::from_str(json)?;
        let Resource { kind, location } = serde_json::from_value(value.clone())?;
        let inner = value.get_mut("properties").map(Value::take).unwrap_or(value);
        let properties: Properties = serde_json::from_value(inner)?;
        let streams = properties
            .stream_declarations
            .into_iter()
            .map(|(stream, declaration)| {
                let columns = declaration.columns.into_iter().map(|column| (column.name, column.kind));
                (stream, columns.collect())
            })
            .collect();
        let immutable_id = properties.immutable_id.unwrap_or_else(|| Self::defender_incidents().immutable_id);
        let mut rule = Self::new(immutable_id, streams)?;
        if !properties.data_flows.is_empty() {
            rule.flows = properties.data_flows;
        }
        // A template computes its region.
        if let Some(location) = location.filter(|location| !location.starts_with('[')) {
            rule.location = location;
        }
        Ok(Self { kind, ..rule })
    }

    /// The rule for incidents as they come from Defender; reserved names end in an underscore.
    pub fn defender_incidents() -> Self {
        use ColumnType::{DateTime, Dynamic, Int, String as Text};
        let columns = [
            ("TimeGenerated", DateTime),
            ("id_", Text),
            ("tenantId_", Text),
            ("displayName", Text),
            ("description", Text),
            ("summary", Text),
            ("createdDateTime", DateTime),
            ("lastUpdateDateTime", DateTime),
            ("severity", Text),
            ("status", Text),
            ("classification", Text),
            ("determination", Text),
            ("assignedTo", Text),
            ("customTags", Dynamic),
            ("systemTags", Dynamic),
            ("comments", Dynamic),
            ("incidentWebUrl", Text),
            ("redirectIncidentId", Text),
            ("lastModifiedBy", Text),
            ("resolvingComment", Text),
            ("priorityScore", Int),
            ("alerts", Dynamic),
            ("ExtraColumns", Dynamic),
            ("TruncatedColumns", Dynamic),
        ];
        let columns = columns.into_iter().map(|(name, kind)| (name.to_owned(), kind)).collect();
        Self::direct(
            "dcr-00000000000000000000000000000001".to_owned(),
            BTreeMap::from([("Custom-DefenderIncidentsRaw_CL".to_owned(), columns)]),
        )
    }
}

/// What a table has against the name of a column.
// https://learn.microsoft.com/azure/azure-monitor/logs/create-custom-table
fn objection(name: &str) -> Option<&'static str> {
    if RESERVED.split(' ').any(|reserved| reserved.eq_ignore_ascii_case(name)) {
        return Some("has a reserved name");
    }
    if name.len() > LONGEST_COLUMN_NAME {
        return Some("has a name of more than 45 characters");
    }
    if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return Some("does not start with a letter");
    }
    let fits = name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_');
    (!fits).then_some("has a name with other characters than letters, digits and underscores")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declaring(stream: &str, column: &str) -> Result<Dcr, DcrError> {
        Dcr::from_json(&format!(
            r#"{{"location": "westeurope", "properties": {{"immutableId": "dcr-1", "streamDeclarations":
                {{"{stream}": {{"columns": [{{"name": "{column}", "type": "datetime"}}]}}}}, "dataFlows": []}}}}"#
        ))
    }

    #[test]
    fn a_real_rule_is_read() {
        let dcr = declaring("Custom-Mine", "TimeGenerated").unwrap();
        assert_eq!(dcr.immutable_id, "dcr-1");
        assert_eq!(dcr.streams["Custom-Mine"]["TimeGenerated"], ColumnType::DateTime);
    }

    #[test]
    fn names_that_azure_refuses_are_refused() {
        let long = "a".repeat(46);
        for column in ["id", "Title", "tenantid", "_ResourceId", "1st", "with space", "ü", long.as_str()] {
            assert!(matches!(declaring("Custom-Mine", column), Err(DcrError::Column { .. })), "{column}");
        }
        assert!(matches!(declaring("Mine_CL", "a"), Err(DcrError::Stream(_))));
        assert!(matches!(Dcr::from_json("{}"), Err(DcrError::Empty)));
        assert!(matches!(Dcr::from_json("1"), Err(DcrError::Shape(_))));
    }

    #[test]
    fn the_default_rule_obeys_its_own_rules() {
        let dcr = Dcr::defender_incidents();
        assert_eq!(Dcr::new(dcr.immutable_id.clone(), dcr.streams.clone()).unwrap(), dcr);
    }
}
