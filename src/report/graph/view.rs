//! The part of a graph that is shown, folded so that it can be read.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use serde::Serialize;

use crate::domain::{Entity, Inventory, Kind, SourceId, name_key, shown_name};
use crate::plan::{Node, Plan, Strength};
use crate::report::text::count;

/// Boxes that a picture may have before entities are folded further.
const READABLE: usize = 120;

/// Entities around one that are shown.
const AROUND: usize = 300;

/// Node granularity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fold {
    /// The finest of the others that can still be read.
    Auto,
    /// One entity.
    Entities,
    /// A container with its items; for other kinds all of a kind.
    Containers,
    /// All content of a level; for other kinds all of a kind.
    Levels,
}

/// Boxes and the needs between them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct View {
    /// What is shown, for a heading.
    pub title: String,
    /// The boxes.
    pub nodes: Vec<GraphBox>,
    /// Dependencies between boxes. Those within a box are not shown.
    pub edges: Vec<Edge>,
    /// Cycles of references that a shown box has part in.
    pub cycles: Vec<Ring>,
    /// What is left out, in one sentence; `None` when nothing is.
    pub left_out: Option<String>,
}

/// A box.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GraphBox {
    /// Unique in the view: an entity's key, or the name of the fold.
    pub id: String,
    /// What a person calls it.
    pub name: String,
    /// The kind, of most if it stands for several.
    pub kind: Kind,
    /// Entities that it stands for.
    pub entities: u32,
    /// What is going to happen, with the number of entities of each action.
    pub actions: BTreeMap<&'static str, u32>,
    /// The lowest and the highest content level of its entities; `None` for other kinds.
    pub levels: Option<(u32, u32)>,
    /// Entities of it that stand in a cycle.
    pub in_cycle: u32,
    /// Whether the view was asked for around it.
    pub is_center: bool,
}

/// Needs of one box on another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// The place of the box that needs, in [`View::nodes`].
    pub from: usize,
    /// The place of the box that is needed.
    pub to: usize,
    /// Needs that it stands for.
    pub needs: u32,
    /// Those of them that are left out at first and patched in afterwards.
    pub cut: u32,
    /// Whether at least one is more than an order of siblings.
    pub is_reference: bool,
}

/// A cycle of references.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ring {
    /// The keys of its entities.
    pub members: Vec<String>,
    /// The needs that are cut: the dependent, and its dependency.
    pub cut: Vec<(String, String)>,
    /// Whether it cannot be opened, so that its entities fail.
    pub closed: bool,
}

/// A plan with the names of its entities.
#[derive(Clone, Copy)]
struct Named<'a> {
    plan: &'a Plan,
    source: &'a Inventory<SourceId>,
}

impl<'a> Named<'a> {
    fn entity(self, node: Node) -> &'a Entity<SourceId> {
        &self.source.entities()[node as usize]
    }

    fn key(self, node: Node) -> String {
        self.entity(node).key.to_string()
    }
}

/// The whole graph.
pub fn whole(plan: &Plan, source: &Inventory<SourceId>, fold: Fold) -> View {
    let named = Named { plan, source };
    let all: Vec<Node> = (0..plan.graph.len()).collect();
    let title = format!("{}: {} entities", source.guid, count(plan.graph.len()));
    let fold = match fold {
        Fold::Auto if all.len() <= READABLE => Fold::Entities,
        Fold::Auto => {
            let view = build(named, &all, Fold::Containers, None, title.clone());
            if view.nodes.len() <= READABLE {
                return view;
            }
            Fold::Levels
        }
        Fold::Entities | Fold::Containers | Fold::Levels => fold,
    };
    build(named, &all, fold, None, title)
}

/// What an entity needs and what needs it, up to `depth` steps away in either direction.
pub fn around(plan: &Plan, source: &Inventory<SourceId>, center: Node, depth: u32) -> View {
    let named = Named { plan, source };
    let graph = &plan.graph;
    let needs = |node| graph.needs(node).iter().map(|need| need.on).collect();
    let needed_by = |node| graph.needed_by(node).to_vec();
    let (mut shown, more_down) = reach(center, depth, &needs);
    let (above, more_up) = reach(center, depth, &needed_by);
    shown.extend(above);
    let nodes: Vec<Node> = shown.into_iter().collect();
    let title = format!("around {}, {depth} deep", named.key(center));
    let mut view = build(named, &nodes, Fold::Entities, Some(center), title);
    if more_down + more_up > 0 {
        let left = count(u64::try_from(more_down + more_up).unwrap_or(u64::MAX));
        view.left_out = Some(format!(
            "At least {left} entities at the rim are left out: no more than {AROUND} are shown in either direction."
        ));
    }
    view
}

/// The entities within `depth` steps, the nearest first up to a bound, and how many were beyond the bound.
fn reach(center: Node, depth: u32, next: &dyn Fn(Node) -> Vec<Node>) -> (BTreeSet<Node>, usize) {
    let mut found = BTreeSet::from([center]);
    let mut beyond = BTreeSet::new();
    let mut queue = VecDeque::from([(center, 0)]);
    while let Some((node, steps)) = queue.pop_front() {
        if steps == depth {
            continue;
        }
        for other in next(node) {
            if found.contains(&other) {
                continue;
            }
            if found.len() < AROUND {
                found.insert(other);
                queue.push_back((other, steps + 1));
            } else {
                beyond.insert(other);
            }
        }
    }
    (found, beyond.len())
}

fn build(
    named: Named<'_>,
    nodes: &[Node],
    fold: Fold,
    center: Option<Node>,
    title: String,
) -> View {
    let cycled: BTreeSet<Node> = {
        let cycles = named.plan.cycles.iter();
        cycles
            .flat_map(|cycle| cycle.members.iter().copied())
            .collect()
    };
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut place_of: HashMap<Node, usize> = HashMap::with_capacity(nodes.len());
    let mut boxes: Vec<GraphBox> = Vec::new();
    for node in nodes {
        let (id, name) = group(named, *node, fold);
        let place = *places.entry(id.clone()).or_insert_with(|| {
            boxes.push(empty(id, name, named.entity(*node).key.kind));
            boxes.len() - 1
        });
        place_of.insert(*node, place);
        add(&mut boxes[place], named, *node, cycled.contains(node));
        boxes[place].is_center |= center == Some(*node);
    }
    View {
        title,
        edges: edges(named.plan, nodes, &place_of),
        cycles: rings(named, &place_of),
        nodes: boxes,
        left_out: None,
    }
}

fn empty(id: String, name: String, kind: Kind) -> GraphBox {
    GraphBox {
        id,
        name,
        kind,
        entities: 0,
        actions: BTreeMap::new(),
        levels: None,
        in_cycle: 0,
        is_center: false,
    }
}

fn add(group: &mut GraphBox, named: Named<'_>, node: Node, is_cycled: bool) {
    let planned = &named.plan.entities[node as usize];
    group.entities += 1;
    *group.actions.entry(planned.action.name()).or_default() += 1;
    group.in_cycle += u32::from(is_cycled);
    let kind = named.entity(node).key.kind;
    if kind == Kind::Content {
        group.kind = kind;
        let level = planned.level;
        group.levels = Some(match group.levels {
            None => (level, level),
            Some((low, high)) => (low.min(level), high.max(level)),
        });
    }
}

/// The box of an entity: its id and its name.
fn group(named: Named<'_>, node: Node, fold: Fold) -> (String, String) {
    let entity = named.entity(node);
    let kind = entity.key.kind;
    let by_kind = || (kind.plural().to_owned(), kind.plural().to_owned());
    match fold {
        Fold::Entities => (
            entity.key.to_string(),
            shown_name(&entity.name).into_owned(),
        ),
        Fold::Levels | Fold::Auto => {
            if kind != Kind::Content {
                return by_kind();
            }
            let level = named.plan.entities[node as usize].level;
            let name = format!("content, level {level}");
            (name.clone(), name)
        }
        Fold::Containers => match kind {
            Kind::Container => container(&entity.name),
            Kind::Content => {
                let body = entity.body.parse();
                container(body["properties"]["referenceName"].as_str().unwrap_or("?"))
            }
            Kind::Model
            | Kind::Template
            | Kind::Gallery
            | Kind::Asset
            | Kind::Page
            | Kind::Redirection => by_kind(),
        },
    }
}

/// Reference names compare without regard to case.
fn container(name: &str) -> (String, String) {
    let name = shown_name(name).into_owned();
    (format!("container {}", name_key(&name)), name)
}

fn edges(plan: &Plan, nodes: &[Node], place_of: &HashMap<Node, usize>) -> Vec<Edge> {
    let mut edges: BTreeMap<(usize, usize), Edge> = BTreeMap::new();
    for node in nodes {
        let from = place_of[node];
        for need in plan.graph.needs(*node) {
            let Some(to) = place_of.get(&need.on).copied() else {
                continue;
            };
            if from == to && need.on != *node {
                continue;
            }
            let edge = edges.entry((from, to)).or_insert(Edge {
                from,
                to,
                needs: 0,
                cut: 0,
                is_reference: false,
            });
            edge.needs += 1;
            edge.cut += u32::from(plan.is_cut(*node, need.on));
            edge.is_reference |= !matches!(need.strength, Strength::Order | Strength::Name { .. });
        }
    }
    edges.into_values().collect()
}

fn rings(named: Named<'_>, shown: &HashMap<Node, usize>) -> Vec<Ring> {
    let cycles = named.plan.cycles.iter();
    let is_shown = |cycle: &&crate::plan::Cycle| {
        cycle
            .members
            .iter()
            .any(|member| shown.contains_key(member))
    };
    cycles
        .filter(is_shown)
        .map(|cycle| Ring {
            members: cycle.members.iter().map(|node| named.key(*node)).collect(),
            cut: cycle
                .cut
                .iter()
                .map(|(who, on)| (named.key(*who), named.key(*on)))
                .collect(),
            closed: cycle.closed,
        })
        .collect()
}

impl GraphBox {
    /// What it stands for, in a few words: `content:912@en-us, create` or `340 entities, level 0 to 2`.
    pub(super) fn detail(&self) -> String {
        let mut text = if self.entities == 1 {
            self.id.clone()
        } else {
            format!("{} entities", count(self.entities))
        };
        match self.levels {
            Some((low, high)) if low == high => append!(text, ", level {low}"),
            Some((low, high)) => append!(text, ", level {low} to {high}"),
            None => {}
        }
        if let [(action, _)] = self.actions.iter().collect::<Vec<_>>()[..] {
            append!(text, ", {action}");
        }
        text
    }
}
