//! What is kept in sync, and how: the options that both directions of a pair have alike.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::field::{Field, Policy};

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

/// Tags and comments cannot conflict, so that they are no options here.
fn conflicts_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let policy = generator.subschema_for::<Policy>();
    let fields = Field::ALL.map(|field| (field.name().to_owned(), policy.clone().to_value()));
    let properties: serde_json::Map<_, _> = fields.into_iter().collect();
    schemars::json_schema!({"type": "object", "properties": properties, "additionalProperties": false})
}

// === impl SyncedField ===

impl SyncedField {
    /// What is kept in sync unless the file says.
    pub const DEFAULT: [Self; 6] =
        [Self::Status, Self::Owner, Self::Classification, Self::ClosingComment, Self::Tags, Self::Comments];

    /// The field whose values are compared; nothing for tags and comments, which are sets.
    #[must_use]
    pub const fn field(self) -> Option<Field> {
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
