//! What was measured of a rate, as runs share it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::known::Known;
use super::limit::RateLearner;
use super::server_clock::ServerClock;

/// What runs know together about the rate of an account. Moments are those of the server's clock, in microseconds since 1970.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Lesson {
    /// Requests per second that were reached while no limit was known.
    reached: f64,
    known: Option<Limit>,
    /// When a refusal was judged last.
    judged_us: Option<i64>,
}

/// See [`Known`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Limit {
    per_second: f64,
    share: f64,
    since_us: i64,
    from: f64,
    gain: f64,
    patience_ms: u64,
    step: f64,
    due_us: i64,
    is_probing: bool,
    is_guess: bool,
}

impl Lesson {
    /// What a run knows.
    pub(super) fn of(learner: &RateLearner, clock: &ServerClock) -> Self {
        let limit = |known: &Known| {
            let (since, from, gain) = known.approach;
            Limit {
                per_second: rounded(known.per_second),
                share: rounded(known.share),
                since_us: clock.us_of(since),
                from: rounded(from),
                gain: rounded(gain),
                patience_ms: u64::try_from(known.patience.as_millis()).unwrap_or(u64::MAX),
                step: rounded(known.step),
                due_us: clock.us_of(known.due),
                is_probing: known.is_probing,
                is_guess: known.is_guess,
            }
        };
        Self {
            reached: rounded(learner.climb.reached()),
            known: learner.known.as_ref().map(limit),
            judged_us: learner.judged.map(|judged| clock.us_of(judged)),
        }
    }

    /// Whether it says the same as another one. Moments are left out: they differ by what clocks do, and change with the rest.
    pub(super) fn says_the_same_as(&self, other: &Self) -> bool {
        let limit = |limit: &Limit| Limit {
            since_us: 0,
            due_us: 0,
            ..limit.clone()
        };
        self.known.as_ref().map(limit) == other.known.as_ref().map(limit)
            && (self.known.is_some() || (self.reached - other.reached).abs() < f64::EPSILON)
    }
}

/// To the millionth: so it is the same number after it was written and read.
fn rounded(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

impl RateLearner {
    /// Takes over what another run has learned. Refusals that were not judged yet still are, unless the other run judged one that
    /// came after them.
    pub(super) fn follow(&mut self, lesson: &Lesson, clock: &ServerClock) {
        if lesson.reached.is_finite() && lesson.reached > 0.0 {
            self.climb.follow(lesson.reached);
        }
        let was_short = self.known.as_ref().is_some_and(|known| known.was_short);
        let is_new = self.known.is_some() != lesson.known.is_some();
        let usable = |limit: &&Limit| {
            let all = [limit.per_second, limit.share, limit.gain, limit.step];
            all.iter().all(|number| number.is_finite() && *number > 0.0)
        };
        self.known = lesson.known.as_ref().filter(usable).map(|limit| Known {
            per_second: limit.per_second,
            share: limit.share,
            approach: (clock.moment_of(limit.since_us), limit.from, limit.gain),
            patience: Duration::from_millis(limit.patience_ms),
            step: limit.step,
            due: clock.moment_of(limit.due_us),
            is_probing: limit.is_probing,
            is_guess: limit.is_guess,
            was_short,
        });
        if is_new {
            self.answers
                .limited_to(self.known.as_ref().map(Known::whole));
        }
        let judged = lesson.judged_us.map(|us| clock.moment_of(us));
        self.burst
            .take_if(|burst| judged.is_some_and(|judged| judged >= burst.from));
        self.judged = self.judged.max(judged);
    }

    /// Notes that this run has a part of the rate. What the others send is known half a second later on average, and a whole one
    /// at most, so no more than a quarter of that is counted on.
    pub(super) const fn has_part(&mut self, part: f64) {
        self.answers.know_part(part + (1.0 - part) / 4.0);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::engine::pace::joint::Joint;

    /// A gain of 0.013999999999999999 was read as 0.014, so two runs wrote it anew in turn, once a second.
    #[tokio::test(start_paused = true)]
    async fn what_is_known_is_the_same_after_it_was_written_and_read() {
        let now = Instant::now();
        let clock = ServerClock {
            at: now,
            at_us: 1_764_000_000_000_000,
        };
        let mut learner = RateLearner::new(50.0, None);
        learner.climb.follow(248.776_670_357_772_67);
        let mut known = Known::recalled(39.52, now);
        known.approach.2 = 0.02 * 0.7;
        known.step = 1.04 * 1.04;
        for known in [None, Some(known)] {
            learner.known = known;
            let lesson = Lesson::of(&learner, &clock);
            let row = Joint {
                lesson: Some(lesson.clone()),
                ..Joint::default()
            };
            let read = Joint::of(&row.text()).lesson.unwrap();
            assert!(lesson.says_the_same_as(&read), "{lesson:?} {read:?}");
            let mut other = RateLearner::new(50.0, None);
            other.follow(&read, &clock);
            assert!(read.says_the_same_as(&Lesson::of(&other, &clock)));
        }
    }
}
