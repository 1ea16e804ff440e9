//! A log for each lane: the events that concern it, as they arrive.
//!
//! The lines are those of `events.ndjson`, so a program that reads one reads the other: the first states the run and the
//! schema, then come the beginning and end of the lane, the gates that its work opens, its batches, and each of its entities
//! from its start to its outcome.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::super::json_lines::write_line;
use super::files::create_file;
use crate::domain::{BatchId, Kind};
use crate::event::{Event, Gate, Lane, Stamped};
use crate::progress::Progress;

/// The logs of a run that are open.
#[derive(Debug)]
pub(super) struct LaneLogs {
    files: [BufWriter<File>; Lane::ALL.len()],
    batches: HashMap<BatchId, Lane>,
}

/// The name of a lane's log.
pub(super) fn name(lane: Lane) -> String {
    format!("lane-{}-{}.ndjson", lane as usize + 1, lane.name())
}

impl LaneLogs {
    /// Opens an empty log for each lane.
    pub(super) fn create(folder: &Path) -> io::Result<Self> {
        let open = |lane| create_file(&folder.join(name(lane))).map(BufWriter::new);
        let [one, two, three] = Lane::ALL;
        Ok(Self {
            files: [open(one)?, open(two)?, open(three)?],
            batches: HashMap::new(),
        })
    }

    /// Writes an event into the logs of the lanes that it concerns.
    pub(super) fn write(&mut self, event: &Stamped, progress: &Progress) -> io::Result<()> {
        if matches!(event.event, Event::RunStarted { .. }) {
            return self
                .files
                .iter_mut()
                .try_for_each(|file| write_line(file, event));
        }
        match self.lane_of(&event.event, progress) {
            Some(lane) => write_line(&mut self.files[lane as usize], event),
            None => Ok(()),
        }
    }

    /// Hands on what was written.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.files.iter_mut().try_for_each(Write::flush)
    }

    /// The lane that an event concerns; `None` when it concerns all or none.
    fn lane_of(&mut self, event: &Event, progress: &Progress) -> Option<Lane> {
        match event {
            Event::LaneStarted { lane }
            | Event::LaneFinished { lane }
            | Event::EntityStarted { lane, .. } => Some(*lane),
            Event::EntitySettled { lane, .. } => *lane,
            Event::GateOpened { gate, .. } | Event::GateFailed { gate, .. } => {
                gate_lane(*gate, progress)
            }
            // Its outcome is yet to come, so it is still on its way.
            Event::EntityPatched { key } => {
                progress.in_flight().get(key).map(|flight| flight.row.lane)
            }
            Event::PublishRefused { key, .. } => batch_lane(key.kind),
            Event::BatchSubmitted { batch, kind, .. } => {
                let lane = batch_lane(*kind)?;
                self.batches.insert(*batch, lane);
                Some(lane)
            }
            Event::BatchProgressed { batch, .. } => self.batches.get(batch).copied(),
            Event::BatchFinished { batch, .. } | Event::BatchSplit { batch, .. } => {
                self.batches.remove(batch)
            }
            Event::RunStarted { .. }
            | Event::PhaseStarted { .. }
            | Event::ReadProgressed { .. }
            | Event::PlanMade { .. }
            | Event::UndoPlanned { .. }
            | Event::PrunePlanned { .. }
            | Event::RetryScheduled { .. }
            | Event::Throttled { .. }
            | Event::FeedBusy { .. }
            | Event::EntityHeld { .. }
            | Event::PublishFinished { .. }
            | Event::PaceSampled { .. }
            | Event::ForecastMade { .. }
            | Event::TokenRefused
            | Event::EntitiesLeft { .. }
            | Event::Paused
            | Event::Resumed
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
            | Event::RunFinished { .. } => None,
        }
    }
}

/// The lane whose work opens a gate.
fn gate_lane(gate: Gate, progress: &Progress) -> Option<Lane> {
    let mut gates = progress.gates().iter();
    let known = gates.find(|known| known.plan.gate == gate);
    known.map(|known| known.plan.lane)
}

/// The lane that hands in batches of a kind.
const fn batch_lane(kind: Kind) -> Option<Lane> {
    match kind {
        Kind::Content => Some(Lane::BatchedContent),
        Kind::Page => Some(Lane::ComplexEntities),
        Kind::Model
        | Kind::Template
        | Kind::Container
        | Kind::Gallery
        | Kind::Asset
        | Kind::Redirection => None,
    }
}
