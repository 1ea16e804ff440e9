//! `lockgate mappings import`: the mapping folder of the official CLI.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::super::{official, planning, table};
use super::args::{PairArgs, is_json, whole};
use super::keep::{Keeping, Kept, Noted};
use crate::config::Config;
use crate::domain::{EntityKey, Guid, Id, Inventory, Kind, SourceId, TargetId};
use crate::error::{Error, ExitStatus};
use crate::plan::Recognition;
use crate::report;
use crate::snapshot::{Defect, DefectKind, OfficialRow, official_folder, pairs_of, read_pair};
use crate::store::{Mapping, Pair};

/// Takes the mapping folder of the official CLI into the state
///
/// Reads FOLDER/mappings/SOURCE-TARGET, and both instances to see which entities exist. Rows that contradict one another,
/// the state or the target are listed with file, row, reason and next step, and are not imported; all others are. An
/// imported mapping has no base, so the next plan compares both sides and writes only what differs. Ends with 1 when rows
/// were left out.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  lockgate mappings import --source 1a2b3c4d-u --target 5e6f7a8b-u --dry-run
  lockgate mappings import ../old/agility-files --all
  lockgate mappings import --offline          without a token; whether the targets exist is seen by the next plan")]
pub(super) struct ImportArgs {
    /// Root folder of the official CLI
    #[arg(value_name = "FOLDER", default_value = official::ROOT)]
    folder: PathBuf,
    /// Import every pair of instances that has a folder
    #[arg(long, help_heading = "Import")]
    all: bool,
    /// Do not read the instances
    #[arg(long, help_heading = "Import")]
    offline: bool,
    /// Report what would be imported, and write nothing
    #[arg(long, short = 'n', help_heading = "Import")]
    dry_run: bool,
    #[command(flatten)]
    pair: PairArgs,
}

/// What came of one pair.
struct Imported {
    pair: Pair,
    read: usize,
    taken: usize,
    known: usize,
    defects: Vec<Defect>,
}

/// Imports, and reports.
///
/// # Errors
/// [`Error`] when the folder, an instance or the state cannot be used; rows that were left out are in the status.
pub(super) async fn run(
    args: &ImportArgs,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    let config = args.pair.config()?;
    let is_json = is_json(&config)?;
    let mut status = ExitStatus::Agreed;
    for pair in args.pairs(&config)? {
        let done = args.import(&config, pair).await?;
        if !done.defects.is_empty() {
            status = ExitStatus::Failed;
        }
        if is_json {
            done.json(args.dry_run, out)?;
        } else {
            done.text(args, config.output()?.quiet, out)?;
        }
    }
    out.flush()?;
    Ok(status)
}

impl ImportArgs {
    /// The pairs to import.
    fn pairs(&self, config: &Config) -> Result<Vec<Pair>, Error> {
        let (source, target) = config.guids()?;
        if let (Some(source), Some(target), false) = (&source, &target, self.all) {
            let folder = official_folder(&self.folder, source, target);
            if folder.is_dir() {
                let (source, target) = (source.clone(), target.clone());
                return Ok(vec![Pair { source, target }]);
            }
        }
        let found = pairs_of(&self.folder).map_err(|source| Error::File {
            path: self.folder.join("mappings"),
            source,
        })?;
        for name in found.odd {
            report::tell(&format!(
                "warning: {} is not named after two instances, and is ignored",
                self.folder.join("mappings").join(name).display()
            ));
        }
        if self.all && !found.pairs.is_empty() {
            let pair = |(source, target)| Pair { source, target };
            return Ok(found.pairs.into_iter().map(pair).collect());
        }
        Err(not_named(
            &self.folder,
            (source.as_ref(), target.as_ref()),
            &found.pairs,
        ))
    }

    async fn import(&self, config: &Config, pair: Pair) -> Result<Imported, Error> {
        let folder = official_folder(&self.folder, &pair.source, &pair.target);
        let found = read_pair(&folder, &pair.source, &pair.target);
        let read = found.rows.len() + found.defects.iter().filter(|one| one.row.is_some()).count();
        let keeping = Keeping::new(config, pair.clone(), "mappings import")?;
        let state = State::of(keeping.known().await?);
        let sides = if self.offline {
            None
        } else {
            let config = self.pair.between(&pair.source, &pair.target)?;
            let decided = planning::outlook(&whole(&config)?).await?;
            Some((decided.source, decided.target))
        };
        let target = sides.as_ref().map(|(_, target)| &**target);
        let (mut rows, mut known, mut defects) = (Vec::new(), 0, found.defects);
        for row in found.rows {
            match state.judge(&row, target) {
                Ok(true) => known += 1,
                Ok(false) => rows.push(noted(&row, target)),
                Err(kind) => defects.push(row.defect(kind)),
            }
        }
        defects.sort_by(|one, other| (&one.file, one.row).cmp(&(&other.file, other.row)));
        let taken = rows.len();
        if !self.dry_run {
            let gone = Vec::new();
            keeping.keep(Kept { rows, gone }, Some(&folder)).await?;
        }
        Ok(Imported {
            pair,
            read,
            taken,
            known,
            defects,
        })
    }
}

fn not_named(
    folder: &std::path::Path,
    (source, target): (Option<&Guid>, Option<&Guid>),
    found: &[(Guid, Guid)],
) -> Error {
    let names: Vec<String> = found
        .iter()
        .map(|(source, target)| format!("--source {source} --target {target}"))
        .collect();
    let folder = folder.join("mappings");
    let message = match (source, target) {
        _ if found.is_empty() => format!("{} holds no mappings", folder.display()),
        (Some(source), Some(target)) => format!(
            "{} holds no mappings from {source} to {target}",
            folder.display()
        ),
        _ => format!("{} holds mappings of several instances", folder.display()),
    };
    let hint = if found.is_empty() {
        "name the root folder of the official CLI, agility-files as a rule".to_owned()
    } else {
        format!("name one pair, or --all: {}", names.join("; "))
    };
    Error::Usage {
        message,
        hint: Some(hint),
    }
}

/// What the state has of the pair.
struct State {
    mapped: HashMap<EntityKey, TargetId>,
    /// Whatever the locale, because all locales share one id.
    here: HashMap<(Kind, SourceId), TargetId>,
    there: HashMap<(Kind, TargetId), EntityKey>,
}

impl State {
    fn of(known: Vec<Mapping>) -> Self {
        let mut state = Self {
            mapped: HashMap::new(),
            here: HashMap::new(),
            there: HashMap::new(),
        };
        for row in known {
            state.here.insert((row.key.kind, row.key.id), row.target);
            state
                .there
                .insert((row.key.kind, row.target), row.key.clone());
            state.mapped.insert(row.key, row.target);
        }
        state
    }

    /// Whether the state has the row already; what is wrong with a row that contradicts it or the target.
    fn judge(
        &self,
        row: &OfficialRow,
        target: Option<&Inventory<TargetId>>,
    ) -> Result<bool, DefectKind> {
        let (key, there) = (&row.key, row.target);
        if self.mapped.get(key) == Some(&there) {
            return Ok(true);
        }
        if let Some(other) = self
            .here
            .get(&(key.kind, key.id))
            .filter(|other| **other != there)
        {
            return Err(DefectKind::StateDiffers {
                key: key.clone(),
                target: *other,
            });
        }
        let claimed = self.there.get(&(key.kind, there));
        if let Some(by) = claimed.filter(|by| by.id != key.id) {
            let by = by.clone();
            return Err(DefectKind::Claimed { target: there, by });
        }
        // What was not listed is not known to be gone.
        let is_listed = |target: &&Inventory<TargetId>| {
            let locale = key.locale.as_ref();
            locale.is_none_or(|locale| target.locales.contains(locale))
        };
        match target.filter(is_listed) {
            Some(listed) if !exists(listed, key, there) => {
                Err(DefectKind::TargetGone { target: there })
            }
            Some(_) | None => Ok(false),
        }
    }
}

/// Whether the target has the entity; built-in rows are there as well, though they are no entities.
fn exists(target: &Inventory<TargetId>, key: &EntityKey, there: TargetId) -> bool {
    let mut passed = target.passed.iter();
    target.get(&key.with_id(there)).is_some()
        || passed.any(|one| one.kind == key.kind && one.id == there.raw())
}

fn noted(row: &OfficialRow, target: Option<&Inventory<TargetId>>) -> Noted {
    let there = target.and_then(|target| target.get(&row.key.with_id(row.target)));
    Noted {
        key: row.key.clone(),
        target: row.target,
        target_name: there.map(|there| there.name.to_string()),
        versions: row.versions,
        evidence: Recognition::OfficialCli.to_string(),
    }
}

impl Imported {
    fn text(
        &self,
        args: &ImportArgs,
        quiet: bool,
        out: &mut (dyn Write + Send),
    ) -> Result<(), Error> {
        if !self.defects.is_empty() {
            let rows = self.defects.iter().map(|defect| {
                let row = defect.row.map(|row| row.to_string());
                [
                    defect.file.display().to_string(),
                    row.unwrap_or_else(|| "-".to_owned()),
                    defect.kind.code().to_owned(),
                    defect.kind.to_string(),
                ]
            });
            let header = ["file", "row", "defect", "not imported, because"];
            writeln!(out, "{}", table::table(header, rows))?;
            let steps = self.defects.iter().map(|defect| &defect.kind);
            let steps: BTreeMap<_, _> = steps.map(|kind| (kind.code(), kind.hint())).collect();
            let steps = steps.into_iter();
            let steps = steps.map(|(code, hint)| [code.to_owned(), hint.to_owned()]);
            writeln!(out, "\n{}", table::table(["defect", "next step"], steps))?;
        }
        if !quiet {
            let would = if args.dry_run { "would be " } else { "" };
            report::tell(&format!(
                "{} to {}: {} rows, {} {would}imported, {} in the state already, {} not imported",
                self.pair.source,
                self.pair.target,
                report::count_of(self.read),
                report::count_of(self.taken),
                report::count_of(self.known),
                report::count_of(self.defects.len()),
            ));
            if self.taken > 0 && !args.dry_run {
                report::tell("next: lockgate plan, which compares both sides");
            }
        }
        Ok(())
    }

    fn json(&self, dry_run: bool, out: &mut (dyn Write + Send)) -> Result<(), Error> {
        let Pair { source, target } = &self.pair;
        for defect in &self.defects {
            let row = json!({
                "type": "defect",
                "source": source,
                "target": target,
                "file": defect.file,
                "row": defect.row,
                "code": defect.kind.code(),
                "reason": defect.kind.to_string(),
                "next": defect.kind.hint(),
            });
            table::json_line(&row, out)?;
        }
        let summary = json!({
            "type": "imported",
            "source": source,
            "target": target,
            "dryRun": dry_run,
            "rows": self.read,
            "imported": self.taken,
            "known": self.known,
            "defects": self.defects.len(),
        });
        Ok(table::json_line(&summary, out)?)
    }
}
