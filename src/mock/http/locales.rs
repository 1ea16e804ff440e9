//! Routes of locales, and of copies from one into others.

use serde_json::{Value, json};

use super::call::{Answer, Call, Reply, Verb, found, no_route};
use crate::mock::world::batch::{ItemKind, Operation, Work};
use crate::mock::world::failure::Refusal;
use crate::mock::world::{World, row};

/// `locales/…`; what is saved is answered with nothing, as the vendor describes it.
pub(super) fn locales(world: &mut World, call: &Call, at: usize) -> Answer {
    let done = |()| Reply::Json(Value::Null);
    match (call.verb, call.tail(at).as_slice()) {
        (Verb::Get, []) => Ok(Reply::Json(world.locale_rows(true).into())),
        (Verb::Post, []) => world.save_locale(&call.row()?).map(done),
        (Verb::Get, ["all"]) => Ok(Reply::Json(json!({
            "enabledLocales": world.locale_rows(true), "disabledLocales": world.locale_rows(false)
        }))),
        (Verb::Post, ["sort-order"]) => {
            world.order_locales(&row::ints(&call.row()?, "orderedIds"));
            Ok(done(()))
        }
        (Verb::Get, [id]) => {
            let row = id.parse().ok().and_then(|id| world.locale_row(id));
            found(row, &format!("Locale {id}"))
        }
        (Verb::Patch, [id, switch @ ("enable" | "disable")]) => match id.parse() {
            Ok(id) => world.switch_locale(id, *switch == "enable").map(done),
            Err(_) => no_route(),
        },
        _ => no_route(),
    }
}

/// `initialize/…` and `translate/…`: one batch for all items and locales. Targets are a list or a single one; the vendor's
/// description has both, by kind.
pub(super) fn copy(world: &mut World, call: &Call, operation: Operation, kind: &str) -> Answer {
    let body = call.row()?;
    let locale = |code: &str| {
        let at = world.locale(code);
        at.ok_or_else(|| Refusal::not_found(&format!("Locale {code}")))
    };
    let from = locale(row::text(&body, "languageCodeSource").unwrap_or_default())?;
    let several = row::get(&body, "languageCodeTargets").and_then(Value::as_array);
    let several = several.into_iter().flatten().filter_map(Value::as_str);
    let targets = several.chain(row::text(&body, "languageCodeTarget"));
    let targets: Vec<usize> = targets.map(locale).collect::<Result<_, _>>()?;
    let mut work = Vec::new();
    for to in targets {
        let (kind, ids) = match kind {
            "content" => (
                ItemKind::Content,
                of_versions(world, &body, from, ItemKind::Content)?,
            ),
            "page" => (
                ItemKind::Page,
                of_versions(world, &body, from, ItemKind::Page)?,
            ),
            "contentlist" => {
                let lists = row::ints(&body, "contentViewIds").into_iter();
                let ids = lists.flat_map(|list| world.only_in(list, from, to));
                (ItemKind::Content, ids.collect())
            }
            _ => return no_route(),
        };
        work.extend(ids.into_iter().map(|id| Work::Copy {
            kind,
            from,
            locale: to,
            id,
        }));
    }
    Ok(Reply::Batch(world.submit(operation, work, call.spoil)))
}

/// The items of the versions that a body names.
fn of_versions(
    world: &World,
    body: &crate::mock::file::Row,
    from: usize,
    kind: ItemKind,
) -> Result<Vec<i64>, Refusal> {
    let member = match kind {
        ItemKind::Content => "contentVersionIds",
        ItemKind::Page => "pageVersionIds",
    };
    let versions = row::ints(body, member).into_iter();
    let items = versions.map(|version| {
        let item = world.of_version(kind, from, version);
        item.ok_or_else(|| Refusal::not_found(&format!("Version {version}")))
    });
    items.collect()
}
