//! `lockgate verify`: compares without writing.

use std::io::Write;

use clap::Args;

use super::args::{Collected, EngineArgs, FileArgs, InstanceArgs, OutputArgs, SelectionArgs};
use super::session::Work;
use super::sync::MatchingArgs;
use super::targets;
use crate::config::{Config, OutputMode, Settings};
use crate::domain::shown_name;
use crate::engine::Difference;
use crate::error::{Error, ExitStatus};

/// Compares the target with the source, entity by entity, and writes nothing
///
/// Finds what is missing, duplicate or dangling, references that point elsewhere, fields that differ, wrong
/// order, wrong parents, different bytes and wrong mappings of the state. Any difference ends with exit code 1.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  lockgate verify --source 1a2b3c4d-u --target 5e6f7a8b-u
  lockgate verify --target qa --target prod
  lockgate verify --source 1a2b3c4d-u --target 5e6f7a8b-u --output json")]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    instances: InstanceArgs,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    matching: MatchingArgs,
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    file: FileArgs,
}

impl VerifyArgs {
    /// All layers, these flags on top.
    pub(super) fn config(&self) -> Result<Config, Error> {
        let collected = self.instances.collect(Collected::default());
        let collected = self.matching.collect(collected);
        let collected = self.engine.collect(self.selection.collect(collected));
        self.file.load(self.output.collect(collected))
    }
}

/// Runs a verification.
///
/// # Errors
/// [`Error`] when an instance could not be read; differences are in the status.
pub(super) async fn run(
    each: Vec<Settings>,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    targets::warn(&each);
    let Some(first) = each.first() else {
        return Ok(ExitStatus::Agreed);
    };
    let ended = targets::run(&each, &Work::Verify).await?;
    // The JSON form has them among its events.
    if first.output.mode != OutputMode::Json {
        for (settings, ended) in each.iter().zip(&ended) {
            let report = ended.outcome.as_ref().map(|(_, report)| report);
            let found = report.ok().and_then(|report| report.differences.as_deref());
            let label = (each.len() > 1).then(|| settings.target.label());
            list(label, found.unwrap_or_default(), out)?;
        }
    }
    targets::conclude(&each, ended, out)
}

/// One row for every difference; nothing where there is none. `label` names one of several targets.
fn list(
    label: Option<&str>,
    differences: &[Difference],
    out: &mut (dyn Write + Send),
) -> Result<(), Error> {
    if differences.is_empty() {
        return Ok(());
    }
    if let Some(label) = label {
        writeln!(out, "{label}:")?;
    }
    let rows = differences.iter().map(|found| {
        let difference = found.difference.name().to_owned();
        [
            difference,
            found.key.to_string(),
            shown_name(&found.name).into_owned(),
            found.detail.clone(),
        ]
    });
    let header = ["difference", "entity", "name", "detail"];
    writeln!(out, "{}", super::table::table(header, rows))?;
    out.flush()?;
    Ok(())
}
