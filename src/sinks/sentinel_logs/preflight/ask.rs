//! Reads rules and tables, and has them compared.

use thiserror::Error;
use url::Url;

use super::compare::{self, Stream};
use super::finding::Finding;
use super::written_columns::WrittenColumns;
use crate::sinks::sentinel_logs::columns::ColumnsConfig;
use crate::sinks::sentinel_logs::layout::Layout;
use crate::sinks::sentinel_logs::table_plan::TablePlan;
use crate::sinks::sentinel_logs::targets::Targets;
use microsoft::ServiceError;
use microsoft::data_collection_rules::{DataCollectionRule, DataCollectionRules};

/// Compares rules with what a sink writes.
#[derive(Clone)]
pub(in crate::sinks::sentinel_logs) struct Preflight {
    pub(in crate::sinks::sentinel_logs) rules: DataCollectionRules,
    pub(in crate::sinks::sentinel_logs) targets: Targets,
    pub(in crate::sinks::sentinel_logs) timestamp_field: String,
    pub(in crate::sinks::sentinel_logs) columns: Option<ColumnsConfig>,
    /// The plan that the tables are said to have.
    pub(in crate::sinks::sentinel_logs) table_plan: TablePlan,
}

/// What came of a comparison.
#[derive(Debug, Default)]
pub(in crate::sinks::sentinel_logs) struct Compared {
    pub(in crate::sinks::sentinel_logs) findings: Vec<Finding>,
    /// What could not be compared, and what would help.
    pub(in crate::sinks::sentinel_logs) unread: Vec<String>,
}

/// Why a rule cannot be read, and what would help.
#[derive(Debug, Error)]
pub(in crate::sinks::sentinel_logs) enum RuleUnread {
    #[error("the rule {id} was not compared with what is written: {cause}")]
    Failed {
        id: String,
        #[source]
        cause: ServiceError,
    },
    #[error(
        "the rule {id} was not compared with what is written: the identity sees no such rule in Azure Resource Manager. \
         Give it the role Monitoring Reader, or Reader, on the rule (which takes up to half an hour to work), and check \
         dcr_immutable_id"
    )]
    Unseen { id: String },
}

// === impl Preflight ===

impl Preflight {
    /// The rule with this immutable id; or why it cannot be read, and what would help.
    pub(in crate::sinks::sentinel_logs) async fn read(
        &self,
        id: &str,
    ) -> Result<DataCollectionRule, RuleUnread> {
        let failed = |cause| RuleUnread::Failed { id: id.to_owned(), cause };
        let found = self.rules.find(id).await.map_err(failed)?;
        let resource = found.ok_or_else(|| RuleUnread::Unseen { id: id.to_owned() })?;
        self.rules.rule(&resource).await.map_err(failed)
    }

    /// What is written for `table` of the layout, or for no table in particular.
    pub(in crate::sinks::sentinel_logs) fn written(&self, table: Option<&str>) -> WrittenColumns {
        match self.targets.layout {
            Layout::Raw => WrittenColumns::raw(&self.timestamp_field, self.columns.as_ref()),
            _ => WrittenColumns::of_tables(&self.targets.tables(table)),
        }
    }

    /// Whether events' own fields make columns, which nobody knows beforehand.
    pub(in crate::sinks::sentinel_logs) fn is_open(&self) -> bool {
        self.targets.layout == Layout::Raw && self.columns.is_none()
    }

    /// Whether the rule is asked for where it is.
    pub(in crate::sinks::sentinel_logs) fn compare_endpoint(
        &self,
        id: &str,
        rule: &DataCollectionRule,
    ) -> Vec<Finding> {
        let endpoint: &Url = self.targets.endpoints.of(id);
        compare::endpoint(id, rule, endpoint)
    }

    /// Compares one stream, and the tables that its rows reach as they are.
    pub(in crate::sinks::sentinel_logs) async fn compare_stream(
        &self,
        id: &str,
        rule: &DataCollectionRule,
        name: &str,
        written: &WrittenColumns,
    ) -> Compared {
        let stream = Stream { id, rule, name, written };
        let mut compared = Compared { findings: stream.findings(), unread: Vec::new() };
        for target in stream.targets() {
            match self.rules.table(&target.workspace, &target.table).await {
                Ok(Some(table)) => {
                    compared.findings.extend(stream.lacking_in(&target, &table));
                    compared.findings.extend(stream.plan_of(&target, &table, self.table_plan));
                }
                Ok(None) => compared.findings.push(stream.missing_table(&target)),
                Err(failure) => compared.unread.push(format!(
                    "the table {} was not compared with the stream {name} of the rule {id}: {failure}",
                    target.table
                )),
            }
        }
        compared
    }
}
