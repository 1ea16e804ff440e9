//! The state of one instance and the rules by which it changes. Pure: no HTTP, no clock but for the dates
//! in rows and for what is fresh, no waiting; the caller holds it under one lock.
//!
//! ```text
//!   state file ─load─▶ World ─dump─▶ state file
//!                       │ models, containers, templates, galleries, assets, redirections: saved at once
//!                       │ content, pages: queued as batches, applied item by item by `work_off_one`
//!                       └ feeds: what the sync calls of the Fetch API page through
//! ```

mod apply;
pub(crate) mod asset;
pub(crate) mod batch;
pub(crate) mod blob;
mod builtin;
mod companion;
pub(crate) mod container;
pub(crate) mod content;
mod dump;
pub(crate) mod failure;
pub(crate) mod feed;
pub(crate) mod fields;
pub(crate) mod filter;
mod folder;
mod fresh;
pub(crate) mod gallery;
mod habits;
mod ids;
mod initialize;
pub(crate) mod links;
pub(crate) mod listing;
mod load;
pub(crate) mod locale;
pub(crate) mod model;
mod names;
pub(crate) mod page;
pub(crate) mod received;
pub(crate) mod redirection;
pub(crate) mod row;
mod rules;
pub(crate) mod sitemap;
mod succession;
mod table;
pub(crate) mod template;
#[cfg(test)]
mod tests;
pub(crate) mod text;
pub(crate) mod webhook;
mod workflow;

use std::time::Duration;

use std::collections::HashMap;
use std::sync::Arc;

pub(crate) use fresh::Fresh;
pub use load::LoadError;
pub use names::Names;
pub use rules::{AssetUrls, FailedUpdates, FileDigests, Links, Refuses, Rules};

use self::asset::Assets;
use self::batch::{Batches, Operation, Spoil, Work};
use self::content::Contents;
use self::failure::Refusal;
use self::feed::Mode;
use self::fields::Definition;
use self::ids::{IdKind, Ids};
use self::locale::Locale;
use self::page::Pages;
use self::redirection::Redirections;
use self::table::Table;
use super::file::{ChannelFile, Row};

/// One instance.
#[derive(Clone, Debug)]
pub(crate) struct World {
    guid: String,
    name: String,
    /// Base URL of the server, without a trailing slash.
    base: String,
    asset_container: String,
    container_urls: Option<super::file::ContainerUrls>,
    asset_container_id: i64,
    locales: Vec<Locale>,
    channels: Vec<ChannelFile>,
    first_id: Option<i64>,
    rules: Rules,
    ids: Ids,
    /// Counts changes for the sync feeds.
    change: i64,
    models: Table,
    /// By model id; in step with `models`.
    definitions: HashMap<i64, Arc<Definition>>,
    containers: Table,
    templates: Table,
    galleries: Table,
    assets: Assets,
    contents: Contents,
    pages: Pages,
    redirections: Redirections,
    batches: Batches,
    latest: fresh::Latest,
    webhooks: webhook::Webhooks,
    habits: super::file::Habits,
}

/// One locale's version of a content item or a page.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    /// The latest save, with its `properties`.
    pub(crate) latest: Arc<Row>,
    /// What the live side shows; `None` when not published.
    pub(crate) published: Option<Arc<Row>>,
    pub(crate) history: Vec<Moment>,
}

/// One step in the life of a version.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    pub(crate) version: i64,
    pub(crate) state: i64,
    pub(crate) date: String,
}

/// `ItemState` 3.
pub(crate) const DELETED: i64 = 3;

impl Version {
    fn new(row: Row, version: i64, state: i64) -> Self {
        let mut out = Self {
            latest: Arc::new(row),
            published: None,
            history: Vec::new(),
        };
        out.advance(version, state);
        out
    }

    /// Enters a state under a new version id.
    fn advance(&mut self, version: i64, state: i64) {
        let date = text::now();
        let row = Arc::make_mut(&mut self.latest);
        let mut properties = row::object(row, "properties").cloned().unwrap_or_default();
        row::set(&mut properties, "state", state);
        row::set(&mut properties, "modified", date.as_str());
        row::set(&mut properties, "versionID", version);
        row::set(row, "properties", properties);
        self.history.push(Moment {
            version,
            state,
            date,
        });
        match state {
            2 => self.published = Some(Arc::clone(&self.latest)),
            3 | 7 => self.published = None,
            _ => {}
        }
    }

    pub(crate) fn state(&self) -> i64 {
        row::object(&self.latest, "properties")
            .and_then(|properties| row::int(properties, "state"))
            .unwrap_or(1)
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.state() == DELETED
    }

    /// The row that a mode shows; `None` when it shows none.
    pub(crate) fn shown(&self, mode: Mode) -> Option<&Arc<Row>> {
        match mode {
            Mode::Preview => Some(&self.latest).filter(|_| !self.is_deleted()),
            Mode::Fetch => self.published.as_ref(),
        }
    }
}

impl World {
    pub(crate) fn guid(&self) -> &str {
        &self.guid
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What a create under this name is a save over.
    fn replaced(&self, table: &Table, name: Option<&str>) -> Option<i64> {
        let name = name.filter(|_| self.rules.replaces)?;
        table.rivals(name).next()
    }

    /// Queues work as one batch and returns its id.
    pub(crate) fn submit(&mut self, operation: Operation, work: Vec<Work>, spoil: Spoil) -> i64 {
        let codes: Vec<String> = self
            .locales
            .iter()
            .map(|locale| locale.code.clone())
            .collect();
        self.batches
            .submit(&mut self.ids, operation, work, &codes, spoil)
    }

    pub(crate) fn batches(&self) -> &Batches {
        &self.batches
    }

    /// The oldest batch that no worker has taken, which is in process from now on.
    pub(crate) fn take_batch(&mut self) -> Option<i64> {
        self.batches.start_next()
    }

    /// Applies the next item of a batch. Returns whether there are more.
    pub(crate) fn work_off_one(&mut self, batch: i64, spent_ms: u128) -> bool {
        let Some(job) = self.batches.take(batch) else {
            return false;
        };
        let outcome = self.apply(job.work);
        self.batches.settle(batch, job.index, outcome, spent_ms)
    }

    /// What was made within this time.
    pub(crate) fn fresh(&self, within: Duration) -> std::collections::HashSet<Fresh> {
        self.latest.fresh(within)
    }

    fn next_id(&mut self, kind: IdKind) -> i64 {
        let id = self.unused_id(kind);
        self.latest.made(kind, id);
        id
    }

    fn unused_id(&mut self, kind: IdKind) -> i64 {
        match kind {
            IdKind::Model => self.ids.next(kind, |id| self.models.contains(id)),
            IdKind::Container => self.ids.next(kind, |id| self.containers.contains(id)),
            IdKind::Template => self.ids.next(kind, |id| self.templates.contains(id)),
            IdKind::Gallery => self.ids.next(kind, |id| self.galleries.contains(id)),
            IdKind::Asset => self.ids.next(kind, |id| self.assets.contains(id)),
            IdKind::Content => self.ids.next(kind, |id| self.contents.contains(id)),
            IdKind::Page => self.ids.next(kind, |id| self.pages.contains(id)),
            IdKind::Redirection => self.ids.next(kind, |id| self.redirections.contains(id)),
            IdKind::Field
            | IdKind::Zone
            | IdKind::DefaultModule
            | IdKind::AssetContainer
            | IdKind::Batch
            | IdKind::BatchItem
            | IdKind::Version
            | IdKind::Locale
            | IdKind::BuiltIn => self.ids.next(kind, |_| false),
        }
    }

    fn next_version(&mut self) -> i64 {
        self.next_id(IdKind::Version)
    }

    /// Notes a change of a content item in the feeds of the given modes.
    fn content_changed(&mut self, locale: usize, id: i64, modes: &[Mode]) {
        for mode in modes {
            self.change += 1;
            self.locales[locale]
                .content_feeds
                .of_mut(*mode)
                .touch(id, self.change);
        }
    }

    fn page_changed(&mut self, locale: usize, id: i64, modes: &[Mode]) {
        for mode in modes {
            self.change += 1;
            self.locales[locale]
                .page_feeds
                .of_mut(*mode)
                .touch(id, self.change);
        }
    }
}

impl fields::Known for World {
    fn content(&self, id: i64) -> bool {
        self.contents.is_alive(id)
    }

    fn container(&self, name: &str) -> bool {
        self.containers.by_name(name).is_some()
    }

    fn gallery(&self, id: i64) -> bool {
        self.galleries.contains(id)
    }

    fn rules(&self) -> Rules {
        self.rules
    }
}

/// A page of a list: how many rows to skip and how many to give.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) skip: usize,
    pub(crate) take: usize,
}

fn gone(what: &str, id: i64) -> Refusal {
    Refusal::not_found(&format!("{what} {id}"))
}
