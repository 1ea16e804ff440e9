//! Why attempts at a write failed, kept under its intent until the intent comes to its end.
//!
//! They are stored with the outcome and not with a commit of their own: whoever asks `lockgate why` wants the
//! story of an entity, and no recovery depends on it.

use dashmap::DashMap;

use crate::store::IntentId;

/// Answers that are kept of one intent; what a server repeats is kept once.
const KEPT: usize = 20;

/// Characters that are kept of one answer.
const LENGTH: usize = 400;

/// The failed attempts of the open intents of a run.
#[derive(Debug, Default)]
pub struct Answers {
    by_intent: DashMap<IntentId, Vec<String>>,
}

impl Answers {
    /// Notes why an attempt under `intent` failed, unless that is what the last one failed of.
    pub(super) fn note(&self, intent: IntentId, why: &str) {
        let why = cut(why);
        let mut kept = self.by_intent.entry(intent).or_default();
        if kept.len() < KEPT && kept.last() != Some(&why) {
            kept.push(why);
        }
    }

    /// What was noted under `intent`; it is forgotten here.
    pub(super) fn take(&self, intent: IntentId) -> Vec<String> {
        let noted = self.by_intent.remove(&intent);
        noted.map(|(_, answers)| answers).unwrap_or_default()
    }
}

/// Where a request notes its failed attempts.
#[derive(Clone, Copy, Debug)]
pub struct Trail<'a> {
    pub(super) answers: &'a Answers,
    pub(super) intent: IntentId,
}

impl Trail<'_> {
    pub(super) fn note(self, why: &str) {
        self.answers.note(self.intent, why);
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
        let answers = Answers::default();
        let (one, other) = (IntentId(1), IntentId(2));
        answers.note(one, "no");
        answers.note(one, "no");
        answers.note(one, &"x".repeat(1_000));
        answers.note(other, "maybe");
        let taken = answers.take(one);
        assert_eq!(taken.len(), 2);
        assert_eq!(taken[1].chars().count(), LENGTH + 1);
        assert!(answers.take(one).is_empty());
        for attempt in 0..100 {
            answers.note(other, &attempt.to_string());
        }
        assert_eq!(answers.take(other).len(), KEPT);
    }
}
