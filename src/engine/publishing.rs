//! One workflow step for several entities, and the outcome of each.
//!
//! Publishing twice is harmless. So entities without a result of their own are submitted again in smaller parts, down to
//! single ones: an entity that is refused does not affect the others. Where the response names an entity neither as done
//! nor as refused, its state on the target is read first.

use std::collections::BTreeMap;

use super::context::{Ends, RunContext};
use super::pace::Class;
use super::poll::BatchKind;
use super::reconcile::{BatchEnd, HandedIn, follow_quietly, refusal_message, repeat};
use super::sink::Sink;
use super::state::IDS_AT_ONCE;
use crate::domain::{BatchId, Id as _, ItemState, Kind, Locale, TargetId};
use crate::event::Event;
use crate::instance::{
    About, Cause, Effect, Refusal, RequestError, RowResult, Target as _, Unconfirmed, Verdict,
    Workflow,
};

/// So many refusals of whole batches in the same words, with no success between, are about all that is left.
const SAME_WORDS: u32 = 12;

/// Refusals of whole batches in a row: the server's words, and how often they came.
#[derive(Debug, Default)]
pub(super) struct SameWords(String, u32);

/// What came of a step.
#[derive(Debug, Default)]
pub(super) struct Moved {
    /// Why it could not be done, by id.
    pub(super) refused: BTreeMap<TargetId, String>,
    /// What was not handed in, because the run ended.
    pub(super) left: Vec<TargetId>,
}

impl Moved {
    /// Whether something became of it, or did not leave.
    pub(super) fn has(&self, id: TargetId) -> bool {
        self.refused.contains_key(&id) || self.left.contains(&id)
    }
}

/// The outcome of one request.
enum End {
    /// Results one by one: those that were refused, and those that are handed in again.
    Told(BTreeMap<TargetId, String>, Vec<TargetId>),
    /// Refused as a whole, with the server's words alone.
    Whole(String, String),
    /// It is not known.
    Unknown(String),
    /// It did not leave.
    Halted,
}

/// Carries out `step` for some entities of one kind and locale.
pub(super) async fn move_some<E: Ends>(
    context: &RunContext<E>,
    step: Workflow,
    (kind, locale): (Kind, &Locale),
    ids: &[TargetId],
) -> Moved {
    move_more(
        context,
        step,
        (kind, locale),
        ids,
        &mut SameWords::default(),
    )
    .await
}

/// The same after others; `row` has how they were refused.
pub(super) async fn move_more<E: Ends>(
    context: &RunContext<E>,
    step: Workflow,
    (kind, locale): (Kind, &Locale),
    ids: &[TargetId],
    row: &mut SameWords,
) -> Moved {
    let mut moved = Moved::default();
    let mut open: Vec<Vec<TargetId>> = ids.chunks(IDS_AT_ONCE).map(<[_]>::to_vec).collect();
    open.reverse();
    while let Some(some) = open.pop() {
        let refuse = |why: &str| {
            some.iter()
                .map(|id| (*id, why.to_owned()))
                .collect::<Vec<_>>()
        };
        match hand_in(context, step, (kind, locale), &some).await {
            End::Told(refused, again) => {
                *row = SameWords::default();
                moved.refused.extend(refused);
                split(&mut open, again);
            }
            End::Whole(why, said) => {
                row.1 = if row.0 == said { row.1 + 1 } else { 1 };
                row.0 = said;
                if row.1 >= SAME_WORDS {
                    let rest = open.drain(..).flatten();
                    moved.refused.extend(rest.map(|id| (id, why.clone())));
                }
                if some.len() == 1 || row.1 >= SAME_WORDS {
                    moved.refused.extend(refuse(&why));
                } else {
                    split(&mut open, some);
                }
            }
            End::Unknown(why) => moved.refused.extend(refuse(&why)),
            End::Halted => {
                moved.left = some;
                moved.left.extend(open.drain(..).flatten());
            }
        }
    }
    moved
}

/// Puts two halves in front.
fn split(open: &mut Vec<Vec<TargetId>>, mut some: Vec<TargetId>) {
    let rest = some.split_off(some.len().div_ceil(2));
    open.extend([rest, some].into_iter().filter(|part| !part.is_empty()));
}

async fn hand_in<E: Ends>(
    context: &RunContext<E>,
    step: Workflow,
    (kind, locale): (Kind, &Locale),
    ids: &[TargetId],
) -> End {
    let submit = || {
        context
            .instances
            .target
            .submit_workflow(step, kind, locale, ids)
    };
    let sender = context.instances.to_target();
    let mut submitted = sender.send_as(Class::Submit, Effect::Write, submit).await;
    // Several are handed in again in parts, which may be what helps.
    if let Err(error) = &submitted
        && ids.len() == 1
        && error.verdict(Effect::Write) == Verdict::Reconcile
    {
        submitted = repeat(context, Class::Submit, submit, error.clone()).await;
    }
    let batch = match submitted {
        Ok(batch) => batch,
        Err(error) if error.cause == Cause::Halted => return End::Halted,
        Err(error) => {
            // One entity can make the server refuse the request, or fail at it.
            let is_of_one = matches!(
                error.cause,
                Cause::Refused { .. } | Cause::NotFound | Cause::Forbidden
            ) || error.verdict(Effect::Write) == Verdict::Reconcile;
            let why = error.to_string();
            return if is_of_one {
                End::Whole(why, format!("{}{:?}", error.cause, error.said))
            } else {
                End::Unknown(why)
            };
        }
    };
    let items = u32::try_from(ids.len()).unwrap_or(u32::MAX);
    let handed = HandedIn {
        batch,
        kind,
        locale: Some(locale),
        items,
        does: BatchKind::Workflow,
    };
    let end = match follow_quietly(context, &handed).await {
        BatchEnd::Finished(results) => {
            let judged = judge(context, kind, ids, &results).await;
            let is_alone = ids.len() == 1;
            look_at_untold(context, step, (kind, locale), (judged, is_alone)).await
        }
        BatchEnd::Failed(refusal) => End::Whole(refusal_message(&refusal), refusal.said),
        BatchEnd::Unknown(why) => End::Unknown(why),
        BatchEnd::Halted => End::Halted,
    };
    emit_end(&context.sink, batch, items, &end).await;
    end
}

async fn emit_end(sink: &Sink, batch: BatchId, items: u32, end: &End) {
    let failed = match end {
        End::Told(refused, again) => u32::try_from(refused.len() + again.len()).unwrap_or(u32::MAX),
        End::Whole(..) if items > 1 => {
            return sink.emit(Event::BatchSplit { batch, items }).await;
        }
        End::Whole(..) | End::Unknown(_) | End::Halted => items,
    };
    let finished = Event::BatchFinished {
        batch,
        succeeded: items.saturating_sub(failed),
        failed: failed.min(items),
    };
    sink.emit(finished).await;
}

/// What the rows of a batch state.
struct Judged {
    refused: BTreeMap<TargetId, String>,
    /// What no row names.
    untold: Vec<TargetId>,
    /// Whether something of the untold was refused.
    is_refused: bool,
}

/// Finds the results of what was asked for: they come in any order, and with those of items that come along.
async fn judge<E: Ends>(
    context: &RunContext<E>,
    kind: Kind,
    ids: &[TargetId],
    results: &[RowResult],
) -> Judged {
    let is_asked =
        |about: &About| about.kind.is_none_or(|told| told == kind) && ids.contains(&about.id);
    let mut refused = BTreeMap::new();
    let mut unnamed = Vec::new();
    let refusals = results.iter().filter_map(|result| match result {
        Err(Unconfirmed::Refused(refusal)) => Some(refusal),
        Ok(_) | Err(Unconfirmed::Unclear(_)) => None,
    });
    for refusal in refusals {
        match &refusal.about {
            Some(about) if is_asked(about) => {
                refused
                    .entry(about.id)
                    .or_insert_with(|| refusal_message(refusal));
            }
            Some(about) => emit_of_another(&context.sink, about, refusal).await,
            None => unnamed.push(refusal_message(refusal)),
        }
    }
    let shown = |id: &TargetId| {
        results
            .iter()
            .any(|result| result.as_ref().is_ok_and(|saved| saved.id == *id))
    };
    let untold = ids
        .iter()
        .filter(|id| !refused.contains_key(*id) && !shown(id));
    let mut untold: Vec<TargetId> = untold.copied().collect();
    // Of those that no row names, so many were refused; where that is all of them, nothing is open.
    let is_refused = !unnamed.is_empty();
    if let Some(first) = unnamed.first()
        && unnamed.len() >= untold.len()
    {
        refused.extend(untold.drain(..).map(|id| (id, first.clone())));
    }
    Judged {
        refused,
        untold,
        is_refused,
    }
}

/// Decides about what no row names: what the target shows as done is done, and the rest is handed in again.
async fn look_at_untold<E: Ends>(
    context: &RunContext<E>,
    step: Workflow,
    (kind, locale): (Kind, &Locale),
    (judged, is_alone): (Judged, bool),
) -> End {
    let Judged {
        mut refused,
        mut untold,
        is_refused,
    } = judged;
    if untold.is_empty() || is_refused {
        return End::Told(refused, untold);
    }
    match states(context, (kind, locale), &untold).await {
        Ok(states) => untold.retain(|id| !is_done(step, states.get(id).copied())),
        Err(error) if error.cause == Cause::Halted => return End::Halted,
        Err(error) => return End::Unknown(error.to_string()),
    }
    if is_alone {
        let why = "the answer does not name it, and the target does not show that it was done";
        refused.extend(untold.drain(..).map(|id| (id, why.to_owned())));
    }
    End::Told(refused, untold)
}

/// Whether an entity in this state has gone through a step. Where a server has no states, the answer decides.
fn is_done(step: Workflow, state: Option<ItemState>) -> bool {
    match (step, state) {
        (_, None) => false,
        (_, Some(ItemState::None)) => true,
        (Workflow::Publish, Some(state)) => state == ItemState::Published,
        (Workflow::Unpublish, Some(state)) => state != ItemState::Published,
    }
}

/// The states of some entities as the target has them now.
async fn states<E: Ends>(
    context: &RunContext<E>,
    (kind, locale): (Kind, &Locale),
    ids: &[TargetId],
) -> Result<BTreeMap<TargetId, ItemState>, RequestError> {
    let inquiry = context.inquiry();
    let raw: Vec<i64> = ids.iter().map(|id| id.raw()).collect();
    let there = if kind == Kind::Content {
        inquiry.items(locale, &raw).await?
    } else {
        let mut there = Vec::new();
        for id in raw {
            there.extend(inquiry.one(kind, id, Some(locale)).await?);
        }
        there
    };
    Ok(there
        .into_iter()
        .map(|there| (there.key.id, there.state))
        .collect())
}

/// An item that came along with what was asked for, such as a component of a page, was refused.
async fn emit_of_another(sink: &Sink, about: &About, refusal: &Refusal) {
    let kind = about.kind.map_or("item", Kind::name);
    let message = format!(
        "{kind} {} on the target, which goes along with what is published, was refused: {}",
        about.id,
        refusal_message(refusal)
    );
    sink.emit(Event::Warned { message }).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_come_first_and_no_part_is_empty() {
        let ids = |numbers: &[i64]| {
            numbers
                .iter()
                .map(|id| TargetId::new(*id))
                .collect::<Vec<_>>()
        };
        let mut open = vec![ids(&[9])];
        split(&mut open, ids(&[1, 2, 3]));
        assert_eq!(open, [ids(&[9]), ids(&[3]), ids(&[1, 2])]);
        split(&mut open, ids(&[4]));
        assert_eq!(open.len(), 4);
        split(&mut open, Vec::new());
        assert_eq!(open.len(), 4);
    }
}
