//! URL redirections: saved in bulk, each row on its own.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::ids::IdKind;
use super::names::Names;
use super::text::zulu;
use super::{World, row};
use crate::mock::file::Row;

/// The redirections of an instance, with the moment of the last change.
#[derive(Clone, Debug)]
pub(crate) struct Redirections {
    rows: BTreeMap<i64, Row>,
    origins: HashMap<String, i64>,
    names: Names,
    changed: Timestamp,
}

impl Redirections {
    pub(super) fn new(names: Names) -> Self {
        Self {
            rows: BTreeMap::new(),
            origins: HashMap::new(),
            names,
            changed: Timestamp::now(),
        }
    }

    fn origin(&self, row: &Row) -> String {
        let origin = row::text(row, "originUrl").unwrap_or_default();
        match self.names {
            Names::Exact => origin.trim().to_owned(),
            Names::Usual | Names::Folded | Names::Loose => self.names.key(origin),
        }
    }

    pub(crate) fn contains(&self, id: i64) -> bool {
        self.rows.contains_key(&id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }

    pub(super) fn put(&mut self, id: i64, row: Row) {
        self.remove(id);
        self.origins.insert(self.origin(&row), id);
        self.rows.insert(id, row);
        self.changed = Timestamp::now();
    }

    fn remove(&mut self, id: i64) -> Option<Row> {
        let old = self.rows.remove(&id)?;
        self.origins.remove(&self.origin(&old));
        self.changed = Timestamp::now();
        Some(old)
    }
}

/// What a row of a save came to.
enum Saved {
    Created(i64),
    Updated(i64),
    Skipped(String),
}

impl World {
    /// Saves rows; each result names the position of its row in the request.
    pub(crate) fn save_redirections(&mut self, posted: &[Value]) -> Value {
        let (mut created, mut updated, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
        for (index, value) in posted.iter().enumerate() {
            let empty = Row::new();
            let row = value.as_object().unwrap_or(&empty);
            let result = |id: i64| json!({ "index": index, "urlRedirectionID": id, "originUrl": row.get("originUrl") });
            match self.save_redirection(row) {
                Saved::Created(id) => created.push(result(id)),
                Saved::Updated(id) => updated.push(result(id)),
                Saved::Skipped(reason) => {
                    let mut row = result(row::id(row, "urlRedirectionID").unwrap_or(0));
                    row["reason"] = reason.into();
                    skipped.push(row);
                }
            }
        }
        json!({ "created": created, "updated": updated, "skipped": skipped })
    }

    fn save_redirection(&mut self, posted: &Row) -> Saved {
        let id = row::id(posted, "urlRedirectionID");
        if row::filled(posted, "originUrl").is_none()
            || row::filled(posted, "destinationUrl").is_none()
        {
            return Saved::Skipped("originUrl and destinationUrl are required.".to_owned());
        }
        let code = row::int(posted, "httpCode").unwrap_or(0);
        if ![301, 302].contains(&code) {
            return Saved::Skipped("httpCode must be 301 or 302.".to_owned());
        }
        if id.is_some_and(|id| !self.redirections.contains(id)) {
            return Saved::Skipped("The redirection does not exist.".to_owned());
        }
        let holder = self
            .redirections
            .origins
            .get(&self.redirections.origin(posted));
        let holder = holder.copied();
        let id = id.or(holder.filter(|_| self.rules.replaces));
        if holder.is_some_and(|other| Some(other) != id) {
            return Saved::Skipped("A redirection with this originUrl already exists.".to_owned());
        }
        let created = id.is_none();
        let id = id.unwrap_or_else(|| self.next_id(IdKind::Redirection));
        let copy = |key: &str| row::get(posted, key).cloned().unwrap_or(Value::Null);
        let saved = json!({
            "urlRedirectionID": id, "originUrl": row::text(posted, "originUrl").unwrap_or_default().trim(),
            "destinationUrl": copy("destinationUrl"), "httpCode": code, "destinationLocale": copy("destinationLocale"),
            "originLocales": row::get(posted, "originLocales").cloned().unwrap_or_else(|| json!([])), "content": copy("content")
        });
        let mut saved = row::row(saved);
        self.receive("redirection", &mut saved);
        self.redirections.put(id, saved);
        if created {
            Saved::Created(id)
        } else {
            Saved::Updated(id)
        }
    }

    /// Removes redirections by id.
    pub(crate) fn delete_redirections(&mut self, ids: &[i64]) -> Value {
        let (mut deleted, mut missing) = (Vec::new(), Vec::new());
        for id in ids {
            match self.redirections.remove(*id) {
                Some(_) => deleted.push(*id),
                None => missing.push(*id),
            }
        }
        json!({ "deleted": deleted, "notFound": missing })
    }

    /// The Fetch API's answer: all rows, or none when nothing changed since `last_access`.
    pub(crate) fn redirections_for_fetch(&self, last_access: Option<&str>) -> Value {
        let last_access: Option<Timestamp> = last_access.and_then(|text| text.parse().ok());
        let changed = self.redirections.changed;
        // The moment handed out is above the last change even within its millisecond.
        let now = Timestamp::now().max(
            changed
                .checked_add(SignedDuration::from_millis(2))
                .unwrap_or(changed),
        );
        let up_to_date = last_access.is_some_and(|last| last > changed);
        let rows = self.redirections.rows.values().filter(|_| !up_to_date).map(|row| {
            json!({
                "id": row.get("urlRedirectionID"), "originUrl": row.get("originUrl"), "destinationUrl": row.get("destinationUrl"),
                "statusCode": row.get("httpCode"), "destinationLocale": row.get("destinationLocale"),
                "originLocales": row.get("originLocales"), "content": row.get("content")
            })
        });
        json!({ "items": rows.collect::<Vec<_>>(), "isUpToDate": up_to_date, "lastAccessDate": zulu(now) })
    }
}
