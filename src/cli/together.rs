//! One question for several targets: what each would get is shown when every plan is made, and asked about once.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{BoxFuture, FutureExt as _, Shared};
use tokio::sync::Notify;

use crate::report;

/// The targets of a command that may have to be agreed to.
#[derive(Default)]
pub(super) struct Together {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    next: usize,
    /// The runs that have a seat, each with what it asks about; `None` as long as its plan is not made.
    seats: BTreeMap<usize, Option<Asking>>,
    answer: Option<Shared<BoxFuture<'static, bool>>>,
}

/// What a run asks about.
struct Asking {
    target: String,
    summary: Vec<String>,
}

/// The place of a run among those that are asked about. Dropped, the others no longer wait for it.
pub(super) struct Seat {
    number: usize,
    together: Arc<Together>,
}

impl Together {
    /// A place for one more run.
    pub(super) fn seat(self: &Arc<Self>) -> Seat {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.seats.insert(number, None);
        Seat {
            number,
            together: Arc::clone(self),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Has nothing to ask about; the others no longer wait for it.
    pub(super) fn leave(&self) {
        self.together.lock().seats.remove(&self.number);
        self.together.changed.notify_waiters();
    }

    /// Whether the user agrees to write what is in the summary, and in those of all other runs that ask. `ask` puts the
    /// question, once for all.
    pub(super) async fn agrees(
        &self,
        target: String,
        summary: Vec<String>,
        ask: impl FnOnce(String) -> BoxFuture<'static, bool> + Send,
    ) -> bool {
        let asking = Asking { target, summary };
        self.together.lock().seats.insert(self.number, Some(asking));
        self.together.changed.notify_waiters();
        // Given up while it waits, it asks about nothing more.
        let waiting = Waiting(Some(self));
        let answer = self.answer(ask).await;
        let agreed = answer.await;
        waiting.over();
        agreed
    }

    async fn answer(
        &self,
        ask: impl FnOnce(String) -> BoxFuture<'static, bool> + Send,
    ) -> Shared<BoxFuture<'static, bool>> {
        loop {
            let mut changed = std::pin::pin!(self.together.changed.notified());
            changed.as_mut().enable();
            if let Some(answer) = self.together.lock().answer.clone() {
                return answer;
            }
            if self.together.lock().is_complete() {
                break;
            }
            changed.await;
        }
        let mut state = self.together.lock();
        let question = state.question();
        let answer = state.answer.get_or_insert_with(|| ask(question).shared());
        answer.clone()
    }
}

/// Takes a run out of the question when it is dropped before there is an answer.
struct Waiting<'a>(Option<&'a Seat>);

impl Waiting<'_> {
    fn over(mut self) {
        self.0 = None;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(seat) = self.0 {
            seat.leave();
        }
    }
}

impl State {
    fn is_complete(&self) -> bool {
        self.seats.values().all(Option::is_some)
    }

    /// Shows what would be written, and says what is asked.
    fn question(&self) -> String {
        let asking: Vec<&Asking> = self.seats.values().flatten().collect();
        if self.answer.is_none() {
            let lines = asking.iter().flat_map(|one| &one.summary);
            lines.for_each(|line| report::tell(line));
        }
        let targets: Vec<&str> = asking.iter().map(|one| one.target.as_str()).collect();
        format!("Write this to {}? [y/N] ", targets.join(", "))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.leave();
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// The questions that were put.
    type Asked = Arc<Mutex<Vec<String>>>;

    fn ask(asked: &Asked, answer: bool) -> impl FnOnce(String) -> BoxFuture<'static, bool> + Send {
        move |question| {
            asked.lock().unwrap().push(question);
            async move { answer }.boxed()
        }
    }

    fn agrees<'a>(
        seat: &'a Seat,
        target: &str,
        asked: &'a Asked,
    ) -> impl Future<Output = bool> + 'a {
        seat.agrees(target.to_owned(), Vec::new(), ask(asked, true))
    }

    #[tokio::test]
    async fn all_that_have_something_to_write_are_one_question() {
        let (together, asked) = (Arc::new(Together::default()), Asked::default());
        let seats = [together.seat(), together.seat(), together.seat()];
        let [qa, prod, idle] = &seats;
        let count = AtomicUsize::new(0);
        let leaving = async {
            tokio::task::yield_now().await;
            assert_eq!(asked.lock().unwrap().len(), 0, "one plan is not made");
            count.fetch_add(1, Ordering::Relaxed);
            idle.leave();
        };
        let (first, second, ()) = tokio::join!(
            agrees(qa, "qa", &asked),
            agrees(prod, "prod", &asked),
            leaving
        );
        assert!(first && second);
        assert_eq!(*asked.lock().unwrap(), ["Write this to qa, prod? [y/N] "]);
        assert_eq!(count.into_inner(), 1);
    }

    #[tokio::test]
    async fn one_that_ends_while_it_waits_is_not_asked_about() {
        let (together, asked) = (Arc::new(Together::default()), Asked::default());
        let (qa, prod) = (together.seat(), together.seat());
        assert!(agrees(&qa, "qa", &asked).now_or_never().is_none());
        assert!(agrees(&prod, "prod", &asked).await);
        assert_eq!(*asked.lock().unwrap(), ["Write this to prod? [y/N] "]);
    }

    #[tokio::test]
    async fn a_no_is_a_no_for_all() {
        let (together, asked) = (Arc::new(Together::default()), Asked::default());
        let (qa, prod) = (together.seat(), together.seat());
        let no = |seat: Seat, asked: Asked| async move {
            seat.agrees("one".to_owned(), Vec::new(), ask(&asked, false))
                .await
        };
        let both = tokio::join!(no(qa, Arc::clone(&asked)), no(prod, Arc::clone(&asked)));
        assert_eq!(both, (false, false));
        assert_eq!(asked.lock().unwrap().len(), 1);
    }
}
