//! The way from one of our sources into Vector: pushes batches to its `vector` source.

mod connect;
mod forward;
mod peer;
#[cfg(test)]
mod tests;

pub use connect::channel;
pub use forward::{Forward, ForwardOptions};
pub use peer::VectorPeer;
