//! What every source of incidents shares: [`Listing`] is what differs between services, [`Poller`] does one step of reading
//! at a time, and [`IncidentSource`] runs it.

mod listing;
mod options;
mod page;
mod poller;
mod source;
mod state;
#[cfg(test)]
mod tests;

pub use listing::{Listing, Weight};
pub(in crate::sources) use options::{
    Polling, default_look_back_secs, default_overlap_secs, default_poll_interval_secs,
};
pub use poller::Poller;
pub use source::IncidentSource;
pub use state::{Interrupt, State};
