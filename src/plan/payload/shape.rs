//! What a body has to look like when it is sent: members that stay behind, forms that differ from reads.

use serde_json::{Map, Value, json};

use crate::domain::Kind;
use crate::plan::references::{as_id, is_bare};

type Object = Map<String, Value>;

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
/// Members of a template zone that point into the source and have no counterpart.
const ZONE_LEFT: [&str; 5] = [
    "sharedModules",
    "publishContentItemID",
    "moduleID",
    "contentTemplateID",
    "state",
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
        Kind::Template => template(body),
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
        Kind::Template => zone_ids(body, existing),
        Kind::Model
        | Kind::Container
        | Kind::Gallery
        | Kind::Asset
        | Kind::Content
        | Kind::Page
        | Kind::Redirection => {}
    }
}

fn leave(object: &mut Object, names: &[&str]) {
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

fn template(body: &mut Object) {
    leave(body, &["pageTemplateID"]);
    let zones = body
        .get_mut("contentSectionDefinitions")
        .and_then(Value::as_array_mut);
    for zone in zones.into_iter().flatten().filter_map(Value::as_object_mut) {
        leave(zone, &ZONE_LEFT);
    }
}

/// Zones are matched by reference name; without a counterpart they are new.
fn zone_ids(body: &mut Value, existing: Option<&Value>) {
    let known = |template: &Value| {
        template
            .get("contentSectionDefinitions")
            .and_then(Value::as_array)
            .cloned()
    };
    let known = existing.and_then(known).unwrap_or_default();
    let owner = existing
        .and_then(|template| as_id(template.get("pageTemplateID")?))
        .unwrap_or(-1);
    let zones = body
        .get_mut("contentSectionDefinitions")
        .and_then(Value::as_array_mut);
    for zone in zones.into_iter().flatten().filter_map(Value::as_object_mut) {
        let name = zone_name(zone.get("pageItemTemplateReferenceName"));
        let there = known
            .iter()
            .find(|zone| zone_name(zone.get("pageItemTemplateReferenceName")) == name);
        let id = there
            .and_then(|zone| as_id(zone.get("pageItemTemplateID")?))
            .unwrap_or(-1);
        zone.insert("pageItemTemplateID".to_owned(), id.into());
        zone.insert("pageTemplateID".to_owned(), owner.into());
        let modules = zone.get_mut("defaultModules").and_then(Value::as_array_mut);
        for module in modules
            .into_iter()
            .flatten()
            .filter_map(Value::as_object_mut)
        {
            module.insert("pageItemTemplateDefaultModuleID".to_owned(), (-1).into());
            module.insert("pageItemTemplateID".to_owned(), id.into());
        }
    }
}

fn zone_name(name: Option<&Value>) -> String {
    name.and_then(Value::as_str)
        .unwrap_or_default()
        .trim()
        .to_lowercase()
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
    if body.get("mediaGroupingID").and_then(as_id).is_none() {
        body.insert("mediaGroupingID".to_owned(), (-1).into());
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
