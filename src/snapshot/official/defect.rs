//! What cannot be used of a mapping folder, and what to do about it.

use std::fmt;
use std::path::PathBuf;

use crate::domain::{EntityKey, Guid, TargetId};

/// A file or row that is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defect {
    /// The file, below the folder of the pair.
    pub file: PathBuf,
    /// The row, counted from 1; `None` of the file as a whole.
    pub row: Option<usize>,
    /// What is wrong.
    pub kind: DefectKind,
}

/// What is wrong with a file or row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DefectKind {
    /// The file cannot be read, for this reason.
    Unreadable(String),
    /// The file is not a JSON array, for this reason.
    Torn(String),
    /// A member is missing or has another type.
    WrongType {
        /// The member; empty of a row that is not an object.
        member: &'static str,
        /// What it should be.
        expected: &'static str,
        /// What is there, as JSON, cut to a readable length.
        found: String,
    },
    /// The row is of other instances than its folder.
    OtherInstance {
        /// The member.
        member: &'static str,
        /// What it names.
        found: String,
        /// What the folder names.
        expected: Guid,
    },
    /// An entity of the source has several counterparts, or stands in several rows.
    SourceTwice {
        /// The entity.
        key: EntityKey,
        /// The other rows, counted from 1.
        rows: Vec<usize>,
    },
    /// An entity of the target is the counterpart of several.
    TargetTwice {
        /// Its id.
        target: TargetId,
        /// The other rows, counted from 1.
        rows: Vec<usize>,
    },
    /// A name that is unique on an instance belongs to several entities of the source.
    NameTwice {
        /// The name.
        name: String,
        /// The other rows, counted from 1.
        rows: Vec<usize>,
    },
    /// An item or page, which has one id in all its locales, has another counterpart in another locale.
    LocalesDisagree {
        /// The entity.
        key: EntityKey,
        /// The other files with their rows, counted from 1.
        elsewhere: Vec<(PathBuf, usize)>,
    },
    /// The target has no such entity; it was listed completely.
    TargetGone {
        /// The id.
        target: TargetId,
    },
    /// The state has another counterpart for the entity.
    StateDiffers {
        /// The entity.
        key: EntityKey,
        /// The counterpart that the state has.
        target: TargetId,
    },
    /// The state has the target's entity as the counterpart of another one.
    Claimed {
        /// The target's entity.
        target: TargetId,
        /// Its counterpart.
        by: EntityKey,
    },
}

impl DefectKind {
    /// One word for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::Torn(_) => "torn",
            Self::WrongType { .. } => "wrong-type",
            Self::OtherInstance { .. } => "other-instance",
            Self::SourceTwice { .. } => "source-twice",
            Self::TargetTwice { .. } => "target-twice",
            Self::NameTwice { .. } => "name-twice",
            Self::LocalesDisagree { .. } => "locales-disagree",
            Self::TargetGone { .. } => "target-gone",
            Self::StateDiffers { .. } => "state-differs",
            Self::Claimed { .. } => "claimed",
        }
    }

    /// The next step.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "make the file readable for this user",
            Self::Torn(_) => {
                "restore the file from a backup; without it, `lockgate mappings rebuild` recognises the entities again"
            }
            Self::WrongType { .. } => "correct the row, or delete it",
            Self::OtherInstance { .. } => {
                "move the row to the folder of its own instances, or delete it"
            }
            Self::SourceTwice { .. } | Self::TargetTwice { .. } | Self::LocalesDisagree { .. } => {
                "look both up on the target, and delete the rows that are wrong"
            }
            Self::NameTwice { .. } => "delete the rows whose source entity does not exist any more",
            Self::TargetGone { .. } => {
                "delete the row; `lockgate plan` shows whether another counterpart is found"
            }
            Self::StateDiffers { .. } | Self::Claimed { .. } => {
                "nothing, if the state is right; `lockgate mappings check` compares it with both instances"
            }
        }
    }
}

impl fmt::Display for DefectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "cannot be read: {why}"),
            Self::Torn(why) => write!(f, "not a JSON array of rows: {why}"),
            Self::WrongType {
                member: "",
                expected,
                found,
            } => write!(f, "the row is {found}, expected {expected}"),
            Self::WrongType {
                member,
                expected,
                found,
            } => write!(f, "{member} is {found}, expected {expected}"),
            Self::OtherInstance {
                member,
                found,
                expected,
            } => write!(f, "{member} is {found:?}, and the folder is of {expected}"),
            Self::SourceTwice { key, rows } => {
                write!(f, "{key} is also in {}", listed(rows))
            }
            Self::TargetTwice { target, rows } => {
                write!(f, "{target} on the target is also in {}", listed(rows))
            }
            Self::NameTwice { name, rows } => {
                write!(f, "{name:?} has another source id in {}", listed(rows))
            }
            Self::LocalesDisagree { key, elsewhere } => {
                let elsewhere = elsewhere.iter();
                let elsewhere: Vec<String> = elsewhere
                    .map(|(file, row)| format!("row {row} of {}", file.display()))
                    .collect();
                write!(
                    f,
                    "{key} and its counterpart have one id in all locales, and another one in {}",
                    elsewhere.join(", ")
                )
            }
            Self::TargetGone { target } => {
                write!(f, "{target} does not exist on the target")
            }
            Self::StateDiffers { key, target } => {
                write!(f, "the state maps {key} to {target} on the target")
            }
            Self::Claimed { target, by } => {
                write!(f, "the state maps {target} on the target to {by}")
            }
        }
    }
}

/// `row 3`, or `rows 3, 7`.
fn listed(rows: &[usize]) -> String {
    let numbers: Vec<String> = rows.iter().map(ToString::to_string).collect();
    let noun = if rows.len() == 1 { "row" } else { "rows" };
    format!("{noun} {}", numbers.join(", "))
}
