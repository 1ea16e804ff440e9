//! Rows of one state in another one, whatever databases the two are.
//!
//! Which tables and columns there are is asked of an empty state in memory, made by the same scripts: so a table that is added is
//! copied without a word here. Rows go in their order and are hashed on the way, and what has arrived is read back and hashed
//! again. No other process writes to either state meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::connection::{Connection, Opener, Row, Statement, Value, query};
use super::schema::{KNOWLEDGE, copy_knowledge, prepare};
use super::{StateUrl, Store, StoreError};
use crate::domain::ContentHash;

/// How many rows are read at once.
const PAGE: usize = 2_000;

/// How many values one statement has at most; both databases take more than 30,000.
const VALUES: usize = 8_000;

/// Columns that hold JSON.
const JSON: [&str; 12] = [
    "options",
    "counts",
    "keys",
    "payload_hash",
    "details",
    "answers",
    "filled",
    "place",
    "numbers",
    "body",
    "live",
    "joint",
];

/// A table of the schema.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) name: String,
    columns: Vec<(String, Type)>,
    /// The columns of the primary key, in its order.
    key: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
enum Type {
    Integer,
    Real,
    Text,
}

/// What a table holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// How many rows.
    pub rows: u64,
    /// A hash of all values in the order of the primary key: the same rows have the same hash in any database.
    pub hash: ContentHash,
}

/// All tables of the schema, by name.
///
/// # Errors
/// [`StoreError`] when there is no memory for them.
pub(super) async fn tables() -> Result<Vec<Table>, StoreError> {
    let place: Arc<str> = "memory".into();
    let failed = |error| StoreError::of(error, &place);
    let options = "sqlite::memory:".parse().map_err(failed)?;
    let mut empty = Opener::file(options).open(&place).await?;
    prepare(&mut empty).await?;
    let columns = query(
        "SELECT t.name AS of_table, c.name AS name, c.type AS type, c.pk AS pk
         FROM sqlite_schema t JOIN pragma_table_info(t.name) c
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' ORDER BY t.name, c.cid",
    );
    let read = |row: Row<'_>| {
        Ok((
            row.get::<String>("of_table")?,
            row.get::<String>("name")?,
            row.get::<String>("type")?,
            row.get::<i64>("pk")?,
        ))
    };
    let columns = empty.rows(&columns, |row| read(row).map_err(failed));
    let columns = columns.await?;
    empty.close().await;
    let mut tables: BTreeMap<String, (Table, BTreeMap<i64, String>)> = BTreeMap::new();
    for (of, name, kind, pk) in columns {
        let (table, key) = tables.entry(of.clone()).or_insert_with(|| {
            let table = Table {
                name: of,
                columns: Vec::new(),
                key: Vec::new(),
            };
            (table, BTreeMap::new())
        });
        if pk > 0 {
            key.insert(pk, name.clone());
        }
        let kind = match &*kind {
            "INTEGER" => Type::Integer,
            "REAL" => Type::Real,
            _ => Type::Text,
        };
        table.columns.push((name, kind));
    }
    let whole = |(mut table, key): (Table, BTreeMap<i64, String>)| {
        table.key = key.into_values().collect();
        table
    };
    Ok(tables.into_values().map(whole).collect())
}

impl Table {
    fn names(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| &**name).collect();
        names.join(", ")
    }

    /// Some of its rows, `skipped` rows behind the first one of its order.
    fn page(&self, skipped: usize) -> Statement<'static> {
        let (names, name, key) = (self.names(), &self.name, self.key.join(", "));
        query(format!(
            "SELECT {names} FROM {name} ORDER BY {key} LIMIT {PAGE} OFFSET {skipped}"
        ))
    }

    /// The names and values of a row.
    fn read(&self, row: Row<'_>) -> Result<Vec<Value<'static>>, sqlx::Error> {
        let value = |(name, kind): &(String, Type)| {
            Ok(match kind {
                Type::Integer => Value::Integer(row.get(name)?),
                Type::Real => Value::Real(row.get(name)?),
                Type::Text => row.get::<Option<String>>(name)?.into(),
            })
        };
        self.columns.iter().map(value).collect()
    }

    fn insert(&self, rows: &[Vec<Value<'static>>]) -> Statement<'static> {
        let row = format!("(?{})", ", ?".repeat(self.columns.len() - 1));
        let all = vec![&*row; rows.len()].join(", ");
        let insert = query(format!(
            "INSERT INTO {} ({}) VALUES {all}",
            self.name,
            self.names()
        ));
        let values = rows.iter().flatten().cloned();
        values.fold(insert, Statement::bind)
    }

    /// Its rows from the first one on.
    pub(super) fn pages(&self) -> Pages<'_> {
        Pages {
            table: self,
            count: 0,
            is_over: false,
            hasher: blake3::Hasher::new(),
        }
    }

    /// Copies its rows, and gives what they are.
    async fn copy(
        &self,
        from: &mut Connection,
        into: &mut Connection,
    ) -> Result<Contents, StoreError> {
        let most = (VALUES / self.columns.len()).max(1);
        let mut pages = self.pages();
        while let Some(rows) = pages.next(from).await? {
            for part in rows.chunks(most) {
                into.execute(self.insert(part)).await?;
            }
        }
        Ok(pages.contents())
    }

    /// What it holds.
    pub(super) async fn contents(&self, of: &mut Connection) -> Result<Contents, StoreError> {
        let mut pages = self.pages();
        while pages.next(of).await?.is_some() {}
        Ok(pages.contents())
    }

    /// The row as JSON, with the names of its columns.
    pub(super) fn json(&self, row: &[Value<'_>]) -> serde_json::Value {
        let named = self.columns.iter().map(|(name, _)| name.clone());
        let json = |name: &str, text: &str| {
            let parsed = JSON
                .contains(&name)
                .then(|| serde_json::from_str::<serde_json::Value>(text));
            parsed.and_then(Result::ok)
        };
        let values = row
            .iter()
            .zip(&self.columns)
            .map(|(value, (name, _))| match value {
                Value::Text(Some(text)) => json(name, text).unwrap_or_else(|| (&**text).into()),
                Value::Integer(number) => (*number).into(),
                Value::Real(number) => (*number).into(),
                Value::Text(text) => text.as_deref().into(),
                Value::Bytes(bytes) => bytes.len().into(),
            });
        named.zip(values).collect()
    }
}

/// The rows of a table in their order, some at a time, with a hash of those that were read.
pub(super) struct Pages<'t> {
    table: &'t Table,
    count: usize,
    is_over: bool,
    hasher: blake3::Hasher,
}

impl Pages<'_> {
    /// The next rows; `None` behind the last one.
    pub(super) async fn next(
        &mut self,
        from: &mut Connection,
    ) -> Result<Option<Vec<Vec<Value<'static>>>>, StoreError> {
        if self.is_over {
            return Ok(None);
        }
        let place = Arc::clone(&from.place);
        let failed = |error| StoreError::of(error, &place);
        let table = self.table;
        let page = table.page(self.count);
        let rows = from.rows(&page, |row| table.read(row).map_err(failed));
        let rows = rows.await?;
        for value in rows.iter().flatten() {
            hash(&mut self.hasher, value);
        }
        self.count += rows.len();
        self.is_over = rows.len() < PAGE;
        Ok((!rows.is_empty()).then_some(rows))
    }

    /// What was read so far.
    fn contents(&self) -> Contents {
        Contents {
            rows: self.count as u64,
            hash: ContentHash::finish(&self.hasher),
        }
    }
}

/// The kind of a value, its length and its bytes, so that no two rows feed the same.
fn hash(hasher: &mut blake3::Hasher, value: &Value<'_>) {
    let mut feed = |kind: u8, bytes: Option<&[u8]>| {
        let length = bytes.map_or(u64::MAX, |bytes| bytes.len() as u64);
        hasher.update(&[kind]);
        hasher.update(&length.to_le_bytes());
        hasher.update(bytes.unwrap_or_default());
    };
    match value {
        Value::Integer(number) => feed(0, number.map(i64::to_le_bytes).as_ref().map(|b| &b[..])),
        Value::Real(number) => feed(1, number.map(f64::to_le_bytes).as_ref().map(|b| &b[..])),
        Value::Text(text) => feed(2, text.as_deref().map(str::as_bytes)),
        Value::Bytes(bytes) => feed(3, Some(bytes)),
    }
}

/// Copies what the state at `url`, which has the same schema, holds of counterparts and agreements.
pub(super) async fn knowledge(url: &StateUrl, into: &mut Connection) -> Result<(), StoreError> {
    let server = match url {
        // Much faster than row by row.
        StateUrl::Sqlite(path) => return copy_knowledge(into, path).await,
        StateUrl::Postgres(server) => server,
    };
    let place = server.to_string().into();
    let mut from = Connection::postgres(server.clone(), place).await?;
    let tables = tables().await?;
    for name in KNOWLEDGE {
        for table in tables.iter().filter(|table| table.name == name) {
            table.copy(&mut from, into).await?;
        }
    }
    from.close().await;
    Ok(())
}

/// A copied table, or the bytes of assets.
#[derive(Clone, Debug)]
pub struct Copied {
    /// The table; `bytes` for those of assets.
    pub table: String,
    /// How many rows, or contents.
    pub rows: u64,
}

impl Store {
    /// Copies everything into another state, which has to be empty, in one transaction, and compares what arrived with what
    /// was read. Bytes of assets that another place than the two states keeps stay there.
    ///
    /// # Errors
    /// [`StoreError::NotEmpty`] and [`StoreError::LeaseHeld`], before anything is written. [`StoreError::Damaged`] when what
    /// arrived is something else; then nothing of it stays but bytes of assets, which do no harm.
    pub async fn copy_into(&self, into: &Self) -> Result<Vec<Copied>, StoreError> {
        self.refuse_leases().await?;
        let mut source = self.opener().open(self.place()).await?;
        let mut target = into.opener().open(into.place()).await?;
        target.begin().await?;
        let done = self.copy_in(into, (&mut source, &mut target)).await;
        let copied = target.end(done).await;
        source.close().await;
        target.close().await;
        copied
    }

    async fn copy_in(
        &self,
        into: &Self,
        (source, target): (&mut Connection, &mut Connection),
    ) -> Result<Vec<Copied>, StoreError> {
        target.may_stand_still().await?;
        let tables = tables().await?;
        for table in &tables {
            if table.pages().next(target).await?.is_some() {
                return Err(StoreError::NotEmpty {
                    place: into.place().to_string(),
                });
            }
        }
        // First, because a row that names bytes must not be without them.
        let mut copied = vec![Copied {
            table: "bytes".to_owned(),
            rows: self.copy_bytes(into).await?,
        }];
        source.snapshot().await?;
        // A mapping settles the dispute about its entity, so these go last.
        let (last, first): (Vec<&Table>, Vec<&Table>) = tables
            .iter()
            .partition(|table| table.name == "disputed_mappings");
        for table in first.into_iter().chain(last) {
            let read = table.copy(source, target).await?;
            if table.contents(target).await? != read {
                return Err(StoreError::Damaged {
                    place: into.place().to_string(),
                    detail: format!("{} did not arrive as it was read", table.name),
                });
            }
            copied.push(Copied {
                table: table.name.clone(),
                rows: read.rows,
            });
        }
        target.after_given_ids("mapping_history").await?;
        Ok(copied)
    }
}
