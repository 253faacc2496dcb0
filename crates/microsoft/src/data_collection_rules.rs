//! Data collection rules and the tables behind them, as Azure Resource Manager shows them to whoever may read them.
//!
//! Sources: <https://learn.microsoft.com/rest/api/azureresourcegraph/resourcegraph/resources/resources>,
//! <https://learn.microsoft.com/rest/api/monitor/data-collection-rules/get>,
//! <https://learn.microsoft.com/rest/api/loganalytics/tables/get>

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::json;
use url::Url;

use super::authorized::Authorized;
use super::http::Reply;
use super::listing;
use crate::answer;
use crate::error::{Operation, ServiceError};

/// Source: <https://learn.microsoft.com/rest/api/azureresourcegraph/resourcegraph/resources/resources>
const GRAPH_VERSION: &str = "2021-03-01";
/// Source: <https://learn.microsoft.com/rest/api/monitor/data-collection-rules/get>
const RULES_VERSION: &str = "2023-03-11";
/// Older ones know no plan Auxiliary.
/// Source: <https://learn.microsoft.com/azure/templates/microsoft.operationalinsights/workspaces/tables>
const TABLES_VERSION: &str = "2025-07-01";
/// Most bytes of an answer that are read: a table with 500 described columns has some hundred thousand.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// Reads rules and tables. Cheap to clone.
#[derive(Clone)]
pub struct DataCollectionRules {
    authorized: Authorized,
    base: Url,
}

/// A data collection rule.
#[derive(Clone, Debug, Deserialize)]
pub struct DataCollectionRule {
    /// Its region, `westeurope`.
    #[serde(default, deserialize_with = "or_default")]
    pub location: String,
    /// `Direct`, if it has a URL of its own.
    #[serde(default)]
    pub kind: Option<String>,
    /// What the rule says: streams, flows, destinations.
    pub properties: RuleProperties,
}

/// What a rule does.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleProperties {
    /// The streams that rows can be sent to.
    #[serde(default, deserialize_with = "or_default")]
    pub stream_declarations: BTreeMap<String, StreamDeclaration>,
    /// Their ways into tables.
    #[serde(default, deserialize_with = "or_default")]
    pub data_flows: Vec<DataFlow>,
    /// Where tables are.
    #[serde(default, deserialize_with = "or_default")]
    pub destinations: RuleDestinations,
    /// The rule's own URLs, if it has any.
    #[serde(default, deserialize_with = "or_default")]
    pub endpoints: RuleEndpoints,
    /// The data collection endpoint that it is behind, if it is behind one.
    #[serde(default)]
    pub data_collection_endpoint_id: Option<String>,
}

/// The columns of a stream.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct StreamDeclaration {
    /// In the rule's order.
    #[serde(default, deserialize_with = "or_default")]
    pub columns: Vec<NamedColumn>,
}

/// A column's name and type, in the service's words.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct NamedColumn {
    /// The column's name.
    pub name: String,
    /// `string`, `datetime` and so on.
    #[serde(rename = "type", default, deserialize_with = "or_default")]
    pub column_type: String,
}

/// The way of streams into a table.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataFlow {
    /// The names of the streams.
    #[serde(default, deserialize_with = "or_default")]
    pub streams: Vec<String>,
    /// Names of destinations.
    #[serde(default, deserialize_with = "or_default")]
    pub destinations: Vec<String>,
    /// What is done with each row; nothing if it is missing, empty or `source`.
    #[serde(default)]
    pub transform_kql: Option<String>,
    /// The stream of the table, such as `Custom-Mine_CL` or `Microsoft-Syslog`.
    #[serde(default)]
    pub output_stream: Option<String>,
}

/// Where a rule sends rows.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleDestinations {
    /// The Log Analytics workspaces.
    #[serde(default, deserialize_with = "or_default")]
    pub log_analytics: Vec<WorkspaceDestination>,
}

/// A Log Analytics workspace.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceDestination {
    /// What data flows call it.
    pub name: String,
    /// Its resource id.
    #[serde(default, deserialize_with = "or_default")]
    pub workspace_resource_id: String,
    /// Its own id, a GUID, which queries name.
    #[serde(default, deserialize_with = "or_default")]
    pub workspace_id: String,
}

/// A table of a workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogTable {
    /// `Analytics`, `Basic` or `Auxiliary`; empty if the service does not say.
    pub plan: String,
    /// All of its columns.
    pub columns: Vec<NamedColumn>,
}

/// A rule's own URLs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleEndpoints {
    /// The URL for logs.
    #[serde(default)]
    pub logs_ingestion: Option<String>,
}

#[derive(Deserialize)]
struct Found {
    data: Vec<FoundRule>,
}

#[derive(Deserialize)]
struct FoundRule {
    id: String,
}

#[derive(Deserialize)]
struct TableResource {
    properties: TableProperties,
}

#[derive(Deserialize)]
struct TableProperties {
    #[serde(default, deserialize_with = "or_default")]
    plan: String,
    schema: TableSchema,
}

/// The columns of Microsoft's own tables are standard columns.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TableSchema {
    #[serde(default, deserialize_with = "or_default")]
    columns: Vec<NamedColumn>,
    #[serde(default, deserialize_with = "or_default")]
    standard_columns: Vec<NamedColumn>,
}

// === impl DataCollectionRules ===

impl DataCollectionRules {
    /// `base` is Azure Resource Manager's, such as `https://management.azure.com`.
    pub const fn new(authorized: Authorized, base: Url) -> Self {
        Self { authorized, base }
    }

    /// The resource id of the rule with this immutable id. Nothing if there is none, or the identity may not see it: the
    /// service does not tell these apart.
    pub async fn find(&self, immutable_id: &str) -> Result<Option<String>, ServiceError> {
        // It becomes part of a query.
        if !immutable_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Ok(None);
        }
        let query = format!(
            "resources | where type =~ 'microsoft.insights/datacollectionrules' \
             | where properties.immutableId =~ '{immutable_id}' | project id"
        );
        let body = json!({"query": query, "options": {"resultFormat": "objectArray"}}).to_string();
        let url = self.url("/providers/Microsoft.ResourceGraph/resources", GRAPH_VERSION);
        let request = listing::request(http::Method::POST, &url, body.into());
        let reply = self.authorized.send(MAX_ANSWER_BYTES, request).await?;
        match reply.status {
            200 => Ok(read::<Found>(&reply)?.data.into_iter().next().map(|rule| rule.id)),
            400 | 403 if answer::reads_nothing(&reply) => Ok(None),
            _ => Err(answer::rejected(&reply, Operation::FindRule)),
        }
    }

    /// The rule with this resource id.
    pub async fn rule(&self, id: &str) -> Result<DataCollectionRule, ServiceError> {
        let reply = self.get(self.url(id, RULES_VERSION)).await?;
        match reply.status {
            200 => read(&reply),
            _ => Err(answer::rejected(&reply, Operation::ReadRule)),
        }
    }

    /// A table of the workspace with this resource id; nothing if there is no such table.
    pub async fn table(&self, workspace: &str, name: &str) -> Result<Option<LogTable>, ServiceError> {
        let reply = self.get(listing::below(&self.url(workspace, TABLES_VERSION), ["tables", name])).await?;
        match reply.status {
            200 => {
                let TableProperties { plan, schema } = read::<TableResource>(&reply)?.properties;
                let TableSchema { mut columns, standard_columns } = schema;
                columns.extend(standard_columns);
                Ok(Some(LogTable { plan, columns }))
            }
            404 if answer::is_about_the_table(&reply) => Ok(None),
            _ => Err(answer::rejected(&reply, Operation::ReadTable)),
        }
    }

    async fn get(&self, url: Url) -> Result<Reply, ServiceError> {
        self.authorized.send(MAX_ANSWER_BYTES, listing::get(&url)).await
    }

    /// `path` may come from the service. Wherever it leads, it is on our host.
    fn url(&self, path: &str, version: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(path);
        url.set_query(Some(&format!("api-version={version}")));
        url
    }
}

fn read<T: DeserializeOwned>(reply: &Reply) -> Result<T, ServiceError> {
    serde_json::from_slice(&reply.body)
        .map_err(|error| listing::unreadable(reply, "Azure Resource Manager", &error))
}

/// What is null is as if it were not there.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_read_with_and_without_what_may_be_missing() {
        let rule: DataCollectionRule = serde_json::from_str(
            r#"{"id": "/subscriptions/s/x", "location": "eastus", "kind": null, "properties": {"immutableId": "dcr-1",
                "streamDeclarations": {"Custom-A": {"columns": [{"name": "n", "type": "int"}]}}, "dataSources": {},
                "destinations": {"logAnalytics": [{"workspaceResourceId": "/w", "workspaceId": "9", "name": "here"}],
                                 "azureMonitorMetrics": {"name": "m"}},
                "dataFlows": [{"streams": ["Custom-A"], "destinations": ["here"]}], "endpoints": null}}"#,
        )
        .unwrap();
        assert_eq!(rule.properties.stream_declarations["Custom-A"].columns[0].column_type, "int");
        assert_eq!(rule.properties.destinations.log_analytics[0].workspace_resource_id, "/w");
        assert_eq!(rule.properties.destinations.log_analytics[0].workspace_id, "9");
        assert_eq!(rule.properties.data_flows[0].transform_kql, None);
        assert_eq!(rule.properties.endpoints.logs_ingestion, None);
        serde_json::from_str::<DataCollectionRule>(r#"{"properties": {}}"#).unwrap();
    }
}
