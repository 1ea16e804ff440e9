//! `lockgate push`: a sync whose source is a folder.

use std::path::PathBuf;

use clap::Args;

use super::args::{
    AccessArgs, Collected, EngineArgs, FileArgs, OutputArgs, SelectionArgs, TargetArgs,
};
use super::pull::DIR;
use super::sync::PolicyArgs;
use crate::config::{Config, FOLDER};
use crate::error::Error;

/// Migrates a folder that `lockgate pull` wrote into the target and verifies what arrived
///
/// The same as `lockgate sync --source DIR`: the folder stands for the instance that it was read from, mappings of that instance
/// to the target are used, and only what differs is sent. Every file is checked against lockgate.json first; a folder
/// that is incomplete or altered is refused. Into the instance that it was read from it restores that instance: entities
/// are recognised by their ids, what was deleted since is created again, and with --overwrite what was changed since is
/// reverted. What was created since stays.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  lockgate push --target 5e6f7a8b-u
      fills another instance from agility-files
  lockgate push --dir backup --target 1a2b3c4d-u --dry-run
      shows what a restore of 1a2b3c4d-u would do; nothing real is written
  lockgate push --dir backup --target 1a2b3c4d-u --overwrite
      restores it
  lockgate plan --source backup --target 5e6f7a8b-u
  lockgate verify --source backup --target 5e6f7a8b-u
      a folder is a source of the other commands as well")]
pub(super) struct PushArgs {
    /// Folder that `lockgate pull` wrote; DIR/GUID where it holds several instances
    #[arg(long, value_name = "DIR", default_value = DIR, help_heading = "Folder")]
    dir: PathBuf,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    access: AccessArgs,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    file: FileArgs,
}

impl PushArgs {
    /// All layers, these flags on top.
    pub(super) fn config(&self) -> Result<Config, Error> {
        let folder = format!("{FOLDER}{}", self.dir.display());
        let collected = Collected::default().text("source.guid", Some(&folder));
        let collected = self.access.collect(self.target.collect(collected));
        let collected = self.policy.collect(self.selection.collect(collected));
        self.file
            .load(self.output.collect(self.engine.collect(collected)))
    }
}
