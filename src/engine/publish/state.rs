//! How far the publishing has come: content before pages, because pages show it.

use std::sync::Arc;

use super::choice::Published;
use crate::domain::{FailureCause, Kind};
use crate::engine::end::End;
use crate::engine::ready::{Limits, Queue, Ready};
use crate::engine::state::{Effect, Flow, Saved, Step, Work};
use crate::event::Event;
use crate::plan::Node;

/// Entities that are named when none of them can go on.
const DUMPED: usize = 50;

/// How far an entity has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    InFlight,
    Over,
}

/// The state of the publishing. Its nodes are numbers of the entities, not those of the plan of the uploads.
#[derive(Clone, Debug)]
pub(super) struct PublishState {
    entities: Arc<Vec<Published>>,
    flow: Flow,
    stages: Vec<Stage>,
    /// Content that has no outcome yet.
    content: usize,
    fail_fast: bool,
}

impl PublishState {
    /// The state before anything has left.
    pub(super) fn new(entities: Arc<Vec<Published>>, fail_fast: bool) -> Self {
        // Steps of the workflow leave one after another, whatever the limits are.
        let mut flow = Flow::new(Limits {
            batch_items: 1,
            ..Limits::default()
        });
        flow.unsettled = u32::try_from(entities.len()).unwrap_or(u32::MAX);
        Self {
            stages: vec![Stage::Waiting; entities.len()],
            content: 0,
            entities,
            flow,
            fail_fast,
        }
    }

    fn stand_in_line(&mut self, kind: Kind) {
        let entities = Arc::clone(&self.entities);
        for (node, published) in (0..).zip(entities.iter()) {
            if published.kind == kind {
                self.flow.queues.push(Ready {
                    // In the order of the source.
                    weight: 0,
                    node,
                    step: Step::Save,
                    queue: Queue::Workflow(kind, published.locale.clone()),
                    encodings: 0,
                    row: None,
                    upload: None,
                });
            }
        }
    }

    fn over(&mut self, node: Node) {
        self.stages[node as usize] = Stage::Over;
        self.flow.unsettled -= 1;
        if self.entities[node as usize].kind == Kind::Content {
            self.content -= 1;
            if self.content == 0 {
                self.stand_in_line(Kind::Page);
            }
        }
    }
}

impl Work for PublishState {
    fn flow(&self) -> &Flow {
        &self.flow
    }

    fn flow_mut(&mut self) -> &mut Flow {
        &mut self.flow
    }

    fn begin(&mut self, _effects: &mut Vec<Effect>) {
        let is_content = |published: &&Published| published.kind == Kind::Content;
        self.content = self.entities.iter().filter(is_content).count();
        if self.content == 0 {
            self.stand_in_line(Kind::Page);
        } else {
            self.stand_in_line(Kind::Content);
        }
    }

    fn is_wanted(&self, ready: &Ready) -> bool {
        self.stages[ready.node as usize] == Stage::Waiting
    }

    fn leaves(&mut self, (node, _): (Node, Step), _effects: &mut Vec<Effect>) {
        self.stages[node as usize] = Stage::InFlight;
    }

    fn done(&mut self, (node, _): (Node, Step), _saved: Saved, _effects: &mut Vec<Effect>) {
        self.over(node);
    }

    fn held(&mut self, (node, _): (Node, Step), _effects: &mut Vec<Effect>) {
        // Nothing is launched any more by then, so it needs no place in a line.
        self.stages[node as usize] = Stage::Waiting;
    }

    fn failed(
        &mut self,
        (node, _): (Node, Step),
        (reason, _): (String, FailureCause),
        effects: &mut Vec<Effect>,
    ) {
        self.over(node);
        if self.fail_fast {
            self.flow.drain(End::FailFast, &reason, effects);
        }
    }

    // All of them have their outcome. The next run publishes what is left.
    fn left(&self) -> Option<Event> {
        None
    }

    fn dump(&self) -> String {
        let entities = self.entities.iter().zip(&self.stages);
        let left = entities.filter(|(_, stage)| **stage != Stage::Over);
        let left: Vec<String> = left
            .map(|(published, stage)| {
                let Published {
                    kind, locale, id, ..
                } = published;
                format!("{kind} {id} of {locale} ({stage:?})")
            })
            .collect();
        format!(
            "nothing is in flight and nothing is ready, and {} are not published: {}",
            left.len(),
            left[..left.len().min(DUMPED)].join("; ")
        )
    }
}
