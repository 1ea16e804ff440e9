//! Pages: one id, a version per locale, and a tree of siblings per locale and channel.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::batch::{Done, Placement};
use super::content::deleted_row;
use super::failure::Failure;
use super::feed::Mode;
use super::ids::IdKind;
use super::text::fold;
use super::{DELETED, Version, World, row};
use crate::mock::file::{ChannelFile, Row};

/// Where a page is in the tree of a locale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) locale: usize,
    pub(crate) channel: i64,
    /// `None` at the root of the channel.
    pub(crate) parent: Option<i64>,
}

#[derive(Clone, Debug)]
struct Page {
    version: Version,
    place: Place,
}

/// The pages of an instance.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pages {
    pages: BTreeMap<i64, BTreeMap<usize, Page>>,
    children: HashMap<Place, Vec<i64>>,
}

impl Pages {
    pub(crate) fn contains(&self, id: i64) -> bool {
        self.pages.contains_key(&id)
    }

    fn get(&self, locale: usize, id: i64) -> Option<&Page> {
        self.pages.get(&id)?.get(&locale)
    }

    pub(crate) fn version(&self, locale: usize, id: i64) -> Option<&Version> {
        self.get(locale, id).map(|page| &page.version)
    }

    fn version_mut(&mut self, locale: usize, id: i64) -> Option<&mut Version> {
        self.pages
            .get_mut(&id)?
            .get_mut(&locale)
            .map(|page| &mut page.version)
    }

    pub(super) fn place(&self, locale: usize, id: i64) -> Option<Place> {
        self.get(locale, id).map(|page| page.place)
    }

    fn alive(&self, locale: usize, id: i64) -> Option<&Page> {
        self.get(locale, id)
            .filter(|page| !page.version.is_deleted())
    }

    fn is_alive(&self, id: i64) -> bool {
        self.pages
            .get(&id)
            .is_some_and(|locales| locales.values().any(|page| !page.version.is_deleted()))
    }

    /// The pages at a place in display order, without deleted ones.
    pub(crate) fn children(&self, place: Place) -> &[i64] {
        self.children.get(&place).map_or(&[], Vec::as_slice)
    }

    /// The pages of a locale, parents before their children, siblings in display order.
    pub(super) fn in_tree_order(&self, locale: usize, channels: &[ChannelFile]) -> Vec<i64> {
        let mut out = Vec::new();
        for channel in channels {
            self.walk(
                Place {
                    locale,
                    channel: channel.id,
                    parent: None,
                },
                &mut out,
            );
        }
        out
    }

    fn walk(&self, place: Place, out: &mut Vec<i64>) {
        for id in self.children(place) {
            out.push(*id);
            self.walk(
                Place {
                    parent: Some(*id),
                    ..place
                },
                out,
            );
        }
    }

    /// Puts a version at a place: before a sibling, else at the end; a page that stays under its parent
    /// keeps its position unless a sibling is named.
    pub(super) fn put(&mut self, id: i64, place: Place, before: Option<i64>, version: Version) {
        let old = self.get(place.locale, id).map(|page| page.place);
        if old != Some(place) || before.is_some() || !self.children(place).contains(&id) {
            if let Some(old) = old {
                self.leave_tree(id, old);
            }
            let siblings = self.children.entry(place).or_default();
            let position =
                before.and_then(|before| siblings.iter().position(|sibling| *sibling == before));
            siblings.insert(position.unwrap_or(siblings.len()), id);
        }
        self.pages
            .entry(id)
            .or_default()
            .insert(place.locale, Page { version, place });
    }

    /// Takes a page out of the order of its siblings.
    pub(super) fn leave_tree(&mut self, id: i64, place: Place) {
        if let Some(siblings) = self.children.get_mut(&place) {
            siblings.retain(|sibling| *sibling != id);
        }
    }

    /// Whether `id` is `page` or one of its ancestors.
    fn is_above(&self, locale: usize, id: i64, page: i64) -> bool {
        let mut at = Some(page);
        while let Some(current) = at {
            if current == id {
                return true;
            }
            at = self.get(locale, current).and_then(|page| page.place.parent);
        }
        false
    }
}

/// The ids that zone modules carry, in any of the three spellings.
pub(super) fn zone_ids(row: &Row) -> Vec<i64> {
    let zones = row::object(row, "zones").into_iter().flatten();
    let modules = zones
        .filter_map(|(_, modules)| modules.as_array())
        .flatten()
        .filter_map(Value::as_object);
    modules
        .filter_map(|module| row::object(module, "item"))
        .filter_map(|item| row::id(item, "contentid"))
        .collect()
}

/// Rewrites the `item` of each zone module that names content.
fn map_zone_items(row: &mut Row, mut map: impl FnMut(i64) -> Value) {
    let Some(zones) = row.get_mut("zones").and_then(Value::as_object_mut) else {
        return;
    };
    for module in zones
        .values_mut()
        .filter_map(Value::as_array_mut)
        .flatten()
        .filter_map(Value::as_object_mut)
    {
        let id = row::object(module, "item").and_then(|item| row::id(item, "contentid"));
        if let Some(id) = id {
            row::set(module, "item", map(id));
        }
    }
}

impl World {
    pub(crate) fn page_version(&self, locale: usize, id: i64) -> Option<&Version> {
        self.pages.version(locale, id)
    }

    pub(super) fn page_version_mut(&mut self, locale: usize, id: i64) -> Option<&mut Version> {
        self.pages.version_mut(locale, id)
    }

    /// The `PageItem` row as the Management API gives it; a deleted one in state 3.
    pub(crate) fn page_row(&self, locale: usize, id: i64) -> Option<Value> {
        let page = self.pages.get(locale, id)?;
        let mut row = (*page.version.latest).clone();
        row::set(&mut row, "parentPageID", page.place.parent.unwrap_or(-1));
        row::set(&mut row, "channelID", page.place.channel);
        Some(Value::Object(row))
    }

    /// The row as the Fetch API shows it: with its path, without its parent.
    pub(crate) fn page_for_fetch(&self, locale: usize, id: i64, mode: Mode) -> Option<Value> {
        let page = self.pages.get(locale, id)?;
        let mut row = (**page.version.shown(mode)?).clone();
        for hidden in [
            "parentPageID",
            "placeBeforePageItemID",
            "channelID",
            "linkToPageID",
            "linkToFileID",
        ] {
            row.remove(hidden);
        }
        row::set(&mut row, "path", self.page_path(locale, id));
        if row::text(&row, "pageType") == Some("link") {
            let url = row::text(&row, "redirectUrl")
                .unwrap_or_default()
                .to_owned();
            row::set(
                &mut row,
                "redirect",
                json!({ "url": url, "target": "_self" }),
            );
        }
        if mode == Mode::Fetch {
            self.drop_unpublished(locale, &mut row);
        }
        map_zone_items(&mut row, |id| json!({ "contentid": id, "fulllist": false }));
        Some(Value::Object(row))
    }

    /// The live side leaves out components that are not published.
    fn drop_unpublished(&self, locale: usize, row: &mut Row) {
        let shown = |module: &Value| {
            let item = module
                .as_object()
                .and_then(|module| row::object(module, "item"));
            item.and_then(|item| row::id(item, "contentid"))
                .is_none_or(|id| {
                    let version = self.contents.version(locale, id);
                    version.is_some_and(|version| version.shown(Mode::Fetch).is_some())
                })
        };
        let zones = row.get_mut("zones").and_then(Value::as_object_mut);
        for modules in zones
            .into_iter()
            .flat_map(Row::values_mut)
            .filter_map(Value::as_array_mut)
        {
            modules.retain(shown);
        }
    }

    /// The names of a page and its ancestors as a path.
    pub(crate) fn page_path(&self, locale: usize, id: i64) -> String {
        let mut parts = Vec::new();
        let mut at = Some(id);
        while let Some(page) = at.and_then(|id| self.pages.get(locale, id)) {
            parts.push(
                row::text(&page.version.latest, "name")
                    .unwrap_or_default()
                    .to_lowercase(),
            );
            at = page.place.parent;
        }
        parts
            .iter()
            .rev()
            .fold(String::new(), |path, part| path + "/" + part)
    }

    /// One page of the sync feed; see [`World::sync_content`].
    pub(crate) fn sync_pages(
        &self,
        locale: usize,
        mode: Mode,
        token: i64,
        size: usize,
    ) -> (i64, Vec<Value>) {
        let mut last = token;
        let mut rows = Vec::new();
        for (at, id) in self.locales[locale].page_feeds.of(mode).after(token) {
            if rows.len() >= size {
                break;
            }
            last = at;
            match self.page_for_fetch(locale, id, mode) {
                Some(row) => rows.push(row),
                None if token > 0 => {
                    rows.push(deleted_row("pageID", id, self.pages.version(locale, id)));
                }
                None => {}
            }
        }
        (last, rows)
    }

    /// A save as the batch worker does it.
    pub(super) fn save_page(
        &mut self,
        locale: usize,
        mut posted: Row,
        placement: &Placement,
    ) -> Result<Done, Failure> {
        self.receive("page", &mut posted);
        let id = self.identity(locale, &posted, placement)?;
        let place = self.place(locale, id, &posted, placement)?;
        self.check_name(place, id, &posted)?;
        self.check_template(&posted)?;
        self.check_links(&posted)?;
        let fresh = id.is_none_or(|id| self.pages.version(locale, id).is_none());
        let id = id.unwrap_or_else(|| self.next_id(IdKind::Page));
        if !placement.keep_components {
            let mut clones = HashMap::new();
            for old in zone_ids(&posted) {
                clones.insert(old, self.clone_content(locale, old).unwrap_or(old));
            }
            map_zone_items(
                &mut posted,
                |old| json!({ "contentId": clones[&old], "fulllist": false }),
            );
        }
        let number = self.next_version();
        let saved = page_in_stored_form(id, &posted);
        let title = row::text(&saved, "title").map(str::to_owned);
        let version = if fresh {
            Version::new(saved, number, 1)
        } else {
            let old = self.pages.version(locale, id).cloned();
            let mut version = old.unwrap_or_else(|| Version::new(Row::new(), number, 1));
            version.latest = saved.into();
            version.advance(number, 1);
            version
        };
        self.pages.put(id, place, placement.before, version);
        self.page_changed(locale, id, &[Mode::Preview]);
        Ok(Done {
            id,
            version: number,
            title,
        })
    }

    /// Which page is saved; `None` for a new one.
    fn identity(
        &self,
        locale: usize,
        posted: &Row,
        placement: &Placement,
    ) -> Result<Option<i64>, Failure> {
        let unknown = |id: i64| Failure::Plain(format!("Page {id} does not exist."));
        if let Some(id) = row::id(posted, "pageID") {
            let dead = self
                .pages
                .version(locale, id)
                .is_some_and(Version::is_deleted);
            return if dead || !self.pages.is_alive(id) {
                Err(unknown(id))
            } else {
                Ok(Some(id))
            };
        }
        match placement.twin {
            Some((twin, other)) if self.pages.alive(other, twin).is_none() => Err(unknown(twin)),
            Some((twin, _))
                if self
                    .pages
                    .version(locale, twin)
                    .is_some_and(Version::is_deleted) =>
            {
                Err(unknown(twin))
            }
            twin => Ok(twin.map(|(id, _)| id)),
        }
    }

    fn place(
        &self,
        locale: usize,
        id: Option<i64>,
        posted: &Row,
        placement: &Placement,
    ) -> Result<Place, Failure> {
        let channel = row::int(posted, "channelID").unwrap_or(-1);
        if !self.channels.iter().any(|known| known.id == channel) {
            return Err(Failure::ForeignKey("DigitalChannelID"));
        }
        let place = Place {
            locale,
            channel,
            parent: placement.parent,
        };
        if let Some(parent) = placement.parent {
            let found = self
                .pages
                .alive(locale, parent)
                .is_some_and(|page| page.place.channel == channel);
            if !found {
                return Err(Failure::ForeignKey("ParentPageItemID"));
            }
            if id.is_some_and(|id| self.pages.is_above(locale, id, parent)) {
                return Err(Failure::Plain(
                    "A page cannot be placed under itself.".to_owned(),
                ));
            }
        }
        match placement.before {
            Some(before) if Some(before) == id || !self.pages.children(place).contains(&before) => {
                Err(Failure::Plain(format!(
                    "Page {before} to place before is not a sibling."
                )))
            }
            Some(_) | None => Ok(place),
        }
    }

    fn check_name(&self, place: Place, id: Option<i64>, posted: &Row) -> Result<(), Failure> {
        let rule = self.rules.names;
        let name = row::text(posted, "name").unwrap_or_default();
        let mut others = self
            .pages
            .children(place)
            .iter()
            .filter(|other| Some(**other) != id);
        let taken = others.any(|other| {
            let version = self.pages.version(place.locale, *other);
            version
                .and_then(|version| row::text(&version.latest, "name"))
                .is_some_and(|other| rule.key(other) == rule.key(name) && rule.clash(other, name))
        });
        if taken {
            Err(Failure::Plain(format!(
                "A page with the name {name} already exists at this level."
            )))
        } else {
            Ok(())
        }
    }

    fn check_template(&self, posted: &Row) -> Result<(), Failure> {
        if matches!(row::text(posted, "pageType"), Some("folder" | "link")) {
            return Ok(());
        }
        let name = row::filled(posted, "templateName").unwrap_or_default();
        let template = self
            .templates
            .by_name(name)
            .and_then(|id| self.templates.get(id));
        let template = template
            .ok_or_else(|| Failure::Plain(format!("The page model {name} does not exist.")))?;
        let known: Vec<String> = row::objects(template, "contentSectionDefinitions")
            .filter_map(|zone| row::text(zone, "pageItemTemplateReferenceName").map(fold))
            .collect();
        let mut zones = row::object(posted, "zones").into_iter().flat_map(Row::keys);
        match zones.find(|zone| !known.contains(&fold(zone))) {
            Some(zone) if self.rules.refuses.zones => Err(Failure::Plain(format!(
                "The page model {name} has no zone {zone}."
            ))),
            Some(_) | None => Ok(()),
        }
    }

    fn check_links(&self, posted: &Row) -> Result<(), Failure> {
        if zone_ids(posted)
            .into_iter()
            .any(|id| !self.contents.is_alive(id))
        {
            return Err(Failure::NullReference);
        }
        if row::id(posted, "linkToPageID").is_some_and(|id| !self.pages.is_alive(id)) {
            return Err(Failure::ForeignKey("LinkToPageID"));
        }
        if row::id(posted, "linkToFileID").is_some_and(|id| !self.assets.contains(id)) {
            return Err(Failure::ForeignKey("LinkToFileID"));
        }
        let list = row::object(posted, "dynamic")
            .and_then(|dynamic| row::filled(dynamic, "referenceName"));
        match list {
            Some(list) if self.containers.by_name(list).is_none() => {
                Err(Failure::NoSuchList(list.to_owned()))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Deletes a page in one locale, and with it everything below it there.
    pub(super) fn delete_page(&mut self, locale: usize, id: i64) -> Result<Done, Failure> {
        let page = self.pages.alive(locale, id);
        let place = page
            .map(|page| page.place)
            .ok_or_else(|| Failure::Plain(format!("Page {id} does not exist.")))?;
        let below = self
            .pages
            .children(Place {
                parent: Some(id),
                ..place
            })
            .to_vec();
        for child in below {
            self.delete_page(locale, child)?;
        }
        self.pages.leave_tree(id, place);
        let number = self.next_version();
        if let Some(version) = self.pages.version_mut(locale, id) {
            version.advance(number, DELETED);
        }
        self.page_changed(locale, id, &[Mode::Preview, Mode::Fetch]);
        Ok(Done {
            id,
            version: number,
            title: None,
        })
    }
}

/// The members that a page keeps, with the defaults of those that were not sent.
pub(super) fn page_in_stored_form(id: i64, posted: &Row) -> Row {
    let copy = |key: &str| row::get(posted, key).cloned().unwrap_or(Value::Null);
    let page_type = row::filled(posted, "pageType").unwrap_or("static");
    let mut saved = row::row(json!({
        "pageID": id, "name": copy("name"), "path": null, "title": copy("title"), "menuText": copy("menuText"),
        "pageType": page_type, "templateName": copy("templateName"),
        "redirectUrl": row::text(posted, "redirectUrl").unwrap_or_default(),
        "securePage": row::flag(posted, "securePage"), "requiresApproval": copy("requiresApproval"),
        "excludeFromOutputCache": row::flag(posted, "excludeFromOutputCache"),
        "visible": copy("visible"), "seo": copy("seo"), "scripts": copy("scripts"), "dynamic": copy("dynamic"),
        "properties": copy("properties"), "zones": copy("zones"), "parentPageID": -1, "placeBeforePageItemID": -1,
        "channelID": copy("channelID"), "releaseDate": copy("releaseDate"), "pullDate": copy("pullDate")
    }));
    for kept in ["linkToPageID", "linkToFileID"] {
        if let Some(value) = row::get(posted, kept) {
            row::set(&mut saved, kept, value.clone());
        }
    }
    if matches!(page_type, "folder" | "link") {
        row::set(&mut saved, "templateName", Value::Null);
        row::set(&mut saved, "zones", json!({}));
    }
    map_zone_items(
        &mut saved,
        |id| json!({ "contentId": id, "fulllist": false }),
    );
    saved
}
