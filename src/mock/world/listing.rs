//! Lists of both APIs: which items of a container, and in which order.

use serde_json::{Value, json};

use super::content::{Listing, order_of};
use super::filter::{Filter, compare, text_at};
use super::links::View;
use super::text::field_key;
use super::{Window, World, row};
use crate::mock::file::Row;

mod management;
pub(crate) use management::ListFilter;

/// What a list of the Fetch API is asked for.
#[derive(Debug)]
pub(crate) struct FetchQuery<'a> {
    pub(crate) view: View,
    pub(crate) window: Window,
    /// A path such as `fields.headline`; without one the items are in the order of the list.
    pub(crate) sort: Option<&'a str>,
    pub(crate) descending: bool,
    pub(crate) filter: Option<Filter>,
    /// The fields that the rows have; all where it is empty.
    pub(crate) fields: &'a [&'a str],
}

/// What a list of the Management API is asked for. What is not set does not restrict it.
#[derive(Clone, Debug)]
pub(crate) struct ListQuery<'a> {
    pub(crate) window: Window,
    /// A member of the rows, also as `properties.x` and `fields.x`; without one the rows are in the order of the list.
    pub(crate) sort: Option<&'a str>,
    pub(crate) descending: bool,
    pub(crate) filter: ListFilter<'a>,
    /// Whether the deleted rows are given, and no others.
    pub(crate) deleted: bool,
    /// The fields that the rows have; all where it is empty.
    pub(crate) fields: &'a [&'a str],
}

/// Leaves these fields and no others; all where none is named.
fn keep_fields(values: &mut Row, wanted: &[&str]) {
    if !wanted.is_empty() {
        let wanted: Vec<String> = wanted.iter().map(|name| field_key(name)).collect();
        values.retain(|name, _| wanted.contains(&field_key(name)));
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
        let rows = page.filter_map(|id| {
            let mut item = self.item_in_view(*id, *view)?;
            let fields = item.get_mut("fields").and_then(Value::as_object_mut);
            if let Some(fields) = fields {
                keep_fields(fields, query.fields);
            }
            Some(item)
        });
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
        query: &ListQuery<'_>,
    ) -> Option<Listing> {
        let container = self.containers.by_name(name)?;
        let in_locales = |id: i64| {
            let codes = &query.filter.locales;
            let has = |code: &&str| {
                let locale = self.locale(code);
                locale.is_some_and(|at| self.contents.version(at, id).is_some())
            };
            codes.is_empty() || codes.iter().any(has)
        };
        let admitted = self.contents.of_container(container).filter_map(|id| {
            let version = self.contents.version(locale, id)?;
            let is_wanted = version.is_deleted() == query.deleted
                && query.filter.admits(id, version)
                && in_locales(id);
            let place = query.filter.place(id).unwrap_or(order_of(&version.latest));
            is_wanted.then_some((place, id))
        });
        let mut ids: Vec<(i64, i64)> = admitted.collect();
        ids.sort_unstable();
        if let Some(member) = query.sort {
            self.sort_by_member(&mut ids, locale, member, query.descending);
        }
        let page = ids.iter().skip(query.window.skip).take(query.window.take);
        Some(Listing {
            rows: page
                .filter_map(|(_, id)| self.flat_row(locale, *id, query.fields))
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
            let row = self.flat_row(locale, id, &[])?;
            let value = row::get(row.as_object()?, member.rsplit('.').next()?)?;
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

    fn flat_row(&self, locale: usize, id: i64, wanted: &[&str]) -> Option<Value> {
        let latest = &self.contents.version(locale, id)?.latest;
        let mut flat = row::row(json!({ "contentID": id }));
        let part = |name: &str| row::object(latest, name).cloned().unwrap_or_default();
        flat.extend(part("properties"));
        let mut fields = part("fields");
        keep_fields(&mut fields, wanted);
        flat.extend(fields);
        Some(Value::Object(flat))
    }
}
