//! Why there is no client.

use std::path::PathBuf;

use thiserror::Error;

use crate::credential::UnusableCertificate;
use crate::http::{HttpError, chain};

/// Why no client can be made from a component's options.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The HTTPS edge cannot be opened.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The application's certificate cannot be used.
    #[error("cannot use auth.certificate_path {}: {cause}", path.display())]
    Certificate {
        /// The file's path.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: UnusableCertificate,
    },
    /// The managed identities of this kind of machine are not supported.
    #[error(
        "cannot use managed_identity here: {}. Take client_certificate_credential, with an application of Entra ID and its \
         certificate, which needs nothing of the machine. If this is a virtual machine of Azure all the same, start without the \
         variables IDENTITY_ENDPOINT, IMDS_ENDPOINT and MSI_ENDPOINT", chain(.0)
    )]
    IdentitySource(#[source] azure_core::Error),
    /// The `auth` options make no credential.
    #[error("cannot use these auth options: {}", chain(.0))]
    Auth(#[source] azure_core::Error),
}
