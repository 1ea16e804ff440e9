//! Two instances, a state, and runs between them.

use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use lockgate::domain::{EntityKey, Guid, RunId};
use lockgate::engine::pace::Pacer;
use lockgate::engine::retry::Retries;
use lockgate::engine::{
    Doubts, EVENTS_IN_FLIGHT, Matching, Options, Reader, RunError, RunReport, Session, Sink,
};
use lockgate::event::{Command, Event, Side, Stamped};
use lockgate::plan::Selection;
use lockgate::store::{LeaseOwner, Pair, Store};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use crate::accounts::Ran;
use crate::double::{Double, RowKey, Trace, World};
use crate::edits::Edit;
use crate::history::{End, History, Run};
use crate::instances::locales;

/// The longest that a run may take. Everything that it waits for has a shorter end.
const LONGEST: Duration = Duration::from_hours(6);

/// How long the lease of a run that died blocks others.
pub(crate) const LEASE: Duration = Duration::from_secs(30);

/// What a history has come to.
pub(crate) struct Stage {
    pub(crate) history: History,
    pub(crate) source: Double,
    pub(crate) target: Double,
    pub(crate) store: Store,
    pub(crate) trace: Trace,
    /// Rows of the target that others have changed, made or deleted.
    pub(crate) touched: BTreeSet<RowKey>,
    pub(crate) runs: u32,
    pub(crate) crashes: u32,
    pub(crate) edits: u32,
}

/// What became of a run.
pub(crate) enum Played {
    Over(Box<Ran>),
    Refused(RunError),
    Crashed,
    Hung,
}

impl Stage {
    pub(crate) async fn new(history: History, trace: Trace) -> Self {
        let doubles = |side: Side, world, nature, seed| {
            let outer = Arc::clone(&trace);
            let trace: Trace = Arc::new(move |line| outer(format!("{side:?} {line}")));
            Double::of_nature(world, seed, nature, Some(trace))
        };
        let seed = history.seed;
        Self {
            source: doubles(
                Side::Source,
                history.shape.build(),
                history.source.clone(),
                seed,
            ),
            target: doubles(
                Side::Target,
                World::target(&locales()),
                history.target.clone(),
                seed ^ 1,
            ),
            store: Store::open_in_memory_in_place().await.unwrap(),
            trace,
            touched: BTreeSet::new(),
            runs: 0,
            crashes: 0,
            edits: 0,
            history,
        }
    }

    pub(crate) fn pair() -> Pair {
        Pair {
            source: Guid::new("1a2b3c4d-u"),
            target: Guid::new("5e6f7a8b-u"),
        }
    }

    /// Whether an edit of the target by others can keep an entity from being what the source says: a conflict, or what it
    /// refers to is gone.
    pub(crate) fn is_affected(&self, _key: &EntityKey) -> bool {
        !self.touched.is_empty()
    }

    pub(crate) fn edit(&mut self, edit: &Edit) {
        self.edits += 1;
        let double = match edit.side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        };
        let rows = {
            let mut world = double.world();
            world.advance(Instant::now());
            edit.apply(&mut world)
        };
        (self.trace)(format!("others: {edit:?} of {rows:?}"));
        if edit.side == Side::Target {
            self.touched.extend(rows);
        }
    }

    /// A run as its history has it.
    pub(crate) async fn run(&mut self, run: &Run, doubts: Doubts) -> Played {
        self.runs += 1;
        (self.trace)(format!("run {} begins: {run:?}", self.runs));
        let played = match run.end {
            End::Natural => self.to_its_end(run, doubts).await,
            End::FullDisk(transactions) => {
                self.store.fail_after(transactions);
                self.to_its_end(run, doubts).await
            }
            End::Crash { polls, loses_queue } => {
                let store = self.store.clone();
                let before_drop = move || {
                    if loses_queue {
                        store.fail_after(0);
                    }
                };
                let work = Box::pin(self.to_its_end(run, doubts));
                dropped_after(polls, work, before_drop).await
            }
        };
        // What a process knew goes with it. The writer of the store lives on here, and may hold what the process had sent.
        self.store.gather(Duration::ZERO);
        sleep(Duration::from_millis(1)).await;
        self.store.fail_no_more();
        if matches!(played, Played::Crashed) {
            self.crashes += 1;
        }
        (self.trace)(format!("run {} ends: {}", self.runs, played.told()));
        played
    }

    async fn to_its_end(&mut self, run: &Run, doubts: Doubts) -> Played {
        let (events, mut received) = mpsc::channel(EVENTS_IN_FLIGHT);
        let (orders, mut commanded) = mpsc::channel(64);
        let session = self.session(run, doubts, Sink::new(events));
        let work = async {
            let report = session.sync(&mut commanded).await;
            drop(session);
            report
        };
        let mut work = pin!(work);
        let began = Instant::now();
        let (mut commands, mut edits) = (run.commands.iter(), run.edits.iter());
        let (mut command, mut edit) = (commands.next(), edits.next());
        let mut events = Vec::new();
        let at = |after: Option<u64>| began + Duration::from_millis(after.unwrap_or(0));
        let report = loop {
            tokio::select! {
                biased;
                report = &mut work => break report,
                Some(stamped) = received.recv() => self.note(&mut events, stamped),
                () = sleep_until(at(command.map(|it| it.0))), if command.is_some() => {
                    self.give(&orders, command);
                    command = commands.next();
                }
                () = sleep_until(at(edit.map(|it| it.0))), if edit.is_some() => {
                    edit.iter().for_each(|(_, edit)| self.edit(edit));
                    edit = edits.next();
                }
                () = sleep_until(began + LONGEST) => return Played::Hung,
            }
        };
        while let Some(stamped) = received.recv().await {
            self.note(&mut events, stamped);
        }
        Played::of(report, events)
    }

    fn note(&self, events: &mut Vec<Stamped>, stamped: Stamped) {
        if !matches!(stamped.event, Event::PaceSampled { .. }) {
            (self.trace)(format!("{:?}", stamped.event));
        }
        events.push(stamped);
    }

    fn give(&self, orders: &mpsc::Sender<Command>, command: Option<&(u64, Command)>) {
        for (_, command) in command {
            (self.trace)(format!("command {command:?}"));
            // A run that hears no more commands is about to end.
            drop(orders.try_send(command.clone()));
        }
    }

    fn session(&self, run: &Run, doubts: Doubts, sink: Sink) -> Session<Double, Double> {
        let options = self.options(run, doubts);
        let number = RunId(format!("20250101-000000-{:04x}", self.runs));
        Session {
            source: reader(&self.source, Side::Source, &options, &sink),
            target: reader(&self.target, Side::Target, &options, &sink),
            store: self.store.clone(),
            run: number.clone(),
            owner: LeaseOwner {
                owner: "tester".to_owned(),
                host: "desk".to_owned(),
                process: self.runs,
                run: number,
            },
            locales: Vec::new(),
            selection: Selection::default(),
            overwrite: self.history.manner.overwrite,
            matching: Matching {
                create_unmatched: true,
                ..Matching::default()
            },
            options,
            sink,
            planned: tokio::sync::watch::Sender::new(None),
        }
    }

    fn options(&self, run: &Run, doubts: Doubts) -> Options {
        let manner = self.history.manner;
        Options {
            schedule: manner.schedule,
            fail_fast: run.fail_fast,
            publish: manner.publish,
            concurrency: manner.concurrency,
            reads: manner.concurrency,
            writes: manner.concurrency,
            batches_in_flight: manner.batches_in_flight,
            batch_items: manner.batch_items,
            assets_in_flight: 2,
            attempts: manner.attempts,
            lease_ttl: LEASE,
            doubts,
            reproducible: true,
            ..Options::default()
        }
    }
}

fn reader(double: &Double, side: Side, options: &Options, sink: &Sink) -> Arc<Reader<Double>> {
    let pair = Stage::pair();
    Arc::new(Reader {
        instance: double.clone(),
        guid: match side {
            Side::Source => pair.source,
            Side::Target => pair.target,
        },
        side,
        pacer: Arc::new(Pacer::with(options.ceilings(), options.per_second_max)),
        retries: Retries::new(options),
        concurrency: options.concurrency,
        sink: sink.clone(),
        bodies: None,
    })
}

/// Drops `work` after it was polled this often.
async fn dropped_after<F>(
    polls: u32,
    mut work: std::pin::Pin<Box<F>>,
    before_drop: impl FnOnce(),
) -> Played
where
    F: Future<Output = Played>,
{
    let mut left = polls;
    let ended = poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        work.as_mut().poll(context).map(Some)
    })
    .await;
    ended.unwrap_or_else(|| {
        before_drop();
        drop(work);
        Played::Crashed
    })
}

impl Played {
    fn of(report: Result<RunReport, RunError>, events: Vec<Stamped>) -> Self {
        match report {
            Ok(report) => Self::Over(Box::new(Ran { report, events })),
            Err(error) => Self::Refused(error),
        }
    }

    pub(crate) fn told(&self) -> String {
        match self {
            Self::Over(ran) => {
                let report = &ran.report;
                format!(
                    "{:?}, {} failed, {} conflicts, {} unpublished, {:?} differences, in doubt {:?}",
                    report.end,
                    report.failed,
                    report.conflicts,
                    report.unpublished.len(),
                    report.differences.as_ref().map(Vec::len),
                    report.in_doubt,
                )
            }
            Self::Refused(error) => format!("{error}: {error:?}"),
            Self::Crashed => "crashed".to_owned(),
            Self::Hung => format!("still on after {LONGEST:?}"),
        }
    }
}
