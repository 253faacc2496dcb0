//! Tokens of Entra ID, by way of `azure_identity`, under Vector's option names.

mod assertion;
mod config;
mod remedy;
mod token;

pub use config::{AuthConfig, CredentialKind, IdentityIdType};
pub use token::Credential;
