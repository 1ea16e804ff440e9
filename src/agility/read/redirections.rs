//! URL redirections, which only the Fetch API lists.

use serde_json::Value;

use crate::domain::{Id, Kind};
use crate::instance::{ReadResponse, Record};

use super::super::page::Page;
use super::super::shape::{self, ShapeError};
use super::plain;

/// The status of a redirection that states none.
const DEFAULT_STATUS: i64 = 301;

const MEMBERS: [&str; 7] = [
    "urlRedirectionID",
    "originUrl",
    "destinationUrl",
    "httpCode",
    "destinationLocale",
    "originLocales",
    "content",
];

/// `GET urlredirection`: `{ items, isUpToDate, lastAccessDate }`. Asked without a date it lists all.
pub(super) fn list<I: Id>(page: &Page<'_>) -> Result<ReadResponse<I>, ShapeError> {
    Ok(ReadResponse {
        found: page.each(row)?,
        follow_ups: Vec::new(),
    })
}

/// One rule, with the member names of the Management API in place of the Fetch API's `id` and `statusCode`.
pub(super) fn row<I: Id>(mut row: Value) -> Result<Record<I>, ShapeError> {
    let map = shape::object(&mut row)?;
    shape::rename_members(map, &MEMBERS);
    shape::rename_members(map, &["id", "statusCode"]);
    for (fetch, management) in [("id", "urlRedirectionID"), ("statusCode", "httpCode")] {
        let told = map.shift_remove(fetch);
        if let (Some(told), false) = (told, map.contains_key(management)) {
            map.insert(management.to_owned(), told);
        }
    }
    let status = map.get("httpCode").and_then(shape::as_int);
    let status = status
        .filter(|status| *status > 0)
        .unwrap_or(DEFAULT_STATUS);
    map.insert("httpCode".to_owned(), Value::from(status));
    plain(Kind::Redirection, ("urlRedirectionID", "originUrl"), &row)
}
