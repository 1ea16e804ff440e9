//! `lockgate plan`: what a sync would do, without doing it.

use std::io::Write;

use clap::Args;

use super::args::OutputArgs;
use super::planning::{self, Outlook, PlanningArgs};
use super::rehearsal;
use crate::config::{OutputMode, Settings};
use crate::engine::{RunError, Unplaced};
use crate::error::{Error, ExitStatus};
use crate::plan::{Action, Plan};
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
    ended?;
    Ok(status_of(&outlook.plan))
}

fn write(
    settings: &Settings,
    outlook: &Outlook,
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
        report::tell(&sum(&outlook.plan));
    }
    Ok(())
}

/// What a run would end with at best.
fn status_of(plan: &Plan) -> ExitStatus {
    let of_action = |action: &Action| match action {
        Action::Fail { .. } | Action::Block { .. } => ExitStatus::Failed,
        Action::Conflict { .. } => ExitStatus::Conflicts,
        Action::Create { .. }
        | Action::Update { .. }
        | Action::Adopt { .. }
        | Action::Unchanged { .. }
        | Action::OutOfScope => ExitStatus::Agreed,
    };
    let planned = plan
        .entities
        .iter()
        .map(|planned| of_action(&planned.action));
    planned.fold(ExitStatus::Agreed, ExitStatus::or)
}

/// `plan: 12 create, 140 unchanged; 3 content levels, 1 cycle resolved by deferring 2 references`.
fn sum(plan: &Plan) -> String {
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
    format!(
        "plan: {counts}; content levels: {levels}, cycles: {cycles}, references cut in them: {cuts}"
    )
}
