//! `lockgate sync`: the main job.

use std::io::Write;

use clap::Args;

use super::args::{Collected, EngineArgs, FileArgs, InstanceArgs, OutputArgs, SelectionArgs};
#[cfg(feature = "mock")]
use super::mocked::rehearse;
#[cfg(not(feature = "mock"))]
use super::not_mocked::rehearse;
use super::session::Work;
use super::targets;
use crate::config::{Config, Settings};
use crate::error::{Error, ExitStatus};

/// Migrates the source into the target and verifies what arrived
///
/// Reads both instances completely, decides for every entity of the source what has to happen, uploads it,
/// reads the target back and compares. Run again, it sends only what has changed since. Nothing on the target
/// is deleted without --prune. On a terminal it shows a summary of the plan and asks before it writes.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  lockgate sync --source 1a2b3c4d-u --target 5e6f7a8b-u --dry-run
      shows every action with its reason; nothing real is written
  lockgate sync --source 1a2b3c4d-u --target 5e6f7a8b-u
      migrates everything
  lockgate sync --target qa --target prod
      migrates into two targets of [targets] in lockgate.toml, side by side; the source is read once
  lockgate sync --source 1a2b3c4d-u --target 5e6f7a8b-u --models-with-deps Post --locale en-us
      migrates one model with its content, its pages and all they need, in one locale
  LOCKGATE_PRESET=ci lockgate sync --yes --output json
      for CI; instances come from lockgate.toml or the environment")]
pub(super) struct SyncArgs {
    #[command(flatten)]
    instances: InstanceArgs,
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

/// How entities are matched that the state does not know
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Policy")]
pub(super) struct MatchingArgs {
    /// Evidence that makes a content item of the target the counterpart of one of the source where the state does not
    /// say so: key (equal content, else a unique URL name or title, else the place in a list) or equal
    #[arg(long, value_name = "EVIDENCE")]
    adopt: Option<String>,
    /// Create items that were not recognised, although the target holds content that matches nothing on the source and
    /// the state knows no content of this pair
    #[arg(long)]
    create_unmatched: bool,
    /// Ignore the mapping folder of the official CLI, agility-files/mappings in the working directory
    #[arg(long)]
    no_official_mappings: bool,
}

impl MatchingArgs {
    pub(super) fn collect(&self, collected: Collected) -> Collected {
        let is_off = self.no_official_mappings;
        collected
            .text("sync.adopt", self.adopt.as_ref())
            .switch("sync.create_unmatched", self.create_unmatched, true)
            .switch("sync.official_mappings", is_off, false)
    }
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Policy")]
#[expect(clippy::struct_excessive_bools, reason = "one switch per flag")]
pub(super) struct PolicyArgs {
    /// Overwrite the target when both sides have changed; otherwise such conflicts are left alone and end
    /// with exit code 5
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    matching: MatchingArgs,
    /// Publish on the target what is published on the source: content, pages or both
    #[arg(long, value_name = "WHAT", num_args = 0..=1, require_equals = true, default_missing_value = "both")]
    publish: Option<String>,
    /// Delete on the target what the source no longer has: only what a run created or found equal, what the target has not
    /// changed since, and what no other entity refers to; the rest is left alone and named
    #[arg(long)]
    prune: bool,
    /// Read both instances in full, and nothing on from an earlier reading
    #[arg(long)]
    full_read: bool,
    /// Switch off the webhooks of the target before the first write, and on again at the end
    #[arg(long)]
    pause_webhooks: bool,
    /// How to treat writes with an unknown outcome after an interrupted run: report (list them) or resend (they are
    /// known to be absent)
    #[arg(long, value_name = "POLICY")]
    unknown_outcome: Option<String>,
    /// Stop at the first failure, after in-flight requests finish
    #[arg(long)]
    fail_fast: bool,
    /// Skip verification
    #[arg(long)]
    no_verify: bool,
    /// Do not ask before writing, as with sync.ask = never
    #[arg(long, short)]
    yes: bool,
    /// Simulate against an in-memory copy of the target; nothing is written
    #[arg(long, short = 'n')]
    dry_run: bool,
}

impl PolicyArgs {
    pub(super) fn collect(&self, collected: Collected) -> Collected {
        self.matching
            .collect(collected)
            .switch("sync.overwrite", self.overwrite, true)
            .text("sync.publish", self.publish.as_ref())
            .switch("sync.prune", self.prune, true)
            .text(
                "sync.full_read_every",
                self.full_read.then(|| "1".to_owned()).as_ref(),
            )
            .switch("sync.pause_webhooks", self.pause_webhooks, true)
            .text("sync.unknown_outcome", self.unknown_outcome.as_ref())
            .switch("sync.fail_fast", self.fail_fast, true)
            .switch("sync.verify", self.no_verify, false)
            .switch("sync.dry_run", self.dry_run, true)
            .text("sync.ask", self.yes.then(|| "never".to_owned()).as_ref())
    }
}

impl SyncArgs {
    /// All layers, these flags on top.
    pub(super) fn config(&self) -> Result<Config, Error> {
        self.file.load(self.collect())
    }

    pub(super) fn collect(&self) -> Collected {
        let collected = self.instances.collect(Collected::default());
        let collected = self.policy.collect(self.selection.collect(collected));
        self.output.collect(self.engine.collect(collected))
    }
}

/// Runs a migration into each target, or rehearses it.
///
/// # Errors
/// [`Error`] when the run could not start or could not continue; entities that failed are in the status.
pub(super) async fn run(
    each: Vec<Settings>,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    let work = Work::Sync {
        command: "sync",
        is_agreed: false,
    };
    begin(each, work, out).await
}

/// Does some work between the source and each target of the settings, or rehearses it.
///
/// # Errors
/// As [`run`].
pub(super) async fn begin(
    each: Vec<Settings>,
    work: Work,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    targets::warn(&each);
    let Some(first) = each.first() else {
        return Ok(ExitStatus::Agreed);
    };
    if first.sync.dry_run {
        return rehearse(&each, &work, out).await;
    }
    let ended = targets::run(&each, &work).await?;
    targets::conclude(&each, ended, out)
}
