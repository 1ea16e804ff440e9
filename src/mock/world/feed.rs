//! The change log behind the Fetch API's sync calls.
//!
//! One per locale, kind and mode. A change moves its row to the end under a new, higher token, so a
//! reader that comes back with its last token sees each changed row once, in the order of change.

use std::collections::{BTreeMap, HashMap};

/// Which side of the Fetch API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The latest saved version of everything.
    Preview,
    /// Published snapshots.
    Fetch,
}

/// The rows of one kind in one locale, in order of change.
#[derive(Clone, Debug, Default)]
pub(crate) struct Feed {
    order: BTreeMap<i64, i64>,
    tokens: HashMap<i64, i64>,
}

/// The feeds of the two modes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Feeds {
    preview: Feed,
    fetch: Feed,
}

impl Feed {
    /// Notes that row `id` changed at `token`, which is above all earlier ones.
    pub(crate) fn touch(&mut self, id: i64, token: i64) {
        if let Some(old) = self.tokens.insert(id, token) {
            self.order.remove(&old);
        }
        self.order.insert(token, id);
    }

    /// Raises every token.
    fn shift(&mut self, by: i64) {
        let order = std::mem::take(&mut self.order);
        self.order = order
            .into_iter()
            .map(|(token, id)| (token + by, id))
            .collect();
        self.tokens.values_mut().for_each(|token| *token += by);
    }

    /// Ids that changed after `token`, oldest change first, with their tokens.
    pub(crate) fn after(&self, token: i64) -> impl Iterator<Item = (i64, i64)> {
        self.order
            .range(token.saturating_add(1)..)
            .map(|(token, id)| (*token, *id))
    }
}

impl Feeds {
    /// Raises every token, for feeds that follow others.
    pub(super) fn shift(&mut self, by: i64) {
        self.preview.shift(by);
        self.fetch.shift(by);
    }

    pub(crate) fn of(&self, mode: Mode) -> &Feed {
        match mode {
            Mode::Preview => &self.preview,
            Mode::Fetch => &self.fetch,
        }
    }

    pub(crate) fn of_mut(&mut self, mode: Mode) -> &mut Feed {
        match mode {
            Mode::Preview => &mut self.preview,
            Mode::Fetch => &mut self.fetch,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_moves_a_row_to_the_end() {
        let mut feed = Feed::default();
        feed.touch(10, 1);
        feed.touch(20, 2);
        feed.touch(10, 3);
        assert_eq!(feed.after(0).collect::<Vec<_>>(), [(2, 20), (3, 10)]);
        assert_eq!(feed.after(2).collect::<Vec<_>>(), [(3, 10)]);
        assert_eq!(feed.after(3).count(), 0);
    }
}
