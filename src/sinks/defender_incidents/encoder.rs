//! Writes the bodies of requests to Microsoft Graph.
//!
//! Shape: <https://learn.microsoft.com/graph/api/security-incident-update>

use serde_json::{Map, Value};

use incident_model::field::Field;
use incident_model::merge::Merge;

/// The body that changes an incident: what is changed, and nothing else.
pub(super) fn patch(merge: &Merge) -> Value {
    let mut properties = Map::new();
    let mut put = |name: &str, value: Value| drop(properties.insert(name.to_owned(), value));
    for one in &merge.moves {
        let value = one.after.as_str();
        match one.field {
            Field::Status => put("status", value.into()),
            Field::Severity => put("severity", value.into()),
            Field::Owner if value.is_empty() => put("assignedTo", Value::Null),
            Field::Owner => put("assignedTo", value.into()),
            Field::ClosingComment => put("resolvingComment", value.into()),
            Field::Classification => {
                let (classification, determination) = value.split_once('/').unwrap_or((value, "unknown"));
                put("classification", classification.into());
                put("determination", determination.into());
            }
        }
    }
    if let Some(tags) = &merge.tags {
        // The whole list is replaced.
        put("customTags", tags.iter().cloned().collect());
    }
    Value::Object(properties)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use incident_model::merge::Move;

    #[test]
    fn only_what_is_changed_is_sent() {
        let one =
            |field, after: &str| Move { field, before: String::new(), after: after.to_owned(), why: "" };
        let moves = vec![
            one(Field::Owner, ""),
            one(Field::Classification, "truePositive/malware"),
            one(Field::Status, "resolved"),
            one(Field::Severity, "high"),
            one(Field::ClosingComment, "as agreed"),
        ];
        let merge = Merge { moves, tags: Some(["b".to_owned(), "a".to_owned()].into()), ..Merge::default() };
        let expected = json!({
            "assignedTo": null, "classification": "truePositive", "determination": "malware", "status": "resolved",
            "severity": "high", "resolvingComment": "as agreed", "customTags": ["a", "b"],
        });
        assert_eq!(patch(&merge), expected);
    }
}
