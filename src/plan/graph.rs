//! The dependency graph.
//!
//! One graph over all kinds, in two flat arrays: a million entities with a few dependencies each have to be planned in
//! seconds, so a node is a range and not an allocation.

/// The index of an entity, in the order of the source inventory.
pub type Node = u32;

/// How much an entity needs another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strength {
    /// It only has to come later; whether the other one succeeds does not matter (order of siblings).
    Order,
    /// It refers to the other one in a way that can be left out at first and patched in afterwards.
    Deferrable {
        /// What leaving it out costs: small for optional single links, large for required fields.
        cost: u32,
    },
    /// It cannot be saved before the other one exists.
    Hard,
    /// It cannot be saved before the other one is as it will be: a server drops what an item says in a field that its
    /// model does not have yet.
    Whole,
    /// It takes the name that the other one has until then.
    Name {
        /// Whether it can go by a temporary name meanwhile.
        aside: bool,
    },
    /// It refers by name to the other one, which gets its final name first.
    Renamed,
}

impl Strength {
    /// What it costs to leave out a reference in a required field: more than all others of an entity together.
    pub(super) const COST_REQUIRED: u32 = 1000;

    /// Whether it stands in a field that the model requires.
    pub(super) const fn is_required(self) -> bool {
        match self {
            Self::Deferrable { cost } => cost >= Self::COST_REQUIRED,
            Self::Order | Self::Hard | Self::Whole | Self::Name { .. } | Self::Renamed => false,
        }
    }

    /// Needs of one class between the same two become one. What an order and a name ask for stays beside what a reference
    /// asks for.
    const fn class(self) -> u8 {
        match self {
            Self::Deferrable { .. } | Self::Hard | Self::Whole => 0,
            Self::Order => 1,
            Self::Name { .. } => 2,
            Self::Renamed => 3,
        }
    }
}

/// One need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// The entity that is needed.
    pub on: Node,
    /// How much.
    pub strength: Strength,
}

/// The dependencies of every entity, and its dependents.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    starts: Vec<u32>,
    needs: Vec<Need>,
    back_starts: Vec<u32>,
    back: Vec<Node>,
}

impl Graph {
    /// Builds the graph of `count` entities from `(who, need)` pairs in any order. Several needs between the
    /// same two become one: the strongest, with the costs added up. An order and a name stay beside it, because
    /// they hold even where the reference is left out. A need of an entity on itself stays.
    pub fn new(count: u32, mut pairs: Vec<(Node, Need)>) -> Self {
        pairs.sort_by_key(|(who, _)| *who);
        let mut pairs = pairs.into_iter().peekable();
        let mut graph = Self::with_capacity(count, pairs.len());
        for node in 0..count {
            let own = std::iter::from_fn(|| pairs.next_if(|(who, _)| *who == node));
            graph.push(&mut own.map(|(_, need)| need).collect());
        }
        graph.turned()
    }

    /// A graph without entities, with room for so many entities and needs.
    pub(super) fn with_capacity(count: u32, needs: usize) -> Self {
        let mut starts = Vec::with_capacity(count as usize + 1);
        starts.push(0);
        Self {
            starts,
            needs: Vec::with_capacity(needs),
            ..Self::default()
        }
    }

    /// Takes the needs of the next entity.
    pub(super) fn push(&mut self, needs: &mut Vec<Need>) {
        merge(needs);
        self.needs.append(needs);
        let end = u32::try_from(self.needs.len());
        self.starts
            .push(end.expect("an instance has fewer than four billion references"));
    }

    /// The graph with the dependents of each entity, once every entity has been pushed.
    #[must_use]
    pub(super) fn turned(mut self) -> Self {
        let mut places = vec![0; self.starts.len()];
        for (_, on) in self.pairs() {
            places[on as usize + 1] += 1;
        }
        for at in 1..places.len() {
            places[at] += places[at - 1];
        }
        self.back_starts.clone_from(&places);
        let mut back = vec![0; self.back_starts.last().map_or(0, |end| *end as usize)];
        for (who, on) in self.pairs() {
            let place = &mut places[on as usize];
            back[*place as usize] = who;
            *place += 1;
        }
        self.back = back;
        self
    }

    /// Each dependent with its dependency, each pair once, in order.
    fn pairs(&self) -> impl Iterator<Item = (Node, Node)> + '_ {
        (0..self.len()).flat_map(|who| {
            let mut last = None;
            let needs = self.needs(who).iter().map(|need| need.on);
            needs
                .filter(move |on| last.replace(*on) != Some(*on))
                .map(move |on| (who, on))
        })
    }

    /// How many entities there are.
    pub fn len(&self) -> u32 {
        u32::try_from(self.starts.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// Whether there is no entity at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What `node` needs, sorted by entity.
    pub fn needs(&self, node: Node) -> &[Need] {
        &self.needs[range(&self.starts, node)]
    }

    /// What `node` needs of `on`: one of each class at most.
    pub fn needs_on(&self, node: Node, on: Node) -> &[Need] {
        let needs = self.needs(node);
        let start = needs.partition_point(|need| need.on < on);
        let end = needs.partition_point(|need| need.on <= on);
        &needs[start..end]
    }

    /// The dependents of `node`, sorted, each once.
    pub fn needed_by(&self, node: Node) -> &[Node] {
        &self.back[range(&self.back_starts, node)]
    }

    /// How many needs there are in all.
    pub fn edges(&self) -> usize {
        self.needs.len()
    }
}

fn range(starts: &[u32], node: Node) -> std::ops::Range<usize> {
    starts[node as usize] as usize..starts[node as usize + 1] as usize
}

/// Sorts the needs of one entity, and makes one of several on the same other one (see [`Graph::new`]).
pub(super) fn merge(needs: &mut Vec<Need>) {
    let place = |need: &Need| (need.on, need.strength.class());
    needs.sort_unstable_by_key(place);
    needs.dedup_by(|later, kept| {
        let same = place(later) == place(kept);
        if same {
            kept.strength = both(kept.strength, later.strength);
        }
        same
    });
}

fn both(left: Strength, right: Strength) -> Strength {
    match (left, right) {
        (Strength::Deferrable { cost: one }, Strength::Deferrable { cost: other }) => {
            Strength::Deferrable {
                cost: one.saturating_add(other),
            }
        }
        _ => left.max(right),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(on: Node, strength: Strength) -> Need {
        Need { on, strength }
    }

    #[test]
    fn needs_between_the_same_two_become_the_strongest() {
        let graph = Graph::new(
            3,
            vec![
                (0, need(1, Strength::Deferrable { cost: 2 })),
                (2, need(1, Strength::Deferrable { cost: 1 })),
                (0, need(1, Strength::Hard)),
                (2, need(1, Strength::Deferrable { cost: 4 })),
            ],
        );
        assert_eq!(graph.needs(0), [need(1, Strength::Hard)]);
        assert_eq!(graph.needs(2), [need(1, Strength::Deferrable { cost: 5 })]);
        assert_eq!(graph.needed_by(1), [0, 2]);
        assert!(graph.needs(1).is_empty());
    }

    /// A link page that shows the sibling behind it had its place in the row merged into the reference. When the
    /// reference was cut, the two were saved at once, and landed in the wrong order.
    #[test]
    fn an_order_is_no_weaker_reference() {
        let link = need(1, Strength::Deferrable { cost: 1 });
        let order = need(1, Strength::Order);
        let graph = Graph::new(2, vec![(0, order), (0, link), (0, order)]);
        assert_eq!(graph.needs(0), [link, order]);
        assert_eq!(graph.needed_by(1), [0]);
    }
}
