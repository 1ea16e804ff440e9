//! Counts the items of the containers of a pair without state.

use std::collections::{BTreeMap, HashSet};

use super::super::predicted_ids::PredictedIds;
use super::Known;
use super::pairing::Pairing;
use crate::domain::{Kind, name_key};
use crate::plan::Counterparts;

/// The items of one container on both sides; each counts once, whatever its locales.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerTally {
    /// The container's reference name on the target.
    pub container: Box<str>,
    /// Items of the source.
    pub source: usize,
    /// Items of the target.
    pub target: usize,
    /// Items of the source whose counterpart was found.
    pub recognised: usize,
    /// Items of the target that are the counterpart of none.
    pub unplaced: usize,
}

/// Counts the containers that both sides have, in the order of their names. `map` has the target's names.
pub(super) fn tally(
    known: &Known<'_>,
    pairing: &Pairing,
    map: &PredictedIds<'_>,
) -> Vec<ContainerTally> {
    let ours: HashSet<Box<str>> = known
        .source
        .of_kind(Kind::Container)
        .iter()
        .filter_map(|container| map.name(Kind::Container, &container.name))
        .map(|name| name_key(&name))
        .collect();
    let mut tallies: BTreeMap<Box<str>, ContainerTally> = BTreeMap::new();
    for container in known.target.of_kind(Kind::Container) {
        if !ours.contains(&name_key(&container.name)) {
            continue;
        }
        let tally = ContainerTally {
            container: container.name.clone(),
            ..ContainerTally::default()
        };
        tallies.insert(name_key(&container.name), tally);
    }
    for (at, item) in pairing.source.items.iter().enumerate() {
        if let Some(tally) = tallies.get_mut(&item.container) {
            tally.source += 1;
            tally.recognised += usize::from(pairing.of_source[at].is_some());
        }
    }
    for (at, item) in pairing.target.items.iter().enumerate() {
        if let Some(tally) = tallies.get_mut(&item.container) {
            tally.target += 1;
            tally.unplaced += usize::from(pairing.of_target[at].is_none());
        }
    }
    tallies.into_values().collect()
}
