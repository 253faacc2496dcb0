//! Loads pipeline files, and tells everything that is wrong with one in one go.
//!
//! Data flows one way: the file's text, the text with the environment's variables in it, a tree, the
//! checked tree, an [`Outline`]. [`read`] and [`outline()`] touch nothing but the file, so they are what a
//! dry check needs; [`resolve_secrets`] asks the secret backends, after which [`outline()`] has the values.
//!
//! Beside stock Vector, [`render()`] makes the file that Vector runs. Variables and secrets of Vector's own parts are never put
//! in: a mark stands for each while the file is parsed and taken apart, and it is written again as its author wrote it.
//!
//! A message never shows what came from the environment or from a secret backend: only what the file's
//! author wrote there literally.

mod check;
mod emit;
mod file;
mod format;
mod interpolate;
mod link;
mod marks;
mod merge;
mod near;
mod outline;
mod parts;
mod render;
mod schema;
mod secrets;
mod stock;
mod text;
mod unique;
mod wording;

pub use file::{File, outline, read, resolve_secrets};
pub use link::{LINK_DIR, Link, LinkTls, Stub, connectable, host, link_addresses, stubs};
pub use outline::{Component, ComponentType, Kind, Outline};
pub use render::{render, variables_left_to_vector};
pub use schema::document_schema;
