//! Who may push to a listener, and what they write.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::lines::Codec;
use runtime::secret::SensitiveString;

/// Who pushes to a listener.
#[derive(Clone, Debug)]
pub enum Pushers {
    /// Vector, which reads a file that was made for it.
    Vector {
        /// The sink that Vector pushed to here over gRPC, with a file that an earlier version has rendered.
        formerly_of: Option<String>,
    },
    /// Any other shipper.
    Shippers {
        /// How events are written.
        codec: Codec,
        /// What each request must have, if certificates are not enough.
        token: Option<BearerToken>,
    },
}

/// The token that a request must have. Source: <https://www.rfc-editor.org/rfc/rfc6750#section-2.1>
#[derive(Clone, Debug)]
pub struct BearerToken(SensitiveString);

// === impl Pushers ===

impl Pushers {
    pub(super) const fn codec(&self) -> Codec {
        match self {
            Self::Vector { .. } => Codec::NativeJson,
            Self::Shippers { codec, .. } => *codec,
        }
    }

    /// Whether a request with these headers may push, and ask.
    pub(super) fn admit(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::Shippers { token: Some(token), .. } => token.is_in(headers),
            Self::Vector { .. } | Self::Shippers { token: None, .. } => true,
        }
    }
}

// === impl BearerToken ===

impl BearerToken {
    /// The token that each request must have.
    #[must_use]
    pub const fn new(token: SensitiveString) -> Self {
        Self(token)
    }

    /// Takes as long for a token that is almost right as for any other.
    fn is_in(&self, headers: &HeaderMap) -> bool {
        let Some((scheme, given)) =
            headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.split_once(' '))
        else {
            return false;
        };
        // Of digests, so that it does not show how long the token is.
        let digest = |text: &str| digest(&SHA256, text.as_bytes());
        scheme.eq_ignore_ascii_case("bearer")
            && verify_slices_are_equal(digest(given.trim()).as_ref(), digest(self.0.expose()).as_ref())
                .is_ok()
    }
}
