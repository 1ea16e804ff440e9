//! Rows that belong to a whole instance, by id and by name.

use std::collections::{BTreeMap, HashMap};

use super::row;
use super::text::fold;
use crate::mock::file::Row;

/// Rows of one kind. Several rows may have one name, because state files may say so; the saves are what
/// refuses it.
#[derive(Debug)]
pub(crate) struct Table {
    name_key: &'static str,
    rows: BTreeMap<i64, Row>,
    names: HashMap<String, Vec<i64>>,
}

impl Table {
    /// An empty table whose rows carry their name in `name_key`.
    pub(crate) fn new(name_key: &'static str) -> Self {
        Self {
            name_key,
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
        self.names.get(&fold(name)).map_or(&[], Vec::as_slice)
    }

    /// The first row with this name.
    pub(crate) fn by_name(&self, name: &str) -> Option<i64> {
        self.named(name).first().copied()
    }

    /// Puts a row in, or in the place of the one with this id.
    pub(crate) fn put(&mut self, id: i64, row: Row) {
        self.forget_name(id);
        let name = fold(row::text(&row, self.name_key).unwrap_or_default());
        self.names.entry(name).or_default().push(id);
        self.rows.insert(id, row);
    }

    pub(crate) fn remove(&mut self, id: i64) -> Option<Row> {
        self.forget_name(id);
        self.rows.remove(&id)
    }

    fn forget_name(&mut self, id: i64) {
        let Some(old) = self.rows.get(&id) else {
            return;
        };
        let name = fold(row::text(old, self.name_key).unwrap_or_default());
        if let Some(ids) = self.names.get_mut(&name) {
            ids.retain(|other| *other != id);
        }
    }
}
