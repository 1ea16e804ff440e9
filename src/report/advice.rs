//! The next step after a failure.
//!
//! Reasons are sentences, mostly the server's own, so the advice goes by the words in them; without a known one it is the
//! step that is always right.

/// Words that a reason may hold, in lower case, and what to do then. The first row that fits counts.
const ADVICE: [(&[&str], &str); 5] = [
    (
        &["401", "403", "unauthorized", "forbidden", "not authorized"],
        "check that the token is valid and may write to the target, then run the same command again",
    ),
    (
        &["timed out", "timeout", "time-out"],
        "run the same command again; raise --timeout if it stays so",
    ),
    (
        &["429", "too many requests"],
        "run the same command again with a lower --rate",
    ),
    (
        &[
            "deleted",
            "orphan",
            "does not exist on the source",
            "dangling",
            "broken link",
        ],
        "mend the reference on the source, then run the same command again",
    ),
    (
        &["connection", "unreachable", "reset by peer"],
        "check the network, then run the same command again",
    ),
];

/// The next step after a failure with this reason.
pub(crate) fn next_step(reason: &str) -> &'static str {
    let reason = reason.to_lowercase();
    let fits = |(words, _): &&(&[&str], &str)| words.iter().any(|word| reason.contains(word));
    ADVICE.iter().find(fits).map_or(
        "mend it on the source or the target, then run the same command again: only what is missing is sent",
        |(_, advice)| advice,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_words_get_their_own_advice() {
        assert!(next_step("the server answered 403: \"Forbidden\"").contains("token"));
        assert!(next_step("saving timed out after 30 s").contains("--timeout"));
        assert!(next_step("refers to content:9, which was Deleted").contains("reference"));
        assert!(
            next_step("the server said \"Title is required\"").contains("only what is missing")
        );
    }
}
