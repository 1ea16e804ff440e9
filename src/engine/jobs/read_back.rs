//! Early read-back: the first items that use an encoding are read and compared before others follow.
//!
//! A link can be stored empty and the save still answer success. So an encoding is trusted only after this
//! target has been seen to keep it; the first difference in a reference stops the run.

use crate::domain::{Id, TargetId};
use crate::engine::context::{Ends, Prepared, RunContext};
use crate::engine::state::{Saved, StepResult};
use crate::instance::Cause;
use crate::plan::Difference;

/// Reads what was saved and holds one of `encodings`, and compares its references. Returns why nothing more may be written, if
/// so.
pub(super) async fn compare<E: Ends>(
    context: &RunContext<E>,
    encodings: u64,
    items: &[Prepared],
    results: &[StepResult],
) -> Option<String> {
    for (item, result) in items.iter().zip(results) {
        let StepResult::Done(Saved { target, .. }) = result else {
            continue;
        };
        if context.view.planned(item.node).encodings & encodings == 0 {
            continue;
        }
        if let Some(why) = compare_one(context, item, *target).await {
            return Some(why);
        }
    }
    None
}

pub(super) async fn compare_one<E: Ends>(
    context: &RunContext<E>,
    item: &Prepared,
    target: TargetId,
) -> Option<String> {
    let key = &context.view.entity(item.node).key;
    let (kind, locale) = (item.save.kind, item.save.locale.as_ref());
    let found = match context.inquiry().one(kind, target.raw(), locale).await {
        Ok(found) => found,
        // The run ends anyway.
        Err(error) if error.cause == Cause::Halted => return None,
        Err(error) => {
            return Some(format!(
                "{key} could not be read back after its save: {error}"
            ));
        }
    };
    let Some(found) = found else {
        return Some(format!(
            "{key} was saved as {target}, and the target does not know that id"
        ));
    };
    let all = item.differences(&found.body.parse(), &context.view.schema);
    all.iter().find(|difference| difference.is_reference).map(|difference| {
        let Difference { at, expected, found, .. } = difference;
        format!("the target stored a reference of {key} wrong: at {at} it was sent {expected} and has {found}")
    })
}
