//! Credentials go into one header each and nowhere else, however a run goes and wherever they came from.

use std::path::Path;

use lockgate::mock::{self, Server};

use crate::binary::{Ended, TOKEN, Workspace, end_of};
use crate::support::{SOURCE, TARGET, fixture, http, instances, serve_with};

/// Nothing else looks like it.
const SECRET: &str = "lgpat-8Qv3-needle-Zk41xWt0";

/// Everything that a call left where somebody could find it.
pub(crate) struct Traces {
    what: String,
    places: Vec<(String, Vec<u8>)>,
}

impl Traces {
    pub(crate) fn new(what: &str) -> Self {
        Self {
            what: what.to_owned(),
            places: Vec::new(),
        }
    }

    pub(crate) fn of_call(&mut self, ended: &Ended) {
        self.places.push((
            "standard output".to_owned(),
            ended.stdout.clone().into_bytes(),
        ));
        self.places.push((
            "standard error".to_owned(),
            ended.stderr.clone().into_bytes(),
        ));
    }

    pub(crate) fn of_folder(&mut self, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.of_folder(&path);
            } else {
                let name = path.display().to_string();
                self.places.push((name, std::fs::read(&path).unwrap()));
            }
        }
    }

    pub(crate) fn of_server(&mut self, server: &Server) {
        let log = serde_json::to_vec(&server.requests()).unwrap();
        self.places.push(("request log".to_owned(), log));
    }

    /// The places that hold a text.
    fn places_of(&self, text: &str) -> Vec<&str> {
        let holds = |bytes: &[u8]| {
            bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        };
        let found = self.places.iter().filter(|(_, bytes)| holds(bytes));
        found.map(|(name, _)| name.as_str()).collect()
    }

    /// The places that hold any of these texts, in any case.
    pub(crate) fn places_of_any(&self, texts: &[String]) -> Vec<String> {
        let found = |(name, bytes): &(String, Vec<u8>)| {
            let place = String::from_utf8_lossy(bytes).to_lowercase();
            let held = texts
                .iter()
                .find(|text| place.contains(&text.to_lowercase()));
            held.map(|text| format!("{name}: {text}"))
        };
        self.places.iter().filter_map(found).collect()
    }

    pub(crate) fn assert_without(&self, text: &str) {
        let none: &[&str] = &[];
        assert_eq!(self.places_of(text), none, "{}: {text}", self.what);
    }
}

async fn server(name: &str, faults: &[String]) -> Server {
    serve_with(mock::Options {
        state: instances(&fixture(name)),
        tokens: vec![SECRET.to_owned()],
        faults: faults.iter().map(|text| text.parse().unwrap()).collect(),
        ..mock::Options::default()
    })
    .await
}

/// The preview key of an instance, as the client gets it.
async fn preview_key(server: &Server, guid: &str) -> String {
    let url = format!("{}/oauth/GetPreviewKey?guid={guid}", server.base_url());
    let asked = http().get(url).bearer_auth(SECRET).send().await;
    let key = asked
        .unwrap()
        .error_for_status()
        .unwrap()
        .text()
        .await
        .unwrap();
    key.trim_matches('"').to_owned()
}

/// Carries out a run with the token in the environment or as a flag, and looks through everything.
async fn leaves_no_trace(args: &[&str], by_flag: bool) {
    let (server, workspace) = (server("two-locales", &[]).await, Workspace::new());
    let mut words = args.to_vec();
    if by_flag {
        words.extend(["--token", SECRET]);
    }
    let mut command = workspace.sync(&server, &words);
    if by_flag {
        command.env_remove("LOCKGATE_TOKEN");
    } else {
        command.env("LOCKGATE_TOKEN", SECRET);
    }
    let ended = end_of(command).await;
    assert_eq!(ended.code, Some(0), "{args:?}: {}", ended.stderr);
    assert_eq!(
        ended.stderr.contains("warning: --token"),
        by_flag,
        "{args:?}"
    );
    let mut traces = Traces::new(&format!("{args:?}"));
    traces.of_call(&ended);
    traces.of_folder(workspace.path());
    traces.of_server(&server);
    let files = traces
        .places
        .iter()
        .map(|(name, _)| name.rsplit('/').next().unwrap());
    let files: Vec<&str> = files.collect();
    assert!(
        files.contains(&"events.ndjson") && files.contains(&"report.md"),
        "{files:?}"
    );
    assert_eq!(
        files.contains(&"state.db"),
        !args.contains(&"--dry-run"),
        "{files:?}"
    );
    traces.assert_without(SECRET);
    for guid in [SOURCE, TARGET] {
        traces.assert_without(&preview_key(&server, guid).await);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_run_tells_a_credential() {
    for args in [
        &["--verbose"] as &[&str],
        &["--output", "json"],
        &["--dry-run", "--verbose"],
    ] {
        for by_flag in [false, true] {
            leaves_no_trace(args, by_flag).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_repeats_credentials_does_not_make_us_tell_them() {
    let plain = server("two-locales", &[]).await;
    let key = preview_key(&plain, SOURCE).await;
    plain.stop().await;
    let refuses = |path: &str, code: u16, secret: &str| {
        format!(
            "status={code},path={path},body=this will not do: {secret}, given as Bearer {secret}"
        )
    };
    for (fault, exit) in [
        (refuses("/item/multi", 400, SECRET), 1),
        (refuses("/model/list", 500, SECRET), 3),
        (refuses(&format!("{SOURCE}/preview/"), 403, &key), 3),
        (refuses("/oauth/", 401, SECRET), 3),
    ] {
        let server = server("two-locales", std::slice::from_ref(&fault)).await;
        let workspace = Workspace::new();
        for args in [&["--verbose"] as &[&str], &["--output", "json"]] {
            let mut command = workspace.sync(&server, args);
            command.env("LOCKGATE_TOKEN", SECRET);
            let ended = end_of(command).await;
            assert_eq!(ended.code, Some(exit), "{fault}: {}", ended.stderr);
            let mut traces = Traces::new(&fault);
            traces.of_call(&ended);
            traces.of_folder(workspace.path());
            traces.of_server(&server);
            traces.assert_without(SECRET);
            traces.assert_without(&key);
            let repeated =
                traces.places_of("this will not do: [redacted], given as Bearer [redacted]");
            let is_shown = |place: &&str| ["standard error", "standard output"].contains(place);
            assert!(repeated.iter().any(is_shown), "{fault}: {}", ended.stderr);
        }
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_are_shown_without_credentials() {
    let workspace = Workspace::new();
    let file =
        format!("token = \"{SECRET}\"\n[source]\nurl = \"http://ann:hunter2@127.0.0.1:1\"\n");
    std::fs::write(workspace.path().join("lockgate.toml"), file).unwrap();
    for (args, exit) in [
        ("config", 2),
        ("config --output json", 2),
        ("sync --source 1a2b3c4d-u --target 5e6f7a8b-u", 2),
        (
            "sync --source 1a2b3c4d-u --target 5e6f7a8b-u --dry-run --verbose",
            2,
        ),
        (
            "sync --target 5e6f7a8b-u --source-url http://bob:hunter2@127.0.0.1:1",
            2,
        ),
        (
            "verify --source 1a2b3c4d-u --target 5e6f7a8b-u --target-url https://ann:hunter2@host/x",
            2,
        ),
    ] {
        let mut command = workspace.command(args.split(' '));
        command
            .env_remove("LOCKGATE_TOKEN")
            .env("LOCKGATE_TARGET_TOKEN", TOKEN);
        let ended = end_of(command).await;
        let mut traces = Traces::new(args);
        traces.of_call(&ended);
        for secret in [SECRET, TOKEN, "hunter2"] {
            traces.assert_without(secret);
        }
        assert_eq!(
            ended.code,
            Some(exit),
            "{args}: {}{}",
            ended.stdout,
            ended.stderr
        );
    }
}
