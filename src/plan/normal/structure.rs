//! Models, containers, templates, galleries, assets and redirections.

use serde_json::Value;

use super::value::{Object, any, identified, kept, named, put, reference};
use crate::plan::Schema;
use crate::plan::references::as_id;
use crate::plan::schema::{field_key, is_private_container, name_key};

fn rows<'a>(body: &'a Object, name: &str) -> impl Iterator<Item = &'a Object> {
    body.get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
}

/// Rows in the order that their own member states, else as they stand.
fn ordered<'a>(body: &'a Object, name: &str, order: &str) -> Vec<&'a Object> {
    let mut rows: Vec<_> = rows(body, name).collect();
    rows.sort_by_key(|row| row.get(order).and_then(Value::as_i64).unwrap_or(i64::MAX));
    rows
}

fn lower(value: Option<&Value>) -> Option<Value> {
    let text = value?.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_lowercase().into())
}

/// A name as it is compared.
fn keyed(value: Option<&Value>) -> Option<Value> {
    let key = name_key(value?.as_str()?);
    (!key.is_empty()).then(|| Value::String(key.into()))
}

pub(super) fn model(body: &Object, schema: &Schema) -> Object {
    let mut out = kept(
        body,
        &[
            "displayName",
            "description",
            "allowTagging",
            "contentDefinitionTypeID",
        ],
    );
    put(&mut out, "referencename", keyed(body.get("referenceName")));
    let mut fields = Object::new();
    for (position, row) in ordered(body, "fields", "itemOrder").into_iter().enumerate() {
        let mut field = model_field(row, schema);
        field.insert("position".to_owned(), position.to_string().into());
        let name = row.get("name").and_then(Value::as_str).unwrap_or_default();
        fields.insert(field_key(name).into_owned(), Value::Object(field));
    }
    put(
        &mut out,
        "fields",
        (!fields.is_empty()).then_some(Value::Object(fields)),
    );
    out
}

fn model_field(row: &Object, schema: &Schema) -> Object {
    let mut out = kept(
        row,
        &[
            "label",
            "labelHelpDescription",
            "description",
            "designerOnly",
            "isDataField",
            "editable",
            "hiddenField",
        ],
    );
    put(&mut out, "type", lower(row.get("type")));
    let mut settings = Object::new();
    for (name, value) in row
        .get("settings")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        put(
            &mut settings,
            &name.to_lowercase(),
            setting(name, value, schema),
        );
    }
    put(
        &mut out,
        "settings",
        (!settings.is_empty()).then_some(Value::Object(settings)),
    );
    out
}

/// The server may store a model's id where its name was sent.
fn setting(name: &str, value: &Value, schema: &Schema) -> Option<Value> {
    let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
    let text = value.as_str().unwrap_or_default().trim();
    if is("ContentDefinition") {
        let by_id = as_id(value).and_then(|id| schema.model_by_id(id));
        return by_id.map_or_else(
            || named("@model", Some(value)),
            |model| Some(reference("@model", &*name_key(&model.name))),
        );
    }
    if (is("ContentView") || is("SharedContent")) && !is_private_container(text) {
        return named("@container", Some(value));
    }
    let is_flag = text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false");
    if is_flag {
        lower(Some(value))
    } else {
        any(value)
    }
}

/// What a save keeps; how often a container is used and shown elsewhere is the server's.
pub(super) fn container(body: &Object) -> Object {
    let mut out = kept(
        body,
        &[
            "contentViewName",
            "title",
            "contentDefinitionTypeID",
            "schemaTitle",
            "contentTemplateName",
            "commentsRecordTypeName",
            "isShared",
            "isListItem",
            "requiresApproval",
            "disablePublishFromList",
            "confirmSharingOnPublish",
            "defaultPage",
            "defaultListingPage",
            "defaultDetailsPage",
            "defaultDetailsPageQueryString",
            "defaultSortColumn",
            "defaultSortDirection",
            "numRowsInListing",
            "allowClientSideSave",
            "enableRSSOutput",
            "enableAPIOutput",
        ],
    );
    put(&mut out, "referencename", keyed(body.get("referenceName")));
    put(
        &mut out,
        "contentdefinitionid",
        identified("@model", body.get("contentDefinitionID")),
    );
    let names = ["fieldName", "label", "isDefaultSort", "sortDirection"];
    let columns = ordered(body, "columns", "sortOrder");
    let columns: Vec<_> = columns
        .into_iter()
        .map(|row| Value::Object(kept(row, &names)))
        .collect();
    put(
        &mut out,
        "columns",
        (!columns.is_empty()).then_some(Value::Array(columns)),
    );
    out
}

/// What makes a template the one that pages hang on: its name and its zones.
pub(super) fn template(body: &Object) -> Object {
    let mut out = kept(body, &["pageTemplateName"]);
    let zones = ordered(body, "contentSectionDefinitions", "itemOrder");
    let zones: Vec<_> = zones
        .into_iter()
        .map(|row| Value::Object(zone(row)))
        .collect();
    put(
        &mut out,
        "zones",
        (!zones.is_empty()).then_some(Value::Array(zones)),
    );
    out
}

fn zone(row: &Object) -> Object {
    let mut out = kept(row, &["pageItemTemplateName"]);
    put(
        &mut out,
        "referencename",
        keyed(row.get("pageItemTemplateReferenceName")),
    );
    put(
        &mut out,
        "type",
        row.get("pageItemTemplateType")
            .filter(|kind| kind.as_i64() != Some(0))
            .and_then(any),
    );
    put(
        &mut out,
        "contentdefinitionid",
        identified("@model", row.get("contentDefinitionID")),
    );
    for name in ["contentViewID", "itemContainerID"] {
        put(
            &mut out,
            &name.to_lowercase(),
            identified("@container", row.get(name)),
        );
    }
    let modules: Vec<_> = rows(row, "defaultModules")
        .map(|module| Value::Object(default_module(module)))
        .collect();
    put(
        &mut out,
        "defaultmodules",
        (!modules.is_empty()).then_some(Value::Array(modules)),
    );
    out
}

fn default_module(row: &Object) -> Object {
    let mut out = kept(row, &["title", "autoCreate"]);
    put(
        &mut out,
        "contentdefinitionid",
        identified("@model", row.get("contentDefinitionID")),
    );
    out
}

/// Metadata of galleries is read-only in the vendor's API description.
pub(super) fn gallery(body: &Object) -> Object {
    let mut out = kept(body, &["name", "description", "isFolder"]);
    let grouping_type = body.get("groupingTypeID").and_then(as_id).unwrap_or(1);
    out.insert(
        "groupingtypeid".to_owned(),
        grouping_type.to_string().into(),
    );
    out
}

pub(super) fn asset(body: &Object) -> Object {
    let mut out = kept(body, &["originKey", "size"]);
    put(
        &mut out,
        "gallery",
        identified("@gallery", body.get("mediaGroupingID")),
    );
    out
}

/// Compared as the official CLI does: texts trimmed, the origin without regard to case, 301 by default.
pub(super) fn redirection(body: &Object) -> Object {
    let text = |name: &str| {
        body.get(name)
            .and_then(Value::as_str)
            .map(str::trim)
            .filter(|text| !text.is_empty())
    };
    let mut out = kept(body, &["content"]);
    put(&mut out, "originurl", keyed(body.get("originUrl")));
    put(
        &mut out,
        "destinationurl",
        text("destinationUrl").map(|url| reference("@url", super::value::url(url).into_owned())),
    );
    put(
        &mut out,
        "destinationlocale",
        lower(body.get("destinationLocale")),
    );
    let code = body.get("httpCode").and_then(as_id).unwrap_or(301);
    out.insert("httpcode".to_owned(), code.to_string().into());
    let locales = body
        .get("originLocales")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let locales: Vec<_> = locales.filter_map(|locale| lower(Some(locale))).collect();
    put(
        &mut out,
        "originlocales",
        (!locales.is_empty()).then_some(Value::Array(locales)),
    );
    out
}
