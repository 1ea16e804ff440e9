//! How far many plays have come, on standard error: nothing else is printed before the last one.

use std::io::Write as _;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// A line is written so often.
const EVERY: Duration = Duration::from_secs(10);

/// Plays that are done of those that may be needed.
pub(crate) struct Progress {
    what: String,
    all: usize,
    began: Instant,
    /// How many are done, and when that was last told.
    done: Mutex<(usize, Instant)>,
}

impl Progress {
    pub(crate) fn of(what: &str, all: usize) -> Self {
        let began = now();
        Self {
            what: what.to_owned(),
            all,
            began,
            done: Mutex::new((0, began)),
        }
    }

    /// One more is done; `more` is told with it.
    pub(crate) fn one_more(&self, more: impl FnOnce() -> String) {
        let mut done = self.done.lock().unwrap();
        done.0 += 1;
        let at = now();
        if at.duration_since(done.1) < EVERY {
            return;
        }
        done.1 = at;
        let seconds = at.duration_since(self.began).as_secs();
        let (what, all, more) = (&self.what, self.all, more());
        let line = format!("{seconds:>5} s  {} of {all} {what}{more}\n", done.0);
        // Where standard error is closed, there is nobody to tell.
        std::io::stderr().write_all(line.as_bytes()).unwrap_or(());
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "real time, which no runtime of a history knows"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}
