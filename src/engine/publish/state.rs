//! The state of publishing, stage by stage: dependencies go before their dependents.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::choice::Published;
use crate::domain::{FailureCause, Kind};
use crate::engine::end::End;
use crate::engine::state::{DUMPED, Effect, Flow, Saved, Step, Work};
use crate::engine::state::{Limits, Queue, Ready};
use crate::plan::Node;

/// The state of the publishing. Its nodes are numbers of the entities, not those of the plan of the uploads.
#[derive(Clone, Debug)]
pub(super) struct PublishState {
    entities: Arc<Vec<Published>>,
    flow: Flow,
    /// What has no outcome yet, in the order of `entities`.
    left: BTreeSet<Node>,
    fail_fast: bool,
    /// The stage of each, rising.
    stages: Vec<(Kind, u32)>,
}

impl PublishState {
    /// The state before anything has left.
    pub(super) fn new(
        entities: Arc<Vec<Published>>,
        stages: Vec<(Kind, u32)>,
        fail_fast: bool,
    ) -> Self {
        // Steps of the workflow leave one after another, whatever the limits are.
        let mut flow = Flow::new(Limits {
            batch_items: 1,
            ..Limits::default()
        });
        flow.unsettled = u32::try_from(entities.len()).unwrap_or(u32::MAX);
        Self {
            left: (0..flow.unsettled).collect(),
            entities,
            flow,
            fail_fast,
            stages,
        }
    }

    fn stage(&self, node: Node) -> (Kind, u32) {
        self.stages[node as usize]
    }

    /// Lets what is left of the first stage stand in line.
    fn stand_in_line(&mut self) {
        let Some(stage) = self.left.first().map(|node| self.stage(*node)) else {
            return;
        };
        for node in self.left.iter().copied() {
            let published = &self.entities[node as usize];
            if self.stage(node) == stage {
                self.flow.queues.push(Ready {
                    // In the order of the source.
                    weight: 0,
                    node,
                    step: Step::Save,
                    queue: Queue::Workflow(published.kind, published.locale.clone()),
                    encodings: 0,
                    turn: None,
                    upload: None,
                });
            }
        }
    }

    fn over(&mut self, node: Node) {
        self.left.remove(&node);
        self.flow.unsettled -= 1;
        let first = self.left.first().map(|node| self.stage(*node));
        if first.is_some_and(|first| first != self.stage(node)) {
            self.stand_in_line();
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
        self.stand_in_line();
    }

    fn done(&mut self, (node, _): (Node, Step), _saved: Saved, _effects: &mut Vec<Effect>) {
        self.over(node);
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

    fn dump(&self) -> String {
        let named = self.left.iter().take(DUMPED).map(|node| {
            let published = &self.entities[*node as usize];
            let Published {
                kind, locale, id, ..
            } = published;
            format!("{kind} {id} of {locale}")
        });
        let named: Vec<String> = named.collect();
        format!(
            "nothing is in flight and nothing is ready, and {} are not published: {}",
            self.left.len(),
            named.join("; ")
        )
    }
}
