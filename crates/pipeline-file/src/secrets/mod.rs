//! `SECRET[backend.key]`: values that are fetched when a pipeline starts, from where `secret` says.
//!
//! Checking needs no backend; fetching does. A fetched value is put into the parsed tree, so that whatever
//! characters it has, it cannot change what the file says.
//!
//! <https://vector.dev/docs/reference/configuration/#secrets-management>

mod backend;
mod error;
mod exec;
mod reference;
mod resolve;

pub(super) use backend::{ONLY_IN_VECTOR, catalogue, declared};
pub(super) use reference::has_secret_reference;
pub(super) use resolve::{check_references, resolve};

#[cfg(test)]
mod tests;
