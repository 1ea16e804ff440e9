//! What an instance holds.

use std::collections::BTreeMap;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::{Entity, Guid, Home, Id, Key, Kind, Locale, Placement};

/// An instance as read, complete: its entities and what belongs to the instance itself.
#[derive(Clone, Debug)]
pub struct Inventory<I> {
    /// The instance.
    pub guid: Guid,
    /// Its enabled locales, in its own order.
    pub locales: Vec<Locale>,
    /// Its digital channels.
    pub channels: Vec<Channel>,
    /// The URLs that its asset URLs begin with.
    pub asset_container: AssetContainer,
    /// Rows that are no entities but may be referred to: built-in models and containers, asset folders.
    pub passed: Vec<Passed>,
    entities: Vec<Entity<I>>,
    /// Positions by key; the keys themselves stand in the entities.
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

/// A row that is no entity of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// The list that it stands in.
    pub kind: Kind,
    /// Its id on its own side.
    pub id: i64,
    /// Its reference name or path.
    pub name: Box<str>,
}

impl<I: Id> Inventory<I> {
    /// An instance that holds nothing.
    pub fn empty(guid: Guid) -> Self {
        Self {
            guid,
            locales: Vec::new(),
            channels: Vec::new(),
            asset_container: AssetContainer::default(),
            passed: Vec::new(),
            entities: Vec::new(),
            index: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
        }
    }

    /// What belongs to the instance itself, without an entity.
    #[must_use]
    pub fn without_entities(&self) -> Self {
        Self {
            locales: self.locales.clone(),
            channels: self.channels.clone(),
            asset_container: self.asset_container.clone(),
            passed: self.passed.clone(),
            ..Self::empty(self.guid.clone())
        }
    }

    /// Takes the entities, sorted by key; of two with one key the later one stays.
    #[must_use]
    pub fn with_entities(mut self, mut entities: Vec<Entity<I>>) -> Self {
        entities.reverse();
        entities.sort_by(|left, right| left.key.cmp(&right.key));
        entities.dedup_by(|later, earlier| later.key == earlier.key);
        entities.shrink_to_fit();
        let hash = |at: &u32| self.hasher.hash_one(&entities[*at as usize].key);
        self.index = HashTable::with_capacity(entities.len());
        for at in (0..).take(entities.len()) {
            // Every key stands there once.
            self.index.insert_unique(hash(&at), at, hash);
        }
        self.entities = entities;
        self
    }

    /// All entities, sorted by key.
    pub fn entities(&self) -> &[Entity<I>] {
        &self.entities
    }

    /// The entity of a key.
    pub fn get(&self, key: &Key<I>) -> Option<&Entity<I>> {
        self.position(key).map(|at| &self.entities[at as usize])
    }

    /// Where in [`Inventory::entities`] the entity of a key stands.
    pub fn position(&self, key: &Key<I>) -> Option<u32> {
        let is_at = |at: &u32| self.entities[*at as usize].key == *key;
        self.index.find(self.hasher.hash_one(key), is_at).copied()
    }

    /// The entities of one kind, sorted by id and locale.
    pub fn of_kind(&self, kind: Kind) -> &[Entity<I>] {
        let start = self
            .entities
            .partition_point(|entity| entity.key.kind < kind);
        let end = self
            .entities
            .partition_point(|entity| entity.key.kind <= kind);
        &self.entities[start..end]
    }

    /// The pages that a sitemap lists, by locale and row of siblings: where in [`Inventory::entities`] they stand, in display
    /// order.
    pub fn page_rows(&self) -> BTreeMap<(Locale, Home), Vec<u32>> {
        let mut rows: BTreeMap<(Locale, Home), Vec<(u32, u32)>> = BTreeMap::new();
        let all = (0..).zip(&self.entities);
        for (at, page) in all.filter(|(_, entity)| entity.key.kind == Kind::Page) {
            if let (Some(locale), Some(placement)) = (page.locale(), &page.placement) {
                let row = (locale.clone(), Home::of(placement));
                rows.entry(row).or_default().push((placement.position, at));
            }
        }
        let in_order = |mut pages: Vec<(u32, u32)>| {
            pages.sort_unstable();
            pages.into_iter().map(|(_, at)| at).collect()
        };
        let rows = rows.into_iter();
        rows.map(|(row, pages)| (row, in_order(pages))).collect()
    }
}

/// A digital channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// `digitalChannelID`.
    pub id: i64,
    /// Its display name; names of the two sides compare without regard to case.
    pub name: Box<str>,
}

impl Channel {
    /// Whether it has this name, in any case.
    pub fn is_called(&self, name: &str) -> bool {
        self.name.trim().to_lowercase() == name.trim().to_lowercase()
    }

    /// The names of several, for messages.
    pub fn list(channels: &[Self]) -> String {
        let names: Vec<String> = channels
            .iter()
            .map(|one| format!("{:?}", one.name))
            .collect();
        match names.as_slice() {
            [] => "none".to_owned(),
            names => names.join(", "),
        }
    }
}

/// The URLs that asset URLs of an instance begin with, without a slash at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AssetContainer {
    /// `originUrl` of the container.
    pub origin_url: Box<str>,
    /// `edgeUrl` of the container; the origin URL where the API has none.
    pub edge_url: Box<str>,
}

/// A page in the tree of its channel and locale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageNode {
    /// The page.
    pub page: i64,
    /// The locale of the tree.
    pub locale: Locale,
    /// Where it stands.
    pub placement: Placement,
    /// `pageType`: `static`, `dynamic`, `folder` or `link`.
    pub page_type: Box<str>,
}

/// The two addresses of an asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetUrls {
    /// `originUrl`.
    pub origin: Box<str>,
    /// `edgeUrl`; the origin URL where the API has none.
    pub edge: Box<str>,
}
