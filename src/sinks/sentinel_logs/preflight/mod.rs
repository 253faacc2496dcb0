//! Compares data collection rules with what is written: what a rule does not declare vanishes in Azure without an error.
//!
//! [`compare`] is pure. [`Preflight`] reads rules and tables, once for a probe; [`RuleMonitor`] does so beside a running sink,
//! and [`ColumnSampler`] looks at rows whose columns nobody knows beforehand. None of it holds rows up.

mod ask;
mod column_sampler;
mod compare;
mod finding;
mod rule_monitor;
#[cfg(test)]
mod tests;
mod written_columns;

pub(super) use ask::Preflight;
pub(super) use column_sampler::ColumnSampler;
pub(super) use finding::{Finding, Severity};
pub(super) use rule_monitor::RuleMonitor;
