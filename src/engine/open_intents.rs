//! The intents of this run that have no outcome yet: what each carries, its batch, and why attempts at it failed.
//!
//! The store holds the same, and is used after a crash. This copy is for the run itself: a job whose task panicked is
//! resumed from its open intents, and failed attempts are stored together with the outcome. They need no commit of their
//! own, as no recovery depends on them.

use dashmap::DashMap;

use super::state::Step;
use crate::domain::{BatchId, ContentHash, EntityKey, Kind, Locale};
use crate::plan::Node;
use crate::store::{IntentDetail, IntentId, Operation};

/// Answers that are kept of one intent; what a server repeats is kept once.
const KEPT: usize = 20;

/// Characters that are kept of one answer.
const LENGTH: usize = 400;

/// An intent without an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenIntent {
    /// What it carries, in the order of the request.
    pub(super) steps: Vec<(Node, Step)>,
    /// Which attempt it is, the first being 1.
    pub(super) attempt: u32,
    /// Its number on the target, once known.
    pub(super) batch: Option<BatchId>,
    /// What it creates.
    creates: Vec<Signature>,
    /// Whether its answer is lost, so that it is looked for like others.
    in_doubt: bool,
    /// Why attempts failed.
    answers: Vec<String>,
}

/// The same for equal things that are created, and for no others.
pub(super) type Signature = (Kind, Option<Locale>, ContentHash);

/// A request that is about to leave, as the store notes it.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) operation: Operation,
    /// The entities in it; one hash and one detail for each.
    pub(super) keys: Vec<EntityKey>,
    pub(super) hashes: Vec<ContentHash>,
    pub(super) details: Vec<IntentDetail>,
    /// The steps in it.
    pub(super) steps: Vec<(Node, Step)>,
    /// What it creates.
    pub(super) creates: Vec<Signature>,
    pub(super) attempt: u32,
}

/// All of them.
#[derive(Debug, Default)]
pub struct OpenIntents {
    by_id: DashMap<IntentId, OpenIntent>,
}

impl OpenIntents {
    /// Notes an intent that is durable.
    pub(super) fn open(
        &self,
        id: IntentId,
        (steps, creates): (Vec<(Node, Step)>, Vec<Signature>),
        attempt: u32,
    ) {
        let intent = OpenIntent {
            steps,
            attempt,
            batch: None,
            creates,
            in_doubt: false,
            answers: Vec::new(),
        };
        self.by_id.insert(id, intent);
    }

    /// Notes the number under which the target works it off.
    pub(super) fn number(&self, id: IntentId, batch: BatchId) {
        if let Some(mut intent) = self.by_id.get_mut(&id) {
            intent.batch = Some(batch);
        }
    }

    /// Notes that the answer of an intent is lost, and why.
    pub(super) fn doubt(&self, id: IntentId, why: &str) {
        self.note(id, why);
        if let Some(mut intent) = self.by_id.get_mut(&id) {
            intent.in_doubt = true;
        }
    }

    /// Whether another intent creates something like this, and may still learn its outcome.
    pub(super) fn has_rival(&self, id: IntentId, signature: &Signature) -> bool {
        self.by_id
            .iter()
            .any(|other| *other.key() != id && !other.in_doubt && other.creates.contains(signature))
    }

    /// The intents whose answer may still come, and that carry something for which `is_meant`.
    pub(super) fn awaited(&self, is_meant: impl Fn(Node) -> bool) -> Vec<IntentId> {
        let carries = |intent: &OpenIntent| intent.steps.iter().any(|(node, _)| is_meant(*node));
        let open = self.by_id.iter();
        open.filter(|other| !other.in_doubt && carries(other))
            .map(|other| *other.key())
            .collect()
    }

    /// Whether the answer of an intent may still come.
    pub(super) fn is_awaited(&self, id: IntentId) -> bool {
        self.by_id.get(&id).is_some_and(|intent| !intent.in_doubt)
    }

    /// Whether an intent creates something like this.
    pub(super) fn is_created(&self, signature: &Signature) -> bool {
        self.by_id
            .iter()
            .any(|open| open.creates.contains(signature))
    }

    /// Notes why an attempt failed, unless that is what the last one failed of.
    pub(super) fn note(&self, id: IntentId, why: &str) {
        let why = cut(why);
        if let Some(mut intent) = self.by_id.get_mut(&id)
            && intent.answers.len() < KEPT
            && intent.answers.last() != Some(&why)
        {
            intent.answers.push(why);
        }
    }

    /// Whether an attempt at it has failed, so that one of its requests may be on its way.
    pub(super) fn is_tried(&self, id: IntentId) -> bool {
        let intent = self.by_id.get(&id);
        intent.is_some_and(|intent| !intent.answers.is_empty())
    }

    /// Forgets an intent that comes to its end, and returns why attempts at it failed.
    pub(super) fn close(&self, id: IntentId) -> Vec<String> {
        let closed = self.by_id.remove(&id);
        closed.map(|(_, intent)| intent.answers).unwrap_or_default()
    }

    /// Those that carry one of `steps`, in the order in which they were opened.
    pub(super) fn of(&self, steps: &[(Node, Step)]) -> Vec<(IntentId, OpenIntent)> {
        let carries = |intent: &OpenIntent| intent.steps.iter().any(|step| steps.contains(step));
        let open = self.by_id.iter();
        let mut found: Vec<_> = open
            .filter(|entry| carries(entry.value()))
            .map(|entry| (*entry.key(), entry.value().clone()))
            .collect();
        found.sort_unstable_by_key(|(id, _)| *id);
        found
    }
}

/// Where a request notes its failed attempts.
#[derive(Clone, Copy, Debug)]
pub struct AttemptLog<'a> {
    pub(super) intents: &'a OpenIntents,
    pub(super) intent: IntentId,
}

impl AttemptLog<'_> {
    pub(super) fn note(self, why: &str) {
        self.intents.note(self.intent, why);
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_few_short_and_told_once() {
        let intents = OpenIntents::default();
        let (one, other) = (IntentId(1), IntentId(2));
        intents.open(one, (vec![(7, Step::Save)], Vec::new()), 1);
        let steps = vec![(8, Step::Save), (9, Step::Patch)];
        intents.open(other, (steps, Vec::new()), 1);
        intents.note(one, "no");
        intents.note(one, "no");
        intents.note(one, &"x".repeat(1_000));
        intents.note(other, "maybe");
        let told = intents.close(one);
        assert_eq!(told.len(), 2);
        assert_eq!(told[1].chars().count(), LENGTH + 1);
        assert!(intents.close(one).is_empty());
        for attempt in 0..100 {
            intents.note(other, &attempt.to_string());
        }
        assert_eq!(intents.close(other).len(), KEPT);
    }

    #[test]
    fn open_intents_are_found_by_what_they_carry() {
        let intents = OpenIntents::default();
        let steps = [(7, Step::Save), (8, Step::Save), (7, Step::Patch)];
        for (at, step) in (1..).zip(steps) {
            intents.open(IntentId(at), (vec![step], Vec::new()), 1);
        }
        intents.number(IntentId(2), BatchId(40));
        let found = intents.of(&[(8, Step::Save), (7, Step::Patch), (99, Step::Save)]);
        let ids: Vec<_> = found.iter().map(|(id, open)| (id.0, open.batch)).collect();
        assert_eq!(ids, [(2, Some(BatchId(40))), (3, None)]);
        intents.close(IntentId(2));
        assert!(intents.of(&[(8, Step::Save)]).is_empty());
    }

    #[test]
    fn a_request_that_can_still_tell_is_a_rival_of_one_that_cannot() {
        let intents = OpenIntents::default();
        let equal = (Kind::Content, None, ContentHash::of_bytes(b"twin"));
        for at in 1..=3 {
            intents.open(IntentId(at), (Vec::new(), vec![equal.clone()]), 1);
        }
        intents.doubt(IntentId(1), "reset");
        intents.doubt(IntentId(2), "reset");
        assert!(intents.has_rival(IntentId(1), &equal));
        intents.close(IntentId(3));
        assert!(!intents.has_rival(IntentId(1), &equal), "both only look");
    }
}
