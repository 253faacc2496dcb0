//! A template before it is in any language: resources, and values that refer to them.

/// What is deployed, in an order in which nothing refers to what comes later.
#[derive(Clone, Debug)]
pub(super) struct Template {
    /// What the default name of each rule ends in.
    pub(super) names: Vec<String>,
    pub(super) resources: Vec<Resource>,
    /// Whether the rules are behind an endpoint of their own.
    pub(super) endpoint: bool,
    /// What a reader is told first, line by line.
    pub(super) head: Vec<String>,
}

/// One resource of a template.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    pub(super) place: ResourceKind,
    /// Names of tables that have to be there before.
    pub(super) after_tables: Vec<&'static str>,
    /// Its `kind`, for resources that have one.
    pub(super) kind: Option<&'static str>,
    pub(super) properties: Node,
}

/// What a resource is, and so where it stands and what it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResourceKind {
    /// A table of the workspace.
    Table(&'static str),
    /// The data collection endpoint.
    Endpoint,
    /// A data collection rule, by its number from 0.
    Rule(usize),
    /// The role of whoever writes, on the rule of that number.
    Role(usize),
}

/// A value of a property.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Text(String),
    Reference(Reference),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

/// A value that is known when the template is deployed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reference {
    /// The workspace's resource id.
    Workspace,
    /// The endpoint's resource id.
    Endpoint,
    /// The id of the role that lets an identity write.
    RoleDefinition,
    /// The object id of that identity.
    Principal,
}

/// *Monitoring Metrics Publisher*.
/// Source: <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/monitor#monitoring-metrics-publisher>
pub(super) const PUBLISHER_ROLE: &str = "3913510d-42f4-4e42-8a64-420c390055eb";

/// Most characters of the name of a data collection endpoint.
/// Source: <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsoftinsights>
const LONGEST_ENDPOINT_NAME: usize = 44;

// === impl Template ===

impl Template {
    /// The default name of the endpoint: that of the first rule, as far as it fits.
    pub(super) fn endpoint_name(&self) -> String {
        let name = format!("vector-sentinel-{}", self.names.first().map_or("", String::as_str));
        let name: String = name.chars().take(LONGEST_ENDPOINT_NAME).collect();
        name.trim_end_matches('-').to_owned()
    }
}

// === impl Node ===

impl Node {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn object<const N: usize>(fields: [(&str, Self); N]) -> Self {
        Self::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Whether it fits on a line: an object of nothing but texts, or a list of one thing.
    pub(super) fn is_short(&self) -> bool {
        match self {
            Self::Text(_) | Self::Reference(_) => true,
            Self::List(items) => matches!(items.as_slice(), [Self::Text(_)]),
            Self::Object(fields) => {
                fields.len() <= 3 && fields.iter().all(|(_, value)| matches!(value, Self::Text(_)))
            }
        }
    }
}

// === impl ResourceKind ===

impl ResourceKind {
    /// Its type in Azure.
    pub(super) const fn resource_type(self) -> &'static str {
        match self {
            Self::Table(_) => "Microsoft.OperationalInsights/workspaces/tables",
            Self::Endpoint => "Microsoft.Insights/dataCollectionEndpoints",
            Self::Rule(_) => "Microsoft.Insights/dataCollectionRules",
            Self::Role(_) => "Microsoft.Authorization/roleAssignments",
        }
    }

    /// The version of its API that the template is written for: the oldest that has what is used.
    /// Source: <https://learn.microsoft.com/azure/templates/microsoft.insights/datacollectionrules>,
    /// <https://learn.microsoft.com/azure/templates/microsoft.operationalinsights/workspaces/tables>
    pub(super) const fn api_version(self) -> &'static str {
        match self {
            Self::Table(_) => "2025-07-01",
            Self::Endpoint | Self::Rule(_) => "2023-03-11",
            Self::Role(_) => "2022-04-01",
        }
    }

    /// What it is called in the template itself.
    pub(super) fn symbol(self) -> String {
        match self {
            Self::Table(name) => name.to_owned(),
            Self::Endpoint => "endpoint".to_owned(),
            Self::Rule(number) => numbered("rule", number),
            Self::Role(number) => numbered("publisher", number),
        }
    }
}

/// A name of something that each rule has: the first as it is, `rule`, and then `rule2`.
pub(super) fn numbered(name: &str, number: usize) -> String {
    if number == 0 { name.to_owned() } else { format!("{name}{}", number + 1) }
}
