//! Mappings that the target contradicts.
//!
//! A mapping can be wrong: a response had the id of another entity, or the target was restored with new ids. It shows where
//! the target has nothing under that id, or an item of another container. Such a mapping is ignored, and its entity is
//! looked for as if the state had none: by name, by place, or by content. What is found becomes its counterpart, and is
//! reported. Where nothing is found the mapping stays, and the entity counts as deleted on the target, or as moved on the
//! source.

use std::collections::HashSet;

use super::identity::{self, Identity, Known};
use super::left;
use super::matching::{self, Match};
use crate::domain::{Entity, EntityKey, Kind, SourceId};
use crate::plan::action::Agreements;
use crate::plan::graph::Node;
use crate::plan::notice::{Concern, Notice};

/// What both sides are to one another, with mappings that the target contradicts set aside where something else is known.
pub(super) fn identify(known: Known<'_>) -> (Identity<'_>, Vec<Match>) {
    let mut identity = identity::recognise(known);
    let mut matches = matched(&known, &identity.agreements);
    let aside = contradicted(&known, &identity.agreements, &matches);
    if aside.is_empty() {
        return (identity, matches);
    }
    let mut fewer = identity.agreements.clone().into_owned();
    fewer.retain(|key, _| !is_one_of(&aside, key));
    let again = identity::recognise(Known {
        agreements: &fewer,
        ..known
    });
    let is_found = |key: &&EntityKey| is_one_of(&aside, key);
    let found: Vec<EntityKey> = again.evidence.keys().filter(is_found).cloned().collect();
    if found.is_empty() {
        return (identity, matches);
    }
    let ids: HashSet<SourceId> = found.iter().map(|key| key.id).collect();
    let agreements = identity.agreements.to_mut();
    agreements.retain(|key, _| !is_one_of(&ids, key));
    for key in found {
        let evidence = again.evidence[&key].clone();
        agreements.insert(key.clone(), again.agreements[&key].clone());
        identity.evidence.insert(key, evidence);
    }
    matches = matched(&known, &identity.agreements);
    (identity, matches)
}

fn matched(known: &Known<'_>, agreements: &Agreements) -> Vec<Match> {
    let mut matches = matching::matches(known.source, known.target, agreements);
    left::leave(known.source, known.target, &mut matches);
    matches
}

fn is_one_of(ids: &HashSet<SourceId>, key: &EntityKey) -> bool {
    key.kind == Kind::Content && ids.contains(&key.id)
}

/// The items with a mapping that the target contradicts, as long as it has items that nothing is mapped to.
fn contradicted(
    known: &Known<'_>,
    agreements: &Agreements,
    matches: &[Match],
) -> HashSet<SourceId> {
    let items = known.source.entities().iter().zip(matches);
    let wrong = items.filter(|(entity, found)| {
        entity.key.kind == Kind::Content && matches!(found, Match::Gone(_) | Match::Left(_))
    });
    let wrong: HashSet<SourceId> = wrong.map(|(entity, _)| entity.key.id).collect();
    let is_right = |(key, _): &(&EntityKey, _)| {
        key.kind == Kind::Content && !wrong.contains(&key.id) && known.source.get(key).is_some()
    };
    let taken = agreements.iter().filter(is_right);
    let taken: HashSet<_> = taken.map(|(_, agreement)| agreement.target).collect();
    let mut there = known.target.of_kind(Kind::Content).iter();
    if wrong.is_empty() || !there.any(|item| !taken.contains(&item.key.id)) {
        return HashSet::new();
    }
    wrong
}

/// Names the entities that have another counterpart than the state says, because the target has nothing that it could be.
pub(super) fn notices(known: &Known<'_>, matches: &[Match]) -> Vec<Notice> {
    let entities = (0..).zip(known.source.entities()).zip(matches);
    let notice = |((node, entity), found): ((Node, &Entity<SourceId>), &Match)| {
        let before = known.agreements.get(&entity.key)?.target;
        let now = found.there().filter(|now| *now != before)?;
        let is_there = known.target.get(&entity.key.with_id(before)).is_some();
        let was = match (entity.key.kind, is_there) {
            (_, false) => "which the target does not have",
            (Kind::Content, true) => "which is in another container",
            // The file of its former path stays.
            (_, true) => return None,
        };
        Some(Notice {
            node,
            about: Concern::MappedAnew,
            text: format!("the state maps it to {before} on the target, {was}; it is {now}"),
        })
    };
    entities.filter_map(notice).collect()
}
