//! What each event changes.

use super::causes::{self, Example};
use super::fold::{Planned, Progress, Publishing};
use super::named::{self, List};
use super::rows::RowKey;
use super::{
    BatchProgress, Difference, GateProgress, GateState, Pace, ReadCount, Reading, Run, Verification,
};
use crate::domain::{BatchId, FailureCause, Outcome};
use crate::event::{Event, Gate, Named, Phase, Stamped};

/// Samples of the pace that are kept: one for each column of a wide screen.
const SAMPLES: usize = 240;

/// Warnings whose text is kept.
const WARNINGS: usize = 100;

/// Differences whose detail is kept.
const DIFFERENCES: usize = 1_000;

impl Progress {
    /// Takes in one event. Events must come in the order in which they happened.
    pub fn apply(&mut self, stamped: &Stamped) {
        self.last_at_ms = self.last_at_ms.max(stamped.at_ms);
        self.apply_event(&stamped.event, self.last_at_ms);
        debug_assert!(self.adds_up(), "counts disagree after {stamped:?}");
    }

    /// Whether settled + waiting + in flight = planned, in every row and for the entities in flight.
    pub(crate) fn adds_up(&self) -> bool {
        let in_flight: u32 = self.rows().values().map(|row| row.in_flight).sum();
        self.rows().values().all(super::Row::adds_up)
            && usize::try_from(in_flight).is_ok_and(|count| count == self.in_flight().len())
    }

    fn apply_event(&mut self, event: &Event, at_ms: u64) {
        match event {
            Event::RunStarted { .. } => self.run_started(event),
            Event::PhaseStarted { phase } => self.phase_started(*phase, at_ms),
            Event::ReadProgressed {
                side,
                kind,
                read,
                expected,
            } => {
                let (read, expected) = (*read, *expected);
                self.reads
                    .insert((*side, *kind), ReadCount { read, expected });
            }
            Event::PlanMade { .. } => self.plan_made(event),
            Event::UndoPlanned { .. } | Event::PrunePlanned { .. } => self.deletes_planned(event),
            Event::LaneStarted { lane } => {
                self.lanes[*lane as usize].started_ms.get_or_insert(at_ms);
            }
            Event::LaneFinished { lane } => {
                self.lanes[*lane as usize].finished_ms.get_or_insert(at_ms);
            }
            Event::GateOpened { gate, by } => {
                let by = by.clone();
                self.settle_gate(*gate, GateState::Open { at_ms, by });
            }
            Event::GateFailed { gate, by } => {
                let by = by.clone();
                self.settle_gate(*gate, GateState::Failed { at_ms, by });
            }
            Event::EntityStarted { key, lane, class } => {
                let (lane, kind, class) = (*lane, key.kind, *class);
                self.rows.start(key, RowKey { lane, kind, class }, at_ms);
            }
            Event::EntitySettled { .. } => self.entity_settled(event, at_ms),
            Event::EntityPatched { .. } => self.patched += 1,
            Event::BatchSubmitted { .. } => self.batch_submitted(event, at_ms),
            Event::BatchProgressed { batch, processed } => {
                if let Some(known) = self.batches.get_mut(batch) {
                    known.processed = *processed;
                }
            }
            Event::BatchFinished { batch, .. } => self.batch_finished(*batch),
            Event::BatchSplit { batch, .. } => self.batch_split(*batch),
            Event::RetryScheduled { .. } => self.retries += 1,
            Event::Throttled { for_ms } => {
                self.throttlings += 1;
                self.clock.throttle(at_ms, *for_ms);
            }
            Event::EntityHeld { key } => self.rows.hold(key),
            Event::EntitiesLeft { first, .. } => self.entities_left(first),
            Event::PaceSampled { .. } => self.pace_sampled(event, at_ms),
            Event::ForecastMade { .. } => self.forecast_made(event, at_ms),
            Event::TokenRefused => self.needs_token = true,
            Event::Paused => self.clock.pause(at_ms),
            Event::Resumed => self.resumed(at_ms),
            Event::DrainStarted { reason, .. } => {
                self.draining.get_or_insert_with(|| reason.clone());
            }
            Event::Warned { message } => self.note_warning(message),
            // A wait is reported as it is, and a forecast of another run changes nothing about this one.
            Event::FeedBusy { .. }
            | Event::Webhooks { .. }
            | Event::RowsIgnored { .. }
            | Event::Rehearsed { .. } => {}
            Event::InstanceRead { .. } => self.instance_read(event),
            Event::PublishRefused { .. } => self.publish_refused(event),
            Event::PublishFinished { .. } => self.publish_finished(event),
            Event::VerifyProgressed { checked, total } => self.verify_progressed(*checked, *total),
            Event::DifferenceFound { .. } => self.difference_found(event),
            Event::FilesCompared {
                by_digest,
                downloaded,
            } => self.files_compared(*by_digest, *downloaded),
            Event::VerifyFinished { .. } => self.verify_finished(event),
            Event::RunFinished { .. } => self.run_finished(event),
        }
    }

    fn run_started(&mut self, event: &Event) {
        let Event::RunStarted {
            run,
            source,
            target,
            started_at,
            dry_run,
            command,
            schema: _,
        } = event
        else {
            return;
        };
        self.run = Some(Run {
            id: run.clone(),
            source: source.clone(),
            target: target.clone(),
            started_at: started_at.clone(),
            dry_run: *dry_run,
            command: command.clone(),
        });
    }

    fn run_finished(&mut self, event: &Event) {
        let Event::RunFinished {
            exit,
            elapsed_ms,
            commits,
            error,
            end,
        } = event
        else {
            return;
        };
        self.finished = Some((*exit, *elapsed_ms));
        self.commits = *commits;
        self.error.clone_from(error);
        self.end = *end;
    }

    fn phase_started(&mut self, phase: Phase, at_ms: u64) {
        self.phases.push((phase, at_ms));
        if phase == Phase::Upload {
            self.upload_active_ms = Some(self.clock.active_ms(at_ms));
        }
    }

    fn plan_made(&mut self, event: &Event) {
        let Event::PlanMade {
            entities,
            lanes,
            gates,
            levels,
            cycles,
            cuts,
        } = event
        else {
            return;
        };
        self.rows.plan(lanes);
        self.gates = gates.iter().map(GateProgress::new).collect();
        self.planned = Some(Planned {
            entities: entities.clone(),
            levels: *levels,
            undone: None,
            cycles: *cycles,
            cuts: *cuts,
        });
    }

    /// The deletes of a run come on top of its plan; an undo has no other.
    fn deletes_planned(&mut self, event: &Event) {
        if let Event::PrunePlanned { lanes, .. } = event {
            self.rows.plan(lanes);
        }
        let Event::UndoPlanned {
            undone,
            entities,
            lanes,
            ..
        } = event
        else {
            return;
        };
        self.rows.plan(lanes);
        self.planned = Some(Planned {
            entities: entities.clone(),
            undone: Some(undone.clone()),
            ..Planned::default()
        });
    }

    /// A gate that the plan does not name is not shown, so its settling changes nothing.
    fn settle_gate(&mut self, gate: Gate, state: GateState) {
        let mut known = self.gates.iter_mut();
        if let Some(progress) = known.find(|progress| progress.plan.gate == gate) {
            progress.state = state;
        }
    }

    fn resumed(&mut self, at_ms: u64) {
        self.needs_token = false;
        self.clock.resume(at_ms);
    }

    fn entity_settled(&mut self, event: &Event, at_ms: u64) {
        let Event::EntitySettled {
            key,
            name,
            lane,
            class,
            outcome,
            cause,
            status,
            level,
            bytes,
            because,
            target: _,
        } = event
        else {
            return;
        };
        self.totals.entry(key.kind).or_default().add(outcome);
        let row = lane.map(|lane| RowKey {
            lane,
            kind: key.kind,
            class: *class,
        });
        if let Some(row) = self.rows.settle(key, row, outcome, *bytes) {
            self.upload_settled((row, *level), outcome, at_ms);
        }
        let cause = FailureCause {
            failure: cause.unwrap_or_default(),
            status: *status,
        };
        let because = match outcome {
            Outcome::Failed { reason } | Outcome::Kept { reason } => reason,
            _ => because,
        };
        let entity = || Example {
            key: key.clone(),
            name: name.clone(),
            reason: because.clone(),
        };
        self.note_outcome(entity, outcome, cause);
    }

    fn upload_settled(
        &mut self,
        (row, level): (RowKey, Option<u32>),
        outcome: &Outcome,
        at_ms: u64,
    ) {
        self.recent.add(at_ms);
        self.lanes[row.lane as usize].recent.add(at_ms);
        if outcome.has_counterpart() {
            for gate in &mut self.gates {
                gate.arrive(row.kind, row.lane, level);
            }
        }
    }

    fn note_outcome(
        &mut self,
        entity: impl Fn() -> Example,
        outcome: &Outcome,
        cause: FailureCause,
    ) {
        let list = match outcome {
            Outcome::Failed { .. } => {
                causes::add(&mut self.causes, cause, entity());
                List::Failed
            }
            Outcome::Blocked { by } => {
                *self.blocked_by.entry(by.clone()).or_default() += 1;
                return;
            }
            Outcome::Conflict => {
                self.apart.insert(entity().key);
                List::Conflict
            }
            Outcome::LeftAlone => {
                self.apart.insert(entity().key);
                List::LeftAlone
            }
            Outcome::Kept { .. } => List::Kept,
            Outcome::Updated => List::Updated,
            Outcome::Created => List::Created,
            Outcome::Adopted
            | Outcome::Unchanged
            | Outcome::OutOfScope
            | Outcome::Deleted
            | Outcome::Restored => return,
        };
        named::note(&mut self.names, list, entity);
    }

    fn entities_left(&mut self, first: &[Named]) {
        for Named { key, name } in first {
            let entity = || Example {
                key: key.clone(),
                name: name.clone(),
                reason: String::new(),
            };
            named::note(&mut self.names, List::Remaining, entity);
        }
    }

    fn batch_submitted(&mut self, event: &Event, at_ms: u64) {
        let Event::BatchSubmitted {
            batch,
            locale,
            kind,
            items,
        } = event
        else {
            return;
        };
        let progress = BatchProgress {
            locale: locale.clone(),
            kind: *kind,
            items: *items,
            processed: 0,
            since_ms: at_ms,
        };
        self.batches.insert(*batch, progress);
    }

    fn pace_sampled(&mut self, event: &Event, at_ms: u64) {
        let Event::PaceSampled {
            per_second,
            limit_per_second,
            in_flight,
            concurrency,
            latency_ms,
            requests,
            refused,
        } = event
        else {
            return;
        };
        (self.requests, self.refused) = (*requests, *refused);
        if self.pace.len() == SAMPLES {
            self.pace.pop_front();
        }
        self.pace.push_back(Pace {
            at_ms,
            per_second: *per_second,
            limit_per_second: *limit_per_second,
            in_flight: *in_flight,
            concurrency: *concurrency,
            latency_ms: *latency_ms,
        });
    }

    fn forecast_made(&mut self, event: &Event, at_ms: u64) {
        let Event::ForecastMade {
            upload_ms,
            verify_ms,
            by,
        } = event
        else {
            return;
        };
        let (made_ms, left_ms) = (
            self.clock.active_ms(at_ms),
            upload_ms.saturating_add(*verify_ms),
        );
        self.forecasts.add(made_ms, left_ms, *by);
    }

    fn publish_finished(&mut self, event: &Event) {
        let Event::PublishFinished {
            published,
            refused,
            held_back,
            unpublished,
            drafts,
        } = event
        else {
            return;
        };
        self.publishing = Some(Publishing {
            published: *published,
            refused: *refused,
            held_back: *held_back,
            unpublished: *unpublished,
            drafts: *drafts,
        });
    }

    fn publish_refused(&mut self, event: &Event) {
        let Event::PublishRefused {
            key, name, reason, ..
        } = event
        else {
            return;
        };
        self.publishing.get_or_insert_default().refused += 1;
        let example = Example {
            key: key.clone(),
            name: name.clone(),
            reason: reason.clone(),
        };
        named::note(&mut self.names, List::Unpublished, || example.clone());
        causes::add(&mut self.unpublished, FailureCause::default(), example);
    }

    fn batch_split(&mut self, batch: BatchId) {
        self.batches.remove(&batch);
        self.batches_split += 1;
    }

    fn instance_read(&mut self, event: &Event) {
        let Event::InstanceRead {
            side,
            entities,
            rows,
            since,
            because,
        } = event
        else {
            return;
        };
        self.readings.push(Reading {
            side: *side,
            entities: *entities,
            rows: *rows,
            since: since.clone(),
            because: because.clone(),
        });
    }

    fn note_warning(&mut self, message: &str) {
        self.warned += 1;
        if self.warnings.len() < WARNINGS {
            self.warnings.push(message.to_owned());
        }
    }

    fn batch_finished(&mut self, batch: BatchId) {
        if self.batches.remove(&batch).is_some() {
            self.batches_finished += 1;
        }
    }

    fn verify_progressed(&mut self, checked: u32, total: u32) {
        let verification = self.verification.get_or_insert_default();
        (verification.checked, verification.total) = (checked, total);
    }

    fn files_compared(&mut self, by_digest: u32, downloaded: u32) {
        let verification = self.verification.get_or_insert_default();
        verification.files = Some((by_digest, downloaded));
    }

    fn verify_finished(&mut self, event: &Event) {
        let Event::VerifyFinished {
            checked,
            differences,
        } = event
        else {
            return;
        };
        self.verification = Some(Verification {
            checked: *checked,
            total: *checked,
            differences: *differences,
            finished: true,
            files: self.verification.as_ref().and_then(|known| known.files),
        });
    }

    fn difference_found(&mut self, event: &Event) {
        let Event::DifferenceFound {
            key,
            difference,
            detail,
            left_alone,
        } = event
        else {
            return;
        };
        if !self.apart.contains(key) {
            let left = self.differing.entry(key.clone()).or_insert(true);
            *left &= *left_alone;
        }
        self.verification.get_or_insert_default().differences += 1;
        if self.differences.len() < DIFFERENCES {
            self.differences.push(Difference {
                key: key.clone(),
                difference: difference.clone(),
                detail: detail.clone(),
            });
        }
    }
}
