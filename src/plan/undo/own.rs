//! The target as its own source.
//!
//! Extraction and rewriting of references are written for entities of a source. To restore an entity, the target is both
//! source and target: every id, name and URL is its own counterpart. This is the only place where an id of the target is
//! read as an id of a source, and only bodies for that same target leave this module.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;

use crate::domain::{
    AssetContainer, AssetUrls, ContentHash, Entity, Guid, Id, Inventory, Key, Kind, Locale,
    SourceId, TargetId, TargetKey, name_key,
};
use crate::plan::{
    AssetIndex, Context, Counterparts, LinkForms, Pointer, Referent, Schema, asset_urls,
    fields_hash, known_hash, put_back, references, target_hash, whole_payload,
};

/// An instance in its own terms.
#[derive(Debug)]
pub struct Own {
    target: Arc<Inventory<TargetId>>,
    schema: Schema,
    assets: AssetIndex,
    urls: HashMap<i64, AssetUrls>,
    names: HashMap<(Kind, Box<str>), TargetId>,
    locales: HashMap<(Kind, i64), Vec<Locale>>,
    created: RwLock<Created>,
    links: LinkForms,
}

/// What was created again, by its former id: its new id, and the locale that has it of what exists in several.
pub type Created = HashMap<(Kind, i64), (TargetId, Option<Locale>)>;

impl Own {
    /// Reads `target`, with `models` in the places of those that have their ids.
    pub fn new(target: Arc<Inventory<TargetId>>, models: &[Entity<TargetId>]) -> Self {
        let mut names = HashMap::new();
        let mut urls = HashMap::new();
        let mut locales: HashMap<(Kind, i64), Vec<Locale>> = HashMap::new();
        for entity in target.entities() {
            let key = &entity.key;
            if let Some(locale) = &key.locale {
                let known = locales.entry((key.kind, key.id.raw())).or_default();
                known.push(locale.clone());
            } else {
                let name = (key.kind, name_key(&entity.name));
                names.entry(name).or_insert(key.id);
            }
            if key.kind == Kind::Asset
                && let Some(found) = asset_urls(&entity.body.parse())
            {
                urls.insert(key.id.raw(), found);
            }
        }
        Self {
            schema: schema(&target, models),
            assets: AssetIndex::of(&target),
            target,
            urls,
            names,
            locales,
            created: RwLock::default(),
            links: LinkForms::default(),
        }
    }

    /// The same for a target that takes selections of one item in these forms.
    #[must_use]
    pub fn writing(self, links: LinkForms) -> Self {
        Self { links, ..self }
    }

    /// The same with entities that were created again already.
    #[must_use]
    pub fn with_created(self, created: Created) -> Self {
        Self {
            created: RwLock::new(created),
            ..self
        }
    }

    /// Notes that an entity was created again. From then on, whatever referred to it refers to the new one.
    pub fn note_created(&self, former: &TargetKey, id: TargetId) {
        let mut created = self.created.write().unwrap_or_else(PoisonError::into_inner);
        let entry = (id, former.locale.clone());
        created
            .entry((former.kind, former.id.raw()))
            .or_insert(entry);
    }

    /// What has the place of `id` now, and a locale in which it has it: the entity that was created again, or itself where the
    /// target still has it in some locale.
    pub fn now(&self, kind: Kind, id: i64) -> Option<(TargetId, Option<Locale>)> {
        let created = self.created.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(created) = created.get(&(kind, id)) {
            return Some(created.clone());
        }
        let locale = self.locales.get(&(kind, id))?.first()?;
        Some((TargetId::new(id), Some(locale.clone())))
    }

    /// What has to be sent to create `entity` again.
    ///
    /// # Errors
    /// A sentence that names a reference which leads nowhere.
    pub fn new_body(&self, entity: &Entity<TargetId>) -> Result<Value, String> {
        let written = whole_payload(&as_source(entity), &self.context(), self, None);
        written
            .map(|payload| payload.body)
            .map_err(|unresolved| unresolved.to_string())
    }

    /// Whether `present` says what `entity` says, once that is created again.
    pub fn says(&self, present: &Entity<TargetId>, entity: &Entity<TargetId>) -> bool {
        let kind = entity.key.kind;
        self.new_body(entity).is_ok_and(|written| {
            let expected = fields_hash(kind, &written, &self.schema);
            expected == fields_hash(kind, &present.body.parse(), &self.schema)
        })
    }

    /// What `entity` refers to, in the target's own terms, its parent among them.
    pub(super) fn refers_to(&self, entity: &Entity<TargetId>) -> Vec<Referent> {
        let found = references(&as_source(entity), &self.context());
        let parent = entity.placement.as_ref().and_then(|place| place.parent);
        let found = found.into_iter().map(|reference| reference.to);
        found.chain(parent.map(Referent::Page)).collect()
    }

    /// The hash of what `entity` says in the fields that its model has: with a field of its model an item loses what it
    /// says there.
    pub fn hash(&self, entity: &Entity<TargetId>) -> ContentHash {
        known_hash(entity, &self.schema)
    }

    /// The hash of all that `entity` says.
    pub fn whole_hash(&self, entity: &Entity<TargetId>) -> ContentHash {
        target_hash(entity, &self.schema)
    }

    /// What has to be sent to make `entity` again what it says; `existing` is what stands there now.
    ///
    /// # Errors
    /// A sentence that names a reference which leads nowhere.
    pub fn body(
        &self,
        entity: &Entity<TargetId>,
        existing: Option<&Value>,
    ) -> Result<Value, String> {
        put_back(&as_source(entity), &self.context(), self, existing)
            .map_err(|unresolved| unresolved.to_string())
    }

    /// The entities of the target that `entity` refers to, its parent among them. What does not exist is left out.
    pub(super) fn referents(&self, entity: &Entity<TargetId>) -> Vec<TargetKey> {
        let found = references(&as_source(entity), &self.context());
        let mut keys: Vec<TargetKey> = found
            .iter()
            .flat_map(|reference| self.resolve(&reference.to, entity.locale()))
            .collect();
        let parent = entity.placement.as_ref().and_then(|place| place.parent);
        if let (Some(parent), Some(locale)) = (parent, entity.locale()) {
            keys.push(TargetKey::localised(Kind::Page, parent, locale));
        }
        keys.sort_unstable();
        keys.dedup();
        keys.retain(|key| *key != entity.key);
        keys
    }

    fn context(&self) -> Context<'_> {
        Context {
            links: self.links,
            ..Context::of(&self.schema, &self.assets)
        }
    }

    /// The entities that a reference in the target's own terms means.
    fn resolve(&self, to: &Referent, locale: Option<&Locale>) -> Vec<TargetKey> {
        match to.pointer() {
            Pointer::Id(kind, id) => self.with_id(kind, id, locale),
            Pointer::Name(kind, name) => self.named(kind, name),
        }
    }

    /// The entities of the target with an id.
    pub(in crate::plan) fn with_id(
        &self,
        kind: Kind,
        id: i64,
        locale: Option<&Locale>,
    ) -> Vec<TargetKey> {
        if kind.is_localised() {
            self.localised(kind, id, locale)
        } else {
            vec![TargetKey::global(kind, id)]
        }
    }

    /// The entity of the target with a name.
    pub(in crate::plan) fn named(&self, kind: Kind, name: &str) -> Vec<TargetKey> {
        let id = self.names.get(&(kind, name_key(name)));
        id.map(|id| TargetKey::global(kind, id.raw()))
            .into_iter()
            .collect()
    }

    /// The item in the locale of what refers to it; where it does not exist there, in all that it has.
    fn localised(&self, kind: Kind, id: i64, locale: Option<&Locale>) -> Vec<TargetKey> {
        let same = locale
            .map(|locale| TargetKey::localised(kind, id, locale))
            .filter(|key| self.target.get(key).is_some());
        if let Some(same) = same {
            return vec![same];
        }
        let others = self.locales.get(&(kind, id)).into_iter().flatten();
        others
            .map(|locale| TargetKey::localised(kind, id, locale))
            .collect()
    }
}

/// What is looked up was read on this instance, so everything is its own counterpart.
impl Counterparts for Own {
    fn id(&self, kind: Kind, id: i64, _locale: Option<&Locale>) -> Option<TargetId> {
        let created = self.created.read().unwrap_or_else(PoisonError::into_inner);
        let created = created.get(&(kind, id)).map(|(id, _)| *id);
        Some(created.unwrap_or(TargetId::new(id)))
    }

    fn name(&self, kind: Kind, source_name: &str) -> Option<Box<str>> {
        let id = self.names.get(&(kind, name_key(source_name)));
        let entity = id.and_then(|id| self.target.get(&TargetKey::global(kind, id.raw())));
        Some(entity.map_or_else(|| source_name.into(), |entity| entity.name.clone()))
    }

    fn asset_urls(&self, id: i64) -> Option<AssetUrls> {
        self.urls.get(&id).cloned()
    }

    fn asset_container(&self) -> &AssetContainer {
        &self.target.asset_container
    }
}

/// What has to be sent to save a page of the target as it is. What it refers to does not have to be known for that.
///
/// # Errors
/// A sentence that names a reference which leads nowhere.
pub fn as_it_is(page: &Entity<TargetId>) -> Result<Value, String> {
    let nothing = Inventory::<TargetId>::empty(Guid::new(""));
    let own = Own::new(Arc::new(nothing), &[]);
    own.body(page, None)
}

fn as_source(entity: &Entity<TargetId>) -> Entity<SourceId> {
    Entity {
        key: Key {
            kind: entity.key.kind,
            id: SourceId::new(entity.key.id.raw()),
            locale: entity.key.locale.clone(),
        },
        name: entity.name.clone(),
        version: entity.version,
        state: entity.state,
        placement: entity.placement.clone(),
        body: entity.body.clone(),
    }
}

fn schema(target: &Inventory<TargetId>, models: &[Entity<TargetId>]) -> Schema {
    let mut known = Inventory::empty(target.guid.clone());
    known.passed.clone_from(&target.passed);
    let present = target.of_kind(Kind::Model).iter();
    // Of two with one key the later one stays.
    Schema::of(&known.with_entities(present.chain(models).cloned().collect()))
}
