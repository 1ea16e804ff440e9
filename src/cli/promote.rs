//! `lockgate promote`: a chain of migrations, each hop from the target of the one before.
//!
//! A hop begins when a new plan of the hop before finds nothing left to do: the target shows everything as it was written, on the
//! way that the next hop reads it. What a target shows may lag behind what was saved, and a source that was read too
//! early would look as if entities had been deleted.

use std::collections::HashSet;
use std::io::Write;
use std::time::Duration;

use clap::Args;
use tokio::time::Instant;

use super::args::{AccessArgs, Collected, EngineArgs, FileArgs, OutputArgs, SelectionArgs};
use super::ends::Ends;
use super::pairs::{self, Ended};
use super::planning::Again;
use super::session::Work;
use super::sync::PolicyArgs;
use super::{run_lookup, stop, targets};
use crate::config::{Config, Settings};
use crate::domain::EntityKey;
use crate::engine::{Decided, PullError, RunError, RunReport};
use crate::error::{Error, ExitStatus};
use crate::plan::{Action, Planned};
use crate::report;

/// Migrates along a chain of instances, one hop after the other
///
/// Each instance is a name in [targets] of lockgate.toml, or a GUID that is reached with the common token. After each hop the
/// command waits until the target shows everything that was written: the state of publishing first, then a plan of the same hop
/// that finds nothing to do. A hop that ends with another exit code than 0 ends the chain with that code. Run again, the
/// chain sends only what has changed since.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  lockgate promote dev..qa..prod
      migrates dev into qa, then qa into prod
  lockgate promote dev..qa..prod --publish --yes
      publishes on the way, and does not ask
  lockgate promote qa..prod --models-with-deps Post --continue-on-conflict")]
pub(super) struct PromoteArgs {
    /// The instances, at least two, with .. between them
    #[arg(value_name = "FROM..TO")]
    chain: String,
    /// Go on with the next hop where a hop ends with conflicts only (exit code 5)
    #[arg(long, help_heading = "Policy")]
    continue_on_conflict: bool,
    /// Seconds after a hop until its target must show everything that was written
    #[arg(long, value_name = "SECONDS", default_value_t = 600, help_heading = "Engine", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    wait: u64,
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

/// Between two looks at a target, at first and at most.
const FIRST_LOOK: Duration = Duration::from_millis(500);
const LOOKS_APART: Duration = Duration::from_secs(10);

/// Entities that are named where the wait was in vain.
const NAMED: usize = 3;

impl PromoteArgs {
    /// All layers, these flags on top.
    fn config(&self) -> Result<Config, Error> {
        let collected = self.access.collect(Collected::default());
        let collected = self.policy.collect(self.selection.collect(collected));
        self.file
            .load(self.output.collect(self.engine.collect(collected)))
    }

    /// The settings of each hop, all of them checked before the first one begins.
    fn hops(&self) -> Result<Vec<Settings>, Error> {
        let names = names(&self.chain)?;
        let config = self.config()?;
        let hops = names
            .windows(2)
            .map(|ends| config.between(ends[0], ends[1]).settings());
        let hops = hops.collect::<Result<Vec<_>, _>>()?;
        let Some(first) = hops.first() else {
            return Err(too_short(&self.chain));
        };
        if first.sync.dry_run {
            return Err(Error::Usage {
                message: "a chain has no dry run: what a later hop does depends on what the earlier ones have written"
                    .to_owned(),
                hint: Some(format!(
                    "rehearse one hop: lockgate sync --source {} --target {} --dry-run",
                    names[0], names[1]
                )),
            });
        }
        let has_ids = !first.sync.content.is_empty() || !first.sync.pages.is_empty();
        if hops.len() > 1 && has_ids {
            return Err(Error::Usage {
                message: "ids select on one source only, and a chain has several".to_owned(),
                hint: Some(
                    "name containers, titles or paths instead, such as --content articles or --pages /news/**"
                        .to_owned(),
                ),
            });
        }
        Ok(hops)
    }
}

fn too_short(chain: &str) -> Error {
    Error::Usage {
        message: format!("{chain:?} is not a chain of instances"),
        hint: Some("name at least two instances, each once, such as dev..qa..prod".to_owned()),
    }
}

/// The instances of a chain.
fn names(chain: &str) -> Result<Vec<&str>, Error> {
    let names: Vec<&str> = chain.split("..").map(str::trim).collect();
    let mut seen = HashSet::new();
    let is_chain = names.len() > 1
        && names
            .iter()
            .all(|name| !name.is_empty() && seen.insert(*name));
    if is_chain {
        Ok(names)
    } else {
        Err(too_short(chain))
    }
}

/// Carries out a chain.
///
/// # Errors
/// [`Error`] when a hop could not begin or not continue, or its target does not show what was written.
pub(super) async fn run(
    args: &PromoteArgs,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    let hops = args.hops()?;
    targets::warn(&hops);
    let (mut labels, mut ended) = (Vec::new(), Vec::new());
    for (at, hop) in hops.iter().enumerate() {
        let label = format!("{}..{}", hop.source.label(), hop.target.label());
        say(hop, &format!("hop {} of {}: {label}", at + 1, hops.len()));
        let one = pair(hop).await;
        labels.push((label.clone(), hop.target.guid.to_string()));
        let goes_on = match one.status() {
            ExitStatus::Agreed => true,
            ExitStatus::Conflicts => args.continue_on_conflict,
            ExitStatus::Failed
            | ExitStatus::Usage
            | ExitStatus::Unreachable
            | ExitStatus::State
            | ExitStatus::Changes
            | ExitStatus::Internal
            | ExitStatus::Interrupted => false,
        };
        let waited = match &one.outcome {
            Ok((_, report)) if goes_on => {
                until_shown(hop, report, Duration::from_secs(args.wait)).await
            }
            Ok(_) | Err(_) => Ok(()),
        };
        ended.push(one);
        if let Err(error) = waited {
            targets::summarise("chain-finished", &labels, &ended, hop, out)?;
            return Err(error);
        }
        if !goes_on {
            if at + 1 < hops.len() {
                report::tell(&format!(
                    "the chain ends after {label}; next: deal with that, then run the same command again: what has arrived is not sent again"
                ));
            }
            break;
        }
    }
    let Some(last) = hops.first() else {
        return Ok(ExitStatus::Agreed);
    };
    let worst = targets::summarise("chain-finished", &labels, &ended, last, out)?;
    match ended.pop() {
        Some(Ended {
            outcome: Err(error),
            ..
        }) => Err(error),
        Some(_) | None => Ok(worst),
    }
}

fn say(settings: &Settings, line: &str) {
    if !settings.output.quiet {
        report::tell(line);
    }
}

/// One hop.
async fn pair(settings: &Settings) -> Ended {
    let work = Work::Sync {
        command: "promote",
        is_agreed: false,
    };
    let carried_out = async {
        let ends = Ends::of(settings)?;
        let store = run_lookup::open_or_create(&settings.paths).await?;
        pairs::run_one(settings, ends, store, work).await
    };
    carried_out.await.unwrap_or_else(Ended::before_it_began)
}

/// Waits until the target shows what a hop wrote.
///
/// # Errors
/// [`Error::NotShown`] when it does not within `limit`; [`Error::Interrupted`]; others when it cannot be read.
async fn until_shown(
    settings: &Settings,
    report: &RunReport,
    limit: Duration,
) -> Result<(), Error> {
    tokio::select! {
        shown = shown(settings, report, limit) => shown,
        () = stop::asked() => Err(Error::Interrupted),
    }
}

async fn shown(settings: &Settings, report: &RunReport, limit: Duration) -> Result<(), Error> {
    let again = Again::new(settings, report.read.clone())?;
    let target = settings.target.label();
    let began = Instant::now();
    let mut delay = FIRST_LOOK;
    loop {
        let left = if again.is_publishing().await? {
            Left::Publishing
        } else {
            look(&again, report).await?
        };
        let waited = began.elapsed();
        match &left {
            Left::Entities(none) if none.is_empty() => {
                if delay > FIRST_LOOK {
                    let seconds = waited.as_secs();
                    say(
                        settings,
                        &format!("{target} shows everything that was written, after {seconds} s"),
                    );
                }
                return Ok(());
            }
            Left::Entities(_) | Left::Publishing | Left::Unreadable(_) => {}
        }
        if waited >= limit {
            return Err(Error::NotShown {
                target: target.to_owned(),
                what: left.to_string(),
                seconds: waited.as_secs(),
            });
        }
        say(
            settings,
            &format!(
                "waiting for {target} to show what was written: {left}; {} s so far, {} s at most",
                waited.as_secs(),
                limit.as_secs()
            ),
        );
        tokio::time::sleep(delay.min(limit.saturating_sub(waited))).await;
        delay = (delay * 2).min(LOOKS_APART);
    }
}

/// What a target does not show yet.
enum Left {
    /// It is publishing.
    Publishing,
    /// It shows a part of an instance.
    Unreadable(String),
    /// These are missing, or not as they were written.
    Entities(Vec<EntityKey>),
}

impl std::fmt::Display for Left {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Publishing => f.write_str("it is publishing"),
            Self::Unreadable(why) => f.write_str(why),
            Self::Entities(keys) => {
                let names: Vec<String> = keys.iter().take(NAMED).map(ToString::to_string).collect();
                let count = report::count_of(keys.len());
                write!(f, "{count} left, such as {}", names.join(", "))
            }
        }
    }
}

/// What a new plan of the hop still has to do.
async fn look(again: &Again<'_>, report: &RunReport) -> Result<Left, Error> {
    match again.decided().await {
        Ok(decided) => Ok(Left::Entities(unsettled(&decided, report))),
        Err(Error::Run(error)) => match *error {
            RunError::Pull(PullError::Incomplete { cause, .. }) => {
                Ok(Left::Unreadable(cause.to_string()))
            }
            error => Err(error.into()),
        },
        Err(error) => Err(error),
    }
}

/// The entities that a new plan does not find as the hop left them.
fn unsettled(decided: &Decided, hop: &RunReport) -> Vec<EntityKey> {
    // What the hop left as it was may stay so.
    let before = hop.plan.entities.iter().zip(hop.source.entities());
    let left_open: HashSet<&EntityKey> = before
        .filter(|(planned, _)| !is_settled(planned) && !planned.action.is_work())
        .map(|(_, entity)| &entity.key)
        .collect();
    let before = hop.plan.entities.iter().zip(hop.source.entities());
    let merged = before.filter(|(planned, _)| planned.merge.is_some() && planned.action.is_work());
    let merged: HashSet<&EntityKey> = merged.map(|(_, entity)| &entity.key).collect();
    let now = decided.plan.entities.iter().zip(decided.source.entities());
    let open = now
        .filter(|(planned, entity)| {
            // What was merged differs for good, so its version shows whether it has arrived.
            if merged.contains(&entity.key) {
                !is_shown(decided, &entity.key)
            } else {
                !is_settled(planned)
            }
        })
        .map(|(_, entity)| &entity.key)
        .filter(|key| !left_open.contains(key));
    let entities = decided.source.entities();
    let published = decided.published.iter().chain(&decided.withdrawn);
    let published = published.map(|node| &entities[*node as usize].key);
    let mut keys: Vec<EntityKey> = open.chain(published).cloned().collect();
    keys.sort_unstable();
    keys.dedup();
    keys.extend(decided.prune.deletes().map(|trace| trace.key.clone()));
    keys
}

/// Whether the target shows the version of an entity that the state has.
fn is_shown(decided: &Decided, key: &EntityKey) -> bool {
    let mut mappings = decided.mappings.iter();
    let mapping = mappings.find(|mapping| mapping.key == *key);
    mapping.is_some_and(|mapping| {
        let there = decided.target.get(&key.with_id(mapping.target));
        there.is_some_and(|there| there.version >= mapping.target_version)
    })
}

/// Whether an entity is on the target as it is on the source, as far as the state shows.
const fn is_settled(planned: &Planned) -> bool {
    match planned.action {
        Action::Unchanged { .. } => !planned.left_alone,
        Action::Adopt { .. } | Action::OutOfScope => true,
        Action::Create { .. }
        | Action::Update { .. }
        | Action::Conflict { .. }
        | Action::Fail { .. }
        | Action::Block { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_names_at_least_two_instances_each_once() {
        assert_eq!(names("dev..qa..prod").unwrap(), ["dev", "qa", "prod"]);
        assert_eq!(names("1a2b3c4d-u..qa").unwrap(), ["1a2b3c4d-u", "qa"]);
        for wrong in [
            "dev",
            "",
            "dev..",
            "..dev",
            "dev..dev",
            "dev....qa",
            "a..b..a",
        ] {
            let error = names(wrong).unwrap_err();
            assert!(error.hint().unwrap().contains("dev..qa..prod"), "{wrong}");
        }
    }
}
