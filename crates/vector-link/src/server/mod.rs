//! What pushes to our sinks: Vector's `http` sinks, and any other shipper that can post JSON. Takes batches to the sinks, and
//! answers when it is known what became of them.

mod content_encoding;
mod deliveries;
mod http;
mod lines;
mod listener;
mod pushers;
#[cfg(test)]
mod shippers_tests;
mod sinks;
#[cfg(test)]
mod tests;

pub use lines::{Codec, logs};
pub use listener::Listener;
pub use pushers::{BearerToken, Pushers};
pub use sinks::{PushedSink, PushedSinks};
