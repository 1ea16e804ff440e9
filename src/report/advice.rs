//! The next step after a failure, by what kind of failure it is.

use crate::domain::Failure;

/// What is said about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Advice {
    /// The code of its cause.
    pub(crate) code: &'static str,
    /// The next step.
    pub(crate) next: &'static str,
}

/// The codes that failures of entities can have.
pub const FAILURE_CODES: [&str; Failure::ALL.len()] = {
    let mut codes = [""; Failure::ALL.len()];
    let mut at = 0;
    while at < codes.len() {
        codes[at] = advice(Failure::ALL[at]).code;
        at += 1;
    }
    codes
};

/// What is said about a failure of this kind.
pub(crate) const fn advice(failure: Failure) -> Advice {
    let (code, next) = match failure {
        Failure::Access => (
            "LG-5001",
            "check that the token is valid and may write to the target, then run the same command again",
        ),
        Failure::TimedOut => (
            "LG-5002",
            "run the same command again; raise --timeout if it stays so",
        ),
        Failure::Throttled => ("LG-5003", "run the same command again with a lower --rate"),
        Failure::Reference => (
            "LG-5004",
            "fix the reference on the source, then run the command again",
        ),
        Failure::Unreachable => (
            "LG-5005",
            "check the network, then run the same command again",
        ),
        Failure::InDoubt => (
            "LG-5006",
            "run the same command again: it finds out before it sends anything",
        ),
        Failure::Cycle => (
            "LG-5007",
            "make one of the fields in the cycle optional on the source, then run the same command again",
        ),
        Failure::Misplaced => (
            "LG-5011",
            "if the host may be read, add it to assets.hosts, then run the same command again",
        ),
        Failure::Refused => (
            "LG-5009",
            "fix the cause on the source or the target, then run the command again; only the remaining entities are sent",
        ),
    };
    Advice { code, next }
}

/// The code of entities that were saved and could not be published.
pub const UNPUBLISHED_CODE: &str = UNPUBLISHED.code;

/// What is said about entities that were saved and could not be published.
pub(crate) const UNPUBLISHED: Advice = Advice {
    code: "LG-5010",
    next: "fix what the server names on the target, then run the same command again: what is not published is tried again",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_failure_has_a_code_of_its_own() {
        let codes: std::collections::BTreeSet<_> = FAILURE_CODES.into_iter().collect();
        assert_eq!(codes.len(), Failure::ALL.len());
    }
}
