//! The part of a shared rate that this process has, and when each of its requests may leave.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::joint::{Joint, Lately, PIECE_MIN, Run, is_in, size};
use super::lesson::Lesson;
use super::limit::RateLearner;
use super::server_clock::ServerClock;

/// How long a part lasts, by the clock of the server, in microseconds.
const LASTS_US: i64 = 1_500_000;
/// The same by the clock of this machine, from before it was asked for: less, so that no two runs have the same part.
const LASTS_HERE: Duration = Duration::from_millis(1400);
/// When a part is renewed.
const RENEWED: Duration = Duration::from_millis(500);
/// The least time between two renewals.
const APART: Duration = Duration::from_millis(100);
/// When a request looks again for its turn, at the latest.
const LOOK: Duration = Duration::from_millis(50);
/// The shortest wait for a number. Seconds since 1970 are exact to less than that, so what is left of a wait can be rounded away.
const LEAST: Duration = Duration::from_micros(1);
/// How long after a pause other runs wait until the one that was refused has written what it learned.
const SETTLING: Duration = Duration::from_millis(100);
/// Differences between two moments that are due to the way of a question.
const JITTER: Duration = Duration::from_millis(20);
/// What a run may need above what it has used.
const SPARE: f64 = 1.5;
/// The part of a run that never had one while the row cannot be reached.
const WITHOUT: f64 = 0.25;
/// How much of its part a run uses while the row cannot be reached.
const CAUTIOUS: f64 = 0.5;
/// How late a request may leave with a number whose time is over: what timers lose. More would be two requests at one moment.
const LATE: f64 = 0.005;
/// How many numbers are looked through at most.
const LOOKED_THROUGH: f64 = 4096.0;

/// What this process has of a rate that it shares.
#[derive(Debug)]
pub(super) struct Part {
    name: String,
    clock: ServerClock,
    pieces: Vec<(f64, f64)>,
    until: Instant,
    row: Reach,
    notice: Notice,
    /// What was learned when the part was renewed, and its number; `None` before the first time.
    lesson: Option<(u64, Lesson)>,
    /// Requests since the part was there.
    sent: u64,
    was_short: bool,
    /// What it asked for last.
    wanted: f64,
    renewed: Instant,
    /// The end of the latest pause that the server asked for in answer to a request of this process.
    own_pause: Instant,
    /// Whether the pause is that of another run.
    is_foreign_pause: bool,
    /// Seconds since 1970 by the clock of the server when the last request left.
    last: f64,
    /// The rate by which requests have their numbers, and since when.
    numbered: (f64, f64),
    /// Rings when the part is to be renewed at once.
    pub(super) bell: Arc<Notify>,
}

/// Whether the row can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    There,
    /// Not the last time.
    Away,
    /// Since before the part was over, which was cut because of that.
    AwayForLong,
}

/// Whether it was reported that the row cannot be reached, which is done once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notice {
    None,
    Due,
    Given,
}

/// How a request may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// This process has the whole rate.
    Whole,
    /// It has some of the numbers.
    ByNumber,
}

impl Part {
    /// That of a process that has none yet.
    pub(super) fn none(name: String) -> Self {
        let now = Instant::now();
        Self {
            name,
            clock: ServerClock { at: now, at_us: 0 },
            pieces: Vec::new(),
            until: now,
            row: Reach::There,
            notice: Notice::None,
            lesson: None,
            sent: 0,
            was_short: true,
            wanted: 0.0,
            renewed: now,
            own_pause: now,
            is_foreign_pause: false,
            last: 0.0,
            numbered: (0.0, 0.0),
            bell: Arc::new(Notify::new()),
        }
    }

    /// How much of the rate it is, from 0 to 1.
    pub(super) fn size(&self) -> f64 {
        size(&self.pieces)
    }

    /// How requests may leave at `now`.
    ///
    /// # Errors
    /// When to ask again: the part is over, and about to be renewed.
    pub(super) fn way(&mut self, now: Instant) -> Result<Way, Instant> {
        if now >= self.until {
            if self.row == Reach::There {
                self.bell.notify_one();
                return Err(now + LOOK);
            }
            self.be_cautious();
        }
        if self.size() >= 1.0 - PIECE_MIN {
            Ok(Way::Whole)
        } else {
            Ok(Way::ByNumber)
        }
    }

    /// Takes half of what it had until the row can be reached again. Other runs may do the same, or share the rest.
    fn be_cautious(&mut self) {
        if self.row == Reach::AwayForLong {
            return;
        }
        self.row = Reach::AwayForLong;
        if self.notice == Notice::None {
            self.notice = Notice::Due;
        }
        if self.pieces.is_empty() {
            self.pieces = vec![(0.0, WITHOUT)];
        }
        for (from, to) in &mut self.pieces {
            *to = *from + (*to - *from) * CAUTIOUS;
        }
    }

    /// Whether it is to be reported that the row cannot be reached; true once.
    pub(super) fn take_notice(&mut self) -> bool {
        let is_due = self.notice == Notice::Due;
        if is_due {
            self.notice = Notice::Given;
        }
        is_due
    }

    /// The number that a request may leave with at `now`, as its moment in seconds since 1970.
    ///
    /// # Errors
    /// When to ask again.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "numbers are of this century, and a part is not small"
    )]
    pub(super) fn number(&mut self, rate: f64, now: Instant) -> Result<f64, Instant> {
        let size = self.size();
        if size < PIECE_MIN {
            return Err(now + LOOK);
        }
        let seconds = self.clock.us_of(now) as f64 / 1e6;
        if (self.numbered.0 - rate).abs() > f64::EPSILON {
            // With another rate all have other numbers. What was none of this process before is not looked at again.
            self.numbered = (rate, seconds);
        }
        let at = |seconds: f64| (seconds * rate).floor() as i64;
        let (current, last) = (at(seconds), at(self.last.max(self.numbered.1)));
        let is_mine = |number: &i64| is_in(&self.pieces, *number);
        let late = 1 + (LATE * rate).min(LOOKED_THROUGH) as i64;
        let due = (last.max(current - late) + 1..=current).rev().find(is_mine);
        if let Some(number) = due {
            return Ok((number as f64 + 0.5) / rate);
        }
        let ahead = (8.0 / size).ceil().min(LOOKED_THROUGH) as i64;
        let from = last.max(current) + 1;
        let next = (from..from + ahead).find(is_mine);
        let wait = next.map(|next| (next as f64 / rate - seconds).max(0.0));
        let wait = wait.and_then(|wait| Duration::try_from_secs_f64(wait).ok());
        Err(now + wait.unwrap_or(LOOK).clamp(LEAST, LOOK))
    }

    /// Notes that a request leaves, with its number where it has one.
    #[expect(clippy::cast_precision_loss, reason = "microseconds of this century")]
    pub(super) fn left(&mut self, number: Option<f64>, now: Instant) {
        self.sent += 1;
        self.last = number.unwrap_or_else(|| self.clock.us_of(now) as f64 / 1e6);
    }

    /// Notes that a request had to wait for the rate. A part that is small because hardly anything was sent is renewed at once.
    pub(super) fn was_short(&mut self, now: Instant) {
        self.was_short = true;
        if self.wanted < 1.0 && now >= self.renewed + APART {
            self.bell.notify_one();
        }
    }

    /// Notes that a request of this process was refused, and nothing leaves before `until`: other runs are to find that in the row at once.
    pub(super) fn paused(&mut self, until: Instant) {
        self.own_pause = self.own_pause.max(until);
        self.is_foreign_pause = false;
        self.bell.notify_one();
    }

    /// When the part is to be renewed. At the end of a pause that is done before anything leaves, by the run that was refused
    /// first, because it alone has the answers that show what follows.
    pub(super) fn due(&self, paused_until: Instant) -> Instant {
        let early = if self.is_foreign_pause {
            SETTLING / 2
        } else {
            Duration::ZERO
        };
        let after = paused_until.checked_sub(early).unwrap_or(paused_until);
        let regular = self.renewed + RENEWED;
        if after > self.renewed {
            regular.min(after)
        } else {
            regular
        }
    }

    /// What the row is to hold: takes over what other runs have learned since the last time, adds what this one has, and asks for
    /// a part. Changes of what is learned are made by one run at a time: whichever is second takes over those of the first.
    pub(super) fn propose(
        &mut self,
        mut joint: Joint,
        clock: ServerClock,
        learner: &mut RateLearner,
        paused_until: &mut Instant,
    ) -> Joint {
        let now = Instant::now();
        self.clock = clock;
        joint.expire(clock.at_us);
        self.share_pause(&mut joint, paused_until);
        let course = self.lesson.as_ref().map(|(course, _)| *course);
        let is_first = course.is_none() && joint.is_of(&self.name);
        if let Some(lesson) = joint.lesson.as_ref()
            && course != Some(joint.course)
            && !is_first
        {
            learner.follow(lesson, &clock);
            self.lesson = Some((joint.course, lesson.clone()));
        }
        // What follows from a refusal depends on what all runs had sent by then.
        let others = joint.runs.iter().filter(|(name, _)| **name != self.name);
        let left = others.flat_map(|(_, run)| run.left.moments_us());
        let left = left.map(|us| self.clock.moment_of(us));
        learner.answers.others_left(left.collect());
        let rate = learner.joint_rate(now);
        let own = Lesson::of(learner, &clock);
        let is_known = |(_, known): &(u64, Lesson)| known.says_the_same_as(&own);
        if !self.lesson.as_ref().is_some_and(is_known) {
            joint.course += 1;
            joint.lesson = Some(own);
        }
        let wanted = if *paused_until > now && !is_first {
            // What is needed now says nothing of what is needed then.
            self.wanted
        } else {
            self.needs(rate, learner.cap(), now)
        };
        let run = Run {
            pieces: Vec::new(),
            wanted,
            left: Lately::of(learner.answers.own().map(|left| clock.us_of(left))),
            until_us: clock.at_us.saturating_add(LASTS_US),
        };
        joint.allot(&self.name, run);
        joint
    }

    fn share_pause(&mut self, joint: &mut Joint, paused_until: &mut Instant) {
        let own = self.clock.us_of(self.own_pause);
        joint.paused_until_us = joint.paused_until_us.max(own);
        let until = self.clock.moment_of(joint.paused_until_us);
        if until > *paused_until + JITTER && until > self.clock.at {
            *paused_until = until + SETTLING;
            self.is_foreign_pause = true;
        }
    }

    /// How much of the rate it could use.
    #[expect(clippy::cast_precision_loss, reason = "requests of a second are few")]
    fn needs(&self, rate: Option<f64>, cap: Option<f64>, now: Instant) -> f64 {
        let Some(rate) = rate else {
            return 1.0;
        };
        let most = cap.map_or(1.0, |cap| (cap / rate).min(1.0));
        if self.was_short {
            return most;
        }
        let time = now.saturating_duration_since(self.renewed).max(APART);
        (self.sent as f64 / time.as_secs_f64() / rate * SPARE).min(most)
    }

    /// Takes what the row holds now that was asked for at `asked`.
    pub(super) fn adopt(&mut self, joint: &Joint, asked: Instant, learner: &mut RateLearner) {
        let now = Instant::now();
        self.lesson = joint.lesson.clone().map(|lesson| (joint.course, lesson));
        if let Some(run) = joint.runs.get(&self.name) {
            self.pieces.clone_from(&run.pieces);
            self.wanted = run.wanted;
        }
        self.sent = 0;
        learner.has_part(self.size().min(1.0));
        self.until = asked + LASTS_HERE;
        self.row = Reach::There;
        self.was_short = false;
        self.renewed = now;
    }

    /// Notes that the row could not be reached.
    pub(super) fn failed(&mut self) {
        if self.row == Reach::There {
            self.row = Reach::Away;
        }
        self.renewed = Instant::now();
    }
}
