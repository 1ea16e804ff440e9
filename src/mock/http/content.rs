//! Routes under a locale: content items, lists, pages, the sitemap, and the workflow of both.

use serde_json::{Value, json};

use super::call::{Answer, Call, Reply, Verb, found, no_route};
use super::definitions;
use crate::mock::file::Row;
use crate::mock::world::batch::{ItemKind, Operation, Placement, Work, WorkflowStep};
use crate::mock::world::failure::Refusal;
use crate::mock::world::listing::{ListFilter, ListQuery};
use crate::mock::world::text::NO_DATE;
use crate::mock::world::{Moment, Version, World, row};

/// Most items of one batch, and most ids of one workflow request.
const BATCH_MOST: usize = 250;

/// Rows of a history where the request does not say how many.
const HISTORY_DEFAULT: usize = 50;

/// `{locale}/…`; `at` is the segment of the locale.
pub(super) fn localised(world: &mut World, call: &Call, at: usize) -> Answer {
    let tail = call.tail(at + 1);
    if !matches!(
        tail.first(),
        Some(&("item" | "items" | "list" | "page" | "sitemap"))
    ) {
        return no_route();
    }
    let code = call.raw(at);
    let locale = world
        .locale(code)
        .ok_or_else(|| Refusal::not_found(&format!("Locale {code}")))?;
    match (call.verb, tail.as_slice()) {
        (Verb::Get, ["sitemap"]) => Ok(Reply::Json(world.management_sitemap(locale))),
        (Verb::Get, ["items"]) => {
            let rows = call
                .query_ids("ids")
                .into_iter()
                .filter_map(|id| world.content_row(locale, id));
            Ok(Reply::Json(rows.collect()))
        }
        (Verb::Get | Verb::Post, ["list", _]) => list(world, call, locale, call.raw(at + 2)),
        (_, ["item", ..]) => item(world, call, locale, at + 2),
        (_, ["page", "template", ..]) => definitions::template(world, call, at + 3),
        (Verb::Get, ["page", "templates"]) => {
            let zones = call.query_flag("includeModuleZones");
            let zones = zones.ok_or_else(|| {
                Refusal::invalid(
                    "includeModuleZones",
                    "The includeModuleZones field is required.",
                )
            })?;
            Ok(Reply::Json(
                world
                    .template_list(zones, call.query_text("searchFilter"))
                    .into(),
            ))
        }
        (_, ["page", ..]) => page(world, call, locale, at + 2),
        _ => no_route(),
    }
}

fn list(world: &World, call: &Call, locale: usize, name: &str) -> Answer {
    let filter = match (call.verb, call.json()?) {
        (Verb::Post, Value::Object(filter)) => filter,
        _ => Row::new(),
    };
    if let Some((member, _)) = filter.iter().find(|(_, value)| value.is_null()) {
        return Err(Refusal::invalid(
            member,
            format!("The {member} field is required."),
        ));
    }
    let window = call.window("skip", "take", 50, usize::MAX);
    let fields = call.query_list("fields");
    let query = ListQuery {
        window,
        sort: call.query_text("sortField"),
        descending: call
            .query_text("sortDirection")
            .is_some_and(|direction| direction.eq_ignore_ascii_case("desc")),
        filter: ListFilter::of(&filter),
        deleted: call.query_flag("showDeleted").unwrap_or(false),
        fields: &fields,
    };
    let listing = world.management_list(locale, name, &query);
    let listing = listing.ok_or_else(|| Refusal::not_found(&format!("Content list {name}")))?;
    Ok(Reply::Json(json!({
        "recordOffset": window.skip, "totalCount": listing.total, "pageSize": window.take, "items": listing.rows
    })))
}

fn item(world: &mut World, call: &Call, locale: usize, at: usize) -> Answer {
    match (call.verb, call.tail(at).as_slice()) {
        (Verb::Post, []) => save_content(world, call, locale, vec![Value::Object(call.row()?)]),
        (Verb::Post, ["multi"]) => {
            let rows = call.rows()?;
            check_most(rows.len())?;
            save_content(world, call, locale, rows)
        }
        (Verb::Post, ["batch-workflow"]) => {
            batch_workflow(world, call, ItemKind::Content, locale, "contentIDs")
        }
        (verb, [id, rest @ ..]) => match id.parse() {
            Ok(id) => one(
                world,
                call,
                verb,
                Subject {
                    kind: ItemKind::Content,
                    locale,
                    id,
                },
                rest,
            ),
            Err(_) => no_route(),
        },
        _ => no_route(),
    }
}

fn page(world: &mut World, call: &Call, locale: usize, at: usize) -> Answer {
    match (call.verb, call.tail(at).as_slice()) {
        (Verb::Post, []) => save_page(world, call, locale),
        (Verb::Post, ["batch-workflow"]) => {
            batch_workflow(world, call, ItemKind::Page, locale, "pageIDs")
        }
        (verb, [id, rest @ ..]) => match id.parse() {
            Ok(id) => one(
                world,
                call,
                verb,
                Subject {
                    kind: ItemKind::Page,
                    locale,
                    id,
                },
                rest,
            ),
            Err(_) => no_route(),
        },
        _ => no_route(),
    }
}

/// One content item or page that a path names.
#[derive(Clone, Copy)]
struct Subject {
    kind: ItemKind,
    locale: usize,
    id: i64,
}

fn one(world: &mut World, call: &Call, verb: Verb, subject: Subject, rest: &[&str]) -> Answer {
    let Subject { kind, locale, id } = subject;
    match (verb, rest) {
        (Verb::Get, []) => {
            let row = match kind {
                ItemKind::Content => world.content_row(locale, id),
                ItemKind::Page => world.page_row(locale, id),
            };
            found(row, &format!("Item {id}"))
        }
        (Verb::Get, ["history"]) => history(world, call, subject),
        (Verb::Get, ["comments"]) => Ok(Reply::Json(json!({ "items": [], "totalCount": 0 }))),
        (Verb::Get, [step]) => match WorkflowStep::parse(step) {
            Some(step) => Ok(submit(
                world,
                call,
                Operation::Workflow(step),
                vec![Work::Move {
                    kind,
                    locale,
                    id,
                    step,
                }],
            )),
            None => no_route(),
        },
        (Verb::Delete, []) => {
            let (operation, work) = match kind {
                ItemKind::Content => (Operation::DeleteContent, Work::DeleteContent { locale, id }),
                ItemKind::Page => (Operation::DeletePage, Work::DeletePage { locale, id }),
            };
            Ok(submit(world, call, operation, vec![work]))
        }
        _ => no_route(),
    }
}

fn submit(world: &mut World, call: &Call, operation: Operation, work: Vec<Work>) -> Reply {
    Reply::Batch(world.submit(operation, work, call.spoil))
}

fn check_most(count: usize) -> Result<(), Refusal> {
    if count > BATCH_MOST {
        let text = format!("A batch takes {BATCH_MOST} items at most.");
        return Err(Refusal::invalid("items", text));
    }
    Ok(())
}

fn save_content(world: &mut World, call: &Call, locale: usize, rows: Vec<Value>) -> Answer {
    let work: Option<Vec<Work>> = rows
        .into_iter()
        .map(|row| match row {
            Value::Object(row) => Some(Work::SaveContent { locale, row }),
            _ => None,
        })
        .collect();
    let work = work.ok_or_else(|| Refusal::invalid("$", "Every item must be an object."))?;
    Ok(submit(world, call, Operation::SaveContent, work))
}

fn save_page(world: &mut World, call: &Call, locale: usize) -> Answer {
    let row = call.row()?;
    for member in ["title", "name"] {
        if row::filled(&row, member).is_none() {
            return Err(Refusal::invalid(
                member,
                format!("The {member} field is required."),
            ));
        }
    }
    let twin = match (
        call.query_id("pageIDInOtherLocale"),
        call.query_text("otherLocale"),
    ) {
        (Some(id), Some(code)) => {
            let other = world
                .locale(code)
                .ok_or_else(|| Refusal::not_found(&format!("Locale {code}")))?;
            Some((id, other))
        }
        _ => None,
    };
    // A position in the query, even one that says "root", wins over the body.
    let parent = match call.query("parentPageID") {
        Some(_) => call.query_id("parentPageID"),
        None => row::id(&row, "parentPageID"),
    };
    let before = match call.query("placeBeforePageItemID") {
        Some(_) => call.query_id("placeBeforePageItemID"),
        None => row::id(&row, "placeBeforePageItemID"),
    };
    let keep_components = call.query_flag("linkExistingComponents").unwrap_or(false);
    let placement = Placement {
        parent,
        before,
        twin,
        keep_components,
    };
    Ok(submit(
        world,
        call,
        Operation::SavePage,
        vec![Work::SavePage {
            locale,
            row,
            placement,
        }],
    ))
}

fn batch_workflow(
    world: &mut World,
    call: &Call,
    kind: ItemKind,
    locale: usize,
    ids_key: &str,
) -> Answer {
    let step = call.query_text("operation").and_then(WorkflowStep::parse);
    let step =
        step.ok_or_else(|| Refusal::invalid("operation", "The operation field is required."))?;
    let ids = call.query_ids(ids_key);
    if ids.is_empty() {
        return Err(Refusal::invalid("items", "At least one item is required."));
    }
    check_most(ids.len())?;
    let mut unique = ids.clone();
    unique.sort_unstable();
    unique.dedup();
    if unique.len() < ids.len() {
        return Err(Refusal::invalid(
            ids_key,
            "An item is already in the batch.",
        ));
    }
    let work = ids
        .into_iter()
        .map(|id| Work::Move {
            kind,
            locale,
            id,
            step,
        })
        .collect();
    Ok(submit(world, call, Operation::Workflow(step), work))
}

fn history(world: &World, call: &Call, subject: Subject) -> Answer {
    let (version, id_key): (Option<&Version>, &str) = match subject.kind {
        ItemKind::Content => (
            world.content_version(subject.locale, subject.id),
            "ContentItemID",
        ),
        ItemKind::Page => (world.page_version(subject.locale, subject.id), "PageItemID"),
    };
    let version = version.ok_or_else(|| Refusal::not_found(&format!("Item {}", subject.id)))?;
    let window = call.window("skip", "take", HISTORY_DEFAULT, usize::MAX);
    let steps = version.history.iter().enumerate().rev();
    let items: Vec<Value> = steps
        .skip(window.skip)
        .take(window.take)
        .map(|(index, step)| Value::Object(history_row(id_key, index + 1, step)))
        .collect();
    Ok(Reply::Json(
        json!({ "totalCount": version.history.len(), "items": items }),
    ))
}

fn history_row(id_key: &str, number: usize, step: &Moment) -> Row {
    let state = match step.state {
        1 => "Staging",
        2 => "Published",
        3 => "Deleted",
        4 => "Approved",
        5 => "AwaitingApproval",
        6 => "Declined",
        7 => "Unpublished",
        _ => "None",
    };
    let mut out = row::row(json!({
        "ContentItemID": 0, "StateID": step.state, "State": state, "CreatedDate": step.date, "CreatedBy": "Mock User",
        "CreatedByUserID": 12, "CreatedByServerUserID": 12, "CreatedByUserEmail": "mock@example.test",
        "ReleaseDate": NO_DATE, "PullDate": NO_DATE, "CommentID": 0, "Comment": null, "Pinned": false, "VersionNumber": number
    }));
    row::set(&mut out, id_key, step.version);
    out
}
