//! Links of the Fetch API that a read shows as the items that they lead to. The feeds never do.

use serde_json::Value;

use super::World;
use super::feed::Mode;
use super::row::{self, id_list};
use crate::mock::file::Row;

/// Items of a whole list that stand in its place at most; the vendor's own client takes as many.
const LIST_MOST: usize = 50;

/// One side of the Fetch API in one locale, and how far links are followed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    pub(crate) locale: usize,
    pub(crate) mode: Mode,
    pub(crate) levels: usize,
    /// Whether links to whole lists are followed, too.
    pub(crate) lists: bool,
}

impl View {
    fn below(self) -> Option<Self> {
        let levels = self.levels.checked_sub(1)?;
        Some(Self { levels, ..self })
    }
}

impl World {
    /// A content item with its links; `None` when the mode does not show it.
    pub(crate) fn item_in_view(&self, id: i64, view: View) -> Option<Value> {
        let mut item = self.content_for_fetch(view.locale, id, view.mode)?;
        self.follow_links(&mut item, view);
        Some(item)
    }

    /// A page with the items of its components; `None` when the mode does not show it.
    pub(crate) fn page_in_view(&self, id: i64, view: View) -> Option<Value> {
        let mut page = self.page_for_fetch(view.locale, id, view.mode)?;
        let zones = page.get_mut("zones").and_then(Value::as_object_mut);
        let modules = zones.into_iter().flat_map(Row::values_mut);
        for module in modules.filter_map(Value::as_array_mut).flatten() {
            if let Some(item) = module.get_mut("item") {
                self.follow(item, view);
            }
        }
        Some(page)
    }

    pub(super) fn follow_links(&self, item: &mut Value, view: View) {
        let fields = item.get_mut("fields").and_then(Value::as_object_mut);
        for value in fields.into_iter().flat_map(Row::values_mut) {
            self.follow(value, view);
        }
    }

    /// Puts what a link leads to in its place; what is not shown leaves the link as it is.
    fn follow(&self, value: &mut Value, view: View) {
        let found = value.as_object().and_then(|link| {
            let below = view.below()?;
            match row::id(link, "contentid") {
                Some(id) => self.item_in_view(id, below),
                None => self.list_in_view(link, below),
            }
        });
        if let Some(found) = found {
            *value = found;
        }
    }

    fn list_in_view(&self, link: &Row, view: View) -> Option<Value> {
        let mut ids = row::text(link, "sortids").map(id_list).unwrap_or_default();
        if row::flag(link, "fulllist") {
            let name = row::filled(link, "referencename").filter(|_| view.lists)?;
            let all = self.shown_items(self.containers.by_name(name)?, view.locale, view.mode);
            let rest: Vec<i64> = all.into_iter().filter(|id| !ids.contains(id)).collect();
            ids.extend(rest);
            ids.truncate(LIST_MOST);
        } else if ids.is_empty() {
            return None;
        }
        let items = ids.into_iter().filter_map(|id| self.item_in_view(id, view));
        Some(items.collect())
    }
}
