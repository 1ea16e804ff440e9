//! What holds after every run, whatever became of it.

use std::collections::{BTreeMap, BTreeSet};

use lockgate::domain::{EntityKey, Id, Kind, Outcome, Proof, Version};
use lockgate::engine::{self, Publish, RunError, RunReport, StopCause};
use lockgate::event::Event;
use lockgate::store::{Mapping, StoreError};
use tokio::time::Instant;

use crate::accounts::{Ran, counts_add_up, gates_settle_last, one_outcome_each, outcomes};
use crate::double::World;
use crate::history::{End, Run};
use crate::oracle::translate::{Pairs, differences, disordered, shown_otherwise};
use crate::stage::{Played, Stage};

/// What is wrong after a run; `was_alone` when no other one worked on the same instances meanwhile.
pub(crate) async fn after(
    stage: &Stage,
    run: &Run,
    played: &Played,
    was_alone: bool,
) -> Vec<String> {
    let mut problems = stage.source.problems();
    problems.extend(stage.target.problems());
    problems.append(&mut stage.lent.borrow_mut());
    let mappings = stage.store.mappings(&Stage::pair()).await.unwrap();
    problems.extend(claims(&mappings));
    problems.extend(agreements(stage, &mappings));
    match played {
        Played::Hung => problems.push("it hangs".to_owned()),
        Played::Crashed => {}
        Played::Refused(error) => problems.extend(refusal(run, error)),
        Played::Over(ran) => {
            problems.extend(accounts(ran));
            problems.extend(suspicions(ran));
            // What others change meanwhile is not what the run has read.
            if run.edits.is_empty() && was_alone {
                problems.extend(statement(stage, ran, &mappings));
                problems.extend(shown(stage, ran, &mappings));
            }
        }
    }
    problems
}

/// One counterpart each way.
fn claims(mappings: &[Mapping]) -> Vec<String> {
    let mut here: BTreeMap<(Kind, i64), i64> = BTreeMap::new();
    let mut there: BTreeMap<(Kind, i64), i64> = BTreeMap::new();
    let mut problems = Vec::new();
    for row in mappings {
        let (id, target) = (row.key.id.raw(), row.target.raw());
        if *here.entry((row.key.kind, id)).or_insert(target) != target {
            problems.push(format!("{} has two counterparts", row.key));
        }
        if *there.entry((row.key.kind, target)).or_insert(id) != id {
            problems.push(format!(
                "{} {target} is the counterpart of two",
                row.key.kind
            ));
        }
    }
    problems
}

/// What counts as agreed was read back and found equal: as long as both sides have the versions that are noted, they say
/// the same.
fn agreements(stage: &Stage, mappings: &[Mapping]) -> Vec<String> {
    let (source, mut target) = (stage.source.world(), stage.target.world());
    target.advance(Instant::now());
    let mut former = stage.former.borrow_mut();
    for row in mappings {
        let known = former.entry((row.key.kind, row.key.id.raw())).or_default();
        known.insert(row.target.raw());
    }
    let pairs = Pairs::of(mappings).with_replaced(&former);
    let found = differences(&source, &target, &pairs);
    let mut problems = Vec::new();
    for row in mappings.iter().filter(|row| row.proof == Proof::Equal) {
        let key = (row.key.kind, row.key.id.raw(), row.key.locale.clone());
        let there = (row.key.kind, row.target.raw(), row.key.locale.clone());
        let is_as_noted = |world: &World, key, noted: Option<Version>| {
            let version = world.rows.get(&key).map(|row| Version(row.version));
            version.is_some() && version == noted
        };
        if is_as_noted(&source, key, row.source_version)
            && is_as_noted(&target, there, row.target_version)
            && let Some(detail) = found.get(&row.key)
        {
            problems.push(format!(
                "{} counts as agreed and differs: {detail}",
                row.key
            ));
        }
    }
    problems
}

/// Reasons for a run not to begin or not to go on that are none of its own making.
fn refusal(run: &Run, error: &RunError) -> Option<String> {
    let is_expected = match error {
        RunError::Store(StoreError::Full { .. }) => matches!(run.end, End::FullDisk(_)),
        RunError::Store(StoreError::LeaseHeld { .. } | StoreError::LeaseLost { .. })
        | RunError::Pull(_) => true,
        RunError::Interrupted => !run.commands.is_empty(),
        RunError::Store(_)
        | RunError::Map(_)
        | RunError::Webhooks(_)
        | RunError::Selection(_)
        | RunError::Unplaced(_)
        | RunError::NotAgreed(_)
        | RunError::Gates(_)
        | RunError::UnknownLocale { .. }
        | RunError::TargetLocale { .. }
        | RunError::TargetChannel { .. } => false,
    };
    (!is_expected).then(|| format!("it ended with {error}: {error:?}"))
}

/// Every entity has one outcome, and the counts say so.
fn accounts(ran: &Ran) -> Vec<String> {
    let end = &ran.report.end;
    let mut problems = Vec::new();
    if let engine::End::Stalled(why) | engine::End::Stopped(StopCause::Panic(why)) = end {
        problems.push(why.clone());
    }
    if matches!(end, engine::End::Complete) {
        problems.extend(one_outcome_each(ran));
        problems.extend(gates_settle_last(ran));
        problems.extend(counts_add_up(&ran.events));
    }
    problems
}

/// What is named as a possible copy of an entity is the counterpart of nothing: one that is another's is no candidate for
/// anything else (rule 1).
fn suspicions(ran: &Ran) -> Vec<String> {
    let (mut taken, mut problems) = (BTreeSet::new(), Vec::new());
    for stamped in &ran.events {
        let Event::EntitySettled {
            key,
            outcome,
            target,
            ..
        } = &stamped.event
        else {
            continue;
        };
        if matches!(outcome, Outcome::Created | Outcome::Updated) {
            taken.extend(target.map(|target| (key.kind, target.to_string())));
        }
        let Outcome::Failed { reason } = outcome else {
            continue;
        };
        let named = reason
            .split_once(" appeared in its place")
            .map(|(named, _)| named);
        let named =
            named.and_then(|named| named.split_once("it is not there as it was sent, and "));
        let ids = named
            .map_or("", |(_, named)| named)
            .split(|c: char| !c.is_ascii_digit());
        let ids = ids.filter(|id| taken.contains(&(key.kind, (*id).to_owned())));
        problems
            .extend(ids.map(|id| format!("{key} may be {id}, which is another one's counterpart")));
    }
    problems
}

/// Whether a run says that everything that it did not leave alone is as it should be.
pub(super) fn is_success(report: &RunReport) -> bool {
    let owed = report
        .differences
        .iter()
        .flatten()
        .any(|found| !found.left_alone);
    matches!(report.end, engine::End::Complete)
        && !owed
        && report.failed == 0
        && report.conflicts == 0
        && report.unpublished.is_empty()
        && report.in_doubt.is_empty()
}

/// Of what a run wrote and publishes, the public sees on the target what it sees on the source, also below a newer draft.
fn shown(stage: &Stage, ran: &Ran, mappings: &[Mapping]) -> Vec<String> {
    let publishes = match stage.history.manner.publish {
        Publish::Content | Publish::Both => true,
        Publish::Off | Publish::Pages => false,
    };
    if !publishes || !is_success(&ran.report) {
        return Vec::new();
    }
    let (source, mut target) = (stage.source.world(), stage.target.world());
    target.advance(Instant::now());
    let written = outcomes(ran).into_iter();
    let written =
        written.filter(|(_, outcome)| matches!(outcome, Outcome::Created | Outcome::Updated));
    let written: BTreeSet<EntityKey> = written.map(|(key, _)| key).collect();
    let pairs = Pairs::of(mappings);
    let found = shown_otherwise(&source, &target, (&pairs, &written));
    let found = found.into_iter();
    found
        .map(|(key, detail)| format!("the public does not see {key} as on the source: {detail}"))
        .collect()
}

/// What the verification says equals what a comparison of both instances finds, and a run that ends well has brought
/// everything across.
fn statement(stage: &Stage, ran: &Ran, mappings: &[Mapping]) -> Vec<String> {
    let Some(told) = &ran.report.differences else {
        return Vec::new();
    };
    let (source, mut target) = (stage.source.world(), stage.target.world());
    target.advance(Instant::now());
    let pairs = Pairs::of(mappings);
    let found = differences(&source, &target, &pairs);
    // Failures are told as such, and so is a counterpart that others deleted.
    let outcomes: BTreeMap<EntityKey, Outcome> = outcomes(ran).into_iter().collect();
    let is_told = |key: &EntityKey| {
        let outcome = outcomes.get(key);
        outcome.is_none_or(|outcome| !outcome.has_counterpart() || *outcome == Outcome::Conflict)
    };
    let told: BTreeMap<&EntityKey, &str> = told
        .iter()
        .map(|told| (&told.key, told.detail.as_str()))
        .collect();
    let mut problems = Vec::new();
    for (key, detail) in &found {
        if !told.contains_key(key) && !is_told(key) {
            problems.push(format!(
                "{key} differs, which the verification does not say: {detail}"
            ));
        }
    }
    let rows = disordered(&source, &target, &pairs);
    for row in &rows {
        let is_left =
            |key: &EntityKey| outcomes.get(key) == Some(&Outcome::LeftAlone) || is_told(key);
        if !row.iter().any(|key| told.contains_key(key) || is_left(key)) {
            problems.push(format!(
                "{row:?} stand in another order, which the verification does not say"
            ));
        }
    }
    for (key, detail) in told {
        let is_unread = detail.contains("could not be read");
        // A conflict with what is no counterpart yet is between the run and the target: no pair says what to compare.
        let has_counterpart = pairs.has(key);
        let has_orphans = stage.history.shape.orphans > 0;
        let is_order = detail.starts_with("it stands ") || detail == "it is not the first";
        if !found.contains_key(key) && !is_unread && !is_order && !has_orphans && has_counterpart {
            problems.push(format!(
                "{key} does not differ, as the verification says: {detail}"
            ));
        }
    }
    if is_success(&ran.report) {
        let lost = source.rows.values().filter(|row| pairs.row(row).is_none());
        problems
            .extend(lost.map(|row| format!("{:?} has no counterpart after a success", row.key())));
    }
    problems
}
