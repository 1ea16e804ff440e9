//! Who is whose counterpart before anything is written.

use std::cell::OnceCell;

use hashbrown::{HashMap, HashSet};
use serde_json::Value;

use crate::domain::{
    Entity, Id, Inventory, Kind, Locale, Placement, SourceId, TargetId, TargetKey,
};
use crate::plan::action::Agreements;

/// What is known of an entity's counterpart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// The store remembers it, and it is there.
    Mapped(TargetId),
    /// The store remembers it, and the target has it no more.
    Gone(TargetId),
    /// The item or page is on the target in this other locale.
    Joins(TargetId, Locale),
    /// An entity of the same natural key is there.
    Natural(TargetId),
    /// An entity of the same natural key is there, and it is the counterpart of another one.
    Taken(TargetId),
    /// A model of the same name is there, of the other type (content or component).
    OtherType(TargetId),
    /// The store remembers it, and the source moved the entity where a save cannot take it.
    Left(TargetId),
    /// Nothing.
    None,
}

/// Finds the counterpart of every source entity, in the order of the source inventory.
pub(super) fn matches(
    source: &Inventory<SourceId>,
    target: &Inventory<TargetId>,
    agreements: &Agreements,
) -> Vec<Match> {
    let finder = Finder::new(source, target, agreements);
    let mut taken: HashSet<(Kind, TargetId)> = finder.claimed.clone();
    source
        .entities()
        .iter()
        .map(|entity| {
            finder
                .remembered(entity)
                .unwrap_or_else(|| finder.natural(entity, &mut taken))
        })
        .collect()
}

struct Finder<'a> {
    source: &'a Inventory<SourceId>,
    target: &'a Inventory<TargetId>,
    agreements: &'a Agreements,
    /// A locale in which an item or page is on the target: seen there, or remembered in a locale that is not read.
    somewhere: HashMap<(Kind, TargetId), Locale>,
    /// Target ids by source id, whatever the locale.
    ids: HashMap<(Kind, SourceId), TargetId>,
    /// Counterparts of live source entities.
    claimed: HashSet<(Kind, TargetId)>,
    by_natural_key: HashMap<String, TargetId>,
    /// Of the source, as soon as a page of it needs its path.
    source_paths: OnceCell<PagePaths>,
}

impl<'a> Finder<'a> {
    fn new(
        source: &'a Inventory<SourceId>,
        target: &'a Inventory<TargetId>,
        agreements: &'a Agreements,
    ) -> Self {
        let mut ids = HashMap::new();
        let mut claimed = HashSet::new();
        for (key, agreement) in agreements {
            ids.insert((key.kind, key.id), agreement.target);
            if source.get(key).is_some() {
                claimed.insert((key.kind, agreement.target));
            }
        }
        let paths = PagePaths::new(target);
        let by_natural_key = target
            .entities()
            .iter()
            .rev()
            .filter_map(|entity| Some((natural_key(entity, || &paths)?, entity.key.id)))
            .collect();
        Self {
            source,
            target,
            agreements,
            somewhere: somewhere(target, agreements),
            ids,
            claimed,
            by_natural_key,
            source_paths: OnceCell::new(),
        }
    }

    /// What the store says; `None` when it says nothing.
    fn remembered(&self, entity: &Entity<SourceId>) -> Option<Match> {
        let key = &entity.key;
        let id = match self.agreements.get(key) {
            Some(agreement) => agreement.target,
            None if key.kind.is_localised() => *self.ids.get(&(key.kind, key.id))?,
            None => return None,
        };
        let there = TargetKey {
            kind: key.kind,
            id,
            locale: key.locale.clone(),
        };
        Some(if self.target.get(&there).is_some() {
            Match::Mapped(id)
        } else if let Some(locale) = self.somewhere.get(&(key.kind, id)) {
            Match::Joins(id, locale.clone())
        } else {
            Match::Gone(id)
        })
    }

    fn natural(&self, entity: &Entity<SourceId>, taken: &mut HashSet<(Kind, TargetId)>) -> Match {
        if self.by_natural_key.is_empty() {
            return Match::None;
        }
        let paths = || {
            self.source_paths
                .get_or_init(|| PagePaths::new(self.source))
        };
        let Some(key) = natural_key(entity, paths) else {
            return Match::None;
        };
        let Some(id) = self.by_natural_key.get(&key).copied() else {
            return Match::None;
        };
        if entity.key.kind == Kind::Model && self.is_other_type(entity, id) {
            return Match::OtherType(id);
        }
        // A page has one id in all its locales, so a second locale finds it taken by the first one.
        if !taken.insert((entity.key.kind, id)) && entity.key.kind != Kind::Page {
            return Match::Taken(id);
        }
        Match::Natural(id)
    }

    fn is_other_type(&self, model: &Entity<SourceId>, id: TargetId) -> bool {
        let there = self.target.get(&TargetKey {
            kind: Kind::Model,
            id,
            locale: None,
        });
        let is_component = |body: &Value| {
            body["contentDefinitionTypeID"]
                .as_i64()
                .map(|number| number == 2)
        };
        match (
            is_component(&model.body.parse()),
            there.and_then(|there| is_component(&there.body.parse())),
        ) {
            (Some(here), Some(there)) => here != there,
            // Unknown on either side counts as the same kind.
            _ => false,
        }
    }
}

fn somewhere(
    target: &Inventory<TargetId>,
    agreements: &Agreements,
) -> HashMap<(Kind, TargetId), Locale> {
    let remembered = agreements.iter().filter_map(|(key, agreement)| {
        let locale = key.locale.as_ref()?;
        let is_read = target.locales.contains(locale);
        (!is_read).then(|| ((key.kind, agreement.target), locale.clone()))
    });
    let seen = target.entities().iter().filter_map(|entity| {
        let locale = entity.key.locale.clone()?;
        Some(((entity.key.kind, entity.key.id), locale))
    });
    // What was seen counts more, so it comes last.
    remembered.chain(seen).collect()
}

/// What tells that two entities are the same thing where the store knows nothing; `None` for content items,
/// which have no such thing. The kind is part of the text.
fn natural_key<'p, I: Id>(
    entity: &Entity<I>,
    paths: impl FnOnce() -> &'p PagePaths,
) -> Option<String> {
    let kind = entity.key.kind;
    let key = match kind {
        Kind::Model | Kind::Container => entity.name.to_lowercase(),
        Kind::Redirection => entity.name.trim().to_lowercase(),
        Kind::Template | Kind::Gallery | Kind::Asset => entity.name.to_string(),
        Kind::Page => paths().path(entity)?,
        Kind::Content => return None,
    };
    Some(format!("{kind} {key}"))
}

/// A page on its own side.
type PageId = (i64, Locale);
/// Where it stands, and the last part of its path in lower case.
type PageName = (Box<Placement>, String);

/// Paths of pages from the names along their parents, as `locale channel /a/b`.
struct PagePaths {
    nodes: HashMap<PageId, PageName>,
}

impl PagePaths {
    fn new<I: Id>(inventory: &Inventory<I>) -> Self {
        Self {
            nodes: inventory
                .of_kind(Kind::Page)
                .iter()
                .filter_map(Self::node)
                .collect(),
        }
    }

    fn node<I: Id>(page: &Entity<I>) -> Option<(PageId, PageName)> {
        let placement = page.placement.clone()?;
        let locale = page.key.locale.clone()?;
        let name = page.body.parse()["name"]
            .as_str()
            .unwrap_or_default()
            .to_lowercase();
        Some(((page.key.id.raw(), locale), (placement, name)))
    }

    fn path<I: Id>(&self, page: &Entity<I>) -> Option<String> {
        let locale = page.key.locale.as_ref()?;
        let mut at = page.key.id.raw();
        let mut path = String::new();
        // A tree is never deeper than it has nodes; a circle of parents must not hang us.
        for _ in 0..=self.nodes.len() {
            let (placement, name) = self.nodes.get(&(at, locale.clone()))?;
            path = format!("/{name}{path}");
            match placement.parent {
                Some(parent) => at = parent,
                None => {
                    return Some(format!(
                        "{locale} {} {path}",
                        placement.channel.to_lowercase()
                    ));
                }
            }
        }
        None
    }
}

/// Assets without a remembered counterpart whose path and size are the same on both sides. Whether they are
/// equal, only their bytes can tell.
pub fn same_size_assets(
    source: &Inventory<SourceId>,
    target: &Inventory<TargetId>,
    agreements: &Agreements,
) -> Vec<(SourceId, TargetId)> {
    let size = |body: &Value| body["size"].as_i64();
    let by_path: HashMap<&str, &Entity<TargetId>> = target
        .of_kind(Kind::Asset)
        .iter()
        .map(|asset| (&*asset.name, asset))
        .collect();
    source
        .of_kind(Kind::Asset)
        .iter()
        .filter(|asset| {
            agreements
                .get(&asset.key)
                .is_none_or(|agreement| agreement.source_hash.is_none())
        })
        .filter_map(|asset| Some((asset, by_path.get(&*asset.name)?)))
        .filter(|(here, there)| size(&here.body.parse()) == size(&there.body.parse()))
        .map(|(here, there)| (here.key.id, there.key.id))
        .collect()
}
