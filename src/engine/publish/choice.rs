//! What is published, and what counts as left over by an earlier run.

use std::collections::{BTreeMap, HashSet};

use crate::domain::{EntityKey, ItemState, Kind, Locale, TargetId};
use crate::engine::crew::Crew;
use crate::engine::forecast::Publication;
use crate::engine::options::Publish;
use crate::instance::{Source, Target};
use crate::plan::{Action, Node};
use crate::store::{Mapping, MappingOrigin};

/// Something that is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Published {
    pub(super) kind: Kind,
    pub(super) locale: Locale,
    pub(super) id: TargetId,
    /// The entity that it is the counterpart of.
    pub(super) node: Node,
}

/// The kinds that are published, in this order.
const fn kinds(publish: Publish) -> &'static [Kind] {
    match publish {
        Publish::Off => &[],
        Publish::Content => &[Kind::Content],
        Publish::Pages => &[Kind::Page],
        Publish::Both => &[Kind::Content, Kind::Page],
    }
}

/// What is going to be published, seen before the uploads: what the source has published of what will be written. What
/// an earlier run left over is not in it.
pub(in crate::engine) fn expected<S, T>(crew: &Crew<S, T>) -> Publication
where
    S: Source + Clone,
    T: Target + Clone,
{
    let kinds = kinds(crew.options.publish);
    let entities = (0..).zip(crew.source_inventory.entities());
    let wanted = entities.filter_map(|(node, entity)| {
        let kind = entity.key.kind;
        let is_wanted = kinds.contains(&kind) && entity.is_published();
        let is_written = crew.planned(node).action.is_work();
        Some((kind, entity.locale().filter(|_| is_wanted && is_written)?))
    });
    Publication::of(wanted)
}

/// What is to be published now, each id once in its locale.
pub(super) fn entities<S, T>(crew: &Crew<S, T>, mappings: &[Mapping]) -> Vec<Published>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let is_ours = |mapping: &&Mapping| match mapping.origin {
        MappingOrigin::Created | MappingOrigin::Updated | MappingOrigin::Recovered => true,
        MappingOrigin::Adopted | MappingOrigin::Imported => false,
    };
    let ours = mappings.iter().filter(is_ours);
    let ours: HashSet<&EntityKey> = ours.map(|mapping| &mapping.key).collect();
    let mut all = Vec::new();
    let mut seen = HashSet::new();
    let mut add = |kind, ids: BTreeMap<Locale, Vec<(TargetId, Node)>>| {
        for (locale, ids) in ids {
            for (id, node) in ids {
                if seen.insert((kind, locale.clone(), id)) {
                    let locale = locale.clone();
                    let published = Published {
                        kind,
                        locale,
                        id,
                        node,
                    };
                    all.push(published);
                }
            }
        }
    };
    for kind in kinds(crew.options.publish) {
        add(*kind, eligible(crew, *kind, &ours));
    }
    add(Kind::Page, moved(crew));
    all
}

/// Pages that were published before they moved, whatever is to be published otherwise.
fn moved<S, T>(crew: &Crew<S, T>) -> BTreeMap<Locale, Vec<(TargetId, Node)>>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let mut ids: BTreeMap<Locale, Vec<(TargetId, Node)>> = BTreeMap::new();
    for node in crew.unpublished_by_moves() {
        let key = &crew.entity(node).key;
        if let (Some(locale), Some(there)) = (&key.locale, crew.ids.resolve(key)) {
            ids.entry(locale.clone())
                .or_default()
                .push((there.id, node));
        }
    }
    ids
}

/// Everything that the source has published and that this run wrote, or an earlier one, with no change since; each id once,
/// by locale.
fn eligible<S, T>(
    crew: &Crew<S, T>,
    kind: Kind,
    ours: &HashSet<&EntityKey>,
) -> BTreeMap<Locale, Vec<(TargetId, Node)>>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let mut ids: BTreeMap<Locale, Vec<(TargetId, Node)>> = BTreeMap::new();
    for (node, entity) in (0..).zip(crew.source_inventory.entities()) {
        let node: Node = node;
        let planned = crew.planned(node);
        // One that only moved says what the target had in it, published or not.
        let written = planned.action.is_work()
            && !planned.is_place_only()
            && !crew.unfinished.contains(&node);
        if entity.key.kind != kind || !entity.is_published() {
            continue;
        }
        let left_over = || ours.contains(&entity.key) && is_still_to_do(crew, node);
        if !(written || left_over()) {
            continue;
        }
        if let (Some(locale), Some(there)) = (entity.locale(), crew.ids.resolve(&entity.key)) {
            ids.entry(locale.clone())
                .or_default()
                .push((there.id, node));
        }
    }
    for ids in ids.values_mut() {
        ids.sort_unstable();
        ids.dedup_by_key(|(id, _)| *id);
    }
    ids
}

/// Whether the target has the entity as it was written and has not published it.
fn is_still_to_do<S, T>(crew: &Crew<S, T>, node: Node) -> bool
where
    S: Source + Clone,
    T: Target + Clone,
{
    let planned = crew.planned(node);
    let Action::Unchanged { target } = planned.action else {
        return false;
    };
    let key = &crew.entity(node).key;
    let there = crew.target_inventory.get(&key.with_id(target));
    !planned.left_alone && there.is_some_and(|there| there.state == ItemState::Staging)
}
