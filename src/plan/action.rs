//! What is going to happen to every entity.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use serde::{Serialize, Serializer};

use super::graph::{Graph, Need, Node, Strength};
use super::merge::Merge;
use super::{ContainerTally, Encoding, Recognition, Referent};
use crate::domain::{
    AgreedNumber, AgreedPlace, ContentHash, EntityKey, Failure, FieldHashes, Filled, Home, ListKey,
    Locale, Proof, SourceId, TargetId, Version, WorkClass,
};

/// What both sides looked like when they were last in agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The counterpart.
    pub target: TargetId,
    /// The hash of the source then; `None` when the pair was imported without one.
    pub source_hash: Option<ContentHash>,
    /// The hash of the target then; `None` when the pair was imported without one.
    pub target_hash: Option<ContentHash>,
    /// The target's version then; of content and pages only.
    pub target_version: Option<Version>,
    /// How far it is proven that they agreed.
    pub proof: Proof,
    /// What the server filled in.
    pub filled: Filled,
    /// What each field of the target said then; of items and pages only.
    pub fields: Option<FieldHashes>,
    /// The hash of the target's bytes then; of assets only.
    pub bytes_hash: Option<ContentHash>,
    /// When the target's bytes were changed last, as it said then; of assets only.
    pub bytes_date: Option<String>,
    /// Where a page stood then. `None` of other kinds, and where it was not recorded: then the hashes hold its parent.
    pub place: Option<Box<AgreedPlace>>,
    /// The number that an item had in its list then; `None` of other kinds, and where it is not known.
    pub number: Option<AgreedNumber>,
    /// What the state names as the reason for the pair, where no run has compared its two sides yet.
    pub evidence: Option<Box<str>>,
}

/// The order of a list that both sides agree about, or no longer do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListOrder {
    /// The list.
    pub key: ListKey,
    /// The numbers of its items on the source; none where both sides sorted it differently.
    pub numbers: BTreeMap<SourceId, AgreedNumber>,
}

/// Agreements by source key, as the store holds them.
pub type Agreements = HashMap<EntityKey, Agreement>;

/// An item or page that the target has in another locale; all its locales share one id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The id.
    pub target: TargetId,
    /// A locale in which the target has it.
    pub locale: Locale,
}

/// Its id alone, as version 1 of `plan.json` has it; the reason of the action names the locale.
impl Serialize for Joined {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.target.serialize(serializer)
    }
}

/// What the plan intends for an entity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum Action {
    /// Save it as a new entity.
    Create {
        /// What the target has of it in another locale already; `None` lets the target choose its id.
        joins: Option<Joined>,
    },
    /// Save it over its counterpart.
    Update {
        /// The counterpart.
        target: TargetId,
    },
    /// Take an equal entity on the target as its counterpart.
    Adopt {
        /// The counterpart.
        target: TargetId,
    },
    /// Leave it alone: nothing to be done.
    Unchanged {
        /// The counterpart.
        target: TargetId,
    },
    /// Leave it alone: both sides changed.
    Conflict {
        /// The counterpart, unless it was deleted on the target.
        target: Option<TargetId>,
    },
    /// It cannot be migrated; the reason stands in [`Planned::because`].
    Fail {
        /// What kind of reason it is.
        cause: Failure,
    },
    /// Something that it needs cannot be migrated.
    Block {
        /// The root cause.
        by: EntityKey,
    },
    /// The user's selection leaves it out.
    OutOfScope,
}

impl Action {
    /// Whether it means a request that writes.
    pub const fn is_work(&self) -> bool {
        match self {
            Self::Create { .. } | Self::Update { .. } => true,
            Self::Adopt { .. }
            | Self::Unchanged { .. }
            | Self::Conflict { .. }
            | Self::Fail { .. }
            | Self::Block { .. }
            | Self::OutOfScope => false,
        }
    }

    /// The counterpart that exists before anything is written.
    pub const fn counterpart(&self) -> Option<TargetId> {
        match self {
            Self::Update { target } | Self::Adopt { target } | Self::Unchanged { target } => {
                Some(*target)
            }
            Self::Conflict { target } => *target,
            Self::Create { .. } | Self::Fail { .. } | Self::Block { .. } | Self::OutOfScope => None,
        }
    }

    /// The name as reports write it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Update { .. } => "update",
            Self::Adopt { .. } => "adopt",
            Self::Unchanged { .. } => "unchanged",
            Self::Conflict { .. } => "conflict",
            Self::Fail { .. } => "failed",
            Self::Block { .. } => "blocked",
            Self::OutOfScope => "out-of-scope",
        }
    }
}

/// One entity of the plan. Its index in [`Plan::entities`] is its index in the source inventory.
#[derive(Clone, Debug)]
pub struct Planned {
    /// What is going to happen.
    pub action: Action,
    /// Why, in one sentence.
    pub because: Cow<'static, str>,
    /// Whether it may overlap with others.
    pub class: WorkClass,
    /// The content level: 0 for items that need no other item that is created in this run.
    pub level: u32,
    /// Estimated milliseconds of the longest chain of work that starts with this entity.
    pub remaining_ms: u32,
    /// The hash of the source as it is now; `None` when it could not be computed.
    pub source_hash: Option<ContentHash>,
    /// The hash of the counterpart as it is now; `None` when it was not needed to decide.
    pub target_hash: Option<ContentHash>,
    /// What the server filled in, where that was noticed on the way to the decision.
    pub filled: Filled,
    /// The encodings of references in the body, as a set of bits (see [`Encoding::bit`]).
    pub encodings: u64,
    /// Whether the sides differ and it is skipped all the same.
    pub left_alone: bool,
    /// References that are left out of the first save and patched in afterwards, with the entity that each
    /// needs; sorted by that entity.
    pub left_out: Vec<(Referent, Node)>,
    /// The name that its first save gives it, because another one still has its own.
    pub temporary: Option<Box<str>>,
    /// Entities after which it is saved a second time: they hold its final name, or it calls them by a name
    /// that they do not have yet.
    pub again: Vec<Node>,
    /// For a page that is saved while others of its row find their places: the first of the row. Of a row one is saved at a
    /// time, or new ones in their order. `None` where it stands between pages that keep their places.
    pub row: Option<Node>,
    /// For a page that a sitemap lists: its place.
    pub place: Option<Box<PagePlace>>,
    /// The number that an item keeps in a list which the source does not sort.
    pub keeps_number: Option<i64>,
    /// What brought it into a selection that does not name it.
    pub included_by: Option<Node>,
    /// Why its counterpart counts as such, where no run has compared the two yet.
    pub evidence: Option<Recognition>,
    /// The counterpart that the target has in the entity's own locale, whatever the action is.
    pub found: Option<TargetId>,
    /// Where its fields come from both sides: which from where.
    pub merge: Option<Box<Merge>>,
    /// The hash of the version that the source shows to the public, where that is not this one and items are published.
    pub public: Option<ContentHash>,
}

/// The place of a page, apart from what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PagePlace {
    /// Where it stands in [`Plan::rows`]: the row and the position.
    pub at: Option<(u32, u32)>,
    /// Its counterpart that the target has already, whatever the action is.
    pub present: Option<TargetId>,
    /// The row of the target that it stays in, although the source has it elsewhere.
    pub kept: Option<Home>,
    /// Whether a page that exists on the target has to be put somewhere.
    pub moves: bool,
    /// Whether its save changes its place and nothing else.
    pub place_only: bool,
    /// The page that it is put in front of whatever else stands behind it: the last one of the row, for a page that
    /// goes to the end.
    pub before: Option<TargetId>,
    /// Its rank among its siblings once they are as planned; `None` of one that nothing is agreed upon.
    pub rank: Option<i64>,
    /// What becomes of the agreement about its place.
    pub agreement: PlaceAgreement,
}

/// What becomes of the agreement about the place of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceAgreement {
    /// Its new place is agreed upon as soon as it is written, or now where it is not.
    Renewed,
    /// It stays as it is.
    Kept,
    /// None is left: both sides moved it among its siblings, to different places, and neither decides.
    Disputed,
}

/// An entry of a row of siblings on the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The counterpart of a page of the source.
    Page(Node),
    /// A page of the target alone.
    Other(TargetId),
}

impl Planned {
    /// Whether the entity is saved a second time.
    pub fn is_patched(&self) -> bool {
        !self.left_out.is_empty() || !self.again.is_empty()
    }

    /// What its second save waits for, each once.
    pub fn patched_after(&self) -> Vec<Node> {
        let left_out = self.left_out.iter().map(|(_, on)| *on);
        let mut all: Vec<Node> = left_out.chain(self.again.iter().copied()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Whether its first save lacks its references to `on`.
    pub(super) fn leaves_out(&self, on: Node) -> bool {
        self.left_out
            .binary_search_by_key(&on, |(_, node)| *node)
            .is_ok()
    }

    /// Adds to the reason.
    pub(super) fn add(&mut self, text: &str) {
        self.because = format!("{}; {text}", self.because).into();
    }

    /// Whether its save puts it somewhere: it is new, or moves.
    pub fn is_placed(&self) -> bool {
        matches!(self.action, Action::Create { .. })
            || self.place.as_ref().is_some_and(|place| place.moves)
    }

    /// Whether its save changes the place of a page and nothing else.
    pub fn is_place_only(&self) -> bool {
        self.place.as_ref().is_some_and(|place| place.place_only)
    }

    /// Whether it is written, and stays at the place that only the target gave it.
    pub fn is_left_in_place(&self) -> bool {
        matches!(self.action, Action::Update { .. })
            && self
                .place
                .as_ref()
                .is_some_and(|place| place.agreement != PlaceAgreement::Renewed)
    }

    /// What happens to it, as lists write it.
    pub const fn name(&self) -> &'static str {
        match &self.action {
            Action::Unchanged { .. } if self.left_alone => "left-alone",
            action => action.name(),
        }
    }

    /// Whether its body holds `encoding`.
    pub fn holds(&self, encoding: Encoding) -> bool {
        self.encodings & encoding.bit() != 0
    }
}

/// What a selection comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selected {
    /// Entities that were asked for.
    pub asked: usize,
    /// Entities that these need, at any distance.
    pub needed: usize,
    /// The first of those, and what needs it.
    pub example: Option<(Node, Node)>,
}

/// Everything that is going to happen. The same inputs give the same plan.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// One per source entity, in the order of the source inventory.
    pub entities: Vec<Planned>,
    /// The dependencies between entities, deferred references included.
    pub graph: Graph,
    /// Cycles of references with the cut that was chosen.
    pub cycles: Vec<super::cycles::Cycle>,
    /// How many content levels there are.
    pub levels: u32,
    /// The rows of siblings on the target as they are going to be, in display order.
    pub rows: Vec<Vec<Slot>>,
    /// The order of lists in which nothing has to be done, where the state does not know it yet; without numbers, lists that
    /// both sides sorted differently.
    pub lists: Vec<ListOrder>,
    /// What the containers in scope hold, where the state has no content of this pair; otherwise empty.
    pub containers: Vec<ContainerTally>,
    /// What a selection comes to; `None` where everything is in scope.
    pub selected: Option<Selected>,
    /// Further notices about entities, in the order of their concerns.
    pub notices: Vec<super::notice::Notice>,
}

impl Plan {
    /// Whether `who` is first saved without its references to `on`.
    pub fn is_cut(&self, who: Node, on: Node) -> bool {
        self.entities[who as usize].leaves_out(on)
    }

    /// Whether the first save of `node` lacks a reference in a field that its model requires: a server may refuse it for
    /// that.
    pub fn lacks_required(&self, node: Node) -> bool {
        let left_out = &self.entities[node as usize].left_out;
        let mut needs = left_out
            .iter()
            .flat_map(|(_, on)| self.graph.needs_on(node, *on));
        needs.any(|need| need.strength.is_required())
    }

    /// What the first save of `node` has to wait for, in the order of [`Graph::needs`].
    pub fn waits_for(&self, node: Node) -> impl Iterator<Item = Need> + '_ {
        waits_for(&self.entities, &self.graph, node)
    }

    /// What the first save of `node` has to wait for `on` for.
    pub fn waits_on(&self, node: Node, on: Node) -> impl Iterator<Item = Need> + '_ {
        waits_on(&self.entities, &self.graph, node, on)
    }

    /// Whether the target holds content in containers of the source that is the counterpart of nothing, and the state has no
    /// record of its origin.
    pub fn is_target_unknown(&self) -> bool {
        self.containers
            .iter()
            .any(|container| container.unplaced > 0)
    }

    /// How many references are cut.
    pub fn cuts(&self) -> usize {
        self.cycles.iter().map(|cycle| cycle.cut.len()).sum()
    }
}

/// What the first save of `node` has to wait for, in the order of its needs.
pub(super) fn waits_for<'a>(
    entities: &'a [Planned],
    graph: &'a Graph,
    node: Node,
) -> impl Iterator<Item = Need> + 'a {
    let needs = graph.needs(node).iter().copied();
    needs.filter(move |need| waits(entities, node, *need))
}

/// What the first save of `node` has to wait for `on` for.
pub(super) fn waits_on<'a>(
    entities: &'a [Planned],
    graph: &'a Graph,
    node: Node,
    on: Node,
) -> impl Iterator<Item = Need> + 'a {
    let needs = graph.needs_on(node, on).iter().copied();
    needs.filter(move |need| waits(entities, node, *need))
}

/// Whether the first save of `node` has to wait for a need of it: an entity that it refers to and that does not exist yet,
/// unless the reference is cut; a model or template that is going to change; a name that has to become free; a
/// sibling that has to come before it, if that is written at all.
fn waits(entities: &[Planned], node: Node, need: Need) -> bool {
    let on = &entities[need.on as usize].action;
    let planned = &entities[node as usize];
    need.on != node
        && match need.strength {
            Strength::Order | Strength::Whole => on.is_work(),
            Strength::Name { .. } => on.is_work() && planned.temporary.is_none(),
            Strength::Renamed => on.is_work() && !planned.again.contains(&need.on),
            Strength::Hard | Strength::Deferrable { .. } => {
                matches!(on, Action::Create { .. }) && !planned.leaves_out(need.on)
            }
        }
}
