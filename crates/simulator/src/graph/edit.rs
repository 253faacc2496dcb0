//! A change of a Defender incident that somebody asked for, as against one that the seed makes.

// https://learn.microsoft.com/graph/api/security-incident-update#request-body

use serde_json::{Map, Value};

use crate::graph::dialect::{CLASSIFICATIONS, DETERMINATIONS, SEVERITIES, STATUSES};

/// New values of some properties, or a comment, and who it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    /// Only what can be written, with the members of enumerations in the vendor's letters.
    pub(crate) properties: Map<String, Value>,
    /// Its text and its author.
    pub(crate) comment: Option<(String, String)>,
    /// The `lastModifiedBy` that it leaves.
    pub(crate) by: String,
}

/// No enumeration takes it from a client.
// https://learn.microsoft.com/graph/best-practices-concept#handling-future-members-in-evolvable-enumerations
const NEVER_SENT: &str = "unknownFutureValue";

// === impl Edit ===

impl Edit {
    /// Reads the body of an update. The error is a sentence for the caller.
    pub(crate) fn parse(body: &Value, by: &str) -> Result<Self, String> {
        let body = body.as_object().ok_or("The request body is not an object.")?;
        let mut properties = Map::new();
        for (name, value) in body.iter().filter(|(name, _)| !name.starts_with("@odata.")) {
            properties.insert(name.clone(), writable(name, value)?);
        }
        if properties.is_empty() {
            return Err("The request body names no property to update.".to_owned());
        }
        Ok(Self { properties, comment: None, by: by.to_owned() })
    }

    /// A comment and nothing else.
    pub(crate) fn comment(text: &str, author: &str, by: &str) -> Self {
        let comment = Some((text.to_owned(), author.to_owned()));
        Self { properties: Map::new(), comment, by: by.to_owned() }
    }

    /// Whether it would say of an incident by itself that it became part of another one.
    pub(crate) fn redirects(&self) -> bool {
        self.properties.get("status").is_some_and(|status| status == "redirected")
    }

    /// Does it to an incident that a test wrote.
    pub(crate) fn apply_to(&self, raw: &mut Map<String, Value>, at: &str) {
        let is_merged = raw.get("status").is_some_and(|status| status == "redirected");
        for (name, value) in &self.properties {
            if name != "status" || !is_merged {
                raw.insert(name.clone(), value.clone());
            }
        }
        if let Some((comment, author)) = &self.comment {
            let comments = raw.entry("comments").or_insert_with(|| Value::Array(Vec::new()));
            if let Some(comments) = comments.as_array_mut() {
                comments.push(serde_json::json!({
                    "comment": comment, "createdByDisplayName": author, "createdDateTime": at,
                }));
            }
        }
        raw.insert("lastModifiedBy".to_owned(), Value::from(self.by.as_str()));
    }
}

/// The value as it is kept.
fn writable(name: &str, value: &Value) -> Result<Value, String> {
    let invalid = || format!("Invalid value specified for property '{name}' of resource 'incident'.");
    let members: &[&str] = match name {
        "assignedTo" | "description" | "resolvingComment" | "summary" => {
            return if value.is_string() || value.is_null() { Ok(value.clone()) } else { Err(invalid()) };
        }
        "displayName" => return if value.is_string() { Ok(value.clone()) } else { Err(invalid()) },
        "customTags" => {
            let tags = value.as_array().ok_or_else(invalid)?;
            return if tags.iter().all(Value::is_string) { Ok(value.clone()) } else { Err(invalid()) };
        }
        "status" => &STATUSES,
        "severity" => &SEVERITIES,
        "classification" => &CLASSIFICATIONS,
        "determination" => &DETERMINATIONS,
        _ => {
            return Err(format!(
                "Property '{name}' of type 'microsoft.graph.security.incident' cannot be updated."
            ));
        }
    };
    let text = value.as_str().ok_or_else(invalid)?;
    // The vendor's own example sends `TruePositive`.
    let member = members.iter().find(|member| member.eq_ignore_ascii_case(text) && **member != NEVER_SENT);
    member.map(|member| Value::from(*member)).ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn enumerations_are_read_whatever_their_case_and_kept_in_the_vendors() {
        let body = json!({"classification": "TruePositive", "determination": "MultiStagedAttack",
                          "customTags": ["Demo"], "assignedTo": null, "@odata.type": "x"});
        let edit = Edit::parse(&body, "me").unwrap();
        let expected = json!({"classification": "truePositive", "determination": "multiStagedAttack",
                              "customTags": ["Demo"], "assignedTo": null});
        assert_eq!(Value::Object(edit.properties), expected);
    }

    #[test]
    fn what_cannot_be_written_is_refused_by_name() {
        for (body, word) in [
            (json!({"id": "1"}), "'id'"),
            (json!({"comments": []}), "'comments'"),
            (json!({"status": "asleep"}), "'status'"),
            (json!({"status": "unknownFutureValue"}), "'status'"),
            (json!({"severity": null}), "'severity'"),
            (json!({"customTags": "one"}), "'customTags'"),
            (json!({"displayName": null}), "'displayName'"),
            (json!({}), "no property"),
            (json!([]), "not an object"),
        ] {
            let sentence = Edit::parse(&body, "me").unwrap_err();
            assert!(sentence.contains(word), "{sentence}");
        }
    }
}
