//! The steps of a plan, in order.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::anew;
use super::channels;
use super::compare::{Comparer, Decision, hash_of};
use super::held::Held;
use super::identity::{Adopt, ContainerTally, Hint, Identity, Known};
use super::left;
use super::losses;
use super::matching::Match;
use super::names;
use super::needs::{Needs, Resolver};
use super::paths;
use super::place::{Placed, Places, Sides};
use super::predicted_ids::{PredictedIds, ids};
use super::settle;
use super::shapes::Shapes;
use super::spread;
use super::weigh::{self, Place};
use crate::domain::{
    ContentHash, EntityKey, Failure, Filled, Inventory, Kind, Locale, SourceId, TargetId,
    WorkClass, name_key,
};
use crate::plan::action::{Action, Agreements, ListOrder, Plan, Planned, Selected, Slot};
use crate::plan::approved::{self, Agreed};
use crate::plan::cycles::{Cycle, cycles};
use crate::plan::graph::{Graph, Need, Node, Strength};
use crate::plan::notice::{Concern, Notice};
use crate::plan::policy::{self, Policies};
use crate::plan::scope::Why;
use crate::plan::{AssetIndex, Context, Defaults, Schema, Selection, Weights};

/// What a plan is made from.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The instance that is read from.
    pub source: &'a Inventory<SourceId>,
    /// The instance that is written to, as it is before.
    pub target: &'a Inventory<TargetId>,
    /// What the store has of this pair.
    pub agreements: &'a Agreements,
    /// What the server fills in, as far as the agreements say.
    pub defaults: &'a Defaults,
    /// Assets whose bytes are known to equal those of their namesake on the target (see [`super::assets_to_look_at`]).
    pub equal_bytes: &'a HashSet<SourceId>,
    /// Assets whose bytes on the target are known not to be those of the last agreement any more.
    pub replaced_bytes: &'a HashSet<SourceId>,
    /// The locales of the run; the first one that has an item makes its id.
    pub locales: &'a [Locale],
    /// Entities with an unknown outcome after an interrupted run, with the reason. They are not sent, since they might then
    /// exist twice.
    pub doubts: &'a HashMap<EntityKey, String>,
    /// Entities whose mapping contradicted that of another one, with the reason. They are recognised anew, and not created
    /// where that fails.
    pub disputed: &'a HashMap<EntityKey, String>,
    /// Pairs that something other than the state names; the first of several that contradict one another counts.
    pub hints: &'a [Hint],
    /// How much evidence makes an item of the target a counterpart.
    pub adopt: Adopt,
    /// Which side wins where both changed, and what is never written.
    pub policies: &'a Policies,
    /// What is skipped on the target and not created, with the pattern that says so.
    pub excluded: &'a HashMap<EntityKey, Box<str>>,
    /// The hashes of the versions that the source shows to the public below newer drafts.
    pub public: &'a HashMap<EntityKey, ContentHash>,
    /// What to migrate.
    pub selection: &'a Selection,
    /// What saves take on this target, as far as it is known.
    pub weights: Weights,
    /// The plan that was agreed to, where one is applied.
    pub agreed: Option<Agreed<'a>>,
}

/// Makes the plan.
pub fn plan(inputs: &Inputs<'_>) -> Plan {
    let schema = Schema::of(inputs.source);
    let assets = AssetIndex::of(inputs.source);
    let context = Context::of(&schema, &assets);
    let target_schema = Schema::of(inputs.target);
    let known = Known {
        source: inputs.source,
        target: inputs.target,
        agreements: inputs.agreements,
        hints: inputs.hints,
        adopt: inputs.adopt,
        context,
        target_schema: &target_schema,
    };
    let (identity, matches) = anew::identify(known);
    let agreements = &*identity.agreements;
    let resolver = Resolver::new(inputs.source, agreements, inputs.locales, context);
    let needs = spread::each(inputs.source, |node, entity| {
        let mut body = entity.body.parse();
        let needs = resolver.needs(node, entity, &mut body);
        (needs, hash_of(entity, &body, &schema))
    });
    let parts = Parts {
        schemas: (context, &target_schema),
        identity: &identity,
        matches: &matches,
        needs: &needs,
        resolver: &resolver,
    };
    let mut held = Held::default();
    let mut decided = decide(inputs, &parts, &held);
    while held.extend(&decided.entities, &decided.places) {
        decided = decide(inputs, &parts, &held);
    }
    let Decided {
        mut entities,
        mut notices,
        graph,
        cycles,
        places,
        lists,
        selected,
    } = decided;
    notices.extend(anew::notices(&known, &matches));
    drop((matches, needs));
    form_rows(&mut entities, &places.rows);
    let order = settle::order(&entities, &graph);
    let levels = settle::levels(&mut entities, &graph, inputs.source, &order);
    settle::weigh(
        &mut entities,
        &graph,
        (inputs.source, &inputs.weights),
        &order,
    );
    settle::classify(&mut entities, &graph, inputs.source);
    notices.retain(|notice| is_told(&entities[notice.node as usize].action));
    Plan {
        containers: in_scope(identity.containers, inputs, &entities),
        selected,
        entities,
        graph,
        cycles,
        levels,
        rows: places.rows,
        lists,
        notices,
    }
}

/// What decisions are made from, besides the [`Inputs`].
struct Parts<'a> {
    /// How the source is read, and the models of the target.
    schemas: (Context<'a>, &'a Schema),
    identity: &'a Identity<'a>,
    matches: &'a [Match],
    needs: &'a [(Needs, ContentHash)],
    resolver: &'a Resolver<'a>,
}

/// What is done about every entity.
struct Decided {
    entities: Vec<Planned>,
    notices: Vec<Notice>,
    graph: Graph,
    cycles: Vec<Cycle>,
    places: Places,
    lists: Vec<ListOrder>,
    selected: Option<Selected>,
}

/// Decides about every entity, with the pages of `held` where they are.
fn decide(inputs: &Inputs<'_>, parts: &Parts<'_>, held: &Held) -> Decided {
    let (context, target_schema) = parts.schemas;
    let (matches, needs) = (parts.matches, parts.needs);
    let sides = Sides {
        source: inputs.source,
        target: inputs.target,
        agreements: &parts.identity.agreements,
        matches,
        policies: inputs.policies,
        held,
    };
    let mut places = sides.places();
    let lists = sides.lists(&mut places);
    places
        .waits
        .extend(behind_moved_files(inputs, matches, needs));
    let (mut entities, mut notices) = decide_all(inputs, parts, (&places, held));
    let selected = leave_out_of_scope(&mut entities, inputs, (context, needs), &mut notices);
    name_public(&mut entities, inputs);
    let mut absent = policy::hold(&mut entities, inputs);
    approved::hold(&mut entities, inputs);
    paths::refuse(&mut entities, inputs, matches);
    let names = names::settle(&mut entities, inputs, context, matches);
    let graph = build_graph(needs, &places.waits, &names);
    let cycles = cycles(&graph, &|who, need| has_to_wait(&entities, who, need));
    cut_cycles(
        &mut entities,
        &cycles,
        (&graph, parts.resolver),
        inputs.source,
    );
    let shapes = Shapes::of(inputs, matches, (context.schema, target_schema));
    absent.extend(shapes.block(&mut entities, &graph));
    settle::block_dependants(&mut entities, &graph, inputs.source, absent);
    Decided {
        entities,
        notices,
        graph,
        cycles,
        places,
        lists,
        selected,
    }
}

/// Whether a notice about an entity with this action is of any use.
fn is_told(action: &Action) -> bool {
    match action {
        Action::Create { .. }
        | Action::Update { .. }
        | Action::Adopt { .. }
        | Action::Unchanged { .. }
        | Action::Conflict { .. } => true,
        Action::Fail { .. } | Action::Block { .. } | Action::OutOfScope => false,
    }
}

/// What refers to a file that moves to another folder comes after it, because its address changes.
fn behind_moved_files(
    inputs: &Inputs<'_>,
    matches: &[Match],
    needs: &[(Needs, ContentHash)],
) -> Vec<(Node, Node)> {
    let assets = (0..).zip(inputs.source.entities()).zip(matches);
    let moved: HashSet<Node> = assets
        .filter(|((_, entity), found)| {
            entity.key.kind == Kind::Asset
                && left::mapped(entity, found, inputs.target)
                    .is_some_and(|there| left::is_in_other_folder(entity, there))
        })
        .map(|((node, _), _)| node)
        .collect();
    if moved.is_empty() {
        return Vec::new();
    }
    let mut pairs = Vec::new();
    for (node, (needs, _)) in (0..).zip(needs) {
        let on = needs.all.iter().map(|need| need.on);
        pairs.extend(on.filter(|on| moved.contains(on)).map(|on| (node, on)));
    }
    pairs
}

/// Whether `who` cannot leave before what it needs; cuts are not looked at.
fn has_to_wait(entities: &[Planned], who: Node, need: Need) -> bool {
    let on = &entities[need.on as usize].action;
    entities[who as usize].action.is_work()
        && match need.strength {
            Strength::Order | Strength::Whole | Strength::Name { .. } | Strength::Renamed => {
                on.is_work()
            }
            Strength::Hard | Strength::Deferrable { .. } => matches!(on, Action::Create { .. }),
        }
}

/// Decides about every entity. What is renamed follows from that, and what refers to it by name has to know it before; so
/// where something keeps the name that it has on the target, all is decided once more with that name.
fn decide_all(
    inputs: &Inputs<'_>,
    parts: &Parts<'_>,
    (places, held): (&Places, &Held),
) -> (Vec<Planned>, Vec<Notice>) {
    let mut keeping = HashSet::new();
    loop {
        let (entities, notices) = decide_with(inputs, parts, &keeping, (places, held));
        let found = names::keeping(inputs, parts.matches, &entities);
        if found.is_subset(&keeping) {
            return (entities, notices);
        }
        keeping.extend(found);
    }
}

fn decide_with(
    inputs: &Inputs<'_>,
    parts: &Parts<'_>,
    keeping: &HashSet<Node>,
    (places, held): (&Places, &Held),
) -> (Vec<Planned>, Vec<Notice>) {
    let (context, target_schema) = parts.schemas;
    let (identity, matches, needs) = (parts.identity, parts.matches, parts.needs);
    let agreements = &*identity.agreements;
    let sides = (inputs.source, inputs.target);
    let counterparts = PredictedIds::new(sides, ids(agreements), matches, |node| {
        keeping.contains(&node)
    });
    let comparer = Comparer {
        target: inputs.target,
        agreements,
        context: Context {
            policies: Some(inputs.policies),
            ..context
        },
        target_schema,
        counterparts: &counterparts,
        equal_bytes: inputs.equal_bytes,
        replaced_bytes: inputs.replaced_bytes,
        defaults: inputs.defaults,
        policies: inputs.policies,
    };
    let mut entities = spread::each(inputs.source, |node, entity| {
        let at = node as usize;
        let (needs, hash) = &needs[at];
        let own = places.pages.get(&node);
        let listed = places.items.get(&node);
        let place = match (held.decided(node), own, listed) {
            (Some(decided), ..) => decided,
            (None, Some(own), _) => own.decided(),
            (None, None, Some(listed)) => listed.place,
            (None, None, None) => Place::AGREES,
        };
        let is_unknown = matches!(matches[at], Match::None);
        let disputed = || inputs.disputed.get(&entity.key).filter(|_| is_unknown);
        let doubt = inputs.doubts.get(&entity.key).or_else(disputed);
        let doubt = doubt.map(String::as_str);
        let doubt = doubt.map(|why| (Failure::InDoubt, why));
        let homeless = channels::missing(entity, &matches[at], inputs.target);
        let missing = needs.missing.as_deref().or(homeless.as_deref());
        let missing = missing.map(|why| (Failure::Reference, why));
        let decision = match doubt.or(missing) {
            Some((cause, why)) => Decision {
                action: Action::Fail { cause },
                because: Cow::Owned(why.to_owned()),
                target_hash: None,
                filled: Filled::new(),
                place_only: false,
                merge: None,
            },
            None => comparer.decide(entity, &matches[at], *hash, place),
        };
        let evidence = identity.evidence.get(&entity.key);
        let decision = match evidence {
            Some(evidence) => comparer.with_evidence(entity, decision, evidence),
            None => decision,
        };
        Planned {
            evidence: evidence.cloned(),
            found: matches[at].there(),
            keeps_number: listed.and_then(|listed| listed.keeps),
            ..planned(decision, *hash, needs.encodings, own)
        }
    });
    let mut notices = losses::name(&mut entities, inputs.source, &comparer);
    notices.extend(left_out(&mut entities, needs));
    (entities, notices)
}

/// Notes which items the source shows to the public in another version.
fn name_public(entities: &mut [Planned], inputs: &Inputs<'_>) {
    for (planned, entity) in entities.iter_mut().zip(inputs.source.entities()) {
        planned.public = inputs.public.get(&entity.key).copied();
    }
}

/// What is said of references that lead nowhere.
fn left_out(entities: &mut [Planned], needs: &[(Needs, ContentHash)]) -> Vec<Notice> {
    let mut notices = Vec::new();
    for (node, (planned, (needs, _))) in (0..).zip(entities.iter_mut().zip(needs)) {
        if let Some(text) = &needs.left_out {
            planned.add(text);
            notices.push(Notice {
                node,
                about: Concern::LeadsNowhere,
                text: text.to_string(),
            });
        }
    }
    notices
}

fn planned(
    decision: Decision,
    hash: ContentHash,
    encodings: u64,
    placed: Option<&Placed>,
) -> Planned {
    let is_conflict = matches!(decision.action, Action::Conflict { .. });
    let left_alone = is_conflict || weigh::is_left_alone(&decision.because);
    let place = placed.map(|placed| {
        let mut place = Box::new(placed.place.clone());
        place.place_only = decision.place_only;
        place
    });
    Planned {
        action: decision.action,
        because: decision.because,
        class: WorkClass::Parallel,
        level: 0,
        remaining_ms: 0,
        source_hash: Some(hash),
        target_hash: decision.target_hash,
        filled: decision.filled,
        encodings,
        left_alone,
        left_out: Vec::new(),
        temporary: None,
        again: Vec::new(),
        row: None,
        place,
        keeps_number: None,
        included_by: None,
        evidence: None,
        found: None,
        merge: decision.merge,
        public: None,
    }
}

fn build_graph(
    needs: &[(Needs, ContentHash)],
    pairs: &[(Node, Node)],
    names: &[(Node, Need)],
) -> Graph {
    let mut order: HashMap<Node, Vec<Node>> = HashMap::new();
    for (who, on) in pairs {
        order.entry(*who).or_default().push(*on);
    }
    let mut of_name: HashMap<Node, Vec<Need>> = HashMap::new();
    for (who, need) in names {
        of_name.entry(*who).or_default().push(*need);
    }
    let count =
        u32::try_from(needs.len()).expect("an instance has fewer than four billion entities");
    let references: usize = needs.iter().map(|(found, _)| found.all.len()).sum();
    let mut graph = Graph::with_capacity(count, references + pairs.len() + names.len());
    let mut own = Vec::new();
    for (node, (found, _)) in (0..).zip(needs) {
        own.extend_from_slice(&found.all);
        own.extend(order.get(&node).into_iter().flatten().map(|on| Need {
            on: *on,
            strength: Strength::Order,
        }));
        own.extend(of_name.get(&node).into_iter().flatten());
        graph.push(&mut own);
    }
    graph.turned()
}

/// Leaves out what the selection does not take, and says of the rest why it is there.
fn leave_out_of_scope(
    entities: &mut [Planned],
    inputs: &Inputs<'_>,
    (context, needs): (Context<'_>, &[(Needs, ContentHash)]),
    notices: &mut Vec<Notice>,
) -> Option<Selected> {
    if inputs.selection.is_everything() {
        return None;
    }
    let graph = build_graph(needs, &[], &[]);
    let scope = inputs.selection.scope(inputs.source, &context, &graph);
    let key = |node: Node| &inputs.source.entities()[node as usize].key;
    let selected = scope.selected();
    for (planned, why) in entities.iter_mut().zip(scope.why) {
        planned.included_by = why.and_then(Why::by);
        match why {
            None => {
                planned.action = Action::OutOfScope;
                planned.because = "the selection leaves it out".into();
            }
            Some(Why::Named) => {}
            Some(Why::Needed(by)) => {
                planned.add(&format!("included because {} refers to it", key(by)));
            }
            Some(Why::Held(by)) => {
                planned.add(&format!(
                    "included because it stands in a list of {}",
                    key(by)
                ));
            }
        }
    }
    notices.extend(scope.notices);
    Some(selected)
}

/// The containers that the selection takes content of.
fn in_scope(
    containers: Vec<ContainerTally>,
    inputs: &Inputs<'_>,
    entities: &[Planned],
) -> Vec<ContainerTally> {
    if inputs.selection.is_everything() {
        return containers;
    }
    let items = inputs.source.entities().iter().zip(entities);
    let taken: HashSet<Box<str>> = items
        .filter(|(item, planned)| {
            item.key.kind == Kind::Content && planned.action != Action::OutOfScope
        })
        .filter_map(|(item, _)| {
            let body = item.body.parse();
            Some(name_key(body["properties"]["referenceName"].as_str()?))
        })
        .collect();
    let is_taken = |tally: &ContainerTally| taken.contains(&name_key(&tally.container));
    containers.into_iter().filter(is_taken).collect()
}

/// Lets all that is saved in a row take turns where one of them has to find its place: each names the sibling that it stands
/// in front of, and that one must not move meanwhile.
fn form_rows(entities: &mut [Planned], rows: &[Vec<Slot>]) {
    for row in rows {
        let pages = row.iter().filter_map(|slot| match slot {
            Slot::Page(node) => Some(*node),
            Slot::Other(_) => None,
        });
        let saved: Vec<Node> = pages
            .filter(|node| entities[*node as usize].action.is_work())
            .collect();
        if saved
            .iter()
            .any(|node| entities[*node as usize].is_placed())
        {
            for node in &saved {
                entities[*node as usize].row = saved.first().copied();
            }
        }
    }
}

/// Members of a cycle that its failure names.
const NAMED: usize = 20;

/// Leaves the references of every cut out of the first save; cycles that cannot be cut fail.
fn cut_cycles(
    entities: &mut [Planned],
    cycles: &[Cycle],
    (graph, resolver): (&Graph, &Resolver<'_>),
    source: &Inventory<SourceId>,
) {
    for cycle in cycles {
        if cycle.closed {
            fail_closed(entities, cycle, source);
            continue;
        }
        for cut in cycle.cut.chunk_by(|one, other| one.0 == other.0) {
            let who = cut[0].0;
            let left_out = defer(entities, cut, graph, source);
            if !left_out.is_empty() {
                entities[who as usize].left_out = resolver.references_to(who, &left_out);
            }
        }
        names::call_again(entities, &cycle.members, graph);
    }
}

/// Carries out the cut needs of one dependant, and returns what its first save does not refer to.
fn defer(
    entities: &mut [Planned],
    cut: &[(Node, Node)],
    graph: &Graph,
    source: &Inventory<SourceId>,
) -> HashSet<Node> {
    let mut left_out = HashSet::new();
    for (who, on) in cut {
        for need in graph.needs_on(*who, *on) {
            if !has_to_wait(entities, *who, *need) {
                continue;
            }
            let planned = &mut entities[*who as usize];
            match need.strength {
                Strength::Name { .. } => {
                    let needs = graph.needs(*who).iter();
                    let named = |need: &&Need| matches!(need.strength, Strength::Name { .. });
                    let kind = source.entities()[*who as usize].key.kind;
                    names::step_aside(planned, kind, needs.filter(named).map(|need| need.on));
                }
                Strength::Renamed => planned.again.push(*on),
                Strength::Deferrable { .. } => drop(left_out.insert(*on)),
                // Nothing that cannot be left out is cut.
                Strength::Order | Strength::Hard | Strength::Whole => {}
            }
        }
    }
    left_out
}

/// None of the members can be saved first.
fn fail_closed(entities: &mut [Planned], cycle: &Cycle, source: &Inventory<SourceId>) {
    let key = |node: &Node| source.entities()[*node as usize].key.to_string();
    let names: Vec<String> = cycle.members.iter().take(NAMED).map(key).collect();
    let more = match cycle.members.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let because = format!("circular dependency: {}{more}", names.join(", "));
    for node in &cycle.members {
        let planned = &mut entities[*node as usize];
        planned.action = Action::Fail {
            cause: Failure::Cycle,
        };
        planned.because = because.clone().into();
    }
}
