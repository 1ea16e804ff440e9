//! Rows that belong to a whole instance, by id and by name.

use std::collections::{BTreeMap, HashMap};

use super::names::Names;
use super::row;
use crate::mock::file::Row;

/// Rows of one kind. Several rows may have one name, because state files may say so; the saves are what
/// refuses it.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    name_key: &'static str,
    rule: Names,
    rows: BTreeMap<i64, Row>,
    names: HashMap<String, Vec<i64>>,
}

impl Table {
    /// An empty table whose rows carry their name in `name_key`.
    pub(crate) fn new(name_key: &'static str, rule: Names) -> Self {
        Self {
            name_key,
            rule,
            rows: BTreeMap::new(),
            names: HashMap::new(),
        }
    }

    pub(crate) fn get(&self, id: i64) -> Option<&Row> {
        self.rows.get(&id)
    }

    pub(crate) fn contains(&self, id: i64) -> bool {
        self.rows.contains_key(&id)
    }

    /// Rows by ascending id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, &Row)> {
        self.rows.iter().map(|(id, row)| (*id, row))
    }

    /// Ids of the rows with this name in any case, oldest first.
    pub(crate) fn named(&self, name: &str) -> &[i64] {
        self.names
            .get(&self.rule.key(name))
            .map_or(&[], Vec::as_slice)
    }

    /// The row with exactly this name, else the first one with it in any case.
    pub(crate) fn by_name(&self, name: &str) -> Option<i64> {
        let named = self.named(name);
        let exact = named.iter().find(|id| self.name(**id) == Some(name));
        exact.or(named.first()).copied()
    }

    /// The rows beside which nothing else may have this name.
    pub(crate) fn rivals(&self, name: &str) -> impl Iterator<Item = i64> {
        let clashes = |id: &i64| {
            self.name(*id)
                .is_some_and(|other| self.rule.clash(name, other))
        };
        self.named(name).iter().copied().filter(clashes)
    }

    fn name(&self, id: i64) -> Option<&str> {
        row::text(self.rows.get(&id)?, self.name_key)
    }

    /// Puts a row in, or in the place of the one with this id.
    pub(crate) fn put(&mut self, id: i64, row: Row) {
        self.forget_name(id);
        let name = self
            .rule
            .key(row::text(&row, self.name_key).unwrap_or_default());
        self.names.entry(name).or_default().push(id);
        self.rows.insert(id, row);
    }

    /// Sets a member that is no name.
    pub(super) fn set(&mut self, id: i64, member: &str, value: &str) {
        if let Some(row) = self.rows.get_mut(&id) {
            row::set(row, member, value);
        }
    }

    pub(crate) fn remove(&mut self, id: i64) -> Option<Row> {
        self.forget_name(id);
        self.rows.remove(&id)
    }

    fn forget_name(&mut self, id: i64) {
        let Some(old) = self.rows.get(&id) else {
            return;
        };
        let name = self
            .rule
            .key(row::text(old, self.name_key).unwrap_or_default());
        if let Some(ids) = self.names.get_mut(&name) {
            ids.retain(|other| *other != id);
        }
    }
}
