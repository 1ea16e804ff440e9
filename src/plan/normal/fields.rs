//! Content items.

use std::borrow::Cow;

use hashbrown::HashMap;
use serde_json::Value;

use super::selection::{self, Parts};
use super::value::{self, Object, any, kept, named, put, reference, without_false};
use crate::plan::references::{as_id, parse_nested};
use crate::plan::schema::{
    FieldKind, FieldSchema, LinkSchema, ModelSchema, Role, Schema, field_key,
};

/// Values by the key under which fields compare.
type Keyed<'a> = HashMap<Cow<'a, str>, &'a Value>;

pub(super) fn content(body: &Object, schema: &Schema) -> Object {
    let empty = Object::new();
    let properties = body
        .get("properties")
        .and_then(Value::as_object)
        .unwrap_or(&empty);
    let model = properties
        .get("definitionName")
        .and_then(Value::as_str)
        .and_then(|name| schema.model(name));
    let mut out = kept(properties, &["releaseDate", "pullDate"]);
    put(
        &mut out,
        "container",
        named("@container", properties.get("referenceName")),
    );
    put(
        &mut out,
        "model",
        named("@model", properties.get("definitionName")),
    );
    put(&mut out, "seo", body.get("seo").and_then(without_false));
    put(
        &mut out,
        "scripts",
        body.get("scripts").and_then(without_false),
    );
    if let Some(fields) = body.get("fields").and_then(Value::as_object) {
        let fields = match model.filter(|model| !model.fields().is_empty()) {
            Some(model) => by_model(fields, model),
            None => by_shape(fields),
        };
        put(
            &mut out,
            "fields",
            (!fields.is_empty()).then_some(Value::Object(fields)),
        );
    }
    out
}

/// Leaves out of the body of an item what stands in fields that its model does not have.
pub(in crate::plan) fn leave_unknown_fields(body: &mut Value, schema: &Schema) {
    let name = body["properties"]["definitionName"].as_str();
    let Some(model) = name.and_then(|name| schema.model(name)) else {
        return;
    };
    if model.fields().is_empty() {
        return;
    }
    if let Some(Value::Object(fields)) = body.get_mut("fields") {
        fields.retain(|key, _| model.knows(&field_key(key)));
    }
}

/// Fields that no model describes.
fn by_shape(fields: &Object) -> Object {
    fields
        .iter()
        .filter_map(|(key, value)| Some((field_key(key).into_owned(), any(value)?)))
        .collect()
}

/// Fields by their model, and behind them what it does not know: a server that still has a value there shows it.
fn by_model(fields: &Object, model: &ModelSchema) -> Object {
    let keyed: Keyed<'_> = fields
        .iter()
        .map(|(key, value)| (field_key(key), value))
        .collect();
    let mut out = Object::new();
    for field in model.fields() {
        let value = match (&field.kind, model.role(&field.key)) {
            (FieldKind::Content(link), _) => {
                let companion = |key: &Option<Box<str>>| keyed.get(key.as_deref()?).copied();
                let parts = Parts {
                    main: keyed.get(&*field.key).copied(),
                    value: companion(&link.value_field),
                    sort: companion(&link.sort_field),
                };
                put_text_companion(&mut out, link, model, &keyed);
                selection::of_field(&parts, link)
            }
            (_, Some(Role::ValueOf(_) | Role::SortOf)) => None,
            (_, Some(Role::Field(_)) | None) => {
                keyed.get(&*field.key).and_then(|value| plain(field, value))
            }
        };
        put(&mut out, &field.key, value);
    }
    let unknown = keyed.iter().filter(|(key, _)| !model.knows(key));
    out.extend(unknown.filter_map(|(key, value)| Some((key.to_string(), any(value)?))));
    out
}

/// The display text of a link is shown to editors, whether or not the model lists its field.
fn put_text_companion(out: &mut Object, link: &LinkSchema, model: &ModelSchema, keyed: &Keyed<'_>) {
    let Some(key) = link.text_field.as_deref() else {
        return;
    };
    if model.role(key).is_none() {
        put(out, key, keyed.get(key).copied().and_then(any));
    }
}

/// A value that is no link.
fn plain(field: &FieldSchema, value: &Value) -> Option<Value> {
    let text = value
        .as_str()
        .map(str::trim)
        .filter(|text| !text.is_empty());
    match &field.kind {
        FieldKind::Gallery => gallery(value),
        FieldKind::Attachment => attachments(value),
        FieldKind::Number => {
            text.map_or_else(|| any(value), |text| Some(value::number_text(text).into()))
        }
        FieldKind::Boolean => {
            text.map_or_else(|| any(value), |text| Some(text.to_lowercase().into()))
        }
        FieldKind::Other => value.as_str().map_or_else(|| any(value), value::verbatim),
        FieldKind::Date | FieldKind::Content(_) => any(value),
    }
}

fn gallery(value: &Value) -> Option<Value> {
    let id = value
        .as_object()
        .map_or_else(|| as_id(value), value::gallery_id);
    id.map(|id| reference("@gallery", id.to_string()))
}

fn attachments(value: &Value) -> Option<Value> {
    match value {
        Value::Object(members) => value::attachment(members),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().filter_map(attachments).collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        Value::String(text) => match parse_nested(text) {
            Some(inside) => attachments(&inside),
            None if text.trim().is_empty() => None,
            None => Some(reference("@url", value::url(text).into_owned())),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) => any(value),
    }
}
