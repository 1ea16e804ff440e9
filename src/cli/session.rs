//! The parts of a run from the command line: connections, state, reporters, signals and the exit code.

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::agree::Reviewer;
use super::ends::{Endpoint, Ends, SourceEnd, authorise};
use super::{guard, pace, stop, wiring};
use crate::agility::Instance;
use crate::config::{HostInfo, Paths, Settings};
use crate::domain::{BodyFile, EntityKey, Guid, RunEnd, RunId, time};
use crate::engine::pace::{Account, Pacer};
use crate::engine::retry::Retries;
use crate::engine::{
    Control, End, Options, PlanMade, PullError, ReadOnce, Reader, RunReport, Session, Sink,
    StopCause,
};
use crate::error::{Error, ExitStatus};
use crate::event::{Command, Event, Side};
use crate::plan::Approved;
use crate::progress::Progress;
use crate::report::lookup::Asked;
use crate::report::{self, Label, Place, Reporter};
use crate::snapshot::FormerReads;
use crate::store::{Change, LeaseOwner, Pair, RunFinish, RunRecord, Store, open_to_all};

/// Commands that may queue up: a user presses a handful of keys, and a sender that finds the channel full retries.
pub(super) const COMMANDS_IN_FLIGHT: usize = 16;

/// How long the reports of a run that was aborted may take.
const LAST_WORDS: Duration = Duration::from_secs(20);

/// What a run does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Move what is selected.
    Sync {
        /// The command as the state remembers it.
        command: &'static str,
        /// Whether the user has agreed to it already.
        is_agreed: bool,
    },
    /// Move what did not arrive in an earlier run.
    Retry {
        /// That run.
        of: RunId,
        /// What did not arrive.
        keys: HashSet<EntityKey>,
    },
    /// Move what a plan says that was agreed to.
    Apply {
        /// The name of that plan.
        plan: String,
        /// What it says.
        approved: Arc<Approved>,
    },
    /// Compare only.
    Verify,
}

impl Work {
    /// The command as the state remembers it.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Sync { command, .. } => command,
            Self::Retry { .. } => "retry",
            Self::Apply { .. } => "apply",
            Self::Verify => "verify",
        }
    }

    /// Whether it reads on from earlier readings. A verification uses nothing that was read before.
    pub(super) const fn reads_on(&self) -> bool {
        !matches!(self, Self::Verify)
    }

    /// Limits a session to what it migrates.
    pub(super) fn narrow(&self, session: &mut Session<SourceEnd, Instance>) {
        match self {
            Self::Retry { keys, .. } => session.selection.keys.clone_from(keys),
            Self::Apply { approved, .. } => session.approved = Some(Arc::clone(approved)),
            // It fires none.
            Self::Verify => session.webhooks = None,
            Self::Sync { .. } => {}
        }
    }

    /// Whether the user has agreed to it already.
    pub(super) const fn is_agreed(&self) -> bool {
        match self {
            Self::Sync { is_agreed, .. } => *is_agreed,
            Self::Apply { .. } | Self::Retry { .. } | Self::Verify => true,
        }
    }

    const fn moves(&self) -> bool {
        match self {
            Self::Sync { .. } | Self::Retry { .. } | Self::Apply { .. } => true,
            Self::Verify => false,
        }
    }
}

/// Says what the user should know about the settings before anything starts.
pub(super) fn warn(settings: &Settings) {
    for warning in &settings.warnings {
        report::tell(&format!("warning: {warning}"));
    }
    for place in open_to_all(&settings.paths.state) {
        report::tell(&format!(
            "warning: every user of this machine may write to {}; take the right away with chmod o-w",
            place.display()
        ));
    }
}

/// What a real run would cost, from what its rehearsal did.
pub(super) type Estimate = Box<dyn Fn(&RunReport) -> Event + Send>;

/// What a rehearsal adds to a run.
pub(super) struct Rehearsal {
    pub(super) estimate: Estimate,
    /// Learns the outcome of each entity.
    pub(super) witness: Box<dyn Reporter>,
}

/// The reporters of a run, and what the dashboard asks as long as they are there.
pub(super) struct Shown {
    pub(super) reporters: Vec<Box<dyn Reporter>>,
    pub(super) asked: mpsc::Receiver<Asked>,
}

/// Prepares what shows a run; one of several writes under its label.
pub(super) fn reporters(
    settings: &Settings,
    ends: &Ends,
    (reviewer, label, place): (&Reviewer, Option<Label>, Place),
    commands: &mpsc::Sender<Command>,
) -> Result<Shown, Error> {
    // A dashboard has one question open at a time.
    let (asking, asked) = mpsc::channel(1);
    let mut options = report::Options {
        tokens: ends.tokens(settings),
        lookup: Some(asking),
        requests: ends.requests(),
        label,
        ..wiring::report_options(settings)
    };
    if reviewer.may_ask() && options.mode == report::Mode::Dashboard {
        // It has no place for the question.
        options.mode = report::Mode::DashboardLater;
    }
    Ok(Shown {
        reporters: report::reporters(&options, commands, place)?,
        asked,
    })
}

/// The report of a run that came to its end, that failed fast, or that a user ended; the error of any other.
pub(super) fn unless_stopped(report: RunReport) -> Result<RunReport, Error> {
    let guid = |side| match side {
        Side::Source => &report.source.guid,
        Side::Target => &report.target,
    };
    match error_of_end(&report.end, guid) {
        Some(error) => Err(error),
        None => Ok(report),
    }
}

/// The error that stands for how a run ended, of ends that are errors.
pub(super) fn error_of_end<'g>(end: &End, guid: impl Fn(Side) -> &'g Guid) -> Option<Error> {
    Some(match end {
        End::Complete | End::FailFast | End::Interrupted => return None,
        End::Stopped(StopCause::Reference(why)) => Error::WrongReference(why.clone()),
        End::Stopped(StopCause::Outage(outage)) => Error::Unreachable {
            side: format!("{} {}", side_name(outage.side), guid(outage.side)),
            source: Box::new(outage.error.clone()),
        },
        End::LeaseLost(why) => Error::Store(why.clone()),
        End::Stopped(StopCause::Panic(why)) | End::Stalled(why) => Error::Internal(why.clone()),
    })
}

/// The exit status of an end by itself.
pub(super) fn status_of_end(end: &End) -> ExitStatus {
    match end {
        End::Complete => ExitStatus::Agreed,
        End::FailFast | End::Stopped(StopCause::Reference(_)) => ExitStatus::Failed,
        End::Interrupted => ExitStatus::Interrupted,
        End::Stopped(StopCause::Outage(_)) => ExitStatus::Unreachable,
        End::LeaseLost(_) => ExitStatus::State,
        End::Stopped(StopCause::Panic(_)) | End::Stalled(_) => ExitStatus::Internal,
    }
}

pub(super) const fn side_name(side: Side) -> &'static str {
    match side {
        Side::Source => "source",
        Side::Target => "target",
    }
}

/// Puts the plan and its graph into the folder of the run as soon as there is a plan: what becomes of the run may
/// need explaining. A failure is only reported.
pub(super) async fn keep_plan(folder: PathBuf, mut planned: watch::Receiver<Option<PlanMade>>) {
    let made = planned.wait_for(Option::is_some).await;
    // Without a plan there is nothing to keep.
    let Some((plan, source)) = made.ok().and_then(|made| made.clone()) else {
        return;
    };
    let keeping = tokio::task::spawn_blocking(move || report::add_plan(&folder, &plan, &source));
    let kept = keeping.await.map_err(std::io::Error::other);
    if let Err(error) = kept.flatten() {
        report::tell(&format!(
            "warning: the plan could not be kept beside the report: {error}"
        ));
    }
}

pub(super) async fn work_off(
    session: &Session<SourceEnd, Instance>,
    work: &Work,
    commanded: &mut mpsc::Receiver<Command>,
) -> Result<RunReport, Error> {
    // A run that breaks has a report, too.
    guard::guarded(Box::pin(async {
        let report = match work {
            Work::Sync { .. } | Work::Retry { .. } | Work::Apply { .. } => {
                Box::pin(session.sync(commanded)).await
            }
            Work::Verify => Box::pin(session.verify(commanded)).await,
        };
        Ok(report?)
    }))
    .await
}

/// Checks both credentials, then lets the run begin.
pub(super) async fn begin(
    session: &Session<SourceEnd, Instance>,
    store: &Store,
    (record, is_rehearsal): (RunRecord, bool),
    commanded: &mut mpsc::Receiver<Command>,
) -> Result<(), Error> {
    let authorising = async {
        let both = tokio::join!(authorise(&session.source), authorise(&session.target));
        Ok(both)
    };
    let (source, target) = Box::pin(Control::new(commanded).read(authorising)).await?;
    source?;
    target?;
    if is_rehearsal {
        session.target.pacer.without_start();
    } else {
        if record.command != "verify" {
            store.check_blobs().await?;
        }
        pace::recall(session, store).await?;
    }
    store.commit(vec![Change::RunStarted(record)]).await?;
    Ok(())
}

/// What carries out a run between the instances of the settings.
pub(super) fn session(
    settings: &Settings,
    options: &Options,
    ends: Ends,
    store: &Store,
    run: RunId,
    sink: &Sink,
) -> Session<SourceEnd, Instance> {
    let mut readers = Readers::new(settings, ends.source, sink);
    let target = readers.target(settings, ends.target, sink);
    let both = (readers.source, target);
    between(settings, options, both, store, run, sink)
}

/// What a source and its targets are read through. A rate is kept per host and token, so instances that have these in common
/// share one quota.
pub(super) struct Readers {
    pub(super) source: Arc<Reader<SourceEnd>>,
    paced: Vec<Arc<Pacer>>,
}

impl Readers {
    /// The reader of the source, with `sink` for what is read of it.
    pub(super) fn new(settings: &Settings, instance: SourceEnd, sink: &Sink) -> Self {
        let options = wiring::engine_options(settings);
        let given = &settings.source;
        let mut source = reader(&options, instance, &given.guid, Side::Source, sink);
        source.bodies = body_file(&settings.paths);
        Self {
            paced: vec![Arc::clone(&source.pacer)],
            source: Arc::new(source),
        }
    }

    /// Lets the source be read on from an earlier reading; what is read is kept for later ones if it `keeps`. Nothing reads it yet.
    pub(super) fn going_on(mut self, settings: &Settings, keeps: bool) -> Self {
        if let Some(source) = Arc::get_mut(&mut self.source) {
            let server = source.instance.instance();
            source.former = server.and_then(|server| former(settings, server, keeps));
        }
        self
    }

    /// With what the source is known to hold, which is not read again. Nothing reads it yet.
    pub(super) fn knowing(mut self, known: ReadOnce<PullError>) -> Self {
        if let Some(source) = Arc::get_mut(&mut self.source) {
            source.once = known;
        }
        self
    }

    /// The reader of a target.
    pub(super) fn target(
        &mut self,
        settings: &Settings,
        instance: Instance,
        sink: &Sink,
    ) -> Reader<Instance> {
        let options = wiring::engine_options(settings);
        let given = &settings.target;
        let mut target = reader(&options, instance, &given.guid, Side::Target, sink);
        target.bodies.clone_from(&self.source.bodies);
        let own = target.pacer.account();
        let is_same = |known: &&Arc<Pacer>| known.account() == own;
        if let Some(pacer) = self.paced.iter().find(is_same) {
            target.pacer = Arc::new(pacer.sharing(options.ceilings()));
        } else {
            self.paced.push(Arc::clone(&target.pacer));
        }
        target
    }
}

/// What carries out a run between two instances.
pub(super) fn between(
    settings: &Settings,
    options: &Options,
    (source, target): (Arc<Reader<SourceEnd>>, Reader<Instance>),
    store: &Store,
    run: RunId,
    sink: &Sink,
) -> Session<SourceEnd, Instance> {
    let webhooks = Arc::new(target.instance.clone());
    Session {
        source,
        target: Arc::new(target),
        store: store.for_another_lease(),
        owner: owner(&settings.host_info, &run),
        run,
        locales: settings.sync.locales.clone(),
        selection: wiring::selection(settings),
        policies: settings.sync.policies.clone(),
        webhooks: Some(webhooks),
        review: None,
        approved: None,
        matching: wiring::matching(settings),
        options: options.clone(),
        sink: sink.clone(),
        planned: watch::Sender::new(None),
    }
}

/// A file beside the state that no other process can open and that ends with the process. It only saves memory, so
/// where there can be none, the run continues without.
fn body_file(paths: &Paths) -> Option<Arc<BodyFile>> {
    let beside = paths.folder()?;
    let folder = if beside.as_os_str().is_empty() {
        Path::new(".")
    } else {
        beside
    };
    let file = tempfile::tempfile_in(folder).ok()?;
    Some(Arc::new(BodyFile::new(file)))
}

/// Where earlier readings of an instance are kept: beside the state.
pub(super) fn former(settings: &Settings, server: &Instance, keeps: bool) -> Option<FormerReads> {
    let beside = settings.paths.folder()?;
    Some(FormerReads {
        folder: beside.join("reads"),
        server: server.host(),
        full_every: settings.sync.full_read_every,
        keeps,
    })
}

/// What one side is read through, with a pace of its own.
pub(super) fn reader<E: Endpoint>(
    options: &Options,
    instance: E,
    guid: &Guid,
    side: Side,
    sink: &Sink,
) -> Reader<E> {
    let most = options.per_second_max;
    let pacer = if let Some(server) = instance.instance() {
        let account = Account::of(&server.host(), &server.token().current());
        let pacer = Pacer::with(options.ceilings(), most).with_account(account);
        if server.has_fetch_host() {
            pacer.with_fetch_host(most)
        } else {
            pacer
        }
    } else {
        // No server limits how often a folder is read.
        let pacer = Pacer::with(options.ceilings(), None);
        pacer.without_start();
        pacer
    };
    Reader {
        instance,
        guid: guid.clone(),
        side,
        pacer: Arc::new(pacer),
        retries: Retries::new(options),
        concurrency: options.concurrency,
        limits: options.reading,
        sink: sink.clone(),
        bodies: None,
        former: None,
        once: ReadOnce::default(),
    }
}

pub(super) fn record(settings: &Settings, run: &RunId, pair: &Pair, work: &Work) -> RunRecord {
    RunRecord {
        run: run.clone(),
        pair: pair.clone(),
        command: work.name().to_owned(),
        options: json!({
            "overwrite": settings.sync.policies.overwrite,
            "locales": settings.sync.locales,
            "maps": settings.sync.maps.written(),
            "dry_run": settings.sync.dry_run,
            "publish": settings.sync.publish.name(),
            "prune": settings.sync.prune,
            "pause_webhooks": settings.sync.pause_webhooks,
            // They have no user and no query: the configuration takes no others.
            "source_url": settings.source.url,
            "target_url": settings.target.url,
            "source_folder": settings.source_folder.as_deref().and_then(|dir| std::path::absolute(dir).ok()),
            "retries": match work {
                Work::Retry { of, .. } => Some(of),
                Work::Sync { .. } | Work::Apply { .. } | Work::Verify => None,
            },
            "plan": match work {
                Work::Apply { plan, .. } => Some(plan),
                Work::Sync { .. } | Work::Retry { .. } | Work::Verify => None,
            },
        }),
        started_at: time::now().to_string(),
        finished_at: None,
        exit: None,
        end: None,
        counts: None,
    }
}

/// What a run is and what is reported of it, unless the user aborts it. Signals have a task of their own, so that nothing
/// that the run or its reporters do keeps them waiting.
///
/// # Errors
/// [`Error::Interrupted`] when the run did not end within a second of being aborted. What was known of it by then is
/// reported all the same, within [`LAST_WORDS`].
pub(super) async fn until_stopped<R, P>(
    working: impl Future<Output = R>,
    reporting: impl Future<Output = P>,
    commands: Vec<mpsc::Sender<Command>>,
) -> Result<(R, P), Error> {
    let mut reporting = pin!(reporting);
    let mut stopping = JoinSet::new();
    stopping.spawn(signals(commands));
    let ended = {
        let together = async { tokio::join!(working, &mut reporting) };
        // Both are cancel-safe: what the run does not end is for the next one, and a task.
        tokio::select! {
            ended = together => Some(ended),
            _ = stopping.join_next() => None,
        }
    };
    if let Some(ended) = ended {
        return Ok(ended);
    }
    if tokio::time::timeout(LAST_WORDS, reporting).await.is_err() {
        let text = "warning: the report could not be written in time and is not complete";
        // Nothing is left to warn on when standard error is gone.
        drop(writeln!(report::last_words(), "{text}"));
    }
    Err(Error::Interrupted)
}

/// The first request to stop drains, the second aborts.
pub(super) async fn signals(commands: Vec<mpsc::Sender<Command>>) {
    for command in [Command::Drain, Command::Abort] {
        stop::asked().await;
        for commands in &commands {
            // A run that is past taking commands ends by itself, and its reports may be dropped like the rest.
            commands.send(command).await.unwrap_or_default();
        }
    }
    // A run that is not uploading takes no commands; what it reads may be dropped at any time.
    tokio::time::sleep(Duration::from_secs(1)).await;
}

pub(super) fn status_of(report: &RunReport, work: &Work) -> ExitStatus {
    let mut status = status_of_end(&report.end);
    let differs = report.differences.as_ref().is_some_and(|found| {
        found
            .iter()
            .any(|found| !(work.moves() && found.left_alone))
    });
    let is_short = !report.unpublished.is_empty() || !report.in_doubt.is_empty();
    if is_short || !report.webhooks_off.is_empty() || differs {
        status = status.or(ExitStatus::Failed);
    }
    if work.moves() {
        if report.failed > 0 {
            status = status.or(ExitStatus::Failed);
        }
        if report.conflicts > 0 {
            status = status.or(ExitStatus::Conflicts);
        }
    }
    status
}

/// Notes how a run ended, if it began.
pub(super) async fn finish(
    store: &Store,
    run: RunId,
    (exit, end): (ExitStatus, RunEnd),
    progress: &Progress,
) -> Result<(), Error> {
    if store.run(&run).await?.is_none() {
        // It ended before it began: there is nothing to close.
        return Ok(());
    }
    let counts = progress
        .total()
        .iter()
        .map(|(name, count)| (name.to_owned(), json!(count)))
        .collect();
    let finished_at = time::now().to_string();
    let finish = RunFinish {
        run,
        exit: exit.code(),
        end,
        counts: serde_json::Value::Object(counts),
        finished_at,
    };
    store.commit(vec![Change::RunFinished(finish)]).await?;
    Ok(())
}

/// This process as the owner of a lease.
pub(super) fn owner(host_info: &HostInfo, run: &RunId) -> LeaseOwner {
    LeaseOwner {
        owner: host_info.user.clone(),
        host: host_info.host.clone(),
        process: std::process::id(),
        run: run.clone(),
    }
}

/// Distinguishes runs of one second.
pub(super) fn salt() -> u16 {
    rand::random()
}
