//! One asset of any size: its bytes pass through the client twice, once to the target and once to be compared, and neither
//! client nor server may hold them.

use std::path::Path;
use std::process::Stdio;

use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::Outcome;
use crate::process::{Cost, watch};
use crate::round::{PATIENCE, SOURCE, Settings, TARGET, address, summary};
use crate::table::{Table, number};

/// Bytes of a megabyte.
const MEGABYTE: u64 = 1_000_000;

/// The table without rows.
pub(crate) fn table() -> Table {
    let head = [
        "asset MB",
        "seconds",
        "peak MB",
        "CPU s",
        "server peak MB",
        "verified",
    ];
    Table::new(&head, 1)
}

/// Moves an asset of so many megabytes into an empty instance, its bytes compared at the end.
#[expect(
    clippy::cast_precision_loss,
    reason = "bytes of memory are far below 2^52"
)]
pub(crate) async fn row(
    settings: &Settings,
    folder: &Path,
    megabytes: u64,
) -> Outcome<Vec<String>> {
    let folder = folder.join(format!("asset-{megabytes}"));
    std::fs::create_dir_all(&folder)?;
    let state = folder.join("state.json");
    let length = megabytes * MEGABYTE;
    let asset = json!({ "mediaID": 1, "originKey": "film.mp4", "content": { "filler": length } });
    let source = json!({ "guid": SOURCE, "locales": ["en-us"], "assets": [asset] });
    let instances = json!({ "schema": 1, "instances": [source] });
    std::fs::write(&state, instances.to_string())?;
    let target = format!("{TARGET}:en-us");
    let mut serve = settings.command(&["mock", "serve", "--instance", &target, "--state"]);
    let mut server = serve.arg(&state).stdout(Stdio::piped()).spawn()?;
    let url = address(&mut server).await?;
    let mut sync = settings.command(&["sync", "--no-tui", "--source", SOURCE, "--target", TARGET]);
    sync.args([
        "--source-url",
        &url,
        "--target-url",
        &url,
        "--run-dir",
        "runs",
    ])
    .env("LOCKGATE_TOKEN", "bench")
    .current_dir(&folder)
    .stdout(Stdio::null())
    .stderr(Stdio::null());
    let started = Instant::now();
    let (status, client) = timeout(PATIENCE, watch(sync.spawn()?)).await??;
    let seconds = started.elapsed().as_secs_f64();
    let its = server.id().map(Cost::of).unwrap_or_default();
    server.kill().await?;
    let megabytes_of = |bytes: Option<u64>| number(bytes.map(|bytes| bytes as f64 / 1e6), 0);
    let differences = &summary(&folder.join("runs"))?["verification"]["differences"];
    let verified = match (status.code(), differences.as_u64()) {
        (Some(0), Some(0)) => "clean".to_owned(),
        (code, found) => format!("exit {code:?}, differences: {found:?}"),
    };
    Ok(vec![
        megabytes.to_string(),
        number(Some(seconds), 1),
        megabytes_of(client.peak_bytes),
        number(client.cpu_seconds, 1),
        megabytes_of(its.peak_bytes),
        verified,
    ])
}
