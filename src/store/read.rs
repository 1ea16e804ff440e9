//! Queries. They share one connection that does not write.
//!
//! One connection and not a pool: reads are few and short, and a pool brings time-outs of its own, which a
//! test with a paused clock would run into.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::Mutex;

use super::checksum;
use super::connection::{Column, Connection, Row, Statement, query};
use super::in_place::Working;
use super::lease::{Holder, LEASES};
use super::rows::{Reader, locale_column};
use super::{
    HeldLease, Intent, IntentId, IntentState, Mapping, Operation, OtherPairs, Pair, PausedWebhook,
    PreImage, PublishState, Publishing, RunEntity, RunRecord, StoreError,
};
use crate::domain::{
    AgreedNumber, AgreedPlace, BatchId, ContentHash, EntityKey, Guid, Id, Kind, ListKey, Locale,
    RunEnd, RunId, SourceId, TargetId, Version,
};

/// The reading connection, gone once closed, and where it reads.
pub(super) struct Readers {
    pub(super) connection: Mutex<Option<Connection>>,
    pub(super) working: Working,
    pub(super) place: Arc<str>,
}

const RUN_COLUMNS: &str = "SELECT run, source, target, command, options, started_at, finished_at, exit, ended, counts FROM runs";

const INTENT_COLUMNS: &str = "SELECT run, id, operation, keys, payload_hash, details, attempt, batch, state, opened_ms, answers FROM intents";

const ENTITY_COLUMNS: &str =
    "SELECT e.run, e.kind, e.source_id, e.locale, e.name, e.outcome, e.detail, e.target_id, e.because
     FROM run_entities e";

impl Readers {
    fn reader(&self, table: &'static str) -> Reader<'_> {
        Reader {
            place: &self.place,
            table,
        }
    }

    fn failed(&self, error: sqlx::Error) -> StoreError {
        StoreError::of(error, &self.place)
    }

    pub(super) async fn mappings(&self, pair: &Pair) -> Result<Vec<Mapping>, StoreError> {
        // Those of all pairs: a row whose pair is damaged would be missing in silence.
        let all = self.rows(query(checksum::ROWS), |row| {
            checksum::read(row, &self.place)
        });
        let all = all.await?.into_iter();
        Ok(all
            .filter(|(of, _)| of == pair)
            .map(|(_, mapping)| mapping)
            .collect())
    }

    /// How many mappings there are, all of them as they were written.
    pub(super) async fn check_mappings(&self) -> Result<u64, StoreError> {
        let all = self.rows(query(checksum::ROWS), |row| {
            checksum::read(row, &self.place).map(drop)
        });
        Ok(all.await?.len() as u64)
    }

    pub(super) async fn held_leases(&self, now: Timestamp) -> Result<Vec<HeldLease>, StoreError> {
        let held = query(format!(
            "{LEASES} WHERE expires_ms > ? ORDER BY source, target"
        ));
        self.rows(held.bind(now.as_millisecond()), |row| {
            Holder::of(row, &self.place)?.lease(&self.place)
        })
        .await
    }

    pub(super) async fn other_pairs(&self, pair: &Pair) -> Result<OtherPairs, StoreError> {
        let all = self.rows(query(checksum::ROWS), |row| {
            checksum::read(row, &self.place)
        });
        Ok(OtherPairs::of(pair, all.await?))
    }

    pub(super) async fn page_places(
        &self,
        pair: &Pair,
    ) -> Result<Vec<(EntityKey, AgreedPlace)>, StoreError> {
        let found = query(
            "SELECT 'page' AS kind, source_id, locale, place FROM page_places
             WHERE source = ? AND target = ? ORDER BY source_id, locale",
        );
        let found = found.bind(pair.source.as_str()).bind(pair.target.as_str());
        self.rows(found, |row| {
            let reader = self.reader("page_places");
            let place = reader.place(self.column(row, "place")?)?;
            Ok((self.key(row, reader)?, place))
        })
        .await
    }

    pub(super) async fn list_orders(
        &self,
        pair: &Pair,
    ) -> Result<Vec<(ListKey, BTreeMap<SourceId, AgreedNumber>)>, StoreError> {
        let found = query(
            "SELECT list, locale, numbers FROM list_orders
             WHERE source = ? AND target = ? ORDER BY list, locale",
        );
        let found = found.bind(pair.source.as_str()).bind(pair.target.as_str());
        self.rows(found, |row| {
            let list = ListKey {
                list: self.column(row, "list")?,
                locale: Locale::new(&self.column::<String>(row, "locale")?),
            };
            let numbers = self
                .reader("list_orders")
                .numbers(self.column(row, "numbers")?)?;
            Ok((list, numbers))
        })
        .await
    }

    pub(super) async fn paused_webhooks(
        &self,
        target: &Guid,
    ) -> Result<Vec<PausedWebhook>, StoreError> {
        let rows = query(
            "SELECT source, target, webhook, name, run FROM paused_webhooks WHERE target = ? ORDER BY source, webhook",
        );
        self.rows(rows.bind(target.as_str()), |row| {
            Ok(PausedWebhook {
                pair: Pair {
                    source: Guid::new(self.column(row, "source")?),
                    target: Guid::new(self.column(row, "target")?),
                },
                webhook: self.column(row, "webhook")?,
                name: self.column(row, "name")?,
                run: RunId(self.column(row, "run")?),
            })
        })
        .await
    }

    pub(super) async fn disputed(
        &self,
        pair: &Pair,
    ) -> Result<Vec<(EntityKey, TargetId)>, StoreError> {
        let rows = query(
            "SELECT kind, source_id, locale, target_id FROM disputed_mappings
             WHERE source = ? AND target = ? ORDER BY kind, source_id, locale",
        )
        .bind(pair.source.as_str())
        .bind(pair.target.as_str());
        self.rows(rows, |row| {
            let key = self.key(row, self.reader("disputed_mappings"))?;
            Ok((key, TargetId::new(self.column(row, "target_id")?)))
        })
        .await
    }

    pub(super) async fn unsettled_intents(&self, pair: &Pair) -> Result<Vec<Intent>, StoreError> {
        let sql = format!(
            "{INTENT_COLUMNS} WHERE source = ? AND target = ? AND state IN ('open', 'in-doubt') ORDER BY run, id"
        );
        let rows = query(&sql)
            .bind(pair.source.as_str())
            .bind(pair.target.as_str());
        self.rows(rows, |row| self.intent(row)).await
    }

    pub(super) async fn intents_of(
        &self,
        pair: &Pair,
        key: &EntityKey,
    ) -> Result<Vec<Intent>, StoreError> {
        // Finds some more than those of the key, since `LIKE` does not parse JSON.
        let sql = format!(
            "{INTENT_COLUMNS} WHERE source = ? AND target = ? AND keys LIKE ? ORDER BY opened_ms, run, id"
        );
        let rows = query(&sql)
            .bind(pair.source.as_str())
            .bind(pair.target.as_str())
            .bind(format!("%\"{key}\"%"));
        let mut intents = self.rows(rows, |row| self.intent(row)).await?;
        intents.retain(|intent| intent.keys.contains(key));
        Ok(intents)
    }

    pub(super) async fn intents_of_run(&self, run: &RunId) -> Result<Vec<Intent>, StoreError> {
        let sql = format!("{INTENT_COLUMNS} WHERE run = ? ORDER BY id");
        let rows = query(&sql).bind(&run.0);
        self.rows(rows, |row| self.intent(row)).await
    }

    pub(super) async fn pre_images(&self, run: &RunId) -> Result<Vec<PreImage>, StoreError> {
        let rows = query(
            "SELECT run, kind, target_id, locale, target_version, hash, body
             FROM pre_images WHERE run = ? ORDER BY kind, target_id, locale",
        )
        .bind(&run.0);
        self.rows(rows, |row| self.pre_image(row)).await
    }

    pub(super) async fn sent_bytes(
        &self,
        run: &RunId,
    ) -> Result<Vec<(TargetId, ContentHash)>, StoreError> {
        let sent = query("SELECT target_id, hash FROM sent_bytes WHERE run = ? ORDER BY target_id");
        let reader = self.reader("sent_bytes");
        self.rows(sent.bind(&run.0), |row| {
            let hash = reader.word("hash", self.column(row, "hash")?, ContentHash::parse)?;
            Ok((TargetId::new(self.column(row, "target_id")?), hash))
        })
        .await
    }

    pub(super) async fn publishings(&self, run: &RunId) -> Result<Vec<Publishing>, StoreError> {
        let sql = "SELECT * FROM publishings WHERE run = ? ORDER BY kind, source_id, locale";
        self.rows(query(sql).bind(&run.0), |row| self.publishing(row))
            .await
    }

    pub(super) async fn publishings_of(
        &self,
        pair: &Pair,
        key: &EntityKey,
    ) -> Result<Vec<Publishing>, StoreError> {
        let rows = query(
            "SELECT p.* FROM publishings p JOIN runs r ON r.run = p.run
             WHERE r.source = ? AND r.target = ? AND p.kind = ? AND p.source_id = ? AND p.locale = ?",
        )
        .bind(pair.source.as_str())
        .bind(pair.target.as_str())
        .bind(key.kind.name())
        .bind(key.id.raw())
        .bind(locale_column(key));
        self.rows(rows, |row| self.publishing(row)).await
    }

    pub(super) async fn published(
        &self,
        pair: &Pair,
        state: PublishState,
    ) -> Result<Vec<(EntityKey, TargetId)>, StoreError> {
        let rows = query(
            "SELECT DISTINCT p.kind, p.source_id, p.locale, p.target_id
             FROM publishings p JOIN runs r ON r.run = p.run
             WHERE r.source = ? AND r.target = ? AND p.state = ?",
        )
        .bind(pair.source.as_str())
        .bind(pair.target.as_str())
        .bind(state.name());
        self.rows(rows, |row| {
            let key = self.key(row, self.reader("publishings"))?;
            Ok((key, TargetId::new(self.column(row, "target_id")?)))
        })
        .await
    }

    fn publishing(&self, row: Row<'_>) -> Result<Publishing, StoreError> {
        let reader = self.reader("publishings");
        let (live, version) = reader.live(self.column(row, "live")?)?;
        Ok(Publishing {
            run: RunId(self.column(row, "run")?),
            key: self.key(row, reader)?,
            target: TargetId::new(self.column(row, "target_id")?),
            name: self.column(row, "name")?,
            state: reader.word("state", self.column(row, "state")?, PublishState::from_name)?,
            reason: self.column(row, "reason")?,
            live,
            version,
        })
    }

    fn pre_image(&self, row: Row<'_>) -> Result<PreImage, StoreError> {
        let reader = self.reader("pre_images");
        let hash: &str = self.column(row, "hash")?;
        Ok(PreImage {
            run: RunId(self.column(row, "run")?),
            key: reader.key(
                self.column(row, "kind")?,
                self.column(row, "target_id")?,
                self.column(row, "locale")?,
            )?,
            version: self
                .column::<Option<i64>>(row, "target_version")?
                .map(Version),
            hash: reader.word("hash", hash, ContentHash::parse)?,
            prior: reader.prior(self.column(row, "body")?)?,
        })
    }

    pub(super) async fn written_after(
        &self,
        pair: &Pair,
        run: &RunId,
    ) -> Result<Vec<(EntityKey, RunId)>, StoreError> {
        let rows = query(
            "SELECT kind, source_id, locale, e.run AS run
             FROM run_entities e JOIN runs r ON r.run = e.run
             WHERE r.source = ? AND r.target = ? AND e.outcome IN ('created', 'updated', 'restored')
               AND r.started_at > (SELECT started_at FROM runs WHERE run = ?)
             ORDER BY r.started_at",
        )
        .bind(pair.source.as_str())
        .bind(pair.target.as_str())
        .bind(&run.0);
        let reader = self.reader("run_entities");
        self.rows(rows, |row| {
            Ok((self.key(row, reader)?, RunId(self.column(row, "run")?)))
        })
        .await
    }

    fn intent(&self, row: Row<'_>) -> Result<Intent, StoreError> {
        let reader = self.reader("intents");
        Ok(Intent {
            id: IntentId(self.column(row, "id")?),
            run: RunId(self.column(row, "run")?),
            operation: reader.word(
                "operation",
                self.column(row, "operation")?,
                Operation::from_name,
            )?,
            keys: reader.keys(self.column(row, "keys")?)?,
            payload_hash: reader.hashes(self.column(row, "payload_hash")?)?,
            details: reader.details(self.column(row, "details")?)?,
            opened_ms: self.column(row, "opened_ms")?,
            attempt: reader.number("attempt", self.column(row, "attempt")?)?,
            batch: self.column::<Option<i64>>(row, "batch")?.map(BatchId),
            state: reader.word("state", self.column(row, "state")?, IntentState::from_name)?,
            answers: reader.sentences("answers", self.column(row, "answers")?)?,
        })
    }

    pub(super) async fn runs(&self, limit: u32) -> Result<Vec<RunRecord>, StoreError> {
        let sql = format!("{RUN_COLUMNS} ORDER BY started_at DESC, run DESC LIMIT ?");
        self.rows(query(&sql).bind(i64::from(limit)), |row| self.record(row))
            .await
    }

    pub(super) async fn run(&self, run: &RunId) -> Result<Option<RunRecord>, StoreError> {
        let sql = format!("{RUN_COLUMNS} WHERE run = ?");
        let found = self
            .rows(query(&sql).bind(&run.0), |row| self.record(row))
            .await?;
        Ok(found.into_iter().next())
    }

    fn record(&self, row: Row<'_>) -> Result<RunRecord, StoreError> {
        let reader = self.reader("runs");
        let exit: Option<i64> = self.column(row, "exit")?;
        let ended: Option<&str> = self.column(row, "ended")?;
        let counts: Option<&str> = self.column(row, "counts")?;
        Ok(RunRecord {
            run: RunId(self.column(row, "run")?),
            pair: Pair {
                source: Guid::new(self.column(row, "source")?),
                target: Guid::new(self.column(row, "target")?),
            },
            command: self.column(row, "command")?,
            options: reader.json("options", self.column(row, "options")?)?,
            started_at: self.column(row, "started_at")?,
            finished_at: self.column(row, "finished_at")?,
            exit: exit.map(|exit| reader.number("exit", exit)).transpose()?,
            // A name of a newer program is no reason not to show the run.
            end: ended.and_then(RunEnd::from_name),
            counts: counts
                .map(|counts| reader.json("counts", counts))
                .transpose()?,
        })
    }

    pub(super) async fn run_entities(&self, run: &RunId) -> Result<Vec<RunEntity>, StoreError> {
        let sql = format!("{ENTITY_COLUMNS} WHERE run = ? ORDER BY kind, source_id, locale");
        self.rows(query(&sql).bind(&run.0), |row| self.run_entity(row))
            .await
    }

    pub(super) async fn history(
        &self,
        pair: &Pair,
        kind: Kind,
        id: SourceId,
    ) -> Result<Vec<RunEntity>, StoreError> {
        let sql = format!(
            "{ENTITY_COLUMNS} JOIN runs r ON r.run = e.run
             WHERE r.source = ? AND r.target = ? AND e.kind = ? AND e.source_id = ?
             ORDER BY e.locale, r.started_at DESC, e.run DESC"
        );
        let rows = query(&sql)
            .bind(pair.source.as_str())
            .bind(pair.target.as_str())
            .bind(kind.name())
            .bind(id.raw());
        self.rows(rows, |row| self.run_entity(row)).await
    }

    fn run_entity(&self, row: Row<'_>) -> Result<RunEntity, StoreError> {
        let reader = self.reader("run_entities");
        Ok(RunEntity {
            run: RunId(self.column(row, "run")?),
            key: self.key(row, reader)?,
            name: self.column(row, "name")?,
            outcome: reader.outcome(self.column(row, "outcome")?, self.column(row, "detail")?)?,
            target: self
                .column::<Option<i64>>(row, "target_id")?
                .map(TargetId::new),
            because: self.column(row, "because")?,
        })
    }

    pub(super) async fn learned(&self, host: &str) -> Result<Vec<(String, f64)>, StoreError> {
        let found = query("SELECT key, value FROM hosts WHERE host = ? ORDER BY key").bind(host);
        self.rows(found, |row| {
            Ok((self.column(row, "key")?, self.column(row, "value")?))
        })
        .await
    }

    pub(super) async fn hosts(&self) -> Result<BTreeMap<String, Vec<(String, f64)>>, StoreError> {
        let found = query("SELECT host, key, value FROM hosts ORDER BY host, key");
        let rows = self.rows(found, |row| {
            let learned = (self.column(row, "key")?, self.column(row, "value")?);
            Ok((self.column::<String>(row, "host")?, learned))
        });
        let mut hosts = BTreeMap::<String, Vec<(String, f64)>>::new();
        for (host, learned) in rows.await? {
            hosts.entry(host).or_default().push(learned);
        }
        Ok(hosts)
    }

    /// Closes the connection; later reads fail.
    pub(super) async fn close(&self) {
        if let Some(connection) = self.connection.lock().await.take() {
            // Nothing was written here, so nothing can be lost.
            self.working.on(connection.close()).await;
        }
    }

    /// What `read` makes of each row. A connection that was lost is opened again once.
    async fn rows<T>(
        &self,
        statement: Statement<'_>,
        mut read: impl FnMut(Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut connection = self.connection.lock().await;
        let connection = connection.as_mut().ok_or(StoreError::Closed)?;
        let collect = async {
            match connection.rows(&statement, &mut read).await {
                Err(StoreError::Unreachable { .. }) => {
                    connection.reconnect().await?;
                    connection.rows(&statement, &mut read).await
                }
                read => read,
            }
        };
        self.working.on(collect).await
    }

    fn key(&self, row: Row<'_>, reader: Reader<'_>) -> Result<EntityKey, StoreError> {
        reader.key(
            self.column(row, "kind")?,
            self.column(row, "source_id")?,
            self.column(row, "locale")?,
        )
    }

    fn column<'r, T: Column<'r>>(&self, row: Row<'r>, name: &str) -> Result<T, StoreError> {
        row.get(name).map_err(|error| self.failed(error))
    }
}
