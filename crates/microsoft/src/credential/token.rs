//! The token of one audience: fetched when it is needed, kept until shortly before it expires.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use runtime::clock::Clock;
use runtime::secret::SensitiveString;
use tokio::time::Instant;

use crate::error::TokenError;

/// How long before it expires a token is renewed; of one that lives shorter than twice that, after half its life. One that lives
/// shorter than this is used until it is refused: rather than of a token that is, that tells of a clock that is wrong.
pub(super) const REFRESH_MARGIN: Duration = Duration::from_mins(5);
/// How long a token that is still good is not used because a new one is awaited.
const RENEWED_WITHIN: Duration = Duration::from_secs(10);
/// How long no token is renewed for being refused, after a new one was.
const NO_RENEWAL_FOR: Duration = Duration::from_mins(1);
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
    /// Held while one is fetched.
    fetching: tokio::sync::Mutex<()>,
    kept: Mutex<Option<Kept>>,
    /// Before this no token is renewed that was refused: one that was new was refused as well.
    no_renewal_before: Mutex<Option<Instant>>,
}

struct Kept {
    secret: SensitiveString,
    renew_at: Instant,
    expires_at: Instant,
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
        Self {
            identity,
            scope,
            clock,
            fetching: tokio::sync::Mutex::default(),
            kept: Mutex::default(),
            no_renewal_before: Mutex::default(),
        }
    }

    /// A token that is good now. Waits for nobody while there is one that need not be renewed, and in its last minutes for no more
    /// than one attempt to renew it, of one who asks: others go on with it, and so does he if that fails.
    pub async fn token(&self) -> Result<SensitiveString, TokenError> {
        if let Some(token) = self.good() {
            return Ok(token);
        }
        let last = self.unexpired();
        let _one_at_a_time = match (self.fetching.try_lock(), &last) {
            (Ok(one_at_a_time), _) => one_at_a_time,
            (Err(_), Some(token)) => return Ok(token.clone()),
            (Err(_), None) => self.fetching.lock().await,
        };
        if let Some(token) = self.good() {
            return Ok(token);
        }
        let Some(last) = last else { return self.fetch().await };
        tokio::select! {
            fetched = self.fetch() => Ok(fetched.unwrap_or(last)),
            () = self.clock.sleep(RENEWED_WITHIN) => Ok(last),
        }
    }

    /// A token that isn't `refused`, unless a new one was refused just before. Whoever comes second gets what the first has
    /// fetched, and others go on with the token that there is.
    pub async fn renewed_token(&self, refused: &SensitiveString) -> Result<SensitiveString, TokenError> {
        let _one_at_a_time = self.fetching.lock().await;
        if let Some(token) = self.good().filter(|token| token != refused || !self.may_renew()) {
            return Ok(token);
        }
        self.fetch().await
    }

    /// Notes that a token was refused that had just been renewed: it is not the token's fault, and one that others use must not be
    /// fetched again and again for it.
    pub fn refused_again(&self) {
        let until = self.clock.monotonic() + NO_RENEWAL_FOR;
        *self.no_renewal_before.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }

    fn may_renew(&self) -> bool {
        let before = *self.no_renewal_before.lock().unwrap_or_else(PoisonError::into_inner);
        before.is_none_or(|before| self.clock.monotonic() >= before)
    }

    /// The token that there is, if it need not be renewed yet.
    fn good(&self) -> Option<SensitiveString> {
        self.kept_until(|token| token.renew_at)
    }

    /// The token that there is, if it is good for some seconds more.
    fn unexpired(&self) -> Option<SensitiveString> {
        self.kept_until(|token| token.expires_at)
    }

    fn kept_until(&self, end: impl Fn(&Kept) -> Instant) -> Option<SensitiveString> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().filter(|token| self.clock.monotonic() < end(token)).map(|token| token.secret.clone())
    }

    async fn fetch(&self) -> Result<SensitiveString, TokenError> {
        let Token { secret, lifetime } = self.identity.fetch(&self.scope).await?;
        let lifetime = if lifetime < REFRESH_MARGIN { MAX_LIFETIME } else { lifetime.min(MAX_LIFETIME) };
        let margin = REFRESH_MARGIN.min(lifetime / 2);
        let now = self.clock.monotonic();
        let expires_at = now + lifetime.saturating_sub(RENEWED_WITHIN);
        let kept = Kept { secret: secret.clone(), renew_at: now + lifetime - margin, expires_at };
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
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
    async fn a_service_that_refuses_new_tokens_too_gets_one_a_minute_and_nobody_else_waits() {
        let identity = numbered(Duration::from_hours(1), 0);
        let (credential, clock) = (Arc::new(credential(&identity, "slow")), Clock::system());
        identity.gate.add_permits(1);
        assert_eq!(token(&credential).await, "slow 0");
        let renewing = {
            let (credential, refused) = (Arc::clone(&credential), credential.token().await.unwrap());
            tokio::spawn(async move { credential.renewed_token(&refused).await.unwrap() })
        };
        tokio::task::yield_now().await;
        assert_eq!(token(&credential).await, "slow 0", "while it is renewed, others go on with it");
        identity.gate.add_permits(10);
        let refused = renewing.await.unwrap();
        assert_eq!(refused.expose(), "slow 1");
        credential.refused_again();
        for _ in 0..5 {
            assert_eq!(credential.renewed_token(&refused).await.unwrap().expose(), "slow 1");
        }
        clock.sleep(Duration::from_mins(1)).await;
        assert_eq!(credential.renewed_token(&refused).await.unwrap().expose(), "slow 2");
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_tokens_may_be_slow_or_down_as_long_as_the_last_one_is_good() {
        let identity = numbered(Duration::from_hours(1), 0);
        let (credential, clock) = (credential(&identity, "slow"), Clock::system());
        identity.gate.add_permits(1);
        assert_eq!(token(&credential).await, "slow 0");
        clock.sleep(Duration::from_mins(56)).await;
        let began = clock.monotonic();
        assert_eq!(token(&credential).await, "slow 0");
        assert_eq!(clock.monotonic() - began, RENEWED_WITHIN);
        // Then there is none that is good.
        clock.sleep(Duration::from_mins(4)).await;
        let waits = credential.token();
        assert!(tokio::time::timeout(Duration::from_mins(5), waits).await.is_err());
        identity.gate.add_permits(1);
        assert_eq!(token(&credential).await, "slow 1");
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
