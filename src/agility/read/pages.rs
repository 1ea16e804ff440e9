//! Pages: the sync feed and single reads.

use serde_json::{Map, Value};

use crate::domain::{Body, Entity, Id, ItemState, Key, Kind, Locale};
use crate::instance::{ReadRequest, ReadResponse, Record};

use super::super::page::Page;
use super::super::shape::{self, ShapeError};
use super::{content, passed};

const PAGE_MEMBERS: [&str; 22] = [
    "pageID",
    "name",
    "path",
    "title",
    "menuText",
    "pageType",
    "templateName",
    "redirectUrl",
    "redirect",
    "securePage",
    "excludeFromOutputCache",
    "visible",
    "seo",
    "scripts",
    "dynamic",
    "properties",
    "zones",
    "parentPageID",
    "placeBeforePageItemID",
    "channelID",
    "releaseDate",
    "pullDate",
];

const DYNAMIC_MEMBERS: [&str; 7] = [
    "referenceName",
    "fieldName",
    "titleFormula",
    "menuTextFormula",
    "pageNameFormula",
    "visibleOnMenu",
    "visibleOnSitemap",
];

const PROPERTIES: [&str; 3] = ["state", "modified", "versionID"];

const MODULE_MEMBERS: [&str; 3] = ["module", "item", "title"];

/// How a zone item says which content it shows.
const CONTENT_ID: &str = "contentid";

/// `GET {locale}/sync/pages`: `{ syncToken, items }`.
pub(super) fn feed<I: Id>(
    locale: &Locale,
    token: i64,
    rows: &Page<'_>,
) -> Result<ReadResponse<I>, ShapeError> {
    let next = content::next_token(&rows.rest, token);
    Ok(ReadResponse {
        found: rows.each(|row| page(locale, row))?,
        follow_ups: next
            .map(|token| ReadRequest::Pages {
                locale: locale.clone(),
                token,
            })
            .into_iter()
            .collect(),
    })
}

/// One page. A deleted one comes in state [`ItemState::Deleted`]; the nodes that a dynamic page has for its
/// items (`dynamic_node`) are passed over, as they are made by the server.
pub(super) fn page<I: Id>(locale: &Locale, mut row: Value) -> Result<Record<I>, ShapeError> {
    let map = shape::object(&mut row)?;
    shape::rename_members(map, &PAGE_MEMBERS);
    for (member, names) in [
        ("properties", &PROPERTIES[..]),
        ("dynamic", &DYNAMIC_MEMBERS[..]),
    ] {
        if let Some(Value::Object(inner)) = map.get_mut(member) {
            shape::rename_members(inner, names);
        }
    }
    if let Some(Value::Object(zones)) = map.get_mut("zones") {
        zones.values_mut().for_each(uniform_zone);
    }
    take_redirect(map);
    let id = shape::own_id(&row, "pageID")?;
    let (version, state) = content::version_and_state(&row);
    let name = shape::text(&row, "path").or_else(|| shape::text(&row, "name"));
    let is_node = shape::text(&row, "pageType") == Some("dynamic_node");
    if is_node && state != ItemState::Deleted {
        return Ok(passed(Kind::Page, id, name));
    }
    if name.is_none() && state != ItemState::Deleted {
        return Err(shape::wanted(&row, "path", "a path or a name"));
    }
    Ok(Record::Entity(Entity {
        key: Key::localised(Kind::Page, id, locale),
        name: name
            .map_or_else(|| format!("page #{id}"), str::to_owned)
            .into(),
        version,
        state,
        placement: None,
        body: Body::of_answer(&row),
    }))
}

/// Sets `redirectUrl` of a link page from `redirect.url`, the other place where it may stand.
fn take_redirect(page: &mut Map<String, Value>) {
    let told = page
        .get("redirectUrl")
        .and_then(Value::as_str)
        .is_some_and(|url| !url.trim().is_empty());
    let other = page
        .get("redirect")
        .and_then(|redirect| shape::text(redirect, "url"));
    if let (false, Some(url)) = (told, other) {
        let url = Value::from(url);
        page.insert("redirectUrl".to_owned(), url);
    }
}

fn uniform_zone(zone: &mut Value) {
    let modules = zone.as_array_mut().into_iter().flatten();
    for module in modules.filter_map(Value::as_object_mut) {
        shape::rename_members(module, &MODULE_MEMBERS);
        if let Some(Value::Object(item)) = module.get_mut("item") {
            uniform_item(item);
        }
    }
}

/// Puts the content id under `contentid` as a number and drops its other spellings. The Fetch API, the
/// Management API and expanded reads each spell it differently.
fn uniform_item(item: &mut Map<String, Value>) {
    let ids = |key: &str| key.eq_ignore_ascii_case(CONTENT_ID);
    let id = item
        .iter()
        .filter(|(key, _)| ids(key))
        .find_map(|(_, value)| shape::as_int(value));
    let Some(id) = id else { return };
    let rest = std::mem::take(item);
    item.insert(CONTENT_ID.to_owned(), Value::from(id));
    item.extend(rest.into_iter().filter(|(key, _)| !ids(key)));
}
