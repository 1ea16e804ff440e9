//! `lockgate apply`: carries out a plan that was agreed to.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::args::{Collected, EngineArgs, FileArgs, InstanceArgs, OutputArgs};
use super::ends::Ends;
use super::pairs;
use super::plan::status_of;
use super::run_lookup;
use super::session::{self, Work};
use crate::config::{Config, Settings};
use crate::domain::{Guid, RunEnd, RunId};
use crate::error::{Error, ExitStatus};
use crate::plan::{Approved, PlanFile};
use crate::report;
use crate::store::Store;

/// Carries out a plan that `lockgate plan --out` wrote, and nothing else
///
/// Reads both instances again and does what the plan says to every entity that is as it was. What moved since, on either
/// side, is left alone, listed with what moved, and makes the exit code 5. Entities that the plan does not name are not
/// touched. The selection and the policies are those of the plan. A plan is applied once; one that was interrupted may be
/// applied again and goes on from there. A plan whose source is a folder is applied with the same --source DIR.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  lockgate plan --source 1a2b3c4d-u --target 5e6f7a8b-u --out release.plan
  lockgate apply release.plan
      does exactly that
  lockgate apply release.plan --replan-moved
      decides anew about what moved since, instead of leaving it alone")]
#[expect(clippy::struct_excessive_bools, reason = "one switch per flag")]
pub(super) struct ApplyArgs {
    /// Plan file, written by `lockgate plan --out`
    #[arg(value_name = "FILE")]
    plan: PathBuf,
    /// Decide anew about entities that moved since the plan was made, instead of leaving them alone
    #[arg(long, help_heading = "Policy")]
    replan_moved: bool,
    /// Switch off the webhooks of the target before the first write, and on again at the end
    #[arg(long, help_heading = "Policy")]
    pause_webhooks: bool,
    /// Skip verification
    #[arg(long, help_heading = "Policy")]
    no_verify: bool,
    /// Stop at the first failure, after in-flight requests finish
    #[arg(long, help_heading = "Policy")]
    fail_fast: bool,
    #[command(flatten)]
    instances: InstanceArgs,
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    file: FileArgs,
}

impl ApplyArgs {
    fn config(&self) -> Result<Config, Error> {
        let collected = self.instances.collect(Collected::default());
        let collected = collected
            .switch("sync.pause_webhooks", self.pause_webhooks, true)
            .switch("sync.verify", self.no_verify, false)
            .switch("sync.fail_fast", self.fail_fast, true);
        self.file
            .load(self.output.collect(self.engine.collect(collected)))
    }
}

/// Applies a plan.
///
/// # Errors
/// [`Error`] when the file is no plan for these instances, was applied already, or the run could not continue.
pub(super) async fn run(args: &ApplyArgs) -> Result<ExitStatus, Error> {
    let plan = read(&args.plan)?;
    let settings = settings(args.config()?, &plan, &args.plan)?;
    session::warn(&settings);
    if !plan.applyable {
        report::tell(&format!("plan {} has nothing to apply", plan.id));
        return Ok(status_of(plan.counts.keys().copied()));
    }
    let ends = Ends::of(&settings)?;
    let store = run_lookup::open_or_create(&settings.paths).await?;
    let attempts = match attempts(&store, &plan).await {
        Ok(attempts) => attempts,
        Err(error) => {
            store.close().await;
            return Err(error);
        }
    };
    let approved =
        Approved::new(plan.entities, args.replan_moved, attempts).with_deletions(plan.deletions);
    let work = Work::Apply {
        plan: plan.id,
        approved: Arc::new(approved),
    };
    pairs::run(&settings, ends, store, work)
        .await
        .map(|(status, _)| status)
}

fn read(path: &Path) -> Result<PlanFile, Error> {
    let text = std::fs::read(path).map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })?;
    PlanFile::parse(&text).map_err(|error| refused(path, &error.to_string()))
}

fn refused(path: &Path, why: &str) -> Error {
    Error::Usage {
        message: format!("{} cannot be applied: {why}", path.display()),
        hint: Some("make the plan again with `lockgate plan --out FILE`".to_owned()),
    }
}

/// All layers, with what was decided on top.
fn settings(config: Config, plan: &PlanFile, path: &Path) -> Result<Settings, Error> {
    let (source, target) = config.guids()?;
    for (side, configured, planned) in [
        ("source", source, &plan.source),
        ("target", target, &plan.target),
    ] {
        if let Some(configured) = configured.filter(|configured| configured != planned) {
            return Err(elsewhere(path, side, &configured, planned));
        }
    }
    let origin = format!("plan {}", plan.id);
    let guids = Collected::default()
        .text("source.guid", Some(&plan.source.to_string()))
        .text("target.guid", Some(&plan.target.to_string()));
    let config = config.with(&guids.given());
    let config = config
        .with_values(&plan.settings, &origin)
        .map_err(|key| refused(path, &format!("it sets {key}, which does not exist")))?;
    Ok(config.settings()?)
}

fn elsewhere(path: &Path, side: &str, configured: &Guid, planned: &Guid) -> Error {
    Error::Usage {
        message: format!(
            "{} is a plan for the {side} {planned}, and {configured} is configured",
            path.display()
        ),
        hint: Some(format!(
            "leave the {side} out, or make a plan for {configured}"
        )),
    }
}

/// The runs that began to apply a plan. One that came to its end is the only one that does.
async fn attempts(store: &Store, plan: &PlanFile) -> Result<Vec<RunId>, Error> {
    let mut runs = store.runs(run_lookup::ALL).await?;
    runs.retain(|run| run.options["plan"] == plan.id.as_str());
    let applied = runs.iter().find(|run| run.end == Some(RunEnd::Complete));
    let Some(applied) = applied else {
        return Ok(runs.into_iter().map(|run| run.run).collect());
    };
    Err(Error::Usage {
        message: format!(
            "plan {} was applied by run {} already",
            plan.id, applied.run
        ),
        hint: Some(
            "make a new plan for what changed since; `lockgate retry` tries again what failed"
                .to_owned(),
        ),
    })
}
