//! What a world takes over from the one that it replaces: its feeds continue, and what differs has changed just now. A
//! client that goes by tokens and dates would otherwise see none of it.

use super::World;
use super::table::Table;
use super::text::{now, now_us};

impl World {
    /// Follows `former` as the state of the same instance.
    pub(crate) fn succeed(&mut self, former: &Self) {
        self.change += former.change;
        for locale in &mut self.locales {
            locale.content_feeds.shift(former.change);
            locale.page_feeds.shift(former.change);
        }
        date(
            &mut self.models,
            &former.models,
            &[("lastModifiedDate", now())],
        );
        let dates = [("lastModifiedOn", now()), ("lastModifiedDate", now_us())];
        date(&mut self.containers, &former.containers, &dates);
    }
}

/// Dates the rows that differ from what they were.
fn date(table: &mut Table, former: &Table, dates: &[(&str, String)]) {
    let differs = |(id, row)| {
        former
            .get(id)
            .is_some_and(|before| before != row)
            .then_some(id)
    };
    let changed: Vec<i64> = table.iter().filter_map(differs).collect();
    for id in changed {
        for (member, date) in dates {
            table.set(id, member, date.as_str());
        }
    }
}
