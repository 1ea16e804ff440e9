//! What this server does to saves beyond the rules, so that tests can try servers of several kinds.

use serde_json::Value;

use super::World;
use crate::mock::file::Row;

impl World {
    /// Does to a row that is about to be saved what the habits of the instance say about its kind.
    pub(super) fn receive(&self, kind: &str, row: &mut Row) {
        for path in self.habits.drop.get(kind).into_iter().flatten() {
            drop_at(row, path);
        }
        if let Some(defaults) = self.habits.fill_in.get(kind) {
            fill(row, defaults);
        }
    }

    /// Whether rows of this kind are left as they are.
    pub(super) fn keeps(&self, kind: &str) -> bool {
        !self.habits.drop.contains_key(kind) && !self.habits.fill_in.contains_key(kind)
    }
}

/// Gives `row` the members of `defaults` that it leaves out; a member that is a list gets them in each of its rows.
fn fill(row: &mut Row, defaults: &Row) {
    for (name, default) in defaults {
        let is_empty = |value: &Value| value.is_null() || value.as_str() == Some("");
        match (row.get_mut(name), default) {
            (Some(Value::Object(inner)), Value::Object(defaults)) => fill(inner, defaults),
            (Some(Value::Array(rows)), Value::Object(defaults)) => {
                for inner in rows.iter_mut().filter_map(Value::as_object_mut) {
                    fill(inner, defaults);
                }
            }
            (Some(value), _) if !is_empty(value) => {}
            (Some(_) | None, _) => {
                row.insert(name.clone(), default.clone());
            }
        }
    }
}

/// Takes out the member at `path`, whose parts are parted by `.`; of a list in each of its rows.
fn drop_at(row: &mut Row, path: &str) {
    let Some((first, rest)) = path.split_once('.') else {
        row.remove(path);
        return;
    };
    match row.get_mut(first) {
        Some(Value::Object(inner)) => drop_at(inner, rest),
        Some(Value::Array(rows)) => {
            for inner in rows.iter_mut().filter_map(Value::as_object_mut) {
                drop_at(inner, rest);
            }
        }
        Some(_) | None => {}
    }
}
