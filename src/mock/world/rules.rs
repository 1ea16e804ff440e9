//! Rules in which servers differ, and that are chosen for all instances of one.

use std::str::FromStr;

use super::names::Names;

/// What an instance does that callers cannot know beforehand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Which names it takes for one.
    pub names: Names,
    /// Whether a create under a name that is in use is a save over what has it. Otherwise it is refused; the upload of an
    /// asset is one in any case.
    pub replaces: bool,
    /// What it says of the bytes of files.
    pub digests: FileDigests,
}

/// What an instance says of the bytes of its files, in `Content-MD5`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileDigests {
    /// Their MD5, of files that a store takes in one piece.
    #[default]
    Right,
    /// Nothing.
    None,
    /// An MD5 that is not theirs.
    Wrong,
}

impl FileDigests {
    /// All of them, with the words for them.
    const ALL: [(&'static str, Self); 3] = [
        ("right", Self::Right),
        ("none", Self::None),
        ("wrong", Self::Wrong),
    ];
}

impl FromStr for FileDigests {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        word(text, &Self::ALL)
    }
}

/// The value for a word.
pub(super) fn word<T: Copy>(text: &str, all: &[(&str, T)]) -> Result<T, String> {
    let known = all.iter().find(|(word, _)| *word == text.trim());
    known.map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<&str> = all.iter().map(|(word, _)| *word).collect();
        format!("expected one of {}", words.join(", "))
    })
}
