//! Items whose published version on the source is older than their draft.
//!
//! The API publishes the newest version only. So the older one is saved over the draft, published, and then the draft is saved
//! on top of it again:
//!
//! ```text
//!   uploads: the draft ─▶ … ─▶ save what is public ─▶ publish ─▶ save the draft
//! ```
//! Both saves go over a known id, under an intent. A run that ends between them leaves a mapping that says what was sent last, so
//! the next run sends the draft again; whether it also has to publish again is in the notes of what was published.

use crate::domain::Locale;
use crate::engine::context::{Ends, Prepared, RunContext};
use crate::engine::reconcile::{Cargo, carry, failed, not_prepared};
use crate::engine::state::{Step, StepResult};
use crate::event::Event;
use crate::plan::Node;
use crate::store::StoreError;

/// Which version is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// What the source shows to the public.
    Public,
    /// The draft.
    Draft,
}

/// Saves items of a locale in a version, and gives the outcome of each.
pub(super) async fn save<E: Ends>(
    context: &RunContext<E>,
    locale: &Locale,
    (nodes, version): (&[Node], Version),
) -> Result<Vec<StepResult>, StoreError> {
    let mut results = Vec::with_capacity(nodes.len());
    for some in nodes.chunks(context.options.batch_items.clamp(1, 250)) {
        let prepared = some.iter().map(|node| match version {
            Version::Public => context.view.prepare_public(*node),
            Version::Draft => context.view.prepare(*node, Step::Patch),
        });
        let prepared: Vec<Result<Prepared, String>> = prepared.collect();
        let items: Vec<Prepared> = prepared.iter().flatten().cloned().collect();
        let mut sent = if items.is_empty() {
            Vec::new().into_iter()
        } else {
            let carried = carry(context, Cargo::Items(locale), &items, None).await?;
            carried.results.into_iter()
        };
        results.extend(prepared.into_iter().map(|prepared| {
            match prepared {
                Ok(_) => sent
                    .next()
                    .unwrap_or_else(|| failed("the answer has no row for it")),
                Err(reason) => not_prepared(reason),
            }
        }));
    }
    Ok(results)
}

/// Saves the drafts of items on top of what was published, and reports those that could not be.
pub(super) async fn save_drafts<E: Ends>(
    context: &RunContext<E>,
    locale: &Locale,
    nodes: &[Node],
) -> Result<(), StoreError> {
    let results = save(context, locale, (nodes, Version::Draft)).await?;
    for (node, result) in nodes.iter().zip(results) {
        let StepResult::Failed { reason, .. } = result else {
            continue;
        };
        context.live.unfinished.insert(*node);
        let entity = context.view.entity(*node);
        let message = format!(
            "{} {:?} has its published version on the target, and its newer draft could not be saved on top: {reason}; the next \
             run saves it",
            entity.key, entity.name
        );
        context.sink.emit(Event::Warned { message }).await;
    }
    Ok(())
}
