//! The state of a run, and its beginning.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{DUMPED, Effect, Flow, Saved, Step, Work};
use crate::domain::{EntityKey, FailureCause, Inventory, Kind, Outcome, SourceId};
use crate::engine::gates::{Gates, gates_of, lane_of};
use crate::engine::options::Schedule;
use crate::engine::state::{Limits, Ready};
use crate::event::{Event, Gate, Lane, LanePlan, Named};
use crate::plan::{Action, Need, Node, Plan, Uploads};

/// How far an entity has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Waiting,
    InFlight,
    /// On the target, and waiting for its patch.
    Saved,
    /// It has its outcome: it came back, or needed no upload.
    Settled,
    /// It was to be uploaded and never was sent, because something that it needs failed.
    Lost,
}

#[derive(Clone, Debug)]
pub(super) struct NodeState {
    /// Needs that its first save waits for.
    pub(super) missing: u32,
    /// Entities that its patch waits for.
    pub(super) patch_missing: u32,
    pub(super) stage: Stage,
    /// Whether this run has saved it, patched or not.
    pub(super) is_there: bool,
    /// Whether it was to be new, and the target wrote over something that was there.
    pub(super) is_over: bool,
    /// The root cause that will block it as soon as it is back.
    pub(super) doomed: Option<EntityKey>,
    /// What made its upload fail.
    pub(super) failure: FailureCause,
}

/// The state of a run.
#[derive(Clone, Debug)]
pub struct RunState {
    pub(super) plan: Arc<Plan>,
    pub(super) source: Arc<Inventory<SourceId>>,
    pub(super) schedule: Schedule,
    pub(super) fail_fast: bool,
    pub(super) nodes: Vec<NodeState>,
    pub(super) flow: Flow,
    pub(super) held: BTreeMap<Gate, Vec<Ready>>,
    pub(super) gates: Gates,
    /// What leaves together.
    pub(super) uploads: Arc<Uploads>,
}

impl RunState {
    /// The state before anything has left.
    pub fn new(
        plan: Arc<Plan>,
        source: Arc<Inventory<SourceId>>,
        schedule: Schedule,
        fail_fast: bool,
        limits: Limits,
    ) -> Self {
        let nodes = (0..plan.graph.len())
            .map(|node| NodeState::new(&plan, node))
            .collect();
        let gates = Gates::new(plan.levels);
        let uploads = Uploads::of(&plan, &source, limits.upload);
        let mut state = Self {
            flow: Flow::new(limits),
            plan,
            source,
            schedule,
            fail_fast,
            nodes,
            held: BTreeMap::new(),
            gates,
            uploads: Arc::new(uploads),
        };
        for node in 0..state.plan.graph.len() {
            state.expect(node);
        }
        state
    }

    /// What will be written, by lane, kind and class.
    pub fn lane_plan(&self) -> Vec<LanePlan> {
        let mut counts = BTreeMap::new();
        for node in (0..self.plan.graph.len()).filter(|node| self.action(*node).is_work()) {
            let class = self.plan.entities[node as usize].class;
            *counts
                .entry((self.lane(node), self.kind(node), class))
                .or_insert(0) += 1;
        }
        counts
            .into_iter()
            .map(|((lane, kind, class), entities)| LanePlan {
                lane,
                kind,
                class,
                entities,
            })
            .collect()
    }

    /// The gates of the run.
    pub fn gates(&self) -> &Gates {
        &self.gates
    }

    fn dump_of(&self, node: Node) -> String {
        let state = self.node(node);
        let is_open = |on: &Node| !matches!(self.node(*on).stage, Stage::Settled | Stage::Lost);
        let awaited: Vec<String> = match state.stage {
            Stage::Saved => self.plan.entities[node as usize].patched_after(),
            Stage::Waiting | Stage::InFlight | Stage::Settled | Stage::Lost => {
                self.plan.waits_for(node).map(|need| need.on).collect()
            }
        }
        .into_iter()
        .filter(is_open)
        .map(|on| self.key(on).to_string())
        .collect();
        let held = self.held.iter();
        let mut held = held.filter(|(_, ready)| ready.iter().any(|ready| ready.node == node));
        let gate = held
            .next()
            .map(|(gate, _)| format!(", held by gate {gate}"));
        format!(
            "{} ({:?}) waits for {} of [{}]{}",
            self.key(node),
            state.stage,
            state.missing + state.patch_missing,
            awaited.join(", "),
            gate.unwrap_or_default()
        )
    }

    /// Makes the gates and the lane of an entity wait for it.
    fn expect(&mut self, node: Node) {
        if !counts(self.action(node)) {
            return;
        }
        if self.action(node).is_work() {
            self.flow.unsettled += 1;
            self.flow.expect_in(self.lane(node));
        }
        for gate in gates_of(self.kind(node), self.is_in_gallery(node)) {
            self.gates.expect(*gate);
        }
        if self.kind(node) == Kind::Content {
            self.gates.expect(Gate::ContentLevelComplete(
                self.plan.entities[node as usize].level,
            ));
        }
    }

    pub(super) fn node(&self, node: Node) -> &NodeState {
        &self.nodes[node as usize]
    }

    pub(super) fn node_mut(&mut self, node: Node) -> &mut NodeState {
        &mut self.nodes[node as usize]
    }

    pub(super) fn action(&self, node: Node) -> &Action {
        &self.plan.entities[node as usize].action
    }

    pub(super) fn key(&self, node: Node) -> EntityKey {
        self.source.entities()[node as usize].key.clone()
    }

    pub(super) fn kind(&self, node: Node) -> Kind {
        self.source.entities()[node as usize].key.kind
    }

    pub(super) fn is_in_gallery(&self, node: Node) -> bool {
        let is_gallery = |need: &Need| self.kind(need.on) == Kind::Gallery;
        self.kind(node) == Kind::Asset && self.plan.graph.needs(node).iter().any(is_gallery)
    }

    pub(super) fn lane(&self, node: Node) -> Lane {
        lane_of(self.kind(node), self.is_in_gallery(node))
    }
}

impl Work for RunState {
    fn flow(&self) -> &Flow {
        &self.flow
    }

    fn flow_mut(&mut self) -> &mut Flow {
        &mut self.flow
    }

    fn begin(&mut self, effects: &mut Vec<Effect>) {
        for gate in self.gates.open_empty() {
            effects.push(Effect::Emit(Event::GateOpened { gate, by: None }));
        }
        for node in 0..self.plan.graph.len() {
            let planned = &self.plan.entities[node as usize];
            let (because, left_alone) = (planned.because.to_string(), planned.left_alone);
            if let Some(outcome) = planned_outcome(self.action(node), left_alone, &because) {
                self.settle(node, outcome, &because, None, effects);
            }
        }
        let failed = |node: &Node| matches!(self.action(*node), Action::Fail { .. });
        if let Some(first) = (0..self.plan.graph.len()).find(failed) {
            self.stop_if_fast(&self.key(first), effects);
        }
        for node in 0..self.plan.graph.len() {
            let state = self.node(node);
            if state.stage == Stage::Waiting && state.missing == 0 {
                self.ready(node, Step::Save);
            }
        }
    }

    fn is_wanted(&self, ready: &Ready) -> bool {
        self.waits(ready)
    }

    fn leaves(&mut self, step: (Node, Step), effects: &mut Vec<Effect>) {
        self.leave(step, effects);
    }

    fn done(&mut self, step: (Node, Step), saved: Saved, effects: &mut Vec<Effect>) {
        self.saved(step, saved, effects);
    }

    fn held(&mut self, step: (Node, Step), effects: &mut Vec<Effect>) {
        self.put_back_step(step, effects);
    }

    fn failed(
        &mut self,
        step: (Node, Step),
        why: (String, FailureCause),
        effects: &mut Vec<Effect>,
    ) {
        self.lost(step, why, effects);
    }

    fn encodings(&self, node: Node) -> u64 {
        self.plan.entities[node as usize].encodings
    }

    fn put_back(&self) -> Vec<Event> {
        let nodes = 0..self.plan.graph.len();
        let saved = nodes.filter(|node| self.node(*node).stage == Stage::Saved);
        saved
            .map(|node| Event::EntityHeld {
                key: self.key(node),
            })
            .collect()
    }

    fn left(&self) -> Option<Event> {
        let named = |node: Node| Named {
            key: self.key(node),
            name: self.source.entities()[node as usize].name.to_string(),
        };
        Event::left(self.without_outcome().map(named))
    }

    fn dump(&self) -> String {
        let left: Vec<Node> = self.without_outcome().collect();
        let lines = left.iter().take(DUMPED).map(|node| self.dump_of(*node));
        format!(
            "nothing is in flight and nothing is ready, and {} entities have no outcome: {}",
            left.len(),
            lines.collect::<Vec<_>>().join("; ")
        )
    }
}

impl RunState {
    fn without_outcome(&self) -> impl Iterator<Item = Node> + '_ {
        let is_over = |node| matches!(self.node(node).stage, Stage::Settled | Stage::Lost);
        let nodes = 0..self.plan.graph.len();
        nodes.filter(move |node| self.action(*node).is_work() && !is_over(*node))
    }
}

impl NodeState {
    fn new(plan: &Plan, node: Node) -> Self {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let after = plan.entities[node as usize].patched_after();
        Self {
            missing: count(plan.waits_for(node).count()),
            patch_missing: count(after.len()),
            stage: Stage::Waiting,
            is_there: false,
            is_over: false,
            doomed: None,
            failure: FailureCause::default(),
        }
    }
}

/// Whether gates wait for it: it is written, or should have been.
pub(super) const fn counts(action: &Action) -> bool {
    action.is_work() || matches!(action, Action::Fail { .. } | Action::Block { .. })
}

/// The outcome of what needs no upload.
fn planned_outcome(action: &Action, left_alone: bool, because: &str) -> Option<Outcome> {
    Some(match action {
        Action::Create { .. } | Action::Update { .. } => return None,
        Action::Adopt { .. } => Outcome::Adopted,
        Action::Unchanged { .. } if left_alone => Outcome::LeftAlone,
        Action::Unchanged { .. } => Outcome::Unchanged,
        Action::Conflict { .. } => Outcome::Conflict,
        Action::Fail { .. } => Outcome::Failed {
            reason: because.to_owned(),
        },
        Action::Block { by } => Outcome::Blocked { by: by.clone() },
        Action::OutOfScope => Outcome::OutOfScope,
    })
}
