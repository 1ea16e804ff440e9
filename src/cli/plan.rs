//! `lockgate plan`: what a sync would do, without doing it.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::args::OutputArgs;
use super::planning::{self, PlanningArgs};
use super::{plan_file, rehearsal};
use crate::config::{Config, OutputMode, Settings};
use crate::engine::{Decided, RunError, Unplaced};
use crate::error::{Error, ExitStatus};
use crate::plan::{Intended, Plan, Uploads};
use crate::report::count_of;
use crate::report::{self, graph};

/// Shows what a sync would do to every entity, and why
///
/// Reads both instances and decides as `lockgate sync` does, then stops: nothing is sent to the target and nothing is
/// noted in the state. `lockgate sync --dry-run` goes further and rehearses the uploads as well. Ends as a run would, as far
/// as a plan can know: with 1 when something is certain to fail, with 5 when there are conflicts, else with 0.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  lockgate plan --source 1a2b3c4d-u --target 5e6f7a8b-u
      a line for each entity that is not just left as it is
  lockgate plan --source 1a2b3c4d-u --target 5e6f7a8b-u --output json > plan.json
  lockgate plan --source 1a2b3c4d-u --target 5e6f7a8b-u --out release.plan
      keeps it, to be looked at, agreed to, and carried out by `lockgate apply release.plan`")]
pub(super) struct PlanArgs {
    #[command(flatten)]
    planning: PlanningArgs,
    /// Write the plan to this file, for `lockgate apply`
    #[arg(long, value_name = "FILE", help_heading = "Plan")]
    out: Option<PathBuf>,
    /// End with 6 when the plan has something to do and nothing is worse than that
    #[arg(long, help_heading = "Plan")]
    detailed_exitcode: bool,
    #[command(flatten)]
    output: OutputArgs,
}

impl PlanArgs {
    /// All layers, these flags on top.
    fn config(&self) -> Result<Config, Error> {
        let collected = self.output.collect(self.planning.collect());
        self.planning.file.load(collected)
    }
}

/// Plans, prints, and writes the plan to a file where one is named.
///
/// # Errors
/// [`Error`] when no plan could be made, printed or written.
pub(super) async fn run(
    args: &PlanArgs,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    let config = args.config()?;
    let settings = config.settings()?;
    let outlook = planning::outlook(&settings).await?;
    let ended = write(&settings, &outlook, out);
    if ended.is_ok() && outlook.plan.is_target_unknown() && !settings.sync.create_unmatched {
        return Err(RunError::from(Unplaced::of(&outlook.plan)).into());
    }
    ended?;
    if let Some(path) = &args.out {
        plan_file::write(path, (&config, &settings), &outlook)?;
    }
    let intended = || outlook.plan.entities.iter().filter_map(Intended::of);
    let status = status_of(intended());
    if args.detailed_exitcode && intended().any(Intended::is_change) {
        return Ok(status.or(ExitStatus::Changes));
    }
    Ok(status)
}

fn write(
    settings: &Settings,
    outlook: &Decided,
    out: &mut (dyn Write + Send),
) -> Result<(), Error> {
    if settings.output.mode == OutputMode::Json {
        let mut out = std::io::BufWriter::new(out);
        graph::write_plan(&mut out, &outlook.plan, &outlook.source)?;
        return Ok(());
    }
    let none = rehearsal::Failures::default();
    rehearsal::list((&outlook.plan, &outlook.source), &none, &[], out)?;
    if !settings.output.quiet {
        let uploads = Uploads::of(&outlook.plan, &outlook.source, settings.upload);
        report::tell(&sum(&outlook.plan, &uploads));
    }
    Ok(())
}

/// What a run that carries this out would end with at best.
pub(super) fn status_of(intended: impl Iterator<Item = Intended>) -> ExitStatus {
    let of_one = |intended| match intended {
        Intended::Failed | Intended::Blocked => ExitStatus::Failed,
        Intended::Conflict => ExitStatus::Conflicts,
        Intended::Create
        | Intended::Update
        | Intended::Adopt
        | Intended::Unchanged
        | Intended::LeftAlone => ExitStatus::Agreed,
    };
    intended
        .map(of_one)
        .fold(ExitStatus::Agreed, ExitStatus::or)
}

/// `plan: 12 create, 140 unchanged; content levels: 3, cycles: 1, references cut in them: 2; files: 7 in 2 uploads`.
fn sum(plan: &Plan, uploads: &Uploads) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for planned in &plan.entities {
        let name = planned.name();
        match counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => counts.push((name, 1)),
        }
    }
    let counts: Vec<String> = counts
        .into_iter()
        .map(|(name, count)| format!("{} {name}", count_of(count)))
        .collect();
    let (levels, cycles) = (plan.levels, count_of(plan.cycles.len()));
    let cuts = count_of(plan.cuts());
    let counts = counts.join(", ");
    let files = match uploads.files {
        0 => String::new(),
        files => format!(
            "; files: {} in {} uploads",
            count_of(files),
            count_of(uploads.requests)
        ),
    };
    format!(
        "plan: {counts}; content levels: {levels}, cycles: {cycles}, references cut in them: {cuts}{files}"
    )
}
