//! Content items: how many lie where, in which locales, and what refers to what.
//!
//! Each item has a layer. Ordinary links go to a lower layer, so they cannot close a cycle; the cycles
//! are put in on purpose, in optional fields of articles and people.

use std::collections::HashMap;

use rand::RngExt;
use rand::seq::SliceRandom;

use super::containers::{self, ARTICLES, Container, Filling, Owner, PEOPLE};
use super::instance::{Dice, Ids};
use super::models::Model;
use super::pages::Page;

/// The layer of components and single items, to which nothing links.
const TOP: u8 = 9;
/// How many articles lie from one group of cycles to the next.
const CYCLE_STEP: usize = 200;
/// From this place on a list may hold items of the second locale only; lower ones are always there to be linked to.
const LOCAL_FROM: usize = 16;

/// Fields with links that are laid down. Only the writer is left to chance where none is.
const FIXED_FIELDS: [&str; 3] = ["Writer", "FollowUp", "LatestArticle"];

/// An item.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) id: i64,
    pub(super) container: usize,
    /// Its place in the container.
    pub(super) ordinal: usize,
    layer: u8,
    /// Positions of the locales that it exists in.
    pub(super) locales: Vec<usize>,
}

/// Every item, container by container, and the links that are not left to chance.
pub(super) struct Items {
    pub(super) list: Vec<Item>,
    /// The private container of an item's field.
    pub(super) nested: HashMap<(usize, &'static str), usize>,
    /// The target of an item's link field.
    fixed: HashMap<(usize, &'static str), usize>,
}

/// Decides how many items each container holds, `count` in all, and lays them out one after the other.
pub(super) fn allot(containers: &mut [Container], count: usize) {
    let mut lists = Vec::new();
    let mut taken = 0;
    for (position, container) in containers.iter_mut().enumerate() {
        container.len = match container.filling {
            Filling::Empty => 0,
            Filling::Single => 1,
            Filling::Components => container.len,
            Filling::Nested { items, .. } => items,
            Filling::List => {
                lists.push(position);
                least(position)
            }
        };
        taken += container.len;
    }
    let rest = count.saturating_sub(taken);
    // articles lead: a long tail in which the n-th list is an n-th as long as the first
    lists.swap(0, ARTICLES);
    let weights: Vec<usize> = (1..=lists.len()).map(|rank| 1_000_000 / rank).collect();
    let sum: usize = weights.iter().sum();
    let mut given = 0;
    for (&list, weight) in lists.iter().zip(weights) {
        let share = rest * weight / sum;
        containers[list].len += share;
        given += share;
    }
    containers[ARTICLES].len += rest - given;
    let mut first = 0;
    for container in containers {
        container.first = first;
        first += container.len;
    }
}

/// What the kit needs in its lists: a chain of eight articles, cycles of one, two and five, one of the second locale.
fn least(container: usize) -> usize {
    match container {
        PEOPLE | containers::TOPICS => 6,
        ARTICLES => LOCAL_FROM + 1,
        containers::FIGURES => 3,
        _ => 1,
    }
}

/// Makes the items of containers that were [allotted](allot).
pub(super) fn draft(
    containers: &[Container],
    models: &[Model],
    locales: usize,
    dice: &mut Dice,
) -> Items {
    let mut ids = Ids::from(1_000);
    let mut list = Vec::new();
    for (position, container) in containers.iter().enumerate() {
        for ordinal in 0..container.len {
            let local = locales > 1
                && container.filling == Filling::List
                && ordinal >= LOCAL_FROM
                && ordinal % 50 == LOCAL_FROM;
            list.push(Item {
                id: ids.next(dice),
                container: position,
                ordinal,
                layer: layer(container, models, ordinal, dice),
                locales: vec![usize::from(local)],
            });
        }
    }
    Items {
        nested: nested(containers),
        fixed: fixed(containers),
        list,
    }
}

/// The first eight of a list lie one above the other, the others mostly low.
fn layer(container: &Container, models: &[Model], ordinal: usize, dice: &mut Dice) -> u8 {
    let floor = container.model.map_or(0, |m| models[m].floor);
    match container.filling {
        Filling::Nested { .. } => 0,
        Filling::Components | Filling::Single => TOP,
        Filling::Empty | Filling::List => {
            let height = u8::try_from(ordinal).unwrap_or(u8::MAX);
            if height < 8 {
                floor + height
            } else {
                floor + dice.random_range(0..8u8).min(dice.random_range(0..8))
            }
        }
    }
}

fn nested(containers: &[Container]) -> HashMap<(usize, &'static str), usize> {
    let mut nested = HashMap::new();
    for (position, container) in containers.iter().enumerate() {
        if let Filling::Nested { owner, .. } = container.filling {
            let Owner {
                container,
                ordinal,
                field,
            } = owner;
            if ordinal < containers[container].len {
                nested.insert((containers[container].first + ordinal, field), position);
            }
        }
    }
    nested
}

/// A chain of eight articles, then groups of cycles: one that refers to itself, two that refer to each other, five in a
/// ring; and a person whose latest article names that person as its writer.
fn fixed(containers: &[Container]) -> HashMap<(usize, &'static str), usize> {
    let first = containers[ARTICLES].first;
    let len = containers[ARTICLES].len;
    let mut links = HashMap::new();
    for ordinal in 1..8 {
        links.insert((first + ordinal, "FollowUp"), first + ordinal - 1);
    }
    for base in (8..len.saturating_sub(8)).step_by(CYCLE_STEP) {
        let ring = [
            (0, 0),
            (1, 2),
            (2, 1),
            (3, 4),
            (4, 5),
            (5, 6),
            (6, 7),
            (7, 3),
        ];
        for (from, to) in ring {
            links.insert((first + base + from, "FollowUp"), first + base + to);
        }
    }
    let person = containers[PEOPLE].first;
    links.insert((first, "Writer"), person);
    links.insert((person, "LatestArticle"), first);
    links
}

impl Items {
    /// Gives `count` items a further locale: first the components of translated pages, then any.
    pub(super) fn translate(
        &mut self,
        count: usize,
        (pages, containers): (&[Page], &[Container]),
        locales: usize,
        dice: &mut Dice,
    ) {
        let mut left = count;
        for page in pages {
            for (container, ordinal) in page.components() {
                let item = &mut self.list[containers[container].first + ordinal];
                for &locale in &page.translations {
                    if !item.locales.contains(&locale) {
                        item.locales.push(locale);
                        left = left.saturating_sub(1);
                    }
                }
            }
        }
        let mut rest: Vec<usize> = (0..self.list.len())
            .filter(|&i| self.list[i].locales == [0])
            .collect();
        rest.shuffle(dice);
        for (turn, item) in rest.into_iter().take(left).enumerate() {
            self.list[item].locales.push(1 + turn % (locales - 1));
        }
    }

    /// What an item's link field refers to, if anything: as laid down, or else, unless skipped, any lower item of the
    /// container.
    pub(super) fn target(
        &self,
        (item, field): (usize, &str),
        skipped: bool,
        container: &Container,
        dice: &mut Dice,
    ) -> Option<usize> {
        let known = FIXED_FIELDS.into_iter().find(|&known| known == field);
        let laid_down = known.and_then(|field| self.fixed.get(&(item, field)).copied());
        match known {
            None | Some("Writer") if !skipped => {
                laid_down.or_else(|| self.lower(item, container, dice))
            }
            None | Some(_) => laid_down,
        }
    }

    /// Up to `count` different lower items of the container.
    pub(super) fn targets(
        &self,
        item: usize,
        container: &Container,
        count: usize,
        dice: &mut Dice,
    ) -> Vec<usize> {
        let mut found = Vec::new();
        for _ in 0..count {
            match self.lower(item, container, dice) {
                Some(target) if !found.contains(&target) => found.push(target),
                Some(_) | None => {}
            }
        }
        found
    }

    /// The first items of the container that every locale may refer to.
    pub(super) fn leading(&self, container: &Container, count: usize) -> Vec<usize> {
        (container.first..container.first + container.len)
            .filter(|&i| self.list[i].locales[0] == 0)
            .take(count)
            .collect()
    }

    /// Any item of the container on a lower layer. Four draws over the whole list, then one among the first eight, whose
    /// layers are known.
    fn lower(&self, item: usize, container: &Container, dice: &mut Dice) -> Option<usize> {
        if container.len == 0 {
            return None;
        }
        let layer = self.list[item].layer;
        for _ in 0..4 {
            let target = container.first + dice.random_range(0..container.len);
            let found = &self.list[target];
            if found.layer < layer && found.locales[0] == 0 {
                return Some(target);
            }
        }
        let below = usize::from(layer.saturating_sub(self.list[container.first].layer));
        let range = below.min(container.len).min(8);
        (range > 0).then(|| container.first + dice.random_range(0..range))
    }
}
