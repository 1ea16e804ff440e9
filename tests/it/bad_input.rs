//! What cannot work ends with one clear error, the next step and its exit code: one table of all of them.

use std::fmt::Write as _;
use std::path::Path;

use lockgate::mock::{self, Server};
use tokio::task::JoinSet;

use crate::binary::{Workspace, end_of};
use crate::support::{SOURCE, TARGET, fixture, instances, serve_with};

/// A call that cannot work.
#[derive(Clone, Copy, Default)]
struct Case {
    what: &'static str,
    /// Arguments after `lockgate`; `SYNC` in front stands for a complete `sync` against the mock, `''` for an empty one.
    line: &'static str,
    /// Variables; `''` is an empty value, and one that is empty here takes the variable away.
    variables: &'static [(&'static str, &'static str)],
    /// Files of the workspace.
    files: &'static [(&'static str, &'static str)],
    /// What the server does wrong.
    fault: Option<&'static str>,
    /// What is done to the workspace beforehand.
    spoil: Option<fn(&Path)>,
}

const SYNC: &str = "SYNC";

const fn case(what: &'static str, line: &'static str) -> Case {
    Case {
        what,
        line,
        variables: &[],
        files: &[],
        fault: None,
        spoil: None,
    }
}

impl Case {
    const fn with(mut self, variables: &'static [(&'static str, &'static str)]) -> Self {
        self.variables = variables;
        self
    }

    const fn file(mut self, files: &'static [(&'static str, &'static str)]) -> Self {
        self.files = files;
        self
    }

    const fn fault(mut self, fault: &'static str) -> Self {
        self.fault = Some(fault);
        self
    }

    const fn spoilt(mut self, spoil: fn(&Path)) -> Self {
        self.spoil = Some(spoil);
        self
    }
}

const ONCE: &[(&str, &str)] = &[("LOCKGATE_RETRY_ATTEMPTS", "1")];

fn cases() -> Vec<Case> {
    [
        instance_cases(),
        usage_cases(),
        empty_cases(),
        state_cases(),
    ]
    .concat()
}

fn instance_cases() -> Vec<Case> {
    let unknown =
        "sync --source 0a0b0c0d-u --target 5e6f7a8b-u --source-url MOCK --target-url MOCK";
    let no_target =
        "sync --source 1a2b3c4d-u --target 0a0b0c0d-u --source-url MOCK --target-url MOCK";
    let no_server =
        "sync --source 1a2b3c4d-u --target 5e6f7a8b-u --source-url NOBODY --target-url MOCK";
    vec![
        case("unknown source", unknown),
        case("unknown target", no_target),
        case("unknown source, dry run", "sync --source 0a0b0c0d-u --target 5e6f7a8b-u --source-url MOCK --target-url MOCK --dry-run"),
        case("wrong token", SYNC).with(&[("LOCKGATE_TOKEN", "wrong-token-0123456789")]),
        case("wrong token of the target", SYNC)
            .with(&[("LOCKGATE_TARGET_TOKEN", "wrong-token-0123456789")]),
        case("unreachable host", no_server),
        case("no answer", "SYNC --timeout 1").with(ONCE).fault("hang,path=/GetPreviewKey"),
        case("locale unknown on the source", "SYNC --locale de-de"),
        case("locale missing on the target", "SYNC --locale fr-ca"),
        case("locale missing on the target, dry run", "SYNC --locale fr-ca --dry-run"),
        case("JSON cut off", SYNC).fault("truncated-json,path=1a2b3c4d-u/model/list/false"),
        case("web page with an error", SYNC).fault("html,path=1a2b3c4d-u/model/list/false"),
        case("web page in place of data", SYNC).fault(
            "status=200,path=1a2b3c4d-u/model/list/false,body=<!DOCTYPE html><html><head><title>Sign in</title></head></html>",
        ),
        case("server fails", SYNC).fault("status=500,path=1a2b3c4d-u/container/list"),
        case("server asks for an hour of patience", SYNC).fault("status=429,retry-after=3600,path=5e6f7a8b-u/asset/galleries"),
        case("access ends while reading", SYNC).fault("status=401,path=5e6f7a8b-u/asset/list"),
        case("model unknown, near miss", "SYNC --models Artcle"),
        case("model unknown, nothing near", "SYNC --models-with-deps zzz"),
        case("container unknown", "SYNC --containers autors"),
        case("channel unknown", "SYNC --channel Websit"),
        case("content id unknown", "SYNC --content 987654"),
        case("page id unknown", "SYNC --pages 987654"),
    ]
}

fn usage_cases() -> Vec<Case> {
    vec![
        case("no token", SYNC).with(&[("LOCKGATE_TOKEN", "")]),
        case("no target", "sync --source 1a2b3c4d-u"),
        case(
            "one instance twice",
            "sync --source 1a2b3c4d-u --target 1A2B3C4D-u",
        ),
        case("no GUID", "sync --source website --target 5e6f7a8b-u"),
        case(
            "no base URL",
            "sync --source 1a2b3c4d-u --target 5e6f7a8b-u --source-url localhost:80",
        ),
        case(
            "base URL with a user",
            "sync --source 1a2b3c4d-u --target 5e6f7a8b-u --source-url http://ann:hunter2@127.0.0.1:1",
        ),
        case("misspelt command", "snyc"),
        case("misspelt flag", "SYNC --overwirte"),
        case("misspelt value", "SYNC --schedule piplined"),
        case("misspelt kind", "SYNC --elements modles"),
        case("value of the wrong kind", "SYNC --concurrency many"),
        case(
            "flags that cannot be used together",
            "SYNC --quiet --verbose",
        ),
        case("misspelt variable", SYNC).with(&[("LOCKGATE_SORUCE", "1a2b3c4d-u")]),
        case("misspelt key", SYNC).file(&[("lockgate.toml", "[pace]\nconcurency = 4\n")]),
        case("key of nothing", SYNC).file(&[("lockgate.toml", "[cheese]\nage = 4\n")]),
        case("broken file", SYNC).file(&[("lockgate.toml", "[pace]\nconcurrency = 4\nreads =\n")]),
        case("value out of range in the file", SYNC)
            .file(&[("lockgate.toml", "[pace]\nconcurrency = 4000\n")]),
        case("file that is not there", "SYNC --config other.toml"),
        case("misspelt preset", "SYNC --preset gentel"),
        case("run that is not there", "runs 20250101-000000-abcd"),
    ]
}

/// `--models "$MODELS"` with a variable that is not set must not move everything.
fn empty_cases() -> Vec<Case> {
    vec![
        case("empty locales", "SYNC --locale ''"),
        case("empty channels", "SYNC --channel ''"),
        case("empty elements", "SYNC --elements ''"),
        case("empty models", "SYNC --models ''"),
        case(
            "empty models with dependencies",
            "SYNC --models-with-deps ''",
        ),
        case("empty content", "SYNC --content ''"),
        case("empty pages", "SYNC --pages ''"),
        case("empty containers", "SYNC --containers=''"),
        case("commas only", "SYNC --models ,,"),
        case("a name and nothing", "SYNC --models Article,"),
        case("empty content, rehearsed", "SYNC --content '' --dry-run"),
        case(
            "empty content, planned",
            "plan --source 1a2b3c4d-u --target 5e6f7a8b-u --source-url MOCK --target-url MOCK --content ''",
        ),
        case(
            "empty content, verified",
            "verify --source 1a2b3c4d-u --target 5e6f7a8b-u --source-url MOCK --target-url MOCK --content ''",
        ),
        case("empty source", "sync --source '' --target 5e6f7a8b-u"),
        case("empty target", "sync --source 1a2b3c4d-u --target ''"),
        case("empty token", "SYNC --token ''"),
        case("empty configuration file name", "SYNC --config ''"),
        case("empty preset", "SYNC --preset ''"),
        case("empty models in the file", SYNC).file(&[("lockgate.toml", "[sync]\nmodels = []\n")]),
        case("empty variable of the vendor", SYNC).file(&[(".env", "AGILITY_MODELS=\n")]),
        case("empty variable", SYNC).with(&[("LOCKGATE_MODELS", "''")]),
        case("empty official variable", SYNC).with(&[("AGILITY_LOCALES", "''")]),
    ]
}

fn state_cases() -> Vec<Case> {
    vec![
        case("state is no database", "SYNC --state state.db").file(&[(
            "state.db",
            "not a database, but long enough to have a header of one",
        )]),
        case("state with a torn page", SYNC).spoilt(|path| overwrite(path, 4096, &[0xff; 4096])),
        case("state of another program", SYNC).spoilt(|path| overwrite(path, 68, &[0, 0, 0, 7])),
        case("state of a newer version", SYNC).spoilt(|path| overwrite(path, 60, &[0, 0, 0, 99])),
        case("state of a newer version, dry run", "SYNC --dry-run")
            .spoilt(|path| overwrite(path, 60, &[0, 0, 0, 99])),
        case("state is a directory", "SYNC --state ."),
        case("state in a file", "SYNC --state notes/state.db").file(&[("notes", "text")]),
        case(
            "state in another database",
            "SYNC --state mysql://ann:hunter2@db/state",
        ),
    ]
}

/// Changes bytes of a state that a run has left.
fn overwrite(workspace: &Path, at: usize, bytes: &[u8]) {
    let path = workspace.join(".lockgate/state.db");
    let mut content = std::fs::read(&path).unwrap();
    content[at..at + bytes.len()].copy_from_slice(bytes);
    std::fs::write(&path, content).unwrap();
}

/// The arguments of a case, with the addresses of this moment.
fn words(line: &str, url: &str) -> Vec<String> {
    let ends =
        format!("sync --source {SOURCE} --target {TARGET} --source-url MOCK --target-url MOCK");
    let line = line.replace(SYNC, &ends);
    let known = |word: &str| {
        word.replace("''", "")
            .replace("MOCK", url)
            .replace("NOBODY", "http://127.0.0.1:1")
    };
    line.split(' ').map(known).collect()
}

async fn server(case: &Case) -> Server {
    let mut state = instances(&fixture("starter-site"));
    if case.line.contains("fr-ca") {
        // The source has that one more.
        state.instances[1].locales.truncate(1);
    }
    serve_with(mock::Options {
        state,
        tokens: vec![crate::binary::TOKEN.to_owned()],
        faults: case
            .fault
            .iter()
            .map(|text| text.parse().unwrap())
            .collect(),
        ..mock::Options::default()
    })
    .await
}

/// Whether a line tells how far a run is; how many of those there are depends on the moment.
fn is_progress(line: &str) -> bool {
    let Some((time, _)) = line.trim_start().split_once("  ") else {
        return false;
    };
    line.starts_with(' ')
        && time
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b':')
}

/// Carries out a case and tells it as a row of the table.
async fn row(case: Case) -> String {
    let server = server(&case).await;
    let url = server.base_url();
    let workspace = Workspace::new();
    if let Some(spoil) = case.spoil {
        let left =
            end_of(workspace.sync(&server, &["--locale", "en-us", "--elements", "models"])).await;
        assert_eq!(left.code, Some(0), "{}", left.stderr);
        spoil(workspace.path());
    }
    for (name, text) in case.files {
        std::fs::write(workspace.path().join(name), text).unwrap();
    }
    let before = server.writes(TARGET).len();
    let mut command = workspace.command(words(case.line, &url));
    for (name, value) in case.variables {
        command.env(name, value.replace("''", ""));
        if value.is_empty() {
            command.env_remove(name);
        }
    }
    let ended = end_of(command).await;
    assert_eq!(
        server.writes(TARGET).len(),
        before,
        "{}: it wrote",
        case.what
    );
    assert_eq!(ended.stdout, "", "{}", case.what);
    let errors = ended.stderr.matches("error: ").count();
    assert_eq!(errors, 1, "{}: {}", case.what, ended.stderr);
    server.stop().await;
    let mut row = format!("{}\n  $ lockgate {}", case.what, case.line);
    for (name, value) in case.variables {
        write!(row, "  [{name}={value}]").unwrap();
    }
    for (name, text) in case.files {
        write!(row, "  [{name}: {text:?}]").unwrap();
    }
    if let Some(fault) = case.fault {
        write!(row, "  [{fault}]").unwrap();
    }
    let said = ended.stderr.replace(&url, "MOCK");
    for line in said
        .lines()
        .filter(|line| !line.trim().is_empty() && !is_progress(line))
    {
        write!(row, "\n  {line}").unwrap();
    }
    row + &format!("\n  exit {:?}\n", ended.code.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_ends_with_one_error_and_the_next_step() {
    let mut open = cases().into_iter().enumerate();
    let mut running = JoinSet::new();
    let mut rows = Vec::new();
    loop {
        while running.len() < 4
            && let Some((number, case)) = open.next()
        {
            running.spawn(async move { (number, row(case).await) });
        }
        let Some(done) = running.join_next().await else {
            break;
        };
        rows.push(done.unwrap());
    }
    rows.sort_unstable();
    let table: Vec<String> = rows.into_iter().map(|(_, row)| row).collect();
    insta::with_settings!({ filters => vec![
        (r"\d{8}-\d{6}-[0-9a-f]{4}", "RUN"),
        (r"127\.0\.0\.1:\d{2,}", "HOST"),
        (r"column \d+", "column N"),
        (r"knows up to \d+", "knows up to N"),
    ] }, { insta::assert_snapshot!(table.join("\n")) });
}
