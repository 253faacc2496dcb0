//! Incidents in sync, both ways.

mod bench;
mod both_ways;
mod creation;
mod told;

pub(crate) use bench::SyncBench;
