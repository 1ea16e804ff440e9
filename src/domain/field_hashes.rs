//! What each field of an entity said when both sides last agreed, as hashes.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ContentHash;

/// Hashes of fields by their names. One that said nothing is not among them.
///
/// 64 bits each of name and value: they are compared within one entity only. As text 32 hexadecimal digits for each field,
/// sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldHashes(Arc<[(u64, u64)]>);

/// The hash of what one field says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldHash(u64);

impl FieldHash {
    /// Of a value in normal form.
    pub fn of(value: &Value) -> Self {
        Self(ContentHash::of(value).short())
    }
}

fn name_hash(name: &str) -> u64 {
    ContentHash::of_bytes(name.as_bytes()).short()
}

impl FieldHashes {
    /// Of fields with their values in normal form.
    pub fn of<'v, N: AsRef<str>>(fields: impl Iterator<Item = (N, &'v Value)>) -> Self {
        let hashes = fields.map(|(name, value)| {
            let FieldHash(hash) = FieldHash::of(value);
            (name_hash(name.as_ref()), hash)
        });
        let mut hashes: Vec<(u64, u64)> = hashes.collect();
        hashes.sort_unstable();
        Self(hashes.into())
    }

    /// What a field said; `None` where that was nothing.
    pub fn get(&self, name: &str) -> Option<FieldHash> {
        let wanted = name_hash(name);
        let at = self
            .0
            .binary_search_by_key(&wanted, |(name, _)| *name)
            .ok()?;
        Some(FieldHash(self.0[at].1))
    }

    /// Reads what [`fmt::Display`] writes; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        const DIGITS: usize = 16;
        let number = |digits: &[u8]| {
            let digits = std::str::from_utf8(digits).ok()?;
            let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            u64::from_str_radix(digits, 16).ok().filter(|_| is_hex)
        };
        let rows = text.as_bytes().chunks(2 * DIGITS).map(|row| {
            let (name, value) = row.split_at_checked(DIGITS)?;
            let is_whole = value.len() == DIGITS;
            Some((number(name)?, number(value).filter(|_| is_whole)?))
        });
        let rows: Vec<(u64, u64)> = rows.collect::<Option<_>>()?;
        rows.is_sorted().then(|| Self(rows.into()))
    }
}

impl fmt::Display for FieldHashes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = self.0.iter();
        rows.try_for_each(|(name, value)| write!(f, "{name:016x}{value:016x}"))
    }
}

impl Serialize for FieldHashes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FieldHashes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || serde::de::Error::custom("expected 32 hexadecimal digits for each field");
        Self::parse(&text).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn it_reads_back_what_it_writes_and_knows_each_field() {
        let (title, body) = (json!("a"), json!({ "@ids": "7" }));
        let fields = [("/fields/title", &title), ("/fields/body", &body)];
        let hashes = FieldHashes::of(fields.into_iter());
        assert_eq!(
            FieldHashes::parse(&hashes.to_string()),
            Some(hashes.clone())
        );
        assert_eq!(hashes.get("/fields/title"), Some(FieldHash::of(&title)));
        assert_ne!(hashes.get("/fields/body"), Some(FieldHash::of(&title)));
        assert_eq!(hashes.get("/fields/other"), None);
        assert_eq!(FieldHashes::parse(""), Some(FieldHashes::default()));
        for wrong in [
            "0",
            &hashes.to_string()[1..],
            &"+".repeat(32),
            &"g".repeat(32),
        ] {
            assert_eq!(FieldHashes::parse(wrong), None, "{wrong}");
        }
    }
}
