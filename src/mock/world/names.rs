//! How an instance compares the names of what it holds.
//!
//! The reference says "compare ignoring case" of some kinds and nothing of the others, so a caller can have it both ways. It
//! is about which names may stand side by side; whatever refers to something by name finds it in any case.

use std::str::FromStr;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::rules::word;
use super::text::fold;

/// Which names an instance takes for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Names {
    /// Without regard to case, but for the paths of assets, which are compared exactly.
    #[default]
    Usual,
    /// Letter by letter, for every kind.
    Exact,
    /// Without regard to case and Unicode form, for every kind.
    Folded,
    /// As [`Names::Folded`], and without regard to accents.
    Loose,
}

impl Names {
    /// All of them, with the words for them.
    const ALL: [(&'static str, Self); 4] = [
        ("usual", Self::Usual),
        ("exact", Self::Exact),
        ("folded", Self::Folded),
        ("loose", Self::Loose),
    ];

    /// The form in which names are looked up.
    pub(super) fn key(self, name: &str) -> String {
        match self {
            Self::Usual | Self::Exact => fold(name),
            Self::Folded => fold(&name.nfc().collect::<String>()),
            Self::Loose => {
                let letters = name.nfd().filter(|letter| !is_combining_mark(*letter));
                fold(&letters.collect::<String>())
            }
        }
    }

    /// The form in which the paths of assets are compared.
    pub(super) fn path(self, path: &str) -> String {
        match self {
            Self::Usual | Self::Exact => path.to_owned(),
            Self::Folded | Self::Loose => self.key(path),
        }
    }

    /// Whether two names of one key cannot stand side by side.
    pub(super) fn clash(self, one: &str, other: &str) -> bool {
        self != Self::Exact || one.trim() == other.trim()
    }
}

impl FromStr for Names {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        word(text, &Self::ALL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_takes_more_names_for_one_than_the_one_before() {
        let pairs = [
            ("News", "news"),
            ("caf\u{e9}", "Cafe\u{301}"),
            ("caf\u{e9}", "cafe"),
        ];
        let same = |names: Names| {
            pairs.map(|(one, other)| names.key(one) == names.key(other) && names.clash(one, other))
        };
        assert_eq!(same(Names::Exact), [false, false, false]);
        assert_eq!(same(Names::Usual), [true, false, false]);
        assert_eq!(same(Names::Folded), [true, true, false]);
        assert_eq!(same(Names::Loose), [true, true, true]);
        assert!("exact".parse::<Names>().is_ok() && "other".parse::<Names>().is_err());
    }
}
