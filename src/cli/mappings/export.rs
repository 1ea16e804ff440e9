//! `lockgate mappings export`: back to the form of the official CLI.

use std::collections::HashMap;
use std::path::PathBuf;

use clap::Args;

use super::super::{planning, run_lookup};
use super::args::{PairArgs, pair, whole};
use crate::domain::{EntityKey, Version};
use crate::engine::Decided;
use crate::error::{Error, ExitStatus};
use crate::plan::{Action, Planned};
use crate::report;
use crate::snapshot::{Exported, WriteError, official_folder, write_pair};
use crate::store::Mapping;

/// Writes the mappings of a pair as the official CLI keeps them
///
/// Writes FOLDER/mappings/SOURCE-TARGET, each file whole or not at all. Names, addresses and dates are read from both
/// instances. A side that changed since the last agreement keeps the older date of its row, or gets none, so that the
/// change is still seen. Members that lockgate does not use are kept where the row is there already.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  lockgate mappings export agility-files
  lockgate mappings export backup --offline      ids and versions only, from the state")]
pub(super) struct ExportArgs {
    /// Root folder of the official CLI
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Do not read the instances
    #[arg(long, help_heading = "Export")]
    offline: bool,
    #[command(flatten)]
    pair: PairArgs,
}

/// Writes the folder.
///
/// # Errors
/// [`Error`] when there is no state, an instance cannot be read, or a file cannot be written.
pub(super) async fn run(args: &ExportArgs) -> Result<ExitStatus, Error> {
    let config = args.pair.config()?;
    let store = run_lookup::look(&config).await?;
    let known = async {
        let pair = pair(&config, &store).await?;
        Ok::<_, Error>((store.mappings(&pair).await?, pair))
    };
    let known = known.await;
    store.close().await;
    let (mappings, pair) = known?;
    let decided = if args.offline {
        None
    } else {
        let settings = whole(&args.pair.between(&pair.source, &pair.target)?)?;
        Some(planning::outlook(&settings).await?)
    };
    let planned = decided.as_ref().map(by_key).unwrap_or_default();
    let rows: Vec<Exported> = mappings
        .iter()
        .map(|mapping| {
            exported(
                mapping,
                decided.as_ref(),
                planned.get(&mapping.key).copied(),
            )
        })
        .collect();
    let sides = decided.as_ref().map(|both| (&*both.source, &*both.target));
    let folder = official_folder(&args.folder, &pair.source, &pair.target);
    let written = write_pair(&folder, (&pair.source, &pair.target), &rows, sides);
    let written = written.map_err(failed)?;
    if !config.output()?.quiet {
        let (rows, path) = (report::count_of(written.rows), folder.display());
        report::tell(&format!("{rows} mappings written to {path}"));
        if written.dropped > 0 {
            report::tell(&format!(
                "{} rows that were there before are gone: the state does not have them",
                report::count_of(written.dropped)
            ));
        }
    }
    Ok(ExitStatus::Agreed)
}

fn failed(error: WriteError) -> Error {
    match error {
        WriteError::Io { path, source } => Error::File { path, source },
        WriteError::Torn { .. } => Error::Usage {
            message: error.to_string(),
            hint: Some("move the file away, or export to another folder".to_owned()),
        },
    }
}

fn by_key(decided: &Decided) -> HashMap<EntityKey, &Planned> {
    let entities = decided.source.entities().iter();
    let keyed = entities.map(|entity| entity.key.clone());
    keyed.zip(&decided.plan.entities).collect()
}

fn exported(mapping: &Mapping, decided: Option<&Decided>, planned: Option<&Planned>) -> Exported {
    let is_agreed = planned.map_or([false, false], |planned| agreed(mapping, planned));
    let now = |is_agreed: bool, version: Option<Version>, before: Option<Version>| {
        version.filter(|_| is_agreed).or(before)
    };
    let here = decided.and_then(|both| both.source.get(&mapping.key)?.version);
    let key = mapping.key.with_id(mapping.target);
    let there = decided.and_then(|both| both.target.get(&key)?.version);
    Exported {
        key: mapping.key.clone(),
        target: mapping.target,
        target_name: mapping.target_name.clone(),
        versions: [
            now(is_agreed[0], here, mapping.source_version),
            now(is_agreed[1], there, mapping.target_version),
        ],
        is_agreed,
    }
}

/// Which sides are as they were at the last agreement, source first.
fn agreed(mapping: &Mapping, planned: &Planned) -> [bool; 2] {
    match planned.action {
        Action::Unchanged { .. } | Action::Adopt { .. } if !planned.left_alone => [true, true],
        Action::Unchanged { .. }
        | Action::Adopt { .. }
        | Action::Create { .. }
        | Action::Update { .. }
        | Action::Conflict { .. }
        | Action::Fail { .. }
        | Action::Block { .. }
        | Action::OutOfScope => {
            let is_same = |now: Option<_>, before: Option<_>| now.is_some() && now == before;
            [
                is_same(planned.source_hash, mapping.source_hash),
                is_same(planned.target_hash, mapping.target_hash),
            ]
        }
    }
}
