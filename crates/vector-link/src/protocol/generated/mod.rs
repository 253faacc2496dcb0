//! The bindings: written by `tests/bindings.rs`, which also checks that they are current.

#![allow(missing_docs, unreachable_pub, clippy::pedantic, reason = "a compiler has written them")]

#[rustfmt::skip]
pub mod event;
#[rustfmt::skip]
pub mod vector;
