//! One instance while it is served: its world under a lock, its keys, and its batch worker.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::world::World;
use super::world::feed::Mode;

/// A world that requests and the worker share. The lock is held for one request or one item at a time.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) guid: String,
    pub(crate) asset_container: String,
    world: Mutex<World>,
    wake: Notify,
    retired: CancellationToken,
    preview_key: String,
    fetch_key: String,
}

/// How many items the worker applies between two looks at the rest of the runtime when items take no time.
const BURST: usize = 32;

impl Instance {
    pub(crate) fn new(world: World) -> Self {
        let key = |label: &str| {
            let digest =
                blake3::hash(format!("{}/{label}", world.guid().to_lowercase()).as_bytes());
            format!("{label}.{}", digest.to_hex())
        };
        Self {
            guid: world.guid().to_owned(),
            asset_container: world.asset_container_name().to_owned(),
            preview_key: key("defaultpreview"),
            fetch_key: key("defaultlive"),
            world: Mutex::new(world),
            wake: Notify::new(),
            retired: CancellationToken::new(),
        }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The API key of a side of the Fetch API. It follows from the GUID, so it outlives a restart.
    pub(crate) fn key(&self, mode: Mode) -> &str {
        match mode {
            Mode::Preview => &self.preview_key,
            Mode::Fetch => &self.fetch_key,
        }
    }

    /// Tells the worker that there may be work.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Ends the worker.
    pub(crate) fn retire(&self) {
        self.retired.cancel();
    }

    /// The serial batch worker: runs until the instance is retired, one item after the other.
    pub(crate) async fn work(self: Arc<Self>, item_time: Duration) {
        let retired = self.retired.clone();
        // What ends the run is a retired instance, whose unfinished batches nobody will ask for.
        let _: Option<Infallible> = retired
            .run_until_cancelled(self.work_forever(item_time))
            .await;
    }

    async fn work_forever(&self, item_time: Duration) -> Infallible {
        let mut due = Instant::now();
        loop {
            if !self.world().start_next() {
                self.wake.notified().await;
                due = Instant::now();
            } else if item_time.is_zero() {
                (0..BURST)
                    .take_while(|_| self.world().work_off_one(0))
                    .for_each(drop);
                tokio::task::yield_now().await;
            } else {
                // Counted from when the last item was due, so that late timers do not add up.
                due += item_time;
                sleep_until(due).await;
                self.world().work_off_one(item_time.as_millis());
            }
        }
    }
}
