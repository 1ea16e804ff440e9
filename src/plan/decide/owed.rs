//! Entities that were written and never verified to be equal.
//!
//! The hashes of such a row are not an agreement: they are those of what was sent, and of what was found since. They only
//! serve to show which side changed after that write.

use super::weigh::{Fields, Written};
use crate::domain::Proof;
use crate::plan::action::Agreement;

/// Whether the fields of a counterpart that differs are written; `None` leaves it to the comparison with the last
/// agreement. `is_as_saved`: whether our save is the latest one, as far as its version shows.
pub(super) fn written(
    agreement: Option<&Agreement>,
    fields: Fields,
    is_as_saved: Option<bool>,
    overwrite: bool,
) -> Option<Written> {
    let proof = agreement.map_or(Proof::Equal, |agreement| agreement.proof);
    if fields.equal {
        return None;
    }
    let is_untouched = fields.target_changed == Some(false) || is_as_saved == Some(true);
    match (proof, is_untouched) {
        (Proof::Equal, _) => None,
        (Proof::Sent | Proof::Owed, true) if fields.source_changed == Some(true) => {
            Some(Ok(Some("the source changed")))
        }
        (Proof::Sent | Proof::Owed, true) => Some(Ok(Some(
            "it was written, and the target does not have it as it was sent",
        ))),
        (Proof::Sent | Proof::Owed, false) if overwrite => Some(Ok(Some(
            "it did not arrive as it was sent, and the target changed since; --overwrite",
        ))),
        (Proof::Sent | Proof::Owed, false) => Some(Err(
            "it did not arrive as it was sent, or the target changed since; --overwrite takes the source's",
        )),
    }
}
