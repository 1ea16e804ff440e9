//! What is selected in a content field, however it is written.

use serde_json::Value;

use super::value::Object;
use crate::plan::references::{Link, is_id_list, is_list_name, member};
use crate::plan::schema::name_key;
use crate::plan::{LinkKind, LinkSchema};

/// The items and the list that a field shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selection {
    /// Ids in order, joined with commas; empty when none is selected.
    pub(super) ids: String,
    /// The list in lower case; empty when none is named.
    pub(super) list: String,
    /// Whether all of the list is shown.
    pub(super) whole: bool,
}

impl Selection {
    /// Writes the selection as members.
    pub(super) fn put(self, out: &mut Object) {
        if !self.ids.is_empty() {
            out.insert("@ids".to_owned(), self.ids.into());
        }
        if !self.list.is_empty() {
            out.insert("@list".to_owned(), self.list.into());
        }
    }

    fn into_value(self) -> Option<Value> {
        let mut out = Object::new();
        self.put(&mut out);
        (!out.is_empty()).then_some(Value::Object(out))
    }
}

/// The selection of a link object.
pub(super) fn of_object(object: &Object, link: Link) -> Selection {
    let find = |name: &str| {
        object
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    };
    let ids = find("sortids").map(id_text).filter(|ids| !ids.is_empty());
    let list = find("referencename").and_then(Value::as_str).map(name_key);
    Selection {
        ids: ids
            .or_else(|| link.id.map(|id| id.to_string()))
            .unwrap_or_default(),
        list: list.unwrap_or_default().into(),
        whole: link.whole == Some(true),
    }
}

/// A list of ids in any form, without blanks, empty parts and ids that select nothing.
pub(super) fn id_text(value: &Value) -> String {
    let clean = |text: &str| {
        let parts = text.split(',').map(str::trim);
        let parts = parts
            .filter(|part| !part.is_empty() && !part.starts_with('-') && part.parse() != Ok(0));
        parts.collect::<Vec<_>>().join(",")
    };
    match value {
        Value::String(text) => clean(text),
        Value::Number(number) => clean(&number.to_string()),
        Value::Array(items) => {
            let items: Vec<_> = items
                .iter()
                .map(id_text)
                .filter(|ids| !ids.is_empty())
                .collect();
            items.join(",")
        }
        Value::Null | Value::Bool(_) | Value::Object(_) => String::new(),
    }
}

/// What the value of a content field itself selects; `None` for a value that is no link.
fn of_main(value: &Value) -> Option<Selection> {
    match value {
        Value::Null => Some(Selection::default()),
        Value::Number(_) => Some(Selection {
            ids: id_text(value),
            ..Selection::default()
        }),
        Value::String(text) if text.trim().is_empty() => Some(Selection::default()),
        Value::String(text) if is_id_list(text) => Some(Selection {
            ids: id_text(value),
            ..Selection::default()
        }),
        Value::String(text) if is_list_name(text) => Some(Selection {
            list: name_key(text).into(),
            whole: true,
            ..Selection::default()
        }),
        Value::Object(object) => {
            let is_item = member(value, "fields").is_some();
            let link = Link::of_object(object)?;
            let plain = is_item || object.keys().all(|key| is_link_member(key));
            plain.then(|| of_object(object, link))
        }
        Value::Bool(_) | Value::String(_) | Value::Array(_) => None,
    }
}

fn is_link_member(key: &str) -> bool {
    ["contentid", "referencename", "sortids", "fulllist"]
        .iter()
        .any(|name| key.eq_ignore_ascii_case(name))
}

/// The parts of one content field and its companions, each `None` where the item has no such key.
pub(super) struct Parts<'a> {
    pub(super) main: Option<&'a Value>,
    pub(super) value: Option<&'a Value>,
    pub(super) sort: Option<&'a Value>,
}

/// The normal form of a content field. The value field carries the selection, else the sort field the order;
/// what the other parts say appears only where it contradicts.
pub(super) fn of_field(parts: &Parts<'_>, schema: &LinkSchema) -> Option<Value> {
    let Some(main) = of_main(parts.main.unwrap_or(&Value::Null)) else {
        return parts.main.and_then(super::value::any);
    };
    let value = parts.value.map(id_text).unwrap_or_default();
    let sort = parts.sort.map(id_text).unwrap_or_default();
    let ids = [&value, &sort, &main.ids]
        .into_iter()
        .find(|ids| !ids.is_empty())
        .cloned()
        .unwrap_or_default();
    let list = if shows_list(&main, &ids, schema) {
        main.list.clone()
    } else {
        String::new()
    };
    let mut out = Selection {
        ids: ids.clone(),
        list,
        whole: main.whole,
    }
    .into_value();
    for (mark, other) in [("@ids-in-order-field", sort), ("@ids-in-field", main.ids)] {
        if !other.is_empty() && other != ids {
            let out = out.get_or_insert_with(|| Value::Object(Object::new()));
            if let Some(out) = out.as_object_mut() {
                out.insert(mark.to_owned(), other.into());
            }
        }
    }
    out
}

/// Whether the list of a field is something that is shown, and not only where its items are picked from: the
/// server fills the list's name in for fields whose selection it keeps elsewhere.
fn shows_list(main: &Selection, ids: &str, schema: &LinkSchema) -> bool {
    let picks = schema.value_field.is_some()
        || matches!(schema.kind, LinkKind::Dropdown | LinkKind::SearchList);
    let is_own = schema
        .container
        .as_deref()
        .is_some_and(|own| *name_key(own) == *main.list);
    if picks {
        return main.whole && !is_own && ids.is_empty();
    }
    if ids.is_empty() {
        main.whole
    } else {
        main.whole || !is_own
    }
}
