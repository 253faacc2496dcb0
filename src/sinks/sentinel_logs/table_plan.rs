//! What a table costs and can do, and so what it takes.

use schemars::JsonSchema;
use serde::Deserialize;

use super::layout::Layout;

/// The plan of a table: what it costs, and what can be done with its rows.
///
/// Source: <https://learn.microsoft.com/azure/azure-monitor/logs/data-platform-logs#table-plans>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum TablePlan {
    /// The usual plan, on which everything works that Sentinel does.
    #[default]
    Analytics,
    /// Cheaper than Analytics: a query reads one table of this plan. Not for `layout: syslog`.
    Basic,
    /// The cheapest, also called Lake: takes times with at most six digits behind the point, and nested JSON only in dynamic
    /// columns. With `layout: raw` it needs `columns` with types.
    Auxiliary,
}

// === impl TablePlan ===

impl TablePlan {
    /// Every plan there is.
    pub(super) const ALL: [Self; 3] = [Self::Analytics, Self::Basic, Self::Auxiliary];

    /// Name of the plan in Azure.
    /// Source: <https://learn.microsoft.com/azure/templates/microsoft.operationalinsights/workspaces/tables#tableproperties>
    pub const fn name(self) -> &'static str {
        match self {
            Self::Analytics => "Analytics",
            Self::Basic => "Basic",
            Self::Auxiliary => "Auxiliary",
        }
    }

    /// Reason why a layout's tables cannot have this plan, if they cannot.
    /// Source: <https://learn.microsoft.com/azure/azure-monitor/reference/tables-features>
    pub fn objection(self, layout: Layout) -> Option<&'static str> {
        let refused = self == Self::Basic && layout == Layout::Syslog;
        refused.then_some("the table Syslog has no plan Basic: it has analytics or auxiliary")
    }
}
