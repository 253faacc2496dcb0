//! A file's components and how they are joined, once everything about them is right.

mod component;
mod inputs;
mod model;
mod outer;
mod pattern;
mod reach;
mod top_level;

pub(super) use model::outline;
pub use model::{Component, ComponentType, Kind, Outline};
pub(super) use outer::{inputs_schema, take_batch, with_outer};
pub(super) use top_level::{ONLY_IN_VECTOR, proxy_schema};

#[cfg(test)]
mod tests;
