//! Deleting: one entity in one request.
//!
//! Deletion is soft on the real service: content and pages go to state 3 and leave every list, other rows say
//! `isDeleted`. Neither can be undone through the API, so what is deleted here is gone for us.

use serde_json::Value;

use crate::domain::{Kind, Locale};
use crate::instance::{Cause, DeleteRequest, Deleted, RequestError};

use super::super::client::{Call, Client};
use super::super::read::encoded;
use super::super::shape::{self, ShapeError};
use super::submit::batch_id;
use super::unsendable;

/// `DELETE` at the path of the kind. An answer of 404 means that there is nothing to delete.
pub(crate) async fn delete(
    client: &Client,
    doomed: &DeleteRequest,
) -> Result<Deleted, RequestError> {
    let operation = format!(
        "deleting {} {} {:?} on {}",
        doomed.kind, doomed.id, doomed.name, client.guid
    );
    let path = path(doomed).map_err(|odd| unsendable(operation.clone(), &odd))?;
    let reply = match client.send(Call::delete(operation, path)).await {
        Ok(reply) => reply,
        Err(error) if error.cause == Cause::NotFound => return Ok(Deleted::Absent),
        Err(error) => return Err(error),
    };
    match doomed.kind {
        Kind::Content | Kind::Page => {
            reply.understand(|answer| batch_id(&answer).map(Deleted::Later))
        }
        Kind::Redirection => reply.understand(|answer| redirection(doomed, &answer)),
        // The words of the others say nothing that the status does not.
        Kind::Model | Kind::Container | Kind::Template | Kind::Gallery | Kind::Asset => {
            Ok(Deleted::Now)
        }
    }
}

/// Paths of sections 2.1 to 2.8 of the vendor's API description.
fn path(doomed: &DeleteRequest) -> Result<String, ShapeError> {
    let id = doomed.id;
    let in_locale = || {
        let locale = doomed.locale.as_ref().map(Locale::as_str).map(encoded);
        locale.ok_or_else(|| ShapeError(format!("a {} is deleted in a locale", doomed.kind)))
    };
    Ok(match doomed.kind {
        Kind::Model => format!("model/{id}"),
        Kind::Container => format!("container/{id}"),
        Kind::Template => format!("{}/page/template/{id}", in_locale()?),
        Kind::Gallery => format!("asset/gallery/{id}"),
        Kind::Asset => format!("asset/delete/{id}"),
        Kind::Content => format!("{}/item/{id}", in_locale()?),
        Kind::Page => format!("{}/page/{id}", in_locale()?),
        Kind::Redirection => format!("url-redirections?ids={id}"),
    })
}

/// `{ deleted: [ids], notFound: [ids] }`.
fn redirection(doomed: &DeleteRequest, answer: &Value) -> Result<Deleted, ShapeError> {
    let id = crate::domain::Id::raw(doomed.id);
    let lists = |name: &str| {
        let ids = shape::member(answer, name).and_then(Value::as_array);
        ids.into_iter()
            .flatten()
            .any(|other| shape::as_int(other) == Some(id))
    };
    match (lists("deleted"), lists("notFound")) {
        (true, _) => Ok(Deleted::Now),
        (false, true) => Ok(Deleted::Absent),
        (false, false) => Err(ShapeError(
            "the answer does not mention the redirection".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Id, TargetId};
    use serde_json::json;

    fn doomed(kind: Kind) -> DeleteRequest {
        DeleteRequest {
            kind,
            id: TargetId::new(7),
            locale: Some(Locale::new("fr-ca")),
            name: "x".into(),
        }
    }

    #[test]
    fn every_kind_has_its_path() {
        let paths = Kind::ALL.map(|kind| path(&doomed(kind)).unwrap());
        assert_eq!(
            paths,
            [
                "model/7",
                "container/7",
                "fr-ca/page/template/7",
                "asset/gallery/7",
                "asset/delete/7",
                "fr-ca/item/7",
                "fr-ca/page/7",
                "url-redirections?ids=7",
            ]
        );
        let nowhere = DeleteRequest {
            locale: None,
            ..doomed(Kind::Page)
        };
        assert!(path(&nowhere).is_err());
    }

    #[test]
    fn a_redirection_is_gone_when_the_answer_says_so() {
        let row = doomed(Kind::Redirection);
        let told = |answer| redirection(&row, &answer);
        assert_eq!(
            told(json!({"deleted": [7], "notFound": []})),
            Ok(Deleted::Now)
        );
        assert_eq!(
            told(json!({"Deleted": [], "NotFound": ["7"]})),
            Ok(Deleted::Absent)
        );
        assert!(told(json!({"deleted": [8]})).is_err());
    }
}
