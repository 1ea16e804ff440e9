//! Plans written down as needs between keys, and runs over them.

use std::sync::Arc;

use serde_json::json;

use crate::domain::{
    Body, Entity, EntityKey, Failure, Guid, Id, Inventory, ItemState, Outcome, SourceId, TargetId,
};
use crate::engine::end::StopCause;
use crate::engine::options::Schedule;
use crate::engine::state::Limits;
use crate::engine::state::{Effect, How, Input, Job, RunState, Saved, Step, StepResult, Work};
use crate::event::{Command, Event};
use crate::plan::testing::planned;
use crate::plan::{Action, Graph, Need, Node, Plan, Planned, Referent, Strength, UploadLimits};

/// A plan in the making.
pub(super) struct Script {
    source: Inventory<SourceId>,
    entities: Vec<Planned>,
    needs: Vec<(Node, Need)>,
}

pub(super) const SOFT: Strength = Strength::Deferrable { cost: 1 };

/// A reference in a required field.
const REQUIRED: Strength = Strength::Deferrable { cost: 1_000 };

impl Script {
    /// Entities that are all created and need nothing.
    pub(super) fn new(keys: &[&str]) -> Self {
        let entity = |key: &&str| Entity {
            key: key.parse().unwrap(),
            name: (*key).into(),
            version: None,
            state: ItemState::None,
            placement: None,
            body: Body::new(&json!({})),
        };
        let entities = keys.iter().map(entity).collect();
        Self {
            source: Inventory::empty(Guid::new("1a2b3c4d-u")).with_entities(entities),
            entities: keys.iter().map(|_| planned()).collect(),
            needs: Vec::new(),
        }
    }

    fn at(&self, key: &str) -> Node {
        self.source.position(&key.parse().unwrap()).unwrap()
    }

    fn planned(&mut self, key: &str) -> &mut Planned {
        let at = self.at(key);
        &mut self.entities[at as usize]
    }

    pub(super) fn needs(mut self, who: &str, on: &str, strength: Strength) -> Self {
        let (who, on) = (self.at(who), self.at(on));
        self.needs.push((who, Need { on, strength }));
        self
    }

    /// A soft need that is left out at first.
    pub(super) fn cuts(mut self, who: &str, on: &str) -> Self {
        let left_out = (Referent::Content(i64::from(self.at(on))), self.at(on));
        let all = &mut self.planned(who).left_out;
        all.push(left_out);
        all.sort_by_key(|(_, node)| *node);
        self.needs(who, on, SOFT)
    }

    /// The same of a field that the model requires.
    pub(super) fn cuts_required(self, who: &str, on: &str) -> Self {
        self.cuts(who, on).needs(who, on, REQUIRED)
    }

    pub(super) fn level(mut self, key: &str, level: u32) -> Self {
        self.planned(key).level = level;
        self
    }

    pub(super) fn weight(mut self, key: &str, weight: u32) -> Self {
        self.planned(key).remaining_ms = weight;
        self
    }

    pub(super) fn updates(mut self, key: &str) -> Self {
        self.planned(key).action = Action::Update {
            target: TargetId::new(9000),
        };
        self
    }

    pub(super) fn action(mut self, key: &str, action: Action) -> Self {
        self.planned(key).action = action;
        self
    }

    pub(super) fn run(self, schedule: Schedule) -> Run {
        self.run_with(schedule, false)
    }

    pub(super) fn run_with(self, schedule: Schedule, fail_fast: bool) -> Run {
        let levels = self.entities.iter().map(|planned| planned.level + 1);
        let count = u32::try_from(self.entities.len()).unwrap();
        let plan = Plan {
            levels: levels.max().unwrap_or(0),
            graph: Graph::new(count, self.needs),
            entities: self.entities,
            ..Plan::default()
        };
        let source = Arc::new(self.source);
        let limits = Limits {
            saves: 9,
            assets: 9,
            batches: 9,
            batch_items: 1,
            pages: 9,
            files: 9,
            upload: UploadLimits::default(),
        };
        let mut run = Run {
            state: RunState::new(
                Arc::new(plan),
                Arc::clone(&source),
                schedule,
                fail_fast,
                limits,
            ),
            source,
            away: Vec::new(),
            log: Vec::new(),
            causes: Vec::new(),
        };
        let effects = run.state.start();
        run.take(effects);
        run
    }
}

/// A run that advances when the script does.
pub(super) struct Run {
    pub(super) state: RunState,
    source: Arc<Inventory<SourceId>>,
    away: Vec<Job>,
    /// Everything that was launched or emitted, in short.
    pub(super) log: Vec<String>,
    causes: Vec<(EntityKey, Failure)>,
}

impl Run {
    /// What is left to play: a copy of the state, and what is in flight.
    pub(super) fn rest(&self) -> (RunState, Vec<Job>) {
        (self.state.clone(), self.away.clone())
    }

    /// What has left and is not back, sorted; patches are marked.
    pub(super) fn away(&self) -> Vec<String> {
        let mut names: Vec<String> = self.away.iter().map(|job| self.name(job)).collect();
        names.sort_unstable();
        names
    }

    fn name(&self, job: &Job) -> String {
        let [(node, step)] = job.steps[..] else {
            panic!("jobs of these runs hold one entity: {job:?}");
        };
        let key = &self.source.entities()[node as usize].key;
        match step {
            Step::Save => key.to_string(),
            Step::Patch => format!("patch {key}"),
        }
    }

    pub(super) fn save(&mut self, name: &str) {
        let target = target_of(name);
        self.back(
            name,
            StepResult::Done(Saved {
                target,
                bytes: 1,
                how: How::AsPlanned,
            }),
            None,
        );
    }

    pub(super) fn fail(&mut self, name: &str) {
        self.fail_of(name, Failure::TimedOut);
    }

    /// The server refuses.
    pub(super) fn refuse(&mut self, name: &str) {
        self.fail_of(name, Failure::Refused);
    }

    fn fail_of(&mut self, name: &str, cause: Failure) {
        let reason = "the server refused it".to_owned();
        self.back(
            name,
            StepResult::Failed {
                reason,
                cause: cause.into(),
            },
            None,
        );
    }

    /// Saved, but the read-back found an encoding stored wrong.
    pub(super) fn save_wrong(&mut self, name: &str) {
        let target = target_of(name);
        let saved = StepResult::Done(Saved {
            target,
            bytes: 1,
            how: How::AsPlanned,
        });
        self.back(
            name,
            saved,
            Some(StopCause::Reference("a link was stored empty".to_owned())),
        );
    }

    fn back(&mut self, name: &str, result: StepResult, stop: Option<StopCause>) {
        let at = self.away.iter().position(|job| self.name(job) == name);
        let job = self
            .away
            .remove(at.unwrap_or_else(|| panic!("{name} is not away: {:?}", self.away())));
        let effects = self.state.apply(Input::Done {
            job,
            results: vec![result],
            stop,
        });
        self.take(effects);
    }

    /// Saves whatever is away until nothing is.
    pub(super) fn save_all(&mut self) {
        while let Some(name) = self.away().first().cloned() {
            self.save(&name);
        }
    }

    pub(super) fn command(&mut self, command: Command) {
        let effects = self.state.apply(Input::Command(command));
        self.take(effects);
    }

    fn take(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Launch(job) => {
                    self.log.push(format!("launch {}", self.name(&job)));
                    self.away.push(job);
                }
                Effect::Persist { .. } => {}
                Effect::Emit(event) => {
                    self.log.extend(short(&event));
                    if let Event::EntitySettled {
                        key,
                        cause: Some(cause),
                        ..
                    } = event
                    {
                        self.causes.push((key, cause));
                    }
                }
            }
        }
    }

    /// The outcome of an entity: `created`, `failed`, `blocked by model:1`; blank while it has none.
    pub(super) fn outcome(&self, key: &str) -> String {
        let wanted = format!("{key} ");
        let outcomes: Vec<&str> = self
            .log
            .iter()
            .filter_map(|line| line.strip_prefix(&wanted))
            .collect();
        assert!(
            outcomes.len() < 2,
            "{key} has several outcomes: {outcomes:?}"
        );
        outcomes.first().copied().unwrap_or_default().to_owned()
    }

    /// What kind of thing made an entity fail.
    pub(super) fn cause(&self, key: &str) -> Option<Failure> {
        let key: EntityKey = key.parse().unwrap();
        let mut causes = self.causes.iter();
        causes.find(|(of, _)| *of == key).map(|(_, cause)| *cause)
    }

    /// Where `line` stands in the log.
    pub(super) fn when(&self, line: &str) -> usize {
        let found: Vec<usize> = (0..self.log.len())
            .filter(|at| self.log[*at] == line)
            .collect();
        assert_eq!(found.len(), 1, "{line:?} stands once in {:#?}", self.log);
        found[0]
    }

    pub(super) fn has(&self, line: &str) -> bool {
        self.log.iter().any(|other| other == line)
    }
}

/// A target id that belongs to one entity only.
fn target_of(name: &str) -> TargetId {
    let key: EntityKey = name.trim_start_matches("patch ").parse().unwrap();
    TargetId::new(1000 + key.id.raw())
}

fn short(event: &Event) -> Option<String> {
    match event {
        Event::EntitySettled {
            key,
            outcome: Outcome::Blocked { by },
            ..
        } => Some(format!("{key} blocked by {by}")),
        Event::EntitySettled { key, outcome, .. } => Some(format!("{key} {}", outcome.name())),
        Event::GateOpened { gate, .. } => Some(format!("open {gate}")),
        Event::GateFailed { gate, by } => Some(format!("lost {gate} by {by}")),
        Event::DrainStarted { reason, .. } => Some(format!("drain: {reason}")),
        Event::LaneStarted { lane } => Some(format!("start {}", lane.name())),
        Event::LaneFinished { lane } => Some(format!("finish {}", lane.name())),
        Event::Paused => Some("paused".to_owned()),
        Event::Resumed => Some("resumed".to_owned()),
        _ => None,
    }
}
