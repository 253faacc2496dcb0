//! What is kept in sync, and how: the options that both directions of a pair have alike.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::field::{Field, Policy};

/// What is kept in sync, and how. Both directions of a pair must have the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SyncConfig {
    /// The name of the ledger, in which the state file keeps what both sides agreed on: letters, digits, `-` and `_`. The two
    /// directions between one tenant and one workspace share it; every further pair needs a name of its own. Default:
    /// `default`. Example: `contoso`.
    pub ledger: Option<String>,
    /// The fields that are kept in sync. Default: all but `severity`. Example: `[status, owner, comments]`.
    pub fields: Option<Vec<SyncedField>>,
    /// For each field, the side whose value counts if it was changed on both; `tags` and `comments` cannot conflict. Default:
    /// `newest` for each. Example: `{status: sentinel}`.
    #[schemars(schema_with = "conflicts_schema")]
    pub conflicts: BTreeMap<Field, Policy>,
    /// The path of a YAML or JSON file of the people who have different names on the two sides: a list of
    /// `{defender: …, sentinel: {user_principal_name: …, object_id: …}}`, in which one of the two names in Sentinel is enough.
    /// Default: none, so that names are taken to be the same. Example: `/etc/vector-sentinel/owners.yaml`.
    pub owners_file: Option<PathBuf>,
    /// What is written to incidents that Microsoft's own Defender XDR connector keeps in sync. Default: `complement`.
    pub native_connector: NativeConnector,
}

/// A field of an incident that can be kept in sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SyncedField {
    /// The status: `status` on both sides.
    Status,
    /// The severity: `severity` on both sides.
    Severity,
    /// The owner: `assignedTo` in Defender, `owner` in Sentinel.
    Owner,
    /// The classification: `classification` and `determination` in Defender, `classification` and `classificationReason` in
    /// Sentinel, there of closed incidents only.
    Classification,
    /// The comment on closing: `resolvingComment` in Defender, `classificationComment` in Sentinel.
    ClosingComment,
    /// The tags: `customTags` in Defender, those of `labels` that a user made in Sentinel.
    Tags,
    /// The comments: new ones are copied.
    Comments,
}

/// What is written to incidents that Microsoft's own Defender XDR connector keeps in sync.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NativeConnector {
    /// What the connector does not carry: Sentinel's comments and tags are copied to Defender.
    #[default]
    Complement,
    /// Nothing: such incidents are left to the connector.
    Leave,
}

/// Tags and comments cannot conflict, so that they are no options here.
fn conflicts_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let mut policy = generator.subschema_for::<Policy>();
    policy.insert(
        "description".to_owned(),
        "The side whose value of this field counts. Default: `newest`.".into(),
    );
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
