//! Routes of models, containers and templates.

use super::call::{Answer, Call, Reply, Verb, found, no_route};
use crate::mock::file::Row;
use crate::mock::world::World;
use crate::mock::world::container::ContainerFilter;
use crate::mock::world::model::Models;

fn number(segment: &str) -> Option<i64> {
    segment.parse().ok()
}

/// `model/…`
pub(super) fn model(world: &mut World, call: &Call, at: usize) -> Answer {
    match (call.verb, call.tail(at).as_slice()) {
        (Verb::Get, ["list", defaults]) => {
            let wanted = Models {
                defaults: *defaults == "true",
                contents: true,
                components: call.query_flag("includeModules").unwrap_or(false),
            };
            Ok(Reply::Json(world.model_list(wanted, call.since()).into()))
        }
        (Verb::Get, ["list-page-modules", defaults]) => {
            let wanted = Models {
                defaults: *defaults == "true",
                contents: false,
                components: true,
            };
            Ok(Reply::Json(world.model_list(wanted, None).into()))
        }
        (Verb::Get, ["used-field-types"]) => {
            let flag = |name| call.query_flag(name).unwrap_or(true);
            let wanted = Models {
                defaults: flag("includeDefaults"),
                contents: true,
                components: flag("includeModules"),
            };
            Ok(Reply::Json(world.used_field_types(wanted).into()))
        }
        (Verb::Get, ["field-types"]) => Ok(Reply::Json(FIELD_TYPES.as_slice().into())),
        (Verb::Get, [id]) => {
            let row =
                number(id).map_or_else(|| world.model_named(call.raw(at)), |id| world.model(id));
            found(row.cloned(), &format!("Model {id}"))
        }
        (Verb::Post, []) => world.save_model(call.row()?).map(Reply::Json),
        (Verb::Delete, [id]) => match number(id) {
            Some(id) => world.delete_model(id).map(|text| Reply::Json(text.into())),
            None => no_route(),
        },
        _ => no_route(),
    }
}

const FIELD_TYPES: [&str; 15] = [
    "Text",
    "LongText",
    "HTML",
    "Integer",
    "Decimal",
    "Boolean",
    "Date",
    "DropdownList",
    "FileAttachment",
    "ImageAttachment",
    "AttachmentList",
    "PhotoGallery",
    "Link",
    "Content",
    "Custom",
];

/// `container/…`
pub(super) fn container(world: &mut World, call: &Call, at: usize) -> Answer {
    match (call.verb, call.tail(at).as_slice()) {
        (Verb::Get, ["list"]) => Ok(Reply::Json(world.container_list(call.since()).into())),
        (Verb::Get, ["list", "paged"]) => {
            let window = call.window("recordOffset", "pageSize", 20, 250);
            let wanted = ContainerFilter {
                components: call.query_flag("includeModules").unwrap_or(true),
                kind: call.query_id("contentType").unwrap_or(0),
                since: call.since(),
            };
            let (items, total) = world.container_page(window, wanted);
            Ok(Reply::Json(
                serde_json::json!({ "totalCount": total, "items": items }),
            ))
        }
        (Verb::Get, ["model", model]) => match number(model) {
            Some(model) => Ok(Reply::Json(world.containers_of_model(model).into())),
            None => no_route(),
        },
        (Verb::Get, [id, "notifications"]) => {
            match number(id).and_then(|id| world.container_row(id)) {
                Some(_) => Ok(Reply::Json(Vec::<Row>::new().into())),
                None => found(None::<Row>, &format!("Container {id}")),
            }
        }
        (Verb::Get, [id] | [id, "security"]) => {
            let row = number(id).map_or_else(
                || world.container_named(call.raw(at)),
                |id| world.container_row(id),
            );
            found(row.cloned(), &format!("Container {id}"))
        }
        (Verb::Post, []) => {
            let force = call.query_flag("forceReferenceName").unwrap_or(false);
            world.save_container(call.row()?, force).map(Reply::Json)
        }
        (Verb::Delete, [id]) => match number(id) {
            Some(id) => world
                .delete_container(id)
                .map(|text| Reply::Json(text.into())),
            None => no_route(),
        },
        _ => no_route(),
    }
}

/// `{locale}/page/template/…`
pub(super) fn template(world: &mut World, call: &Call, at: usize) -> Answer {
    match (call.verb, call.tail(at).as_slice()) {
        (Verb::Get, ["items", id]) => found(
            number(id).and_then(|id| world.zones(id)),
            &format!("Page model {id}"),
        ),
        (Verb::Get, [id]) => {
            let row = number(id).map_or_else(
                || world.template_named(call.raw(at)),
                |id| world.template(id),
            );
            found(row.cloned(), &format!("Page model {id}"))
        }
        (Verb::Post, []) => world.save_template(call.row()?).map(Reply::Json),
        (Verb::Delete, [id]) => match number(id) {
            Some(id) => world
                .delete_template(id)
                .map(|text| Reply::Json(text.into())),
            None => no_route(),
        },
        _ => no_route(),
    }
}
