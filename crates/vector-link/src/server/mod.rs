//! What Vector's `vector` sink pushes to: takes batches to one of our sinks, and answers when their fate is known.

mod deliveries;
mod listener;
mod service;
#[cfg(test)]
mod tests;

pub use listener::{Listener, ListenerOptions};
