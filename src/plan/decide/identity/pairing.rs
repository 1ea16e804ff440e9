//! Pairs items of the two sides.

use hashbrown::{HashMap, HashSet};

use super::classes::{Classes, grouped, whole};
use super::face::{Face, Selected};
use super::side::Side;
use super::{Adopt, Known, Recognition};
use crate::domain::{Entity, Id, Kind, Locale, SourceId, name_key};
use crate::plan::Schema;
use crate::plan::action::Agreements;
use crate::plan::decide::matching::Match;
use crate::plan::decide::predicted_ids::PredictedIds;

/// Rounds at the most; each one that finds something may make more comparable.
const ROUNDS: usize = 100;
/// Stands for an item that is known and out of sight, such as one in a locale that is not read.
const ELSEWHERE: usize = usize::MAX;

/// Items that become pairs.
#[derive(Debug)]
pub(super) struct Pairing {
    pub(super) source: Side,
    pub(super) target: Side,
    /// The item of the target by that of the source, and the reverse.
    pub(super) of_source: Vec<Option<usize>>,
    pub(super) of_target: Vec<Option<usize>>,
    /// Items of the target whose counterpart was deleted on the source: candidates for equal content only.
    pub(super) held: Vec<bool>,
    /// Pages that have a counterpart: what they show at the same place belongs together.
    pages: Vec<(Locale, Face, Face)>,
    found: Vec<(usize, usize, Recognition)>,
}

impl Pairing {
    /// Both sides with the pairs that are known.
    pub(super) fn new(
        known: &Known<'_>,
        agreements: &Agreements,
        matches: &[Match],
        map: &PredictedIds<'_>,
    ) -> Self {
        let of_source = |entity: &Entity<SourceId>| Face::of_source(entity, &known.context, map);
        let there = |name: &str| -> Box<str> {
            let found = crate::plan::Counterparts::name(map, Kind::Container, name);
            found.as_deref().map_or_else(|| name_key(name), name_key)
        };
        let source = Side::of(known.source, of_source, there);
        let schema: &Schema = known.target_schema;
        let target = Side::of(
            known.target,
            |item| Some(Face::of_target(item, schema)),
            name_key,
        );
        let mut pairing = Self {
            of_source: vec![None; source.items.len()],
            of_target: vec![None; target.items.len()],
            held: vec![false; target.items.len()],
            pages: pages(known, matches, map),
            source,
            target,
            found: Vec::new(),
        };
        pairing.take_known(known, agreements, matches);
        pairing
    }

    fn take_known(&mut self, known: &Known<'_>, agreements: &Agreements, matches: &[Match]) {
        for (entity, found) in known.source.entities().iter().zip(matches) {
            let id = match found {
                Match::Mapped(id) | Match::Joins(id, _) | Match::Gone(id) | Match::Left(id) => *id,
                Match::Natural(_) | Match::OtherType(_) | Match::None => continue,
            };
            if entity.key.kind == Kind::Content
                && let Some(here) = self.source.at(entity.key.id.raw())
            {
                let there = self.target.at(id.raw());
                self.of_source[here] = Some(there.unwrap_or(ELSEWHERE));
                if let Some(there) = there {
                    self.of_target[there] = Some(here);
                }
            }
        }
        for (key, agreement) in agreements {
            let Some(there) = self.target.at(agreement.target.raw()) else {
                continue;
            };
            if key.kind != Kind::Content || known.source.get(key).is_some() {
                continue;
            }
            let is_read = |locale: &Locale| known.source.locales.contains(locale);
            if key.locale.as_ref().is_some_and(is_read) {
                self.held[there] = true;
            } else if self.of_target[there].is_none() {
                self.of_target[there] = Some(ELSEWHERE);
            }
        }
    }

    /// Pairs all that the evidence allows. `lost`: the pair has no state.
    pub(super) fn pair_all(&mut self, adopt: Adopt, lost: bool) {
        for _ in 0..ROUNDS {
            let before = self.found.len();
            self.equal();
            if adopt == Adopt::Key && self.found.len() == before {
                self.keys();
            }
            if adopt == Adopt::Key && lost && self.found.len() == before {
                self.places();
            }
            if self.found.len() == before {
                return;
            }
        }
    }

    /// What was recognised: ids of both sides.
    pub(super) fn recognised(&self) -> Vec<(i64, i64, Recognition)> {
        let id = |(here, there, evidence): &(usize, usize, Recognition)| {
            let (here, there) = (&self.source.items[*here], &self.target.items[*there]);
            (here.id, there.id, evidence.clone())
        };
        self.found.iter().map(id).collect()
    }

    /// Makes a pair of two items that have none.
    pub(super) fn pair(&mut self, here: usize, there: usize, evidence: Recognition) {
        self.of_source[here] = Some(there);
        self.of_target[there] = Some(here);
        self.found.push((here, there, evidence));
    }

    pub(super) fn open_source(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.source.items.len()).filter(|at| self.of_source[*at].is_none())
    }

    pub(super) fn open_target(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.target.items.len()).filter(|at| self.of_target[*at].is_none())
    }

    /// Selections of pairs at the same place, of the source and of the target.
    pub(super) fn selections(&self) -> Vec<(&[i64], &[i64])> {
        let of_items = (0..self.source.items.len()).flat_map(|here| self.selections_of(here));
        let of_pages = self.pages.iter();
        let of_pages =
            of_pages.flat_map(|(_, here, there)| aligned(&here.selected, &there.selected));
        of_items.chain(of_pages).collect()
    }

    fn selections_of(&self, here: usize) -> Vec<(&[i64], &[i64])> {
        let there = self.of_source[here].filter(|there| *there != ELSEWHERE);
        let Some(there) = there.map(|there| &self.target.items[there]) else {
            return Vec::new();
        };
        let faces = self.source.items[here].faces.iter();
        faces
            .filter_map(|(locale, face)| Some((face.as_ref()?, there.face(locale)?)))
            .flat_map(|(here, there)| aligned(&here.selected, &there.selected))
            .collect()
    }

    /// Pairs equal items.
    fn equal(&mut self) {
        let classes = Classes::of(self);
        let wholes = Wholes {
            source: (0..self.source.items.len())
                .map(|at| whole(&self.source, &classes.source, at))
                .collect(),
            target: (0..self.target.items.len())
                .map(|at| whole(&self.target, &classes.target, at))
                .collect(),
        };
        let source = grouped(self.open_source(), |at| Some(wholes.source[at]));
        let target = grouped(self.open_target(), |at| Some(wholes.target[at]));
        let mut several = Vec::new();
        for (class, here) in source {
            match (here.as_slice(), target.get(&class).map(Vec::as_slice)) {
                ([here], Some([there])) => self.pair(*here, *there, Recognition::EqualContent),
                (_, Some(_)) => several.push(class),
                (_, None) => {}
            }
        }
        if !several.is_empty() {
            self.interchangeable(&wholes, several);
        }
        self.equal_siblings(&classes);
    }

    /// Pairs items of which several are equal: first those that pairs refer to at the same place, then any, from the
    /// items that nothing open refers to downwards, each time with all that follows.
    fn interchangeable(&mut self, wholes: &Wholes, several: Vec<u64>) {
        let known: Vec<(i64, i64)> = self.selections().into_iter().flat_map(zipped).collect();
        self.follow(wholes, known);
        let referred = self.referred_by_open();
        let mut source = grouped(self.open_source(), |at| Some(wholes.source[at]));
        let mut target = grouped(self.open_target(), |at| Some(wholes.target[at]));
        let mut order: Vec<_> = several
            .into_iter()
            .filter_map(|class| Some((source.remove(&class)?, target.remove(&class)?)))
            .map(|(mut here, mut there)| {
                here.sort_unstable_by_key(|at| self.source.items[*at].rank());
                there.sort_unstable_by_key(|at| self.target.items[*at].rank());
                let count = here.iter().map(|at| referred.get(at).copied().unwrap_or(0));
                (count.min().unwrap_or(0), here, there)
            })
            .collect();
        order.sort_unstable();
        for (_, here, there) in order {
            for at in here {
                if self.of_source[at].is_some() {
                    continue;
                }
                let free = there.iter().find(|there| self.of_target[**there].is_none());
                let Some(free) = free.copied() else { break };
                self.pair(at, free, Recognition::EqualContent);
                let next = self
                    .selections_of(at)
                    .into_iter()
                    .flat_map(zipped)
                    .collect();
                self.follow(wholes, next);
            }
        }
    }

    /// Pairs equal items that pairs refer to at the same place, at any distance.
    fn follow(&mut self, wholes: &Wholes, mut open: Vec<(i64, i64)>) {
        while let Some((here, there)) = open.pop() {
            let (Some(here), Some(there)) = (self.source.at(here), self.target.at(there)) else {
                continue;
            };
            let is_open = self.of_source[here].is_none() && self.of_target[there].is_none();
            if is_open && wholes.source[here] == wholes.target[there] {
                self.pair(here, there, Recognition::EqualContent);
                open.extend(self.selections_of(here).into_iter().flat_map(zipped));
            }
        }
    }

    /// How many open items refer to each open item of the source.
    fn referred_by_open(&self) -> HashMap<usize, usize> {
        let mut counts = HashMap::new();
        for at in self.open_source() {
            let faces = self.source.items[at].faces.iter();
            let selected = faces.filter_map(|(_, face)| Some(&face.as_ref()?.selected));
            let ids: HashSet<i64> = selected
                .flatten()
                .flat_map(|(_, ids)| ids.iter().copied())
                .collect();
            for on in ids.into_iter().filter_map(|id| self.source.at(id)) {
                if on != at {
                    *counts.entry(on).or_default() += 1;
                }
            }
        }
        counts
    }

    /// Pairs items that are equal in one locale, where only one item of each side is.
    fn equal_siblings(&mut self, classes: &Classes) {
        let colour = |side: &Side, colours: &[Vec<u64>], at: usize, locale: &Locale| {
            let item = &side.items[at];
            let face = item.faces.iter().position(|(other, _)| other == locale)?;
            item.faces[face].1.as_ref()?;
            Some((item.container.clone(), colours[at][face]))
        };
        let locales: HashSet<Locale> = self
            .open_source()
            .flat_map(|at| self.source.items[at].faces.iter())
            .map(|(locale, _)| locale.clone())
            .collect();
        let mut locales: Vec<_> = locales.into_iter().collect();
        locales.sort_unstable();
        for locale in locales {
            let source = grouped(self.open_source(), |at| {
                colour(&self.source, &classes.source, at, &locale)
            });
            let target = grouped(self.open_target(), |at| {
                colour(&self.target, &classes.target, at, &locale)
            });
            for (class, here) in source {
                if let ([here], Some([there])) = (&*here, target.get(&class).map(Vec::as_slice)) {
                    self.pair(*here, *there, Recognition::EqualSibling(locale.clone()));
                }
            }
        }
    }
}

/// The class of each item of both sides.
struct Wholes {
    source: Vec<u64>,
    target: Vec<u64>,
}

fn zipped((here, there): (&[i64], &[i64])) -> impl Iterator<Item = (i64, i64)> {
    here.iter().copied().zip(there.iter().copied())
}

/// Selections at the same place with as many ids.
fn aligned<'a>(
    here: &'a [Selected],
    there: &'a [Selected],
) -> impl Iterator<Item = (&'a [i64], &'a [i64])> {
    here.iter().filter_map(move |(path, ids)| {
        let same = there.iter().find(|(other, _)| other == path);
        let (_, others) = same.filter(|(_, others)| others.len() == ids.len())?;
        Some((ids.as_slice(), others.as_slice()))
    })
}

/// Pages of the source with their counterparts.
fn pages(
    known: &Known<'_>,
    matches: &[Match],
    map: &PredictedIds<'_>,
) -> Vec<(Locale, Face, Face)> {
    let pairs = known.source.entities().iter().zip(matches);
    pairs
        .filter(|(page, _)| page.key.kind == Kind::Page)
        .filter_map(|(page, found)| {
            let locale = page.locale()?.clone();
            let there = found.entity(&page.key, known.target)?;
            let here = Face::of_source(page, &known.context, map)?;
            Some((locale, here, Face::of_target(there, known.target_schema)))
        })
        .collect()
}
