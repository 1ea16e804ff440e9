//! Renames: the new name of an entity may still be used by another one that is renamed in this run as well.
//!
//! ```text
//!   chain     a: alpha → beta, b: beta → gamma     a waits for b
//!   ring      a: alpha → beta, b: beta → alpha     one of them goes through a temporary name first
//!   takeover  a: alpha → beta, new: alpha          new waits for a
//! ```
//! All of these are [`Strength::Name`] in the graph, and a ring is a cycle like any other. Whatever refers to a renamed
//! entity by name waits until it has its final name ([`Strength::Renamed`]). A name that is not given up is a failure that
//! names the entity which has it, where a server would certainly refuse the save or overwrite that entity; a name that
//! differs in case only is left to the server.

use std::collections::HashSet;

use hashbrown::HashMap;

use super::make::Inputs;
use super::matching::Match;
use super::named::Named;
use super::page_matching::{self, own_name};
use crate::domain::{
    Entity, Failure, Id, Kind, Locale, SourceId, TargetId, folder_and_name, name_key,
};
use crate::plan::Context;
use crate::plan::action::{Action, Planned};
use crate::plan::graph::{Graph, Need, Node, Strength};

/// Where a name is unique: the kind; for pages the siblings; and the key of the name.
type Slot = (Kind, Option<(Locale, Option<i64>, Box<str>)>, Box<str>);

/// The name that `entity` goes by where names are unique.
pub(super) fn name<I: Id>(entity: &Entity<I>) -> Box<str> {
    if entity.key.kind == Kind::Page {
        own_name(entity)
    } else {
        entity.name.trim().into()
    }
}

/// What `target` is called until its final name is free; of an asset, the folder that it is in until then. It follows from
/// the id, so that a later run recognises it.
fn temporary(kind: Kind, target: TargetId) -> Box<str> {
    match kind {
        Kind::Redirection => format!("~/lockgate-{target}"),
        Kind::Page => format!("lockgate-{target}"),
        Kind::Model
        | Kind::Container
        | Kind::Template
        | Kind::Gallery
        | Kind::Asset
        | Kind::Content => format!("lockgate_{target}"),
    }
    .into()
}

/// Whether an entity of the target has the name that a run gave it for the time being.
pub(super) fn is_temporary(there: &Entity<TargetId>) -> bool {
    let name = name(there);
    let found = match there.key.kind {
        Kind::Content => return false,
        Kind::Asset => folder_and_name(&name).0,
        Kind::Model
        | Kind::Container
        | Kind::Template
        | Kind::Gallery
        | Kind::Page
        | Kind::Redirection => &name,
    };
    *found == *temporary(there.key.kind, there.key.id)
}

const fn has_name(kind: Kind) -> bool {
    !matches!(kind, Kind::Content)
}

/// Source entities whose counterpart goes by another name and is not going to be renamed: whatever refers to them keeps
/// using that name.
pub(super) fn keeping(
    inputs: &Inputs<'_>,
    matches: &[Match],
    entities: &[Planned],
) -> HashSet<Node> {
    let nodes = (0..).zip(inputs.source.entities().iter().zip(matches));
    nodes
        .filter(|(node, (entity, found))| {
            entity.key.kind.is_named()
                && !matches!(entities[*node as usize].action, Action::Update { .. })
                && found
                    .entity(&entity.key, inputs.target)
                    .is_some_and(|there| name_key(&there.name) != name_key(&entity.name))
        })
        .map(|(node, _)| node)
        .collect()
}

/// Something that gets a name that it does not have yet.
struct Taker {
    node: Node,
    slot: Slot,
    name: Box<str>,
    /// Its counterpart, which goes by another name.
    own: Option<TargetId>,
}

/// Finds which entity waits for the name of which other one, and fails what cannot get the name that it needs.
pub(super) fn settle(
    entities: &mut [Planned],
    inputs: &Inputs<'_>,
    context: Context<'_>,
    matches: &[Match],
) -> Vec<(Node, Need)> {
    // Nothing is in the way on a target that holds nothing.
    let takers = match inputs.target.entities() {
        [] => Vec::new(),
        _ => takers(entities, inputs, matches),
    };
    if takers.is_empty() {
        return Vec::new();
    }
    let holders = Holders::of(&takers, inputs, matches);
    let mut pairs = Vec::new();
    for taker in &takers {
        for (id, held) in holders.of_slot(taker) {
            let owner = holders.owner(taker, id);
            let leaves = owner.filter(|owner| leaves(*owner, &taker.slot, &takers));
            let exactly = held == taker.name;
            if let Some(on) = leaves {
                let aside = taker.own.is_some();
                let strength = Strength::Name { aside };
                pairs.push((taker.node, Need { on, strength }));
            } else if exactly && (owner.is_some() || taker.own.is_some()) {
                let planned = &mut entities[taker.node as usize];
                planned.action = Action::Fail {
                    cause: Failure::Refused,
                };
                planned.because = held_by(inputs, taker, id, owner).into();
            }
        }
    }
    let renamed = takers.iter().filter(|taker| {
        let action = &entities[taker.node as usize].action;
        taker.slot.0.is_named() && taker.own.is_some() && action.is_work()
    });
    let renamed: HashSet<Node> = renamed.map(|taker| taker.node).collect();
    pairs.extend(named_by(entities, inputs, context, &renamed));
    pairs
}

/// Work that ends in a name which the entity does not have now.
fn takers(entities: &[Planned], inputs: &Inputs<'_>, matches: &[Match]) -> Vec<Taker> {
    let nodes = (0..).zip(inputs.source.entities().iter().zip(matches));
    let takers = nodes.filter_map(|(node, (entity, found))| {
        if !has_name(entity.key.kind) || !entities[node as usize].action.is_work() {
            return None;
        }
        let slot = slot(entity, inputs, matches)?;
        let there = found.entity(&entity.key, inputs.target);
        let has_it = there.is_some_and(|there| slot_of(there).as_ref() == Some(&slot));
        (!has_it).then(|| Taker {
            node,
            slot,
            name: name(entity),
            own: there.map(|there| there.key.id),
        })
    });
    takers.collect()
}

/// Where an entity of the source will be; `None` where nothing of the target can be in its way.
fn slot(entity: &Entity<SourceId>, inputs: &Inputs<'_>, matches: &[Match]) -> Option<Slot> {
    let level = if entity.key.kind == Kind::Page {
        let found = |at: Node| matches.get(at as usize);
        Some(page_matching::level_of(entity, inputs.source, found)?)
    } else {
        None
    };
    Some((entity.key.kind, level, name_key(&name(entity))))
}

fn slot_of(there: &Entity<TargetId>) -> Option<Slot> {
    let level = if there.key.kind == Kind::Page {
        let (locale, placement) = (there.locale()?, there.placement.as_deref()?);
        Some(page_matching::level(locale, placement.parent, placement))
    } else {
        None
    };
    Some((there.key.kind, level, name_key(&name(there))))
}

/// Whether the entity at `owner` gives up what is at `slot`: it gets another name.
fn leaves(owner: Node, slot: &Slot, takers: &[Taker]) -> bool {
    let at = takers.binary_search_by_key(&owner, |taker| taker.node);
    at.is_ok_and(|at| takers[at].slot != *slot && takers[at].own.is_some())
}

/// What is at the places that entities take.
struct Holders {
    at: HashMap<Slot, Vec<(TargetId, Box<str>)>>,
    owners: HashMap<(Kind, TargetId, Option<Locale>), Node>,
}

impl Holders {
    fn of(takers: &[Taker], inputs: &Inputs<'_>, matches: &[Match]) -> Self {
        let mut at: HashMap<Slot, Vec<(TargetId, Box<str>)>> = takers
            .iter()
            .map(|taker| (taker.slot.clone(), Vec::new()))
            .collect();
        let mut held = HashSet::new();
        let entities = inputs.target.entities().iter();
        for there in entities.filter(|there| has_name(there.key.kind)) {
            if let Some(holders) = slot_of(there).and_then(|slot| at.get_mut(&slot)) {
                holders.push((there.key.id, name(there)));
                held.insert((there.key.kind, there.key.id));
            }
        }
        let nodes = (0..).zip(inputs.source.entities().iter().zip(matches));
        let owners = nodes.filter_map(|(node, (entity, found))| {
            let key = (entity.key.kind, found.there()?);
            let locale = entity.key.locale.clone();
            held.contains(&key)
                .then_some(((key.0, key.1, locale), node))
        });
        Self {
            owners: owners.collect(),
            at,
        }
    }

    fn of_slot(&self, taker: &Taker) -> Vec<(TargetId, Box<str>)> {
        let holders = self.at.get(&taker.slot).into_iter().flatten();
        let others = holders.filter(|(id, _)| Some(*id) != taker.own);
        others.cloned().collect()
    }

    fn owner(&self, taker: &Taker, id: TargetId) -> Option<Node> {
        let locale = taker.slot.1.as_ref().map(|(locale, ..)| locale.clone());
        self.owners.get(&(taker.slot.0, id, locale)).copied()
    }
}

/// Says what holds the name that an entity needs, and what to do.
fn held_by(inputs: &Inputs<'_>, taker: &Taker, id: TargetId, owner: Option<Node>) -> String {
    let kind = taker.slot.0;
    let start = format!(
        "the name {:?} is in use on the target: {kind} {id} has it",
        taker.name
    );
    if let Some(owner) = owner {
        let owner = &inputs.source.entities()[owner as usize].key;
        return format!(
            "{start}, the counterpart of {owner}, which this run does not rename; bring {owner} across first, or \
             rename one of the two"
        );
    }
    let locale = taker.slot.1.as_ref().map(|(locale, ..)| locale.clone());
    let was = inputs
        .agreements
        .iter()
        .filter(|(key, agreement)| {
            key.kind == kind && agreement.target == id && key.locale == locale
        })
        .map(|(key, _)| key)
        .min();
    let what = match was {
        Some(was) => format!("the counterpart of {was}, which the source does not have any more"),
        None => "and nothing on the source is its counterpart".to_owned(),
    };
    format!("{start}, {what}; delete or rename it on the target, then run again")
}

/// What refers by name to something that gets another name.
fn named_by(
    entities: &[Planned],
    inputs: &Inputs<'_>,
    context: Context<'_>,
    renamed: &HashSet<Node>,
) -> Vec<(Node, Need)> {
    if renamed.is_empty() {
        return Vec::new();
    }
    let source = inputs.source.entities();
    let mut names = crate::domain::ByName::default();
    for (node, entity) in (0..).zip(source) {
        if entity.key.kind.is_named() {
            names.insert(entity.key.kind, &entity.name, node);
        }
    }
    let mut pairs = Vec::new();
    for (node, entity) in (0..).zip(source) {
        if !entities[node as usize].action.is_work() {
            continue;
        }
        for (kind, name) in Named::in_body(entity, context) {
            let on = names.get(kind, &name).copied();
            if let Some(on) = on.filter(|on| *on != node && renamed.contains(on)) {
                let strength = Strength::Renamed;
                pairs.push((node, Need { on, strength }));
            }
        }
    }
    pairs
}

/// Sends the entity at `node` through a temporary name, until the holders of its final name have given it up.
pub(super) fn step_aside(planned: &mut Planned, kind: Kind, holders: impl Iterator<Item = Node>) {
    if let Action::Update { target } = planned.action {
        planned.temporary = Some(temporary(kind, target));
        planned.again.extend(holders);
    }
}

/// Saves the members of a cycle twice that call one by name which goes through a temporary name: that gets its final name
/// only after others of the cycle.
pub(super) fn call_again(entities: &mut [Planned], members: &[Node], graph: &Graph) {
    for who in members {
        let calls = graph.needs(*who).iter().filter(|need| {
            need.strength == Strength::Renamed
                && members.binary_search(&need.on).is_ok()
                && entities[need.on as usize].temporary.is_some()
        });
        let calls: Vec<Node> = calls.map(|need| need.on).collect();
        entities[*who as usize].again.extend(calls);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Key;

    #[test]
    fn a_temporary_name_is_known_again() {
        let there = |name: &str| Entity {
            key: Key::global(Kind::Gallery, 77),
            name: name.into(),
            version: None,
            state: crate::domain::ItemState::None,
            placement: None,
            body: crate::domain::Body::new(&serde_json::Value::Null),
        };
        assert!(is_temporary(&there("lockgate_77")));
        assert!(!is_temporary(&there("lockgate_78")) && !is_temporary(&there("Press")));
        let file = |path: &str| Entity {
            key: Key::global(Kind::Asset, 77),
            ..there(path)
        };
        assert!(is_temporary(&file("lockgate_77/a.png")));
        assert!(!is_temporary(&file("lockgate_77")) && !is_temporary(&file("img/lockgate_77")));
    }
}
