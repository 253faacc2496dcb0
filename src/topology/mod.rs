//! Wires components, runs them, and drains them.
//!
//! A pipeline of ours alone is wired in process. Beside stock Vector every edge goes through it: each of our sources pushes
//! to a `vector` source, each of our sinks is pushed to by a `vector` sink, and both have the ids that the user wrote.

mod beside;
mod door;
mod old_control_files;
pub mod plan;
mod process;
mod redelivery;
mod sync_pairs;
mod wiring;

pub use beside::{Beside, OurVector};
pub use process::Reload;
pub use wiring::{Ended, Topology};
