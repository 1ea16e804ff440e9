//! `lockgate verify`: compares without writing.

use clap::Args;

use super::args::{Collected, EngineArgs, FileArgs, InstanceArgs, OutputArgs, SelectionArgs};
use super::session::{self, Ends, Work};
use crate::config::{Config, Settings};
use crate::error::{Error, ExitStatus};
use crate::store::Store;

/// Compares the target with the source, entity by entity, and writes nothing
///
/// Finds what is missing, duplicate or dangling, references that point elsewhere, fields that differ, wrong
/// order, wrong parents and different bytes. Any difference ends with exit code 1.
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
        let collected = self.engine.collect(self.selection.collect(collected));
        self.file.load(self.output.collect(collected))
    }
}

/// Runs a verification.
///
/// # Errors
/// [`Error`] when an instance could not be read; differences are in the status.
pub(super) async fn run(settings: Settings) -> Result<ExitStatus, Error> {
    session::warn(&settings);
    let ends = Ends::of(&settings)?;
    let store = Store::open(&settings.paths.state).await?;
    session::run(&settings, ends, store, Work::Verify)
        .await
        .map(|(status, _)| status)
}
