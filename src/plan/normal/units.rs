//! The parts of a normal form that are merged one by one: the fields of an item, the zones of a page, and every other
//! member.

use serde_json::Value;

use crate::domain::{FieldHashes, Kind};
use crate::plan::json_pointer::escaped;

/// The members whose own members are parts by themselves.
fn is_divided(kind: Kind, member: &str) -> bool {
    match kind {
        Kind::Content => member == "fields",
        Kind::Page => member == "zones",
        Kind::Model
        | Kind::Container
        | Kind::Template
        | Kind::Gallery
        | Kind::Asset
        | Kind::Redirection => false,
    }
}

/// The parts of a normal form, each by its JSON pointer.
pub(in crate::plan) fn units(kind: Kind, form: &Value) -> Vec<(String, &Value)> {
    let mut out = Vec::new();
    for (member, value) in form.as_object().into_iter().flatten() {
        match value {
            Value::Object(members) if is_divided(kind, member) => {
                let parts = members.iter();
                out.extend(
                    parts.map(|(name, value)| (format!("/{member}/{}", escaped(name)), value)),
                );
            }
            value => out.push((format!("/{}", escaped(member)), value)),
        }
    }
    out
}

/// The part that a place in a normal form belongs to.
pub(in crate::plan) fn unit_at(kind: Kind, at: &str) -> &str {
    let mut ends = at.match_indices('/').map(|(end, _)| end).skip(1);
    let first = ends.next().unwrap_or(at.len());
    let is_whole = !is_divided(kind, at[..first].trim_start_matches('/'));
    let end = if is_whole {
        first
    } else {
        ends.next().unwrap_or(at.len())
    };
    &at[..end]
}

/// What every part says, as hashes.
pub fn field_hashes(kind: Kind, form: &Value) -> FieldHashes {
    FieldHashes::of(units(kind, form).into_iter())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_place_belongs_to_one_of_the_parts() {
        let form =
            json!({ "fields": { "a/b": "1", "link": { "@ids": "7" } }, "seo": { "x": "1" } });
        let names = |kind| -> Vec<String> {
            let parts = units(kind, &form).into_iter();
            parts.map(|(name, _)| name).collect()
        };
        assert_eq!(
            names(Kind::Content),
            ["/fields/a~1b", "/fields/link", "/seo"]
        );
        assert_eq!(names(Kind::Page), ["/fields", "/seo"]);
        for (at, unit) in [
            ("/fields/a~1b", "/fields/a~1b"),
            ("/fields/link/@ids", "/fields/link"),
            ("/seo/x", "/seo"),
            ("/seo", "/seo"),
            ("/fields", "/fields"),
        ] {
            assert_eq!(unit_at(Kind::Content, at), unit, "{at}");
        }
        assert_eq!(unit_at(Kind::Page, "/zones/main/0/item"), "/zones/main");
    }
}
