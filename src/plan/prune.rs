//! What is deleted on the target because the source no longer has it.
//!
//! ```text
//!   mappings without an entity on the source ─▶ may it be deleted? ─▶ is it as it was agreed? ─▶ does anything that stays
//!                                                                                                refer to it?
//!                                        no ─▶ skipped, with the reason             all answered ─▶ deleted, in stages
//! ```
//!
//! The order of deletes and the rule that whatever is referred to stays are those of an undo; so the plan is one, of
//! entities that are deleted or skipped. References are those that the target has once the uploads of the run are done: an
//! update drops what the source dropped. The uploads may fail, so what was planned is looked at once more after them, on the
//! target as it is then ([`Prune::again`]).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::json;

use super::action::{Action, Agreement, Agreements, Plan};
use super::approved::{Approved, Deletion};
use super::decide::predicted_ids::PredictedIds;
use super::decide::{is_as_agreed, target_hash};
use super::overview::gone;
use super::undo::{Decided, Decision, Inputs, Kept, Own, Trace, UndoPlan, decided, ordered};
use super::{
    AssetIndex, Context, Counterparts, LinkForms, Pointer, Policies, Schema, Selection, references,
};
use crate::domain::{
    ContentHash, Entity, EntityKey, Id as _, Inventory, Kind, Proof, SourceId, TargetId, TargetKey,
    redact,
};

/// What the deletes of a run are decided from.
#[derive(Clone, Copy, Debug)]
pub struct PruneInputs<'a> {
    /// What the run does to the entities of the source.
    pub plan: &'a Plan,
    /// The instance read from, complete in its locales.
    pub source: &'a Inventory<SourceId>,
    /// The instance written to, in all of its locales: what stands in one that the run leaves out may refer to anything.
    pub target: &'a Arc<Inventory<TargetId>>,
    /// What the state holds of the pair.
    pub agreements: &'a Agreements,
    /// Which of these it took from elsewhere, or from what the target had.
    pub origins: &'a HashMap<EntityKey, Origin>,
    /// Entities with an earlier request whose outcome is not known.
    pub in_doubt: &'a HashSet<EntityKey>,
    /// What is never written.
    pub policies: &'a Policies,
    /// What the run is about.
    pub selection: &'a Selection,
    /// Where a plan is applied: what it says.
    pub approved: Option<&'a Approved>,
}

/// How a mapping came about that no run created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A run found the counterpart on the target.
    Adopted,
    /// Another tool named it.
    Imported,
}

/// What is deleted on the target, and what is skipped there although the source no longer has it.
#[derive(Clone, Debug, Default)]
pub struct Prune {
    /// The counterparts that are left over, by the keys of what the source had.
    pub traces: Vec<Trace>,
    /// What happens to each, and in which order.
    pub plan: UndoPlan,
}

impl Prune {
    /// Decides about everything that the source no longer has. The same inputs give the same plan.
    pub fn of(inputs: &PruneInputs<'_>) -> Self {
        let rows = inputs.agreements.iter();
        let rows = rows.map(|(key, agreement)| (key, agreement.target));
        let mut left_over = gone(inputs.plan, (inputs.source, inputs.target), rows);
        if left_over.is_empty() {
            return Self::default();
        }
        left_over.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        let schema = Schema::of(inputs.target);
        let mut traces = Vec::new();
        let mut entities = Vec::new();
        for one in left_over {
            let there = one.key.with_id(one.target);
            let (Some(agreement), Some(present)) =
                (inputs.agreements.get(&one.key), inputs.target.get(&there))
            else {
                continue;
            };
            let decision = inputs.decide(&one.key, present, (agreement, &schema));
            entities.push(decided(decision, false));
            let name = redact(&present.name).into_owned();
            traces.push(Trace::new(one.key, name, there));
        }
        let own = Own::new(Arc::clone(inputs.target), &[]);
        let rewritten = inputs.rewritten(&own);
        Self::ordered((traces, entities), (inputs.target, &own), &rewritten)
    }

    fn ordered(
        (traces, entities): (Vec<Trace>, Vec<Decided>),
        (target, own): (&Arc<Inventory<TargetId>>, &Own),
        rewritten: &HashMap<TargetKey, Vec<TargetKey>>,
    ) -> Self {
        let plan = ordered(
            entities,
            &Inputs {
                traces: &traces,
                target,
                left: own,
                before: own,
                bytes: &HashMap::new(),
                live: &HashMap::new(),
                rewritten,
                changed_too: false,
            },
        );
        Self { traces, plan }
    }

    /// What still holds of a plan on the target as it is `now`; `before` is what the plan was made from. Nothing is deleted
    /// that was not to be.
    #[must_use]
    pub fn again(&self, before: &Inventory<TargetId>, now: &Arc<Inventory<TargetId>>) -> Self {
        let decide = |(trace, decided): (&Trace, &Decided)| {
            let sides = (before.get(&trace.there), now.get(&trace.there));
            match (&decided.decision, sides) {
                (Decision::Delete, (_, None)) => Decision::Gone,
                (Decision::Delete, (Some(was), Some(is)))
                    if fingerprint(was) == fingerprint(is) =>
                {
                    Decision::Delete
                }
                (Decision::Delete, _) => Decision::Keep(Kept::Changed { by: None }),
                (decision, _) => decision.clone(),
            }
        };
        let traces = self.traces.iter().zip(&self.plan.entities);
        let entities = traces.map(|one| self::decided(decide(one), false));
        let parts = (self.traces.clone(), entities.collect());
        let own = Own::new(Arc::clone(now), &[]);
        Self::ordered(parts, (now, &own), &HashMap::new())
    }

    /// What is deleted.
    pub fn deletes(&self) -> impl Iterator<Item = &Trace> {
        let all = self.traces.iter().zip(&self.plan.entities);
        let deleted = all.filter(|(_, decided)| decided.decision == Decision::Delete);
        deleted.map(|(trace, _)| trace)
    }

    /// What is skipped, and why.
    pub fn kept(&self) -> impl Iterator<Item = (&Trace, &Kept)> {
        let all = self.traces.iter().zip(&self.plan.entities);
        all.filter_map(|(trace, decided)| match &decided.decision {
            Decision::Keep(why) => Some((trace, why)),
            Decision::Delete
            | Decision::Restore
            | Decision::CreateAgain
            | Decision::AsBefore
            | Decision::Gone => None,
        })
    }

    /// How many are skipped because the target changed them: neither side may win unasked.
    pub fn conflicts(&self) -> usize {
        self.plan.changed()
    }

    /// What a plan file says of the deletes.
    pub fn deletions(&self, target: &Inventory<TargetId>) -> Vec<Deletion> {
        let deletion = |trace: &Trace| {
            Some(Deletion {
                key: trace.key.clone(),
                name: trace.name.clone(),
                target: trace.there.id,
                counterpart: fingerprint(target.get(&trace.there)?),
            })
        };
        self.deletes().filter_map(deletion).collect()
    }
}

impl PruneInputs<'_> {
    fn decide(
        &self,
        key: &EntityKey,
        present: &Entity<TargetId>,
        (agreement, schema): (&Agreement, &Schema),
    ) -> Decision {
        if let Some(why) = self.protected(key, present, agreement) {
            return Decision::Keep(Kept::Protected(why));
        }
        let has_moved = self.approved.is_some_and(|approved| {
            let agreed = approved.deletes(key, present.key.id);
            agreed.is_some_and(|agreed| agreed != fingerprint(present))
        });
        if has_moved || !is_as_agreed(present, agreement, schema) {
            return Decision::Keep(Kept::Changed { by: None });
        }
        Decision::Delete
    }

    /// Why an entity may not be deleted, as it is or not.
    fn protected(
        &self,
        key: &EntityKey,
        present: &Entity<TargetId>,
        agreement: &Agreement,
    ) -> Option<String> {
        if let Some(pattern) = self.policies.read_only(present) {
            return Some(format!(
                "read-only on the target (sync.read_only = {:?})",
                pattern.text()
            ));
        }
        if self.in_doubt.contains(key) {
            return Some("it is not known what became of an earlier request for it".to_owned());
        }
        let origin = self.origins.get(key);
        let why = match (origin, agreement.proof) {
            (Some(Origin::Imported), _) => {
                "another tool names it as the counterpart, so it is not known that a run created it"
            }
            (Some(Origin::Adopted), Proof::Sent | Proof::Owed) | (_, Proof::Owed) => {
                "it was never found equal to what the source had"
            }
            (_, _) if agreement.target_hash.is_none() => {
                "it is not known what it said when both sides last agreed"
            }
            (_, _) if self.selection.decides_about(key.kind) == Some(false) => {
                "the selection of this run leaves its kind out"
            }
            (_, _) if self.selection.decides_about(key.kind).is_none() => {
                "the selection of this run is by name or date, and does not say what it takes of what the source no longer has"
            }
            (_, _)
                if self
                    .approved
                    .is_some_and(|approved| approved.deletes(key, present.key.id).is_none()) =>
            {
                "the plan that is applied does not delete it"
            }
            (_, _) => return None,
        };
        Some(why.to_owned())
    }

    /// What the entities that the run writes over refer to afterwards.
    fn rewritten(&self, own: &Own) -> HashMap<TargetKey, Vec<TargetKey>> {
        let known = self.agreements.iter();
        let known = known.map(|(key, agreement)| (key.kind, key.id, agreement.target));
        let sides = (self.source, &**self.target);
        let counterparts = PredictedIds::of_plan(sides, known, &self.plan.entities);
        let schema = Schema::of(self.source);
        let assets = AssetIndex::of(self.source);
        let context = Context {
            schema: &schema,
            assets: &assets,
            policies: Some(self.policies),
            merged: None,
            links: LinkForms::default(),
        };
        let entities = self.source.entities().iter().zip(&self.plan.entities);
        let written = entities.filter_map(|(entity, planned)| match planned.action {
            // One that only moves keeps what it says, and a merged one some of it.
            Action::Update { target } if !planned.is_place_only() && planned.merge.is_none() => {
                Some((entity, target))
            }
            _ => None,
        });
        let mut rewritten = HashMap::new();
        for (entity, target) in written {
            let key = entity.key.with_id(target);
            let locale = key.locale.as_ref();
            let with_id = |kind, id| {
                let there = counterparts.id(kind, id, None)?;
                Some(own.with_id(kind, there.raw(), locale))
            };
            let found = references(entity, &context);
            let to = found.iter().filter_map(|one| match one.to.pointer() {
                Pointer::Id(kind, id) => with_id(kind, id),
                // What will have no counterpart refers to nothing.
                Pointer::Name(kind, name) => Some(own.named(kind, &counterparts.name(kind, name)?)),
            });
            let parent = entity.placement.as_ref().and_then(|place| place.parent);
            let parent = parent.and_then(|id| with_id(Kind::Page, id));
            let keys: Vec<TargetKey> = to.chain(parent).flatten().collect();
            rewritten.insert(key, keys);
        }
        rewritten
    }
}

/// What an entity says, where it stands, and the date and size of its file: not in the terms of any model, because what one
/// says does not change with what happens to another.
fn fingerprint(there: &Entity<TargetId>) -> ContentHash {
    let hash = target_hash(there, &Schema::default()).to_string();
    let bytes = (there.key.kind == Kind::Asset).then(|| {
        let body = there.body.parse();
        json!([body["dateModified"], body["size"]])
    });
    ContentHash::of(&json!([hash, bytes]))
}
