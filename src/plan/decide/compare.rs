//! Decides what one entity needs, from both sides and what the store remembers of them.
//!
//! Dates and versions tell that something happened, not that something differs. So both sides are compared
//! by their normal forms, and the hashes of the last agreement tell which side moved.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::Value;

use super::identity::Recognition;
use super::matching::Match;
use super::names;
use super::virtual_map::VirtualMap;
use crate::domain::{ContentHash, Entity, Failure, Inventory, Kind, SourceId, TargetId, TargetKey};
use crate::plan::action::{Action, Agreement, Agreements, Joined};
use crate::plan::{Context, Counterparts, LeaveOut, Schema, differences, normal, payload};

/// Why an entity is left alone that differs.
pub(super) const LEFT_ALONE: &str =
    "only the target changed since the last agreement; it is left alone";

/// What was decided, and why.
pub(super) struct Decision {
    pub(super) action: Action,
    pub(super) because: Cow<'static, str>,
    /// The hash of the counterpart, where it was computed on the way.
    pub(super) target_hash: Option<ContentHash>,
}

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
    target_hash: ContentHash,
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
            Match::Joins(id, locale) => decided(
                Action::Create {
                    joins: Some(Joined {
                        target: *id,
                        locale: locale.clone(),
                    }),
                },
                format!("the target has it as {id} in {locale}, and not in its own locale"),
            ),
            Match::Gone(id) => self.gone(entity, *id),
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

    /// Says why the counterpart counts as such. What is equal is adopted, not unchanged: the state did not know it.
    pub(super) fn with_evidence(
        &self,
        entity: &Entity<SourceId>,
        decision: Decision,
        evidence: &Recognition,
    ) -> Decision {
        let Some(target) = decision.action.counterpart() else {
            return decision;
        };
        let (action, because) = match decision.action {
            Action::Unchanged { .. } | Action::Adopt { .. } => {
                (Action::Adopt { target }, evidence.to_string())
            }
            Action::Conflict { .. } | Action::Update { .. } => {
                let way_on = match decision.action {
                    Action::Update { .. } => "overwritten",
                    _ => "--overwrite takes the source's",
                };
                let count = self.count_differences(entity, target);
                let differs = match count {
                    0 => "differs in its place".to_owned(),
                    1 => "differs in 1 field".to_owned(),
                    count => format!("differs in {count} fields"),
                };
                (decision.action, format!("{evidence}, {differs}; {way_on}"))
            }
            Action::Create { .. }
            | Action::Fail { .. }
            | Action::Block { .. }
            | Action::OutOfScope => return decision,
        };
        Decision {
            action,
            because: because.into(),
            target_hash: decision.target_hash,
        }
    }

    fn count_differences(&self, entity: &Entity<SourceId>, target: TargetId) -> usize {
        let there = TargetKey {
            kind: entity.key.kind,
            id: target,
            locale: entity.key.locale.clone(),
        };
        let Some(there) = self.target.get(&there) else {
            return 0;
        };
        let existing = there.body.parse();
        let written = payload(
            entity,
            &self.context,
            self.counterparts,
            &LeaveOut::default(),
            Some(&existing),
        );
        let Ok(written) = written else { return 0 };
        let expected = normal(entity.key.kind, &written.body, self.context.schema);
        let found = normal(entity.key.kind, &existing, self.target_schema);
        differences(&expected, &found).len()
    }

    fn gone(&self, entity: &Entity<SourceId>, id: TargetId) -> Decision {
        let kind = entity.key.kind;
        // Whatever depends on a model or container goes with it, so somebody has to want it back.
        if matches!(kind, Kind::Model | Kind::Container) && !self.overwrite {
            let why = format!(
                "its counterpart {id} was deleted on the target; --overwrite creates it again"
            );
            return decided(Action::Conflict { target: None }, why);
        }
        create(format!("its counterpart {id} was deleted on the target"))
    }

    fn mapped(
        &self,
        entity: &Entity<SourceId>,
        there: &Entity<TargetId>,
        source_hash: ContentHash,
        moves: bool,
    ) -> Decision {
        let agreement = self.agreements.get(&entity.key);
        let standing = self.standing(entity, there, source_hash, agreement);
        let (action, because) = if !standing.equal && names::is_temporary(there) {
            let target = there.key.id;
            (Action::Update { target }, "it still has its temporary name")
        } else {
            self.weigh_up(&standing, there.key.id, moves)
        };
        Decision {
            action,
            because: because.into(),
            target_hash: Some(standing.target_hash),
        }
    }

    /// What to do about an entity whose counterpart is remembered.
    fn weigh_up(
        &self,
        standing: &Standing,
        target: TargetId,
        moves: bool,
    ) -> (Action, &'static str) {
        if standing.equal && !moves {
            return (Action::Unchanged { target }, "both sides agree");
        }
        if standing.equal {
            return (
                Action::Update { target },
                "its place among its siblings changed",
            );
        }
        match (standing.source_changed, standing.target_changed) {
            (Some(true), Some(false)) => (Action::Update { target }, "the source changed"),
            (Some(false), Some(true)) if !moves => (Action::Unchanged { target }, LEFT_ALONE),
            (Some(false), Some(_)) => (
                Action::Update { target },
                "what it refers to has another counterpart now",
            ),
            _ if self.overwrite => (Action::Update { target }, "both sides changed; --overwrite"),
            (Some(true), Some(true)) => (
                Action::Conflict {
                    target: Some(target),
                },
                "both sides changed since the last agreement; --overwrite takes the source's",
            ),
            _ => (
                Action::Conflict {
                    target: Some(target),
                },
                "the sides differ, and it is not known which one changed; --overwrite takes the source's",
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
        let existing = there.body.parse();
        let found = normal(kind, &existing, self.target_schema);
        if self.agree(entity, there, &existing, &found)
            && (kind != Kind::Asset || self.equal_bytes.contains(&entity.key.id))
            && !moves
        {
            return decided(
                Action::Adopt { target },
                format!("the target's {kind} {target} is equal"),
            );
        }
        let differs = format!("the target's {kind} {target} has the same name and differs");
        match kind {
            Kind::Template if !self.overwrite => fail(format!(
                "{differs} in its zones; --overwrite makes them those of the source, or rename one of the two"
            )),
            Kind::Container if self.has_other_model(entity, there) => fail(format!(
                "the target's container {target} has the same name and another model; rename one of the two"
            )),
            Kind::Page if !self.overwrite => decided(
                Action::Conflict {
                    target: Some(target),
                },
                format!(
                    "the target's page {target} has the same path and differs; --overwrite takes the source's"
                ),
            ),
            Kind::Model
            | Kind::Container
            | Kind::Template
            | Kind::Gallery
            | Kind::Asset
            | Kind::Redirection
            | Kind::Page
            | Kind::Content => decided(Action::Update { target }, differs),
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
        let existing = there.body.parse();
        let found = normal(entity.key.kind, &existing, self.target_schema);
        // The metadata of an asset can agree while its bytes do not: its date is in the source's hash.
        let bytes_agree = entity.key.kind != Kind::Asset
            || source_changed == Some(false)
            || self.equal_bytes.contains(&entity.key.id);
        let equal = bytes_agree && self.agree(entity, there, &existing, &found);
        let target_hash = hash_of_form(found, parent_of(there));
        Standing {
            equal,
            source_changed,
            target_changed: agreement
                .and_then(|agreement| agreement.target_hash)
                .map(|before| before != target_hash),
            target_hash,
        }
    }

    /// Whether `there`, whose body is `existing` and whose normal form is `found`, is what would be written.
    fn agree(
        &self,
        entity: &Entity<SourceId>,
        there: &Entity<TargetId>,
        existing: &Value,
        found: &Value,
    ) -> bool {
        let written = payload(
            entity,
            &self.context,
            self.counterparts,
            &LeaveOut::default(),
            Some(existing),
        );
        let Ok(written) = written else { return false };
        let expected = normal(entity.key.kind, &written.body, self.context.schema);
        expected == *found && self.same_parent(entity, there)
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

fn decided(action: Action, because: impl Into<Cow<'static, str>>) -> Decision {
    Decision {
        action,
        because: because.into(),
        target_hash: None,
    }
}

fn create(why: impl Into<Cow<'static, str>>) -> Decision {
    decided(Action::Create { joins: None }, why)
}

fn fail(why: String) -> Decision {
    let cause = Failure::Refused;
    decided(Action::Fail { cause }, why)
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
        let date = body.get("dateModified").cloned().unwrap_or_default();
        form = Value::Array(vec![form, date]);
    }
    hash_of_form(form, parent_of(entity))
}

/// The hash of what the target says: its normal form, and the parent of a page.
pub fn target_hash(there: &Entity<TargetId>, schema: &Schema) -> ContentHash {
    let form = normal(there.key.kind, &there.body.parse(), schema);
    hash_of_form(form, parent_of(there))
}

/// The hash that [`target_hash`] will have once `written` is stored below `parent`.
pub fn expected_hash(
    kind: Kind,
    written: &Value,
    parent: Option<TargetId>,
    schema: &Schema,
) -> ContentHash {
    hash_of_form(
        normal(kind, written, schema),
        parent.map(crate::domain::Id::raw),
    )
}

fn parent_of<I>(page: &Entity<I>) -> Option<i64> {
    page.placement.as_ref()?.parent
}

fn hash_of_form(form: Value, parent: Option<i64>) -> ContentHash {
    ContentHash::of(&match parent {
        Some(parent) => Value::Array(vec![form, parent.into()]),
        None => form,
    })
}
