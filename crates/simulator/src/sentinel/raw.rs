//! Reads an incident as the API shows it, for a workspace that was seen before.

use serde_json::{Map, Value};

use super::draft::{self, Rules};
use super::incident::{Alerts, Author, Comment, Incident};
use crate::core::ticks::Ticks;

/// Reads an incident with its `comments` beside its `properties`. One of Microsoft's connector becomes one of Sentinel's own.
pub(crate) fn read(shown: &Value, rules: Rules<'_>) -> Result<Incident, String> {
    let none = Map::new();
    let of = &shown["properties"];
    let mut properties = draft::read(of.as_object().unwrap_or(&none), None, rules)?;
    for label in &mut properties.labels {
        let mut shown = of["labels"].as_array().into_iter().flatten();
        label.is_automatic =
            shown.any(|shown| shown["labelName"] == label.name && shown["labelType"] == "AutoAssigned");
    }
    let texts = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let data = &of["additionalData"];
    let comments = shown["comments"].as_array().into_iter().flatten();
    Ok(Incident {
        name: text(shown, "name")?,
        etag: text(shown, "etag")?,
        number: of["incidentNumber"].as_u64().ok_or("an incident needs an incidentNumber")?,
        created: time(of, "createdTimeUtc")?,
        modified: time(of, "lastModifiedTimeUtc")?,
        properties,
        comments: comments.map(comment).collect::<Result<_, _>>()?,
        alerts: Alerts {
            count: data["alertsCount"].as_u64().and_then(|count| count.try_into().ok()).unwrap_or_default(),
            products: texts(&data["alertProductNames"]),
            tactics: texts(&data["tactics"]),
        },
        native: None,
    })
}

fn comment(shown: &Value) -> Result<Comment, String> {
    let of = &shown["properties"];
    Ok(Comment {
        name: text(shown, "name")?,
        etag: text(shown, "etag")?,
        message: text(of, "message")?,
        author: Author {
            name: text(&of["author"], "name")?,
            object_id: text(&of["author"], "objectId").ok(),
            user_principal_name: text(&of["author"], "userPrincipalName").ok(),
        },
        created: time(of, "createdTimeUtc")?,
        modified: time(of, "lastModifiedTimeUtc")?,
    })
}

fn text(of: &Value, name: &str) -> Result<String, String> {
    of[name].as_str().map(str::to_owned).ok_or_else(|| format!("there is no text {name}"))
}

fn time(of: &Value, name: &str) -> Result<Ticks, String> {
    Ticks::parse(&text(of, name)?).ok_or_else(|| format!("{name} is no time"))
}
