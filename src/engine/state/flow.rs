//! The state that every plan has: what may leave, what is in flight, what has no outcome, and how it ends.

use std::collections::BTreeMap;

use super::Effect;
use crate::engine::end::{ASKED, End, StopCause};
use crate::engine::state::{Limits, ReadyQueues};
use crate::event::{Command, Event, Lane};

/// What is named of a plan in which nothing can go on.
pub(in crate::engine) const DUMPED: usize = 50;

/// What may leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Run,
    Paused,
    Drain,
}

#[derive(Clone, Debug, Default)]
struct LaneState {
    unsettled: u32,
    started: bool,
}

/// How far a plan has come, whatever it is about.
#[derive(Clone, Debug)]
pub struct Flow {
    pub(in crate::engine) queues: ReadyQueues,
    /// What has no outcome.
    pub(in crate::engine) unsettled: u32,
    /// What has left and is not back.
    pub(in crate::engine) in_flight: u32,
    /// Whether nothing listens to what becomes of single entities.
    pub(in crate::engine) quiet: bool,
    lanes: BTreeMap<Lane, LaneState>,
    mode: Mode,
    /// How it ends, as far as that is known.
    end: End,
}

impl Flow {
    /// Nothing has left.
    pub(in crate::engine) fn new(limits: Limits) -> Self {
        Self {
            queues: ReadyQueues::new(limits),
            unsettled: 0,
            in_flight: 0,
            quiet: false,
            lanes: BTreeMap::new(),
            mode: Mode::default(),
            end: End::default(),
        }
    }

    /// Makes a lane wait for one more entity.
    pub(in crate::engine) fn expect_in(&mut self, lane: Lane) {
        self.lanes.entry(lane).or_default().unsettled += 1;
    }

    /// Notes that something of a lane leaves.
    pub(in crate::engine) fn enter(&mut self, lane: Lane, effects: &mut Vec<Effect>) {
        let state = self.lanes.entry(lane).or_default();
        if !std::mem::replace(&mut state.started, true) {
            effects.push(Effect::Emit(Event::LaneStarted { lane }));
        }
    }

    /// Notes that an entity of a lane has its outcome.
    pub(in crate::engine) fn leave(&mut self, lane: Lane, effects: &mut Vec<Effect>) {
        let state = self.lanes.entry(lane).or_default();
        state.unsettled -= 1;
        if state.unsettled == 0 {
            effects.push(Effect::Emit(Event::LaneFinished { lane }));
        }
    }

    /// Whether nothing is in flight and nothing more will leave.
    pub(super) fn is_over(&self) -> bool {
        self.in_flight == 0 && (self.unsettled == 0 || self.mode == Mode::Drain)
    }

    /// Whether something waits of which nothing can ever leave.
    pub(super) fn is_stalled(&self) -> bool {
        self.mode == Mode::Run && self.in_flight == 0 && self.unsettled > 0
    }

    /// Whether whatever is ready may leave.
    pub(super) fn is_running(&self) -> bool {
        self.mode == Mode::Run
    }

    /// Whether nothing more may leave.
    pub(super) fn is_draining(&self) -> bool {
        self.mode == Mode::Drain
    }

    /// Whether something stopped everything, so that what an entity fails of is no matter of its own.
    pub(super) const fn is_outage(&self) -> bool {
        matches!(self.end, End::Stopped(StopCause::Outage(_)))
    }

    /// How it ended. What was asked to end and had nothing left to do is complete. `dump` names what is left of what
    /// stalled.
    pub(super) fn end(&self, dump: impl FnOnce() -> String) -> End {
        match &self.end {
            End::Interrupted if self.unsettled == 0 => End::Complete,
            End::Complete if self.is_stalled() => End::Stalled(dump()),
            end => end.clone(),
        }
    }

    pub(super) fn command(&mut self, command: Command, effects: &mut Vec<Effect>) {
        match command {
            Command::Pause if self.mode == Mode::Run => {
                self.mode = Mode::Paused;
                effects.push(Effect::Emit(Event::Paused));
            }
            Command::Resume if self.mode == Mode::Paused => {
                self.mode = Mode::Run;
                effects.push(Effect::Emit(Event::Resumed));
            }
            Command::Drain => self.drain(End::Interrupted, ASKED, effects),
            // Aborting is dropping what is in flight, and the rate is the pacer's: both are the dispatcher's.
            Command::Pause
            | Command::Resume
            | Command::Abort
            | Command::SetRate(_)
            | Command::Play(_) => {}
        }
    }

    /// Lets nothing new leave. `end` is how it ends by that.
    pub(in crate::engine) fn drain(&mut self, end: End, reason: &str, effects: &mut Vec<Effect>) {
        self.end = std::mem::take(&mut self.end).or(end);
        if self.mode != Mode::Drain {
            self.mode = Mode::Drain;
            let reason = reason.to_owned();
            effects.push(Effect::Emit(Event::DrainStarted {
                reason,
                in_flight: self.in_flight,
            }));
        }
    }
}
