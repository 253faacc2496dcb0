//! Stock Vector: its protocol, both ends of it, and the process that runs beside us.

pub mod binary;
pub mod certificates;
pub mod child;
pub mod client;
pub mod protocol;
pub mod server;
