//! The publishing of a run, from its first request to its last event.

use std::sync::Arc;

use super::choice::entities;
use super::jobs::Publisher;
use super::state::PublishState;
use crate::domain::EntityKey;
use crate::engine::context::RunContext;
use crate::engine::control::Control;
use crate::engine::dispatch::carry_out;
use crate::engine::end::End;
use crate::engine::forecast::{EtaEstimator, PostUploadWork, Publication, Reading};
use crate::event::Event;
use crate::instance::{Source, Target};
use crate::plan::Approved;
use crate::store::{Mapping, StoreError};

/// What became of the publications of a run.
#[derive(Debug, Default)]
pub(in crate::engine) struct Publications {
    /// What could not be published, with the reason.
    pub(in crate::engine) refused: Vec<(EntityKey, String)>,
    /// How the run ended by that.
    pub(in crate::engine) end: End,
}

/// Publishes, by the dispatcher that carries out the uploads as well. Where a plan is applied, `approved` limits it to what
/// that names. `reading` is what comes after it.
///
/// # Errors
/// [`StoreError`] when it could not be noted: nothing more is published then.
pub(in crate::engine) async fn publish<S, T>(
    context: &Arc<RunContext<S, T>>,
    (mappings, approved): (&[Mapping], Option<&Approved>),
    reading: Reading,
    control: &mut Control<'_>,
) -> Result<Publications, StoreError>
where
    S: Source,
    T: Target,
{
    let entities = Arc::new(entities(context, mappings, approved));
    if entities.is_empty() {
        return Ok(Publications::default());
    }
    if control.is_asked() {
        return Ok(Publications {
            refused: Vec::new(),
            end: End::Interrupted,
        });
    }
    let after = PostUploadWork {
        // All of it is in the plan.
        publication: Publication::default(),
        reading,
    };
    let state = PublishState::new(Arc::clone(&entities), context.options.fail_fast);
    let jobs = Arc::new(Publisher::new(Arc::clone(context), entities));
    let work = (state, EtaEstimator::new(after));
    let end = carry_out(Arc::clone(&jobs), work, control).await?;
    let (published, refused) = jobs.results();
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let finished = Event::PublishFinished {
        published: count(published),
        refused: count(refused.len()),
    };
    context.sink.emit(finished).await;
    Ok(Publications { refused, end })
}
