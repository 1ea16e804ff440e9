//! Tests what the server keeps of items: links in each form, their numbers in a list, and their ids.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::answers::{
    BatchTime, Ids, KeptForms, LinkAlone, LinkWithValue, ListOrder, Observed, PickedItems,
    TimeOfMany, TimeOfOne,
};
use super::names::Names;
use super::stage::{Followed, Stage, Unanswered};
use crate::domain::{Id as _, Kind, TargetId};
use crate::instance::Target;
use crate::plan::{Link, as_id, member};

/// Items of the large batch.
pub(super) const MANY: usize = 20;

/// The numbers that the first items are sent with.
const NUMBERS: [i64; 3] = [30, 10, 20];

/// What was made and seen.
pub(super) struct Content {
    /// The item that others link to, which was a batch of its own.
    pub(super) first: TargetId,
    pub(super) first_batch: Followed,
    /// The items of the large batch, in its order; of one that was refused, why.
    pub(super) many: Vec<Result<TargetId, String>>,
    many_batch: Followed,
    /// Items as they were read back.
    read: HashMap<TargetId, Value>,
    names: Names,
}

/// The places of items in the large batch, by what they ask.
#[derive(Clone, Copy)]
enum At {
    AloneScalar = 3,
    AloneObject = 4,
    ValueScalar = 5,
    ValueObject = 6,
    ValueName = 7,
    Picked = 8,
}

impl Content {
    /// Makes model, container and items, and reads the items back.
    pub(super) async fn make<T: Target>(stage: &mut Stage<'_, T>) -> Result<Self, Unanswered> {
        let name = stage.names.name().to_owned();
        // It refers to itself, which the server takes only once its name is known.
        let model = stage.save(Kind::Model, None, model(&name, &[])).await?;
        stage.made.model = Some(model);
        let container = stage
            .save(Kind::Container, None, container(&name, model))
            .await?;
        stage.made.container = Some(container);
        let fields = self::fields(&name);
        stage
            .save(Kind::Model, Some(model), self::model(&name, &fields))
            .await?;
        let alone = vec![(None, item(&name, 0, &json!({ "title": "first" })))];
        let submitted = stage.submit(alone).await?;
        let (ids, first_batch) = stage.new_items(submitted).await?;
        let first = match ids.into_iter().next() {
            Some(Ok(first)) => first,
            Some(Err(why)) => {
                return Err(Unanswered::Because(format!(
                    "the first item was refused: {why}"
                )));
            }
            None => {
                return Err(Unanswered::Because(
                    "the first item has no result".to_owned(),
                ));
            }
        };
        let items = many(&name, first).into_iter().map(|body| (None, body));
        let submitted = stage.submit(items.collect()).await?;
        let (many, many_batch) = stage.new_items(submitted).await?;
        let there: Vec<TargetId> = many.iter().flatten().copied().collect();
        let read = stage.items(&there).await?;
        Ok(Self {
            first,
            first_batch,
            many,
            many_batch,
            read,
            names: stage.names.clone(),
        })
    }

    /// A field of an item of the large batch as it was read back; `Err` where the item was refused or is not there.
    fn field(&self, at: usize, name: &str) -> Result<&Value, String> {
        let id = match self.many.get(at) {
            Some(Ok(id)) => id,
            Some(Err(why)) => return Err(format!("refused: {why}")),
            None => return Err("no result".to_owned()),
        };
        let body = self.read.get(id).ok_or("not there")?;
        let fields = body.get("fields").unwrap_or(&Value::Null);
        Ok(member(fields, name).unwrap_or(&Value::Null))
    }

    /// Whether a field selects the first item.
    fn selects(&self, at: usize, name: &str) -> (bool, String) {
        match self.field(at, name) {
            Ok(value) => (selected(value) == Some(self.first.raw()), value.to_string()),
            Err(why) => (false, why),
        }
    }

    /// Whether the value field selects it, and the field itself does as `is_kept` says of what was read back.
    fn selects_by_value(&self, at: usize, is_kept: impl Fn(&Value) -> bool) -> (bool, String) {
        let (by_value, value) = self.selects(at, "withValueID");
        match self.field(at, "withValue") {
            Ok(main) => (by_value && is_kept(main), format!("{main} and {value}")),
            Err(why) => (false, why),
        }
    }

    pub(super) fn alone(&self) -> Observed<LinkAlone> {
        let (scalar, of_scalar) = self.selects(At::AloneScalar as usize, "alone");
        let (object, of_object) = self.selects(At::AloneObject as usize, "alone");
        Observed {
            seen: format!("read back: text {of_scalar}, object {of_object}"),
            answer: Ok(LinkAlone(KeptForms {
                scalar,
                object,
                list_name: false,
            })),
        }
    }

    pub(super) fn with_value(&self) -> Observed<LinkWithValue> {
        let is_selected = |main: &Value| selected(main) == Some(self.first.raw());
        let is_list = |main: &Value| main.as_str().is_some_and(|text| self.names.is(text));
        let (scalar, of_scalar) = self.selects_by_value(At::ValueScalar as usize, is_selected);
        let (object, of_object) = self.selects_by_value(At::ValueObject as usize, is_selected);
        let (list_name, of_name) = self.selects_by_value(At::ValueName as usize, is_list);
        Observed {
            seen: format!("read back: text {of_scalar}; object {of_object}; name {of_name}"),
            answer: Ok(LinkWithValue(KeptForms {
                scalar,
                object,
                list_name,
            })),
        }
    }

    pub(super) fn picked(&self) -> Observed<PickedItems> {
        let wanted = self.first.raw().to_string();
        let (is_kept, seen) = match self.field(At::Picked as usize, "picked") {
            Ok(value) => {
                let ids = member(value, "sortids").and_then(Value::as_str);
                (ids == Some(&*wanted), value.to_string())
            }
            Err(why) => (false, why),
        };
        Observed {
            seen: format!("read back: {seen}"),
            answer: Ok(if is_kept {
                PickedItems::Kept
            } else {
                PickedItems::Lost
            }),
        }
    }

    pub(super) fn order(&self) -> Observed<ListOrder> {
        let number = |at: usize| {
            let id = self.many.get(at)?.as_ref().ok()?;
            let properties = self.read.get(id)?.get("properties")?;
            member(properties, "itemOrder").and_then(Value::as_i64)
        };
        let numbers: Option<Vec<i64>> = (0..NUMBERS.len()).map(number).collect();
        let Some(numbers) = numbers else {
            return Observed::nothing("the items have no numbers when they are read back");
        };
        Observed {
            seen: format!("read back with the numbers {numbers:?}"),
            answer: Ok(order(&numbers)),
        }
    }

    pub(super) fn ids(&self) -> Observed<Ids> {
        let later = self.many.iter().flatten();
        let ids: Vec<i64> = std::iter::once(&self.first)
            .chain(later)
            .map(|id| id.raw())
            .collect();
        let (first, last) = (ids[0], ids[ids.len() - 1]);
        Observed {
            seen: format!("{} ids, from {first} to {last}", ids.len()),
            answer: Ok(if ids.is_sorted_by(|one, next| one < next) {
                Ids::Rise
            } else {
                Ids::Mixed
            }),
        }
    }

    pub(super) fn time_of_one(&self) -> Observed<TimeOfOne> {
        Observed {
            seen: between(&self.first_batch),
            answer: Ok(TimeOfOne(BatchTime(self.first_batch.most))),
        }
    }

    pub(super) fn time_of_many(&self) -> Observed<TimeOfMany> {
        Observed {
            seen: between(&self.many_batch),
            answer: Ok(TimeOfMany(BatchTime(self.many_batch.most))),
        }
    }
}

/// What the server made of the numbers of three items.
fn order(numbers: &[i64]) -> ListOrder {
    let ranks = |numbers: &[i64]| {
        let mut ranks: Vec<usize> = (0..numbers.len()).collect();
        ranks.sort_by_key(|at| numbers[*at]);
        ranks
    };
    if numbers == NUMBERS {
        ListOrder::Kept
    } else if ranks(numbers) == ranks(&NUMBERS) {
        ListOrder::Renumbered
    } else {
        ListOrder::Ignored
    }
}

/// Between which moments a batch was done, in words.
pub(super) fn between(batch: &Followed) -> String {
    let (least, most) = (batch.least.as_millis(), batch.most.as_millis());
    format!("at work after {least} ms, done after {most} ms")
}

/// The one item that a value selects, as object or as text.
fn selected(value: &Value) -> Option<i64> {
    Link::of(value).map_or_else(|| as_id(value), |link| link.id)
}

fn model(name: &str, fields: &[Value]) -> Value {
    json!({
        "displayName": name, "referenceName": name, "contentDefinitionTypeID": 1,
        "description": "Made by `lockgate probe`, which deletes it.", "allowTagging": false, "fields": fields
    })
}

/// Fields of which each links in another way; all lead to the list of the probe.
fn fields(name: &str) -> Vec<Value> {
    let field = |order: usize, (field, kind): (&str, &str), more: Value| {
        json!({
            "name": field, "label": field, "type": kind, "settings": more, "itemOrder": order, "designerOnly": false,
            "isDataField": true, "editable": true, "hiddenField": false
        })
    };
    let link = |render_as: &str, more: Value| {
        let mut settings = json!({
            "ContentDefinition": name, "ContentView": name, "SharedContent": name, "RenderAs": render_as,
            "LinkedContentNestedTypeID": "0"
        });
        if let (Some(settings), Value::Object(more)) = (settings.as_object_mut(), more) {
            settings.extend(more);
        }
        settings
    };
    let companions = json!({
        "LinkeContentDropdownValueField": "WithValueID", "LinkeContentDropdownTextField": "WithValueText"
    });
    vec![
        field(0, ("Title", "Text"), json!({})),
        field(1, ("Alone", "Content"), link("dropdown", json!({}))),
        field(2, ("WithValue", "Content"), link("dropdown", companions)),
        field(3, ("WithValueID", "Text"), json!({})),
        field(4, ("WithValueText", "Text"), json!({})),
        field(5, ("Picked", "Content"), link("searchlistbox", json!({}))),
    ]
}

fn container(name: &str, model: TargetId) -> Value {
    json!({
        "referenceName": name, "contentViewName": name, "contentDefinitionID": model.raw(), "contentDefinitionName": name,
        "contentDefinitionType": 1, "contentDefinitionTypeID": 1, "isShared": true, "isDynamicPageList": false,
        "isListItem": false
    })
}

fn item(name: &str, number: i64, fields: &Value) -> Value {
    json!({
        "properties": { "referenceName": name, "definitionName": name, "itemOrder": number },
        "fields": fields, "seo": null, "scripts": null
    })
}

/// An item with a title, to be saved once more.
pub(super) fn plain(name: &str, at: usize) -> Value {
    item(name, number(at), &json!({ "title": format!("item {at}") }))
}

fn number(at: usize) -> i64 {
    let later = i64::try_from(at).unwrap_or(i64::MAX / 100) * 10 + 100;
    NUMBERS.get(at).copied().unwrap_or(later)
}

/// The bodies of the large batch.
fn many(name: &str, first: TargetId) -> Vec<Value> {
    let id = first.raw();
    let (text, object) = (
        id.to_string(),
        json!({ "contentid": id, "fulllist": false }),
    );
    let with_value =
        |main: Value| json!({ "withValue": main, "withValueID": text, "withValueText": "first" });
    let asked = |at: usize| {
        let of = |one: At| one as usize == at;
        if of(At::AloneScalar) {
            json!({ "alone": text })
        } else if of(At::AloneObject) {
            json!({ "alone": object })
        } else if of(At::ValueScalar) {
            with_value(json!(text))
        } else if of(At::ValueObject) {
            with_value(object.clone())
        } else if of(At::ValueName) {
            with_value(json!(name))
        } else if of(At::Picked) {
            json!({ "picked": { "referencename": name, "sortids": text, "fulllist": false } })
        } else {
            json!({})
        }
    };
    let body = |at: usize| {
        let mut fields = asked(at);
        fields["title"] = format!("item {at}").into();
        item(name, number(at), &fields)
    };
    (0..MANY).map(body).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_list_are_kept_or_renumbered_or_have_no_effect() {
        assert_eq!(order(&[30, 10, 20]), ListOrder::Kept);
        assert_eq!(order(&[3, 1, 2]), ListOrder::Renumbered);
        assert_eq!(order(&[1, 2, 3]), ListOrder::Ignored);
    }

    #[test]
    fn a_selection_is_found_in_each_form() {
        assert_eq!(
            selected(&json!({ "contentid": 7, "fulllist": false })),
            Some(7)
        );
        assert_eq!(selected(&json!("7")), Some(7));
        assert_eq!(selected(&json!("people")), None);
        assert_eq!(selected(&Value::Null), None);
    }

    #[test]
    fn each_question_has_its_item() {
        let items = many("list", TargetId::new(7));
        assert_eq!(items.len(), MANY);
        let field = |at: At, name: &str| items[at as usize]["fields"][name].clone();
        assert_eq!(field(At::AloneScalar, "alone"), json!("7"));
        assert_eq!(field(At::AloneObject, "alone")["contentid"], json!(7));
        assert_eq!(field(At::ValueScalar, "withValue"), json!("7"));
        assert_eq!(field(At::ValueObject, "withValue")["contentid"], json!(7));
        assert_eq!(field(At::ValueName, "withValue"), json!("list"));
        assert_eq!(field(At::ValueName, "withValueID"), json!("7"));
        assert_eq!(field(At::Picked, "picked")["sortids"], json!("7"));
        assert_eq!(items[1]["properties"]["itemOrder"], json!(10));
    }
}
