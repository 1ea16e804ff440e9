//! Reads one entity back out of `plan.json` and `graph.json`.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::domain::{EntityKey, read_file};
use crate::report::lookup::Listed;

/// What the plan of a run says about one entity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Around {
    /// What was going to happen, such as `create`.
    pub action: String,
    /// Why.
    pub because: String,
    /// What it needs.
    pub needs: Vec<Neighbour>,
    /// What needs it.
    pub needed_by: Vec<Neighbour>,
}

/// An entity at the other end of a need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Neighbour {
    /// The entity.
    pub key: EntityKey,
    /// What a person calls it.
    pub name: String,
    /// What was going to happen to it.
    pub action: String,
    /// `whole`, `hard`, `deferrable` or `order`, as `graph.json` has it.
    pub strength: String,
    /// Whether the reference is left out at first and patched in afterwards.
    pub cut: bool,
}

#[derive(Deserialize)]
struct PlanFile {
    entities: Vec<Planned>,
}

#[derive(Deserialize)]
struct Planned {
    key: EntityKey,
    action: String,
    because: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    included_by: Option<EntityKey>,
}

/// An entity on the way from one of a selection to what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Included {
    /// The entity.
    pub key: EntityKey,
    /// What a person calls it.
    pub name: String,
    /// What was going to happen, such as `create`.
    pub action: String,
    /// What brought it into the selection; `None` of what was asked for, and of what is left out.
    pub by: Option<EntityKey>,
}

/// Why the plan in the folder of a run includes the entities that `is_meant` means: each with what brought it along, up to what
/// was asked for. `None` when the folder has no plan.
///
/// # Errors
/// When the file is there and cannot be read, or is not as this program writes it.
pub fn included(
    folder: &Path,
    is_meant: impl Fn(&EntityKey) -> bool,
) -> io::Result<Option<Vec<Vec<Included>>>> {
    let Some(plan) = read::<PlanFile>(&folder.join("plan.json"))? else {
        return Ok(None);
    };
    let all = plan.entities.into_iter();
    let all: HashMap<EntityKey, Included> = all
        .map(|one| {
            let included = Included {
                key: one.key.clone(),
                name: one.name,
                action: one.action,
                by: one.included_by,
            };
            (one.key, included)
        })
        .collect();
    let mut meant: Vec<&Included> = all.values().filter(|one| is_meant(&one.key)).collect();
    meant.sort_unstable_by(|one, other| one.key.cmp(&other.key));
    let chain = |first: &Included| {
        let next = |one: &Included| all.get(one.by.as_ref()?).cloned();
        // A file that was changed by hand may have a cycle.
        let chain = std::iter::successors(Some(first.clone()), next);
        chain.take(all.len()).collect()
    };
    Ok(Some(meant.into_iter().map(chain).collect()))
}

#[derive(Deserialize)]
struct GraphFile {
    nodes: Vec<Node>,
    needs: Vec<Need>,
}

#[derive(Deserialize)]
struct Node {
    key: EntityKey,
    name: String,
    action: String,
}

#[derive(Deserialize)]
struct Need {
    from: usize,
    to: usize,
    strength: String,
    #[serde(default)]
    cut: bool,
}

/// What the plan in the folder of a run says about each of `keys`, as far as it has them. `None` when the folder has no
/// plan: the run ended before it had one, or the folder was archived.
///
/// # Errors
/// When a file is there and cannot be read, or is not as this program writes it.
pub fn look_up(
    folder: &Path,
    keys: &[EntityKey],
) -> io::Result<Option<HashMap<EntityKey, Around>>> {
    let Some(plan) = read::<PlanFile>(&folder.join("plan.json"))? else {
        return Ok(None);
    };
    let Some(graph) = read::<GraphFile>(&folder.join("graph.json"))? else {
        return Ok(None);
    };
    let of_interest = plan
        .entities
        .into_iter()
        .filter(|one| keys.contains(&one.key));
    let found = of_interest.map(|planned| {
        let place = graph.nodes.iter().position(|node| node.key == planned.key);
        let at = |need: &&Need, side: fn(&Need) -> usize| Some(side(need)) == place;
        let from = graph.needs.iter().filter(|need| at(need, |need| need.from));
        let to = graph.needs.iter().filter(|need| at(need, |need| need.to));
        let around = Around {
            needs: from
                .filter_map(|need| graph.neighbour(need, need.to))
                .collect(),
            needed_by: to
                .filter_map(|need| graph.neighbour(need, need.from))
                .collect(),
            action: planned.action,
            because: planned.because,
        };
        (planned.key, around)
    });
    Ok(Some(found.collect()))
}

/// Every entity of the plan in the folder of a run, sorted by key. `None` when the folder has no plan.
///
/// # Errors
/// When the file is there and cannot be read, or is not as this program writes it.
pub fn listed(folder: &Path) -> io::Result<Option<Vec<Listed>>> {
    let graph = read::<GraphFile>(&folder.join("graph.json"))?;
    let listed = |node: Node| Listed {
        key: node.key,
        name: node.name,
    };
    Ok(graph.map(|graph| graph.nodes.into_iter().map(listed).collect()))
}

impl GraphFile {
    fn neighbour(&self, need: &Need, place: usize) -> Option<Neighbour> {
        let node = self.nodes.get(place)?;
        Some(Neighbour {
            key: node.key.clone(),
            name: node.name.clone(),
            action: node.action.clone(),
            strength: need.strength.clone(),
            cut: need.cut,
        })
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match read_file(path) {
        Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
