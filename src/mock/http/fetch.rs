//! Routes of the Content Fetch API: `{guid}/{preview|fetch}/…`. Links are never expanded.

use serde_json::json;

use super::call::{Answer, Call, Reply, Verb, found, no_route};
use crate::mock::world::World;
use crate::mock::world::failure::Refusal;
use crate::mock::world::feed::Mode;

/// Default and largest page of a sync call.
const SYNC_PAGE: usize = 500;

/// Dispatches by the first segment after the mode, which is at `at`.
pub(super) fn route(world: &World, call: &Call, mode: Mode, at: usize) -> Answer {
    match (call.verb, call.tail(at).as_slice()) {
        (Verb::Get, ["gallery", id]) => found(
            id.parse().ok().and_then(|id| world.gallery_for_fetch(id)),
            "The gallery",
        ),
        (Verb::Get, ["urlredirection"]) => Ok(Reply::Json(
            world.redirections_for_fetch(call.query_text("lastAccessDate")),
        )),
        (Verb::Get, [_, _, ..]) => localised(world, call, mode, at),
        _ => no_route(),
    }
}

fn localised(world: &World, call: &Call, mode: Mode, at: usize) -> Answer {
    let code = call.raw(at);
    let locale = world
        .locale(code)
        .ok_or_else(|| Refusal::not_found(&format!("Locale {code}")))?;
    match call.tail(at + 1).as_slice() {
        ["sync", kind @ ("items" | "pages")] => {
            let token = call
                .query("syncToken")
                .and_then(|token| token.parse().ok())
                .unwrap_or(0);
            let size = call.window("", "pageSize", SYNC_PAGE, SYNC_PAGE).take;
            let (token, items) = match *kind {
                "items" => world.sync_content(locale, mode, token, size),
                _ => world.sync_pages(locale, mode, token, size),
            };
            Ok(Reply::Json(
                json!({ "syncToken": token, "items": items, "busy": false }),
            ))
        }
        ["sitemap", "flat", _] => found(
            world.flat_sitemap(locale, call.raw(at + 3), mode),
            "The channel",
        ),
        ["sitemap", "nested", _] => found(
            world.nested_sitemap(locale, call.raw(at + 3), mode),
            "The channel",
        ),
        ["item", id] => found(
            id.parse()
                .ok()
                .and_then(|id| world.content_for_fetch(locale, id, mode)),
            "The item",
        ),
        ["page", id] => found(
            id.parse()
                .ok()
                .and_then(|id| world.page_for_fetch(locale, id, mode)),
            "The page",
        ),
        ["list", _] => list(world, call, locale, mode, call.raw(at + 2)),
        _ => no_route(),
    }
}

/// The name must be in lower case here, unlike everywhere else.
fn list(world: &World, call: &Call, locale: usize, mode: Mode, name: &str) -> Answer {
    let window = call.window("skip", "take", 10, 250);
    let listing = Some(name)
        .filter(|name| *name == name.to_lowercase())
        .and_then(|name| world.fetch_list(locale, name, mode, window));
    let listing = listing.ok_or_else(|| Refusal::not_found("The list"))?;
    Ok(Reply::Json(
        json!({ "items": listing.rows, "totalCount": listing.total }),
    ))
}
