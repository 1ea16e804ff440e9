//! `lockgate webhooks`: lists those of a target, and switches on what a run has left switched off.

use std::io::Write;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::json;
use tokio::sync::mpsc;

use super::args::TargetOnlyArgs;
use super::ends::{authorise, unreachable};
use super::session::{self, salt};
use super::{stop, table, wiring};
use crate::agility::Instance;
use crate::config::{OutputMode, Settings};
use crate::domain::{shown_name, time};
use crate::engine::{EVENTS_IN_FLIGHT, Reader, Resumed, Sink, restore_webhooks};
use crate::error::{Error, ExitStatus};
use crate::event::{Side, Stamped};
use crate::instance::{Effect, Webhook, Webhooks as _};
use crate::report;
use crate::store::{Pair, PausedWebhook, Store};

/// Lists the webhooks of a target, and switches on those that a run has left switched off
///
/// Webhooks fire for every save and every publication of a run. With --pause-webhooks, a run switches them off before its first
/// write and on again at its end; where it could not do that, the next run of the pair does, or `lockgate webhooks restore`.
/// Neither addresses nor signing secrets are shown or kept.
#[derive(Clone, Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Examples:
  lockgate webhooks list --target 5e6f7a8b-u
  lockgate webhooks list --target qa --target prod --json | jq 'select(.enabled)'
  lockgate webhooks restore --target 5e6f7a8b-u
      after a run that was killed"
)]
pub(super) struct WebhooksArgs {
    #[command(subcommand)]
    command: WebhooksCommand,
}

/// What can be done with webhooks.
#[derive(Clone, Debug, Subcommand)]
enum WebhooksCommand {
    /// Lists the webhooks of a target, with what fires them and which run has paused them
    List(Box<TargetOnlyArgs>),
    /// Switches on the webhooks of a target that runs have left switched off
    ///
    /// Switches on nothing else. Refused while a run of the pair is under way, which does it itself.
    Restore(Box<TargetOnlyArgs>),
}

/// Carries out a subcommand.
///
/// # Errors
/// [`Error`] when a target or the state cannot be used.
pub(super) async fn run(
    args: WebhooksArgs,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    let work = async {
        match args.command {
            WebhooksCommand::List(args) => list(&args.each()?, out).await,
            WebhooksCommand::Restore(args) => restore(&args.each()?, out).await,
        }
    };
    tokio::select! {
        done = Box::pin(work) => done,
        () = stop::asked() => Err(Error::Interrupted),
    }
}

/// Does some work with the target of the settings; its events are dropped.
pub(super) async fn with_target<R>(
    settings: &Settings,
    work: impl AsyncFnOnce(Arc<Reader<Instance>>) -> Result<R, Error>,
) -> Result<R, Error> {
    let (events, mut received) = mpsc::channel::<Stamped>(EVENTS_IN_FLIGHT);
    let draining = async { while received.recv().await.is_some() {} };
    let working = async {
        let instance = Instance::new(wiring::connections(settings).1)?;
        let options = wiring::engine_options(settings);
        let guid = &settings.target.guid;
        let sink = Sink::new(events);
        let reader = session::reader(&options, instance, guid, Side::Target, &sink);
        drop(sink);
        authorise(&reader).await?;
        work(Arc::new(reader)).await
    };
    tokio::join!(working, draining).0
}

async fn read(reader: &Reader<Instance>) -> Result<Vec<Webhook>, Error> {
    let read = || reader.instance.webhooks();
    let read = reader.sender().send(Effect::Read, read).await;
    read.map_err(|error| unreachable(reader, error))
}

/// The webhooks that runs have paused on this target; none where there is no state.
async fn paused(settings: &Settings) -> Result<Vec<PausedWebhook>, Error> {
    let state = &settings.paths.state;
    if !state.exists().await? {
        return Ok(Vec::new());
    }
    let store = Store::open_to_look(state).await?;
    let paused = store.paused_webhooks(&settings.target.guid).await;
    store.close().await;
    Ok(paused?)
}

async fn list(each: &[Settings], out: &mut (dyn Write + Send)) -> Result<ExitStatus, Error> {
    let mut rows = Vec::new();
    for settings in each {
        let webhooks = with_target(settings, async |reader| read(&reader).await).await?;
        let paused = paused(settings).await?;
        for webhook in webhooks {
            let by = paused.iter().find(|one| *one.webhook == *webhook.id);
            let run = by.map(|one| one.run.0.clone());
            let label = settings.target.label();
            if settings.output.mode == OutputMode::Json {
                let row = json!({
                    "target": settings.target.guid,
                    "webhook": webhook.id,
                    "name": webhook.name,
                    "enabled": webhook.is_enabled,
                    "events": webhook.events,
                    "signed": webhook.is_signed,
                    "pausedBy": run,
                });
                table::json_line(&row, out)?;
                continue;
            }
            rows.push([
                label.to_owned(),
                shown_name(&webhook.name).into_owned(),
                if webhook.is_enabled { "yes" } else { "no" }.to_owned(),
                webhook.events.join(", "),
                if webhook.is_signed { "yes" } else { "no" }.to_owned(),
                run.unwrap_or_else(|| "-".to_owned()),
            ]);
        }
    }
    let is_json = each.iter().any(|one| one.output.mode == OutputMode::Json);
    if !is_json {
        let header = [
            "target",
            "webhook",
            "enabled",
            "fires for",
            "signed",
            "paused by",
        ];
        writeln!(out, "{}", table::table(header, rows.into_iter()))?;
    }
    out.flush()?;
    Ok(ExitStatus::Agreed)
}

async fn restore(each: &[Settings], out: &mut (dyn Write + Send)) -> Result<ExitStatus, Error> {
    let mut status = ExitStatus::Agreed;
    for settings in each {
        let paused = paused(settings).await?;
        let mut pairs: Vec<Pair> = paused.into_iter().map(|one| one.pair).collect();
        pairs.dedup();
        let label = settings.target.label();
        if pairs.is_empty() {
            report::tell(&format!("{label}: no run has left a webhook switched off"));
            continue;
        }
        let store = Store::open(&settings.paths.state).await?;
        let resumed = with_target(settings, async |reader| {
            let mut all = Vec::new();
            for pair in &pairs {
                let run = time::run_id(time::now(), salt());
                let owner = session::owner(&settings.host_info, &run);
                let target = (&*reader, &reader.instance as &dyn crate::instance::Webhooks);
                let ttl = settings.timeouts.lease;
                all.push(restore_webhooks(target, &store, (pair, owner), ttl).await?);
            }
            Ok(all)
        });
        let resumed = resumed.await;
        store.close().await;
        for Resumed { on, problems } in resumed? {
            for name in on {
                let name = shown_name(&name);
                writeln!(out, "{label}: switched on {name}")?;
            }
            for problem in problems {
                report::tell(&format!("{label}: {problem}"));
                status = status.or(ExitStatus::Failed);
            }
        }
    }
    out.flush()?;
    Ok(status)
}
