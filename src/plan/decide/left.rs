//! What the source moved to where a save cannot take its counterpart: an item in another container, and a file of another
//! name. It is created there, and the old one stays on the target and is named.
//!
//! A file in another folder is not among them: the API moves it.

use hashbrown::{HashMap, HashSet};

use super::matching::Match;
use crate::domain::{Entity, Inventory, Kind, SourceId, TargetId, TargetKey};

/// Marks the counterparts that are left behind.
pub(super) fn leave(
    source: &Inventory<SourceId>,
    target: &Inventory<TargetId>,
    matches: &mut [Match],
) {
    let names = container_names(source, target, matches);
    let mut left: HashSet<(Kind, SourceId)> = HashSet::new();
    for (entity, found) in source.entities().iter().zip(&*matches) {
        if mapped(entity, found, target).is_some_and(|there| is_left(entity, there, &names)) {
            left.insert((entity.key.kind, entity.key.id));
        }
    }
    // An item has one id in all its locales, so they leave together.
    for (entity, found) in source.entities().iter().zip(matches) {
        if let Match::Mapped(id) | Match::Joins(id, _) = found
            && left.contains(&(entity.key.kind, entity.key.id))
        {
            *found = Match::Left(*id);
        }
    }
}

/// Whether the asset has its name on the target, in another folder.
pub(super) fn is_in_other_folder(asset: &Entity<SourceId>, there: &Entity<TargetId>) -> bool {
    asset.name != there.name && file_name(&asset.name) == file_name(&there.name)
}

/// The counterpart of an entity that is remembered and there.
pub(super) fn mapped<'a>(
    entity: &Entity<SourceId>,
    found: &Match,
    target: &'a Inventory<TargetId>,
) -> Option<&'a Entity<TargetId>> {
    let Match::Mapped(id) = found else {
        return None;
    };
    target.get(&TargetKey {
        kind: entity.key.kind,
        id: *id,
        locale: entity.key.locale.clone(),
    })
}

fn is_left(
    entity: &Entity<SourceId>,
    there: &Entity<TargetId>,
    names: &HashMap<String, String>,
) -> bool {
    match entity.key.kind {
        Kind::Asset => file_name(&entity.name) != file_name(&there.name),
        Kind::Content => match (container(entity), container(there)) {
            (Some(here), Some(there)) => *names.get(&here).unwrap_or(&here) != there,
            (_, _) => false,
        },
        Kind::Model
        | Kind::Container
        | Kind::Template
        | Kind::Gallery
        | Kind::Page
        | Kind::Redirection => false,
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// The container of an item, in lower case.
fn container<I>(item: &Entity<I>) -> Option<String> {
    let body = item.body.parse();
    let name = body["properties"]["referenceName"].as_str()?;
    (!name.is_empty()).then(|| name.to_lowercase())
}

/// The names of the target's containers by those of the source, in lower case.
fn container_names(
    source: &Inventory<SourceId>,
    target: &Inventory<TargetId>,
    matches: &[Match],
) -> HashMap<String, String> {
    let containers = source.entities().iter().zip(matches);
    containers
        .filter(|(entity, _)| entity.key.kind == Kind::Container)
        .filter_map(|(entity, found)| {
            let (Match::Mapped(id) | Match::Natural(id)) = found else {
                return None;
            };
            let there = target.get(&TargetKey {
                kind: Kind::Container,
                id: *id,
                locale: None,
            })?;
            Some((entity.name.to_lowercase(), there.name.to_lowercase()))
        })
        .collect()
}
