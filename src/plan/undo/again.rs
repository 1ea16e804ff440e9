//! The order in which deleted entities are created again.

use std::collections::{HashMap, HashSet};

use super::decide::{Decided, Decision, Inputs, Kept, decided};
use crate::domain::{Id as _, Kind, TargetKey, name_key};
use crate::plan::{Pointer, Referent};

/// What an entity that is created again has to wait for, by its place among the traces: others, which have other ids.
type Waits = HashMap<usize, HashSet<usize>>;

/// Leaves out what could not be first in any order, or needs something that is not created again.
pub(super) fn leave_out(entities: &mut [Decided], inputs: &Inputs<'_>) {
    let mut refused: Vec<usize> = Vec::new();
    let deleted = |at: &usize| inputs.traces[*at].deleted;
    let all: Vec<usize> = (0..entities.len()).filter(deleted).collect();
    let waits = waits(&all, inputs);
    refused.extend(all.iter().copied().filter(|at| is_kept(&entities[*at])));
    let (_, cycle) = levels(&coming(entities, &all), &waits);
    for at in cycle {
        entities[at] =
            kept("it is part of a cycle of references, so none of its members can be first");
        refused.push(at);
    }
    while let Some(absent) = refused.pop() {
        let name = &inputs.traces[absent].name;
        for at in all.iter().copied() {
            let waits = waits.get(&at).is_some_and(|waits| waits.contains(&absent));
            if waits && !is_kept(&entities[at]) {
                entities[at] = kept(&format!(
                    "it refers to {name:?}, which cannot be created again"
                ));
                refused.push(at);
            }
        }
    }
}

/// How many stages each of those that are created again comes after the first.
pub(super) fn stages(entities: &[Decided], inputs: &Inputs<'_>) -> HashMap<usize, i64> {
    let deleted = |at: &usize| inputs.traces[*at].deleted;
    let all: Vec<usize> = (0..entities.len()).filter(deleted).collect();
    levels(&coming(entities, &all), &waits(&all, inputs)).0
}

fn coming(entities: &[Decided], all: &[usize]) -> Vec<usize> {
    let again = |at: &usize| entities[*at].decision == Decision::CreateAgain;
    all.iter().copied().filter(again).collect()
}

fn is_kept(decided: &Decided) -> bool {
    matches!(decided.decision, Decision::Keep(_))
}

fn kept(why: &str) -> Decided {
    decided(Decision::Keep(Kept::NotRestorable(why.to_owned())), false)
}

fn waits(all: &[usize], inputs: &Inputs<'_>) -> Waits {
    let key = |at: usize| -> Option<&TargetKey> {
        let prior = inputs.traces[at].prior.as_ref()?;
        Some(&prior.entity.key)
    };
    let mut by_id: HashMap<(Kind, i64), Vec<usize>> = HashMap::new();
    let mut by_name: HashMap<(Kind, Box<str>), Vec<usize>> = HashMap::new();
    for at in all.iter().copied() {
        let Some(prior) = inputs.traces[at].prior.as_ref() else {
            continue;
        };
        let key = &prior.entity.key;
        by_id.entry((key.kind, key.id.raw())).or_default().push(at);
        let name = (key.kind, name_key(&prior.entity.name));
        by_name.entry(name).or_default().push(at);
    }
    let found = |to: Referent| match to.pointer() {
        Pointer::Id(kind, id) => by_id.get(&(kind, id)),
        Pointer::Name(kind, name) => by_name.get(&(kind, name.into())),
    };
    let mut waits = Waits::new();
    for at in all.iter().copied() {
        let Some(prior) = inputs.traces[at].prior.as_ref() else {
            continue;
        };
        let refers_to = inputs.before.refers_to(&prior.entity).into_iter();
        let others = refers_to.filter_map(found).flatten().copied();
        // All locales of an item have one id.
        let is_other = |other: &usize| {
            key(*other).map(|key| (key.kind, key.id)) != key(at).map(|key| (key.kind, key.id))
        };
        waits.insert(at, others.filter(is_other).collect());
    }
    waits
}

/// The level of each of `coming`, and what is part of a cycle or behind one.
fn levels(coming: &[usize], waits: &Waits) -> (HashMap<usize, i64>, Vec<usize>) {
    let mut waiting: Vec<usize> = coming.to_vec();
    let mut levels = HashMap::new();
    for level in 0.. {
        let left: HashSet<usize> = waiting.iter().copied().collect();
        let is_held = |at: &usize| {
            waits
                .get(at)
                .is_some_and(|others| !others.is_disjoint(&left))
        };
        let (held, free): (Vec<usize>, Vec<usize>) = waiting.iter().partition(|at| is_held(at));
        if free.is_empty() {
            return (levels, held);
        }
        levels.extend(free.into_iter().map(|at| (at, level)));
        waiting = held;
    }
    (levels, Vec::new())
}
