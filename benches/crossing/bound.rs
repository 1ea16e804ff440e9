//! The least time that a run could take.
//!
//! Reading, uploading and verifying follow one another by design, so each has a bound of its own, and the run has their
//! sum. Each is the largest of what the chain of answers, the rate, the worker and the requests in flight allow. A
//! rolling limit admits its whole second at once after a rest, a bucket its burst and fixed windows two seconds, so every
//! phase may have those requests for nothing, but the whole run only once.

use std::time::Duration;

use lockgate::mock::{BatchWork, RateLimitKind};

use crate::requests::{Necessary, Phases, Request, batch_items, least_batches};
use crate::round::{Round, Settings};
use crate::work::Work;

/// What holds a client back that wastes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Limit {
    /// Answers that are needed before the next question can be asked.
    Chain,
    /// Requests that the server admits per second.
    Rate,
    /// The server's batch workers.
    Worker,
    /// Requests in flight.
    InFlight,
}

impl Limit {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::Rate => "rate",
            Self::Worker => "worker",
            Self::InFlight => "in flight",
        }
    }
}

/// The least time, and what most of it is due to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub(crate) least: Duration,
    pub(crate) by: Limit,
}

/// The bound of a round whose requests are known.
pub(crate) fn bound(
    round: &Round,
    settings: &Settings,
    work: &Work,
    requests: &[Request],
) -> Bound {
    let phases = Phases::of(requests);
    let given = Given {
        latency: Duration::from_millis(round.latency_ms.into()),
        batches: round.batches(settings),
        limit: round.limit(),
        concurrency: settings.concurrency.into(),
    };
    let parts = [
        given.reading(phases.pull),
        given.uploading(phases.upload, work),
        given.reading(phases.verify),
    ];
    let least = parts.iter().map(|part| part.least).sum();
    let by = parts.iter().max_by_key(|part| part.least);
    let counted = [phases.pull, phases.upload, phases.verify].map(|of| Necessary::of(of).counted);
    let whole = Bound {
        least: given.rate(counted.iter().sum()),
        by: Limit::Rate,
    };
    let sum = Bound {
        least,
        by: by.map_or(Limit::Chain, |part| part.by),
    };
    larger(sum, whole)
}

fn larger(one: Bound, other: Bound) -> Bound {
    if other.least > one.least { other } else { one }
}

/// The settings of both sides that bound a run.
struct Given {
    latency: Duration,
    batches: BatchWork,
    limit: Option<(u32, RateLimitKind)>,
    concurrency: u64,
}

impl Given {
    fn reading(&self, requests: &[Request]) -> Bound {
        let part = Necessary::of(requests);
        let chain = Bound {
            least: times(self.latency, part.chain),
            by: Limit::Chain,
        };
        larger(chain, self.requests(&part))
    }

    fn uploading(&self, requests: &[Request], work: &Work) -> Bound {
        let work_time = self.batches.batch_time + self.batches.item_time;
        let chains = work.chains(self.latency, work_time);
        let chain = Bound {
            least: chains.longest,
            by: Limit::Chain,
        };
        // The first batch arrives, all are processed without a gap, and the last poll arrives.
        let busy = self.busy(requests);
        let worker = Bound {
            least: chains.before_batches + self.latency + busy + self.latency,
            by: Limit::Worker,
        };
        let bound = larger(chain, self.requests(&Necessary::of(requests)));
        if busy.is_zero() {
            bound
        } else {
            larger(bound, worker)
        }
    }

    /// The time for which every worker has something to do. Where each batch has a worker of its own, that of one.
    fn busy(&self, requests: &[Request]) -> Duration {
        let BatchWork {
            workers,
            batch_time,
            item_time,
            stall,
        } = self.batches;
        let Some(workers) = workers else {
            return batch_time + item_time;
        };
        let stall = stall.map_or(Duration::ZERO, |stall| stall.time.mul_f64(stall.share));
        let items = times(item_time, batch_items(requests));
        (items + times(batch_time + stall, least_batches(requests))) / workers
    }

    /// What the rate and the requests in flight allow.
    fn requests(&self, part: &Necessary) -> Bound {
        let rounds = part.busier_side.div_ceil(self.concurrency.max(1));
        let in_flight = Bound {
            least: times(self.latency, rounds),
            by: Limit::InFlight,
        };
        let rate = Bound {
            least: self.rate(part.counted),
            by: Limit::Rate,
        };
        larger(in_flight, rate)
    }

    /// What is free at first, and then one request after another.
    fn rate(&self, requests: u64) -> Duration {
        self.limit.map_or(Duration::ZERO, |(limit, kind)| {
            let free = match kind {
                RateLimitKind::Sliding => limit,
                // The end of one window and the start of the next.
                RateLimitKind::Fixed => 2 * limit,
                RateLimitKind::Bucket { burst } => burst,
            };
            times(Duration::from_secs(1), requests.saturating_sub(free.into())) / limit
        })
    }
}

fn times(span: Duration, count: u64) -> Duration {
    span.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX))
}
