//! The mock server as users start it: `lockgate mock serve`, in a process of its own.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use lockgate::mock::file::{InstanceFile, StateFile};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::support::{TARGET, http};

/// A running server. It ends when dropped.
pub(crate) struct MockProcess {
    pub(crate) base_url: String,
    /// Killed when dropped.
    _child: Child,
    folder: TempDir,
}

impl MockProcess {
    /// Plays both instances of `state`, with further flags of `mock serve`.
    pub(crate) async fn start(state: &StateFile, args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state.json");
        std::fs::write(&file, serde_json::to_vec(state).unwrap()).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_lockgate"))
            .args(["mock", "serve", "--state", "state.json"])
            .args(["--request-log", "requests.ndjson"])
            .args(args)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next_line().await.unwrap().expect("the server starts");
        let base_url = line.strip_prefix("listening on ").unwrap().to_owned();
        Self {
            base_url,
            _child: child,
            folder,
        }
    }

    /// What the target holds now.
    pub(crate) async fn target(&self) -> InstanceFile {
        let url = format!("{}/_mock/state", self.base_url);
        let state: StateFile = http().get(url).send().await.unwrap().json().await.unwrap();
        let mut instances = state.instances.into_iter();
        instances.find(|instance| instance.guid == TARGET).unwrap()
    }

    /// Every request that was answered so far, in the order of the answers. A line is written in the same step as the
    /// effect of its request, and before the answer leaves.
    pub(crate) fn answered(&self) -> Vec<Value> {
        let log = std::fs::read_to_string(self.folder.path().join("requests.ndjson"));
        let log = log.unwrap_or_default();
        // The last line may be half written.
        let whole = log
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'));
        whole
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Writes to the target that took effect.
    pub(crate) fn effects(&self) -> Vec<Value> {
        let mut all = self.answered();
        all.retain(|one| one["writes"] == true && one["guid"] == TARGET && one["status"] == 200);
        all
    }

    /// How many entities of each kind the target was successfully told to create. Uploads are left out: a second one
    /// over the same path replaces the file.
    pub(crate) fn creates(&self) -> BTreeMap<&'static str, usize> {
        let mut creates = BTreeMap::new();
        for request in self.effects() {
            let path = request["path"].as_str().unwrap();
            let Some((kind, member)) = created_by(path) else {
                continue;
            };
            let body = &request["body"];
            let rows = body
                .as_array()
                .map_or(std::slice::from_ref(body), Vec::as_slice);
            let new = rows
                .iter()
                .filter(|row| row[member].as_i64() <= Some(0))
                .count();
            *creates.entry(kind).or_default() += new;
        }
        creates
    }

    /// Waits until a request that fits was answered after the first `from` ones.
    pub(crate) async fn until(&self, from: usize, fits: impl Fn(&Value) -> bool) {
        while !self.answered().iter().skip(from).any(&fits) {
            // Another process answers; there is no clock to advance.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// What a path creates, and the member of a row that holds no id of something existing then.
fn created_by(path: &str) -> Option<(&'static str, &'static str)> {
    let known = [
        ("/model", "model", "id"),
        ("/container", "container", "contentViewID"),
        ("/asset/gallery", "gallery", "mediaGroupingID"),
        ("/page/template", "template", "pageTemplateID"),
        ("/url-redirections", "redirection", "urlRedirectionID"),
        ("/item/multi", "content", "contentID"),
        ("/page", "page", "pageID"),
    ];
    let found = known.into_iter().find(|(end, _, _)| path.ends_with(end));
    found.map(|(_, kind, member)| (kind, member))
}
