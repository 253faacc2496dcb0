//! The way from one of our sources into Vector: pushes batches to its `vector` source.

mod forward;
mod peer;
#[cfg(test)]
mod tests;

pub use forward::{Forward, Options};
pub use peer::Peer;
