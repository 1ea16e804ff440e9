//! Sets rows aside that contradict one another.

use std::collections::BTreeMap;

use super::defect::{Defect, DefectKind};
use super::layout;
use super::read::{OfficialFolder, OfficialRow};
use crate::domain::{Locale, name_key};

/// Takes every row out that another one contradicts, with a defect for each. Of rows that only repeat one another the first
/// is used.
pub(super) fn set_aside(found: &mut OfficialFolder) {
    let mut aside = Aside {
        rows: std::mem::take(&mut found.rows),
        defects: BTreeMap::new(),
    };
    aside.sources();
    aside.targets();
    aside.names();
    aside.locales();
    let Aside { rows, defects } = aside;
    let mut at = 0..;
    found.rows = rows
        .into_iter()
        .filter(|_| at.next().is_some_and(|at| !defects.contains_key(&at)))
        .collect();
    found.defects.extend(defects.into_values());
}

struct Aside {
    rows: Vec<OfficialRow>,
    /// The first defect of each row, by its place in `rows`.
    defects: BTreeMap<usize, Defect>,
}

impl Aside {
    /// The places of rows that have `K` in common, of more than one.
    fn groups<K: Ord>(&self, key: impl Fn(&OfficialRow) -> Option<K>) -> Vec<Vec<usize>> {
        let mut groups: BTreeMap<K, Vec<usize>> = BTreeMap::new();
        for (at, row) in self.rows.iter().enumerate() {
            if let Some(key) = key(row) {
                groups.entry(key).or_default().push(at);
            }
        }
        groups.into_values().filter(|at| at.len() > 1).collect()
    }

    /// Whether rows differ in `value`.
    fn differ<V: PartialEq>(&self, group: &[usize], value: impl Fn(&OfficialRow) -> V) -> bool {
        let first = value(&self.rows[group[0]]);
        group.iter().any(|at| value(&self.rows[*at]) != first)
    }

    /// The numbers of the other rows of a group.
    fn others(&self, group: &[usize], at: usize) -> Vec<usize> {
        let others = group.iter().filter(|other| **other != at);
        others.map(|other| self.rows[*other].row).collect()
    }

    fn report(&mut self, at: usize, kind: DefectKind) {
        let defect = self.rows[at].defect(kind);
        self.defects.entry(at).or_insert(defect);
    }

    fn sources(&mut self) {
        for group in self.groups(|row| Some(row.key.clone())) {
            let is_contradiction = self.differ(&group, |row| row.target);
            let first = usize::from(!is_contradiction);
            for at in group[first..].iter().copied() {
                let key = self.rows[at].key.clone();
                let rows = self.others(&group, at);
                self.report(at, DefectKind::SourceTwice { key, rows });
            }
        }
    }

    fn targets(&mut self) {
        let slot = |row: &OfficialRow| Some((row.key.kind, row.key.locale.clone(), row.target));
        for group in self.groups(slot) {
            if !self.differ(&group, |row| row.key.id) {
                continue;
            }
            for at in group.iter().copied() {
                let target = self.rows[at].target;
                let rows = self.others(&group, at);
                self.report(at, DefectKind::TargetTwice { target, rows });
            }
        }
    }

    fn names(&mut self) {
        let named = |row: &OfficialRow| {
            let name = row.name.as_deref()?;
            let name = if layout::of_kind(row.key.kind).is_folded {
                name_key(name)
            } else {
                name.into()
            };
            Some((row.key.kind, name))
        };
        for group in self.groups(named) {
            if !self.differ(&group, |row| row.key.id) {
                continue;
            }
            for at in group.iter().copied() {
                let name = self.rows[at].name.clone().unwrap_or_default();
                let rows = self.others(&group, at);
                self.report(at, DefectKind::NameTwice { name, rows });
            }
        }
    }

    /// An item or page has one id in all its locales, on both sides.
    fn locales(&mut self) {
        let is_localised = |row: &OfficialRow| row.key.kind.is_localised();
        let here = |row: &OfficialRow| is_localised(row).then_some((row.key.kind, row.key.id));
        for group in self.groups(here) {
            if self.differ(&group, |row| row.target) {
                self.disagree(&group);
            }
        }
        let there = |row: &OfficialRow| is_localised(row).then_some((row.key.kind, row.target));
        for group in self.groups(there) {
            if self.differ(&group, |row| row.key.id) {
                self.disagree(&group);
            }
        }
    }

    fn disagree(&mut self, group: &[usize]) {
        for at in group.iter().copied() {
            let locale = |at: usize| -> Option<&Locale> { self.rows[at].key.locale.as_ref() };
            let elsewhere = group.iter().copied();
            let elsewhere = elsewhere.filter(|other| locale(*other) != locale(at));
            let elsewhere: Vec<_> = elsewhere
                .map(|other| (self.rows[other].file.clone(), self.rows[other].row))
                .collect();
            if elsewhere.is_empty() {
                continue;
            }
            let key = self.rows[at].key.clone();
            self.report(at, DefectKind::LocalesDisagree { key, elsewhere });
        }
    }
}
