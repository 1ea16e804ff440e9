//! One instance while it is served: its world under a lock, its keys, and its batch workers.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::profile::BatchWork;
use super::world::World;
use super::world::feed::Mode;

/// A world that requests and workers share. The lock is held for one request or one item at a time.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) guid: String,
    pub(crate) asset_container: String,
    world: Mutex<World>,
    wake: Notify,
    retired: CancellationToken,
    preview_key: String,
    fetch_key: String,
    /// What the Content Fetch API shows, where that lags.
    copy: Option<Mutex<Copy>>,
    /// Counts writes.
    edits: AtomicU64,
}

/// An instance as it was some time ago.
#[derive(Debug)]
struct Copy {
    lag: Duration,
    world: World,
    /// The writes that it shows.
    shown: u64,
    /// The writes that were made by `since`, when they were noticed.
    latest: u64,
    since: Instant,
}

impl Copy {
    /// Catches up once nothing has been written for as long as it lags.
    fn follow(&mut self, edits: u64, world: impl FnOnce() -> World) {
        if self.latest != edits {
            self.latest = edits;
            self.since = Instant::now();
        }
        if self.shown != edits && self.since.elapsed() >= self.lag {
            self.shown = edits;
            self.world = world();
        }
    }
}

/// How many items a worker applies between two looks at the rest of the runtime when items take no time.
const BURST: usize = 32;

impl Instance {
    pub(crate) fn new(world: World, fetch_lag: Duration) -> Self {
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
            copy: (!fetch_lag.is_zero()).then(|| {
                Mutex::new(Copy {
                    lag: fetch_lag,
                    world: world.clone(),
                    shown: 0,
                    latest: 0,
                    since: Instant::now(),
                })
            }),
            edits: AtomicU64::new(0),
            world: Mutex::new(world),
            wake: Notify::new(),
            retired: CancellationToken::new(),
        }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that something was written.
    pub(crate) fn edited(&self) {
        self.edits.fetch_add(1, Ordering::Relaxed);
    }

    /// Looks at what the Content Fetch API shows.
    pub(crate) fn shown<R>(&self, look: impl FnOnce(&World) -> R) -> R {
        match self.copy() {
            Some(copy) => look(&copy.world),
            None => look(&self.world()),
        }
    }

    /// Whether the Content Fetch API does not show yet what was written.
    pub(crate) fn is_behind(&self) -> bool {
        self.copy().is_some_and(|copy| copy.shown != copy.latest)
    }

    fn copy(&self) -> Option<MutexGuard<'_, Copy>> {
        let copy = self.copy.as_ref()?;
        let mut copy = copy.lock().unwrap_or_else(PoisonError::into_inner);
        let edits = self.edits.load(Ordering::Relaxed);
        copy.follow(edits, || self.world().clone());
        Some(copy)
    }

    /// The API key of a side of the Fetch API. It follows from the GUID, so it outlives a restart.
    pub(crate) fn key(&self, mode: Mode) -> &str {
        match mode {
            Mode::Preview => &self.preview_key,
            Mode::Fetch => &self.fetch_key,
        }
    }

    /// Wakes the workers, since there may be work.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Ends the workers.
    pub(crate) fn retire(&self) {
        self.retired.cancel();
    }

    /// Works batches off until the instance is retired, as many at one time as there are workers.
    pub(crate) async fn work(self: Arc<Self>, work: BatchWork, seed: u64) {
        let retired = self.retired.clone();
        // What ends the run is a retired instance, whose unfinished batches no client will ask for.
        let _: Option<Infallible> = retired
            .run_until_cancelled(self.work_forever(work, seed))
            .await;
    }

    async fn work_forever(self: Arc<Self>, work: BatchWork, seed: u64) -> Infallible {
        let most = work.workers.map_or(usize::MAX, |workers| workers as usize);
        let mut workers: JoinSet<Instant> = JoinSet::new();
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        let mut from = Instant::now();
        loop {
            if workers.len() >= most {
                // The next batch begins when this one was due, so that late timers do not add up.
                let done = workers.join_next().await.and_then(Result::ok);
                from = done.unwrap_or_else(Instant::now);
            } else if let Some(batch) = self.world().take_batch() {
                let stall = work
                    .stall
                    .filter(|stall| chance.random::<f64>() < stall.share);
                let begun = from + stall.map_or(Duration::ZERO, |stall| stall.time);
                workers.spawn(Arc::clone(&self).work_off(batch, work, begun));
            } else {
                // Both are cancel-safe: a note, and a batch that is done.
                tokio::select! {
                    () = self.wake.notified() => {}
                    Some(_) = workers.join_next() => {}
                }
                from = Instant::now();
            }
        }
    }

    fn work_off_one(&self, batch: i64, item_ms: u128) -> bool {
        let goes_on = self.world().work_off_one(batch, item_ms);
        self.edited();
        goes_on
    }

    /// Works one batch off, item by item. Returns when that was due.
    async fn work_off(self: Arc<Self>, batch: i64, work: BatchWork, begun: Instant) -> Instant {
        let mut due = begun + work.batch_time;
        if work.item_time.is_zero() {
            sleep_until(due).await;
            while (0..BURST).all(|_| self.work_off_one(batch, 0)) {
                tokio::task::yield_now().await;
            }
            return due;
        }
        loop {
            due += work.item_time;
            sleep_until(due).await;
            if !self.work_off_one(batch, work.item_time.as_millis()) {
                return due;
            }
        }
    }
}
