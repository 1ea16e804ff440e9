//! Source key to target id: the one structure that every lane shares.
//!
//! It is read for every reference of every entity and written once per entity, so it is a concurrent map. Guards
//! never leave this module. Repeating a fact is harmless, contradicting one is not: that would mean two
//! entities on the target for one on the source.

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

use crate::domain::{
    AssetContainer, AssetUrls, EntityKey, Id, Kind, Locale, SourceId, TargetId, Version, name_key,
};
use crate::plan::Counterparts;
use crate::planted::{self, Bug};

/// An entity on the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counterpart {
    /// Its id.
    pub id: TargetId,
    /// Its version, for content and pages, where it is known.
    pub version: Option<Version>,
}

/// Counterparts by source key, with the names and URLs that references use.
#[derive(Debug, Default)]
pub struct IdMap {
    ids: DashMap<EntityKey, Counterpart>,
    shared: DashMap<(Kind, SourceId), TargetId>,
    claimed: DashMap<(Kind, TargetId), SourceId>,
    names: DashMap<(Kind, Box<str>), Box<str>>,
    /// The first name of the source with a key.
    folded: DashMap<(Kind, Box<str>), Box<str>>,
    urls: DashMap<SourceId, AssetUrls>,
    container: AssetContainer,
}

/// A pair that contradicts what is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdConflict {
    /// A second counterpart for one entity.
    #[error("{key} has the counterpart {kept} and cannot have {refused} as well")]
    Source {
        /// The entity.
        key: EntityKey,
        /// The counterpart that stays.
        kept: TargetId,
        /// The one that was refused.
        refused: TargetId,
    },
    /// A second entity for one counterpart.
    #[error(
        "{target} on the target is the counterpart of {kind} {kept} and cannot be that of {key} as well"
    )]
    Target {
        /// The kind of both.
        kind: Kind,
        /// The entity on the target.
        target: TargetId,
        /// The id on the source that stays.
        kept: SourceId,
        /// The entity that was refused.
        key: EntityKey,
    },
}

impl IdMap {
    /// An empty map for a target whose asset URLs begin with `container`.
    pub fn new(container: AssetContainer) -> Self {
        Self {
            container,
            ..Self::default()
        }
    }

    /// Records that `key` became `counterpart`. A later version of the same id replaces the earlier one.
    ///
    /// # Errors
    /// [`IdConflict`] if `key`, or the same item in another locale, has another id already, or the id belongs
    /// to another entity; what was there stays.
    pub fn record(&self, key: &EntityKey, counterpart: Counterpart) -> Result<(), IdConflict> {
        self.claim(key, counterpart.id)?;
        self.ids.insert(key.clone(), counterpart);
        Ok(())
    }

    /// Claims `target` for `key`, before anything of that is made durable: of two that claim it the first one has it.
    /// Claiming again what one has is harmless. A refused claim leaves no trace.
    ///
    /// # Errors
    /// [`IdConflict`] if `key`, or the same item in another locale, has another id already, or the id belongs
    /// to another entity.
    pub fn claim(&self, key: &EntityKey, target: TargetId) -> Result<(), IdConflict> {
        let kind = key.kind;
        if planted::has(Bug::RefusesNoClaim) {
            return Ok(());
        }
        let claim = self.claimed.entry((kind, target));
        let is_new = matches!(claim, Entry::Vacant(_));
        let kept = *claim.or_insert(key.id);
        if kept != key.id {
            return Err(IdConflict::Target {
                kind,
                target,
                kept,
                key: key.clone(),
            });
        }
        let kept = *self.shared.entry((kind, key.id)).or_insert(target);
        if kept == target {
            return Ok(());
        }
        if is_new {
            self.claimed.remove(&(kind, target));
        }
        Err(IdConflict::Source {
            key: key.clone(),
            kept,
            refused: target,
        })
    }

    /// Keeps `target` from any other entity than `id`, which may get another counterpart itself: its mapping stands, but
    /// this run does not look at it.
    pub fn reserve(&self, kind: Kind, target: TargetId, id: SourceId) {
        self.claimed.entry((kind, target)).or_insert(id);
    }

    /// Records an id for an item of which this run has no entity in some locale.
    pub fn record_shared(&self, kind: Kind, id: SourceId, target: TargetId) {
        self.shared.insert((kind, id), target);
    }

    /// Records that what the source calls `source_name` is called `target_name` on the target.
    pub fn record_name(&self, kind: Kind, source_name: &str, target_name: &str) {
        let exact: Box<str> = source_name.trim().into();
        self.folded
            .entry((kind, name_key(source_name)))
            .or_insert_with(|| exact.clone());
        self.names.insert((kind, exact), target_name.into());
    }

    /// Records where an asset can be had on the target.
    pub fn record_urls(&self, asset: SourceId, urls: AssetUrls) {
        self.urls.insert(asset, urls);
    }

    /// Whether an entity on the target is a counterpart.
    pub fn is_claimed(&self, kind: Kind, target: TargetId) -> bool {
        self.claimed.contains_key(&(kind, target))
    }

    /// The counterpart of `key` in its locale, or `None` while there is none.
    pub fn resolve(&self, key: &EntityKey) -> Option<Counterpart> {
        self.ids.get(key).map(|counterpart| *counterpart)
    }

    /// The id of an item on the target, whatever the locale.
    pub fn shared(&self, kind: Kind, id: SourceId) -> Option<TargetId> {
        self.shared.get(&(kind, id)).map(|target| *target)
    }

    /// How many entities have a counterpart.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether no entity has a counterpart.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Every entity with its counterpart, in no particular order.
    pub fn all(&self) -> Vec<(EntityKey, Counterpart)> {
        self.ids
            .iter()
            .map(|entry| (entry.key().clone(), *entry.value()))
            .collect()
    }
}

impl Counterparts for IdMap {
    fn id(&self, kind: Kind, id: i64, _locale: Option<&Locale>) -> Option<TargetId> {
        self.shared(kind, SourceId::new(id))
    }

    fn name(&self, kind: Kind, source_name: &str) -> Option<Box<str>> {
        let called = |exact: Box<str>| self.names.get(&(kind, exact)).map(|name| name.clone());
        called(source_name.trim().into()).or_else(|| {
            let first = self.folded.get(&(kind, name_key(source_name)));
            called(first?.clone())
        })
    }

    fn asset_urls(&self, id: i64) -> Option<AssetUrls> {
        self.urls.get(&SourceId::new(id)).map(|urls| urls.clone())
    }

    fn asset_container(&self) -> &AssetContainer {
        &self.container
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counterpart(id: i64) -> Counterpart {
        Counterpart {
            id: TargetId::new(id),
            version: None,
        }
    }

    #[test]
    fn repeating_is_harmless_and_contradicting_is_refused() {
        let map = IdMap::default();
        let key: EntityKey = "content:1@en-us".parse().unwrap();
        map.record(&key, counterpart(7)).unwrap();
        map.record(&key, counterpart(7)).unwrap();
        assert!(matches!(
            map.record(&key, counterpart(8)),
            Err(IdConflict::Source { .. })
        ));
        let other: EntityKey = "content:2@en-us".parse().unwrap();
        assert!(matches!(
            map.record(&other, counterpart(7)),
            Err(IdConflict::Target { .. })
        ));
        assert_eq!(map.resolve(&key), Some(counterpart(7)));
    }

    #[test]
    fn a_refused_claim_leaves_no_trace() {
        let map = IdMap::default();
        let key: EntityKey = "content:1@en-us".parse().unwrap();
        map.claim(&key, TargetId::new(7)).unwrap();
        assert!(map.claim(&key, TargetId::new(8)).is_err());
        assert!(!map.is_claimed(Kind::Content, TargetId::new(8)));
        let other: EntityKey = "content:2@en-us".parse().unwrap();
        assert!(map.claim(&other, TargetId::new(7)).is_err());
        map.claim(&other, TargetId::new(8)).unwrap();
        assert_eq!(map.resolve(&other), None, "a claim is no counterpart yet");
    }

    #[test]
    fn the_locales_of_an_item_share_its_id() {
        let map = IdMap::default();
        map.record(&"content:1@en-us".parse().unwrap(), counterpart(7))
            .unwrap();
        let french: EntityKey = "content:1@fr-ca".parse().unwrap();
        assert_eq!(map.resolve(&french), None);
        assert_eq!(
            map.shared(Kind::Content, SourceId::new(1)),
            Some(TargetId::new(7))
        );
        assert!(map.record(&french, counterpart(8)).is_err());
    }

    #[test]
    fn names_compare_without_regard_to_case() {
        let map = IdMap::default();
        map.record_name(Kind::Container, "News", "news1");
        assert_eq!(map.name(Kind::Container, "nEWS").as_deref(), Some("news1"));
    }
}
