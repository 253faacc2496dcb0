//! Pure data and rules: no I/O, no async, no clock.

pub mod event;
pub mod incident;
pub mod json;
pub mod problem;
pub mod time;
pub mod value;
pub mod watermark;
