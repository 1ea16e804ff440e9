//! Objects that link to items, in every spelling.

use serde_json::{Map, Value};

use super::as_id;
use crate::plan::Encoding;

/// An object that links to items, read without regard to the spelling of its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// The item, when one is selected.
    pub(crate) id: Option<i64>,
    has_id: bool,
    has_list: bool,
    has_order: bool,
    /// `fulllist`, when stated.
    pub(crate) whole: Option<bool>,
}

impl Link {
    pub(crate) fn of(value: &Value) -> Option<Self> {
        Self::of_object(value.as_object()?)
    }

    pub(crate) fn of_object(object: &Map<String, Value>) -> Option<Self> {
        let mut link = Self {
            id: None,
            has_id: false,
            has_list: false,
            has_order: false,
            whole: None,
        };
        for (key, value) in object {
            match Member::of(key) {
                Some(Member::Id) => {
                    link.has_id = true;
                    link.id = link.id.or_else(|| as_id(value));
                }
                Some(Member::List) => {
                    link.has_list = value.as_str().is_some_and(|text| !text.trim().is_empty());
                }
                Some(Member::Order) => link.has_order = holds_something(value),
                Some(Member::Whole) => link.whole = truth(value),
                None => {}
            }
        }
        (link.has_id || link.has_order || link.whole.is_some()).then_some(link)
    }

    /// A selection of one item, or of none, that the server stores only as text.
    pub(crate) fn is_single(self) -> bool {
        self.whole == Some(false) && !self.has_list && !self.has_order
    }

    pub(super) fn encoding(self) -> Encoding {
        match (self.has_order, self.whole) {
            (true, Some(true)) => Encoding::OrderedList,
            (true, Some(false) | None) => Encoding::PickedItems,
            (false, _) => Encoding::WholeList,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Member {
    Id,
    List,
    Order,
    Whole,
}

impl Member {
    pub(super) fn of(key: &str) -> Option<Self> {
        let is = |name: &str| key.eq_ignore_ascii_case(name);
        // Lengths first: nearly every key of nearly every object is none of these.
        match key.len() {
            9 if is("contentid") => Some(Self::Id),
            13 if is("referencename") => Some(Self::List),
            7 if is("sortids") => Some(Self::Order),
            8 if is("fulllist") => Some(Self::Whole),
            _ => None,
        }
    }
}

fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) => text.trim().to_ascii_lowercase().parse().ok(),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn holds_something(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Number(_) => true,
        Value::Null | Value::Bool(_) | Value::Object(_) => false,
    }
}
