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
use crate::domain::RunId;

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
#[derive(Debug, PartialEq, Eq)]
pub struct Lease {
    pub(super) pair: Pair,
    pub(super) run: RunId,
    pub(super) generation: i64,
}

/// What the writer is asked about leases.
pub(super) enum LeaseRequest {
    Acquire {
        pair: Pair,
        owner: LeaseOwner,
        now: Timestamp,
        ttl: Duration,
        reply: Reply<Lease>,
    },
    Renew {
        pair: Pair,
        run: RunId,
        generation: i64,
        expires_ms: i64,
        reply: Reply<()>,
    },
    Release {
        lease: Lease,
        reply: Reply<()>,
    },
}

/// Carries out one request in a transaction of its own. Nobody minds when the asker has gone away: an
/// unheard lease expires.
pub(super) async fn serve(connection: &mut SqliteConnection, request: LeaseRequest, place: &str) {
    match request {
        LeaseRequest::Acquire {
            pair,
            owner,
            now,
            ttl,
            reply,
        } => {
            drop(reply.send(acquire(connection, pair, &owner, (now, ttl), place).await));
        }
        LeaseRequest::Renew {
            pair,
            run,
            generation,
            expires_ms,
            reply,
        } => {
            let lease = Lease {
                pair,
                run,
                generation,
            };
            drop(reply.send(renew(connection, &lease, expires_ms, place).await));
        }
        LeaseRequest::Release { lease, reply } => {
            drop(reply.send(release(connection, &lease, place).await));
        }
    }
}

async fn acquire(
    connection: &mut SqliteConnection,
    pair: Pair,
    owner: &LeaseOwner,
    (now, ttl): (Timestamp, Duration),
    place: &str,
) -> Result<Lease, StoreError> {
    let failed = |error| StoreError::of(error, place);
    let mut transaction = connection
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(failed)?;
    let held = holder(&mut transaction, &pair, place).await?;
    let generation = match held {
        Some(held) if held.expires_ms > now.as_millisecond() => return Err(held.refusal(place)?),
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
    Ok(Lease {
        pair,
        run: owner.run.clone(),
        generation,
    })
}

async fn renew(
    connection: &mut SqliteConnection,
    lease: &Lease,
    expires_ms: i64,
    place: &str,
) -> Result<(), StoreError> {
    let result = query("UPDATE leases SET expires_ms = ? WHERE source = ? AND target = ? AND run = ? AND generation = ?")
        .bind(expires_ms)
        .bind(lease.pair.source.as_str())
        .bind(lease.pair.target.as_str())
        .bind(&lease.run.0)
        .bind(lease.generation)
        .execute(connection)
        .await
        .map_err(|error| StoreError::of(error, place))?;
    if result.rows_affected() == 0 {
        return Err(StoreError::LeaseLost {
            run: lease.run.clone(),
        });
    }
    Ok(())
}

/// Lets the lease expire now and keeps the row, so that the generation goes on rising. A lease that
/// another run has taken over stays with that run.
async fn release(
    connection: &mut SqliteConnection,
    lease: &Lease,
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
