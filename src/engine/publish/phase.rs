//! The publishing of a run, from its first request to its last event.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::choice::{Choice, Former, Published, entities, to_withdraw};
use super::jobs::{Publisher, Results};
use super::state::PublishState;
use super::together::Together;
use crate::domain::EntityKey;
use crate::engine::context::{Ends, RunContext};
use crate::engine::control::Control;
use crate::engine::dispatch::carry_out;
use crate::engine::end::End;
use crate::engine::forecast::{EtaEstimator, PostUploadWork, Publication, Reading};
use crate::engine::options::Publish;
use crate::engine::sink::counted;
use crate::event::Event;
use crate::instance::Workflow;
use crate::plan::{Approved, Node};
use crate::store::{Mapping, Publishing, StoreError};

/// The outcome of the publications of a run.
#[derive(Debug, Default)]
pub(in crate::engine) struct Publications {
    /// What could not be published, or was held back, with the reason.
    pub(in crate::engine) refused: Vec<(EntityKey, String)>,
    /// What was published.
    pub(in crate::engine) published: HashMap<Node, Publishing>,
    /// How many newer drafts could not be saved on top of what was published.
    pub(in crate::engine) unsaved_drafts: usize,
    /// How the run ended by that.
    pub(in crate::engine) end: End,
}

/// What the state has of the pair.
pub(in crate::engine) type Known<'a> = (&'a [Mapping], &'a Former);

/// Unpublishes and publishes, by the dispatcher that carries out the uploads as well. Where a plan is applied, `approved` limits
/// it to what that names. `reading` is what comes after it.
///
/// # Errors
/// [`StoreError`] when it could not be noted: nothing more is published then.
pub(in crate::engine) async fn publish<E: Ends>(
    context: &Arc<RunContext<E>>,
    (known, approved): (Known<'_>, Option<&Approved>),
    reading: Reading,
    control: &mut Control<'_>,
) -> Result<Publications, StoreError> {
    let sides = (
        &*context.view.source_inventory,
        &*context.view.target_inventory,
    );
    let how = (context.options.publish, approved);
    let choice = Choice::new(&context.view.plan, sides, how, known);
    let mut chosen = entities(&context.view, &context.live, &choice);
    let together = if chosen.is_empty() {
        Together::default()
    } else {
        Together::of(&context.view.plan, sides.0)
    };
    // Stable: of one stage they stay as they were.
    chosen.sort_by_key(|published| together.rank(published));
    let withdrawn = to_withdraw(&context.view, &context.live, &choice);
    if context.options.publish == Publish::Off {
        warn_of_withdrawn(context, &withdrawn).await;
    }
    let withdrawn = match context.options.publish {
        Publish::Off => Vec::new(),
        Publish::Content | Publish::Pages | Publish::Both => withdrawn,
    };
    let to_publish: HashSet<Node> = chosen.iter().map(|one| one.node).collect();
    let mut drafts = choice.drafts().collect::<Vec<_>>();
    drafts.retain(|node| !to_publish.contains(node) && !context.live.unfinished.contains(node));
    if !(chosen.is_empty() && withdrawn.is_empty()) && control.is_asked() {
        return Ok(Publications {
            end: End::Interrupted,
            ..Publications::default()
        });
    }
    let away = (withdrawn, Workflow::Unpublish, Together::default());
    let (unpublished, end) = Box::pin(step(context, away, reading, control)).await?;
    let (published, end) = if end.is_complete() {
        let out = (chosen, Workflow::Publish, together);
        Box::pin(step(context, out, reading, control)).await?
    } else {
        (Results::default(), end)
    };
    let refused: Vec<_> = [unpublished.refused, published.refused].concat();
    let (held_back, shown) = (published.held_back, published.published);
    let unsaved_drafts = published.unsaved_drafts;
    let counts = [
        shown.len(),
        refused.len(),
        held_back.len(),
        unpublished.published.len(),
        drafts.len(),
    ];
    if counts.iter().any(|count| *count > 0) {
        let counts = counts.map(|number| u32::try_from(number).unwrap_or(u32::MAX));
        let [published, refused, held_back, unpublished, drafts] = counts;
        let finished = Event::PublishFinished {
            published,
            refused,
            held_back,
            unpublished,
            drafts,
        };
        context.sink.emit(finished).await;
    }
    Ok(Publications {
        refused: [refused, held_back].concat(),
        published: shown,
        unsaved_drafts,
        end,
    })
}

/// Takes a step of the workflow with some entities.
async fn step<E: Ends>(
    context: &Arc<RunContext<E>>,
    (entities, step, together): (Vec<Published>, Workflow, Together),
    reading: Reading,
    control: &mut Control<'_>,
) -> Result<(Results, End), StoreError> {
    if entities.is_empty() {
        return Ok((Results::default(), End::Complete));
    }
    let rank = |published: &Published| match step {
        Workflow::Publish => together.rank(published),
        Workflow::Unpublish => (published.kind, 0),
    };
    let order = entities.iter().map(rank).collect();
    let entities = Arc::new(entities);
    let after = PostUploadWork {
        // All of it is in the plan.
        publication: Publication::default(),
        reading,
    };
    let publishing = PublishState::new(Arc::clone(&entities), order, context.options.fail_fast);
    let jobs = Publisher::new(Arc::clone(context), entities, (step, together));
    let jobs = Arc::new(jobs);
    let work = (publishing, EtaEstimator::new(after));
    let end = carry_out(Arc::clone(&jobs), work, control).await?;
    if end.is_complete() && step == Workflow::Publish {
        jobs.take_back().await?;
    }
    Ok((jobs.results(), end))
}

async fn warn_of_withdrawn<E: Ends>(context: &RunContext<E>, withdrawn: &[Published]) {
    let Some(first) = withdrawn.first() else {
        return;
    };
    let (count, are) = counted(withdrawn.len());
    let message = format!(
        "{count} that the source has unpublished {are} still published on the target, such as {}; --publish unpublishes what \
         a run published",
        context.view.entity(first.node).key
    );
    context.sink.emit(Event::Warned { message }).await;
}
