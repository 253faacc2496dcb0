//! What the fakes have in common: faults, limits, times that never repeat, counters, `OData`.

pub(crate) mod clock;
pub(crate) mod cutter;
pub(crate) mod fault_layer;
pub(crate) mod faults;
pub(crate) mod limits;
pub(crate) mod odata;
pub(crate) mod operation;
pub(crate) mod random;
pub(crate) mod records;
pub(crate) mod request;
pub(crate) mod responses;
pub(crate) mod stats;
pub(crate) mod store;
pub(crate) mod text;
pub(crate) mod ticks;
