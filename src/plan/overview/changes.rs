//! The differences of two normal forms, in readable form.

use std::collections::HashMap;

use serde_json::{Map, Value};
use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::names::Names;
use super::{Change, Move};

/// Lists what `found` has to become to be `expected`.
pub(super) fn changes(found: &Value, expected: &Value, names: &Names<'_>) -> Vec<Change> {
    let mut out = Vec::new();
    let found = with_order_of_fields(found);
    let expected = with_order_of_fields(expected);
    compare("", Some(&found), Some(&expected), names, &mut out);
    out.into_iter().filter_map(moves_alone).collect()
}

/// What the order of fields is called.
const ORDER: &str = "order of fields";

/// Of the order of fields only the moves: which come and go stands beside it.
fn moves_alone(change: Change) -> Option<Change> {
    match change {
        Change::List { field, moved, .. } if field == ORDER => {
            (!moved.is_empty()).then(|| Change::List {
                field,
                removed: Vec::new(),
                added: Vec::new(),
                moved,
            })
        }
        Change::Value { ref field, .. } if field == ORDER => None,
        other @ (Change::Value { .. } | Change::List { .. } | Change::File(_)) => Some(other),
    }
}

/// Fields of a model have a position each; a list of their names says the same, and names a field once that moved.
fn with_order_of_fields(form: &Value) -> Value {
    let mut form = form.clone();
    let Some(Value::Object(fields)) = form.get_mut("fields") else {
        return form;
    };
    let mut order: Vec<(usize, String)> = Vec::new();
    for (name, field) in fields {
        let position = field.as_object_mut().and_then(|field| {
            let is_of_model = field.contains_key("type");
            is_of_model.then(|| field.remove("position")).flatten()
        });
        let position = position.and_then(|position| position.as_str()?.parse().ok());
        order.extend(position.map(|position| (position, name.clone())));
    }
    if !order.is_empty() {
        order.sort();
        let names = order.into_iter().map(|(_, name)| Value::String(name));
        form[ORDER] = names.collect();
    }
    form
}

fn compare(
    field: &str,
    was: Option<&Value>,
    becomes: Option<&Value>,
    names: &Names<'_>,
    out: &mut Vec<Change>,
) {
    if was == becomes {
        return;
    }
    if let (Some(was), Some(becomes)) = (plain_object(was), plain_object(becomes)) {
        let new = becomes.keys().filter(|name| !was.contains_key(*name));
        for name in was.keys().chain(new) {
            let field = names.below(field, name);
            compare(&field, was.get(name), becomes.get(name), names, out);
        }
        return;
    }
    let lists = names.list(was).zip(names.list(becomes));
    out.extend(match lists {
        Some((was, becomes)) if was.len() > 1 || becomes.len() > 1 => list(field, &was, &becomes),
        _ => Some(Change::Value {
            field: field.to_owned(),
            was: was.map(|value| names.text(value)),
            becomes: becomes.map(|value| names.text(value)),
        }),
    });
}

/// An object that is not a reference.
fn plain_object(value: Option<&Value>) -> Option<&Map<String, Value>> {
    let object = value?.as_object()?;
    let is_reference = object.keys().any(|name| name.starts_with('@'));
    (!is_reference).then_some(object)
}

fn list(field: &str, was: &[String], becomes: &[String]) -> Option<Change> {
    let (kept_was, removed) = split(was, becomes);
    let (kept, added) = split(becomes, was);
    let moved = moves(&kept_was, &kept);
    let is_same = removed.is_empty() && added.is_empty() && moved.is_empty();
    (!is_same).then(|| Change::List {
        field: field.to_owned(),
        removed: texts(removed),
        added: texts(added),
        moved,
    })
}

/// Entries with their positions.
type Placed<'a> = Vec<(usize, &'a String)>;

fn texts(entries: Placed<'_>) -> Vec<String> {
    entries.into_iter().map(|(_, text)| text.clone()).collect()
}

/// Entries with their positions: those that `other` has as well, as often as it has them, and the rest.
fn split<'a>(entries: &'a [String], other: &[String]) -> (Placed<'a>, Placed<'a>) {
    let mut left: HashMap<&String, usize> = HashMap::new();
    for entry in other {
        *left.entry(entry).or_default() += 1;
    }
    let is_kept = |(_, entry): &(usize, &String)| match left.get_mut(*entry) {
        Some(count) if *count > 0 => {
            *count -= 1;
            true
        }
        Some(_) | None => false,
    };
    entries.iter().enumerate().partition(is_kept)
}

/// The entries that stand elsewhere, as few as explain the order.
fn moves(was: &[(usize, &String)], becomes: &[(usize, &String)]) -> Vec<Move> {
    let entries = |list: &[(usize, &String)]| -> Vec<String> {
        list.iter().map(|(_, entry)| (*entry).clone()).collect()
    };
    let ops = capture_diff_slices(Algorithm::Myers, &entries(was), &entries(becomes));
    let changed = || ops.iter().filter(|op| !matches!(op, DiffOp::Equal { .. }));
    let taken = changed().flat_map(DiffOp::old_range);
    let mut moved = Vec::new();
    let put = changed().flat_map(DiffOp::new_range);
    let mut to: Vec<&(usize, &String)> = put.map(|at| &becomes[at]).collect();
    for at in taken {
        let (from, entry) = was[at];
        if let Some(found) = to.iter().position(|(_, other)| *other == entry) {
            moved.push(Move {
                what: entry.clone(),
                from: from + 1,
                to: to.remove(found).0 + 1,
            });
        }
    }
    moved
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::{Guid, Inventory};

    fn found(was: &Value, becomes: &Value) -> Value {
        let names = Names {
            source: &Inventory::empty(Guid::new("1a2b3c4d-u")),
            target: &Inventory::empty(Guid::new("5e6f7a8b-u")),
            locale: None,
            model: None,
        };
        serde_json::to_value(changes(was, becomes, &names)).unwrap()
    }

    #[test]
    fn a_list_has_entries_that_come_go_and_move() {
        let was = json!({ "zones": { "main": ["a", "b", "c", "d"] } });
        let becomes = json!({ "zones": { "main": ["d", "a", "b", "e"] } });
        assert_eq!(
            found(&was, &becomes),
            json!([{
                "field": "zones.main",
                "removed": ["c"],
                "added": ["e"],
                "moved": [{ "what": "d", "from": 4, "to": 1 }],
            }])
        );
    }

    #[test]
    fn references_are_values_and_several_are_a_list() {
        let one = json!({ "fields": { "writer": { "@ids": "7" } } });
        let other = json!({ "fields": { "writer": { "@ids": "8" } } });
        assert_eq!(
            found(&one, &other),
            json!([{ "field": "writer", "was": "content 7", "becomes": "content 8" }])
        );
        let both = json!({ "fields": { "writer": { "@ids": "8,7" } } });
        assert_eq!(
            found(&one, &both),
            json!([{ "field": "writer", "removed": [], "added": ["content 8"], "moved": [] }])
        );
    }

    #[test]
    fn a_field_of_a_model_moves_and_does_not_shift_the_rest() {
        let field = |position: &str| json!({ "type": "text", "position": position });
        let was = json!({ "fields": { "a": field("0"), "b": field("1"), "c": field("2") } });
        let becomes = json!({ "fields": { "c": field("0"), "a": field("1"), "b": field("2") } });
        assert_eq!(
            found(&was, &becomes),
            json!([{
                "field": "order of fields",
                "removed": [],
                "added": [],
                "moved": [{ "what": "c", "from": 3, "to": 1 }],
            }])
        );
    }
}
