//! What Vector's `http` sinks push to: takes batches to our sinks, and answers when it is known what became of them.

mod deliveries;
mod http;
mod lines;
mod listener;
mod sinks;
#[cfg(test)]
mod tests;

pub use lines::logs;
pub use listener::Listener;
pub use sinks::{PushedSink, PushedSinks};
