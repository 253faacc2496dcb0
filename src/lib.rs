//! Microsoft Defender XDR incidents into Vector, and any log into Microsoft Sentinel.
//!
//! A file names only modules on lower rows of this map, or in its own folder; `tests/structure.rs` checks it.
//!
//! | row | module | what it is for |
//! |---|---|---|
//! | 7 | [`cli`] | one file a subcommand; alone in knowing the simulator |
//! | 7 | [`simulator`] | fake Entra ID, Graph, Logs Ingestion and Resource Manager over real sockets; shares nothing with the client |
//! | 6 | [`topology`] | wires components, runs and drains them |
//! | 5 | [`pipeline`] | pipeline files: text, tree, outline, plan, and the file for Vector; all mistakes at once |
//! | 5 | [`templates`] | tables and rules to deploy, and queries over them, printed from what [`sinks`] write |
//! | 4 | [`sources`], [`sinks`] | the components: `config`, `listing` or `layout`, `encoder` and `service`, and the stream |
//! | 4 | [`vector`] | stock Vector: its protocol, both ends of it, and its process |
//! | 3 | [`client`] | the HTTPS edge, one file a remote service; the only place that turns a status into a verdict |
//! | 2 | [`delivery`], [`store`], [`quarantine`], [`retry`] | mechanisms that know no service |
//! | 1 | [`clock`], [`secret`], [`telemetry`] | leaves that anyone may use |
//! | 0 | [`model`] | events, incidents' heads, the watermark, the merge of two sides: pure |
//!
//! One incident's way: [`sources::incidents::Poller`] asks [`client::graph`] for a page of a slice of time
//! ([`model::watermark`]), cuts the incidents' own bytes out of it ([`model::event::Event`]), leaves out what
//! [`store`] knows as delivered, and offers the rest to [`delivery::Deliver`]. [`sinks::sentinel_logs`] writes each as a
//! row, packs rows into requests and answers when all are accepted or in the [`quarantine`]. Only then the poller
//! records them as delivered, and moves the watermark when a whole slice is.
//!
//! Beside stock Vector the same incident goes through it: [`vector::client`] implements `Deliver` toward Vector's `vector`
//! source, and [`vector::server`] calls it when Vector's `vector` sink pushes; neither end knows of the other.
//!
//! Incidents are kept in sync by two such ways, one each way, whose sinks ([`sinks::incident_sync`]) note what they are offered
//! in the [`store`] and write what comes out of merging it with the other side ([`model::sync`]).

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
pub mod templates;
pub mod topology;
pub mod vector;
