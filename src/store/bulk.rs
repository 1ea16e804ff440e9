//! Many rows of one table in one statement.
//!
//! A batch of content comes to its end with two rows for each item. One statement each would cost more than everything
//! else that the store does, because every statement is handed to the thread of `SQLite` and back. Rows are written in
//! the order of their changes, so that of two with one key the later one stays; `PostgreSQL` takes a key once in a statement, so
//! two with one key are never in the same one. Between tables the order does not matter inside a transaction.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::LazyLock;

use super::checksum::checksum;
use super::connection::{Statement, query};
use super::rows::{filled_column, locale_column, outcome_detail};
use super::{Mapping, Pair, RunEntity};
use crate::domain::Id;

/// The largest statement has `1 << LARGEST` rows. Sizes are powers of two, so that few statements are prepared.
const LARGEST: usize = 6;

/// One statement for each size.
type Sizes = LazyLock<[String; LARGEST + 1]>;

static MAPPINGS: Sizes = LazyLock::new(|| {
    sizes(
        "INSERT INTO mappings (source, target, kind, source_id, locale, target_id, target_name,
                               source_version, target_version, source_hash, target_hash, origin, run, proof, filled,
                               bytes_hash, bytes_date, evidence, fields, checksum)",
        20,
        "ON CONFLICT (source, target, kind, source_id, locale) DO UPDATE SET
             target_id = excluded.target_id, target_name = excluded.target_name,
             source_version = excluded.source_version, target_version = excluded.target_version,
             source_hash = excluded.source_hash, target_hash = excluded.target_hash,
             origin = excluded.origin, run = excluded.run, proof = excluded.proof, filled = excluded.filled,
             bytes_hash = excluded.bytes_hash, bytes_date = excluded.bytes_date,
             evidence = excluded.evidence, fields = excluded.fields, checksum = excluded.checksum",
    )
});

static ENTITIES: Sizes = LazyLock::new(|| {
    sizes(
        "INSERT INTO run_entities (run, kind, source_id, locale, name, outcome, detail, target_id, because)",
        9,
        "ON CONFLICT (run, kind, source_id, locale) DO UPDATE SET
             name = excluded.name, outcome = excluded.outcome, detail = excluded.detail,
             target_id = excluded.target_id, because = excluded.because",
    )
});

fn sizes(insert: &str, columns: usize, conflict: &str) -> [String; LARGEST + 1] {
    let row = format!("(?{})", ", ?".repeat(columns - 1));
    std::array::from_fn(|size| {
        let rows = vec![&*row; 1 << size].join(", ");
        format!("{insert} VALUES {rows} {conflict}")
    })
}

/// Rows that wait for their statement.
#[derive(Default)]
pub(super) struct Bulk<'c> {
    mappings: Vec<(&'c Pair, &'c Mapping)>,
    entities: Vec<&'c RunEntity>,
}

impl<'c> Bulk<'c> {
    /// Keeps a row for later.
    pub(super) fn mapping(&mut self, pair: &'c Pair, mapping: &'c Mapping) {
        self.mappings.push((pair, mapping));
    }

    /// Keeps a row for later.
    pub(super) fn entity(&mut self, entity: &'c RunEntity) {
        self.entities.push(entity);
    }

    /// The statements for what was kept.
    pub(super) fn statements(&mut self) -> Vec<Statement<'c>> {
        let mut statements = Vec::new();
        let rows = std::mem::take(&mut self.mappings);
        for rows in runs(&rows, |(pair, mapping)| (*pair, &mapping.key)) {
            statements.extend(chunks(rows).map(mappings));
        }
        let rows = std::mem::take(&mut self.entities);
        for rows in runs(&rows, |entity| (&entity.run, &entity.key)) {
            statements.extend(chunks(rows).map(entities));
        }
        statements
    }
}

/// The longest parts in which no key stands twice.
fn runs<T, K: Hash + Eq>(mut rows: &[T], key: impl Fn(&T) -> K) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let mut seen = HashSet::new();
        let length = rows.iter().take_while(|row| seen.insert(key(row))).count();
        let (part, rest) = rows.split_at(length);
        rows = rest;
        (length > 0).then_some(part)
    })
}

/// The largest parts that there is a statement for.
fn chunks<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = rows.len().checked_ilog2()? as usize;
        let (part, rest) = rows.split_at(1 << size.min(LARGEST));
        rows = rest;
        Some(part)
    })
}

/// The statement for as many rows as one of [`chunks`] has.
fn sized(statements: &'static Sizes, rows: usize) -> &'static str {
    &statements[rows.ilog2() as usize]
}

fn mappings<'q>(rows: &[(&'q Pair, &'q Mapping)]) -> Statement<'q> {
    let all = query(sized(&MAPPINGS, rows.len()));
    rows.iter().fold(all, |all, (pair, mapping)| {
        all.bind(pair.source.as_str())
            .bind(pair.target.as_str())
            .bind(mapping.key.kind.name())
            .bind(mapping.key.id.raw())
            .bind(locale_column(&mapping.key))
            .bind(mapping.target.raw())
            .bind(&mapping.target_name)
            .bind(mapping.source_version.map(|version| version.0))
            .bind(mapping.target_version.map(|version| version.0))
            .bind(mapping.source_hash.map(|hash| hash.to_string()))
            .bind(mapping.target_hash.map(|hash| hash.to_string()))
            .bind(mapping.origin.name())
            .bind(&mapping.run.0)
            .bind(mapping.proof.name())
            .bind(filled_column(&mapping.filled))
            .bind(mapping.bytes_hash.map(|hash| hash.to_string()))
            .bind(&mapping.bytes_date)
            .bind(&mapping.evidence)
            .bind(mapping.fields.as_ref().map(ToString::to_string))
            .bind(checksum(pair, mapping))
    })
}

fn entities<'q>(rows: &[&'q RunEntity]) -> Statement<'q> {
    let all = query(sized(&ENTITIES, rows.len()));
    rows.iter().fold(all, |all, entity| {
        all.bind(&entity.run.0)
            .bind(entity.key.kind.name())
            .bind(entity.key.id.raw())
            .bind(locale_column(&entity.key))
            .bind(&entity.name)
            .bind(entity.outcome.name())
            .bind(outcome_detail(&entity.outcome))
            .bind(entity.target.map(Id::raw))
            .bind(&entity.because)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_one_statement_and_in_its_order() {
        for count in [0, 1, 2, 3, 63, 64, 65, 200] {
            let rows: Vec<usize> = (0..count).collect();
            let parts: Vec<&[usize]> = chunks(&rows).collect();
            assert_eq!(parts.concat(), rows);
            let fits = |part: &&[usize]| part.len().is_power_of_two() && part.len() <= 64;
            assert!(parts.iter().all(fits));
        }
        let parts: Vec<&[i32]> = runs(&[1, 2, 1, 1, 3], |row| *row).collect();
        assert_eq!(parts, [&[1, 2][..], &[1], &[1, 3]]);
        assert_eq!(MAPPINGS[6].matches('?').count(), 64 * 20);
        assert_eq!(ENTITIES[1].matches('?').count(), 2 * 9);
    }
}
