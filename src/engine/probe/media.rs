//! Tests whether a file that is replaced keeps its id.

use super::answers::{MediaId, Observed};
use super::stage::{Stage, Unanswered};
use crate::instance::Target;

/// Uploads a file, and another one to the same path.
pub(super) async fn ask<T: Target>(
    stage: &mut Stage<'_, T>,
) -> Result<Observed<MediaId>, Unanswered> {
    let first = stage.upload("made by lockgate probe").await?;
    let second = stage.upload("made by lockgate probe, and replaced").await?;
    let is_kept = first.id == second.id;
    let url = |saved: &crate::instance::Saved| saved.urls.as_ref().map(|urls| urls.origin.clone());
    let place = if url(&first) == url(&second) {
        "the same address"
    } else {
        "another address"
    };
    Ok(Observed {
        seen: format!("mediaID {}, then {}, at {place}", first.id, second.id),
        answer: Ok(if is_kept { MediaId::Kept } else { MediaId::New }),
    })
}
