//! The state of an undo.
//!
//! An entity has its outcome when the last of its actions is done. When one of them fails, the others are left out, and
//! entities that were to be deleted stay if this one still refers to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::actions::{About, Action, Actions};
use super::gather::UndoOutlook;
use super::purpose::Purpose;
use crate::domain::{EntityKey, FailureCause, Kind, Outcome, TargetId, WorkClass};
use crate::engine::gates::lane_of;
use crate::engine::state::{DUMPED, Effect, Flow, How, Saved, Step, Work};
use crate::engine::state::{Limits, Ready};
use crate::event::{Event, Lane, LanePlan, Named};
use crate::plan::Node;
use crate::plan::undo::Decision;

/// How many entities of each kind there are, and the lanes of those with which something is to be done.
pub(super) fn work(outlook: &UndoOutlook) -> (BTreeMap<Kind, u32>, Vec<LanePlan>) {
    let (mut entities, mut work) = (BTreeMap::new(), BTreeMap::new());
    for (trace, decided) in outlook.traces.iter().zip(&outlook.plan.entities) {
        *entities.entry(trace.key.kind).or_default() += 1;
        if decided.decision.is_work() {
            *work.entry(trace.key.kind).or_default() += 1;
        }
    }
    let lanes = work.into_iter().map(|(kind, entities)| LanePlan {
        lane: lane(kind),
        kind,
        class: class(kind),
        entities,
    });
    (entities, lanes.collect())
}

/// Where the progress of a kind is shown: as when it was uploaded.
pub(super) const fn lane(kind: Kind) -> Lane {
    lane_of(kind, false)
}

/// Pages go one after another, because each has its place among others.
pub(super) fn class(kind: Kind) -> WorkClass {
    if kind == Kind::Page {
        WorkClass::Sequential
    } else {
        WorkClass::Parallel
    }
}

/// How far an action has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    InFlight,
    /// It is done, or will never be.
    Over,
}

/// How far an entity has come.
#[derive(Clone, Debug, Default)]
struct Progress {
    /// Actions without which it has no outcome.
    open: u32,
    is_started: bool,
    /// Whether it could not be undone.
    is_lost: bool,
    /// What the target made of the action that decides.
    is_already: bool,
    /// What the entity is on the target, once that is done.
    target: Option<TargetId>,
}

/// The state of an undo.
#[derive(Clone, Debug)]
pub(super) struct UndoState {
    outlook: Arc<UndoOutlook>,
    actions: Arc<Actions>,
    flow: Flow,
    nodes: Vec<Stage>,
    traces: Vec<Progress>,
    /// The stage of the actions that may leave.
    stage: usize,
    /// Actions of that stage that are not over.
    open: u32,
}

impl UndoState {
    /// The state before anything has left.
    pub(super) fn new(outlook: Arc<UndoOutlook>, actions: Arc<Actions>, limits: Limits) -> Self {
        let mut flow = Flow::new(limits);
        let mut traces = vec![Progress::default(); outlook.traces.len()];
        for planned in &actions.all {
            flow.unsettled += 1;
            if let (About::Trace(at), true) = (planned.about, planned.action.is_of_outcome()) {
                traces[at].open += 1;
            }
        }
        for (trace, decided) in outlook.traces.iter().zip(&outlook.plan.entities) {
            if decided.decision.is_work() {
                flow.expect_in(lane(trace.key.kind));
            }
        }
        Self {
            nodes: vec![Stage::Waiting; actions.all.len()],
            outlook,
            actions,
            flow,
            traces,
            stage: 0,
            open: 0,
        }
    }

    fn key(&self, at: usize) -> &EntityKey {
        &self.outlook.traces[at].key
    }

    /// Lets the actions of the first stage from the present one on that has some stand in line.
    fn open_stage(&mut self) {
        let actions = Arc::clone(&self.actions);
        while self.open == 0
            && let Some(stage) = actions.stages.get(self.stage)
        {
            for node in stage.clone() {
                if self.nodes[node as usize] == Stage::Waiting {
                    self.open += 1;
                    self.stand_in_line(node);
                }
            }
            if self.open == 0 {
                self.stage += 1;
            }
        }
    }

    fn stand_in_line(&mut self, node: Node) {
        self.flow.queues.push(Ready {
            // In the order of the plan.
            weight: 0,
            node,
            step: Step::Save,
            queue: self.actions.planned(node).queue.clone(),
            encodings: 0,
            turn: None,
            upload: None,
        });
    }

    /// Notes that an action is done, or will never be.
    fn over(&mut self, node: Node) {
        if std::mem::replace(&mut self.nodes[node as usize], Stage::Over) == Stage::Over {
            return;
        }
        self.flow.unsettled -= 1;
        let stage = self.actions.stages.get(self.stage);
        if stage.is_some_and(|stage| stage.contains(&node)) {
            self.open -= 1;
            if self.open == 0 {
                self.stage += 1;
                self.open_stage();
            }
        }
    }

    /// Gives an entity its outcome.
    fn settle(
        &self,
        at: usize,
        (outcome, because): (Outcome, String),
        cause: Option<FailureCause>,
        effects: &mut Vec<Effect>,
    ) {
        if self.flow.quiet {
            return;
        }
        let trace = &self.outlook.traces[at];
        let is_work = self.outlook.plan.entities[at].decision.is_work();
        effects.push(Effect::Emit(Event::EntitySettled {
            key: trace.key.clone(),
            name: trace.name.clone(),
            lane: is_work.then(|| lane(trace.key.kind)),
            class: class(trace.key.kind),
            outcome,
            cause: cause.map(|cause| cause.failure),
            status: cause.and_then(|cause| cause.status),
            level: None,
            target: Some(self.traces[at].target.unwrap_or(trace.there.id)),
            because,
            bytes: 0,
        }));
    }

    /// The same for one with an outcome that no job has stored.
    fn settle_unsent(
        &self,
        at: usize,
        (outcome, because): (Outcome, String),
        cause: Option<FailureCause>,
        effects: &mut Vec<Effect>,
    ) {
        effects.push(Effect::Persist {
            node: Node::try_from(at).expect("entities are counted in 32 bits"),
            outcome: outcome.clone(),
            because: because.clone(),
        });
        self.settle(at, (outcome, because), cause, effects);
    }

    /// Gives up an entity that could not be undone, and what it still refers to.
    fn give_up(&mut self, at: usize, root: &EntityKey, effects: &mut Vec<Effect>) {
        self.flow.leave(lane(self.key(at).kind), effects);
        let actions = Arc::clone(&self.actions);
        let mut lost = vec![at];
        self.traces[at].is_lost = true;
        while let Some(at) = lost.pop() {
            for held in actions.held_by[at].iter().copied() {
                if self.is_untouched(held) {
                    self.traces[held].is_lost = true;
                    let because = format!("{root} {}", self.outlook.purpose.holds());
                    let outcome = Outcome::Blocked { by: root.clone() };
                    self.settle_unsent(held, (outcome, because), None, effects);
                    self.flow.leave(lane(self.key(held).kind), effects);
                    lost.push(held);
                }
            }
            // Not before what is blocked is known: this may open the stage that it belongs to.
            for node in actions.of_trace[at].iter().copied() {
                self.over(node);
            }
        }
    }

    /// Whether nothing has left of what is to be deleted.
    fn is_untouched(&self, at: usize) -> bool {
        let mut nodes = self.actions.of_trace[at].iter();
        !self.traces[at].is_lost && nodes.all(|node| self.nodes[*node as usize] == Stage::Waiting)
    }
}

/// Why something was left as it is about which nothing has to be sent.
fn of_no_work(purpose: Purpose, decision: &Decision, existed: bool) -> Option<(Outcome, String)> {
    let kept = |reason: String| {
        let outcome = Outcome::Kept {
            reason: reason.clone(),
        };
        (outcome, reason)
    };
    Some(match decision {
        Decision::Delete | Decision::Restore | Decision::CreateAgain => return None,
        Decision::AsBefore => (
            Outcome::Restored,
            "already in its previous state".to_owned(),
        ),
        Decision::Gone if existed => {
            kept("it was deleted on the target since, which cannot be taken back".to_owned())
        }
        Decision::Gone => (Outcome::Deleted, ALREADY_DELETED.to_owned()),
        Decision::Keep(why) => (purpose.kept(why), why.to_string()),
    })
}

/// Why nothing had to be deleted.
pub(super) const ALREADY_DELETED: &str = "already deleted";

impl Work for UndoState {
    fn flow(&self) -> &Flow {
        &self.flow
    }

    fn flow_mut(&mut self) -> &mut Flow {
        &mut self.flow
    }

    fn begin(&mut self, effects: &mut Vec<Effect>) {
        let outlook = Arc::clone(&self.outlook);
        for (at, decided) in outlook.plan.entities.iter().enumerate() {
            let existed = outlook.traces[at].existed;
            if let Some(told) = of_no_work(outlook.purpose, &decided.decision, existed) {
                self.settle_unsent(at, told, None, effects);
            }
        }
        self.open_stage();
    }

    fn is_wanted(&self, ready: &Ready) -> bool {
        self.nodes[ready.node as usize] == Stage::Waiting
    }

    fn leaves(&mut self, (node, _): (Node, Step), effects: &mut Vec<Effect>) {
        self.nodes[node as usize] = Stage::InFlight;
        let planned = self.actions.planned(node);
        let (About::Trace(at), true) = (planned.about, planned.action.is_of_outcome()) else {
            return;
        };
        let key = self.key(at).clone();
        let (lane, class) = (lane(key.kind), class(key.kind));
        self.flow.enter(lane, effects);
        let is_started = std::mem::replace(&mut self.traces[at].is_started, true);
        if !is_started && !self.flow.quiet {
            effects.push(Effect::Emit(Event::EntityStarted { key, lane, class }));
        }
    }

    fn done(&mut self, (node, _): (Node, Step), saved: Saved, effects: &mut Vec<Effect>) {
        let planned = self.actions.planned(node);
        if let (About::Trace(at), true) = (planned.about, planned.action.is_of_outcome()) {
            let decision = &self.outlook.plan.entities[at].decision;
            let is_deciding = matches!(planned.action, Action::Delete | Action::Restore);
            let trace = &mut self.traces[at];
            trace.target = Some(saved.target);
            trace.is_already |= is_deciding && saved.how == How::Already;
            trace.open -= 1;
            if trace.open == 0
                && let Some((outcome, because)) =
                    self.outlook.purpose.of_work(decision, trace.is_already)
            {
                self.settle(at, (outcome, because.to_owned()), None, effects);
                self.flow.leave(lane(self.key(at).kind), effects);
            }
        }
        self.over(node);
    }

    fn held(&mut self, (node, _): (Node, Step), _effects: &mut Vec<Effect>) {
        // Nothing is launched any more by then, so it needs no place in a line.
        self.nodes[node as usize] = Stage::Waiting;
    }

    fn failed(
        &mut self,
        (node, _): (Node, Step),
        (reason, cause): (String, FailureCause),
        effects: &mut Vec<Effect>,
    ) {
        let planned = self.actions.planned(node);
        if let (About::Trace(at), true) = (planned.about, planned.action.is_of_outcome()) {
            let root = self.key(at).clone();
            let outcome = Outcome::Failed {
                reason: reason.clone(),
            };
            self.settle_unsent(at, (outcome, reason), Some(cause), effects);
            self.give_up(at, &root, effects);
        }
        self.over(node);
    }

    fn dump(&self) -> String {
        let nodes = self.actions.all.iter().zip(&self.nodes);
        let left: Vec<String> = nodes
            .filter(|(_, stage)| **stage != Stage::Over)
            .map(|(planned, stage)| match planned.about {
                About::Trace(at) => {
                    format!("{:?} of {} ({stage:?})", planned.action, self.key(at))
                }
                About::Row(row) => format!("{:?} of row {row} ({stage:?})", planned.action),
            })
            .collect();
        format!(
            "nothing is in flight and nothing is ready in stage {} of {}, and {} actions are not done: {}",
            self.stage,
            self.actions.stages.len(),
            left.len(),
            left[..left.len().min(DUMPED)].join("; ")
        )
    }

    fn left(&self) -> Option<Event> {
        let traces = self.outlook.traces.iter().zip(&self.traces);
        let left = traces.filter(|(_, progress)| progress.open > 0 && !progress.is_lost);
        Event::left(left.map(|(trace, _)| Named {
            key: trace.key.clone(),
            name: trace.name.clone(),
        }))
    }

    fn put_back(&self) -> Vec<Event> {
        let traces = self.traces.iter().enumerate();
        let started =
            traces.filter(|(_, trace)| trace.is_started && trace.open > 0 && !trace.is_lost);
        let held = started.map(|(at, _)| Event::EntityHeld {
            key: self.key(at).clone(),
        });
        held.collect()
    }
}
