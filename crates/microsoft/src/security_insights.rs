//! Microsoft Sentinel's incidents: the provider Microsoft.SecurityInsights of Azure Resource Manager.
//!
//! Source: <https://learn.microsoft.com/rest/api/securityinsights/incidents>

use std::sync::Arc;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::arm::ArmQuota;
use super::authorized::Authorized;
use super::connection::{Connection, Connector};
use super::http::Reply;
use super::listing::{self, IncidentPage};
use crate::answer;
use crate::error::{ConnectError, Operation, ServiceError};
use model::problem::Problem;
use model::watermark::Slice;

/// The version of the API.
/// Source: <https://learn.microsoft.com/rest/api/securityinsights/incidents/list>
const API_VERSION: &str = "2025-09-01";
/// Most incidents in one page.
/// Source: <https://learn.microsoft.com/azure/sentinel/sentinel-service-limits#incident-limits>
pub const MAX_PAGE_SIZE: u32 = 1_000;
/// Most comments of one incident, and so most pages of them.
/// Source: <https://learn.microsoft.com/azure/sentinel/sentinel-service-limits#incident-limits>
const MAX_COMMENTS: usize = 100;
/// Most bytes of one answer that are read: a thousand incidents are some megabytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// The workspace that Sentinel is switched on in.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct Workspace {
    /// The id of the workspace's subscription, a GUID. Example: `0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0`.
    pub subscription_id: String,
    /// The name of the workspace's resource group: up to 90 characters. Example: `rg-security`.
    pub resource_group: String,
    /// The name of the Log Analytics workspace: 4 to 63 characters. Example: `law-sentinel`.
    pub workspace_name: String,
}

/// Reads incidents of one workspace, and writes them. Cheap to clone.
#[derive(Clone)]
pub struct SecurityInsights {
    authorized: Authorized,
    /// `…/providers/Microsoft.SecurityInsights/incidents`, with the version.
    url: Url,
    quota: Arc<ArmQuota>,
}

/// What came of writing an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is written: the incident as it is now.
    Done(Bytes),
    /// It was changed since it was read, so nothing is written: read it again.
    Stale,
}

// === impl Workspace ===

impl Workspace {
    /// Reports names that no workspace can have.
    ///
    /// Source: <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules>
    pub fn validate(&self, path: &str, problems: &mut Vec<Problem>) {
        let mut report = |option: &str, message: &str| {
            problems.push(Problem::new(format!("{path}.{option}"), message));
        };
        if self.subscription_id.len() != 36 || azure_core::Uuid::parse_str(&self.subscription_id).is_err() {
            report("subscription_id", "must be a GUID, such as 0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0");
        }
        let group = &self.resource_group;
        let is_of_a_group = |c: char| c.is_alphanumeric() || "_-.()".contains(c);
        if !(1..=90).contains(&group.chars().count())
            || !group.chars().all(is_of_a_group)
            || group.ends_with('.')
        {
            report(
                "resource_group",
                "must be the name of a resource group: up to 90 letters, digits and any of _-.() but no period at the end",
            );
        }
        let workspace = &self.workspace_name;
        let is_of_a_workspace = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if !(4..=63).contains(&workspace.len())
            || !workspace.chars().all(is_of_a_workspace)
            || workspace.starts_with('-')
            || workspace.ends_with('-')
        {
            report(
                "workspace_name",
                "must be the name of a Log Analytics workspace: 4 to 63 letters, digits and hyphens",
            );
        }
    }
}

// === impl SecurityInsights ===

impl SecurityInsights {
    /// The client of a connection, which may ask `quota`: reads certificate files, asks nobody anything.
    pub fn connect(
        connection: &Connection,
        workspace: &Workspace,
        quota: ArmQuota,
        connector: &Connector,
    ) -> Result<Self, ConnectError> {
        let authorized = Authorized::new(&connection.identity, connector)?;
        let Workspace { subscription_id, resource_group, workspace_name } = workspace;
        let group = ["subscriptions", subscription_id, "resourceGroups", resource_group];
        let workspace = ["providers", "Microsoft.OperationalInsights", "workspaces", workspace_name];
        let incidents = ["providers", "Microsoft.SecurityInsights", "incidents"];
        let path = group.into_iter().chain(workspace).chain(incidents);
        let mut url = listing::below(&connection.endpoint, path);
        url.set_query(Some(&format!("api-version={API_VERSION}")));
        Ok(Self { authorized, url, quota: Arc::new(quota) })
    }

    /// The first page of the incidents that were last modified in `slice`: at most `top` of them, oldest change first.
    pub async fn first_page(&self, slice: Slice, top: u32) -> Result<IncidentPage, ServiceError> {
        let filter = listing::query_value(&listing::within("properties/lastModifiedTimeUtc", slice));
        let order = listing::query_value("properties/lastModifiedTimeUtc asc");
        let mut url = self.url.clone();
        url.set_query(Some(&format!(
            "api-version={API_VERSION}&$top={top}&$orderby={order}&$filter={filter}"
        )));
        self.next_page(&url).await
    }

    /// The page at `url`, which an earlier page gave.
    pub async fn next_page(&self, url: &Url) -> Result<IncidentPage, ServiceError> {
        let reply = self.get(url).await?;
        match reply.status {
            200 => self.read_page(&reply),
            _ => Err(answer::rejected(&reply, Operation::SentinelList)),
        }
    }

    /// Reads one incident, or finds that there is none: to see whether reading works.
    pub async fn probe(&self) -> Result<usize, ServiceError> {
        let mut url = self.url.clone();
        url.set_query(Some(&format!("api-version={API_VERSION}&$top=1")));
        Ok(self.next_page(&url).await?.incidents.len())
    }

    /// The incident of that name, as the service sends it; nothing if it says that there is none.
    pub async fn incident(&self, name: &str) -> Result<Option<Bytes>, ServiceError> {
        let reply = self.get(&listing::below(&self.url, [name])).await?;
        match reply.status {
            200 => Ok(Some(reply.body)),
            404 if answer::is_about_a_sentinel_incident(&reply) => Ok(None),
            _ => Err(answer::rejected(&reply, Operation::SentinelIncident)),
        }
    }

    /// Creates the incident, or replaces what can be written of it. With the `etag` that was read in `body`, only if it
    /// has not been changed since.
    pub async fn put_incident(&self, name: &str, body: Bytes) -> Result<Written, ServiceError> {
        let reply = self.put(&listing::below(&self.url, [name]), body).await?;
        match reply.status {
            200 | 201 => Ok(Written::Done(reply.body)),
            409 | 412 if answer::is_from_service(&reply) => Ok(Written::Stale),
            _ => Err(answer::rejected(&reply, Operation::SentinelIncident)),
        }
    }

    /// All comments of an incident, each as the service sends it.
    pub async fn comments(&self, name: &str) -> Result<Vec<Bytes>, ServiceError> {
        let mut comments = Vec::new();
        let mut next = Some(listing::below(&self.url, [name, "comments"]));
        for _ in 0..=MAX_COMMENTS {
            let Some(url) = next else { return Ok(comments) };
            let reply = self.get(&url).await?;
            let page = match reply.status {
                200 => self.read_page(&reply)?,
                _ => return Err(answer::rejected(&reply, Operation::SentinelIncident)),
            };
            comments.extend(page.incidents);
            next = page.next;
        }
        let message = format!("the comments of the incident {name} have no last page");
        Err(ServiceError::unreadable("Microsoft Sentinel", message, None))
    }

    /// Writes a comment under an id of our choice, a GUID, and answers it as the service has it now. Doing it again changes
    /// nothing.
    pub async fn put_comment(
        &self,
        incident: &str,
        comment_id: &str,
        message: &str,
    ) -> Result<Bytes, ServiceError> {
        let url = listing::below(&self.url, [incident, "comments", comment_id]);
        let body = json!({"properties": {"message": message}}).to_string();
        let reply = self.put(&url, body.into()).await?;
        match reply.status {
            200 | 201 => Ok(reply.body),
            // It is there already, so an earlier try was heard.
            409 | 412 if answer::is_from_service(&reply) => {
                let there = self.get(&url).await?;
                if there.status == 200 {
                    Ok(there.body)
                } else {
                    Err(answer::rejected(&reply, Operation::SentinelIncident))
                }
            }
            _ => Err(answer::rejected(&reply, Operation::SentinelIncident)),
        }
    }

    fn read_page(&self, reply: &Reply) -> Result<IncidentPage, ServiceError> {
        listing::read_page(reply, &self.url, "Microsoft Sentinel", escaped)
    }

    async fn get(&self, url: &Url) -> Result<Reply, ServiceError> {
        self.quota.reads.spend(0).await;
        self.authorized.send(MAX_ANSWER_BYTES, listing::get(url)).await
    }

    async fn put(&self, url: &Url, body: Bytes) -> Result<Reply, ServiceError> {
        self.quota.writes.spend(0).await;
        let request = listing::request(http::Method::PUT, url, body);
        self.authorized.send(MAX_ANSWER_BYTES, request).await
    }
}

/// A link that the service sends, which is not always escaped, as one that may be asked for.
///
/// Spaces and quotes are escaped when it is read as a URL. A plus sign in a link that has spaces, or in a token, is a plus sign
/// and would be taken for a space.
fn escaped(link: &str) -> String {
    let Some((place, query)) = link.split_once('?') else { return link.to_owned() };
    let raw = query.contains(' ');
    let parameter = |parameter: &str| {
        let name = parameter.split('=').next().unwrap_or_default();
        if raw || name.to_ascii_lowercase().ends_with("skiptoken") {
            parameter.replace('+', "%2B").replace('#', "%23")
        } else {
            parameter.to_owned()
        }
    };
    let query: Vec<_> = query.split('&').map(parameter).collect();
    format!("{place}?{}", query.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_comes_unescaped_is_escaped_and_one_that_is_escaped_stays() {
        let raw = "https://arm/i?api-version=1&$filter=properties/lastModifiedTimeUtc ge 2026-10-01T00:00:00Z&$skipToken=a+b/c==";
        let read = |link: &str| Url::parse(&escaped(link)).unwrap();
        let pairs = |url: &Url| url.query_pairs().into_owned().collect::<Vec<_>>();
        let url = read(raw);
        assert!(!url.as_str().contains(' '), "{url}");
        assert_eq!(pairs(&url)[1].1, "properties/lastModifiedTimeUtc ge 2026-10-01T00:00:00Z");
        assert_eq!(pairs(&url)[2], ("$skipToken".to_owned(), "a+b/c==".to_owned()));
        assert_eq!(pairs(&read(url.as_str())), pairs(&url));
        let escaped_by_the_service = "https://arm/i?$filter=a%20ge%20b+lt+c&$skipToken=a%2Bb%3D";
        assert_eq!(read(escaped_by_the_service).as_str(), escaped_by_the_service);
        assert_eq!(escaped("https://arm/i"), "https://arm/i");
    }
}
