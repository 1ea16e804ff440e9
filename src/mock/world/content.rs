//! Content items: one id, a version per locale, saved by the batch worker.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::{Value, json};

use super::batch::Done;
use super::failure::Failure;
use super::feed::Mode;
use super::fields::Definition;
use super::ids::IdKind;
use super::{DELETED, Version, World, fields, row};
use crate::mock::file::Row;

/// A content item.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// Its container; `None` for a row of a state file that names one that does not exist.
    container: Option<i64>,
    versions: BTreeMap<usize, Version>,
}

/// The content items of an instance.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    items: BTreeMap<i64, Item>,
    lists: HashMap<i64, BTreeSet<i64>>,
}

impl Contents {
    pub(crate) fn contains(&self, id: i64) -> bool {
        self.items.contains_key(&id)
    }

    /// Whether some locale has a version of it that is not deleted.
    pub(crate) fn is_alive(&self, id: i64) -> bool {
        self.items
            .get(&id)
            .is_some_and(|item| item.versions.values().any(|version| !version.is_deleted()))
    }

    pub(crate) fn version(&self, locale: usize, id: i64) -> Option<&Version> {
        self.items.get(&id)?.versions.get(&locale)
    }

    fn version_mut(&mut self, locale: usize, id: i64) -> Option<&mut Version> {
        self.items.get_mut(&id)?.versions.get_mut(&locale)
    }

    /// The container of an item.
    pub(super) fn container(&self, id: i64) -> Option<i64> {
        self.items.get(&id)?.container
    }

    pub(super) fn put(&mut self, id: i64, container: Option<i64>, locale: usize, version: Version) {
        let item = self.items.entry(id).or_insert_with(|| Item {
            container,
            versions: BTreeMap::new(),
        });
        item.versions.insert(locale, version);
        if let Some(container) = item.container {
            self.lists.entry(container).or_default().insert(id);
        }
    }

    /// Ids of a container's items, ascending, whatever their locales and states.
    pub(super) fn of_container(&self, container: i64) -> impl Iterator<Item = i64> {
        self.lists.get(&container).into_iter().flatten().copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (i64, usize, &Version)> {
        self.items.iter().flat_map(|(id, item)| {
            item.versions
                .iter()
                .map(|(locale, version)| (*id, *locale, version))
        })
    }
}

/// Rows of a list with the number of all rows.
pub(crate) struct Listing {
    pub(crate) rows: Vec<Value>,
    pub(crate) total: usize,
}

/// Where a save goes.
struct TargetList {
    container: i64,
    name: String,
    model: String,
    definition: Arc<Definition>,
}

pub(super) fn order_of(row: &Row) -> i64 {
    row::object(row, "properties")
        .and_then(|properties| row::int(properties, "itemOrder"))
        .unwrap_or(i64::MAX)
}

impl World {
    /// The `ContentItem` row as the Management API gives it; a deleted one in state 3.
    pub(crate) fn content_row(&self, locale: usize, id: i64) -> Option<Value> {
        let version = self.contents.version(locale, id)?;
        let mut row = (*version.latest).clone();
        if let Some(name) = self.list_name(id, &row)
            && let Some(properties) = row.get_mut("properties").and_then(Value::as_object_mut)
        {
            row::set(properties, "referenceName", name);
        }
        self.lower_names(id, &mut row);
        Some(Value::Object(row))
    }

    /// Shows names of lists in selections in lower case, as the vendor's servers answer whatever case they have stored
    /// (vendor's guide for authors, July 2026).
    fn lower_names(&self, id: i64, row: &mut Row) {
        let Some(definition) = self.definition_of_item(id) else {
            return;
        };
        let Some(Value::Object(fields)) = row.get_mut("fields") else {
            return;
        };
        let named = fields::named_lists(&definition, fields);
        let lower: Vec<(String, String)> = named
            .filter(|(_, list)| self.container_named(list).is_some())
            .map(|(field, list)| (field.to_owned(), list.to_lowercase()))
            .collect();
        for (field, list) in lower {
            fields.insert(field, list.into());
        }
    }

    fn definition_of_item(&self, id: i64) -> Option<Arc<Definition>> {
        self.definition_of_list(self.containers.get(self.contents.container(id)?)?)
    }

    /// The definition of the items of a container.
    pub(super) fn definition_of_list(&self, list: &Row) -> Option<Arc<Definition>> {
        self.definition(row::id(list, "contentDefinitionID")?)
    }

    /// Selections that the vendor's editor shows empty, because the name of the list is stored in another case than the list
    /// has; no read shows that.
    pub(crate) fn blank_fields(&self) -> Vec<Value> {
        let mut blank = Vec::new();
        for (id, locale, version) in self.contents.iter() {
            let Some(definition) = self.definition_of_item(id) else {
                continue;
            };
            let Some(fields) = row::object(&version.latest, "fields") else {
                continue;
            };
            for (field, stored) in fields::named_lists(&definition, fields) {
                let list = self.container_named(stored);
                let name = list.and_then(|list| row::text(list, "referenceName"));
                if let Some(name) = name.filter(|name| *name != stored) {
                    blank.push(json!({
                        "guid": self.guid, "locale": self.locales[locale].code, "contentID": id,
                        "field": field, "stored": stored, "container": name,
                    }));
                }
            }
        }
        blank
    }

    /// The row as the Fetch API shows it; `None` when the mode does not show it.
    pub(crate) fn content_for_fetch(&self, locale: usize, id: i64, mode: Mode) -> Option<Value> {
        let mut shown = Row::clone(self.contents.version(locale, id)?.shown(mode)?);
        let name = self.list_name(id, &shown);
        self.lower_names(id, &mut shown);
        let for_fetch = |(key, value): (String, Value)| match (key.as_str(), value) {
            ("fields", Value::Object(fields)) => (key, fields::for_fetch(fields).into()),
            (_, value) => (key, value),
        };
        let mut out: Row = shown.into_iter().map(for_fetch).collect();
        if let (Some(name), Some(properties)) = (
            name,
            out.get_mut("properties").and_then(Value::as_object_mut),
        ) {
            row::set(properties, "referenceName", name);
        }
        Some(Value::Object(out))
    }

    /// The container's name where it is no longer the one that the row carries, apart from case.
    fn list_name(&self, id: i64, row: &Row) -> Option<String> {
        let container = self.containers.get(self.contents.container(id)?)?;
        let name = row::text(container, "referenceName")?;
        let stored = row::object(row, "properties")
            .and_then(|properties| row::text(properties, "referenceName"));
        let differs = stored.is_none_or(|stored| !stored.eq_ignore_ascii_case(name));
        differs.then(|| name.to_owned())
    }

    /// One page of the sync feed: the token to continue with, and the rows. Past the end, the same token and
    /// no rows. A first sync (token 0) gets no deletions on its first page.
    pub(crate) fn sync_content(
        &self,
        locale: usize,
        mode: Mode,
        token: i64,
        size: usize,
    ) -> (i64, Vec<Value>) {
        let feed = self.locales[locale].content_feeds.of(mode);
        let mut last = token;
        let mut rows = Vec::new();
        for (at, id) in feed.after(token) {
            if rows.len() >= size {
                break;
            }
            last = at;
            match self.content_for_fetch(locale, id, mode) {
                Some(row) => rows.push(row),
                None if token > 0 => {
                    rows.push(deleted_row(
                        "contentID",
                        id,
                        self.contents.version(locale, id),
                    ));
                }
                None => {}
            }
        }
        (last, rows)
    }

    /// Items of a container in one locale, as a mode shows them, by `itemOrder` and then id.
    pub(crate) fn shown_items(&self, container: i64, locale: usize, mode: Mode) -> Vec<i64> {
        let shown = self.contents.of_container(container).filter_map(|id| {
            let row = self.contents.version(locale, id)?.shown(mode)?;
            Some((order_of(row), id))
        });
        let mut shown: Vec<(i64, i64)> = shown.collect();
        shown.sort_unstable();
        shown.into_iter().map(|(_, id)| id).collect()
    }

    pub(crate) fn content_version(&self, locale: usize, id: i64) -> Option<&Version> {
        self.contents.version(locale, id)
    }

    pub(super) fn content_version_mut(&mut self, locale: usize, id: i64) -> Option<&mut Version> {
        self.contents.version_mut(locale, id)
    }

    /// A save as the batch worker does it: replaces the locale's version, or makes a new item.
    pub(super) fn save_content(&mut self, locale: usize, posted: &Row) -> Result<Done, Failure> {
        let mut changed = None;
        if !self.keeps("content") {
            self.receive("content", changed.insert(posted.clone()));
        }
        let posted = changed.as_ref().unwrap_or(posted);
        let empty = Row::new();
        let id = row::id(posted, "contentID");
        let properties = row::object(posted, "properties").unwrap_or(&empty);
        let list = self.list_of_save(locale, id, properties)?;
        let values = row::object(posted, "fields").unwrap_or(&empty);
        let values = fields::settle(&list.definition, values, self)?;
        let id = id.unwrap_or_else(|| self.next_id(IdKind::Content));
        let order = row::int(properties, "itemOrder");
        let order = order.unwrap_or_else(|| self.last_order(list.container, locale) + 1);
        let mut saved = row::row(json!({
            "contentID": id,
            "properties": {
                "state": 1, "modified": null, "modifiedBy": 12, "versionID": null, "referenceName": list.name,
                "definitionName": list.model, "itemOrder": order, "releaseDate": row::get(properties, "releaseDate"),
                "pullDate": row::get(properties, "pullDate")
            },
            "fields": null, "seo": row::get(posted, "seo"), "scripts": row::get(posted, "scripts")
        }));
        row::set(&mut saved, "fields", values);
        Ok(self.store_content(locale, id, list.container, saved))
    }

    /// The container that a save names, with its model; checks that the item may be saved there.
    fn list_of_save(
        &self,
        locale: usize,
        id: Option<i64>,
        properties: &Row,
    ) -> Result<TargetList, Failure> {
        if let Some(id) = id {
            self.check_save(locale, id)?;
        }
        let name = row::filled(properties, "referenceName");
        let container = name
            .and_then(|name| self.containers.by_name(name))
            .ok_or(Failure::NullReference)?;
        let old = id.and_then(|id| self.contents.container(id));
        if old.is_some_and(|old| old != container) {
            return Err(Failure::Plain(
                "The content item belongs to another list.".to_owned(),
            ));
        }
        let found = self.containers.get(container).and_then(|list| {
            let model = row::id(list, "contentDefinitionID")?;
            let text = |row: &Row| {
                row::text(row, "referenceName")
                    .unwrap_or_default()
                    .to_owned()
            };
            let (name, definition) = (text(list), self.definition(model)?);
            Some(TargetList {
                container,
                name,
                model: text(self.models.get(model)?),
                definition,
            })
        });
        found.ok_or(Failure::NullReference)
    }

    fn check_save(&self, locale: usize, id: i64) -> Result<(), Failure> {
        if !self.contents.contains(id) {
            return Err(Failure::Plain(format!("Content item {id} does not exist.")));
        }
        let dead = match self.contents.version(locale, id) {
            Some(version) => version.is_deleted(),
            None => !self.contents.is_alive(id),
        };
        if dead {
            Err(Failure::Plain(format!(
                "Content item {id} has been deleted."
            )))
        } else {
            Ok(())
        }
    }

    fn last_order(&self, container: i64, locale: usize) -> i64 {
        let rows = self
            .contents
            .of_container(container)
            .filter_map(|id| self.contents.version(locale, id));
        rows.map(|version| order_of(&version.latest))
            .filter(|order| *order < i64::MAX)
            .max()
            .unwrap_or(-1)
    }

    pub(super) fn store_content(
        &mut self,
        locale: usize,
        id: i64,
        container: i64,
        saved: Row,
    ) -> Done {
        let number = self.next_version();
        let title = title_of(&saved);
        match self.contents.version_mut(locale, id) {
            Some(version) => {
                version.latest = saved.into();
                version.advance(number, 1);
            }
            None => self
                .contents
                .put(id, Some(container), locale, Version::new(saved, number, 1)),
        }
        self.content_changed(locale, id, &[Mode::Preview]);
        Done {
            id,
            version: number,
            title,
        }
    }

    /// A copy of an item under a new id in the same container, for pages that do not link to existing
    /// components.
    pub(super) fn clone_content(&mut self, locale: usize, id: i64) -> Option<i64> {
        let item = self.contents.items.get(&id)?;
        let container = item.container?;
        let version = item
            .versions
            .get(&locale)
            .or_else(|| item.versions.values().next())?;
        let mut copy = (*version.latest).clone();
        let new = self.next_id(IdKind::Content);
        row::set(&mut copy, "contentID", new);
        Some(self.store_content(locale, new, container, copy).id)
    }

    pub(super) fn delete_content(&mut self, locale: usize, id: i64) -> Result<Done, Failure> {
        let number = self.next_version();
        let version = self
            .contents
            .version_mut(locale, id)
            .filter(|version| !version.is_deleted());
        let version =
            version.ok_or_else(|| Failure::Plain(format!("Content item {id} does not exist.")))?;
        version.advance(number, DELETED);
        let title = title_of(&version.latest);
        self.content_changed(locale, id, &[Mode::Preview, Mode::Fetch]);
        Ok(Done {
            id,
            version: number,
            title,
        })
    }

    /// Deletes what is in a container, with the container.
    pub(super) fn empty_container(&mut self, container: i64) {
        let ids: Vec<i64> = self.contents.of_container(container).collect();
        let locales = self.locales.len();
        for (id, locale) in ids
            .iter()
            .flat_map(|id| (0..locales).map(move |locale| (*id, locale)))
        {
            // An item that is missing or deleted in a locale already is as it should be.
            drop(self.delete_content(locale, id));
        }
    }

    /// Drops the values of fields that a model no longer has.
    pub(super) fn drop_fields(&mut self, model: i64, removed: &[String]) {
        let containers = self
            .containers
            .iter()
            .filter(|(_, row)| row::id(row, "contentDefinitionID") == Some(model));
        let ids: Vec<i64> = containers
            .flat_map(|(container, _)| self.contents.of_container(container))
            .collect();
        for id in ids {
            let Some(item) = self.contents.items.get_mut(&id) else {
                continue;
            };
            for version in item.versions.values_mut() {
                let fields = Arc::make_mut(&mut version.latest).get_mut("fields");
                if let Some(fields) = fields.and_then(Value::as_object_mut) {
                    fields.retain(|key, _| !removed.contains(&super::text::field_key(key)));
                }
            }
        }
    }
}

/// What a sync reports about a row that is no longer shown.
pub(super) fn deleted_row(id_key: &str, id: i64, version: Option<&Version>) -> Value {
    let number = version
        .and_then(|version| version.history.last())
        .map(|moment| moment.version);
    json!({ id_key: id, "properties": { "state": DELETED, "versionID": number } })
}

/// The first text field, as the editor's list shows it.
fn title_of(row: &Row) -> Option<String> {
    let fields = row::object(row, "fields")?;
    fields
        .values()
        .find_map(Value::as_str)
        .map(|text| text.chars().take(100).collect())
}
