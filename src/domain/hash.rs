//! The hash of what an entity says.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A hash over normalised content: equal hashes mean that nothing a user could see differs.
///
/// 128 bits of BLAKE3, in hexadecimal. Members of objects count in sorted order, so the order in which a
/// server happens to write them does not matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash([u8; 16]);

impl ContentHash {
    /// Hashes a normalised value.
    pub fn of(value: &Value) -> Self {
        // Fed at once: the hash is fast for pages of bytes and slow for many small pieces.
        let mut bytes = Vec::with_capacity(1024);
        feed(&mut bytes, value);
        Self::of_bytes(&bytes)
    }

    /// Hashes bytes, such as those of an asset.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(bytes);
        Self::finish(&hasher)
    }

    /// Takes the first half of a finished BLAKE3 state.
    pub fn finish(hasher: &blake3::Hasher) -> Self {
        let mut half = [0; 16];
        half.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(half)
    }

    /// The first 64 bits.
    pub(super) fn short(self) -> u64 {
        let mut half = [0; 8];
        half.copy_from_slice(&self.0[..8]);
        u64::from_be_bytes(half)
    }

    /// Reads the 32 hexadecimal digits that [`fmt::Display`] writes; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 32 {
            return None;
        }
        let mut half = [0; 16];
        for (slot, pair) in half.iter_mut().zip(bytes.chunks(2)) {
            *slot = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(half))
    }
}

/// Feeds `value` with a type mark and a length before every part, so that no two values feed the same bytes.
fn feed(bytes: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => mark(bytes, b'z', 0),
        Value::Bool(truth) => mark(bytes, b'b', u64::from(*truth)),
        Value::Number(number) => feed_text(bytes, b'n', &number.to_string()),
        Value::String(text) => feed_text(bytes, b's', text),
        Value::Array(items) => {
            mark(bytes, b'a', items.len() as u64);
            for item in items {
                feed(bytes, item);
            }
        }
        Value::Object(members) => {
            mark(bytes, b'o', members.len() as u64);
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_unstable_by_key(|(name, _)| name.as_str());
            for (name, member) in sorted {
                feed_text(bytes, b'k', name);
                feed(bytes, member);
            }
        }
    }
}

fn mark(bytes: &mut Vec<u8>, kind: u8, number: u64) {
    bytes.push(kind);
    bytes.extend_from_slice(&number.to_le_bytes());
}

fn feed_text(bytes: &mut Vec<u8>, kind: u8, text: &str) {
    mark(bytes, kind, text.len() as u64);
    bytes.extend_from_slice(text.as_bytes());
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for ContentHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ContentHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("expected 32 hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn member_order_does_not_count_but_item_order_does() {
        assert_eq!(
            ContentHash::of(&json!({"a": 1, "b": [1, 2]})),
            ContentHash::of(&json!({"b": [1, 2], "a": 1}))
        );
        assert_ne!(
            ContentHash::of(&json!([1, 2])),
            ContentHash::of(&json!([2, 1]))
        );
    }

    #[test]
    fn neighbours_do_not_run_together() {
        assert_ne!(
            ContentHash::of(&json!(["ab", "c"])),
            ContentHash::of(&json!(["a", "bc"]))
        );
        assert_ne!(ContentHash::of(&json!("1")), ContentHash::of(&json!(1)));
    }

    #[test]
    fn reads_back_what_it_writes() {
        let hash = ContentHash::of(&json!({"a": null}));
        assert_eq!(ContentHash::parse(&hash.to_string()), Some(hash));
        assert_eq!(ContentHash::parse("short"), None);
    }
}
