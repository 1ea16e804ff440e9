//! Models, containers and templates.

use jiff::civil::DateTime;
use serde_json::Value;

use crate::domain::{ContentHash, Id, Kind};
use crate::instance::{ReadRequest, ReadResponse, Record, Summary};

use super::super::page::Page;
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

/// `GET model/list/…` and `model/list-page-modules/…`: summaries. The rich text model comes with the
/// components even where the server does not list it.
pub(super) fn models<I>(components: bool, page: &Page<'_>) -> Result<ReadResponse<I>, ShapeError> {
    let mut answer = ReadResponse::default();
    let mut rich_text_listed = false;
    let rows = page.each(|row| {
        let id = shape::own_id(&row, "id")?;
        let name = shape::text(&row, "referenceName");
        let is_built_in = name.is_some_and(|name| is_one_of(&BUILT_IN_MODELS, name));
        let built_in = is_built_in.then(|| passed(Kind::Model, id, name));
        Ok((id, built_in.ok_or_else(|| summary(Kind::Model, id, &row))))
    })?;
    for (id, row) in rows {
        rich_text_listed |= id == RICH_TEXT.0;
        match row {
            Ok(passed) => answer.found.push(passed),
            Err(summary) => {
                answer.found.push(summary);
                answer.follow_ups.push(ReadRequest::Model(id));
            }
        }
    }
    if components && !rich_text_listed {
        let (id, name) = RICH_TEXT;
        answer.found.push(passed(Kind::Model, id, Some(name)));
    }
    Ok(answer)
}

/// A row of a list. Its date is ISO without a zone, and of containers also in American form without seconds.
fn summary<I>(kind: Kind, id: i64, row: &Value) -> Record<I> {
    let date = ["lastModifiedOn", "lastModifiedDate"]
        .into_iter()
        .find_map(|name| shape::text(row, name));
    Record::Summary(Summary {
        kind,
        id,
        hash: ContentHash::of(row),
        modified: date.and_then(modified),
    })
}

fn modified(text: &str) -> Option<DateTime> {
    let american = || DateTime::strptime("%m/%d/%Y %I:%M%p", text).ok();
    text.trim_end_matches('Z').parse().ok().or_else(american)
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
pub(super) fn containers<I>(page: &Page<'_>) -> Result<ReadResponse<I>, ShapeError> {
    let mut answer = ReadResponse::default();
    let rows = page.each(|row| {
        let id = shape::id(&row, "contentViewID")?;
        let name = shape::text(&row, "referenceName");
        if is_no_container(id, name, &row) {
            return Ok(Err(passed(Kind::Container, id, name)));
        }
        let id = shape::own_id(&row, "contentViewID")?;
        Ok(Ok((id, summary(Kind::Container, id, &row))))
    })?;
    for row in rows {
        match row {
            Ok((id, summary)) => {
                answer.found.push(summary);
                answer.follow_ups.push(ReadRequest::Container(id));
            }
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
pub(super) fn templates<I: Id>(page: &Page<'_>) -> Result<ReadResponse<I>, ShapeError> {
    Ok(ReadResponse {
        found: page.each(template)?,
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
