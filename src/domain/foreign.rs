//! Text that others wrote, as it may stand on a screen, in a log and in a report.
//!
//! Names, reasons and addresses come from editors, servers and files. A terminal obeys control characters in them, a reader
//! is misled by characters without a width or that turn the direction, and CI systems take commands out of logs. Here is
//! the only place that says which characters these are. Each is replaced by its JSON escape, `\u001b`: so the result can
//! be read, is the same in prose and in JSON, and a JSON text that went through still says what it said.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

/// Foreign text within a line: blanks at the ends left out, line ends and tabs as spaces, the rest of what could steer a
/// terminal, mislead a reader or command a CI system as `\uXXXX`.
///
/// What is longer than 2,000 characters ends in an ellipsis.
pub fn shown(text: &str) -> Cow<'_, str> {
    within(text.trim(), 2_000)
}

/// A foreign name within a line, as [`shown`] and of 200 characters at most.
pub fn shown_name(name: &str) -> Cow<'_, str> {
    within(name.trim(), 200)
}

fn within(text: &str, most: usize) -> Cow<'_, str> {
    let end = text.char_indices().nth(most).map(|(end, _)| end);
    if end.is_none() && !text.contains(['\n', '\r', '\t']) {
        return shown_lines(text);
    }
    let line = text[..end.unwrap_or(text.len())].replace(['\n', '\r', '\t'], " ");
    let mut line = shown_lines(&line).into_owned();
    line.extend(end.map(|_| '…'));
    Cow::Owned(line)
}

/// The same for a text of several lines, whose line ends and tabs stay. Text in JSON stays the same JSON.
pub fn shown_lines(text: &str) -> Cow<'_, str> {
    if is_harmless(text) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + text.len() / 8);
    let mut scan = Scan::default();
    for char in text.chars() {
        scan.add(char, &mut safe);
    }
    Cow::Owned(safe)
}

/// What most texts are; saves the copy.
fn is_harmless(text: &str) -> bool {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\n' | b'\t');
    text.bytes().all(is_plain) && !text.contains("##") && !text.contains("::")
}

/// Whether a character has an effect on a terminal, or none that can be seen.
///
/// Controls (C0, C1, DEL), marks of direction, characters without a width, invisible fillers and tags (Unicode 16, properties
/// `Cc`, `Bidi_Control` and `Default_Ignorable_Code_Point`). The selectors U+FE00 to U+FE0F only choose between a text
/// and a picture, and nearly every emoji has one, so they stay.
const fn is_steering(char: char) -> bool {
    matches!(char,
        '\0'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// How far a line is, for the commands that CI systems take out of logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// Nothing but blanks so far: GitHub takes `::command` here.
    #[default]
    Start,
    /// One colon after that.
    Colon,
    /// Elsewhere.
    Within,
    /// One `#`.
    Hash,
    /// Two of them and perhaps a word: GitHub takes `##[command]`, Azure `##vso[`, `TeamCity` `##teamcity[`, anywhere.
    Hashes,
}

/// Goes through a text character by character, so that a stream needs no look ahead.
#[derive(Debug, Default)]
struct Scan {
    at: At,
}

impl Scan {
    fn add(&mut self, char: char, safe: &mut String) {
        let is_command = matches!((self.at, char), (At::Colon, ':') | (At::Hashes, '['));
        self.at = match (self.at, char) {
            (_, '\n') => At::Start,
            (At::Start, ':') => At::Colon,
            (At::Start, blank) if blank.is_whitespace() => At::Start,
            (At::Hash | At::Hashes, '#') => At::Hashes,
            (_, '#') => At::Hash,
            (At::Hashes, letter) if letter.is_ascii_alphanumeric() => At::Hashes,
            _ => At::Within,
        };
        if is_command || is_steering(char) {
            let mut units = [0; 2];
            for unit in char.encode_utf16(&mut units) {
                write!(safe, "\\u{unit:04x}").expect("a string takes every write");
            }
        } else {
            safe.push(char);
        }
    }
}

/// A stream that nothing leaves but text which is fit to be shown; line ends and tabs stay, as in [`shown_lines`].
#[derive(Debug)]
pub struct Screen<W> {
    out: W,
    scan: Scan,
    /// The beginning of a character whose end is still to come.
    partial: Vec<u8>,
}

impl<W: Write> Screen<W> {
    /// What is written here goes to `out`.
    pub fn new(out: W) -> Self {
        Self {
            out,
            scan: Scan::default(),
            partial: Vec::new(),
        }
    }

    fn text(&mut self, text: &str, safe: &mut String) {
        for char in text.chars() {
            self.scan.add(char, safe);
        }
    }
}

impl<W: Write> Write for Screen<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut all = std::mem::take(&mut self.partial);
        all.extend_from_slice(bytes);
        let mut safe = String::with_capacity(all.len());
        let mut rest = all.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    self.text(text, &mut safe);
                    break;
                }
                Err(error) => {
                    let (good, bad) = rest.split_at(error.valid_up_to());
                    self.text(&String::from_utf8_lossy(good), &mut safe);
                    let Some(wrong) = error.error_len() else {
                        self.partial = bad.to_vec();
                        break;
                    };
                    safe.push(char::REPLACEMENT_CHARACTER);
                    rest = &bad[wrong..];
                }
            }
        }
        self.out.write_all(safe.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_steers_or_misleads_is_spelled_out() {
        for (foreign, safe) in [
            (
                "plain – text, 日本語, ❤\u{fe0f}",
                "plain – text, 日本語, ❤\u{fe0f}",
            ),
            ("\u{1b}]52;c;QQ==\u{7}", "\\u001b]52;c;QQ==\\u0007"),
            ("\u{9b}2J\0\u{7f}", "\\u009b2J\\u0000\\u007f"),
            ("a\u{202e}gpj.exe", "a\\u202egpj.exe"),
            ("pay\u{200b}pal\u{feff}", "pay\\u200bpal\\ufeff"),
            ("a\u{2028}b", "a\\u2028b"),
            ("\u{e0041}", "\\udb40\\udc41"),
            (" a\nb\tc\r", "a b c"),
        ] {
            assert_eq!(shown(foreign), safe);
        }
    }

    #[test]
    fn no_line_begins_with_a_command() {
        for (foreign, safe) in [
            ("::error::x", ":\\u003aerror::x"),
            ("  ::error::x", "  :\\u003aerror::x"),
            (
                "a::b\n::set-env name=A::b",
                "a::b\n:\\u003aset-env name=A::b",
            ),
            ("a ##[error]b", "a ##\\u005berror]b"),
            ("a ###[b]", "a ###\\u005bb]"),
            ("##vso[task.setvariable]", "##vso\\u005btask.setvariable]"),
            ("## a [b] #[c]", "## a [b] #[c]"),
            ("std::string", "std::string"),
        ] {
            assert_eq!(shown_lines(foreign), safe);
        }
    }

    fn chars() -> impl Strategy<Value = Vec<char>> {
        let odd = "\0\u{1b}\u{7f}\u{9b}\u{ad}\u{200d}\u{202e}\u{e0041}\r\n\t :#[]\"\\"
            .chars()
            .collect::<Vec<_>>();
        let one = prop_oneof![
            any::<char>(),
            prop::sample::select(odd.clone()),
            prop::sample::select(odd)
        ];
        prop::collection::vec(one, 0..40)
    }

    proptest! {
        #[test]
        fn json_stays_the_same_json_however_it_is_written(chars in chars(), cut in 1_usize..9) {
            let text = String::from_iter(chars);
            let json = serde_json::json!({ "name": text, (text.clone()): [text.clone()] });
            let written = serde_json::to_vec_pretty(&json).unwrap();
            let mut screen = Screen::new(Vec::new());
            for part in written.chunks(cut) {
                screen.write_all(part).unwrap();
            }
            let whole = shown_lines(std::str::from_utf8(&written).unwrap());
            prop_assert_eq!(std::str::from_utf8(&screen.out).unwrap(), &*whole);
            prop_assert!(!whole.chars().any(is_steering));
            prop_assert_eq!(shown_lines(&whole), &*whole, "shown twice");
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&whole).unwrap(), json);
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        let mut screen = Screen::new(Vec::new());
        screen.write_all(b"a\x9b2J\xc2").unwrap();
        screen.write_all(b"\x9bz").unwrap();
        assert_eq!(screen.out, "a\u{fffd}2J\\u009bz".as_bytes());
    }
}
