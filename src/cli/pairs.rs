//! Runs from one source to one target or to several, side by side.
//!
//! ```text
//!   source ─ one Reader ─▶ read once ─┬─▶ Session ─▶ target 1 ─ its own plan, lease, run folder, reporters
//!                                     └─▶ Session ─▶ target 2
//!   signals ─▶ the commands of every run          quota ─ one for each host and token
//! ```
//! A run does not depend on the others: what they share is the reading of the source, the quotas and the question whether to
//! write. So a target that cannot be reached ends its own run alone, and one run is the same as one of several.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt as _, join_all};
use tokio::sync::{mpsc, watch};

use super::agree::Reviewer;
use super::ends::{Ends, SourceEnd};
use super::records::Records;
use super::session::{self, Estimate, Readers, Shown, Work};
use super::together::Together;
use super::{official, pace, wiring};
use crate::agility::Instance;
use crate::config::Settings;
use crate::domain::{RunEnd, RunId, time};
use crate::engine::{EVENTS_IN_FLIGHT, PlanMade, RunReport, Session, Sink};
use crate::error::{self, Error, ExitStatus};
use crate::event::{Command, Event, SCHEMA, Stamped};
use crate::progress::Progress;
use crate::report::{self, Label, Place, Reporter, Screen};
use crate::store::{RunRecord, Store};

/// What a run is about.
pub(super) struct Pair {
    pub(super) settings: Settings,
    pub(super) ends: Ends,
    pub(super) work: Work,
}

/// The result of a run: its status and its report, or why it could not continue.
pub(super) type Outcome = Result<(ExitStatus, RunReport), Error>;

/// A run that is over.
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    /// The outcome of entities; `None` where it did not begin.
    pub(super) progress: Option<Progress>,
}

impl Ended {
    /// A run that could not begin.
    pub(super) fn before_it_began(error: Error) -> Self {
        Self {
            outcome: Err(error),
            progress: None,
        }
    }

    /// What the run alone would end with.
    pub(super) fn status(&self) -> ExitStatus {
        status_of(&self.outcome)
    }
}

fn status_of(outcome: &Outcome) -> ExitStatus {
    let outcome = outcome.as_ref();
    outcome.map_or_else(Error::exit_code, |(status, _)| *status)
}

/// Carries out a run and reports it.
///
/// # Errors
/// [`Error`] when it could not begin or not continue. The outcome of entities is in the status.
pub(super) async fn run(settings: &Settings, ends: Ends, store: Store, work: Work) -> Outcome {
    run_one(settings, ends, store, work).await?.outcome
}

/// The same, with the outcome of entities.
///
/// # Errors
/// As [`run_each`].
pub(super) async fn run_one(
    settings: &Settings,
    ends: Ends,
    store: Store,
    work: Work,
) -> Result<Ended, Error> {
    let pair = Pair {
        settings: settings.clone(),
        ends,
        work,
    };
    let only = run_each(vec![pair], store).await?.pop();
    only.ok_or_else(|| Error::Internal("a run left no result".to_owned()))
}

/// Carries out runs from one source side by side, and closes the store. The results are in the order of the pairs.
///
/// # Errors
/// [`Error`] when they could not begin, and [`Error::Interrupted`] when they were aborted.
pub(super) async fn run_each(pairs: Vec<Pair>, store: Store) -> Result<Vec<Ended>, Error> {
    let ready = ready(pairs, &store).await?;
    // What is read for all is reported to all, so every run has begun by then.
    for one in &ready {
        one.announce().await;
    }
    let commands: Vec<_> = ready.iter().map(|one| one.commands.clone()).collect();
    let (working, reporting): (Vec<_>, Vec<_>) =
        ready.into_iter().map(|one| one.parts(&store)).unzip();
    let stopped = session::until_stopped(join_all(working), join_all(reporting), commands);
    let (worked, shown) = Box::pin(stopped).await?;
    let mut ended = Vec::new();
    for (worked, progress) in worked.into_iter().zip(shown) {
        let exit = status_of(&worked.outcome);
        let finished = session::finish(&store, worked.run, (exit, worked.end), &progress).await;
        ended.push(Ended {
            // What went wrong first is what is reported: a disk that was full for the run is full for its end, too.
            outcome: worked
                .outcome
                .and_then(|outcome| finished.map(|()| outcome)),
            progress: Some(progress),
        });
    }
    store.close().await;
    Ok(ended)
}

/// A run with everything that it needs.
struct Ready {
    session: Session<SourceEnd, Instance>,
    settings: Settings,
    work: Work,
    record: RunRecord,
    is_rehearsal: bool,
    estimate: Option<Estimate>,
    planned: watch::Receiver<Option<PlanMade>>,
    received: mpsc::Receiver<Stamped>,
    reporters: Vec<Box<dyn Reporter>>,
    asked: mpsc::Receiver<report::lookup::Asked>,
    commands: mpsc::Sender<Command>,
    commanded: mpsc::Receiver<Command>,
}

/// What a run has done.
struct Worked {
    run: RunId,
    end: RunEnd,
    outcome: Outcome,
}

async fn ready(pairs: Vec<Pair>, store: &Store) -> Result<Vec<Ready>, Error> {
    let channels: Vec<_> = pairs
        .iter()
        .map(|_| {
            let (events, received) = mpsc::channel::<Stamped>(EVENTS_IN_FLIGHT);
            (Sink::new(events), received)
        })
        .collect();
    let labels = labels(&pairs)?;
    let together = Arc::new(Together::default());
    let mut readers = None;
    let sinks: Vec<Sink> = channels.iter().map(|(sink, _)| sink.clone()).collect();
    let mut ready = Vec::new();
    let places = Screen::places(pairs.len());
    let shown = labels.into_iter().zip(places);
    for ((pair, (sink, received)), shown) in pairs.into_iter().zip(channels).zip(shown) {
        let readers = match &mut readers {
            Some(readers) => readers,
            none => {
                let others = sinks.iter().skip(1).cloned().collect();
                let all = sink.clone().with_others(others);
                let new = Readers::new(&pair.settings, pair.ends.source.clone(), &all);
                none.insert(if pair.work.reads_on() {
                    new.going_on(&pair.settings, pair.ends.rehearsal.is_none())
                } else {
                    new
                })
            }
        };
        let one = prepare(pair, readers, (sink, received), shown, (store, &together)).await?;
        ready.push(one);
    }
    Ok(ready)
}

/// The labels of several runs, under which each writes its lines; one run has none.
fn labels(pairs: &[Pair]) -> Result<Vec<Option<Label>>, Error> {
    let [first, _, ..] = pairs else {
        return Ok(pairs.iter().map(|_| None).collect());
    };
    let names = pairs.iter().map(|pair| pair.settings.target.label());
    let labels = report::labels(names, first.settings.timeouts.reader)?;
    Ok(labels.into_iter().map(Some).collect())
}

async fn prepare(
    pair: Pair,
    readers: &mut Readers,
    (sink, received): (Sink, mpsc::Receiver<Stamped>),
    (label, place): (Option<Label>, Place),
    (store, together): (&Store, &Arc<Together>),
) -> Result<Ready, Error> {
    let Pair {
        settings,
        mut ends,
        work,
    } = pair;
    ends.source = readers.source.instance.clone();
    let (commands, commanded) = mpsc::channel::<Command>(session::COMMANDS_IN_FLIGHT);
    let is_rehearsal = ends.rehearsal.is_some();
    let reviewer = Reviewer::new(&settings, is_rehearsal || work.is_agreed(), together);
    let is_alone = label.is_none();
    let Shown {
        mut reporters,
        asked,
    } = session::reporters(&settings, &ends, (&reviewer, label, place), &commands)?;
    let run = time::run_id(time::now(), session::salt());
    let estimate = ends.rehearsal.take().map(|rehearsal| {
        reporters.push(rehearsal.witness);
        rehearsal.estimate
    });
    let mut options = wiring::engine_options(&settings);
    // A copy is a server of its own.
    if !is_rehearsal {
        options.probed = pace::probed(&ends.target, store).await?;
    }
    // What a rehearsal uploads cannot be downloaded from where it would be.
    options.verify_bytes = !is_rehearsal;
    // Only a dashboard has a way to ask.
    options.waits_for_user &= is_alone;
    let mut target = readers.target(&settings, ends.target, &sink);
    // A copy is none of the target.
    if !is_rehearsal && work.reads_on() {
        target.former = session::former(&settings, &target.instance, true);
    }
    let both = (Arc::clone(&readers.source), target);
    let mut session = session::between(&settings, &options, both, store, run.clone(), &sink);
    official::say(&settings, &session.matching, store).await?;
    work.narrow(&mut session);
    session.review = Some(Arc::new(reviewer));
    Ok(Ready {
        record: session::record(&settings, &run, &wiring::pair(&settings), &work),
        planned: session.planned.subscribe(),
        session,
        settings,
        work,
        is_rehearsal,
        estimate,
        received,
        reporters,
        asked,
        commands,
        commanded,
    })
}

impl Ready {
    async fn announce(&self) {
        let record = &self.record;
        self.session
            .sink
            .emit(Event::RunStarted {
                schema: SCHEMA,
                run: record.run.clone(),
                source: record.pair.source.clone(),
                target: record.pair.target.clone(),
                started_at: record.started_at.clone(),
                dry_run: self.is_rehearsal,
                command: Some(record.command.clone()),
            })
            .await;
    }

    /// The run, and what reports it.
    fn parts(self, store: &Store) -> (BoxFuture<'_, Worked>, BoxFuture<'_, Progress>) {
        let runs = self.settings.paths.runs.clone();
        let folder = runs.join(&self.record.run.0);
        let records = Records {
            store: Some(store.clone()),
            runs,
        };
        let (planned, asked) = (self.planned.clone(), self.asked);
        let reported = report::run(self.received, self.reporters, self.commands);
        let reporting = async move { records.beside(reported, asked).await };
        let working = work_off(
            Parts {
                session: self.session,
                work: self.work,
                record: self.record,
                is_rehearsal: self.is_rehearsal,
                estimate: self.estimate,
            },
            self.commanded,
            store,
        );
        let working = async { tokio::join!(working, session::keep_plan(folder, planned)).0 };
        (working.boxed(), reporting.boxed())
    }
}

/// What a run works with.
struct Parts {
    session: Session<SourceEnd, Instance>,
    work: Work,
    record: RunRecord,
    is_rehearsal: bool,
    estimate: Option<Estimate>,
}

async fn work_off(parts: Parts, mut commanded: mpsc::Receiver<Command>, store: &Store) -> Worked {
    let Parts {
        session,
        work,
        record,
        is_rehearsal,
        estimate,
    } = parts;
    let (run, sink) = (record.run.clone(), session.sink.clone());
    let begun = session::begin(&session, store, (record, is_rehearsal), &mut commanded);
    let mut result = match Box::pin(begun).await {
        Ok(()) => session::work_off(&session, &work, &mut commanded).await,
        Err(error) => Err(error),
    };
    if result.is_ok() && !is_rehearsal {
        result = pace::remember(&session, store).await.and(result);
    }
    let end = match &result {
        Ok(report) => report.end.kind(),
        Err(error) => error.end(),
    };
    let result = result.and_then(session::unless_stopped);
    let status = result
        .as_ref()
        .map_or_else(Error::exit_code, |report| session::status_of(report, &work));
    if let (Some(estimate), Ok(report)) = (&estimate, &result) {
        sink.emit(estimate(report)).await;
    }
    let elapsed_ms = sink.elapsed_ms();
    sink.emit(Event::RunFinished {
        exit: status.code(),
        elapsed_ms,
        commits: Some(store.commits()),
        error: result.as_ref().err().map(error::told),
        end: Some(end),
    })
    .await;
    Worked {
        run,
        end,
        outcome: result.map(|report| (status, report)),
    }
}
