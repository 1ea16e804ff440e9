//! What was made only just now, which a copy that lags does not show yet.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::ids::IdKind;

/// How far a copy may lag behind.
pub(crate) const LAG_MOST: Duration = Duration::from_mins(1);

/// A row that was made only just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Fresh {
    pub(crate) kind: IdKind,
    pub(crate) id: i64,
}

impl Fresh {
    /// The kinds whose lists may lag, and the member that has the id in their rows.
    pub(crate) const MEMBERS: [(IdKind, &'static str); 4] = [
        (IdKind::Content, "contentID"),
        (IdKind::Page, "pageID"),
        (IdKind::Asset, "mediaID"),
        (IdKind::Redirection, "urlRedirectionID"),
    ];
}

/// The rows that were made last.
#[derive(Clone, Debug, Default)]
pub(super) struct Latest(VecDeque<(Instant, Fresh)>);

impl Latest {
    /// Notes that a row was made.
    pub(super) fn made(&mut self, kind: IdKind, id: i64) {
        if Fresh::MEMBERS.iter().any(|(lagging, _)| *lagging == kind) {
            while self
                .0
                .front()
                .is_some_and(|(at, _)| at.elapsed() >= LAG_MOST)
            {
                self.0.pop_front();
            }
            self.0.push_back((Instant::now(), Fresh { kind, id }));
        }
    }

    /// The rows that a copy does not show yet which lags behind by this much.
    pub(super) fn fresh(&self, lag: Duration) -> HashSet<Fresh> {
        let shown = self.0.iter().filter(|(at, _)| at.elapsed() < lag);
        shown.map(|(_, row)| *row).collect()
    }
}
