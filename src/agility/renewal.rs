//! New tokens in the place of old ones, while requests are under way.

use std::fmt;

use futures_util::future::BoxFuture;
use tokio::sync::Mutex;

use crate::domain::{Secret, Token};
use crate::instance::Cause;

/// What gives a new token when the present one is about to expire or is refused.
pub trait Renewal: fmt::Debug + Send + Sync {
    /// Whether a request should not leave with the present token any more. Asked before each request, so it has to be cheap.
    fn is_due(&self) -> bool {
        false
    }

    /// A token in the place of `old`; another one than that.
    ///
    /// # Errors
    /// The reason in words that a user can act on; never what was read.
    fn renew<'a>(&'a self, old: &'a Secret) -> BoxFuture<'a, Result<Secret, String>>;
}

/// The token of a client, with what renews it.
#[derive(Debug)]
pub(super) struct Credential {
    token: Token,
    renewal: Option<std::sync::Arc<dyn Renewal>>,
    /// One request renews; those that find the token refused at the same time wait for what it gets.
    turn: Mutex<()>,
}

impl Credential {
    pub(super) fn new(token: Secret, renewal: Option<std::sync::Arc<dyn Renewal>>) -> Self {
        Self {
            token: Token::new(token),
            renewal,
            turn: Mutex::new(()),
        }
    }

    /// The token itself, which a user may replace as well.
    pub(super) fn token(&self) -> Token {
        self.token.clone()
    }

    /// The token to send. Where a renewal that is due fails, the present one, which the server may still take.
    pub(super) async fn to_send(&self) -> Secret {
        let present = self.token.current();
        match &self.renewal {
            Some(renewal) if renewal.is_due() => {
                let renewed = self.renew(renewal.as_ref(), &present).await;
                renewed.unwrap_or(present)
            }
            Some(_) | None => present,
        }
    }

    /// What a refusal of `sent` (HTTP 401) comes to.
    pub(super) async fn refused(&self, sent: &Secret) -> Cause {
        let Some(renewal) = &self.renewal else {
            return Cause::Unauthorised;
        };
        match self.renew(renewal.as_ref(), sent).await {
            Ok(_) => Cause::Renewed,
            Err(reason) => Cause::NotRenewed(reason),
        }
    }

    async fn renew(&self, renewal: &dyn Renewal, old: &Secret) -> Result<Secret, String> {
        let _turn = self.turn.lock().await;
        let present = self.token.current();
        if present != *old {
            // Another request, or the user, was first.
            return Ok(present);
        }
        let new = renewal.renew(old).await?;
        self.token.renew(new.clone());
        Ok(new)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::FutureExt as _;

    use super::*;

    #[derive(Debug, Default)]
    struct Counted {
        asked: AtomicUsize,
        fails: bool,
        is_due: bool,
    }

    impl Renewal for Counted {
        fn is_due(&self) -> bool {
            self.is_due
        }

        fn renew<'a>(&'a self, _: &'a Secret) -> BoxFuture<'a, Result<Secret, String>> {
            async {
                tokio::task::yield_now().await;
                let number = self.asked.fetch_add(1, Ordering::Relaxed);
                if self.fails {
                    return Err("no more".to_owned());
                }
                Ok(Secret::new(&format!("token-number-{number}")))
            }
            .boxed()
        }
    }

    fn of(renewal: Counted) -> (Arc<Counted>, Credential) {
        let renewal = Arc::new(renewal);
        let credential = Credential::new(Secret::new("the-first-token"), Some(renewal.clone()));
        (renewal, credential)
    }

    #[tokio::test]
    async fn requests_that_are_refused_at_the_same_time_renew_once() {
        let (renewal, credential) = of(Counted::default());
        let sent = credential.to_send().await;
        let both = tokio::join!(credential.refused(&sent), credential.refused(&sent));
        assert_eq!(both, (Cause::Renewed, Cause::Renewed));
        assert_eq!(renewal.asked.load(Ordering::Relaxed), 1);
        assert_eq!(credential.to_send().await.expose(), "token-number-0");
    }

    #[tokio::test]
    async fn a_renewal_that_is_due_and_fails_leaves_the_present_token() {
        let (_, credential) = of(Counted {
            fails: true,
            is_due: true,
            ..Counted::default()
        });
        let sent = credential.to_send().await;
        assert_eq!(sent.expose(), "the-first-token");
        let refused = credential.refused(&sent).await;
        assert_eq!(refused, Cause::NotRenewed("no more".to_owned()));
    }

    #[tokio::test]
    async fn without_a_renewal_a_refusal_stays_one() {
        let credential = Credential::new(Secret::new("the-first-token"), None);
        let sent = credential.to_send().await;
        assert_eq!(credential.refused(&sent).await, Cause::Unauthorised);
    }
}
