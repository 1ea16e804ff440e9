//! From a state file to a world.
//!
//! Loading is lenient where fixtures need broken instances (a link to a list that is gone, content of a
//! container that never was) and strict where a row could not be served at all.

use std::collections::HashMap;
use std::mem;
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
    AssetUrls, Locale, Moment, Rules, Version, World, builtin, fields, gallery, model, row,
    template,
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
    /// A first id that is no id.
    #[error("instance {guid}: first_id is {first}; expected 1 to {HIGHEST}")]
    FirstId {
        /// The instance.
        guid: String,
        /// What it is.
        first: i64,
    },
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

/// The highest id that the API can represent: its ids are 32-bit integers.
const HIGHEST: i64 = i32::MAX as i64;

/// Puts one row of a list into the world; the error says what is wrong with it.
type LoadRow = fn(&mut World, Row) -> Result<(), String>;

impl World {
    /// Builds the world of one instance for a server at `base`.
    ///
    /// # Errors
    /// The first row that cannot be served.
    pub(crate) fn load(
        mut file: InstanceFile,
        base: &str,
        rules: Rules,
    ) -> Result<Self, LoadError> {
        let mut world = Self::empty(&file, base, rules)?;
        world.load_definitions(&mut file)?;
        let lists: [(&'static str, &mut Vec<Row>, LoadRow); 4] = [
            ("assets", &mut file.assets, Self::load_asset),
            ("content", &mut file.content, Self::load_content),
            ("pages", &mut file.pages, Self::load_page),
            (
                "redirections",
                &mut file.redirections,
                Self::load_redirection,
            ),
        ];
        for (kind, rows, load) in lists {
            for (index, row) in mem::take(rows).into_iter().enumerate() {
                let row = world.resolved(row);
                load(&mut world, row).map_err(|problem| world.wrong(kind, index, problem))?;
            }
        }
        Ok(world)
    }

    fn wrong(&self, kind: &'static str, index: usize, problem: String) -> LoadError {
        LoadError::Row {
            guid: self.guid.clone(),
            kind,
            index,
            problem,
        }
    }

    fn empty(file: &InstanceFile, base: &str, rules: Rules) -> Result<Self, LoadError> {
        let names = rules.names;
        if file.guid.trim().is_empty() || file.guid.contains(['/', '?', '#', ' ']) {
            return Err(LoadError::Guid(file.guid.clone()));
        }
        if file.locales.is_empty() {
            return Err(LoadError::NoLocale(file.guid.clone()));
        }
        if let Some(first) = file.first_id.filter(|id| !(1..=HIGHEST).contains(id)) {
            return Err(LoadError::FirstId {
                guid: file.guid.clone(),
                first,
            });
        }
        let mut ids = Ids::new(&file.guid, file.first_id);
        let enabled = file.locales.iter().map(|code| (code, true));
        let codes = enabled.chain(file.disabled_locales.iter().map(|code| (code, false)));
        let locales = codes
            .enumerate()
            .map(|(at, (code, is_enabled))| Locale::new(&mut ids, code, at, is_enabled))
            .collect();
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
            habits: file.habits.clone(),
            container_urls: file.container_urls.clone(),
            asset_container_id: ids.next(IdKind::AssetContainer, |_| false),
            locales,
            channels,
            first_id: file.first_id,
            rules,
            ids,
            change: 0,
            models: Table::new("referenceName", names),
            definitions: HashMap::new(),
            containers: Table::new("referenceName", names),
            templates: Table::new("pageTemplateName", names),
            galleries: Table::new("name", names),
            assets: super::asset::Assets::new(names),
            contents: super::content::Contents::default(),
            pages: super::page::Pages::default(),
            redirections: super::redirection::Redirections::new(names),
            batches: super::batch::Batches::new(rules.failed_updates),
            latest: super::fresh::Latest::default(),
            webhooks: super::webhook::Webhooks::new(file.webhooks.clone(), &file.guid),
        })
    }

    /// The row with the placeholder of the base URL filled in.
    fn resolved(&self, row: Row) -> Row {
        let mut value = Value::Object(row);
        if self.rules.asset_urls == AssetUrls::Plain {
            for side in ["origin", "cdn"] {
                let split = format!("{BASE_PLACEHOLDER}/{side}/");
                replace_base(&mut value, &split, &format!("{}/", self.base));
            }
        }
        replace_base(&mut value, BASE_PLACEHOLDER, &self.base);
        row::row(value)
    }

    fn load_definitions(&mut self, file: &mut InstanceFile) -> Result<(), LoadError> {
        for (row, id) in self.take_alive("models", &mut file.models, "id")? {
            self.load_model(row, id);
        }
        builtin::add_models(self);
        for (mut row, id) in self.take_alive("containers", &mut file.containers, "contentViewID")? {
            let id = id.unwrap_or_else(|| self.next_id(IdKind::Container));
            row::set(&mut row, "contentViewID", id);
            self.complete_container(&mut row);
            self.containers.put(id, row);
        }
        builtin::add_containers(self);
        for (mut row, id) in self.take_alive("templates", &mut file.templates, "pageTemplateID")? {
            let id = id.unwrap_or_else(|| self.next_id(IdKind::Template));
            row::set(&mut row, "pageTemplateID", id);
            template::complete(&mut row);
            self.templates.put(id, row);
        }
        for (mut row, id) in self.take_alive("galleries", &mut file.galleries, "mediaGroupingID")? {
            let id = id.unwrap_or_else(|| self.next_id(IdKind::Gallery));
            row::set(&mut row, "mediaGroupingID", id);
            gallery::complete(&mut row);
            self.galleries.put(id, row);
        }
        Ok(())
    }

    /// The rows of a list with their ids, those that have one first, so that new ids skip them. Rows that
    /// say `isDeleted` are left out, as the server leaves them out of everything.
    fn take_alive(
        &self,
        kind: &'static str,
        rows: &mut Vec<Row>,
        key: &str,
    ) -> Result<Vec<(Row, Option<i64>)>, LoadError> {
        let mut seen = HashMap::new();
        for (index, row) in rows.iter().enumerate() {
            let first = row::id(row, key).and_then(|id| seen.insert(id, index));
            if let Some(first) = first {
                return Err(self.wrong(kind, index, format!("{key} is that of row {first}")));
            }
        }
        let alive = mem::take(rows)
            .into_iter()
            .filter(|row| !row::flag(row, "isDeleted"));
        let mut out: Vec<(Row, Option<i64>)> = alive
            .map(|row| {
                let id = row::id(&row, key);
                (row, id)
            })
            .collect();
        out.sort_by_key(|(_, id)| id.is_none());
        Ok(out)
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
        self.put_model(id, row);
    }

    fn load_asset(&mut self, mut row: Row) -> Result<(), String> {
        if row::flag(&row, "isDeleted") {
            return Ok(());
        }
        row::filled(&row, "originKey").ok_or("originKey is missing")?;
        let content = row.shift_remove("content");
        let blob = if row::flag(&row, "isFolder") {
            None
        } else {
            let size = row::int(&row, "size")
                .and_then(|size| u64::try_from(size).ok())
                .unwrap_or(0);
            let blob = Blob::from_file(content.as_ref().and_then(Value::as_object), size);
            Some(blob.ok_or("content has no text, base64 or filler")?)
        };
        let id = row::id(&row, "mediaID").unwrap_or_else(|| self.next_id(IdKind::Asset));
        row::set(&mut row, "mediaID", id);
        self.complete_asset(&mut row, blob.as_ref().map_or(0, Blob::len));
        self.assets.put(id, row, blob);
        Ok(())
    }

    fn load_content(&mut self, mut row: Row) -> Result<(), String> {
        let locale = self.take_locale(&mut row)?;
        let id = row::id(&row, "contentID").ok_or("contentID is missing")?;
        if self.contents.version(locale, id).is_some() {
            return Err(format!("contentID {id} is there twice in this locale"));
        }
        let name = row::object(&row, "properties")
            .and_then(|properties| row::filled(properties, "referenceName"));
        let container = name.and_then(|name| self.containers.by_name(name));
        let list = container.and_then(|id| self.containers.get(id));
        let definition = list.and_then(|list| self.definition_of_list(list));
        if let (Some(definition), Some(Value::Object(values))) = (definition, row.get_mut("fields"))
        {
            *values = fields::adopt(&definition, mem::take(values));
        }
        let version = self.loaded_version(row)?;
        let shown = modes(&version);
        self.contents.put(id, container, locale, version);
        self.content_changed(locale, id, shown);
        Ok(())
    }

    fn load_page(&mut self, mut row: Row) -> Result<(), String> {
        let locale = self.take_locale(&mut row)?;
        let id = row::id(&row, "pageID").ok_or("pageID is missing")?;
        if self.pages.version(locale, id).is_some() {
            return Err(format!("pageID {id} is there twice in this locale"));
        }
        let channel = row::id(&row, "channelID").unwrap_or(self.channels[0].id);
        let place = Place {
            locale,
            channel,
            parent: row::id(&row, "parentPageID"),
        };
        let version = self.loaded_version(page_in_stored_form(id, &row))?;
        let (shown, deleted) = (modes(&version), version.is_deleted());
        self.pages.put(id, place, None, version);
        if deleted {
            self.pages.leave_tree(id, place);
        }
        self.page_changed(locale, id, shown);
        Ok(())
    }

    fn load_redirection(&mut self, mut row: Row) -> Result<(), String> {
        row::filled(&row, "originUrl").ok_or("originUrl is missing")?;
        let id =
            row::id(&row, "urlRedirectionID").unwrap_or_else(|| self.next_id(IdKind::Redirection));
        row::set(&mut row, "urlRedirectionID", id);
        self.redirections.put(id, row);
        Ok(())
    }

    fn take_locale(&self, row: &mut Row) -> Result<usize, String> {
        let code = row.shift_remove("locale");
        let code = code
            .as_ref()
            .and_then(Value::as_str)
            .ok_or("locale is missing")?;
        let is_it = |locale: &Locale| locale.code.eq_ignore_ascii_case(code);
        let at = self.locales.iter().position(is_it);
        at.ok_or_else(|| format!("locale `{code}` is none of the instance's"))
    }

    /// A version as it stands in the file: its own version id, date and state.
    fn loaded_version(&mut self, mut row: Row) -> Result<Version, String> {
        let mut properties = row::object(&row, "properties").cloned().unwrap_or_default();
        row::fill(&mut properties, "state", 2);
        row::fill(&mut properties, "modified", now());
        let version = row::id(&properties, "versionID").unwrap_or_else(|| self.next_version());
        if version > HIGHEST {
            return Err(format!("versionID {version} is above {HIGHEST}"));
        }
        self.ids.raise(IdKind::Version, version);
        row::set(&mut properties, "versionID", version);
        let state = row::int(&properties, "state").unwrap_or(2);
        let date = row::text(&properties, "modified")
            .unwrap_or_default()
            .to_owned();
        row::set(&mut row, "properties", properties);
        let latest = Arc::new(row);
        let published = (state == 2).then(|| Arc::clone(&latest));
        Ok(Version {
            latest,
            published,
            history: vec![Moment {
                version,
                state,
                date,
            }],
        })
    }
}

fn modes(version: &Version) -> &'static [Mode] {
    if version.published.is_some() {
        &[Mode::Preview, Mode::Fetch]
    } else {
        &[Mode::Preview]
    }
}

/// Replaces a text inside every string of a value.
fn replace_text(value: &mut Value, from: &str, to: &str) {
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

/// Replaces the base of the mock's own URLs, also where an editor's text has it escaped or percent-encoded.
pub(super) fn replace_base(value: &mut Value, from: &str, to: &str) {
    let once = |url: &str| url.replace(':', "%3A").replace('/', "%2F");
    let spellings = |url: &str| {
        let encoded = once(url);
        let twice = encoded.replace('%', "%25");
        [
            url.to_owned(),
            url.replace('/', "\\/"),
            url.replace('/', "\\u002F"),
            encoded,
            twice,
        ]
    };
    for (from, to) in spellings(from).iter().zip(&spellings(to)) {
        replace_text(value, from, to);
    }
}
