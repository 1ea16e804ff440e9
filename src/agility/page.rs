//! The rows of an answer, of which one at a time is parsed.
//!
//! The values of a JSON text take several times the memory of the text. So of a list only the places of its rows are
//! found first, and each row is parsed, understood and dropped before the next one.

use std::collections::HashMap;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::client::parsed;
use super::shape::{self, ShapeError};

/// Where the rows of an answer are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    /// It has none: it is one entity.
    None,
    /// The answer is a list.
    Whole,
    /// The answer is an object, and the list is the member of this name.
    Member(&'static str),
}

/// An answer with its rows as texts.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    /// What is not in the list.
    pub(crate) rest: Value,
    list: List,
    /// `None` where there is no list.
    rows: Option<Vec<&'a RawValue>>,
}

impl<'a> Page<'a> {
    /// Finds the rows of a JSON text.
    ///
    /// # Errors
    /// [`serde_json::Error`] for what is not JSON. A row that is not is complained of when it is read.
    pub(crate) fn parse(text: &'a str, list: List) -> Result<Self, serde_json::Error> {
        let start = text.trim_start().chars().next();
        let (rest, rows) = match (list, start) {
            (List::Whole, Some('[')) => (Value::Null, Some(serde_json::from_str(text)?)),
            (List::Member(name), Some('{')) => with_member(text, name)?,
            (_, _) => (parsed(text.as_bytes())?, None),
        };
        Ok(Self { rest, list, rows })
    }

    /// Whether the answer is `null` or empty.
    pub(crate) fn is_null(&self) -> bool {
        self.rest.is_null() && self.rows.is_none()
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.rows.as_ref().map_or(0, Vec::len)
    }

    /// Understands the rows one by one. A complaint says which row it is about: `items[3].contentID: …`.
    ///
    /// # Errors
    /// [`ShapeError`] of the first row that cannot be read, or of an answer without a list.
    pub(crate) fn each<T>(
        &self,
        understand: impl Fn(Value) -> Result<T, ShapeError>,
    ) -> Result<Vec<T>, ShapeError> {
        let rows = self.rows.as_ref().ok_or_else(|| self.without_list())?;
        let understood = rows.iter().enumerate().map(|(at, row)| {
            let row = parsed(row.get().as_bytes());
            let row = row.map_err(|error| ShapeError(format!("{error} of the JSON")));
            row.and_then(&understand)
                .map_err(|odd| self.within(at, &odd))
        });
        understood.collect()
    }

    fn within(&self, at: usize, odd: &ShapeError) -> ShapeError {
        let list = match self.list {
            List::Member(name) => name,
            List::None | List::Whole => "",
        };
        let is_member = !odd.0.starts_with("expected") && !odd.0.ends_with("of the JSON");
        let mark = if is_member { "." } else { ": " };
        ShapeError(format!("{list}[{at}]{mark}{}", odd.0))
    }

    fn without_list(&self) -> ShapeError {
        let (List::Member(name), Value::Object(members)) = (self.list, &self.rest) else {
            let wanted = if self.list == List::Whole {
                "a list"
            } else {
                "an object"
            };
            return shape::expected(wanted, &self.rest);
        };
        let other = members
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        match other {
            Some((_, other)) => {
                ShapeError(format!("{name}: {}", shape::expected("a list", other).0))
            }
            None => ShapeError(format!("the answer has no {name}")),
        }
    }
}

/// The members of an object but for the list of a name, and the rows of that.
fn with_member<'a>(
    text: &'a str,
    name: &str,
) -> Result<(Value, Option<Vec<&'a RawValue>>), serde_json::Error> {
    let mut members: HashMap<String, &RawValue> = serde_json::from_str(text)?;
    let in_any_case = || {
        let mut keys = members.keys();
        keys.find(|key| key.eq_ignore_ascii_case(name))
    };
    let exact = members.get_key_value(name).map(|(key, _)| key);
    let key = exact.or_else(in_any_case).cloned();
    let key = key.filter(|key| members[key].get().starts_with('['));
    let rows = key.and_then(|key| members.remove(&key));
    let rows = rows
        .map(|rows| serde_json::from_str(rows.get()))
        .transpose()?;
    let rest = members.into_iter();
    let rest = rest.map(|(key, member)| Ok((key, parsed(member.get().as_bytes())?)));
    let rest: Result<Map<_, _>, serde_json::Error> = rest.collect();
    Ok((Value::Object(rest?), rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(text: &str, list: List) -> String {
        let page = Page::parse(text, list).unwrap();
        let id = |mut row: Value| {
            shape::object(&mut row)?;
            shape::own_id(&row, "pageID")
        };
        page.each(id).unwrap_err().0
    }

    #[test]
    fn a_complaint_about_a_row_says_where_it_is_and_what_was_expected() {
        let items = List::Member("items");
        assert_eq!(
            complaint(r#"{"items": [{"pageID": 1}, {"pageID": 0}]}"#, items),
            "items[1].pageID: expected an id above 0, found a number"
        );
        assert_eq!(
            complaint(r#"{"items": [{}]}"#, items),
            "items[0].pageID: expected an id above 0, found null"
        );
        assert_eq!(
            complaint(" [7]", List::Whole),
            "[0]: expected an object, found a number"
        );
        let deep = format!("[{}{}]", "[".repeat(500), "]".repeat(500));
        let found = complaint(&deep, List::Whole);
        assert!(
            found.starts_with("[0]: recursion limit exceeded"),
            "{found}"
        );
    }

    #[test]
    fn what_is_no_list_is_named() {
        let message = r#"{"message": "no"}"#;
        assert_eq!(
            complaint(message, List::Whole),
            "expected a list, found an object"
        );
        let medias = List::Member("assetMedias");
        assert_eq!(complaint(message, medias), "the answer has no assetMedias");
        assert_eq!(
            complaint(r#"{"assetmedias": null}"#, medias),
            "assetMedias: expected a list, found null"
        );
        assert_eq!(complaint("[]", medias), "expected an object, found a list");
        assert!(Page::parse("[1, 2", List::Whole).is_err());
        assert!(Page::parse("<html>", medias).is_err());
    }

    #[test]
    fn the_list_is_found_in_any_case_and_the_exact_one_first() {
        let text = r#"{"ITEMS": [1], "syncToken": 7, "items": [2, 2.50]}"#;
        let page = Page::parse(text, List::Member("items")).unwrap();
        let values = page.each(Ok).unwrap();
        assert_eq!(values.len(), 2);
        assert_eq!(values[0], 2);
        assert_eq!(shape::int(&page.rest, "synctoken"), Some(7));
        let page = Page::parse(r#"{"Items": [1]}"#, List::Member("items")).unwrap();
        assert_eq!(page.len(), 1);
    }
}
