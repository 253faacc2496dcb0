//! Pure data and rules: no I/O, no async, no clock.

pub mod event;
pub mod incident;
pub mod problem;
pub mod sync;
pub mod value;
pub mod watermark;
