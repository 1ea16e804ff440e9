//! JSON inside a text, edited in place.
//!
//! Every byte of a text belongs to its editor: the notation of numbers, repeated keys, escapes, spaces. So the text is never
//! serialised anew. The walker goes through its tokens and replaces a token, or a part of a string token; the rest is not
//! touched.

use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor as JsonVisitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::Referent;
use super::link::{Link, Member};
use super::shapes::{is_gallery, url_encoding};
use super::walk::{Place, Walker};
use crate::domain::Kind;
use crate::plan::Encoding;

/// Deepest nesting of objects and arrays that is looked into, as in the parser of whole bodies.
const DEEPEST: usize = 128;

/// New text in the place of old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) range: Range<usize>,
    pub(super) new: String,
}

/// `text` with edits in it, which come in order and do not overlap.
pub(super) fn applied(text: &str, edits: &[Edit]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for edit in edits {
        out.push_str(&text[copied..edit.range.start]);
        out.push_str(&edit.new);
        copied = edit.range.end;
    }
    out + &text[copied..]
}

/// The JSON object or array that a text is, without the white space around it.
pub(super) fn nested(text: &str) -> Option<&str> {
    let trimmed = text.trim();
    let (first, last) = (trimmed.bytes().next()?, trimmed.bytes().last()?);
    let has_brackets = matches!((first, last), (b'{', b'}') | (b'[', b']'));
    let is_json = || serde_json::from_str::<&RawValue>(trimmed).is_ok();
    (has_brackets && is_json()).then_some(trimmed)
}

/// The members of an object as they are written, also those of one name.
struct Members<'t>(Vec<(&'t RawValue, &'t RawValue)>);

impl<'de: 't, 't> Deserialize<'de> for Members<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> JsonVisitor<'de> for InOrder {
            type Value = Vec<(&'de RawValue, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(InOrder).map(Self)
    }
}

/// The text that is edited, and what was found to be written.
struct Editing<'t> {
    text: &'t str,
    edits: Vec<Edit>,
}

impl Editing<'_> {
    /// Where a part of the text stands.
    fn place(&self, part: &str) -> Range<usize> {
        let start = part.as_ptr().addr() - self.text.as_ptr().addr();
        start..start + part.len()
    }

    /// Writes `new` in the place of a token.
    fn write(&mut self, token: &str, new: &Value) {
        let range = self.place(token);
        let new = new.to_string();
        self.edits.push(Edit { range, new });
    }
}

impl Walker<'_> {
    /// What has to be written into `text`, of which `json` is a part.
    pub(super) fn inside(&mut self, text: &str, json: &str, place: Place<'_>) -> Vec<Edit> {
        let mut editing = Editing {
            text,
            edits: Vec::new(),
        };
        self.token(&mut editing, json, place, Encoding::AttachmentUrl, 0);
        editing.edits
    }

    fn token(
        &mut self,
        editing: &mut Editing<'_>,
        json: &str,
        place: Place<'_>,
        url: Encoding,
        depth: usize,
    ) {
        match json.bytes().next() {
            Some(b'"') => self.string(editing, json, place, None),
            Some(b'{' | b'[') if depth == DEEPEST => self.unread(editing, json, place),
            Some(b'{') => self.members(editing, json, place, (url, depth + 1)),
            Some(b'[') => {
                for (at, item) in items(json).iter().enumerate() {
                    let url = Encoding::AttachmentList;
                    self.token(editing, item, place.item(at), url, depth + 1);
                }
            }
            Some(_) | None => {}
        }
    }

    /// Deeper than a parser goes, only URLs are looked for.
    fn unread(&mut self, editing: &mut Editing<'_>, json: &str, place: Place<'_>) {
        let start = editing.place(json).start;
        let edits = self.urls(json, place, None);
        editing.edits.extend(edits.into_iter().map(|edit| Edit {
            range: start + edit.range.start..start + edit.range.end,
            new: edit.new,
        }));
    }

    fn members(
        &mut self,
        editing: &mut Editing<'_>,
        json: &str,
        place: Place<'_>,
        (url, depth): (Encoding, usize),
    ) {
        let Ok(Members(members)) = serde_json::from_str::<Members<'_>>(json) else {
            return;
        };
        let members: Vec<(String, &str, &str)> = members
            .into_iter()
            .map(|(key, value)| (string_of(key.get()), key.get(), value.get()))
            .collect();
        let link = link_of(&members);
        for (name, key, value) in &members {
            self.string(editing, key, place, None);
            let place = place.member(name);
            let part = link.and_then(|link| Some((Member::of(name)?, link)));
            match part {
                Some((Member::Id, _)) => self.slot(editing, value, |walker, slot| {
                    walker.id_slot(slot, place, Referent::Content, Encoding::NestedLink);
                }),
                Some((Member::List, link)) => self.slot(editing, value, |walker, slot| {
                    walker.name_slot(slot, place, Kind::Container, link.encoding());
                }),
                Some((Member::Order, link)) => {
                    self.order(editing, value, place, (link.encoding(), depth));
                }
                Some((Member::Whole, _)) => {}
                None if is_gallery(name) => self.slot(editing, value, |walker, slot| {
                    walker.id_slot(slot, place, Referent::Gallery, Encoding::Gallery);
                }),
                None if value.starts_with('"') => {
                    self.string(editing, value, place, url_encoding(name, url));
                }
                None => self.token(editing, value, place, Encoding::AttachmentUrl, depth),
            }
        }
    }

    /// The ids of an ordered list. An emptied one goes with its comma.
    fn order(
        &mut self,
        editing: &mut Editing<'_>,
        value: &str,
        place: Place<'_>,
        (encoding, depth): (Encoding, usize),
    ) {
        if !value.starts_with('[') {
            self.slot(editing, value, |walker, slot| {
                walker.ids(slot, place, encoding, encoding);
            });
            return;
        }
        let items = items(value);
        let mut keeps_some = false;
        for (at, item) in items.iter().enumerate() {
            let before = editing.edits.len();
            let place = place.item(at);
            if item.starts_with(['{', '[']) {
                self.token(editing, item, place, Encoding::AttachmentList, depth);
            } else {
                self.slot(editing, item, |walker, slot| {
                    walker.ids(slot, place, encoding, encoding);
                });
            }
            let emptied = editing.edits.get(before);
            if emptied.is_none_or(|edit| edit.new != "\"\"") {
                keeps_some = true;
                continue;
            }
            let own = editing.place(item);
            let range = match items.get(at + 1) {
                _ if keeps_some => editing.place(items[at - 1]).end..own.end,
                Some(next) => own.start..editing.place(next).start,
                None => own,
            };
            let new = String::new();
            editing.edits[before] = Edit { range, new };
        }
    }

    /// A token that the walker fills as a whole.
    fn slot(
        &mut self,
        editing: &mut Editing<'_>,
        token: &str,
        fill: impl FnOnce(&mut Self, &mut Value),
    ) {
        let Ok(before) = serde_json::from_str::<Value>(token) else {
            return;
        };
        let mut after = before.clone();
        fill(self, &mut after);
        if after != before {
            editing.write(token, &after);
        }
    }

    /// A string: what is written into what it says takes the place of the bytes that say it.
    fn string(
        &mut self,
        editing: &mut Editing<'_>,
        token: &str,
        place: Place<'_>,
        encoding: Option<Encoding>,
    ) {
        // Whatever refers to something holds a slash, a bracket or a backslash in front of one.
        if !token.contains(['/', '{', '[', '\\', '%', '&']) {
            return;
        }
        let said = Said::of(token);
        let start = editing.place(token).start;
        for edit in self.edits(&said.text, place, encoding) {
            let range = said.at[edit.range.start]..said.at[edit.range.end];
            let new = said.escaped(&edit, token);
            editing.edits.push(Edit {
                range: start + range.start..start + range.end,
                new,
            });
        }
    }
}

/// The items of an array, as they are written.
fn items(json: &str) -> Vec<&str> {
    let items: Vec<&RawValue> = serde_json::from_str(json).unwrap_or_default();
    items.into_iter().map(RawValue::get).collect()
}

fn string_of(token: &str) -> String {
    serde_json::from_str(token).unwrap_or_default()
}

/// The link that the members of an object make.
fn link_of(members: &[(String, &str, &str)]) -> Option<Link> {
    let parts: Map<String, Value> = members
        .iter()
        .filter(|(name, _, _)| Member::of(name).is_some())
        .filter_map(|(name, _, value)| Some((name.clone(), serde_json::from_str(value).ok()?)))
        .collect();
    Link::of_object(&parts)
}

/// What a string token says, and which of its bytes say it.
struct Said {
    text: String,
    /// Where each byte of the text begins in the token, and where the last one ends.
    at: Vec<usize>,
}

impl Said {
    fn of(token: &str) -> Self {
        let mut said = Self {
            text: String::with_capacity(token.len()),
            at: Vec::with_capacity(token.len()),
        };
        let end = token.len() - 1;
        let mut here = 1;
        while here < end {
            let (c, len) = character(&token[here..end]);
            said.at.extend(std::iter::repeat_n(here, c.len_utf8()));
            said.text.push(c);
            here += len;
        }
        said.at.push(end);
        said
    }

    /// The new text of an edit as the token spells its characters, and as JSON demands.
    fn escaped(&self, edit: &Edit, token: &str) -> String {
        let mut out = String::with_capacity(edit.new.len());
        for c in edit.new.chars() {
            let old = &self.text[edit.range.clone()];
            if let Some(found) = old.find(c) {
                let start = edit.range.start + found;
                out.push_str(&token[self.at[start]..self.at[start + c.len_utf8()]]);
            } else {
                let quoted = Value::from(c.to_string()).to_string();
                out.push_str(&quoted[1..quoted.len() - 1]);
            }
        }
        out
    }
}

/// The first character of what a valid string token holds, and how many bytes say it.
fn character(rest: &str) -> (char, usize) {
    let mut chars = rest.chars();
    let first = chars.next().unwrap_or_default();
    if first != '\\' {
        return (first, first.len_utf8());
    }
    match chars.next().unwrap_or_default() {
        'n' => ('\n', 2),
        't' => ('\t', 2),
        'r' => ('\r', 2),
        'b' => ('\u{8}', 2),
        'f' => ('\u{c}', 2),
        'u' => utf16(rest),
        other => (other, 1 + other.len_utf8()),
    }
}

/// `\uXXXX`, twice for a character beyond the first plane. Half of a pair says nothing that Rust could hold.
fn utf16(rest: &str) -> (char, usize) {
    const ONE: usize = 6;
    let unit = |rest: &str| {
        let digits = rest.strip_prefix("\\u")?.get(..4)?;
        u16::from_str_radix(digits, 16).ok()
    };
    let units = [unit(rest), rest.get(ONE..).and_then(unit)];
    let mut said = char::decode_utf16(units.into_iter().map_while(|unit| unit));
    match said.next() {
        Some(Ok(c)) => (c, ONE * c.len_utf16()),
        Some(Err(_)) | None => (char::REPLACEMENT_CHARACTER, ONE),
    }
}
