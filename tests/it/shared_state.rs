//! A state on a server, as commands see it. That runs keep their promises there is tried where it is tried with a file: `crash`,
//! `kill`, `lease`.

use lockgate::store::StateUrl;
use serde_json::Value;
use sqlx::{ConnectOptions, Executor};

use crate::binary::{Ended, Workspace, end_of};
use crate::postgres;
use crate::secrets::Traces;
use crate::support::{fixture, instances, serve};

/// Lets the time pass in which the leases of a state end, where that is on a server; a file tells by itself whose owner is gone.
pub(crate) async fn let_leases_end(url: &StateUrl) {
    let StateUrl::Postgres(_) = url else { return };
    let schema = url.to_string();
    let (_, schema) = schema.split_once("schema=").unwrap();
    let mut server = url::Url::parse(&postgres::fresh().unwrap()).unwrap();
    server.set_query(None);
    let options: sqlx::postgres::PgConnectOptions = server.as_str().parse().unwrap();
    let mut connection = options.connect().await.unwrap();
    // Before the first run there is no table.
    let end = format!("UPDATE {schema}.leases SET expires_ms = least(expires_ms, 1)");
    drop(connection.execute(sqlx::AssertSqlSafe(end)).await);
}

async fn done(workspace: &Workspace, words: &[&str]) -> Ended {
    let ended = end_of(workspace.command(words)).await;
    assert_eq!(ended.code, Some(0), "{words:?}: {}", ended.stderr);
    ended
}

/// `None` of a server that asks for none.
fn password(url: &str) -> Option<String> {
    let url = url::Url::parse(url).unwrap();
    url.password().map(str::to_owned)
}

/// What one machine has done, another one goes on with, shows and undoes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn machines_that_share_a_state_know_what_the_others_did() {
    let Some(url) = postgres::fresh() else { return };
    let (first, second) = (Workspace::sharing(&url), Workspace::sharing(&url));
    let server = serve(instances(&fixture("galleries-and-assets"))).await;
    let doctor = end_of(first.command(["state", "doctor"])).await;
    assert_eq!(doctor.code, Some(2), "{}", doctor.stderr);
    assert!(
        doctor.stderr.contains("no state at postgres://"),
        "{}",
        doctor.stderr
    );
    assert_eq!(end_of(first.sync(&server, &[])).await.code, Some(0));
    let writes = server.writes(crate::support::TARGET).len();
    let again = end_of(second.sync(&server, &[])).await;
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert_eq!(server.writes(crate::support::TARGET).len(), writes);
    let runs = done(&second, &["runs", "--output", "json"]).await;
    let runs = runs.stdout.lines().filter(|line| line.contains("\"run\""));
    assert_eq!(runs.count(), 2);

    let survey = done(&second, &["state", "doctor", "--json"]).await;
    let survey: Value = serde_json::from_str(&survey.stdout).unwrap();
    assert!(survey["checked_mappings"].as_u64() > Some(3), "{survey}");
    assert_eq!(
        (&survey["open_intents"], &survey["locks"]),
        (&0.into(), &Value::Array(vec![]))
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_moves_from_a_file_to_a_server() {
    let Some(url) = postgres::fresh() else { return };
    let (alone, shared) = (Workspace::new(), Workspace::sharing(&url));
    let server = serve(instances(&fixture("starter-site"))).await;
    assert_eq!(end_of(alone.sync(&server, &[])).await.code, Some(0));
    let copied = done(&alone, &["state", "copy", ".lockgate/state.db", &url]).await;
    assert!(copied.stdout.contains("mappings"), "{}", copied.stdout);
    let hashes = |ended: &Ended| {
        let survey: Value = serde_json::from_str(&ended.stdout).unwrap();
        survey["tables"].clone()
    };
    let before = done(&alone, &["state", "doctor", "--json"]).await;
    let after = done(&shared, &["state", "doctor", "--json"]).await;
    assert_eq!(hashes(&before), hashes(&after));
    let rows = |ended: Ended| {
        let mut rows: Vec<String> = ended.stdout.lines().map(str::to_owned).collect();
        rows.sort_unstable();
        rows
    };
    let before = rows(done(&alone, &["state", "export"]).await);
    assert_eq!(before, rows(done(&shared, &["state", "export"]).await));
    let writes = server.writes(crate::support::TARGET).len();
    assert_eq!(end_of(shared.sync(&server, &[])).await.code, Some(0));
    assert_eq!(server.writes(crate::support::TARGET).len(), writes);

    let again = end_of(alone.command(["state", "copy", ".lockgate/state.db", &url])).await;
    assert_eq!(again.code, Some(2), "{}", again.stderr);
    assert!(again.stderr.contains("LG-3016"), "{}", again.stderr);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_password_of_a_server_is_nowhere() {
    let Some(url) = postgres::fresh() else { return };
    let Some(password) = password(&url) else {
        return;
    };
    let workspace = Workspace::new();
    let server = serve(instances(&fixture("two-locales"))).await;
    let mut traces = Traces::new("a state on a server");
    let state = ["--state", &url];
    traces.of_call(&end_of(workspace.sync(&server, &state)).await);
    let wrong = url
        .replace("127.0.0.1", "127.0.0.1:1")
        .replacen(":1:", ":1/", 1);
    for words in [
        &["runs", "--state", &url][..],
        &["runs", "last", "--state", &url],
        &["config", "--state", &url],
        &["doctor", "--state", &url],
        &["state", "doctor", "--state", &url],
        &["state", "export", "--state", &url],
        &["state", "copy", &url, &url],
        &["state", "copy", "nowhere.db", &url],
        &["runs", "--state", &wrong],
        &["runs", "--state", &format!("{url}&sslmode=verify-full")],
        &["runs", "--state", &url.replace("schema=", "schema=Wrong-")],
        &["runs", "--stat", &url],
    ] {
        traces.of_call(&end_of(workspace.command(words)).await);
    }
    traces.of_folder(workspace.path());
    traces.assert_without(&password);
    server.stop().await;
}

/// Nothing listens at this port.
#[tokio::test]
async fn a_server_that_is_not_there_is_told_with_the_next_step() {
    let workspace = Workspace::sharing("postgres://ann:n33dle-pass@127.0.0.1:9/states");
    let ended = end_of(workspace.command(["runs"])).await;
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    for part in [
        "@127.0.0.1:9/states cannot be reached",
        "LG-3014",
        "help: check host",
    ] {
        assert!(ended.stderr.contains(part), "{part} in {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("n33dle"), "{}", ended.stderr);
}
