//! Content items: the sync feed and single reads.

use serde_json::Value;

use crate::domain::{Body, Entity, Id, ItemState, Key, Kind, Locale, Version};
use crate::instance::{ReadRequest, ReadResponse, Record};

use super::super::page::Page;
use super::super::shape::{self, ShapeError};
use super::passed;

const ITEM_MEMBERS: [&str; 5] = ["contentID", "properties", "fields", "seo", "scripts"];

const PROPERTIES: [&str; 9] = [
    "state",
    "modified",
    "modifiedBy",
    "versionID",
    "referenceName",
    "definitionName",
    "itemOrder",
    "releaseDate",
    "pullDate",
];

/// Fields that usually hold what a person calls an item, best first.
const NAME_FIELDS: [&str; 8] = [
    "title", "name", "heading", "headline", "label", "question", "subject", "text",
];

/// The longest name of an item, in characters.
const NAME_MAX: usize = 80;

/// `GET {locale}/sync/items`: `{ syncToken, items }`. `next` is the question with which the feed goes on.
pub(super) fn feed<I: Id>(
    (locale, token): (&Locale, i64),
    page: &Page<'_>,
    next: impl Fn(Locale, i64) -> ReadRequest,
) -> Result<ReadResponse<I>, ShapeError> {
    let goes_on = next_token(&page.rest, token);
    Ok(ReadResponse {
        found: page.each(|row| item(locale, row))?,
        follow_ups: goes_on
            .map(|token| next(locale.clone(), token))
            .into_iter()
            .collect(),
    })
}

/// `POST {locale}/list/{container}`: `{ totalCount, items }`. Only ids are taken, with the locale in place of a
/// name. Rows come in two shapes: flat with `contentID`, and lists of rows whose `itemContainerID` is
/// the content id while `contentItemID` names a version.
pub(super) fn list<I>(
    locale: &Locale,
    container: &str,
    offset: usize,
    page: &Page<'_>,
) -> Result<ReadResponse<I>, ShapeError> {
    let id = |row: &Value| {
        let id = shape::int(row, "itemContainerID").filter(|id| *id > 0);
        let id = id.map_or_else(|| shape::own_id(row, "contentID"), Ok)?;
        Ok(passed(Kind::Content, id, Some(locale.as_str())))
    };
    let found = page.each(|row| match &row {
        Value::Array(inner) => inner.iter().map(id).collect(),
        row => Ok(vec![id(row)?]),
    })?;
    let found: Vec<Record<I>> = found.into_iter().flatten().collect();
    let total = shape::int(&page.rest, "totalCount");
    let total = total.and_then(|total| usize::try_from(total).ok());
    let total = total.ok_or_else(|| ShapeError("the answer has no totalCount".to_owned()))?;
    let next = |offset| ReadRequest::ContainerItems {
        locale: locale.clone(),
        container: container.into(),
        offset,
    };
    let follow_ups = if offset == 0 && !found.is_empty() {
        (found.len()..total)
            .step_by(found.len())
            .map(next)
            .collect()
    } else {
        Vec::new()
    };
    Ok(ReadResponse { found, follow_ups })
}

/// Where the feed continues: a token that has grown. At the end the server repeats it, or says 0 or nothing.
pub(super) fn next_token(value: &Value, current: i64) -> Option<i64> {
    shape::int(value, "syncToken").filter(|next| *next > current)
}

/// One item. A deleted one comes as an entity in state [`ItemState::Deleted`], so that it ends an earlier
/// row of the feed, and need not name a container and a model; any other that names none cannot be used.
pub(super) fn item<I: Id>(locale: &Locale, mut row: Value) -> Result<Record<I>, ShapeError> {
    let map = shape::object(&mut row)?;
    shape::rename_members(map, &ITEM_MEMBERS);
    if let Some(Value::Object(properties)) = map.get_mut("properties") {
        shape::rename_members(properties, &PROPERTIES);
    }
    let id = shape::own_id(&row, "contentID")?;
    let (version, state) = version_and_state(&row);
    let properties = row.get("properties").unwrap_or(&Value::Null);
    let container = shape::text(properties, "referenceName");
    if state != ItemState::Deleted {
        usable(&row, properties).map_err(|odd| ShapeError(format!("{} (content {id})", odd.0)))?;
    }
    let name = item_name(&row, container, id);
    Ok(Record::Entity(Entity {
        key: Key::localised(Kind::Content, id, locale),
        name: name.into(),
        version,
        state,
        placement: None,
        body: Body::of_answer(&row),
    }))
}

/// Whether an item says in which container it is and of which model.
fn usable(row: &Value, properties: &Value) -> Result<(), ShapeError> {
    if !properties.is_object() {
        return Err(shape::wanted(row, "properties", "an object"));
    }
    for name in ["referenceName", "definitionName"] {
        shape::own_text(properties, name)
            .map_err(|odd| ShapeError(format!("properties.{}", odd.0)))?;
    }
    Ok(())
}

/// `properties.versionID` and `properties.state`.
pub(super) fn version_and_state(row: &Value) -> (Option<Version>, ItemState) {
    let properties = row.get("properties").unwrap_or(&Value::Null);
    let version = shape::int(properties, "versionID").filter(|version| *version > 0);
    let state = shape::int(properties, "state").map_or(ItemState::None, ItemState::from_wire);
    (version.map(Version), state)
}

fn item_name(row: &Value, container: Option<&str>, id: i64) -> String {
    let fields = row.get("fields").unwrap_or(&Value::Null);
    let told = NAME_FIELDS
        .iter()
        .filter_map(|name| shape::text(fields, name))
        .find(|text| !text.trim_start().starts_with('<'));
    match told {
        Some(text) => {
            let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
            line.chars().take(NAME_MAX).collect()
        }
        None => format!("{} #{id}", container.unwrap_or("content")),
    }
}
