//! `lockgate probe`: answers that fit the server, nothing left behind, and runs that use what was found.

use std::time::Duration;

use futures_util::future::join_all;
use lockgate::mock::file::{Habits, Row, SecretOnSave, StateFile};
use lockgate::mock::{self, BatchWork, Fault, Links, Profile, Rules, Server};
use serde_json::{Value, json};

use crate::binary::{Ended, TOKEN, Workspace, end_of, lines_of_json};
use crate::cli_life::Running;
use crate::support::{SOURCE, TARGET, fixture, http, instances, put_state, serve_with};
use crate::webhooks::files_with;

/// What the names of throw-away things begin with.
const PREFIX: &str = "lockgate_probe_";

fn starter() -> StateFile {
    instances(&fixture("starter-site"))
}

fn with_habits(habits: Habits) -> StateFile {
    let mut state = starter();
    let mut all = state.instances.iter_mut();
    all.find(|one| one.guid == TARGET).unwrap().habits = habits;
    state
}

/// A command about the target of a server alone.
fn probe(workspace: &Workspace, server: &Server, words: &[&str]) -> tokio::process::Command {
    let url = server.base_url();
    let ends = ["--target", TARGET, "--target-url", &url];
    workspace.command(["probe"].iter().chain(words).chain(&ends))
}

/// What is left on the target of probes; deleted content counts as gone.
fn left_over(server: &Server) -> Vec<String> {
    let state = server.state();
    let target = state.instances.iter().find(|one| one.guid == TARGET);
    let target = target.unwrap();
    let is_gone = |row: &Row| row["properties"]["state"] == 3;
    let content = target.content.iter().filter(|row| !is_gone(row));
    let rows = [
        &target.models,
        &target.containers,
        &target.assets,
        &target.webhooks,
    ];
    let rows = rows.into_iter().flatten().chain(content);
    let texts = rows.map(|row| Value::Object(row.clone()).to_string());
    texts.filter(|text| text.contains(PREFIX)).collect()
}

fn answers(ended: &Ended) -> Vec<(String, Option<String>)> {
    let rows = lines_of_json(&ended.stdout).into_iter();
    let text = |row: &Value, name: &str| row[name].as_str().map(str::to_owned);
    rows.map(|row| (text(&row, "name").unwrap(), text(&row, "answer")))
        .collect()
}

fn answer(ended: &Ended, name: &str) -> Option<String> {
    let all = answers(ended);
    let found = all.into_iter().find(|(known, _)| known == name);
    assert!(found.is_some(), "{name}: {}", ended.stdout);
    found.unwrap().1
}

/// A server of some character, and what a probe must find.
struct Character {
    name: &'static str,
    options: mock::Options,
    expected: Vec<(&'static str, Option<&'static str>)>,
}

fn of_profile(profile: Profile, state: StateFile) -> mock::Options {
    let limit = profile.limit();
    let usual = mock::Options::default();
    mock::Options {
        state,
        batches: profile.work(),
        rate_limit: limit.map(|(limit, _)| limit),
        rate_limit_kind: limit.map_or(usual.rate_limit_kind, |(_, kind)| kind),
        ..usual
    }
}

fn characters() -> Vec<Character> {
    let minting = Habits {
        secret_on_save: SecretOnSave::Mints,
        ..Habits::default()
    };
    let dropping = Habits {
        secret_on_save: SecretOnSave::Drops,
        ..Habits::default()
    };
    let masking = Habits {
        masks_secrets: true,
        ..Habits::default()
    };
    let rules = |links, new_media_ids| Rules {
        links,
        new_media_ids,
        ..Rules::default()
    };
    vec![
        Character {
            name: "usual",
            options: of_profile(Profile::SerialItem, starter()),
            expected: vec![
                ("link.alone", Some("the id as text")),
                (
                    "link.with_value",
                    Some("the id as text, the name of the list"),
                ),
                ("link.picked", Some("yes")),
                ("list.order", Some("yes, with the numbers")),
                ("ids", Some("yes")),
                ("media.id", Some("yes")),
                ("webhook.secret", Some("yes")),
                ("limit.headers", Some("no header does")),
            ],
        },
        Character {
            name: "parallel, objects, new ids",
            options: mock::Options {
                rules: rules(Links::Object, true),
                ..of_profile(Profile::ParallelBatch2000, with_habits(minting))
            },
            expected: vec![
                ("link.alone", Some("an object with the id")),
                ("batches", Some("no")),
                ("media.id", Some("no")),
                ("webhook.secret", Some("no, another one is made")),
            ],
        },
        Character {
            name: "serial, names of lists, limited with headers",
            options: mock::Options {
                rules: rules(Links::Name, false),
                rate_limit: Some(30),
                rate_limit_headers: true,
                ..of_profile(Profile::SerialBatch500, with_habits(dropping))
            },
            expected: vec![
                ("link.alone", Some("the id as text")),
                ("link.with_value", Some("the name of the list")),
                ("batches", Some("yes")),
                ("webhook.secret", Some("no, it is removed")),
                ("limit.headers", Some("yes, as a rate")),
            ],
        },
        Character {
            name: "at once, masked",
            options: of_profile(Profile::ParallelInstant, with_habits(masking)),
            expected: vec![("batches", None), ("webhook.secret", None)],
        },
    ]
}

#[tokio::test]
async fn answers_fit_the_server_and_nothing_is_left() {
    // One after another: times are among the questions.
    for one in characters() {
        let (server, workspace) = (serve_with(one.options).await, Workspace::new());
        let before = server.state();
        let ended = end_of(probe(&workspace, &server, &["--json"])).await;
        assert_eq!(ended.code, Some(0), "{}: {}", one.name, ended.stderr);
        assert_eq!(lines_of_json(&ended.stdout).len(), 12, "{}", one.name);
        for (name, expected) in one.expected {
            let found = answer(&ended, name);
            assert_eq!(
                found.as_deref(),
                expected,
                "{}: {name}: {}",
                one.name,
                ended.stdout
            );
        }
        assert_eq!(left_over(&server), Vec::<String>::new(), "{}", one.name);
        let kept = |state: &StateFile| {
            let target = state.instances.iter().find(|one| one.guid == TARGET);
            let target = target.unwrap().clone();
            (
                target.models,
                target.containers,
                target.assets,
                target.webhooks,
            )
        };
        assert_eq!(kept(&server.state()), kept(&before), "{}", one.name);
        assert!(server.writes(SOURCE).is_empty());
        for secret in [TOKEN, "whsec_"] {
            assert!(!ended.stdout.contains(secret) && !ended.stderr.contains(secret));
            assert_eq!(files_with(workspace.path(), secret), Vec::<String>::new());
        }
    }
}

#[tokio::test]
async fn a_limit_is_found_with_few_refusals_and_the_next_run_starts_with_it() {
    let options = mock::Options {
        state: starter(),
        rate_limit: Some(60),
        ..mock::Options::default()
    };
    let (server, workspace) = (serve_with(options).await, Workspace::new());
    let ended = end_of(probe(&workspace, &server, &["--json"])).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let limit: f64 = answer(&ended, "limit").unwrap().parse().unwrap();
    assert!((45.0..=66.0).contains(&limit), "{limit}");
    let refused = server.requests();
    let refused = refused.iter().filter(|one| one.status == 429).count();
    assert!((1..=12).contains(&refused), "{refused} refusals");
    let runs = end_of(workspace.command(["runs", "--json"])).await;
    let host = lines_of_json(&runs.stdout)
        .into_iter()
        .find(|row| row["host"].is_string())
        .unwrap();
    let learned = host["learned"]["per_second"].as_f64().unwrap();
    assert!((learned - limit).abs() < 1.0, "{learned} {limit}");
}

#[tokio::test]
async fn what_was_found_is_shown_with_what_it_changes() {
    let (server, workspace) = (
        serve_with(of_profile(Profile::SerialItem, starter())).await,
        Workspace::new(),
    );
    let none = end_of(workspace.command(["probe", "--show"])).await;
    assert_eq!(none.code, Some(2), "there is no state: {}", none.stderr);
    let probed = end_of(probe(&workspace, &server, &[])).await;
    assert_eq!(probed.code, Some(0), "{}", probed.stderr);
    let requests = server.requests().len();
    let shown = end_of(workspace.command(["probe", "--show"])).await;
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert_eq!(server.requests().len(), requests, "nothing is sent");
    for words in [
        "127.0.0.1:",
        "probed at 20",
        "which forms of a link are kept?",
        "runs write the id as text",
        "are batches processed one after another?",
    ] {
        assert!(shown.stdout.contains(words), "{words}: {}", shown.stdout);
    }
    let json = end_of(workspace.command(["probe", "--show", "--json"])).await;
    let rows = lines_of_json(&json.stdout);
    assert_eq!(rows.len(), 12, "{}", json.stdout);
    let kept = answers(&json);
    let alone = kept.iter().find(|(name, _)| name == "link.alone");
    assert_eq!(alone.unwrap().1.as_deref(), Some("the id as text"));
}

#[tokio::test]
async fn without_a_terminal_a_real_target_is_not_touched_unless_that_is_agreed_to() {
    let workspace = Workspace::new();
    for more in [&[][..], &["--clean"]] {
        let words = ["probe", "--target", TARGET].iter().chain(more);
        let ended = end_of(workspace.command(words)).await;
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        let why = "refusing to probe 5e6f7a8b-u without confirmation: no terminal is attached (use --yes)";
        assert!(ended.stderr.contains(why), "{}", ended.stderr);
    }
    assert!(!workspace.path().join(".lockgate/state.db").exists());
}

/// Fails one request of each kind in turn, before its effect or after it.
#[tokio::test]
async fn whatever_request_fails_everything_is_deleted() {
    let posts = (1..=14).flat_map(|nth| {
        ["status=500", "status-after=500"].map(|action| format!("{action},method=POST,nth={nth}"))
    });
    let deletes =
        [1, 2, 21, 22, 23, 24, 25].map(|nth| format!("status-after=500,method=DELETE,nth={nth}"));
    let faults: Vec<String> = posts
        .chain(deletes)
        .chain(["status=403,method=POST,path=/model".to_owned()])
        .chain(["status=403,path=/webhook".to_owned()])
        .chain(["fail-batch,path=/item/multi,nth=2".to_owned()])
        .chain(["fail-item=5,path=/item/multi,nth=2".to_owned()])
        .collect();
    for some in faults.chunks(6) {
        join_all(some.iter().map(|fault| async move {
            let options = mock::Options {
                faults: vec![fault.parse::<Fault>().unwrap()],
                ..of_profile(Profile::SerialItem, starter())
            };
            let (server, workspace) = (serve_with(options).await, Workspace::new());
            let ended = end_of(probe(&workspace, &server, &["--json"])).await;
            assert_eq!(ended.code, Some(0), "{fault}: {}", ended.stderr);
            assert_eq!(
                left_over(&server),
                Vec::<String>::new(),
                "{fault}: {}",
                ended.stderr
            );
            assert_eq!(answers(&ended).len(), 12, "{fault}: {}", ended.stdout);
        }))
        .await;
    }
}

#[tokio::test]
async fn what_cannot_be_deleted_is_listed_and_deleted_later() {
    let fault = "status=403,method=DELETE,path=/container/";
    let options = mock::Options {
        faults: vec![fault.parse::<Fault>().unwrap()],
        ..of_profile(Profile::SerialItem, starter())
    };
    let (server, workspace) = (serve_with(options).await, Workspace::new());
    let ended = end_of(probe(&workspace, &server, &[])).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    for words in [
        "could not delete container ",
        PREFIX,
        "HTTP 403",
        "lockgate probe --target 5e6f7a8b-u --clean",
    ] {
        assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
    }
    assert!(!left_over(&server).is_empty());
    server.strike_with(&[]);
    let cleaned = end_of(probe(&workspace, &server, &["--clean"])).await;
    assert_eq!(cleaned.code, Some(0), "{}", cleaned.stderr);
    assert_eq!(left_over(&server), Vec::<String>::new());
    let again = end_of(probe(&workspace, &server, &["--clean"])).await;
    assert!(
        again.stderr.contains("no probe has left anything"),
        "{}",
        again.stderr
    );
}

/// A server on which a probe takes long enough to be met in the middle of it.
async fn slow() -> Server {
    serve_with(mock::Options {
        batches: BatchWork {
            item_time: Duration::from_millis(60),
            ..BatchWork::default()
        },
        ..of_profile(Profile::SerialItem, starter())
    })
    .await
}

/// Waits until the target has items of a probe.
async fn until_items(server: &Server) {
    loop {
        let has_items = server.state().instances.iter().any(|one| {
            let rows = one.content.iter();
            rows.filter(|row| row["properties"].to_string().contains(PREFIX))
                .count()
                > 3
        });
        if has_items {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_a_killed_probe_left_is_deleted_by_the_next_one() {
    let (server, workspace) = (slow().await, Workspace::new());
    let running = Running::of(probe(&workspace, &server, &["--json"]));
    until_items(&server).await;
    running.signal("-KILL");
    drop(running.end_of_stderr().await);
    assert!(!left_over(&server).is_empty());
    let next = end_of(probe(&workspace, &server, &["--json"])).await;
    assert_eq!(next.code, Some(0), "{}", next.stderr);
    assert!(
        next.stderr
            .contains("deleted what the probe lockgate_probe_"),
        "{}",
        next.stderr
    );
    assert_eq!(left_over(&server), Vec::<String>::new());
}

#[tokio::test]
async fn things_that_no_state_knows_of_are_left_while_their_probe_may_be_under_way() {
    let mut state = starter();
    let mut all = state.instances.iter_mut();
    let target = all.find(|one| one.guid == TARGET).unwrap();
    let model = |id: i64, name: String| {
        let row = json!({ "id": id, "referenceName": name, "displayName": name, "contentDefinitionTypeID": 1, "fields": [] });
        row.as_object().unwrap().clone()
    };
    let now = jiff::Timestamp::now().strftime("%Y%m%d_%H%M%S");
    target
        .models
        .push(model(7_001, format!("{PREFIX}20250101_101500_3f2a")));
    target
        .models
        .push(model(7_002, format!("{PREFIX}{now}_3f2a")));
    let (server, workspace) = (
        serve_with(of_profile(Profile::SerialItem, state)).await,
        Workspace::new(),
    );
    let cleaned = end_of(probe(&workspace, &server, &["--clean"])).await;
    assert_eq!(cleaned.code, Some(0), "{}", cleaned.stderr);
    assert_eq!(left_over(&server).len(), 1);
    for words in [
        "deleted what the probe lockgate_probe_20250101_101500_3f2a had left",
        "may belong to a probe that is under way",
    ] {
        assert!(
            cleaned.stderr.contains(words),
            "{words}: {}",
            cleaned.stderr
        );
    }
}

#[tokio::test]
async fn an_interrupted_probe_deletes_what_it_made_and_keeps_no_answers() {
    let (server, workspace) = (slow().await, Workspace::new());
    let running = Running::of(probe(&workspace, &server, &["--json"]));
    until_items(&server).await;
    running.signal("-INT");
    let (code, stderr) = running.end_of_stderr().await;
    assert_eq!(code, Some(130), "{stderr}");
    assert_eq!(left_over(&server), Vec::<String>::new(), "{stderr}");
    let shown = end_of(workspace.command(["probe", "--show"])).await;
    assert!(
        shown.stderr.contains("no host was probed yet"),
        "{}",
        shown.stderr
    );
}

#[tokio::test]
async fn a_second_probe_of_a_target_is_refused_and_the_record_cannot_be_undone() {
    let (server, workspace) = (slow().await, Workspace::new());
    let running = Running::of(probe(&workspace, &server, &["--json"]));
    until_items(&server).await;
    let second = end_of(probe(&workspace, &server, &["--json"])).await;
    assert_eq!(second.code, Some(4), "{}", second.stderr);
    assert!(second.stderr.contains("LG-3010"), "{}", second.stderr);
    running.signal("-INT");
    drop(running.end_of_stderr().await);
    let undo = end_of(workspace.command(["undo", "last", "--yes"])).await;
    assert_eq!(undo.code, Some(2), "{}", undo.stderr);
    let runs = end_of(workspace.command(["runs"])).await;
    assert!(runs.stdout.contains("lockgate-probe"), "{}", runs.stdout);
}

/// A server that keeps links as objects only stopped every run at its first item with one.
#[tokio::test]
async fn a_run_writes_links_in_the_form_that_was_found() {
    for links in [Links::Object, Links::Name] {
        let options = mock::Options {
            rules: Rules {
                links,
                ..Rules::default()
            },
            ..of_profile(Profile::SerialItem, starter())
        };
        let (server, workspace) = (serve_with(options).await, Workspace::new());
        let before = end_of(Workspace::new().sync(&server, &[])).await;
        assert_ne!(before.code, Some(0), "{links:?}: {}", before.stderr);
        put_state(&server.base_url(), &starter()).await;
        let probed = end_of(probe(&workspace, &server, &["--json"])).await;
        assert_eq!(probed.code, Some(0), "{links:?}: {}", probed.stderr);
        // Names of lists are not what the source has, so the look at both instances is no help here.
        let more: &[&str] = if links == Links::Name {
            &["--json"]
        } else {
            &[]
        };
        let after = end_of(workspace.sync(&server, more)).await;
        assert_eq!(after.code, Some(0), "{links:?}: {}", after.stderr);
        let written = selections(&server, TARGET);
        assert!(written > 10, "{links:?}");
        assert_eq!(written, selections(&server, SOURCE), "{links:?}");
    }
}

/// Items of an instance whose writer is selected, in the value field beside the link.
fn selections(server: &Server, guid: &str) -> usize {
    let state = server.state();
    let instance = state.instances.iter().find(|one| one.guid == guid);
    let rows = instance.unwrap().content.iter();
    let value = |row: &Row| {
        let fields = row["fields"].as_object()?;
        let is_it = |(name, _): &(&String, &Value)| name.eq_ignore_ascii_case("writerID");
        fields.iter().find(is_it)?.1.as_str().map(str::to_owned)
    };
    rows.filter_map(value).filter(|id| !id.is_empty()).count()
}

#[tokio::test]
async fn webhooks_whose_secret_a_save_loses_are_refused_before_one_is_saved() {
    let mut state = with_habits(Habits {
        secret_on_save: SecretOnSave::Mints,
        ..Habits::default()
    });
    let hook = json!({
        "rowKey": "signed", "name": "Hook signed", "enabled": true, "secureDeliveryEnabled": true,
        "signingSecret": "whsec_c2VjcmV0", "url": "https://hooks.example.test/", "contentSaveEvents": true
    });
    let mut all = state.instances.iter_mut();
    let target = all.find(|one| one.guid == TARGET).unwrap();
    target.webhooks = vec![hook.as_object().unwrap().clone()];
    let (server, workspace) = (
        serve_with(of_profile(Profile::SerialItem, state)).await,
        Workspace::new(),
    );
    let probed = end_of(probe(&workspace, &server, &["--json"])).await;
    assert_eq!(probed.code, Some(0), "{}", probed.stderr);
    let before = server.writes(TARGET).len();
    let done = end_of(workspace.sync(&server, &["--pause-webhooks"])).await;
    assert_eq!(done.code, Some(2), "{}", done.stderr);
    assert!(
        done.stderr.contains("LG-4008") && done.stderr.contains("`lockgate probe` found"),
        "{}",
        done.stderr
    );
    assert_eq!(server.writes(TARGET).len(), before, "nothing was written");
}

/// Reads answer the name of a list in lower case. Written like that, the vendor's editor shows the selection empty.
#[tokio::test]
async fn names_of_lists_are_written_in_the_case_of_the_list() {
    let capital = serde_json::to_string(&starter()).unwrap();
    let capital = capital.replace("\"authors\"", "\"Authors\"");
    let state: StateFile = serde_json::from_str(&capital).unwrap();
    let options = mock::Options {
        rules: Rules {
            links: Links::Name,
            ..Rules::default()
        },
        ..of_profile(Profile::SerialItem, state)
    };
    let (server, workspace) = (serve_with(options).await, Workspace::new());
    let probed = end_of(probe(&workspace, &server, &["--json"])).await;
    assert_eq!(probed.code, Some(0), "{}", probed.stderr);
    let after = end_of(workspace.sync(&server, &["--json"])).await;
    assert_eq!(after.code, Some(0), "{}", after.stderr);
    let blank = || async {
        let url = format!("{}/_mock/blank-fields", server.base_url());
        let rows: Value = http().get(url).send().await.unwrap().json().await.unwrap();
        let of_target = rows.as_array().unwrap().iter();
        of_target.filter(|row| row["guid"] == TARGET).count()
    };
    assert!(selections(&server, TARGET) > 10);
    assert_eq!(blank().await, 0);
    // As a client writes it that sends what it has read.
    let lowered = serde_json::to_string(&server.state()).unwrap();
    let lowered = lowered.replace("\"Writer\":\"Authors\"", "\"Writer\":\"authors\"");
    put_state(&server.base_url(), &serde_json::from_str(&lowered).unwrap()).await;
    assert!(blank().await > 10);
    let again = end_of(workspace.between("verify", &server.base_url(), &[])).await;
    assert_eq!(again.code, Some(0), "{}", again.stderr);
}
