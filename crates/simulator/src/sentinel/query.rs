//! What lists of incidents and of comments let their readers ask, and their pages.

// https://learn.microsoft.com/rest/api/securityinsights/incidents/list#uri-parameters

use serde_json::{Value, json};

use super::arm_gateway::Request;
use super::incident::{SEVERITIES, STATUSES};
use crate::core::odata::{Dialect, Kind, Property, Query, QueryError};
use crate::core::responses::ApiError;

/// Incidents in one answer.
// https://learn.microsoft.com/azure/sentinel/sentinel-service-limits#incident-limits
const LARGEST_PAGE: usize = 1_000;

/// What the service says of any filter it cannot read.
const SYNTAX: &str = "OData query syntax error";

/// A list of incidents, as far as it is known what works.
pub(crate) const INCIDENTS: Dialect = Dialect {
    options: &["$filter", "$orderby", "$top", "$skipToken"],
    properties: &[
        Property { name: "properties/lastModifiedTimeUtc", kind: Kind::Time { equals: false }, sorts: true },
        Property { name: "properties/createdTimeUtc", kind: Kind::Time { equals: false }, sorts: true },
        Property { name: "properties/status", kind: Kind::Member(&STATUSES), sorts: false },
        Property { name: "properties/severity", kind: Kind::Member(&SEVERITIES), sorts: false },
        Property { name: "properties/incidentNumber", kind: Kind::Number, sorts: true },
    ],
    expands: &[],
    largest_page: LARGEST_PAGE,
    any_case: false,
    lenient: true,
};

/// A list of comments: no filter and no order.
pub(crate) const COMMENTS: Dialect = Dialect { properties: &[], ..INCIDENTS };

/// Reads the options of a list.
pub(crate) fn read(request: &Request, dialect: &Dialect) -> Result<Query, ApiError> {
    Query::parse(dialect, request.query(), request.state.config.workspace.page_size).map_err(|error| {
        let top = |text: &dyn std::fmt::Display| {
            format!("Invalid value '{text}' for $top: it must be between 1 and {LARGEST_PAGE}.")
        };
        ApiError::bad_request(match error {
            QueryError::TooMany { top: request, .. } => top(&request),
            QueryError::Value { name: "$top", value } => top(&value),
            QueryError::Value { name: "$skipToken", .. } => "Invalid value for $skipToken.".to_owned(),
            _ => SYNTAX.to_owned(),
        })
    })
}

/// The page out of the whole list, as it is now: what moved since the page before comes twice or not at all.
pub(crate) fn page(request: &Request, query: &Query, whole: &[Value]) -> Value {
    let window = query.window(whole.len());
    let after = window.end;
    let mut body = json!({"value": whole.get(window)});
    if after < whole.len() {
        let address = format!("{}{}", request.state.url, request.uri.path());
        let encoded = request.state.config.workspace.escapes_next_link;
        body["nextLink"] = json!(query.next_link(&address, after, encoded));
    }
    body
}
