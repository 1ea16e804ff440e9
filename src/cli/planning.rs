//! Makes a plan without carrying it out: nothing is written, neither to the target nor to the state.

use clap::Args;
use tokio::sync::mpsc;

use super::args::{Collected, EngineArgs, FileArgs, InstanceArgs, SelectionArgs};
use super::ends::{Ends, authorise};
use super::session;
use super::sync::MatchingArgs;
use super::{official, wiring};
use crate::config::Settings;
use crate::domain::RunId;
use crate::engine::{Decided, EVENTS_IN_FLIGHT, Sink};
use crate::error::Error;
use crate::event::{Event, Stamped};
use crate::plan::Hint;
use crate::progress::Progress;
use crate::report;
use crate::store::Store;

/// Between two lines about the reading, in milliseconds.
const BEAT_MS: u64 = 2_000;

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
            .switch("sync.prune", self.prune, true)
    }
}

/// Reads both instances and plans. Tells on standard error how the reading goes, unless it is to be quiet.
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
    session::warn(settings);
    let ends = Ends::of(settings)?;
    let store = remembered(settings).await?;
    let (events, mut received) = mpsc::channel::<Stamped>(EVENTS_IN_FLIGHT);
    let run = RunId("plan".to_owned());
    let working = async {
        let sink = Sink::new(events);
        let options = wiring::engine_options(settings);
        let mut session = session::session(settings, &options, ends, &store, run, &sink);
        official::say(settings, &session.matching, &store).await?;
        session.matching.hints.splice(0..0, hints);
        authorise(&session.source).await?;
        authorise(&session.target).await?;
        let planned = session.decide().await?;
        Ok::<_, Error>(planned)
    };
    let telling = async {
        let mut reading = Reading::default();
        while let Some(stamped) = received.recv().await {
            reading.tell(&stamped, settings.output.quiet);
        }
    };
    let (planned, ()) = tokio::join!(working, telling);
    store.close().await;
    planned
}

/// What the real state knows of the pair, in a store of its own. A state that does not exist yet is not made.
pub(super) async fn remembered(settings: &Settings) -> Result<Store, Error> {
    Ok(Store::open_copy(&settings.paths.state).await?)
}

/// How far the reading is.
#[derive(Default)]
struct Reading {
    progress: Progress,
    told_ms: u64,
}

impl Reading {
    fn tell(&mut self, stamped: &Stamped, quiet: bool) {
        self.progress.apply(stamped);
        let line = if let Event::Warned { message } = &stamped.event {
            format!("warning: {message}")
        } else if quiet || stamped.at_ms < self.told_ms + BEAT_MS {
            return;
        } else {
            self.told_ms = stamped.at_ms;
            let read: u32 = self.progress.reads().values().map(|count| count.read).sum();
            format!("reading both instances: {read} entities")
        };
        report::tell(&line);
    }
}
