//! Fake queries of Log Analytics: finds the rows that were ingested, and the errors in the log of the rules.

// https://learn.microsoft.com/azure/azure-monitor/logs/api/overview

mod query;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use crate::arm::rules::{self, WORKSPACE_ID};
use crate::core::faults::Service;
use crate::core::records::IngestionError;
use crate::core::request::{ApiRequest, bearer};
use crate::core::responses::{self, ApiError};
use crate::entra::tokens::{Audience, Refusal};
use crate::sim_state::SimState;
use query::Query;

/// The log of data collection rules.
// https://learn.microsoft.com/azure/azure-monitor/reference/tables/dcrlogerrors
const ERRORS: &str = "DCRLogErrors";

/// Why a query has no answer.
enum Unanswered {
    Refused(ApiError),
    /// It does not fit what there is; the text names it.
    Semantic(String),
}

impl From<ApiError> for Unanswered {
    fn from(error: ApiError) -> Self {
        Self::Refused(error)
    }
}

/// Queries, and what is asked of tables with another plan than Analytics.
// https://learn.microsoft.com/azure/azure-monitor/logs/api/request-format
// https://learn.microsoft.com/azure/azure-monitor/logs/basic-logs-query
pub(crate) fn routes() -> Router<Arc<SimState>> {
    Router::new()
        .route("/v1/workspaces/{workspace}/query", post(query))
        .route("/v1/workspaces/{workspace}/search", post(search))
}

async fn query(request: ApiRequest<String>) -> Response {
    answer(&request, false)
}

async fn search(request: ApiRequest<String>) -> Response {
    answer(&request, true)
}

fn answer(request: &ApiRequest<String>, is_search: bool) -> Response {
    let state = &request.state;
    match found(request, is_search) {
        Ok(tables) => responses::arm(state, StatusCode::OK, &tables),
        Err(Unanswered::Refused(error)) => {
            responses::refuse(state, Service::LogAnalytics, &request.headers, &error)
        }
        // https://learn.microsoft.com/azure/azure-monitor/logs/api/errors
        Err(Unanswered::Semantic(name)) => {
            let message =
                format!("'where' operator: Failed to resolve table or column expression named '{name}'");
            let inner = json!({"code": "SEM0100", "message": message});
            let semantic = json!({"code": "SemanticError", "message": "A semantic error occurred.", "innererror": inner});
            let error = json!({"error": {
                "message": "The request had some invalid properties", "code": "BadArgumentError", "innererror": semantic,
            }});
            responses::arm(state, StatusCode::BAD_REQUEST, &error)
        }
    }
}

fn found(request: &ApiRequest<String>, is_search: bool) -> Result<Value, Unanswered> {
    let state = &request.state;
    check(request)?;
    let body: Value = serde_json::from_slice(&request.body)
        .map_err(|_| bad("BadArgumentError", "The request had some invalid properties"))?;
    let text = body["query"].as_str().ok_or_else(|| bad("BadArgumentError", "The query is missing."))?;
    let query = Query::parse(text).ok_or_else(|| bad("BadArgumentError", "Syntax Error"))?;
    let (since, until) = timespan(request)?;
    let rows: Vec<Map<String, Value>> = if query.table == ERRORS && state.config.log_analytics.keeps_errors {
        state.records.errors().iter().map(row_of).collect()
    } else {
        let columns = rules::columns_of(state, &query.table)
            .ok_or_else(|| Unanswered::Semantic(query.table.clone()))?;
        if let Some(unknown) = query.columns().find(|name| !columns.contains_key(*name)) {
            return Err(Unanswered::Semantic(unknown.to_owned()));
        }
        if (rules::plan_of(state, &query.table) == "Analytics") == is_search {
            return Err(
                bad("BadArgumentError", "The table's plan does not support this kind of query.").into()
            );
        }
        let streams: Vec<_> =
            rules::streams_into(state, &query.table).map(|(_, stream)| stream.clone()).collect();
        let visible = state.clock.now() - state.config.log_analytics.delay;
        let rows = state.records.found(visible, |row| streams.contains(&row.stream));
        rows.into_iter().map(|row| row.columns).collect()
    };
    let in_time = |row: &Map<String, Value>| {
        let time = row.get("TimeGenerated").and_then(Value::as_str);
        let time = time.and_then(|time| time.parse::<DateTime<Utc>>().ok());
        time.is_some_and(|time| since <= time && time <= until)
    };
    let rows: Vec<Value> = rows
        .iter()
        .filter(|row| in_time(row) && query.takes(row))
        .take(query.most)
        .map(|row| query.project.iter().map(|name| row.get(name).cloned().unwrap_or_default()).collect())
        .collect();
    let columns: Vec<_> = query
        .project
        .iter()
        .map(
            |name| json!({"name": name, "type": if name == "TimeGenerated" { "datetime" } else { "string" }}),
        )
        .collect();
    Ok(json!({"tables": [{"name": "PrimaryResult", "columns": columns, "rows": rows}]}))
}

/// Lets a request in that has the right token and names the workspace.
fn check(request: &ApiRequest<String>) -> Result<(), ApiError> {
    let (state, workspace) = (&request.state, &request.path);
    state.tokens.check(bearer(&request.headers), Audience::LogAnalytics, state.clock.now()).map_err(
        |refusal| match refusal {
            Refusal::Missing | Refusal::Expired => ApiError::new(
                StatusCode::UNAUTHORIZED,
                "AuthenticationFailed",
                "Authentication failed. The 'Authorization' header is missing.",
            ),
            Refusal::Unknown => ApiError::new(
                StatusCode::FORBIDDEN,
                "InvalidAuthenticationToken",
                "The access token is invalid.",
            ),
            Refusal::WrongAudience => ApiError::new(
                StatusCode::FORBIDDEN,
                "InvalidAuthenticationTokenAudience",
                "The access token has been obtained from wrong audience or resource.",
            ),
        },
    )?;
    if !workspace.eq_ignore_ascii_case(WORKSPACE_ID) {
        let message = "The requested path does not exist";
        return Err(ApiError::not_found("PathNotFoundError", message));
    }
    if !state.config.roles.queries {
        let message = "The provided credentials have insufficient access to perform the requested operation";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "InsufficientAccessError", message));
    }
    Ok(())
}

/// The times between which rows are looked for: `2026-11-28T09:00:00Z/2026-11-28T10:00:00Z`.
fn timespan(request: &ApiRequest<String>) -> Result<(DateTime<Utc>, DateTime<Utc>), ApiError> {
    let written = form_urlencoded::parse(request.query().as_bytes()).find(|(name, _)| name == "timespan");
    let Some((_, written)) = written else { return Ok((DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC)) };
    let times =
        written.split_once('/').and_then(|(since, until)| Some((since.parse().ok()?, until.parse().ok()?)));
    times.ok_or_else(|| bad("BadArgumentError", "The timespan is not understood."))
}

fn row_of(error: &IngestionError) -> Map<String, Value> {
    let row = json!({
        "TimeGenerated": error.at.to_rfc3339(),
        "ClientRequestId": error.client_request_id,
        "InputStreamId": error.stream,
        "OperationName": error.operation,
        "Message": error.message,
    });
    row.as_object().cloned().unwrap_or_default()
}

fn bad(code: &'static str, message: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, code, message)
}
