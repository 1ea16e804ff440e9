//! The locales of an instance: made, renamed, switched and ordered. None is ever deleted.

use serde_json::{Value, json};

use super::failure::Refusal;
use super::feed::Feeds;
use super::ids::{IdKind, Ids};
use super::{World, row};
use crate::mock::file::Row;

/// A locale with the feeds of its content and its pages.
#[derive(Clone, Debug)]
pub(crate) struct Locale {
    id: i64,
    pub(super) code: String,
    name: String,
    /// Whether it is listed and can be read and written.
    pub(super) is_enabled: bool,
    /// Its place in lists.
    pub(super) order: i64,
    pub(super) content_feeds: Feeds,
    pub(super) page_feeds: Feeds,
}

impl Locale {
    pub(super) fn new(ids: &mut Ids, code: &str, order: usize, is_enabled: bool) -> Self {
        Self {
            id: ids.next(IdKind::Locale, |_| false),
            code: code.to_owned(),
            name: code.to_owned(),
            is_enabled,
            order: i64::try_from(order).unwrap_or(i64::MAX),
            content_feeds: Feeds::default(),
            page_feeds: Feeds::default(),
        }
    }

    fn row(&self) -> Value {
        json!({
            "localeID": self.id, "localeName": self.name, "localeCode": self.code, "enabled": self.is_enabled, "custom": false,
            "sortOrder": self.order
        })
    }
}

impl World {
    /// The index of an enabled locale by its code in any case.
    pub(crate) fn locale(&self, code: &str) -> Option<usize> {
        let is_it = |locale: &Locale| locale.is_enabled && locale.code.eq_ignore_ascii_case(code);
        self.locales.iter().position(is_it)
    }

    /// Those that are enabled, or those that are not, in their order.
    pub(super) fn locales_in_order(&self, enabled: bool) -> Vec<&Locale> {
        let mut found: Vec<&Locale> = self.locales.iter().collect();
        found.retain(|locale| locale.is_enabled == enabled);
        found.sort_by_key(|locale| locale.order);
        found
    }

    /// `Locale` rows.
    pub(crate) fn locale_rows(&self, enabled: bool) -> Vec<Value> {
        let found = self.locales_in_order(enabled).into_iter();
        found.map(Locale::row).collect()
    }

    pub(crate) fn locale_row(&self, id: i64) -> Option<Value> {
        let found = self.locales.iter().find(|locale| locale.id == id);
        found.map(Locale::row)
    }

    fn locale_mut(&mut self, id: i64) -> Result<&mut Locale, Refusal> {
        let found = self.locales.iter_mut().find(|locale| locale.id == id);
        found.ok_or_else(|| super::gone("Locale", id))
    }

    /// Makes a locale, or changes the one with this id or code.
    ///
    /// # Errors
    /// 400 without a code, 404 for an unknown id.
    pub(crate) fn save_locale(&mut self, posted: &Row) -> Result<(), Refusal> {
        let code = row::filled(posted, "localeCode").map(str::trim);
        let by_code =
            |locale: &Locale| code.is_some_and(|code| locale.code.eq_ignore_ascii_case(code));
        let there = self.locales.iter().find(|locale| by_code(locale));
        let id = row::id(posted, "localeID").or(there.map(|locale| locale.id));
        let id = match (id, code) {
            (Some(id), _) => id,
            (None, Some(code)) => {
                let made = Locale::new(&mut self.ids, code, self.locales.len(), true);
                let id = made.id;
                self.locales.push(made);
                id
            }
            (None, None) => {
                let text = "The localeCode field is required.";
                return Err(Refusal::invalid("localeCode", text));
            }
        };
        let locale = self.locale_mut(id)?;
        if let Some(name) = row::filled(posted, "localeName") {
            name.clone_into(&mut locale.name);
        }
        Ok(())
    }

    /// Enables or disables a locale; what it holds stays.
    ///
    /// # Errors
    /// 404 for an unknown id, 400 for the last one that is enabled.
    pub(crate) fn switch_locale(&mut self, id: i64, is_enabled: bool) -> Result<(), Refusal> {
        let is_last = matches!(&*self.locales_in_order(true), [only] if only.id == id);
        if is_last && !is_enabled {
            return Err(Refusal::new(400, "An instance needs a locale."));
        }
        self.locale_mut(id)?.is_enabled = is_enabled;
        Ok(())
    }

    /// Orders the locales as their ids are; those that are not named follow.
    pub(crate) fn order_locales(&mut self, ids: &[i64]) {
        let place = |locale: &Locale| {
            let at = ids.iter().position(|id| *id == locale.id);
            (at.unwrap_or(ids.len()), locale.order)
        };
        let mut order: Vec<usize> = (0..self.locales.len()).collect();
        order.sort_by_key(|at| place(&self.locales[*at]));
        for (place, at) in (0..).zip(order) {
            self.locales[at].order = place;
        }
    }
}
