//! Gathers what is known of an entity.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use serde::Serialize;

use crate::domain::{BatchId, EntityKey, Kind, Locale, Outcome, RunId, SourceId, TargetId, time};
use crate::error::Error;
use crate::event::{Event, Stamped};
use crate::report::graph::{Around, look_up};
use crate::store::{Intent, Mapping, Pair, Publishing, RunEntity, RunRecord, Store};

/// What is known of one entity.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Story {
    pub(super) key: EntityKey,
    pub(super) name: Option<String>,
    pub(super) counterpart: Option<Counterpart>,
    /// The latest run first.
    pub(super) runs: Vec<Chapter>,
    /// From the latest run that kept its plan.
    pub(super) plan: Option<Planned>,
}

/// What it became on the target.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Counterpart {
    pub(super) target: TargetId,
    /// `created`, `adopted`, `updated`, `imported` or `recovered`.
    pub(super) origin: &'static str,
    /// The run that says so.
    pub(super) run: RunId,
    /// Why it counts as the counterpart, where no run has compared the two yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) evidence: Option<String>,
}

/// What one run did about it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Chapter {
    pub(super) run: RunId,
    pub(super) command: String,
    pub(super) exit: Option<u8>,
    /// Absent when the run ended before it was settled.
    #[serde(flatten)]
    pub(super) outcome: Option<Outcome>,
    pub(super) because: Option<String>,
    /// Of a blocked entity: why the root cause failed.
    pub(super) root_cause: Option<String>,
    /// What it blocked.
    pub(super) blocks: Vec<EntityKey>,
    pub(super) attempts: Vec<Attempt>,
    /// Absent when the run did not publish it.
    pub(super) publication: Option<Publication>,
}

/// The outcome of publishing it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Publication {
    /// `open`, `published`, `refused` or `withdrawn`.
    pub(super) state: &'static str,
    pub(super) reason: Option<String>,
}

/// One request, as it was noted before it left.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Attempt {
    /// RFC 3339.
    pub(super) at: String,
    pub(super) operation: &'static str,
    pub(super) number: u32,
    pub(super) batch: Option<BatchId>,
    /// How many entities it carried.
    pub(super) entities: usize,
    /// `open`, `done`, `failed` or `in-doubt`.
    pub(super) state: &'static str,
    pub(super) answers: Vec<String>,
}

/// What the plan said, and of which run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Planned {
    pub(super) run: RunId,
    #[serde(flatten)]
    pub(super) around: Around,
}

/// One story per locale that something is known of.
///
/// # Errors
/// [`Error::Store`] when the state cannot be read, [`Error::File`] when a plan is there and cannot.
pub(super) async fn tell(
    store: &Store,
    pair: &Pair,
    (kind, id, locale): (Kind, SourceId, Option<Locale>),
    limit: usize,
    runs: &Path,
) -> Result<Vec<Story>, Error> {
    let records = store.runs(u32::MAX).await?;
    let of_pair = |record: &RunRecord| record.pair == *pair;
    let records: Vec<RunRecord> = records.into_iter().filter(of_pair).collect();
    let is_meant = |key: &EntityKey| {
        key.kind == kind && key.id == id && (locale.is_none() || key.locale == locale)
    };
    let mut known: BTreeMap<EntityKey, (Option<Mapping>, Vec<RunEntity>)> = BTreeMap::new();
    for mapping in store.mappings(pair).await? {
        if is_meant(&mapping.key) {
            let key = mapping.key.clone();
            known.entry(key).or_default().0 = Some(mapping);
        }
    }
    for entity in store.history(pair, kind, id).await? {
        if is_meant(&entity.key) {
            known.entry(entity.key.clone()).or_default().1.push(entity);
        }
    }
    let keys: Vec<EntityKey> = known.keys().cloned().collect();
    let (planned_in, mut plans) = latest_plan(&records, runs, &keys)?;
    let mut stories = Vec::new();
    for (key, (mapping, entities)) in known {
        let intents = store.intents_of(pair, &key).await?;
        let published = store.publishings_of(pair, &key).await?;
        let around = plans.remove(&key).zip(planned_in.clone());
        stories.push(Story {
            name: entities.first().map(|entity| entity.name.clone()),
            counterpart: mapping.as_ref().map(counterpart),
            runs: chapters(store, &records, (&entities, &intents, &published), limit).await?,
            plan: around.map(|(around, run)| Planned { run, around }),
            key,
        });
    }
    Ok(stories)
}

/// What the folder of a run holds of an entity: its plan, and its outcome where there is one. `None` when neither.
///
/// # Errors
/// When a file is there and cannot be read.
pub(super) fn of_folder(
    folder: &Path,
    run: &RunId,
    key: &EntityKey,
) -> std::io::Result<Option<Story>> {
    let keys = std::slice::from_ref(key);
    let around = look_up(folder, keys)?.and_then(|mut found| found.remove(key));
    let outcome = outcome_in(&folder.join("events.ndjson"), key)?;
    if around.is_none() && outcome.is_none() {
        return Ok(None);
    }
    let run = run.clone();
    let (name, runs) = match outcome {
        Some((name, outcome, because)) => {
            let chapter = Chapter {
                run: run.clone(),
                command: "recorded".to_owned(),
                exit: None,
                outcome: Some(outcome),
                because: Some(because),
                root_cause: None,
                blocks: Vec::new(),
                attempts: Vec::new(),
                publication: None,
            };
            (Some(name), vec![chapter])
        }
        None => (None, Vec::new()),
    };
    Ok(Some(Story {
        key: key.clone(),
        name,
        counterpart: None,
        runs,
        plan: around.map(|around| Planned { run, around }),
    }))
}

/// Name, outcome and reason of an entity in a recording; the last, where there are several.
fn outcome_in(
    recording: &Path,
    key: &EntityKey,
) -> std::io::Result<Option<(String, Outcome, String)>> {
    let file = match std::fs::File::open(recording) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let written = serde_json::to_string(key)?;
    let mut found = None;
    for line in BufReader::new(file).lines() {
        let line = line?;
        if !line.contains(&written) {
            continue;
        }
        let event = serde_json::from_str::<Stamped>(&line).map(|stamped| stamped.event);
        if let Ok(Event::EntitySettled {
            key: of,
            name,
            outcome,
            because,
            ..
        }) = event
            && of == *key
        {
            found = Some((name, outcome, because));
        }
    }
    Ok(found)
}

type Plans = (Option<RunId>, HashMap<EntityKey, Around>);

/// The latest plan that a run left in its folder, as far as it is about `keys`.
fn latest_plan(records: &[RunRecord], runs: &Path, keys: &[EntityKey]) -> Result<Plans, Error> {
    for record in records {
        let folder = runs.join(&record.run.0);
        let found = look_up(&folder, keys).map_err(|source| Error::File {
            path: folder.clone(),
            source,
        })?;
        if let Some(found) = found {
            return Ok((Some(record.run.clone()), found));
        }
    }
    Ok((None, HashMap::new()))
}

async fn chapters(
    store: &Store,
    records: &[RunRecord],
    (entities, intents, published): (&[RunEntity], &[Intent], &[Publishing]),
    limit: usize,
) -> Result<Vec<Chapter>, Error> {
    let mut chapters = Vec::new();
    for record in records {
        let entity = entities.iter().find(|entity| entity.run == record.run);
        let of_run = intents.iter().filter(|intent| intent.run == record.run);
        let attempts: Vec<Attempt> = of_run.map(attempt).collect();
        let publication = published.iter().find(|one| one.run == record.run);
        let is_touched = entity.is_some() || !attempts.is_empty() || publication.is_some();
        if !is_touched || chapters.len() == limit {
            continue;
        }
        let (root_cause, blocks) = match entity {
            Some(entity) => around_failure(store, entity).await?,
            None => (None, Vec::new()),
        };
        chapters.push(Chapter {
            run: record.run.clone(),
            command: record.command.clone(),
            exit: record.exit,
            outcome: entity.map(|entity| entity.outcome.clone()),
            because: entity.map(|entity| entity.because.clone()),
            root_cause,
            blocks,
            attempts,
            publication: publication.map(|one| Publication {
                state: one.state.name(),
                reason: one.reason.clone(),
            }),
        });
    }
    Ok(chapters)
}

/// Why what blocked it failed, and what it blocked itself.
async fn around_failure(
    store: &Store,
    entity: &RunEntity,
) -> Result<(Option<String>, Vec<EntityKey>), Error> {
    match &entity.outcome {
        Outcome::Blocked { by } => {
            let all = store.run_entities(&entity.run).await?;
            let root = all.into_iter().find(|other| other.key == *by);
            Ok((root.and_then(|root| reason(root.outcome)), Vec::new()))
        }
        Outcome::Failed { .. } => {
            let by = entity.key.clone();
            let is_blocked =
                |other: &RunEntity| other.outcome == Outcome::Blocked { by: by.clone() };
            let all = store.run_entities(&entity.run).await?;
            let blocked = all.into_iter().filter(is_blocked).map(|other| other.key);
            Ok((None, blocked.collect()))
        }
        Outcome::Created
        | Outcome::Adopted
        | Outcome::Updated
        | Outcome::Unchanged
        | Outcome::LeftAlone
        | Outcome::Conflict
        | Outcome::OutOfScope
        | Outcome::Deleted
        | Outcome::Restored
        | Outcome::Kept { .. } => Ok((None, Vec::new())),
    }
}

fn reason(outcome: Outcome) -> Option<String> {
    match outcome {
        Outcome::Failed { reason } | Outcome::Kept { reason } => Some(reason),
        Outcome::Blocked { .. }
        | Outcome::Created
        | Outcome::Adopted
        | Outcome::Updated
        | Outcome::Unchanged
        | Outcome::LeftAlone
        | Outcome::Conflict
        | Outcome::OutOfScope
        | Outcome::Deleted
        | Outcome::Restored => None,
    }
}

fn counterpart(mapping: &Mapping) -> Counterpart {
    Counterpart {
        target: mapping.target,
        origin: mapping.origin.name(),
        run: mapping.run.clone(),
        evidence: mapping.evidence.clone(),
    }
}

fn attempt(intent: &Intent) -> Attempt {
    Attempt {
        at: time::of_millis(intent.opened_ms),
        operation: intent.operation.name(),
        number: intent.attempt,
        batch: intent.batch,
        entities: intent.keys.len(),
        state: intent.state.name(),
        answers: intent.answers.clone(),
    }
}
