//! The writer task: the only one that writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::connection::Connection;
use super::in_place::Working;
use super::lease::{self, LeaseRequest, Mark};
use super::write::apply;
use super::{Change, StoreError};
use crate::planted::{self, Bug};

/// How many orders may wait, which is also the most that one transaction takes. It is far above what one
/// lane has in flight, so that a transaction is worth its disk flush; beyond it, senders wait for the disk.
/// The writer sends through one-shot channels only, so no cycle of full channels can form.
pub(super) const QUEUE: usize = 1024;

pub(super) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What is asked of the writer.
pub(super) enum Order {
    /// Make these durable, in this order, all or none, and only as long as the lease is held that they belong to.
    Commit(Vec<Change>, Option<Arc<Mark>>, Reply<()>),
    /// Take, keep or give back the lease.
    Lease(LeaseRequest),
    /// Take no more orders; end when the queue is empty.
    Close,
}

/// A commit that waits for its transaction.
struct Job {
    changes: Vec<Change>,
    lease: Option<Arc<Mark>>,
    reply: Reply<()>,
}

pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) orders: mpsc::Receiver<Order>,
    pub(super) commits: Arc<AtomicU64>,
    pub(super) budget: Arc<AtomicI64>,
    /// Microseconds that it waits for more orders before it begins a transaction.
    pub(super) gather_us: Arc<AtomicU64>,
    pub(super) working: Working,
    /// Whether it is to wait before it does anything.
    pub(super) standing_still: watch::Receiver<bool>,
    pub(super) place: Arc<str>,
    /// What made a transaction fail after which none could be begun any more.
    pub(super) broken: Option<StoreError>,
}

impl Writer {
    /// Works until the store is closed or every sender is gone; what was accepted until then
    /// is written.
    pub(super) async fn run(mut self) {
        let mut orders = Vec::with_capacity(QUEUE);
        while self.orders.recv_many(&mut orders, QUEUE).await > 0 {
            // An error means that all handles are gone, so nothing can resume it.
            drop(self.standing_still.wait_for(|is_stopped| !is_stopped).await);
            self.gather(&mut orders).await;
            let mut jobs = Vec::new();
            for order in orders.drain(..) {
                match order {
                    Order::Commit(changes, lease, reply) => jobs.push(Job {
                        changes,
                        lease,
                        reply,
                    }),
                    Order::Lease(request) => {
                        self.commit_all(std::mem::take(&mut jobs)).await;
                        match self.spend().and(self.healed().await) {
                            Ok(()) => {
                                let serve =
                                    lease::serve(&mut self.connection, request, self.working);
                                let failed = self.working.on(serve).await;
                                self.note(failed.as_ref());
                            }
                            Err(full) => request.refuse(full),
                        }
                    }
                    Order::Close => self.orders.close(),
                }
            }
            self.commit_all(jobs).await;
        }
        self.working.on(self.connection.close()).await;
    }

    /// Waits for more orders, if it is to.
    async fn gather(&mut self, orders: &mut Vec<Order>) {
        let time = Duration::from_micros(self.gather_us.load(Ordering::Relaxed));
        if time.is_zero() {
            return;
        }
        tokio::time::sleep(time).await;
        while orders.len() < QUEUE
            && let Ok(order) = self.orders.try_recv()
        {
            orders.push(order);
        }
    }

    /// Takes one transaction from a rehearsal's budget.
    fn spend(&self) -> Result<(), StoreError> {
        match self.budget.load(Ordering::Relaxed) {
            0 => Err(StoreError::Full {
                place: self.place.to_string(),
            }),
            left if left < 0 => Ok(()),
            left => {
                self.budget.store(left - 1, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    /// Commits the jobs in one transaction. When one of them cannot be stored, each is tried alone, so that
    /// only the culprit hears of it.
    async fn commit_all(&mut self, jobs: Vec<Job>) {
        if jobs.is_empty() {
            return;
        }
        match self.transaction(&jobs).await {
            Err(error) if jobs.len() > 1 && error.is_of_one_change() => {
                for job in jobs {
                    let result = self.transaction(std::slice::from_ref(&job)).await;
                    answer(job, result);
                }
            }
            result => {
                for job in jobs {
                    answer(job, result.clone());
                }
            }
        }
    }

    fn note(&mut self, failed: Option<&StoreError>) {
        if let Some(error) = failed.filter(|error| !error.is_of_one_change()) {
            self.broken = Some(error.clone());
        }
    }

    /// After a transaction that failed for want of something, such as room on the disk, the connection may not be able to
    /// begin another one, and report that as a failure of its own. Then the first cause is what is reported.
    async fn healed(&mut self) -> Result<(), StoreError> {
        let Some(first) = self.broken.take() else {
            return Ok(());
        };
        let connection = &mut self.connection;
        let trial = async {
            if connection.is_server() {
                return connection.reconnect().await;
            }
            connection.begin().await?;
            connection.script("ROLLBACK").await
        };
        if self.working.on(trial).await.is_ok() {
            return Ok(());
        }
        self.broken = Some(first.clone());
        Err(first)
    }

    async fn transaction(&mut self, jobs: &[Job]) -> Result<(), StoreError> {
        match self.spend() {
            Err(_) if planted::has(Bug::AnswersBeforeDurable) => return Ok(()),
            spent => spent?,
        }
        self.healed().await?;
        let connection = &mut self.connection;
        let done = self.working.on(attempt(connection, jobs)).await;
        let done = match done {
            // Nothing was stored, so the same once more is no second time.
            Err(StoreError::Unreachable { .. }) => match self.connection.reconnect().await {
                Ok(()) => attempt(&mut self.connection, jobs).await,
                Err(error) => Err(error),
            },
            done => done,
        };
        self.note(done.as_ref().err());
        done?;
        self.commits.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// Commits the jobs in one transaction, if every lease that they belong to is still held.
async fn attempt(connection: &mut Connection, jobs: &[Job]) -> Result<(), StoreError> {
    connection.begin().await?;
    let done = write(connection, jobs).await;
    connection.end(done).await
}

async fn write(connection: &mut Connection, jobs: &[Job]) -> Result<(), StoreError> {
    let mut checked: Vec<&Mark> = Vec::new();
    for lease in jobs.iter().filter_map(|job| job.lease.as_deref()) {
        if !checked.contains(&lease) {
            lease.check(connection).await?;
            checked.push(lease);
        }
    }
    let changes = jobs.iter().flat_map(|job| &job.changes);
    apply(connection, changes).await
}

/// Answers the sender. The changes of one that has gone away are durable all the same.
fn answer(job: Job, result: Result<(), StoreError>) {
    drop(job.reply.send(result));
}
