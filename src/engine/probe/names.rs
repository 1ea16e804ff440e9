//! The names of temporary entities.

use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};

use crate::domain::{RunId, time};

/// What all names begin with. Reference names take letters, digits and `_`.
const PREFIX: &str = "lockgate_probe_";

/// For how long something may belong to a probe of another state file.
const YOUNG: SignedDuration = SignedDuration::from_mins(10);

/// What the things of one probe are called, and the folder of its file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Names(String);

impl Names {
    pub(super) fn of(run: &RunId) -> Self {
        Self(format!("{PREFIX}{}", run.0.replace('-', "_")))
    }

    /// Those of the probe that made something of this name, or a file at this path.
    pub(super) fn of_thing(name: &str) -> Option<Self> {
        let name = name.split('/').next()?;
        let run = name.get(..PREFIX.len())?;
        let is_one = run.eq_ignore_ascii_case(PREFIX) && name.len() > PREFIX.len();
        is_one.then(|| Self(name.to_ascii_lowercase()))
    }

    /// Model, container, webhook and folder have the same one.
    pub(super) fn name(&self) -> &str {
        &self.0
    }

    /// Whether this is the name of something that the probe made; a file by its path.
    pub(super) fn is(&self, name: &str) -> bool {
        Self::of_thing(name).as_ref() == Some(self)
    }

    /// Whether the probe may still be under way at `now`. One without a time in its name is not.
    pub(super) fn is_young(&self, now: Timestamp) -> bool {
        let stamp = self
            .0
            .get(PREFIX.len()..PREFIX.len() + "20250101_000000".len());
        let began = stamp.and_then(|stamp| DateTime::strptime("%Y%m%d_%H%M%S", stamp).ok());
        let began = began.and_then(time::of_utc);
        began.is_some_and(|began| now.duration_since(began) < YOUNG)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_of_a_probe_are_known_by_their_names() {
        let names = Names::of(&RunId("20250101-101500-3f2a".to_owned()));
        assert_eq!(names.name(), "lockgate_probe_20250101_101500_3f2a");
        assert!(names.is("Lockgate_Probe_20250101_101500_3F2A"));
        assert!(names.is("lockgate_probe_20250101_101500_3f2a/probe.txt"));
        for other in ["lockgate_probe_", "lockgate_probe_x", "articles", "é", ""] {
            assert!(!names.is(other), "{other}");
        }
        assert_eq!(Names::of_thing("articles/lockgate_probe_x"), None);
    }

    #[test]
    fn what_is_young_may_belong_to_a_probe_under_way() {
        let names = Names::of(&RunId("20250101-101500-3f2a".to_owned()));
        let at = |text: &str| names.is_young(text.parse().unwrap());
        assert!(at("2025-01-01T10:20:00Z"));
        assert!(!at("2025-01-01T10:25:00Z"));
        assert!(
            !Names::of_thing("lockgate_probe_x")
                .unwrap()
                .is_young(time::now())
        );
    }
}
