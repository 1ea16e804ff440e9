//! The running server: what its requests share, and what owns its tasks.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::fault::{Fault, FaultAction, FaultBook};
use super::file::{SCHEMA, StateFile};
use super::http::{self, Call};
use super::instance::Instance;
use super::limit::{RateLimit, Standing};
use super::line::{Cut, Door, Shutter};
use super::log::{Log, RequestRecord};
use super::options::Options;
use super::profile::BatchWork;
use super::sign_in::SignIn;
use super::world::{LoadError, Rules, World};

/// How long a stopping server waits for requests in flight before it cuts their connections.
const GRACE: Duration = Duration::from_secs(5);

/// Why a server did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The address is in use or not ours.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The request log cannot be opened.
    #[error("cannot open the request log")]
    Log(#[source] io::Error),
    /// The state cannot be played.
    #[error("cannot play the state")]
    State(#[from] StateError),
}

/// Why a state file cannot be played.
#[derive(Debug, Error)]
pub enum StateError {
    /// It is of a later format than this version supports.
    #[error("the state file has schema {0}, and this version supports none above {SCHEMA}")]
    Schema(u32),
    /// One of its rows cannot be served.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It cannot be written as JSON, or not read again.
    #[error("the state cannot be kept as JSON")]
    Json(#[from] serde_json::Error),
}

/// How much a server was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestCount {
    /// All requests; admin paths are not among them.
    pub all: usize,
    /// Those that write.
    pub writes: usize,
}

/// A server on a port. Dropping it aborts everything; [`Server::stop`] lets requests finish.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    base: String,
    every_line: CancellationToken,
    tasks: JoinSet<()>,
}

/// What the requests of a server share.
#[derive(Debug)]
pub(crate) struct Shared {
    base: String,
    /// The state of the start as JSON, which takes a fraction of the room of parsed rows.
    initial: Vec<u8>,
    instances: Mutex<Vec<Arc<Instance>>>,
    /// The batch workers, one per instance. They hold their instance and not this.
    workers: Mutex<JoinSet<()>>,
    batches: BatchWork,
    pub(crate) rules: Rules,
    pub(crate) latency: Duration,
    pub(crate) jitter: Duration,
    pub(crate) tokens: Vec<String>,
    pub(crate) sign_in: SignIn,
    pub(crate) rate_limit_silent: bool,
    pub(crate) rate_limit_headers: bool,
    pub(crate) read_lag: Duration,
    fetch_lag: Duration,
    pub(crate) log: Log,
    pub(crate) stopping: CancellationToken,
    pub(crate) shutter: Arc<Shutter>,
    faults: Mutex<FaultBook>,
    seed: u64,
    rate: Mutex<RateLimit>,
    key_owners: Mutex<HashMap<String, String>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Server {
    /// Binds the address, builds the instances and serves them. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The address cannot be bound, the request log not opened, or the state not played.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let (address, idle) = (options.listen, options.idle);
        let bound = TcpListener::bind(address).await;
        let listener = bound.map_err(|source| StartError::Bind { address, source })?;
        let local = listener
            .local_addr()
            .map_err(|source| StartError::Bind { address, source })?;
        let host = if local.ip().is_unspecified() {
            "127.0.0.1".to_owned()
        } else {
            local.ip().to_string()
        };
        let host = if local.is_ipv6() && !local.ip().is_unspecified() {
            format!("[{host}]")
        } else {
            host
        };
        let base = format!("http://{host}:{}", local.port());
        let shared = Arc::new(Shared::new(options, base.clone())?);
        let every_line = CancellationToken::new();
        let shutter = Arc::clone(&shared.shutter);
        let door = Door::new(listener, every_line.clone(), shutter, idle)
            .map_err(|source| StartError::Bind { address, source })?;
        let service =
            http::router(Arc::clone(&shared)).into_make_service_with_connect_info::<Cut>();
        let stopping = shared.stopping.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // It cannot fail: its listener retries, and it ends only by the shutdown signal.
            drop(
                axum::serve(door, service)
                    .with_graceful_shutdown(stopping.cancelled_owned())
                    .await,
            );
        });
        Ok(Self {
            shared,
            base,
            every_line,
            tasks,
        })
    }

    /// `http://host:port`, without a trailing slash.
    pub fn base_url(&self) -> String {
        self.base.clone()
    }

    /// The instances as they are now, in the form of a state file.
    pub fn state(&self) -> StateFile {
        self.shared.dump()
    }

    /// All requests so far, in order of arrival; admin paths are not among them.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.shared.log.requests(|_| true)
    }

    /// The requests on one instance that write: saves, uploads, deletes and the workflow GETs, whether or
    /// not they were admitted.
    pub fn writes(&self, guid: &str) -> Vec<RequestRecord> {
        let of_guid = |record: &RequestRecord| {
            record
                .guid
                .as_ref()
                .is_some_and(|named| named.eq_ignore_ascii_case(guid))
        };
        self.shared
            .log
            .requests(|record| record.writes && of_guid(record))
    }

    /// From now on these faults strike instead of those that it was started with.
    pub fn strike_with(&self, faults: &[Fault]) {
        self.shared.strike_with(faults);
    }

    /// How many requests went wrong because a fault said so.
    pub fn struck(&self) -> u64 {
        lock(&self.shared.faults).struck()
    }

    /// A count of the requests so far that can be asked for as long as it is wanted.
    pub fn counter(&self) -> impl Fn() -> RequestCount + Send + 'static + use<> {
        let shared = Arc::clone(&self.shared);
        move || RequestCount {
            all: shared.log.count(|_| true),
            writes: shared.log.count(|record| record.writes),
        }
    }

    #[cfg(test)]
    pub(super) fn shared_for_tests(&self) -> &Shared {
        &self.shared
    }

    /// Stops taking connections, lets requests in flight finish for a short while, and ends all tasks.
    /// Requests that hang or still wait are answered 503.
    pub async fn stop(mut self) {
        self.shared.stopping.cancel();
        let finished = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, finished).await.is_err() {
            self.every_line.cancel();
        }
        self.shared.retire_all();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopping.cancel();
        self.every_line.cancel();
        self.shared.retire_all();
    }
}

impl Shared {
    fn new(options: Options, base: String) -> Result<Self, StartError> {
        let initial = serde_json::to_vec(&options.state).map_err(StateError::from)?;
        let (rules, fetch_lag) = (options.rules, options.fetch_lag);
        let instances = build(options.state, &base, (rules, fetch_lag))?;
        let shared = Self {
            log: Log::new(options.request_log.as_deref()).map_err(StartError::Log)?,
            sign_in: SignIn::new(base.clone(), options.token_lifetime, options.denies_sign_in),
            base,
            instances: Mutex::new(Vec::new()),
            workers: Mutex::new(JoinSet::new()),
            batches: options.batches,
            rules: options.rules,
            latency: options.latency,
            jitter: options.jitter,
            tokens: options.tokens,
            stopping: CancellationToken::new(),
            shutter: Arc::default(),
            faults: Mutex::new(FaultBook::new(&options.faults, options.seed)),
            seed: options.seed,
            rate_limit_silent: options.rate_limit_silent,
            rate_limit_headers: options.rate_limit_headers,
            read_lag: options.read_lag,
            fetch_lag: options.fetch_lag,
            rate: Mutex::new(RateLimit::new(
                options.rate_limit_kind,
                options.rate_limit,
                &options.rate_limit_changes,
                Instant::now(),
            )),
            key_owners: Mutex::new(HashMap::new()),
            initial,
        };
        shared.install(instances);
        Ok(shared)
    }

    /// The instances in the order of the state file.
    pub(crate) fn instances(&self) -> Vec<Arc<Instance>> {
        lock(&self.instances).clone()
    }

    /// By GUID in any case.
    pub(crate) fn instance(&self, guid: &str) -> Option<Arc<Instance>> {
        lock(&self.instances)
            .iter()
            .find(|instance| instance.guid.eq_ignore_ascii_case(guid))
            .cloned()
    }

    /// By the name of its asset container, as the URLs have it.
    pub(crate) fn by_asset_container(&self, name: &str) -> Option<Arc<Instance>> {
        lock(&self.instances)
            .iter()
            .find(|instance| instance.asset_container == name)
            .cloned()
    }

    pub(crate) fn dump(&self) -> StateFile {
        let instances = self.instances();
        StateFile {
            schema: SCHEMA,
            instances: instances
                .iter()
                .map(|instance| instance.world().dump())
                .collect(),
        }
    }

    /// Plays another state from now on. Batches of the old one are dropped.
    pub(crate) fn replace(&self, state: StateFile) -> Result<(), StateError> {
        let instances = build(state, &self.base, (self.rules, self.fetch_lag))?;
        for new in &instances {
            let all = self.instances();
            let former = all
                .iter()
                .find(|one| one.guid.eq_ignore_ascii_case(&new.guid));
            if let Some(former) = former {
                new.world().succeed(&former.world());
            }
        }
        self.install(instances);
        Ok(())
    }

    /// Goes back to the state that the server started with, and clears the requests.
    pub(crate) fn reset(&self) -> Result<(), StateError> {
        self.replace(serde_json::from_slice(&self.initial)?)?;
        self.log.clear();
        Ok(())
    }

    fn install(&self, instances: Vec<Arc<Instance>>) {
        self.retire_all();
        let mut workers = lock(&self.workers);
        while workers.try_join_next().is_some() {}
        for instance in &instances {
            workers.spawn(Arc::clone(instance).work(self.batches, self.seed));
        }
        *lock(&self.instances) = instances;
    }

    fn retire_all(&self) {
        lock(&self.instances)
            .iter()
            .for_each(|instance| instance.retire());
    }

    /// From now on these faults strike, and they count from zero.
    pub(crate) fn strike_with(&self, faults: &[Fault]) {
        *lock(&self.faults) = FaultBook::new(faults, self.seed);
        self.shutter.open();
    }

    /// The fault that strikes a request, if any, and a share of the jitter.
    pub(crate) fn strike(&self, call: &Call) -> (Option<FaultAction>, f64) {
        let mut faults = lock(&self.faults);
        let has_text = |text: &str| call.has_text(text);
        let struck = faults.strike((&call.method, &call.path), &has_text);
        (struck, faults.share())
    }

    /// Whether a request fits into the rate of its payer; `None` without a limit.
    pub(crate) fn admit(&self, who: &str, now: Instant) -> Option<Standing> {
        lock(&self.rate).admit(who, now)
    }

    /// Remembers which token asked for the keys of an instance.
    pub(crate) fn own_key(&self, guid: String, token: String) {
        lock(&self.key_owners).insert(guid, token);
    }

    pub(crate) fn key_owner(&self, guid: &str) -> Option<String> {
        lock(&self.key_owners).get(guid).cloned()
    }
}

fn build(
    state: StateFile,
    base: &str,
    (rules, fetch_lag): (Rules, Duration),
) -> Result<Vec<Arc<Instance>>, StateError> {
    if state.schema > SCHEMA {
        return Err(StateError::Schema(state.schema));
    }
    let mut out: Vec<Arc<Instance>> = Vec::new();
    for file in state.instances {
        if out
            .iter()
            .any(|other| other.guid.eq_ignore_ascii_case(&file.guid))
        {
            return Err(LoadError::Duplicate(file.guid).into());
        }
        out.push(Arc::new(Instance::new(
            World::load(file, base, rules)?,
            fetch_lag,
        )));
    }
    Ok(out)
}
