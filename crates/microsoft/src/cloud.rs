//! Microsoft's clouds: one word in the pipeline file sets every host.

use schemars::JsonSchema;
use serde::Deserialize;

/// A Microsoft cloud.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(extend("x-synonyms" = {
    "gcc": "public", "commercial": "public", "global": "public", "azure": "public", "azurecloud": "public",
    "azurepubliccloud": "public",
    "gcch": "usgov", "gcchigh": "usgov", "gcc_high": "usgov", "gov": "usgov", "government": "usgov", "us_gov": "usgov",
    "usgovernment": "usgov", "us_government": "usgov", "azureusgovernment": "usgov", "azuregovernment": "usgov",
    "dod": "usgov_dod", "usdod": "usgov_dod", "us_dod": "usgov_dod",
    "azurechinacloud": "china", "mooncake": "china", "21vianet": "china",
}))]
pub enum Cloud {
    /// The global cloud, GCC included: `login.microsoftonline.com`.
    #[default]
    Public,
    /// US Government L4, GCC High: `login.microsoftonline.us`, `graph.microsoft.us`.
    Usgov,
    /// US Government L5, DoD: `login.microsoftonline.us`, `dod-graph.microsoft.us`.
    UsgovDod,
    /// China, run by 21Vianet: `login.chinacloudapi.cn`. Microsoft Graph has no incident API there.
    China,
}

// === impl Cloud ===

impl Cloud {
    /// The word for it in a pipeline file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Usgov => "usgov",
            Self::UsgovDod => "usgov_dod",
            Self::China => "china",
        }
    }

    /// The Entra ID authority.
    /// Source: <https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud>
    pub const fn login(self) -> &'static str {
        match self {
            Self::Public => "https://login.microsoftonline.com",
            Self::Usgov | Self::UsgovDod => "https://login.microsoftonline.us",
            Self::China => "https://login.chinacloudapi.cn",
        }
    }

    /// Microsoft Graph, where it has security incidents.
    /// Source: <https://learn.microsoft.com/graph/deployments>
    pub const fn graph(self) -> Option<&'static str> {
        match self {
            Self::Public => Some("https://graph.microsoft.com"),
            Self::Usgov => Some("https://graph.microsoft.us"),
            Self::UsgovDod => Some("https://dod-graph.microsoft.us"),
            Self::China => None,
        }
    }

    /// The token scope of the Logs Ingestion API.
    /// Source: <https://learn.microsoft.com/azure/azure-monitor/logs/logs-ingestion-api-overview>
    pub const fn ingestion_scope(self) -> &'static str {
        match self {
            Self::Public => "https://monitor.azure.com/.default",
            Self::Usgov | Self::UsgovDod => "https://monitor.azure.us/.default",
            Self::China => "https://monitor.azure.cn/.default",
        }
    }

    /// The query API of Log Analytics, and the token scope of it.
    /// Source: <https://learn.microsoft.com/azure/azure-monitor/logs/api/access-api>,
    /// <https://docs.azure.cn/azure-monitor/logs/api/access-api>,
    /// <https://github.com/Azure/azure-sdk-for-python/tree/main/sdk/monitor/azure-monitor-query#configure-client-for-azure-sovereign-cloud>
    pub const fn log_analytics(self) -> (&'static str, &'static str) {
        match self {
            Self::Public => ("https://api.loganalytics.azure.com", "https://api.loganalytics.io/.default"),
            Self::Usgov | Self::UsgovDod => {
                ("https://api.loganalytics.us", "https://api.loganalytics.us/.default")
            }
            Self::China => {
                ("https://api.loganalytics.azure.cn", "https://api.loganalytics.azure.cn/.default")
            }
        }
    }

    /// The token scope of a managed identity that is a federated credential of an application.
    /// Source: <https://learn.microsoft.com/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity>
    pub const fn token_exchange_scope(self) -> &'static str {
        match self {
            Self::Public => "api://AzureADTokenExchange/.default",
            Self::Usgov | Self::UsgovDod => "api://AzureADTokenExchangeUSGov/.default",
            Self::China => "api://AzureADTokenExchangeChina/.default",
        }
    }

    /// Azure Resource Manager.
    /// Source: <https://learn.microsoft.com/azure/azure-government/compare-azure-government-global-azure>
    pub const fn arm(self) -> &'static str {
        match self {
            Self::Public => "https://management.azure.com",
            Self::Usgov | Self::UsgovDod => "https://management.usgovcloudapi.net",
            Self::China => "https://management.chinacloudapi.cn",
        }
    }
}
