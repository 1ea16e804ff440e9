//! Plays a history to its end, and says what was wrong with it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lockgate::engine::UnknownOutcome;
use lockgate::event::Side;
use tokio::time::{Instant, sleep};

use crate::double::{Fault, Trace};
use crate::history::{Act, History, Run};
use crate::oracle;
use crate::stage::{Played, Stage};

/// Everything that can still happen has happened after this.
const CALM: Duration = Duration::from_mins(20);

/// So many runs without a fault have to be enough.
const CALM_RUNS: u32 = 4;

/// How a history ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) problems: Vec<String>,
    pub(crate) trace: Vec<String>,
    pub(crate) figures: Figures,
}

/// What happened in one history or many.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) runs: u32,
    pub(crate) crashes: u32,
    pub(crate) takeovers: u32,
    pub(crate) edits: u32,
    /// Entities of which a run could not tell whether they had arrived.
    pub(crate) doubts: u32,
    pub(crate) faults: BTreeMap<Fault, u32>,
}

impl Figures {
    pub(crate) fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.crashes += other.crashes;
        self.takeovers += other.takeovers;
        self.edits += other.edits;
        self.doubts += other.doubts;
        for (fault, count) in &other.faults {
            *self.faults.entry(*fault).or_default() += count;
        }
    }
}

/// Plays a history on a runtime of its own.
pub(crate) fn play(history: &History, traced: bool) -> Verdict {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(to_its_end(history.clone(), traced))
}

async fn to_its_end(history: History, traced: bool) -> Verdict {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let began = Instant::now();
    let kept = Arc::clone(&lines);
    let trace: Trace = Arc::new(move |line| {
        if traced {
            let at = began.elapsed().as_secs_f64();
            kept.lock().unwrap().push(format!("{at:10.3} {line}"));
        }
    });
    let stage = Stage::new(history.clone(), trace).await;
    let mut problems = Vec::new();
    for act in &history.acts {
        match act {
            Act::Run(run) => {
                problems.extend(Box::pin(one_run(&stage, run)).await);
            }
            Act::Later => {
                stage.source.replace(history.shape.later().build());
                (stage.trace)("the source is a later edition".to_owned());
            }
            Act::Edit(edit) => stage.edit(edit),
            Act::Wait(ms) => sleep(Duration::from_millis(*ms)).await,
        }
    }
    let mut figures = Figures::default();
    if problems.is_empty() {
        problems = Box::pin(to_agreement(&stage, &mut figures)).await;
    }
    figures.runs = stage.runs.get();
    figures.crashes = stage.crashes.get();
    figures.takeovers = stage.takeovers.get();
    figures.edits = stage.edits.get();
    for side in [Side::Source, Side::Target] {
        let double = match side {
            Side::Source => &stage.source,
            Side::Target => &stage.target,
        };
        for (fault, count) in double.injected() {
            *figures.faults.entry(fault).or_default() += count;
        }
    }
    stage.store.close().await;
    let trace = std::mem::take(&mut *lines.lock().unwrap());
    Verdict {
        problems,
        trace,
        figures,
    }
}

async fn one_run(stage: &Stage, run: &Run) -> Vec<String> {
    let first = stage.runs.get() + 1;
    let all = Box::pin(stage.run(run, UnknownOutcome::Report)).await;
    let was_alone = all.len() == 1;
    let mut problems = Vec::new();
    for (number, played) in (first..).zip(&all) {
        let found = oracle::after(stage, run, played, was_alone).await;
        problems.extend(found.iter().map(|found| format!("run {number}: {found}")));
    }
    problems
}

/// Lets runs without faults bring everything across, and checks that nothing is left to do.
async fn to_agreement(stage: &Stage, figures: &mut Figures) -> Vec<String> {
    stage.source.calm();
    stage.target.calm();
    sleep(CALM).await;
    let calm = Run::default();
    for number in 0..CALM_RUNS {
        let before = stage.target.writes();
        let played = Box::pin(stage.run(&calm, UnknownOutcome::Report))
            .await
            .remove(0);
        let mut problems = oracle::after(stage, &calm, &played, true).await;
        if !problems.is_empty() {
            return problems;
        }
        let Played::Over(ran) = played else {
            return vec![format!("a run without faults: {}", played.told())];
        };
        figures.doubts += u32::try_from(ran.report.in_doubt.len()).unwrap();
        if !ran.report.in_doubt.is_empty() {
            problems.extend(oracle::doubts_are_real(stage, &ran).await);
        }
        // What the target refuses is tried again by every run.
        let is_refusing = stage.history.shape.refused > 0 && number + 1 == CALM_RUNS;
        if stage.target.writes() == before || is_refusing {
            problems.extend(oracle::at_the_end(stage, &ran).await);
            return problems;
        }
    }
    vec![format!("run {} still writes", stage.runs.get())]
}
