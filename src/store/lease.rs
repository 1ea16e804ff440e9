//! The lease: one run at a time per pair of instances.
//!
//! A lease ends by itself when it is not renewed, so that a dead owner blocks nobody for long. Every new
//! owner raises the generation, and renewing asks for the own generation: an owner that slept through its
//! expiry learns that it lost the lease instead of working on beside the next one.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, query, query_as};

use super::rows::Reader;
use super::writer::Reply;
use super::{Pair, StoreError};
use crate::domain::{HeldFile, RunId};
use crate::planted::{self, Bug};

/// Who asks for a lease. Others see it when they are refused.
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

/// The right to write to a target from a source. Not `Clone`: whoever has it has it alone.
#[derive(Debug)]
pub struct Lease {
    pub(super) pair: Pair,
    pub(super) run: RunId,
    pub(super) generation: i64,
    /// Tells others on this machine that the owner lives.
    pub(super) alive: Option<HeldFile>,
}

/// What the writer is asked about leases.
pub(super) enum LeaseRequest {
    Acquire {
        pair: Pair,
        owner: LeaseOwner,
        now: Timestamp,
        ttl: Duration,
        /// A holder that is known to be dead: its lease counts as expired.
        dead: Option<RunId>,
        /// The generation of the new lease.
        reply: Reply<i64>,
    },
    Renew {
        pair: Pair,
        run: RunId,
        generation: i64,
        expires_ms: i64,
        reply: Reply<()>,
    },
    Release {
        pair: Pair,
        run: RunId,
        generation: i64,
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

/// Who has a lease, as far as others may ask whether it lives.
pub(super) struct Holding {
    pub(super) host: String,
    pub(super) run: RunId,
    pub(super) expires_ms: i64,
    /// What another run is refused with.
    pub(super) refusal: StoreError,
}

/// Carries out one request in a transaction of its own. Nobody minds when the asker has gone away: an
/// unheard lease expires.
///
/// Gives what made it fail, if it did.
pub(super) async fn serve(
    connection: &mut SqliteConnection,
    request: LeaseRequest,
    place: &str,
) -> Option<StoreError> {
    match request {
        LeaseRequest::Acquire {
            pair,
            owner,
            now,
            ttl,
            dead,
            reply,
        } => {
            let acquired = acquire(connection, &pair, &owner, (now, ttl, dead), place).await;
            let failed = acquired.as_ref().err().cloned();
            drop(reply.send(acquired));
            failed
        }
        LeaseRequest::Renew {
            pair,
            run,
            generation,
            expires_ms,
            reply,
        } => {
            let renewed = renew(connection, (&pair, &run, generation), expires_ms, place).await;
            let failed = renewed.as_ref().err().cloned();
            drop(reply.send(renewed));
            failed
        }
        LeaseRequest::Release {
            pair,
            run,
            generation,
            reply,
        } => {
            let released = release(connection, (&pair, &run, generation), place).await;
            let failed = released.as_ref().err().cloned();
            drop(reply.send(released));
            failed
        }
        LeaseRequest::Holder { pair, reply } => {
            let held = holder(connection, &pair, place).await;
            let holding = |held: Holder| {
                Ok(Holding {
                    host: held.host.clone(),
                    run: RunId(held.run.clone()),
                    expires_ms: held.expires_ms,
                    refusal: held.refusal(place)?,
                })
            };
            let held = held.and_then(|held| held.map(holding).transpose());
            let failed = held.as_ref().err().cloned();
            drop(reply.send(held));
            failed
        }
    }
}

async fn acquire(
    connection: &mut SqliteConnection,
    pair: &Pair,
    owner: &LeaseOwner,
    (now, ttl, dead): (Timestamp, Duration, Option<RunId>),
    place: &str,
) -> Result<i64, StoreError> {
    let failed = |error| StoreError::of(error, place);
    let mut transaction = connection
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(failed)?;
    let held = holder(&mut transaction, pair, place).await?;
    let is_dead = |held: &Holder| dead.is_some_and(|dead| dead.0 == held.run);
    let generation = match held {
        Some(held)
            if held.expires_ms > now.as_millisecond()
                && !is_dead(&held)
                && !planted::has(Bug::LendsLeaseTwice) =>
        {
            return Err(held.refusal(place)?);
        }
        Some(held) => held.generation + 1,
        None => 1,
    };
    query(
        "INSERT OR REPLACE INTO leases
               (source, target, generation, owner, host, process, run, since_ms, expires_ms)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(pair.source.as_str())
    .bind(pair.target.as_str())
    .bind(generation)
    .bind(&owner.owner)
    .bind(&owner.host)
    .bind(i64::from(owner.process))
    .bind(&owner.run.0)
    .bind(now.as_millisecond())
    .bind(expiry(now, ttl))
    .execute(&mut *transaction)
    .await
    .map_err(failed)?;
    transaction.commit().await.map_err(failed)?;
    Ok(generation)
}

async fn renew(
    connection: &mut SqliteConnection,
    (pair, run, generation): (&Pair, &RunId, i64),
    expires_ms: i64,
    place: &str,
) -> Result<(), StoreError> {
    let result = query("UPDATE leases SET expires_ms = ? WHERE source = ? AND target = ? AND run = ? AND generation = ?")
        .bind(expires_ms)
        .bind(pair.source.as_str())
        .bind(pair.target.as_str())
        .bind(&run.0)
        .bind(generation)
        .execute(connection)
        .await
        .map_err(|error| StoreError::of(error, place))?;
    if result.rows_affected() == 0 {
        return Err(StoreError::LeaseLost { run: run.clone() });
    }
    Ok(())
}

/// Lets the lease expire now and keeps the row, so that the generation goes on rising. A lease that
/// another run has taken over stays with that run.
async fn release(
    connection: &mut SqliteConnection,
    lease: (&Pair, &RunId, i64),
    place: &str,
) -> Result<(), StoreError> {
    match renew(connection, lease, 0, place).await {
        Ok(()) | Err(StoreError::LeaseLost { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// When a lease taken at `now` ends, in milliseconds since 1970.
pub(super) fn expiry(now: Timestamp, ttl: Duration) -> i64 {
    let ttl = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
    now.as_millisecond().saturating_add(ttl)
}

/// A row of the table.
struct Holder {
    generation: i64,
    owner: String,
    host: String,
    process: i64,
    run: String,
    since_ms: i64,
    expires_ms: i64,
}

async fn holder(
    connection: &mut SqliteConnection,
    pair: &Pair,
    place: &str,
) -> Result<Option<Holder>, StoreError> {
    let row: Option<(i64, String, String, i64, String, i64, i64)> = query_as(
        "SELECT generation, owner, host, process, run, since_ms, expires_ms
         FROM leases WHERE source = ? AND target = ?",
    )
    .bind(pair.source.as_str())
    .bind(pair.target.as_str())
    .fetch_optional(connection)
    .await
    .map_err(|error| StoreError::of(error, place))?;
    Ok(row.map(
        |(generation, owner, host, process, run, since_ms, expires_ms)| Holder {
            generation,
            owner,
            host,
            process,
            run,
            since_ms,
            expires_ms,
        },
    ))
}

impl Holder {
    fn refusal(self, place: &str) -> Result<StoreError, StoreError> {
        let reader = Reader {
            place,
            table: "leases",
        };
        let moment =
            |column, ms| Timestamp::from_millisecond(ms).map_err(|_| reader.wrong(column, ms));
        Ok(StoreError::LeaseHeld {
            owner: self.owner,
            host: self.host,
            process: reader.number("process", self.process)?,
            run: RunId(self.run),
            since: moment("since_ms", self.since_ms)?,
            expires: moment("expires_ms", self.expires_ms)?,
        })
    }
}
