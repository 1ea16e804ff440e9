//! A watch channel that wakes its waiters in the order in which they began to wait.
//!
//! tokio's wakes them in random order, so two runs with the same responses would differ. This one has only what the engine
//! uses, under the same names.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The value will not change any more: the sender is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Closed;

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    bell: Notify,
}

#[derive(Debug)]
struct State<T> {
    value: T,
    changes: u64,
    is_closed: bool,
}

impl<T> Shared<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        // A panic had changed the value or not: both are whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Changes the value. Dropped, it closes.
#[derive(Debug)]
pub(super) struct Sender<T>(Arc<Shared<T>>);

/// Sees the value. Cancel-safe in all that waits.
#[derive(Debug)]
pub(super) struct Receiver<T> {
    shared: Arc<Shared<T>>,
    seen: u64,
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            seen: self.seen,
        }
    }
}

impl<T: Default> Default for Sender<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.state().is_closed = true;
        self.0.bell.notify_waiters();
    }
}

impl<T> Sender<T> {
    /// A sender of a first value.
    pub(super) fn new(value: T) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                value,
                changes: 0,
                is_closed: false,
            }),
            bell: Notify::new(),
        }))
    }

    /// A receiver that has seen the present value.
    pub(super) fn subscribe(&self) -> Receiver<T> {
        let seen = self.0.state().changes;
        Receiver {
            shared: Arc::clone(&self.0),
            seen,
        }
    }

    /// What `look` makes of the present value.
    pub(super) fn look<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.0.state().value)
    }

    /// Changes the value; `change` returns whether it did.
    pub(super) fn send_if_modified(&self, change: impl FnOnce(&mut T) -> bool) {
        let mut state = self.0.state();
        if !change(&mut state.value) {
            return;
        }
        state.changes += 1;
        drop(state);
        self.0.bell.notify_waiters();
    }

    /// Puts another value in its place.
    pub(super) fn send(&self, value: T) {
        self.send_if_modified(|before| {
            *before = value;
            true
        });
    }
}

impl<T: Clone> Receiver<T> {
    /// The present value, which counts as seen.
    pub(super) fn see(&mut self) -> T {
        let state = self.shared.state();
        self.seen = state.changes;
        state.value.clone()
    }

    /// Whether there is a value that was not seen.
    pub(super) fn has_changed(&self) -> bool {
        self.shared.state().changes != self.seen
    }

    /// Waits for a value that was not seen.
    ///
    /// # Errors
    /// [`Closed`]
    pub(super) async fn changed(&mut self) -> Result<(), Closed> {
        loop {
            // A change from here on wakes it, even before it waits.
            let rung = self.shared.bell.notified();
            {
                let state = self.shared.state();
                if state.changes != self.seen {
                    self.seen = state.changes;
                    return Ok(());
                }
                if state.is_closed {
                    return Err(Closed);
                }
            }
            rung.await;
        }
    }

    /// Waits for a value that `is_it`, which may be the present one.
    ///
    /// # Errors
    /// [`Closed`]
    pub(super) async fn wait_for(&mut self, is_it: impl Fn(&T) -> bool) -> Result<(), Closed> {
        loop {
            if is_it(&self.see()) {
                return Ok(());
            }
            self.changed().await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waiters_wake_in_the_order_in_which_they_came() {
        let sender = Sender::new(0);
        let woken = Arc::new(Mutex::new(Vec::new()));
        let mut waiters = tokio::task::JoinSet::new();
        for number in 0..20 {
            let (mut receiver, woken) = (sender.subscribe(), Arc::clone(&woken));
            waiters.spawn(async move {
                receiver.wait_for(|value| *value == 2).await.unwrap();
                woken.lock().unwrap().push(number);
            });
        }
        tokio::task::yield_now().await;
        sender.send(1);
        sender.send(2);
        waiters.join_all().await;
        assert_eq!(*woken.lock().unwrap(), (0..20).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_receiver_sees_each_change_once_and_the_end() {
        let sender = Sender::new('a');
        let mut receiver = sender.subscribe();
        sender.send('b');
        assert_eq!(receiver.changed().await, Ok(()));
        assert_eq!(receiver.see(), 'b');
        drop(sender);
        assert_eq!(receiver.changed().await, Err(Closed));
        assert_eq!(receiver.wait_for(|value| *value == 'b').await, Ok(()));
    }
}
