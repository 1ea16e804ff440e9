//! Decides what one entity needs, from both sides and what the store remembers of them.
//!
//! Dates and versions tell that something happened, not that something differs. So both sides are compared
//! by their normal forms, and the hashes of the last agreement tell which side moved.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::matching::Match;
use super::virtual_map::VirtualMap;
use crate::domain::{ContentHash, Entity, Failure, Inventory, Kind, SourceId, TargetId, TargetKey};
use crate::plan::action::{Action, Agreement, Agreements};
use crate::plan::{Context, Counterparts, LeaveOut, Schema, normal, payload};

/// Why an entity is left alone that differs.
pub(super) const LEFT_ALONE: &str =
    "only the target changed since the last agreement; it is left alone";

/// What was decided, and why.
pub(super) type Decision = (Action, String);

pub(super) struct Comparer<'a> {
    pub(super) target: &'a Inventory<TargetId>,
    pub(super) agreements: &'a Agreements,
    pub(super) context: Context<'a>,
    pub(super) target_schema: &'a Schema,
    pub(super) counterparts: &'a VirtualMap<'a>,
    /// Assets whose bytes were compared with their namesake on the target, and are the same.
    pub(super) equal_bytes: &'a HashSet<SourceId>,
    pub(super) overwrite: bool,
}

/// How the two sides stand to each other.
struct Standing {
    equal: bool,
    /// `None`: nothing is remembered that would tell.
    source_changed: Option<bool>,
    target_changed: Option<bool>,
}

impl Comparer<'_> {
    /// Decides about `entity`, whose references all exist. `moves` tells that a page has to change its place.
    pub(super) fn decide(
        &self,
        entity: &Entity<SourceId>,
        found: &Match,
        source_hash: ContentHash,
        moves: bool,
    ) -> Decision {
        match found {
            Match::None => create("the target has none"),
            Match::Joins(id) => (
                Action::Create { joins: Some(*id) },
                format!("the target has it as {id} in another locale only"),
            ),
            Match::Gone(id) => self.gone(entity, *id),
            Match::Taken(id) => fail(format!(
                "the target's {} {id} has the same name and is the counterpart of another one already; \
                 rename one of the two, or correct the mapping",
                entity.key.kind
            )),
            Match::OtherType(id) => fail(format!(
                "the target's model {id} has the same name and is of the other type (content or component); \
                 rename one of the two"
            )),
            Match::Mapped(id) | Match::Natural(id) => {
                let there = TargetKey {
                    kind: entity.key.kind,
                    id: *id,
                    locale: entity.key.locale.clone(),
                };
                let Some(there) = self.target.get(&there) else {
                    return create("the target has it no more");
                };
                match found {
                    Match::Mapped(_) => self.mapped(entity, there, source_hash, moves),
                    _ => self.natural(entity, there, moves),
                }
            }
        }
    }

    fn gone(&self, entity: &Entity<SourceId>, id: TargetId) -> Decision {
        let kind = entity.key.kind;
        // Whatever depends on a model or container goes with it, so somebody has to want it back.
        if matches!(kind, Kind::Model | Kind::Container) && !self.overwrite {
            let why = format!(
                "its counterpart {id} was deleted on the target; --overwrite creates it again"
            );
            return (Action::Conflict { target: None }, why);
        }
        create(&format!("its counterpart {id} was deleted on the target"))
    }

    fn mapped(
        &self,
        entity: &Entity<SourceId>,
        there: &Entity<TargetId>,
        source_hash: ContentHash,
        moves: bool,
    ) -> Decision {
        let target = there.key.id;
        let agreement = self.agreements.get(&entity.key);
        let standing = self.standing(entity, there, source_hash, agreement);
        if standing.equal && !moves {
            return (Action::Unchanged { target }, "both sides agree".to_owned());
        }
        if standing.equal {
            return (
                Action::Update { target },
                "its place among its siblings changed".to_owned(),
            );
        }
        match (standing.source_changed, standing.target_changed) {
            (Some(true), Some(false)) => (Action::Update { target }, "the source changed".to_owned()),
            (Some(false), Some(true)) if !moves => (
                Action::Unchanged { target },
                LEFT_ALONE.to_owned(),
            ),
            (Some(false), Some(_)) => {
                (Action::Update { target }, "what it refers to has another counterpart now".to_owned())
            }
            _ if self.overwrite => (Action::Update { target }, "both sides changed; --overwrite".to_owned()),
            (Some(true), Some(true)) => (
                Action::Conflict { target: Some(target) },
                "both sides changed since the last agreement; --overwrite takes the source's".to_owned(),
            ),
            _ => (
                Action::Conflict { target: Some(target) },
                "the sides differ, and it is not known which one changed; --overwrite takes the source's".to_owned(),
            ),
        }
    }

    fn natural(
        &self,
        entity: &Entity<SourceId>,
        there: &Entity<TargetId>,
        moves: bool,
    ) -> Decision {
        let target = there.key.id;
        let kind = entity.key.kind;
        if self.agree(entity, there)
            && (kind != Kind::Asset || self.equal_bytes.contains(&entity.key.id))
            && !moves
        {
            return (
                Action::Adopt { target },
                format!("the target's {kind} {target} is equal"),
            );
        }
        let differs = format!("the target's {kind} {target} has the same name and differs");
        match kind {
            Kind::Template => fail(format!(
                "{differs} in its zones; make them agree, or rename one of the two"
            )),
            Kind::Container if self.has_other_model(entity, there) => fail(format!(
                "the target's container {target} has the same name and another model; rename one of the two"
            )),
            Kind::Page if !self.overwrite => (
                Action::Conflict {
                    target: Some(target),
                },
                format!(
                    "the target's page {target} has the same path and differs; --overwrite takes the source's"
                ),
            ),
            Kind::Model
            | Kind::Container
            | Kind::Gallery
            | Kind::Asset
            | Kind::Redirection
            | Kind::Page
            | Kind::Content => (Action::Update { target }, differs),
        }
    }

    fn has_other_model(&self, entity: &Entity<SourceId>, there: &Entity<TargetId>) -> bool {
        let model = entity.body.parse()["contentDefinitionID"].as_i64();
        let expected = model.and_then(|id| self.counterparts.id(Kind::Model, id, None));
        let found = there.body.parse()["contentDefinitionID"]
            .as_i64()
            .map(crate::domain::Id::new);
        expected != found
    }

    fn standing(
        &self,
        entity: &Entity<SourceId>,
        there: &Entity<TargetId>,
        source_hash: ContentHash,
        agreement: Option<&Agreement>,
    ) -> Standing {
        let source_changed = agreement
            .and_then(|agreement| agreement.source_hash)
            .map(|before| before != source_hash);
        let target_changed = agreement
            .and_then(|agreement| agreement.target_hash)
            .map(|before| before != target_hash(there, self.target_schema));
        // The metadata of an asset can agree while its bytes do not: its date is in the source's hash.
        let bytes_agree = entity.key.kind != Kind::Asset
            || source_changed == Some(false)
            || self.equal_bytes.contains(&entity.key.id);
        Standing {
            equal: bytes_agree && self.agree(entity, there),
            source_changed,
            target_changed,
        }
    }

    fn agree(&self, entity: &Entity<SourceId>, there: &Entity<TargetId>) -> bool {
        let existing = there.body.parse();
        let written = payload(
            entity,
            &self.context,
            self.counterparts,
            &LeaveOut::default(),
            Some(&existing),
        );
        let Ok(written) = written else { return false };
        let expected = normal(entity.key.kind, &written.body, self.context.schema);
        let found = normal(entity.key.kind, &existing, self.target_schema);
        expected == found && self.same_parent(entity, there)
    }

    fn same_parent(&self, entity: &Entity<SourceId>, there: &Entity<TargetId>) -> bool {
        let (Some(here), Some(there)) = (&entity.placement, &there.placement) else {
            return true;
        };
        let expected = here
            .parent
            .and_then(|parent| self.counterparts.id(Kind::Page, parent, entity.locale()));
        expected.map(crate::domain::Id::raw) == there.parent
    }
}

fn create(why: &str) -> Decision {
    (Action::Create { joins: None }, why.to_owned())
}

fn fail(why: String) -> Decision {
    (
        Action::Fail {
            cause: Failure::Refused,
        },
        why,
    )
}

/// The hash of what the source says: its normal form in its own terms, the parent of a page, and the date of
/// an asset, whose bytes are not at hand.
pub fn source_hash(entity: &Entity<SourceId>, schema: &Schema) -> ContentHash {
    hash_of(entity, &entity.body.parse(), schema)
}

/// As [`source_hash`], for an entity whose body is parsed already.
pub(super) fn hash_of(entity: &Entity<SourceId>, body: &Value, schema: &Schema) -> ContentHash {
    let mut form = normal(entity.key.kind, body, schema);
    if entity.key.kind == Kind::Asset {
        form = json!([form, body.get("dateModified").unwrap_or(&Value::Null)]);
    }
    ContentHash::of(&with_parent(
        form,
        entity
            .placement
            .as_ref()
            .and_then(|placement| placement.parent),
    ))
}

/// The hash of what the target says: its normal form, and the parent of a page.
pub fn target_hash(there: &Entity<TargetId>, schema: &Schema) -> ContentHash {
    let form = normal(there.key.kind, &there.body.parse(), schema);
    ContentHash::of(&with_parent(
        form,
        there
            .placement
            .as_ref()
            .and_then(|placement| placement.parent),
    ))
}

/// The hash that [`target_hash`] will have once `written` is stored below `parent`.
pub fn expected_hash(
    kind: Kind,
    written: &Value,
    parent: Option<TargetId>,
    schema: &Schema,
) -> ContentHash {
    ContentHash::of(&with_parent(
        normal(kind, written, schema),
        parent.map(crate::domain::Id::raw),
    ))
}

fn with_parent(form: Value, parent: Option<i64>) -> Value {
    match parent {
        Some(parent) => json!([form, parent]),
        None => form,
    }
}
