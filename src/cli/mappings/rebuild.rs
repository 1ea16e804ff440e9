//! `lockgate mappings rebuild`: counterparts without any state.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::super::sync::MatchingArgs;
use super::super::{planning, table, wiring};
use super::args::{PairArgs, is_json};
use super::decisions::{Candidate, Decision, Decisions};
use super::keep::{Keeping, Kept, Noted};
use crate::domain::{Entity, EntityKey, Id, Kind, SourceId, TargetId, name_key};
use crate::engine::Decided;
use crate::error::{Error, ExitStatus};
use crate::plan::{Action, Planned, Recognition, container_of};
use crate::report;

/// Candidates that a decision names, the most similar names first.
const CANDIDATES: usize = 10;

/// Recognises counterparts from both instances, and keeps them as mappings
///
/// For a pair whose state was lost. Goes by the evidence of `lockgate plan`: mappings of the other direction, the mapping
/// folder of the official CLI, names, equal content, unique titles and URL names, places in lists. Items that cannot be
/// recognised although their container on the target holds items that match nothing are written to a file, with candidates;
/// set their targets there and run again with --decisions. Ends with 1 while some are undecided.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  lockgate mappings rebuild --dry-run
  lockgate mappings rebuild
  lockgate mappings rebuild --decisions mapping-decisions.json")]
pub(super) struct RebuildArgs {
    /// File with decisions about items that were not recognised
    #[arg(long, value_name = "FILE", help_heading = "Rebuild")]
    decisions: Option<PathBuf>,
    /// File that gets the items that were not recognised
    #[arg(
        long,
        value_name = "FILE",
        default_value = "mapping-decisions.json",
        help_heading = "Rebuild"
    )]
    undecided: PathBuf,
    /// Report what would be mapped, and write nothing
    #[arg(long, short = 'n', help_heading = "Rebuild")]
    dry_run: bool,
    #[command(flatten)]
    matching: MatchingArgs,
    #[command(flatten)]
    pair: PairArgs,
}

/// Recognises, keeps and reports.
///
/// # Errors
/// [`Error`] when an instance, the state or a file of decisions cannot be used; what stays undecided is in the status.
pub(super) async fn run(
    args: &RebuildArgs,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    let config = args.pair.load(args.matching.collect(args.pair.collect()))?;
    let mut settings = config.settings()?;
    settings.sync.locales.clear();
    let pair = wiring::pair(&settings);
    let made = match &args.decisions {
        Some(path) => Decisions::read(path, &pair)?,
        None => Decisions::new(&pair, Vec::new()),
    };
    let decided = planning::outlook_with(&settings, made.hints()).await?;
    let found = recognised(&decided);
    let unused = unused(&made, &decided);
    let undecided = undecided(&decided, &made);
    let count = (found.len(), undecided.len());
    print(&found, is_json(&config)?, out)?;
    for one in &unused {
        report::tell(&format!("decision not used: {one}"));
    }
    let is_open = !undecided.is_empty();
    if !args.dry_run {
        // The file first: mappings can be recognised again, and what is undecided is lost with an error.
        if is_open {
            Decisions::new(&pair, undecided).write(&args.undecided)?;
        }
        let keeping = Keeping::new(&config, pair, "mappings rebuild")?;
        let gone = claimed_by_others(&found, &decided);
        let kept = Kept { rows: found, gone };
        keeping.keep(kept, args.decisions.as_deref()).await?;
    }
    if !settings.output.quiet {
        say(args, &decided, count);
    }
    Ok(if is_open || !unused.is_empty() {
        ExitStatus::Failed
    } else {
        ExitStatus::Agreed
    })
}

fn say(args: &RebuildArgs, decided: &Decided, (found, undecided): (usize, usize)) {
    let would = if args.dry_run { "would be " } else { "" };
    report::tell(&format!(
        "{} entities, {} in the state already, {} {would}mapped, {} undecided",
        report::count_of(decided.source.entities().len()),
        report::count_of(decided.mappings.len()),
        report::count_of(found),
        report::count_of(undecided),
    ));
    if undecided > 0 && !args.dry_run {
        let path = args.undecided.display();
        report::tell(&format!(
            "set the targets in {path}, then run: lockgate mappings rebuild --decisions {path}"
        ));
    }
}

fn print(found: &[Noted], is_json: bool, out: &mut (dyn Write + Send)) -> Result<(), Error> {
    if is_json {
        for row in found {
            let row = json!({
                "entity": row.key,
                "counterpart": row.target,
                "counterpartName": row.target_name,
                "evidence": row.evidence,
            });
            table::json_line(&row, out)?;
        }
    } else if !found.is_empty() {
        // Thousands of rows say less than how they came about; `list` has them one by one.
        let mut counts: BTreeMap<(Kind, &str), usize> = BTreeMap::new();
        for row in found {
            *counts.entry((row.key.kind, &row.evidence)).or_default() += 1;
        }
        let rows = counts.into_iter().map(|((kind, evidence), count)| {
            [
                kind.name().to_owned(),
                evidence.to_owned(),
                report::count_of(count),
            ]
        });
        writeln!(
            out,
            "{}",
            table::table(["kind", "evidence", "mapped"], rows)
        )?;
    }
    out.flush()?;
    Ok(())
}

/// Every entity with what the plan found of it.
fn entities(decided: &Decided) -> impl Iterator<Item = (&Entity<SourceId>, &Planned)> {
    let entities = decided.source.entities().iter();
    entities.zip(&decided.plan.entities)
}

/// What the plan recognised and the state does not have.
fn recognised(decided: &Decided) -> Vec<Noted> {
    let known = decided.mappings.iter();
    let known: HashMap<&EntityKey, TargetId> = known.map(|row| (&row.key, row.target)).collect();
    entities(decided)
        .filter_map(|(entity, planned)| {
            let target = planned.found?;
            if known.get(&entity.key) == Some(&target) {
                return None;
            }
            let there = decided.target.get(&entity.key.with_id(target))?;
            let evidence = planned.evidence.as_ref().map(ToString::to_string);
            Some(Noted {
                key: entity.key.clone(),
                target,
                target_name: Some(there.name.to_string()),
                versions: [None, None],
                evidence: evidence.unwrap_or_else(|| by_name(entity.key.kind).to_owned()),
            })
        })
        .collect()
}

/// Mappings of the state whose counterpart was recognised as that of another entity: their own is gone from the source, or
/// has another counterpart now.
fn claimed_by_others(found: &[Noted], decided: &Decided) -> Vec<(EntityKey, TargetId)> {
    let slot = |key: &EntityKey, target| (key.with_id(target), key.id);
    let taken: HashMap<_, SourceId> = found.iter().map(|row| slot(&row.key, row.target)).collect();
    let known = decided.mappings.iter();
    known
        .filter(|row| {
            let (there, here) = slot(&row.key, row.target);
            taken.get(&there).is_some_and(|by| *by != here)
        })
        .map(|row| (row.key.clone(), row.target))
        .collect()
}

/// What an entity of a kind is found by where nothing else names it.
const fn by_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Model | Kind::Container => "same reference name",
        Kind::Template | Kind::Gallery => "same name",
        Kind::Asset | Kind::Page => "same path",
        Kind::Redirection => "same origin URL",
        Kind::Content => "same item in another locale",
    }
}

/// Decisions that contradict the target or the state.
fn unused(made: &Decisions, decided: &Decided) -> Vec<String> {
    let is_used = |key: &EntityKey, target: TargetId| {
        let at = decided.source.position(key);
        at.is_some_and(|at| decided.plan.entities[at as usize].found == Some(target))
    };
    let hints = made.hints().into_iter();
    hints
        .filter(|hint| !is_used(&hint.key, hint.target))
        .map(|hint| {
            let (key, target) = (&hint.key, hint.target);
            format!("{key} to {target}; one of them does not exist, or is mapped to something else")
        })
        .collect()
}

/// Items without a counterpart whose container on the target holds items that are the counterpart of none.
fn undecided(decided: &Decided, made: &Decisions) -> Vec<Decision> {
    let open = open_items(decided);
    let containers = containers(decided);
    let mut items: BTreeMap<SourceId, (Box<str>, Vec<&Entity<SourceId>>)> = BTreeMap::new();
    let mut placed: HashSet<SourceId> = HashSet::new();
    for (entity, planned) in entities(decided) {
        if entity.key.kind != Kind::Content {
            continue;
        }
        if planned.found.is_some() || is_joined(planned) {
            placed.insert(entity.key.id);
        }
        if let Some(container) = containers.get(&container_key(entity)) {
            let item = items.entry(entity.key.id);
            let item = item.or_insert_with(|| (container.clone(), Vec::new()));
            item.1.push(entity);
        }
    }
    items.retain(|id, (container, _)| {
        !placed.contains(id)
            && !made.is_decided(Kind::Content, id.raw())
            && open.contains_key(container)
    });
    let decision = |(id, (container, locales)): (SourceId, (Box<str>, Vec<&Entity<SourceId>>))| {
        let name = locales[0].name.to_string();
        let candidates = open.get(&container).map(|open| nearest(&name, open));
        Decision {
            kind: Kind::Content,
            id: id.raw(),
            locales: locales
                .iter()
                .filter_map(|item| item.locale().cloned())
                .collect(),
            container: container.into_string(),
            target: None,
            candidates: candidates.unwrap_or_default(),
            name,
        }
    };
    items.into_iter().map(decision).collect()
}

/// Whether the target has the item in another locale.
fn is_joined(planned: &Planned) -> bool {
    matches!(planned.action, Action::Create { joins: Some(_) })
        || planned.evidence == Some(Recognition::Decision)
}

/// The target's names of containers, by the source's; both in the form that is compared.
fn containers(decided: &Decided) -> HashMap<Box<str>, Box<str>> {
    let containers = entities(decided).filter(|(entity, _)| entity.key.kind == Kind::Container);
    containers
        .filter_map(|(entity, planned)| {
            let there = decided.target.get(&entity.key.with_id(planned.found?))?;
            Some((name_key(&entity.name), name_key(&there.name)))
        })
        .collect()
}

fn container_key<I>(item: &Entity<I>) -> Box<str> {
    name_key(container_of(&item.body.parse()))
}

/// Items of the target that are the counterpart of none, by container.
fn open_items(decided: &Decided) -> HashMap<Box<str>, Vec<Candidate>> {
    let found = decided.plan.entities.iter().zip(decided.source.entities());
    let found = found.filter(|(_, entity)| entity.key.kind == Kind::Content);
    let known = decided.mappings.iter();
    let known = known.filter(|row| row.key.kind == Kind::Content);
    let taken: HashSet<TargetId> = found
        .filter_map(|(planned, _)| planned.found)
        .chain(known.map(|row| row.target))
        .collect();
    let mut open: HashMap<Box<str>, Vec<Candidate>> = HashMap::new();
    let mut seen = HashSet::new();
    for item in decided.target.of_kind(Kind::Content) {
        if taken.contains(&item.key.id) || !seen.insert(item.key.id) {
            continue;
        }
        open.entry(container_key(item))
            .or_default()
            .push(Candidate {
                target: item.key.id.raw(),
                name: item.name.to_string(),
            });
    }
    open
}

/// The candidates whose names are the most similar.
fn nearest(name: &str, open: &[Candidate]) -> Vec<Candidate> {
    let similarity = |one: &Candidate| strsim::normalized_damerau_levenshtein(name, &one.name);
    let mut scored: Vec<(f64, &Candidate)> =
        open.iter().map(|one| (similarity(one), one)).collect();
    scored.sort_by(|(one, this), (other, that)| {
        other.total_cmp(one).then(this.target.cmp(&that.target))
    });
    let nearest = scored.into_iter().take(CANDIDATES);
    nearest.map(|(_, one)| one.clone()).collect()
}
