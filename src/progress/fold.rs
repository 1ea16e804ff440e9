//! What a run has come to, and the questions that may be asked about it.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use super::active::ActiveClock;
use super::eta::{Forecasts, Moment};
use super::named::Names;
use super::rows::Rows;
use super::window::Window;
use super::{
    BatchProgress, Cause, Difference, Eta, GateProgress, InFlight, Pace, PhaseTime, ReadCount,
    Reading, Row, RowKey, Run, Tally, Verification,
};
use crate::domain::{BatchId, EntityKey, Kind, RunEnd, RunId, WorkClass};
use crate::event::{Lane, Phase, RunFailure, Side};

/// Everything that the events of a run hold so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    pub(super) run: Option<Run>,
    pub(super) last_at_ms: u64,
    pub(super) phases: Vec<(Phase, u64)>,
    pub(super) reads: BTreeMap<(Side, Kind), ReadCount>,
    pub(super) readings: Vec<Reading>,
    pub(super) planned: Option<Planned>,
    pub(super) rows: Rows,
    pub(super) totals: BTreeMap<Kind, Tally>,
    pub(super) lanes: [LaneMoments; Lane::ALL.len()],
    pub(super) gates: Vec<GateProgress>,
    pub(super) patched: u32,
    pub(super) batches: BTreeMap<BatchId, BatchProgress>,
    pub(super) batches_finished: u32,
    pub(super) batches_split: u32,
    pub(super) pace: VecDeque<Pace>,
    pub(super) requests: u64,
    pub(super) refused: u64,
    pub(super) retries: u32,
    pub(super) throttlings: u32,
    pub(super) clock: ActiveClock,
    pub(super) recent: Window,
    pub(super) forecasts: Forecasts,
    pub(super) upload_active_ms: Option<u64>,
    pub(super) needs_token: bool,
    pub(super) draining: Option<String>,
    pub(super) causes: Vec<Cause>,
    pub(super) blocked_by: BTreeMap<EntityKey, u32>,
    pub(super) warnings: Vec<String>,
    pub(super) warned: u32,
    pub(super) verification: Option<Verification>,
    pub(super) differences: Vec<Difference>,
    /// Entities that the verification found different, and whether the run left them alone. What is in conflict or left
    /// alone by its outcome is not in it.
    pub(super) differing: HashMap<EntityKey, bool>,
    /// Entities with an outcome that they differ.
    pub(super) apart: HashSet<EntityKey>,
    pub(super) publishing: Option<Publishing>,
    pub(super) unpublished: Vec<Cause>,
    pub(super) names: Names,
    pub(super) finished: Option<(u8, u64)>,
    pub(super) commits: Option<u64>,
    pub(super) error: Option<RunFailure>,
    pub(super) end: Option<RunEnd>,
}

/// What the plan says as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Planned {
    /// Entities of the source, by kind; of an undo, those that the undone run wrote.
    pub entities: Vec<(Kind, u32)>,
    /// The run that this one undoes.
    pub undone: Option<RunId>,
    /// Content levels.
    pub levels: u32,
    /// Cycles of references.
    pub cycles: u32,
    /// References cut to open them.
    pub cuts: u32,
}

/// What was published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Publishing {
    /// Entities that were published; known at the end of it.
    pub published: u32,
    /// Entities that could not be.
    pub refused: u32,
    /// Entities that were held back with those.
    pub held_back: u32,
    /// Entities that were unpublished.
    pub unpublished: u32,
    /// Entities that stay drafts, although the source has them published.
    pub drafts: u32,
}

/// When a lane began and ended, in milliseconds since the start of the run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LaneMoments {
    pub(super) started_ms: Option<u64>,
    pub(super) finished_ms: Option<u64>,
    pub(super) recent: Window,
}

/// Uploads of a lane that have to be settled before it has a rate.
const LANE_BASIS: u32 = 10;

/// What a run does at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// No part has begun.
    Starting,
    /// It reads both instances.
    Pulling,
    /// It decides what has to happen.
    Planning,
    /// It uploads.
    Uploading,
    /// Nothing leaves until resumed.
    Paused,
    /// Nothing leaves because the target asked for it.
    Throttled,
    /// Nothing new leaves any more.
    Draining,
    /// It reads the target back.
    Verifying,
    /// It is over.
    Finished {
        /// The exit code of the program.
        exit: u8,
    },
}

/// What a lane does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneState {
    /// Nothing of it has left.
    Waiting,
    /// Its uploads leave.
    Running,
    /// All of its entities have an outcome.
    Done,
    /// Nothing is planned for it.
    Empty,
}

impl Progress {
    /// A run of which nothing is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the run is about; `None` before its first event.
    pub const fn run(&self) -> Option<&Run> {
        self.run.as_ref()
    }

    /// The part of the run that is on; `None` before the first.
    pub fn phase(&self) -> Option<Phase> {
        self.phases.last().map(|(phase, _)| *phase)
    }

    /// The moment of the last event, in milliseconds since the start of the run.
    pub const fn last_at_ms(&self) -> u64 {
        self.last_at_ms
    }

    /// How long the run takes, seen from `now_ms`; once it is over, how long it took.
    pub fn elapsed(&self, now_ms: u64) -> Duration {
        Duration::from_millis(self.now(now_ms))
    }

    /// What the run does, seen from `now_ms`.
    pub fn status(&self, now_ms: u64) -> Status {
        if let Some((exit, _)) = self.finished {
            return Status::Finished { exit };
        }
        let uploading = self.phase() != Some(Phase::Verify);
        if self.draining.is_some() && uploading {
            return Status::Draining;
        }
        if self.clock.is_paused() {
            return Status::Paused;
        }
        if self.clock.throttled_for_ms(now_ms) > 0 {
            return Status::Throttled;
        }
        match self.phase() {
            None => Status::Starting,
            Some(Phase::Pull) => Status::Pulling,
            Some(Phase::Plan) => Status::Planning,
            Some(Phase::Upload) => Status::Uploading,
            Some(Phase::Verify) => Status::Verifying,
        }
    }

    /// The parts that have begun, in order, with their times seen from `now_ms`.
    pub fn phase_times(&self, now_ms: u64) -> Vec<PhaseTime> {
        let ends = self.phases.iter().skip(1).map(|(_, start)| *start);
        let ends = ends.chain([self.now(now_ms)]);
        let time = |((phase, start), end): (&(Phase, u64), u64)| PhaseTime {
            phase: *phase,
            start: Duration::from_millis(*start),
            took: Duration::from_millis(end.saturating_sub(*start)),
        };
        self.phases.iter().zip(ends).map(time).collect()
    }

    /// The wall clock at a moment of the run, as `14:05:59 UTC`; `None` before the start event of the run.
    pub fn clock_at(&self, at_ms: u64) -> Option<String> {
        let started: jiff::Timestamp = self.run()?.started_at.parse().ok()?;
        let at = started.checked_add(Duration::from_millis(at_ms)).ok()?;
        Some(at.strftime("%H:%M:%S UTC").to_string())
    }

    /// What was published; `None` when nothing was to be.
    pub const fn publishing(&self) -> Option<Publishing> {
        self.publishing
    }

    /// Why entities could not be published.
    pub fn unpublished(&self) -> &[Cause] {
        &self.unpublished
    }

    /// What was read, by side and kind.
    pub const fn reads(&self) -> &BTreeMap<(Side, Kind), ReadCount> {
        &self.reads
    }

    /// How instances were read, in the order in which they were.
    pub fn readings(&self) -> &[Reading] {
        &self.readings
    }

    /// The plan as a whole; `None` before it is made.
    pub const fn planned(&self) -> Option<&Planned> {
        self.planned.as_ref()
    }

    /// The uploads by lane, kind and class.
    pub const fn rows(&self) -> &BTreeMap<RowKey, Row> {
        &self.rows.rows
    }

    /// The uploads of a lane.
    pub fn lane(&self, lane: Lane) -> Row {
        self.rows.sum(|key| key.lane == lane)
    }

    /// The uploads of a class.
    pub fn class(&self, class: WorkClass) -> Row {
        self.rows.sum(|key| key.class == class)
    }

    /// The uploads of a kind in a lane.
    pub fn lane_kind(&self, lane: Lane, kind: Kind) -> Row {
        self.rows.sum(|key| key.lane == lane && key.kind == kind)
    }

    /// All uploads.
    pub fn uploads(&self) -> Row {
        self.rows.sum(|_| true)
    }

    /// What a lane does.
    pub fn lane_state(&self, lane: Lane) -> LaneState {
        let moments = &self.lanes[lane as usize];
        if moments.finished_ms.is_some() && self.lane(lane).planned > 0 {
            LaneState::Done
        } else if moments.started_ms.is_some() {
            LaneState::Running
        } else if self.planned.is_some() && self.lane(lane).planned == 0 {
            LaneState::Empty
        } else {
            LaneState::Waiting
        }
    }

    /// From the first upload of a lane to its end, or to `now_ms`; `None` before its first upload.
    pub fn lane_time(&self, lane: Lane, now_ms: u64) -> Option<Duration> {
        let moments = &self.lanes[lane as usize];
        let end = moments.finished_ms.unwrap_or_else(|| self.now(now_ms));
        let took = end.saturating_sub(moments.started_ms?);
        Some(Duration::from_millis(took))
    }

    /// The entities that are on their way.
    pub const fn in_flight(&self) -> &BTreeMap<EntityKey, InFlight> {
        &self.rows.in_flight
    }

    /// Outcomes by kind, of every entity, those included for which nothing had to be written.
    pub const fn totals(&self) -> &BTreeMap<Kind, Tally> {
        &self.totals
    }

    /// The run that is undone; `None` in every run but an undo, and before its plan is known.
    pub fn undone(&self) -> Option<&RunId> {
        self.planned.as_ref()?.undone.as_ref()
    }

    /// Outcomes of all entities.
    pub fn total(&self) -> Tally {
        let none = Tally::default();
        self.totals.values().fold(none, Tally::plus)
    }

    /// The gates, in the order of the plan.
    pub fn gates(&self) -> &[GateProgress] {
        &self.gates
    }

    /// The closed gates of other lanes that uploads of a lane wait for.
    pub fn closed_gates_before(&self, lane: Lane) -> impl Iterator<Item = &GateProgress> {
        self.gates
            .iter()
            .filter(move |gate| gate.is_closed() && gate.plan.lane != lane)
            .filter(move |gate| gate.plan.waited_for_by.contains(&lane))
    }

    /// Entities of cycles that were saved again with the references that had been cut.
    pub const fn patched(&self) -> u32 {
        self.patched
    }

    /// The batches that the target processes.
    pub const fn batches(&self) -> &BTreeMap<BatchId, BatchProgress> {
        &self.batches
    }

    /// Batches that came to their end.
    pub const fn batches_finished(&self) -> u32 {
        self.batches_finished
    }

    /// Batches that failed as a whole and were handed in again in halves.
    pub const fn batches_split(&self) -> u32 {
        self.batches_split
    }

    /// The last samples of the pace, oldest first; at most 240.
    pub const fn pace(&self) -> &VecDeque<Pace> {
        &self.pace
    }

    /// Requests so far, as of the last sample.
    pub const fn requests(&self) -> u64 {
        self.requests
    }

    /// Requests refused with 429 so far, as of the last sample.
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// Requests that were sent again.
    pub const fn retries(&self) -> u32 {
        self.retries
    }

    /// How often the target rate limited a request.
    pub const fn throttlings(&self) -> u32 {
        self.throttlings
    }

    /// How long nothing will leave because the target asked for it; zero when it did not.
    pub fn throttled_for(&self, now_ms: u64) -> Duration {
        Duration::from_millis(self.clock.throttled_for_ms(now_ms))
    }

    /// Whether the run waits for another token.
    pub const fn needs_token(&self) -> bool {
        self.needs_token
    }

    /// Whether the user paused the run.
    pub const fn is_paused(&self) -> bool {
        self.clock.is_paused()
    }

    /// All pauses together, the present one included.
    pub fn paused(&self, now_ms: u64) -> Duration {
        Duration::from_millis(self.clock.paused_ms(self.now(now_ms)))
    }

    /// Why nothing new leaves any more; `None` when it does.
    pub fn draining(&self) -> Option<&str> {
        self.draining.as_deref()
    }

    /// Uploads settled per second in the ten seconds before `now_ms`.
    pub fn per_second(&self, now_ms: u64) -> f64 {
        self.recent.per_second(now_ms, self.upload_start())
    }

    /// Uploads of a lane settled per second in the ten seconds before `now_ms`.
    pub fn lane_per_second(&self, lane: Lane, now_ms: u64) -> f64 {
        let moments = &self.lanes[lane as usize];
        let since = moments.started_ms.unwrap_or_else(|| self.upload_start());
        moments.recent.per_second(now_ms, since)
    }

    /// Uploads settled per second of upload time, pauses and throttling left out; `None` before the uploads.
    pub fn average_per_second(&self, now_ms: u64) -> Option<f64> {
        let upload = self.upload_ms(now_ms).filter(|ms| *ms > 0)?;
        let settled = f64::from(self.uploads().settled.total());
        Some(settled / Duration::from_millis(upload).as_secs_f64())
    }

    /// How long the run will still take, seen from `now_ms`; `None` while there is no basis for an
    /// estimate, while paused or draining, and before the uploads.
    pub fn eta(&self, now_ms: u64) -> Option<Eta> {
        match self.status(now_ms) {
            Status::Uploading | Status::Throttled | Status::Verifying => {}
            Status::Starting
            | Status::Pulling
            | Status::Planning
            | Status::Paused
            | Status::Draining
            | Status::Finished { .. } => return None,
        }
        self.forecasts.estimate(Moment {
            now_ms: self.clock.active_ms(self.now(now_ms)),
            idle_ahead_ms: self.clock.throttled_for_ms(now_ms),
        })
    }

    /// How long the uploads of a lane will about still take, at the rate that it had so far and never longer than the run is
    /// likely to; `None` while the run has no estimate or the lane no rate.
    pub fn lane_left(&self, lane: Lane, now_ms: u64) -> Option<Duration> {
        let eta = self.eta(now_ms)?;
        let row = self.lane(lane);
        let settled = row.settled.total();
        let left = row.waiting + row.in_flight;
        if settled < LANE_BASIS || left == 0 || self.lane_state(lane) != LaneState::Running {
            return None;
        }
        let since = self.clock.active_ms(self.lanes[lane as usize].started_ms?);
        let passed = self.clock.active_ms(self.now(now_ms)).saturating_sub(since);
        let each = Duration::from_millis(passed) / settled;
        Some((each * left).min(eta.likely))
    }

    /// Failures by cause, in the order in which the causes showed.
    pub fn causes(&self) -> &[Cause] {
        &self.causes
    }

    /// How many entities are blocked, by root cause.
    pub const fn blocked_by(&self) -> &BTreeMap<EntityKey, u32> {
        &self.blocked_by
    }

    /// The first hundred warnings.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// How many warnings there were.
    pub const fn warned(&self) -> u32 {
        self.warned
    }

    /// How far the verification is; `None` before it began.
    pub const fn verification(&self) -> Option<&Verification> {
        self.verification.as_ref()
    }

    /// The first thousand differences that the verification found.
    pub fn differences(&self) -> &[Difference] {
        &self.differences
    }

    /// The exit code of the program; `None` before the end.
    pub fn exit(&self) -> Option<u8> {
        self.finished.map(|(exit, _)| exit)
    }

    /// What brought the run to its end; `None` before that, and in recordings of older versions.
    pub const fn end(&self) -> Option<RunEnd> {
        self.end
    }

    /// Transactions of the store; `None` before the end.
    pub const fn commits(&self) -> Option<u64> {
        self.commits
    }

    /// Why the run ended before everything could get its outcome; `None` when it did not.
    pub const fn error(&self) -> Option<&RunFailure> {
        self.error.as_ref()
    }

    /// The present moment, which stands still at the end of the run and is never before its last event.
    fn now(&self, now_ms: u64) -> u64 {
        self.finished
            .map_or(now_ms.max(self.last_at_ms), |(_, elapsed)| elapsed)
    }

    fn upload_start(&self) -> u64 {
        let upload = self
            .phases
            .iter()
            .find(|(phase, _)| *phase == Phase::Upload);
        upload.map_or(0, |(_, start)| *start)
    }

    /// Upload time in milliseconds, up to `now_ms` or the end of the uploads, idle time left out.
    fn upload_ms(&self, now_ms: u64) -> Option<u64> {
        let start = self.upload_active_ms?;
        let mut later = self
            .phases
            .iter()
            .skip_while(|(phase, _)| *phase != Phase::Upload);
        let end = later.nth(1).map_or_else(|| self.now(now_ms), |(_, at)| *at);
        Some(self.clock.active_ms(end).saturating_sub(start))
    }
}
