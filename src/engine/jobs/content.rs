//! Content items: batches of one locale, each matched by position and counted.

use super::{RequestItems, read_back};
use crate::domain::Locale;
use crate::engine::context::{Ends, RunContext};
use crate::engine::reconcile::{Cargo, Sent, carry};
use crate::engine::state::{Step, StepResult};
use crate::plan::Node;
use crate::store::StoreError;

/// Sends items, or takes up the request in which they were sent. Returns what came of each, and why nothing more may be
/// written, if so.
pub(super) async fn run<E: Ends>(
    context: &RunContext<E>,
    locale: &Locale,
    steps: &[(Node, Step)],
    (probe, sent): (u64, Option<Sent>),
) -> Result<(Vec<StepResult>, Option<String>), StoreError> {
    let lot = RequestItems::prepare(&context.view, steps);
    let results = if lot.items.is_empty() {
        Vec::new()
    } else {
        carry(context, Cargo::Items(locale), &lot.items, sent)
            .await?
            .results
    };
    let stop = read_back::compare(context, probe, &lot.items, &results).await;
    Ok((lot.results(results), stop))
}
