//! What is said about a failure: a name for its kind, a code, and the next step.

use super::note::{are_left, counted_entities};
use crate::domain::{Failure, FailureCause};
use crate::progress::{Cause, Progress};

/// What is said about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Advice {
    /// The code of its cause.
    pub(crate) code: &'static str,
    /// What happened, without what differs between entities.
    title: &'static str,
    /// The next step, with [`AGAIN`] for the command that tries again.
    next: &'static str,
}

/// Stands for a command in a next step.
const AGAIN: &str = "{again}";

/// The codes that failures of entities can have.
pub const FAILURE_CODES: [&str; Failure::ALL.len()] = {
    let mut codes = [""; Failure::ALL.len()];
    let mut at = 0;
    while at < codes.len() {
        let failure = Failure::ALL[at];
        let cause = FailureCause {
            failure,
            status: None,
        };
        codes[at] = advice(cause).code;
        at += 1;
    }
    codes
};

/// What is said about a failure of this kind and status.
pub(crate) const fn advice(cause: FailureCause) -> Advice {
    match cause.failure {
        Failure::Access => access(cause.status),
        Failure::TimedOut => Advice {
            code: "LG-5002",
            title: "timed out",
            next: "{again}; raise --timeout if it times out again",
        },
        Failure::Throttled => Advice {
            code: "LG-5003",
            title: "rate limited by the target",
            next: "{again} with a lower --rate",
        },
        Failure::Reference => Advice {
            code: "LG-5004",
            title: "missing reference",
            next: "fix the reference on the source, then {again}",
        },
        Failure::Unreachable => Advice {
            code: "LG-5005",
            title: "connection failed",
            next: "check the network, then {again}",
        },
        Failure::InDoubt => Advice {
            code: "LG-5006",
            title: "unknown outcome",
            next: "{again}; it finds out what has arrived before it sends anything",
        },
        Failure::Cycle => Advice {
            code: "LG-5007",
            title: "cycle of required references",
            next: "make one of the fields in the cycle optional on the source, then {again}",
        },
        Failure::Misplaced => Advice {
            code: "LG-5011",
            title: "file on a host that is not allowed",
            next: "if the host may be read, add it to assets.hosts, then {again}",
        },
        Failure::File => Advice {
            code: "LG-5012",
            title: "file not readable on the source",
            next: "check that the source serves the whole file, or upload it there again, then {again}",
        },
        Failure::ServerFailed => Advice {
            code: "LG-5013",
            title: "the server failed",
            next: "{again}; if it fails again, change what is unusual in the entity, or ask the vendor",
        },
        Failure::Refused => Advice {
            code: "LG-5009",
            title: "not accepted by the target",
            next: "correct on the source or the target what the reason names, then {again}",
        },
    }
}

const fn access(status: Option<u16>) -> Advice {
    let (title, next) = match status {
        Some(401) => ("authentication failed", "renew the token, then {again}"),
        Some(_) | None => (
            "permission denied",
            "give the user of the token the right to write this on the target, then {again}",
        ),
    };
    Advice {
        code: "LG-5001",
        title,
        next,
    }
}

/// The code of entities that were saved and could not be published.
pub const UNPUBLISHED_CODE: &str = UNPUBLISHED.code;

/// What is said about entities that were saved and could not be published.
const UNPUBLISHED: Advice = Advice {
    code: "LG-5010",
    title: "saved and not published",
    next: "correct on the target what the reason names, then run the same command again: what is not published is tried again",
};

/// A cause in words: how many failures it has, what they have in common, the first in full, and what to do.
pub(crate) struct CauseSummary<'a> {
    /// The cause.
    pub(crate) cause: &'a Cause,
    /// The code.
    pub(crate) code: &'static str,
    /// What the failures have in common: `not accepted by the target (HTTP 422)`.
    pub(crate) title: String,
    /// The next step.
    pub(crate) next: String,
}

impl CauseSummary<'_> {
    /// `25 entities`.
    pub(crate) fn count(&self) -> String {
        counted_entities(self.cause.count)
    }

    /// How many failures there are beside the one that is shown: `and 24 more`.
    pub(crate) fn more(&self) -> Option<String> {
        let more = self.cause.count.saturating_sub(1);
        (more > 0).then(|| format!("and {} more", super::text::count(more)))
    }
}

/// Why entities failed, the most frequent cause first.
pub(crate) fn failures(progress: &Progress) -> Vec<CauseSummary<'_>> {
    by_frequency(progress.causes(), advice, &again(progress))
}

/// Why entities that were saved could not be published, the most frequent cause first.
pub(crate) fn unpublished(progress: &Progress) -> Vec<CauseSummary<'_>> {
    by_frequency(progress.unpublished(), |_| UNPUBLISHED, "")
}

fn by_frequency<'a>(
    causes: &'a [Cause],
    advice: fn(FailureCause) -> Advice,
    again: &str,
) -> Vec<CauseSummary<'a>> {
    let mut sorted: Vec<_> = causes.iter().collect();
    sorted.sort_by_key(|cause| std::cmp::Reverse(cause.count));
    let told = |cause: &'a Cause| {
        let advice = advice(cause.cause);
        CauseSummary {
            cause,
            code: advice.code,
            title: title(advice, cause.cause),
            next: advice.next.replace(AGAIN, again),
        }
    };
    sorted.into_iter().map(told).collect()
}

fn title(advice: Advice, cause: FailureCause) -> String {
    match cause.status {
        Some(status) => format!("{} (HTTP {status})", advice.title),
        None => advice.title.to_owned(),
    }
}

/// The next step of a failure.
pub(crate) fn next_step(cause: FailureCause, progress: &Progress) -> String {
    let advice = advice(cause);
    let next = advice.next.replace(AGAIN, &again(progress));
    format!("{next} [{}]", advice.code)
}

/// The command that tries again what failed.
pub(crate) fn again(progress: &Progress) -> String {
    let is_rehearsal = progress.run().is_some_and(|run| run.dry_run);
    match progress.undone() {
        _ if is_rehearsal => "run the same command again".to_owned(),
        Some(undone) => format!("`lockgate undo {undone}`"),
        None => "`lockgate retry`".to_owned(),
    }
}

/// What follows a run; `None` after one that reached everything.
pub(crate) fn after(progress: &Progress) -> Option<String> {
    let (left, total) = (progress.remaining(), progress.total());
    if progress.exit() == Some(0) {
        return None;
    }
    if left > 0 {
        let left = are_left(left);
        return Some(format!("{left}: run the same command again to go on"));
    }
    if total.failed() + total.blocked() > 0 {
        return Some(again(progress));
    }
    if total.conflicts() > 0 && progress.exit() == Some(5) {
        return Some(
            "--overwrite takes what the source has; `lockgate why KEY` shows both sides".to_owned(),
        );
    }
    let is_reached = matches!(progress.exit(), None | Some(1 | 130));
    is_reached.then(|| "run the same command again".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_failure_has_a_code_of_its_own() {
        let codes: std::collections::BTreeSet<_> = FAILURE_CODES.into_iter().collect();
        assert_eq!(codes.len(), Failure::ALL.len());
    }
}
