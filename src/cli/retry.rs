//! `lockgate retry`: once more what did not arrive.

use std::collections::HashSet;
use std::io::Write;

use clap::Args;

use super::args::{Collected, EngineArgs, FileArgs, InstanceArgs, OutputArgs};
use super::ends::with_folder;
use super::session::Work;
use super::sync::PolicyArgs;
use super::{run_lookup, sync};
use crate::config::{Config, FOLDER, Given};
use crate::domain::{EntityKey, Outcome};
use crate::engine::Maps;
use crate::error::{Error, ExitStatus};
use crate::report;
use crate::store::{RunEntity, RunRecord, Store};

/// Retries the entities that failed or were blocked in the last run
///
/// Moves exactly the entities that an earlier run failed to migrate, and what they need; everything else is left
/// out. Instances, URLs, locales, --overwrite and --publish are those of that run unless given otherwise. Correct the
/// cause first: `lockgate why` shows it for each entity. A run that was interrupted is taken up by `lockgate sync`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  lockgate retry                          what failed or was blocked in the last run
  lockgate retry --dry-run                shows what that would do; nothing real is written
  lockgate retry 20260315-101500-3f2a     what failed or was blocked in that run")]
pub(super) struct RetryArgs {
    /// The run, as `lockgate runs` lists it; `last` is the latest one that moved something
    #[arg(default_value = "last")]
    run: String,
    #[command(flatten)]
    instances: InstanceArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    file: FileArgs,
}

impl RetryArgs {
    fn config(&self) -> Result<Config, Error> {
        let collected = self.instances.collect(Collected::default());
        let collected = self.engine.collect(self.policy.collect(collected));
        self.file.load(self.output.collect(collected))
    }
}

/// Finds what to retry, and retries it.
///
/// # Errors
/// [`Error`] when there is no such run, or the new one could not begin or not continue.
pub(super) async fn run(
    args: &RetryArgs,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    let config = args.config()?;
    let store = run_lookup::open(&config).await?;
    let lost = lost(&store, &args.run, &config).await;
    store.close().await;
    let (record, keys) = lost?;
    let tell = |line: String| report::tell(&line);
    if keys.is_empty() {
        tell(nothing_to_do(&record));
        return Ok(ExitStatus::Agreed);
    }
    let settings = with_folder(config.unless_set(&remembered(&record)))?.settings()?;
    if !settings.output.quiet {
        let (run, count) = (&record.run, report::count_of(keys.len()));
        tell(format!(
            "run {run} left {count} entities behind; they are tried again"
        ));
    }
    let of = record.run;
    sync::begin(vec![settings], Work::Retry { of, keys }, out).await
}

/// The run, and what failed or was blocked in it.
async fn lost(
    store: &Store,
    name: &str,
    config: &Config,
) -> Result<(RunRecord, HashSet<EntityKey>), Error> {
    let between = run_lookup::between(config)?;
    let moved = |record: &RunRecord| ["sync", "retry", "apply"].contains(&record.command.as_str());
    let record = run_lookup::find(store, name, |record| moved(record) && between(record)).await?;
    if !moved(&record) || !between(&record) {
        return Err(other_run(&record));
    }
    let entities = store.run_entities(&record.run).await?;
    let keys = entities
        .into_iter()
        .filter(is_lost)
        .map(|entity| entity.key);
    let keys = keys.collect();
    Ok((record, keys))
}

fn is_lost(entity: &RunEntity) -> bool {
    match entity.outcome {
        Outcome::Failed { .. } | Outcome::Blocked { .. } => true,
        Outcome::Created
        | Outcome::Adopted
        | Outcome::Updated
        | Outcome::Unchanged
        | Outcome::LeftAlone
        | Outcome::Conflict
        | Outcome::OutOfScope
        | Outcome::Deleted
        | Outcome::Restored
        | Outcome::Kept { .. } => false,
    }
}

fn other_run(record: &RunRecord) -> Error {
    let (run, pair) = (&record.run, &record.pair);
    let (source, target) = (&pair.source, &pair.target);
    Error::Usage {
        message: format!(
            "run {run} is a {} from {source} to {target}, and cannot be tried again with these flags",
            record.command
        ),
        hint: Some(
            "name a sync or retry between the instances that are configured, or leave these out"
                .to_owned(),
        ),
    }
}

fn nothing_to_do(record: &RunRecord) -> String {
    let run = &record.run;
    match record.exit {
        Some(0 | 1 | 5) => format!("nothing failed and nothing was blocked in run {run}"),
        Some(_) | None => format!(
            "nothing failed and nothing was blocked in run {run} as far as it went, and it did not go to its end: \
             `lockgate sync` goes on from there"
        ),
    }
}

/// What the run was given, as far as the next one has to be given the same.
fn remembered(record: &RunRecord) -> Vec<Given> {
    let options = &record.options;
    let text = |key: &str| options[key].as_str().map(str::to_owned);
    let listed = |value: &serde_json::Value| -> Vec<String> {
        let parts = value.as_array().into_iter().flatten();
        let texts = parts.filter_map(|part| Some(part.as_str()?.to_owned()));
        texts.collect()
    };
    // Runs of earlier versions mapped channels only.
    let maps = Maps::KEYS.map(|(key, name)| {
        let own = listed(&options["maps"][name]);
        if own.is_empty() {
            (key, listed(&options[name]))
        } else {
            (key, own)
        }
    });
    let folder = text("source_folder").map(|folder| format!("{FOLDER}{folder}"));
    let source = folder.unwrap_or_else(|| record.pair.source.to_string());
    let collected = maps
        .iter()
        .fold(Collected::default(), |collected, (key, parts)| {
            collected.list(key, parts)
        });
    collected
        .text("source.guid", Some(&source))
        .text("target.guid", Some(&record.pair.target.to_string()))
        .text("source.url", text("source_url").as_ref())
        .text("target.url", text("target_url").as_ref())
        .text("sync.publish", text("publish").as_ref())
        .list("sync.locales", &listed(&options["locales"]))
        .switch("sync.overwrite", options["overwrite"] == true, true)
        .of_run(&record.run)
}
