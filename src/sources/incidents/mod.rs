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
pub use options::{Polling, PollingConfig};
pub use poller::Poller;
pub use source::IncidentSource;
pub use state::{Interrupt, State};

use crate::component::Probed;
use microsoft::ServiceError;

/// What asking a service for an incident came to.
pub(in crate::sources) fn probed(found: Result<usize, ServiceError>) -> Vec<Probed> {
    vec![match found {
        Ok(0) => Probed::Works("reading works; there was no incident to read".to_owned()),
        Ok(_) => Probed::Works("reading works".to_owned()),
        Err(error) => Probed::Failed(error.to_string()),
    }]
}
