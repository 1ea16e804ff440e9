//! What mappings of other pairs say of a pair: those of the way back, and those that lead through a third instance.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::btree_map::Entry;

use super::{Mapping, Pair};
use crate::domain::{EntityKey, Guid, Id, SourceId, TargetId};

/// What the mappings of other pairs say of a pair.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtherPairs {
    /// The mappings of the way back.
    pub way_back: Vec<Mapping>,
    /// The counterparts that a mapping to a third instance and one from there lead to, where all third instances lead to the
    /// same one.
    pub through: Vec<Through>,
}

/// A counterpart that two mappings lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Through {
    /// The entity of the source.
    pub key: EntityKey,
    /// Its counterpart on the target.
    pub target: TargetId,
    /// The instance between the two.
    pub middle: Guid,
}

impl OtherPairs {
    pub(super) fn of(pair: &Pair, all: Vec<(Pair, Mapping)>) -> Self {
        let way_back = pair.reversed();
        let mut found = Self::default();
        let mut firsts = Vec::new();
        let mut seconds: HashMap<Guid, HashMap<EntityKey, TargetId>> = HashMap::new();
        for (of, mapping) in all {
            if of == way_back {
                found.way_back.push(mapping);
            } else if of == *pair {
                // The pair speaks for itself.
            } else if of.source == pair.source {
                firsts.push((of.target, mapping.key, mapping.target));
            } else if of.target == pair.target {
                let rows = seconds.entry(of.source).or_default();
                rows.insert(mapping.key, mapping.target);
            }
        }
        let mut joined: BTreeMap<EntityKey, Option<Through>> = BTreeMap::new();
        for (middle, key, there) in firsts {
            let there = key.with_id(SourceId::new(there.raw()));
            let Some(target) = seconds.get(&middle).and_then(|rows| rows.get(&there)) else {
                continue;
            };
            let target = *target;
            match joined.entry(key.clone()) {
                Entry::Vacant(free) => {
                    free.insert(Some(Through {
                        key,
                        target,
                        middle,
                    }));
                }
                Entry::Occupied(mut taken) => {
                    let is_same = |one: &Through| one.target == target;
                    if !taken.get().as_ref().is_some_and(is_same) {
                        taken.insert(None);
                    }
                }
            }
        }
        found.through = joined.into_values().flatten().collect();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Kind, RunId};
    use crate::store::MappingOrigin;

    fn row(source: &str, target: &str, ids: (i64, i64)) -> (Pair, Mapping) {
        let pair = Pair {
            source: Guid::new(source),
            target: Guid::new(target),
        };
        let key = EntityKey::global(Kind::Model, ids.0);
        let run = RunId("20250101-000000-0001".to_owned());
        let target = TargetId::new(ids.1);
        let mapping = Mapping::without_base(key, target, MappingOrigin::Created, run);
        (pair, mapping)
    }

    #[test]
    fn two_mappings_lead_to_a_counterpart_unless_others_lead_elsewhere() {
        let rows = vec![
            row("a", "b", (1, 11)),
            row("a", "b", (2, 12)),
            row("a", "b", (3, 13)),
            row("b", "c", (11, 21)),
            row("b", "c", (12, 22)),
            row("a", "d", (2, 32)),
            row("d", "c", (32, 99)),
            // Nothing leads on from 13, and the ids of another instance mean nothing here.
            row("d", "c", (13, 23)),
            row("c", "a", (21, 1)),
            row("a", "c", (4, 24)),
        ];
        let pair = rows.last().unwrap().0.clone();
        let found = OtherPairs::of(&pair, rows);
        let through: Vec<_> = found
            .through
            .iter()
            .map(|one| (one.key.id.raw(), one.target.raw(), one.middle.as_str()))
            .collect();
        assert_eq!(through, [(1, 21, "b")]);
        assert_eq!(found.way_back.len(), 1);
    }
}
