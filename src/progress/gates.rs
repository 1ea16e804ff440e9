//! How far each gate is.

use crate::domain::{EntityKey, Kind};
use crate::event::{Gate, GatePlan, Lane};

/// A gate and how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateProgress {
    /// What was planned.
    pub plan: GatePlan,
    /// What it has come to.
    pub state: GateState,
}

/// What a gate has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GateState {
    /// Something is missing.
    Closed {
        /// Uploads that have arrived.
        arrived: u32,
    },
    /// Everything has arrived.
    Open {
        /// When, in milliseconds since the start of the run.
        at_ms: u64,
        /// The last to arrive; `None` when there was nothing to wait for.
        by: Option<EntityKey>,
    },
    /// Something will not arrive.
    Failed {
        /// When, in milliseconds since the start of the run.
        at_ms: u64,
        /// The root cause.
        by: EntityKey,
    },
}

impl GateProgress {
    /// A gate at the start.
    pub(crate) fn new(plan: &GatePlan) -> Self {
        Self {
            plan: plan.clone(),
            state: GateState::Closed { arrived: 0 },
        }
    }

    /// An upload arrived, perhaps one that this gate waits for; `level` is that of a content item.
    pub(crate) fn arrive(&mut self, kind: Kind, lane: Lane, level: Option<u32>) {
        if !waits_for(self.plan.gate, kind, lane, level) {
            return;
        }
        if let GateState::Closed { arrived } = &mut self.state {
            *arrived = (*arrived + 1).min(self.plan.entities);
        }
    }

    /// Whether uploads of a kind in a lane are among those that it waits for.
    pub fn covers(&self, kind: Kind, lane: Lane) -> bool {
        match self.plan.gate {
            Gate::ContentLevelComplete(level) => {
                waits_for(Gate::ContentLevelComplete(level), kind, lane, Some(level))
            }
            gate => waits_for(gate, kind, lane, None),
        }
    }

    /// Whether it has neither opened nor failed.
    pub const fn is_closed(&self) -> bool {
        matches!(self.state, GateState::Closed { .. })
    }
}

/// Whether a gate waits for uploads of this kind and level in this lane.
fn waits_for(gate: Gate, kind: Kind, lane: Lane, level: Option<u32>) -> bool {
    match gate {
        Gate::ModelsComplete => kind == Kind::Model,
        Gate::TemplatesComplete => kind == Kind::Template,
        Gate::ContainersComplete => kind == Kind::Container,
        Gate::IndependentAssetsComplete => kind == Kind::Asset && lane == Lane::IndependentEntities,
        Gate::RedirectionsComplete => kind == Kind::Redirection,
        Gate::GalleriesComplete => kind == Kind::Gallery,
        Gate::GalleryAssetsComplete => kind == Kind::Asset && lane == Lane::ComplexEntities,
        Gate::ContentLevelComplete(own) => kind == Kind::Content && level == Some(own),
        Gate::ContentComplete => kind == Kind::Content,
        Gate::PagesComplete => kind == Kind::Page,
        Gate::AllEntitiesComplete => true,
    }
}
