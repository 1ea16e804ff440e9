//! URL redirections: up to 250 in one request, answered row by row.

use super::{RequestItems, disguise};
use crate::engine::context::{Ends, RunContext};
use crate::engine::reconcile::{Cargo, Sent, carry};
use crate::engine::state::{Step, StepResult};
use crate::plan::Node;
use crate::store::StoreError;

pub(super) async fn run<E: Ends>(
    context: &RunContext<E>,
    steps: &[(Node, Step)],
    sent: Option<Sent>,
) -> Result<Vec<StepResult>, StoreError> {
    let lot = RequestItems::prepare(&context.view, steps);
    if lot.items.is_empty() {
        return Ok(lot.results(Vec::new()));
    }
    let carried = carry(context, Cargo::Rows, &lot.items, sent).await?;
    for (at, saved) in &carried.taken {
        disguise::put_back(context, &lot.items[*at], saved).await?;
    }
    Ok(lot.results(carried.results))
}
