//! What both sinks have in a pipeline file.

use std::collections::BTreeSet;
use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;

use super::brake::SafetyConfig;
use crate::component::{BuildError, SyncDirection};
use crate::sinks::quarantine::QuarantineConfig;
use incident_model::field::{Field, Side};
use incident_model::merge::Rules;
use incident_model::options::{SyncConfig, SyncedField};
use incident_model::owners::{Owners, Person};
use model::problem::{Problem, check_ranges};

/// What is kept in sync, and how.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct IncidentSyncConfig {
    /// What is kept in sync, and how: the same in both directions of a pair.
    #[serde(default)]
    pub sync: SyncConfig,
    /// What this direction may write.
    #[serde(default)]
    pub write: WriteConfig,
    /// The quarantine (dead letters), for what can never be written.
    #[serde(default)]
    pub quarantine: QuarantineConfig,
}

/// What this direction may write.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WriteConfig {
    /// Whether this direction may close incidents. Default: `true`.
    pub closing: bool,
    /// Whether this direction may open closed incidents again. Default: `true`.
    pub reopening: bool,
    /// The least severity, where an incident comes from, with which it is written; it is left alone until it is as severe.
    /// Default: none, so that all incidents are written. Example: `medium`.
    pub min_severity: Option<Severity>,
    /// Whether writes are only logged. What is not written stays waiting, and is written once this is `false`. Default: `false`.
    pub dry_run: bool,
    /// The circuit breaker: stops this direction if more incidents would change than expected.
    pub safety: SafetyConfig,
}

/// The severity of an incident, from the least to the most severe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The least severe incidents.
    Informational,
    /// Incidents more severe than `informational`.
    Low,
    /// Incidents more severe than `low`.
    Medium,
    /// The most severe incidents.
    High,
}

/// A checked [`IncidentSyncConfig`].
#[derive(Clone, Debug)]
pub struct SyncOptions {
    /// The ledger's name.
    pub ledger: String,
    /// What both directions must have alike.
    pub shared: SyncConfig,
    pub(super) fields: BTreeSet<SyncedField>,
    pub(super) write: WriteConfig,
    pub(super) quarantine: QuarantineConfig,
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
    pub fn validate(config: IncidentSyncConfig, path: &str, problems: &mut Vec<Problem>) -> Self {
        let IncidentSyncConfig { sync: shared, write, quarantine } = config;
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
        quarantine.validate(path, problems);
        Self { ledger, shared, fields, write, quarantine }
    }

    /// The direction that writes to `target`.
    pub fn direction(&self, target: Side) -> SyncDirection<'_> {
        SyncDirection { target, ledger: &self.ledger, shared: &self.shared }
    }

    /// The same, but nothing is written.
    #[must_use]
    pub fn dry_run(self) -> Self {
        Self { write: WriteConfig { dry_run: true, ..self.write }, ..self }
    }

    /// Whether the file of owners can be used.
    pub fn check(&self) -> Result<(), BuildError> {
        self.rules().map(drop)
    }

    /// The rules to merge by; reads the file of owners.
    pub(super) fn rules(&self) -> Result<Rules, BuildError> {
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

fn read_owners(path: &Path) -> Result<Owners, BuildError> {
    let read = || {
        let text = std::fs::read_to_string(path)?;
        let people: Vec<Person> = serde_saphyr::from_str(&text).map_err(Box::new)?;
        Ok(Owners::new(people)?)
    };
    read().map_err(|cause| BuildError::Owners { path: path.to_owned(), cause })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use incident_model::field::Policy;

    fn validate(options: serde_json::Value) -> (SyncOptions, Vec<String>) {
        let mut problems = Vec::new();
        let sync = serde_json::from_value(options).unwrap();
        let config = IncidentSyncConfig { sync, ..IncidentSyncConfig::default() };
        let options = SyncOptions::validate(config, "sinks.s", &mut problems);
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
        let error = options.rules().unwrap_err().to_string();
        assert!(error.contains("owners.yaml") && error.contains("'a@d' needs a name"), "{error}");
    }
}
