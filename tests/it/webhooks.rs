//! Webhooks of the target: named before a run, switched off while it writes, and on again whatever becomes of it.

use std::path::Path;
use std::time::Duration;

use lockgate::mock::file::{Habits, InstanceFile, Row, SecretOnSave, StateFile};
use lockgate::mock::{self, BatchWork, Fault, RequestRecord, Server};
use serde_json::{Value, json};

use crate::binary::{Ended, Workspace, end_of, lines_of_json};
use crate::cli_life::Running;
use crate::support::{SOURCE, TARGET, empty_target, fixture, instances, serve_with};
use crate::targets;

/// What may be in no output and in no file.
pub(crate) const SECRETS: [&str; 3] = [
    "whsec_c2VjcmV0LW9mLXRoZS13ZWJob29r",
    "whsec_Zm9ybWVyLXNlY3JldC1vZi1pdA",
    "key-of-the-receiver",
];

fn hook(id: &str, is_enabled: bool, is_signed: bool) -> Row {
    let secret = is_signed.then_some(SECRETS[0]);
    let row = json!({
        "rowKey": id, "name": format!("Hook {id}"), "enabled": is_enabled, "contentSaveEvents": true,
        "contentPublishEvents": true, "contentWorkflowEvents": false, "secureDeliveryEnabled": is_signed,
        "signingSecret": secret, "retriesEnabled": true, "retryCount": 4, "retrySpeed": "fast",
        "url": format!("https://hooks.example.test/{}/{id}", SECRETS[2])
    });
    row.as_object().unwrap().clone()
}

pub(crate) fn hooks() -> Vec<Row> {
    vec![
        hook("signed", true, true),
        hook("plain", true, false),
        hook("off", false, true),
    ]
}

pub(crate) fn with_hooks(hooks: Vec<Row>) -> StateFile {
    let mut state = instances(&fixture("starter-site"));
    target(&mut state).webhooks = hooks;
    state
}

fn target(state: &mut StateFile) -> &mut InstanceFile {
    let mut all = state.instances.iter_mut();
    all.find(|one| one.guid == TARGET).unwrap()
}

pub(crate) async fn play(state: StateFile) -> Server {
    serve_with(mock::Options {
        state,
        ..mock::Options::default()
    })
    .await
}

/// The same with faults, slow enough to be met in the middle of a run.
pub(crate) async fn slow(faults: &[&str]) -> Server {
    serve_with(mock::Options {
        state: with_hooks(hooks()),
        latency: Duration::from_millis(10),
        batches: BatchWork {
            item_time: Duration::from_millis(10),
            ..BatchWork::default()
        },
        faults: faults
            .iter()
            .map(|fault| fault.parse::<Fault>().unwrap())
            .collect(),
        ..mock::Options::default()
    })
    .await
}

/// The webhooks of an instance without what every save changes.
pub(crate) fn held(server: &Server, guid: &str) -> Vec<Row> {
    let state = server.state();
    let instance = state.instances.into_iter().find(|one| one.guid == guid);
    let mut rows = instance.unwrap().webhooks;
    for row in &mut rows {
        row.retain(|name, value| !["eTag", "timestamp"].contains(&&**name) && !value.is_null());
    }
    rows
}

pub(crate) fn enabled(server: &Server) -> Vec<bool> {
    let rows = held(server, TARGET);
    rows.iter().map(|row| row["enabled"] == true).collect()
}

/// Writes to an instance in their order: the id of a webhook and whether it is switched on, or nothing for any other one.
pub(crate) fn switches(server: &Server, guid: &str) -> Vec<Option<(String, bool)>> {
    let of = |one: RequestRecord| {
        let body = one.body.filter(|_| one.path.ends_with("/webhook"))?;
        Some((body["rowKey"].as_str()?.to_owned(), body["enabled"] == true))
    };
    server.writes(guid).into_iter().map(of).collect()
}

/// Looks into every file of a directory.
pub(crate) fn files_with(directory: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, text));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap_or_default();
        if bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
        {
            found.push(path.display().to_string());
        }
    }
    found
}

pub(crate) fn without_secrets(workspace: &Workspace, ended: &[&Ended]) {
    for secret in SECRETS {
        assert_eq!(
            files_with(workspace.path(), secret),
            Vec::<String>::new(),
            "{secret}"
        );
        for one in ended {
            assert!(!one.stdout.contains(secret), "{}", one.stdout);
            assert!(!one.stderr.contains(secret), "{}", one.stderr);
        }
    }
}

/// A command about the target of a server alone.
pub(crate) async fn webhooks(workspace: &Workspace, server: &Server, words: &[&str]) -> Ended {
    let url = server.base_url();
    let ends = ["--target", TARGET, "--target-url", &url];
    let command = workspace.command(["webhooks"].iter().chain(words).chain(&ends));
    end_of(command).await
}

#[tokio::test]
async fn webhooks_are_off_from_before_the_first_write_until_after_the_last() {
    let (server, workspace) = (play(with_hooks(hooks())).await, Workspace::new());
    let before = held(&server, TARGET);
    let done =
        end_of(workspace.sync(&server, &["--pause-webhooks", "--verbose", "--publish"])).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(held(&server, TARGET), before, "only the switch was touched");
    let all = switches(&server, TARGET);
    let off: Vec<_> = all
        .iter()
        .take_while(|one| one.is_some())
        .flatten()
        .collect();
    let on: Vec<_> = all
        .iter()
        .rev()
        .take_while(|one| one.is_some())
        .flatten()
        .collect();
    assert_eq!(off.len(), 2, "{all:?}");
    assert!(off.iter().all(|(_, is_on)| !is_on), "{off:?}");
    assert_eq!(on.len(), 2, "{all:?}");
    assert!(on.iter().all(|(_, is_on)| *is_on), "{on:?}");
    assert!(
        all.len() > 10 && all.iter().flatten().count() == 4,
        "{all:?}"
    );
    for line in [
        "switched off until the end: 2 webhooks, Hook signed, Hook plain",
        "switched on again: 2 webhooks",
    ] {
        assert!(done.stderr.contains(line), "{line}: {}", done.stderr);
    }
    let listed = webhooks(&workspace, &server, &["list", "--json"]).await;
    let idle = end_of(workspace.sync(&server, &["--pause-webhooks"])).await;
    assert_eq!(idle.code, Some(0), "{}", idle.stderr);
    assert_eq!(
        switches(&server, TARGET).len(),
        all.len(),
        "a run with nothing to do wrote"
    );
    without_secrets(&workspace, &[&done, &listed, &idle]);
}

#[tokio::test]
async fn webhooks_are_counted_and_named_wherever_a_run_is_decided() {
    let (server, workspace) = (play(with_hooks(hooks())).await, Workspace::new());
    let url = server.base_url();
    let plan = end_of(workspace.between("plan", &url, &["--no-pager"])).await;
    let named = "2 webhooks of the target fire for what is written: Hook signed, Hook plain; --pause-webhooks";
    assert!(plan.stdout.contains(named), "{}", plan.stdout);
    let json = end_of(workspace.between("plan", &url, &["--json"])).await;
    let overview: Value = serde_json::from_str(&json.stdout).unwrap();
    let text = overview.to_string();
    assert!(
        text.contains(r#""webhooks":["Hook signed","Hook plain"]"#),
        "{text}"
    );
    let dry = end_of(workspace.sync(&server, &["--dry-run", "--pause-webhooks"])).await;
    assert!(
        dry.stderr
            .contains("switched off until the end: 2 webhooks"),
        "{}",
        dry.stderr
    );
    assert_eq!(server.writes(TARGET), []);
    let done = end_of(workspace.sync(&server, &[])).await;
    assert!(done.stderr.contains(named), "{}", done.stderr);
    assert_eq!(switches(&server, TARGET).iter().flatten().count(), 0);
    // Nothing is written, so nothing fires.
    let idle = end_of(workspace.sync(&server, &[])).await;
    assert!(!idle.stderr.contains("webhook"), "{}", idle.stderr);
    without_secrets(&workspace, &[&plan, &json, &dry, &done, &idle]);
}

/// Kills a run after it has switched webhooks off.
async fn killed(workspace: &Workspace, server: &Server) -> String {
    let command = workspace.sync(server, &["--output", "json", "--pause-webhooks"]);
    let mut running = Running::of(command);
    let run = running.run().await;
    running.until("batch-submitted", 1).await;
    running.signal("-KILL");
    drop(running.end().await);
    assert_eq!(enabled(server), [false, false, false]);
    run
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_of_a_run_that_was_killed_are_switched_on_by_command() {
    let (server, workspace) = (slow(&[]).await, Workspace::new());
    let run = killed(&workspace, &server).await;
    let listed = webhooks(&workspace, &server, &["list", "--json"]).await;
    let rows = lines_of_json(&listed.stdout);
    let by: Vec<&Value> = rows.iter().map(|row| &row["pausedBy"]).collect();
    assert_eq!(by, [&json!(run), &json!(run), &Value::Null]);
    let table = webhooks(&workspace, &server, &["list"]).await;
    assert!(table.stdout.contains(&run), "{}", table.stdout);
    let restored = webhooks(&workspace, &server, &["restore"]).await;
    assert_eq!(restored.code, Some(0), "{}", restored.stderr);
    assert!(
        restored.stdout.contains("switched on Hook signed"),
        "{}",
        restored.stdout
    );
    assert_eq!(
        enabled(&server),
        [true, true, false],
        "what was off before stays off"
    );
    let again = webhooks(&workspace, &server, &["restore"]).await;
    assert!(
        again
            .stderr
            .contains("no run has left a webhook switched off"),
        "{}",
        again.stderr
    );
    without_secrets(&workspace, &[&listed, &table, &restored, &again]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_of_a_run_that_was_killed_are_switched_on_by_the_next_run() {
    let (server, workspace) = (slow(&[]).await, Workspace::new());
    killed(&workspace, &server).await;
    let count = switches(&server, TARGET).len();
    let next = end_of(workspace.sync(&server, &[])).await;
    assert_eq!(next.code, Some(0), "{}", next.stderr);
    let later = switches(&server, TARGET).split_off(count);
    let first: Vec<bool> = later
        .iter()
        .map_while(Option::as_ref)
        .map(|(_, on)| *on)
        .collect();
    assert_eq!(
        first,
        [true, true],
        "before it writes, as it pauses none itself"
    );
    assert_eq!(enabled(&server), [true, true, false]);
    // One that pauses leaves them off until its own end.
    let (server, workspace) = (slow(&[]).await, Workspace::new());
    killed(&workspace, &server).await;
    let count = switches(&server, TARGET).len();
    let next = end_of(workspace.sync(&server, &["--pause-webhooks"])).await;
    assert_eq!(next.code, Some(0), "{}", next.stderr);
    let later = switches(&server, TARGET).split_off(count);
    let switched: Vec<usize> = (0..later.len()).filter(|at| later[*at].is_some()).collect();
    assert_eq!(switched, [later.len() - 2, later.len() - 1], "{later:?}");
    assert_eq!(enabled(&server), [true, true, false]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_interrupted_switches_webhooks_on() {
    for signals in [1, 2] {
        let (server, workspace) = (slow(&[]).await, Workspace::new());
        let command = workspace.sync(&server, &["--output", "json", "--pause-webhooks"]);
        let mut running = Running::of(command);
        running.until("batch-submitted", 1).await;
        running.signal("-INT");
        if signals == 2 {
            running.until("drain-started", 1).await;
            running.signal("-INT");
        }
        let (code, _, stderr) = running.end().await;
        assert_eq!(code, Some(130), "{stderr}");
        if signals == 2 {
            // An abort has a second for it; what it leaves is for this.
            let restored = webhooks(&workspace, &server, &["restore"]).await;
            assert_eq!(restored.code, Some(0), "{}", restored.stderr);
        }
        assert_eq!(enabled(&server), [true, true, false], "{stderr}");
    }
}

#[tokio::test]
async fn what_is_not_proven_to_keep_its_secret_is_not_paused() {
    let rolled = |since: jiff::SignedDuration| {
        let mut all = hooks();
        let moment = jiff::Timestamp::now() - since;
        all[0].insert("secretRolledUtc".to_owned(), moment.to_string().into());
        all[0].insert("previousSigningSecret".to_owned(), SECRETS[1].into());
        all
    };
    let (server, workspace) = (
        play(with_hooks(rolled(jiff::SignedDuration::from_hours(2)))).await,
        Workspace::new(),
    );
    let done = end_of(workspace.sync(&server, &["--pause-webhooks"])).await;
    assert_eq!(done.code, Some(2), "{}", done.stderr);
    for words in [
        "webhook \"Hook signed\" is not paused",
        "LG-4008",
        "by hand",
        "without --pause-webhooks",
    ] {
        assert!(done.stderr.contains(words), "{words}: {}", done.stderr);
    }
    assert_eq!(server.writes(TARGET), [], "nothing was written");
    without_secrets(&workspace, &[&done]);
    let old = play(with_hooks(rolled(jiff::SignedDuration::from_hours(30)))).await;
    let done = end_of(Workspace::new().sync(&old, &["--pause-webhooks"])).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
}

#[tokio::test]
async fn a_server_that_does_not_keep_the_secret_is_found_out_before_anything_else_is_written() {
    for habit in [SecretOnSave::Mints, SecretOnSave::Drops] {
        let mut state = with_hooks(hooks());
        target(&mut state).habits = Habits {
            secret_on_save: habit,
            ..Habits::default()
        };
        let (server, workspace) = (play(state).await, Workspace::new());
        let done = end_of(workspace.sync(&server, &["--pause-webhooks"])).await;
        assert_eq!(done.code, Some(1), "{}", done.stderr);
        for words in [
            "saving webhook \"Hook signed\" also changed its signingSecret",
            "LG-4008",
            "receiver",
        ] {
            assert!(done.stderr.contains(words), "{words}: {}", done.stderr);
        }
        let all = switches(&server, TARGET);
        assert!(all.iter().all(Option::is_some), "{all:?}");
        assert_eq!(enabled(&server), [true, true, false]);
        without_secrets(&workspace, &[&done]);
    }
    // A token that sees no secret can pause all the same: the server keeps what it hides.
    let mut state = with_hooks(hooks());
    target(&mut state).habits.masks_secrets = true;
    let server = play(state).await;
    let done = end_of(Workspace::new().sync(&server, &["--pause-webhooks"])).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(held(&server, TARGET)[0]["signingSecret"], SECRETS[0]);
}

#[tokio::test]
async fn saves_whose_answer_is_lost_are_looked_after_and_refused_ones_end_the_run() {
    for fault in [
        "reset=after,method=POST,path=/webhook,every=2",
        "status-after=500,method=POST,path=/webhook,every=3",
    ] {
        let (server, workspace) = (slow(&[fault]).await, Workspace::new());
        let done = end_of(workspace.sync(&server, &["--pause-webhooks"])).await;
        assert_eq!(done.code, Some(0), "{fault}: {}", done.stderr);
        assert_eq!(enabled(&server), [true, true, false]);
    }
    // The second one is refused: the first is switched on again, and nothing else is written.
    let refused = "status=403,method=POST,path=/webhook,text=plain,body=key-of-the-receiver";
    let (server, workspace) = (slow(&[refused]).await, Workspace::new());
    let done = end_of(workspace.sync(&server, &["--pause-webhooks"])).await;
    assert_eq!(done.code, Some(3), "{}", done.stderr);
    assert!(
        done.stderr
            .contains("webhook \"Hook plain\" could not be switched off"),
        "{}",
        done.stderr
    );
    assert!(switches(&server, TARGET).iter().all(Option::is_some));
    assert_eq!(enabled(&server), [true, true, false]);
}

#[tokio::test]
async fn a_webhook_that_cannot_be_switched_on_again_is_named_and_is_no_success() {
    let fault = "status=503,method=POST,path=/webhook,from=3,count=12";
    let (server, workspace) = (slow(&[fault]).await, Workspace::new());
    let done = end_of(workspace.sync(&server, &["--pause-webhooks"])).await;
    assert_eq!(done.code, Some(1), "{}", done.stderr);
    let words = "webhook \"Hook plain\" is still switched off";
    assert!(done.stderr.contains(words), "{}", done.stderr);
    assert!(
        done.stderr.contains("lockgate webhooks restore"),
        "{}",
        done.stderr
    );
    let mut restored = webhooks(&workspace, &server, &["restore"]).await;
    for _ in 0..5 {
        restored = webhooks(&workspace, &server, &["restore"]).await;
    }
    assert_eq!(restored.code, Some(0), "{}", restored.stderr);
    assert_eq!(enabled(&server), [true, true, false]);
    without_secrets(&workspace, &[&done, &restored]);
}

#[tokio::test]
async fn several_targets_and_chains_pause_the_webhooks_of_each() {
    let mut state = targets::with_empty("starter-site", &[targets::QA, targets::PROD]);
    for instance in state.instances.iter_mut().filter(|one| one.guid != SOURCE) {
        instance.webhooks = hooks();
    }
    let server = play(state).await;
    let workspace = targets::workspace(
        &server.base_url(),
        &[("qa", targets::QA), ("prod", targets::PROD)],
    );
    let before = held(&server, targets::PROD);
    targets::ends(
        &workspace,
        "sync --target qa --target prod --pause-webhooks",
        0,
    )
    .await;
    for guid in [targets::QA, targets::PROD] {
        let switched = server
            .writes(guid)
            .into_iter()
            .filter(|one| one.path.ends_with("/webhook"));
        assert_eq!(switched.count(), 4, "{guid}");
    }
    assert_eq!(held(&server, targets::PROD), before);
    let listed = targets::ends(
        &workspace,
        "webhooks list --target qa --target prod --json",
        0,
    )
    .await;
    assert_eq!(lines_of_json(&listed.stdout).len(), 6);
    without_secrets(&workspace, &[&listed]);
}

#[tokio::test]
async fn a_plan_is_applied_with_webhooks_paused() {
    let (server, workspace) = (play(with_hooks(hooks())).await, Workspace::new());
    let url = server.base_url();
    let plan = end_of(workspace.between("plan", &url, &["--out", "release.plan"])).await;
    assert_eq!(plan.code, Some(0), "{}", plan.stderr);
    let urls = ["--source-url", &url, "--target-url", &url];
    let words = ["apply", "release.plan", "--pause-webhooks"];
    let done = end_of(workspace.command(words.iter().chain(&urls))).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(switches(&server, TARGET).iter().flatten().count(), 4);
    assert_eq!(enabled(&server), [true, true, false]);
    without_secrets(&workspace, &[&plan, &done]);
}

/// A target that lists no webhooks for this token is no reason not to migrate, unless they are to be paused.
#[tokio::test]
async fn webhooks_that_cannot_be_listed_stop_only_what_is_to_pause_them() {
    let options = || mock::Options {
        state: StateFile {
            instances: vec![
                instances(&fixture("starter-site")).instances.remove(0),
                empty_target(&["en-us".to_owned(), "fr-ca".to_owned()]),
            ],
            ..mock::Options::default().state
        },
        faults: vec!["status=403,path=webhook/list".parse().unwrap()],
        ..mock::Options::default()
    };
    let (server, workspace) = (serve_with(options()).await, Workspace::new());
    let refused = end_of(workspace.sync(&server, &["--pause-webhooks"])).await;
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    assert!(
        refused
            .stderr
            .contains("the webhooks of the target could not be read"),
        "{}",
        refused.stderr
    );
    let foretold = end_of(workspace.sync(&server, &["--pause-webhooks", "--dry-run"])).await;
    assert_eq!(foretold.code, Some(3), "{}", foretold.stderr);
    assert_eq!(server.writes(TARGET), []);
    let done = end_of(workspace.sync(&server, &[])).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(
        done.stderr
            .contains("webhooks of the target could not be read"),
        "{}",
        done.stderr
    );
}

/// In a chain, those of each hop's target are off while it writes there, also those of an instance that is the next source.
#[tokio::test]
async fn a_chain_pauses_the_webhooks_of_each_hop() {
    let chain = [targets::QA, targets::PROD];
    let mut state = targets::with_empty("starter-site", &chain);
    for instance in &mut state.instances {
        instance.webhooks = hooks();
    }
    let server = play(state).await;
    let tables = [("dev", SOURCE), ("qa", chain[0]), ("prod", chain[1])];
    let workspace = targets::workspace(&server.base_url(), &tables);
    let before = chain.map(|guid| held(&server, guid));
    let words = "promote dev..qa..prod --pause-webhooks";
    let done = targets::ends(&workspace, words, 0).await;
    assert_eq!(chain.map(|guid| held(&server, guid)), before);
    for guid in chain {
        let all = switches(&server, guid);
        let switched: Vec<usize> = (0..all.len()).filter(|at| all[*at].is_some()).collect();
        let last = all.len() - 1;
        assert_eq!(switched, [0, 1, last - 1, last], "{guid}: {all:?}");
    }
    assert_eq!(switches(&server, SOURCE), []);
    without_secrets(&workspace, &[&done]);
}
