//! How a store works: beside its callers, or in their place.
//!
//! `SQLite` has a thread of its own. On a runtime with a paused clock that makes time jump whenever every task waits for
//! the store, and runs depend on which thread was faster. A simulation needs neither, so a store in memory can wait for
//! its thread in place: nothing else of the runtime runs meanwhile, and no virtual time passes. The statements are the same.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use jiff::Timestamp;
use tokio::time::Instant;

use crate::domain::time;

/// How statements are carried out, and by which clock.
#[derive(Clone, Copy, Debug)]
pub(super) enum Working {
    /// Other tasks run meanwhile; moments come from the clock on the wall.
    Beside,
    /// Nothing else happens meanwhile; moments come from the runtime's clock, which began with 1970 here.
    InPlace(Instant),
}

impl Working {
    /// Waits for `work`, which must not wait for anything of the runtime.
    pub(super) async fn on<F: Future>(self, work: F) -> F::Output {
        match self {
            Self::Beside => work.await,
            Self::InPlace(_) => to_its_end(work),
        }
    }

    /// The present moment.
    pub(super) fn now(self) -> Timestamp {
        match self {
            Self::Beside => time::now(),
            Self::InPlace(began) => {
                let passed = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
                Timestamp::from_millisecond(passed).unwrap_or(Timestamp::MAX)
            }
        }
    }
}

/// Wakes a thread that waits.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn to_its_end<F: Future>(work: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut work = pin!(work);
    loop {
        match work.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
