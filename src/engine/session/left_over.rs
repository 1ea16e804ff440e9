//! What a run reports of its plan before it does anything: notices about entities, and what the source no longer has.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Session;
use crate::domain::{EntityKey, Inventory, SourceId, TargetId};
use crate::engine::run_error::RunError;
use crate::engine::sink::counted;
use crate::event::Event;
use crate::instance::{Source, Target};
use crate::plan::{self, Origin, Plan, Prune, PruneInputs};
use crate::store::{Mapping, MappingOrigin};

/// What a run deletes, and the target that this was decided from.
pub(in crate::engine) type PrunePlan = (Arc<Prune>, Arc<Inventory<TargetId>>);

impl<S: Source, T: Target> Session<S, T> {
    /// Decides what a run deletes. `inputs` has the target in the locales of the run; where something may be deleted, the
    /// others are read as well.
    pub(in crate::engine) async fn plan_prune(
        &self,
        inputs: PruneInputs<'_>,
    ) -> Result<PrunePlan, RunError> {
        let target = Arc::clone(inputs.target);
        // What failed in an earlier run is a part of the source by definition.
        if !self.options.prune || !self.selection.keys.is_empty() {
            return Ok((Arc::default(), target));
        }
        let prune = Prune::of(&inputs);
        if prune.deletes().next().is_none() {
            return Ok((Arc::new(prune), target));
        }
        let locales = self.target.locales().await?;
        if locales.iter().all(|locale| target.locales.contains(locale)) {
            return Ok((Arc::new(prune), target));
        }
        let whole = Arc::new(self.target.pull::<TargetId>(&locales).await?);
        let prune = Prune::of(&PruneInputs {
            target: &whole,
            ..inputs
        });
        Ok((Arc::new(prune), whole))
    }

    /// Warns of what the plan notes. What is deleted or kept by the run (`is_pruned`) is reported per entity.
    pub(in crate::engine) async fn tell_of_plan(
        &self,
        (plan, is_pruned): (&Plan, bool),
        sides: (&Inventory<SourceId>, &Inventory<TargetId>),
        mappings: &[Mapping],
    ) {
        let gone = gone(plan, sides, mappings).filter(|_| !is_pruned);
        let warnings = plan::warnings(&plan.notices, sides.0).into_iter();
        for message in warnings.chain(gone) {
            self.sink.emit(Event::Warned { message }).await;
        }
    }
}

/// What the source no longer has, in one sentence; nothing where that is nothing.
fn gone(
    plan: &Plan,
    sides: (&Inventory<SourceId>, &Inventory<TargetId>),
    mappings: &[Mapping],
) -> Option<String> {
    let rows = mappings.iter().map(|row| (&row.key, row.target));
    let gone = plan::gone(plan, sides, rows);
    let first = gone.first()?;
    let (count, are) = counted(gone.len());
    Some(format!(
        "{count} that earlier runs migrated {are} gone from the source and left on the target, such as {} {}, {} on the target; \
         --prune deletes what nothing else refers to",
        first.key, first.name, first.target
    ))
}

/// The mappings that no run created.
pub(in crate::engine) fn origins(mappings: &[Mapping]) -> HashMap<EntityKey, Origin> {
    let origin = |mapping: &Mapping| match mapping.origin {
        MappingOrigin::Adopted => Some(Origin::Adopted),
        MappingOrigin::Imported => Some(Origin::Imported),
        MappingOrigin::Created | MappingOrigin::Updated | MappingOrigin::Recovered => None,
    };
    let rows = mappings.iter();
    rows.filter_map(|mapping| Some((mapping.key.clone(), origin(mapping)?)))
        .collect()
}

/// Entities with an earlier request whose outcome is not known.
pub(in crate::engine) fn in_doubt(doubts: &HashMap<EntityKey, String>) -> HashSet<EntityKey> {
    doubts.keys().cloned().collect()
}
