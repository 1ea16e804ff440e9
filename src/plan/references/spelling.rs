//! How the characters of a URL are spelled where it stands.
//!
//! A URL in a text is seldom written plainly: JSON writers escape slashes (`\/`, `\u002F`) and ampersands, HTML has
//! entities, and a URL that is a parameter of another one is percent-encoded, as often as it was passed on. A
//! [`unit()`] is one character in any of these spellings. What is written in the place of a URL takes the spelling of
//! each character from the URL that stood there, so that whatever decodes the text decodes the new URL as well.

use std::ops::Range;

/// How often a URL inside URLs can be percent-encoded.
const DEEPEST_PERCENT: u8 = 3;
/// Characters that `encodeURIComponent` and its like leave as they are.
const UNENCODED: &[u8] = b"-_.~!*'()";

/// One character, and how many bytes of the text spell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    bytes: [u8; 4],
    len: u8,
    pub(super) spelled: usize,
}

impl Unit {
    fn of(c: char, spelled: usize) -> Self {
        let mut bytes = [0; 4];
        let len = u8::try_from(c.encode_utf8(&mut bytes).len()).unwrap_or(4);
        Self {
            bytes,
            len,
            spelled,
        }
    }

    /// What it stands for: a character, or one byte of a percent-encoded one.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// The first character of `text` that is percent-encoded `percent` times; `None` where such a text ends.
pub(super) fn unit(text: &str, percent: u8) -> Option<Unit> {
    let first = text.chars().next()?;
    if percent > 0 {
        return encoded(text, first, percent);
    }
    let escaped = match first {
        '\\' => backslashes(text),
        '&' => entity(text),
        _ => None,
    };
    Some(escaped.unwrap_or(Unit::of(first, first.len_utf8())))
}

/// A character of a percent-encoded text; one that would have been encoded is no part of it.
fn encoded(text: &str, first: char, percent: u8) -> Option<Unit> {
    if first == '%' {
        let mark = 1 + 2 * usize::from(percent - 1);
        let marks = text.as_bytes().get(1..mark)?;
        let digits = text.get(mark..mark + 2)?;
        let byte = u8::from_str_radix(digits, 16).ok()?;
        let fits = marks.chunks(2).all(|mark| mark == b"25")
            && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        return fits.then_some(Unit {
            bytes: [byte, 0, 0, 0],
            len: 1,
            spelled: mark + 2,
        });
    }
    let is_part = first.is_ascii_alphanumeric()
        || !first.is_ascii() && !first.is_whitespace()
        || first.is_ascii() && (UNENCODED.contains(&(first as u8)) || "+,:@$".contains(first));
    is_part.then(|| Unit::of(first, first.len_utf8()))
}

/// `\/` and `\u002F`, behind as many backslashes as there are JSON texts around.
fn backslashes(text: &str) -> Option<Unit> {
    let rest = text.trim_start_matches('\\');
    let before = text.len() - rest.len();
    if rest.starts_with('/') {
        return Some(Unit::of('/', before + 1));
    }
    let digits = rest.strip_prefix('u')?.get(..4)?;
    let code = u32::from_str_radix(digits, 16).ok()?;
    Some(Unit::of(char::from_u32(code)?, before + 5))
}

/// An HTML entity.
fn entity(text: &str) -> Option<Unit> {
    const LONGEST: usize = 10;
    let end = text.bytes().take(LONGEST).position(|byte| byte == b';')?;
    let name = &text[1..end];
    let number = |digits: &str, radix| char::from_u32(u32::from_str_radix(digits, radix).ok()?);
    let c = match name {
        "amp" | "AMP" => '&',
        "quot" => '"',
        "apos" => '\'',
        "lt" => '<',
        "gt" => '>',
        "sol" => '/',
        "colon" => ':',
        "period" => '.',
        _ => {
            let digits = name.strip_prefix('#')?;
            match digits.strip_prefix(['x', 'X']) {
                Some(digits) => number(digits, 16)?,
                None => number(digits, 10)?,
            }
        }
    };
    Some(Unit::of(c, end + 1))
}

/// Two slashes that are spelled alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slashes {
    pub(super) range: Range<usize>,
    /// How often they are percent-encoded.
    pub(super) percent: u8,
}

/// The first two slashes at or behind `from`.
pub(super) fn next_slashes(text: &str, from: usize) -> Option<Slashes> {
    let could_be = |byte: &u8| matches!(byte, b'/' | b'%' | b'\\' | b'&');
    let mut at = from;
    loop {
        at += text.as_bytes().get(at..)?.iter().position(could_be)?;
        match slash(&text[at..]) {
            Some((len, percent)) => {
                let next = at + len;
                if slash(&text[next..]) == Some((len, percent)) {
                    return Some(Slashes {
                        range: at..next + len,
                        percent,
                    });
                }
                at = next;
            }
            None => at += 1,
        }
    }
}

/// A slash at the start of `text`: how many bytes spell it, and how often it is percent-encoded.
fn slash(text: &str) -> Option<(usize, u8)> {
    let is_slash = |unit: &Unit| unit.bytes() == b"/";
    // Most texts have no other characters of these, and this is asked of every one.
    let deepest = match text.as_bytes().first()? {
        b'/' => return Some((1, 0)),
        b'%' => 1..=DEEPEST_PERCENT,
        b'\\' | b'&' => 0..=0,
        _ => return None,
    };
    deepest.into_iter().find_map(|percent| {
        let unit = unit(text, percent).filter(is_slash)?;
        Some((unit.spelled, percent))
    })
}

/// Where a URL begins whose slashes follow `before`; `None` behind another scheme than HTTP.
pub(super) fn scheme_start(before: &str, percent: u8) -> Option<usize> {
    let Some(name_end) = colon_start(before, percent) else {
        return Some(before.len());
    };
    let name = &before[..name_end];
    if !name.ends_with(|c: char| c.is_ascii_alphanumeric()) {
        return Some(before.len());
    }
    ["https", "http"].iter().find_map(|scheme| {
        let start = name.len().checked_sub(scheme.len())?;
        let fits = name.get(start..)?.eq_ignore_ascii_case(scheme);
        fits.then_some(start)
    })
}

/// Where a colon at the end of `text` begins.
fn colon_start(text: &str, percent: u8) -> Option<usize> {
    const LONGEST: usize = 12;
    if text.ends_with(':') {
        return Some(text.len() - 1);
    }
    // The outermost spelling: `\\u003a` is a backslash more than `\u003a`.
    let starts = (text.len().saturating_sub(LONGEST)..text.len())
        .filter(|&at| text.is_char_boundary(at) && b"%\\&".contains(&text.as_bytes()[at]));
    let mut colons = starts.filter(|&at| {
        unit(&text[at..], percent)
            .is_some_and(|unit| unit.bytes() == b":" && at + unit.spelled == text.len())
    });
    colons.next()
}

/// A text as it reads, with the place of every byte.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) text: String,
    /// Where the unit of each byte begins, and where the last one ends.
    at: Vec<usize>,
}

impl Reading {
    /// Reads `text` from `from` up to the first unit that `ends`, or that is no part of a text with this encoding.
    pub(super) fn until(
        text: &str,
        from: usize,
        percent: u8,
        ends: impl Fn(&[u8]) -> bool,
    ) -> Self {
        /// More than any path; the rest of a text is not read again for each URL in it.
        const LONGEST: usize = 4096;
        let (mut bytes, mut at, mut here) = (Vec::new(), Vec::new(), from);
        while bytes.len() < LONGEST
            && let Some(unit) = unit(&text[here..], percent)
            && !ends(unit.bytes())
        {
            at.extend(unit.bytes().iter().map(|_| here));
            bytes.extend_from_slice(unit.bytes());
            here += unit.spelled;
        }
        at.push(here);
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                at.truncate(valid + 1);
                String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned()
            }
        };
        Self { text, at }
    }

    /// Where the byte at `position` of what was read stands in the text.
    pub(super) fn place(&self, position: usize) -> usize {
        self.at[position]
    }
}

/// How many bytes of `text` spell `prefix`, when the URL ends there or goes on with a path.
pub(super) fn match_prefix(text: &str, prefix: &str, percent: u8) -> Option<usize> {
    let at = match_text(text, prefix, percent)?;
    let goes_on = |unit: Unit| {
        let byte = unit.bytes()[0];
        byte.is_ascii_alphanumeric() || !byte.is_ascii() || b"-_.~%+@:".contains(&byte)
    };
    (!unit(&text[at..], percent).is_some_and(goes_on)).then_some(at)
}

/// How many bytes at the start of `text` spell `wanted`, in any case; `None` when they say something else.
pub(super) fn match_text(text: &str, wanted: &str, percent: u8) -> Option<usize> {
    let mut at = 0;
    for wanted in wanted.chars() {
        let unit = unit(&text[at..], percent)?;
        let fits = match unit.bytes() {
            [byte] => byte.eq_ignore_ascii_case(&u8::try_from(wanted).ok()?),
            bytes => bytes == wanted.encode_utf8(&mut [0; 4]).as_bytes(),
        };
        if !fits {
            return None;
        }
        at += unit.spelled;
    }
    Some(at)
}

/// What `text` says, which is percent-encoded `percent` times.
pub(super) fn plain(text: &str, percent: u8) -> String {
    Reading::until(text, 0, percent, |_| false).text
}

/// `new`, each of its characters spelled as in `old`, which is percent-encoded `percent` times.
pub(super) fn spelled_as(new: &str, old: &str, percent: u8) -> String {
    let mut known: Vec<(u8, &str)> = Vec::new();
    let mut at = 0;
    while let Some(unit) = unit(&old[at..], percent) {
        if let [byte] = *unit.bytes()
            && byte.is_ascii()
            && !known.iter().any(|(other, _)| *other == byte)
        {
            known.push((byte, &old[at..at + unit.spelled]));
        }
        at += unit.spelled;
    }
    let mut out = String::with_capacity(new.len());
    for c in new.chars() {
        let spelling = known
            .iter()
            .find(|(known, _)| c.is_ascii() && char::from(*known) == c);
        match spelling {
            Some((_, spelling)) => out.push_str(spelling),
            None if percent > 0 => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    out.push_str(&percent_encoded(byte, percent, old));
                }
            }
            None => out.push(c),
        }
    }
    out
}

fn percent_encoded(byte: u8, percent: u8, old: &str) -> String {
    if byte.is_ascii_alphanumeric() || UNENCODED.contains(&byte) {
        return char::from(byte).to_string();
    }
    let mark = format!("%{}", "25".repeat(usize::from(percent - 1)));
    let lower = old.contains("2f") && !old.contains("2F");
    if lower {
        format!("{mark}{byte:02x}")
    } else {
        format!("{mark}{byte:02X}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slashes(text: &str) -> Vec<(Range<usize>, u8)> {
        let first = next_slashes(text, 0);
        std::iter::successors(first, |last| next_slashes(text, last.range.end))
            .map(|slashes| (slashes.range, slashes.percent))
            .collect()
    }

    #[test]
    fn slash_pairs_are_found_in_every_spelling() {
        assert_eq!(slashes("a//b\\/\\/c</p>/x"), [(1..3, 0), (4..8, 0)]);
        assert_eq!(slashes("%2F%2f"), [(0..6, 1)]);
        assert_eq!(slashes("%252F%252F"), [(0..10, 2)]);
        assert_eq!(slashes("\\u002f\\u002F"), [(0..12, 0)]);
        assert_eq!(slashes("\\\\\\/\\\\\\/"), [(0..8, 0)]);
        assert_eq!(slashes("&#x2F;&#x2F;&sol;&sol;"), [(0..12, 0), (12..22, 0)]);
        assert_eq!(slashes("%2F/ & % \\ é/"), []);
    }

    #[test]
    fn only_http_counts_as_a_scheme() {
        assert_eq!(scheme_start("see HTTPS:", 0), Some(4));
        assert_eq!(scheme_start("src=\"", 0), Some(5));
        assert_eq!(scheme_start("{\"a\":", 0), Some(5));
        assert_eq!(scheme_start("ftp:", 0), None);
        assert_eq!(scheme_start("u=https%3A", 1), Some(2));
        assert_eq!(scheme_start("u=https%253a", 2), Some(2));
        assert_eq!(scheme_start("u=ftp%3A", 1), None);
        assert_eq!(scheme_start("http\\u003a", 0), Some(0));
        assert_eq!(scheme_start("http&#58;", 0), Some(0));
    }

    #[test]
    fn a_prefix_ends_at_a_path_segment() {
        let prefix = "cdn.example/demo";
        assert_eq!(match_prefix("CDN.example/demo/a", prefix, 0), Some(16));
        assert_eq!(match_prefix("cdn.example/demo", prefix, 0), Some(16));
        assert_eq!(match_prefix("cdn.example/demo2/a", prefix, 0), None);
        assert_eq!(match_prefix("cdn.example\\/demo\\/a", prefix, 0), Some(17));
        assert_eq!(match_prefix("cdn.example%2Fdemo%2Fa", prefix, 1), Some(18));
        assert_eq!(match_prefix("cdn.example%2Fdemo2", prefix, 1), None);
    }

    #[test]
    fn a_new_address_takes_the_spelling_of_the_old_one() {
        let new = "https://cdn.x:80/a b/é";
        for (old, percent, spelled) in [
            ("https://x/a", 0, "https://cdn.x:80/a b/é"),
            ("https:\\/\\/x\\/a", 0, "https:\\/\\/cdn.x:80\\/a b\\/é"),
            (
                "https%3A%2F%2Fx",
                1,
                "https%3A%2F%2Fcdn.x%3A80%2Fa%20b%2F%C3%A9",
            ),
            (
                "https%253a%252f%252fx",
                2,
                "https%253a%252f%252fcdn.x%253a80%252fa%2520b%252f%25c3%25a9",
            ),
        ] {
            assert_eq!(spelled_as(new, old, percent), spelled, "{old}");
        }
    }
}
