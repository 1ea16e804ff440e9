//! Gates: named points of a run, each of which settles once.
//!
//! A gate holds the number of entities that are still missing and the first one that failed. Only the dispatcher changes it,
//! so it needs no lock and no waker: what depends on a gate is kept in the dispatcher's own state until the gate settles.

use std::collections::BTreeMap;

use crate::domain::{EntityKey, Kind};
use crate::event::{Gate, GatePlan, Lane};
use crate::planted::{self, Bug};

/// What a gate has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GateState {
    /// Entities are missing.
    Closed {
        /// How many.
        missing: u32,
        /// The first of those that will not come.
        lost: Option<EntityKey>,
    },
    /// Everything arrived; the last to come, unless there was nothing to wait for.
    Open(Option<EntityKey>),
    /// Everything is settled, but this one failed.
    Failed(EntityKey),
}

/// All gates of a run.
#[derive(Clone, Debug, Default)]
pub struct Gates {
    gates: BTreeMap<Gate, (GateState, u32)>,
}

impl Gates {
    /// Gates that wait for nothing yet: the fixed ones, and one per content level.
    pub fn new(levels: u32) -> Self {
        let fixed = [
            Gate::ModelsComplete,
            Gate::TemplatesComplete,
            Gate::ContainersComplete,
            Gate::IndependentAssetsComplete,
            Gate::RedirectionsComplete,
            Gate::GalleriesComplete,
            Gate::GalleryAssetsComplete,
            Gate::ContentComplete,
            Gate::PagesComplete,
            Gate::AllEntitiesComplete,
        ];
        let levels = (0..levels).map(Gate::ContentLevelComplete);
        let closed = || {
            (
                GateState::Closed {
                    missing: 0,
                    lost: None,
                },
                0,
            )
        };
        Self {
            gates: fixed
                .into_iter()
                .chain(levels)
                .map(|gate| (gate, closed()))
                .collect(),
        }
    }

    /// Makes `gate` wait for one more entity. Only before the run starts.
    pub fn expect(&mut self, gate: Gate) {
        if let Some((GateState::Closed { missing, .. }, planned)) = self.gates.get_mut(&gate) {
            *missing += 1;
            *planned += 1;
        }
    }

    /// Settles the gates that wait for nothing, and names them.
    pub fn open_empty(&mut self) -> Vec<Gate> {
        let empty = |state: &GateState| matches!(state, GateState::Closed { missing: 0, .. });
        let mut opened = Vec::new();
        for (gate, (state, _)) in self.gates.iter_mut().filter(|(_, (state, _))| empty(state)) {
            *state = GateState::Open(None);
            opened.push(*gate);
        }
        opened
    }

    /// Notes that one of the entities of `gate` has arrived, or with `lost` that it never will. Returns the
    /// state if this settled the gate.
    pub fn arrive(
        &mut self,
        gate: Gate,
        key: &EntityKey,
        lost: Option<&EntityKey>,
    ) -> Option<GateState> {
        let (state, _) = self.gates.get_mut(&gate)?;
        let GateState::Closed {
            missing,
            lost: first,
        } = state
        else {
            return None;
        };
        *missing = missing.saturating_sub(1);
        if first.is_none() && !planted::has(Bug::OpensFailedGates) {
            *first = lost.cloned();
        }
        if *missing > 0 {
            return None;
        }
        let settled = first
            .take()
            .map_or_else(|| GateState::Open(Some(key.clone())), GateState::Failed);
        *state = settled.clone();
        Some(settled)
    }

    /// Whether nothing has to wait for `gate` any longer. A failed gate holds nothing back: what needs the failed entity is
    /// blocked by that, and the rest goes on.
    pub fn is_settled(&self, gate: Gate) -> bool {
        !matches!(self.gates.get(&gate), Some((GateState::Closed { .. }, _)))
    }

    /// The gates as a plan shows them.
    pub fn plan(&self) -> Vec<GatePlan> {
        let plan = |(gate, (_, entities)): (&Gate, &(GateState, u32))| GatePlan {
            gate: *gate,
            lane: lane(*gate),
            entities: *entities,
            waited_for_by: waited_for_by(*gate),
        };
        self.gates.iter().map(plan).collect()
    }
}

/// The gates that an entity of `kind` counts for once it is settled.
pub fn gates_of(kind: Kind, in_gallery: bool) -> &'static [Gate] {
    match (kind, in_gallery) {
        (Kind::Model, _) => &[Gate::ModelsComplete, Gate::AllEntitiesComplete],
        (Kind::Template, _) => &[Gate::TemplatesComplete, Gate::AllEntitiesComplete],
        (Kind::Container, _) => &[Gate::ContainersComplete, Gate::AllEntitiesComplete],
        (Kind::Gallery, _) => &[Gate::GalleriesComplete, Gate::AllEntitiesComplete],
        (Kind::Asset, true) => &[Gate::GalleryAssetsComplete, Gate::AllEntitiesComplete],
        (Kind::Asset, false) => &[Gate::IndependentAssetsComplete, Gate::AllEntitiesComplete],
        (Kind::Content, _) => &[Gate::ContentComplete, Gate::AllEntitiesComplete],
        (Kind::Page, _) => &[Gate::PagesComplete, Gate::AllEntitiesComplete],
        (Kind::Redirection, _) => &[Gate::RedirectionsComplete, Gate::AllEntitiesComplete],
    }
}

/// The gates that an entity of `kind` waits for in the phased schedule.
pub fn waits_for(kind: Kind, level: u32) -> Vec<Gate> {
    match kind {
        Kind::Content => {
            let mut gates = vec![
                Gate::ModelsComplete,
                Gate::TemplatesComplete,
                Gate::ContainersComplete,
                Gate::IndependentAssetsComplete,
                Gate::GalleriesComplete,
                Gate::GalleryAssetsComplete,
            ];
            gates.extend(level.checked_sub(1).map(Gate::ContentLevelComplete));
            gates
        }
        Kind::Page => vec![Gate::ContentComplete, Gate::IndependentAssetsComplete],
        Kind::Model
        | Kind::Container
        | Kind::Template
        | Kind::Gallery
        | Kind::Asset
        | Kind::Redirection => Vec::new(),
    }
}

/// The lane whose work opens a gate.
pub const fn lane(gate: Gate) -> Lane {
    match gate {
        Gate::ModelsComplete
        | Gate::TemplatesComplete
        | Gate::ContainersComplete
        | Gate::IndependentAssetsComplete
        | Gate::RedirectionsComplete => Lane::IndependentEntities,
        Gate::ContentLevelComplete(_) | Gate::ContentComplete => Lane::BatchedContent,
        Gate::GalleriesComplete
        | Gate::GalleryAssetsComplete
        | Gate::PagesComplete
        | Gate::AllEntitiesComplete => Lane::ComplexEntities,
    }
}

fn waited_for_by(gate: Gate) -> Vec<Lane> {
    match gate {
        Gate::IndependentAssetsComplete => vec![Lane::BatchedContent, Lane::ComplexEntities],
        Gate::ModelsComplete
        | Gate::TemplatesComplete
        | Gate::ContainersComplete
        | Gate::GalleriesComplete
        | Gate::GalleryAssetsComplete
        | Gate::ContentLevelComplete(_) => vec![Lane::BatchedContent],
        Gate::ContentComplete => vec![Lane::ComplexEntities],
        Gate::RedirectionsComplete | Gate::PagesComplete | Gate::AllEntitiesComplete => Vec::new(),
    }
}

/// The lane that an entity is uploaded in.
pub const fn lane_of(kind: Kind, in_gallery: bool) -> Lane {
    match kind {
        Kind::Model | Kind::Template | Kind::Container | Kind::Redirection => {
            Lane::IndependentEntities
        }
        Kind::Asset if in_gallery => Lane::ComplexEntities,
        Kind::Asset => Lane::IndependentEntities,
        Kind::Content => Lane::BatchedContent,
        Kind::Gallery | Kind::Page => Lane::ComplexEntities,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> EntityKey {
        text.parse().unwrap()
    }

    #[test]
    fn a_gate_opens_when_the_last_has_arrived_and_not_before() {
        let mut gates = Gates::new(0);
        gates.expect(Gate::ModelsComplete);
        gates.expect(Gate::ModelsComplete);
        assert_eq!(
            gates.arrive(Gate::ModelsComplete, &key("model:1"), None),
            None
        );
        assert!(!gates.is_settled(Gate::ModelsComplete));
        let opened = gates.arrive(Gate::ModelsComplete, &key("model:2"), None);
        assert_eq!(opened, Some(GateState::Open(Some(key("model:2")))));
        assert_eq!(
            gates.arrive(Gate::ModelsComplete, &key("model:2"), None),
            None,
            "it settles once"
        );
    }

    #[test]
    fn a_gate_fails_with_the_first_root_cause_once_all_are_settled() {
        let mut gates = Gates::new(1);
        let gate = Gate::ContentLevelComplete(0);
        gates.expect(gate);
        gates.expect(gate);
        let lost = key("content:1@en-us");
        assert_eq!(gates.arrive(gate, &lost, Some(&lost)), None);
        assert_eq!(
            gates.arrive(gate, &key("content:2@en-us"), None),
            Some(GateState::Failed(lost))
        );
        assert!(gates.is_settled(gate));
    }
}
