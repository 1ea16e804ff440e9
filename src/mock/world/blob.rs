//! The bytes of an asset, kept small: what follows from a key and a length is made when it is read.

use bytes::Bytes;
use md5::{Digest as _, Md5};
use serde_json::{Value, json};

use super::received::Received;
use super::row;
use crate::mock::file::Row;

/// The content of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Blob {
    /// Bytes as they were stored.
    Stored(Bytes),
    /// So many bytes that follow from the asset's origin key.
    Filler(u64),
}

pub(super) const BLOCK: usize = 4096;

/// The largest file that a store takes in one piece, and so has an MD5 for.
const IN_ONE_PIECE: u64 = 4 << 20;

/// The block that a filler repeats.
fn block(key: &str) -> Bytes {
    let mut out = [0_u8; BLOCK];
    blake3::Hasher::new()
        .update(key.as_bytes())
        .finalize_xof()
        .fill(&mut out);
    Bytes::copy_from_slice(&out)
}

impl Blob {
    /// Keeps what was received, as a filler where it is one.
    pub(crate) fn of(key: &str, received: Received) -> Self {
        if received.repeats(&block(key)) {
            Self::Filler(received.len())
        } else {
            Self::Stored(received.into_bytes())
        }
    }

    /// From the `content` member of a state file's row; `size` is for a row that lacks it.
    pub(crate) fn from_file(content: Option<&Row>, size: u64) -> Option<Self> {
        let Some(content) = content else {
            return Some(Self::Filler(size));
        };
        if let Some(text) = row::text(content, "text") {
            return Some(Self::Stored(Bytes::copy_from_slice(text.as_bytes())));
        }
        if let Some(text) = row::text(content, "base64") {
            return decode(text).map(|bytes| Self::Stored(bytes.into()));
        }
        row::int(content, "filler")
            .and_then(|length| u64::try_from(length).ok())
            .map(Self::Filler)
    }

    /// As the `content` member of a state file's row.
    pub(crate) fn to_file(&self) -> Value {
        match self {
            Self::Filler(length) => json!({ "filler": length }),
            Self::Stored(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => json!({ "text": text }),
                Err(_) => json!({ "base64": encode(bytes) }),
            },
        }
    }

    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Stored(bytes) => bytes.len() as u64,
            Self::Filler(length) => *length,
        }
    }

    /// The same bytes for another key than `key`.
    pub(crate) fn moved(self, key: &str) -> Self {
        match self {
            Self::Stored(_) => self,
            Self::Filler(_) => Self::Stored(self.chunks(key).flatten().collect()),
        }
    }

    /// The MD5 of the bytes; `None` of a file that is larger than what a store takes in one piece.
    pub(crate) fn md5(&self, key: &str) -> Option<[u8; 16]> {
        if self.len() > IN_ONE_PIECE {
            return None;
        }
        let mut hasher = Md5::new();
        self.chunks(key).for_each(|chunk| hasher.update(&chunk));
        Some(hasher.finalize().into())
    }

    /// The bytes in pieces; fillers share one block.
    pub(crate) fn chunks(&self, key: &str) -> Box<dyn Iterator<Item = Bytes> + Send> {
        match self {
            Self::Stored(bytes) => Box::new(std::iter::once(bytes.clone())),
            Self::Filler(length) => {
                let (block, length) = (block(key), *length);
                let step = BLOCK as u64;
                Box::new((0..length.div_ceil(step)).map(move |index| {
                    let left = usize::try_from(length - index * step).unwrap_or(BLOCK);
                    block.slice(..left.min(BLOCK))
                }))
            }
        }
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk
            .iter()
            .chain([0, 0].iter())
            .take(3)
            .fold(0_u32, |group, byte| group << 8 | u32::from(*byte));
        for place in 0..4 {
            let index = (group >> (18 - 6 * place)) & 63;
            out.push(if place <= chunk.len() {
                char::from(ALPHABET[index as usize])
            } else {
                '='
            });
        }
    }
    out
}

/// `None` when the text is not base64.
fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=');
    let (mut out, mut group, mut bits) = (Vec::with_capacity(text.len() / 4 * 3), 0_u32, 0_u32);
    for digit in digits {
        let value = ALPHABET.iter().position(|known| *known == digit)?;
        group = (group << 6) | u32::try_from(value).ok()?;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push(u8::try_from((group >> bits) & 0xff).ok()?);
        }
        group &= (1 << bits) - 1;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(blob: &Blob, key: &str) -> Vec<u8> {
        blob.chunks(key).flat_map(|chunk| chunk.to_vec()).collect()
    }

    #[test]
    fn fillers_have_their_length_and_differ_by_key() {
        for length in [0, 1, 4096, 10_000] {
            assert_eq!(joined(&Blob::Filler(length), "a").len() as u64, length);
        }
        assert_ne!(
            joined(&Blob::Filler(64), "a"),
            joined(&Blob::Filler(64), "b")
        );
    }

    fn received(bytes: &[u8]) -> Received {
        let mut received = Received::default();
        received.push(bytes);
        received
    }

    #[test]
    fn uploaded_fillers_are_recognised_and_nothing_else_is() {
        let bytes = joined(&Blob::Filler(9_000), "img/a.jpg");
        assert_eq!(Blob::of("img/a.jpg", received(&bytes)), Blob::Filler(9_000));
        assert_eq!(
            Blob::of("img/b.jpg", received(&bytes)),
            Blob::Stored(bytes.into())
        );
        assert_eq!(
            Blob::of("img/a.jpg", received(&[])),
            Blob::Stored(Bytes::new())
        );
    }

    #[test]
    fn base64_goes_both_ways() {
        for bytes in [&[][..], &[255], &[1, 2], &[0, 128, 255], b"\xff plain text"] {
            let content = json!({ "base64": encode(bytes) });
            let blob = Blob::from_file(content.as_object(), 0).unwrap();
            assert_eq!(blob, Blob::Stored(Bytes::copy_from_slice(bytes)));
        }
        assert_eq!(encode(b"Ma"), "TWE=");
        assert!(Blob::from_file(json!({ "base64": "!" }).as_object(), 0).is_none());
    }
}
