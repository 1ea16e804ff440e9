//! What follows from the decisions: blocked entities, levels, and priorities.

use std::collections::VecDeque;

use super::super::action::{Action, Planned, waits_for, waits_on};
use super::super::graph::{Graph, Node, Strength};
use super::super::weights::Weights;
use crate::domain::{EntityKey, Inventory, Kind, SourceId, WorkClass};

/// Blocks every entity that would be written but needs one that will have no counterpart. `absent` names those that are
/// blocked already and have none, with the root cause.
pub(super) fn block_dependants(
    entities: &mut [Planned],
    graph: &Graph,
    source: &Inventory<SourceId>,
    absent: Vec<(Node, EntityKey)>,
) {
    let mut open: VecDeque<(Node, EntityKey)> = (0..)
        .zip(source.entities())
        .filter(|(node, _)| is_root_cause(&entities[*node as usize].action))
        .map(|(node, entity)| (node, entity.key.clone()))
        .chain(absent)
        .collect();
    while let Some((node, root)) = open.pop_front() {
        for dependant in graph.needed_by(node) {
            let planned = &mut entities[*dependant as usize];
            if *dependant != node && planned.action.is_work() && is_need(graph, *dependant, node) {
                planned.because = format!("it needs {root}, which cannot be migrated").into();
                planned.action = Action::Block { by: root.clone() };
                open.push_back((*dependant, root.clone()));
            }
        }
    }
}

fn is_root_cause(action: &Action) -> bool {
    matches!(
        action,
        Action::Fail { .. } | Action::Conflict { target: None }
    )
}

fn is_need(graph: &Graph, who: Node, on: Node) -> bool {
    graph
        .needs_on(who, on)
        .iter()
        .any(|need| !matches!(need.strength, Strength::Order | Strength::Renamed))
}

/// Gives every content item its level, and returns the number of levels.
pub(super) fn levels(
    entities: &mut [Planned],
    graph: &Graph,
    source: &Inventory<SourceId>,
    order: &[Node],
) -> u32 {
    let is_content = |node: Node| source.entities()[node as usize].key.kind == Kind::Content;
    let mut count = 0;
    for node in order.iter().copied().filter(|node| is_content(*node)) {
        let level = waits_for(entities, graph, node)
            .filter(|need| is_content(need.on))
            .map(|need| entities[need.on as usize].level + 1)
            .max()
            .unwrap_or(0);
        entities[node as usize].level = level;
        count = count.max(level + 1);
    }
    count
}

/// Gives every piece of work the length of the longest chain of work that starts with it.
pub(super) fn weigh(
    entities: &mut [Planned],
    graph: &Graph,
    (source, weights): (&Inventory<SourceId>, &Weights),
    order: &[Node],
) {
    for node in order.iter().copied().rev() {
        let own = weights.of(source.entities()[node as usize].key.kind);
        let total = own.saturating_add(entities[node as usize].remaining_ms);
        entities[node as usize].remaining_ms = total;
        let before: Vec<Node> = waits_for(entities, graph, node)
            .map(|need| need.on)
            .collect();
        for on in before {
            let on = &mut entities[on as usize];
            on.remaining_ms = on.remaining_ms.max(total);
        }
    }
}

/// Marks the work that must not overlap with its neighbours.
pub(super) fn classify(entities: &mut [Planned], graph: &Graph, source: &Inventory<SourceId>) {
    for (node, entity) in (0..).zip(source.entities()) {
        let key = &entity.key;
        let shares_id = |other: Node| {
            let other = &source.entities()[other as usize].key;
            other.kind == key.kind && other.id == key.id
        };
        let first_of_locales = graph
            .needed_by(node)
            .iter()
            .any(|other| *other != node && shares_id(*other));
        let planned = &mut entities[node as usize];
        if key.kind == Kind::Page || planned.is_patched() || first_of_locales {
            planned.class = WorkClass::Sequential;
        }
    }
}

/// All work, everything behind what it waits for.
pub(super) fn order(entities: &[Planned], graph: &Graph) -> Vec<Node> {
    let mut missing: Vec<u32> = vec![0; entities.len()];
    let mut free: VecDeque<Node> = VecDeque::new();
    for node in 0..graph.len() {
        if entities[node as usize].action.is_work() {
            let count = waits_for(entities, graph, node).count();
            missing[node as usize] = u32::try_from(count).unwrap_or(u32::MAX);
            if count == 0 {
                free.push_back(node);
            }
        }
    }
    let mut order = Vec::new();
    while let Some(node) = free.pop_front() {
        order.push(node);
        for dependant in graph.needed_by(node) {
            let at = *dependant as usize;
            if !entities[at].action.is_work() {
                continue;
            }
            for _ in waits_on(entities, graph, *dependant, node) {
                missing[at] -= 1;
                if missing[at] == 0 {
                    free.push_back(*dependant);
                }
            }
        }
    }
    order
}
