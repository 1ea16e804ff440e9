//! What is known of both instances: what they held when they were read, what is going to happen, and what came of it.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::pre_images::PreImages;
use super::unmatched::Unmatched;
use crate::domain::{ContentHash, Entity, EntityKey, Id as _, Inventory, Kind, SourceId, TargetId};
use crate::engine::options::Options;
use crate::id_map::{Counterpart, IdConflict, IdMap};
use crate::instance::Saved;
use crate::plan::{
    AssetIndex, Context, Defaults, LinkForms, Merged, Node, Plan, Planned, Policies, Schema,
};

/// The plan with all that is needed to write an entity in the target's terms. Only the id mapping changes during a run.
#[derive(Debug)]
pub(in crate::engine) struct PlanView {
    /// What the source holds.
    pub(in crate::engine) source_inventory: Arc<Inventory<SourceId>>,
    /// What the target held before the run.
    pub(in crate::engine) target_inventory: Arc<Inventory<TargetId>>,
    /// What is going to happen.
    pub(in crate::engine) plan: Arc<Plan>,
    /// The id mapping.
    pub(in crate::engine) ids: IdMap,
    /// What is known of what is going to be written over.
    pub(in crate::engine) pre_images: PreImages,
    /// What is never written on the target.
    pub(in crate::engine) policies: Policies,
    /// How the target spells links, where that was tried.
    pub(in crate::engine) links: LinkForms,
    /// The models of the source.
    pub(in crate::engine) schema: Schema,
    /// The asset URLs of the source.
    pub(in crate::engine) assets: AssetIndex,
    /// Fields that stay as the target has them.
    pub(in crate::engine) merged: Merged,
    /// The hashes of the asset bytes that both sides had before the run, where they were compared.
    pub(in crate::engine) equal_bytes: HashMap<SourceId, ContentHash>,
    /// What the server fills in, as far as it was known before the run.
    pub(in crate::engine) defaults: Defaults,
    /// What the source shows to the public of items with a newer draft.
    pub(in crate::engine) public: Arc<HashMap<EntityKey, Entity<SourceId>>>,
    /// What the target had before the run that is the counterpart of nothing, once something is created.
    pub(in crate::engine) unmatched: OnceLock<Unmatched>,
}

impl PlanView {
    /// Both instances without a plan and counterparts.
    pub(in crate::engine) fn bare(
        source_inventory: Arc<Inventory<SourceId>>,
        target_inventory: Arc<Inventory<TargetId>>,
        policies: Policies,
        options: &Options,
    ) -> Self {
        Self {
            ids: IdMap::new(target_inventory.asset_container.clone()),
            source_inventory,
            target_inventory,
            policies,
            links: options.probed.links,
            plan: Arc::new(Plan::default()),
            pre_images: PreImages::default(),
            schema: Schema::default(),
            assets: AssetIndex::default(),
            merged: Merged::default(),
            equal_bytes: HashMap::new(),
            defaults: Defaults::default(),
            public: Arc::default(),
            unmatched: OnceLock::new(),
        }
    }

    /// What is needed to find references.
    pub(in crate::engine) fn rewriting(&self) -> Context<'_> {
        Context {
            schema: &self.schema,
            assets: &self.assets,
            policies: Some(&self.policies),
            merged: Some(&self.merged),
            links: self.links,
        }
    }

    /// The source entity of a node.
    pub(in crate::engine) fn entity(&self, node: Node) -> &Entity<SourceId> {
        &self.source_inventory.entities()[node as usize]
    }

    /// What is planned for a node.
    pub(in crate::engine) fn planned(&self, node: Node) -> &Planned {
        &self.plan.entities[node as usize]
    }

    /// The counterpart of a node that a save replaces; `None` creates.
    pub(in crate::engine) fn counterpart(&self, node: Node) -> Option<TargetId> {
        let key = &self.entity(node).key;
        self.planned(node)
            .action
            .counterpart()
            .or_else(|| self.ids.resolve(key).map(|counterpart| counterpart.id))
            // An item keeps its id in every locale. A page joins its other locale by a parameter instead.
            .or_else(|| {
                self.ids
                    .shared(key.kind, key.id)
                    .filter(|_| key.kind == Kind::Content)
            })
    }

    /// The target id of the parent of a page; `None` at the root of its channel.
    ///
    /// # Errors
    /// A sentence when its parent has no counterpart: then it has no place on the target, least of all the root.
    pub(in crate::engine) fn parent(
        &self,
        entity: &Entity<SourceId>,
    ) -> Result<Option<TargetId>, String> {
        let placement = entity.placement.as_ref();
        let Some(parent) = placement.and_then(|placement| placement.parent) else {
            return Ok(None);
        };
        let there = self.ids.shared(Kind::Page, SourceId::new(parent));
        let known = there
            .ok_or_else(|| format!("its parent, page {parent}, has no counterpart on the target"));
        known.map(Some)
    }

    /// The target id of the page that a page is put below.
    ///
    /// # Errors
    /// A sentence when it has no place on the target.
    pub(in crate::engine) fn home_parent(&self, node: Node) -> Result<Option<TargetId>, String> {
        if self.entity(node).key.kind != Kind::Page {
            return Ok(None);
        }
        Ok(self.home(node)?.parent.map(TargetId::new))
    }

    /// Lets the lanes see what the store has.
    ///
    /// # Errors
    /// [`IdConflict`] when the entity has another counterpart already.
    pub(in crate::engine) fn arrived(&self, node: Node, saved: &Saved) -> Result<(), IdConflict> {
        let entity = self.entity(node);
        let key: &EntityKey = &entity.key;
        if let Some(name) = &saved.name {
            self.ids.record_name(key.kind, &entity.name, name);
        }
        if let Some(urls) = &saved.urls {
            self.ids.record_urls(key.id, urls.clone());
        }
        self.ids.record(
            key,
            Counterpart {
                id: saved.id,
                version: saved.version,
            },
        )
    }
}
