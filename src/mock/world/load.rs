//! From a state file to a world.
//!
//! Loading is lenient where fixtures need broken instances (a link to a list that is gone, content of a
//! container that never was) and strict where a row could not be served at all.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use thiserror::Error;

use super::blob::Blob;
use super::feed::Mode;
use super::ids::{IdKind, Ids};
use super::page::{Place, page_in_stored_form};
use super::table::Table;
use super::text::now;
use super::{
    Feeds, Locale, Moment, Version, World, builtin, fields, gallery, model, row, template,
};
use crate::mock::file::{BASE_PLACEHOLDER, ChannelFile, InstanceFile, Row};

/// Why an instance of a state file cannot be played.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum LoadError {
    /// A GUID that is blank or cannot be a path segment.
    #[error("`{0}` cannot be the GUID of an instance")]
    Guid(String),
    /// Two instances of one GUID.
    #[error("instance {0} is there twice")]
    Duplicate(String),
    /// No locale at all.
    #[error("instance {0} has no locale")]
    NoLocale(String),
    /// A row that lacks what it is found by, or has what it may not have.
    #[error("instance {guid}, {kind} row {index}: {problem}")]
    Row {
        /// The instance.
        guid: String,
        /// The list, such as `content`.
        kind: &'static str,
        /// Position in the list, from 0.
        index: usize,
        /// What is wrong.
        problem: String,
    },
}

impl World {
    /// Builds the world of one instance for a server at `base`.
    ///
    /// # Errors
    /// The first row that cannot be served.
    pub(crate) fn load(file: &InstanceFile, base: &str) -> Result<Self, LoadError> {
        let mut world = Self::empty(file, base)?;
        world.load_definitions(file)?;
        world.load_assets(file)?;
        for (index, row) in file.content.iter().enumerate() {
            world
                .load_content(row)
                .map_err(|problem| wrong(file, "content", index, problem))?;
        }
        world.load_pages(file)?;
        for (index, row) in file.redirections.iter().enumerate() {
            let id = row::id(row, "urlRedirectionID")
                .unwrap_or_else(|| world.next_id(IdKind::Redirection));
            let mut row = world.resolved(row);
            row::set(&mut row, "urlRedirectionID", id);
            let problem = || "originUrl is missing".to_owned();
            row::filled(&row, "originUrl")
                .ok_or_else(problem)
                .map_err(|problem| wrong(file, "redirections", index, problem))?;
            world.redirections.put(id, row);
        }
        Ok(world)
    }

    fn empty(file: &InstanceFile, base: &str) -> Result<Self, LoadError> {
        if file.guid.trim().is_empty() || file.guid.contains(['/', '?', '#', ' ']) {
            return Err(LoadError::Guid(file.guid.clone()));
        }
        if file.locales.is_empty() {
            return Err(LoadError::NoLocale(file.guid.clone()));
        }
        let mut ids = Ids::new(&file.guid, file.first_id);
        let locale = |code: &String| Locale {
            id: ids.next(IdKind::Locale, |_| false),
            code: code.clone(),
            content_feeds: Feeds::default(),
            page_feeds: Feeds::default(),
        };
        let locales = file.locales.iter().map(locale).collect();
        let or_guid = |text: &String| {
            if text.is_empty() {
                file.guid.clone()
            } else {
                text.clone()
            }
        };
        let channels = if file.channels.is_empty() {
            vec![ChannelFile {
                id: 1,
                name: "Website".to_owned(),
            }]
        } else {
            file.channels.clone()
        };
        Ok(Self {
            guid: file.guid.clone(),
            name: or_guid(&file.name),
            base: base.to_owned(),
            asset_container: or_guid(&file.asset_container),
            asset_container_id: ids.next(IdKind::AssetContainer, |_| false),
            locales,
            channels,
            first_id: file.first_id,
            ids,
            change: 0,
            models: Table::new("referenceName"),
            containers: Table::new("referenceName"),
            templates: Table::new("pageTemplateName"),
            galleries: Table::new("name"),
            assets: super::asset::Assets::default(),
            contents: super::content::Contents::default(),
            pages: super::page::Pages::default(),
            redirections: super::redirection::Redirections::default(),
            batches: super::batch::Batches::default(),
        })
    }

    /// The row with the placeholder of the base URL filled in.
    fn resolved(&self, row: &Row) -> Row {
        let mut value = Value::Object(row.clone());
        replace_text(&mut value, BASE_PLACEHOLDER, &self.base);
        row::row(value)
    }

    fn load_definitions(&mut self, file: &InstanceFile) -> Result<(), LoadError> {
        // Rows with ids first, so that ids for the others skip them.
        for (row, id) in with_ids(
            &file.models,
            "id",
            |kind, index, problem| wrong(file, kind, index, problem),
            "models",
        )? {
            self.load_model(row, id);
        }
        builtin::add_models(self);
        for (mut row, id) in with_ids(
            &file.containers,
            "contentViewID",
            |kind, index, problem| wrong(file, kind, index, problem),
            "containers",
        )? {
            let id = id.unwrap_or_else(|| self.next_id(IdKind::Container));
            row::set(&mut row, "contentViewID", id);
            self.complete_container(&mut row);
            self.containers.put(id, row);
        }
        builtin::add_containers(self);
        for (mut row, id) in with_ids(
            &file.templates,
            "pageTemplateID",
            |kind, index, problem| wrong(file, kind, index, problem),
            "templates",
        )? {
            let id = id.unwrap_or_else(|| self.next_id(IdKind::Template));
            row::set(&mut row, "pageTemplateID", id);
            template::complete(&mut row);
            self.templates.put(id, row);
        }
        for (mut row, id) in with_ids(
            &file.galleries,
            "mediaGroupingID",
            |kind, index, problem| wrong(file, kind, index, problem),
            "galleries",
        )? {
            let id = id.unwrap_or_else(|| self.next_id(IdKind::Gallery));
            row::set(&mut row, "mediaGroupingID", id);
            gallery::complete(&mut row);
            self.galleries.put(id, row);
        }
        Ok(())
    }

    fn load_model(&mut self, mut row: Row, id: Option<i64>) {
        let id = id.unwrap_or_else(|| self.next_id(IdKind::Model));
        row::set(&mut row, "id", id);
        model::complete(&mut row);
        for field in row
            .get_mut("fields")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            let number = self.new_field_id();
            if let Some(field) = field.as_object_mut() {
                row::fill(field, "fieldID", number);
            }
        }
        self.models.put(id, row);
    }

    fn load_assets(&mut self, file: &InstanceFile) -> Result<(), LoadError> {
        for (index, row) in file.assets.iter().enumerate() {
            let mut row = self.resolved(row);
            let fail = |problem: &str| wrong(file, "assets", index, problem.to_owned());
            row::filled(&row, "originKey").ok_or_else(|| fail("originKey is missing"))?;
            let content = row.shift_remove("content");
            let blob = if row::flag(&row, "isFolder") {
                None
            } else {
                let size = row::int(&row, "size")
                    .and_then(|size| u64::try_from(size).ok())
                    .unwrap_or(0);
                let blob = Blob::from_file(content.as_ref().and_then(Value::as_object), size);
                Some(blob.ok_or_else(|| fail("content has no text, base64 or filler"))?)
            };
            let id = row::id(&row, "mediaID").unwrap_or_else(|| self.next_id(IdKind::Asset));
            row::set(&mut row, "mediaID", id);
            self.complete_asset(&mut row, blob.as_ref().map_or(0, Blob::len));
            self.assets.put(id, row, blob);
        }
        Ok(())
    }

    fn load_content(&mut self, row: &Row) -> Result<(), String> {
        let mut row = self.resolved(row);
        let locale = self.take_locale(&mut row)?;
        let id = row::id(&row, "contentID").ok_or("contentID is missing")?;
        let name = row::object(&row, "properties")
            .and_then(|properties| row::filled(properties, "referenceName"));
        let container = name.and_then(|name| self.containers.by_name(name));
        let by_container = container
            .and_then(|id| self.containers.get(id))
            .and_then(|row| row::id(row, "contentDefinitionID"));
        let model = by_container.and_then(|id| self.models.get(id));
        if let (Some(model), Some(Value::Object(values))) = (model, row.get("fields").cloned()) {
            row::set(&mut row, "fields", fields::adopt(model, values));
        }
        let version = self.loaded_version(row);
        let shown = modes(&version);
        self.contents.put(id, container, locale, version);
        self.content_changed(locale, id, shown);
        Ok(())
    }

    fn load_pages(&mut self, file: &InstanceFile) -> Result<(), LoadError> {
        for (index, row) in file.pages.iter().enumerate() {
            self.load_page(row)
                .map_err(|problem| wrong(file, "pages", index, problem))?;
        }
        Ok(())
    }

    fn load_page(&mut self, row: &Row) -> Result<(), String> {
        let mut row = self.resolved(row);
        let locale = self.take_locale(&mut row)?;
        let id = row::id(&row, "pageID").ok_or("pageID is missing")?;
        let channel = row::id(&row, "channelID").unwrap_or(self.channels[0].id);
        let place = Place {
            locale,
            channel,
            parent: row::id(&row, "parentPageID"),
        };
        let version = self.loaded_version(page_in_stored_form(id, &row));
        let (shown, deleted) = (modes(&version), version.is_deleted());
        self.pages.put(id, place, None, version);
        if deleted {
            self.pages.leave_tree(id, place);
        }
        self.page_changed(locale, id, shown);
        Ok(())
    }

    fn take_locale(&self, row: &mut Row) -> Result<usize, String> {
        let code = row.shift_remove("locale");
        let code = code
            .as_ref()
            .and_then(Value::as_str)
            .ok_or("locale is missing")?;
        self.locale(code)
            .ok_or_else(|| format!("locale `{code}` is none of the instance's"))
    }

    /// A version as it stands in the file: its own version id, date and state.
    fn loaded_version(&mut self, mut row: Row) -> Version {
        let mut properties = row::object(&row, "properties").cloned().unwrap_or_default();
        row::fill(&mut properties, "state", 2);
        row::fill(&mut properties, "modified", now());
        let version = row::id(&properties, "versionID").unwrap_or_else(|| self.next_version());
        self.ids.raise(IdKind::Version, version);
        row::set(&mut properties, "versionID", version);
        let state = row::int(&properties, "state").unwrap_or(2);
        let date = row::text(&properties, "modified")
            .unwrap_or_default()
            .to_owned();
        row::set(&mut row, "properties", properties);
        let latest = Arc::new(row);
        let published = (state == 2).then(|| Arc::clone(&latest));
        Version {
            latest,
            published,
            history: vec![Moment {
                version,
                state,
                date,
            }],
        }
    }
}

fn modes(version: &Version) -> &'static [Mode] {
    if version.published.is_some() {
        &[Mode::Preview, Mode::Fetch]
    } else {
        &[Mode::Preview]
    }
}

fn wrong(file: &InstanceFile, kind: &'static str, index: usize, problem: String) -> LoadError {
    LoadError::Row {
        guid: file.guid.clone(),
        kind,
        index,
        problem,
    }
}

/// Rows with their ids, those that have one first.
fn with_ids(
    rows: &[Row],
    key: &str,
    wrong: impl Fn(&'static str, usize, String) -> LoadError,
    kind: &'static str,
) -> Result<Vec<(Row, Option<i64>)>, LoadError> {
    let mut seen = HashMap::new();
    for (index, row) in rows.iter().enumerate() {
        if let Some(id) = row::id(row, key)
            && let Some(first) = seen.insert(id, index)
        {
            return Err(wrong(
                kind,
                index,
                format!("{key} {id} is that of row {first}"),
            ));
        }
    }
    let mut out: Vec<(Row, Option<i64>)> = rows
        .iter()
        .map(|row| (row.clone(), row::id(row, key)))
        .collect();
    out.sort_by_key(|(_, id)| id.is_none());
    Ok(out)
}

/// Replaces a text inside every string of a value.
pub(super) fn replace_text(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(text) if text.contains(from) => *text = text.replace(from, to),
        Value::Array(values) => values
            .iter_mut()
            .for_each(|inner| replace_text(inner, from, to)),
        Value::Object(object) => object
            .values_mut()
            .for_each(|inner| replace_text(inner, from, to)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
