//! Makes a plan without carrying it out: nothing is written, neither to the target nor to the state.

use std::sync::Arc;

use clap::{Args, ValueEnum};
use futures_util::future::{BoxFuture, FutureExt as _, join_all};
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant};

use super::args::{Collected, EngineArgs, FileArgs, InstanceArgs, SelectionArgs};
use super::ends::{Ends, SourceEnd, authorise, unreachable};
use super::session::{self, Readers};
use super::sync::MatchingArgs;
use super::{official, targets, wiring};
use crate::agility::{Instance, Shown};
use crate::config::Settings;
use crate::domain::{Inventory, RunId, SourceId};
use crate::engine::{Decided, EVENTS_IN_FLIGHT, HashLimits, ReadOnce, Session, Sink};
use crate::error::Error;
use crate::event::{Event, Side, Stamped};
use crate::instance::Effect;
use crate::plan::Hint;
use crate::progress::Progress;
use crate::report;
use crate::store::Store;

/// Between two lines about what takes long, in milliseconds.
const BEAT_MS: u64 = 2_000;
const BEAT: Duration = Duration::from_millis(BEAT_MS);

/// Whether the hashes of the files that a plan shows are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum MediaHashes {
    /// from their hosts where these are reliable, else by reading small files
    Auto,
    /// shown only where known without a request
    Never,
}

/// Flags of every command that makes a plan.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct PlanningArgs {
    #[command(flatten)]
    instances: InstanceArgs,
    #[command(flatten)]
    selection: SelectionArgs,
    /// Overwrite the target when both sides have changed
    #[arg(long, help_heading = "Policy")]
    overwrite: bool,
    /// Publish on the target what is published on the source: content, pages or both
    #[arg(long, value_name = "WHAT", num_args = 0..=1, require_equals = true, default_missing_value = "both", help_heading = "Policy")]
    publish: Option<String>,
    /// Delete on the target what the source no longer has (see `lockgate sync --help`)
    #[arg(long, help_heading = "Policy")]
    prune: bool,
    /// Read both instances in full, and nothing on from an earlier reading
    #[arg(long, help_heading = "Policy")]
    full_read: bool,
    #[command(flatten)]
    matching: MatchingArgs,
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    pub(super) file: FileArgs,
}

impl PlanningArgs {
    pub(super) fn collect(&self) -> Collected {
        let collected = self.instances.collect(Collected::default());
        let collected = self.engine.collect(self.selection.collect(collected));
        self.matching
            .collect(collected)
            .switch("sync.overwrite", self.overwrite, true)
            .text("sync.publish", self.publish.as_ref())
            .text(
                "sync.full_read_every",
                self.full_read.then(|| "1".to_owned()).as_ref(),
            )
            .switch("sync.prune", self.prune, true)
    }
}

/// Reads both instances and plans. Shows on standard error how the reading goes, unless quiet.
///
/// # Errors
/// [`Error`] when an instance or the state cannot be read, or the selection names what is not there.
pub(super) async fn outlook(settings: &Settings) -> Result<Decided, Error> {
    outlook_with(settings, Vec::new()).await
}

/// As [`outlook`], with pairs of entities that count before all other evidence.
///
/// # Errors
/// As of [`outlook`].
pub(super) async fn outlook_with(settings: &Settings, hints: Vec<Hint>) -> Result<Decided, Error> {
    let only = std::slice::from_ref(settings);
    let planned = outlooks(only, hints, MediaHashes::Never).await?;
    let only = planned.into_iter().next();
    only.unwrap_or_else(|| Err(Error::Internal("a plan left no result".to_owned())))
}

/// A plan for each target, side by side; the source is read once. The results are in the order of the settings.
///
/// # Errors
/// [`Error`] when the state cannot be read.
pub(super) async fn outlooks(
    each: &[Settings],
    hints: Vec<Hint>,
    hashes: MediaHashes,
) -> Result<Vec<Result<Decided, Error>>, Error> {
    targets::warn(each);
    let Some(first) = each.first() else {
        return Ok(Vec::new());
    };
    let ends = Ends::of_each(each)?;
    let store = remembered(first).await?;
    let mut readers: Option<Readers> = None;
    let mut planning: Vec<BoxFuture<'_, _>> = Vec::new();
    for (settings, ends) in each.iter().zip(ends) {
        let ends = match ends {
            Ok(ends) => ends,
            Err(error) => {
                planning.push(std::future::ready(Err(error)).boxed());
                continue;
            }
        };
        let (events, received) = mpsc::channel::<Stamped>(EVENTS_IN_FLIGHT);
        let sink = Sink::new(events);
        let source = ends.source;
        let keeps = false;
        let readers = readers
            .get_or_insert_with(|| Readers::new(settings, source, &sink).going_on(settings, keeps));
        let mut target = readers.target(settings, ends.target, &sink);
        target.former = session::former(settings, &target.instance, keeps);
        let both = (Arc::clone(&readers.source), target);
        let options = wiring::engine_options(settings);
        let run = RunId("plan".to_owned());
        let mut session = session::between(settings, &options, both, &store, run, &sink);
        drop(sink);
        session.matching.hints.splice(0..0, hints.iter().cloned());
        let label = (each.len() > 1).then(|| settings.target.label());
        let shown = (label, hashes);
        planning.push(decided(session, (settings, shown), &store, received).boxed());
    }
    drop(readers);
    let planned = join_all(planning).await;
    store.close().await;
    Ok(planned)
}

async fn decided(
    session: Session<SourceEnd, Instance>,
    (settings, (label, hashes)): (&Settings, (Option<&str>, MediaHashes)),
    store: &Store,
    mut received: mpsc::Receiver<Stamped>,
) -> Result<Decided, Error> {
    let working = async move {
        official::say(settings, &session.matching, store).await?;
        authorise(&session.source).await?;
        authorise(&session.target).await?;
        let mut decided = session.decide().await?;
        if hashes == MediaHashes::Auto {
            let mut hashing = Hashing::of(label, settings.output.quiet);
            let mut progress = |done, all| hashing.tell(done, all);
            let limits = HashLimits::default();
            session
                .hash_files(&mut decided, limits, &mut progress)
                .await;
        }
        Ok::<_, Error>(decided)
    };
    let telling = async {
        let mut reading = Reading::of(label);
        while let Some(stamped) = received.recv().await {
            reading.tell(&stamped, settings.output.quiet);
        }
    };
    tokio::join!(working, telling).0
}

/// Plans between the same instances, made one after the other with the source as it was read before.
pub(super) struct Again<'a> {
    settings: &'a Settings,
    source: Arc<Inventory<SourceId>>,
    ends: Ends,
}

impl<'a> Again<'a> {
    /// For the instances of the settings, with what the source held.
    ///
    /// # Errors
    /// [`Error::Connection`] when a URL or token cannot be one.
    pub(super) fn new(
        settings: &'a Settings,
        source: Arc<Inventory<SourceId>>,
    ) -> Result<Self, Error> {
        let ends = Ends::of(settings)?;
        Ok(Self {
            settings,
            source,
            ends,
        })
    }

    /// Reads the target and plans; nothing is reported.
    ///
    /// # Errors
    /// As of [`outlook`].
    pub(super) async fn decided(&self) -> Result<Decided, Error> {
        let store = remembered(self.settings).await?;
        let decided = self.heard(async |sink: Sink| {
            let (source, known) = (self.ends.source.clone(), Arc::clone(&self.source));
            let known = ReadOnce::of_known(known);
            let mut readers = Readers::new(self.settings, source, &sink).knowing(known);
            let target = readers.target(self.settings, self.ends.target.clone(), &sink);
            let both = (Arc::clone(&readers.source), target);
            let options = wiring::engine_options(self.settings);
            let run = RunId("plan".to_owned());
            let session = session::between(self.settings, &options, both, &store, run, &sink);
            authorise(&session.target).await?;
            Ok(session.decide().await?)
        });
        let decided = decided.await;
        store.close().await;
        decided
    }

    /// Whether the target is publishing, or making ready what it shows.
    ///
    /// # Errors
    /// [`Error::Unreachable`]
    pub(super) async fn is_publishing(&self) -> Result<bool, Error> {
        self.heard(async |sink: Sink| {
            let options = wiring::engine_options(self.settings);
            let (instance, guid) = (self.ends.target.clone(), &self.settings.target.guid);
            let reader = session::reader(&options, instance, guid, Side::Target, &sink);
            for shown in [Shown::Preview, Shown::Published] {
                let asked = || reader.instance.published_state(shown);
                let state = reader.sender().send(Effect::Read, asked).await;
                if state
                    .map_err(|error| unreachable(&reader, error))?
                    .is_in_progress
                {
                    return Ok(true);
                }
            }
            Ok(false)
        })
        .await
    }

    /// Does some work whose events are discarded.
    async fn heard<R>(&self, work: impl AsyncFnOnce(Sink) -> Result<R, Error>) -> Result<R, Error> {
        let (events, mut received) = mpsc::channel::<Stamped>(EVENTS_IN_FLIGHT);
        let draining = async { while received.recv().await.is_some() {} };
        tokio::join!(work(Sink::new(events)), draining).0
    }
}

/// What the real state holds of the pair, in a store of its own. A state that does not exist yet is not made.
pub(super) async fn remembered(settings: &Settings) -> Result<Store, Error> {
    Ok(Store::open_copy(&settings.paths.state).await?)
}

/// How far the hashes are.
struct Hashing {
    /// What lines begin with.
    lead: String,
    is_quiet: bool,
    next: Instant,
}

impl Hashing {
    fn of(label: Option<&str>, is_quiet: bool) -> Self {
        Self {
            lead: lead(label),
            is_quiet,
            next: Instant::now() + BEAT,
        }
    }

    fn tell(&mut self, done: usize, all: usize) {
        if self.is_quiet || Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + BEAT;
        let lead = &self.lead;
        report::tell(&format!("{lead}looking up hashes: {done} of {all} files"));
    }
}

/// What lines about one of several targets begin with.
fn lead(label: Option<&str>) -> String {
    label.map_or_else(String::new, |label| format!("{label}: "))
}

/// How far the reading is.
#[derive(Default)]
struct Reading {
    /// What lines begin with.
    lead: String,
    progress: Progress,
    told_ms: u64,
}

impl Reading {
    fn of(label: Option<&str>) -> Self {
        Self {
            lead: lead(label),
            ..Self::default()
        }
    }

    fn tell(&mut self, stamped: &Stamped, quiet: bool) {
        self.progress.apply(stamped);
        let line = if let Event::Warned { message } = &stamped.event {
            format!("warning: {message}")
        } else if let (Event::InstanceRead { .. }, Some(last), false) =
            (&stamped.event, self.progress.readings().last(), quiet)
        {
            report::reading(last)
        } else if quiet || stamped.at_ms < self.told_ms + BEAT_MS {
            return;
        } else {
            self.told_ms = stamped.at_ms;
            let read: u32 = self.progress.reads().values().map(|count| count.read).sum();
            format!("reading both instances: {read} entities")
        };
        report::tell(&format!("{}{line}", self.lead));
    }
}
