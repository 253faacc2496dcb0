//! Microsoft Defender XDR incidents into Vector, and any log into Microsoft Sentinel.
//!
//! What can stand alone is a crate of its own below `crates/`; here are the components of a pipeline, and the program.
//! A file names only modules on lower rows of this map, or in its own folder; `tests/structure.rs` checks it. Between
//! crates Cargo does.
//!
//! | row | module | what it is for |
//! |---|---|---|
//! | 5 | [`cli`] | one file a subcommand; alone in knowing the [`simulator`] |
//! | 4 | [`topology`] | checks components, wires them, runs and drains them |
//! | 3 | [`registry`] | the component types: one line each |
//! | 2 | [`templates`] | tables and rules to deploy, and queries over them, printed from what [`sinks`] write |
//! | 1 | [`sources`], [`sinks`] | the components: `config`, `listing` or `layout`, `encoder` and `service`, and the stream |
//! | 0 | [`component`] | what a component is: checked options that can be probed and built |
//!
//! `ARCHITECTURE.md` walks an incident, a batch of logs and a change in Sentinel through all of it.

pub mod cli;
pub mod component;
pub mod registry;
pub mod sinks;
pub mod sources;
pub mod templates;
pub mod topology;
