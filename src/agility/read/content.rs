//! Content items: the sync feed and single reads.

use std::time::Duration;

use serde_json::Value;

use crate::domain::{Body, Entity, Id, ItemState, Key, Kind, Locale, Version};
use crate::instance::{Answer, Ask, Cause, Found};

use super::super::shape::{self, Misshapen};
use super::passed;

/// How a feed that is being rebuilt counts: as a server that is not ready. The vendor's client asks again
/// after a second.
pub(super) const BUSY: Cause = Cause::ServerFailed {
    status: 503,
    retry_after: Some(Duration::from_secs(1)),
};

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

/// `GET {locale}/sync/items`: `{ syncToken, items }`.
pub(super) fn feed<I: Id>(
    locale: &Locale,
    token: i64,
    mut value: Value,
) -> Result<Answer<I>, Misshapen> {
    let next = next_token(&value, token);
    let rows = shape::member_rows(&mut value, "items")?.into_iter();
    Ok(Answer {
        found: rows
            .map(|row| item(locale, row))
            .collect::<Result<_, _>>()?,
        follow_ups: next
            .map(|token| Ask::Items {
                locale: locale.clone(),
                token,
            })
            .into_iter()
            .collect(),
    })
}

/// Where the feed goes on: a token that has grown. At the end the server repeats it, or says 0 or nothing.
pub(super) fn next_token(value: &Value, current: i64) -> Option<i64> {
    shape::int(value, "syncToken").filter(|next| *next > current)
}

/// One item. A deleted one comes as an entity in state [`ItemState::Deleted`], so that it ends an earlier
/// row of the feed; one that names no container or model is passed over, as nothing can be done with it.
pub(super) fn item<I: Id>(locale: &Locale, mut row: Value) -> Result<Found<I>, Misshapen> {
    let map = shape::object(&mut row)?;
    shape::rename_members(map, &ITEM_MEMBERS);
    if let Some(Value::Object(properties)) = map.get_mut("properties") {
        shape::rename_members(properties, &PROPERTIES);
    }
    let id = shape::id(&row, "contentID")?;
    let (version, state) = version_and_state(&row);
    let properties = row.get("properties").unwrap_or(&Value::Null);
    let container = shape::text(properties, "referenceName");
    let storable = container.is_some() && shape::text(properties, "definitionName").is_some();
    if !storable && state != ItemState::Deleted {
        return Ok(passed(Kind::Content, id, container));
    }
    let name = item_name(&row, container, id);
    Ok(Found::Entity(Entity {
        key: Key::localised(Kind::Content, id, locale),
        name: name.into(),
        version,
        state,
        placement: None,
        body: Body::new(&row),
    }))
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

/// The ids of the items of a container, from a `ContentList`. Rows carry `contentID`; some servers wrap them in
/// a further array and call the id `itemContainerID` (seen by third parties). The locale stands in for
/// the name of a row, which such rows do not have.
pub(super) fn listed<I: Id>(
    locale: &Locale,
    container: &str,
    offset: usize,
    mut value: Value,
) -> Result<Answer<I>, Misshapen> {
    let total = shape::int(&value, "totalCount").and_then(|total| usize::try_from(total).ok());
    let mut rows = shape::member_rows(&mut value, "items")?;
    if let [Value::Array(inner)] = rows.as_mut_slice() {
        rows = std::mem::take(inner);
    }
    let mut answer = Answer::default();
    for row in &rows {
        let id = shape::int(row, "contentID").or_else(|| shape::int(row, "itemContainerID"));
        let id =
            id.ok_or_else(|| Misshapen("a row of a content list has no contentID".to_owned()))?;
        let kind = Kind::Content;
        answer.found.push(Found::Passed {
            kind,
            id,
            name: locale.as_str().into(),
        });
    }
    let next = offset + rows.len();
    if !rows.is_empty() && total.is_some_and(|total| next < total) {
        let (locale, container) = (locale.clone(), container.into());
        answer.follow_ups.push(Ask::ContainerItems {
            locale,
            container,
            offset: next,
        });
    }
    Ok(answer)
}
