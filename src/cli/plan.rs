//! `lockgate plan`: what a sync would do, without doing it.

use std::io::Write;

use clap::Args;

use super::args::OutputArgs;
use super::planning::{self, Outlook, PlanningArgs};
use super::rehearsal;
use crate::config::{OutputMode, Settings};
use crate::engine::{RunError, Unplaced};
use crate::error::{Error, ExitStatus};
use crate::plan::Plan;
use crate::report::graph;

/// Shows what a sync would do to every entity, and why
///
/// Reads both instances and decides as `lockgate sync` does, then stops: nothing is sent to the target and nothing is
/// noted in the state. `lockgate sync --dry-run` goes further and rehearses the uploads as well.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  lockgate plan --source 1a2b3c4d-u --target 5e6f7a8b-u
      a line for each entity that is not just left as it is
  lockgate plan --source 1a2b3c4d-u --target 5e6f7a8b-u --output json > plan.json")]
pub(super) struct PlanArgs {
    #[command(flatten)]
    planning: PlanningArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl PlanArgs {
    /// All layers, these flags on top.
    pub(super) fn settings(&self) -> Result<Settings, Error> {
        let collected = self.output.collect(self.planning.collect());
        Ok(self.planning.file.load(collected)?.settings()?)
    }
}

/// Plans and prints.
///
/// # Errors
/// [`Error`] when no plan could be made or printed.
pub(super) async fn run(
    settings: &Settings,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    let outlook = planning::outlook(settings).await?;
    let ended = write(settings, &outlook, out);
    if ended.is_ok() && outlook.plan.is_target_unknown() && !settings.sync.create_unmatched {
        return Err(RunError::from(Unplaced::of(&outlook.plan)).into());
    }
    ended
}

fn write(
    settings: &Settings,
    outlook: &Outlook,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    if settings.output.mode == OutputMode::Json {
        let mut out = std::io::BufWriter::new(out);
        graph::write_plan(&mut out, &outlook.plan, &outlook.source)?;
        return Ok(ExitStatus::Agreed);
    }
    let none = rehearsal::Failures::default();
    rehearsal::list((&outlook.plan, &outlook.source), &none, out)?;
    if !settings.output.quiet {
        // Nobody is left to be told when standard error is gone.
        drop(writeln!(std::io::stderr(), "{}", sum(&outlook.plan)));
    }
    Ok(ExitStatus::Agreed)
}

/// `plan: 12 create, 140 unchanged; 3 content levels, 1 circle opened by cutting 2 references`.
fn sum(plan: &Plan) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for planned in &plan.entities {
        let name = planned.action.name();
        match counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => counts.push((name, 1)),
        }
    }
    let counts: Vec<String> = counts
        .into_iter()
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    let (levels, circles, cuts) = (plan.levels, plan.circles.len(), plan.cuts());
    let counts = counts.join(", ");
    format!(
        "plan: {counts}; content levels: {levels}, circles: {circles}, references cut in them: {cuts}"
    )
}
