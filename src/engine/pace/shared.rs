//! Renews the part of a shared rate that this process has, in the row that all runs share.
//!
//! A task renews it while requests leave with the current part, so only the first request waits for the row. While the row
//! cannot be reached, requests leave with half of the last part.

use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

use super::joint::Joint;
use super::part::Part;
use super::quota::Quota;
use super::server_clock::ServerClock;
use crate::store::{RateKey, RateRow, Store, StoreError};

/// How long a row may take to be read and written. Less than a part lasts: the next part is there before this one ends.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often a row is read again that another run wrote meanwhile.
const ATTEMPTS: u32 = 8;

/// The row of a quota that runs share.
pub(super) trait SharedRow: Send + Sync + 'static {
    /// Reads it.
    fn read(&self) -> impl Future<Output = Result<RateRow, StoreError>> + Send;

    /// Writes it if it is as it was read, and gives whether it was.
    fn write(
        &self,
        read: &RateRow,
        joint: &str,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// The row in a state that is on a server.
pub(super) struct StoredRow {
    pub(super) store: Store,
    pub(super) key: RateKey,
}

impl SharedRow for StoredRow {
    async fn read(&self) -> Result<RateRow, StoreError> {
        self.store.rate_row(&self.key).await
    }

    async fn write(&self, read: &RateRow, joint: &str) -> Result<bool, StoreError> {
        self.store.set_rate_row(&self.key, read, joint).await
    }
}

impl Quota {
    /// Shares the quota with other runs from now on, until it is dropped. Returns when it has its first part, or when the row could
    /// not be reached. Does nothing the second time.
    pub(super) async fn share<R: SharedRow>(self: &Arc<Self>, row: R) {
        let part = Part::none(format!("{:016x}", rand::random::<u64>()));
        let bell = Arc::clone(&part.bell);
        if !self.begin_to_share(part) {
            return;
        }
        renew(self, &row).await;
        self.keep(keep(Arc::downgrade(self), row, bell));
    }

    /// Lets requests leave with a part from now on; gives whether they did not before.
    fn begin_to_share(&self, part: Part) -> bool {
        let mut state = self.state();
        let is_first = state.part.is_none();
        if is_first {
            state.part = Some(part);
        }
        is_first
    }

    /// Carries out `work` until there is no quota.
    fn keep(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut keeping = self.keeping.lock().expect("no holder panics");
        keeping.spawn(work);
    }

    /// When the part is to be renewed; `None` of a quota that is not shared.
    fn renewal_due(&self) -> Option<Instant> {
        let state = self.state();
        let part = state.part.as_ref()?;
        Some(part.due(state.paused_until))
    }

    /// What the row that held `joint` is to hold: see [`Part::propose`].
    fn propose(&self, joint: Joint, clock: ServerClock) -> Joint {
        let state = &mut *self.state();
        match &mut state.part {
            Some(part) => part.propose(joint, clock, &mut state.learner, &mut state.paused_until),
            None => joint,
        }
    }

    /// Takes what the row holds that was asked for at `asked`.
    fn adopt(&self, joint: &Joint, asked: Instant) {
        let state = &mut *self.state();
        if let Some(part) = &mut state.part {
            part.adopt(joint, asked, &mut state.learner);
        }
    }

    /// Notes that the row could not be reached.
    fn renewal_failed(&self) {
        if let Some(part) = &mut self.state().part {
            part.failed();
        }
    }

    /// Whether it is to be reported that requests leave with half of the last part; true once.
    pub(super) fn take_notice(&self) -> bool {
        self.state().part.as_mut().is_some_and(Part::take_notice)
    }
}

/// Renews the part for as long as there is the quota.
async fn keep<R: SharedRow>(quota: Weak<Quota>, row: R, bell: Arc<Notify>) {
    loop {
        let Some(due) = quota.upgrade().and_then(|quota| quota.renewal_due()) else {
            return;
        };
        // Both are cancel-safe: a moment, and a bell that keeps one stroke.
        tokio::select! { biased; () = bell.notified() => {}, () = sleep_until(due) => {} }
        let Some(quota) = quota.upgrade() else {
            return;
        };
        renew(&quota, &row).await;
    }
}

async fn renew<R: SharedRow>(quota: &Quota, row: &R) {
    match timeout(PATIENCE, exchange(quota, row)).await {
        Ok(Ok(true)) => {}
        Ok(Ok(false) | Err(_)) | Err(_) => quota.renewal_failed(),
    }
}

/// Reads the row and writes it; gives whether it was written.
async fn exchange<R: SharedRow>(quota: &Quota, row: &R) -> Result<bool, StoreError> {
    for _ in 0..ATTEMPTS {
        let asked = Instant::now();
        let read = row.read().await?;
        let clock = ServerClock {
            // The server looked at its clock about half way.
            at: asked + asked.elapsed() / 2,
            at_us: read.now_us,
        };
        let joint = quota.propose(Joint::of(&read.joint), clock);
        if row.write(&read, &joint.text()).await? {
            quota.adopt(&joint, asked);
            return Ok(true);
        }
    }
    Ok(false)
}
