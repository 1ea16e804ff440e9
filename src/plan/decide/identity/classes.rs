//! Classes of items with equal content, references included (partition refinement).
//!
//! An item begins in the class of its content without references. Each round adds the classes of what it refers to, until no
//! class splits any more: items of a chain of eight are distinguished by their eighth successor, and a cycle needs no
//! starting point. An entity with a counterpart is a class of its own, the same on both sides.

use std::hash::{DefaultHasher, Hash, Hasher};

use hashbrown::{HashMap, HashSet};

use super::face::Face;
use super::pairing::Pairing;
use super::side::Side;
use crate::domain::Locale;

/// Rounds at the most: no real chain of references is longer, and classes that are too coarse only mean less evidence.
const ROUNDS: usize = 200;

/// One number for each locale of each item of a side.
type Colours = Vec<Vec<u64>>;

/// The classes of both sides.
pub(super) struct Classes {
    pub(super) source: Colours,
    pub(super) target: Colours,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Source,
    Target,
}

impl Classes {
    /// Distinguishes everything that differs.
    pub(super) fn of(pairing: &Pairing) -> Self {
        let mut classes = Self {
            source: start(&pairing.source),
            target: start(&pairing.target),
        };
        let mut count = 0;
        for _ in 0..ROUNDS {
            let next = Self {
                source: classes.refined(pairing, Which::Source),
                target: classes.refined(pairing, Which::Target),
            };
            let found = next.count();
            classes = next;
            if found == count {
                break;
            }
            count = found;
        }
        classes
    }

    fn count(&self) -> usize {
        let all = self.source.iter().chain(&self.target).flatten();
        all.collect::<HashSet<_>>().len()
    }

    fn refined(&self, pairing: &Pairing, which: Which) -> Colours {
        let (side, colours) = match which {
            Which::Source => (&pairing.source, &self.source),
            Which::Target => (&pairing.target, &self.target),
        };
        let items = side.items.iter().zip(colours);
        let refine = |((locale, face), colour): (&(Locale, Option<Face>), &u64)| {
            let Some(face) = face else { return *colour };
            let mut hasher = DefaultHasher::new();
            face.skeleton.hash(&mut hasher);
            for (path, ids) in &face.selected {
                path.hash(&mut hasher);
                ids.len().hash(&mut hasher);
                for id in ids {
                    self.referred(pairing, which, *id, locale).hash(&mut hasher);
                }
            }
            hasher.finish()
        };
        items
            .map(|(item, colours)| item.faces.iter().zip(colours).map(refine).collect())
            .collect()
    }

    /// What stands for an item that another one refers to.
    fn referred(&self, pairing: &Pairing, which: Which, id: i64, locale: &Locale) -> (u8, u64) {
        let (side, colours, other) = match which {
            Which::Source => (&pairing.source, &self.source, &pairing.of_source),
            Which::Target => (&pairing.target, &self.target, &pairing.of_target),
        };
        let Some(at) = side.at(id) else {
            return (u8::from(which == Which::Source), 0);
        };
        if let Some(paired) = other[at] {
            let target = if which == Which::Source { paired } else { at };
            return (2, target as u64);
        }
        let faces = &side.items[at].faces;
        let face = faces.iter().position(|(other, _)| other == locale);
        (3, colours[at][face.unwrap_or(0)])
    }
}

/// One number for an item, from those of its locales.
pub(super) fn whole(side: &Side, colours: &Colours, at: usize) -> u64 {
    let mut hasher = DefaultHasher::new();
    side.items[at].container.hash(&mut hasher);
    let faces = side.items[at].faces.iter().zip(&colours[at]);
    for ((locale, face), colour) in faces {
        (locale, face.is_some(), colour).hash(&mut hasher);
    }
    hasher.finish()
}

fn start(side: &Side) -> Colours {
    let start = |(at, face): (usize, &(Locale, Option<Face>))| match &face.1 {
        Some(face) => face.skeleton,
        // It cannot be written, so it equals nothing.
        None => at as u64,
    };
    let items = side.items.iter();
    items
        .map(|item| item.faces.iter().enumerate().map(start).collect())
        .collect()
}

/// Items by class; those in `open` only.
pub(super) fn grouped<K: Hash + Eq>(
    open: impl Iterator<Item = usize>,
    class: impl Fn(usize) -> Option<K>,
) -> HashMap<K, Vec<usize>> {
    let mut groups: HashMap<K, Vec<usize>> = HashMap::new();
    for at in open {
        if let Some(class) = class(at) {
            groups.entry(class).or_default().push(at);
        }
    }
    groups
}
