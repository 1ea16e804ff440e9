//! Circles of references, and where to cut them.
//!
//! A strongly connected component is saved in one pass by leaving out some deferrable references, which
//! are patched in afterwards. The cut is the cheapest one for small circles, found by trying; for larger
//! ones it comes from local ratio (lower every need of a found circle by its cheapest, cut what reaches
//! zero, and put back what turns out not to be needed), which is never more than it has to be, though not
//! always the cheapest.

use super::graph::{Graph, Need, Node, Strength};

/// A circle and its cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circle {
    /// Its entities, ascending.
    pub members: Vec<Node>,
    /// The needs `(who, on)` that are left out at first.
    pub cut: Vec<(Node, Node)>,
    /// Whether a circle of needs remains that cannot be left out.
    pub closed: bool,
}

/// What it costs to send an entity through a temporary name: a second save, and a name that others may see.
const COST_ASIDE: u32 = 20;
/// What it costs to save an entity with the old name of another one first, and again with the new one.
const COST_RENAMED: u32 = 2;

/// Deferrable needs of one circle up to which every combination is tried.
const TRIED_UP_TO: usize = 12;

/// Which needs an entity has to wait for; what exists already is as good as done.
type Waits<'a> = &'a dyn Fn(Node, Need) -> bool;

/// Finds every circle of needs for which `waits` holds.
pub fn circles(graph: &Graph, waits: Waits<'_>) -> Vec<Circle> {
    components(graph, waits)
        .into_iter()
        .filter(|members| members.len() > 1 || needs_itself(graph, members[0], waits))
        .map(|members| cut(graph, members, waits))
        .collect()
}

fn needs_itself(graph: &Graph, node: Node, waits: Waits<'_>) -> bool {
    let needs = graph.needs(node).iter();
    needs
        .filter(|need| need.on == node)
        .any(|need| waits(node, *need))
}

#[derive(Clone, Copy)]
struct Arc {
    from: usize,
    to: usize,
    /// `None` cannot be cut.
    cost: Option<u32>,
}

fn cut(graph: &Graph, members: Vec<Node>, waits: Waits<'_>) -> Circle {
    let arcs = arcs(graph, &members, waits);
    let removable: Vec<usize> = (0..arcs.len())
        .filter(|at| arcs[*at].cost.is_some())
        .collect();
    let closed = !acyclic(members.len(), &arcs, &|at| arcs[at].cost.is_none());
    let chosen = if removable.len() <= TRIED_UP_TO && !closed {
        cheapest(members.len(), &arcs, &removable)
    } else {
        local_ratio(members.len(), &arcs)
    };
    let cut = chosen
        .into_iter()
        .map(|at| (members[arcs[at].from], members[arcs[at].to]))
        .collect();
    Circle {
        members,
        cut,
        closed,
    }
}

fn arcs(graph: &Graph, members: &[Node], waits: Waits<'_>) -> Vec<Arc> {
    let mut arcs = Vec::new();
    for (from, node) in members.iter().enumerate() {
        let needs = graph.needs(*node).iter();
        for need in needs.filter(|need| waits(*node, **need)) {
            if let Ok(to) = members.binary_search(&need.on) {
                let cost = match need.strength {
                    Strength::Deferrable { cost } => Some(cost),
                    Strength::Name { aside: true } => Some(COST_ASIDE),
                    Strength::Renamed => Some(COST_RENAMED),
                    Strength::Hard
                    | Strength::Whole
                    | Strength::Order
                    | Strength::Name { aside: false } => None,
                };
                arcs.push(Arc { from, to, cost });
            }
        }
    }
    arcs
}

/// The cheapest cut, by trying every combination.
fn cheapest(size: usize, arcs: &[Arc], removable: &[usize]) -> Vec<usize> {
    let mut best: Option<(u64, u32)> = None;
    for choice in 1_u32..1 << removable.len() {
        let cost = removable
            .iter()
            .enumerate()
            .filter(|(bit, _)| choice & (1 << bit) != 0)
            .map(|(_, at)| u64::from(arcs[*at].cost.unwrap_or(0)))
            .sum();
        if best.is_some_and(|(least, _)| cost >= least) {
            continue;
        }
        let is_cut = |at: usize| {
            removable
                .iter()
                .position(|other| *other == at)
                .is_some_and(|bit| choice & (1 << bit) != 0)
        };
        if acyclic(size, arcs, &|at| !is_cut(at)) {
            best = Some((cost, choice));
        }
    }
    let choice = best.map_or(0, |(_, choice)| choice);
    removable
        .iter()
        .enumerate()
        .filter(|(bit, _)| choice & (1 << bit) != 0)
        .map(|(_, at)| *at)
        .collect()
}

/// A cut from which nothing can be put back, cheap but not always the cheapest.
fn local_ratio(size: usize, arcs: &[Arc]) -> Vec<usize> {
    let mut rest: Vec<Option<u32>> = arcs.iter().map(|arc| arc.cost).collect();
    let mut kept = vec![true; arcs.len()];
    let mut chosen = Vec::new();
    while let Some(circle) = find_circle(size, arcs, &kept) {
        let Some(least) = circle.iter().filter_map(|at| rest[*at]).min() else {
            // Nothing in this circle can be cut. Set it aside to find the others.
            kept[circle[0]] = false;
            continue;
        };
        for at in circle {
            if let Some(cost) = &mut rest[at] {
                *cost -= least;
                if *cost == 0 {
                    kept[at] = false;
                    chosen.push(at);
                }
            }
        }
    }
    put_back(size, arcs, kept, chosen)
}

/// Puts back, dearest first, what closes no circle.
fn put_back(size: usize, arcs: &[Arc], mut kept: Vec<bool>, mut chosen: Vec<usize>) -> Vec<usize> {
    chosen.sort_by_key(|at| (std::cmp::Reverse(arcs[*at].cost), *at));
    chosen.retain(|at| {
        kept[*at] = true;
        let closes = !acyclic(size, arcs, &|arc| kept[arc]);
        kept[*at] = !closes;
        closes
    });
    chosen.sort_unstable();
    chosen
}

/// Whether the arcs that `kept` lets through form no circle (Kahn's algorithm).
fn acyclic(size: usize, arcs: &[Arc], kept: &dyn Fn(usize) -> bool) -> bool {
    let mut incoming = vec![0_u32; size];
    let mut out: Vec<Vec<usize>> = vec![Vec::new(); size];
    for (at, arc) in arcs.iter().enumerate().filter(|(at, _)| kept(*at)) {
        incoming[arc.to] += 1;
        out[arc.from].push(at);
    }
    let mut free: Vec<usize> = (0..size).filter(|node| incoming[*node] == 0).collect();
    let mut done = 0;
    while let Some(node) = free.pop() {
        done += 1;
        for at in &out[node] {
            incoming[arcs[*at].to] -= 1;
            if incoming[arcs[*at].to] == 0 {
                free.push(arcs[*at].to);
            }
        }
    }
    done == size
}

/// The arcs of one circle among those kept.
fn find_circle(size: usize, arcs: &[Arc], kept: &[bool]) -> Option<Vec<usize>> {
    let mut out: Vec<Vec<usize>> = vec![Vec::new(); size];
    for (at, arc) in arcs.iter().enumerate().filter(|(at, _)| kept[*at]) {
        out[arc.from].push(at);
    }
    // 0: not seen, 1: on the present path, 2: leads into no circle.
    let mut state = vec![0_u8; size];
    for start in 0..size {
        if state[start] != 0 {
            continue;
        }
        state[start] = 1;
        let mut nodes = vec![(start, 0_usize)];
        let mut path: Vec<usize> = Vec::new();
        while let Some((node, next)) = nodes.last_mut() {
            let node = *node;
            let Some(at) = out[node].get(*next).copied() else {
                state[node] = 2;
                nodes.pop();
                path.pop();
                continue;
            };
            *next += 1;
            let to = arcs[at].to;
            if state[to] == 1 {
                let from = nodes.iter().position(|(on_path, _)| *on_path == to)?;
                let mut circle = path.split_off(from);
                circle.push(at);
                return Some(circle);
            }
            if state[to] == 0 {
                state[to] = 1;
                path.push(at);
                nodes.push((to, 0));
            }
        }
    }
    None
}

/// Strongly connected components (Tarjan, without recursion), each ascending, in dependency order.
fn components(graph: &Graph, waits: Waits<'_>) -> Vec<Vec<Node>> {
    const UNSEEN: u32 = u32::MAX;
    let size = graph.len() as usize;
    let mut seen_at = vec![UNSEEN; size];
    let mut lowest = vec![0_u32; size];
    let mut on_stack = vec![false; size];
    let mut stack: Vec<Node> = Vec::new();
    let mut clock = 0;
    let mut found = Vec::new();
    for start in 0..graph.len() {
        if seen_at[start as usize] != UNSEEN {
            continue;
        }
        let mut calls: Vec<(Node, usize)> = vec![(start, 0)];
        while let Some((node, next)) = calls.last_mut() {
            let (node, at) = (*node, *next);
            let here = node as usize;
            if at == 0 {
                seen_at[here] = clock;
                lowest[here] = clock;
                clock += 1;
                stack.push(node);
                on_stack[here] = true;
            }
            if let Some(need) = graph.needs(node).get(at) {
                *next += 1;
                let to = need.on as usize;
                if !waits(node, *need) {
                    continue;
                }
                if seen_at[to] == UNSEEN {
                    calls.push((need.on, 0));
                } else if on_stack[to] {
                    lowest[here] = lowest[here].min(seen_at[to]);
                }
                continue;
            }
            calls.pop();
            if let Some((caller, _)) = calls.last() {
                let caller = *caller as usize;
                lowest[caller] = lowest[caller].min(lowest[here]);
            }
            if lowest[here] == seen_at[here] {
                found.push(pop_component(&mut stack, &mut on_stack, node));
            }
        }
    }
    found
}

fn pop_component(stack: &mut Vec<Node>, on_stack: &mut [bool], root: Node) -> Vec<Node> {
    let mut members = Vec::new();
    while let Some(member) = stack.pop() {
        on_stack[member as usize] = false;
        members.push(member);
        if member == root {
            break;
        }
    }
    members.sort_unstable();
    members
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
    fn the_cheapest_need_of_a_circle_is_cut() {
        let graph = graph(3, &[(0, 1, Some(5)), (1, 2, Some(1)), (2, 0, None)]);
        let found = circles(&graph, &|_, _| true);
        assert_eq!(
            found,
            [Circle {
                members: vec![0, 1, 2],
                cut: vec![(1, 2)],
                closed: false
            }]
        );
    }

    #[test]
    fn an_entity_that_refers_to_itself_is_a_circle() {
        let graph = graph(2, &[(0, 0, Some(1)), (0, 1, Some(1))]);
        let found = circles(&graph, &|_, _| true);
        assert_eq!(
            found,
            [Circle {
                members: vec![0],
                cut: vec![(0, 0)],
                closed: false
            }]
        );
    }

    #[test]
    fn one_cut_serves_two_circles_where_that_is_cheaper() {
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
        assert_eq!(circles(&graph, &|_, _| true)[0].cut, [(0, 1)]);
    }

    #[test]
    fn a_circle_of_hard_needs_is_closed() {
        let graph = graph(2, &[(0, 1, None), (1, 0, None)]);
        assert!(circles(&graph, &|_, _| true)[0].closed);
    }

    #[test]
    fn what_is_done_already_closes_no_circle() {
        let graph = graph(2, &[(0, 1, Some(1)), (1, 0, Some(1))]);
        assert!(circles(&graph, &|_, need| need.on != 1).is_empty());
    }

    proptest! {
        /// Whatever the graph: without the cut nothing goes round, and with any one cut put back something does.
        #[test]
        fn cuts_open_every_circle_and_none_is_superfluous(
            arcs in proptest::collection::vec((0_u32..12, 0_u32..12, 1_u32..6), 0..60)
        ) {
            let arcs: Vec<_> = arcs.into_iter().map(|(from, on, cost)| (from, on, Some(cost))).collect();
            let graph = graph(12, &arcs);
            let cuts: Vec<(Node, Node)> =
                circles(&graph, &|_, _| true).into_iter().flat_map(|circle| circle.cut).collect();
            let without = |kept: Option<(Node, Node)>| {
                let left: Vec<_> = arcs
                    .iter()
                    .copied()
                    .filter(|(from, on, _)| Some((*from, *on)) == kept || !cuts.contains(&(*from, *on)))
                    .collect();
                circles(&self::graph(12, &left), &|_, _| true)
            };
            prop_assert!(without(None).is_empty());
            for cut in &cuts {
                prop_assert!(!without(Some(*cut)).is_empty(), "{cut:?} need not be cut");
            }
        }
    }
}
