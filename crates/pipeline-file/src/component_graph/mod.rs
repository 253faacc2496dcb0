//! A file's components and how they are joined, once everything about them is right.

mod component;
mod inputs;
mod model;
mod pattern;
mod reachability;
mod top_level;
mod vector_options;

pub(super) use model::component_graph;
pub use model::{ComponentGraph, ComponentSpec, ComponentType, Kind};
pub(super) use top_level::{ONLY_IN_VECTOR, proxy_schema};
pub(super) use vector_options::{inputs_schema, take_batch, with_vector_options};

#[cfg(test)]
mod tests;
