//! Decides the action for one entity, from both sides and the last agreement.
//!
//! Dates and versions show that something was saved, not that it differs. So both sides are compared by their normal forms,
//! and the hashes of the last agreement show which side changed.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::Value;

use super::identity::Recognition;
use super::matching::Match;
use super::merging;
use super::names;
use super::owed;
use super::predicted_ids::PredictedIds;
use super::weigh::{self, Fields, Place, weigh};
use crate::domain::{
    ContentHash, Entity, Failure, Filled, Home, Inventory, Kind, Locale, Proof, SourceId, TargetId,
};
use crate::plan::action::{Action, Agreement, Agreements, Joined};
use crate::plan::merge::Merge;
use crate::plan::normal::leave_unknown_fields;
use crate::plan::policy::Policies;
use crate::plan::{
    Context, Counterparts, Defaults, Judge, Learns, Schema, differences, lost_companions, normal,
    whole_payload, without,
};

/// What was decided, and why.
pub(super) struct Decision {
    pub(super) action: Action,
    pub(super) because: Cow<'static, str>,
    /// The hash of the counterpart, where it was computed on the way.
    pub(super) target_hash: Option<ContentHash>,
    /// What the server filled in there.
    pub(super) filled: Filled,
    /// Whether only the place of a page is written.
    pub(super) place_only: bool,
    /// Where its fields come from both sides: which from where.
    pub(super) merge: Option<Box<Merge>>,
}

pub(super) struct Comparer<'a> {
    pub(super) target: &'a Inventory<TargetId>,
    pub(super) agreements: &'a Agreements,
    pub(super) context: Context<'a>,
    pub(super) target_schema: &'a Schema,
    pub(super) counterparts: &'a PredictedIds<'a>,
    /// Assets whose bytes were compared with their namesake on the target, and are the same.
    pub(super) equal_bytes: &'a HashSet<SourceId>,
    /// Assets whose bytes on the target are not those of the last agreement any more.
    pub(super) replaced_bytes: &'a HashSet<SourceId>,
    /// What the server fills in.
    pub(super) defaults: &'a Defaults,
    pub(super) policies: &'a Policies,
}

impl Comparer<'_> {
    /// Decides about `entity`, whose references all exist.
    pub(super) fn decide(
        &self,
        entity: &Entity<SourceId>,
        found: &Match,
        source_hash: ContentHash,
        place: Place,
    ) -> Decision {
        match found {
            Match::None => create("not on the target"),
            Match::Joins(id, locale) => self.joins(entity, *id, locale),
            Match::Gone(id) => self.gone(entity, *id),
            Match::Left(id) => self.left(entity, *id),
            Match::OtherType(id) => fail(format!(
                "the target's model {id} has the same name and is of the other type (content or component); \
                 rename one of the two"
            )),
            Match::Mapped(id) | Match::Natural(id) => {
                let Some(there) = self.target.get(&entity.key.with_id(*id)) else {
                    return create("deleted on the target");
                };
                match found {
                    Match::Mapped(_) => self.mapped(entity, there, source_hash, place),
                    _ => self.natural(entity, there, place),
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
                    Action::Update { .. } if decision.because == weigh::UNTOUCHED => {
                        weigh::UNTOUCHED
                    }
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
            ..decision
        }
    }

    fn count_differences(&self, entity: &Entity<SourceId>, target: TargetId) -> usize {
        let Some(there) = self.target.get(&entity.key.with_id(target)) else {
            return 0;
        };
        let existing = there.body.parse();
        let written = whole_payload(entity, &self.context, self.counterparts, Some(&existing));
        let Ok(written) = written else { return 0 };
        let expected = normal(entity.key.kind, &written.body, self.context.schema);
        let found = normal(entity.key.kind, &existing, self.target_schema);
        differences(&expected, &found).len()
    }

    /// What was deleted on the target was changed there, whatever its kind: it does not come back unasked, and what needs
    /// it is blocked by it.
    fn gone(&self, entity: &Entity<SourceId>, id: TargetId) -> Decision {
        if self.policies.overwrites(entity) {
            return create(format!("its counterpart {id} was deleted on the target"));
        }
        let why =
            format!("its counterpart {id} was deleted on the target; --overwrite creates it again");
        decided(Action::Conflict { target: None }, why)
    }

    /// What the source moved where a save cannot take its counterpart.
    fn left(&self, entity: &Entity<SourceId>, id: TargetId) -> Decision {
        let there = self.target.get(&entity.key.with_id(id));
        let body = there.map(|there| there.body.parse()).unwrap_or_default();
        let (moved, old) = if entity.key.kind == Kind::Asset {
            ("it has another name", there.map_or("", |there| &there.name))
        } else {
            let list = body["properties"]["referenceName"].as_str();
            ("it is in another container", list.unwrap_or_default())
        };
        create(format!(
            "{moved} on the source now; the old one on the target, {id} in {old}, is left there"
        ))
    }

    /// An item or page that the target has in another locale: it is new in its own, or was deleted there.
    fn joins(&self, entity: &Entity<SourceId>, id: TargetId, locale: &Locale) -> Decision {
        let was_there = self.agreements.contains_key(&entity.key);
        if was_there && !self.policies.overwrites(entity) {
            let target = Some(id);
            let why = format!(
                "its counterpart {id} was deleted on the target in this locale, and is there in {locale}; \
                 --overwrite creates it again"
            );
            return decided(Action::Conflict { target }, why);
        }
        let joins = Some(Joined {
            target: id,
            locale: locale.clone(),
        });
        decided(
            Action::Create { joins },
            format!("the target has it as {id} in {locale}, and not in its own locale"),
        )
    }

    fn mapped(
        &self,
        entity: &Entity<SourceId>,
        there: &Entity<TargetId>,
        source_hash: ContentHash,
        place: Place,
    ) -> Decision {
        let agreement = self.agreements.get(&entity.key);
        let (fields, target_hash, filled) = self.fields(entity, there, source_hash, agreement);
        let target = there.key.id;
        let overwrite = self.policies.overwrites(entity);
        let mut merge = None;
        let (action, because, place_only) = if !fields.equal && names::is_temporary(there) {
            let because = "it still has its temporary name";
            (Action::Update { target }, because, false)
        } else {
            let written =
                owed::written(agreement, fields, is_as_saved(there, agreement), overwrite)
                    .unwrap_or_else(|| weigh::written(fields, overwrite));
            let both = (fields.source_changed, fields.target_changed) == (Some(true), Some(true));
            merge = agreement
                .filter(|_| both && written.is_err())
                .and_then(|agreement| self.merge(entity, there, agreement));
            let written = match &merge {
                Some(Ok(merge)) => Ok((!merge.taken.is_empty()).then_some(weigh::MERGED)),
                Some(Err(_)) => Err(weigh::NOT_MERGED),
                None => written,
            };
            if entity.key.kind == Kind::Content {
                weigh::weigh_item(fields, written, place, target)
            } else {
                weigh(fields, written, place, target)
            }
        };
        let because: Cow<'static, str> = match &merge {
            Some(Ok(merge)) if because == weigh::MERGED => merging::because(merge).into(),
            Some(Err(why)) if because == weigh::NOT_MERGED => why.clone().into(),
            _ => because.into(),
        };
        Decision {
            action,
            because,
            target_hash: Some(target_hash),
            filled,
            place_only,
            merge: merge.and_then(Result::ok).map(Box::new),
        }
    }

    fn natural(
        &self,
        entity: &Entity<SourceId>,
        there: &Entity<TargetId>,
        place: Place,
    ) -> Decision {
        let target = there.key.id;
        let kind = entity.key.kind;
        let existing = there.body.parse();
        let found = normal(kind, &existing, self.target_schema);
        let filled = self.agree(entity, there, &existing, &found);
        if let Some(filled) = &filled
            && (kind != Kind::Asset || self.equal_bytes.contains(&entity.key.id))
            && place == Place::AGREES
        {
            return Decision {
                target_hash: Some(hash_without(found, filled)),
                filled: filled.clone(),
                ..decided(
                    Action::Adopt { target },
                    format!("the target's {kind} {target} is equal"),
                )
            };
        }
        let overwrite = self.policies.overwrites(entity);
        let differs = format!("the target's {kind} {target} has the same name and differs");
        match kind {
            Kind::Template if !overwrite => fail(format!(
                "{differs} in its zones; --overwrite makes them those of the source, or rename one of the two"
            )),
            Kind::Container if self.has_other_model(entity, there) => fail(format!(
                "the target's container {target} has the same name and another model; rename one of the two"
            )),
            Kind::Page if !overwrite => decided(
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

    /// How what both sides say stands to each other, the hash of what the target says, and what the server filled in.
    fn fields(
        &self,
        entity: &Entity<SourceId>,
        there: &Entity<TargetId>,
        source_hash: ContentHash,
        agreement: Option<&Agreement>,
    ) -> (Fields, ContentHash, Filled) {
        let source_changed = agreement
            .and_then(|agreement| agreement.source_hash)
            .map(|before| before != source_hash && before != self.placed_hash(entity));
        let existing = there.body.parse();
        let found = normal(entity.key.kind, &existing, self.target_schema);
        // The metadata of an asset can agree while its bytes do not: its date is in the source's hash.
        let is_replaced =
            self.replaced_bytes.contains(&entity.key.id) && entity.key.kind == Kind::Asset;
        let bytes_agree = entity.key.kind != Kind::Asset
            || (source_changed == Some(false) && !is_replaced)
            || self.equal_bytes.contains(&entity.key.id);
        let filled = self
            .agree(entity, there, &existing, &found)
            .filter(|_| bytes_agree);
        let own = agreement.map(|agreement| &agreement.filled);
        let found = match filled.as_ref().or(own) {
            Some(filled) => without(found, filled),
            None => found,
        };
        let target_hash = ContentHash::of(&found);
        let placed = hash_of_form(found, parent_of(there));
        let fields = Fields {
            equal: filled.is_some(),
            source_changed,
            target_changed: agreement
                .and_then(|agreement| agreement.target_hash)
                .map(|before| (before != target_hash && before != placed) || is_replaced)
                .or_else(|| is_edited(there, agreement)),
        };
        let filled = filled.or_else(|| own.cloned()).unwrap_or_default();
        (fields, target_hash, filled)
    }

    /// The hash that the source had when the parent of a page was part of it.
    fn placed_hash(&self, entity: &Entity<SourceId>) -> ContentHash {
        let form = normal(entity.key.kind, &entity.body.parse(), self.context.schema);
        hash_of_form(form, parent_of(entity))
    }

    /// What the server filled in, if `there`, whose body is `existing` and whose normal form is `found`, is what would
    /// be written but for that.
    fn agree(
        &self,
        entity: &Entity<SourceId>,
        there: &Entity<TargetId>,
        existing: &Value,
        found: &Value,
    ) -> Option<Filled> {
        let written = whole_payload(entity, &self.context, self.counterparts, Some(existing));
        let written = written.ok()?;
        let expected = normal(entity.key.kind, &written.body, self.context.schema);
        let agreement = self.agreements.get(&entity.key);
        let nothing = Filled::new();
        let own = agreement.map_or(&nothing, |agreement| &agreement.filled);
        if has_lost_companions(entity, (&written.body, existing), self.context.schema) {
            return None;
        }
        if expected == *found {
            return Some(own.clone());
        }
        let judge = Judge {
            kind: entity.key.kind,
            written: &written.body,
            own,
            defaults: self.defaults,
            learns: self.learns(entity, there, agreement),
            schema: self.context.schema,
        };
        let judged = judge.judge(&expected, found);
        judged.different.is_empty().then(|| {
            let mut filled = own.clone();
            filled.extend(judged.filled);
            filled
        })
    }

    /// What was sent and not looked at is read for the first time now, if it was not saved since.
    fn learns(
        &self,
        entity: &Entity<SourceId>,
        there: &Entity<TargetId>,
        agreement: Option<&Agreement>,
    ) -> Learns<'static> {
        let is_first_look = agreement.is_some_and(|agreement| {
            let is_as_sent =
                || agreement.source_hash == Some(source_hash(entity, self.context.schema));
            agreement.proof == Proof::Sent
                && is_as_saved(there, Some(agreement)) != Some(false)
                && is_as_sent()
        });
        if is_first_look {
            Learns::Everything
        } else {
            Learns::Nothing
        }
    }
}

/// Whether companions of links are missing in the second body that the first one has.
pub(super) fn has_lost_companions(
    entity: &Entity<SourceId>,
    (written, existing): (&Value, &Value),
    schema: &Schema,
) -> bool {
    entity.key.kind == Kind::Content && !lost_companions(written, existing, schema).is_empty()
}

/// Whether the counterpart has the version that our save gave it; `None` where there are no versions.
fn is_as_saved(there: &Entity<TargetId>, agreement: Option<&Agreement>) -> Option<bool> {
    let saved = agreement?.target_version?;
    Some(there.version? == saved)
}

/// Whether a counterpart without a base has another version than it was mapped with; `None` where that is not known.
fn is_edited(there: &Entity<TargetId>, agreement: Option<&Agreement>) -> Option<bool> {
    is_as_saved(there, agreement).map(|is_as_saved| !is_as_saved)
}

fn decided(action: Action, because: impl Into<Cow<'static, str>>) -> Decision {
    Decision {
        action,
        because: because.into(),
        target_hash: None,
        filled: Filled::new(),
        place_only: false,
        merge: None,
    }
}

fn create(why: impl Into<Cow<'static, str>>) -> Decision {
    decided(Action::Create { joins: None }, why)
}

fn fail(why: String) -> Decision {
    let cause = Failure::Refused;
    decided(Action::Fail { cause }, why)
}

/// The hash of what the source says: its normal form in its own terms, and the date of an asset, whose bytes are not
/// at hand.
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
    ContentHash::of(&form)
}

/// The hash that [`fields_hash`] gives for a counterpart of this normal form, without what the server filled in.
pub fn hash_without(form: Value, filled: &Filled) -> ContentHash {
    ContentHash::of(&without(form, filled))
}

/// The hash of what the target says, without the place of a page.
pub fn fields_hash(kind: Kind, body: &Value, schema: &Schema) -> ContentHash {
    ContentHash::of(&normal(kind, body, schema))
}

/// The hash of what the target has: its normal form, and the parent of a page.
pub fn target_hash(there: &Entity<TargetId>, schema: &Schema) -> ContentHash {
    let form = normal(there.key.kind, &there.body.parse(), schema);
    hash_of_form(form, parent_of(there))
}

/// Whether the target has an entity as it was at the last agreement: what it says, where a page stands, and the date of the
/// bytes of an asset.
pub(in crate::plan) fn is_as_agreed(
    there: &Entity<TargetId>,
    agreement: &Agreement,
    schema: &Schema,
) -> bool {
    let body = there.body.parse();
    let form = without(normal(there.key.kind, &body, schema), &agreement.filled);
    let hashes = [ContentHash::of(&form), hash_of_form(form, parent_of(there))];
    let says_the_same = agreement
        .target_hash
        .is_some_and(|before| hashes.contains(&before));
    let date = agreement.bytes_date.as_deref();
    let has_its_bytes = there.key.kind != Kind::Asset
        || date.is_none_or(|date| body["dateModified"].as_str() == Some(date));
    let home = there.placement.as_deref().map(Home::of);
    let stands_there = match (&agreement.place, home) {
        (Some(place), Some(home)) => place.owed || place.target == home,
        (_, _) => true,
    };
    says_the_same && has_its_bytes && stands_there
}

/// As [`target_hash`], of an item without what it says in fields that its model does not have.
pub fn known_hash(there: &Entity<TargetId>, schema: &Schema) -> ContentHash {
    let mut body = there.body.parse();
    if there.key.kind == Kind::Content {
        leave_unknown_fields(&mut body, schema);
    }
    hash_of_form(normal(there.key.kind, &body, schema), parent_of(there))
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
