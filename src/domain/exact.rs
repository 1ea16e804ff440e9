//! Numbers as they were written.
//!
//! A number in JSON has any number of digits, a parsed one has 64 bits. What a field says is sent as it came,
//! so where parsing would lose digits or change the spelling, the text of the number travels beside the parsed value:
//!
//! ```text
//!   answer ─ [`held`] ─▶ parsed, such numbers as marked text ─ [`released`] ─▶ text of a body, as in the answer
//!                                                                              │ parse          │ [`Exact::of`]
//!                                                                              ▼                ▼
//!                                                          payload, printed ─ [`Exact::restore`] ─▶ request
//! ```
//!
//! Between reading and sending, numbers are compared and decided about as 64 bits. `arbitrary_precision` of the parser is
//! no way: it turns the numbers of tagged events into objects.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use serde_json::Number;

/// What a text begins with that stands for a number. A foreign text that begins so gets it once more.
const MARK: &str = "\u{f1a7}";

/// The same in a JSON text that escapes it.
const MARK_ESCAPED: &str = "\\uf1a7";

/// A part of a JSON text that is looked at.
enum Token {
    /// A number, or what is none and begins like one.
    Number(Range<usize>),
    /// The inside of a string.
    Text(Range<usize>),
}

/// The numbers and strings of a JSON text, in order. A text that is no JSON gives some tokens, and no panic.
fn tokens(json: &str) -> impl Iterator<Item = Token> + '_ {
    let bytes = json.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            let start = at;
            match bytes[at] {
                b'"' => {
                    let end = end_of_string(bytes, start + 1);
                    at = end + 1;
                    return Some(Token::Text(start + 1..end));
                }
                b'-' | b'0'..=b'9' => {
                    let is_part =
                        |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
                    let length = bytes[start..]
                        .iter()
                        .take_while(|byte| is_part(byte))
                        .count();
                    at = start + length;
                    return Some(Token::Number(start..at));
                }
                _ => at += 1,
            }
        }
        None
    })
}

/// The end of the string that begins before `at`: its closing quote, or the end of the text.
fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at.min(bytes.len())
}

/// How a number is printed once it was parsed; `None` where it cannot be parsed, or is printed as it was written.
fn changed(number: &str) -> Option<String> {
    let digits = number.strip_prefix('-').unwrap_or(number);
    let is_plain = digits.len() < 19 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_plain && number != "-0" {
        return None;
    }
    printed(number).filter(|printed| printed != number)
}

fn printed(number: &str) -> Option<String> {
    let parsed: Number = serde_json::from_str(number).ok()?;
    Some(parsed.to_string())
}

/// A part of a text and what stands in its place.
type Part = (Range<usize>, String);

/// The text with `new` in place of each of the ranges, which come in order.
fn replaced(text: &str, parts: impl Iterator<Item = Part>) -> Cow<'_, str> {
    let mut out = String::new();
    let mut done = 0;
    let mut is_same = true;
    for (range, new) in parts {
        is_same = false;
        out.push_str(&text[done..range.start]);
        out.push_str(&new);
        done = range.end;
    }
    if is_same {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[done..]);
    Cow::Owned(out)
}

/// The JSON text with marked strings in place of numbers that parsing would change.
pub fn held(json: &str) -> Cow<'_, str> {
    replaced(json, marks(json))
}

/// The same piece by piece, for a text that should not be in memory twice; `None` where nothing has to be marked.
pub fn held_pieces(json: &str) -> Option<impl Read + '_> {
    let mut marks = marks(json).peekable();
    marks.peek()?;
    let mut done = 0;
    let kept = marks.map(Some).chain([None]).flat_map(move |part| {
        let (range, new) = part.unwrap_or((json.len()..json.len(), String::new()));
        let before = &json[std::mem::replace(&mut done, range.end)..range.start];
        [Cow::Borrowed(before), Cow::Owned(new)]
    });
    Some(Pieces {
        rest: kept,
        piece: Cow::Borrowed(""),
        at: 0,
    })
}

/// Reads texts one after another.
struct Pieces<'a, T> {
    rest: T,
    piece: Cow<'a, str>,
    at: usize,
}

impl<'a, T: Iterator<Item = Cow<'a, str>>> Read for Pieces<'a, T> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() {
            match self.rest.next() {
                Some(piece) => (self.piece, self.at) = (piece, 0),
                None => return Ok(0),
            }
        }
        let bytes = (&self.piece.as_bytes()[self.at..]).read(into)?;
        self.at += bytes;
        Ok(bytes)
    }
}

/// The numbers that parsing would change, marked, and the marks of texts that begin like one.
fn marks(json: &str) -> impl Iterator<Item = Part> + '_ {
    tokens(json).filter_map(|token| match token {
        Token::Number(range) => {
            let number = &json[range.clone()];
            let marked = changed(number).map(|_| format!("\"{MARK}{number}\""));
            marked.map(|marked| (range, marked))
        }
        Token::Text(range) => {
            let again = is_marked(&json[range.clone()]);
            again.then(|| (range.start..range.start, MARK.to_owned()))
        }
    })
}

fn is_marked(inside: &str) -> bool {
    let start = inside.get(..MARK_ESCAPED.len());
    inside.starts_with(MARK) || start.is_some_and(|start| start.eq_ignore_ascii_case(MARK_ESCAPED))
}

/// The printed JSON text of what was [`held`], with its numbers again.
pub(super) fn released(json: &str) -> Cow<'_, str> {
    if !json.contains(MARK) {
        return Cow::Borrowed(json);
    }
    let parts = tokens(json).filter_map(|token| {
        let Token::Text(inside) = token else {
            return None;
        };
        let rest = json[inside.clone()].strip_prefix(MARK)?;
        if rest.starts_with(MARK) {
            return Some((inside.start..inside.start + MARK.len(), String::new()));
        }
        printed(rest).map(|_| (inside.start - 1..inside.end + 1, rest.to_owned()))
    });
    replaced(json, parts)
}

/// The numbers of a body that parsing would change: what each is printed as, and how it was written, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exact(Option<Arc<BTreeMap<String, Vec<String>>>>);

impl Exact {
    /// Those of a JSON text.
    pub fn of(json: &str) -> Self {
        let numbers = || {
            tokens(json).filter_map(|token| match token {
                Token::Number(range) => Some(&json[range]),
                Token::Text(_) => None,
            })
        };
        let mut written: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for printed in numbers().filter_map(changed) {
            written.entry(printed).or_default();
        }
        if written.is_empty() {
            return Self::default();
        }
        for number in numbers() {
            let printed = printed(number).unwrap_or_default();
            if let Some(all) = written.get_mut(&printed) {
                all.push(number.to_owned());
            }
        }
        Self(Some(Arc::new(written)))
    }

    /// The printed JSON text with numbers as they were written. Where one value was written in several ways and some of
    /// them are missing from the text, it is unknown which, and they stay as they are printed.
    pub fn restore<'a>(&self, json: &'a str) -> Cow<'a, str> {
        let Some(written) = &self.0 else {
            return Cow::Borrowed(json);
        };
        let mut places: BTreeMap<&str, Vec<Range<usize>>> = BTreeMap::new();
        for token in tokens(json) {
            if let Token::Number(range) = token
                && written.contains_key(&json[range.clone()])
            {
                places.entry(&json[range.clone()]).or_default().push(range);
            }
        }
        let mut parts = Vec::new();
        for (printed, places) in places {
            let all = &written[printed];
            let is_one = all.iter().all(|one| *one == all[0]);
            if is_one || all.len() == places.len() {
                let numbers = all.iter().chain(all.iter().cycle());
                parts.extend(places.into_iter().zip(numbers.cloned()));
            }
        }
        parts.sort_by_key(|(range, _): &(Range<usize>, String)| range.start);
        replaced(json, parts.into_iter())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    const ODD: &str = r#"{"a":99999999999999999999,"b":[1.10,1.1,-0,1E+2,0.1000000000000000055511151231257827,12],"c":"7 1.10","d":-0.0,"e":100.0,"f":1e20}"#;

    fn through(json: &str) -> String {
        let read: Value = serde_json::from_str(&held(json)).unwrap();
        released(&read.to_string()).into_owned()
    }

    #[test]
    fn numbers_pass_a_parser_as_they_were_written() {
        assert_eq!(through(ODD), ODD);
        let printed = serde_json::from_str::<Value>(ODD).unwrap().to_string();
        assert_ne!(printed, ODD);
        assert_eq!(Exact::of(ODD).restore(&printed), ODD);
    }

    #[test]
    fn a_text_without_such_numbers_needs_no_pieces() {
        assert!(held_pieces(r#"{"a":[1,-2.5,"1.10"]}"#).is_none());
        assert!(held_pieces(ODD).is_some());
    }

    #[test]
    fn texts_are_never_numbers() {
        for text in [
            "\u{f1a7}12",
            "\u{f1a7}\u{f1a7}1",
            "\u{f1a7}",
            "12",
            "1.10",
            "\\\"1.10",
        ] {
            let json = serde_json::to_string(&serde_json::json!({ "a": text, "b": 1 })).unwrap();
            assert_eq!(through(&json), json);
        }
        assert_eq!(through(r#"["\uf1A712"]"#), "[\"\u{f1a7}12\"]");
    }

    #[test]
    fn one_value_in_several_spellings_is_put_back_where_all_of_them_are() {
        let exact = Exact::of("[1.10,1.1,1.100]");
        assert_eq!(
            exact.restore("{\"x\":[1.1,1.1],\"y\":1.1}"),
            "{\"x\":[1.10,1.1],\"y\":1.100}"
        );
        assert_eq!(exact.restore("[1.1,1.1]"), "[1.1,1.1]");
        assert_eq!(
            Exact::of("[5e0,5,5.0]").restore("[5,5.0,\"5.0\",5.0]"),
            "[5,5e0,\"5.0\",5.0]"
        );
        assert_eq!(Exact::of("[1.10]").restore("[1.1,2,1.1]"), "[1.10,2,1.10]");
    }

    #[test]
    fn what_cannot_be_parsed_stays_an_error() {
        for json in ["[1e400]", "[1.]", "[01]", "[--1]", "[\"", "[\"a\\"] {
            assert_eq!(held(json), json);
        }
    }

    proptest! {
        #[test]
        fn any_text_passes_without_a_panic(text in "[\u{f1a7}0-9eE.,:\\-+\"\\\\\\[\\]{}a ]{0,40}") {
            let safe = held(&text).into_owned();
            let mut read = String::new();
            match held_pieces(&text) {
                Some(mut pieces) => drop(pieces.read_to_string(&mut read).unwrap()),
                None => read.clone_from(&text),
            }
            prop_assert_eq!(&read, &safe);
            drop(released(&safe).into_owned());
            drop(Exact::of(&text).restore(&text).into_owned());
            if let Ok(read) = serde_json::from_str::<Value>(&text) {
                let kept: Value = serde_json::from_str(&safe).unwrap();
                let back: Value = serde_json::from_str(&released(&kept.to_string())).unwrap();
                prop_assert_eq!(back, read);
            }
        }
    }
}
