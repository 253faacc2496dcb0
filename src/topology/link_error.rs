//! Why a component and Vector cannot be linked.

use std::path::PathBuf;

use model::problem::{Problem, words};
use runtime::quarantine::QuarantineError;
use thiserror::Error;
use vector_link::certificates::CertificateError;
use vector_link::client::AddressError;

/// Why a component and Vector cannot be linked.
#[derive(Debug, Error)]
pub(super) enum LinkError {
    /// A certificate or a key cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The quarantine of what Vector refuses cannot be opened.
    #[error(transparent)]
    Quarantine(#[from] QuarantineError),
    /// Nobody can listen there.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address, `host:port`.
        address: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The address of a source is none.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// There is no port for Vector to listen on.
    #[error("cannot find a free port on 127.0.0.1: {0}")]
    NoPort(#[source] std::io::Error),
    /// Vector's part of the file cannot be printed.
    #[error("cannot write Vector's configuration: {}", words(.0, "; "))]
    Render(Vec<Problem>),
    /// Vector's part of the file cannot be stored.
    #[error("cannot write Vector's configuration into {}: {source}", .dir.display())]
    Write {
        /// The directory of Vector's run.
        dir: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}
