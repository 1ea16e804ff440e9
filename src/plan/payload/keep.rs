//! Keeps fields of the target in a body that is written.

use serde_json::{Map, Value};

use super::shape;
use crate::domain::{Entity, Kind, SourceId};
use crate::plan::json_pointer::{escaped, unescaped};
use crate::plan::references::{Answer, Occurrence, UrlAt, Visitor, walk};
use crate::plan::schema::{field_key, name_key};
use crate::plan::{Context, Pointer, Schema};

/// Writes what `existing` has over fields of `body` that are never written, and over those that only the target changed. A
/// new entity goes without the former.
pub(super) fn keep(
    entity: &Entity<SourceId>,
    (body, existing): (&mut Value, Option<&Value>),
    context: &Context<'_>,
) {
    let policies = context.policies.into_iter();
    let read_only = policies.flat_map(|policies| policies.read_only_fields_of(entity));
    let mut units: Vec<String> = read_only
        .map(|key| format!("/fields/{}", escaped(key)))
        .collect();
    let merged = context.merged.and_then(|merged| merged.kept(&entity.key));
    units.extend(
        merged
            .filter(|_| existing.is_some())
            .into_iter()
            .flatten()
            .cloned(),
    );
    if units.is_empty() {
        return;
    }
    let own = existing.map(|existing| as_taken(entity, existing, context));
    let own = own.unwrap_or_default();
    for unit in units {
        keep_one(entity.key.kind, (body, &own), &unit, context.schema);
    }
}

/// What the target has, in the form in which it takes it: it shows links in another one.
fn as_taken(entity: &Entity<SourceId>, existing: &Value, context: &Context<'_>) -> Value {
    let mut own = existing.clone();
    shape::prepare(entity.key.kind, &mut own);
    walk(entity, &mut own, context, &mut AsItIs);
    own
}

/// Answers every reference with what it points at.
struct AsItIs;

impl Visitor for AsItIs {
    fn meet(&mut self, occurrence: Occurrence<'_>) -> Answer {
        match occurrence.to.pointer() {
            Pointer::Id(_, id) => Answer::Id(id),
            Pointer::Name(..) => Answer::Keep,
        }
    }

    fn known_name(&mut self, _: Kind, _: &str) -> Option<Box<str>> {
        None
    }

    fn url(&mut self, _: Option<Occurrence<'_>>, _: &str, _: &UrlAt) -> Option<String> {
        None
    }
}

fn keep_one(kind: Kind, (body, own): (&mut Value, &Value), unit: &str, schema: &Schema) {
    if let Some(field) = unit.strip_prefix("/fields/").map(unescaped) {
        let model = body["properties"]["definitionName"].as_str();
        let model = model.and_then(|name| schema.model(name));
        let keys = model.map_or_else(|| vec![&*field], |model| model.with_companions(&field));
        take(inside(body, "fields"), own.get("fields"), |name| {
            keys.contains(&&*field_key(name))
        });
    } else if let Some(zone) = unit.strip_prefix("/zones/").map(unescaped) {
        take(inside(body, "zones"), own.get("zones"), |name| {
            *name_key(name) == *zone
        });
    } else {
        let member = unescaped(unit.trim_start_matches('/'));
        let is_it = |name: &str| {
            name.eq_ignore_ascii_case(&member)
                || (member == "redirecturl" && name.eq_ignore_ascii_case("redirect"))
        };
        let is_dated = kind == Kind::Content && ["releasedate", "pulldate"].contains(&&*member);
        if is_dated {
            take(inside(body, "properties"), own.get("properties"), is_it);
        } else {
            take(body.as_object_mut(), Some(own), is_it);
        }
    }
}

/// An object in a body, which is made where it is missing.
fn inside<'b>(body: &'b mut Value, member: &str) -> Option<&'b mut Map<String, Value>> {
    let body = body.as_object_mut()?;
    let inner = body.entry(member).or_insert(Value::Null);
    if inner.is_null() {
        *inner = Value::Object(Map::new());
    }
    inner.as_object_mut()
}

/// Gives the members that are meant what the other object has in their places.
fn take(into: Option<&mut Map<String, Value>>, from: Option<&Value>, is_it: impl Fn(&str) -> bool) {
    let Some(into) = into else { return };
    let from = from.and_then(Value::as_object);
    let own = from.into_iter().flatten().filter(|(name, _)| is_it(name));
    let own: Vec<(&String, &Value)> = own.collect();
    into.retain(|name, _| !is_it(name) || own.iter().any(|(kept, _)| *kept == name));
    for (name, value) in own {
        into.insert(name.clone(), value.clone());
    }
}
