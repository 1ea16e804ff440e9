//! When the rest of a run is simulated, and where the result goes.
//!
//! Simulating an hour takes about a second of processor time, and a good estimate does not move. So there is no new
//! simulation while the uploads are where the last one has them and cost what it assumed; after the first second of
//! processor time simulations become rare. In between, the curve of the last one is reported again, stretched by the
//! factor by which the uploads are slower or faster than it.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::post_upload::PostUploadWork;
use super::{Costs, Forecast, ahead};
use crate::engine::context::{Ends, RunContext};
use crate::engine::state::{Job, Work};
use crate::event::Event;

/// A play may take one part of the time in this many, on a thread of its own …
const SHARE: u32 = 100;

/// … and when all plays have taken this long, one in this many: a second in an hour …
const PLENTY: Duration = Duration::from_secs(1);
const SHARE_THEN: u32 = 3_600;

/// … but one is due when this part of the time that was left has passed.
const LONGEST_REST: u32 = 2;

/// A play that agrees with what has happened holds for one part in this of the time that was left.
const HOLDS: u32 = 10;

/// It agrees as long as it is not further off than one part in this of the time that is left …
const OFF: u32 = 50;

/// … or this long.
const OFF_LEAST: Duration = Duration::from_millis(500);

/// A course has to be followed for so long before it shows which is slower.
const STRETCH_FROM: Duration = Duration::from_secs(10);

/// Simulations during which costs are still learned, so that none of them is taken to hold. There is an estimate from the second one
/// on, so these may take a greater part of the time: one in this many.
const FIRST_PLAYS: u32 = 5;
const SHARE_FIRST: u32 = 10;

/// Plays ahead beside the run, one play at a time.
#[derive(Debug)]
pub(in crate::engine) struct EtaEstimator {
    after: PostUploadWork,
    plays: JoinSet<Simulation>,
    played: u32,
    spent: Duration,
    not_before: Instant,
    last: Option<Last>,
}

/// A play that is over.
#[derive(Debug)]
struct Simulation {
    forecast: Forecast,
    costs: Costs,
    began: Instant,
    took: Duration,
}

/// The result of the last play.
#[derive(Debug)]
struct Last {
    began: Instant,
    forecast: Forecast,
    costs: Costs,
    /// The last end that was reported.
    told: Instant,
}

impl Last {
    /// Whether it still holds, with so many uploads left and these costs.
    fn holds(&self, unsettled: u32, costs: &Costs, now: Instant) -> bool {
        let passed = now - self.began;
        let Forecast { left, course, .. } = &self.forecast;
        let left = left.saturating_sub(passed);
        let off = course.at(unsettled).map(|at| at.abs_diff(passed));
        passed < left / HOLDS
            && costs.is_like(&self.costs)
            && off.is_some_and(|off| off <= tolerance(left))
    }

    /// How long the uploads still take when they go on against the play as they did so far; `None` when that was reported
    /// already.
    fn stretched(&mut self, unsettled: u32, now: Instant) -> Option<Duration> {
        let at = self.forecast.course.at(unsettled)?;
        let passed = (now - self.began).as_secs_f64();
        let slower = if at < STRETCH_FROM {
            1.0
        } else {
            (passed / at.as_secs_f64()).clamp(0.5, 2.0)
        };
        let left = self.forecast.left.saturating_sub(at).mul_f64(slower);
        let end = now + left;
        let off = (end - self.told).max(self.told - end);
        if off <= tolerance(left) {
            return None;
        }
        self.told = end;
        Some(left)
    }
}

/// By how much an end may be off before that is worth a report.
fn tolerance(left: Duration) -> Duration {
    OFF_LEAST.max(left / OFF)
}

impl EtaEstimator {
    /// An oracle of a run after which this comes.
    pub(in crate::engine) fn new(after: PostUploadWork) -> Self {
        Self {
            after,
            plays: JoinSet::new(),
            played: 0,
            spent: Duration::ZERO,
            not_before: Instant::now(),
            last: None,
        }
    }

    /// Begins to play, unless a play is on, the last one still holds, or it was a short while ago for what it took: then
    /// what to report instead, if anything.
    pub(in crate::engine) fn ask<E: Ends, W>(
        &mut self,
        context: &RunContext<E>,
        work: &W,
        running: impl Iterator<Item = Job>,
    ) -> Option<Event>
    where
        W: Work,
    {
        let began = Instant::now();
        if !work.is_running() {
            // A pause is no part of any course.
            self.last = None;
        }
        if self.is_asked() || !work.is_running() {
            return None;
        }
        let costs = Costs::of(context);
        let unsettled = work.unsettled();
        let holds = |last: &Last| last.holds(unsettled, &costs, began);
        if self.played >= FIRST_PLAYS && self.last.as_ref().is_some_and(holds) {
            return None;
        }
        if began < self.not_before {
            let last = self.last.as_mut().filter(|_| self.spent >= PLENTY)?;
            let upload = last.stretched(unsettled, began)?;
            return Some(self.after.forecast(&costs, upload, last.forecast.by));
        }
        let work = work.clone();
        let mut running: Vec<Job> = running.collect();
        // They come in any order, and what they are worth must not depend on it.
        running.sort_unstable_by_key(|job| job.steps.first().copied());
        let play = move || {
            let called = Instant::now();
            Simulation {
                forecast: ahead(work, running, &costs),
                costs,
                began,
                took: called.elapsed(),
            }
        };
        if context.options.reproducible {
            self.plays.spawn(async move { play() });
        } else {
            self.plays.spawn_blocking(play);
        }
        None
    }

    /// Whether a play is on.
    pub(in crate::engine) fn is_asked(&self) -> bool {
        !self.plays.is_empty()
    }

    /// The result of the current play; `None` when none is. Cancel-safe.
    pub(in crate::engine) async fn answer(&mut self) -> Option<Event> {
        let joined = self.plays.join_next().await?;
        let play = joined.unwrap_or_else(|broken| std::panic::resume_unwind(broken.into_panic()));
        let now = Instant::now();
        let Forecast { left, by, .. } = play.forecast;
        self.played += 1;
        self.spent += play.took;
        self.not_before = now + rest(self.played, play.took, self.spent, left);
        let upload = left.saturating_sub(now - play.began);
        let told = self.after.forecast(&play.costs, upload, by);
        self.last = Some(Last {
            began: play.began,
            forecast: play.forecast,
            costs: play.costs,
            told: play.began + left,
        });
        Some(told)
    }
}

/// How long nothing is played after so many plays, when the last one took so long and found so much left.
fn rest(played: u32, took: Duration, spent: Duration, left: Duration) -> Duration {
    let shortest = took * SHARE;
    if spent < PLENTY {
        let is_first = played < FIRST_PLAYS;
        return if is_first {
            took * SHARE_FIRST
        } else {
            shortest
        };
    }
    (took * SHARE_THEN).min(left / LONGEST_REST).max(shortest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::forecast::ProgressCurve;
    use crate::engine::pace::{Outlook, PacerSnapshot, PerClass};
    use crate::engine::poll::{BatchCosts, BatchKind};
    use crate::event::Bottleneck;

    const fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    fn batches(time: u64) -> BatchCosts {
        BatchCosts::unknown().with(BatchKind::Page, 1, ms(time))
    }

    fn costs() -> Costs {
        Costs {
            target: PacerSnapshot {
                outlook: Outlook {
                    per_second: Some(20.0),
                    ..Outlook::default()
                },
                total: 16,
                windows: PerClass::of(|_| 16),
                times: PerClass::of(|_| None),
            },
            download: None,
            batches: batches(40),
            commit: ms(3),
            gathers: false,
        }
    }

    /// A play of 1,000 uploads in 600 s, at a steady pace.
    fn last() -> Last {
        let mut course = ProgressCurve::default();
        course.note(1_000, ms(0));
        course.note(0, ms(600_000));
        let began = Instant::now();
        Last {
            began,
            forecast: Forecast {
                left: ms(600_000),
                by: Bottleneck::Rate,
                course,
            },
            costs: costs(),
            told: began + ms(600_000),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_play_holds_while_uploads_are_where_it_has_them_and_cost_the_same() {
        let last = last();
        let now = |seconds: u64| last.began + ms(seconds * 1_000);
        let holds = |unsettled, seconds| last.holds(unsettled, &costs(), now(seconds));
        assert!(holds(950, 30));
        assert!(holds(966, 30), "10 s behind, 570 s left");
        assert!(!holds(980, 30), "18 s behind");
        assert!(!holds(920, 30), "18 s ahead");
        assert!(!holds(900, 60), "it is old");
        let slow = Costs {
            batches: batches(60),
            ..costs()
        };
        assert!(!last.holds(950, &slow, now(30)), "the worker is slower");
    }

    #[tokio::test(start_paused = true)]
    async fn between_plays_the_last_one_is_stretched_and_told_when_it_makes_a_difference() {
        let mut last = last();
        let now = |seconds: u64| Instant::now() + ms(seconds * 1_000);
        assert_eq!(last.stretched(900, now(60)), None, "as it was told");
        assert_eq!(
            last.stretched(900, now(66)),
            Some(ms(594_000)),
            "a tenth slower"
        );
        assert_eq!(last.stretched(800, now(132)), None, "still a tenth");
        assert_eq!(last.stretched(800, now(96)), Some(ms(384_000)), "faster");
        assert_eq!(
            last.stretched(1_001, now(97)),
            None,
            "it says nothing of that"
        );
    }

    /// The estimate begins with the second simulation. In a run of a minute that came after 16 s, and on a busy machine never.
    #[test]
    fn the_first_plays_follow_one_another_soon() {
        let left = Duration::from_mins(1);
        assert_eq!(rest(1, ms(160), ms(160), left), ms(1_600));
        assert_eq!(rest(1, ms(600), ms(600), left), ms(6_000));
        assert_eq!(rest(FIRST_PLAYS, ms(160), ms(800), left), ms(16_000));
    }

    #[test]
    fn plays_of_an_hour_take_some_seconds() {
        let (mut left, mut spent, mut played) = (3_600.0, Duration::ZERO, 0);
        // Never are the uploads where the play before has them. A play takes what is in proportion to what is left.
        while left > 1.0 {
            let took = Duration::from_secs_f64(left / 3_600.0);
            spent += took;
            played += 1;
            let rest = rest(played, took, spent, Duration::from_secs_f64(left));
            left -= rest.as_secs_f64().max(1.0);
        }
        assert!(spent < ms(3_000), "{spent:?}");
    }
}
