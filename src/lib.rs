//! Microsoft Defender XDR incidents into Vector, and any log into Microsoft Sentinel.

pub mod cli;
pub mod client;
pub mod clock;
pub mod delivery;
pub mod model;
pub mod pipeline;
pub mod quarantine;
pub mod retry;
pub mod secret;
pub mod simulator;
pub mod sinks;
pub mod sources;
pub mod store;
pub mod telemetry;
pub mod topology;
