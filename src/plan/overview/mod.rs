//! A plan for readers: what changes in every entity, what is removed, what is published, and what it costs.
//!
//! Changes are the differences between what would be written and what the target holds, in the normal form in which the
//! plan compared them, with names instead of ids. A plan does not store them, because most plans are carried out and not
//! read: they are computed again from both inventories.

mod changes;
mod effort;
mod make;
mod media;
mod names;

use std::num::NonZeroUsize;

use serde::Serialize;

use super::approved::Intended;
use super::graph::Node;
use crate::domain::{EntityKey, Guid, Kind, TargetId};

pub use effort::{Effort, EffortLimits};
pub use make::{Seen, gone};
pub use media::{
    BothBytes, FileChange, FileFacts, FileHash, Files, HashUnknown, KnownBytes, ShownFile,
    file_lines, shown_files, shows_file,
};

/// A plan as people read it.
#[derive(Clone, Debug, Serialize)]
pub struct Overview {
    /// The instance read from.
    pub source: Guid,
    /// The instance written to.
    pub target: Guid,
    /// Entities by kind and action, in listing order; what is left out of the selection is not among them.
    pub counts: Vec<(Kind, Vec<(Intended, usize)>)>,
    /// Everything that is not left as it is, by kind and container.
    pub groups: Vec<Group>,
    /// What updates take away from the target.
    pub removed: Vec<Removed>,
    /// Cycles of references with what is deferred in them.
    pub deferred: Vec<Deferred>,
    /// What is published on the target afterwards, in the order of the source.
    pub published: Vec<(EntityKey, String)>,
    /// How many of these are published in an older version than the draft that is saved on top of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub below_drafts: Option<NonZeroUsize>,
    /// What is unpublished on the target, because the source unpublished it.
    pub withdrawn: Vec<(EntityKey, String)>,
    /// How many entities stay published that the source has unpublished.
    pub still_public: usize,
    /// Entities that are written, are published on the source, and stay drafts on the target.
    pub drafts: usize,
    /// What is deleted on the target, because the source no longer has it.
    pub deleted: Vec<Gone>,
    /// What the state maps and the source no longer has. It stays on the target.
    pub gone: Vec<Gone>,
    /// The names of the webhooks of the target that are enabled: what is written fires them.
    pub webhooks: Vec<String>,
    /// Whether they are switched off while the run writes.
    pub pauses_webhooks: bool,
    /// What a selection comes to, in one sentence.
    pub selected: Option<String>,
    /// What has another name on the target, what it does not get, one sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub maps: Vec<String>,
    /// What it costs.
    pub effort: Effort,
}

/// Entities of one kind and container.
#[derive(Clone, Debug, Serialize)]
pub struct Group {
    /// Their kind.
    pub kind: Kind,
    /// The container of items, the channel of pages; `None` of other kinds.
    pub container: Option<String>,
    /// How many, by action; the unchanged ones are counted as well.
    pub counts: Vec<(Intended, usize)>,
    /// Those that are not just left as they are.
    pub entries: Vec<Entry>,
}

/// What happens to one entity.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Its place in the plan.
    #[serde(skip)]
    pub node: Node,
    /// The entity.
    pub key: EntityKey,
    /// What a person calls it.
    pub name: String,
    /// What happens.
    pub action: Intended,
    /// Its counterpart, where there is one.
    pub target: Option<TargetId>,
    /// Why, in one sentence.
    pub because: String,
    /// Why its counterpart counts as such, where the state does not say so.
    pub evidence: Option<String>,
    /// Fields that only the target changed, and that stay so: JSON pointers into the normal form.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
    /// What differs between the target as it is and what the source says. Of what is new only its file, where it has one.
    pub changes: Vec<Change>,
    /// Where it is edited on the source.
    pub source_url: Option<String>,
    /// Where its counterpart is edited.
    pub target_url: Option<String>,
}

/// One difference. Texts are those of the entities, without credentials of this process, and may be long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Change {
    /// A field says something else.
    Value {
        /// The field.
        field: String,
        /// What the target says; `None` where it says nothing.
        was: Option<String>,
        /// What the source says.
        becomes: Option<String>,
    },
    /// A list has other entries, or another order.
    List {
        /// The field.
        field: String,
        /// Entries that the source does not have.
        removed: Vec<String>,
        /// Entries that only the source has.
        added: Vec<String>,
        /// Entries of both that stand elsewhere.
        moved: Vec<Move>,
    },
    /// A file is new, or another one.
    File(FileChange),
}

/// An entry that stands elsewhere in its list; positions count from 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Move {
    /// The entry.
    pub what: String,
    /// Where it stands on the target.
    pub from: usize,
    /// Where it stands on the source.
    pub to: usize,
}

/// What an update takes away.
#[derive(Clone, Debug, Serialize)]
pub struct Removed {
    /// The entity.
    pub key: EntityKey,
    /// What a person calls it.
    pub name: String,
    /// What goes, with the number of values that go with it.
    pub what: String,
}

/// A cycle of references and what is saved twice because of it.
#[derive(Clone, Debug, Serialize)]
pub struct Deferred {
    /// Its entities.
    pub members: Vec<String>,
    /// References that are left out of the first save: the entity, and what it refers to.
    pub references: Vec<(String, String)>,
}

/// An entity of the target whose counterpart the source no longer has.
#[derive(Clone, Debug, Serialize)]
pub struct Gone {
    /// The entity that the source had.
    pub key: EntityKey,
    /// What is left on the target.
    pub target: TargetId,
    /// What a person calls it there.
    pub name: String,
    /// Why it is not deleted, where the run deletes what the source no longer has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// Whether that is because the target changed it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub conflict: bool,
}
