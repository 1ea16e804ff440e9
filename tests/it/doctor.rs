//! `lockgate doctor`: what would be in the way of a run, one line each.

use std::time::Duration;

use lockgate::mock::file::{ChannelFile, StateFile};
use lockgate::mock::{self, Server};
use serde_json::{Value, json};

use crate::binary::{Ended, TOKEN, Workspace, end_of, lines_of_json};
use crate::lost_state::{instance, play};
use crate::support::{SOURCE, TARGET, fixture, instances, serve, serve_with};

fn starter() -> StateFile {
    instances(&fixture("starter-site"))
}

async fn doctor(workspace: &Workspace, server: &Server, args: &[&str]) -> Ended {
    end_of(workspace.between("doctor", &server.base_url(), args)).await
}

/// The findings by check; several of one check keep their order.
fn of<'a>(findings: &'a [Value], check: &str) -> Vec<(&'a str, &'a str)> {
    let of_check = findings.iter().filter(|row| row["check"] == check);
    of_check
        .map(|row| {
            (
                row["level"].as_str().unwrap(),
                row["detail"].as_str().unwrap(),
            )
        })
        .collect()
}

fn level<'a>(findings: &'a [Value], check: &str) -> &'a str {
    of(findings, check)[0].0
}

#[tokio::test]
async fn a_sound_pair_has_one_line_for_each_check() {
    let (workspace, server) = (Workspace::new(), serve(starter()).await);
    let done = doctor(&workspace, &server, &["--json"]).await;
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    let findings = lines_of_json(&done.stdout);
    let checks: Vec<&str> = findings
        .iter()
        .filter_map(|row| row["check"].as_str())
        .collect();
    let all = [
        "configuration",
        "source",
        "target",
        "locales",
        "channels",
        "webhooks",
        "source published",
        "target published",
        "state",
        "disk",
        "terminal",
    ];
    assert_eq!(checks, all);
    for row in &findings {
        assert_eq!(row["level"], "ok", "{row}");
    }
    assert!(
        of(&findings, "configuration")[0]
            .1
            .contains("source.guid (flag --source)")
    );
    assert!(
        of(&findings, "source")[0]
            .1
            .contains("mock@example.test (owner)")
    );
    // Nothing was written anywhere.
    assert!(!workspace.path().join(".lockgate").exists());
    assert!(server.writes(TARGET).is_empty());
    assert_eq!(end_of(workspace.sync(&server, &[])).await.code, Some(0));
    let later = doctor(&workspace, &server, &["--json"]).await;
    let findings = lines_of_json(&later.stdout);
    assert_eq!(of(&findings, "lock"), [("ok", "free")]);
    assert!(
        of(&findings, "state")[0].1.contains("159 mappings"),
        "{}",
        later.stdout
    );
    server.stop().await;
}

#[tokio::test]
async fn webhooks_channels_and_locales_are_named_and_no_secret_is() {
    const HOOK_SECRET: &str = "whsec_c2VjcmV0LW9mLXRoZS13ZWJob29r";
    let mut state = starter();
    let target = instance(&mut state, TARGET);
    let hook = |number: usize| {
        let row = json!({
            "name": format!("Rebuild {number}"), "enabled": number.is_multiple_of(2), "signingSecret": HOOK_SECRET,
            "url": "https://user:pass@hooks.example.test/private"
        });
        row.as_object().unwrap().clone()
    };
    target.webhooks = (0..130).map(hook).collect();
    target.channels = vec![ChannelFile {
        id: 7,
        name: "Other".to_owned(),
    }];
    target.locales.retain(|locale| locale == "en-us");
    target.content.retain(|row| row["locale"] == "en-us");
    let (workspace, server) = (Workspace::new(), play(state).await);
    let done = doctor(&workspace, &server, &["--json"]).await;
    assert_eq!(done.code, Some(2), "{}", done.stdout);
    let findings = lines_of_json(&done.stdout);
    let (level_of_hooks, hooks) = of(&findings, "webhooks")[0];
    assert_eq!(level_of_hooks, "warning");
    assert!(
        hooks.starts_with("65 enabled on the target: Rebuild 0, Rebuild 2,"),
        "{hooks}"
    );
    assert_eq!(level(&findings, "channels"), "warning");
    let locales = of(&findings, "locales")[0];
    assert_eq!(locales, ("error", "the target does not have fr-ca"));
    for secret in [HOOK_SECRET, "hooks.example.test", TOKEN] {
        assert!(
            !done.stdout.contains(secret) && !done.stderr.contains(secret),
            "{secret}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn without_access_that_is_the_only_line_about_an_instance() {
    let workspace = Workspace::new();
    let server = serve_with(mock::Options {
        state: starter(),
        tokens: vec![TOKEN.to_owned()],
        ..mock::Options::default()
    })
    .await;
    let url = server.base_url();
    let mut command = workspace.between("doctor", &url, &["--json"]);
    command.env("LOCKGATE_TARGET_TOKEN", "wrong-token-0123456789");
    let done = end_of(command).await;
    assert_eq!(done.code, Some(3), "{}", done.stdout);
    let findings = lines_of_json(&done.stdout);
    let errors: Vec<&Value> = findings
        .iter()
        .filter(|row| row["level"] == "error")
        .collect();
    assert_eq!(errors.len(), 1, "{}", done.stdout);
    assert_eq!(errors[0]["check"], "target");
    assert!(
        errors[0]["next"]
            .as_str()
            .unwrap()
            .contains("LOCKGATE_TARGET_TOKEN")
    );
    assert!(!done.stdout.contains("wrong-token"));
    assert_eq!(level(&findings, "source"), "ok");
    server.stop().await;
}

#[tokio::test]
async fn what_is_missing_or_wrong_in_the_configuration_does_not_hide_the_rest() {
    let workspace = Workspace::new();
    let mut command = workspace.command(["doctor", "--json"]);
    command.env_remove("LOCKGATE_TOKEN");
    let done = end_of(command).await;
    assert_eq!(done.code, Some(2), "{}", done.stdout);
    let findings = lines_of_json(&done.stdout);
    assert_eq!(level(&findings, "configuration"), "error");
    assert!(
        findings[0]["next"]
            .as_str()
            .unwrap()
            .contains("lockgate init")
    );
    assert_eq!(level(&findings, "disk"), "ok");
    std::fs::create_dir_all(workspace.path().join(".lockgate")).unwrap();
    std::fs::write(
        workspace.path().join(".lockgate/state.db"),
        "not a database, by far",
    )
    .unwrap();
    let url = "http://127.0.0.1:9";
    let words = [
        "doctor",
        "--source",
        SOURCE,
        "--target",
        TARGET,
        "--source-url",
        url,
        "--target-url",
        url,
        "--json",
    ];
    let done = end_of(workspace.command(words)).await;
    // The first error decides: the instance comes before the state.
    assert_eq!(done.code, Some(3), "{}", done.stdout);
    let findings = lines_of_json(&done.stdout);
    assert_eq!(level(&findings, "source"), "error");
    assert_eq!(level(&findings, "state"), "error");
}

#[tokio::test]
async fn a_slow_instance_is_named_while_it_is_asked() {
    let server = serve_with(mock::Options {
        state: starter(),
        latency: Duration::from_millis(1_300),
        ..mock::Options::default()
    })
    .await;
    let workspace = Workspace::new();
    let done = doctor(&workspace, &server, &[]).await;
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    assert!(
        done.stderr.contains("checking: source, target, locales"),
        "{}",
        done.stderr
    );
    assert!(done.stdout.contains("warning  source"), "{}", done.stdout);
    assert!(
        done.stdout.contains("next: a run takes as much longer"),
        "{}",
        done.stdout
    );
    server.stop().await;
}

#[tokio::test]
async fn a_configuration_is_written_once_and_is_one() {
    let workspace = Workspace::new();
    let asked = end_of(workspace.command(["init"])).await;
    assert_eq!(asked.code, Some(2), "{}", asked.stderr);
    let words = [
        "init",
        "--source",
        "1A2B3C4D-u",
        "--target",
        TARGET,
        "--locale",
        "en-us",
        "--yes",
    ];
    let done = end_of(workspace.command(words)).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(
        done.stderr.ends_with("next: lockgate doctor\n"),
        "{}",
        done.stderr
    );
    assert!(
        !done.stderr.contains("token"),
        "there is one: {}",
        done.stderr
    );
    let mut without = workspace.command(words.iter().chain(&["--file", "other.toml"]));
    without.env_remove("LOCKGATE_TOKEN");
    let without = end_of(without).await;
    assert_eq!(without.code, Some(0), "{}", without.stderr);
    for step in [
        "export LOCKGATE_TOKEN",
        "lockgate login --config other.toml",
    ] {
        assert!(without.stderr.contains(step), "{}", without.stderr);
    }
    let path = workspace.path().join("lockgate.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        text.contains("guid = \"1a2b3c4d-u\"") && !text.contains(TOKEN),
        "{text}"
    );
    let shown = end_of(workspace.command(["config", "--json"])).await;
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert!(
        shown
            .stdout
            .contains(r#"{"key":"target.guid","value":"\"5e6f7a8b-u\"","from":"lockgate.toml"}"#)
    );
    let again = end_of(workspace.command(words)).await;
    assert_eq!(again.code, Some(2));
    assert!(again.stderr.contains("--force"), "{}", again.stderr);
    let forced = end_of(workspace.command(words.iter().chain(&["--force"]))).await;
    assert_eq!(forced.code, Some(0), "{}", forced.stderr);
    let wrong = [
        "init",
        "--source",
        SOURCE,
        "--target",
        "5e6f7a8b-zz",
        "--yes",
        "--force",
    ];
    assert_eq!(end_of(workspace.command(wrong)).await.code, Some(2));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn the_schema_of_the_configuration_is_printed() {
    let workspace = Workspace::new();
    let done = end_of(workspace.command(["config", "schema"])).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let schema: Value = serde_json::from_str(&done.stdout).unwrap();
    let adopt = &schema["properties"]["sync"]["properties"]["adopt"];
    assert_eq!(adopt["enum"], json!(["equal", "key"]));
    assert_eq!(adopt["default"], "key");
}

#[tokio::test]
async fn a_state_that_is_locked_or_newer_is_an_error() {
    use lockgate::domain::{Guid, RunId};
    use lockgate::store::{LeaseOwner, Pair, StateUrl, Store};
    use sqlx::{ConnectOptions, Connection, Executor};
    let (workspace, server) = (Workspace::new(), serve(starter()).await);
    let path = workspace.path().join(".lockgate/state.db");
    let store = Store::open(&StateUrl::Sqlite(path.clone())).await.unwrap();
    let pair = Pair {
        source: Guid::new(SOURCE),
        target: Guid::new(TARGET),
    };
    let owner = LeaseOwner {
        owner: "ann".to_owned(),
        host: "another-machine".to_owned(),
        process: 7,
        run: RunId("20260101-000000-0001".to_owned()),
    };
    let lease = store
        .acquire_lease(&pair, owner, Duration::from_mins(1))
        .await
        .unwrap();
    let held = doctor(&workspace, &server, &["--json"]).await;
    assert_eq!(held.code, Some(4), "{}", held.stdout);
    let findings = lines_of_json(&held.stdout);
    assert_eq!(level(&findings, "state"), "ok");
    let (lock, detail) = of(&findings, "lock")[0];
    assert!(
        lock == "error" && detail.contains("ann on another-machine"),
        "{detail}"
    );
    store.release_lease(lease).await.unwrap();
    let free = doctor(&workspace, &server, &["--json"]).await;
    assert_eq!(free.code, Some(0), "{}", free.stdout);
    store.close().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut raw = options.connect().await.unwrap();
    raw.execute("PRAGMA user_version = 99").await.unwrap();
    raw.close().await.unwrap();
    let newer = doctor(&workspace, &server, &["--json"]).await;
    assert_eq!(newer.code, Some(4), "{}", newer.stdout);
    let findings = lines_of_json(&newer.stdout);
    assert!(of(&findings, "state")[0].1.contains("schema version 99"));
    server.stop().await;
}
