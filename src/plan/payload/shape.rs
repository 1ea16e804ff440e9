//! The form of a body that is sent: members that are left out, forms that differ from reads.

use serde_json::{Map, Value, json};

use super::template;
use crate::domain::{Kind, same_name};
use crate::plan::Schema;
use crate::plan::references::{as_id, hidden_zones, is_bare};

pub(super) type Object = Map<String, Value>;

/// Server-made members of a model (`Model` in the vendor's API description).
const MODEL_LEFT: [&str; 5] = [
    "id",
    "lastModifiedDate",
    "lastModifiedBy",
    "lastModifiedAuthorID",
    "lastModifiedOn",
];
/// Members of a container that say who may do what on the source, and what the server computes. Categories are
/// folders of the source's content tree.
const CONTAINER_LEFT: [&str; 18] = [
    "contentViewID",
    "contentViewCategoryID",
    "contentViewCategoryReferenceName",
    "contentViewCategoryName",
    "lastModifiedDate",
    "lastModifiedOn",
    "lastModifiedBy",
    "fullSyncModDate",
    "usageCount",
    "isPublished",
    "users",
    "teams",
    "currentUserCanDelete",
    "currentUserCanEdit",
    "currentUserCanDesign",
    "currentUserCanManage",
    "currentUserCanContribute",
    "currentUserCanPublish",
];
/// Members of a page that the save parameters or the server decide.
const PAGE_LEFT: [&str; 6] = [
    "pageID",
    "parentPageID",
    "placeBeforePageItemID",
    "channelID",
    "properties",
    "dynamicItemContentID",
];

/// Leaves out what stays behind and brings forms in order, before references are rewritten.
pub(super) fn prepare(kind: Kind, body: &mut Value) {
    let Value::Object(body) = body else { return };
    match kind {
        Kind::Model => model(body),
        Kind::Container => leave(body, &CONTAINER_LEFT),
        Kind::Template => template::prepare(body),
        Kind::Gallery => gallery(body),
        Kind::Asset => asset(body),
        Kind::Content => content(body),
        Kind::Page => page(body),
        Kind::Redirection => redirection(body),
    }
}

/// Brings in what the counterpart decides, after references are rewritten.
pub(super) fn address(kind: Kind, body: &mut Value, existing: Option<&Value>) {
    match kind {
        Kind::Template => template::zone_ids(body, existing),
        Kind::Asset => no_gallery(body),
        Kind::Model
        | Kind::Container
        | Kind::Gallery
        | Kind::Content
        | Kind::Page
        | Kind::Redirection => {}
    }
}

/// Leaves a name as the counterpart spells it where it is the same name: a template that pages hang on, and a path that the
/// bytes of an asset stand at, are not moved for the sake of their case.
pub(super) fn spell(kind: Kind, body: &mut Value, existing: Option<&Value>) {
    let member = match kind {
        Kind::Template => "pageTemplateName",
        Kind::Asset => "originKey",
        Kind::Model
        | Kind::Container
        | Kind::Gallery
        | Kind::Content
        | Kind::Page
        | Kind::Redirection => return,
    };
    let there = existing.and_then(|there| there.get(member)?.as_str());
    let here = body.get(member).and_then(Value::as_str);
    if let (Some(there), Some(here)) = (there, here)
        && same_name(there, here)
    {
        body[member] = there.into();
    }
}

pub(super) fn leave(object: &mut Object, names: &[&str]) {
    object.retain(|name, _| !names.iter().any(|left| left.eq_ignore_ascii_case(name)));
}

fn keep(object: &mut Object, names: &[&str]) {
    object.retain(|name, _| names.contains(&name.as_str()));
}

/// The field list goes out whole: what is missing from it is deleted with its data.
fn model(body: &mut Object) {
    leave(body, &MODEL_LEFT);
    let fields = body.entry("fields").or_insert_with(|| json!([]));
    if fields.is_null() {
        *fields = json!([]);
    }
    for field in fields
        .as_array_mut()
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
    {
        field.remove("fieldID");
    }
}

/// As the official CLI writes it.
fn gallery(body: &mut Object) {
    keep(
        body,
        &[
            "name",
            "description",
            "groupingTypeID",
            "isFolder",
            "metaData",
            "isDeleted",
        ],
    );
    for (name, default) in [
        ("groupingTypeID", json!(1)),
        ("metaData", json!({})),
        ("isDeleted", json!(false)),
    ] {
        let member = body.entry(name).or_insert(Value::Null);
        if member.is_null() {
            *member = default;
        }
    }
}

fn asset(body: &mut Object) {
    keep(
        body,
        &[
            "originKey",
            "fileName",
            "contentType",
            "size",
            "focalX",
            "focalY",
            "mediaGroupingID",
        ],
    );
}

/// Without a gallery, or with one that is left out.
fn no_gallery(body: &mut Value) {
    if let Value::Object(body) = body
        && body.get("mediaGroupingID").and_then(as_id).is_none()
    {
        body.insert("mediaGroupingID".to_owned(), (-1).into());
    }
}

/// The server refuses a page with a zone that its template does not have, and shows nothing of it anyway.
pub(super) fn leave_hidden_zones(kind: Kind, body: &mut Value, schema: &Schema) {
    let Value::Object(page) = body else { return };
    if kind != Kind::Page {
        return;
    }
    let hidden = hidden_zones(page, schema);
    if let Some(Value::Object(zones)) = page.get_mut("zones") {
        zones.retain(|zone, _| !hidden.iter().any(|(name, _)| name == zone));
    }
}

fn content(body: &mut Object) {
    keep(body, &["properties", "fields", "seo", "scripts"]);
    if let Some(Value::Object(properties)) = body.get_mut("properties") {
        keep(
            properties,
            &[
                "referenceName",
                "definitionName",
                "itemOrder",
                "releaseDate",
                "pullDate",
            ],
        );
    }
    defaults(
        body,
        "seo",
        json!({ "metaDescription": null, "metaKeywords": null, "metaHTML": null, "menuVisible": null, "sitemapVisible": null }),
    );
    defaults(body, "scripts", json!({ "top": null, "bottom": null }));
}

/// The official CLI sends an object of nulls where the source has nothing.
fn defaults(body: &mut Object, name: &str, default: Value) {
    let member = body.entry(name).or_insert(Value::Null);
    if member.is_null() {
        *member = default;
    }
}

fn page(body: &mut Object) {
    leave(body, &PAGE_LEFT);
    if is_bare(body.get("pageType")) {
        body.insert("templateName".to_owned(), Value::Null);
    }
    defaults(body, "path", json!(""));
    if blank(body.get("title"))
        && let Some(title) = ["menuText", "name"]
            .iter()
            .filter_map(|name| body.get(*name))
            .find(|text| !blank(Some(text)))
    {
        let title = title.clone();
        body.insert("title".to_owned(), title);
    }
    if blank(body.get("redirectUrl"))
        && let Some(url) = body
            .get("redirect")
            .and_then(|redirect| redirect.get("url"))
            .filter(|url| !blank(Some(url)))
    {
        let url = url.clone();
        body.insert("redirectUrl".to_owned(), url);
    }
    let zones = body.get_mut("zones").and_then(Value::as_object_mut);
    for modules in zones
        .into_iter()
        .flat_map(Map::values_mut)
        .filter_map(Value::as_array_mut)
    {
        modules
            .iter_mut()
            .filter_map(|module| module.get_mut("item"))
            .for_each(zone_item);
    }
}

/// One spelling of the id, and nothing of an expanded item.
fn zone_item(item: &mut Value) {
    let id = crate::plan::references::member(item, "contentid").and_then(as_id);
    if let (Some(id), Value::Object(object)) = (id, &mut *item) {
        leave(
            object,
            &["contentid", "properties", "fields", "seo", "scripts"],
        );
        object.insert("contentid".to_owned(), id.into());
    }
}

fn blank(value: Option<&Value>) -> bool {
    value.is_none_or(|value| {
        value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
    })
}

fn redirection(body: &mut Object) {
    keep(
        body,
        &[
            "originUrl",
            "destinationUrl",
            "httpCode",
            "destinationLocale",
            "originLocales",
            "content",
        ],
    );
    if body.get("httpCode").and_then(as_id).is_none() {
        body.insert("httpCode".to_owned(), 301.into());
    }
}
