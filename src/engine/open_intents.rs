//! The intents of this run that have no outcome yet: what each carries, its batch, and why attempts at it failed.
//!
//! The store holds the same and is what counts after a crash. This is for the run itself: a job that breaks is taken up
//! from its open intents, and the failed attempts are stored together with the outcome. They need no commit of their
//! own, as no recovery depends on them.

use dashmap::DashMap;

use super::state::Step;
use crate::domain::BatchId;
use crate::plan::Node;
use crate::store::IntentId;

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
    /// Why attempts failed.
    answers: Vec<String>,
}

/// All of them.
#[derive(Debug, Default)]
pub struct OpenIntents {
    by_id: DashMap<IntentId, OpenIntent>,
}

impl OpenIntents {
    /// Notes an intent that is durable.
    pub(super) fn open(&self, id: IntentId, steps: Vec<(Node, Step)>, attempt: u32) {
        let intent = OpenIntent {
            steps,
            attempt,
            batch: None,
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
pub struct Trail<'a> {
    pub(super) intents: &'a OpenIntents,
    pub(super) intent: IntentId,
}

impl Trail<'_> {
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
        intents.open(one, vec![(7, Step::Save)], 1);
        intents.open(other, vec![(8, Step::Save), (9, Step::Patch)], 1);
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
            intents.open(IntentId(at), vec![step], 1);
        }
        intents.number(IntentId(2), BatchId(40));
        let found = intents.of(&[(8, Step::Save), (7, Step::Patch), (99, Step::Save)]);
        let ids: Vec<_> = found.iter().map(|(id, open)| (id.0, open.batch)).collect();
        assert_eq!(ids, [(2, Some(BatchId(40))), (3, None)]);
        intents.close(IntentId(2));
        assert!(intents.of(&[(8, Step::Save)]).is_empty());
    }
}
