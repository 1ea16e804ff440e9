//! Scripted undos.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::actions::{About, Actions};
use super::gather::UndoOutlook;
use super::state::UndoState;
use crate::domain::{
    Body, Entity, EntityKey, Failure, Guid, Inventory, ItemState, Outcome, RunId, TargetKey,
};
use crate::engine::end::{End, StopCause};
use crate::engine::forecast::{Costs, ahead};
use crate::engine::pace::{Outlook, PacerSnapshot, PerClass};
use crate::engine::poll::BatchCosts;
use crate::engine::state::Limits;
use crate::engine::state::{Effect, How, Input, Job, Saved, StepResult, Work};
use crate::event::{Command, Event};
use crate::plan::UploadLimits;
use crate::plan::undo::{
    Decided, Decision, Live, LiveWork, PriorBytes, PriorState, Trace, UndoPlan,
};

const LIMITS: Limits = Limits {
    saves: 2,
    assets: 2,
    batches: 2,
    batch_items: 3,
    pages: 1,
    files: 2,
    upload: UploadLimits { files: 1, bytes: 1 },
};

/// A plan in the making.
#[derive(Default)]
struct Script {
    traces: Vec<Trace>,
    plan: UndoPlan,
}

impl Script {
    fn add(&mut self, key: &str, decision: Decision) -> usize {
        let key: EntityKey = key.parse().unwrap();
        let there = TargetKey {
            kind: key.kind,
            id: crate::domain::Id::new(crate::domain::Id::raw(key.id) + 100),
            locale: key.locale.clone(),
        };
        self.traces.push(Trace {
            existed: decision != Decision::Delete,
            ..Trace::new(key.clone(), key.to_string(), there)
        });
        self.plan.entities.push(Decided {
            decision,
            publish: false,
            live: LiveWork::Leave,
            held_by: Vec::new(),
        });
        self.traces.len() - 1
    }

    /// A stage of deletes.
    fn deletes(mut self, keys: &[&str]) -> Self {
        let stage = keys.iter().map(|key| self.add(key, Decision::Delete));
        let stage = stage.collect();
        self.plan.deletes.push(stage);
        self
    }

    /// A stage of restores.
    fn restores(mut self, keys: &[&str]) -> Self {
        let stage = keys.iter().map(|key| self.add(key, Decision::Restore));
        let stage = stage.collect();
        self.plan.restores.push(stage);
        self
    }

    fn at(&self, key: &str) -> usize {
        let mut traces = self.traces.iter();
        traces.position(|trace| trace.name == key).unwrap()
    }

    fn holds(mut self, holder: &str, held: &str) -> Self {
        let (holder, held) = (self.at(holder), self.at(held));
        self.plan.entities[held].held_by.push(holder);
        self
    }

    /// The public is to see an older version again, and what stood there is to be published.
    fn shown_again(mut self, key: &str) -> Self {
        let at = self.at(key);
        let entity = Entity {
            key: self.traces[at].there.clone(),
            name: key.into(),
            version: None,
            state: ItemState::Staging,
            placement: None,
            body: Body::new(&json!({})),
        };
        self.traces[at].live = Some(Live::Version(Box::new(entity.clone())));
        self.traces[at].prior = Some(PriorState {
            entity,
            bytes: PriorBytes::None,
        });
        self.plan.entities[at].live = LiveWork::PublishVersion;
        self.plan.entities[at].publish = true;
        self
    }

    fn start(self) -> Undo {
        let outlook = Arc::new(UndoOutlook {
            purpose: super::Purpose::Undo,
            undone: RunId("run".to_owned()),
            noted: self.traces.iter().map(|_| None).collect(),
            traces: self.traces,
            plan: self.plan,
            target: Arc::new(Inventory::empty(Guid::new("5e6f7a8b-u"))),
            webhooks: Vec::new(),
            created: HashMap::new(),
            mappings: HashMap::new(),
        });
        let actions = Arc::new(Actions::of(&outlook));
        let mut undo = Undo {
            state: UndoState::new(Arc::clone(&outlook), Arc::clone(&actions), LIMITS),
            outlook,
            actions,
            away: Vec::new(),
            outcomes: BTreeMap::new(),
            events: Vec::new(),
        };
        let effects = undo.state.start();
        undo.take(effects);
        undo
    }
}

struct Undo {
    state: UndoState,
    outlook: Arc<UndoOutlook>,
    actions: Arc<Actions>,
    away: Vec<Job>,
    outcomes: BTreeMap<String, Outcome>,
    events: Vec<Event>,
}

impl Undo {
    fn take(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Launch(job) => self.away.push(job),
                Effect::Persist { .. } => {}
                Effect::Emit(event) => {
                    if let Event::EntitySettled { key, outcome, .. } = &event {
                        let before = self.outcomes.insert(key.to_string(), outcome.clone());
                        assert_eq!(before, None, "{key} has two outcomes");
                    }
                    self.events.push(event);
                }
            }
        }
    }

    fn names(&self, job: &Job) -> Vec<String> {
        let name = |node: u32| {
            let planned = self.actions.planned(node);
            let action = planned.action;
            match planned.about {
                About::Trace(at) => format!("{action:?} {}", self.outlook.traces[at].name),
                About::Row(row) => format!("{action:?} row {row}"),
            }
        };
        job.steps.iter().map(|(node, _)| name(*node)).collect()
    }

    /// What has left and is not back.
    fn away(&self) -> Vec<String> {
        self.away.iter().flat_map(|job| self.names(job)).collect()
    }

    fn back(&mut self, name: &str, result: &StepResult) {
        let mut jobs = self.away.iter();
        let at = jobs.position(|job| self.names(job).iter().any(|one| one == name));
        let job = self.away.remove(at.unwrap());
        let input = Input::Done {
            results: vec![result.clone(); job.steps.len()],
            job,
            stop: None,
        };
        let effects = self.state.apply(input);
        self.take(effects);
    }

    fn done(&mut self, name: &str) {
        self.back(
            name,
            &StepResult::Done(Saved {
                target: crate::domain::Id::new(1),
                bytes: 0,
                how: How::AsPlanned,
            }),
        );
    }

    fn fail(&mut self, name: &str, cause: Failure) {
        let reason = "no".to_owned();
        self.back(
            name,
            &StepResult::Failed {
                reason,
                cause: cause.into(),
            },
        );
    }

    fn outcome(&self, key: &str) -> &'static str {
        self.outcomes.get(key).map_or("", Outcome::name)
    }
}

#[test]
fn a_stage_begins_when_every_action_before_it_has_its_end() {
    let mut undo = Script::default()
        .restores(&["container:1"])
        .deletes(&["asset:1", "asset:2", "asset:3"])
        .deletes(&["model:9"])
        .start();
    assert_eq!(undo.away(), ["Restore container:1"]);
    undo.done("Restore container:1");
    assert_eq!(
        undo.away(),
        ["Delete asset:1", "Delete asset:2"],
        "two at a time"
    );
    undo.done("Delete asset:2");
    assert_eq!(undo.away(), ["Delete asset:1", "Delete asset:3"]);
    undo.done("Delete asset:3");
    undo.fail("Delete asset:1", Failure::Refused);
    assert_eq!(undo.away(), ["Delete model:9"]);
    undo.done("Delete model:9");
    assert!(undo.state.is_over());
    assert!(undo.state.end().is_complete());
    assert_eq!(undo.outcome("asset:1"), "failed");
    assert_eq!(undo.outcome("model:9"), "deleted");
}

#[test]
fn what_could_not_be_undone_keeps_what_it_refers_to_at_any_distance() {
    let mut undo = Script::default()
        .restores(&["container:1"])
        .deletes(&["container:2", "container:3"])
        .deletes(&["model:4"])
        .holds("container:1", "container:2")
        .holds("container:2", "model:4")
        .start();
    undo.fail("Restore container:1", Failure::Refused);
    assert_eq!(undo.away(), ["Delete container:3"]);
    undo.done("Delete container:3");
    assert!(undo.state.is_over(), "{:?}", undo.away());
    let blocked = Outcome::Blocked {
        by: "container:1".parse().unwrap(),
    };
    for key in ["container:2", "model:4"] {
        assert_eq!(undo.outcomes.get(key), Some(&blocked), "{key}");
    }
}

/// Models in a cycle go together.
#[test]
fn what_has_left_is_not_blocked() {
    let mut undo = Script::default()
        .deletes(&["model:1", "model:2"])
        .holds("model:1", "model:2")
        .holds("model:2", "model:1")
        .start();
    assert_eq!(undo.away().len(), 2);
    undo.fail("Delete model:1", Failure::Refused);
    undo.done("Delete model:2");
    assert_eq!(
        (undo.outcome("model:1"), undo.outcome("model:2")),
        ("failed", "deleted")
    );
}

#[test]
fn what_the_public_saw_comes_before_what_stood_there_and_a_failure_leaves_out_the_rest() {
    let script = || {
        Script::default()
            .restores(&["content:1@en-us", "content:2@en-us"])
            .shown_again("content:1@en-us")
    };
    let mut undo = script().start();
    for name in [
        "SaveVersion content:1@en-us",
        "PublishVersion content:1@en-us",
        "Restore content:1@en-us",
    ] {
        assert!(undo.away().contains(&name.to_owned()), "{:?}", undo.away());
        assert_eq!(undo.outcome("content:1@en-us"), "");
        undo.done(name);
    }
    undo.done("Restore content:2@en-us");
    assert_eq!(undo.away(), ["Publish content:1@en-us"]);
    undo.done("Publish content:1@en-us");
    assert!(undo.state.is_over());
    assert_eq!(undo.outcome("content:1@en-us"), "restored");

    let mut undo = script().start();
    undo.fail("SaveVersion content:1@en-us", Failure::Refused);
    assert_eq!(undo.away(), ["Restore content:2@en-us"]);
    undo.done("Restore content:2@en-us");
    assert!(undo.state.is_over(), "{:?}", undo.away());
    assert_eq!(undo.outcome("content:1@en-us"), "failed");
}

#[test]
fn an_undo_of_which_nothing_can_go_on_ends_and_says_what_is_left() {
    let mut undo = Script::default()
        .deletes(&["asset:1"])
        .deletes(&["model:2"])
        .start();
    // No way is known that leads here: a request that does not leave has met a drain or an outage.
    undo.back("Delete asset:1", &StepResult::Held);
    assert!(undo.state.is_stalled());
    let End::Stalled(why) = undo.state.end() else {
        panic!("{:?}", undo.state.end());
    };
    assert!(why.contains("Delete of asset:1"), "{why}");
    assert!(why.contains("Delete of model:2"), "{why}");
}

#[test]
fn a_drain_lets_nothing_new_leave_and_puts_back_what_has_no_outcome() {
    let mut undo = Script::default()
        .restores(&["content:1@en-us"])
        .shown_again("content:1@en-us")
        .deletes(&["model:2"])
        .start();
    undo.done("SaveVersion content:1@en-us");
    let effects = undo.state.apply(Input::Command(Command::Drain));
    undo.take(effects);
    undo.done("PublishVersion content:1@en-us");
    assert_eq!(undo.away(), Vec::<String>::new());
    assert!(undo.state.is_over());
    assert!(matches!(undo.state.end(), End::Interrupted));
    let held = Event::EntityHeld {
        key: "content:1@en-us".parse().unwrap(),
    };
    assert_eq!(undo.state.put_back(), [held]);
}

#[test]
fn an_outage_is_no_failure_of_an_entity() {
    let mut undo = Script::default().deletes(&["asset:1", "asset:2"]).start();
    let outage = crate::engine::outage::Outage {
        side: crate::event::Side::Target,
        error: crate::instance::RequestError::new("deleting", crate::instance::Cause::Unauthorised),
    };
    let effects = undo.state.apply(Input::Outage(Arc::new(outage)));
    undo.take(effects);
    undo.fail("Delete asset:1", Failure::Access);
    undo.done("Delete asset:2");
    assert_eq!(undo.outcome("asset:1"), "");
    assert_eq!(undo.outcome("asset:2"), "deleted");
    assert!(matches!(
        undo.state.end(),
        End::Stopped(StopCause::Outage(_))
    ));
}

#[test]
fn the_rest_of_an_undo_is_played_ahead() {
    let undo = Script::default()
        .deletes(&["content:1@en-us", "content:2@en-us", "content:3@en-us"])
        .deletes(&["model:9"])
        .start();
    let costs = Costs {
        target: PacerSnapshot {
            outlook: Outlook::default(),
            total: 16,
            windows: PerClass::of(|_| 16),
            times: PerClass::of(|_| Some(Duration::from_millis(100))),
        },
        download: None,
        batches: BatchCosts::unknown(),
        commit: Duration::from_millis(3),
        gathers: false,
    };
    let left = |undo: &Undo| ahead(undo.state.clone(), undo.away.clone(), &costs).left;
    let whole = left(&undo);
    let mut undo = undo;
    undo.done("Delete content:1@en-us");
    undo.done("Delete content:2@en-us");
    undo.done("Delete content:3@en-us");
    // A look and a delete.
    assert!(left(&undo) >= Duration::from_millis(200));
    assert!(left(&undo) < whole, "{:?} of {whole:?}", left(&undo));
}
