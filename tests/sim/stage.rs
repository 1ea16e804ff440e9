//! Two instances, a state, and runs between them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use lockgate::domain::{EntityKey, Guid, RunId};
use lockgate::engine::pace::Pacer;
use lockgate::engine::retry::Retries;
use lockgate::engine::{
    EVENTS_IN_FLIGHT, Matching, Options, ReadOnce, Reader, RunError, RunReport, Session, Sink,
    UnknownOutcome,
};
use lockgate::event::{Command, Event, Side, Stamped};
use lockgate::plan::{Policies, Selection};
use lockgate::store::{Change, LeaseOwner, Pair, RunRecord, Store};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use crate::accounts::Ran;
use crate::double::{Double, Row, RowKey, Trace, World};
use crate::edits::{Edit, What};
use crate::history::{End, Frozen, History, Run};
use crate::instances::locales;
use crate::oracle::Former;
use crate::process::{Halt, Process};

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
    pub(crate) touched: RefCell<BTreeSet<RowKey>>,
    /// Rows of the target that others have made as copies, as they were then.
    pub(crate) copies: RefCell<Vec<Row>>,
    /// The counterparts that entities have had so far.
    pub(crate) former: RefCell<Former>,
    /// What was wrong with leases that others asked for meanwhile.
    pub(crate) lent: RefCell<Vec<String>>,
    pub(crate) runs: Cell<u32>,
    pub(crate) crashes: Cell<u32>,
    pub(crate) takeovers: Cell<u32>,
    pub(crate) edits: Cell<u32>,
}

/// A process that runs.
struct Running {
    number: u32,
    store: Store,
    halt: Arc<Halt>,
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
            touched: RefCell::default(),
            copies: RefCell::default(),
            former: RefCell::default(),
            lent: RefCell::default(),
            runs: Cell::default(),
            crashes: Cell::default(),
            takeovers: Cell::default(),
            edits: Cell::default(),
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
        !self.touched.borrow().is_empty()
    }

    pub(crate) fn edit(&self, edit: &Edit) {
        let double = match edit.side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        };
        let mut world = double.world();
        world.advance(Instant::now());
        let rows = edit.apply(&mut world);
        if edit.side == Side::Target && edit.what == What::Twin {
            let copies = rows.iter().map(|key| world.rows[key].clone());
            self.copies.borrow_mut().extend(copies);
        }
        drop(world);
        (self.trace)(format!("others: {edit:?} of {rows:?}"));
        self.edits.set(self.edits.get() + 1);
        if edit.side == Side::Target {
            self.touched.borrow_mut().extend(rows);
        }
    }

    /// A run as its history has it, and the one that takes over from it.
    pub(crate) async fn run(&self, run: &Run, doubts: UnknownOutcome) -> Vec<Played> {
        let mut played = Vec::new();
        match run.frozen {
            None => played.push(self.one(run, doubts).await),
            Some(frozen) => {
                let (first, second) = Box::pin(self.taken_over(run, frozen)).await;
                played.push(first);
                played.extend(second);
            }
        }
        // Whatever its writer had accepted is written now.
        sleep(Duration::from_millis(1)).await;
        played
    }

    async fn one(&self, run: &Run, doubts: UnknownOutcome) -> Played {
        let running = self.begin(run).await;
        match run.end {
            End::Natural => self.to_its_end(run, &running, doubts).await,
            End::FullDisk(transactions) => {
                running.store.fail_after(transactions);
                self.to_its_end(run, &running, doubts).await
            }
            End::Crash { polls, loses_queue } => {
                let work = Box::pin(self.to_its_end(run, &running, doubts));
                let played = dropped_after(polls, work).await;
                if matches!(played, Played::Crashed) {
                    self.crashes.set(self.crashes.get() + 1);
                    (self.trace)(format!("run {} is killed", running.number));
                    if loses_queue {
                        running.store.fail_after(0);
                    }
                }
                played
            }
        }
    }

    /// A run that is stopped for longer than its lease lasts, while another one begins.
    async fn taken_over(&self, run: &Run, frozen: Frozen) -> (Played, Option<Played>) {
        let first = self.begin(run).await;
        let second = async {
            sleep(Duration::from_millis(frozen.after_ms)).await;
            (self.trace)(format!("run {} is stopped", first.number));
            first.store.stand_still(true);
            first.halt.set(true);
            sleep(LEASE + Duration::from_secs(1)).await;
            let next = Run::default();
            let second = self.begin(&next).await;
            self.takeovers.set(self.takeovers.get() + 1);
            let thaw = async {
                sleep(Duration::from_millis(frozen.thaws_ms)).await;
                (self.trace)(format!("run {} goes on", first.number));
                first.halt.set(false);
                // It reads its network before it hears of its lease.
                sleep(Duration::from_millis(frozen.disk_ms)).await;
                first.store.stand_still(false);
            };
            let (played, ()) =
                tokio::join!(biased; self.to_its_end(&next, &second, UnknownOutcome::Report), thaw);
            played
        };
        let mut work = pin!(self.to_its_end(run, &first, UnknownOutcome::Report));
        let mut second = pin!(second);
        tokio::select! {
            biased;
            // It was over before anybody stopped it, or has heard that it lost its lease before the other was through.
            played = &mut work => {
                let has_another = first.halt.is_stopped() || self.runs.get() > first.number;
                let other = if has_another { Some(second.await) } else { None };
                (played, other)
            }
            other = &mut second => (work.await, Some(other)),
        }
    }

    async fn begin(&self, run: &Run) -> Running {
        self.runs.set(self.runs.get() + 1);
        let number = self.runs.get();
        (self.trace)(format!("run {number} begins: {run:?}"));
        // A process that is still on then has lost its lease, and sends nothing any more.
        self.target.world().forget_deleted();
        // What a run published is known by the record of the run.
        let begun = vec![Change::RunStarted(record(number))];
        self.store.commit(begun).await.unwrap();
        Running {
            number,
            store: self.store.of_another_process().await.unwrap(),
            halt: Arc::default(),
        }
    }

    async fn to_its_end(&self, run: &Run, running: &Running, doubts: UnknownOutcome) -> Played {
        let (events, mut received) = mpsc::channel(EVENTS_IN_FLIGHT);
        let (orders, mut commanded) = mpsc::channel(64);
        let session = self.session(run, running, doubts, Sink::new(events));
        let work = async {
            let report = session.sync(&mut commanded).await;
            drop(session);
            report
        };
        let mut work = pin!(work);
        let began = Instant::now();
        let (mut commands, mut edits) = (run.commands.iter(), run.edits.iter());
        let (mut command, mut edit) = (commands.next(), edits.next());
        let mut asks = Some(self.history.others_ask_ms(running.number));
        let mut events = Vec::new();
        let at = |after: Option<u64>| began + Duration::from_millis(after.unwrap_or(0));
        let report = loop {
            tokio::select! {
                biased;
                report = &mut work => break report,
                Some(stamped) = received.recv() => self.note(running, &mut events, stamped),
                () = sleep_until(at(command.map(|it| it.0))), if command.is_some() => {
                    self.give(&orders, command);
                    command = commands.next();
                }
                () = sleep_until(at(edit.map(|it| it.0))), if edit.is_some() => {
                    if let Some((_, edit)) = edit {
                        self.edit(edit);
                    }
                    edit = edits.next();
                }
                () = sleep_until(at(asks)), if asks.is_some() => {
                    self.ask_for_lease().await;
                    asks = None;
                }
                () = sleep_until(began + LONGEST) => return Played::Hung,
            }
        };
        while let Some(stamped) = received.recv().await {
            self.note(running, &mut events, stamped);
        }
        let played = Played::of(report, events);
        (self.trace)(format!("run {} ends: {}", running.number, played.told()));
        played
    }

    /// Two other processes ask for the lease, one after the other. Whatever the first one gets, the second gets nothing.
    async fn ask_for_lease(&self) {
        let ask = async |number: u32| {
            let store = self.store.of_another_process().await.unwrap();
            let owner = owner(&RunId(format!("20250102-000000-{number:04x}")), number);
            let lease = store.acquire_lease(&Self::pair(), owner, LEASE).await;
            (store, lease)
        };
        let ((first, one), (second, other)) = (ask(1).await, ask(2).await);
        if other.is_ok() {
            self.lent
                .borrow_mut()
                .push("the lease is lent to two at once".to_owned());
        }
        for (store, lease) in [(second, other), (first, one)] {
            if let Ok(lease) = lease {
                // The second one may have taken it from the first.
                drop(store.release_lease(lease).await);
            }
        }
    }

    fn note(&self, running: &Running, events: &mut Vec<Stamped>, stamped: Stamped) {
        if !matches!(stamped.event, Event::PaceSampled { .. }) {
            (self.trace)(format!("run {}: {:?}", running.number, stamped.event));
        }
        events.push(stamped);
    }

    fn give(&self, orders: &mpsc::Sender<Command>, command: Option<&(u64, Command)>) {
        if let Some((_, command)) = command {
            (self.trace)(format!("command {command:?}"));
            // A run that hears no more commands is about to end.
            orders.try_send(*command).unwrap_or(());
        }
    }

    fn session(
        &self,
        run: &Run,
        running: &Running,
        doubts: UnknownOutcome,
        sink: Sink,
    ) -> Session<Process, Process> {
        let options = self.options(run, doubts);
        let number = run_id(running.number);
        Session {
            source: reader(
                self.as_seen(running, &self.source),
                Side::Source,
                &options,
                &sink,
            ),
            target: reader(
                self.as_seen(running, &self.target),
                Side::Target,
                &options,
                &sink,
            ),
            store: running.store.clone(),
            run: number.clone(),
            owner: owner(&number, running.number),
            locales: Vec::new(),
            selection: Selection::default(),
            policies: Policies {
                overwrite: self.history.manner.overwrite,
                ..Policies::default()
            },
            webhooks: None,
            review: None,
            approved: None,
            matching: Matching {
                create_unmatched: true,
                ..Matching::default()
            },
            options,
            sink,
            planned: tokio::sync::watch::Sender::new(None),
        }
    }

    fn as_seen(&self, running: &Running, instance: &Double) -> Process {
        Process {
            instance: instance.clone(),
            halt: Arc::clone(&running.halt),
            store: self.store.clone(),
        }
    }

    fn options(&self, run: &Run, doubts: UnknownOutcome) -> Options {
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
            unknown_outcome: doubts,
            reproducible: true,
            ..Options::default()
        }
    }
}

fn run_id(number: u32) -> RunId {
    RunId(format!("20250101-000000-{number:04x}"))
}

fn record(number: u32) -> RunRecord {
    RunRecord {
        run: run_id(number),
        pair: Stage::pair(),
        command: "sync".to_owned(),
        options: serde_json::json!({}),
        // Moments of one length, so that they are in the order of the runs.
        started_at: format!("2025-01-01T00:00:00.{number:04}Z"),
        finished_at: None,
        exit: None,
        end: None,
        counts: None,
    }
}

fn reader(instance: Process, side: Side, options: &Options, sink: &Sink) -> Arc<Reader<Process>> {
    let pair = Stage::pair();
    Arc::new(Reader {
        instance,
        guid: match side {
            Side::Source => pair.source,
            Side::Target => pair.target,
        },
        side,
        pacer: Arc::new(Pacer::with(options.ceilings(), options.per_second_max)),
        retries: Retries::new(options),
        concurrency: options.concurrency,
        limits: options.reading,
        sink: sink.clone(),
        bodies: None,
        former: None,
        once: ReadOnce::default(),
    })
}

/// Drops `work` after it was polled this often.
async fn dropped_after<F>(polls: u32, mut work: Pin<Box<F>>) -> Played
where
    F: Future<Output = Played>,
{
    let mut left = polls;
    poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(Played::Crashed);
        }
        left -= 1;
        work.as_mut().poll(context)
    })
    .await
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

fn owner(run: &RunId, process: u32) -> LeaseOwner {
    LeaseOwner {
        owner: "tester".to_owned(),
        host: "desk".to_owned(),
        process,
        run: run.clone(),
    }
}
