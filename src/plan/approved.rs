//! An approved plan, and what of it still holds when it is applied.
//!
//! Each entity has a fingerprint of both sides from when the plan was made. A new plan keeps the actions of entities that
//! have not changed. What changed since is a conflict, and what the approved plan does not name is out of scope: so nothing
//! happens that was not approved.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::decide::{number_in_list, target_hash};
use super::{Action, Inputs, Node, Planned, Schema};
use crate::domain::{
    ContentHash, Entity, EntityKey, Home, Id, Inventory, Kind, Locale, RunId, SourceId, TargetId,
};

/// What was to happen to an entity. Its name in a file is that of [`Planned::name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Intended {
    /// A save as a new entity.
    Create,
    /// A save over its counterpart.
    Update,
    /// A mapping without a write.
    Adopt,
    /// Nothing, because both sides agree.
    Unchanged,
    /// Nothing, although both sides differ.
    LeftAlone,
    /// Nothing, because both sides changed.
    Conflict,
    /// Nothing, because it cannot be migrated.
    Failed,
    /// Nothing, because something that it needs cannot be migrated.
    Blocked,
    /// A delete, because the source no longer has it.
    Delete,
}

impl Intended {
    /// What a plan intends; `None` of what it leaves out.
    pub fn of(planned: &Planned) -> Option<Self> {
        Some(match &planned.action {
            Action::Create { .. } => Self::Create,
            Action::Update { .. } => Self::Update,
            Action::Adopt { .. } => Self::Adopt,
            Action::Unchanged { .. } if planned.left_alone => Self::LeftAlone,
            Action::Unchanged { .. } => Self::Unchanged,
            Action::Conflict { .. } => Self::Conflict,
            Action::Fail { .. } => Self::Failed,
            Action::Block { .. } => Self::Blocked,
            Action::OutOfScope => return None,
        })
    }

    /// Whether something is done: a write, or a mapping.
    pub const fn is_change(self) -> bool {
        matches!(
            self,
            Self::Create | Self::Update | Self::Adopt | Self::Delete
        )
    }

    /// Whether both sides are not in agreement afterwards.
    pub(super) const fn is_open(self) -> bool {
        matches!(self, Self::Conflict | Self::Failed | Self::Blocked)
    }

    /// `be created`.
    const fn infinitive(self) -> &'static str {
        match self {
            Self::Create => "be created",
            Self::Update => "be updated",
            Self::Adopt => "be adopted",
            Self::Conflict => "be left alone as a conflict",
            Self::Failed => "fail",
            Self::Blocked => "be blocked",
            Self::Unchanged | Self::LeftAlone => "be left alone",
            Self::Delete => "be deleted",
        }
    }
}

/// What was agreed to about one entity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// The entity.
    pub key: EntityKey,
    /// What a person calls it.
    pub name: String,
    /// What was to happen to it.
    pub action: Intended,
    /// Its counterpart, where there is one.
    pub target: Option<TargetId>,
    /// Why.
    pub because: String,
    /// The fingerprint of the source.
    pub source: ContentHash,
    /// The fingerprint of the counterpart, where there is one.
    pub counterpart: Option<ContentHash>,
    /// Whether it is published afterwards.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub publish: bool,
    /// Whether it is unpublished.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unpublish: bool,
    /// Of an asset whose file is new or another one, the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<AgreedFile>,
}

/// A file as a plan showed it, in a line for each side: name, size, date and hash. It is for people. Nothing is compared with
/// it when the plan is applied: a hash that was unknown would be something that moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgreedFile {
    /// The target's; `None` of a new one.
    pub was: Option<String>,
    /// The source's.
    pub becomes: String,
}

/// What was agreed to about a counterpart that is deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deletion {
    /// The entity that the source had.
    pub key: EntityKey,
    /// What a person calls it.
    pub name: String,
    /// What is deleted on the target.
    pub target: TargetId,
    /// Its fingerprint.
    pub counterpart: ContentHash,
}

/// What was agreed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Approved {
    approvals: HashMap<EntityKey, Approval>,
    deletions: HashMap<(EntityKey, TargetId), ContentHash>,
    /// Whether what moved since is decided anew instead of being left alone.
    replans_moved: bool,
    /// Runs that applied it before and did not come to their end.
    attempts: Vec<RunId>,
}

impl Approved {
    /// The agreement to these. `attempts` are runs that applied it before and did not come to their end: what they wrote
    /// did not move.
    pub fn new(
        approvals: impl IntoIterator<Item = Approval>,
        replans_moved: bool,
        attempts: Vec<RunId>,
    ) -> Self {
        let approvals = approvals.into_iter();
        Self {
            approvals: approvals.map(|one| (one.key.clone(), one)).collect(),
            deletions: HashMap::new(),
            replans_moved,
            attempts,
        }
    }

    /// The same with what is deleted.
    #[must_use]
    pub fn with_deletions(self, deletions: impl IntoIterator<Item = Deletion>) -> Self {
        let deletions = deletions.into_iter();
        let deletions = deletions.map(|one| ((one.key, one.target), one.counterpart));
        Self {
            deletions: deletions.collect(),
            ..self
        }
    }

    /// The fingerprint of a counterpart that is deleted; `None` of one that is not.
    pub fn deletes(&self, key: &EntityKey, target: TargetId) -> Option<ContentHash> {
        self.deletions.get(&(key.clone(), target)).copied()
    }

    /// Whether an entity is published: the plan says so.
    pub fn publishes(&self, key: &EntityKey) -> bool {
        let approval = self.approvals.get(key);
        approval.is_some_and(|approval| approval.publish)
    }

    /// Whether an entity is unpublished: the plan says so.
    pub fn unpublishes(&self, key: &EntityKey) -> bool {
        let approval = self.approvals.get(key);
        approval.is_some_and(|approval| approval.unpublish)
    }

    /// Whether a run applied it before.
    pub fn is_attempt(&self, run: &RunId) -> bool {
        self.attempts.contains(run)
    }
}

/// What a plan asks agreement to: every entity that it does not leave out, in its order.
pub fn approvals(
    entities: &[Planned],
    source: &Inventory<SourceId>,
    target: &Inventory<TargetId>,
    (published, withdrawn): (&[Node], &[Node]),
) -> Vec<Approval> {
    let present = Present::of(source, target);
    let published: HashSet<Node> = published.iter().copied().collect();
    let withdrawn: HashSet<Node> = withdrawn.iter().copied().collect();
    let nodes = (0..).zip(entities);
    nodes
        .filter_map(|(node, planned)| {
            let action = Intended::of(planned)?;
            Some(Approval {
                publish: published.contains(&node),
                unpublish: withdrawn.contains(&node),
                ..present.approval(node, planned, action)
            })
        })
        .collect()
}

/// A plan that is applied.
#[derive(Clone, Copy, Debug)]
pub struct Agreed<'a> {
    /// What was agreed to.
    pub approved: &'a Approved,
    /// Entities that an earlier attempt to apply it wrote.
    pub begun: &'a HashSet<EntityKey>,
}

/// Keeps of `entities` what was agreed to and has not moved since, where a plan is applied.
pub(super) fn hold(entities: &mut [Planned], inputs: &Inputs<'_>) {
    let (source, target) = (inputs.source, inputs.target);
    let Some(Agreed { approved, begun }) = inputs.agreed else {
        return;
    };
    let present = Present::of(source, target);
    for (node, planned) in (0..).zip(entities) {
        let entity = &source.entities()[node as usize];
        let Some(before) = approved.approvals.get(&entity.key) else {
            planned.action = Action::OutOfScope;
            planned.because = "the plan that is applied does not have it".into();
            continue;
        };
        // What comes to nothing now needs no agreement.
        let Some(action) = Intended::of(planned).filter(|action| action.is_change()) else {
            continue;
        };
        let now = present.approval(node, planned, action);
        if begun.contains(&entity.key) && before.source == now.source {
            continue;
        }
        let Some(moved) = moved(before, &now) else {
            continue;
        };
        if approved.replans_moved {
            planned.add(&format!(
                "{moved} since the plan was made, and it is decided anew"
            ));
            continue;
        }
        planned.because = format!(
            "{moved} since the plan was made: it was to {}, and would {} now; plan again, or apply with --replan-moved",
            before.action.infinitive(),
            now.action.infinitive()
        )
        .into();
        planned.left_alone = true;
        planned.action = Action::Conflict {
            target: planned.action.counterpart(),
        };
    }
}

/// What moved of an entity to which something is done; `None` where that was agreed to as it is.
fn moved(before: &Approval, now: &Approval) -> Option<&'static str> {
    let here = before.source != now.source;
    let there = before.counterpart != now.counterpart;
    Some(match (here, there) {
        (true, true) => "both sides changed",
        (true, false) => "the source changed",
        (false, true) => "the target changed",
        (false, false) if (before.action, before.target) == (now.action, now.target) => {
            return None;
        }
        (false, false) => "what it needs changed",
    })
}

/// Pages of one row of siblings, in their order.
type Rows = BTreeMap<(Locale, Home), Vec<i64>>;

/// Both sides, as fingerprints are taken of them.
struct Present<'a> {
    source: &'a Inventory<SourceId>,
    target: &'a Inventory<TargetId>,
    /// Of no model: what one says does not change with what happens to another.
    schema: Schema,
    source_rows: Rows,
    target_rows: Rows,
}

impl<'a> Present<'a> {
    fn of(source: &'a Inventory<SourceId>, target: &'a Inventory<TargetId>) -> Self {
        Self {
            source,
            target,
            schema: Schema::default(),
            source_rows: rows(source),
            target_rows: rows(target),
        }
    }

    fn approval(&self, node: Node, planned: &Planned, action: Intended) -> Approval {
        let entity = &self.source.entities()[node as usize];
        let target = planned.action.counterpart();
        let there = target.and_then(|id| self.target.get(&entity.key.with_id(id)));
        Approval {
            key: entity.key.clone(),
            name: entity.name.to_string(),
            action,
            target,
            because: planned.because.to_string(),
            source: self.of_source(entity, planned),
            counterpart: there.map(|there| self.of_target(there, planned)),
            publish: false,
            unpublish: false,
            file: None,
        }
    }

    /// What it says, where it stands, and whether it is published, or in which other version.
    fn of_source(&self, entity: &Entity<SourceId>, planned: &Planned) -> ContentHash {
        let hash = planned.source_hash.map(|hash| hash.to_string());
        let parent = entity.placement.as_ref().map(|placement| placement.parent);
        let published = entity.is_published();
        let place = place(entity, planned, &self.source_rows);
        let mut says = json!([hash, parent, published, place]);
        // Without one it is what plans of earlier versions have.
        if let (Some(public), Value::Array(says)) = (planned.public, &mut says) {
            says.push(public.to_string().into());
        }
        ContentHash::of(&says)
    }

    /// What it says and where it stands. An asset has no text of its own: its date and size stand for its bytes.
    fn of_target(&self, there: &Entity<TargetId>, planned: &Planned) -> ContentHash {
        let hash = target_hash(there, &self.schema).to_string();
        let bytes = (there.key.kind == Kind::Asset).then(|| {
            let body = there.body.parse();
            json!([body["dateModified"], body["size"]])
        });
        let place = place(there, planned, &self.target_rows);
        ContentHash::of(&json!([hash, bytes, place]))
    }
}

/// The number of an item in its list, and the row of a page that is put somewhere.
fn place<I: Id>(entity: &Entity<I>, planned: &Planned, rows: &Rows) -> Value {
    let number = (entity.key.kind == Kind::Content)
        .then(|| number_in_list(&entity.body))
        .flatten();
    let row = entity.placement.as_ref().filter(|_| planned.is_placed());
    let row = row.and_then(|placement| {
        let locale = entity.locale()?.clone();
        rows.get(&(locale, Home::of(placement)))
    });
    json!([number.map(|(_, number)| number), row])
}

fn rows<I: Id>(inventory: &Inventory<I>) -> Rows {
    let id = |at: &u32| inventory.entities()[*at as usize].key.id.raw();
    let rows = inventory.page_rows().into_iter();
    rows.map(|(row, pages)| (row, pages.iter().map(id).collect()))
        .collect()
}
