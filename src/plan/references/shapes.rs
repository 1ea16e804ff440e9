//! References in any JSON, by shape alone.

use serde_json::{Map, Value};

use super::inside::{Edit, applied, nested};
use super::link::{Link, Member};
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
        if is_gallery(key) {
            self.id_slot(value, place, Referent::Gallery, Encoding::Gallery);
        } else if value.is_string() {
            self.text(value, place, url_encoding(key, url));
        } else {
            self.any(value, place);
        }
    }

    /// A text: JSON of its own, or one with URLs in it. `encoding` is how a URL stands here, where that is
    /// known.
    pub(super) fn text(&mut self, value: &mut Value, place: Place<'_>, encoding: Option<Encoding>) {
        let Value::String(text) = value else { return };
        let edits = self.edits(text, place, encoding);
        if !edits.is_empty() {
            *text = applied(text, &edits);
        }
    }

    /// What has to be written into a text; all else in it stays.
    pub(super) fn edits(
        &mut self,
        text: &str,
        place: Place<'_>,
        encoding: Option<Encoding>,
    ) -> Vec<Edit> {
        if place.path.texts() < DEEPEST_TEXT
            && let Some(inside) = nested(text)
        {
            return self.inside(text, inside, place.inside());
        }
        self.urls(text, place, encoding)
    }

    /// What has to be written in the places of URLs.
    pub(super) fn urls(
        &mut self,
        text: &str,
        place: Place<'_>,
        encoding: Option<Encoding>,
    ) -> Vec<Edit> {
        let mut edits = Vec::new();
        for url in self.context.assets.occurrences(text) {
            let encoding = encoding.unwrap_or_else(|| encoding_in(text, &url));
            let occurrence = url.asset.map(|id| Occurrence {
                to: Referent::Asset(id),
                encoding,
                place,
                in_list: false,
                name: "",
            });
            if let Some(new) = self.visitor.url(occurrence, text, &url)
                && new != text[url.range.clone()]
            {
                edits.push(Edit {
                    range: url.range,
                    new,
                });
            }
        }
        edits
    }
}

/// Whether a member of this name holds the id of a gallery.
pub(super) fn is_gallery(key: &str) -> bool {
    GALLERY_MEMBERS
        .iter()
        .any(|name| key.eq_ignore_ascii_case(name))
}

/// How a URL stands in a member of this name, where the name shows it; `url` is what one called so means here.
pub(super) fn url_encoding(key: &str, url: Encoding) -> Option<Encoding> {
    if key.eq_ignore_ascii_case("url") {
        Some(url)
    } else if key.eq_ignore_ascii_case("href") {
        Some(Encoding::LinkUrl)
    } else {
        None
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
