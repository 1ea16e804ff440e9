//! Keeps the lease of a pair while a run works on it, and notifies the run when it is lost.
//!
//! The lease is renewed three times during its term, so that one slow disk flush does not lose it. A renewal that fails
//! is tried again until the term ends; from then on another run may have begun. What is in flight is dropped then: the
//! other run finds the open intents and reconciles them, and two runs that reconcile the same intent would harm each
//! other. A process that was suspended resumes with requests about to leave, before the lease is checked. So each write
//! passes the [`Fence`] right before it leaves, which compares the clock alone; what the connection already has cannot be
//! recalled. The task that renews belongs to the run's keeper and ends with it.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::signal;
use crate::planted::{self, Bug};
use crate::store::{Lease, LeaseOwner, Pair, Store, StoreError};

/// Why the lease is lost; `None` while it is held.
pub(super) type Lost = watch::Receiver<Option<StoreError>>;

/// Lets writes pass while the lease is known to be held.
#[derive(Clone, Debug)]
pub struct Fence(signal::Receiver<Instant>);

impl Fence {
    /// Waits until the lease is known to be held: no time as a rule. For good when it was lost; then the run ends and
    /// drops what waits. Cancel-safe.
    pub(super) async fn pass(&self) {
        if planted::has(Bug::WritesWithoutLease) {
            return;
        }
        let mut held_until = self.0.clone();
        let is_held = |end: &Instant| Instant::now() < *end;
        let is_over = held_until.wait_for(is_held).await.is_err();
        if is_over {
            std::future::pending::<()>().await;
        }
    }
}

/// Holds a lease. Dropping it lets the lease expire.
#[derive(Debug)]
pub(super) struct Keeper {
    store: Store,
    renewing: JoinSet<Lease>,
    ended: CancellationToken,
    lost: Lost,
    fence: Fence,
    ended_ago: Option<Duration>,
}

impl Keeper {
    /// Takes the lease and keeps it for `ttl` at a time.
    ///
    /// # Errors
    /// [`StoreError::LeaseHeld`] while another run has it.
    pub(super) async fn acquire(
        store: &Store,
        pair: &Pair,
        owner: LeaseOwner,
        ttl: Duration,
    ) -> Result<Self, StoreError> {
        let asked = Instant::now();
        let lease = store.acquire_lease(pair, owner, ttl).await?;
        let ended_ago = lease.ended_ago();
        let ended = CancellationToken::new();
        let (tell, lost) = watch::channel(None);
        let extend = signal::Sender::new(asked + ttl);
        let held_until = extend.subscribe();
        let mut renewing = JoinSet::new();
        let renewal = Renewal {
            store: store.clone(),
            lease,
            ttl,
            held_until: extend,
            lost: tell,
        };
        renewing.spawn(renewal.run(ended.clone()));
        Ok(Self {
            store: store.clone(),
            renewing,
            ended,
            lost,
            fence: Fence(held_until),
            ended_ago,
        })
    }

    /// What every write has to pass.
    pub(super) fn fence(&self) -> Fence {
        self.fence.clone()
    }

    /// Reports a loss.
    pub(super) fn lost(&self) -> Lost {
        self.lost.clone()
    }

    /// How much of `request_timeout` is left in which a request may still be under way that the former owner of the lease sent,
    /// where that ran on another machine and did not give it back. `None` where there is nothing to wait for.
    pub(super) fn former_requests(&self, request_timeout: Duration) -> Option<Duration> {
        let left = request_timeout.checked_sub(self.ended_ago?)?;
        (!left.is_zero()).then_some(left)
    }

    /// Gives the lease back. When that cannot be stored, it ends by itself.
    pub(super) async fn release(mut self) {
        self.ended.cancel();
        if let Some(Ok(lease)) = self.renewing.join_next().await {
            drop(self.store.release_lease(lease).await);
        }
    }
}

/// The task that renews.
struct Renewal {
    store: Store,
    lease: Lease,
    ttl: Duration,
    held_until: signal::Sender<Instant>,
    lost: watch::Sender<Option<StoreError>>,
}

impl Renewal {
    /// Renews until `ended`, and gives the lease back then.
    async fn run(self, ended: CancellationToken) -> Lease {
        let mut pause = self.ttl / 3;
        loop {
            tokio::select! {
                biased;
                () = ended.cancelled() => return self.lease,
                () = tokio::time::sleep(pause) => {}
            }
            let asked = Instant::now();
            match self.store.renew_lease(&self.lease, self.ttl).await {
                Ok(()) => {
                    self.held_until.send(asked + self.ttl);
                    pause = self.ttl / 3;
                }
                Err(error) => {
                    let is_taken = matches!(error, StoreError::LeaseLost { .. });
                    if is_taken || self.held_until.look(|end| Instant::now() >= *end) {
                        if !planted::has(Bug::KeepsLossToItself) {
                            self.lost.send_replace(Some(error));
                        }
                        ended.cancelled().await;
                        return self.lease;
                    }
                    pause = self.ttl / 10;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Guid, RunId};

    fn pair() -> Pair {
        Pair {
            source: Guid::new("1a2b3c4d-u"),
            target: Guid::new("5e6f7a8b-u"),
        }
    }

    fn owner(run: &str) -> LeaseOwner {
        LeaseOwner {
            owner: "maria".to_owned(),
            host: "desk".to_owned(),
            process: 4711,
            run: RunId(run.to_owned()),
        }
    }

    #[tokio::test]
    async fn one_run_has_it_and_the_next_gets_it_back() {
        let store = Store::open_in_memory().await.unwrap();
        let ttl = Duration::from_mins(1);
        let first = Keeper::acquire(&store, &pair(), owner("first"), ttl)
            .await
            .unwrap();
        let refused = Keeper::acquire(&store, &pair(), owner("second"), ttl).await;
        assert!(matches!(refused, Err(StoreError::LeaseHeld { .. })));
        assert!(first.lost().borrow().is_none());
        first.fence().pass().await;
        first.release().await;
        let second = Keeper::acquire(&store, &pair(), owner("second"), ttl).await;
        second.unwrap().release().await;
    }

    #[tokio::test]
    async fn a_lease_that_another_run_took_over_is_lost() {
        let store = Store::open_in_memory().await.unwrap();
        // It has ended before it can be renewed.
        let ttl = Duration::from_millis(3);
        let sleeper = Keeper::acquire(&store, &pair(), owner("sleeper"), Duration::ZERO)
            .await
            .unwrap();
        let next = Keeper::acquire(&store, &pair(), owner("next"), Duration::from_mins(1)).await;
        let mut lost = sleeper.lost();
        let why = lost.wait_for(Option::is_some).await.unwrap().clone();
        assert!(matches!(why, Some(StoreError::LeaseLost { .. })), "{why:?}");
        let passed = tokio::time::timeout(ttl, sleeper.fence().pass()).await;
        assert!(passed.is_err(), "a write got past the fence");
        // Giving back what is lost does not touch the new owner.
        sleeper.release().await;
        assert!(next.as_ref().unwrap().lost().borrow().is_none());
        let third = Keeper::acquire(&store, &pair(), owner("third"), ttl).await;
        assert!(matches!(third, Err(StoreError::LeaseHeld { .. })));
    }

    #[tokio::test]
    async fn a_lease_that_cannot_be_renewed_is_lost_when_it_ends() {
        let store = Store::open_in_memory().await.unwrap();
        let ttl = Duration::from_millis(20);
        let keeper = Keeper::acquire(&store, &pair(), owner("first"), ttl)
            .await
            .unwrap();
        store.fail_after(0);
        let why = keeper
            .lost()
            .wait_for(Option::is_some)
            .await
            .unwrap()
            .clone();
        assert!(matches!(why, Some(StoreError::Full { .. })), "{why:?}");
    }
}
