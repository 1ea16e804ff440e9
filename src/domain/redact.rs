//! The one redaction: no text that leaves the program contains a credential of the process, in any usual encoding.
//!
//! Every [`Secret`](super::Secret) is known here from its creation on. Text is searched in all its readings: as it
//! stands, and with percent-encoding, JSON escapes and HTML entities decoded, one inside the other. In each of them a
//! credential is found in any case, as it is, in hexadecimal, and in base64 at any of the three alignments.

use std::borrow::Cow;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::{PoisonError, RwLock};

use aho_corasick::{AhoCorasick, MatchKind};
use serde_json::Value;

use super::decode::Reading;

/// Stands in place of what was taken out.
pub const REDACTED: &str = "[redacted]";

/// Shorter credentials, which only mock servers accept, are not searched for: they are parts of ordinary words.
const LENGTH_MIN: usize = 6;

/// Below this length, nor are those without a digit, such as `target`: they are ordinary words themselves.
const WORD_MAX: usize = 12;

/// Shorter forms, such as the base64 of a short credential, would be found by chance.
const FORM_MIN: usize = 6;

/// At the end of a text that was cut off, this much of a credential is recognised as its beginning.
const BEGINNING_MIN: usize = 8;

/// How many encodings inside each other are decoded.
const DEPTH: usize = 5;

/// The credentials of this process.
static KNOWN: RwLock<Known> = RwLock::new(Known {
    secrets: Vec::new(),
    forms: Vec::new(),
    searcher: None,
});

struct Known {
    secrets: Vec<Box<str>>,
    /// Every form of every credential.
    forms: Vec<Vec<u8>>,
    searcher: Option<AhoCorasick>,
}

/// Registers a credential. One that is too short to differ from ordinary words is not searched for.
pub(super) fn learn(secret: &str) {
    let is_known = |known: &Known| known.secrets.iter().any(|one| **one == *secret);
    let is_word = secret.len() < WORD_MAX && !secret.bytes().any(|byte| byte.is_ascii_digit());
    if secret.len() < LENGTH_MIN || is_word {
        return;
    }
    if is_known(&KNOWN.read().unwrap_or_else(PoisonError::into_inner)) {
        return;
    }
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    if is_known(&known) {
        return;
    }
    known.secrets.push(secret.into());
    known.forms.extend(forms(secret.as_bytes()));
    known.searcher = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::LeftmostLongest)
        .build(&known.forms)
        .ok();
}

/// The text without credentials of this process.
pub fn redact(text: &str) -> Cow<'_, str> {
    redacted(text, false)
}

/// The same for words of others, such as a server's answer or a message with URLs: user names, passwords and the
/// values of queries in URLs go as well, and so do credentials that are broken into lines or cut off at the end.
pub fn redact_message(text: &str) -> String {
    without_url_secrets(&redacted(text, true))
}

/// The same for every text in a JSON value; names of members stay.
pub fn redact_value(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(clean) = redact(text) {
                *text = clean;
            }
        }
        Value::Array(parts) => parts.iter_mut().for_each(redact_value),
        Value::Object(members) => members.values_mut().for_each(redact_value),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn redacted(text: &str, is_foreign: bool) -> Cow<'_, str> {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    let Some(searcher) = &known.searcher else {
        return Cow::Borrowed(text);
    };
    let mut found = Vec::new();
    let mut search = |reading: &Reading<'_>| {
        let matches = searcher.find_iter(reading.bytes());
        found.extend(matches.map(|found| reading.original(found.range())));
        if is_foreign {
            let start = beginning_at_end(reading.bytes(), &known.forms);
            found.extend(start.map(|start| reading.original(start..reading.bytes().len())));
        }
    };
    let mut reading = Reading::plain(text);
    for _ in 0..DEPTH {
        search(&reading);
        if is_foreign {
            search(&reading.unbroken());
        }
        match reading.decoded() {
            Some(next) => reading = next,
            None => break,
        }
    }
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(without(text, found))
}

/// Where the beginning of a credential stands at the end of a text.
fn beginning_at_end(bytes: &[u8], forms: &[Vec<u8>]) -> Option<usize> {
    let begins = |form: &Vec<u8>| {
        let most = form.len().min(bytes.len());
        let length = (BEGINNING_MIN..most)
            .rev()
            .find(|length| bytes[bytes.len() - length..].eq_ignore_ascii_case(&form[..*length]))?;
        Some(bytes.len() - length)
    };
    forms.iter().filter_map(begins).min()
}

/// The text with each of these ranges replaced; ranges that touch become one.
fn without(text: &str, mut ranges: Vec<Range<usize>>) -> String {
    ranges.sort_unstable_by_key(|range| (range.start, range.end));
    let mut clean = String::with_capacity(text.len());
    let mut done = 0;
    for range in ranges {
        if range.start >= done {
            clean.push_str(text.get(done..range.start).unwrap_or_default());
            if !(range.start == done && clean.ends_with(REDACTED)) {
                clean.push_str(REDACTED);
            }
        }
        done = done.max(range.end);
    }
    clean.push_str(text.get(done..).unwrap_or_default());
    clean
}

/// What a credential looks like in text, in ASCII without regard to case.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let digits = |byte: &u8| [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
    let mut forms = vec![secret.to_vec(), secret.iter().flat_map(digits).collect()];
    for alignment in 0..3 {
        let standard = base64(secret, alignment);
        let for_urls = standard.iter().map(|byte| match byte {
            b'+' => b'-',
            b'/' => b'_',
            other => *other,
        });
        let for_urls = for_urls.collect();
        if standard != for_urls {
            forms.push(for_urls);
        }
        forms.push(standard);
    }
    forms.retain(|form| form.len() >= FORM_MIN);
    forms
}

/// The characters of the base64 of `… + bytes + …` that depend on `bytes` alone, when `alignment` bytes stand before
/// the last whole group of three.
fn base64(bytes: &[u8], alignment: usize) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits = bytes.len() * 8;
    // The first digit that begins inside of the bytes: a digit has six bits.
    let first = (6 - alignment * 8 % 6) % 6;
    let sextet = |start: usize| {
        let bit = |at: usize| bytes[at / 8] >> (7 - at % 8) & 1;
        (start..start + 6).fold(0, |value, at| value << 1 | bit(at))
    };
    (first..)
        .step_by(6)
        .take_while(|start| start + 6 <= bits)
        .map(|start| DIGITS[usize::from(sextet(start))])
        .collect()
}

/// Takes user name, password and the values of query and fragment out of every URL in a text.
fn without_url_secrets(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        clean.push_str(before);
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '`');
        let (url, others) = after.split_at(after.find(ends).unwrap_or(after.len()));
        push_url(&mut clean, url);
        rest = others;
    }
    clean.push_str(rest);
    clean
}

/// How much of a URL is kept after `://`, in characters.
const URL_MAX: usize = 250;

/// `url` is what stands after `://`.
fn push_url(clean: &mut String, url: &str) {
    let mut safe = String::new();
    push_whole_url(&mut safe, url);
    match safe.char_indices().nth(URL_MAX) {
        Some((end, _)) => clean.extend([before_escape(&safe[..end]), "…"]),
        None => clean.push_str(&safe),
    }
}

/// The text without the beginning of an escape at its end: it may stand in JSON.
fn before_escape(text: &str) -> &str {
    const ESCAPE: usize = "\\u0000".len();
    let start = text.rfind('\\').filter(|start| text.len() - start < ESCAPE);
    let start = start.map(|start| text[..start].trim_end_matches('\\').len());
    &text[..start.unwrap_or(text.len())]
}

fn push_whole_url(clean: &mut String, url: &str) {
    let (place, values) = url.split_at(url.find(['?', '#']).unwrap_or(url.len()));
    let (authority, path) = place.split_at(place.find('/').unwrap_or(place.len()));
    match authority.rsplit_once('@') {
        Some((_, host)) => clean.extend([REDACTED, "@", host]),
        None => clean.push_str(authority),
    }
    clean.push_str(path);
    for part in values.split_inclusive(['?', '#', '&', ';']) {
        let value = part.trim_end_matches(['?', '#', '&', ';']);
        let separator = &part[value.len()..];
        match value.split_once('=') {
            Some((name, value)) if !value.is_empty() => clean.extend([name, "=", REDACTED]),
            // A lone value may be a signature. What ends a sentence is none.
            None if value.len() >= LENGTH_MIN => clean.push_str(REDACTED),
            Some(_) | None => clean.push_str(value),
        }
        clean.push_str(separator);
    }
}

/// Takes credentials out of what is written, line by line.
#[derive(Debug)]
pub struct Redacting<W: Write> {
    out: W,
    line: Vec<u8>,
}

impl<W: Write> Redacting<W> {
    /// Writes to `out`.
    pub const fn new(out: W) -> Self {
        Self {
            out,
            line: Vec::new(),
        }
    }

    fn pass(&mut self, until: usize) -> io::Result<()> {
        let rest = self.line.split_off(until);
        let lines = std::mem::replace(&mut self.line, rest);
        match std::str::from_utf8(&lines) {
            Ok(text) => self.out.write_all(redact(text).as_bytes()),
            Err(_) => self
                .out
                .write_all(redact(&String::from_utf8_lossy(&lines)).as_bytes()),
        }
    }
}

impl<W: Write> Write for Redacting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let before = self.line.len();
        self.line.extend_from_slice(bytes);
        if let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') {
            self.pass(before + end + 1)?;
        }
        Ok(bytes.len())
    }

    /// Also passes a line on that has no end yet.
    fn flush(&mut self) -> io::Result<()> {
        self.pass(self.line.len())?;
        self.out.flush()
    }
}

impl<W: Write> Drop for Redacting<W> {
    fn drop(&mut self) {
        // A writer with nothing left is not touched: another thread may be at it, and wait for a reader that takes nothing.
        if !self.line.is_empty() {
            // What cannot be written has been reported by an earlier write, or nothing reads any more.
            drop(self.flush());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Secret;
    use super::*;

    const SECRET: &str = "rd_Need/le+Q7x41";

    fn known() -> &'static str {
        drop(Secret::new(SECRET));
        SECRET
    }

    fn each(text: &str, show: fn(u8) -> String) -> String {
        text.bytes().map(show).collect()
    }

    fn percent(text: &str) -> String {
        each(text, |byte| format!("%{byte:02x}"))
    }

    #[test]
    fn every_usual_encoding_is_found() {
        let secret = known();
        let mut forms = vec![
            secret.to_owned(),
            secret.to_uppercase(),
            secret.to_lowercase(),
            percent(secret),
            percent(secret).to_uppercase(),
            percent(&percent(secret)),
            secret.replace('/', "%2F").replace('+', "%2b"),
            each(secret, |b| format!("\\u{b:04x}")),
            each(secret, |b| format!("\\\\u{b:04X}")),
            each(secret, |b| format!("\\x{b:02X}")),
            secret.replace('/', "\\/"),
            each(secret, |b| format!("&#{b};")),
            each(secret, |b| format!("&#x{b:X};")),
            each(secret, |b| format!("&#0{b}")),
            each(secret, |b| format!("&amp;#{b};")),
            each(secret, |b| format!("\\u0026#{b};")),
            secret.replace('/', "&sol;").replace('+', "&plus;"),
            each(secret, |b| format!("{b:02x}")),
            each(secret, |b| format!("{b:02X}")),
        ];
        for before in ["", "u", "us", "Bearer ", "user:"] {
            for after in ["", "1", "12", "\n"] {
                let whole = format!("{before}{secret}{after}");
                forms.push(encode(whole.as_bytes()));
                forms.push(percent(&encode(whole.as_bytes())));
            }
        }
        for form in forms {
            let text = format!("before <{form}> after");
            let clean = redact(&text);
            assert!(clean.contains(REDACTED), "{form}");
            assert!(
                clean.starts_with("before <") && clean.ends_with("> after"),
                "{clean}"
            );
            assert!(clean.len() < 8 + REDACTED.len() + 8 + 48, "{form}: {clean}");
        }
    }

    /// Plain base64, written another way than in the code under test.
    fn encode(bytes: &[u8]) -> String {
        let digits: Vec<char> = ('A'..='Z')
            .chain('a'..='z')
            .chain('0'..='9')
            .chain("+/".chars())
            .collect();
        let group = |group: &[u8]| {
            let number = group
                .iter()
                .fold(0usize, |all, byte| all << 8 | usize::from(*byte));
            let number = number << (8 * (3 - group.len()));
            let shown = |at: usize| digits[number >> (18 - 6 * at) & 63];
            (0..4)
                .map(|at| if at <= group.len() { shown(at) } else { '=' })
                .collect::<String>()
        };
        bytes.chunks(3).map(group).collect()
    }

    #[test]
    fn other_text_stays_as_it_is() {
        known();
        for text in [
            "",
            "plain",
            "100 % \\u00e9 &amp; &#233; %zz \\",
            "é%C3%A9\\",
        ] {
            assert!(matches!(redact(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn an_ordinary_word_is_no_credential() {
        for word in ["target", "Created", "a1b2c"] {
            drop(Secret::new(word));
            assert_eq!(redact(word), word);
        }
    }

    #[test]
    fn words_of_others_are_searched_across_lines_and_at_a_cut() {
        let secret = known();
        let hex: Vec<_> = secret.bytes().map(|b| format!("{b:02x}")).collect();
        assert_eq!(
            redact_message(&format!("a {} b", hex.join(" "))),
            "a [redacted] b"
        );
        assert_eq!(
            redact_message(&format!("a {}", &secret[..10])),
            "a [redacted]"
        );
        let (left, right) = secret.split_at(7);
        assert_eq!(
            redact_message(&format!("a {left}\n{right}.")),
            "a [redacted]."
        );
    }

    #[test]
    fn urls_keep_host_and_path_only() {
        let clean = redact_message;
        assert_eq!(
            clean("GET https://ann:pw@host:81/a@b?sig=abc&x=&y#t=1 failed"),
            "GET https://[redacted]@host:81/a@b?sig=[redacted]&x=&y#t=[redacted] failed"
        );
        assert_eq!(
            clean("\"http://h/p?0123456789\""),
            "\"http://h/p?[redacted]\""
        );
        assert_eq!(clean("is it http://h? no://"), "is it http://h? no://");
    }

    #[test]
    fn a_long_url_is_cut() {
        let clean = redact_message(&format!("no https://h/{} here", "a/".repeat(5000)));
        assert_eq!(
            clean.chars().count(),
            "no https://… here".len() - 2 + URL_MAX
        );
        assert!(
            clean.ends_with("a/…  here".replace("  ", " ").as_str()),
            "{clean}"
        );
        for escaped in ["\\u0041", "\\n", "\\\\"] {
            let text = format!("\"http://h/{}\"", escaped.repeat(500));
            let clean = redact_message(&text);
            let read: Value = serde_json::from_str(&clean).unwrap();
            assert!(read.as_str().unwrap().ends_with('…'), "{clean}");
        }
    }

    #[test]
    fn what_is_written_is_searched_line_by_line() {
        let secret = known();
        let mut out = Vec::new();
        {
            let mut writer = Redacting::new(&mut out);
            for byte in format!("one {secret} two\nthree {secret}").bytes() {
                writer.write_all(&[byte]).unwrap();
            }
        }
        assert_eq!(out, b"one [redacted] two\nthree [redacted]");
    }
}
