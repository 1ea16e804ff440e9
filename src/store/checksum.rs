//! A checksum over each mapping.
//!
//! `SQLite` notices pages that contradict each other, and no bit that flipped in a value: the id of another entity would be
//! trusted, and the wrong one written over. So each row carries the hash of its values, which is checked whenever mappings
//! are read.

use std::sync::Arc;

use super::connection::{Column, Connection, Row, query};
use super::rows::{Reader, filled_column, locale_column};
use super::{Mapping, MappingOrigin, Pair, StoreError};
use crate::domain::{ContentHash, FieldHashes, Guid, Id, Proof, RunId, TargetId, Version};

/// All rows, by pair and key.
pub(super) const ROWS: &str =
    "SELECT source, target, kind, source_id, locale, target_id, target_name, source_version, target_version,
            source_hash, target_hash, origin, run, proof, filled, bytes_hash, bytes_date, evidence, fields, checksum
     FROM mappings ORDER BY source, target, kind, source_id, locale";

/// The checksum of a row: the hash of its values in the order of the table, without the checksum.
pub(super) fn checksum(pair: &Pair, mapping: &Mapping) -> String {
    let number = |number: i64| Some(number.to_string());
    let hash = |hash: Option<ContentHash>| hash.map(|hash| hash.to_string());
    let version = |version: Option<Version>| version.map(|version| version.0.to_string());
    let text = |text: &str| Some(text.to_owned());
    let values = [
        text(pair.source.as_str()),
        text(pair.target.as_str()),
        text(mapping.key.kind.name()),
        number(mapping.key.id.raw()),
        text(locale_column(&mapping.key)),
        number(mapping.target.raw()),
        mapping.target_name.clone(),
        version(mapping.source_version),
        version(mapping.target_version),
        hash(mapping.source_hash),
        hash(mapping.target_hash),
        text(mapping.origin.name()),
        text(&mapping.run.0),
        text(mapping.proof.name()),
        filled_column(&mapping.filled),
        hash(mapping.bytes_hash),
        mapping.bytes_date.clone(),
    ];
    // Rows of an older state have none, and keep the checksum that they were given.
    let evidence = mapping.evidence.as_ref().map(|text| Some(text.clone()));
    let fields = mapping.fields.as_ref();
    let fields = fields.map(|fields| Some(format!("fields {fields}")));
    let mut bytes = Vec::with_capacity(512);
    for value in values.iter().chain(&evidence).chain(&fields) {
        // A length before each, so that no two rows feed the same bytes; none at all differs from an empty text.
        let length = value.as_ref().map_or(u64::MAX, |value| value.len() as u64);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(value.as_deref().unwrap_or_default().as_bytes());
    }
    ContentHash::of_bytes(&bytes).to_string()
}

/// Reads one of [`ROWS`].
///
/// # Errors
/// [`StoreError::Damaged`] when its checksum is another one, [`StoreError::Unreadable`] for what no program wrote.
pub(super) fn read(row: Row<'_>, place: &str) -> Result<(Pair, Mapping), StoreError> {
    let (pair, mapping) = values(row, place)?;
    let written: String = column(row, "checksum", place)?;
    if written == checksum(&pair, &mapping) {
        return Ok((pair, mapping));
    }
    Err(StoreError::Damaged {
        place: place.to_owned(),
        detail: format!("the mapping of {} is not as it was written", mapping.key),
    })
}

fn column<'r, T: Column<'r>>(row: Row<'r>, name: &str, place: &str) -> Result<T, StoreError> {
    row.get(name).map_err(|error| match error {
        sqlx::Error::ColumnDecode { .. } => StoreError::Damaged {
            place: place.to_owned(),
            detail: format!("{name} in mappings has a value of another type"),
        },
        other => StoreError::of(other, place),
    })
}

fn values(row: Row<'_>, place: &str) -> Result<(Pair, Mapping), StoreError> {
    let reader = Reader {
        place,
        table: "mappings",
    };
    let guid = |name| column::<String>(row, name, place).map(|guid| Guid::new(&guid));
    let hash = |name| reader.hash(name, column(row, name, place)?);
    let version = |name| column::<Option<i64>>(row, name, place).map(|of| of.map(Version));
    let pair = Pair {
        source: guid("source")?,
        target: guid("target")?,
    };
    let mapping = Mapping {
        key: reader.key(
            column(row, "kind", place)?,
            column(row, "source_id", place)?,
            column(row, "locale", place)?,
        )?,
        target: TargetId::new(column(row, "target_id", place)?),
        target_name: column(row, "target_name", place)?,
        source_version: version("source_version")?,
        target_version: version("target_version")?,
        source_hash: hash("source_hash")?,
        target_hash: hash("target_hash")?,
        origin: reader.word(
            "origin",
            column(row, "origin", place)?,
            MappingOrigin::from_name,
        )?,
        run: RunId(column(row, "run", place)?),
        proof: reader.word("proof", column(row, "proof", place)?, Proof::from_name)?,
        filled: reader.filled(column(row, "filled", place)?)?,
        bytes_hash: hash("bytes_hash")?,
        bytes_date: column(row, "bytes_date", place)?,
        evidence: column(row, "evidence", place)?,
        fields: column::<Option<String>>(row, "fields", place)?
            .map(|text| reader.word("fields", &text, FieldHashes::parse))
            .transpose()?,
    };
    Ok((pair, mapping))
}

/// Gives the rows of an older state their checksums.
///
/// # Errors
/// [`StoreError`] when one cannot be read or written.
pub(super) async fn fill(connection: &mut Connection) -> Result<(), StoreError> {
    let place = Arc::clone(&connection.place);
    let all = query(ROWS);
    let rows = connection.rows(&all, |row| values(row, &place));
    for (pair, mapping) in rows.await? {
        let filled = query(
            "UPDATE mappings SET checksum = ?
             WHERE source = ? AND target = ? AND kind = ? AND source_id = ? AND locale = ?",
        )
        .bind(checksum(&pair, &mapping))
        .bind(pair.source.as_str())
        .bind(pair.target.as_str())
        .bind(mapping.key.kind.name())
        .bind(mapping.key.id.raw())
        .bind(locale_column(&mapping.key));
        connection.execute(filled).await?;
    }
    Ok(())
}
