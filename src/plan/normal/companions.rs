//! Companions of links that were lost.
//!
//! A companion field repeats what a link selects, so a body without it has the same normal form. When a companion was written
//! and is not stored, the link may still be there, but readers of the companion field find nothing.

use serde_json::Value;

use super::defaults;
use super::differences::Difference;
use super::selection::id_text;
use crate::plan::Schema;

/// The companions that `written`, the body of an item, has and that are blank or missing in `found`, although the link
/// that they belong to is there. What the model does not list is no field of the server's.
pub fn lost_companions(written: &Value, found: &Value, schema: &Schema) -> Vec<Difference> {
    let model = written["properties"]["definitionName"].as_str();
    let Some(model) = model.and_then(|name| schema.model(name)) else {
        return Vec::new();
    };
    let mut lost = Vec::new();
    for field in model.fields() {
        let Some(link) = field.link().filter(|_| member(found, &field.key).is_some()) else {
            continue;
        };
        let companions = [&link.value_field, &link.sort_field].into_iter().flatten();
        for key in companions.filter(|key| model.field(key).is_some()) {
            let ids = |body| member(body, key).map(id_text).unwrap_or_default();
            let (expected, found) = (ids(written), ids(found));
            if !expected.is_empty() && found.is_empty() {
                lost.push(Difference {
                    at: format!("/fields/{key}"),
                    expected,
                    found: "nothing".to_owned(),
                    is_reference: true,
                    added: None,
                    lost: true,
                });
            }
        }
    }
    lost
}

/// What stands in the field of this key; nothing of one that selects nothing.
fn member<'b>(body: &'b Value, key: &str) -> Option<&'b Value> {
    let fields = body.get("fields").filter(|fields| fields.is_object())?;
    let says =
        |value: &&Value| !value.is_null() && value.as_str().is_none_or(|text| !text.is_empty());
    defaults::member(fields, key).filter(says)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::Kind;
    use crate::plan::normal;
    use crate::plan::testing::{Source, properties};

    fn item(fields: &Value) -> Value {
        json!({ "properties": properties(), "fields": fields })
    }

    #[test]
    fn a_companion_that_is_gone_is_lost_although_the_link_is_there() {
        let schema = Source::new().schema;
        let form = |body: &Value| normal(Kind::Content, body, &schema);
        let cards = json!({ "referencename": "cards", "sortids": "7,8", "fulllist": false });
        let links = [
            (
                "writer",
                json!({ "contentid": 7, "fulllist": false }),
                "writerID",
                "7",
            ),
            ("cards", cards, "cardOrder", "7,8"),
        ];
        for (name, link, companion, ids) in links {
            let both = item(&json!({ name: link, companion: ids }));
            let link_alone = item(&json!({ name: link, companion: "" }));
            assert_eq!(form(&both), form(&link_alone));
            let lost = lost_companions(&both, &link_alone, &schema);
            assert!(matches!(&*lost, [lost] if lost.expected == ids), "{lost:?}");
            assert!(lost_companions(&both, &both, &schema).is_empty());
            // What the server filled in is nothing that is missing.
            assert!(lost_companions(&link_alone, &both, &schema).is_empty());
            // Where the link is gone, too, the normal forms differ.
            assert!(lost_companions(&both, &item(&json!({})), &schema).is_empty());
        }
    }
}
