//! All entities of a source, mapped for one target.

use std::collections::HashMap;
use std::sync::Arc;

use super::check::MapError;
use super::entity::{Mapper, Uses};
use super::rules::Maps;
use crate::domain::{BodyFile, Entity, EntityKey, Inventory, Locale, SourceId};
use crate::plan::decide::spread;
use crate::plan::{AssetIndex, Schema};

/// A source, mapped for one target.
#[derive(Clone, Debug)]
pub struct Mapped {
    /// As mapped for the target.
    pub source: Arc<Inventory<SourceId>>,
    /// As it was read.
    pub read: Arc<Inventory<SourceId>>,
    /// What is skipped on the target and not created, with the pattern that says so.
    pub excluded: Arc<HashMap<EntityKey, Box<str>>>,
    /// Locales that have another name on the target: that of the source, and that of the target.
    pub locales: Arc<[(Locale, Locale)]>,
    /// What was mapped, one sentence each.
    pub told: Arc<[String]>,
}

impl Mapped {
    /// A source that goes by its own names.
    fn unchanged(read: Arc<Inventory<SourceId>>) -> Self {
        Self {
            source: Arc::clone(&read),
            read,
            excluded: Arc::default(),
            locales: Arc::default(),
            told: Arc::default(),
        }
    }
}

impl Maps {
    /// The source, mapped for the target. Mapped bodies go into `bodies`, where there is such a file. The same
    /// source and maps give the same.
    ///
    /// # Errors
    /// [`MapError`] for a name that the source does not have, and for names that do not stay apart.
    pub fn apply(
        &self,
        read: Arc<Inventory<SourceId>>,
        bodies: Option<&Arc<BodyFile>>,
    ) -> Result<Mapped, MapError> {
        if self.changes_nothing() {
            let told = self.told(&read.locales, &Uses::of(self));
            return Ok(Mapped {
                told,
                ..Mapped::unchanged(read)
            });
        }
        let schema = Schema::of(&*read);
        self.check(&read, &schema)?;
        let assets = self.assets(&read);
        let mapper = Mapper {
            maps: self,
            schema: &schema,
            assets: &assets,
        };
        let made = spread::each(&read, |_, entity| {
            let mut uses = Uses::of(self);
            let excluded = self.excludes(entity, &mut uses);
            let mut becomes = mapper.entity(entity, &mut uses);
            if let (Some(becomes), Some(bodies)) = (&mut becomes, bodies) {
                becomes.body.put_into(bodies);
            }
            (becomes, excluded, uses)
        });
        let mut all = Uses::of(self);
        let mut excluded = HashMap::new();
        let mut entities = Vec::with_capacity(made.len());
        for ((becomes, exclude, uses), entity) in made.into_iter().zip(read.entities()) {
            all.add(&uses);
            let becomes = becomes.unwrap_or_else(|| entity.clone());
            excluded.extend(exclude.map(|text| (becomes.key.clone(), text)));
            entities.push(becomes);
        }
        let mut source = read.without_entities();
        source.locales = read.locales.iter().map(|one| self.locale(one)).collect();
        Ok(Mapped {
            source: Arc::new(source.with_entities(entities)),
            excluded: Arc::new(excluded),
            locales: self.mapped_locales(&read.locales),
            told: self.told(&read.locales, &all),
            read,
        })
    }

    /// Entities of `read` in other versions, mapped in the same way.
    pub fn apply_to(
        &self,
        read: &Inventory<SourceId>,
        others: Vec<Entity<SourceId>>,
    ) -> Vec<Entity<SourceId>> {
        if self.changes_nothing() || others.is_empty() {
            return others;
        }
        let mapper = Mapper {
            maps: self,
            schema: &Schema::of(read),
            assets: &self.assets(read),
        };
        let mut uses = Uses::of(self);
        let others = others.into_iter();
        others
            .map(|one| mapper.entity(&one, &mut uses).unwrap_or(one))
            .collect()
    }

    /// The assets of a source, where URLs are mapped.
    fn assets(&self, read: &Inventory<SourceId>) -> AssetIndex {
        if self.hosts.is_empty() {
            AssetIndex::default()
        } else {
            AssetIndex::of(read)
        }
    }

    /// The pattern that leaves an entity out.
    fn excludes(&self, entity: &Entity<SourceId>, uses: &mut Uses) -> Option<Box<str>> {
        let mut patterns = self.exclude.iter().enumerate();
        let (at, pattern) = patterns.find(|(_, pattern)| pattern.covers(entity))?;
        uses.exclude[at] += 1;
        Some(pattern.text().into())
    }

    fn mapped_locales(&self, read: &[Locale]) -> Arc<[(Locale, Locale)]> {
        let pairs = read.iter().map(|one| (one.clone(), self.locale(one)));
        pairs.filter(|(here, there)| here != there).collect()
    }

    /// What was mapped, in the order of the settings.
    fn told(&self, read: &[Locale], uses: &Uses) -> Arc<[String]> {
        let counted = |count: u32, one: &str, several: &str| {
            let noun = if count == 1 { one } else { several };
            format!("{count} {noun}")
        };
        let mut told = Vec::new();
        for (from, to) in self.mapped_locales(read).iter() {
            told.push(format!("locale {from} becomes {to}"));
        }
        for (from, to) in &self.channels {
            told.push(format!("channel {from} becomes {to}"));
        }
        for (from, to) in &self.containers {
            told.push(format!("container {from} becomes {to}"));
        }
        let root = |folder: &str| match folder {
            "" => "/".to_owned(),
            folder => folder.to_owned(),
        };
        for ((from, to), count) in self.folders.iter().zip(&uses.folders) {
            let (from, to) = (root(from), root(to));
            let count = counted(*count, "asset", "assets");
            told.push(format!("folder {from} becomes {to}: {count}"));
        }
        for ((from, to), count) in self.hosts.iter().zip(&uses.hosts) {
            let count = counted(*count, "URL", "URLs");
            told.push(format!("host {from} becomes {to}: {count}"));
        }
        for (rule, count) in self.set.iter().zip(&uses.set) {
            let value = rule.value.as_deref().unwrap_or_default();
            let count = counted(*count, "item", "items");
            told.push(format!("{} is {value:?}: {count}", rule.name()));
        }
        for (rule, count) in self.dropped.iter().zip(&uses.dropped) {
            let count = counted(*count, "item", "items");
            told.push(format!("{} is dropped: {count}", rule.name()));
        }
        for (pattern, count) in self.exclude.iter().zip(&uses.exclude) {
            let count = counted(*count, "entity", "entities");
            told.push(format!("{} is excluded: {count}", pattern.text()));
        }
        told.into()
    }
}
