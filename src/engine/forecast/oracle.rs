//! When the rest of a run is played ahead, and where the result goes.
//!
//! A play of an hour takes some tenths of a second of a processor, and an end that was named well does not move: so the
//! longer a run will last the rarer it is played, unless the uploads are not where the last play has them. See
//! `rest` for what that comes to.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::after::After;
use super::{Costs, Course, Forecast, ahead};
use crate::engine::crew::Crew;
use crate::engine::state::{Job, RunState};
use crate::event::Event;
use crate::instance::{Source, Target};

/// A play may take one part of the time in this many, on a thread of its own …
const SHARE: u32 = 100;

/// … and when all plays have taken this long, one in this many: a second in an hour …
const PLENTY: Duration = Duration::from_secs(1);
const SHARE_THEN: u32 = 3_600;

/// … but one is due when this part of the time that was left has passed, or the end would be named too rarely.
const LONGEST_REST: u32 = 8;

/// A play that agrees with what has happened holds for one part in this of the time that was left.
const HOLDS: u32 = 10;

/// It agrees as long as it is not further off than one part in this of the time that is left …
const OFF: u32 = 50;

/// … or this long.
const OFF_LEAST: Duration = Duration::from_millis(500);

/// Plays before the first can be believed to hold: costs are learned in them.
const FIRST_PLAYS: u32 = 5;

/// Plays ahead beside the run, one play at a time.
#[derive(Debug)]
pub(in crate::engine) struct Oracle {
    after: After,
    plays: JoinSet<Play>,
    played: u32,
    spent: Duration,
    not_before: Instant,
    last: Option<Last>,
}

/// A play that is over.
#[derive(Debug)]
struct Play {
    forecast: Forecast,
    costs: Costs,
    began: Instant,
    took: Duration,
}

/// What the last play said.
#[derive(Debug)]
struct Last {
    began: Instant,
    left: Duration,
    course: Course,
}

impl Last {
    /// Whether it still holds, with so many uploads left.
    fn holds(&self, unsettled: u32, now: Instant) -> bool {
        let passed = now - self.began;
        let left = self.left.saturating_sub(passed);
        let off = self.course.at(unsettled).map(|at| at.abs_diff(passed));
        passed < left / HOLDS && off.is_some_and(|off| off <= OFF_LEAST.max(left / OFF))
    }
}

impl Oracle {
    /// An oracle of a run after which this comes.
    pub(in crate::engine) fn new(after: After) -> Self {
        Self {
            after,
            plays: JoinSet::new(),
            played: 0,
            spent: Duration::ZERO,
            not_before: Instant::now(),
            last: None,
        }
    }

    /// Begins to play, unless a play is on, the last one still holds, or it was a short while ago for what it took.
    pub(in crate::engine) fn ask<S, T>(
        &mut self,
        crew: &Crew<S, T>,
        state: &RunState,
        running: impl Iterator<Item = Job>,
    ) where
        S: Source + Clone,
        T: Target + Clone,
    {
        let began = Instant::now();
        let holds = |last: &Last| last.holds(state.unsettled(), began);
        let is_enough = self.played >= FIRST_PLAYS && self.last.as_ref().is_some_and(holds);
        if self.is_asked() || began < self.not_before || !state.is_running() || is_enough {
            return;
        }
        let (state, running, costs) = (state.clone(), running.collect(), Costs::of(crew));
        self.plays.spawn_blocking(move || {
            let called = Instant::now();
            Play {
                forecast: ahead(state, running, &costs),
                costs,
                began,
                took: called.elapsed(),
            }
        });
    }

    /// Whether a play is on.
    pub(in crate::engine) fn is_asked(&self) -> bool {
        !self.plays.is_empty()
    }

    /// What the play that is on says; `None` when none is. Cancel-safe.
    pub(in crate::engine) async fn answer(&mut self) -> Option<Event> {
        let joined = self.plays.join_next().await?;
        let play = joined.unwrap_or_else(|broken| std::panic::resume_unwind(broken.into_panic()));
        let now = Instant::now();
        let Forecast { left, by, course } = play.forecast;
        self.played += 1;
        self.spent += play.took;
        self.not_before = now + rest(play.took, self.spent, left);
        let upload = left.saturating_sub(now - play.began);
        self.last = Some(Last {
            began: play.began,
            left,
            course,
        });
        Some(self.after.forecast(&play.costs, upload, by))
    }
}

/// How long nothing is played after a play that took so long and said that so much is left.
fn rest(took: Duration, spent: Duration, left: Duration) -> Duration {
    let shortest = took * SHARE;
    if spent < PLENTY {
        return shortest;
    }
    (took * SHARE_THEN).min(left / LONGEST_REST).max(shortest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[tokio::test(start_paused = true)]
    async fn a_play_holds_while_uploads_are_where_it_has_them() {
        let mut course = Course::default();
        course.note(1_000, ms(0));
        course.note(0, ms(600_000));
        let last = Last {
            began: Instant::now(),
            left: ms(600_000),
            course,
        };
        let after = |seconds: u64| last.began + ms(seconds * 1_000);
        assert!(last.holds(950, after(30)));
        assert!(last.holds(966, after(30)), "10 s behind, 570 s left");
        assert!(!last.holds(980, after(30)), "18 s behind");
        assert!(!last.holds(930, after(30)), "12 s ahead");
        assert!(!last.holds(900, after(60)), "it is old");
    }

    #[test]
    fn plays_of_an_hour_take_about_a_second() {
        let (mut left, mut spent) = (3_600.0, Duration::ZERO);
        // Never where the play before has the uploads; a play takes what is in proportion to what is left.
        while left > 1.0 {
            let took = Duration::from_secs_f64(left / 3_600.0 * 0.2);
            spent += took;
            let rest = rest(took, spent, Duration::from_secs_f64(left));
            left -= rest.as_secs_f64().max(1.0);
        }
        assert!(spent < ms(2_500), "{spent:?}");
    }
}
