//! Dependency cycles, and where to cut them.
//!
//! A strongly connected component is saved in one pass by leaving out some deferrable references, which are
//! patched in afterwards. [`cut`] chooses which.

mod cut;

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use self::cut::{Arc, cheap_cut};
use super::graph::{Graph, Need, Node, Strength};

/// A cycle and its cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle {
    /// Its entities, ascending.
    pub members: Vec<Node>,
    /// The needs `(dependant, dependency)` that the first saves leave out, ascending. Empty when `closed`.
    pub cut: Vec<(Node, Node)>,
    /// Whether its hard needs alone form a cycle, so that nothing can be saved first.
    pub closed: bool,
}

/// What it costs to send an entity through a temporary name: a second save, and a name that others may see.
const COST_ASIDE: u32 = 20;
/// What it costs to save an entity with the old name of another one first, and again with the new one.
const COST_RENAMED: u32 = 2;

/// Which needs an entity has to wait for; a dependency that exists already is none.
type Waits<'a> = &'a dyn Fn(Node, Need) -> bool;

/// Finds every cycle of needs for which `waits` holds, dependencies first.
pub fn cycles(graph: &Graph, waits: Waits<'_>) -> Vec<Cycle> {
    let components = components(graph, waits);
    // The place of every entity among the members of its component.
    let mut place_of = vec![0_u32; graph.len() as usize];
    components
        .into_iter()
        .filter_map(|members| {
            if members.len() == 1 && !needs_itself(graph, members[0], waits) {
                return None;
            }
            for (place, node) in (0..).zip(&members) {
                place_of[*node as usize] = place;
            }
            Some(cut_open(graph, members, &place_of, waits))
        })
        .collect()
}

/// The entities that `takes` takes, in the stages in which each comes after what it refers to: the members of each cycle of
/// references together, every other entity alone.
pub fn stages_of(graph: &Graph, takes: &dyn Fn(Node) -> bool) -> Vec<(Vec<Node>, u32)> {
    let refers = |who: Node, need: Need| {
        let is_reference = matches!(
            need.strength,
            Strength::Hard | Strength::Deferrable { .. } | Strength::Whole
        );
        is_reference && takes(who) && takes(need.on)
    };
    let mut stages = vec![0_u32; graph.len() as usize];
    let mut found = Vec::new();
    for members in components(graph, &refers) {
        if !members.iter().all(|node| takes(*node)) {
            continue;
        }
        let needs = members.iter().flat_map(|node| {
            let needs = graph.needs(*node).iter();
            needs.filter(|need| refers(*node, **need))
        });
        let others = needs.filter(|need| members.binary_search(&need.on).is_err());
        let stage = others.map(|need| stages[need.on as usize] + 1).max();
        for node in &members {
            stages[*node as usize] = stage.unwrap_or(0);
        }
        found.push((members, stage.unwrap_or(0)));
    }
    found
}

fn needs_itself(graph: &Graph, node: Node, waits: Waits<'_>) -> bool {
    let needs = graph.needs_on(node, node).iter();
    needs.copied().any(|need| waits(node, need))
}

/// Strongly connected components, members ascending, each after those that it depends on.
fn components(graph: &Graph, waits: Waits<'_>) -> Vec<Vec<Node>> {
    let mut waiting = DiGraph::<(), ()>::with_capacity(graph.len() as usize, graph.edges());
    for _ in 0..graph.len() {
        waiting.add_node(());
    }
    for node in 0..graph.len() {
        let needs = graph.needs(node).iter().copied();
        for need in needs.filter(|need| waits(node, *need)) {
            waiting.add_edge(NodeIndex::from(node), NodeIndex::from(need.on), ());
        }
    }
    let mut found: Vec<Vec<Node>> = kosaraju_scc(&waiting)
        .into_iter()
        .map(|members| members.into_iter().map(node_of).collect())
        .collect();
    for members in &mut found {
        members.sort_unstable();
    }
    found
}

fn node_of(index: NodeIndex) -> Node {
    u32::try_from(index.index()).unwrap_or(Node::MAX)
}

fn cut_open(graph: &Graph, members: Vec<Node>, place_of: &[u32], waits: Waits<'_>) -> Cycle {
    let arcs = arcs(graph, &members, place_of, waits);
    let chosen = cheap_cut(members.len(), &arcs);
    let closed = chosen.is_none();
    let mut cut: Vec<(Node, Node)> = chosen
        .unwrap_or_default()
        .into_iter()
        .map(|at| (members[arcs[at].from], members[arcs[at].to]))
        .collect();
    cut.sort_unstable();
    cut.dedup();
    Cycle {
        members,
        cut,
        closed,
    }
}

/// The needs of the members on one another. What is not a member has another place or none.
fn arcs(graph: &Graph, members: &[Node], place_of: &[u32], waits: Waits<'_>) -> Vec<Arc> {
    let mut arcs = Vec::new();
    for (from, node) in members.iter().enumerate() {
        let needs = graph.needs(*node).iter().copied();
        for need in needs.filter(|need| waits(*node, *need)) {
            let to = place_of[need.on as usize] as usize;
            if members.get(to) == Some(&need.on) {
                let cost = cost(need.strength);
                arcs.push(Arc { from, to, cost });
            }
        }
    }
    arcs
}

/// What leaving out a need costs; `None` where that is impossible.
const fn cost(strength: Strength) -> Option<u32> {
    match strength {
        Strength::Deferrable { cost } => Some(cost),
        Strength::Name { aside: true } => Some(COST_ASIDE),
        Strength::Renamed => Some(COST_RENAMED),
        Strength::Hard | Strength::Whole | Strength::Order | Strength::Name { aside: false } => {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::graph::Need;
    use proptest::prelude::*;

    fn graph(count: u32, arcs: &[(Node, Node, Option<u32>)]) -> Graph {
        let pairs = arcs
            .iter()
            .map(|(from, on, cost)| {
                let strength = cost.map_or(Strength::Hard, |cost| Strength::Deferrable { cost });
                (*from, Need { on: *on, strength })
            })
            .collect();
        Graph::new(count, pairs)
    }

    #[test]
    fn the_cheapest_need_of_a_cycle_is_cut() {
        let graph = graph(3, &[(0, 1, Some(5)), (1, 2, Some(1)), (2, 0, None)]);
        let found = cycles(&graph, &|_, _| true);
        assert_eq!(
            found,
            [Cycle {
                members: vec![0, 1, 2],
                cut: vec![(1, 2)],
                closed: false
            }]
        );
    }

    #[test]
    fn an_entity_that_refers_to_itself_is_a_cycle() {
        let graph = graph(2, &[(0, 0, Some(1)), (0, 1, Some(1))]);
        let found = cycles(&graph, &|_, _| true);
        assert_eq!(
            found,
            [Cycle {
                members: vec![0],
                cut: vec![(0, 0)],
                closed: false
            }]
        );
    }

    #[test]
    fn one_cut_serves_two_cycles_where_that_is_cheaper() {
        // 0 → 1 → 0 and 0 → 1 → 2 → 0 share 0 → 1.
        let graph = graph(
            3,
            &[
                (0, 1, Some(3)),
                (1, 0, Some(2)),
                (1, 2, Some(2)),
                (2, 0, Some(2)),
            ],
        );
        assert_eq!(cycles(&graph, &|_, _| true)[0].cut, [(0, 1)]);
    }

    #[test]
    fn a_cycle_of_hard_needs_is_closed() {
        let graph = graph(2, &[(0, 1, None), (1, 0, None)]);
        assert!(cycles(&graph, &|_, _| true)[0].closed);
    }

    #[test]
    fn what_is_done_already_closes_no_cycle() {
        let graph = graph(2, &[(0, 1, Some(1)), (1, 0, Some(1))]);
        assert!(cycles(&graph, &|_, need| need.on != 1).is_empty());
    }

    proptest! {
        /// Whatever the graph: without the cut nothing goes round, and with any one cut put back something does.
        #[test]
        fn cuts_open_every_cycle_and_none_is_superfluous(
            arcs in proptest::collection::vec((0_u32..12, 0_u32..12, 1_u32..6), 0..60)
        ) {
            let arcs: Vec<_> = arcs.into_iter().map(|(from, on, cost)| (from, on, Some(cost))).collect();
            let graph = graph(12, &arcs);
            let cuts: Vec<(Node, Node)> =
                cycles(&graph, &|_, _| true).into_iter().flat_map(|cycle| cycle.cut).collect();
            let without = |kept: Option<(Node, Node)>| {
                let left: Vec<_> = arcs
                    .iter()
                    .copied()
                    .filter(|(from, on, _)| Some((*from, *on)) == kept || !cuts.contains(&(*from, *on)))
                    .collect();
                cycles(&self::graph(12, &left), &|_, _| true)
            };
            prop_assert!(without(None).is_empty());
            for cut in &cuts {
                prop_assert!(!without(Some(*cut)).is_empty(), "{cut:?} need not be cut");
            }
        }
    }
}
