//! Loads pipeline files, and tells everything that is wrong with one in one go.
//!
//! Data flows one way: the file's text, the text with the environment's variables in it, a tree, the
//! checked tree, an [`Outline`]. [`read`] and [`outline()`] touch nothing but the file, so they are what a
//! dry check needs; [`resolve_secrets`] asks the secret backends, after which [`outline()`] has the values.
//!
//! A message never shows what came from the environment or from a secret backend: only what the file's
//! author wrote there literally.

mod check;
mod file;
mod format;
mod interpolate;
mod near;
mod outline;
pub mod plan;
mod schema;
mod secrets;
mod stock;
mod text;
mod unique;
mod wording;

pub use file::{File, outline, read, resolve_secrets};
pub use outline::{Component, ComponentType, Kind, Outline};
pub use schema::document_schema;
