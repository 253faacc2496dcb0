//! Stock Vector: both ends of the link to it, over HTTP, and the process that runs beside us.

pub mod binary;
pub mod certificates;
pub mod child;
pub mod client;
pub mod server;
