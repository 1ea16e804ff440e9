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
    /// Which forms of a selection of one item it keeps.
    pub links: Links,
    /// Whether a file that is uploaded over another one gets another id.
    pub new_media_ids: bool,
}

/// In which forms an instance takes a selection of one item; it answers with success in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Links {
    /// The id as text; an object is stored as nothing.
    #[default]
    Scalar,
    /// An object; an id as text is stored as nothing.
    Object,
    /// As [`Links::Scalar`]; where a value field is named, only the name of the list beside it, and any other form loses
    /// what is in the value field, too.
    Name,
}

impl Links {
    /// All of them, with the words for them.
    const ALL: [(&'static str, Self); 3] = [
        ("scalar", Self::Scalar),
        ("object", Self::Object),
        ("name", Self::Name),
    ];
}

impl FromStr for Links {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        word(text, &Self::ALL)
    }
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
