//! What is published, and what counts as left over by an earlier run.

use std::collections::{BTreeMap, HashSet};

use crate::domain::{EntityKey, ItemState, Kind, Locale, TargetId};
use crate::engine::context::RunContext;
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
pub(in crate::engine) fn expected<S, T>(context: &RunContext<S, T>) -> Publication
where
    S: Source + Clone,
    T: Target + Clone,
{
    let kinds = kinds(context.options.publish);
    let entities = (0..).zip(context.source_inventory.entities());
    let wanted = entities.filter_map(|(node, entity)| {
        let kind = entity.key.kind;
        let is_wanted = kinds.contains(&kind) && entity.is_published();
        let is_written = context.planned(node).action.is_work();
        Some((kind, entity.locale().filter(|_| is_wanted && is_written)?))
    });
    Publication::of(wanted)
}

/// What is to be published now, each id once in its locale.
pub(super) fn entities<S, T>(context: &RunContext<S, T>, mappings: &[Mapping]) -> Vec<Published>
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
    for kind in kinds(context.options.publish) {
        add(*kind, eligible(context, *kind, &ours));
    }
    add(Kind::Page, moved(context));
    all
}

/// Pages that were published before they moved, whatever is to be published otherwise.
fn moved<S, T>(context: &RunContext<S, T>) -> BTreeMap<Locale, Vec<(TargetId, Node)>>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let mut ids: BTreeMap<Locale, Vec<(TargetId, Node)>> = BTreeMap::new();
    for node in context.unpublished_by_moves() {
        let key = &context.entity(node).key;
        if let (Some(locale), Some(there)) = (&key.locale, context.ids.resolve(key)) {
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
    context: &RunContext<S, T>,
    kind: Kind,
    ours: &HashSet<&EntityKey>,
) -> BTreeMap<Locale, Vec<(TargetId, Node)>>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let mut ids: BTreeMap<Locale, Vec<(TargetId, Node)>> = BTreeMap::new();
    for (node, entity) in (0..).zip(context.source_inventory.entities()) {
        let node: Node = node;
        let planned = context.planned(node);
        // One that only moved says what the target had in it, published or not.
        let written = planned.action.is_work()
            && !planned.is_place_only()
            && !context.unfinished.contains(&node);
        if entity.key.kind != kind || !entity.is_published() {
            continue;
        }
        let left_over = || ours.contains(&entity.key) && is_still_to_do(context, node);
        if !(written || left_over()) {
            continue;
        }
        if let (Some(locale), Some(there)) = (entity.locale(), context.ids.resolve(&entity.key)) {
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
fn is_still_to_do<S, T>(context: &RunContext<S, T>, node: Node) -> bool
where
    S: Source + Clone,
    T: Target + Clone,
{
    let planned = context.planned(node);
    let Action::Unchanged { target } = planned.action else {
        return false;
    };
    let key = &context.entity(node).key;
    let there = context.target_inventory.get(&key.with_id(target));
    !planned.left_alone && there.is_some_and(|there| there.state == ItemState::Staging)
}
