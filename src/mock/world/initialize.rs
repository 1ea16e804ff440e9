//! First versions in another locale, made from those of the one that has them.
//!
//! The vendor describes the calls and no more. Read here as: the copy is staged under the same id, a version that is there is
//! not overwritten, and the components of a page come along. A translation copies, too: its texts stay as they are.

use super::batch::{Done, ItemKind};
use super::failure::Failure;
use super::feed::Mode;
use super::page::{Place, zone_ids};
use super::{Version, World, row};

fn already(what: &str, id: i64) -> Failure {
    Failure::Plain(format!("{what} {id} exists in this locale already."))
}

fn missing(what: &str, id: i64) -> Failure {
    Failure::Plain(format!("{what} {id} does not exist."))
}

fn alive(version: Option<&Version>) -> Option<&Version> {
    version.filter(|version| !version.is_deleted())
}

impl World {
    /// The item that a version of a locale belongs to.
    pub(crate) fn of_version(&self, kind: ItemKind, locale: usize, version: i64) -> Option<i64> {
        let has = |own: &Version| {
            let properties = row::object(&own.latest, "properties");
            properties.and_then(|properties| row::id(properties, "versionID")) == Some(version)
        };
        match kind {
            ItemKind::Content => {
                let mut all = self.contents.iter();
                let found = all.find(|(_, at, own)| *at == locale && has(own));
                found.map(|(id, ..)| id)
            }
            ItemKind::Page => {
                let mut ids = self.pages.in_tree_order(locale, &self.channels).into_iter();
                ids.find(|id| self.pages.version(locale, *id).is_some_and(has))
            }
        }
    }

    /// The items of a list that a locale has and another one lacks.
    pub(crate) fn only_in(&self, container: i64, from: usize, to: usize) -> Vec<i64> {
        let has = |locale: usize, id: i64| alive(self.contents.version(locale, id)).is_some();
        let ids = self.contents.of_container(container);
        ids.filter(|id| has(from, *id) && !has(to, *id)).collect()
    }

    pub(super) fn copy_content(
        &mut self,
        from: usize,
        to: usize,
        id: i64,
    ) -> Result<Done, Failure> {
        let version = alive(self.contents.version(from, id));
        let row = version
            .ok_or_else(|| missing("Content item", id))?
            .latest
            .clone();
        if alive(self.contents.version(to, id)).is_some() {
            return Err(already("Content item", id));
        }
        let container = self.contents.container(id).ok_or(Failure::NullReference)?;
        Ok(self.store_content(to, id, container, (*row).clone()))
    }

    pub(super) fn copy_page(&mut self, from: usize, to: usize, id: i64) -> Result<Done, Failure> {
        let version = alive(self.pages.version(from, id));
        let row = version.ok_or_else(|| missing("Page", id))?.latest.clone();
        if alive(self.pages.version(to, id)).is_some() {
            return Err(already("Page", id));
        }
        let place = self.pages.place(from, id).ok_or(Failure::NullReference)?;
        let has_parent = |parent: i64| alive(self.pages.version(to, parent)).is_some();
        if !place.parent.is_none_or(has_parent) {
            return Err(Failure::ForeignKey("ParentPageItemID"));
        }
        for component in zone_ids(&row) {
            // One that is there, or that is nowhere, is left as it is.
            drop(self.copy_content(from, to, component));
        }
        let number = self.next_version();
        let title = row::text(&row, "title").map(str::to_owned);
        let place = Place {
            locale: to,
            ..place
        };
        let version = Version::new((*row).clone(), number, 1);
        self.pages.put(id, place, None, version);
        self.page_changed(to, id, &[Mode::Preview]);
        Ok(Done {
            id,
            version: number,
            title,
        })
    }
}
