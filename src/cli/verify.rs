//! `lockgate verify`: compares without writing.

use std::io::Write;

use clap::Args;

use super::args::{Collected, EngineArgs, FileArgs, InstanceArgs, OutputArgs, SelectionArgs};
use super::ends::Ends;
use super::session::{self, Work};
use super::sync::MatchingArgs;
use crate::config::{Config, OutputMode, Settings};
use crate::domain::shown_name;
use crate::engine::Difference;
use crate::error::{Error, ExitStatus};
use crate::store::Store;

/// Compares the target with the source, entity by entity, and writes nothing
///
/// Finds what is missing, duplicate or dangling, references that point elsewhere, fields that differ, wrong
/// order, wrong parents, different bytes and wrong mappings of the state. Any difference ends with exit code 1.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  lockgate verify --source 1a2b3c4d-u --target 5e6f7a8b-u
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
    settings: Settings,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    session::warn(&settings);
    let ends = Ends::of(&settings)?;
    let store = Store::open(&settings.paths.state).await?;
    let (status, report) = session::run(&settings, ends, store, Work::Verify).await?;
    // The JSON form has them among its events.
    if settings.output.mode != OutputMode::Json {
        list(&report.differences.unwrap_or_default(), out)?;
    }
    Ok(status)
}

/// One row for every difference; nothing where there is none.
fn list(differences: &[Difference], out: &mut (dyn Write + Send)) -> Result<(), Error> {
    if differences.is_empty() {
        return Ok(());
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
