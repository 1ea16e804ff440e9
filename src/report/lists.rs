//! Entities by name: the first of each list, and how many more there are.

use super::text;
use crate::domain::shown_name;
use crate::event::NAMED;
use crate::progress::{Example, List, Progress};

/// Characters of a reason in a list; causes show one in full.
const REASON: usize = 160;

/// The heading of a list.
pub(crate) const fn title(list: List) -> &'static str {
    match list {
        List::Failed => "Failed",
        List::Conflict => "In conflict",
        List::LeftAlone => "Changed on the target only, left alone",
        List::Kept => "Kept on the target",
        List::Unpublished => "Saved and not published",
        List::Remaining => "Not processed",
        List::Updated => "Updated",
        List::Created => "Created",
    }
}

/// The first entities of a list. None of what failed where each stands beside its cause already.
pub(crate) fn named(progress: &Progress, list: List) -> &[Example] {
    let are_shown = progress.listed(list) as usize == progress.causes().len();
    if list == List::Failed && are_shown {
        return &[];
    }
    progress.named(list)
}

/// An entity on a line: `content:7@en-us "Opening hours": why`.
pub(crate) fn row(entity: &Example, list: List) -> String {
    let (key, name) = (&entity.key, shown_name(&entity.name));
    match reason(entity, list) {
        Some(reason) => format!("{key} \"{name}\": {reason}"),
        None => format!("{key} \"{name}\""),
    }
}

/// Why an entity is in the list, where it is there for a reason of its own.
pub(crate) fn reason(entity: &Example, list: List) -> Option<String> {
    match list {
        List::Failed | List::Conflict | List::LeftAlone | List::Kept | List::Unpublished => {
            Some(text::short(&entity.reason, REASON))
        }
        List::Remaining | List::Updated | List::Created => None,
    }
}

/// How many entities a list has beyond those that are named, and where they are.
pub(crate) fn more(progress: &Progress, list: List) -> Option<String> {
    let more = progress
        .listed(list)
        .saturating_sub(u32::try_from(NAMED).unwrap_or(u32::MAX));
    let place = match list {
        List::Remaining => "`lockgate plan` lists them",
        List::Failed
        | List::Conflict
        | List::LeftAlone
        | List::Kept
        | List::Unpublished
        | List::Updated
        | List::Created => "in events.ndjson",
    };
    (more > 0).then(|| format!("and {} more: {place}", text::count(more)))
}
