//! Scalars, dates, URLs, and any JSON.

use std::borrow::Cow;

use serde_json::{Map, Number, Value, json};

use super::selection;
use crate::plan::references::{Link, as_id, decoded};
use crate::plan::schema::name_key;

pub(super) type Object = Map<String, Value>;

/// Members of an attachment besides `url` and `label`: measures that the server takes from the file.
const MEASURES: [&str; 9] = [
    "filesize",
    "size",
    "height",
    "width",
    "pixelheight",
    "pixelwidth",
    "target",
    "filename",
    "thumbnails",
];

/// A value by shape; `None` when nothing is there.
pub(in crate::plan) fn any(value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Bool(truth) => Some(truth.to_string().into()),
        Value::Number(value) => Some(number(value).into()),
        Value::String(value) => text(value),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().filter_map(any).collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        Value::Object(members) => object(members),
    }
}

fn object(members: &Object) -> Option<Value> {
    if is_attachment(members) {
        return attachment(members);
    }
    if let Some(id) = gallery_id(members) {
        return Some(reference("@gallery", id.to_string()));
    }
    let mut out = Object::new();
    for (name, value) in members {
        if let Some(value) = member(name, value) {
            out.insert(name.to_lowercase(), value);
        }
    }
    if let Some(link) = Link::of_object(members) {
        let selected = selection::of_object(members, link);
        out.retain(|name, _| {
            !["contentid", "referencename", "sortids", "fulllist"].contains(&name.as_str())
        });
        selected.put(&mut out);
    }
    (!out.is_empty()).then_some(Value::Object(out))
}

fn member(name: &str, value: &Value) -> Option<Value> {
    let is_url = ["url", "href"]
        .iter()
        .any(|url| name.eq_ignore_ascii_case(url));
    match value
        .as_str()
        .filter(|text| is_url && !text.trim().is_empty())
    {
        Some(text) => Some(reference("@url", url(text).into_owned())),
        None => any(value),
    }
}

/// One member that marks `value` as a reference.
pub(super) fn reference(mark: &str, value: impl Into<Value>) -> Value {
    let mut out = Object::new();
    out.insert(mark.to_owned(), value.into());
    Value::Object(out)
}

/// A name that refers to a model, container or template; blank is none.
pub(super) fn named(mark: &str, value: Option<&Value>) -> Option<Value> {
    let name = value?.as_str()?.trim();
    (!name.is_empty()).then(|| reference(mark, &*name_key(name)))
}

/// An id that refers to something; 0 and below are none.
pub(super) fn identified(mark: &str, value: Option<&Value>) -> Option<Value> {
    Some(reference(mark, as_id(value?)?.to_string()))
}

fn is_attachment(members: &Object) -> bool {
    let fits = |name: &String| {
        let name = name.to_ascii_lowercase();
        name == "url" || name == "label" || MEASURES.contains(&&*name)
    };
    members.keys().any(|name| name.eq_ignore_ascii_case("url")) && members.keys().all(fits)
}

/// Only the URL and the label of an attachment are the editor's.
pub(super) fn attachment(members: &Object) -> Option<Value> {
    let find = |wanted: &str| {
        let found = members
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.and_then(|(name, value)| member(name, value))
    };
    let mut out = Object::new();
    for name in ["url", "label"] {
        out.extend(find(name).map(|value| (name.to_owned(), value)));
    }
    (!out.is_empty()).then_some(Value::Object(out))
}

pub(super) fn gallery_id(members: &Object) -> Option<i64> {
    let is_id = |name: &str| {
        ["galleryid", "mediagroupingid"]
            .iter()
            .any(|id| name.eq_ignore_ascii_case(id))
    };
    members
        .iter()
        .find(|(name, _)| is_id(name))
        .and_then(|(_, value)| as_id(value))
}

/// A text that no model describes; `None` when blank. A date counts without its spelling, and a URL
/// percent-decoded; any other text to the byte, also where it is JSON.
fn text(value: &str) -> Option<Value> {
    if value.is_empty() {
        return None;
    }
    if let Some(date) = date(value) {
        return Some(date.into());
    }
    Some(url(value).into())
}

/// A text that the model calls one: every byte of it is the editor's.
pub(super) fn verbatim(value: &str) -> Option<Value> {
    (!value.is_empty()).then(|| value.into())
}

/// A number without zeros that say nothing.
pub(super) fn number(number: &Number) -> String {
    number_text(&number.to_string())
}

/// A text that holds a number, without zeros that say nothing.
pub(super) fn number_text(text: &str) -> String {
    let text = text.trim();
    match text.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|byte| byte.is_ascii_digit()) => {
            let fraction = fraction.trim_end_matches('0');
            let point = if fraction.is_empty() { "" } else { "." };
            format!("{whole}{point}{fraction}")
        }
        Some(_) | None => text.to_owned(),
    }
}

/// A text that is one URL, percent-decoded; any other text as it is.
pub(super) fn url(text: &str) -> Cow<'_, str> {
    let is_url = ["http://", "https://", "//"]
        .iter()
        .any(|scheme| text.starts_with(scheme));
    if is_url && !text.contains(char::is_whitespace) {
        decoded(text)
    } else {
        Cow::Borrowed(text)
    }
}

/// A date in one spelling: no zeros at the end of a fraction, and no mark for UTC, which the Management API
/// leaves out. `None` for anything else.
pub(super) fn date(text: &str) -> Option<String> {
    const SECONDS: usize = "2025-03-06T03:38:21".len();
    let pattern = b"dddd-dd-ddTdd:dd:dd";
    let head = text.as_bytes().get(..SECONDS)?;
    let fits = head
        .iter()
        .zip(pattern)
        .all(|(&byte, &wanted)| match wanted {
            b'd' => byte.is_ascii_digit(),
            wanted => byte == wanted,
        });
    if !fits {
        return None;
    }
    let rest = &text[SECONDS..];
    let digits = rest.strip_prefix('.').map_or(0, |fraction| {
        1 + fraction.bytes().take_while(u8::is_ascii_digit).count()
    });
    let (fraction, zone) = rest.split_at(digits);
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    let zone = match zone {
        "" | "Z" | "z" | "+00:00" | "-00:00" => "",
        zone if zone.len() == 6 && zone.starts_with(['+', '-']) => zone,
        _ => return None,
    };
    Some(format!("{}{fraction}{zone}", &text[..SECONDS]))
}

/// The members of `names` that say something, in lower case; flags only when they are set.
pub(super) fn kept(body: &Object, names: &[&str]) -> Object {
    let mut out = Object::new();
    for name in names {
        let value = body
            .get(*name)
            .filter(|value| **value != json!(false))
            .and_then(any);
        out.extend(value.map(|value| (name.to_lowercase(), value)));
    }
    out
}

/// Puts `value` there when there is one.
pub(super) fn put(out: &mut Object, name: &str, value: Option<Value>) {
    out.extend(value.map(|value| (name.to_owned(), value)));
}

/// `false`, blank and null in any depth of an object of flags and texts say nothing.
pub(super) fn without_false(value: &Value) -> Option<Value> {
    match value {
        Value::Bool(false) => None,
        Value::Object(members) => {
            let members = members
                .iter()
                .filter_map(|(name, value)| Some((name.to_lowercase(), without_false(value)?)));
            let out: Object = members.collect();
            (!out.is_empty()).then_some(Value::Object(out))
        }
        Value::Null | Value::Bool(true) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            any(value)
        }
    }
}
