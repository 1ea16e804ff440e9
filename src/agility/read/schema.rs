//! Models, containers and templates.

use serde_json::Value;

use crate::domain::{Id, Kind};
use crate::instance::{ReadRequest, ReadResponse, Record};

use super::super::shape::{self, ShapeError};
use super::{passed, plain};

/// Models that every instance has; they are referred to but never written ("Quirks and traps", 5).
const BUILT_IN_MODELS: [&str; 6] = [
    "richtextarea",
    "formbuilder",
    "agilityformbuilder",
    "agilitycss",
    "agilityjavascript",
    "agilitycodetemplate",
];

/// Containers that every instance has for its own purposes ("Quirks and traps", 6).
const BUILT_IN_CONTAINERS: [&str; 5] = [
    "agilitycssfiles",
    "agilityjavascriptfiles",
    "agilityglobalcodetemplates",
    "agilitymodulecodetemplates",
    "agilitypagecodetemplates",
];

/// The rich text model, whose id is the same in every instance.
const RICH_TEXT: (i64, &str) = (1, "RichTextArea");

const MODEL_MEMBERS: [&str; 8] = [
    "id",
    "lastModifiedDate",
    "displayName",
    "referenceName",
    "contentDefinitionTypeID",
    "description",
    "allowTagging",
    "fields",
];

const FIELD_MEMBERS: [&str; 12] = [
    "name",
    "label",
    "type",
    "settings",
    "labelHelpDescription",
    "description",
    "itemOrder",
    "designerOnly",
    "isDataField",
    "editable",
    "hiddenField",
    "fieldID",
];

const CONTAINER_MEMBERS: [&str; 14] = [
    "contentViewID",
    "referenceName",
    "contentViewName",
    "title",
    "contentDefinitionID",
    "contentDefinitionName",
    "contentDefinitionTypeID",
    "contentViewCategoryID",
    "contentViewCategoryReferenceName",
    "contentViewCategoryName",
    "isShared",
    "isDeleted",
    "lastModifiedDate",
    "columns",
];

const TEMPLATE_MEMBERS: [&str; 9] = [
    "pageTemplateID",
    "pageTemplateName",
    "digitalChannelTypeID",
    "digitalChannelTypeName",
    "relativeURL",
    "previewUrl",
    "doesPageTemplateHavePages",
    "isDeleted",
    "contentSectionDefinitions",
];

const ZONE_MEMBERS: [&str; 11] = [
    "pageItemTemplateID",
    "pageTemplateID",
    "pageItemTemplateName",
    "pageItemTemplateReferenceName",
    "pageItemTemplateType",
    "itemOrder",
    "contentViewID",
    "contentDefinitionID",
    "itemContainerID",
    "defaultModules",
    "sharedModules",
];

/// `GET model/list/…` and `model/list-page-modules/…`: summaries. The rich text model is told with the
/// components even where the server does not list it.
pub(super) fn models<I>(components: bool, value: Value) -> Result<ReadResponse<I>, ShapeError> {
    let mut answer = ReadResponse::default();
    let mut rich_text_listed = false;
    let rows = shape::each("", shape::rows(value)?, |row| {
        let id = shape::own_id(&row, "id")?;
        let name = shape::text(&row, "referenceName");
        let is_built_in = name.is_some_and(|name| is_one_of(&BUILT_IN_MODELS, name));
        Ok((id, is_built_in.then(|| passed(Kind::Model, id, name))))
    })?;
    for (id, built_in) in rows {
        rich_text_listed |= id == RICH_TEXT.0;
        match built_in {
            Some(passed) => answer.found.push(passed),
            None => answer.follow_ups.push(ReadRequest::Model(id)),
        }
    }
    if components && !rich_text_listed {
        let (id, name) = RICH_TEXT;
        answer.found.push(passed(Kind::Model, id, Some(name)));
    }
    Ok(answer)
}

/// `GET model/{id}`.
pub(super) fn model<I: Id>(mut row: Value) -> Result<Record<I>, ShapeError> {
    shape::rename_members(shape::object(&mut row)?, &MODEL_MEMBERS);
    rename_in_list(&mut row, "fields", &FIELD_MEMBERS);
    let id = shape::id(&row, "id")?;
    let name = shape::text(&row, "referenceName");
    if name.is_some_and(|name| is_one_of(&BUILT_IN_MODELS, name)) {
        return Ok(passed(Kind::Model, id, name));
    }
    plain(Kind::Model, ("id", "referenceName"), &row)
}

/// `GET container/list`: summaries.
pub(super) fn containers<I>(value: Value) -> Result<ReadResponse<I>, ShapeError> {
    let mut answer = ReadResponse::default();
    let rows = shape::each("", shape::rows(value)?, |row| {
        let id = shape::id(&row, "contentViewID")?;
        let name = shape::text(&row, "referenceName");
        if is_no_container(id, name, &row) {
            return Ok(Err(passed(Kind::Container, id, name)));
        }
        shape::own_id(&row, "contentViewID").map(Ok)
    })?;
    for row in rows {
        match row {
            Ok(id) => answer.follow_ups.push(ReadRequest::Container(id)),
            Err(passed) => answer.found.push(passed),
        }
    }
    Ok(answer)
}

/// `GET container/{id}`.
pub(super) fn container<I: Id>(mut row: Value) -> Result<Record<I>, ShapeError> {
    shape::rename_members(shape::object(&mut row)?, &CONTAINER_MEMBERS);
    let id = shape::id(&row, "contentViewID")?;
    let name = shape::text(&row, "referenceName");
    if is_no_container(id, name, &row) {
        return Ok(passed(Kind::Container, id, name));
    }
    plain(Kind::Container, ("contentViewID", "referenceName"), &row)
}

/// Deleted containers can show the id -1.
fn is_no_container(id: i64, name: Option<&str>, row: &Value) -> bool {
    let built_in = name.is_some_and(|name| is_one_of(&BUILT_IN_CONTAINERS, name));
    id < 0 || built_in || shape::flag(row, "isDeleted")
}

/// `GET {locale}/page/templates?includeModuleZones=true`: full rows.
pub(super) fn templates<I: Id>(value: Value) -> Result<ReadResponse<I>, ShapeError> {
    let rows = shape::rows(value)?;
    Ok(ReadResponse {
        found: shape::each("", rows, template)?,
        follow_ups: Vec::new(),
    })
}

/// One template with its zones.
pub(super) fn template<I: Id>(mut row: Value) -> Result<Record<I>, ShapeError> {
    shape::rename_members(shape::object(&mut row)?, &TEMPLATE_MEMBERS);
    rename_in_list(&mut row, "contentSectionDefinitions", &ZONE_MEMBERS);
    let id = shape::id(&row, "pageTemplateID")?;
    let name = shape::text(&row, "pageTemplateName");
    if shape::flag(&row, "isDeleted") {
        return Ok(passed(Kind::Template, id, name));
    }
    plain(Kind::Template, ("pageTemplateID", "pageTemplateName"), &row)
}

fn rename_in_list(row: &mut Value, list: &str, members: &[&str]) {
    let rows = row.get_mut(list).and_then(Value::as_array_mut);
    for map in rows.into_iter().flatten().filter_map(Value::as_object_mut) {
        shape::rename_members(map, members);
    }
}

fn is_one_of(names: &[&str], name: &str) -> bool {
    names
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name.trim()))
}
