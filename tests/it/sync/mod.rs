//! Incidents in sync, both ways.

pub(crate) mod bench;
mod beside_vector;
mod both_ways;
mod careful;
mod comments;
mod conflicts;
mod creation;
mod fields;
mod native;
mod options;
mod outage;
mod owners;
mod told;
