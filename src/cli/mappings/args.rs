//! The subcommands, and the flags that they share.

use std::io::Write;

use clap::{Args, Subcommand};

use super::super::args::{Collected, EngineArgs, FileArgs, InstanceArgs, OutputArgs};
use super::super::run_lookup;
use super::{check, export, import, list, rebuild};
use crate::config::{Config, OutputMode, Settings};
use crate::domain::Guid;
use crate::error::{Error, ExitStatus};
use crate::store::{Pair, Store};

/// Lists, imports, exports, checks and rebuilds the mappings of a pair of instances
///
/// A mapping says which entity of the target is the counterpart of which one of the source. Runs keep mappings by
/// themselves; these commands are for a pair that another tool has filled, and for one that lost its state.
#[derive(Clone, Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Examples:
  lockgate mappings import --dry-run          what the mapping folder of the official CLI holds, and what is wrong in it
  lockgate mappings import                    takes it into the state
  lockgate mappings check                     compares the state with both instances
  lockgate mappings rebuild                   recognises counterparts without any mapping
  lockgate mappings export agility-files      back to the official CLI

The instances come from --source and --target, lockgate.toml or the environment, as for `lockgate sync`."
)]
pub(in crate::cli) struct MappingsArgs {
    #[command(subcommand)]
    command: MappingsCommand,
}

/// What can be done with mappings.
#[derive(Clone, Debug, Subcommand)]
enum MappingsCommand {
    List(Box<list::ListArgs>),
    Import(Box<import::ImportArgs>),
    Export(Box<export::ExportArgs>),
    Check(Box<check::CheckArgs>),
    Rebuild(Box<rebuild::RebuildArgs>),
}

/// Carries out a subcommand.
///
/// # Errors
/// [`Error`] when the state or an instance cannot be used; what was found is in the status.
pub(in crate::cli) async fn run(
    args: MappingsArgs,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    match args.command {
        MappingsCommand::List(args) => list::run(&args, out).await,
        MappingsCommand::Import(args) => import::run(&args, out).await,
        MappingsCommand::Export(args) => export::run(&args).await,
        MappingsCommand::Check(args) => check::run(&args, out).await,
        MappingsCommand::Rebuild(args) => rebuild::run(&args, out).await,
    }
}

/// Flags of every command about a pair.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct PairArgs {
    #[command(flatten)]
    pub(super) instances: InstanceArgs,
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    file: FileArgs,
}

impl PairArgs {
    /// What these flags set.
    pub(super) fn collect(&self) -> Collected {
        let collected = self.instances.collect(Collected::default());
        self.output.collect(self.engine.collect(collected))
    }

    /// All layers, with `collected` on top.
    pub(super) fn load(&self, collected: Collected) -> Result<Config, Error> {
        self.file.load(collected)
    }

    /// All layers, these flags on top.
    pub(super) fn config(&self) -> Result<Config, Error> {
        self.load(self.collect())
    }

    /// The same between two instances that were found elsewhere.
    pub(super) fn between(&self, source: &Guid, target: &Guid) -> Result<Config, Error> {
        let instances = self.instances.between(source.as_str(), target.as_str());
        let collected = instances.collect(Collected::default());
        self.load(self.output.collect(self.engine.collect(collected)))
    }
}

/// The settings of a command that looks at both instances as a whole: what narrows a run down does not count, nor does the
/// folder of the official CLI, unless the command is about it.
pub(super) fn whole(config: &Config) -> Result<Settings, Error> {
    let mut settings = config.settings()?;
    settings.sync.locales.clear();
    settings.sync.official_mappings = false;
    Ok(settings)
}

/// The pair that the configuration names, else that of the latest run.
pub(super) async fn pair(config: &Config, store: &Store) -> Result<Pair, Error> {
    if let (Some(source), Some(target)) = config.guids()? {
        return Ok(Pair { source, target });
    }
    let between = run_lookup::between(config)?;
    Ok(run_lookup::find(store, "last", between).await?.pair)
}

/// Whether rows are printed as JSON.
pub(super) fn is_json(config: &Config) -> Result<bool, Error> {
    Ok(config.output()?.mode == OutputMode::Json)
}
