//! What the source moved to where a save cannot take its counterpart: an item in another container, and a file of another
//! name. It is created there, and the old one stays on the target and is named.
//!
//! A file in another folder is not among them: the API moves it.

use std::borrow::Cow;

use hashbrown::{HashMap, HashSet};
use serde::Deserialize;

use super::matching::Match;
use super::spread;
use crate::domain::{ByName, Entity, Inventory, Kind, SourceId, TargetId, folder_and_name};

/// Marks the counterparts that are left behind.
pub(super) fn leave(
    source: &Inventory<SourceId>,
    target: &Inventory<TargetId>,
    matches: &mut [Match],
) {
    leave_files(source, target, matches);
    let names = container_names(source, target, matches);
    let found = &*matches;
    let left = spread::each(source, |node, entity| {
        let is_item = entity.key.kind == Kind::Content;
        let there = mapped(entity, &found[node as usize], target).filter(|_| is_item)?;
        is_in_other_list(entity, there, &names).then_some(entity.key.id)
    });
    let left: HashSet<SourceId> = left.into_iter().flatten().collect();
    // An item has one id in all its locales, so they leave together.
    for (entity, found) in source.entities().iter().zip(matches) {
        if let Match::Mapped(id) | Match::Joins(id, _) = found
            && entity.key.kind == Kind::Content
            && left.contains(&entity.key.id)
        {
            *found = Match::Left(*id);
        }
    }
}

/// Marks the files that are left behind, and what is at the path of an asset as its counterpart where that is free or left
/// by another one: the bytes that are sent to a path land in what is there.
pub(super) fn leave_files(
    source: &Inventory<SourceId>,
    target: &Inventory<TargetId>,
    matches: &mut [Match],
) {
    let mut taken: HashSet<TargetId> = HashSet::new();
    let mut open = Vec::new();
    for (at, asset) in source.entities().iter().enumerate() {
        if asset.key.kind != Kind::Asset {
            continue;
        }
        let there = mapped(asset, &matches[at], target);
        match (&matches[at], there) {
            (Match::Mapped(id), Some(there)) if has_other_name(asset, there) => {
                matches[at] = Match::Left(*id);
                open.push(at);
            }
            (Match::None, _) => open.push(at),
            (found, _) => taken.extend(found.there()),
        }
    }
    if !open.iter().any(|at| matches!(matches[*at], Match::Left(_))) {
        return;
    }
    let mut paths = ByName::default();
    for there in target.of_kind(Kind::Asset) {
        if !taken.contains(&there.key.id) {
            paths.insert(Kind::Asset, &there.name, there.key.id);
        }
    }
    for at in open {
        let free = paths.get(Kind::Asset, &source.entities()[at].name).copied();
        if let Some(id) = free.filter(|id| taken.insert(*id)) {
            matches[at] = Match::Natural(id);
        }
    }
}

/// Whether the asset has its name on the target, in another folder.
pub(super) fn is_in_other_folder(asset: &Entity<SourceId>, there: &Entity<TargetId>) -> bool {
    asset.name != there.name && !has_other_name(asset, there)
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
    target.get(&entity.key.with_id(*id))
}

fn has_other_name(asset: &Entity<SourceId>, there: &Entity<TargetId>) -> bool {
    folder_and_name(&asset.name).1 != folder_and_name(&there.name).1
}

fn is_in_other_list(
    item: &Entity<SourceId>,
    there: &Entity<TargetId>,
    names: &HashMap<String, String>,
) -> bool {
    match (container(item), container(there)) {
        (Some(here), Some(there)) => *names.get(&here).unwrap_or(&here) != there,
        (_, _) => false,
    }
}

/// The part of an item that names its container.
#[derive(Deserialize)]
struct Listed<'a> {
    #[serde(borrow)]
    properties: Properties<'a>,
}

#[derive(Deserialize)]
struct Properties<'a> {
    #[serde(rename = "referenceName")]
    container: Cow<'a, str>,
}

/// The container of an item, in lower case.
fn container<I>(item: &Entity<I>) -> Option<String> {
    let body = item.body.text();
    let Listed { properties } = serde_json::from_str(&body).ok()?;
    let name = properties.container;
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
            let there = found.entity(&entity.key, target)?;
            Some((entity.name.to_lowercase(), there.name.to_lowercase()))
        })
        .collect()
}
