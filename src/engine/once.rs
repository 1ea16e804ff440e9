//! One read of a source, shared by several runs.
//!
//! The first run starts the read, and runs that need it meanwhile wait for the same result. The read belongs to none of them:
//! a run that ends early leaves it to the others, and it is cancelled with the last run that waits.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{BoxFuture, FutureExt as _, Shared, WeakShared};

use crate::domain::{Inventory, Locale, SourceId};

/// What was read, or why it could not be.
type Read<E> = Result<Arc<Inventory<SourceId>>, E>;

/// A reading that several wait for.
type Reading<E> = BoxFuture<'static, Read<E>>;

/// What was read of a source, and what is being read, by the locales that were asked for.
pub struct ReadOnce<E>(Mutex<HashMap<Vec<Locale>, State<E>>>);

enum State<E> {
    /// Gone when no run waits for it any more.
    Reading(WeakShared<Reading<E>>),
    Done(Read<E>),
}

impl<E> Default for ReadOnce<E> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<E: Clone> ReadOnce<E> {
    /// A source that was read before, in these locales.
    pub fn of_known(inventory: Arc<Inventory<SourceId>>) -> Self {
        let locales = inventory.locales.clone();
        let known = HashMap::from([(locales, State::Done(Ok(inventory)))]);
        Self(Mutex::new(known))
    }

    /// What is known for these locales, or else what comes of `read`.
    pub(super) async fn of(
        &self,
        locales: &[Locale],
        read: impl Future<Output = Read<E>> + Send + 'static,
    ) -> Read<E> {
        let reading = match self.begun(locales, read) {
            Ok(done) => return done,
            Err(reading) => reading,
        };
        let done = reading.await;
        let state = State::Done(done.clone());
        self.lock().insert(locales.to_vec(), state);
        done
    }

    fn begun(
        &self,
        locales: &[Locale],
        read: impl Future<Output = Read<E>> + Send + 'static,
    ) -> Result<Read<E>, Shared<Reading<E>>> {
        let mut known = self.lock();
        match known.get(locales) {
            Some(State::Done(done)) => return Ok(done.clone()),
            Some(State::Reading(reading)) => {
                if let Some(reading) = reading.upgrade() {
                    return Err(reading);
                }
            }
            None => {}
        }
        let reading = read.boxed().shared();
        if let Some(weak) = reading.downgrade() {
            known.insert(locales.to_vec(), State::Reading(weak));
        }
        Err(reading)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Vec<Locale>, State<E>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E> fmt::Debug for ReadOnce<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadOnce").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;
    use crate::domain::Guid;

    fn parts() -> (ReadOnce<()>, Arc<AtomicUsize>, Arc<Notify>) {
        (ReadOnce::default(), Arc::default(), Arc::default())
    }

    fn read(begun: &Arc<AtomicUsize>, go: &Arc<Notify>) -> impl Future<Output = Read<()>> + use<> {
        let (begun, go) = (Arc::clone(begun), Arc::clone(go));
        async move {
            begun.fetch_add(1, Ordering::Relaxed);
            go.notified().await;
            Ok(Arc::new(Inventory::empty(Guid::new("1a2b3c4d-u"))))
        }
    }

    #[tokio::test]
    async fn a_run_that_leaves_does_not_end_the_reading_of_the_others() {
        let (once, begun, go) = parts();
        let locales = [Locale::new("en-us")];
        let first = once.of(&locales, read(&begun, &go));
        let second = once.of(&locales, read(&begun, &go));
        let mut first = Box::pin(first);
        assert!(first.as_mut().now_or_never().is_none());
        let mut second = Box::pin(second);
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        go.notify_one();
        let found = second.await.unwrap();
        let later = once.of(&locales, read(&begun, &go)).await.unwrap();
        assert!(Arc::ptr_eq(&found, &later));
        assert_eq!(begun.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_reading_that_everybody_left_begins_anew() {
        let (once, begun, go) = parts();
        let locales = [Locale::new("en-us")];
        assert!(
            once.of(&locales, read(&begun, &go))
                .now_or_never()
                .is_none()
        );
        go.notify_one();
        once.of(&locales, read(&begun, &go)).await.unwrap();
        assert_eq!(begun.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn other_locales_are_another_reading() {
        let (once, begun, go) = parts();
        for code in ["en-us", "fr-ca", "en-us"] {
            go.notify_one();
            once.of(&[Locale::new(code)], read(&begun, &go))
                .await
                .unwrap();
        }
        assert_eq!(begun.load(Ordering::Relaxed), 2);
    }
}
