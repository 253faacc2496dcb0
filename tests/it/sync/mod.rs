//! Incidents in sync, both ways.

mod bench;
mod both_ways;
mod conflicts;
mod creation;
mod fields;
mod owners;
mod told;

pub(crate) use bench::SyncBench;
