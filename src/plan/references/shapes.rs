//! References in any JSON, by shape alone.

use serde_json::{Map, Value};

use super::walk::{Occurrence, Place, Walker};
use super::{Referent, UrlAt};
use crate::domain::Kind;
use crate::plan::Encoding;

/// Deepest nesting of JSON texts inside JSON texts that is looked into.
const DEEPEST_TEXT: usize = 3;
/// The spellings of a gallery's id, in lower case.
const GALLERY_MEMBERS: [&str; 2] = ["galleryid", "mediagroupingid"];

/// An id in a number or in a text of digits; `None` for anything that selects nothing.
pub(crate) fn as_id(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().filter(|&id| id > 0),
        Value::String(text) => text_id(text.trim()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A text that is nothing but a positive number.
pub(super) fn text_id(text: &str) -> Option<i64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number
        .then(|| text.parse().ok())
        .flatten()
        .filter(|&id| id > 0)
}

/// Whether every part of a comma list is a whole number, which may be 0 or below.
pub(crate) fn is_id_list(text: &str) -> bool {
    let is_number = |part: &str| {
        let digits = part.strip_prefix('-').unwrap_or(part);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let mut parts = text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .peekable();
    parts.peek().is_some() && parts.all(is_number)
}

/// Whether a text can be the reference name of a container: letters, digits, `_`, `-` and `.`.
pub(crate) fn is_list_name(text: &str) -> bool {
    let text = text.trim();
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    !text.is_empty() && text.chars().all(fits)
}

/// A member of an object by its name in any case.
pub(crate) fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let object = value.as_object()?;
    object
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// The JSON object or array in a text.
pub(crate) fn parse_nested(text: &str) -> Option<Value> {
    let trimmed = text.trim();
    let (first, last) = (trimmed.bytes().next()?, trimmed.bytes().last()?);
    let has_brackets = matches!((first, last), (b'{', b'}') | (b'[', b']'));
    has_brackets
        .then(|| serde_json::from_str(trimmed).ok())
        .flatten()
}

/// An object that links to items, read without regard to the spelling of its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// The item, when one is selected.
    pub(crate) id: Option<i64>,
    has_id: bool,
    has_list: bool,
    has_order: bool,
    /// `fulllist`, when told.
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

    fn encoding(self) -> Encoding {
        match (self.has_order, self.whole) {
            (true, Some(true)) => Encoding::OrderedList,
            (true, Some(false) | None) => Encoding::PickedItems,
            (false, _) => Encoding::WholeList,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Member {
    Id,
    List,
    Order,
    Whole,
}

impl Member {
    fn of(key: &str) -> Option<Self> {
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

impl Walker<'_> {
    /// Any value.
    pub(super) fn any(&mut self, value: &mut Value, place: Place<'_>) {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::String(_) => self.text(value, place, None),
            Value::Array(items) => {
                for (at, item) in items.iter_mut().enumerate() {
                    match item {
                        Value::Object(object) => {
                            self.object(object, place.item(at), Encoding::AttachmentList);
                        }
                        item => self.any(item, place.item(at)),
                    }
                }
            }
            Value::Object(object) => self.object(object, place, Encoding::AttachmentUrl),
        }
    }

    fn object(&mut self, object: &mut Map<String, Value>, place: Place<'_>, url: Encoding) {
        let link = Link::of_object(object);
        for (key, value) in object.iter_mut() {
            let place = place.member(key);
            match (link.and_then(|_| Member::of(key)), link) {
                (Some(Member::Id), _) => {
                    self.id_slot(value, place, Referent::Content, Encoding::NestedLink);
                }
                (Some(Member::List), Some(link)) => {
                    self.name_slot(value, place, Kind::Container, link.encoding());
                }
                (Some(Member::Order), Some(link)) => {
                    self.ids(value, place, link.encoding(), link.encoding());
                }
                (Some(Member::Whole), _) => {}
                (Some(Member::List | Member::Order), None) | (None, _) => {
                    self.member(key, value, place, url);
                }
            }
        }
    }

    fn member(&mut self, key: &str, value: &mut Value, place: Place<'_>, url: Encoding) {
        let is = |name: &&str| key.eq_ignore_ascii_case(name);
        if GALLERY_MEMBERS.iter().any(is) {
            self.id_slot(value, place, Referent::Gallery, Encoding::Gallery);
        } else if !value.is_string() {
            self.any(value, place);
        } else if is(&"url") {
            self.text(value, place, Some(url));
        } else if is(&"href") {
            self.text(value, place, Some(Encoding::LinkUrl));
        } else {
            self.text(value, place, None);
        }
    }

    /// A text: JSON of its own, or one with URLs in it. `encoding` is how a URL stands here, where that is
    /// known.
    pub(super) fn text(&mut self, value: &mut Value, place: Place<'_>, encoding: Option<Encoding>) {
        let Value::String(text) = value else { return };
        if place.path.texts() < DEEPEST_TEXT
            && let Some(mut inside) = parse_nested(text)
        {
            let before = self.changes;
            self.any(&mut inside, place.inside());
            if self.changes > before {
                self.set(value, inside.to_string());
            }
        } else if let Some(new) = self.urls(text, place, encoding) {
            self.set(value, new);
        }
    }

    /// The text with its URLs replaced; `None` when there is nothing to replace.
    fn urls(&mut self, text: &str, place: Place<'_>, encoding: Option<Encoding>) -> Option<String> {
        let mut out = String::new();
        let mut copied = 0;
        for url in self.context.assets.occurrences(text) {
            let encoding = encoding.unwrap_or_else(|| encoding_in(text, &url));
            let occurrence = url.asset.map(|id| Occurrence {
                to: Referent::Asset(id),
                encoding,
                place,
                in_list: false,
                name: "",
            });
            if let Some(new) = self.visitor.url(occurrence, text, &url) {
                out.push_str(&text[copied..url.range.start]);
                out.push_str(&new);
                copied = url.range.end;
            }
        }
        if copied == 0 {
            return None;
        }
        out.push_str(&text[copied..]);
        (out != text).then_some(out)
    }
}

/// A URL that fills its text up to the query is the text.
fn encoding_in(text: &str, url: &UrlAt) -> Encoding {
    let rest = &text[url.range.end..];
    let only_query =
        rest.is_empty() || rest.starts_with(['?', '#']) && !rest.contains(char::is_whitespace);
    if url.range.start == 0 && only_query {
        Encoding::TextUrl
    } else {
        Encoding::EmbeddedUrl
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_lists_and_list_names_are_told_apart() {
        for (text, ids, name) in [
            ("640", true, true),
            ("735, 734", true, false),
            ("-1", true, true),
            ("drawassets", false, true),
            ("home_cards48f36e", false, true),
            ("12 monkeys", false, false),
            ("", false, false),
            (",", false, false),
            ("<p>hi</p>", false, false),
        ] {
            assert_eq!(
                (is_id_list(text), is_list_name(text)),
                (ids, name),
                "{text:?}"
            );
        }
    }
}
