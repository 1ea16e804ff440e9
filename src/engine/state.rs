//! The state of a run, and how it moves: one input in, effects out, nothing waits.
//!
//! An entity goes from waiting to in flight to settled; one whose references were cut is saved first, which
//! frees whoever refers to it, and settled only after its patch. When an entity fails, everything that needs
//! it and is not settled yet is blocked by it, at any distance; everything else goes on.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::gates::{GateState, Gates, gates_of, lane_of, waits_for};
use super::options::Schedule;
use super::ready::{Limits, Queue, Ready, ReadyQueues};
use crate::domain::{EntityKey, Inventory, Kind, Outcome, SourceId, TargetId};
use crate::event::{Command, Event, Gate, Lane, LanePlan};
use crate::plan::{Action, Node, Plan, Strength};

/// Which save of an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The first one, without the references that are cut.
    Save,
    /// The second one, with them.
    Patch,
}

/// Uploads that belong together: one entity, or a batch of one locale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// What kind of request it is.
    pub queue: Queue,
    /// The entities, in the order in which they are sent.
    pub steps: Vec<(Node, Step)>,
    /// Whether it is the first to use some encoding, and is read back before others follow.
    pub probe: bool,
}

/// What came of one entity of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepResult {
    /// It is on the target, and that is durable.
    Saved {
        /// Its counterpart.
        target: TargetId,
        /// What was sent, in bytes.
        bytes: u64,
    },
    /// It is not, or it is not known to be.
    Failed {
        /// Why, in one sentence.
        reason: String,
    },
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A job came to its end.
    Done {
        /// The job.
        job: Job,
        /// What came of its entities, in their order.
        results: Vec<StepResult>,
        /// Why nothing more may be written, if so: an encoding was stored wrong.
        stop: Option<String>,
    },
    /// The user, or the program on his behalf, wants something.
    Command(Command),
}

/// Something to be carried out, in the order given.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Upload this.
    Launch(Job),
    /// Make the outcome of an entity that was never sent durable.
    Persist {
        /// The entity.
        node: Node,
        /// What became of it.
        outcome: Outcome,
        /// Why.
        because: String,
    },
    /// Tell this.
    Emit(Event),
}

/// What may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Run,
    Paused,
    Drain,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    InFlight,
    /// On the target, and waiting for its patch.
    Saved,
    Settled,
}

#[derive(Clone, Debug)]
struct NodeState {
    /// Entities that its first save waits for.
    missing: u32,
    /// Entities that its patch waits for.
    patch_missing: u32,
    stage: Stage,
    /// The root cause that will block it as soon as it is back.
    doomed: Option<EntityKey>,
}

/// The state of a run.
#[derive(Debug)]
pub struct RunState {
    plan: Arc<Plan>,
    source: Arc<Inventory<SourceId>>,
    schedule: Schedule,
    fail_fast: bool,
    nodes: Vec<NodeState>,
    queues: ReadyQueues,
    held: BTreeMap<Gate, Vec<Ready>>,
    gates: Gates,
    lanes: BTreeMap<Lane, LaneState>,
    mode: Mode,
    unsettled: u32,
    in_flight: u32,
    stopped: Option<String>,
}

#[derive(Debug, Default)]
struct LaneState {
    unsettled: u32,
    started: bool,
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
        let mut state = Self {
            queues: ReadyQueues::new(limits),
            plan,
            source,
            schedule,
            fail_fast,
            nodes,
            held: BTreeMap::new(),
            gates,
            lanes: BTreeMap::new(),
            mode: Mode::Run,
            unsettled: 0,
            in_flight: 0,
            stopped: None,
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

    /// Whether nothing is in flight and nothing more will leave.
    pub fn is_over(&self) -> bool {
        self.in_flight == 0 && (self.unsettled == 0 || self.mode == Mode::Drain)
    }

    /// Entities in flight.
    pub const fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Entities that have no outcome yet.
    pub const fn unsettled(&self) -> u32 {
        self.unsettled
    }

    /// Whether the run was told to let nothing more leave.
    pub fn is_draining(&self) -> bool {
        self.mode == Mode::Drain
    }

    /// Why nothing more may be written, if an encoding was stored wrong.
    pub fn stopped(&self) -> Option<&str> {
        self.stopped.as_deref()
    }

    /// Settles what needs no upload, and starts what waits for nothing.
    pub fn start(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        for gate in self.gates.open_empty() {
            effects.push(Effect::Emit(Event::GateOpened { gate, by: None }));
        }
        for node in 0..self.plan.graph.len() {
            if let Some(outcome) = planned_outcome(
                self.action(node),
                &self.plan.entities[node as usize].because,
            ) {
                let because = self.plan.entities[node as usize].because.to_string();
                self.settle(node, outcome, &because, None, &mut effects);
            }
        }
        for node in 0..self.plan.graph.len() {
            if self.nodes[node as usize].stage == Stage::Waiting
                && self.nodes[node as usize].missing == 0
            {
                self.ready(node, Step::Save);
            }
        }
        self.launch(&mut effects);
        effects
    }

    /// Moves by one input.
    pub fn apply(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        match input {
            Input::Done { job, results, stop } => self.done(&job, results, stop, &mut effects),
            Input::Command(command) => self.command(command, &mut effects),
        }
        self.launch(&mut effects);
        effects
    }

    fn done(
        &mut self,
        job: &Job,
        results: Vec<StepResult>,
        stop: Option<String>,
        effects: &mut Vec<Effect>,
    ) {
        let mut saved = 0;
        for ((node, step), result) in job.steps.iter().copied().zip(results) {
            self.in_flight -= 1;
            match result {
                StepResult::Saved { target, bytes } => {
                    saved |= self.plan.entities[node as usize].encodings;
                    self.saved(node, step, target, bytes, effects);
                }
                StepResult::Failed { reason } => self.failed(node, reason, effects),
            }
        }
        self.queues
            .finished(job, if stop.is_none() { saved } else { 0 });
        if let Some(reason) = stop {
            self.drain(&reason, effects);
            self.stopped = Some(reason);
        }
    }

    fn command(&mut self, command: Command, effects: &mut Vec<Effect>) {
        match command {
            Command::Pause if self.mode == Mode::Run => {
                self.mode = Mode::Paused;
                effects.push(Effect::Emit(Event::Paused));
            }
            Command::Resume if self.mode == Mode::Paused => {
                self.mode = Mode::Run;
                effects.push(Effect::Emit(Event::Resumed));
            }
            Command::Drain => self.drain("the user asked for it", effects),
            // Aborting is dropping what is in flight, and the rate is the pacer's: both are the dispatcher's.
            Command::Pause | Command::Resume | Command::Abort | Command::SetRate(_) => {}
        }
    }

    fn drain(&mut self, reason: &str, effects: &mut Vec<Effect>) {
        if self.mode != Mode::Drain {
            self.mode = Mode::Drain;
            let reason = reason.to_owned();
            effects.push(Effect::Emit(Event::DrainStarted {
                reason,
                in_flight: self.in_flight,
            }));
        }
    }

    fn saved(
        &mut self,
        node: Node,
        step: Step,
        target: TargetId,
        bytes: u64,
        effects: &mut Vec<Effect>,
    ) {
        if step == Step::Patch {
            effects.push(Effect::Emit(Event::EntityPatched {
                key: self.key(node),
            }));
        } else {
            self.release(node);
        }
        let state = &mut self.nodes[node as usize];
        if let Some(by) = state.doomed.take() {
            let because = format!("it was saved without its reference to {by}, which failed");
            self.settle(node, Outcome::Blocked { by }, &because, None, effects);
        } else if step == Step::Save && self.plan.entities[node as usize].is_patched() {
            self.nodes[node as usize].stage = Stage::Saved;
            self.reach_level(node, None, effects);
            if self.nodes[node as usize].patch_missing == 0 {
                self.ready(node, Step::Patch);
            }
        } else {
            let outcome = match self.action(node) {
                Action::Update { .. } => Outcome::Updated,
                _ => Outcome::Created,
            };
            let because = self.plan.entities[node as usize].because.to_string();
            self.settle(node, outcome, &because, Some((target, bytes)), effects);
        }
    }

    /// Frees whoever waits for `node` to be on the target.
    fn release(&mut self, node: Node) {
        let plan = Arc::clone(&self.plan);
        for who in plan.graph.needed_by(node) {
            if plan.is_cut(*who, node) {
                let state = &mut self.nodes[*who as usize];
                state.patch_missing = state.patch_missing.saturating_sub(1);
                if state.stage == Stage::Saved && state.patch_missing == 0 {
                    self.ready(*who, Step::Patch);
                }
            }
            if plan.waits_for(*who).any(|need| need.on == node) {
                self.step_closer(*who);
            }
        }
    }

    fn step_closer(&mut self, node: Node) {
        let state = &mut self.nodes[node as usize];
        if state.stage == Stage::Waiting {
            state.missing = state.missing.saturating_sub(1);
            if state.missing == 0 {
                self.ready(node, Step::Save);
            }
        }
    }

    fn failed(&mut self, node: Node, reason: String, effects: &mut Vec<Effect>) {
        let key = self.key(node);
        let because = reason.clone();
        // An entity that was saved and could not be patched has a counterpart: who refers to it may go on.
        let has_counterpart = self.nodes[node as usize].stage == Stage::Saved
            || self.action(node).counterpart().is_some();
        self.settle(node, Outcome::Failed { reason }, &because, None, effects);
        if has_counterpart {
            self.free_siblings(node);
        } else {
            self.block_dependants(node, &key, effects);
        }
        if self.fail_fast {
            self.drain(
                &format!("{key} failed, and the run is to stop at the first failure"),
                effects,
            );
        }
    }

    fn block_dependants(&mut self, node: Node, root: &EntityKey, effects: &mut Vec<Effect>) {
        let plan = Arc::clone(&self.plan);
        let mut open = vec![node];
        while let Some(lost) = open.pop() {
            self.free_siblings(lost);
            for who in plan
                .graph
                .needed_by(lost)
                .iter()
                .copied()
                .filter(|who| *who != lost)
            {
                let needs_it = plan
                    .graph
                    .needs(who)
                    .iter()
                    .any(|need| need.on == lost && need.strength != Strength::Order);
                if !needs_it || !self.action(who).is_work() {
                    continue;
                }
                match self.nodes[who as usize].stage {
                    Stage::Waiting => {
                        let because = format!("it needs {root}, which failed");
                        self.settle(
                            who,
                            Outcome::Blocked { by: root.clone() },
                            &because,
                            None,
                            effects,
                        );
                        if self.action(who).counterpart().is_none() {
                            open.push(who);
                        } else {
                            self.free_siblings(who);
                        }
                    }
                    Stage::Saved => {
                        let because =
                            format!("it was saved without its reference to {root}, which failed");
                        self.settle(
                            who,
                            Outcome::Blocked { by: root.clone() },
                            &because,
                            None,
                            effects,
                        );
                    }
                    Stage::InFlight => self.nodes[who as usize].doomed = Some(root.clone()),
                    Stage::Settled => {}
                }
            }
        }
    }

    /// Siblings only want to come later: whether this one succeeded does not matter to them.
    fn free_siblings(&mut self, node: Node) {
        let plan = Arc::clone(&self.plan);
        for who in plan.graph.needed_by(node) {
            let waits =
                |need: &crate::plan::Need| need.on == node && need.strength == Strength::Order;
            if plan.waits_for(*who).any(|need| waits(&need)) {
                self.step_closer(*who);
            }
        }
    }

    fn settle(
        &mut self,
        node: Node,
        outcome: Outcome,
        because: &str,
        saved: Option<(TargetId, u64)>,
        effects: &mut Vec<Effect>,
    ) {
        let was_saved = self.nodes[node as usize].stage == Stage::Saved;
        self.nodes[node as usize].stage = Stage::Settled;
        let is_work = self.action(node).is_work();
        let key = self.key(node);
        if saved.is_none() && !matches!(outcome, Outcome::Unchanged | Outcome::OutOfScope) {
            effects.push(Effect::Persist {
                node,
                outcome: outcome.clone(),
                because: because.to_owned(),
            });
        }
        let lost = match &outcome {
            Outcome::Failed { .. } => Some(key.clone()),
            Outcome::Blocked { by } => Some(by.clone()),
            _ => None,
        };
        effects.push(Effect::Emit(Event::EntitySettled {
            name: self.source.entities()[node as usize].name.to_string(),
            lane: is_work.then(|| self.lane(node)),
            class: self.plan.entities[node as usize].class,
            target: saved
                .map(|(target, _)| target)
                .or_else(|| self.action(node).counterpart()),
            because: because.to_owned(),
            bytes: saved.map_or(0, |(_, bytes)| bytes),
            outcome,
            key,
        }));
        if counts(self.action(node)) {
            if !was_saved {
                self.reach_level(node, lost.as_ref(), effects);
            }
            for gate in gates_of(self.kind(node), self.is_in_gallery(node)) {
                self.reach(*gate, node, lost.as_ref(), effects);
            }
        }
        if is_work {
            self.unsettled -= 1;
            self.leave_lane(node, effects);
        }
    }

    fn leave_lane(&mut self, node: Node, effects: &mut Vec<Effect>) {
        let lane = self.lane(node);
        let state = self.lanes.entry(lane).or_default();
        state.unsettled -= 1;
        if state.unsettled == 0 {
            effects.push(Effect::Emit(Event::LaneFinished { lane }));
        }
    }

    /// A content item counts for its level as soon as it is on the target, patched or not: the patch may need
    /// items of later levels.
    fn reach_level(&mut self, node: Node, lost: Option<&EntityKey>, effects: &mut Vec<Effect>) {
        if self.kind(node) == Kind::Content && counts(self.action(node)) {
            let level = self.plan.entities[node as usize].level;
            self.reach(Gate::ContentLevelComplete(level), node, lost, effects);
        }
    }

    fn reach(
        &mut self,
        gate: Gate,
        node: Node,
        lost: Option<&EntityKey>,
        effects: &mut Vec<Effect>,
    ) {
        let key = self.key(node);
        match self.gates.arrive(gate, &key, lost) {
            None => return,
            Some(GateState::Failed(by)) => {
                effects.push(Effect::Emit(Event::GateFailed { gate, by }))
            }
            Some(GateState::Open(by)) => effects.push(Effect::Emit(Event::GateOpened { gate, by })),
            Some(GateState::Closed { .. }) => {}
        }
        for ready in self.held.remove(&gate).unwrap_or_default() {
            self.enqueue(ready);
        }
    }

    fn ready(&mut self, node: Node, step: Step) {
        let entity = &self.source.entities()[node as usize];
        let planned = &self.plan.entities[node as usize];
        self.enqueue(Ready {
            weight: planned.remaining_ms,
            node,
            step,
            queue: Queue::of(&entity.key),
            encodings: planned.encodings,
        });
    }

    fn enqueue(&mut self, ready: Ready) {
        let holding = match (self.schedule, ready.step) {
            (Schedule::Phased, Step::Save) => {
                let level = self.plan.entities[ready.node as usize].level;
                waits_for(self.kind(ready.node), level)
                    .into_iter()
                    .find(|gate| !self.gates.is_settled(*gate))
            }
            (Schedule::Phased, Step::Patch) | (Schedule::Pipelined, _) => None,
        };
        match holding {
            Some(gate) => self.held.entry(gate).or_default().push(ready),
            None => self.queues.push(ready),
        }
    }

    fn launch(&mut self, effects: &mut Vec<Effect>) {
        if self.mode != Mode::Run {
            return;
        }
        loop {
            let stages = &self.nodes;
            // An entity may have been blocked while it stood in a queue.
            let waits = |ready: &Ready| match ready.step {
                Step::Save => stages[ready.node as usize].stage == Stage::Waiting,
                Step::Patch => stages[ready.node as usize].stage == Stage::Saved,
            };
            let Some(job) = self.queues.next_job(&waits) else {
                return;
            };
            for (node, step) in &job.steps {
                self.in_flight += 1;
                if *step == Step::Save {
                    self.nodes[*node as usize].stage = Stage::InFlight;
                }
                let lane = self.lane(*node);
                let state = self.lanes.entry(lane).or_default();
                if !std::mem::replace(&mut state.started, true) {
                    effects.push(Effect::Emit(Event::LaneStarted { lane }));
                }
                if *step == Step::Save {
                    effects.push(Effect::Emit(Event::EntityStarted {
                        key: self.key(*node),
                        lane,
                        class: self.plan.entities[*node as usize].class,
                    }));
                }
            }
            effects.push(Effect::Launch(job));
        }
    }

    fn expect(&mut self, node: Node) {
        if !counts(self.action(node)) {
            return;
        }
        if self.action(node).is_work() {
            self.unsettled += 1;
            self.lanes.entry(self.lane(node)).or_default().unsettled += 1;
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

    fn action(&self, node: Node) -> &Action {
        &self.plan.entities[node as usize].action
    }

    fn key(&self, node: Node) -> EntityKey {
        self.source.entities()[node as usize].key.clone()
    }

    fn kind(&self, node: Node) -> Kind {
        self.source.entities()[node as usize].key.kind
    }

    fn is_in_gallery(&self, node: Node) -> bool {
        let is_gallery = |need: &crate::plan::Need| self.kind(need.on) == Kind::Gallery;
        self.kind(node) == Kind::Asset && self.plan.graph.needs(node).iter().any(is_gallery)
    }

    fn lane(&self, node: Node) -> Lane {
        lane_of(self.kind(node), self.is_in_gallery(node))
    }
}

impl NodeState {
    fn new(plan: &Plan, node: Node) -> Self {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let mut cut: Vec<Node> = plan.entities[node as usize]
            .left_out
            .iter()
            .map(|(_, on)| *on)
            .collect();
        cut.sort_unstable();
        cut.dedup();
        Self {
            missing: count(plan.waits_for(node).count()),
            patch_missing: count(cut.len()),
            stage: Stage::Waiting,
            doomed: None,
        }
    }
}

/// Whether gates wait for it: it is written, or should have been.
const fn counts(action: &Action) -> bool {
    action.is_work() || matches!(action, Action::Fail | Action::Block { .. })
}

/// The outcome of what needs no upload.
fn planned_outcome(action: &Action, because: &str) -> Option<Outcome> {
    Some(match action {
        Action::Create { .. } | Action::Update { .. } => return None,
        Action::Adopt { .. } => Outcome::Adopted,
        Action::Unchanged { .. } => Outcome::Unchanged,
        Action::Conflict { .. } => Outcome::Conflict,
        Action::Fail => Outcome::Failed {
            reason: because.to_owned(),
        },
        Action::Block { by } => Outcome::Blocked { by: by.clone() },
        Action::OutOfScope => Outcome::OutOfScope,
    })
}
