//! Recognition for items that are not equal: a name that no other item has, and the place.

use hashbrown::HashMap;

use super::Recognition;
use super::pairing::Pairing;
use super::side::Side;
use crate::domain::Locale;

/// A value of a field within a container and locale.
type Name = (Box<str>, Locale, u8, Box<str>, Box<str>);

impl Pairing {
    /// Pairs items that have a value in a naming field that no other item of their container has, on either side; then
    /// those that alone have it among the items which are not paired by then.
    pub(super) fn keys(&mut self) {
        self.unique_keys(
            unique(&self.source, |_| true),
            &unique(&self.target, |_| true),
        );
        let source = unique(&self.source, |at| self.of_source[at].is_none());
        let target = unique(&self.target, |at| self.is_candidate(at));
        self.unique_keys(source, &target);
    }

    fn unique_keys(&mut self, source: HashMap<Name, usize>, target: &HashMap<Name, usize>) {
        let mut names: Vec<(Name, usize)> = source.into_iter().collect();
        // The best fields first: a URL name says more than a title.
        names.sort_unstable_by(|(one, at), (other, other_at)| {
            (one.2, at, &one.3).cmp(&(other.2, other_at, &other.3))
        });
        let found: Vec<(usize, usize, Box<str>)> = names
            .into_iter()
            .filter_map(|(name, here)| Some((here, *target.get(&name)?, name.3)))
            .collect();
        for (here, there, field) in found {
            if self.of_source[here].is_none() && self.is_candidate(there) {
                self.pair(here, there, Recognition::SameKey(field));
            }
        }
    }

    /// Pairs items by where they are.
    pub(super) fn places(&mut self) {
        self.only_items();
        self.in_selections();
        self.between_neighbours();
    }

    fn is_candidate(&self, there: usize) -> bool {
        self.of_target[there].is_none() && !self.held[there]
    }

    fn only_items(&mut self) {
        let (source, target) = (by_container(&self.source), by_container(&self.target));
        for (container, here) in source {
            if let ([here], Some([there])) = (&*here, target.get(&container).map(Vec::as_slice))
                && self.of_source[*here].is_none()
                && self.is_candidate(*there)
            {
                self.pair(*here, *there, Recognition::OnlyItem);
            }
        }
    }

    /// A selection of a pair in which one place alone is open, and all others hold pairs.
    fn in_selections(&mut self) {
        let found: Vec<(usize, usize)> = self
            .selections()
            .into_iter()
            .filter_map(|(here, there)| self.only_open(here, there))
            .collect();
        for (here, there) in found {
            if self.of_source[here].is_none() && self.is_candidate(there) {
                self.pair(here, there, Recognition::SamePlace);
            }
        }
    }

    fn only_open(&self, here: &[i64], there: &[i64]) -> Option<(usize, usize)> {
        let mut open = None;
        for (here, there) in here.iter().zip(there) {
            let (here, there) = (self.source.at(*here)?, self.target.at(*there)?);
            let is_pair = self.of_source[here] == Some(there);
            let is_open = self.of_source[here].is_none() && self.is_candidate(there);
            let one_list = self.source.items[here].container == self.target.items[there].container;
            match (is_pair, is_open && one_list && open.is_none()) {
                (true, _) => {}
                (false, true) => open = Some((here, there)),
                (false, false) => return None,
            }
        }
        open
    }

    /// One open item between the same two neighbours on both sides, or at the same end.
    fn between_neighbours(&mut self) {
        let (source, target) = (by_container(&self.source), by_container(&self.target));
        let mut found = Vec::new();
        for (container, mut here) in source {
            let Some(mut there) = target.get(&container).cloned() else {
                continue;
            };
            here.sort_unstable_by_key(|at| self.source.items[*at].rank());
            there.sort_unstable_by_key(|at| self.target.items[*at].rank());
            let gaps = Self::gaps(&there, |at| self.of_target[at]);
            for (between, open) in Self::gaps(&here, |at| self.of_source[at].map(|_| at)) {
                if let (Some(here), Some(Some(there))) = (open, gaps.get(&between)) {
                    found.push((here, *there));
                }
            }
        }
        for (here, there) in found {
            if self.of_source[here].is_none() && self.is_candidate(there) {
                self.pair(here, there, Recognition::SamePlace);
            }
        }
    }

    /// The open item between each two neighbours that are pairs, named by their source items; `None` for several.
    fn gaps(
        list: &[usize],
        paired: impl Fn(usize) -> Option<usize>,
    ) -> HashMap<(Option<usize>, Option<usize>), Option<usize>> {
        let mut gaps = HashMap::new();
        let mut before = None;
        let mut open: Vec<usize> = Vec::new();
        for at in list.iter().map(|at| Some(*at)).chain([None]) {
            let pair = at.and_then(&paired);
            if let (Some(at), None) = (at, pair) {
                open.push(at);
                continue;
            }
            if let Some(first) = open.first() {
                gaps.insert((before, pair), (open.len() == 1).then_some(*first));
            }
            open.clear();
            before = pair;
        }
        gaps
    }
}

/// Values that one item alone has among those that are looked at, with that item.
fn unique(side: &Side, is_looked_at: impl Fn(usize) -> bool) -> HashMap<Name, usize> {
    let mut items: HashMap<Name, Option<usize>> = HashMap::new();
    let all = side.items.iter().enumerate();
    for (at, item) in all.filter(|(at, _)| is_looked_at(*at)) {
        for (locale, face) in &item.faces {
            for name in face.iter().flat_map(|face| &face.names) {
                let key = (
                    item.container.clone(),
                    locale.clone(),
                    name.rank,
                    name.field.clone(),
                    name.value.clone(),
                );
                let other = items.entry(key).or_insert(Some(at));
                if *other != Some(at) {
                    *other = None;
                }
            }
        }
    }
    items
        .into_iter()
        .filter_map(|(name, at)| Some((name, at?)))
        .collect()
}

fn by_container(side: &Side) -> HashMap<Box<str>, Vec<usize>> {
    let mut lists: HashMap<Box<str>, Vec<usize>> = HashMap::new();
    for (at, item) in side.items.iter().enumerate() {
        lists.entry(item.container.clone()).or_default().push(at);
    }
    lists
}
