//! The action for an entity with a mapping: its content and its place are decided separately.
//!
//! A page that is in conflict in either is skipped as a whole; its other changes wait until the conflict is resolved.

use super::order::Verdict;
use crate::domain::TargetId;
use crate::plan::action::Action;

/// Why an entity that differs is skipped.
pub(super) const LEFT_ALONE: &str = "changed only on the target; not modified";
/// Why a page that stands elsewhere is skipped.
pub(super) const LEFT_IN_PLACE: &str = "moved only on the target; not modified";

/// Why a page is skipped that cannot be put at its place.
const HELD: &str = "its place is behind a page that is not written; it is moved when that one is";

/// Why the place of a page is written, and nothing else.
const MOVED: &str = "its place among its siblings changed";
/// The same of one whose fields differ.
const MOVED_AS_EDITED: &str =
    "its place among its siblings changed; what only the target changed in it is left alone";
const BOTH_MOVED: &str = "both sides moved it to different places since the last agreement; --overwrite takes the source's";
const PLACE_UNKNOWN: &str = "it stands at different places, and no agreement shows that one side alone moved it; --overwrite takes the source's";

/// Why a merged entity is written; the fields are said in its place.
pub(super) const MERGED: &str = "merged";
/// Why one is in conflict that could not be merged; the fields are said in its place.
pub(super) const NOT_MERGED: &str = "not merged";

/// Why an entity without a base is written.
pub(super) const UNTOUCHED: &str = "the target was not edited since it was mapped";
/// Why an entity is written that neither side changed.
const REFERS_OTHERWISE: &str = "a referenced entity now maps to a different target entity, or a companion of a link is missing";

/// How what the two sides say stands to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) equal: bool,
    /// `None`: nothing that is remembered shows it.
    pub(super) source_changed: Option<bool>,
    pub(super) target_changed: Option<bool>,
}

/// How the places stand to each other, and whether the page has to be put somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) verdict: Verdict,
    pub(super) moves: bool,
}

impl Place {
    /// The place of what has none, or agrees in it.
    pub(super) const AGREES: Self = Self {
        verdict: Verdict::Agrees,
        moves: false,
    };
}

/// What is done, why, and whether only the place is written.
pub(super) type Weighed = (Action, &'static str, bool);

/// Why the fields are written, `None` when they are not, or why they are in conflict.
pub(super) type Written = Result<Option<&'static str>, &'static str>;

/// Weighs up both.
pub(super) fn weigh(fields: Fields, written: Written, place: Place, target: TargetId) -> Weighed {
    let update = |because| (Action::Update { target }, because, false);
    let conflict = |because| {
        let target = Some(target);
        (Action::Conflict { target }, because, false)
    };
    let written = match written {
        Ok(written) => written,
        Err(why) => return conflict(why),
    };
    match (place.verdict, written) {
        (Verdict::Both, _) => conflict(BOTH_MOVED),
        (Verdict::Unknown, _) => conflict(PLACE_UNKNOWN),
        (Verdict::Agrees | Verdict::Source | Verdict::Target | Verdict::Held, Some(because)) => {
            update(because)
        }
        (_, None) if place.moves => {
            let because = if fields.equal { MOVED } else { MOVED_AS_EDITED };
            (Action::Update { target }, because, true)
        }
        (_, None) if !fields.equal => (Action::Unchanged { target }, LEFT_ALONE, false),
        (Verdict::Held, None) => (Action::Unchanged { target }, HELD, false),
        (Verdict::Target, None) => (Action::Unchanged { target }, LEFT_IN_PLACE, false),
        (Verdict::Agrees | Verdict::Source, None) => {
            (Action::Unchanged { target }, "identical", false)
        }
    }
}

/// Weighs up both for an item: its number is saved with its fields, so one that only the target edited stays as it is.
pub(super) fn weigh_item(
    fields: Fields,
    written: Written,
    place: Place,
    target: TargetId,
) -> Weighed {
    let place = match written {
        Ok(None) if place.moves && !fields.equal => Place::AGREES,
        Ok(_) | Err(_) => place,
    };
    let (action, because, _) = weigh(fields, written, place, target);
    (action, because, false)
}

/// What the comparison with the last agreement says of the fields.
pub(super) fn written(fields: Fields, overwrite: bool) -> Written {
    if fields.equal {
        return Ok(None);
    }
    match (fields.source_changed, fields.target_changed) {
        (Some(true), Some(false)) => Ok(Some("the source changed")),
        // Nothing is lost that the target has of its own.
        (None, Some(false)) => Ok(Some(UNTOUCHED)),
        (Some(false), Some(true)) => Ok(None),
        (Some(false), Some(false)) => Ok(Some(REFERS_OTHERWISE)),
        (_, _) if overwrite => Ok(Some("both sides changed; --overwrite")),
        (Some(true), Some(true)) => Err(
            "changed on both source and target since the last sync; use --overwrite to keep the source version",
        ),
        (_, _) => Err(
            "the sides differ, and it is not known which one changed; --overwrite takes the source's",
        ),
    }
}

/// Whether the sides differ where this is the reason.
pub(super) fn is_left_alone(because: &str) -> bool {
    [LEFT_ALONE, LEFT_IN_PLACE, HELD, MOVED_AS_EDITED].contains(&because)
}
