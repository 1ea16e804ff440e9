//! Applies all kinds of evidence, and returns the matches as agreements.

use std::borrow::Cow;

use hashbrown::HashMap;

use super::super::matching;
use super::super::predicted_ids::{PredictedIds, ids};
use super::evidence::{Adopt, Hint, Recognition};
use super::pairing::Pairing;
use super::tally::{self, ContainerTally};
use crate::domain::{EntityKey, Filled, Id, Inventory, Kind, Proof, SourceId, TargetId};
use crate::plan::action::{Agreement, Agreements};
use crate::plan::{Context, Schema};

/// What the state holds, and what was recognised beyond that.
pub(in crate::plan::decide) struct Identity<'a> {
    /// Agreements of the state, and those without a base for what was recognised.
    pub(in crate::plan::decide) agreements: Cow<'a, Agreements>,
    /// Why an entity counts as the counterpart of another one, where the state does not say so.
    pub(in crate::plan::decide) evidence: HashMap<EntityKey, Recognition>,
    /// What the containers hold, where the pair has no state; otherwise empty.
    pub(in crate::plan::decide) containers: Vec<ContainerTally>,
}

/// What there is to go by.
#[derive(Clone, Copy)]
pub(in crate::plan::decide) struct Known<'a> {
    pub(in crate::plan::decide) source: &'a Inventory<SourceId>,
    pub(in crate::plan::decide) target: &'a Inventory<TargetId>,
    pub(in crate::plan::decide) agreements: &'a Agreements,
    pub(in crate::plan::decide) hints: &'a [Hint],
    pub(in crate::plan::decide) adopt: Adopt,
    pub(in crate::plan::decide) context: Context<'a>,
    pub(in crate::plan::decide) target_schema: &'a Schema,
}

/// Recognises what can be recognised.
pub(in crate::plan::decide) fn recognise(known: Known<'_>) -> Identity<'_> {
    let mut identity = Identity {
        agreements: Cow::Borrowed(known.agreements),
        evidence: HashMap::new(),
        containers: Vec::new(),
    };
    identity.take_noted(&known);
    identity.take_hints(&known);
    // What was only imported does not show that a run has looked at the pair.
    let is_own = |(key, agreement): (&EntityKey, &Agreement)| {
        key.kind == Kind::Content && agreement.evidence.is_none()
    };
    let has_state = known.agreements.iter().any(is_own);
    if known.target.of_kind(Kind::Content).is_empty() {
        return identity;
    }
    if has_state && !is_anything_open(&known, &identity.agreements) {
        return identity;
    }
    let matches = matching::matches(known.source, known.target, &identity.agreements);
    let sides = (known.source, known.target);
    // What is on the target goes by the names that the target has now.
    let map = PredictedIds::new(sides, ids(&identity.agreements), &matches, |_| true);
    let mut pairing = Pairing::new(&known, &identity.agreements, &matches, &map);
    pairing.pair_all(known.adopt, !has_state);
    if !has_state {
        identity.containers = tally::tally(&known, &pairing, &map);
    }
    let recognised = pairing.recognised();
    for (id, target, evidence) in recognised {
        identity.take_item(&known, id, target, &evidence);
    }
    identity
}

/// Whether both sides hold items that the state does not know.
fn is_anything_open(known: &Known<'_>, agreements: &Agreements) -> bool {
    let mapped: hashbrown::HashSet<SourceId> = agreements
        .keys()
        .filter(|key| key.kind == Kind::Content)
        .map(|key| key.id)
        .collect();
    let claimed: hashbrown::HashSet<TargetId> = agreements
        .iter()
        .filter(|(key, _)| key.kind == Kind::Content && known.source.get(key).is_some())
        .map(|(_, agreement)| agreement.target)
        .collect();
    let source = known.source.of_kind(Kind::Content).iter();
    let target = known.target.of_kind(Kind::Content).iter();
    source
        .map(|item| item.key.id)
        .any(|id| !mapped.contains(&id))
        && target
            .map(|item| item.key.id)
            .any(|id| !claimed.contains(&id))
}

impl Identity<'_> {
    /// Names the evidence of pairs that the state has without a comparison.
    fn take_noted(&mut self, known: &Known<'_>) {
        for (key, agreement) in known.agreements {
            if let Some(evidence) = &agreement.evidence {
                let noted = Recognition::Noted(evidence.clone());
                self.evidence.insert(key.clone(), noted);
            }
        }
    }

    /// Takes hints whose two sides exist, and that contradict neither the state nor one another.
    fn take_hints(&mut self, known: &Known<'_>) {
        let mut claimed: HashMap<(Kind, TargetId), SourceId> = HashMap::new();
        for (key, agreement) in known.agreements {
            if known.source.get(key).is_some() {
                claimed.insert((key.kind, agreement.target), key.id);
            }
        }
        let mut given: HashMap<(Kind, SourceId), TargetId> = HashMap::new();
        for (key, agreement) in known.agreements {
            given.insert((key.kind, key.id), agreement.target);
        }
        for hint in known.hints {
            let there = hint.key.with_id(hint.target);
            let exists =
                known.source.get(&hint.key).is_some() && known.target.get(&there).is_some();
            if !exists || self.agreements.contains_key(&hint.key) {
                continue;
            }
            let (kind, id) = (hint.key.kind, hint.key.id);
            let contradicts = given
                .get(&(kind, id))
                .is_some_and(|other| *other != hint.target)
                || claimed
                    .get(&(kind, hint.target))
                    .is_some_and(|other| *other != id);
            if !contradicts {
                given.insert((kind, id), hint.target);
                claimed.insert((kind, hint.target), id);
                self.take(hint.key.clone(), hint.target, hint.evidence.clone());
                if let Some(taken) = self.agreements.to_mut().get_mut(&hint.key) {
                    taken.target_version = hint.target_version;
                }
            }
        }
    }

    /// Takes an item in every locale that both sides have it in.
    fn take_item(&mut self, known: &Known<'_>, id: i64, target: i64, evidence: &Recognition) {
        let of_item = known.source.of_kind(Kind::Content);
        let start = of_item.partition_point(|item| item.key.id.raw() < id);
        for item in of_item[start..]
            .iter()
            .take_while(|item| item.key.id.raw() == id)
        {
            let there = item.key.with_id(TargetId::new(target));
            // Where the target has the item in another locale only, that one makes the id known.
            if known.target.get(&there).is_some() {
                self.take(item.key.clone(), there.id, evidence.clone());
            }
        }
    }

    fn take(&mut self, key: EntityKey, target: TargetId, evidence: Recognition) {
        let agreement = Agreement {
            target,
            source_hash: None,
            target_hash: None,
            target_version: None,
            proof: Proof::Equal,
            filled: Filled::new(),
            fields: None,
            bytes_hash: None,
            bytes_date: None,
            place: None,
            number: None,
            evidence: None,
        };
        self.agreements.to_mut().insert(key.clone(), agreement);
        self.evidence.insert(key, evidence);
    }
}
