//! Limits on reads that might never end.
//!
//! The server decides how long its lists are, and a feed continues as long as its token grows. So three numbers are bounded:
//! pages, pages without anything new, and entries in total.

use std::collections::HashMap;

use super::options::ReadLimits;
use crate::instance::ReadRequest;

/// Pages in a row that may bring nothing new. A feed may be edited while it is read, so some do.
const IDLE_PAGES: u32 = 100;

/// What goes on and on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Endless {
    /// A list or feed has more pages than are read.
    #[error("{what} goes on after {pages} pages (limits.pages)")]
    Pages {
        /// The question of its first page.
        what: Box<ReadRequest>,
        /// The limit.
        pages: u32,
    },
    /// A list or feed states that it goes on, and has nothing new.
    #[error("{what} goes on, although {pages} pages in a row brought nothing new")]
    Idle {
        /// The question of its first page.
        what: Box<ReadRequest>,
        /// How many they were.
        pages: u32,
    },
    /// Everything together is more than is read.
    #[error("more than {entities} rows were read (limits.entities), the last ones with {what}")]
    Entities {
        /// The limit.
        entities: usize,
        /// The question that was answered with too much.
        what: Box<ReadRequest>,
    },
}

impl Endless {
    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Pages { .. } | Self::Entities { .. } => {
                "if the instance is that large, raise the named setting; otherwise the server repeats itself"
            }
            Self::Idle { .. } => "the server repeats itself; report it to its operator",
        }
    }
}

/// Counts of one reading.
#[derive(Debug)]
pub(super) struct Counted {
    limits: ReadLimits,
    rows: usize,
    /// Pages of each list or feed, and how many of the last ones brought nothing new.
    pages: HashMap<ReadRequest, (u32, u32)>,
}

impl Counted {
    pub(super) fn new(limits: ReadLimits) -> Self {
        Self {
            limits,
            rows: 0,
            pages: HashMap::new(),
        }
    }

    /// Counts the answer to a question: how many rows in it are new, and whether it states that there is more.
    pub(super) fn count(
        &mut self,
        ask: &ReadRequest,
        fresh: usize,
        goes_on: bool,
    ) -> Result<(), Endless> {
        self.rows = self.rows.saturating_add(fresh);
        if self.rows > self.limits.entities {
            return Err(Endless::Entities {
                entities: self.limits.entities,
                what: Box::new(ask.clone()),
            });
        }
        let Some(first) = ask.feed() else {
            return Ok(());
        };
        let (pages, idle) = self.pages.entry(first.clone()).or_default();
        *pages += 1;
        *idle = if fresh == 0 { *idle + 1 } else { 0 };
        let (pages, idle, what) = (*pages, *idle, Box::new(first));
        if goes_on && pages >= self.limits.pages {
            return Err(Endless::Pages { what, pages });
        }
        if goes_on && idle >= IDLE_PAGES {
            return Err(Endless::Idle { what, pages: idle });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Locale;

    fn items(token: i64) -> ReadRequest {
        ReadRequest::Items {
            locale: Locale::new("en-us"),
            token,
        }
    }

    fn counted(pages: u32, entities: usize) -> Counted {
        Counted::new(ReadLimits { pages, entities })
    }

    #[test]
    fn a_feed_ends_at_its_last_page_and_not_beyond_the_limit() {
        let mut all = counted(3, 1000);
        for token in 0..2 {
            assert_eq!(all.count(&items(token), 1, true), Ok(()));
        }
        assert_eq!(counted(1, 1000).count(&items(2), 1, false), Ok(()));
        assert!(matches!(
            all.count(&items(2), 1, true),
            Err(Endless::Pages { pages: 3, .. })
        ));
    }

    #[test]
    fn pages_without_anything_new_end_and_one_with_news_starts_anew() {
        let mut all = counted(10_000, 1000);
        for token in 0..i64::from(IDLE_PAGES) - 1 {
            assert_eq!(all.count(&items(token), 0, true), Ok(()));
        }
        assert_eq!(all.count(&items(500), 1, true), Ok(()));
        for token in 0..i64::from(IDLE_PAGES) - 1 {
            assert_eq!(all.count(&items(1000 + token), 0, true), Ok(()));
        }
        assert!(matches!(
            all.count(&items(2000), 0, true),
            Err(Endless::Idle { .. })
        ));
    }

    #[test]
    fn all_rows_together_are_bounded_whatever_they_come_from() {
        let mut all = counted(10, 100);
        assert_eq!(all.count(&ReadRequest::Containers, 60, true), Ok(()));
        assert_eq!(all.count(&items(0), 40, true), Ok(()));
        let end = all.count(&ReadRequest::Model(7), 1, false).unwrap_err();
        assert_eq!(
            end.to_string(),
            "more than 100 rows were read (limits.entities), the last ones with model 7"
        );
    }
}
