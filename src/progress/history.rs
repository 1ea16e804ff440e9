//! How a run went over time: what a report of the whole run needs beyond its present state.
//!
//! A value of its own beside [`Progress`](super::Progress), because the screen copies the progress ten times a second and needs
//! none of this. It counts nothing that the progress counts, so the two cannot disagree. Its size is bounded
//! whatever the run does: the time slots double their width when they run out, lists keep their first or
//! largest entries.

use std::collections::{BTreeMap, HashMap};

use crate::domain::{EntityKey, Kind, Outcome};
use crate::event::{Event, Lane, Stamped};

/// Width of a slot at the start of a run, in milliseconds.
const SLOT_MS: u64 = 100;

/// Slots that are kept; when they run out, pairs become one.
const SLOTS: usize = 600;

/// Slowest uploads that are kept.
const SLOWEST: usize = 50;

/// Entities with trouble that are kept; the progress has the counts of all.
const TROUBLES: usize = 2_000;

/// Pauses that are kept.
const PAUSES: usize = 200;

/// The course of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    width_ms: u64,
    slots: Vec<Slot>,
    started: HashMap<EntityKey, u64>,
    spans: BTreeMap<(Lane, Kind), Span>,
    slowest: Vec<Slow>,
    troubles: Vec<Trouble>,
    left_out: u32,
    pauses: Vec<Span>,
}

/// What happened in one slot of time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Slot {
    /// Uploads that settled, by lane.
    pub settled: [u32; Lane::ALL.len()],
    /// Samples of the pace that fell into the slot.
    samples: u32,
    /// Requests per second, summed over the samples.
    requests: f64,
    /// Requests in flight, summed over the samples.
    in_flight: f64,
    /// The most requests that were allowed in flight.
    pub concurrency: u32,
    /// The highest cap on requests per second; 0 without one.
    pub limit: f64,
}

/// Milliseconds since the start of the run, from the first to the last moment of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub from_ms: u64,
    /// The last.
    pub to_ms: u64,
}

/// An upload and how long it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slow {
    /// The entity.
    pub key: EntityKey,
    /// What a person calls it.
    pub name: String,
    /// Its lane.
    pub lane: Lane,
    /// Its outcome: a name of [`Outcome::NAMES`].
    pub outcome: &'static str,
    /// When it left, in milliseconds since the start of the run.
    pub from_ms: u64,
    /// Milliseconds until its outcome was durable; entities of a batch leave together.
    pub took_ms: u64,
}

/// An entity that did not arrive, or was left alone for a conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The entity.
    pub key: EntityKey,
    /// What a person calls it.
    pub name: String,
    /// Failed, blocked or conflict.
    pub outcome: Outcome,
    /// Why a conflict was one; empty for the others, which say it themselves.
    pub because: String,
    /// When, in milliseconds since the start of the run.
    pub at_ms: u64,
}

impl Default for History {
    fn default() -> Self {
        Self {
            width_ms: SLOT_MS,
            slots: Vec::new(),
            started: HashMap::new(),
            spans: BTreeMap::new(),
            slowest: Vec::new(),
            troubles: Vec::new(),
            left_out: 0,
            pauses: Vec::new(),
        }
    }
}

impl Slot {
    /// Requests per second, the mean of the samples; `None` without any.
    pub fn requests_per_second(&self) -> Option<f64> {
        (self.samples > 0).then(|| self.requests / f64::from(self.samples))
    }

    /// Requests in flight, the mean of the samples; `None` without any.
    pub fn in_flight(&self) -> Option<f64> {
        (self.samples > 0).then(|| self.in_flight / f64::from(self.samples))
    }

    /// Two neighbours as one.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            settled: std::array::from_fn(|lane| self.settled[lane] + other.settled[lane]),
            samples: self.samples + other.samples,
            requests: self.requests + other.requests,
            in_flight: self.in_flight + other.in_flight,
            concurrency: self.concurrency.max(other.concurrency),
            limit: self.limit.max(other.limit),
        }
    }
}

impl History {
    /// Takes in one event, in the order in which they happened.
    pub fn apply(&mut self, stamped: &Stamped) {
        let at_ms = stamped.at_ms;
        match &stamped.event {
            Event::EntityStarted { key, lane, .. } => {
                self.started.entry(key.clone()).or_insert(at_ms);
                self.reach((*lane, key.kind), at_ms);
            }
            Event::EntitySettled { .. } => self.settled(&stamped.event, at_ms),
            Event::PaceSampled {
                per_second,
                limit_per_second,
                in_flight,
                concurrency,
                ..
            } => {
                let slot = self.slot(at_ms);
                slot.samples += 1;
                slot.requests += per_second;
                slot.in_flight += f64::from(*in_flight);
                slot.concurrency = slot.concurrency.max(*concurrency);
                slot.limit = slot.limit.max(limit_per_second.unwrap_or(0.0));
            }
            Event::Paused => self.paused(at_ms),
            Event::Resumed => self.resumed(at_ms),
            Event::EntityHeld { key } => drop(self.started.remove(key)),
            Event::RunStarted { .. }
            | Event::PhaseStarted { .. }
            | Event::ReadProgressed { .. }
            | Event::PlanMade { .. }
            | Event::UndoPlanned { .. }
            | Event::PrunePlanned { .. }
            | Event::LaneStarted { .. }
            | Event::LaneFinished { .. }
            | Event::GateOpened { .. }
            | Event::GateFailed { .. }
            | Event::EntityPatched { .. }
            | Event::BatchSubmitted { .. }
            | Event::BatchProgressed { .. }
            | Event::BatchFinished { .. }
            | Event::BatchSplit { .. }
            | Event::RetryScheduled { .. }
            | Event::Throttled { .. }
            | Event::FeedBusy { .. }
            | Event::TokenRefused
            | Event::EntitiesLeft { .. }
            | Event::PublishRefused { .. }
            | Event::PublishFinished { .. }
            | Event::ForecastMade { .. }
            | Event::DrainStarted { .. }
            | Event::InstanceRead { .. }
            | Event::Webhooks { .. }
            | Event::Warned { .. }
            | Event::VerifyProgressed { .. }
            | Event::DifferenceFound { .. }
            | Event::FilesCompared { .. }
            | Event::VerifyFinished { .. }
            | Event::RowsIgnored { .. }
            | Event::Rehearsed { .. }
            | Event::RunFinished { .. } => {}
        }
    }

    /// Milliseconds that each slot covers.
    pub const fn width_ms(&self) -> u64 {
        self.width_ms
    }

    /// The slots from the start of the run on, as far as anything happened.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// When uploads of a kind in a lane were on their way.
    pub const fn spans(&self) -> &BTreeMap<(Lane, Kind), Span> {
        &self.spans
    }

    /// The uploads that took longest, the longest first; at most fifty.
    pub fn slowest(&self) -> &[Slow] {
        &self.slowest
    }

    /// The first two thousand entities that failed, were blocked or are in conflict.
    pub fn troubles(&self) -> &[Trouble] {
        &self.troubles
    }

    /// How many more there were.
    pub const fn troubles_left_out(&self) -> u32 {
        self.left_out
    }

    /// The first two hundred pauses; one that was not ended goes on for ever.
    pub fn pauses(&self) -> &[Span] {
        &self.pauses
    }

    fn settled(&mut self, event: &Event, at_ms: u64) {
        let Event::EntitySettled {
            key,
            name,
            lane,
            outcome,
            because,
            ..
        } = event
        else {
            return;
        };
        let from_ms = self.started.remove(key);
        if let Some(lane) = *lane {
            self.slot(at_ms).settled[lane as usize] += 1;
            if let Some(from_ms) = from_ms {
                self.reach((lane, key.kind), at_ms);
                self.note_slow(Slow {
                    key: key.clone(),
                    name: name.clone(),
                    lane,
                    outcome: outcome.name(),
                    from_ms,
                    took_ms: at_ms.saturating_sub(from_ms),
                });
            }
        }
        let because = match outcome {
            Outcome::Failed { .. } | Outcome::Blocked { .. } => String::new(),
            Outcome::Conflict | Outcome::LeftAlone | Outcome::Kept { .. } => because.clone(),
            Outcome::Created
            | Outcome::Adopted
            | Outcome::Updated
            | Outcome::Unchanged
            | Outcome::OutOfScope
            | Outcome::Deleted
            | Outcome::Restored => return,
        };
        self.note_trouble(Trouble {
            key: key.clone(),
            name: name.clone(),
            outcome: outcome.clone(),
            because,
            at_ms,
        });
    }

    fn note_slow(&mut self, slow: Slow) {
        let full = self.slowest.len() == SLOWEST;
        if full
            && self
                .slowest
                .last()
                .is_some_and(|last| last.took_ms >= slow.took_ms)
        {
            return;
        }
        let at = self
            .slowest
            .partition_point(|known| known.took_ms >= slow.took_ms);
        self.slowest.insert(at, slow);
        self.slowest.truncate(SLOWEST);
    }

    fn note_trouble(&mut self, trouble: Trouble) {
        if self.troubles.len() < TROUBLES {
            self.troubles.push(trouble);
        } else {
            self.left_out += 1;
        }
    }

    fn paused(&mut self, at_ms: u64) {
        let open = self
            .pauses
            .last()
            .is_some_and(|pause| pause.to_ms == u64::MAX);
        if !open && self.pauses.len() < PAUSES {
            self.pauses.push(Span {
                from_ms: at_ms,
                to_ms: u64::MAX,
            });
        }
    }

    fn resumed(&mut self, at_ms: u64) {
        if let Some(pause) = self.pauses.last_mut() {
            pause.to_ms = pause.to_ms.min(at_ms);
        }
    }

    fn reach(&mut self, row: (Lane, Kind), at_ms: u64) {
        let span = self.spans.entry(row).or_insert(Span {
            from_ms: at_ms,
            to_ms: at_ms,
        });
        span.to_ms = span.to_ms.max(at_ms);
    }

    /// The slot of a moment.
    fn slot(&mut self, at_ms: u64) -> &mut Slot {
        while self.place(at_ms) >= SLOTS {
            self.slots = self
                .slots
                .chunks(2)
                .map(|pair| pair[1..].iter().fold(pair[0], |sum, next| sum.plus(next)))
                .collect();
            self.width_ms = self.width_ms.saturating_mul(2);
        }
        let place = self.place(at_ms);
        if self.slots.len() <= place {
            self.slots.resize(place + 1, Slot::default());
        }
        &mut self.slots[place]
    }

    fn place(&self, at_ms: u64) -> usize {
        usize::try_from(at_ms / self.width_ms).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::script::Script;

    fn history(script: &Script) -> History {
        let mut history = History::default();
        script
            .events()
            .iter()
            .for_each(|event| history.apply(event));
        history
    }

    #[test]
    fn slots_double_their_width_and_lose_nothing() {
        let mut script = Script::uploading(&[(Kind::Model, 900)]);
        script = script.create(Kind::Model, 0..900, 1_000);
        let history = history(&script);
        assert!(history.slots().len() <= SLOTS);
        assert_eq!(history.width_ms(), 1_600);
        let settled: u32 = history.slots().iter().map(|slot| slot.settled[0]).sum();
        assert_eq!(settled, 900);
    }

    #[test]
    fn the_slowest_uploads_are_kept_longest_first() {
        let mut script = Script::uploading(&[(Kind::Model, 80)]);
        for id in 0..80 {
            script = script
                .leave(Kind::Model, id)
                .wait(u64::try_from(id).unwrap());
            script = script.settle(Kind::Model, id, Outcome::Created);
        }
        let history = history(&script);
        let took: Vec<_> = history.slowest().iter().map(|slow| slow.took_ms).collect();
        let expected: Vec<u64> = (30..80).rev().collect();
        assert_eq!(took, expected);
    }

    #[test]
    fn samples_of_one_slot_are_averaged() {
        let script = Script::uploading(&[(Kind::Model, 1)])
            .pace(10.0, 4, 20.0)
            .pace(20.0, 8, 20.0);
        let history = history(&script);
        let slot = history.slots().last().unwrap();
        assert_eq!(slot.requests_per_second(), Some(15.0));
        assert_eq!(slot.in_flight(), Some(6.0));
        assert_eq!(history.slots()[0].in_flight(), None);
    }

    #[test]
    fn trouble_and_pauses_are_kept_with_their_moments() {
        let script = Script::uploading(&[(Kind::Model, 2)])
            .event(Event::Paused)
            .wait(500)
            .event(Event::Resumed)
            .fail(Kind::Model, 1, "refused");
        let history = history(&script);
        assert_eq!(history.troubles().len(), 1);
        assert_eq!(history.troubles()[0].outcome.name(), "failed");
        let pause = history.pauses()[0];
        assert_eq!(pause.to_ms - pause.from_ms, 500);
    }
}
