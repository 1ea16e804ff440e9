//! Lists of both APIs: which items of a container, and in which order.

use serde_json::{Value, json};

use super::content::{Listing, order_of};
use super::filter::{Filter, compare, text_at};
use super::links::View;
use super::{Version, Window, World, row};

/// What a list of the Fetch API is asked for.
#[derive(Debug)]
pub(crate) struct FetchQuery<'a> {
    pub(crate) view: View,
    pub(crate) window: Window,
    /// A path such as `fields.headline`; without one the items are in the order of the list.
    pub(crate) sort: Option<&'a str>,
    pub(crate) descending: bool,
    pub(crate) filter: Option<Filter>,
}

/// What a list of the Management API is asked for. What is not set does not restrict it.
#[derive(Clone, Debug)]
pub(crate) struct ListQuery {
    pub(crate) window: Window,
    /// A member of the rows; without one the rows are in the order of the list.
    pub(crate) sort: Option<String>,
    pub(crate) descending: bool,
    pub(crate) states: Vec<i64>,
    /// A part of the text of some field, in any case.
    pub(crate) search: Option<String>,
    pub(crate) deleted: bool,
}

impl ListQuery {
    fn admits(&self, version: &Version) -> bool {
        let found = self.search.as_ref().is_none_or(|search| {
            let search = search.to_lowercase();
            let fields = row::object(&version.latest, "fields").into_iter().flatten();
            let mut texts = fields.filter_map(|(_, value)| value.as_str());
            texts.any(|text| text.to_lowercase().contains(&search))
        });
        let in_state = self.states.is_empty() || self.states.contains(&version.state());
        found && in_state && (self.deleted || !version.is_deleted())
    }
}

impl World {
    /// Items as the Fetch API shows them. `None` for an unknown list.
    pub(crate) fn fetch_list(&self, name: &str, query: &FetchQuery<'_>) -> Option<Listing> {
        let FetchQuery { view, window, .. } = query;
        let row = |id: i64| self.content_for_fetch(view.locale, id, view.mode);
        let mut ids = self.shown_items(self.containers.by_name(name)?, view.locale, view.mode);
        if let Some(filter) = &query.filter {
            ids.retain(|id| row(*id).is_some_and(|row| filter.admits(&row)));
        }
        if let Some(path) = query.sort {
            let key = |id: i64| row(id).map_or_else(String::new, |row| text_at(&row, path));
            let mut keyed: Vec<(String, i64)> = ids.into_iter().map(|id| (key(id), id)).collect();
            keyed.sort_by(|(one, _), (other, _)| compare(one, other));
            ids = keyed.into_iter().map(|(_, id)| id).collect();
            if query.descending {
                ids.reverse();
            }
        }
        let page = ids.iter().skip(window.skip).take(window.take);
        let rows = page.filter_map(|id| self.item_in_view(*id, *view));
        Some(Listing {
            rows: rows.collect(),
            total: ids.len(),
        })
    }

    /// Flat rows, the fields beside `contentID` and the properties. `None` for an unknown list.
    pub(crate) fn management_list(
        &self,
        locale: usize,
        name: &str,
        query: &ListQuery,
    ) -> Option<Listing> {
        let container = self.containers.by_name(name)?;
        let admitted = self.contents.of_container(container).filter_map(|id| {
            let version = self.contents.version(locale, id)?;
            query
                .admits(version)
                .then(|| (order_of(&version.latest), id))
        });
        let mut ids: Vec<(i64, i64)> = admitted.collect();
        ids.sort_unstable();
        if let Some(member) = &query.sort {
            self.sort_by_member(&mut ids, locale, member, query.descending);
        }
        let page = ids.iter().skip(query.window.skip).take(query.window.take);
        Some(Listing {
            rows: page
                .filter_map(|(_, id)| self.flat_row(locale, *id))
                .collect(),
            total: ids.len(),
        })
    }

    /// Whole numbers by their value, anything else as text; rows without the member come first.
    fn sort_by_member(
        &self,
        ids: &mut [(i64, i64)],
        locale: usize,
        member: &str,
        descending: bool,
    ) {
        let key = |id: i64| {
            let row = self.flat_row(locale, id)?;
            let value = row::get(row.as_object()?, member)?;
            let text = value.as_str().map(str::to_lowercase);
            Some((
                row::as_int(value),
                text.unwrap_or_else(|| value.to_string()),
            ))
        };
        ids.sort_by_cached_key(|(_, id)| key(*id));
        if descending {
            ids.reverse();
        }
    }

    fn flat_row(&self, locale: usize, id: i64) -> Option<Value> {
        let latest = &self.contents.version(locale, id)?.latest;
        let mut flat = row::row(json!({ "contentID": id }));
        for part in ["properties", "fields"] {
            flat.extend(
                row::object(latest, part)
                    .into_iter()
                    .flatten()
                    .map(|(key, value)| (key.clone(), value.clone())),
            );
        }
        Some(Value::Object(flat))
    }
}
