//! Failures that say the same thing about different entities, told once.

use crate::domain::{EntityKey, Failure};

/// Causes that are told apart; the failures of any further ones are counted under a common heading.
const CAUSES: usize = 200;

/// Examples that are kept of each cause.
const EXAMPLES: usize = 5;

/// The heading for failures beyond the causes that are told apart.
const OTHER: &str = "other causes";

/// Failures with one cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The reason with what differs between entities replaced: numbers by `#`, quoted text by `…`.
    pub text: String,
    /// What kind of cause it is.
    pub failure: Failure,
    /// How many entities failed for it.
    pub count: u32,
    /// The first five of them.
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
pub(crate) fn add(causes: &mut Vec<Cause>, failure: Failure, example: Example) {
    let text = normalise(&example.reason);
    let is_it = |cause: &Cause| cause.failure == failure && cause.text == text;
    let known = causes.iter().position(is_it);
    let at = known.unwrap_or_else(|| open(causes, failure, text));
    let cause = &mut causes[at];
    cause.count += 1;
    if cause.examples.len() < EXAMPLES {
        cause.examples.push(example);
    }
}

/// The place of a cause that was not seen before.
fn open(causes: &mut Vec<Cause>, failure: Failure, text: String) -> usize {
    if causes.len() > CAUSES {
        return CAUSES;
    }
    let (failure, text) = if causes.len() == CAUSES {
        (Failure::Refused, OTHER.to_owned())
    } else {
        (failure, text)
    };
    causes.push(Cause {
        text,
        failure,
        count: 0,
        examples: Vec::new(),
    });
    causes.len() - 1
}

/// The reason without what differs between entities.
fn normalise(reason: &str) -> String {
    let mut text = String::with_capacity(reason.len());
    let mut rest = reason;
    while let Some(first) = rest.chars().next() {
        let taken = match quotation(rest, first, &text) {
            Some(length) => {
                text.extend([first, '…', first]);
                length
            }
            None if token(rest).bytes().any(|byte| byte.is_ascii_digit()) => {
                text.push('#');
                token(rest).len()
            }
            None => {
                let length = token(rest).len().max(first.len_utf8());
                text.push_str(&rest[..length]);
                length
            }
        };
        rest = &rest[taken..];
    }
    text
}

/// The length of the quotation that `rest` begins with, if it begins with one: an apostrophe inside a word
/// opens nothing.
fn quotation(rest: &str, first: char, before: &str) -> Option<usize> {
    let inside_word = before.ends_with(char::is_alphanumeric);
    let opens = matches!(first, '"' | '`') || (first == '\'' && !inside_word);
    let end = opens.then(|| closing(&rest[1..], first)).flatten()?;
    Some(end + 2)
}

/// Where a quotation ends: at the first mark that has no backslash before it, else at the first mark.
fn closing(text: &str, mark: char) -> Option<usize> {
    let mut is_escaped = false;
    let end = text.char_indices().find(|(_, char)| {
        let ends = *char == mark && !is_escaped;
        is_escaped = *char == '\\' && !is_escaped;
        ends
    });
    end.map(|(at, _)| at).or_else(|| text.find(mark))
}

/// The run of letters, digits and joining signs that `rest` begins with: a word, a number, an id or a key.
fn token(rest: &str) -> &str {
    let end = rest
        .char_indices()
        .find(|(_, char)| !char.is_alphanumeric() && !matches!(char, '-' | '_' | ':' | '@' | '/'))
        .map_or(rest.len(), |(at, _)| at);
    rest[..end].trim_end_matches([':', '/', '-'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Kind;

    fn failed(causes: &mut Vec<Cause>, id: i64, reason: &str) {
        let example = Example {
            key: EntityKey::global(Kind::Model, id),
            name: format!("Model {id}"),
            reason: reason.to_owned(),
        };
        add(causes, Failure::Refused, example);
    }

    #[test]
    fn what_differs_between_entities_is_replaced() {
        let cases = [
            (
                "field \"Title\" of 12 is too long",
                "field \"…\" of # is too long",
            ),
            (
                "HTTP 500: it's broken, isn't it",
                "HTTP #: it's broken, isn't it",
            ),
            ("page:12@en-us has no parent 3f2a-11", "# has no parent #"),
            ("`Überschrift` fehlt", "`…` fehlt"),
            ("no closing \"quote", "no closing \"quote"),
            (r#"path "a\"b\\" is taken"#, "path \"…\" is taken"),
            (r#"path "C:\" is taken"#, "path \"…\" is taken"),
            ("", ""),
        ];
        for (reason, expected) in cases {
            assert_eq!(normalise(reason), expected);
        }
    }

    #[test]
    fn one_cause_is_told_once_with_its_first_examples() {
        let mut causes = Vec::new();
        for id in 0..7 {
            failed(&mut causes, id, &format!("container \"c{id}\" is missing"));
        }
        failed(&mut causes, 9, "refused");
        let counts: Vec<_> = causes
            .iter()
            .map(|cause| (cause.count, cause.examples.len()))
            .collect();
        assert_eq!(counts, [(7, 5), (1, 1)]);
        assert_eq!(causes[0].examples[0].reason, "container \"c0\" is missing");
    }

    #[test]
    fn a_flood_of_causes_stays_bounded_and_loses_no_count() {
        let mut causes = Vec::new();
        for id in 0..500_u32 {
            let word: String = format!("{id:09b}").replace('0', "a").replace('1', "b");
            failed(&mut causes, i64::from(id), &word);
        }
        assert_eq!(causes.len(), CAUSES + 1);
        assert_eq!(causes.iter().map(|cause| cause.count).sum::<u32>(), 500);
        assert_eq!(causes[CAUSES].text, OTHER);
    }
}
