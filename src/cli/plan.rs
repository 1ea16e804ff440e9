//! `lockgate plan`: what a sync would do, without doing it.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::args::OutputArgs;
use super::overview::overview;
use super::planning::{self, MediaHashes, PlanningArgs};
use super::{agree, pager, plan_file, targets};
use crate::config::{Config, OutputMode, Settings};
use crate::engine::{Decided, RunError, Unplaced};
use crate::error::{Error, ExitStatus};
use crate::plan::Intended;
use crate::report::{self, graph};

/// Shows what a sync would change, and why
///
/// Lists by kind and container what is created, overwritten, adopted or in conflict, with the fields that change, what is
/// removed with them, what is published, and what it costs. Reads both instances and decides as `lockgate sync` does, then stops: nothing is sent to the target and nothing is
/// noted in the state. `lockgate sync --dry-run` goes further and rehearses the uploads as well. Ends as a run would, as far
/// as a plan can know: with 1 when something is certain to fail, with 5 when there are conflicts, else with 0.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  lockgate plan --source 1a2b3c4d-u --target 5e6f7a8b-u
      what changes in each entity that is not just left as it is
  lockgate plan --source 1a2b3c4d-u --target 5e6f7a8b-u --format markdown > comment.md
      the same for a comment on a pull request
  lockgate plan --source 1a2b3c4d-u --target 5e6f7a8b-u --output json > plan.json
  lockgate plan --target qa --target prod
      one plan for each of two targets; as JSON one document after the other
  lockgate plan --source 1a2b3c4d-u --target 5e6f7a8b-u --out release.plan
      keeps it, to be looked at, agreed to, and carried out by `lockgate apply release.plan`")]
pub(super) struct PlanArgs {
    #[command(flatten)]
    planning: PlanningArgs,
    /// Output format [default: text; json with --output json]
    #[arg(long, value_name = "FORM", help_heading = "Plan")]
    format: Option<Form>,
    /// Print long text at once instead of in a pager (PAGER, else less)
    #[arg(long, help_heading = "Plan")]
    no_pager: bool,
    /// Write the plan to this file, for `lockgate apply`
    #[arg(long, value_name = "FILE", help_heading = "Plan")]
    out: Option<PathBuf>,
    /// End with 6 when the plan has something to do and nothing is worse than that
    #[arg(long, help_heading = "Plan")]
    detailed_exitcode: bool,
    /// Look up the hashes of new and replaced files
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Plan"
    )]
    media_hashes: MediaHashes,
    #[command(flatten)]
    output: OutputArgs,
}

/// A form of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// for people: what changes in each entity
    Text,
    /// every entity, machine-readable
    Json,
    /// for a comment on a pull request, at most 60,000 characters
    Markdown,
    /// single HTML page
    Html,
}

impl PlanArgs {
    fn form(&self, settings: &Settings) -> Form {
        let is_json = settings.output.mode == OutputMode::Json;
        let otherwise = if is_json { Form::Json } else { Form::Text };
        self.format.unwrap_or(otherwise)
    }

    /// Refuses what several plans cannot be: one page, or one file.
    fn check_forms(&self, each: &[Settings]) -> Result<(), Error> {
        let several = each.len() > 1;
        let is_page = each.first().map(|settings| self.form(settings)) == Some(Form::Html);
        let what = match (several, is_page, &self.out) {
            (true, true, _) => "--format html",
            (true, _, Some(_)) => "--out",
            _ => return Ok(()),
        };
        Err(Error::Usage {
            message: format!("{what} takes one target, and there are {}", each.len()),
            hint: Some("make a plan for each target by itself".to_owned()),
        })
    }

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
    let each = args.config()?.of_each_target()?;
    let settings = each.iter().map(Config::settings);
    let settings = settings.collect::<Result<Vec<_>, _>>()?;
    args.check_forms(&settings)?;
    let outlooks = planning::outlooks(&settings, Vec::new(), args.media_hashes).await?;
    let is_alone = each.len() == 1;
    let mut worst = ExitStatus::Agreed;
    for ((config, settings), outlook) in each.iter().zip(&settings).zip(outlooks) {
        let label = settings.target.label();
        let ended = match outlook {
            Ok(outlook) => {
                if !is_alone && args.form(settings) == Form::Text {
                    writeln!(out, "{label}:")?;
                }
                Box::pin(one(args, (config, settings), &outlook, out)).await
            }
            Err(error) => Err(error),
        };
        let status = match ended {
            Ok(status) => status,
            Err(error) if is_alone => return Err(error),
            Err(error) => {
                targets::complain(label, &error)?;
                error.exit_code()
            }
        };
        worst = worst.or(status);
    }
    Ok(worst)
}

/// Prints the plan for one target.
async fn one(
    args: &PlanArgs,
    (config, settings): (&Config, &Settings),
    outlook: &Decided,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    let form = args.form(settings);
    let ended = write(form, settings, outlook, !args.no_pager, out).await;
    if ended.is_ok() && outlook.plan.is_target_unknown() && !settings.sync.create_unmatched {
        return Err(RunError::from(Unplaced::of(&outlook.plan)).into());
    }
    ended?;
    if let Some(path) = &args.out {
        plan_file::write(path, (config, settings), outlook)?;
    }
    if let Some(broken) = agree::broken_gates(settings, outlook) {
        return Err(broken.into());
    }
    let intended = || outlook.plan.entities.iter().filter_map(Intended::of);
    let mut status = status_of(intended());
    if outlook.prune.conflicts() > 0 {
        status = status.or(ExitStatus::Conflicts);
    }
    let deletes = outlook.prune.deletes().next().is_some();
    if args.detailed_exitcode && (deletes || intended().any(Intended::is_change)) {
        return Ok(status.or(ExitStatus::Changes));
    }
    Ok(status)
}

async fn write(
    form: Form,
    settings: &Settings,
    outlook: &Decided,
    may_page: bool,
    out: &mut (dyn Write + Send),
) -> Result<(), Error> {
    let overview = overview(settings, outlook);
    match form {
        Form::Json => {
            let mut out = std::io::BufWriter::new(out);
            graph::write_plan(&mut out, &outlook.plan, &outlook.source, Some(&overview))?;
            Ok(())
        }
        Form::Text => {
            let text = report::overview::text(&overview, pager::look(settings));
            pager::show(&text, settings, may_page, out).await
        }
        Form::Markdown => print(&report::overview::markdown(&overview), out),
        Form::Html => print(&report::overview::html(&overview), out),
    }
}

fn print(text: &str, out: &mut (dyn Write + Send)) -> Result<(), Error> {
    out.write_all(text.as_bytes())?;
    out.flush()?;
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
        | Intended::LeftAlone
        | Intended::Delete => ExitStatus::Agreed,
    };
    intended
        .map(of_one)
        .fold(ExitStatus::Agreed, ExitStatus::or)
}
