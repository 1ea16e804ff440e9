//! The next step after a failure.
//!
//! Reasons are sentences, mostly the server's own, so the advice goes by the words in them; without a known one it is the
//! step that is always right.

/// What is said about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Advice {
    /// The code of its cause.
    pub(crate) code: &'static str,
    /// The next step.
    pub(crate) next: &'static str,
}

/// Words that a reason may hold, in lower case, and what is said then. The first row that fits counts.
const ADVICE: [(&[&str], Advice); 7] = [
    (
        &["whether it arrived is not known"],
        Advice {
            code: "LG-5006",
            next: "run the same command again: it finds out before it sends anything",
        },
    ),
    (
        &["need one another before"],
        Advice {
            code: "LG-5007",
            next: "make one of the fields in the circle optional on the source, then run the same command again",
        },
    ),
    (
        &["401", "403", "unauthorized", "forbidden", "not authorized"],
        Advice {
            code: "LG-5001",
            next: "check that the token is valid and may write to the target, then run the same command again",
        },
    ),
    (
        &["timed out", "timeout", "time-out", "no answer within"],
        Advice {
            code: "LG-5002",
            next: "run the same command again; raise --timeout if it stays so",
        },
    ),
    (
        &["429", "too many requests"],
        Advice {
            code: "LG-5003",
            next: "run the same command again with a lower --rate",
        },
    ),
    (
        &[
            "deleted",
            "orphan",
            "does not exist on the source",
            "dangling",
            "broken link",
        ],
        Advice {
            code: "LG-5004",
            next: "mend the reference on the source, then run the same command again",
        },
    ),
    (
        &["connection", "unreachable", "reset by peer"],
        Advice {
            code: "LG-5005",
            next: "check the network, then run the same command again",
        },
    ),
];

/// What is said about all others.
const OTHER: Advice = Advice {
    code: "LG-5009",
    next: "mend it on the source or the target, then run the same command again: only what is missing is sent",
};

/// The codes that failures of entities can have.
pub const FAILURE_CODES: [&str; ADVICE.len() + 1] = {
    let mut codes = [OTHER.code; ADVICE.len() + 1];
    let mut at = 0;
    while at < ADVICE.len() {
        codes[at] = ADVICE[at].1.code;
        at += 1;
    }
    codes
};

/// What is said about a failure with this reason.
pub(crate) fn advice(reason: &str) -> Advice {
    let reason = reason.to_lowercase();
    let fits = |(words, _): &&(&[&str], Advice)| words.iter().any(|word| reason.contains(word));
    ADVICE
        .iter()
        .find(fits)
        .map_or(OTHER, |(_, advice)| *advice)
}

/// The next step after a failure with this reason.
pub(crate) fn next_step(reason: &str) -> &'static str {
    advice(reason).next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_words_get_their_own_advice() {
        assert!(next_step("the server answered 403: \"Forbidden\"").contains("token"));
        assert!(next_step("these need one another before any can be saved").contains("circle"));
        assert!(next_step("saving timed out after 30 s").contains("--timeout"));
        assert!(next_step("refers to content:9, which was Deleted").contains("reference"));
        assert!(
            next_step("the server said \"Title is required\"").contains("only what is missing")
        );
    }
}
