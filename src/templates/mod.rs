//! What a team deploys before it ingests anything: tables and data collection rules as Bicep, ARM or Terraform, and KQL to
//! read the tables with. Printed from the tables of [`crate::sinks::sentinel_logs::layout`], which rows are written by.

mod arm;
mod bicep;
mod head;
mod kql;
mod node;
mod rule;
mod syntax;
mod terraform;
#[cfg(test)]
mod tests;
mod workbook;

use crate::sinks::sentinel_logs::TablePlan;
use crate::sinks::sentinel_logs::layout::{Layout, RAW_INCIDENTS, Table};
use clap::ValueEnum;

pub use head::one_line;
pub use kql::functions;
pub use rule::{RuleStream, RuleTemplate};
pub use workbook::workbook;

/// The language of a template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Azure's own language, Bicep.
    #[default]
    Bicep,
    /// A template of Azure Resource Manager, JSON.
    Arm,
    /// Terraform, with the provider azapi.
    Terraform,
}

/// A template of everything that rows of `tables` need: the custom ones of that plan, a rule with a stream for each table, and the
/// role that lets an identity write. `name` ends the rule's default name. With `endpoint` the rule is behind a data collection
/// endpoint of its own, which Private Link needs; without, it has its own URL.
pub fn rule(tables: &[Table], name: String, plan: TablePlan, format: Format, endpoint: bool) -> String {
    let streams = tables.iter().map(|table| RuleStream::of(table, plan)).collect();
    rules(&[RuleTemplate { name, streams }], Vec::new(), format, endpoint)
}

/// The same for several rules. `notes` stand in front of it, behind how to deploy it.
pub fn rules(rules: &[RuleTemplate], notes: Vec<String>, format: Format, endpoint: bool) -> String {
    let mut head = head::how_to_deploy(format);
    head.extend(head::of_built_in(rules));
    head.extend(notes);
    let template = rule::template(rules, endpoint, head);
    match format {
        Format::Bicep => bicep::write(&template),
        Format::Arm => arm::write(&template),
        Format::Terraform => terraform::write(&template),
    }
}

/// The tables of a layout, and its name as the name of a rule ends in it. Events that stay as they are may go anywhere; of that
/// layout it is the table of incidents.
pub fn of_layout(layout: Layout) -> (&'static [Table], String) {
    let tables = match layout {
        Layout::Raw => std::slice::from_ref(&RAW_INCIDENTS),
        layout => layout.tables(),
    };
    let name = layout.to_possible_value().map(|value| value.get_name().replace('_', "-"));
    (tables, name.unwrap_or_default())
}
