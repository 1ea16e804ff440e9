//! The cheapest set of needs to leave out of one strongly connected component: a feedback arc set.
//!
//! Every order of saving is a cut: references to entities that come later are left out. Components of a few entities get
//! the optimal order. In larger ones an order is built greedily, every entity is moved to its cheapest place, and cuts that
//! turn out unnecessary are reverted. Each of these steps is near-linear in the number of references or bounded by a budget.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A need inside the component: the member at `from` needs the one at `to`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arc {
    pub(super) from: usize,
    pub(super) to: usize,
    /// What leaving it out costs; `None` cannot be left out.
    pub(super) cost: Option<u32>,
}

/// Members up to which every order is compared.
const EXACT_UP_TO: usize = 10;
/// How often every entity is moved to its cheapest place at most.
const PASSES: usize = 12;
/// Needs that putting back may follow in one component.
const STEPS: usize = 10_000_000;

/// The indices of the arcs to leave out, ascending; `None` when the arcs that have to stay form a cycle.
pub(super) fn cheap_cut(size: usize, arcs: &[Arc]) -> Option<Vec<usize>> {
    let component = Component::new(size, arcs);
    let greedy = component.greedy()?;
    Some(if size <= EXACT_UP_TO {
        component.cut_of(&component.cheapest())
    } else {
        component.improved(greedy)
    })
}

/// The members with their arcs in both directions.
struct Component<'a> {
    size: usize,
    arcs: &'a [Arc],
    /// Per member the arcs to what it needs, without those to itself.
    needs: Vec<Vec<usize>>,
    /// Per member the arcs from what needs it, without those from itself.
    needed_by: Vec<Vec<usize>>,
}

/// The place of every member: what is lower is saved earlier.
type Places = Vec<usize>;

impl<'a> Component<'a> {
    fn new(size: usize, arcs: &'a [Arc]) -> Self {
        let mut needs = vec![Vec::new(); size];
        let mut needed_by = vec![Vec::new(); size];
        for (at, arc) in arcs
            .iter()
            .enumerate()
            .filter(|(_, arc)| arc.from != arc.to)
        {
            needs[arc.from].push(at);
            needed_by[arc.to].push(at);
        }
        Self {
            size,
            arcs,
            needs,
            needed_by,
        }
    }

    fn cost(&self, at: usize) -> u64 {
        self.arcs[at].cost.map_or(0, u64::from)
    }

    /// What the order leaves out, needs of a member on itself included.
    fn cut_of(&self, places: &[usize]) -> Vec<usize> {
        let is_cut = |arc: &Arc| places[arc.to] >= places[arc.from];
        (0..self.arcs.len())
            .filter(|at| is_cut(&self.arcs[*at]))
            .collect()
    }

    /// An order that keeps every arc that has to stay: next comes what needs nothing more, else what loses the least by
    /// coming now. `None` when there is no such order.
    fn greedy(&self) -> Option<Places> {
        let has_hard_self = |arc: &Arc| arc.from == arc.to && arc.cost.is_none();
        if self.arcs.iter().any(has_hard_self) {
            return None;
        }
        let mut open: Vec<Open> = (0..self.size).map(|node| self.open(node)).collect();
        let mut heap: BinaryHeap<_> = (0..self.size)
            .filter(|node| open[*node].hard == 0)
            .map(|node| Reverse((open[node].rank(), node)))
            .collect();
        let mut places = vec![usize::MAX; self.size];
        let mut next_place = 0;
        while let Some(Reverse((rank, node))) = heap.pop() {
            if places[node] != usize::MAX || open[node].rank() != rank {
                continue;
            }
            places[node] = next_place;
            next_place += 1;
            for at in &self.needed_by[node] {
                let from = self.arcs[*at].from;
                match self.arcs[*at].cost {
                    None => open[from].hard -= 1,
                    Some(cost) => open[from].loses -= u64::from(cost),
                }
                if places[from] == usize::MAX && open[from].hard == 0 {
                    heap.push(Reverse((open[from].rank(), from)));
                }
            }
            for at in &self.needs[node] {
                let to = self.arcs[*at].to;
                if places[to] == usize::MAX {
                    open[to].spares -= self.cost(*at);
                    if open[to].hard == 0 {
                        heap.push(Reverse((open[to].rank(), to)));
                    }
                }
            }
        }
        (next_place == self.size).then_some(places)
    }

    fn open(&self, node: usize) -> Open {
        let is_hard = |at: &&usize| self.arcs[**at].cost.is_none();
        Open {
            hard: self.needs[node].iter().filter(is_hard).count(),
            loses: self.needs[node].iter().map(|at| self.cost(*at)).sum(),
            spares: self.needed_by[node].iter().map(|at| self.cost(*at)).sum(),
        }
    }

    /// The cheapest order of all: for every set of members that come first, the cheapest last one of them.
    fn cheapest(&self) -> Places {
        let full = (1_usize << self.size) - 1;
        let mut best: Vec<Option<(u64, usize)>> = vec![None; full + 1];
        best[0] = Some((0, 0));
        for before in 0..full {
            let Some((cost, _)) = best[before] else {
                continue;
            };
            for node in (0..self.size).filter(|node| before & (1 << node) == 0) {
                let left_out = || {
                    let needs = self.needs[node].iter();
                    needs.filter(|at| before & (1 << self.arcs[**at].to) == 0)
                };
                if left_out().any(|at| self.arcs[*at].cost.is_none()) {
                    continue;
                }
                let cost = cost + left_out().map(|at| self.cost(*at)).sum::<u64>();
                let after = &mut best[before | 1 << node];
                if after.is_none_or(|(least, _)| cost < least) {
                    *after = Some((cost, node));
                }
            }
        }
        let mut places = vec![0; self.size];
        let mut set = full;
        for place in (0..self.size).rev() {
            let last = best[set].map_or(0, |(_, node)| node);
            places[last] = place;
            set &= !(1 << last);
        }
        places
    }

    fn improved(&self, mut places: Places) -> Vec<usize> {
        for _ in 0..PASSES {
            if !self.sift(&mut places) {
                break;
            }
        }
        self.put_back(places)
    }

    /// Moves every member to its cheapest place; whether that made anything cheaper.
    #[expect(clippy::cast_precision_loss, reason = "places are far below 2^52")]
    fn sift(&self, places: &mut Places) -> bool {
        let mut keys: Vec<f64> = places.iter().map(|place| *place as f64).collect();
        let mut order: Vec<usize> = (0..self.size).collect();
        order.sort_unstable_by_key(|node| places[*node]);
        let mut is_cheaper = false;
        for node in &order {
            if let Some(key) = self.cheaper_key(*node, &keys) {
                keys[*node] = key;
                is_cheaper = true;
            }
        }
        order.sort_by(|one, other| keys[*one].total_cmp(&keys[*other]));
        for (place, node) in order.into_iter().enumerate() {
            places[node] = place;
        }
        is_cheaper
    }

    /// Where `node` leaves out less than where it is now: a key between those of two of its neighbours.
    fn cheaper_key(&self, node: usize, keys: &[f64]) -> Option<f64> {
        // Passing a neighbour upwards, from before all of them: what it needs is kept from there on, what needs it is left out.
        let needs = self.needs[node]
            .iter()
            .map(|at| (self.arcs[*at].to, *at, true));
        let needed = self.needed_by[node]
            .iter()
            .map(|at| (self.arcs[*at].from, *at, false));
        let mut steps: Vec<(f64, usize, bool)> = needs
            .chain(needed)
            .map(|(other, at, is_need)| (keys[other], at, is_need))
            .collect();
        steps.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut cost: u64 = self.needs[node].iter().map(|at| self.cost(*at)).sum();
        let mut hard = self.needs[node]
            .iter()
            .filter(|at| self.arcs[**at].cost.is_none())
            .count();
        let mut now = None;
        let mut best: Option<(u64, f64)> = None;
        for gap in 0..=steps.len() {
            let below = gap.checked_sub(1).map(|at| steps[at].0);
            let above = steps.get(gap).map(|step| step.0);
            let key = match (below, above) {
                (Some(below), Some(above)) => f64::midpoint(below, above),
                (Some(below), None) => below + 1.0,
                (None, Some(above)) => above - 1.0,
                (None, None) => return None,
            };
            let is_open =
                below.is_none_or(|below| below < key) && above.is_none_or(|above| key < above);
            let is_here = below.is_none_or(|below| below < keys[node])
                && above.is_none_or(|above| keys[node] < above);
            if is_here {
                now = Some(cost);
            }
            if is_open && hard == 0 && best.is_none_or(|(least, _)| cost < least) {
                best = Some((cost, key));
            }
            match steps.get(gap) {
                Some((_, at, true)) => match self.arcs[*at].cost {
                    None => hard -= 1,
                    Some(kept) => cost -= u64::from(kept),
                },
                Some((_, at, false)) => match self.arcs[*at].cost {
                    None => break,
                    Some(lost) => cost += u64::from(lost),
                },
                None => {}
            }
        }
        let (least, key) = best?;
        (least < now?).then_some(key)
    }

    /// Puts back, dearest first, what closes no cycle. After each the order is one that keeps it (Pearce and Kelly, "A
    /// dynamic topological sort algorithm for directed acyclic graphs").
    fn put_back(&self, mut places: Places) -> Vec<usize> {
        let mut cut = self.cut_of(&places);
        let mut is_cut = vec![false; self.arcs.len()];
        for at in &cut {
            is_cut[*at] = true;
        }
        cut.sort_by_key(|at| (Reverse(self.arcs[*at].cost), *at));
        let mut search = Search::new(self.size);
        for at in cut {
            let arc = self.arcs[at];
            if arc.from != arc.to && self.reorder(arc, &mut places, &is_cut, &mut search) {
                is_cut[at] = false;
            }
        }
        (0..self.arcs.len()).filter(|at| is_cut[*at]).collect()
    }

    /// Orders the members so that `arc.to` comes before `arc.from`; whether that could be done.
    fn reorder(
        &self,
        arc: Arc,
        places: &mut [usize],
        is_cut: &[bool],
        search: &mut Search,
    ) -> bool {
        let (low, high) = (places[arc.from], places[arc.to]);
        if high < low {
            return true;
        }
        let needs = |node: usize| self.needs[node].iter().map(|at| (*at, self.arcs[*at].to));
        let needed = |node: usize| {
            self.needed_by[node]
                .iter()
                .map(|at| (*at, self.arcs[*at].from))
        };
        let is_open = |at: usize, node: usize| !is_cut[at] && (low..=high).contains(&places[node]);
        let Some(first) = search.reach(arc.to, &needs, &is_open) else {
            return false;
        };
        if first.contains(&arc.from) {
            return false;
        }
        let Some(then) = search.reach(arc.from, &needed, &is_open) else {
            return false;
        };
        let sorted = |mut nodes: Vec<usize>| {
            nodes.sort_unstable_by_key(|node| places[*node]);
            nodes
        };
        let nodes: Vec<usize> = sorted(first).into_iter().chain(sorted(then)).collect();
        let mut free: Vec<usize> = nodes.iter().map(|node| places[*node]).collect();
        free.sort_unstable();
        for (node, place) in nodes.into_iter().zip(free) {
            places[node] = place;
        }
        true
    }
}

/// What is still open about a member that has no place yet.
struct Open {
    /// Needs that have to stay, on members without a place.
    hard: usize,
    /// What the others of its needs cost that would be left out if it came now.
    loses: u64,
    /// What its dependants would lose by coming before it.
    spares: u64,
}

impl Open {
    /// The lowest comes next.
    fn rank(&self) -> (bool, i128) {
        (
            self.loses > 0,
            i128::from(self.loses) - i128::from(self.spares),
        )
    }
}

/// What follows needs from member to member, within a budget.
struct Search {
    /// Needs that may still be followed.
    steps: usize,
    /// In which search each member was reached last.
    reached_in: Vec<u32>,
    /// Searches so far.
    searches: u32,
}

impl Search {
    fn new(size: usize) -> Self {
        Self {
            steps: STEPS,
            reached_in: vec![0; size],
            searches: 0,
        }
    }

    /// Everything that can be reached from `start`, itself included; `None` when the budget is used up.
    fn reach<I: Iterator<Item = (usize, usize)>>(
        &mut self,
        start: usize,
        next: &dyn Fn(usize) -> I,
        is_open: &dyn Fn(usize, usize) -> bool,
    ) -> Option<Vec<usize>> {
        self.searches += 1;
        self.reached_in[start] = self.searches;
        let mut reached = vec![start];
        let mut at = 0;
        while let Some(node) = reached.get(at).copied() {
            at += 1;
            for (arc, to) in next(node) {
                self.steps = self.steps.checked_sub(1)?;
                if is_open(arc, to) && self.reached_in[to] != self.searches {
                    self.reached_in[to] = self.searches;
                    reached.push(to);
                }
            }
        }
        Some(reached)
    }
}

#[cfg(test)]
mod tests;
