//! What something else changed on the target during this run.
//!
//! Two runs on one pair with different states cannot detect each other, and editors work at any time. Both show in what is
//! read from the target later: entities that are new, gone or changed since the snapshot, and versions that rose by more
//! than the saves of this run. A run may raise the version of an entity without saving it, so a version alone does not
//! always count:
//!
//! ```text
//!   a page, which a save in another locale raises     ─▶ its version rose, and its content differs
//!   content of a run that publishes, which takes      ─▶ its version rose, and its content differs; what the run wrote
//!   components of pages along                            itself is not published either
//!   other content                                     ─▶ its version rose
//!   a kind without versions                           ─▶ its content differs, and the run did not write it
//! ```
//!
//! An edit before the save of this run to the same entity is overwritten and does not show: the API does not return the
//! version that a save replaced.

use std::collections::BTreeMap;

use dashmap::{DashMap, DashSet};

use super::instances::Ends;
use super::run_context::RunContext;
use crate::domain::{ItemState, Kind, TargetKey, Version};
use crate::engine::options::Publish;
use crate::event::Event;

/// Maximum number of entities that the warning names.
const NAMED: usize = 3;

/// What happened to an entity of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Change {
    /// It was saved: from this version to that one, where versions are known.
    Saved(Option<(Version, Version)>),
    /// It is new.
    Created,
    /// It is gone.
    Deleted,
}

/// Every change by something else that this run noticed.
#[derive(Debug, Default)]
pub(in crate::engine) struct Foreign {
    noticed: DashMap<TargetKey, Change>,
    /// What this run deletes.
    deleted: DashSet<TargetKey>,
}

impl Foreign {
    pub(in crate::engine) fn note(&self, key: TargetKey, change: Change) {
        if change != Change::Deleted || !self.deleted.contains(&key) {
            self.noticed.insert(key, change);
        }
    }

    /// Notes that this run deletes an entity.
    pub(in crate::engine) fn expect_deleted(&self, key: TargetKey) {
        self.deleted.insert(key);
    }

    /// One sentence with the next step; `None` where nothing was noticed.
    fn sentence(&self) -> Option<String> {
        let all = self.noticed.iter();
        let all: BTreeMap<TargetKey, Change> = all
            .map(|entry| (entry.key().clone(), *entry.value()))
            .collect();
        let named = all.iter().take(NAMED).map(|(key, change)| match change {
            Change::Saved(None) => format!("{key} (changed)"),
            Change::Saved(Some((from, to))) => {
                format!("{key} (version {} instead of {})", to.0, from.0)
            }
            Change::Created => format!("{key} (new)"),
            Change::Deleted => format!("{key} (deleted)"),
        });
        let named: Vec<String> = named.collect();
        let (count, what) = match all.len() {
            0 => return None,
            1 => (1, "entity"),
            more => (more, "entities"),
        };
        Some(format!(
            "{count} {what} changed on the target during this run and not by it, such as {}: another run with another state, or \
             an editor, seems to be at work there; when it is finished, run lockgate sync again, and let all runs of this pair \
             share one --state",
            named.join(", ")
        ))
    }
}

/// What is known of an item or page when it is read back.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct ReadBack {
    pub(in crate::engine) kind: Kind,
    /// The version that the last save of this run, the snapshot or the state had.
    pub(in crate::engine) known: Version,
    pub(in crate::engine) found: Version,
    pub(in crate::engine) state: ItemState,
    /// Whether this run saved it.
    pub(in crate::engine) is_written: bool,
    /// Whether this run publishes.
    pub(in crate::engine) publishes: bool,
}

impl ReadBack {
    /// Whether something else than this run saved it. `is_equal`: whether it says what this run sent, or what the snapshot
    /// had where the run did not write it.
    pub(in crate::engine) fn is_foreign(self, is_equal: impl FnOnce() -> bool) -> bool {
        let is_saved_last = self.state == ItemState::Staging;
        self.found > self.known
            && match (self.kind, self.publishes, self.is_written) {
                (Kind::Page, _, _) | (_, true, false) => !is_equal(),
                // A publication that was refused may raise the version, too.
                (_, true, true) => is_saved_last && !is_equal(),
                (_, false, _) => true,
            }
    }
}

impl<E: Ends> RunContext<E> {
    /// Whether this run publishes something.
    pub(in crate::engine) fn publishes(&self) -> bool {
        self.options.publish != Publish::Off || !self.live.republish.is_empty()
    }

    /// Warns of what something else changed on the target, if so.
    pub(in crate::engine) async fn warn_of_foreign(&self) {
        if let Some(message) = self.live.foreign.sentence() {
            self.sink.emit(Event::Warned { message }).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Locale;

    fn is_foreign(kind: Kind, (known, found): (i64, i64), told: (bool, bool, bool)) -> bool {
        let (is_written, publishes, is_equal) = told;
        let read = ReadBack {
            kind,
            known: Version(known),
            found: Version(found),
            state: ItemState::Published,
            is_written,
            publishes,
        };
        read.is_foreign(|| is_equal)
    }

    #[test]
    fn a_version_that_did_not_rise_is_no_sign() {
        for kind in [Kind::Content, Kind::Page] {
            for found in [7, 6] {
                for is_written in [false, true] {
                    assert!(!is_foreign(kind, (7, found), (is_written, false, false)));
                }
            }
        }
    }

    #[test]
    fn a_run_raises_versions_of_pages_and_of_what_it_publishes() {
        for is_written in [false, true] {
            assert!(is_foreign(Kind::Content, (7, 8), (is_written, false, true)));
            assert!(!is_foreign(Kind::Content, (7, 8), (is_written, true, true)));
            for publishes in [false, true] {
                assert!(!is_foreign(
                    Kind::Page,
                    (7, 8),
                    (is_written, publishes, true)
                ));
                assert!(is_foreign(
                    Kind::Page,
                    (7, 8),
                    (is_written, publishes, false)
                ));
            }
        }
        assert!(is_foreign(Kind::Content, (7, 8), (false, true, false)));
    }

    #[test]
    fn what_was_changed_after_it_was_published_is_a_sign() {
        let read = ReadBack {
            kind: Kind::Content,
            known: Version(7),
            found: Version(9),
            state: ItemState::Staging,
            is_written: true,
            publishes: true,
        };
        assert!(read.is_foreign(|| false));
        assert!(!read.is_foreign(|| true), "the publication was refused");
    }

    #[test]
    fn the_sentence_names_a_few() {
        let foreign = Foreign::default();
        assert_eq!(foreign.sentence(), None);
        let locale = Locale::new("en-us");
        for id in 1..=5 {
            let key = TargetKey::localised(Kind::Content, id, &locale);
            foreign.note(key, Change::Saved(Some((Version(3), Version(9)))));
        }
        foreign.note(TargetKey::global(Kind::Model, 4), Change::Deleted);
        let told = foreign.sentence().unwrap();
        assert!(
            told.starts_with("6 entities changed on the target during this run"),
            "{told}"
        );
        assert!(told.contains("model:4 (deleted)"), "{told}");
        assert!(
            told.contains("content:1@en-us (version 9 instead of 3)"),
            "{told}"
        );
        assert!(!told.contains("content:3@en-us"), "{told}");
    }
}
