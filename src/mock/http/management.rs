//! Routes of one instance in the Management API.

use serde_json::{Value, json};

use super::call::{Answer, Call, Reply, Verb, found, no_route};
use super::{assets, content, definitions, locales, types};
use crate::mock::file::Row;
use crate::mock::world::batch::{ItemKind, Operation, Work, WorkflowStep};
use crate::mock::world::failure::Refusal;
use crate::mock::world::{World, row};

const MOST: usize = 250;

/// Dispatches by the first segment after the GUID, which is at `at`.
pub(super) fn route(world: &mut World, call: &Call, at: usize) -> Answer {
    match (call.verb, call.tail(at).as_slice()) {
        (_, ["model", ..]) => definitions::model(world, call, at + 1),
        (_, ["container", ..]) => definitions::container(world, call, at + 1),
        (_, ["asset", ..]) => assets::asset(world, call, at + 1),
        (_, ["batch", ..]) => batch(world, call, at + 1),
        (_, ["locales", ..]) => locales::locales(world, call, at + 1),
        (Verb::Post, ["initialize", kind]) => {
            locales::copy(world, call, Operation::Initialize, kind)
        }
        (Verb::Post, ["translate", kind]) => locales::copy(world, call, Operation::Translate, kind),
        (Verb::Get, ["user", "list"]) => Ok(Reply::Json(json!([website_user()]))),
        (_, ["webhook", ..]) => webhook(world, call, at + 1),
        (Verb::Get, ["fetch-api-status"]) => fetch_status(world, call),
        (Verb::Post, ["url-redirections"]) => save_redirections(world, call),
        (Verb::Delete, ["url-redirections"]) => {
            let ids = call.query_ids("ids");
            check_count(ids.len())?;
            Ok(Reply::Json(world.delete_redirections(&ids)))
        }
        (_, [_, _, ..]) => content::localised(world, call, at),
        _ => no_route(),
    }
}

/// Whether a call changes the instance. The workflow GETs do; the POST of a list does not.
pub(super) fn writes(call: &Call, at: usize) -> bool {
    match (call.verb, call.tail(at).as_slice()) {
        (Verb::Get, [_, "item" | "page", _, step]) => WorkflowStep::parse(step).is_some(),
        (Verb::Get | Verb::Other, _) | (Verb::Post, [_, "list", ..]) => false,
        (Verb::Post | Verb::Put | Verb::Patch | Verb::Delete, _) => true,
    }
}

fn check_count(count: usize) -> Result<(), Refusal> {
    match count {
        1..=MOST => Ok(()),
        _ => Err(Refusal::invalid(
            "ids",
            format!("From 1 to {MOST} rows are taken."),
        )),
    }
}

/// Webhooks; the id is `rowKey`, in the case in which it was given.
fn webhook(world: &mut World, call: &Call, at: usize) -> Answer {
    let gone = || Refusal::not_found("The webhook");
    match (call.verb, call.tail(at).as_slice()) {
        (Verb::Get, ["list"]) => {
            let number = |name| {
                call.query_text(name)
                    .and_then(|text| text.parse::<usize>().ok())
            };
            let (take, skip) = (number("take").unwrap_or(20), number("token").unwrap_or(0));
            Ok(Reply::Json(world.webhook_listing(take, skip)))
        }
        (Verb::Post, []) => Ok(Reply::Json(world.save_webhook(call.row()?)?.into())),
        (Verb::Get, [_]) => found(world.webhook(call.raw(at)), "The webhook"),
        (Verb::Get, [_, "history"]) => {
            world.webhook(call.raw(at)).ok_or_else(gone)?;
            Ok(Reply::Json(json!({ "items": [], "token": null })))
        }
        (Verb::Post, [_, "rotate-secret"]) => {
            found(world.rotate_webhook(call.raw(at)), "The webhook")
        }
        (Verb::Delete, [_]) => {
            world.delete_webhook(call.raw(at)).ok_or_else(gone)?;
            Ok(Reply::Json(serde_json::Value::Null))
        }
        _ => no_route(),
    }
}

/// `WebsiteUser`: of a list. A save answers another shape.
fn website_user() -> Value {
    json!({
        "userID": 12, "userName": "mock", "emailAddress": "mock@example.test", "firstName": "Mock", "lastName": "User",
        "fullName": "Mock User", "isDeleted": false, "isTeamUser": false, "isSuspended": false, "isOrgAdmin": false,
        "fullTimeSSL": false, "serverUserId": 12, "teamID": null, "loginDate": null, "defaultUILanguage": "en",
        "userRoles": [], "userPermissions": [], "platformExtensions": []
    })
}

/// The live side of the mock never lags, so a sync is never in progress.
fn fetch_status(world: &World, call: &Call) -> Answer {
    let push_type = match call.query_text("mode").map(str::to_lowercase).as_deref() {
        Some("preview") => 1,
        None | Some("fetch") => 2,
        Some(_) => {
            return Err(Refusal::invalid(
                "mode",
                "The mode field must be fetch or preview.",
            ));
        }
    };
    let now = crate::mock::world::text::now();
    Ok(Reply::Json(json!({
        "timestamp": now, "startTime": now, "completionTime": now, "inProgress": false, "itemsAffected": 0,
        "lastContentVersionID": 0, "lastDeletedContentVersionID": 0, "lastDeletedPageVersionID": 0, "maxChangeDate": now,
        "maxContentModelDate": now, "pushType": push_type, "leaseID": null, "errorMessage": null, "websiteName": world.name()
    })))
}

fn save_redirections(world: &mut World, call: &Call) -> Answer {
    let rows = call.rows()?;
    if !rows.is_empty() {
        check_count(rows.len())?;
    }
    Ok(Reply::Json(world.save_redirections(&rows)))
}

fn batch(world: &mut World, call: &Call, at: usize) -> Answer {
    match (call.verb, call.tail(at).as_slice()) {
        (Verb::Get, ["types"]) => Ok(Reply::Json(types::batch_types())),
        (Verb::Get, [id]) => {
            let expand = call.query_flag("expandItems").unwrap_or(true);
            found(
                id.parse()
                    .ok()
                    .and_then(|id| world.batches().read(id, expand)),
                &format!("Batch {id}"),
            )
        }
        (Verb::Post, [id, step]) => {
            let Some(step) = WorkflowStep::parse(step) else {
                return no_route();
            };
            let subjects = id.parse().ok().and_then(|id| world.batches().subjects(id));
            let subjects = subjects.ok_or_else(|| Refusal::not_found(&format!("Batch {id}")))?;
            let work = subjects
                .into_iter()
                .map(|(kind, id, locale)| Work::Move {
                    kind,
                    locale,
                    id,
                    step,
                })
                .collect();
            Ok(Reply::Batch(world.submit(
                Operation::Workflow(step),
                work,
                call.spoil,
            )))
        }
        (Verb::Post, []) => custom_batch(world, call),
        _ => no_route(),
    }
}

/// `POST batch`: a workflow step on rows of any kind and locale, split into batches.
fn custom_batch(world: &mut World, call: &Call) -> Answer {
    let body = call.row()?;
    let step = row::text(&body, "operation").and_then(WorkflowStep::parse);
    let step =
        step.ok_or_else(|| Refusal::invalid("operation", "The operation field is required."))?;
    let rows: Vec<&Row> = row::objects(&body, "items").collect();
    if rows.is_empty() {
        return Err(Refusal::invalid("items", "At least one item is required."));
    }
    let work: Vec<Work> = rows
        .iter()
        .filter_map(|row| custom_row(world, row, step))
        .collect();
    let (queued, failed) = (work.len(), rows.len() - work.len());
    let parts = work.chunks(MOST);
    let ids: Vec<i64> = parts
        .map(|part| world.submit(Operation::Workflow(step), part.to_vec(), call.spoil))
        .collect();
    Ok(Reply::Json(
        json!({ "batchIDs": ids, "batchCount": ids.len(), "itemCount": queued, "failedItemCount": failed }),
    ))
}

fn custom_row(world: &World, row: &Row, step: WorkflowStep) -> Option<Work> {
    let kind = match row::int(row, "itemType")? {
        1 => ItemKind::Page,
        2 => ItemKind::Content,
        _ => return None,
    };
    let locale = world.locale(row::text(row, "languageCode")?)?;
    Some(Work::Move {
        kind,
        locale,
        id: row::id(row, "itemID")?,
        step,
    })
}
