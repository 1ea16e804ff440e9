//! `lockgate undo`: deletes what a run created, and brings back what it wrote over.

use std::io::{IsTerminal, Write};

use clap::Args;
use serde_json::json;
use tokio::sync::mpsc;

use super::agree::asked;
use super::args::{Collected, EngineArgs, FileArgs, InstanceArgs, OutputArgs};
use super::ends::{Ends, SourceEnd, authorise};
use super::records::Records;
use super::session::{self, COMMANDS_IN_FLIGHT};
use super::{pace, run_lookup, undo_plan, wiring};
use crate::agility::Instance;
use crate::config::{Given, OutputMode, Settings};
use crate::domain::{RunEnd, RunId, time};
use crate::engine::{
    self, Control, EVENTS_IN_FLIGHT, RunError, Session, Sink, UndoEnd, UndoOutlook, UndoRequest,
};
use crate::error::{self, Error, ExitStatus};
use crate::event::{Command, Event, SCHEMA, Side, Stamped};
use crate::report::{self, Place};
use crate::store::{Change, RunRecord, Store};

/// Reverts a run: deletes what it created and restores what it overwrote
///
/// What was changed on the target since is listed and left alone, and so is what it still needs. What existed before the
/// run is never deleted. The plan is shown first; an undo that was interrupted goes on when it is started again. Webhooks of the
/// target fire for what it writes, as for a run; --pause-webhooks switches them off meanwhile.
#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "one switch per flag")]
#[command(after_help = "\
Examples:
  lockgate undo last --dry-run
      shows what would be deleted, restored and left alone
  lockgate undo 20260315-101500-3f2a
      the same, then asks, then does it
  lockgate undo last --yes --changed-too
      in a pipeline; what was changed since the run is undone as well

The instances and their URLs default to those of the run; tokens are read as for `lockgate sync`.")]
pub(super) struct UndoArgs {
    /// Run to undo, as `lockgate runs` names it; `last` is the most recent run that is not itself an undo
    #[arg(value_name = "RUN")]
    run: String,
    /// Show what would happen, and do nothing
    #[arg(long, short = 'n', help_heading = "Policy")]
    dry_run: bool,
    /// Do not ask
    #[arg(long, short, help_heading = "Policy")]
    yes: bool,
    /// Undo also what was changed on the target since the run
    #[arg(long, help_heading = "Policy")]
    changed_too: bool,
    /// Switch off the webhooks of the target before the first write, and on again at the end
    #[arg(long, help_heading = "Policy")]
    pause_webhooks: bool,
    /// Skip verification
    #[arg(long, help_heading = "Policy")]
    no_verify: bool,
    #[command(flatten)]
    instances: InstanceArgs,
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    file: FileArgs,
}

/// Undoes a run.
///
/// # Errors
/// [`Error::Usage`] for a run that is not there or cannot be undone, and without a terminal and `--yes`; other
/// [`Error`]s when the undo could not begin or not continue. The outcome of entities is in the status.
pub(super) async fn run(
    args: &UndoArgs,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    let store = run_lookup::open(&args.file.load(Collected::default())?).await?;
    let ended = Box::pin(with_store(args, &store, out)).await;
    store.close().await;
    ended
}

async fn with_store(
    args: &UndoArgs,
    store: &Store,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    let record = find(args, store).await?;
    let settings = args.settings(&record)?;
    session::warn(&settings);
    // Also when the environment or the configuration says so.
    let is_dry = settings.sync.dry_run;
    let asks = !is_dry && !args.yes;
    if asks && !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return Err(Error::Usage {
            message: "refusing to undo without confirmation: no terminal is attached (use --yes)"
                .to_owned(),
            hint: Some("--dry-run shows the plan; --yes carries it out".to_owned()),
        });
    }
    let request = UndoRequest {
        run: record.run.clone(),
        changed_too: args.changed_too,
    };
    if is_dry {
        return look(&settings, store, &request, out).await;
    }
    let undo = Undo {
        args,
        settings: &settings,
        store,
        record: &record,
    };
    Box::pin(undo.carry_out(&request, out)).await
}

impl UndoArgs {
    /// All layers, with the instances of the run and these flags on top.
    fn settings(&self, record: &RunRecord) -> Result<Settings, Error> {
        let of_run = [record.pair.source.as_str(), record.pair.target.as_str()];
        let config = self.file.load(Collected::default())?;
        let (source, targets) = self.instances.named();
        let is_other =
            |named: &str, of_run: &str| !config.guid_of(named).eq_ignore_ascii_case(of_run);
        let is_from = source.is_none_or(|named| !is_other(named, of_run[0]));
        if !is_from || targets.iter().any(|named| is_other(named, of_run[1])) {
            return Err(Error::Usage {
                message: format!(
                    "run {} went from {} to {}, not between the instances that were named",
                    record.run, record.pair.source, record.pair.target
                ),
                hint: Some("leave out --source and --target; the run knows them".to_owned()),
            });
        }
        let collected = self
            .instances
            .between(of_run[0], of_run[1])
            .collect(Collected::default());
        let collected = self.output.collect(self.engine.collect(collected));
        let collected = collected
            .switch("sync.dry_run", self.dry_run, true)
            .switch("sync.pause_webhooks", self.pause_webhooks, true)
            .switch("sync.verify", self.no_verify, false);
        let mut given = self.file.load(collected)?.unless_set(&ways(record));
        if let Some(folder) = record.options["source_folder"].as_str() {
            given = given.with_source_folder(folder.into(), record.pair.source.clone());
        }
        Ok(given.settings()?)
    }
}

async fn find(args: &UndoArgs, store: &Store) -> Result<RunRecord, Error> {
    let wrote = |record: &RunRecord| {
        let command = record.command.as_str();
        !["undo", "verify", "probe"].contains(&command) && !command.starts_with("mappings")
    };
    let record = run_lookup::find(store, &args.run, wrote).await?;
    if record.command == "undo" {
        return Err(Error::Usage {
            message: format!("run {} is an undo itself, and cannot be undone", record.run),
            hint: Some("`lockgate sync` brings across again what it took back".to_owned()),
        });
    }
    if record.command == "probe" {
        return Err(Error::Usage {
            message: format!("run {} is a probe, which deletes what it makes", record.run),
            hint: Some("`lockgate probe --clean` deletes what one left that was killed".to_owned()),
        });
    }
    Ok(record)
}

/// The ways to the instances that the run took.
fn ways(record: &RunRecord) -> Vec<Given> {
    let url = |name: &str| record.options[name].as_str().map(str::to_owned);
    Collected::default()
        .text("source.url", url("source_url").as_ref())
        .text("target.url", url("target_url").as_ref())
        .of_run(&record.run)
}

/// Shows the plan; nothing is written, neither to the target nor to the state.
async fn look(
    settings: &Settings,
    store: &Store,
    request: &UndoRequest,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    let ends = Ends::without_source(settings)?;
    let (events, mut unheard) = mpsc::channel::<Stamped>(EVENTS_IN_FLIGHT);
    let working = async {
        let options = wiring::engine_options(settings);
        let run = RunId("undo".to_owned());
        let sink = Sink::new(events);
        let session = session::session(settings, &options, ends, store, run, &sink);
        authorise(&session.target).await?;
        Ok::<_, Error>(session.plan_undo(request).await?)
    };
    let draining = async { while unheard.recv().await.is_some() {} };
    let (outlook, ()) = tokio::join!(working, draining);
    let outlook = outlook?;
    undo_plan::write(&outlook, settings, out)?;
    Ok(ExitStatus::Agreed)
}

/// An undo that is meant.
struct Undo<'a> {
    args: &'a UndoArgs,
    settings: &'a Settings,
    store: &'a Store,
    /// The run that is undone.
    record: &'a RunRecord,
}

impl Undo<'_> {
    async fn carry_out(
        &self,
        request: &UndoRequest,
        out: &mut (dyn Write + Send),
    ) -> Result<ExitStatus, Error> {
        let ends = Ends::without_source(self.settings)?;
        let options = engine::Options {
            probed: pace::probed(&ends.target, self.store).await?,
            ..wiring::engine_options(self.settings)
        };
        let (events, received) = mpsc::channel::<Stamped>(EVENTS_IN_FLIGHT);
        let (commands, mut commanded) = mpsc::channel::<Command>(COMMANDS_IN_FLIGHT);
        let mut shown = wiring::report_options(self.settings);
        if shown.mode == report::Mode::Dashboard {
            // It has no place for the plan and the question.
            shown.mode = report::Mode::DashboardLater;
        }
        let (asking, asked) = mpsc::channel(1);
        shown.lookup = Some(asking);
        shown.requests = vec![ends.target.requests()];
        let reporters = report::reporters(&shown, &commands, Place::alone())?;
        // Nothing is asked once the reporters are gone.
        drop(shown);
        let run = time::run_id(time::now(), session::salt());
        let working = async {
            let sink = Sink::new(events);
            let session = session::session(
                self.settings,
                &options,
                ends,
                self.store,
                run.clone(),
                &sink,
            );
            let work = self.work(&session, request, &mut commanded, out);
            let result = Box::pin(work).await;
            let status = result
                .as_ref()
                .map_or_else(Error::exit_code, |(status, _)| *status);
            let end = result.as_ref().map_or_else(Error::end, |(_, end)| *end);
            let elapsed_ms = sink.elapsed_ms();
            let exit = status.code();
            sink.emit(Event::RunFinished {
                exit,
                elapsed_ms,
                commits: Some(self.store.commits()),
                error: result.as_ref().err().map(error::told),
                end: Some(end),
            })
            .await;
            (end, result)
        };
        let stopping = vec![commands.clone()];
        let records = Records {
            store: Some(self.store.clone()),
            runs: self.settings.paths.runs.clone(),
        };
        let reporting = records.beside(report::run(received, reporters, commands), asked);
        let ((end, result), progress) =
            Box::pin(session::until_stopped(working, reporting, stopping)).await?;
        let exit = result
            .as_ref()
            .map_or_else(Error::exit_code, |(status, _)| *status);
        session::finish(self.store, run, (exit, end), &progress).await?;
        result.map(|(status, _)| status)
    }

    async fn work(
        &self,
        session: &Session<SourceEnd, Instance>,
        request: &UndoRequest,
        commanded: &mut mpsc::Receiver<Command>,
        out: &mut (dyn Write + Send),
    ) -> Result<(ExitStatus, RunEnd), Error> {
        let started = time::now().to_string();
        session
            .sink
            .emit(Event::RunStarted {
                schema: SCHEMA,
                run: session.run.clone(),
                source: self.record.pair.source.clone(),
                target: self.record.pair.target.clone(),
                started_at: started.clone(),
                dry_run: false,
                command: Some("undo".to_owned()),
            })
            .await;
        let authorising = async { Ok(authorise(&session.target).await) };
        Control::new(commanded).read(authorising).await??;
        pace::recall(session, self.store).await?;
        let own = self.own_record(&session.run, started);
        let mut shown = Ok(());
        let agree = |outlook: &UndoOutlook| {
            if self.settings.output.mode != OutputMode::Json {
                shown = undo_plan::write(outlook, self.settings, out);
            }
            // What could not be shown is not done either.
            let may_go_on = shown.is_ok();
            async move { Ok(may_go_on && self.is_agreed(own).await?) }
        };
        let end = Box::pin(session.undo(request, commanded, agree)).await?;
        shown?;
        pace::remember(session, self.store).await?;
        if !end.agreed {
            report::tell("nothing was undone");
        }
        let guid = |side| match side {
            Side::Source => &self.record.pair.source,
            Side::Target => &self.record.pair.target,
        };
        match session::error_of_end(&end.end, guid) {
            Some(error) => Err(error),
            None => Ok((status_of(&end), end.end.kind())),
        }
    }

    /// Asks if need be. An undo that is agreed to is on record from there on.
    async fn is_agreed(&self, own: RunRecord) -> Result<bool, RunError> {
        if !self.args.yes && !asked("Undo this run? [y/N] ".to_owned()).await {
            return Ok(false);
        }
        self.store.commit(vec![Change::RunStarted(own)]).await?;
        Ok(true)
    }

    fn own_record(&self, run: &RunId, started_at: String) -> RunRecord {
        RunRecord {
            run: run.clone(),
            pair: self.record.pair.clone(),
            command: "undo".to_owned(),
            options: json!({
                "undone": self.record.run,
                "changed_too": self.args.changed_too,
                "pause_webhooks": self.settings.sync.pause_webhooks,
            }),
            started_at,
            finished_at: None,
            exit: None,
            end: None,
            counts: None,
        }
    }
}

fn status_of(end: &UndoEnd) -> ExitStatus {
    let mut status = ExitStatus::Agreed;
    if !end.webhooks_off.is_empty() {
        status = status.or(ExitStatus::Failed);
    }
    if !end.agreed {
        return status;
    }
    status = status.or(session::status_of_end(&end.end));
    let differs = end
        .differences
        .as_ref()
        .is_some_and(|found| !found.is_empty());
    if end.failed > 0
        || end.kept(false) > 0
        || differs
        || !end.unpublished.is_empty()
        || !end.in_doubt.is_empty()
    {
        status = status.or(ExitStatus::Failed);
    }
    if end.kept(true) > 0 {
        status = status.or(ExitStatus::Conflicts);
    }
    status
}
