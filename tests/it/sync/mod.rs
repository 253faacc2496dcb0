//! Incidents in sync, both ways.

pub(crate) mod bench;
mod beside_vector;
mod both_ways;
mod careful;
mod creation;
mod native;
mod options;
mod outage;
mod told;
