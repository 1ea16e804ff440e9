//! The path of the walker in a body, without an allocation until it is needed.

use std::fmt;

use crate::plan::json_pointer::escaped;

/// A place in a body; [`fmt::Display`] writes it as a JSON pointer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Path<'a> {
    /// The body itself.
    Root,
    /// A member of an object.
    Member(&'a Path<'a>, &'a str),
    /// An item of an array.
    Item(&'a Path<'a>, usize),
    /// The JSON inside a text.
    Inside(&'a Path<'a>),
}

impl Path<'_> {
    /// How many texts with JSON one is inside of.
    pub(crate) fn texts(&self) -> usize {
        match self {
            Self::Root => 0,
            Self::Member(up, _) | Self::Item(up, _) => up.texts(),
            Self::Inside(up) => up.texts() + 1,
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Member(up, name) if name.contains(['~', '/']) => {
                write!(f, "{up}/{}", escaped(name))
            }
            Self::Member(up, name) => write!(f, "{up}/{name}"),
            Self::Item(up, at) => write!(f, "{up}/{at}"),
            Self::Inside(up) => write!(f, "{up}#"),
        }
    }
}
