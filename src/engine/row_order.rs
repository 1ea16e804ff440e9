//! Reorders new siblings that the target did not process in the order in which it accepted them.
//!
//! New pages of one row may be in flight together, see [`super::state::Turn`]. Their order is checked when all uploads are
//! done: the places in such rows are read, once per locale, and the smallest number of pages is saved again, the last one
//! of a row first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::context::{Ends, PlanView, RunContext};
use super::control::Control;
use super::dispatch::carry_out;
use super::end::End;
use super::forecast::{EtaEstimator, PostUploadWork};
use super::state::{Effect, Flow, Limits, Queue, Ready, Saved, Step, Work};
use crate::domain::{FailureCause, Id as _, Locale};
use crate::event::Event;
use crate::instance::{Cause, RequestError};
use crate::plan::undo::out_of_order;
use crate::plan::{Action, Node, Slot};
use crate::store::StoreError;

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Ordered {
    /// How the run ended by it.
    pub(super) end: End,
    /// Pages that could not be put in their places.
    pub(super) failed: usize,
}

/// Looks at the rows of which several new pages were at the target together, and moves what stands elsewhere. What could not be
/// read is left to the verification, and to the next run.
///
/// # Errors
/// [`StoreError`] when the state could not be made durable.
pub(super) async fn put_in_order<E: Ends>(
    context: &Arc<RunContext<E>>,
    (limits, after): (Limits, PostUploadWork),
    control: &mut Control<'_>,
) -> Result<Ordered, StoreError> {
    let ended = |end| Ordered { end, failed: 0 };
    if context.live.overlapping.is_empty() {
        return Ok(Ordered::default());
    }
    if control.is_asked() {
        return Ok(ended(End::Interrupted));
    }
    let moves = match control.looking(misplaced(context)).await {
        Ok(Ok(moves)) => moves,
        Ok(Err(error)) if error.cause == Cause::Halted => return Ok(ended(End::Interrupted)),
        Ok(Err(error)) => {
            let message = format!("the order of new pages could not be looked at: {error}");
            context.sink.emit(Event::Warned { message }).await;
            return Ok(Ordered::default());
        }
        Err(cut) => return Ok(ended(cut.into())),
    };
    if moves.is_empty() {
        return Ok(Ordered::default());
    }
    let failed = Arc::new(AtomicUsize::new(0));
    let work = RowOrder::new(&moves, limits, Arc::clone(&failed));
    let work = (work, EtaEstimator::new(after));
    let end = carry_out(Arc::clone(context), work, control).await?;
    let failed = failed.load(Ordering::Relaxed);
    Ok(Ordered { end, failed })
}

/// For every row in which some pages have to move, those pages, the last one first.
async fn misplaced<E: Ends>(context: &RunContext<E>) -> Result<Vec<Vec<Node>>, RequestError> {
    let rows: BTreeSet<Node> = context.live.overlapping.iter().map(|row| *row).collect();
    let mut by_locale: BTreeMap<&Locale, Vec<Node>> = BTreeMap::new();
    for row in rows {
        if let Some(locale) = context.view.entity(row).locale() {
            by_locale.entry(locale).or_default().push(row);
        }
    }
    let mut moves = Vec::new();
    for (locale, rows) in by_locale {
        let nodes = context.inquiry().nodes(locale).await?;
        let positions: BTreeMap<i64, u32> = nodes
            .iter()
            .map(|node| (node.page, node.placement.position))
            .collect();
        moves.extend(
            rows.into_iter()
                .map(|row| to_move(&context.view, row, &positions)),
        );
    }
    moves.retain(|row: &Vec<Node>| !row.is_empty());
    Ok(moves)
}

/// The pages of a row that have to move, the last one first: of those that this run created as few as possible.
fn to_move(view: &PlanView, first: Node, positions: &BTreeMap<i64, u32>) -> Vec<Node> {
    let place = view.planned(first).place.as_ref();
    let row = place.and_then(|place| place.at).map(|(row, _)| row);
    let slots = row.and_then(|row| view.plan.rows.get(row as usize));
    let there = slots.into_iter().flatten().filter_map(|slot| {
        let (node, id) = match slot {
            Slot::Page(node) => (Some(*node), view.ids.resolve(&view.entity(*node).key)?.id),
            Slot::Other(id) => (None, *id),
        };
        Some((node, *positions.get(&id.raw())?))
    });
    let there: Vec<(Option<Node>, u32)> = there.collect();
    let found: Vec<u32> = there.iter().map(|(_, position)| *position).collect();
    let is_new = |node: &Node| matches!(view.planned(*node).action, Action::Create { .. });
    let moves = there.into_iter().zip(out_of_order(&found));
    let moves = moves.filter(|(_, moves)| *moves);
    let mut moves: Vec<Node> = moves
        .filter_map(|((node, _), _)| node)
        .filter(is_new)
        .collect();
    moves.reverse();
    moves
}

/// Saves of pages that are put in their places, one after another in each row. The place of one that does not leave stays
/// owed, and the next run puts it there.
#[derive(Clone, Debug)]
struct RowOrder {
    flow: Flow,
    /// The first of each row.
    first: Vec<Node>,
    /// What follows in its row.
    next: BTreeMap<Node, Node>,
    left: BTreeSet<Node>,
    failed: Arc<AtomicUsize>,
}

impl RowOrder {
    fn new(rows: &[Vec<Node>], limits: Limits, failed: Arc<AtomicUsize>) -> Self {
        let pairs = rows.iter().flat_map(|row| row.windows(2));
        let left: BTreeSet<Node> = rows.iter().flatten().copied().collect();
        let mut flow = Flow::new(limits);
        flow.unsettled = u32::try_from(left.len()).unwrap_or(u32::MAX);
        Self {
            flow,
            first: rows.iter().filter_map(|row| row.first().copied()).collect(),
            next: pairs.map(|pair| (pair[0], pair[1])).collect(),
            left,
            failed,
        }
    }

    fn stand_in_line(&mut self, node: Node) {
        self.flow.queues.push(Ready {
            weight: 0,
            node,
            // The whole page, at its place.
            step: Step::Patch,
            queue: Queue::Page,
            encodings: 0,
            turn: None,
            upload: None,
        });
    }

    fn over(&mut self, node: Node) {
        self.left.remove(&node);
        self.flow.unsettled -= 1;
        if let Some(next) = self.next.get(&node).copied() {
            self.stand_in_line(next);
        }
    }
}

impl Work for RowOrder {
    fn flow(&self) -> &Flow {
        &self.flow
    }

    fn flow_mut(&mut self) -> &mut Flow {
        &mut self.flow
    }

    fn begin(&mut self, _effects: &mut Vec<Effect>) {
        for node in std::mem::take(&mut self.first) {
            self.stand_in_line(node);
        }
    }

    fn done(&mut self, (node, _): (Node, Step), _saved: Saved, _effects: &mut Vec<Effect>) {
        self.over(node);
    }

    fn failed(
        &mut self,
        (node, _): (Node, Step),
        (reason, _): (String, FailureCause),
        effects: &mut Vec<Effect>,
    ) {
        self.over(node);
        // A play takes it that everything succeeds.
        self.failed.fetch_add(1, Ordering::Relaxed);
        let message = format!("a new page could not be put in its place: {reason}");
        effects.push(Effect::Emit(Event::Warned { message }));
    }

    fn dump(&self) -> String {
        let left = self.left.len();
        format!("nothing is in flight and nothing is ready, and {left} pages are to be moved")
    }
}
