//! Redirections that this run wrote and the target does not show yet.
//!
//! Their only list is that of the Content Fetch API, which may lag behind what was saved. A row that is still as before the
//! run shows nothing about the write, so it is read again for a while.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::compare::there_of;
use crate::domain::{Inventory, Kind, Locale, TargetId};
use crate::engine::context::{Ends, PlanView, RunContext};
use crate::engine::pull::{PullError, Reader};
use crate::plan::Node;

/// Between two readings, at first and at most.
const FIRST: Duration = Duration::from_millis(500);
const APART: Duration = Duration::from_secs(4);

/// Reads the redirections again as long as one of `nodes` is as it was before, up to the time after which something in doubt
/// counts as absent.
///
/// # Errors
/// [`PullError`] when the target cannot be read.
pub(super) async fn until_shown<E: Ends>(
    context: &Arc<RunContext<E>>,
    reader: &Arc<Reader<E::Target>>,
    (locales, nodes): (&[Locale], &[Node]),
    mut lists: Inventory<TargetId>,
) -> Result<Inventory<TargetId>, PullError> {
    let written: Vec<Node> = nodes
        .iter()
        .copied()
        .filter(|node| context.view.entity(*node).key.kind == Kind::Redirection)
        .filter(|node| context.view.planned(*node).action.is_work())
        .collect();
    let (began, mut delay) = (Instant::now(), FIRST);
    while written
        .iter()
        .any(|node| is_late(&context.view, &lists, *node))
        && began.elapsed() < context.options.settle
    {
        sleep(delay).await;
        delay = (delay * 2).min(APART);
        let again = reader
            .pull_kinds::<TargetId>(locales, &[Kind::Redirection])
            .await?;
        let others = lists.entities().iter();
        let others = others.filter(|entity| entity.key.kind != Kind::Redirection);
        let all = others.chain(again.entities()).cloned().collect();
        lists = lists.clone().with_entities(all);
    }
    Ok(lists)
}

/// Whether a redirection is not there, or still says what it said before it was written.
fn is_late(view: &PlanView, lists: &Inventory<TargetId>, node: Node) -> bool {
    let Some(key) = there_of(view, &view.entity(node).key) else {
        return false;
    };
    let before = view.target_inventory.get(&key);
    match (lists.get(&key), before) {
        (None, _) => true,
        (Some(now), Some(before)) => now.body == before.body,
        (Some(_), None) => false,
    }
}
