//! Routes of assets and galleries, and the downloads.

use serde_json::json;

use super::call::{Answer, Call, Payload, Reply, Verb, found, no_route};
use crate::mock::world::World;
use crate::mock::world::asset::Destination;
use crate::mock::world::failure::Refusal;

/// Page sizes of `asset/list`: the default of the vendor's .NET client, and the most that is given.
const LIST_DEFAULT: usize = 20;
/// Of `asset/galleries`. The vendor names no default; this one is a guess.
const GALLERIES_DEFAULT: usize = 50;
const MOST: usize = 250;

/// `asset/…`
pub(super) fn asset(world: &mut World, call: &Call, at: usize) -> Answer {
    match (call.verb, call.tail(at).as_slice()) {
        (Verb::Get, ["list"]) => {
            let window = call.window("recordOffset", "pageSize", LIST_DEFAULT, MOST);
            Ok(Reply::Json(world.asset_page(window, call.since())))
        }
        (Verb::Get, ["container"]) => Ok(Reply::Json(world.asset_container_row())),
        (Verb::Get, ["galleries"]) => {
            let window = call.window("rowIndex", "pageSize", GALLERIES_DEFAULT, MOST);
            Ok(Reply::Json(
                world.gallery_page(window, call.query_text("search")),
            ))
        }
        (_, ["gallery", ..]) => gallery(world, call, at + 1),
        (Verb::Get, []) => {
            let url = call.query_text("url").unwrap_or_default();
            found(world.asset_by_url(url).cloned(), "The asset")
        }
        (Verb::Get, [id]) => found(
            id.parse().ok().and_then(|id| world.asset(id)).cloned(),
            &format!("Asset {id}"),
        ),
        (Verb::Post, ["upload"]) => upload(world, call),
        (Verb::Post, ["move", id]) => {
            let folder = call.query_text("newFolder").unwrap_or_default();
            match id.parse() {
                Ok(id) => world.move_asset(id, folder).map(Reply::Json),
                Err(_) => no_route(),
            }
        }
        (Verb::Post, ["folder"]) => match call.query_text("originKey") {
            Some(key) => Ok(Reply::Json(world.create_folder(key))),
            None => Err(Refusal::invalid(
                "originKey",
                "The originKey field is required.",
            )),
        },
        (Verb::Post, ["folder", "delete"]) => world
            .delete_folder(call.query_text("originKey").unwrap_or_default())
            .map(|()| Reply::Json(serde_json::Value::Null)),
        (Verb::Post, ["folder", "rename"]) => {
            let name = |key| call.query_text(key).unwrap_or_default();
            world
                .rename_folder(name("folderName"), name("newFolderName"))
                .map(|()| Reply::Json(serde_json::Value::Null))
        }
        (Verb::Delete, ["delete", id]) => match id.parse() {
            Ok(id) => world.delete_asset(id).map(|text| Reply::Json(text.into())),
            Err(_) => no_route(),
        },
        _ => no_route(),
    }
}

fn gallery(world: &mut World, call: &Call, at: usize) -> Answer {
    match (call.verb, call.tail(at).as_slice()) {
        (Verb::Get, []) => {
            let name = call.query_text("galleryName").unwrap_or_default();
            found(
                world.gallery_named(name).cloned(),
                &format!("Gallery {name}"),
            )
        }
        (Verb::Get, [id]) => found(
            id.parse().ok().and_then(|id| world.gallery(id)).cloned(),
            &format!("Gallery {id}"),
        ),
        (Verb::Post, []) => world.save_gallery(call.row()?).map(Reply::Json),
        (Verb::Delete, [id]) => match id.parse() {
            Ok(id) => world
                .delete_gallery(id)
                .map(|text| Reply::Json(text.into())),
            Err(_) => no_route(),
        },
        _ => no_route(),
    }
}

fn upload(world: &mut World, call: &Call) -> Answer {
    let folder = call.query("folderPath");
    let folder = folder
        .ok_or_else(|| Refusal::invalid("folderPath", "The folderPath field is required."))?;
    let Payload::Files(files) = &call.payload else {
        return Err(Refusal::new(415, "A multipart form is required."));
    };
    if files.is_empty() {
        return Err(Refusal::invalid("files", "At least one file is required."));
    }
    let focal = |key: &str| call.query_text(key).map(str::to_owned);
    let destination = Destination {
        folder: folder.trim_matches('/').to_owned(),
        gallery: call.query_id("groupingID"),
        focal: focal("focalX").zip(focal("focalY")),
    };
    world.upload(&destination, files.clone()).map(Reply::Json)
}

/// What the log keeps of an upload: where to, and which files.
pub(super) fn upload_record(call: &Call) -> serde_json::Value {
    let files: Vec<_> = match &call.payload {
        Payload::Files(files) => files
            .iter()
            .map(|file| json!({ "name": file.name, "length": file.bytes.len() }))
            .collect(),
        Payload::Bytes(_) => Vec::new(),
    };
    json!({ "folderPath": call.query("folderPath"), "groupingID": call.query_id("groupingID"), "files": files })
}
