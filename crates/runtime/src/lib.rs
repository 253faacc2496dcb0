//! What every component stands on, and knows no service.
//!
//! | module | what it is for |
//! |---|---|
//! | [`control`] | the mailbox for commands to the process that runs |
//! | [`delivery`] | the acknowledgement of a batch as a return value, and fan-out |
//! | [`health`] | whether a component works, since when not, why, and what to do |
//! | [`edge`] | the HTTPS edge as a port: requests out, answers in, and why there is none |
//! | [`quarantine`] | what can never be accepted, kept on disk for people (elsewhere called a dead letter queue) |
//! | [`retry`] | what happened, whether to go on, how long to wait, how much at once |
//! | [`spool`] | data that waits on disk for a destination, in order |
//! | [`store`] | the state: a port, with the state file behind it |
//! | [`files`] | the files: a port, with a real disk and one in memory behind it |
//! | [`off_thread`] | the one place that runs what blocks |
//! | [`clock`], [`secret`], [`telemetry`] | the one clock, strings that never show themselves, log lines and metrics |

pub mod clock;
pub mod control;
pub mod delivery;
pub mod edge;
pub mod files;
pub mod health;
pub mod off_thread;
pub mod quarantine;
pub mod retry;
pub mod secret;
pub mod spool;
pub mod store;
pub mod telemetry;
