//! Trying again: what happened ([`Verdict`]), whether to go on ([`policy`]), how long to wait ([`backoff`]), what the
//! server asked for ([`retry_after`]), and not to ask too often ([`quota`]) or too much at once ([`concurrency`]) in the
//! first place.

pub mod backoff;
pub mod concurrency;
mod limit;
pub mod policy;
pub mod quota;
pub mod retry_after;
mod verdict;

pub use verdict::Verdict;
