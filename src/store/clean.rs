//! What people read in the state holds no credentials. Keys, names by which entities are found again, and bodies stay
//! as they are: they are what the run works with.

use std::borrow::Cow;

use crate::domain::{Outcome, redact, redact_value};

use super::{Change, FormerLive, PreImage, PriorBytes, Publishing, RunEntity};

/// The change without credentials in its words.
pub(super) fn clean(mut change: Change) -> Change {
    match &mut change {
        Change::RunStarted(record) => redact_value(&mut record.options),
        Change::IntentClosed { answers, .. } => answers.iter_mut().for_each(text),
        Change::PreImage(image) => pre_image(image),
        Change::Publishing(publishing) => words_of_publishing(publishing),
        Change::Entity(entity) => words_of_entity(entity),
        Change::RunFinished(finish) => redact_value(&mut finish.counts),
        Change::WebhookPaused(paused) => text(&mut paused.name),
        Change::IntentOpened { intent, .. } => intent.answers.iter_mut().for_each(text),
        Change::BytesSent { .. }
        | Change::IntentBatch { .. }
        | Change::Mapping { .. }
        | Change::MappingRemoved { .. }
        | Change::PagePlace { .. }
        | Change::ListOrder { .. }
        | Change::WebhookResumed { .. }
        | Change::HostLearned { .. } => {}
    }
    change
}

fn text(text: &mut String) {
    if let Cow::Owned(clean) = redact(text) {
        *text = clean;
    }
}

fn pre_image(image: &mut PreImage) {
    if let Some(PriorBytes::Lost { why }) = &mut image.prior.bytes {
        text(why);
    }
}

fn words_of_publishing(publishing: &mut Publishing) {
    text(&mut publishing.name);
    publishing.reason.iter_mut().for_each(text);
    if let FormerLive::Unknown { why } = &mut publishing.live {
        text(why);
    }
}

fn words_of_entity(entity: &mut RunEntity) {
    text(&mut entity.name);
    text(&mut entity.because);
    match &mut entity.outcome {
        Outcome::Failed { reason } | Outcome::Kept { reason } => text(reason),
        Outcome::Created
        | Outcome::Adopted
        | Outcome::Updated
        | Outcome::Unchanged
        | Outcome::Conflict
        | Outcome::LeftAlone
        | Outcome::Blocked { .. }
        | Outcome::OutOfScope
        | Outcome::Deleted
        | Outcome::Restored => {}
    }
}
