//! The handle that all other modules hold.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use tempfile::TempDir;
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::beside::Beside;
use super::bytes::Places;
use super::clean::clean;
use super::connection::Opener;
use super::in_place::Working;
use super::lease::{LeaseRequest, Mark};
use super::liveness_lock;
use super::read::Readers;
use super::writer::{Order, QUEUE, Reply, Writer};
use super::{
    Change, Intent, Lease, LeaseOwner, Mapping, OtherPairs, Pair, PausedWebhook, PreImage,
    Publishing, RunEntity, RunRecord, StateUrl, StoreError, aside, copy, guard, schema,
};
use crate::domain::{
    AgreedNumber, AgreedPlace, ContentHash, EntityKey, Guid, Kind, ListKey, RunId, SourceId,
    TargetId,
};

/// How long a connection waits for another process before it gives up. Long enough for the largest
/// transaction of another run on a slow disk.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The weight of the last commit in the mean of what they take: one part in this.
const MEMORY: u64 = 20;

/// A handle on the durable state; clones share it.
///
/// A handle that took a lease stores nothing any more once another run has taken the lease over, and neither do its clones.
///
/// The writer task ends when the store is closed or the last handle is dropped, and writes what it had
/// accepted in both cases. Close it before the runtime ends: otherwise nothing waits for that.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    /// The lease that commits of this handle and its clones belong to.
    lease: Arc<RwLock<Option<Arc<Mark>>>>,
}

struct Shared {
    readers: Readers,
    orders: mpsc::Sender<Order>,
    commits: Arc<AtomicU64>,
    /// Transactions until the disk counts as full; negative: never.
    budget: Arc<AtomicI64>,
    /// How long the writer gathers orders, in microseconds.
    gather_us: Arc<AtomicU64>,
    /// What a commit takes, in microseconds: a mean in which the last ones weigh most.
    commit_us: AtomicU64,
    /// The file; `None` in memory.
    file: Option<PathBuf>,
    /// Where bytes of assets are kept.
    places: Places,
    working: Working,
    opener: Opener,
    /// How far the clock of the server is ahead of the one of this machine, in milliseconds.
    ahead_ms: i64,
    beside: Beside,
    standing_still: watch::Sender<bool>,
    /// Holds the files of a state that is a copy.
    aside: Option<TempDir>,
    /// Waits for the writer, and does not abort it when dropped.
    writer: TaskTracker,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("place", &self.shared.readers.place)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the state, creates it when absent (file 0600, directory 0700) and migrates it when old.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be created, or is damaged, foreign, newer, read-only or locked, or the server
    /// cannot be reached.
    pub async fn open(url: &StateUrl) -> Result<Self, StoreError> {
        let path = match url {
            StateUrl::Sqlite(path) => path,
            StateUrl::Postgres(server) => {
                let place = server.to_string();
                let opener = Opener::Server(server.clone());
                return Self::start(opener, place.into(), (None, None), Working::Beside).await;
            }
        };
        guard::check(path)?;
        create_private(path).await?;
        let opener = file_opener(path);
        let place = path.display().to_string();
        let file = Some(path.to_owned());
        Self::start(opener, place.into(), (file, None), Working::Beside).await
    }

    /// As [`Store::open`], for commands that change nothing: of a state that cannot be written to they see a copy.
    ///
    /// # Errors
    /// [`StoreError`] as of [`Store::open`], but not for lack of the right to write.
    pub async fn open_to_look(url: &StateUrl) -> Result<Self, StoreError> {
        let opened = Self::open(url).await;
        let StateUrl::Sqlite(path) = url else {
            return opened;
        };
        match opened {
            Err(error) if error.is_for_lack_of_writing() && path.exists() => {
                let aside = aside::copy(path).await?;
                let copy = file_opener(&aside.path);
                let place = path.display().to_string();
                let file = Some(path.to_owned());
                let looking = Self::start(copy, place.into(), (file, None), Working::Beside);
                let mut store = looking.await?;
                if let Some(shared) = Arc::get_mut(&mut store.shared) {
                    shared.aside = Some(aside.folder);
                }
                Ok(store)
            }
            opened => opened,
        }
    }

    /// Opens a state that nothing else sees and that ends with the handle, for rehearsals.
    ///
    /// # Errors
    /// [`StoreError`] when there is no memory for it.
    pub async fn open_in_memory() -> Result<Self, StoreError> {
        Self::in_memory(None, Working::Beside).await
    }

    /// The same for simulations in one thread: no virtual time passes while the store works, nothing else of the runtime
    /// runs meanwhile, and its clock is that of the runtime.
    ///
    /// # Errors
    /// [`StoreError`] when there is no memory for it.
    pub async fn open_in_memory_in_place() -> Result<Self, StoreError> {
        Self::in_memory(None, Working::InPlace(Instant::now())).await
    }

    /// The same state in memory as another process would have it: with a queue of its own.
    ///
    /// # Errors
    /// [`StoreError`] when there is no memory for it.
    pub async fn of_another_process(&self) -> Result<Self, StoreError> {
        let shared = &self.shared;
        let place = Arc::clone(&shared.readers.place);
        Self::start(shared.opener.clone(), place, (None, None), shared.working).await
    }

    /// A handle for a lease of its own, where one process works on several pairs at once.
    #[must_use]
    pub fn for_another_lease(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            lease: Arc::default(),
        }
    }

    /// As [`Store::open_in_memory`], with what the state at `url` holds of counterparts and agreements. A state that does
    /// not exist is not made.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read, or there is no memory for it.
    pub async fn open_copy(url: &StateUrl) -> Result<Self, StoreError> {
        if !url.exists().await? {
            return Self::in_memory(None, Working::Beside).await;
        }
        // Opening brings it up to date.
        match (Self::open(url).await, url) {
            (Ok(store), _) => store.close().await,
            (Err(error), StateUrl::Sqlite(path)) if error.is_for_lack_of_writing() => {
                let aside = aside::copy(path).await?;
                let copy = StateUrl::Sqlite(aside.path.clone());
                Self::open(&copy).await?.close().await;
                return Self::in_memory(Some(&copy), Working::Beside).await;
            }
            (Err(error), _) => return Err(error),
        }
        Self::in_memory(Some(url), Working::Beside).await
    }

    async fn in_memory(copied: Option<&StateUrl>, working: Working) -> Result<Self, StoreError> {
        let place: Arc<str> = "memory".into();
        let options: SqliteConnectOptions = "sqlite::memory:"
            .parse()
            .map_err(|error| StoreError::of(error, &place))?;
        Self::start(Opener::file(options), place, (None, copied), working).await
    }

    pub(super) async fn start(
        opener: Opener,
        place: Arc<str>,
        (file, copied): (Option<PathBuf>, Option<&StateUrl>),
        working: Working,
    ) -> Result<Self, StoreError> {
        let connect = async {
            let mut writer = opener.open(&place).await?;
            schema::prepare(&mut writer).await?;
            if let Some(copied) = copied {
                copy::knowledge(copied, &mut writer).await?;
            }
            let reader = opener.open_to_read(&place).await?;
            let ahead_ms = match writer.now_ms().await? {
                Some(now_ms) => now_ms - working.now().as_millisecond(),
                None => 0,
            };
            Ok((writer, reader, ahead_ms))
        };
        let (connection, reader, ahead_ms) = working.on(connect).await?;
        let (sender, orders) = mpsc::channel(QUEUE);
        let commits = Arc::new(AtomicU64::new(0));
        let budget = Arc::new(AtomicI64::new(-1));
        let gather_us = Arc::new(AtomicU64::new(0));
        let standing_still = watch::Sender::new(false);
        let writer = TaskTracker::new();
        drop(
            writer.spawn(
                Writer {
                    connection,
                    orders,
                    commits: Arc::clone(&commits),
                    budget: Arc::clone(&budget),
                    gather_us: Arc::clone(&gather_us),
                    working,
                    standing_still: standing_still.subscribe(),
                    place: Arc::clone(&place),
                    broken: None,
                }
                .run(),
            ),
        );
        writer.close();
        let readers = Readers {
            connection: Mutex::new(Some(reader)),
            working,
            place,
        };
        Ok(Self {
            shared: Arc::new(Shared {
                readers,
                orders: sender,
                commits,
                budget,
                gather_us,
                commit_us: AtomicU64::new(0),
                places: Places::beside(file.as_deref(), matches!(opener, Opener::Server(_))),
                file,
                working,
                opener,
                ahead_ms,
                beside: Beside::default(),
                standing_still,
                aside: None,
                writer,
            }),
            lease: Arc::default(),
        })
    }

    /// Ends the store for all its handles, after everything that was accepted is durable.
    pub async fn close(self) {
        self.shared.readers.close().await;
        self.shared.beside.close().await;
        // A writer that is gone already needs no telling.
        drop(self.shared.orders.send(Order::Close).await);
        self.shared.writer.wait().await;
    }

    /// Returns when all changes are durable, in their order, all or none. Calls of many tasks share
    /// transactions. Dropping the future while it waits for room in the queue changes nothing; after that
    /// the changes are stored whether or not a caller waits. Words in them are stored without credentials.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of this call was stored. Only [`StoreError::Undecided`] has an unknown outcome.
    pub async fn commit(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let changes = changes.into_iter().map(clean).collect();
        let asked = Instant::now();
        let lease = self.lease.read();
        let lease = lease.unwrap_or_else(PoisonError::into_inner).clone();
        let answer = self.ask(|reply| Order::Commit(changes, lease, reply));
        let answer = answer.await;
        let took = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
        let before = self.shared.commit_us.load(Ordering::Relaxed);
        // Of two that end at one moment one may be lost: it is a mean of many.
        let mean = match before {
            0 => took,
            before => before - before / MEMORY + took / MEMORY,
        };
        self.shared.commit_us.store(mean, Ordering::Relaxed);
        answer
    }

    /// What [`Store::commit`] takes at present, from the call to its return.
    pub fn commit_time(&self) -> Duration {
        Duration::from_micros(self.shared.commit_us.load(Ordering::Relaxed))
    }

    /// How many transactions [`Store::commit`] has cost so far.
    pub fn commits(&self) -> u64 {
        self.shared.commits.load(Ordering::Relaxed)
    }

    /// From now on a transaction waits this long for more changes to share it, which saves disk flushes where the callers
    /// wait for something else anyway. Not at all to begin with.
    pub fn gather(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.shared.gather_us.store(micros, Ordering::Relaxed);
    }

    /// Whether a transaction waits for more changes at present.
    pub fn is_gathering(&self) -> bool {
        self.shared.gather_us.load(Ordering::Relaxed) > 0
    }

    /// Rehearses a full disk: the next `transactions` succeed, and from then on every write fails with
    /// [`StoreError::Full`]. Reads still succeed.
    pub fn fail_after(&self, transactions: u32) {
        self.shared
            .budget
            .store(transactions.into(), Ordering::Relaxed);
    }

    /// Rehearses a process that was stopped: what is asked of the writer waits until it is resumed.
    pub fn stand_still(&self, is_stopped: bool) {
        self.shared.standing_still.send_replace(is_stopped);
    }

    /// The present moment by the clock that leases end by: that of the server, if there is one.
    pub fn now(&self) -> Timestamp {
        let now = self.shared.working.now();
        let ahead = SignedDuration::from_millis(self.shared.ahead_ms);
        now.checked_add(ahead).unwrap_or(now)
    }

    /// All mappings of a pair, by kind, source id and locale.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn mappings(&self, pair: &Pair) -> Result<Vec<Mapping>, StoreError> {
        self.shared.readers.mappings(pair).await
    }

    /// What the mappings of other pairs say of a pair.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read, or a row is damaged.
    pub async fn other_pairs(&self, pair: &Pair) -> Result<OtherPairs, StoreError> {
        self.shared.readers.other_pairs(pair).await
    }

    /// Where the pages of a pair stood when both sides last agreed about it, by key.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn page_places(
        &self,
        pair: &Pair,
    ) -> Result<Vec<(EntityKey, AgreedPlace)>, StoreError> {
        self.shared.readers.page_places(pair).await
    }

    /// The numbers that the items of lists had when both sides last agreed about the order of the list, by source id.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn list_orders(
        &self,
        pair: &Pair,
    ) -> Result<Vec<(ListKey, BTreeMap<SourceId, AgreedNumber>)>, StoreError> {
        self.shared.readers.list_orders(pair).await
    }

    /// Entities whose mapping was set aside, because another entity was mapped to the same one of the target.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn disputed(&self, pair: &Pair) -> Result<Vec<(EntityKey, TargetId)>, StoreError> {
        self.shared.readers.disputed(pair).await
    }

    /// The webhooks of a target that runs of any pair have switched off, by source and id.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn paused_webhooks(&self, target: &Guid) -> Result<Vec<PausedWebhook>, StoreError> {
        self.shared.readers.paused_webhooks(target).await
    }

    /// The intents of a pair with an unknown outcome, open or in doubt, by run and id.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn open_intents(&self, pair: &Pair) -> Result<Vec<Intent>, StoreError> {
        self.shared.readers.unsettled_intents(pair).await
    }

    /// Every intent of a run, by id.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn intents_of_run(&self, run: &RunId) -> Result<Vec<Intent>, StoreError> {
        self.shared.readers.intents_of_run(run).await
    }

    /// What a run wrote over, by kind, target id and locale.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn pre_images(&self, run: &RunId) -> Result<Vec<PreImage>, StoreError> {
        self.shared.readers.pre_images(run).await
    }

    /// The hashes of the asset bytes that a run sent, by target id.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn sent_bytes(
        &self,
        run: &RunId,
    ) -> Result<Vec<(TargetId, ContentHash)>, StoreError> {
        self.shared.readers.sent_bytes(run).await
    }

    /// What a run published or meant to, by key.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn publishings(&self, run: &RunId) -> Result<Vec<Publishing>, StoreError> {
        self.shared.readers.publishings(run).await
    }

    /// What runs between these instances meant to publish and came to `state`, with its counterpart.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn published(
        &self,
        pair: &Pair,
        state: super::records::PublishState,
    ) -> Result<Vec<(EntityKey, TargetId)>, StoreError> {
        self.shared.readers.published(pair, state).await
    }

    /// What runs between these instances published, or meant to, of one entity.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn publishings_of(
        &self,
        pair: &Pair,
        key: &EntityKey,
    ) -> Result<Vec<Publishing>, StoreError> {
        self.shared.readers.publishings_of(pair, key).await
    }

    /// What runs between these instances have created, updated or restored that started after `run`, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn written_after(
        &self,
        pair: &Pair,
        run: &RunId,
    ) -> Result<Vec<(EntityKey, RunId)>, StoreError> {
        self.shared.readers.written_after(pair, run).await
    }

    /// How the state is opened.
    pub(super) fn opener(&self) -> &Opener {
        &self.shared.opener
    }

    pub(super) fn readers(&self) -> &Readers {
        &self.shared.readers
    }

    /// Where it is, for messages.
    pub(super) fn place(&self) -> &Arc<str> {
        &self.shared.readers.place
    }

    /// Connections to a server beside those of the writer and of readers.
    pub(super) fn beside(&self) -> &Beside {
        &self.shared.beside
    }

    /// Where bytes of assets are kept.
    pub(super) fn places(&self) -> &Places {
        &self.shared.places
    }

    /// The latest runs, newest first.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn runs(&self, limit: u32) -> Result<Vec<RunRecord>, StoreError> {
        self.shared.readers.runs(limit).await
    }

    /// One run; `None` when there is none of this name.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn run(&self, run: &RunId) -> Result<Option<RunRecord>, StoreError> {
        self.shared.readers.run(run).await
    }

    /// The outcome of each entity in a run, by kind, source id and locale.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn run_entities(&self, run: &RunId) -> Result<Vec<RunEntity>, StoreError> {
        self.shared.readers.run_entities(run).await
    }

    /// The outcome of the entities of one id in every run of a pair that noted something of them: by locale, the
    /// latest run first. Runs that found an entity unchanged note nothing.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn history(
        &self,
        pair: &Pair,
        kind: Kind,
        id: SourceId,
    ) -> Result<Vec<RunEntity>, StoreError> {
        self.shared.readers.history(pair, kind, id).await
    }

    /// Every intent of a pair that carried an entity, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn intents_of(
        &self,
        pair: &Pair,
        key: &EntityKey,
    ) -> Result<Vec<Intent>, StoreError> {
        self.shared.readers.intents_of(pair, key).await
    }

    /// What earlier runs noted about a host, by name.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn learned(&self, host: &str) -> Result<Vec<(String, f64)>, StoreError> {
        self.shared.readers.learned(host).await
    }

    /// What earlier runs noted about each host, by name.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn hosts(&self) -> Result<BTreeMap<String, Vec<(String, f64)>>, StoreError> {
        self.shared.readers.hosts().await
    }

    /// Takes the lease of a pair for `ttl`. The lease of another owner is taken over when it has expired, or when that owner
    /// ran on the same machine and is gone.
    ///
    /// # Errors
    /// [`StoreError::LeaseHeld`] while another run has it.
    pub async fn acquire_lease(
        &self,
        pair: &Pair,
        owner: LeaseOwner,
        ttl: Duration,
    ) -> Result<Lease, StoreError> {
        self.acquire_lease_at(pair, owner, ttl, None).await
    }

    pub(super) async fn acquire_lease_at(
        &self,
        pair: &Pair,
        owner: LeaseOwner,
        ttl: Duration,
        at: impl Into<Option<Timestamp>>,
    ) -> Result<Lease, StoreError> {
        let at = at.into();
        let run = owner.run.clone();
        let state = self.shared.file.as_deref();
        // Before the lease shows it as an owner, so that no other run finds an owner that seems dead.
        let alive = state.and_then(|state| liveness_lock::show(state, &run));
        let dead = self.dead_holder(pair, &owner).await?;
        let acquired = self
            .ask(|reply| {
                Order::Lease(LeaseRequest::Acquire {
                    pair: pair.clone(),
                    owner,
                    at,
                    ttl,
                    dead: dead.clone(),
                    reply,
                })
            })
            .await;
        let lent = match acquired {
            Ok(lent) => lent,
            Err(refused) => {
                if let Some(alive) = alive {
                    alive.release();
                }
                return Err(refused);
            }
        };
        if let (Some(state), Some(dead)) = (state, dead) {
            liveness_lock::sweep(state, &dead);
        }
        let mark = Arc::new(Mark {
            pair: pair.clone(),
            run,
            generation: lent.generation,
        });
        self.commit_under(Some(Arc::clone(&mark)));
        Ok(Lease {
            mark,
            ended_ago: lent.ended_ago,
            alive,
        })
    }

    fn commit_under(&self, lease: Option<Arc<Mark>>) {
        *self.lease.write().unwrap_or_else(PoisonError::into_inner) = lease;
    }

    /// What a run would be refused with that asks for the lease of a pair now from the machine `host`; `None` where the lease
    /// is free.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn lease_held(
        &self,
        pair: &Pair,
        host: &str,
    ) -> Result<Option<StoreError>, StoreError> {
        let pair = pair.clone();
        let holding = self
            .ask(|reply| Order::Lease(LeaseRequest::Holder { pair, reply }))
            .await?;
        let state = self.shared.file.as_deref();
        let is_dead = |run: &RunId| state.is_some_and(|state| liveness_lock::is_gone(state, run));
        Ok(holding
            .filter(|held| !(held.is_over || held.host == host && is_dead(&held.run)))
            .map(|held| held.refusal))
    }

    /// The holder of a lease, if it ran on the machine of `asking` and is gone.
    async fn dead_holder(
        &self,
        pair: &Pair,
        asking: &LeaseOwner,
    ) -> Result<Option<RunId>, StoreError> {
        let Some(state) = &self.shared.file else {
            return Ok(None);
        };
        let pair = pair.clone();
        let holding = self
            .ask(|reply| Order::Lease(LeaseRequest::Holder { pair, reply }))
            .await?;
        let is_dead = |run: &RunId| *run != asking.run && liveness_lock::is_gone(state, run);
        Ok(holding
            .filter(|holding| holding.host == asking.host && is_dead(&holding.run))
            .map(|holding| holding.run))
    }

    /// Keeps the lease for `ttl` from now on.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when another run took it over after it had expired: stop writing.
    pub async fn renew_lease(&self, lease: &Lease, ttl: Duration) -> Result<(), StoreError> {
        self.renew_lease_at(lease, ttl, None).await
    }

    pub(super) async fn renew_lease_at(
        &self,
        lease: &Lease,
        ttl: Duration,
        at: impl Into<Option<Timestamp>>,
    ) -> Result<(), StoreError> {
        let (mark, at) = (Arc::clone(&lease.mark), at.into());
        self.ask(|reply| {
            Order::Lease(LeaseRequest::Renew {
                mark,
                at,
                ttl,
                reply,
            })
        })
        .await
    }

    /// Gives the lease back. One that was lost meanwhile stays with its new owner.
    ///
    /// # Errors
    /// [`StoreError`] when that cannot be stored; the lease then ends by itself.
    pub async fn release_lease(&self, lease: Lease) -> Result<(), StoreError> {
        let own = self.lease.read();
        let own = own.unwrap_or_else(PoisonError::into_inner).clone();
        if own.is_some_and(|own| own == lease.mark) {
            self.commit_under(None);
        }
        let mark = Arc::clone(&lease.mark);
        let released = self.ask(|reply| Order::Lease(LeaseRequest::Release { mark, reply }));
        let released = released.await;
        // The sign of life goes last, and stays behind as that of a dead owner when the lease could not be ended.
        if let (Ok(()), Some(alive)) = (&released, lease.alive) {
            alive.release();
        }
        released
    }

    /// Sends an order and waits for its answer.
    async fn ask<T>(&self, order: impl FnOnce(Reply<T>) -> Order) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.shared
            .orders
            .send(order(reply))
            .await
            .map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

impl Opener {
    /// Of a file, or in memory.
    pub(super) fn file(options: SqliteConnectOptions) -> Self {
        let options = options
            .busy_timeout(BUSY_TIMEOUT)
            .disable_statement_logging();
        Self::File(Box::new(options))
    }
}

fn file_opener(path: &Path) -> Opener {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    Opener::file(options)
}

/// Makes the file and its directories if they are missing, for the user's eyes only. `SQLite` gives its
/// companions (`-wal`, `-shm`) the mode of the file.
async fn create_private(path: &Path) -> Result<(), StoreError> {
    let failed = |path: &Path, error| StoreError::Create {
        path: path.to_owned(),
        source: Arc::new(error),
    };
    if let Some(directory) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        let mut builder = tokio::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        builder.mode(0o700);
        builder.create(directory).await.map_err(|error| {
            let is_file = directory.is_file();
            let error = if is_file {
                ErrorKind::NotADirectory.into()
            } else {
                error
            };
            failed(directory, error)
        })?;
    }
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    match options.open(path).await {
        Ok(_) => Ok(()),
        Err(_) if path.is_dir() => Err(failed(path, ErrorKind::IsADirectory.into())),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(failed(path, error)),
    }
}
