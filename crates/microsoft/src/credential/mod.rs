//! Tokens of Entra ID, under Vector's option names.
//!
//! [`TokenProvider`] is a port: `azure_identity` is behind it, over our own edge. When a token is fetched is decided here, by our
//! clock: [`Credential`] keeps the token of one audience, so that nobody waits for another audience's.

mod assertion;
mod azure;
pub(crate) mod certificate;
mod config;
mod identity_endpoint;
mod remedy;
mod token;

pub use assertion::UnusableCertificate;
pub use config::{AuthConfig, CredentialKind, IdentityIdType};
pub(crate) use identity_endpoint::Refusal;
pub(crate) use remedy::remedy_for;
pub use token::{Credential, Token, TokenProvider};
