//! Loads pipeline files, and reports every error of one in one run.
//!
//! Data flows one way: the file's text, the text with the environment's variables in it, a tree, the
//! checked tree, a [`ComponentGraph`]. [`read`] and [`component_graph()`] touch nothing but the file, so they are what a
//! dry check needs; [`resolve_secrets`] asks the secret backends, after which [`component_graph()`] has the values.
//!
//! Beside stock Vector, [`render()`] makes the file that Vector runs. Variables and secrets of Vector's own parts are never put
//! in: a placeholder stands for each while the file is parsed and taken apart, and it is written again as its author wrote it.
//!
//! A message never shows what came from the environment or from a secret backend: only what the file's
//! author wrote there literally.

mod check;
mod component_graph;
mod file;
mod format;
mod interpolate;
mod link;
mod listen;
mod merge;
mod outline;
mod ownership;
mod placeholders;
mod redaction;
mod reject_duplicate_keys;
mod render;
mod schema;
mod secrets;
mod source_text;
mod stock;
mod suggest;
mod text;
mod yaml_writer;

pub use component_graph::{ComponentGraph, ComponentSpec, ComponentType, Kind};
pub use file::{PipelineFile, component_graph, read, resolve_secrets};
pub use link::{LINK_DIR, Link, LinkTls, Stub, connectable, host, link_addresses, sink_path, stubs};
pub use listen::{LISTEN_DIR, Listen, ListenCodec, ListenTls};
pub use render::{Variables, render, rewritten, variables_left_to_vector};
pub use schema::document_schema;
