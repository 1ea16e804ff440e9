//! Writing: bodies with the ids where the API needs them, deletions, and what the target answers.

mod delete;
mod form;
mod redirections;
mod submit;
mod upload;

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::domain::{Exact, Id, Kind, TargetId};
use crate::instance::{Cause, RequestError, Save, Saved};

use super::client::{Call, Client, Payload};
use super::read::encoded;
use super::shape::{self, ShapeError};

pub(crate) use delete::delete;
pub(crate) use form::Form;
pub(crate) use redirections::save_redirections;
pub(crate) use submit::{submit_items, submit_page, submit_workflow};
pub(crate) use upload::{move_asset, upload};

/// Saves a model, container, template or gallery.
pub(crate) async fn save(client: &Client, save: &Save) -> Result<Saved, RequestError> {
    let operation = format!("saving {} {:?} on {}", save.kind, save.name, client.guid);
    let refused = |odd: ShapeError| unsendable(operation.clone(), &odd);
    let path = save_path(save).map_err(refused)?;
    let body = body_with_id(save).map_err(refused)?;
    let payload = one(body, &save.numbers);
    let reply = client.send(Call::post(operation, path, payload)).await?;
    reply.understand(|stored| saved(save.kind, &stored))
}

fn save_path(save: &Save) -> Result<String, ShapeError> {
    match save.kind {
        Kind::Model => Ok("model".to_owned()),
        // Otherwise the server may rename the container, and every reference to its name breaks.
        Kind::Container => Ok("container?forceReferenceName=true".to_owned()),
        Kind::Gallery => Ok("asset/gallery".to_owned()),
        Kind::Template => {
            let locale = save.locale.as_ref();
            let locale =
                locale.ok_or_else(|| ShapeError("a template needs a locale".to_owned()))?;
            Ok(format!("{}/page/template", encoded(locale.as_str())))
        }
        Kind::Asset | Kind::Content | Kind::Page | Kind::Redirection => Err(ShapeError(format!(
            "a {} is not saved in this way",
            save.kind
        ))),
    }
}

/// The member that holds the id of a kind, and what it holds for something new ("Creating and updating").
const fn id_member(kind: Kind) -> (&'static str, i64) {
    match kind {
        Kind::Model => ("id", 0),
        Kind::Container => ("contentViewID", -1),
        Kind::Template => ("pageTemplateID", -1),
        Kind::Gallery => ("mediaGroupingID", 0),
        Kind::Asset => ("mediaID", 0),
        Kind::Content => ("contentID", -1),
        Kind::Page => ("pageID", -1),
        Kind::Redirection => ("urlRedirectionID", 0),
    }
}

/// The body of `save` with the id in its member, at the place where it stands already, else first.
fn body_with_id(save: &Save) -> Result<Map<String, Value>, ShapeError> {
    let Value::Object(body) = &*save.body else {
        return Err(ShapeError("the body is not a JSON object".to_owned()));
    };
    let (member, new) = id_member(save.kind);
    let id = Value::from(save.id.map_or(new, Id::raw));
    let mut body = body.clone();
    shape::rename_members(&mut body, &[member]);
    if body.contains_key(member) {
        body.insert(member.to_owned(), id);
    } else {
        body.shift_insert(0, member.to_owned(), id);
    }
    Ok(body)
}

/// What the server stored. Without an id there is no telling whether it stored anything.
fn saved(kind: Kind, stored: &Value) -> Result<Saved, ShapeError> {
    let (member, _) = id_member(kind);
    let id = shape::int(stored, member).filter(|id| *id > 0);
    let id = id.ok_or_else(|| ShapeError(format!("the stored {kind} has no {member}")))?;
    let name = match kind {
        Kind::Model | Kind::Container => shape::text(stored, "referenceName"),
        Kind::Template => shape::text(stored, "pageTemplateName"),
        Kind::Gallery | Kind::Asset | Kind::Content | Kind::Page | Kind::Redirection => None,
    };
    Ok(Saved {
        id: TargetId::new(id),
        version: None,
        name: name.map(Into::into),
        urls: None,
    })
}

/// One body, with its numbers as they were written.
fn one(body: Map<String, Value>, numbers: &Exact) -> Payload {
    Payload::Json(printed(body, numbers).into_bytes())
}

/// Bodies with their ids, in the same way.
fn list(saves: &[Save]) -> Result<Payload, ShapeError> {
    let bodies: Result<Vec<_>, _> = saves
        .iter()
        .map(|save| body_with_id(save).map(|body| printed(body, &save.numbers)))
        .collect();
    Ok(Payload::Json(
        format!("[{}]", bodies?.join(",")).into_bytes(),
    ))
}

fn printed(body: Map<String, Value>, numbers: &Exact) -> String {
    let text = Value::Object(body).to_string();
    match numbers.restore(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(exact) => exact,
    }
}

/// The complaint that something cannot be sent.
fn unsendable(operation: String, odd: &ShapeError) -> RequestError {
    RequestError::new(operation, Cause::Content(odd.0.clone()))
}

#[cfg(test)]
mod tests;
