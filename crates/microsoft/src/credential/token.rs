//! The token of one audience: fetched when it is needed, kept until shortly before it expires.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use runtime::clock::Clock;
use runtime::secret::SensitiveString;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::error::TokenError;

/// How long before it expires a token is renewed; of one that lives shorter than twice that, after half its life. One that lives
/// shorter than this is used until it is refused: rather than of a token that is, that tells of a clock that is wrong.
pub(super) const REFRESH_MARGIN: Duration = Duration::from_mins(5);
/// Longest that a token is believed to live, whatever its issuer says.
/// Source: <https://learn.microsoft.com/entra/identity-platform/configurable-token-lifetimes>
const MAX_LIFETIME: Duration = Duration::from_hours(24);

/// Whoever gives tokens to one identity. Keeps nothing: each call asks.
#[async_trait]
pub trait TokenProvider: Send + Sync {
    /// A new token for `scope`, such as `https://graph.microsoft.com/.default`.
    async fn fetch(&self, scope: &str) -> Result<Token, TokenError>;
}

/// A token, and how long it lives from now on.
#[derive(Clone, Debug)]
pub struct Token {
    /// What goes into the header `Authorization` after `Bearer`.
    pub secret: SensitiveString,
    /// How long it is good for.
    pub lifetime: Duration,
}

/// The token of one identity for one audience. Whoever wants it while it is being fetched waits for that, and for nothing else.
pub struct Credential {
    identity: Arc<dyn TokenProvider>,
    scope: String,
    clock: Clock,
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    secret: SensitiveString,
    renew_at: Instant,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("scope", &self.scope).finish_non_exhaustive()
    }
}

// === impl Credential ===

impl Credential {
    /// The token for `scope`. Asks for nothing yet.
    pub fn new(identity: Arc<dyn TokenProvider>, scope: String, clock: Clock) -> Self {
        Self { identity, scope, clock, kept: Mutex::new(None) }
    }

    /// A token that is good now.
    pub async fn token(&self) -> Result<SensitiveString, TokenError> {
        let mut kept = self.kept.lock().await;
        match &*kept {
            Some(token) if self.clock.monotonic() < token.renew_at => Ok(token.secret.clone()),
            _ => self.fetch(&mut kept).await,
        }
    }

    /// A token that isn't `refused`. Whoever comes second gets what the first has fetched.
    pub async fn renewed_token(&self, refused: &SensitiveString) -> Result<SensitiveString, TokenError> {
        let mut kept = self.kept.lock().await;
        match &*kept {
            Some(token) if token.secret != *refused => Ok(token.secret.clone()),
            _ => self.fetch(&mut kept).await,
        }
    }

    async fn fetch(&self, kept: &mut Option<Kept>) -> Result<SensitiveString, TokenError> {
        *kept = None;
        let Token { secret, lifetime } = self.identity.fetch(&self.scope).await?;
        let lifetime = if lifetime < REFRESH_MARGIN { MAX_LIFETIME } else { lifetime.min(MAX_LIFETIME) };
        let margin = REFRESH_MARGIN.min(lifetime / 2);
        *kept = Some(Kept { secret: secret.clone(), renew_at: self.clock.monotonic() + lifetime - margin });
        Ok(secret)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    /// Gives tokens with numbers, when it is let.
    struct Numbered {
        given: AtomicU64,
        lifetime: Duration,
        gate: Semaphore,
    }

    fn numbered(lifetime: Duration, open: usize) -> Arc<Numbered> {
        Arc::new(Numbered { given: AtomicU64::new(0), lifetime, gate: Semaphore::new(open) })
    }

    #[async_trait]
    impl TokenProvider for Numbered {
        async fn fetch(&self, scope: &str) -> Result<Token, TokenError> {
            if scope == "slow" {
                self.gate.acquire().await.unwrap().forget();
            }
            let number = self.given.fetch_add(1, Ordering::Relaxed);
            Ok(Token { secret: format!("{scope} {number}").into(), lifetime: self.lifetime })
        }
    }

    fn credential(identity: &Arc<Numbered>, scope: &str) -> Credential {
        Credential::new(Arc::clone(identity) as _, scope.to_owned(), Clock::system())
    }

    async fn token(credential: &Credential) -> String {
        credential.token().await.unwrap().expose().to_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_kept_until_five_minutes_before_it_expires() {
        let identity = numbered(Duration::from_hours(1), 0);
        let (credential, clock) = (credential(&identity, "a"), Clock::system());
        assert_eq!(token(&credential).await, "a 0");
        clock.sleep(Duration::from_mins(54)).await;
        assert_eq!(token(&credential).await, "a 0");
        clock.sleep(Duration::from_mins(2)).await;
        assert_eq!(token(&credential).await, "a 1");
    }

    #[tokio::test(start_paused = true)]
    async fn neither_a_short_life_nor_an_endless_one_is_taken_at_its_word() {
        let clock = Clock::system();
        // One that has ended already, by our clock, too.
        for lifetime in [Duration::from_mins(2), Duration::ZERO] {
            let short = credential(&numbered(lifetime, 0), "a");
            let refused = short.token().await.unwrap();
            clock.sleep(Duration::from_hours(1)).await;
            assert_eq!(token(&short).await, "a 0");
            assert_eq!(short.renewed_token(&refused).await.unwrap().expose(), "a 1");
        }
        let brief = credential(&numbered(Duration::from_mins(8), 0), "a");
        assert_eq!(token(&brief).await, "a 0");
        clock.sleep(Duration::from_secs(241)).await;
        assert_eq!(token(&brief).await, "a 1");
        let endless = credential(&numbered(Duration::MAX, 0), "a");
        assert_eq!(token(&endless).await, "a 0");
        clock.sleep(Duration::from_hours(24)).await;
        assert_eq!(token(&endless).await, "a 1");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_token_is_renewed_once_for_all_who_had_it() {
        let credential = credential(&numbered(Duration::from_hours(1), 0), "a");
        let refused = credential.token().await.unwrap();
        for _ in 0..2 {
            assert_eq!(credential.renewed_token(&refused).await.unwrap().expose(), "a 1");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_audience_does_not_wait_for_another() {
        let identity = numbered(Duration::from_hours(1), 0);
        let (slow, quick) = (credential(&identity, "slow"), credential(&identity, "quick"));
        let waiting = tokio::spawn(async move { token(&slow).await });
        tokio::task::yield_now().await;
        assert_eq!(token(&quick).await, "quick 0");
        assert!(!waiting.is_finished());
        identity.gate.add_permits(1);
        assert_eq!(waiting.await.unwrap(), "slow 1");
    }
}
