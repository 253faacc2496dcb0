//! The way from one of our sources into Vector: posts lines to its `http_server` source.

mod connect;
mod forward;
mod peer;
#[cfg(test)]
mod tests;
mod wire;

pub use connect::{AddressError, edge};
pub use forward::{Forward, ForwardOptions};
pub use peer::VectorPeer;
