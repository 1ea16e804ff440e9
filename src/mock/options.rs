//! What a caller decides about a server before it starts.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::fault::Fault;
use super::file::{SCHEMA, StateFile};
use super::limit::RateLimitKind;
use super::profile::BatchWork;
use super::world::Rules;

/// How a [`Server`](super::Server) behaves. The default listens on a free loopback port, plays no
/// instance, answers at once and never misbehaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; use port 0 for any free port.
    pub listen: SocketAddr,
    /// The instances that it plays, and what a reset goes back to.
    pub state: StateFile,
    /// The bearer tokens that it accepts. Empty: any token that is not empty.
    pub tokens: Vec<String>,
    /// How long an access token of a sign-in is valid.
    pub token_lifetime: Duration,
    /// Whether the page of the sign-in sends the browser back with a refusal.
    pub denies_sign_in: bool,
    /// How an instance processes batches.
    pub batches: BatchWork,
    /// For how long lists lack what was made.
    pub read_lag: Duration,
    /// For how long after the last write the Content Fetch API shows an instance as it was before.
    pub fetch_lag: Duration,
    /// How long each request waits before it is handled.
    pub latency: Duration,
    /// Maximum random jitter added to `latency`.
    pub jitter: Duration,
    /// Requests per second and token; one more is answered 429 with `Retry-After` in full seconds and has
    /// no effect. `None` admits all. Downloads of assets and the admin paths do not count.
    pub rate_limit: Option<u32>,
    /// How they are counted.
    pub rate_limit_kind: RateLimitKind,
    /// Whether every answer states the limit, in `X-RateLimit-Limit`, `-Remaining` and `-Reset` (seconds).
    pub rate_limit_headers: bool,
    /// How the limit changes later, in any order.
    pub rate_limit_changes: Vec<RateChange>,
    /// Whether a refusal for the rate leaves out `Retry-After`.
    pub rate_limit_silent: bool,
    /// A file that gets each finished request as one line of JSON, flushed per line. Appended to.
    pub request_log: Option<PathBuf>,
    /// Random seed for jitter and fault rates.
    pub seed: u64,
    /// After how long without a request a connection is closed; `None` keeps it.
    pub idle: Option<Duration>,
    /// What its instances do about names that are in use.
    pub rules: Rules,
    /// Scripted misbehaviour. The first fault that fires on a request is the one that happens.
    pub faults: Vec<Fault>,
}

/// Another rate limit from some moment on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateChange {
    /// How long after the start of the server.
    pub after: Duration,
    /// Requests per token within any one second from then on.
    pub per_second: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            state: StateFile {
                schema: SCHEMA,
                instances: Vec::new(),
            },
            tokens: Vec::new(),
            batches: BatchWork::default(),
            token_lifetime: Duration::from_hours(1),
            denies_sign_in: false,
            read_lag: Duration::ZERO,
            fetch_lag: Duration::ZERO,
            latency: Duration::ZERO,
            jitter: Duration::ZERO,
            rate_limit: None,
            rate_limit_kind: RateLimitKind::default(),
            rate_limit_headers: false,
            rate_limit_changes: Vec::new(),
            rate_limit_silent: false,
            request_log: None,
            seed: 0,
            idle: None,
            rules: Rules::default(),
            faults: Vec::new(),
        }
    }
}
