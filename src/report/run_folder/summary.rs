//! `summary.json`: the outcome of a run, for programs.
//!
//! Members are named in `snake_case`; those ending in `_ms` are milliseconds since the start of the run or,
//! with `took`, a span of them. A reader must ignore members that it does not know; [`SCHEMA`] rises when one
//! changes its meaning or goes away.

use serde::Serialize;
use serde_json::{Map, Value};

use super::super::advice::{self, CauseSummary};
use crate::domain::{EntityKey, Kind, RunEnd, WorkClass};
use crate::event::{Gate, Lane, Phase, RunFailure, millis};
use crate::progress::{GateState, Progress, Reading, Row, Standing, Tally};

/// The version of the format.
pub(crate) const SCHEMA: u32 = 3;

/// The whole file.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    /// [`SCHEMA`].
    schema: u32,
    /// What the run was about; `null` when it ended before it could tell.
    run: Option<RunPart>,
    /// The exit code of the program; `null` when the run was interrupted and recorded no result.
    exit: Option<u8>,
    /// What brought the run to its end; `null` when it was interrupted and recorded no result.
    end: Option<RunEnd>,
    /// Why it ended before everything could get its outcome; `null` when it did not.
    error: Option<RunFailure>,
    /// How long the run took.
    elapsed_ms: u64,
    /// All pauses together.
    paused_ms: u64,
    /// The parts of the run, in order.
    phases: Vec<PhasePart>,
    /// Every entity of the source, those included for which nothing had to be written.
    entities: Entities,
    /// The same by kind.
    kinds: Vec<KindPart>,
    /// Everything that had to be written.
    uploads: Uploads,
    /// The same by lane.
    lanes: Vec<LanePart>,
    /// The same by work class.
    classes: Vec<ClassPart>,
    /// The gates, in the order of the plan.
    gates: Vec<GatePart>,
    /// Requests to the target.
    requests: Requests,
    /// Batches at the target.
    batches: Batches,
    /// Transactions of the store; `null` when the run was interrupted and recorded no result.
    commits: Option<u64>,
    /// Entities of cycles that were saved a second time.
    patched: u32,
    /// Failures by cause, the most frequent first.
    failures: Vec<CausePart>,
    /// Entities that were not attempted, by the failed entity that they need.
    blocked: Vec<BlockedPart>,
    /// What was published of it; `null` when nothing was to be.
    publishing: Option<PublishingPart>,
    /// The comparison of the target with the source; `null` when there was none.
    verification: Option<VerificationPart>,
    /// How the instances were read.
    readings: Vec<Reading>,
    /// The first hundred warnings.
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct RunPart {
    id: String,
    source: String,
    target: String,
    /// RFC 3339.
    started_at: String,
    dry_run: bool,
    /// Absent where the recording of an older version was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
}

#[derive(Debug, Serialize)]
struct PhasePart {
    phase: Phase,
    start_ms: u64,
    took_ms: u64,
}

#[derive(Debug, Serialize)]
struct Entities {
    total: u32,
    /// A member for each outcome: `created`, `adopted`, `updated`, `unchanged`, `conflict`, `left-alone`, `failed`, `blocked`,
    /// `out-of-scope`, `deleted`, `restored`, `kept`.
    outcomes: Map<String, Value>,
    /// The share of entities in scope that were looked at and found equal, from 0 to 1; `null` when none was in scope.
    success_rate: Option<f64>,
}

#[derive(Debug, Serialize)]
struct KindPart {
    kind: Kind,
    #[serde(flatten)]
    outcomes: Entities,
}

/// Settled + waiting + in flight = planned.
#[derive(Debug, Serialize)]
struct Counts {
    planned: u32,
    settled: u32,
    /// Entities that never left, because the run ended before.
    waiting: u32,
    /// Entities that left and got no outcome.
    in_flight: u32,
    /// Of those planned, how many the plan had not announced.
    unplanned: u32,
    outcomes: Map<String, Value>,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct Uploads {
    #[serde(flatten)]
    counts: Counts,
    /// Entities settled per second of upload time, pauses and throttling left out; `null` when nothing was uploaded.
    per_second: Option<f64>,
}

#[derive(Debug, Serialize)]
struct LanePart {
    lane: Lane,
    /// From the first upload to the end of the lane; `null` when nothing left.
    took_ms: Option<u64>,
    #[serde(flatten)]
    counts: Counts,
    rows: Vec<RowPart>,
}

#[derive(Debug, Serialize)]
struct RowPart {
    kind: Kind,
    class: WorkClass,
    #[serde(flatten)]
    counts: Counts,
}

#[derive(Debug, Serialize)]
struct ClassPart {
    class: WorkClass,
    #[serde(flatten)]
    counts: Counts,
}

#[derive(Debug, Serialize)]
struct GatePart {
    gate: String,
    lane: Lane,
    /// How many entities had to arrive.
    entities: u32,
    /// `closed`, `open` or `failed`.
    state: &'static str,
    /// When it settled; `null` when it did not.
    at_ms: Option<u64>,
    /// The last to arrive, or the root cause of the failure.
    by: Option<EntityKey>,
}

#[derive(Debug, Serialize)]
struct Requests {
    sent: u64,
    /// Refused with 429.
    refused: u64,
    retried: u32,
    /// How often the target rate limited a request.
    throttled: u32,
}

#[derive(Debug, Serialize)]
struct Batches {
    finished: u32,
    split: u32,
    /// Without a known end.
    unfinished: usize,
}

#[derive(Debug, Serialize)]
struct CausePart {
    /// What the failures have in common, in words.
    cause: String,
    /// The HTTP status that they have in common; `null` where there was none.
    status: Option<u16>,
    count: u32,
    next: String,
    /// The code of the cause, such as `LG-5009`, which stays the same from version to version.
    code: &'static str,
    /// The first five.
    examples: Vec<ExamplePart>,
}

#[derive(Debug, Serialize)]
struct ExamplePart {
    key: EntityKey,
    name: String,
    reason: String,
}

#[derive(Debug, Serialize)]
struct BlockedPart {
    by: EntityKey,
    count: u32,
}

#[derive(Debug, Serialize)]
struct PublishingPart {
    published: u32,
    /// Saved and not published.
    refused: u32,
    /// Held back, because what has to be published with them is not.
    held_back: u32,
    /// Unpublished, because the source unpublished them.
    unpublished: u32,
    /// Published on the source, and drafts on the target because publishing was not asked for.
    drafts: u32,
    /// Why not, by cause.
    failures: Vec<CausePart>,
}

#[derive(Debug, Serialize)]
struct VerificationPart {
    checked: u32,
    differences: u32,
    /// Whether everything was compared.
    finished: bool,
    /// How the bytes of files were compared; absent where none were.
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<FilesPart>,
    /// The first thousand differences.
    found: Vec<DifferencePart>,
}

#[derive(Debug, Serialize)]
struct FilesPart {
    /// By what their hosts say.
    by_digest: u32,
    downloaded: u32,
}

#[derive(Debug, Serialize)]
struct DifferencePart {
    key: EntityKey,
    difference: String,
    detail: String,
}

impl Summary {
    /// The summary of a run that is over.
    pub(crate) fn of(progress: &Progress) -> Self {
        let now_ms = progress.last_at_ms();
        Self {
            schema: SCHEMA,
            run: run(progress),
            exit: progress.exit(),
            end: progress.end(),
            error: progress.error().cloned(),
            elapsed_ms: millis(progress.elapsed(now_ms)),
            paused_ms: millis(progress.paused(now_ms)),
            phases: phases(progress, now_ms),
            entities: outcomes(&progress.total(), progress.standing()),
            kinds: kinds(progress),
            uploads: Uploads {
                counts: counts(&progress.uploads()),
                per_second: progress.average_per_second(now_ms),
            },
            lanes: Lane::ALL
                .map(|lane| lane_part(progress, lane, now_ms))
                .into(),
            classes: [WorkClass::Sequential, WorkClass::Parallel]
                .map(|class| class_part(progress, class))
                .into(),
            gates: gates(progress),
            requests: Requests {
                sent: progress.requests(),
                refused: progress.refused(),
                retried: progress.retries(),
                throttled: progress.throttlings(),
            },
            batches: Batches {
                finished: progress.batches_finished(),
                split: progress.batches_split(),
                unfinished: progress.batches().len(),
            },
            commits: progress.commits(),
            patched: progress.patched(),
            failures: causes(&advice::failures(progress)),
            blocked: blocked(progress),
            publishing: publishing(progress),
            verification: verification(progress),
            readings: progress.readings().to_vec(),
            warnings: progress.warnings().to_vec(),
        }
    }
}

fn run(progress: &Progress) -> Option<RunPart> {
    let run = progress.run()?;
    Some(RunPart {
        id: run.id.to_string(),
        source: run.source.to_string(),
        target: run.target.to_string(),
        started_at: run.started_at.clone(),
        dry_run: run.dry_run,
        command: run.command.clone(),
    })
}

fn phases(progress: &Progress, now_ms: u64) -> Vec<PhasePart> {
    let times = progress.phase_times(now_ms).into_iter();
    let part = |time: crate::progress::PhaseTime| PhasePart {
        phase: time.phase,
        start_ms: millis(time.start),
        took_ms: millis(time.took),
    };
    times.map(part).collect()
}

fn tally_members(tally: &Tally) -> Map<String, Value> {
    tally
        .iter()
        .map(|(name, count)| (name.to_owned(), count.into()))
        .collect()
}

fn outcomes(tally: &Tally, standing: Standing) -> Entities {
    Entities {
        total: tally.total(),
        outcomes: tally_members(tally),
        success_rate: standing.rate(),
    }
}

fn kinds(progress: &Progress) -> Vec<KindPart> {
    let totals = progress.totals().iter();
    let part = |(kind, tally): (&Kind, &Tally)| KindPart {
        kind: *kind,
        outcomes: outcomes(tally, progress.standing_of(*kind)),
    };
    totals.map(part).collect()
}

fn counts(row: &Row) -> Counts {
    Counts {
        planned: row.planned,
        settled: row.settled.total(),
        waiting: row.waiting,
        in_flight: row.in_flight,
        unplanned: row.unplanned,
        outcomes: tally_members(&row.settled),
        bytes: row.bytes,
    }
}

fn lane_part(progress: &Progress, lane: Lane, now_ms: u64) -> LanePart {
    let rows = progress.rows().iter().filter(|(key, _)| key.lane == lane);
    LanePart {
        lane,
        took_ms: progress.lane_time(lane, now_ms).map(millis),
        counts: counts(&progress.lane(lane)),
        rows: rows
            .map(|(key, row)| RowPart {
                kind: key.kind,
                class: key.class,
                counts: counts(row),
            })
            .collect(),
    }
}

fn class_part(progress: &Progress, class: WorkClass) -> ClassPart {
    ClassPart {
        class,
        counts: counts(&progress.class(class)),
    }
}

fn gates(progress: &Progress) -> Vec<GatePart> {
    let part = |gate: &crate::progress::GateProgress| {
        let (state, at_ms, by) = match &gate.state {
            GateState::Closed { .. } => ("closed", None, None),
            GateState::Open { at_ms, by } => ("open", Some(*at_ms), by.clone()),
            GateState::Failed { at_ms, by } => ("failed", Some(*at_ms), Some(by.clone())),
        };
        GatePart {
            gate: Gate::to_string(&gate.plan.gate),
            lane: gate.plan.lane,
            entities: gate.plan.entities,
            state,
            at_ms,
            by,
        }
    };
    progress.gates().iter().map(part).collect()
}

fn publishing(progress: &Progress) -> Option<PublishingPart> {
    let all = progress.publishing()?;
    Some(PublishingPart {
        published: all.published,
        refused: all.refused,
        held_back: all.held_back,
        unpublished: all.unpublished,
        drafts: all.drafts,
        failures: causes(&advice::unpublished(progress)),
    })
}

fn causes(causes: &[CauseSummary<'_>]) -> Vec<CausePart> {
    let part = |told: &CauseSummary<'_>| CausePart {
        cause: told.title.clone(),
        status: told.cause.cause.status,
        count: told.cause.count,
        next: told.next.clone(),
        code: told.code,
        examples: told.cause.examples.iter().map(example).collect(),
    };
    causes.iter().map(part).collect()
}

fn example(example: &crate::progress::Example) -> ExamplePart {
    ExamplePart {
        key: example.key.clone(),
        name: example.name.clone(),
        reason: example.reason.clone(),
    }
}

fn blocked(progress: &Progress) -> Vec<BlockedPart> {
    let part = |(by, count): (&EntityKey, &u32)| BlockedPart {
        by: by.clone(),
        count: *count,
    };
    progress.blocked_by().iter().map(part).collect()
}

fn verification(progress: &Progress) -> Option<VerificationPart> {
    let known = progress.verification()?;
    let part = |found: &crate::progress::Difference| DifferencePart {
        key: found.key.clone(),
        difference: found.difference.clone(),
        detail: found.detail.clone(),
    };
    Some(VerificationPart {
        checked: known.checked,
        differences: known.differences,
        finished: known.finished,
        files: known.files.map(|(by_digest, downloaded)| FilesPart {
            by_digest,
            downloaded,
        }),
        found: progress.differences().iter().map(part).collect(),
    })
}
