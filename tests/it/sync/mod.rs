//! Incidents in sync, both ways.

mod bench;
mod both_ways;
mod creation;

pub(crate) use bench::SyncBench;
