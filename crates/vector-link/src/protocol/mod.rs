//! Vector's native protocol: its bindings, and the way between its events and ours.

mod decode;
mod encode;
#[expect(clippy::allow_attributes, reason = "the bindings say why there")]
mod generated;
mod rescue;
#[cfg(test)]
mod tests;
mod transcode;

pub use decode::{Decoded, decode};
pub use encode::{Encoded, encode};
pub use generated::{event, vector};

/// Deepest nesting of an event, in lists and objects within each other, that Vector reads: its decoder follows a hundred
/// messages, and a level takes three of them.
/// Source: <https://docs.rs/prost/0.14/prost/#feature-flags> (`no-recursion-limit` says what the limit is)
pub const MAX_LEVELS: usize = 32;
/// Largest request, decompressed, that Vector reads.
/// Source: <https://github.com/vectordotdev/vector/blob/v0.57.0/src/sources/vector/mod.rs>
pub const MAX_REQUEST_BYTES: usize = 100 * 1024 * 1024;
