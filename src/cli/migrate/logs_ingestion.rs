//! `azure_logs_ingestion`: nearly all of its options are those of `sentinel_logs`.

use serde_json::{Map, Value};

use super::sinks::{LOGS_INGESTION, Notes, set_type};

/// The kind of credential that an option of older files tells.
const KINDS: [(&str, &str); 7] = [
    ("azure_client_secret", "client_secret_credential"),
    ("certificate_path", "client_certificate_credential"),
    ("client_assertion_client_id", "managed_identity_client_assertion"),
    ("token_file_path", "workload_identity"),
    ("tenant_id", "workload_identity"),
    ("client_id", "workload_identity"),
    ("user_assigned_managed_identity_id", "managed_identity"),
];

pub(super) fn migrate(path: &str, sink: &mut Map<String, Value>, notes: &mut Notes) {
    set_type(path, sink, LOGS_INGESTION, notes);
    let role = "nothing new: the rule, and the role of the identity on it, stay as they are. `vector-sentinel validate --probe` \
                compares the rule with what is written";
    notes.to_deploy.push(format!("{path}: {role}"));
    match sink.get_mut("auth") {
        Some(Value::Object(auth)) if !auth.contains_key("azure_credential_kind") => {
            let kind = KINDS.iter().find(|(option, _)| auth.contains_key(*option));
            let kind = kind.map_or("managed_identity", |(_, kind)| kind);
            auth.shift_insert(0, "azure_credential_kind".to_owned(), kind.into());
            notes.changed(format!("{path}.auth.azure_credential_kind"), format!("added: {kind}"));
        }
        Some(_) => {}
        None => {
            sink.insert("auth".to_owned(), serde_json::json!({"azure_credential_kind": "managed_identity"}));
            notes.changed(
                format!("{path}.auth"),
                "added: managed_identity; change it if this runs outside Azure",
            );
        }
    }
    if let Some(Value::Object(encoding)) = sink.get_mut("encoding")
        && encoding.shift_remove("codec").is_some()
    {
        notes.changed(format!("{path}.encoding.codec"), "removed: rows are always JSON");
    }
}
