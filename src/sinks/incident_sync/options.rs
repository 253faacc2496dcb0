//! What both sinks have in a pipeline file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::brake::SafetyConfig;
use incident_model::field::{Field, Policy};
use incident_model::merge::Rules;
use incident_model::owners::{Owners, Person};
use model::problem::{Problem, check_ranges};

/// What is kept in sync, and how. If both directions are in one file, they must have the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SyncConfig {
    /// The name under which the state file keeps what both sides agreed on. The two directions between one tenant and one
    /// workspace share it; every further pair needs a name of its own. Default: `default`.
    pub ledger: Option<String>,
    /// What is kept in sync. Default: all but `severity`.
    pub fields: Option<Vec<SyncedField>>,
    /// Whose value a field is to be that was changed on both sides. Default: `newest` for each.
    #[schemars(schema_with = "conflicts_schema")]
    pub conflicts: BTreeMap<Field, Policy>,
    /// A YAML or JSON file with the people who have different names on the two sides: a list of
    /// `{defender: …, sentinel: {user_principal_name: …, object_id: …}}`.
    pub owners_file: Option<PathBuf>,
    /// What is written on incidents that Microsoft's own connector keeps in sync.
    pub native_connector: NativeConnector,
}

/// A field of an incident that can be kept in sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SyncedField {
    /// `status` on both sides.
    Status,
    /// `severity` on both sides.
    Severity,
    /// `assignedTo`; `owner`.
    Owner,
    /// `classification` and `determination`; `classification` and `classificationReason`.
    Classification,
    /// `resolvingComment`; `classificationComment`.
    ClosingComment,
    /// `customTags`; `labels` that a user made.
    Tags,
    /// The comments.
    Comments,
}

/// What is written on incidents that Microsoft's own connector keeps in sync.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NativeConnector {
    /// What the connector does not carry: Sentinel's comments and tags into Defender.
    #[default]
    Complement,
    /// Nothing.
    Leave,
}

/// How one direction writes.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WriteConfig {
    /// Whether incidents may be closed.
    pub closing: bool,
    /// Whether incidents that are closed may be opened again.
    pub reopening: bool,
    /// Incidents that are less severe where they come from are left alone, until they are as severe as this.
    pub min_severity: Option<Severity>,
    /// Whether only to say what would be written. What is not written stays waiting, and is written once this is off.
    pub dry_run: bool,
    /// When to stop everything.
    pub safety: SafetyConfig,
}

/// How severe an incident is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The least.
    Informational,
    /// More.
    Low,
    /// More.
    Medium,
    /// The most.
    High,
}

/// [`SyncConfig`] and [`WriteConfig`], checked.
#[derive(Clone, Debug)]
pub struct SyncOptions {
    /// The ledger's name.
    pub ledger: String,
    /// What both directions must have alike.
    pub shared: SyncConfig,
    pub(super) fields: BTreeSet<SyncedField>,
    pub(super) write: WriteConfig,
}

/// Tags and comments cannot conflict, so that they are no options here.
fn conflicts_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let policy = generator.subschema_for::<Policy>();
    let fields = Field::ALL.map(|field| (field.name().to_owned(), policy.clone().to_value()));
    let properties: serde_json::Map<_, _> = fields.into_iter().collect();
    schemars::json_schema!({"type": "object", "properties": properties, "additionalProperties": false})
}

// === impl SyncedField ===

impl SyncedField {
    const DEFAULT: [Self; 6] =
        [Self::Status, Self::Owner, Self::Classification, Self::ClosingComment, Self::Tags, Self::Comments];

    const fn field(self) -> Option<Field> {
        match self {
            Self::Status => Some(Field::Status),
            Self::Severity => Some(Field::Severity),
            Self::Owner => Some(Field::Owner),
            Self::Classification => Some(Field::Classification),
            Self::ClosingComment => Some(Field::ClosingComment),
            Self::Tags | Self::Comments => None,
        }
    }
}

// === impl Severity ===

impl Severity {
    /// Reads either side's word.
    pub(super) fn of(word: &str) -> Option<Self> {
        let all = [Self::Informational, Self::Low, Self::Medium, Self::High];
        all.into_iter().find(|severity| format!("{severity:?}").eq_ignore_ascii_case(word))
    }
}

// === impl WriteConfig ===

impl Default for WriteConfig {
    fn default() -> Self {
        Self {
            closing: true,
            reopening: true,
            min_severity: None,
            dry_run: false,
            safety: SafetyConfig::default(),
        }
    }
}

// === impl SyncOptions ===

impl SyncOptions {
    /// Checks the options of a sink at `path`. Touches nothing: the file of owners is read when the sink is built.
    pub fn validate(shared: SyncConfig, write: WriteConfig, path: &str, problems: &mut Vec<Problem>) -> Self {
        let ledger = shared.ledger.clone().unwrap_or_else(|| "default".to_owned());
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if ledger.is_empty() || !ledger.chars().all(is_name) {
            let message = "must be a name of letters, digits, - and _: files are named after it";
            problems.push(Problem::new(format!("{path}.sync.ledger"), message));
        }
        let fields: BTreeSet<SyncedField> =
            shared.fields.clone().unwrap_or_else(|| SyncedField::DEFAULT.to_vec()).into_iter().collect();
        for field in shared.conflicts.keys() {
            if !fields.iter().any(|synced| synced.field() == Some(*field)) {
                let message = format!("{field} is not kept in sync: add it to fields, or leave it out here");
                problems.push(Problem::new(format!("{path}.sync.conflicts.{field}"), message));
            }
        }
        let safety = write.safety;
        let ranges = [
            ("write.safety.max_incidents", safety.max_incidents as u64, 1, 1_000_000),
            ("write.safety.window_secs", safety.window_secs, 1, 86_400),
        ];
        check_ranges(path, &ranges, problems);
        Self { ledger, shared, fields, write }
    }

    /// Has it only say what would be written.
    pub const fn only_say(&mut self) {
        self.write.dry_run = true;
    }

    /// Whether the file of owners can be used.
    pub fn check(&self) -> Result<(), String> {
        self.rules().map(drop)
    }

    /// The rules to merge by; reads the file of owners.
    pub(super) fn rules(&self) -> Result<Rules, String> {
        let policy = |field: Field| self.shared.conflicts.get(&field).copied().unwrap_or_default();
        let fields = self.fields.iter().filter_map(|synced| synced.field());
        Ok(Rules {
            fields: fields.map(|field| (field, policy(field))).collect(),
            tags: self.fields.contains(&SyncedField::Tags),
            closing: self.write.closing,
            reopening: self.write.reopening,
            owners: self.shared.owners_file.as_deref().map_or_else(|| Ok(Owners::default()), read_owners)?,
        })
    }
}

fn read_owners(path: &Path) -> Result<Owners, String> {
    let told = |problem: String| format!("sync.owners_file {}: {problem}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| told(error.to_string()))?;
    let people: Vec<Person> = serde_saphyr::from_str(&text).map_err(|error| told(error.to_string()))?;
    Owners::new(people).map_err(told)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn validate(options: serde_json::Value) -> (SyncOptions, Vec<String>) {
        let mut problems = Vec::new();
        let shared = serde_json::from_value(options).unwrap();
        let options = SyncOptions::validate(shared, WriteConfig::default(), "sinks.s", &mut problems);
        (options, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn severity_is_left_alone_unless_it_is_asked_for() {
        let (options, problems) = validate(json!({}));
        assert_eq!((problems.len(), options.ledger.as_str()), (0, "default"));
        let rules = options.rules().unwrap();
        assert!(!rules.fields.contains_key(&Field::Severity) && rules.tags);
        assert_eq!(rules.fields[&Field::Status], Policy::Newest);
        let (options, _) = validate(json!({"fields": ["severity"], "conflicts": {"severity": "manual"}}));
        let rules = options.rules().unwrap();
        assert_eq!(rules.fields.into_iter().collect::<Vec<_>>(), [(Field::Severity, Policy::Manual)]);
    }

    #[test]
    fn a_policy_of_what_is_not_kept_in_sync_is_told() {
        let (_, problems) = validate(json!({"ledger": "a/b", "conflicts": {"severity": "newest"}}));
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[1].contains("severity is not kept in sync"), "{problems:?}");
    }

    #[test]
    fn the_file_of_owners_is_read_and_what_is_wrong_with_it_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("owners.yaml");
        std::fs::write(&path, "- defender: a@d\n  sentinel: {user_principal_name: a@s}\n").unwrap();
        let (options, _) = validate(json!({"owners_file": path}));
        assert_eq!(options.rules().unwrap().owners.in_sentinel("A@d").name(), "a@s");
        std::fs::write(&path, "- defender: a@d\n  sentinel: {}\n").unwrap();
        let error = options.rules().unwrap_err();
        assert!(error.contains("owners.yaml") && error.contains("'a@d' needs a name"), "{error}");
    }
}
