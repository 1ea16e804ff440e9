//! Finds pages by their place in the tree, level by level.
//!
//! A page is looked for among the children that the counterpart of its parent has on the target, so a parent that has another
//! name there does not hide what is below it. A page has one id in all its locales: once it is found in one, that settles it.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::matching::{Claims, Match};
use crate::domain::{
    Entity, Id, Inventory, Key, Kind, Locale, Placement, SourceId, TargetId, name_key,
};
use crate::plan::graph::Node;

/// Where siblings stand on the target: locale, parent, and the key of the channel's name at its root.
type Level = (Locale, Option<i64>, Box<str>);

/// The name of a page itself, which is the last part of its path.
pub(super) fn own_name<I: Id>(page: &Entity<I>) -> Box<str> {
    let body = page.body.parse();
    body["name"].as_str().unwrap_or_default().trim().into()
}

/// Where the children of `parent` stand.
pub(super) fn level(locale: &Locale, parent: Option<i64>, placement: &Placement) -> Level {
    let channel = match parent {
        Some(_) => Box::default(),
        None => name_key(&placement.channel),
    };
    (locale.clone(), parent, channel)
}

/// Where a page of the source stands once its parent is on the target; `None` when that is not there.
pub(super) fn level_of<'m>(
    page: &Entity<SourceId>,
    source: &Inventory<SourceId>,
    found: impl Fn(Node) -> Option<&'m Match>,
) -> Option<Level> {
    let (locale, placement) = (page.locale()?, page.placement.as_deref()?);
    let parent = match placement.parent {
        None => None,
        Some(parent) => {
            let at = source.position(&Key::localised(Kind::Page, parent, locale))?;
            Some(found(at)?.there()?.raw())
        }
    };
    Some(level(locale, parent, placement))
}

/// Pairs the pages that nothing is remembered of.
pub(super) fn by_path(
    (source, target): (&Inventory<SourceId>, &Inventory<TargetId>),
    all: &mut [Option<Match>],
    claims: &mut Claims,
) {
    let children = children(target);
    if children.is_empty() {
        return;
    }
    let mut ids: HashMap<SourceId, (TargetId, Locale)> = HashMap::new();
    for nodes in open_levels(source, all).into_values() {
        for exactly in [true, false] {
            for node in &nodes {
                let page = &source.entities()[*node as usize];
                if all[*node as usize].is_some() {
                    continue;
                }
                let found = if let Some((id, locale)) = ids.get(&page.key.id) {
                    Some(elsewhere(page, target, *id, locale))
                } else {
                    let level = level_of(page, source, |at| all[at as usize].as_ref());
                    let siblings = level.and_then(|level| children.get(&level));
                    let free = |id: TargetId| !claims.contains_key(&(Kind::Page, id));
                    siblings.and_then(|siblings| named(page, siblings, exactly, free))
                };
                if let (Some(Match::Natural(id)), Some(locale)) = (&found, page.locale()) {
                    claims.insert((Kind::Page, *id), page.key.id);
                    ids.entry(page.key.id)
                        .or_insert_with(|| (*id, locale.clone()));
                }
                all[*node as usize] = found;
            }
        }
    }
}

type Siblings = Vec<(Box<str>, TargetId)>;

fn children(target: &Inventory<TargetId>) -> HashMap<Level, Siblings> {
    let mut children: HashMap<Level, Siblings> = HashMap::new();
    for page in target.of_kind(Kind::Page) {
        if let (Some(locale), Some(placement)) = (page.locale(), page.placement.as_deref()) {
            children
                .entry(level(locale, placement.parent, placement))
                .or_default()
                .push((own_name(page), page.key.id));
        }
    }
    children
}

fn named(
    page: &Entity<SourceId>,
    siblings: &Siblings,
    exactly: bool,
    free: impl Fn(TargetId) -> bool,
) -> Option<Match> {
    let name = own_name(page);
    let key = name_key(&name);
    let fits = |other: &str| {
        if exactly {
            *other == *name
        } else {
            name_key(other) == key
        }
    };
    let mut fitting = siblings
        .iter()
        .filter(|(other, id)| fits(other) && free(*id));
    fitting.next().map(|(_, id)| Match::Natural(*id))
}

/// The same page in another locale than the one in which it was found.
fn elsewhere(
    page: &Entity<SourceId>,
    target: &Inventory<TargetId>,
    id: TargetId,
    locale: &Locale,
) -> Match {
    let there = page.key.with_id(id);
    if target.get(&there).is_some() {
        Match::Natural(id)
    } else {
        Match::Joins(id, locale.clone())
    }
}

/// The pages of the source that have no match yet, by their depth in the tree.
fn open_levels(source: &Inventory<SourceId>, all: &[Option<Match>]) -> BTreeMap<usize, Vec<Node>> {
    let mut levels: BTreeMap<usize, Vec<Node>> = BTreeMap::new();
    let pages = source.of_kind(Kind::Page);
    for (node, page) in (0..).zip(source.entities()) {
        if page.key.kind == Kind::Page && all[node as usize].is_none() {
            let depth = depth(page, source, pages.len());
            levels.entry(depth).or_default().push(node);
        }
    }
    levels
}

/// How many ancestors a page has. A cycle of parents ends at the number of all pages.
fn depth(page: &Entity<SourceId>, source: &Inventory<SourceId>, most: usize) -> usize {
    let Some(locale) = page.locale() else {
        return 0;
    };
    let mut parent = page
        .placement
        .as_ref()
        .and_then(|placement| placement.parent);
    let mut depth = 0;
    while let Some(id) = parent
        && depth < most
    {
        depth += 1;
        let above = source.get(&Key::localised(Kind::Page, id, locale));
        parent = above.and_then(|above| above.placement.as_ref()?.parent);
    }
    depth
}
