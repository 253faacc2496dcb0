//! Tests of the whole, against the simulator: one binary, so that it is linked once.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, in its harness too")]

mod beside_vector;
mod cli;
mod concurrency;
mod contract;
mod credentials;
mod demo;
mod events;
mod fake_vector;
mod generate;
mod harness;
mod in_process;
mod incident_clients;
mod kill;
mod layouts;
mod memory;
mod pipeline;
mod preflight;
mod python_client;
mod quarantine;
mod readme;
mod render;
mod returning;
mod rig;
mod routing;
mod sentinel_source;
mod sink;
mod sink_storm;
mod source;
mod source_faults;
mod source_oddities;
mod sync;
mod sync_model;
mod table_plan;
mod upgrade;
mod workspace;
