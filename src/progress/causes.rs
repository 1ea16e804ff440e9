//! Failures of one kind and status, reported once with real examples.

use crate::domain::{EntityKey, FailureCause};

/// Examples that are kept of each cause.
const EXAMPLES: usize = 5;

/// Failures with one cause. There are few: as many as kinds of failures and statuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// What the failures have in common.
    pub cause: FailureCause,
    /// How many entities failed for it.
    pub count: u32,
    /// The first five of them; never empty.
    pub examples: Vec<Example>,
}

/// An entity that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The entity.
    pub key: EntityKey,
    /// What a person calls it.
    pub name: String,
    /// The reason in full.
    pub reason: String,
}

/// Adds a failure to its cause.
pub(crate) fn add(causes: &mut Vec<Cause>, cause: FailureCause, example: Example) {
    let Some(known) = causes.iter_mut().find(|known| known.cause == cause) else {
        causes.push(Cause {
            cause,
            count: 1,
            examples: vec![example],
        });
        return;
    };
    known.count += 1;
    if known.examples.len() < EXAMPLES {
        known.examples.push(example);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Failure, Kind};

    fn failed(causes: &mut Vec<Cause>, id: i64, status: Option<u16>) {
        let example = Example {
            key: EntityKey::global(Kind::Model, id),
            name: format!("Model {id}"),
            reason: format!("container \"c{id}\" is missing"),
        };
        let failure = Failure::Refused;
        add(causes, FailureCause { failure, status }, example);
    }

    #[test]
    fn failures_are_told_apart_by_kind_and_status_and_never_by_text() {
        let mut causes = Vec::new();
        for id in 0..7 {
            failed(&mut causes, id, Some(400));
        }
        failed(&mut causes, 8, Some(422));
        failed(&mut causes, 9, None);
        let counts: Vec<_> = causes
            .iter()
            .map(|cause| (cause.cause.status, cause.count, cause.examples.len()))
            .collect();
        assert_eq!(counts, [(Some(400), 7, 5), (Some(422), 1, 1), (None, 1, 1)]);
        assert_eq!(causes[0].examples[0].reason, "container \"c0\" is missing");
    }
}
