//! How long an undo will still take.
//!
//! An undo has no scheduler that could be played ahead: it goes through its stages one after another. What it does is
//! alike enough, a few requests for each entity, so those that are left are counted with what entities have cost so far, and
//! leave as fast as they have of late.

use std::collections::VecDeque;
use std::time::Duration;

use super::after::After;
use super::costs::Costs;
use crate::engine::pace::{Outlook, Sample, scarce};
use crate::event::{Bottleneck, Event};

/// Entities that tell what one costs.
const BASIS: usize = 5;

/// Seconds whose pace counts.
const RECENT: usize = 10;

/// Watches an undo.
#[derive(Debug)]
pub(in crate::engine) struct Undoing {
    /// Entities to delete or restore.
    entities: usize,
    /// What comes after them.
    after: After,
    /// Requests so far, a second apart.
    recent: VecDeque<u64>,
}

impl Undoing {
    /// An undo of so many entities, after which this comes.
    pub(in crate::engine) fn new(entities: usize, after: After) -> Self {
        Self {
            entities,
            after,
            recent: VecDeque::new(),
        }
    }

    /// What is told when so many entities have their outcome. To be asked once a second.
    pub(in crate::engine) fn forecast(
        &mut self,
        done: usize,
        (began, now): (&Sample, &Sample),
        costs: &Costs,
    ) -> Option<Event> {
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(now.requests);
        let sent = now.requests - began.requests;
        let left = self.entities.saturating_sub(done);
        if done < BASIS.min(self.entities) {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "requests are far below 2^52")]
        let requests = sent as f64 * left as f64 / done.max(1) as f64;
        let (per_second, by) = self.pace(&costs.target.outlook)?;
        let upload = Duration::try_from_secs_f64(requests / per_second).ok()?;
        Some(self.after.forecast(costs, upload, by))
    }

    /// Requests per second of late, and what they wait for; `None` when there were none.
    #[expect(
        clippy::cast_precision_loss,
        reason = "requests of ten seconds are few"
    )]
    fn pace(&self, outlook: &Outlook) -> Option<(f64, Bottleneck)> {
        let sent = self.recent.back()? - self.recent.front()?;
        let per_second = sent as f64 / (self.recent.len() - 1).max(1) as f64;
        let by = if scarce(outlook.per_second, per_second).is_some() {
            Bottleneck::Rate
        } else {
            Bottleneck::InFlight
        };
        (per_second > 0.0).then_some((per_second, by))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::pace::{Bearings, PerClass};
    use crate::engine::poll::BatchCosts;

    fn costs(per_second: Option<f64>) -> Costs {
        Costs {
            target: Bearings {
                outlook: Outlook {
                    per_second,
                    ..Outlook::default()
                },
                total: 16,
                windows: PerClass::of(|_| 16),
                times: PerClass::of(|_| Some(Duration::from_millis(100))),
            },
            download: None,
            batches: BatchCosts::unknown(),
            commit: Duration::from_millis(3),
            gathers: false,
        }
    }

    fn sample(requests: u64) -> Sample {
        Sample {
            at: tokio::time::Instant::now(),
            requests,
            downloads: 0,
            refused: 0,
            in_flight: 1,
            latency: Duration::ZERO,
            per_second_max: None,
            concurrency: 16,
        }
    }

    /// What is told of an undo of 200 entities that settles ten of them a second with three requests each, which began after
    /// 50 requests.
    fn told(seconds: usize, per_second: Option<f64>) -> Option<Event> {
        let mut undoing = Undoing::new(200, After::default());
        let mut told = None;
        for second in 0..=seconds {
            let now = sample(50 + 30 * second as u64);
            told = undoing.forecast(10 * second, (&sample(50), &now), &costs(per_second));
        }
        told
    }

    const fn forecast(upload_ms: u64, by: Bottleneck) -> Event {
        Event::ForecastMade {
            upload_ms,
            verify_ms: 0,
            by,
        }
    }

    #[test]
    fn requests_that_are_left_leave_as_fast_as_they_did_of_late() {
        assert_eq!(told(0, None), None, "nobody knows what an entity costs");
        assert_eq!(told(1, None), Some(forecast(19_000, Bottleneck::InFlight)));
        assert_eq!(
            told(15, Some(31.0)),
            Some(forecast(5_000, Bottleneck::Rate))
        );
        assert_eq!(
            told(15, Some(90.0)),
            Some(forecast(5_000, Bottleneck::InFlight))
        );
    }

    #[test]
    fn while_nothing_leaves_nothing_is_told() {
        let mut undoing = Undoing::new(200, After::default());
        let still = (&sample(50), &sample(80));
        let told: Vec<bool> = (0..=RECENT)
            .map(|_| undoing.forecast(10, still, &costs(None)).is_some())
            .collect();
        assert!(!told.contains(&true), "{told:?}");
    }
}
