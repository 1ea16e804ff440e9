//! A promotion after the first: a share of the items of the source was edited since the last run. What reading and planning
//! cost then, with increments and in full, what the run costs, and what it costs to two targets at once.

use std::path::Path;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use lockgate::mock::file::{Row, StateFile};
use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use tokio::time::{Duration, Instant};

use crate::Outcome;
use crate::process::Cost;
use crate::requests::{BATCH_ITEMS, Purpose, Request, read_log};
use crate::round::{Reports, Round, SOURCE, Settings, address, client};
use crate::table::{Table, number};

/// The target that nothing was moved to before.
const SECOND: &str = "9c0d1e2f-u";

/// Questions of the editor that are in flight together.
const AT_ONCE: usize = 16;

/// What is measured, in turn: what the table calls it, the words of the command, and whether an editor has been at work
/// before.
const COMMANDS: [(&str, &[&str], bool); 6] = [
    ("plan --full-read", &["plan", "--full-read"], true),
    ("plan", &["plan"], false),
    ("sync", &["sync"], false),
    ("sync, nothing edited", &["sync"], false),
    ("sync --full-read", &["sync", "--full-read"], true),
    (
        "sync to this target and an empty one",
        &["sync", "--target", SECOND],
        true,
    ),
];

/// The table without rows.
pub(crate) fn table() -> Table {
    let head = [
        "preset",
        "latency ms",
        "edited",
        "command",
        "seconds",
        "reads",
        "writes",
        "peak MB",
        "CPU s",
        "exit",
    ];
    Table::new(&head, 4)
}

/// Fills the target, and gives a row for each command.
///
/// # Errors
/// When a program cannot be started, or the server refuses an edit.
pub(crate) async fn rows(
    round: &Round,
    settings: &Settings,
    folder: &Path,
    (state, percent): (&Path, u32),
) -> Outcome<Vec<Vec<String>>> {
    let folder = folder.join(round.name());
    std::fs::create_dir(&folder)?;
    let log = folder.join("requests.ndjson");
    let empty = [format!("{SECOND}:en-us,fr-ca")];
    let mut server = round.serve(settings, state, &log, &empty)?;
    let url = address(&mut server).await?;
    let mut editor = Editor::of(state, &url, percent)?;
    let run = async |words: &[&str], name: &str| -> Outcome<_> {
        let before = read_log(&log)?.len();
        let started = Instant::now();
        let (status, cost) = client(settings, &folder, &url, (words, Reports::lines(name))).await?;
        let took = started.elapsed();
        let requests = read_log(&log)?.split_off(before);
        Ok((took, status.code(), cost, requests))
    };
    let (_, filled, ..) = run(&["sync"], "first").await?;
    if filled != Some(0) {
        return Err(format!("the first run ended with {filled:?}").into());
    }
    let mut rows = Vec::new();
    for (at, (name, words, is_edited)) in COMMANDS.iter().enumerate() {
        if *is_edited {
            editor.edit().await?;
        }
        let (took, exit, cost, requests) = run(words, &at.to_string()).await?;
        let head = vec![
            round.preset.name().to_owned(),
            round.latency_ms.to_string(),
            format!("{} of {}", editor.share(), editor.items.len()),
            (*name).to_owned(),
        ];
        rows.push(row(head, (took, exit, cost), &requests));
    }
    server.kill().await?;
    Ok(rows)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "bytes of memory are far below 2^52"
)]
fn row(
    head: Vec<String>,
    (took, exit, cost): (Duration, Option<i32>, Cost),
    requests: &[Request],
) -> Vec<String> {
    let reads = requests.iter().filter(|one| one.purpose == Purpose::Read);
    let writes = requests.iter().filter(|one| one.writes);
    let mut row = head;
    row.extend([
        number(Some(took.as_secs_f64()), 1),
        reads.count().to_string(),
        writes.count().to_string(),
        number(cost.peak_bytes.map(|bytes| bytes as f64 / 1e6), 0),
        number(cost.cpu_seconds, 1),
        exit.map_or_else(|| "signal".to_owned(), |code| code.to_string()),
    ]);
    row
}

/// Edits a share of the items of the source by the Management API, other ones each time.
struct Editor {
    http: Client,
    /// The source on the server.
    instance: String,
    /// Locale and id of every item.
    items: Vec<(String, i64)>,
    percent: u32,
    rounds: usize,
}

impl Editor {
    fn of(state: &Path, url: &str, percent: u32) -> Outcome<Self> {
        let state: StateFile = serde_json::from_slice(&std::fs::read(state)?)?;
        let source = state.instances.into_iter().find(|one| one.guid == SOURCE);
        let content = source.ok_or("the state has no source")?.content;
        let name = |row: &Row| {
            Some((
                row["locale"].as_str()?.to_owned(),
                row["contentID"].as_i64()?,
            ))
        };
        // An error says that one is chosen already.
        drop(rustls::crypto::ring::default_provider().install_default());
        Ok(Self {
            http: Client::new(),
            instance: format!("{url}/api/v1/instance/{SOURCE}"),
            items: content.iter().filter_map(name).collect(),
            percent,
            rounds: 0,
        })
    }

    /// How many items an edit changes.
    fn share(&self) -> usize {
        (self.items.len() * self.percent as usize / 100).max(1)
    }

    async fn edit(&mut self) -> Outcome<()> {
        self.rounds += 1;
        let step = self.items.len() / self.share();
        let chosen = self.items.iter().skip(self.rounds % step).step_by(step);
        let chosen: Vec<_> = chosen.take(self.share()).collect();
        let read = |(locale, id): &(String, i64)| {
            let locale = locale.clone();
            let request = self
                .http
                .get(format!("{}/{locale}/item/{id}", self.instance));
            async move { answer(request).await.map(|row| (locale, row)) }
        };
        let mut rows: Vec<(String, Value)> = stream::iter(chosen)
            .map(read)
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        rows.sort_by(|(one, _), (other, _)| one.cmp(other));
        for (_, row) in &mut rows {
            self.change(row)?;
        }
        for locale in rows.chunk_by(|(one, _), (other, _)| one == other) {
            for items in locale.chunks(usize::try_from(BATCH_ITEMS)?) {
                self.save(items).await?;
            }
        }
        Ok(())
    }

    /// Adds words to a text of an item.
    fn change(&self, row: &mut Value) -> Outcome<()> {
        let fields = row["fields"]
            .as_object_mut()
            .ok_or("an item without fields")?;
        let is_text = |value: &&mut Value| {
            let text = value.as_str().unwrap_or_default();
            text.contains(' ') && !text.starts_with(['{', '['])
        };
        let text = fields.values_mut().find(is_text);
        let text = text.ok_or("an item without a text")?;
        *text = format!(
            "{} edited {}",
            text.as_str().unwrap_or_default(),
            self.rounds
        )
        .into();
        Ok(())
    }

    async fn save(&self, items: &[(String, Value)]) -> Outcome<()> {
        let Some((locale, _)) = items.first() else {
            return Ok(());
        };
        let rows: Vec<&Value> = items.iter().map(|(_, row)| row).collect();
        let url = format!("{}/{locale}/item/multi", self.instance);
        let batch = answer(self.http.post(url).json(&rows)).await?;
        let state = || answer(self.http.get(format!("{}/batch/{batch}", self.instance)));
        // 3: processed (`BatchState` of the Management API).
        while state().await?["batchState"] != 3 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

async fn answer(request: RequestBuilder) -> Outcome<Value> {
    let answer = request.bearer_auth("bench").send().await?;
    Ok(answer.error_for_status()?.json().await?)
}
