//! Readings of a text: what it says when its escapes are decoded, and where in the original each byte came from.

use std::borrow::Cow;
use std::ops::Range;

/// A text with some escapes decoded.
pub(super) struct Reading<'a> {
    bytes: Cow<'a, [u8]>,
    /// For each byte, which part of the original it stands for; `None`: the original itself.
    origins: Option<Vec<Range<usize>>>,
}

/// Entities by name that stand for characters of tokens.
const ENTITIES: [(&[u8], u8); 20] = [
    (b"amp", b'&'),
    (b"lt", b'<'),
    (b"gt", b'>'),
    (b"quot", b'"'),
    (b"apos", b'\''),
    (b"sol", b'/'),
    (b"bsol", b'\\'),
    (b"plus", b'+'),
    (b"equals", b'='),
    (b"lowbar", b'_'),
    (b"period", b'.'),
    (b"hyphen", b'-'),
    (b"dash", b'-'),
    (b"colon", b':'),
    (b"num", b'#'),
    (b"percnt", b'%'),
    (b"commat", b'@'),
    (b"excl", b'!'),
    (b"dollar", b'$'),
    (b"ast", b'*'),
];

impl<'a> Reading<'a> {
    /// The text as it stands.
    pub(super) const fn plain(text: &'a str) -> Self {
        Self {
            bytes: Cow::Borrowed(text.as_bytes()),
            origins: None,
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The part of the original that a part of this stands for.
    pub(super) fn original(&self, part: Range<usize>) -> Range<usize> {
        match part.end.checked_sub(1).filter(|last| *last >= part.start) {
            Some(last) => self.origin(part.start).start..self.origin(last).end,
            None => 0..0,
        }
    }

    fn origin(&self, at: usize) -> Range<usize> {
        match &self.origins {
            Some(origins) => origins.get(at).cloned().unwrap_or_default(),
            None => at..at + 1,
        }
    }

    /// One level of escapes decoded, all kinds at once; `None` when there are none.
    pub(super) fn decoded(&self) -> Option<Self> {
        if !self
            .bytes
            .iter()
            .any(|byte| matches!(byte, b'%' | b'\\' | b'&'))
        {
            return None;
        }
        let next = self.map(escape);
        (next.bytes.len() < self.bytes.len()).then_some(next)
    }

    /// Without white space and the colons that separate the bytes of a dump.
    pub(super) fn unbroken(&self) -> Self {
        self.map(|bytes| match bytes.first() {
            Some(byte) if byte.is_ascii_whitespace() || *byte == b':' => Some((None, 1)),
            _ => None,
        })
    }

    /// Replaces what `read` recognises at the start of a text, which it gives with its length there.
    fn map(&self, read: impl Fn(&[u8]) -> Option<(Option<u8>, usize)>) -> Self {
        let mut bytes = Vec::with_capacity(self.bytes.len());
        let mut origins = Vec::with_capacity(self.bytes.len());
        let mut at = 0;
        while let Some(rest) = self.bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let (byte, length) = read(rest).unwrap_or((Some(rest[0]), 1));
            if let Some(byte) = byte {
                bytes.push(byte);
                origins.push(self.original(at..at + length));
            }
            at += length;
        }
        Self {
            bytes: Cow::Owned(bytes),
            origins: Some(origins),
        }
    }
}

/// The character that an escape at the start of a text stands for, and the length of the escape. One outside of ASCII,
/// which no token contains, is left out.
fn escape(text: &[u8]) -> Option<(Option<u8>, usize)> {
    let (value, length) = match text {
        [b'%' | b'\\', b'u' | b'U', rest @ ..] => (number(rest.get(..4)?, 16)?, 6),
        [b'%', rest @ ..] => (number(rest.get(..2)?, 16)?, 3),
        [b'\\', b'x' | b'X', rest @ ..] => (number(rest.get(..2)?, 16)?, 4),
        [b'\\', c @ (b'"' | b'\'' | b'/' | b'\\'), ..] => (u32::from(*c), 2),
        [b'&', b'#', b'x' | b'X', rest @ ..] => entity(rest, 16, 3)?,
        [b'&', b'#', rest @ ..] => entity(rest, 10, 2)?,
        [b'&', rest @ ..] => ENTITIES.iter().find_map(|(name, c)| {
            let is_named = rest.starts_with(name) && rest.get(name.len()) == Some(&b';');
            is_named.then(|| (u32::from(*c), name.len() + 2))
        })?,
        _ => return None,
    };
    Some((u8::try_from(value).ok().filter(u8::is_ascii), length))
}

/// A number at the start of `digits`, up to a semicolon that may be missing; `before` characters stand before it.
fn entity(digits: &[u8], radix: u32, before: usize) -> Option<(u32, usize)> {
    let is_digit = |byte: &&u8| char::from(**byte).is_digit(radix);
    let length = digits.iter().take_while(is_digit).count();
    let semicolon = usize::from(digits.get(length) == Some(&b';'));
    Some((
        number(&digits[..length], radix)?,
        before + length + semicolon,
    ))
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    let text = std::str::from_utf8(digits).ok()?;
    let is_plain = text.chars().all(|c| c.is_digit(radix));
    u32::from_str_radix(text, radix).ok().filter(|_| is_plain)
}
