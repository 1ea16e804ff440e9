//! What is published, and what counts as left over by an earlier run.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::domain::{
    ContentHash, Entity, EntityKey, Inventory, ItemState, Kind, Locale, SourceId, TargetId,
};
use crate::engine::context::{Ends, Live, PlanView, RunContext};
use crate::engine::forecast::Publication;
use crate::engine::options::Publish;
use crate::plan::{Action, Approved, Node, Plan, Planned};
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

/// What is going to be published, seen before the uploads: what the source has published of what will be written. What
/// an earlier run left over is not in it.
pub(in crate::engine) fn expected<E: Ends>(context: &RunContext<E>) -> Publication {
    let kinds = context.options.publish.kinds();
    let entities = (0..).zip(context.view.source_inventory.entities());
    let wanted = entities.filter_map(|(node, entity)| {
        let kind = entity.key.kind;
        let planned = context.view.planned(node);
        let is_public = entity.is_published() || planned.public.is_some();
        let (is_wanted, is_written) =
            (kinds.contains(&kind) && is_public, planned.action.is_work());
        Some((kind, entity.locale().filter(|_| is_wanted && is_written)?))
    });
    Publication::of(wanted)
}

/// What decides whether an entity is published.
#[derive(Debug)]
pub(in crate::engine) struct Choice<'a> {
    plan: &'a Plan,
    source: &'a Inventory<SourceId>,
    target: &'a Inventory<TargetId>,
    publish: Publish,
    /// Where a plan is applied: what it says.
    approved: Option<&'a Approved>,
    /// Entities that an earlier run wrote.
    ours: HashSet<&'a EntityKey>,
    /// The outcome of what earlier runs published.
    former: &'a Former,
}

/// The outcome of what earlier runs published, or meant to.
#[derive(Debug, Default)]
pub(in crate::engine) struct Former {
    /// It was published.
    pub(in crate::engine) published: HashSet<(EntityKey, TargetId)>,
    /// It was refused, or taken back with something that was.
    pub(in crate::engine) refused: HashSet<(EntityKey, TargetId)>,
    /// The hash of the version that was published last.
    pub(in crate::engine) versions: HashMap<(EntityKey, TargetId), ContentHash>,
}

impl<'a> Choice<'a> {
    pub(in crate::engine) fn new(
        plan: &'a Plan,
        (source, target): (&'a Inventory<SourceId>, &'a Inventory<TargetId>),
        (publish, approved): (Publish, Option<&'a Approved>),
        (mappings, former): (&'a [Mapping], &'a Former),
    ) -> Self {
        let is_ours = |mapping: &&Mapping| match mapping.origin {
            MappingOrigin::Created | MappingOrigin::Updated | MappingOrigin::Recovered => true,
            MappingOrigin::Adopted | MappingOrigin::Imported => false,
        };
        let ours = mappings.iter().filter(is_ours);
        Self {
            plan,
            source,
            target,
            publish,
            approved,
            ours: ours.map(|mapping| &mapping.key).collect(),
            former,
        }
    }

    /// What a run published, the target still shows, and the source has unpublished since: pages before content. Without
    /// publishing it is only counted, for both kinds.
    pub(in crate::engine) fn withdrawn(&self) -> Vec<Node> {
        let kinds = match self.publish {
            Publish::Off => Publish::Both.kinds(),
            publish => publish.kinds(),
        };
        let entities = (0..).zip(self.source.entities());
        let mut nodes: Vec<Node> = entities
            .filter(|(node, entity)| {
                kinds.contains(&entity.key.kind) && self.is_withdrawn(*node, entity)
            })
            .map(|(node, _)| node)
            .collect();
        let kind = |node: &Node| self.source.entities()[*node as usize].key.kind;
        nodes.sort_by_key(|node| (kind(node) != Kind::Page, *node));
        nodes
    }

    fn is_withdrawn(&self, node: Node, entity: &Entity<SourceId>) -> bool {
        let planned = &self.plan.entities[node as usize];
        let target = match planned.action {
            Action::Unchanged { target } | Action::Update { target } if !planned.left_alone => {
                target
            }
            _ => return false,
        };
        let is_shown = || {
            let there = self.target.get(&entity.key.with_id(target));
            there.is_some_and(|there| there.state == ItemState::Published)
        };
        let is_agreed = |approved: &Approved| approved.unpublishes(&entity.key);
        entity.is_withdrawn()
            && self
                .former
                .published
                .contains(&(entity.key.clone(), target))
            && self.approved.is_none_or(is_agreed)
            && is_shown()
    }

    /// What the source has published, and is a draft on the target unless it is published now.
    pub(in crate::engine) fn drafts(&self) -> impl Iterator<Item = Node> + '_ {
        let entities = (0..).zip(self.source.entities());
        let drafts = entities.filter(|(node, entity)| {
            let planned = &self.plan.entities[*node as usize];
            let is_written = planned.action.is_work() && !planned.is_place_only();
            entity.is_published() && (is_written || self.is_still_to_do(planned, entity))
        });
        drafts.map(|(node, _)| node)
    }

    /// Everything that is published, content before pages.
    pub(in crate::engine) fn all(&self) -> Vec<Node> {
        let kinds = self.publish.kinds().iter();
        let nodes = kinds.flat_map(|kind| {
            let entities = (0..).zip(self.source.entities());
            entities.filter_map(move |(node, entity)| (entity.key.kind == *kind).then_some(node))
        });
        nodes.filter(|node| self.takes(*node)).collect()
    }

    /// Whether the source has it published, and this run writes it, or an earlier one did with no change since; or whether the
    /// source shows another version of it than a run has published; and whether the plan that is applied says so.
    fn takes(&self, node: Node) -> bool {
        let entity = &self.source.entities()[node as usize];
        let planned = &self.plan.entities[node as usize];
        let is_agreed = |approved: &Approved| approved.publishes(&entity.key);
        let is_public = entity.is_published() || planned.public.is_some();
        if !is_public || !self.approved.is_none_or(is_agreed) {
            return false;
        }
        // One that only moved says what the target had in it, published or not.
        let is_written = planned.action.is_work() && !planned.is_place_only();
        let is_ours = || self.ours.contains(&entity.key);
        match planned.public {
            Some(public) => {
                let is_as_written =
                    matches!(planned.action, Action::Unchanged { .. }) && !planned.left_alone;
                (is_written || (is_as_written && is_ours()))
                    && !self.has_published(planned, entity, public)
            }
            None => is_written || (is_ours() && self.is_still_to_do(planned, entity)),
        }
    }

    /// Whether a run has published this version of an entity, and no other one since.
    fn has_published(
        &self,
        planned: &Planned,
        entity: &Entity<SourceId>,
        version: ContentHash,
    ) -> bool {
        let target = planned.action.counterpart();
        let published =
            target.and_then(|target| self.former.versions.get(&(entity.key.clone(), target)));
        published == Some(&version)
    }

    /// Whether the target has the entity as it was written and has not published it.
    fn is_still_to_do(&self, planned: &Planned, entity: &Entity<SourceId>) -> bool {
        let Action::Unchanged { target } = planned.action else {
            return false;
        };
        let there = self.target.get(&entity.key.with_id(target));
        !planned.left_alone
            && there.is_some_and(|there| match there.state {
                ItemState::Staging => true,
                ItemState::Unpublished => self.was_taken_back(&entity.key, target),
                _ => false,
            })
    }

    /// Whether a run published it and took it back. What others unpublish on the target stays unpublished.
    fn was_taken_back(&self, key: &EntityKey, target: TargetId) -> bool {
        let one = (key.clone(), target);
        self.former.refused.contains(&one) && !self.former.published.contains(&one)
    }
}

/// What is to be published now, each id once in its locale.
pub(super) fn entities(view: &PlanView, live: &Live, choice: &Choice<'_>) -> Vec<Published> {
    let chosen = choice.all();
    let mut chosen = by_locale(view, chosen);
    for ids in chosen.values_mut() {
        ids.retain(|(_, node)| !live.unfinished.contains(node));
        ids.sort_unstable();
    }
    // Pages that were published before they moved, whatever is to be published otherwise.
    let moved = by_locale(view, view.unpublished_by_moves(live));
    let mut all = Vec::new();
    let mut seen = HashSet::new();
    for ((kind, locale), ids) in chosen.into_iter().chain(moved) {
        for (id, node) in ids {
            if seen.insert((kind, locale.clone(), id)) {
                let locale = locale.clone();
                all.push(Published {
                    kind,
                    locale,
                    id,
                    node,
                });
            }
        }
    }
    all
}

/// What is to be unpublished now, pages before content.
pub(super) fn to_withdraw(view: &PlanView, live: &Live, choice: &Choice<'_>) -> Vec<Published> {
    let nodes = choice.withdrawn().into_iter();
    let nodes = nodes.filter(|node| !live.unfinished.contains(node));
    let published = nodes.filter_map(|node| {
        let key = &view.entity(node).key;
        Some(Published {
            kind: key.kind,
            locale: key.locale.clone()?,
            id: view.ids.resolve(key)?.id,
            node,
        })
    });
    published.collect()
}

/// The counterparts of entities, content before pages.
fn by_locale(
    view: &PlanView,
    nodes: impl IntoIterator<Item = Node>,
) -> BTreeMap<(Kind, Locale), Vec<(TargetId, Node)>> {
    let mut ids: BTreeMap<(Kind, Locale), Vec<(TargetId, Node)>> = BTreeMap::new();
    for node in nodes {
        let key = &view.entity(node).key;
        if let (Some(locale), Some(there)) = (&key.locale, view.ids.resolve(key)) {
            let ids = ids.entry((key.kind, locale.clone())).or_default();
            ids.push((there.id, node));
        }
    }
    ids
}
