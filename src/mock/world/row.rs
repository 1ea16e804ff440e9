//! Reading members out of wire rows the way the real server does: names in any case, numbers also as
//! text, null the same as absent.

use serde_json::Value;

use crate::mock::file::Row;

/// The member called `key` in any case, unless it is null.
pub(crate) fn get<'a>(row: &'a Row, key: &str) -> Option<&'a Value> {
    let exact = row.get(key);
    let found = exact.or_else(|| {
        row.iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(key))
            .map(|(_, value)| value)
    });
    found.filter(|value| !value.is_null())
}

/// A whole number, also one that is written as text.
pub(crate) fn as_int(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The member as a whole number.
pub(crate) fn int(row: &Row, key: &str) -> Option<i64> {
    get(row, key).and_then(as_int)
}

/// The member as an id: `None` for null, 0 and −1, which all mean "none" on the wire.
pub(crate) fn id(row: &Row, key: &str) -> Option<i64> {
    int(row, key).filter(|id| *id > 0)
}

/// The whole numbers of a member that is a list; empty when it is none.
pub(crate) fn ints(row: &Row, key: &str) -> Vec<i64> {
    let list = get(row, key).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(as_int).collect()
}

/// The member as text.
pub(crate) fn text<'a>(row: &'a Row, key: &str) -> Option<&'a str> {
    get(row, key).and_then(Value::as_str)
}

/// The member as text that is not blank.
pub(crate) fn filled<'a>(row: &'a Row, key: &str) -> Option<&'a str> {
    text(row, key).filter(|text| !text.trim().is_empty())
}

/// The member as a truth value; text counts too, anything else is false.
pub(crate) fn flag(row: &Row, key: &str) -> bool {
    match get(row, key) {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
        Some(_) | None => false,
    }
}

/// The member as an object.
pub(crate) fn object<'a>(row: &'a Row, key: &str) -> Option<&'a Row> {
    get(row, key).and_then(Value::as_object)
}

/// The objects of a member that is a list; empty when it is none.
pub(crate) fn objects<'a>(row: &'a Row, key: &str) -> impl Iterator<Item = &'a Row> + use<'a> {
    get(row, key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
}

/// Gives a member a value unless it has one.
pub(crate) fn fill(row: &mut Row, key: &str, value: impl Into<Value>) {
    if get(row, key).is_none() {
        set(row, key, value);
    }
}

/// Gives a member a value, under exactly this name.
pub(crate) fn set(row: &mut Row, key: &str, value: impl Into<Value>) {
    if !row.contains_key(key) {
        row.retain(|name, _| !name.eq_ignore_ascii_case(key));
    }
    row.insert(key.to_owned(), value.into());
}

/// The row of a `json!({…})` literal; empty for any other value.
pub(crate) fn row(value: Value) -> Row {
    match value {
        Value::Object(row) => row,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Row::new()
        }
    }
}

/// Positive numbers of a comma list, blanks tolerated; anything else in it is passed over.
pub(crate) fn id_list(text: &str) -> Vec<i64> {
    text.split(',')
        .filter_map(|part| part.trim().parse().ok())
        .filter(|id| *id > 0)
        .collect()
}
