//! What an undo does, in which order.
//!
//! ```text
//!   restores, kind by kind:   save the public version ─▶ publish it ─▶ unpublish ─▶ restore
//!   deletes, kind by kind:    delete
//!   then:                     order of siblings ─▶ unpublish what was unpublished ─▶ publish content ─▶ publish pages
//! ```
//!
//! Every action is a node of the plan. Actions of one stage may go together; a stage begins when every action before it has
//! its end.

use std::collections::BTreeMap;
use std::ops::Range;

use super::gather::UndoOutlook;
use super::rows::Row;
use crate::domain::{ItemState, Kind, Locale};
use crate::engine::state::Queue;
use crate::plan::Node;
use crate::plan::undo::{Decision, Live, LiveWork};

/// What is done with one request, or with one batch for several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Action {
    /// Save the version that the public saw.
    SaveVersion,
    /// Publish it.
    PublishVersion,
    /// Take from the public what it did not see.
    Unpublish,
    /// Save what was written over.
    Restore,
    /// Delete what was created.
    Delete,
    /// Bring a row of siblings in order.
    Order,
    /// Unpublish what was unpublished before: a save left it in staging.
    UnpublishAgain,
    /// Publish what was published before.
    Publish,
}

impl Action {
    /// Whether the entity has no outcome before it is done.
    pub(super) const fn is_of_outcome(self) -> bool {
        match self {
            Self::SaveVersion
            | Self::PublishVersion
            | Self::Unpublish
            | Self::Restore
            | Self::Delete
            | Self::UnpublishAgain => true,
            Self::Order | Self::Publish => false,
        }
    }
}

/// What an action is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// An entity that the run wrote, by its place among all.
    Trace(usize),
    /// Siblings, by their place among the rows: to be brought in order, or to be published if they were moved.
    Row(usize),
}

/// An action in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) action: Action,
    pub(super) about: About,
    pub(super) queue: Queue,
}

/// All actions.
#[derive(Debug, Default)]
pub(super) struct Actions {
    /// Stage by stage.
    pub(super) all: Vec<Planned>,
    /// The actions of each stage.
    pub(super) stages: Vec<Range<Node>>,
    /// Siblings that may have to be brought in order, with the pages among them that come back.
    pub(super) rows: Vec<(Row, Vec<usize>)>,
    /// The actions of each trace.
    pub(super) of_trace: Vec<Vec<Node>>,
    /// What is deleted and has to wait for each trace to let go of it.
    pub(super) held_by: Vec<Vec<usize>>,
}

impl Actions {
    /// What the plan of `outlook` comes to.
    pub(super) fn of(outlook: &UndoOutlook) -> Self {
        let plan = &outlook.plan;
        let mut actions = Self {
            of_trace: vec![Vec::new(); outlook.traces.len()],
            held_by: vec![Vec::new(); outlook.traces.len()],
            ..Self::default()
        };
        for (at, decided) in plan.entities.iter().enumerate() {
            for holder in &decided.held_by {
                actions.held_by[*holder].push(at);
            }
        }
        for stage in &plan.restores {
            actions.add_restores(stage, outlook);
        }
        for stage in &plan.deletes {
            let in_order = by_locale(stage, outlook).into_iter();
            let all = in_order.map(|at| of_trace(Action::Delete, at, outlook));
            actions.add_stage(all);
        }
        actions.add_rows(outlook);
        actions.add_publications(outlook);
        actions
    }

    /// What is planned for a node.
    pub(super) fn planned(&self, node: Node) -> &Planned {
        &self.all[node as usize]
    }

    /// The trace that a node is about, if it is about one.
    pub(super) fn trace(&self, node: Node) -> Option<usize> {
        match self.planned(node).about {
            About::Trace(at) => Some(at),
            About::Row(_) => None,
        }
    }

    fn add_stage(&mut self, planned: impl Iterator<Item = Planned>) {
        let node = |len: usize| Node::try_from(len).expect("actions are counted in 32 bits");
        let first = node(self.all.len());
        for planned in planned {
            if let About::Trace(at) = planned.about {
                self.of_trace[at].push(node(self.all.len()));
            }
            self.all.push(planned);
        }
        let stage = first..node(self.all.len());
        if !stage.is_empty() {
            self.stages.push(stage);
        }
    }

    /// What the public saw comes before what stood in staging, because the API publishes the present version only.
    fn add_restores(&mut self, stage: &[usize], outlook: &UndoOutlook) {
        let live = |wanted: fn(usize, &UndoOutlook) -> bool| {
            let stage = stage.iter().copied();
            stage.filter(move |at| wanted(*at, outlook))
        };
        for (action, wanted) in [
            (
                Action::SaveVersion,
                is_shown_again as fn(usize, &UndoOutlook) -> bool,
            ),
            (Action::PublishVersion, is_shown_again),
            (Action::Unpublish, |at, outlook| {
                is_hidden(at, outlook) && !ends_unpublished(at, outlook)
            }),
            (Action::Restore, |_, _| true),
        ] {
            self.add_stage(live(wanted).map(|at| of_trace(action, at, outlook)));
        }
    }

    fn add_rows(&mut self, outlook: &UndoOutlook) {
        let mut rows: BTreeMap<Row, Vec<usize>> = BTreeMap::new();
        for (at, noted) in outlook.noted.iter().enumerate() {
            let place = noted.as_ref().and_then(|noted| noted.place.as_ref());
            let comes_back = matches!(
                outlook.plan.entities[at].decision,
                Decision::Restore | Decision::CreateAgain | Decision::AsBefore
            );
            if let (Some(place), Some(locale), true) =
                (place, &outlook.traces[at].there.locale, comes_back)
                && place.siblings.len() > 1
            {
                let row = (locale.clone(), place.channel_id, place.parent);
                rows.entry(row).or_default().push(at);
            }
        }
        self.rows = rows.into_iter().collect();
        let order = |row| Planned {
            action: Action::Order,
            about: About::Row(row),
            queue: Queue::Page,
        };
        self.add_stage((0..self.rows.len()).map(order));
    }

    fn add_publications(&mut self, outlook: &UndoOutlook) {
        let all = || 0..outlook.traces.len();
        let is_hidden_again =
            |at: &usize| is_hidden(*at, outlook) && ends_unpublished(*at, outlook);
        let hidden = all().filter(is_hidden_again);
        self.add_stage(hidden.map(|at| of_trace(Action::UnpublishAgain, at, outlook)));
        for kind in [Kind::Content, Kind::Page] {
            let is_published = |at: &usize| {
                let there = &outlook.traces[*at].there;
                outlook.plan.entities[*at].publish && there.kind == kind && there.locale.is_some()
            };
            let published = all().filter(is_published);
            let published = published.map(|at| of_trace(Action::Publish, at, outlook));
            let rows = self.rows.iter().enumerate().filter(|_| kind == Kind::Page);
            // Which pages move is known when they do.
            let moved = rows.map(|(row, ((locale, ..), _))| Planned {
                action: Action::Publish,
                about: About::Row(row),
                queue: Queue::Workflow(Kind::Page, locale.clone()),
            });
            let stage: Vec<Planned> = published.chain(moved).collect();
            self.add_stage(stage.into_iter());
        }
    }
}

/// Locale by locale, so that those of one can be looked at together.
fn by_locale(stage: &[usize], outlook: &UndoOutlook) -> Vec<usize> {
    let mut in_order = stage.to_vec();
    in_order.sort_by_key(|at| {
        let there = &outlook.traces[*at].there;
        (there.kind == Kind::Content).then_some(&there.locale)
    });
    in_order
}

fn of_trace(action: Action, at: usize, outlook: &UndoOutlook) -> Planned {
    Planned {
        action,
        about: About::Trace(at),
        queue: queue(action, at, outlook),
    }
}

fn queue(action: Action, at: usize, outlook: &UndoOutlook) -> Queue {
    let there = &outlook.traces[at].there;
    let locale = || there.locale.clone().unwrap_or_else(|| Locale::new(""));
    match (action, there.kind) {
        (Action::Delete, kind) => Queue::Delete(kind),
        (
            Action::PublishVersion | Action::Unpublish | Action::UnpublishAgain | Action::Publish,
            kind,
        ) => Queue::Workflow(kind, locale()),
        (Action::Restore, Kind::Content) => Queue::Content(locale()),
        // Pages have their places among others. Public versions are few.
        (Action::SaveVersion | Action::Order, _) | (Action::Restore, Kind::Page) => Queue::Page,
        (Action::Restore, Kind::Asset) => Queue::Asset,
        (
            Action::Restore,
            Kind::Model | Kind::Container | Kind::Template | Kind::Gallery | Kind::Redirection,
        ) => Queue::Save,
    }
}

/// Whether the public is to see a version that is neither what stands there nor what is restored.
fn is_shown_again(at: usize, outlook: &UndoOutlook) -> bool {
    let live = &outlook.traces[at].live;
    outlook.plan.entities[at].live == LiveWork::PublishVersion
        && matches!(live, Some(Live::Version(_)))
}

fn is_hidden(at: usize, outlook: &UndoOutlook) -> bool {
    let decided = &outlook.plan.entities[at];
    decided.live == LiveWork::Unpublish && decided.decision == Decision::Restore
}

fn ends_unpublished(at: usize, outlook: &UndoOutlook) -> bool {
    let prior = outlook.traces[at].prior.as_ref();
    prior.is_some_and(|prior| prior.entity.state == ItemState::Unpublished)
}
