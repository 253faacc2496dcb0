//! Checks a tree against the JSON Schema of a config struct and reports every error.
//!
//! It knows the keywords that schemars writes. Where JSON Schema and serde disagree it sides with serde:
//! `1.0` is no whole number, and a map with named options takes no others unless its schema says so.

mod choice;
mod names;
mod scalar;
mod units;
mod walk;

pub(super) use scalar::kind;
pub(super) use walk::check;

#[cfg(test)]
mod tests;
