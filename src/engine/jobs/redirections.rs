//! URL redirections: up to 250 in one request, answered row by row.

use super::{RequestItems, disguise};
use crate::engine::context::RunContext;
use crate::engine::reconcile::{Cargo, Sent, carry};
use crate::engine::state::{Step, StepResult};
use crate::instance::{Source, Target};
use crate::plan::Node;
use crate::store::StoreError;

pub(super) async fn run<S, T>(
    context: &RunContext<S, T>,
    steps: &[(Node, Step)],
    sent: Option<Sent>,
) -> Result<Vec<StepResult>, StoreError>
where
    S: Source,
    T: Target,
{
    let lot = RequestItems::prepare(context, steps);
    if lot.items.is_empty() {
        return Ok(lot.results(Vec::new()));
    }
    let carried = carry(context, Cargo::Rows, &lot.items, sent).await?;
    for (at, saved) in &carried.taken {
        disguise::put_back(context, &lot.items[*at], saved).await?;
    }
    Ok(lot.results(carried.results))
}
