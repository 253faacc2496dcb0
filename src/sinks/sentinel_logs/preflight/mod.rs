//! Compares data collection rules with what is written: what a rule does not declare vanishes in Azure without an error.
//!
//! [`compare`] is pure. [`Preflight`] reads rules and tables, once for a probe; [`Lookout`] does so beside a running sink,
//! and [`Undeclared`] looks at rows whose columns nobody knows beforehand. None of it holds rows up.

mod ask;
mod compare;
mod finding;
mod lookout;
#[cfg(test)]
mod tests;
mod undeclared;
mod written;

pub(super) use ask::Preflight;
pub(super) use finding::{Finding, Weight};
pub(super) use lookout::Lookout;
pub(super) use undeclared::Undeclared;
