//! Values that are lost with a field of a model: the server drops them from every item of the model.

use serde_json::Value;

use crate::domain::{Entity, Inventory, Kind, TargetId};
use crate::plan::schema::{field_key, name_key};

/// The items of `model` that lose a value when it is saved as `written`. Fields are compared as the server does,
/// without regard to case and spaces.
pub fn losing_values<'a>(
    target: &'a Inventory<TargetId>,
    model: &Entity<TargetId>,
    written: &Value,
) -> Vec<&'a Entity<TargetId>> {
    let kept = field_keys(written);
    let mut dropped = field_keys(&model.body.parse());
    dropped.retain(|key| !kept.contains(key));
    if dropped.is_empty() {
        return Vec::new();
    }
    let name = name_key(&model.name);
    let items = target.of_kind(Kind::Content).iter();
    items
        .filter(|item| loses(&item.body.parse(), &name, &dropped))
        .collect()
}

/// The name of the model of an item.
pub(super) fn model_of(item: &Entity<TargetId>) -> Option<Box<str>> {
    let body = item.body.parse();
    body["properties"]["definitionName"].as_str().map(name_key)
}

fn field_keys(model: &Value) -> Vec<String> {
    let fields = model["fields"].as_array().into_iter().flatten();
    let names = fields.filter_map(|field| field["name"].as_str());
    names.map(|name| field_key(name).into_owned()).collect()
}

fn loses(item: &Value, model: &str, dropped: &[String]) -> bool {
    let is_its = item["properties"]["definitionName"]
        .as_str()
        .is_some_and(|name| *name_key(name) == *model);
    let fields = item["fields"].as_object().filter(|_| is_its);
    fields.into_iter().flatten().any(|(key, value)| {
        let says_something = !value.is_null() && value.as_str() != Some("");
        says_something && dropped.iter().any(|dropped| *dropped == *field_key(key))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Body, Guid, Id, ItemState, Key, Locale};
    use serde_json::json;

    fn entity(kind: Kind, id: i64, name: &str, body: &Value) -> Entity<TargetId> {
        Entity {
            key: Key {
                kind,
                id: TargetId::new(id),
                locale: kind.is_localised().then(|| Locale::new("en-us")),
            },
            name: name.into(),
            version: None,
            state: ItemState::None,
            placement: None,
            body: Body::new(body),
        }
    }

    #[test]
    fn only_items_with_a_value_in_a_dropped_field_lose_something() {
        let item = |id, model: &str, fields: Value| {
            let body = json!({ "properties": { "definitionName": model }, "fields": fields });
            entity(Kind::Content, id, "item", &body)
        };
        let target = Inventory::empty(Guid::new("5e6f7a8b-u")).with_entities(vec![
            item(1, "post", json!({ "subTitle": "said" })),
            item(2, "Post", json!({ "subTitle": "", "title": "said" })),
            item(3, "Other", json!({ "subTitle": "said" })),
        ]);
        let fields = |names: &[&str]| json!({ "fields": names.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>() });
        let model = entity(Kind::Model, 9, "Post", &fields(&["Title", "Sub Title"]));
        let losing = |written| {
            let items = losing_values(&target, &model, &written);
            items
                .iter()
                .map(|item| item.key.id.raw())
                .collect::<Vec<_>>()
        };
        assert_eq!(losing(fields(&["title"])), [1]);
        assert_eq!(losing(fields(&["Title", "SubTitle", "More"])), [0; 0]);
    }
}
