//! The Vector process beside us: how it is started ([`Launch`]), kept running ([`Supervisor`]), and how one that a killed
//! run has left behind is ended.
//!
//! The order of a clean end is the caller's: stop our sources, tell the supervisor to stop and await it, which lets
//! Vector deliver what it holds to our sinks, and only then finish those.

mod launch;
mod leftover;
mod supervisor;
#[cfg(test)]
mod tests;

pub use launch::Launch;
pub use supervisor::{Prepare, Supervisor, SupervisorCommand, SupervisorEnded, SupervisorState};
