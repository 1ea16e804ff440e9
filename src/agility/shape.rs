//! JSON access that forgives the API its spellings.
//!
//! The same member arrives as `contentID`, `contentid`, `contentId` or `ContentID` depending on the
//! endpoint and the age of the server, and numbers arrive as text now and then.

use serde_json::{Map, Value};

/// An answer whose shape is not the documented one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ShapeError(pub(crate) String);

/// The member called `name`: exactly so, else in any case. JSON `null` counts as absent.
pub(crate) fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let map = value.as_object()?;
    let found = map.get(name).or_else(|| {
        map.iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, member)| member)
    });
    found.filter(|member| !member.is_null())
}

/// A whole number, also when it is written as text.
pub(crate) fn int(value: &Value, name: &str) -> Option<i64> {
    member(value, name).and_then(as_int)
}

/// The whole number that `value` is or spells.
pub(crate) fn as_int(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A text that says something: absent, empty and blank are the same.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    member(value, name)
        .and_then(Value::as_str)
        .filter(|text| !text.trim().is_empty())
}

/// A truth value, also when it is written as text; absent, or anything else, is false.
pub(crate) fn flag(value: &Value, name: &str) -> bool {
    matches!(checked_flag(value, name), Ok(Some(true)))
}

/// A truth value, also when it is written as text; `None` where it is absent.
pub(crate) fn checked_flag(row: &Value, name: &str) -> Result<Option<bool>, ShapeError> {
    match member(row, name) {
        None => Ok(None),
        Some(Value::Bool(truth)) => Ok(Some(*truth)),
        Some(Value::String(text)) => match text.trim().to_ascii_lowercase().parse() {
            Ok(truth) => Ok(Some(truth)),
            Err(_) => Err(wanted(row, name, "true or false")),
        },
        Some(_) => Err(wanted(row, name, "true or false")),
    }
}

/// The id of a row, which must be there.
pub(crate) fn id(row: &Value, name: &str) -> Result<i64, ShapeError> {
    int(row, name).ok_or_else(|| wanted(row, name, "an id"))
}

/// The id of an entity, which is above 0.
pub(crate) fn own_id(row: &Value, name: &str) -> Result<i64, ShapeError> {
    let found = int(row, name).filter(|id| *id > 0);
    found.ok_or_else(|| wanted(row, name, "an id above 0"))
}

/// A text of a row, which must be there and say something.
pub(crate) fn own_text<'a>(row: &'a Value, name: &str) -> Result<&'a str, ShapeError> {
    text(row, name).ok_or_else(|| wanted(row, name, "a text that is not blank"))
}

/// The complaint about a member that cannot be used.
pub(crate) fn wanted(row: &Value, name: &str, what: &str) -> ShapeError {
    let found = member(row, name).unwrap_or(&Value::Null);
    ShapeError(format!("{name}: {}", expected(what, found).0))
}

/// Understands the rows of a list one by one. A complaint says which row it is about: `items[3].contentID: …`.
pub(crate) fn each<T>(
    list: &str,
    rows: Vec<Value>,
    understand: impl Fn(Value) -> Result<T, ShapeError>,
) -> Result<Vec<T>, ShapeError> {
    let rows = rows.into_iter().enumerate();
    let understood = rows.map(|(at, row)| {
        let within = |odd: ShapeError| {
            let dot = if odd.0.starts_with("expected") {
                ": "
            } else {
                "."
            };
            ShapeError(format!("{list}[{at}]{dot}{}", odd.0))
        };
        understand(row).map_err(within)
    });
    understood.collect()
}

/// The rows of an answer that is a list.
pub(crate) fn rows(value: Value) -> Result<Vec<Value>, ShapeError> {
    match value {
        Value::Array(rows) => Ok(rows),
        other => Err(expected("a list", &other)),
    }
}

/// The rows of the member called `name`.
pub(crate) fn member_rows(value: &mut Value, name: &str) -> Result<Vec<Value>, ShapeError> {
    let map = object(value)?;
    rename_members(map, &[name]);
    match map.remove(name) {
        Some(Value::Array(rows)) => Ok(rows),
        Some(other) => Err(ShapeError(format!(
            "{name}: {}",
            expected("a list", &other).0
        ))),
        None => Err(ShapeError(format!("the answer has no {name}"))),
    }
}

/// The members of an object.
pub(crate) fn object(value: &mut Value) -> Result<&mut Map<String, Value>, ShapeError> {
    match value {
        Value::Object(map) => Ok(map),
        other => Err(expected("an object", other)),
    }
}

/// Gives members the spelling of `names` where only the case differs. Where both spellings are there, the
/// other one goes. The order of members stays.
pub(crate) fn rename_members(map: &mut Map<String, Value>, names: &[&str]) {
    let canonical = |key: &str| {
        names
            .iter()
            .find(|name| name.len() == key.len() && name.eq_ignore_ascii_case(key))
            .filter(|name| **name != key)
    };
    if !map.keys().any(|key| canonical(key).is_some()) {
        return;
    }
    for (key, member) in std::mem::take(map) {
        match canonical(&key) {
            Some(name) if !map.contains_key(*name) => {
                map.insert((*name).to_owned(), member);
            }
            Some(_) => {}
            None => {
                map.insert(key, member);
            }
        }
    }
}

fn expected(wanted: &str, found: &Value) -> ShapeError {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    ShapeError(format!("expected {wanted}, found {found}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_are_found_in_any_case_and_exact_ones_first() {
        let value = json!({"contentid": 1, "contentID": 2, "Text": " ", "n": "12", "t": "True"});
        assert_eq!(int(&value, "contentID"), Some(2));
        assert_eq!(int(&value, "CONTENTID"), Some(1));
        assert_eq!(int(&value, "N"), Some(12));
        assert_eq!(text(&value, "text"), None);
        assert!(flag(&value, "t"));
        assert_eq!(int(&json!({"a": null}), "a"), None);
    }

    #[test]
    fn a_flag_that_is_neither_true_nor_false_is_named() {
        let row = json!({"a": true, "b": " False", "c": 1, "d": "yes", "e": null});
        assert_eq!(checked_flag(&row, "A"), Ok(Some(true)));
        assert_eq!(checked_flag(&row, "b"), Ok(Some(false)));
        assert_eq!(checked_flag(&row, "e"), Ok(None));
        for name in ["c", "d"] {
            let odd = checked_flag(&row, name).unwrap_err().0;
            assert!(
                odd.starts_with(&format!("{name}: expected true or false")),
                "{odd}"
            );
        }
    }

    #[test]
    fn renaming_keeps_the_order_and_the_canonical_value() {
        let mut value = json!({"ContentID": 1, "x": 2, "Fields": 3, "fields": 4});
        let map = value.as_object_mut().unwrap();
        rename_members(map, &["contentID", "fields"]);
        assert_eq!(value.to_string(), r#"{"contentID":1,"x":2,"fields":4}"#);
    }

    #[test]
    fn what_is_no_list_is_named() {
        assert_eq!(
            rows(json!({"message": "no"})).unwrap_err().0,
            "expected a list, found an object"
        );
        let missing = member_rows(&mut json!({}), "assetMedias").unwrap_err();
        assert_eq!(missing.0, "the answer has no assetMedias");
    }

    #[test]
    fn a_complaint_about_a_row_says_where_it_is_and_what_was_expected() {
        let told = |rows: Value| {
            let Value::Array(rows) = rows else {
                panic!("no rows")
            };
            let id = |mut row: Value| {
                object(&mut row)?;
                own_id(&row, "pageID")
            };
            each("items", rows, id).unwrap_err().0
        };
        assert_eq!(
            told(json!([{"pageID": 1}, {"pageID": 0}])),
            "items[1].pageID: expected an id above 0, found a number"
        );
        assert_eq!(
            told(json!([{}])),
            "items[0].pageID: expected an id above 0, found null"
        );
        assert_eq!(
            told(json!([7])),
            "items[0]: expected an object, found a number"
        );
    }
}
