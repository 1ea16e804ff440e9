//! In which order things are restored and deleted.
//!
//! Restores come first: they let go of references to what is deleted. They go the way of an upload: what others build on
//! before those. Deletes go the other way. Templates go before containers, against the order of an upload, because a
//! zone names its container; models go last, because containers are made of them, whatever list a field of theirs names.

use std::collections::{BTreeMap, HashMap};

use super::again;
use super::decide::{Decided, Decision, Inputs};
use crate::domain::{Entity, Id, Kind, Placement, TargetId, TargetKey};
use crate::plan::decide::chains::rising_up_to_last;

/// More than there are levels of what is created again.
const LEVELS: i64 = 1 << 40;

type Stages = Vec<Vec<usize>>;

/// What is restored and what is deleted, each stage after the one before it.
pub(super) fn stages(entities: &[Decided], inputs: &Inputs<'_>) -> (Stages, Stages) {
    let of = |wanted: Decision| {
        let chosen = entities.iter().enumerate();
        chosen.filter_map(move |(at, decided)| (decided.decision == wanted).then_some(at))
    };
    let again = again::stages(entities, inputs);
    let come_back = of(Decision::Restore).chain(of(Decision::CreateAgain));
    let restores = grouped(come_back, |at| {
        let prior = inputs.traces[at].prior.as_ref();
        if let Some(level) = again.get(&at) {
            // Before all that is restored, which may refer to it. The first locale of an item gives it its id.
            let locale = inputs.traces[at].there.locale.as_ref();
            let locales = inputs.target.locales.iter();
            let place = locales.take_while(|one| Some(*one) != locale).count();
            let place = u32::try_from(place).unwrap_or(u32::MAX);
            return (
                restore_rank(inputs.traces[at].key.kind),
                level - LEVELS,
                place,
            );
        }
        let depth = prior.map_or(0, |prior| depth(&prior.entity, inputs));
        (
            restore_rank(inputs.traces[at].key.kind),
            i64::from(depth),
            0,
        )
    });
    let models = model_levels(entities, inputs);
    let deletes = grouped(of(Decision::Delete), |at| {
        let trace = &inputs.traces[at];
        let present = inputs.target.get(&trace.there);
        // The deepest pages first.
        let depth = present.map_or(0, |page| depth(page, inputs));
        let level = models.get(&at).copied().unwrap_or(0);
        (delete_rank(trace.key.kind), -i64::from(depth), level)
    });
    (
        restores,
        deletes
            .into_iter()
            .map(|stage| last_first(stage, inputs))
            .collect(),
    )
}

fn grouped(chosen: impl Iterator<Item = usize>, stage: impl Fn(usize) -> (u8, i64, u32)) -> Stages {
    let mut stages: BTreeMap<(u8, i64, u32), Vec<usize>> = BTreeMap::new();
    for at in chosen {
        stages.entry(stage(at)).or_default().push(at);
    }
    stages.into_values().collect()
}

/// Within a stage, the last of some siblings goes first.
fn last_first(mut stage: Vec<usize>, inputs: &Inputs<'_>) -> Vec<usize> {
    stage.sort_by_key(|at| {
        let present = inputs.target.get(&inputs.traces[*at].there);
        let position = present.and_then(|page| page.placement.as_deref());
        std::cmp::Reverse(position.map_or(0, |placement| placement.position))
    });
    stage
}

const fn restore_rank(kind: Kind) -> u8 {
    match kind {
        Kind::Model => 0,
        Kind::Container => 1,
        Kind::Template => 2,
        Kind::Gallery => 3,
        Kind::Asset => 4,
        Kind::Content => 5,
        Kind::Page => 6,
        Kind::Redirection => 7,
    }
}

const fn delete_rank(kind: Kind) -> u8 {
    match kind {
        Kind::Redirection => 0,
        Kind::Page => 1,
        Kind::Content => 2,
        Kind::Asset => 3,
        Kind::Gallery => 4,
        Kind::Template => 5,
        Kind::Container => 6,
        Kind::Model => 7,
    }
}

/// Which pages have to move, of some whose present positions are given in the order that they should have. As few as
/// possible, and never the last: the API can put a page in front of another one, but not behind the last.
pub fn out_of_order(positions: &[u32]) -> Vec<bool> {
    let stays = rising_up_to_last(positions);
    stays.into_iter().map(|stays| !stays).collect()
}

/// How many pages stand above a page; 0 of everything else.
fn depth(entity: &Entity<TargetId>, inputs: &Inputs<'_>) -> u32 {
    let mut depth = 0;
    let mut above = entity.placement.as_deref().and_then(parent);
    // A tree that goes in cycles must not end in one.
    while let (Some(id), Some(locale)) = (above, entity.locale())
        && depth < 1000
    {
        depth += 1;
        let page = inputs
            .target
            .get(&TargetKey::localised(Kind::Page, id.raw(), locale));
        above = page
            .and_then(|page| page.placement.as_deref())
            .and_then(parent);
    }
    depth
}

fn parent(placement: &Placement) -> Option<TargetId> {
    placement.parent.map(TargetId::new)
}

/// Models that refer to others go before those; those in a cycle go together.
fn model_levels(entities: &[Decided], inputs: &Inputs<'_>) -> HashMap<usize, u32> {
    let is_doomed = |at: &usize| {
        entities[*at].decision == Decision::Delete && inputs.traces[*at].key.kind == Kind::Model
    };
    let mut waiting: Vec<usize> = (0..entities.len()).filter(is_doomed).collect();
    let mut levels = HashMap::new();
    let mut level = 0;
    while !waiting.is_empty() {
        let is_held = |at: &usize| {
            let mut holders = entities[*at].held_by.iter();
            holders.any(|holder| waiting.contains(holder))
        };
        let mut free: Vec<usize> = waiting.iter().copied().filter(|at| !is_held(at)).collect();
        if free.is_empty() {
            free.clone_from(&waiting);
        }
        waiting.retain(|at| !free.contains(at));
        levels.extend(free.into_iter().map(|at| (at, level)));
        level += 1;
    }
    levels
}
