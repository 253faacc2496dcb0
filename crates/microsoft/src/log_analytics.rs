//! The query API of Log Analytics, as far as one row is looked for.
//!
//! Sources: <https://learn.microsoft.com/azure/azure-monitor/logs/api/request-format>,
//! <https://learn.microsoft.com/azure/azure-monitor/logs/api/response-format>,
//! <https://learn.microsoft.com/azure/azure-monitor/logs/basic-logs-query>

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::authorized::Authorized;
use super::http::Reply;
use super::listing;
use crate::answer;
use crate::error::{Operation, ServiceError};

/// Most bytes of an answer that are read: what is asked for are some rows of some short columns.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// Asks one workspace. Cheap to clone.
#[derive(Clone)]
pub struct LogAnalytics {
    authorized: Authorized,
    base: Url,
    /// The workspace's own id, a GUID.
    workspace: String,
}

/// A query that is sent.
#[derive(Clone, Debug)]
pub struct Query {
    /// The query in KQL.
    pub kql: String,
    /// The times between which rows are looked for, by their `TimeGenerated`.
    pub timespan: (DateTime<Utc>, DateTime<Utc>),
    /// Whether the table has another plan than Analytics, and so is asked in another place.
    pub is_search: bool,
}

/// What a query has found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueryRows {
    /// The rows, each with its values by column.
    pub rows: Vec<BTreeMap<String, Value>>,
    /// Why rows may be missing, in the service's words, if it says so.
    pub partial: Option<String>,
}

/// The body of an answer.
#[derive(Deserialize)]
struct Answer {
    tables: Vec<Table>,
    #[serde(default)]
    error: Option<PartialError>,
}

#[derive(Deserialize)]
struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
}

#[derive(Deserialize)]
struct Column {
    name: String,
}

/// Source: <https://learn.microsoft.com/azure/azure-monitor/logs/api/response-format#azure-monitor-log-analytics-api-errors>
#[derive(Deserialize)]
struct PartialError {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

// === impl LogAnalytics ===

impl LogAnalytics {
    /// `base` is the service's, such as `https://api.loganalytics.azure.com`.
    #[must_use]
    pub const fn new(authorized: Authorized, base: Url, workspace: String) -> Self {
        Self { authorized, base, workspace }
    }

    /// The rows that a query finds; nothing if the workspace does not know a table or column that it names.
    pub async fn query(&self, query: &Query) -> Result<Option<QueryRows>, ServiceError> {
        let kind = if query.is_search { "search" } else { "query" };
        let mut url = listing::below(&self.base, ["v1", "workspaces", &self.workspace, kind]);
        let [since, until] = [query.timespan.0, query.timespan.1]
            .map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true));
        url.query_pairs_mut().append_pair("timespan", &format!("{since}/{until}"));
        let body = json!({"query": query.kql}).to_string();
        let request = listing::request(http::Method::POST, &url, body.into());
        let reply = self.authorized.send(MAX_ANSWER_BYTES, request).await?;
        match reply.status {
            200 => Ok(Some(read(&reply)?)),
            400 if answer::is_about_a_name(&reply) => Ok(None),
            _ => Err(answer::rejected(&reply, Operation::Query)),
        }
    }
}

fn read(reply: &Reply) -> Result<QueryRows, ServiceError> {
    let Answer { tables, error } = serde_json::from_slice(&reply.body)
        .map_err(|error| listing::unreadable(reply, "Log Analytics", &error))?;
    let partial = error.map(|PartialError { code, message }| format!("{code}: {message}"));
    // The first is the result; others may be there that describe it.
    let Some(Table { columns, rows }) = tables.into_iter().next() else {
        return Ok(QueryRows { rows: Vec::new(), partial });
    };
    let named = |values: Vec<Value>| columns.iter().map(|column| column.name.clone()).zip(values).collect();
    Ok(QueryRows { rows: rows.into_iter().map(named).collect(), partial })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_body(body: &Value) -> Result<QueryRows, ServiceError> {
        read(&Reply {
            status: 200,
            body: body.to_string().into(),
            retry_after: None,
            request_id: None,
            error_code: None,
            date: None,
        })
    }

    #[test]
    fn an_answer_is_rows_and_perhaps_a_reason_why_some_are_missing() {
        let table = json!({"name": "PrimaryResult", "columns": [{"name": "A", "type": "string"}, {"name": "n_", "type": "long"}],
            "rows": [["x", 1], ["y", null]]});
        let found = read_body(&json!({"tables": [table]})).unwrap();
        assert_eq!(found.rows.len(), 2);
        assert_eq!((&found.rows[0]["A"], &found.rows[0]["n_"]), (&json!("x"), &json!(1)));
        assert_eq!(found.partial, None);
        let partial = json!({"tables": [table], "error": {"code": "PartialError", "message": "There were some errors",
            "details": [{"code": "EngineError", "message": "Something went wrong"}]}});
        assert_eq!(
            read_body(&partial).unwrap().partial.as_deref(),
            Some("PartialError: There were some errors")
        );
        assert_eq!(read_body(&json!({"tables": []})).unwrap(), QueryRows::default());
        assert_eq!(read_body(&json!({"rows": []})).unwrap_err().error_type(), "answer_unreadable");
    }
}
