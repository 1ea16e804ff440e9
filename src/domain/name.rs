//! Names as they are compared, in this program the only way to do it.
//!
//! Which names a server treats as equal differs by kind and is hardly documented. So they are compared as the strictest
//! server would: without regard to case and surrounding blanks, in one Unicode form. A server that distinguishes more
//! names may hold two of one key; therefore look-ups go by the exact name first.

use std::collections::HashMap;

use unicase::UniCase;
use unicode_normalization::UnicodeNormalization as _;

use super::Kind;

/// What two names have in common that stand for one thing: blanks around them left out, full case folding, composed form.
pub fn name_key(name: &str) -> Box<str> {
    let name = name.trim();
    if name.is_ascii() {
        return name.to_ascii_lowercase().into();
    }
    let composed: String = name.nfc().collect();
    let folded = UniCase::unicode(composed).to_folded_case();
    folded.nfc().collect::<String>().into()
}

/// Whether two names stand for one thing.
pub fn same_name(one: &str, other: &str) -> bool {
    one == other || name_key(one) == name_key(other)
}

/// Values by the kind and name of an entity.
#[derive(Clone, Debug)]
pub struct ByName<V> {
    exact: HashMap<(Kind, Box<str>), V>,
    /// Of several names of one key, the first.
    folded: HashMap<(Kind, Box<str>), V>,
}

impl<V> Default for ByName<V> {
    fn default() -> Self {
        Self {
            exact: HashMap::new(),
            folded: HashMap::new(),
        }
    }
}

impl<V: Clone> ByName<V> {
    /// Adds a value. One of exactly this name that is there already stays.
    pub fn insert(&mut self, kind: Kind, name: &str, value: V) {
        self.folded
            .entry((kind, name_key(name)))
            .or_insert_with(|| value.clone());
        self.exact
            .entry((kind, name.trim().into()))
            .or_insert(value);
    }

    /// The value of exactly this name, else of the first one with the same key.
    pub fn get(&self, kind: Kind, name: &str) -> Option<&V> {
        self.exact
            .get(&(kind, name.trim().into()))
            .or_else(|| self.folded.get(&(kind, name_key(name))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_blanks_and_unicode_form_do_not_matter() {
        for (one, other) in [
            ("News", " nEWS "),
            ("caf\u{e9}", "CAFE\u{301}"),
            ("Stra\u{df}e", "STRASSE"),
            (
                "\u{3a3}\u{3af}\u{3c3}\u{3c5}\u{3c6}\u{3bf}\u{3c2}",
                "\u{3c3}\u{3af}\u{3c3}\u{3c5}\u{3c6}\u{3bf}\u{3c3}",
            ),
        ] {
            assert!(same_name(one, other), "{one} {other}");
        }
        assert!(!same_name("caf\u{e9}", "cafe"));
    }

    #[test]
    fn the_exact_name_comes_first() {
        let mut names = ByName::default();
        for name in ["News", "news"] {
            names.insert(Kind::Model, name, name);
        }
        let got = |name| names.get(Kind::Model, name).copied();
        assert_eq!(
            [got("news"), got("News"), got("NEWS")],
            [Some("news"), Some("News"), Some("News")]
        );
        assert_eq!(names.get(Kind::Gallery, "news"), None);
    }
}
