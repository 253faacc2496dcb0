//! Fake Azure Resource Graph: finds data collection rules by what a query says they are.

// https://learn.microsoft.com/rest/api/azureresourcegraph/resourcegraph/resources/resources
// https://learn.microsoft.com/azure/governance/resource-graph/concepts/query-language

use serde_json::{Map, Value, json};

use crate::arm::Answered;
use crate::arm::rules;
use crate::core::request::ApiRequest;
use crate::core::responses::ApiError;

const API_VERSION: &str = "2021-03-01";

/// Answers `POST /providers/Microsoft.ResourceGraph/resources`
///
/// Whoever may read nothing finds nothing. Of the language it knows `where` with one comparison, and `project`.
pub(crate) fn query(request: &ApiRequest) -> Answered {
    request.check(API_VERSION)?;
    let body: Value = serde_json::from_slice(&request.body).map_err(|_| invalid("The body is no JSON."))?;
    let query = body["query"].as_str().ok_or_else(|| invalid("The query is missing."))?;
    let mut parts = query.split('|').map(str::trim);
    if !parts.next().is_some_and(|table| table.eq_ignore_ascii_case("resources")) {
        return Err(invalid("Only the table 'resources' is known."));
    }
    let visible = request.state.config.roles.reads_rules;
    let mut found: Vec<Value> = rules::all(&request.state).into_iter().filter(|_| visible).collect();
    for part in parts {
        if let Some(comparison) = part.strip_prefix("where ") {
            let (path, wanted) = equals(comparison)?;
            found.retain(|resource| {
                let value = path.split('.').fold(resource, |value, name| &value[name]);
                value.as_str().is_some_and(|value| value.eq_ignore_ascii_case(wanted))
            });
        } else if let Some(columns) = part.strip_prefix("project ") {
            let columns: Vec<_> = columns.split(',').map(str::trim).collect();
            for resource in &mut found {
                let kept = columns.iter().map(|name| ((*name).to_owned(), resource[*name].clone()));
                *resource = Value::Object(kept.collect::<Map<_, _>>());
            }
        } else {
            return Err(invalid(&format!("'{part}' is not understood.")));
        }
    }
    Ok(json!({
        "totalRecords": found.len(),
        "count": found.len(),
        "data": found,
        "facets": [],
        "resultTruncated": "false",
    }))
}

/// Takes `path =~ 'text'` apart, which compares in any case.
fn equals(comparison: &str) -> Result<(&str, &str), ApiError> {
    let sides = comparison.split_once("=~").map(|(path, text)| (path.trim(), text.trim()));
    let text = |text: &'_ str| text.len() > 1 && text.starts_with('\'') && text.ends_with('\'');
    match sides {
        Some((path, quoted)) if text(quoted) => Ok((path, quoted.trim_matches('\''))),
        _ => Err(invalid(&format!("'{comparison}' is not understood."))),
    }
}

fn invalid(message: &str) -> ApiError {
    ApiError::bad_request(message)
}
