//! Which entities are counterparts before anything is written.
//!
//! The mappings of the store come first. A target entity that is the counterpart of a live source entity is no candidate for
//! anything else, whatever its name. What is left is found by name: exactly first, then by key, each target entity once.

use std::collections::HashMap as StdMap;

use hashbrown::HashMap;
use serde_json::Value;

use super::left;
use super::page_matching;
use crate::domain::{
    Entity, EntityKey, Inventory, Kind, Locale, SourceId, TargetId, TargetKey, name_key,
};
use crate::plan::action::Agreements;
use crate::plan::graph::Node;

/// What is known of an entity's counterpart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// The store has a mapping, and it is there.
    Mapped(TargetId),
    /// The store has a mapping, and it is deleted on the target.
    Gone(TargetId),
    /// The item or page is on the target in this other locale.
    Joins(TargetId, Locale),
    /// An entity of the same natural key is there.
    Natural(TargetId),
    /// A model of the same name is there, of the other type (content or component).
    OtherType(TargetId),
    /// The store has a mapping, and the source moved the entity where a save cannot take it.
    Left(TargetId),
    /// Nothing.
    None,
}

impl Match {
    /// The counterpart that the target has in the entity's own locale.
    pub(super) const fn there(&self) -> Option<TargetId> {
        match self {
            Self::Mapped(id) | Self::Natural(id) => Some(*id),
            Self::Gone(_) | Self::Left(_) | Self::Joins(..) | Self::OtherType(_) | Self::None => {
                None
            }
        }
    }

    /// The same as an entity; `key` is that of the source's.
    pub(super) fn entity<'t>(
        &self,
        key: &EntityKey,
        target: &'t Inventory<TargetId>,
    ) -> Option<&'t Entity<TargetId>> {
        target.get(&key.with_id(self.there()?))
    }
}

/// Which source entity has a target entity.
pub(super) type Claims = HashMap<(Kind, TargetId), SourceId>;

/// Kinds that are found by the name that stands in the entity.
const NAMED: [Kind; 6] = [
    Kind::Model,
    Kind::Container,
    Kind::Template,
    Kind::Gallery,
    Kind::Asset,
    Kind::Redirection,
];

/// Finds the counterpart of every source entity, in the order of the source inventory.
pub(super) fn matches(
    source: &Inventory<SourceId>,
    target: &Inventory<TargetId>,
    agreements: &Agreements,
) -> Vec<Match> {
    let memory = Memory::new(target, agreements);
    let entities = source.entities().iter();
    let mut all: Vec<Option<Match>> = entities.map(|entity| memory.of(entity)).collect();
    if !target.entities().is_empty() {
        let gone = set_aside(&mut all, source);
        let mut claims = claims(source, agreements);
        for kind in NAMED {
            by_name(kind, (source, target), &mut all, &mut claims);
        }
        page_matching::by_path((source, target), &mut all, &mut claims);
        for (at, gone) in gone {
            if !matches!(all[at], Some(Match::Natural(_))) {
                all[at] = Some(gone);
            }
        }
    }
    all.into_iter()
        .map(|found| found.unwrap_or(Match::None))
        .collect()
}

/// Takes out what the target does not have under the id that the store has: it may be there under another one, by
/// its name. Items have none.
fn set_aside(all: &mut [Option<Match>], source: &Inventory<SourceId>) -> Vec<(usize, Match)> {
    let mut aside = Vec::new();
    for (at, (entity, found)) in source.entities().iter().zip(all).enumerate() {
        let is_named = entity.key.kind != Kind::Content;
        let gone = found.take_if(|found| is_named && matches!(found, Match::Gone(_)));
        aside.extend(gone.map(|gone| (at, gone)));
    }
    aside
}

/// Counterparts of live source entities.
fn claims(source: &Inventory<SourceId>, agreements: &Agreements) -> Claims {
    let live = agreements
        .iter()
        .filter(|(key, _)| source.get(key).is_some());
    live.map(|(key, agreement)| ((key.kind, agreement.target), key.id))
        .collect()
}

/// The mapping that the store has.
struct Memory<'a> {
    target: &'a Inventory<TargetId>,
    agreements: &'a Agreements,
    /// A locale in which an item or page is on the target: seen there, or remembered in a locale that is not read.
    somewhere: HashMap<(Kind, TargetId), Locale>,
    /// Target ids by source id, whatever the locale.
    ids: HashMap<(Kind, SourceId), TargetId>,
}

impl<'a> Memory<'a> {
    fn new(target: &'a Inventory<TargetId>, agreements: &'a Agreements) -> Self {
        let ids = agreements
            .iter()
            .map(|(key, agreement)| ((key.kind, key.id), agreement.target))
            .collect();
        Self {
            target,
            agreements,
            somewhere: somewhere(target, agreements),
            ids,
        }
    }

    /// What the store says; `None` when it says nothing.
    fn of(&self, entity: &Entity<SourceId>) -> Option<Match> {
        let key = &entity.key;
        let id = match self.agreements.get(key) {
            Some(agreement) => agreement.target,
            None if key.kind.is_localised() => *self.ids.get(&(key.kind, key.id))?,
            None => return None,
        };
        let there = key.with_id(id);
        Some(if self.target.get(&there).is_some() {
            Match::Mapped(id)
        } else if let Some(locale) = self.somewhere.get(&(key.kind, id)) {
            Match::Joins(id, locale.clone())
        } else {
            Match::Gone(id)
        })
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

/// The target ids of one kind by the forms of their name.
struct Candidates<'a> {
    exact: HashMap<&'a str, Vec<TargetId>>,
    folded: HashMap<Box<str>, Vec<TargetId>>,
}

impl<'a> Candidates<'a> {
    fn of(entities: &'a [Entity<TargetId>]) -> Self {
        let (mut exact, mut folded) = (HashMap::new(), HashMap::new());
        for entity in entities {
            let name = entity.name.trim();
            exact
                .entry(name)
                .or_insert_with(Vec::new)
                .push(entity.key.id);
            folded
                .entry(name_key(name))
                .or_insert_with(Vec::new)
                .push(entity.key.id);
        }
        Self { exact, folded }
    }

    fn get(&self, name: &str, exactly: bool) -> &[TargetId] {
        let found = if exactly {
            self.exact.get(name.trim())
        } else {
            self.folded.get(&name_key(name))
        };
        found.map_or(&[], Vec::as_slice)
    }
}

/// Pairs entities without a remembered mapping with those that have their name and are not a counterpart yet.
fn by_name(
    kind: Kind,
    (source, target): (&Inventory<SourceId>, &Inventory<TargetId>),
    all: &mut [Option<Match>],
    claims: &mut Claims,
) {
    let candidates = Candidates::of(target.of_kind(kind));
    if candidates.exact.is_empty() {
        return;
    }
    let open: Vec<Node> = (0..)
        .zip(source.entities())
        .filter(|(node, entity)| entity.key.kind == kind && all[*node as usize].is_none())
        .map(|(node, _)| node)
        .collect();
    for exactly in [true, false] {
        for node in &open {
            let entity = &source.entities()[*node as usize];
            let found = &mut all[*node as usize];
            let mut free = candidates
                .get(&entity.name, exactly)
                .iter()
                .filter(|id| !claims.contains_key(&(kind, **id)));
            if found.is_none()
                && let Some(id) = free.next().copied()
            {
                *found = Some(if is_other_type(entity, target, id) {
                    Match::OtherType(id)
                } else {
                    claims.insert((kind, id), entity.key.id);
                    Match::Natural(id)
                });
            }
        }
    }
}

fn is_other_type(model: &Entity<SourceId>, target: &Inventory<TargetId>, id: TargetId) -> bool {
    if model.key.kind != Kind::Model {
        return false;
    }
    let there = target.get(&TargetKey {
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

/// The assets of the source with what the target has of them, by memory or by name.
pub(super) fn assets_on_both_sides<'t>(
    source: &Inventory<SourceId>,
    target: &'t Inventory<TargetId>,
    agreements: &Agreements,
) -> StdMap<SourceId, &'t Entity<TargetId>> {
    let memory = Memory::new(target, agreements);
    let mut all: Vec<Option<Match>> = source
        .entities()
        .iter()
        .map(|entity| memory.of(entity).filter(|_| entity.key.kind == Kind::Asset))
        .collect();
    drop(set_aside(&mut all, source));
    let mut claims = claims(source, agreements);
    by_name(Kind::Asset, (source, target), &mut all, &mut claims);
    let mut all: Vec<Match> = all
        .into_iter()
        .map(|found| found.unwrap_or(Match::None))
        .collect();
    left::leave_files(source, target, &mut all);
    let there: StdMap<TargetId, &Entity<TargetId>> = target
        .of_kind(Kind::Asset)
        .iter()
        .map(|asset| (asset.key.id, asset))
        .collect();
    source
        .entities()
        .iter()
        .zip(&all)
        .filter_map(|(here, found)| Some((here.key.id, *there.get(&found.there()?)?)))
        .collect()
}
