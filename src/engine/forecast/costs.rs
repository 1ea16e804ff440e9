//! The measured costs of requests and items.

use std::time::Duration;

use crate::engine::context::{Ends, RunContext};
use crate::engine::pace::{Class, PacerSnapshot, gathering};
use crate::engine::poll::BatchCosts;

/// The time of an answer before one of its class or any other has come.
const UNKNOWN: Duration = Duration::from_millis(100);

/// What was learned of the target so far.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Costs {
    /// The pace of the target.
    pub(in crate::engine) target: PacerSnapshot,
    /// What fetching a file from the source takes; `None` where none was.
    pub(in crate::engine) download: Option<Duration>,
    /// What batches take.
    pub(in crate::engine) batches: BatchCosts,
    /// The time until a note is durable: each request waits for one before it leaves and before its answer counts.
    pub(in crate::engine) commit: Duration,
    /// Whether notes wait for one another at present, because the rate is what requests wait for.
    pub(in crate::engine) gathers: bool,
}

impl Costs {
    /// What is known now.
    pub(in crate::engine) fn of<E: Ends>(context: &RunContext<E>) -> Self {
        Self {
            target: context.instances.target_pacer.pace_snapshot(),
            download: *context
                .instances
                .source_pacer
                .pace_snapshot()
                .times
                .get(Class::Download),
            batches: context.instances.batch_times.costs(),
            commit: context.journal.store.commit_time(),
            gathers: context.journal.store.is_gathering(),
        }
    }

    /// What an answer of the target takes: what it took so far, else what the slowest other class took. A file is taken
    /// to come as fast as one of the source.
    pub(in crate::engine) fn answer(&self, class: Class) -> Duration {
        let times = &self.target.times;
        let source = self.download.filter(|_| class == Class::Download);
        let known = times.get(class).or(source).or_else(|| {
            let others = Class::ALL.into_iter().filter(|other| other.is_metered());
            others.filter_map(|other| *times.get(other)).max()
        });
        known.unwrap_or(UNKNOWN)
    }

    /// The time until a note is durable while requests wait for that rate, or for something else.
    pub(in crate::engine) fn commit_at(&self, scarce: Option<f64>) -> Duration {
        let gathering = gathering(scarce.or(self.target.outlook.per_second));
        match (self.gathers, scarce) {
            (true, None) => self.commit.saturating_sub(gathering).max(self.commit / 8),
            // A later note waits for less.
            (false, Some(_)) => self.commit + gathering * 3 / 4,
            (true, Some(_)) | (false, None) => self.commit,
        }
    }

    /// Whether what was learned since has changed little: no cost that counts by more than one part in eight.
    pub(in crate::engine) fn is_like(&self, before: &Self) -> bool {
        let near = |one: Duration, other: Duration| one.abs_diff(other) <= one.max(other) / 8;
        let mut classes = Class::ALL.into_iter().filter(|class| class.is_metered());
        self.batches.is_like(&before.batches)
            && near(self.spacing(), before.spacing())
            && classes.all(|class| near(self.answer(class), before.answer(class)))
    }

    /// The time between two requests that count against the rate; zero while no limit is known.
    pub(in crate::engine) fn spacing(&self) -> Duration {
        let per_second = self.target.outlook.per_second.filter(|rate| *rate > 0.0);
        per_second
            .and_then(|rate| Duration::try_from_secs_f64(1.0 / rate).ok())
            .unwrap_or_default()
    }
}
