//! The lease: one run at a time per pair of instances.
//!
//! A lease ends by itself when it is not renewed, so that a dead owner blocks no other run for long. Every new
//! owner raises the generation, and renewing asks for the own generation: an owner that slept through its expiry is refused
//! instead of working on beside the next one. Every commit of a run asks for it as well, in its own transaction ([`Mark`]):
//! after a takeover nothing of the former owner is stored any more.
//!
//! Moments are those of the server's clock where the state is on a server, since the clocks of runners differ.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::connection::{Connection, Row, query};
use super::in_place::Working;
use super::rows::Reader;
use super::writer::Reply;
use super::{HeldLease, Pair, StoreError};
use crate::domain::{Guid, HeldFile, RunId};
use crate::planted::{self, Bug};

/// The owner that requests a lease. Other runs see it when they are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseOwner {
    /// The user's name, or whatever the user goes by.
    pub owner: String,
    /// The machine.
    pub host: String,
    /// The process id on that machine.
    pub process: u32,
    /// The run.
    pub run: RunId,
}

/// The right to write to a target from a source. Not `Clone`: it has one holder.
#[derive(Debug)]
pub struct Lease {
    pub(super) mark: Arc<Mark>,
    pub(super) ended_ago: Option<Duration>,
    /// Shows other processes on this machine that the owner is alive.
    pub(super) alive: Option<HeldFile>,
}

impl Lease {
    /// How long ago the lease ended that it was taken over from, of a run on another machine that did not give it back. That run
    /// may be gone, or cut off from the state with requests under way. `None` where the lease was free.
    pub const fn ended_ago(&self) -> Option<Duration> {
        self.ended_ago
    }
}

/// Distinguishes one lease from those before and after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) pair: Pair,
    pub(super) run: RunId,
    pub(super) generation: i64,
}

/// A lease as it was lent.
pub(super) struct Lent {
    pub(super) generation: i64,
    pub(super) ended_ago: Option<Duration>,
}

/// What the writer is asked about leases.
pub(super) enum LeaseRequest {
    Acquire {
        pair: Pair,
        owner: LeaseOwner,
        /// `None`: now.
        at: Option<Timestamp>,
        ttl: Duration,
        /// A holder that is known to be dead: its lease counts as expired.
        dead: Option<RunId>,
        reply: Reply<Lent>,
    },
    Renew {
        mark: Arc<Mark>,
        /// `None`: now.
        at: Option<Timestamp>,
        ttl: Duration,
        reply: Reply<()>,
    },
    Release {
        mark: Arc<Mark>,
        reply: Reply<()>,
    },
    Holder {
        pair: Pair,
        reply: Reply<Option<Holding>>,
    },
}

impl LeaseRequest {
    /// Answers without having done anything.
    pub(super) fn refuse(self, error: StoreError) {
        match self {
            Self::Acquire { reply, .. } => drop(reply.send(Err(error))),
            Self::Renew { reply, .. } | Self::Release { reply, .. } => {
                drop(reply.send(Err(error)));
            }
            Self::Holder { reply, .. } => drop(reply.send(Err(error))),
        }
    }
}

/// The holder of a lease, as far as others may check whether it is alive.
pub(super) struct Holding {
    pub(super) host: String,
    pub(super) run: RunId,
    /// Whether it has ended without having been given back.
    pub(super) is_over: bool,
    /// What another run is refused with.
    pub(super) refusal: StoreError,
}

/// Carries out one request in a transaction of its own. A caller that has gone away makes no difference: a lease that it did
/// not receive expires.
///
/// Gives what made it fail, if it did.
pub(super) async fn serve(
    connection: &mut Connection,
    request: LeaseRequest,
    working: Working,
) -> Option<StoreError> {
    match request {
        LeaseRequest::Acquire {
            pair,
            owner,
            at,
            ttl,
            dead,
            reply,
        } => {
            let acquired = acquire(connection, &pair, &owner, (at, ttl, dead), working).await;
            answer(reply, acquired)
        }
        LeaseRequest::Renew {
            mark,
            at,
            ttl,
            reply,
        } => {
            let renewed = match now(connection, at, working).await {
                Ok(now) => renew(connection, &mark, expiry(now, ttl)).await,
                Err(error) => Err(error),
            };
            answer(reply, renewed)
        }
        LeaseRequest::Release { mark, reply } => {
            let released = release(connection, &mark).await;
            answer(reply, released)
        }
        LeaseRequest::Holder { pair, reply } => {
            let holding = holding(connection, &pair, working).await;
            answer(reply, holding)
        }
    }
}

fn answer<T>(reply: Reply<T>, done: Result<T, StoreError>) -> Option<StoreError> {
    let failed = done.as_ref().err().cloned();
    drop(reply.send(done));
    failed
}

/// The moment `at`, or the present one by the clock that leases end by.
async fn now(
    connection: &mut Connection,
    at: Option<Timestamp>,
    working: Working,
) -> Result<Timestamp, StoreError> {
    if let Some(at) = at {
        return Ok(at);
    }
    let of_server = connection.now_ms().await?;
    let moment = of_server.and_then(|now_ms| Timestamp::from_millisecond(now_ms).ok());
    Ok(moment.unwrap_or_else(|| working.now()))
}

async fn holding(
    connection: &mut Connection,
    pair: &Pair,
    working: Working,
) -> Result<Option<Holding>, StoreError> {
    let now = now(connection, None, working).await?;
    let Some(held) = holder(connection, pair).await? else {
        return Ok(None);
    };
    Ok(Some(Holding {
        host: held.host.clone(),
        run: RunId(held.run.clone()),
        is_over: held.expires_ms <= now.as_millisecond(),
        refusal: held.refusal(&connection.place)?,
    }))
}

async fn acquire(
    connection: &mut Connection,
    pair: &Pair,
    owner: &LeaseOwner,
    (at, ttl, dead): (Option<Timestamp>, Duration, Option<RunId>),
    working: Working,
) -> Result<Lent, StoreError> {
    connection.begin().await?;
    let lent = acquire_in(connection, pair, owner, (at, ttl, dead), working).await;
    connection.end(lent).await
}

async fn acquire_in(
    connection: &mut Connection,
    pair: &Pair,
    owner: &LeaseOwner,
    (at, ttl, dead): (Option<Timestamp>, Duration, Option<RunId>),
    working: Working,
) -> Result<Lent, StoreError> {
    let now = now(connection, at, working).await?;
    let held = holder(connection, pair).await?;
    let is_dead = |held: &Holder| dead.is_some_and(|dead| dead.0 == held.run);
    let (before, ended_ago) = match held {
        Some(held)
            if held.expires_ms > now.as_millisecond()
                && !is_dead(&held)
                && !planted::has(Bug::LendsLeaseTwice) =>
        {
            return Err(held.refusal(&connection.place)?);
        }
        // One that was given back ended with 1970.
        Some(held) if held.expires_ms > 0 && held.host != owner.host => {
            let ago_ms = now.as_millisecond().saturating_sub(held.expires_ms);
            let ago = Duration::from_millis(u64::try_from(ago_ms).unwrap_or(0));
            (held.generation, Some(ago))
        }
        Some(held) => (held.generation, None),
        None => (0, None),
    };
    let written = query(
        "INSERT INTO leases
               (source, target, generation, owner, host, process, run, since_ms, expires_ms)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (source, target) DO UPDATE SET
               generation = excluded.generation, owner = excluded.owner, host = excluded.host,
               process = excluded.process, run = excluded.run, since_ms = excluded.since_ms,
               expires_ms = excluded.expires_ms
           WHERE leases.generation = ?",
    )
    .bind(pair.source.as_str())
    .bind(pair.target.as_str())
    .bind(before + 1)
    .bind(&owner.owner)
    .bind(&owner.host)
    .bind(i64::from(owner.process))
    .bind(&owner.run.0)
    .bind(now.as_millisecond())
    .bind(expiry(now, ttl))
    .bind(before);
    if connection.execute(written).await? == 0 {
        // On a server another run may have been faster since the row was read.
        let held = holder(connection, pair).await?;
        let held = held.ok_or_else(|| StoreError::LeaseLost {
            run: owner.run.clone(),
        })?;
        return Err(held.refusal(&connection.place)?);
    }
    Ok(Lent {
        generation: before + 1,
        ended_ago,
    })
}

async fn renew(
    connection: &mut Connection,
    mark: &Mark,
    expires_ms: i64,
) -> Result<(), StoreError> {
    let renewed = query(
        "UPDATE leases SET expires_ms = ? WHERE source = ? AND target = ? AND run = ? AND generation = ?",
    )
    .bind(expires_ms)
    .bind(mark.pair.source.as_str())
    .bind(mark.pair.target.as_str())
    .bind(&mark.run.0)
    .bind(mark.generation);
    if connection.execute(renewed).await? == 0 {
        return Err(mark.lost());
    }
    Ok(())
}

/// Lets the lease expire now and keeps the row, so that the generation keeps rising. A lease that
/// another run has taken over stays with that run.
async fn release(connection: &mut Connection, mark: &Mark) -> Result<(), StoreError> {
    match renew(connection, mark, 0).await {
        Ok(()) | Err(StoreError::LeaseLost { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

impl Mark {
    fn lost(&self) -> StoreError {
        StoreError::LeaseLost {
            run: self.run.clone(),
        }
    }

    /// Makes sure, inside a transaction, that no other run has taken the lease over, and that none does before the
    /// transaction is over.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when another run has it.
    pub(super) async fn check(&self, connection: &mut Connection) -> Result<(), StoreError> {
        if planted::has(Bug::KeepsLossToItself) {
            return Ok(());
        }
        let shared = connection.shared();
        let held = query(format!(
            "SELECT generation FROM leases
             WHERE source = ? AND target = ? AND run = ? AND generation = ?{shared}"
        ))
        .bind(self.pair.source.as_str())
        .bind(self.pair.target.as_str())
        .bind(&self.run.0)
        .bind(self.generation);
        let rows = connection.rows(&held, |_| Ok(())).await?;
        rows.into_iter().next().ok_or_else(|| self.lost())
    }
}

/// When a lease taken at `now` ends, in milliseconds since 1970.
fn expiry(now: Timestamp, ttl: Duration) -> i64 {
    let ttl = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
    now.as_millisecond().saturating_add(ttl)
}

/// All leases that were ever lent; what follows may choose some.
pub(super) const LEASES: &str = "SELECT source, target, generation, owner, host, process, run, since_ms, expires_ms FROM leases";

/// A row of the table.
pub(super) struct Holder {
    pair: Pair,
    generation: i64,
    owner: String,
    host: String,
    process: i64,
    run: String,
    since_ms: i64,
    expires_ms: i64,
}

async fn holder(connection: &mut Connection, pair: &Pair) -> Result<Option<Holder>, StoreError> {
    let place = Arc::clone(&connection.place);
    let asked = query(format!("{LEASES} WHERE source = ? AND target = ?"))
        .bind(pair.source.as_str())
        .bind(pair.target.as_str());
    let rows = connection.rows(&asked, |row| Holder::of(row, &place));
    Ok(rows.await?.into_iter().next())
}

impl Holder {
    /// Reads a row of [`LEASES`].
    pub(super) fn of(row: Row<'_>, place: &str) -> Result<Self, StoreError> {
        let read = || {
            Ok(Self {
                pair: Pair {
                    source: Guid::new(row.get("source")?),
                    target: Guid::new(row.get("target")?),
                },
                generation: row.get("generation")?,
                owner: row.get("owner")?,
                host: row.get("host")?,
                process: row.get("process")?,
                run: row.get("run")?,
                since_ms: row.get("since_ms")?,
                expires_ms: row.get("expires_ms")?,
            })
        };
        read().map_err(|error| StoreError::of(error, place))
    }

    /// The lease, if its numbers make sense.
    pub(super) fn lease(self, place: &str) -> Result<HeldLease, StoreError> {
        let reader = Reader {
            place,
            table: "leases",
        };
        let moment =
            |column, ms| Timestamp::from_millisecond(ms).map_err(|_| reader.wrong(column, ms));
        Ok(HeldLease {
            pair: self.pair,
            owner: self.owner,
            host: self.host,
            process: reader.number("process", self.process)?,
            run: RunId(self.run),
            since: moment("since_ms", self.since_ms)?,
            expires: moment("expires_ms", self.expires_ms)?,
            epoch: self.generation,
        })
    }

    fn refusal(self, place: &str) -> Result<StoreError, StoreError> {
        self.lease(place).map(HeldLease::refusal)
    }
}
