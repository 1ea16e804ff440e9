//! Applies changes inside a transaction.

use std::collections::BTreeMap;

use super::bulk::Bulk;
use super::connection::{Connection, Statement, query};
use super::rows::{
    details_column, former_column, hashes_column, keys_column, live_column, locale_column,
    numbers_column, place_column, sentences_column,
};
use super::{
    Change, Intent, IntentId, IntentState, Pair, PausedWebhook, PreImage, Publishing, RunFinish,
    RunRecord, StoreError,
};
use crate::domain::{
    AgreedNumber, AgreedPlace, BatchId, ContentHash, EntityKey, Id, ListKey, RunEnd, RunId,
    SourceId, TargetId,
};

/// Applies changes in their order.
pub(super) async fn apply<'c>(
    connection: &mut Connection,
    changes: impl Iterator<Item = &'c Change>,
) -> Result<(), StoreError> {
    let mut bulk = Bulk::default();
    for change in changes {
        if matches!(change, Change::MappingRemoved { .. }) {
            write_all(connection, &mut bulk).await?;
        }
        let Some(statement) = statement(change, &mut bulk) else {
            continue;
        };
        let written = connection.execute(statement).await?;
        match must_exist(change) {
            Some(what) if written == 0 => return Err(StoreError::Unknown { what }),
            Some(_) | None => {}
        }
    }
    write_all(connection, &mut bulk).await
}

async fn write_all(connection: &mut Connection, bulk: &mut Bulk<'_>) -> Result<(), StoreError> {
    for statement in bulk.statements() {
        connection.execute(statement).await?;
    }
    Ok(())
}

/// What a change takes for granted; a miss is a mistake of the caller and must not pass for stored.
fn must_exist(change: &Change) -> Option<String> {
    match change {
        Change::IntentBatch { run, id, .. } | Change::IntentClosed { run, id, .. } => {
            Some(format!("intent {} of run {run}", id.0))
        }
        Change::RunFinished(finish) => Some(format!("run {}", finish.run)),
        Change::RunStarted(_)
        | Change::IntentOpened { .. }
        | Change::PreImage(_)
        | Change::BytesSent { .. }
        | Change::Publishing(_)
        | Change::Mapping { .. }
        | Change::MappingRemoved { .. }
        | Change::PagePlace { .. }
        | Change::ListOrder { .. }
        | Change::Entity(_)
        | Change::WebhookPaused(_)
        | Change::WebhookResumed { .. }
        | Change::HostLearned { .. } => None,
    }
}

/// The statement for a change that stands alone; a row that shares one with others waits in `bulk`.
fn statement<'c>(change: &'c Change, bulk: &mut Bulk<'c>) -> Option<Statement<'c>> {
    Some(match change {
        Change::RunStarted(record) => run_started(record),
        Change::IntentOpened { pair, intent } => intent_opened(pair, intent),
        Change::PreImage(before) => pre_image(before),
        Change::BytesSent { run, asset, hash } => bytes_sent(run, *asset, *hash),
        Change::Publishing(publishing) => publishing_noted(publishing),
        Change::IntentBatch { run, id, batch } => intent_batch(run, *id, *batch),
        Change::IntentClosed {
            run,
            id,
            state,
            answers,
        } => intent_closed(run, *id, *state, answers),
        Change::Mapping { pair, mapping } => {
            bulk.mapping(pair, mapping);
            return None;
        }
        Change::MappingRemoved { pair, key, prior } => mapping_removed(pair, key, *prior),
        Change::PagePlace { pair, key, place } => page_place(pair, key, place.as_ref()),
        Change::ListOrder {
            pair,
            list,
            numbers,
        } => list_order(pair, list, numbers),
        Change::Entity(entity) => {
            bulk.entity(entity);
            return None;
        }
        Change::WebhookPaused(paused) => webhook_paused(paused),
        Change::WebhookResumed { pair, webhook } => webhook_resumed(pair, webhook),
        Change::RunFinished(finish) => run_finished(finish),
        Change::HostLearned { host, key, value } => host_learned(host, key, *value),
    })
}

fn run_started(record: &RunRecord) -> Statement<'_> {
    query(
        "INSERT INTO runs (run, source, target, command, options, started_at, finished_at, exit, ended, counts)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&record.run.0)
    .bind(record.pair.source.as_str())
    .bind(record.pair.target.as_str())
    .bind(&record.command)
    .bind(record.options.to_string())
    .bind(&record.started_at)
    .bind(&record.finished_at)
    .bind(record.exit.map(i64::from))
    .bind(record.end.map(RunEnd::name))
    .bind(record.counts.as_ref().map(ToString::to_string))
}

fn run_finished(finish: &RunFinish) -> Statement<'_> {
    query("UPDATE runs SET exit = ?, ended = ?, counts = ?, finished_at = ? WHERE run = ?")
        .bind(i64::from(finish.exit))
        .bind(finish.end.name())
        .bind(finish.counts.to_string())
        .bind(&finish.finished_at)
        .bind(&finish.run.0)
}

fn intent_opened<'q>(pair: &'q Pair, intent: &'q Intent) -> Statement<'q> {
    query(
        "INSERT INTO intents (run, id, source, target, operation, keys, payload_hash, details, attempt,
                              batch, state, opened_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&intent.run.0)
    .bind(intent.id.0)
    .bind(pair.source.as_str())
    .bind(pair.target.as_str())
    .bind(intent.operation.name())
    .bind(keys_column(&intent.keys))
    .bind(hashes_column(&intent.payload_hash))
    .bind(details_column(&intent.details))
    .bind(i64::from(intent.attempt))
    .bind(intent.batch.map(|batch| batch.0))
    .bind(intent.state.name())
    .bind(intent.opened_ms)
}

fn pre_image(before: &PreImage) -> Statement<'_> {
    query(
        "INSERT INTO pre_images (run, kind, target_id, locale, target_version, hash, body)
         VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (run, kind, target_id, locale) DO NOTHING",
    )
    .bind(&before.run.0)
    .bind(before.key.kind.name())
    .bind(before.key.id.raw())
    .bind(locale_column(&before.key))
    .bind(before.version.map(|version| version.0))
    .bind(before.hash.to_string())
    .bind(former_column(&before.prior))
}

fn bytes_sent(run: &RunId, asset: TargetId, hash: ContentHash) -> Statement<'_> {
    query(
        "INSERT INTO sent_bytes (run, target_id, hash) VALUES (?, ?, ?)
         ON CONFLICT (run, target_id) DO UPDATE SET hash = excluded.hash",
    )
    .bind(&run.0)
    .bind(asset.raw())
    .bind(hash.to_string())
}

fn publishing_noted(publishing: &Publishing) -> Statement<'_> {
    query(
        "INSERT INTO publishings (run, kind, source_id, locale, target_id, name, state, reason, live)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (run, kind, source_id, locale) DO UPDATE
         SET state = excluded.state, reason = excluded.reason, live = excluded.live",
    )
    .bind(&publishing.run.0)
    .bind(publishing.key.kind.name())
    .bind(publishing.key.id.raw())
    .bind(locale_column(&publishing.key))
    .bind(publishing.target.raw())
    .bind(&publishing.name)
    .bind(publishing.state.name())
    .bind(&publishing.reason)
    .bind(live_column(publishing))
}

fn intent_batch(run: &RunId, id: IntentId, batch: BatchId) -> Statement<'_> {
    query("UPDATE intents SET batch = ? WHERE run = ? AND id = ?")
        .bind(batch.0)
        .bind(&run.0)
        .bind(id.0)
}

fn intent_closed<'q>(
    run: &'q RunId,
    id: IntentId,
    state: IntentState,
    answers: &'q [String],
) -> Statement<'q> {
    query("UPDATE intents SET state = ?, answers = ? WHERE run = ? AND id = ?")
        .bind(state.name())
        .bind(sentences_column(answers))
        .bind(&run.0)
        .bind(id.0)
}

fn mapping_removed<'q>(pair: &'q Pair, key: &'q EntityKey, prior: TargetId) -> Statement<'q> {
    query(
        "DELETE FROM mappings
         WHERE source = ? AND target = ? AND kind = ? AND source_id = ? AND locale = ? AND target_id = ?",
    )
    .bind(pair.source.as_str())
    .bind(pair.target.as_str())
    .bind(key.kind.name())
    .bind(key.id.raw())
    .bind(locale_column(key))
    .bind(prior.raw())
}

fn page_place<'q>(
    pair: &'q Pair,
    key: &'q EntityKey,
    place: Option<&AgreedPlace>,
) -> Statement<'q> {
    let Some(place) = place else {
        let forgotten = query(
            "DELETE FROM page_places
             WHERE source = ? AND target = ? AND source_id = ? AND locale = ?",
        );
        return forgotten
            .bind(pair.source.as_str())
            .bind(pair.target.as_str())
            .bind(key.id.raw())
            .bind(locale_column(key));
    };
    query(
        "INSERT INTO page_places (source, target, source_id, locale, place) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (source, target, source_id, locale) DO UPDATE SET place = excluded.place",
    )
    .bind(pair.source.as_str())
    .bind(pair.target.as_str())
    .bind(key.id.raw())
    .bind(locale_column(key))
    .bind(place_column(place))
}

fn list_order<'q>(
    pair: &'q Pair,
    list: &'q ListKey,
    numbers: &BTreeMap<SourceId, AgreedNumber>,
) -> Statement<'q> {
    query(
        "INSERT INTO list_orders (source, target, list, locale, numbers) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (source, target, list, locale) DO UPDATE SET numbers = excluded.numbers",
    )
    .bind(pair.source.as_str())
    .bind(pair.target.as_str())
    .bind(&list.list)
    .bind(list.locale.as_str())
    .bind(numbers_column(numbers))
}

fn webhook_paused(paused: &PausedWebhook) -> Statement<'_> {
    query(
        "INSERT INTO paused_webhooks (source, target, webhook, name, run) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (source, target, webhook) DO UPDATE SET name = excluded.name, run = excluded.run",
    )
    .bind(paused.pair.source.as_str())
    .bind(paused.pair.target.as_str())
    .bind(&paused.webhook)
    .bind(&paused.name)
    .bind(&paused.run.0)
}

fn webhook_resumed<'q>(pair: &'q Pair, webhook: &'q str) -> Statement<'q> {
    query("DELETE FROM paused_webhooks WHERE source = ? AND target = ? AND webhook = ?")
        .bind(pair.source.as_str())
        .bind(pair.target.as_str())
        .bind(webhook)
}

fn host_learned<'q>(host: &'q str, key: &'q str, value: f64) -> Statement<'q> {
    query(
        "INSERT INTO hosts (host, key, value) VALUES (?, ?, ?)
         ON CONFLICT (host, key) DO UPDATE SET value = excluded.value",
    )
    .bind(host)
    .bind(key)
    .bind(value)
}
