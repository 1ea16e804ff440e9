//! Routes of the Content Fetch API: `{guid}/{preview|fetch}/…`.

use serde_json::json;

use super::call::{Answer, Call, Reply, Verb, found, no_route};
use crate::mock::world::World;
use crate::mock::world::failure::Refusal;
use crate::mock::world::feed::Mode;
use crate::mock::world::filter::Filter;
use crate::mock::world::links::View;
use crate::mock::world::listing::FetchQuery;

/// Default and largest page of a sync call.
const SYNC_PAGE: usize = 500;

/// How far links are followed at most: each level can multiply what is sent.
const LEVELS_MOST: usize = 5;

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
        ["item", id] => {
            let view = view(call, locale, mode, Links::OF_ITEM);
            let item = id.parse().ok().and_then(|id| world.item_in_view(id, view));
            found(item, "The item")
        }
        ["page", id] => {
            let view = view(call, locale, mode, Links::OF_PAGE);
            let page = match id.parse() {
                Ok(id) => world.page_in_view(id, view),
                Err(_) => world.page_by_path(
                    call.raw(at + 2),
                    call.query_text("path").unwrap_or("/"),
                    view,
                ),
            };
            found(page, "The page")
        }
        ["list", _] => {
            let view = view(call, locale, mode, Links::OF_ITEM);
            list(world, call, view, call.raw(at + 2))
        }
        _ => no_route(),
    }
}

/// How links are followed where the request does not say it.
#[derive(Clone, Copy)]
struct Links {
    levels: usize,
    lists: bool,
}

impl Links {
    const OF_ITEM: Self = Self {
        levels: 1,
        lists: false,
    };
    const OF_PAGE: Self = Self {
        levels: 2,
        lists: true,
    };
}

fn view(call: &Call, locale: usize, mode: Mode, default: Links) -> View {
    let levels = call.query("contentLinkDepth");
    let levels = levels.and_then(|levels| levels.parse::<usize>().ok());
    View {
        locale,
        mode,
        levels: levels.unwrap_or(default.levels).min(LEVELS_MOST),
        lists: call
            .query_flag("expandAllContentLinks")
            .unwrap_or(default.lists),
    }
}

/// The name must be in lower case here, unlike everywhere else.
fn list(world: &World, call: &Call, view: View, name: &str) -> Answer {
    let direction = call.query_text("direction").unwrap_or_default();
    let fields = call.query_list("fields");
    let query = FetchQuery {
        view,
        window: call.window("skip", "take", 10, 250),
        sort: call.query_text("sort"),
        descending: direction.eq_ignore_ascii_case("desc"),
        filter: call.query_text("filter").map(Filter::parse).transpose()?,
        fields: &fields,
    };
    let listing = Some(name)
        .filter(|name| *name == name.to_lowercase())
        .and_then(|name| world.fetch_list(name, &query));
    let listing = listing.ok_or_else(|| Refusal::not_found("The list"))?;
    Ok(Reply::Json(
        json!({ "items": listing.rows, "totalCount": listing.total }),
    ))
}
