//! Ids: a range of its own per instance and kind, so that an id that was carried over from another
//! instance without being mapped hits nothing instead of something.

use std::collections::HashMap;

/// What an id is an id of. Kinds count apart, as on the real server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum IdKind {
    Model,
    Field,
    Container,
    Template,
    Zone,
    DefaultModule,
    Gallery,
    Asset,
    AssetContainer,
    Content,
    Page,
    Redirection,
    Batch,
    BatchItem,
    Version,
    Locale,
    BuiltIn,
}

/// Hands out the ids of one instance.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    guid: String,
    first: Option<i64>,
    next: HashMap<IdKind, i64>,
}

impl Ids {
    /// `first` is the lowest id of every kind; without it, each kind starts at a number between a million
    /// and two thousand million that follows from the GUID.
    pub(crate) fn new(guid: &str, first: Option<i64>) -> Self {
        Self {
            guid: guid.to_lowercase(),
            first,
            next: HashMap::new(),
        }
    }

    /// The next id that is not `taken`.
    pub(crate) fn next(&mut self, kind: IdKind, taken: impl Fn(i64) -> bool) -> i64 {
        let start = self.start(kind);
        let next = self.next.entry(kind).or_insert(start);
        while taken(*next) {
            *next += 1;
        }
        let id = *next;
        *next += 1;
        id
    }

    /// Sees to it that later ids are above `used`.
    pub(crate) fn raise(&mut self, kind: IdKind, used: i64) {
        let start = self.start(kind);
        let next = self.next.entry(kind).or_insert(start);
        *next = (*next).max(used + 1);
    }

    fn start(&self, kind: IdKind) -> i64 {
        let derived = |below: u64| {
            let digest = blake3::hash(format!("{}/{kind:?}", self.guid).as_bytes());
            let mut head = [0_u8; 8];
            head.copy_from_slice(&digest.as_bytes()[..8]);
            i64::try_from(u64::from_le_bytes(head) % below).unwrap_or(0)
        };
        match (kind, self.first) {
            // Small, because built-in rows are the first of an instance, and apart from `first`, which is
            // about rows that a client makes.
            (IdKind::BuiltIn, _) => 2 + derived(500),
            (IdKind::Locale | IdKind::AssetContainer, _) => 1 + derived(5_000),
            (_, Some(first)) => first,
            (_, None) => 1_000_000 + derived(2_000_000_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_and_kinds_have_ranges_of_their_own() {
        let mut one = Ids::new("1a2b3c4d-u", None);
        let mut two = Ids::new("5e6f7a8b-u", None);
        let ids = [
            one.next(IdKind::Content, |_| false),
            two.next(IdKind::Content, |_| false),
            one.next(IdKind::Page, |_| false),
        ];
        assert!(
            ids[0].abs_diff(ids[1]) > 100_000 && ids[0].abs_diff(ids[2]) > 100_000,
            "{ids:?}"
        );
        assert!(ids.iter().all(|id| *id < i64::from(i32::MAX)), "{ids:?}");
    }

    #[test]
    fn a_first_id_is_the_start_and_used_ids_are_skipped() {
        let mut ids = Ids::new("a-u", Some(100));
        assert_eq!(ids.next(IdKind::Content, |id| id < 103), 103);
        assert_eq!(ids.next(IdKind::Content, |_| false), 104);
        ids.raise(IdKind::Version, 500);
        assert_eq!(ids.next(IdKind::Version, |_| false), 501);
    }
}
