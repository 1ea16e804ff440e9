//! Scripted runs for tests: events in a few words, and the progress that they add up to.

use super::Progress;
use crate::domain::Id as _;
use crate::domain::{
    BatchId, EntityKey, Failure, FailureCause, Guid, Kind, Locale, Outcome, RunEnd, RunId,
    TargetId, WorkClass,
};
use crate::event::{
    Bottleneck, Event, Gate, GatePlan, Lane, LanePlan, Phase, SCHEMA, Side, Stamped,
};

/// A list of events with a clock that moves on request only.
#[derive(Debug, Default)]
pub(crate) struct Script {
    at_ms: u64,
    events: Vec<Stamped>,
}

/// The key of an entity; content and pages stand in `en-us`.
pub(crate) fn key(kind: Kind, id: i64) -> EntityKey {
    if kind.is_localised() {
        EntityKey::localised(kind, id, &Locale::new("en-us"))
    } else {
        EntityKey::global(kind, id)
    }
}

/// The lane and class in which the scripted plan uploads a kind.
pub(crate) fn place(kind: Kind) -> (Lane, WorkClass) {
    match kind {
        Kind::Model => (Lane::IndependentEntities, WorkClass::Sequential),
        Kind::Container | Kind::Template | Kind::Asset | Kind::Redirection => {
            (Lane::IndependentEntities, WorkClass::Parallel)
        }
        Kind::Content => (Lane::BatchedContent, WorkClass::Parallel),
        Kind::Gallery => (Lane::ComplexEntities, WorkClass::Parallel),
        Kind::Page => (Lane::ComplexEntities, WorkClass::Sequential),
    }
}

impl Script {
    /// A run with its first event.
    pub(crate) fn start() -> Self {
        Self::default().event(Event::RunStarted {
            schema: SCHEMA,
            run: RunId("20260731-101500-0a1b".to_owned()),
            source: Guid::new("1a2b3c4d-u"),
            target: Guid::new("5e6f7a8b-u"),
            started_at: "2026-07-31T10:15:00Z".to_owned(),
            dry_run: false,
            command: None,
        })
    }

    /// Lets time pass.
    pub(crate) fn wait(mut self, ms: u64) -> Self {
        self.at_ms += ms;
        self
    }

    /// Any event, now.
    pub(crate) fn event(mut self, event: Event) -> Self {
        let at_ms = self.at_ms;
        self.events.push(Stamped { at_ms, event });
        self
    }

    /// A part begins.
    pub(crate) fn phase(self, phase: Phase) -> Self {
        self.event(Event::PhaseStarted { phase })
    }

    /// Entities were read.
    pub(crate) fn read(self, side: Side, kind: Kind, read: u32, expected: Option<u32>) -> Self {
        self.event(Event::ReadProgressed {
            side,
            kind,
            read,
            expected,
        })
    }

    /// A plan that uploads this many of each kind, with a gate for each kind and two content levels.
    pub(crate) fn plan(self, uploads: &[(Kind, u32)]) -> Self {
        self.event(Event::PlanMade {
            entities: uploads.to_vec(),
            lanes: lane_plans(uploads),
            gates: gates(uploads),
            levels: 2,
            cycles: 1,
            cuts: 2,
        })
    }

    /// A plan that takes this many of each kind back, of a run that wrote four more.
    pub(crate) fn undo(self, work: &[(Kind, u32)]) -> Self {
        let with_kept = |(kind, entities): &(Kind, u32)| {
            let kept = if *kind == Kind::Content { 4 } else { 0 };
            (*kind, entities + kept)
        };
        self.event(Event::UndoPlanned {
            undone: RunId("20260731-090000-77aa".to_owned()),
            entities: work.iter().map(with_kept).collect(),
            lanes: lane_plans(work),
            delete: work.iter().map(|(_, entities)| entities).sum(),
            restore: 0,
            kept: 4,
        })
    }

    /// Reads and plans, and begins to upload.
    pub(crate) fn uploading(uploads: &[(Kind, u32)]) -> Self {
        Self::start()
            .phase(Phase::Pull)
            .wait(3_000)
            .phase(Phase::Plan)
            .wait(200)
            .plan(uploads)
            .phase(Phase::Upload)
    }

    /// A lane begins.
    pub(crate) fn lane(self, lane: Lane) -> Self {
        self.event(Event::LaneStarted { lane })
    }

    /// An entity leaves.
    pub(crate) fn leave(self, kind: Kind, id: i64) -> Self {
        let (lane, class) = place(kind);
        let key = key(kind, id);
        self.event(Event::EntityStarted { key, lane, class })
    }

    /// An entity of a lane has its outcome.
    pub(crate) fn settle(self, kind: Kind, id: i64, outcome: Outcome) -> Self {
        let (lane, class) = place(kind);
        let target = outcome.has_counterpart().then(|| TargetId::new(id + 5_000));
        self.event(Event::EntitySettled {
            key: key(kind, id),
            name: format!("{} {id}", kind.name()),
            lane: Some(lane),
            class,
            cause: matches!(outcome, Outcome::Failed { .. }).then_some(Failure::Refused),
            status: None,
            level: (kind == Kind::Content).then_some(0),
            outcome,
            target,
            because: "not on the target yet".to_owned(),
            bytes: 512,
        })
    }

    /// An entity for which nothing had to be written.
    pub(crate) fn unchanged(self, kind: Kind, id: i64) -> Self {
        self.event(Event::EntitySettled {
            key: key(kind, id),
            name: format!("{} {id}", kind.name()),
            lane: None,
            class: WorkClass::Parallel,
            outcome: Outcome::Unchanged,
            cause: None,
            status: None,
            level: (kind == Kind::Content).then_some(0),
            target: Some(TargetId::new(id)),
            because: "in agreement since the last run".to_owned(),
            bytes: 0,
        })
    }

    /// Entities `from..to` leave and are created one after another, `each_ms` apart.
    pub(crate) fn create(mut self, kind: Kind, ids: std::ops::Range<i64>, each_ms: u64) -> Self {
        for id in ids {
            self = self
                .leave(kind, id)
                .wait(each_ms)
                .settle(kind, id, Outcome::Created);
        }
        self
    }

    /// An entity leaves and fails.
    pub(crate) fn fail(self, kind: Kind, id: i64, reason: &str) -> Self {
        let reason = reason.to_owned();
        self.leave(kind, id)
            .settle(kind, id, Outcome::Failed { reason })
    }

    /// The same for a cause of its own.
    pub(crate) fn fail_of(self, kind: Kind, id: i64, reason: &str, cause: FailureCause) -> Self {
        let mut script = self.fail(kind, id, reason);
        if let Some(Stamped {
            event:
                Event::EntitySettled {
                    cause: kind,
                    status,
                    ..
                },
            ..
        }) = script.events.last_mut()
        {
            (*kind, *status) = (Some(cause.failure), cause.status);
        }
        script
    }

    /// A gate opens, the last to arrive being this entity.
    pub(crate) fn open(self, gate: Gate, by: Option<EntityKey>) -> Self {
        self.event(Event::GateOpened { gate, by })
    }

    /// A batch is accepted and has come this far.
    pub(crate) fn batch(self, batch: i64, kind: Kind, items: u32, processed: u32) -> Self {
        let batch = BatchId(batch);
        let locale = Locale::new("en-us");
        let submitted = Event::BatchSubmitted {
            batch,
            locale,
            kind,
            items,
        };
        self.event(submitted)
            .event(Event::BatchProgressed { batch, processed })
    }

    /// A sample of the pace under a cap of ten.
    pub(crate) fn pace(self, per_second: f64, in_flight: u32, latency_ms: f64) -> Self {
        let requests = self.at_ms / 100;
        self.event(Event::PaceSampled {
            per_second,
            limit_per_second: Some(10.0),
            in_flight,
            concurrency: 16,
            latency_ms,
            requests,
            refused: 3,
        })
    }

    /// The rest was played ahead: so long for the uploads, then a second to verify.
    pub(crate) fn forecast(self, upload_ms: u64) -> Self {
        self.event(Event::ForecastMade {
            upload_ms,
            verify_ms: 1_000,
            by: Bottleneck::Rate,
        })
    }

    /// The run ends now.
    pub(crate) fn finish(self, exit: u8) -> Self {
        let end = match exit {
            130 => RunEnd::Interrupted,
            0 | 1 | 5 => RunEnd::Complete,
            _ => RunEnd::Stopped,
        };
        let elapsed_ms = self.at_ms;
        self.event(Event::RunFinished {
            exit,
            elapsed_ms,
            commits: Some(7),
            error: None,
            end: Some(end),
        })
    }

    /// The moment that the script has come to, in milliseconds.
    pub(crate) fn now_ms(&self) -> u64 {
        self.at_ms
    }

    /// The events.
    pub(crate) fn events(&self) -> &[Stamped] {
        &self.events
    }

    /// What the events add up to; the equation of the counts is checked after each.
    pub(crate) fn fold(&self) -> Progress {
        let mut progress = Progress::new();
        for stamped in &self.events {
            progress.apply(stamped);
            assert!(progress.adds_up(), "after {stamped:?}");
        }
        progress
    }
}

fn lane_plans(work: &[(Kind, u32)]) -> Vec<LanePlan> {
    let part = |(kind, entities): &(Kind, u32)| {
        let (lane, class) = place(*kind);
        let (kind, entities) = (*kind, *entities);
        LanePlan {
            lane,
            kind,
            class,
            entities,
        }
    };
    work.iter().map(part).collect()
}

fn gates(uploads: &[(Kind, u32)]) -> Vec<GatePlan> {
    let count = |kinds: &[Kind]| -> u32 {
        let of_kinds = uploads.iter().filter(|(kind, _)| kinds.contains(kind));
        of_kinds.map(|(_, entities)| entities).sum()
    };
    let [one, two, three] = Lane::ALL;
    let content = count(&[Kind::Content]);
    let both = [Lane::BatchedContent, Lane::ComplexEntities];
    let levels = [content / 2, content - content / 2];
    let of = |kind| count(&[kind]);
    [
        (Gate::ModelsComplete, one, of(Kind::Model), &both[..1]),
        (Gate::TemplatesComplete, one, of(Kind::Template), &both[..1]),
        (
            Gate::ContainersComplete,
            one,
            of(Kind::Container),
            &both[..1],
        ),
        (
            Gate::IndependentAssetsComplete,
            one,
            of(Kind::Asset),
            &both[..],
        ),
        (Gate::RedirectionsComplete, one, of(Kind::Redirection), &[]),
        (Gate::ContentLevelComplete(0), two, levels[0], &both[..1]),
        (Gate::ContentLevelComplete(1), two, levels[1], &[]),
        (Gate::ContentComplete, two, content, &both[1..]),
        (
            Gate::GalleriesComplete,
            three,
            of(Kind::Gallery),
            &both[..1],
        ),
        (Gate::PagesComplete, three, of(Kind::Page), &[]),
        (Gate::AllEntitiesComplete, three, count(&Kind::ALL), &[]),
    ]
    .into_iter()
    .map(|(gate, lane, entities, waited_for_by)| GatePlan {
        gate,
        lane,
        entities,
        waited_for_by: waited_for_by.to_vec(),
    })
    .collect()
}
