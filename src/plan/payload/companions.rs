//! Companion fields that a model asks for with `CREATENEW`, where the counterpart has them.
//!
//! The word stands where the name of a field could, and asks the server to make one. A server that does so names the field in its
//! place from then on; the source, which keeps the word, has neither. Sent as it was read, such a model would be another one at each
//! run, and would take the field away with the ids in it. So what the server made of a request is part of what is written: the name,
//! and the field behind the one that it stands behind there. Where the counterpart has the word too, or no field of that name, the
//! request goes out as it is.

use serde_json::{Map, Value};

use crate::plan::schema::{asks_for_companion, field_key, is_companion_setting};

/// Puts the companions that `existing`, the body of the counterpart, has into `body`, the model that asks for them.
pub(super) fn keep_companions(body: &mut Value, existing: &Value) {
    let mut there: Vec<&Value> = existing["fields"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    there.sort_by_key(|row| order(row));
    let Some(Value::Array(fields)) = body.get_mut("fields") else {
        return;
    };
    let mut made: Vec<String> = Vec::new();
    for field in fields.iter_mut() {
        if let Some(same) = there.iter().find(|row| key(row) == key(field)) {
            made.extend(name_companions(field, same, &there));
        }
    }
    made.retain(|made| fields.iter().all(|field| key(field) != *made));
    if made.is_empty() {
        return;
    }
    fields.sort_by_key(order);
    for (at, row) in there.iter().enumerate() {
        if made.contains(&key(row)) {
            let mut before = there[..at].iter().rev();
            let place = |row: &&Value| fields.iter().position(|field| key(field) == key(row));
            let behind = before.find_map(place).map_or(0, |place| place + 1);
            fields.insert(behind, without_id(row));
        }
    }
    let rows = fields.iter_mut().filter_map(Value::as_object_mut);
    for (number, field) in rows.enumerate() {
        field.insert("itemOrder".to_owned(), number.into());
    }
}

/// Names the companions of a field as its counterpart does, and gives the keys of those that are there.
fn name_companions(field: &mut Value, same: &Value, there: &[&Value]) -> Vec<String> {
    let Some(Value::Object(settings)) = field.get_mut("settings") else {
        return Vec::new();
    };
    let mut made = Vec::new();
    for (name, value) in settings.iter_mut() {
        if !is_companion_setting(name) || !value.as_str().is_some_and(asks_for_companion) {
            continue;
        }
        let named = same["settings"].as_object().and_then(|own| text(own, name));
        let companion = named.map(field_key);
        if let (Some(named), Some(companion)) = (named, companion)
            && there.iter().any(|row| key(row) == *companion)
        {
            *value = named.into();
            made.push(companion.into_owned());
        }
    }
    made
}

/// A member of any case.
fn text<'v>(settings: &'v Map<String, Value>, name: &str) -> Option<&'v str> {
    let mut members = settings.iter();
    let (_, value) = members.find(|(member, _)| member.eq_ignore_ascii_case(name))?;
    value.as_str()
}

fn key(field: &Value) -> String {
    field_key(field["name"].as_str().unwrap_or_default()).into_owned()
}

fn order(field: &Value) -> i64 {
    field["itemOrder"].as_i64().unwrap_or(i64::MAX)
}

fn without_id(field: &Value) -> Value {
    let mut field = field.clone();
    if let Value::Object(members) = &mut field {
        members.remove("fieldID");
    }
    field
}
