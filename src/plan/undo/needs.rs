//! Which entities refer to which on the target, and what must stay because of it.

use std::collections::HashMap;

use super::decide::{Decided, Decision, Inputs, Kept};
use crate::domain::{Entity, TargetId, TargetKey};

/// The references between entities of the target, by their position in its inventory.
pub(super) struct References {
    /// What each entity refers to now.
    present: Vec<Vec<u32>>,
    /// Which trace is about an entity.
    trace_of: HashMap<u32, usize>,
}

impl References {
    pub(super) fn of(inputs: &Inputs<'_>) -> Self {
        let target = inputs.target;
        let present = target.entities().iter().map(|entity| {
            let rewritten = inputs.rewritten.get(&entity.key);
            match rewritten {
                Some(rewritten) => positions(inputs, rewritten),
                None => positions(inputs, &inputs.left.referents(entity)),
            }
        });
        let present = present.collect();
        let trace_of = (0..)
            .zip(inputs.traces)
            .filter_map(|(at, trace)| Some((target.position(&trace.there)?, at)))
            .collect();
        Self { present, trace_of }
    }

    /// What `entity`, which stands at `at`, refers to once everything is decided.
    fn after(&self, at: u32, entities: &[Decided], inputs: &Inputs<'_>) -> Vec<u32> {
        let restored = self
            .trace_of
            .get(&at)
            .filter(|trace| entities[**trace].decision == Decision::Restore);
        let prior: Option<&Entity<TargetId>> = restored
            .and_then(|trace| inputs.traces[*trace].prior.as_ref())
            .map(|prior| &prior.entity);
        match prior {
            Some(prior) => positions(inputs, &inputs.before.referents(prior)),
            None => self.present[at as usize].clone(),
        }
    }
}

fn positions(inputs: &Inputs<'_>, keys: &[TargetKey]) -> Vec<u32> {
    keys.iter()
        .filter_map(|key| inputs.target.position(key))
        .collect()
}

/// Keeps whatever something refers to that stays, and what that refers to in turn.
pub(super) fn keep_what_is_needed(
    entities: &mut [Decided],
    inputs: &Inputs<'_>,
    references: &References,
) {
    let all = inputs.target.entities();
    let mut open: Vec<u32> = (0..)
        .take(all.len())
        .filter(|at| !is_deleted(*at, entities, references))
        .collect();
    while let Some(at) = open.pop() {
        for needed in references.after(at, entities, inputs) {
            let Some(trace) = references.trace_of.get(&needed).copied() else {
                continue;
            };
            if entities[trace].decision == Decision::Delete {
                let by = &all[at as usize];
                entities[trace].decision = Decision::Keep(Kept::Needed {
                    by: by.key.clone(),
                    name: by.name.to_string(),
                });
                open.push(needed);
            }
        }
    }
}

fn is_deleted(at: u32, entities: &[Decided], references: &References) -> bool {
    let trace = references.trace_of.get(&at);
    trace.is_some_and(|trace| entities[*trace].decision == Decision::Delete)
}

/// Notes which entities have to drop references to what is deleted.
pub(super) fn hold(entities: &mut [Decided], inputs: &Inputs<'_>, references: &References) {
    for (holder, trace) in inputs.traces.iter().enumerate() {
        if !entities[holder].decision.is_work() {
            continue;
        }
        let Some(at) = inputs.target.position(&trace.there) else {
            continue;
        };
        for held in &references.present[at as usize] {
            if let Some(held) = references.trace_of.get(held)
                && entities[*held].decision == Decision::Delete
            {
                entities[*held].held_by.push(holder);
            }
        }
    }
}
