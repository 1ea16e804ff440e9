//! Makes the plan: who is whose counterpart, what differs, what needs what, and where circles are cut.
//!
//! The steps follow one another because each needs the one before: counterparts give the virtual map, the
//! virtual map lets every entity be written as the run will write it, that tells what differs, what differs
//! is work, and only work has to wait for other work.

mod chains;
mod compare;
mod matching;
mod needs;
mod settle;
mod virtual_map;

use std::collections::{HashMap, HashSet};

pub use compare::{expected_hash, source_hash, target_hash};

use super::action::{Action, Agreements, Plan, Planned};
use super::circles::{Circle, circles};
use super::graph::{Graph, Need, Node, Strength};
use super::{AssetIndex, Context, Referent, Schema, Selection};
use crate::domain::{EntityKey, Inventory, Kind, Locale, Passed, SourceId, TargetId, WorkClass};
use compare::{Comparer, Decision};
use matching::Match;
use needs::{Needs, Resolver};
use virtual_map::VirtualMap;

/// The id of the model `RichTextArea`, the same on every instance (the vendor's CLI relies on it).
pub const RICH_TEXT_AREA: i64 = 1;

/// Models that every instance has and nobody creates, in lower case (from the vendor's CLI).
pub const BUILT_IN_MODELS: [&str; 6] = [
    "richtextarea",
    "formbuilder",
    "agilityformbuilder",
    "agilitycss",
    "agilityjavascript",
    "agilitycodetemplate",
];

/// Whether every instance has the model of this name.
pub fn is_built_in_model(name: &str) -> bool {
    BUILT_IN_MODELS
        .iter()
        .any(|built_in| built_in.eq_ignore_ascii_case(name))
}

/// What a plan is made from.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The instance that is read from.
    pub source: &'a Inventory<SourceId>,
    /// The instance that is written to, as it is before.
    pub target: &'a Inventory<TargetId>,
    /// What the store remembers of this pair.
    pub agreements: &'a Agreements,
    /// Assets whose bytes are known to equal those of their namesake on the target (see [`same_size_assets`]).
    pub equal_bytes: &'a HashSet<SourceId>,
    /// The locales of the run; the first one that has an item makes its id.
    pub locales: &'a [Locale],
    /// Entities of which nobody can tell whether an interrupted run brought them across, with the reason. They
    /// are not sent: they might be there twice then.
    pub doubts: &'a HashMap<EntityKey, String>,
    /// Whether the source wins where both sides changed.
    pub overwrite: bool,
    /// What is to be moved.
    pub selection: &'a Selection,
}

/// Makes the plan.
pub fn plan(inputs: &Inputs<'_>) -> Plan {
    let schema = Schema::of(inputs.source);
    let assets = AssetIndex::of(inputs.source);
    let context = Context {
        schema: &schema,
        assets: &assets,
    };
    let matches = matching::matches(inputs.source, inputs.target, inputs.agreements);
    let resolver = Resolver::new(inputs.source, inputs.agreements, inputs.locales, context);
    let needs: Vec<Needs> = (0..)
        .zip(inputs.source.entities())
        .map(|(node, entity)| resolver.needs(node, entity))
        .collect();
    let mut entities = decide_all(inputs, context, &matches, &needs);
    let siblings = chains::siblings(inputs.source);
    let graph = build_graph(&needs, &siblings, &entities);
    leave_out_of_scope(&mut entities, inputs, context, &graph);
    link_siblings(&mut entities, &siblings);
    let circles = circles(&graph, &|node| creates(&entities[node as usize]));
    cut_circles(&mut entities, &circles, &needs, inputs.source);
    settle::block_dependants(&mut entities, &graph, inputs.source);
    let levels = settle::levels(&mut entities, &graph, inputs.source);
    settle::weigh(&mut entities, &graph, inputs.source);
    settle::classify(&mut entities, &graph, inputs.source);
    Plan {
        entities,
        graph,
        circles,
        levels,
    }
}

fn creates(planned: &Planned) -> bool {
    matches!(planned.action, Action::Create { .. })
}

fn decide_all(
    inputs: &Inputs<'_>,
    context: Context<'_>,
    matches: &[Match],
    needs: &[Needs],
) -> Vec<Planned> {
    let target_schema = Schema::of(inputs.target);
    let counterparts = VirtualMap::new(inputs.source, inputs.target, inputs.agreements, matches);
    let comparer = Comparer {
        target: inputs.target,
        agreements: inputs.agreements,
        context,
        target_schema: &target_schema,
        counterparts: &counterparts,
        equal_bytes: inputs.equal_bytes,
        overwrite: inputs.overwrite,
    };
    let moving: HashSet<Node> = chains::siblings(inputs.source)
        .iter()
        .flat_map(|group| chains::moving(group, inputs.source, inputs.target, matches))
        .collect();
    (0..)
        .zip(inputs.source.entities())
        .zip(matches.iter().zip(needs))
        .map(|((node, entity), (found, needs))| {
            let hash = source_hash(entity, context.schema);
            let moves = moving.contains(&node);
            let doubt = inputs.doubts.get(&entity.key);
            let decision: Decision = match doubt.or(needs.missing.as_ref()) {
                Some(missing) => (Action::Fail, missing.clone()),
                None => comparer.decide(entity, found, hash, moves),
            };
            planned(decision, hash, needs.encodings, moves)
        })
        .collect()
}

fn planned(
    (action, because): Decision,
    hash: crate::domain::ContentHash,
    encodings: u64,
    moves: bool,
) -> Planned {
    let left_alone = matches!(action, Action::Conflict { .. }) || because == compare::LEFT_ALONE;
    Planned {
        action,
        because: because.into(),
        class: WorkClass::Parallel,
        level: 0,
        remaining_ms: 0,
        source_hash: Some(hash),
        encodings,
        left_alone,
        left_out: Vec::new(),
        next_sibling: None,
        moves,
    }
}

fn build_graph(needs: &[Needs], siblings: &[chains::Siblings], entities: &[Planned]) -> Graph {
    let mut pairs: Vec<(Node, Need)> = (0..)
        .zip(needs)
        .flat_map(|(node, found)| found.needs.iter().map(move |(need, _)| (node, *need)))
        .collect();
    for group in siblings {
        let working: Vec<Node> = group
            .nodes
            .iter()
            .copied()
            .filter(|node| entities[*node as usize].action.is_work())
            .collect();
        for pair in working.windows(2) {
            pairs.push((
                pair[0],
                Need {
                    on: pair[1],
                    strength: Strength::Order,
                },
            ));
        }
    }
    let count =
        u32::try_from(needs.len()).expect("an instance has fewer than four billion entities");
    Graph::new(count, pairs)
}

fn leave_out_of_scope(
    entities: &mut [Planned],
    inputs: &Inputs<'_>,
    context: Context<'_>,
    graph: &Graph,
) {
    let scope = inputs.selection.scope(inputs.source, &context, graph);
    for (planned, _) in entities
        .iter_mut()
        .zip(scope)
        .filter(|(_, in_scope)| !in_scope)
    {
        planned.action = Action::OutOfScope;
        planned.because = "the selection leaves it out".into();
    }
}

fn link_siblings(entities: &mut [Planned], siblings: &[chains::Siblings]) {
    for group in siblings {
        for pair in group.nodes.windows(2) {
            entities[pair[0] as usize].next_sibling = Some(pair[1]);
        }
    }
}

/// Leaves the references of every cut out of the first save; circles that cannot be cut fail.
fn cut_circles(
    entities: &mut [Planned],
    circles: &[Circle],
    needs: &[Needs],
    source: &Inventory<SourceId>,
) {
    for circle in circles {
        if circle.closed {
            let names: Vec<String> = circle
                .members
                .iter()
                .map(|node| source.entities()[*node as usize].key.to_string())
                .collect();
            for node in &circle.members {
                let planned = &mut entities[*node as usize];
                planned.action = Action::Fail;
                planned.because = format!(
                    "these need one another before any of them can be saved: {}",
                    names.join(", ")
                )
                .into();
            }
            continue;
        }
        for (who, on) in &circle.cut {
            let left_out = needs[*who as usize]
                .needs
                .iter()
                .filter(|(need, _)| need.on == *on)
                .filter_map(|(need, referent)| Some((referent.clone()?, need.on)));
            entities[*who as usize]
                .left_out
                .extend(left_out.collect::<Vec<(Referent, Node)>>());
        }
    }
}

/// Assets without a remembered counterpart whose path and size are the same on both sides. Whether they are
/// equal, only their bytes can tell.
pub fn same_size_assets(
    source: &Inventory<SourceId>,
    target: &Inventory<TargetId>,
    agreements: &Agreements,
) -> Vec<(SourceId, TargetId)> {
    let size = |body: &serde_json::Value| body["size"].as_i64();
    let by_path: std::collections::HashMap<&str, &crate::domain::Entity<TargetId>> = target
        .of_kind(Kind::Asset)
        .iter()
        .map(|asset| (&*asset.name, asset))
        .collect();
    source
        .of_kind(Kind::Asset)
        .iter()
        .filter(|asset| {
            agreements
                .get(&asset.key)
                .is_none_or(|agreement| agreement.source_hash.is_none())
        })
        .filter_map(|asset| Some((asset, by_path.get(&*asset.name)?)))
        .filter(|(here, there)| size(&here.body.parse()) == size(&there.body.parse()))
        .map(|(here, there)| (here.key.id, there.key.id))
        .collect()
}

/// Built-in models and containers of the source with their namesakes on the target.
pub fn built_ins<'a>(
    source: &'a Inventory<SourceId>,
    target: &'a Inventory<TargetId>,
) -> Vec<(Kind, i64, Passed)> {
    let mut pairs = vec![(
        Kind::Model,
        RICH_TEXT_AREA,
        Passed {
            kind: Kind::Model,
            id: RICH_TEXT_AREA,
            name: "RichTextArea".into(),
        },
    )];
    for row in source
        .passed
        .iter()
        .filter(|row| matches!(row.kind, Kind::Model | Kind::Container))
    {
        let same =
            |other: &&Passed| other.kind == row.kind && other.name.eq_ignore_ascii_case(&row.name);
        if let Some(there) = target.passed.iter().find(same) {
            pairs.push((row.kind, row.id, there.clone()));
        }
    }
    pairs
}
