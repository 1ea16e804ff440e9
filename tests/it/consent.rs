//! What stands between a plan and its first write: the user, bounds, and policies.

use std::collections::BTreeMap;
use std::io::Write as _;

use lockgate::mock::file::Row;
use serde_json::{Value, json};

use crate::apply::{Stage, item, retitle, titles};
use crate::binary::{TOKEN, end_of};
use crate::support::{SOURCE, TARGET, fixture, instances};
use crate::terminal::Terminal;

/// An item of the fixture that has a title.
const KEY: (i64, &str) = (1021, "en-us");

/// Writes the configuration of the workspace.
fn configure(stage: &Stage, text: &str) {
    std::fs::write(stage.workspace.path().join("lockgate.toml"), text).unwrap();
}

/// The counterpart of an item, by its title.
fn counterpart(stage: &Stage, key: (i64, &str)) -> i64 {
    let title = &titles(&stage.instance(SOURCE))[&(key.0, key.1.to_owned())];
    let there = titles(&stage.instance(TARGET)).into_iter();
    let mut there = there.filter(|((_, locale), found)| locale == key.1 && found == title);
    there.next().unwrap().0.0
}

fn title(stage: &Stage, guid: &str, id: i64) -> String {
    titles(&stage.instance(guid))[&(id, KEY.1.to_owned())].clone()
}

#[tokio::test]
async fn without_a_terminal_a_run_that_has_to_ask_writes_nothing() {
    let stage = Stage::new().await;
    configure(&stage, "sync.ask = \"always\"");
    let ended = stage.ends("sync", &[], 2).await;
    for word in ["LG-1016", "--yes", "lockgate apply"] {
        assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
    }
    assert_eq!(stage.writes(), 0);
    stage.ends("sync", &["--dry-run"], 0).await;
    assert_eq!(stage.writes(), 0);
    stage.ends("plan", &["--out", "release.plan"], 0).await;
    stage.ends("apply", &["release.plan"], 0).await;
    let before = stage.writes();
    assert!(before > 0);
    // There is nothing to agree to.
    stage.ends("sync", &[], 0).await;
    stage
        .edit(|source, _| retitle(item(source, KEY.0, KEY.1), "agreed to"))
        .await;
    stage.ends("sync", &[], 2).await;
    assert_eq!(stage.writes(), before);
    stage.ends("sync", &["--yes"], 0).await;
    assert!(stage.writes() > before);
}

/// A mock server on this machine is not asked about, unless the user says so.
#[tokio::test]
async fn on_a_terminal_a_sync_shows_its_plan_and_asks_once() {
    let stage = Stage::new().await;
    configure(&stage, "sync.ask = \"always\"");
    let binary = env!("CARGO_BIN_EXE_lockgate");
    let url = stage.url();
    let run = format!(
        "LOCKGATE_TOKEN={TOKEN} {binary} sync --source {SOURCE} --target {TARGET} --source-url {url} --target-url {url}"
    );
    let line = format!("{run}; echo \"first=$?\"; {run}; echo \"second=$?\"; exec cat");
    let Some(terminal) = Terminal::open(&stage.workspace, &line).await else {
        writeln!(std::io::stderr(), "skipped: there is no tmux here").unwrap();
        return;
    };
    let question = format!("Write this to {TARGET}? [y/N]");
    let asked = terminal.shows(&question).await;
    assert!(asked.contains("159 create"), "{asked}");
    assert!(asked.contains("stay drafts"), "{asked}");
    terminal.press("n").await;
    terminal.press("Enter").await;
    let refused = terminal.shows("first=130").await;
    assert!(refused.contains("nothing was written"), "{refused}");
    assert_eq!(stage.writes(), 0);
    terminal
        .until("asked again", |screen| {
            screen.matches(&question).count() == 2
        })
        .await;
    terminal.press("y").await;
    terminal.press("Enter").await;
    terminal.shows("second=0").await;
    assert!(stage.writes() > 0);
}

/// A bound and what is said of it.
const BOUNDS: [(&str, &str); 5] = [
    ("max_change = [\"0\"]", "gates.max_change = \"0\": 2 of"),
    ("max_change = [\"content:art*=0%\"]", "1 of 22 entities"),
    (
        "deny = [\"model.field-removed\"]",
        "model:10 Author: it takes away the field",
    ),
    ("freeze = [\"2020-01-01/2999-01-01\"]", "gates.freeze"),
    (
        "targets = [\"00000000-u\"]",
        "gates.targets does not name 5e6f7a8b-u",
    ),
];

/// Each bound is named by plan, sync and apply alike, which write nothing.
#[tokio::test]
async fn a_plan_that_breaks_a_bound_writes_nothing() {
    let stage = Stage::new().await;
    stage.ends("sync", &[], 0).await;
    stage
        .edit(|source, _| {
            retitle(item(source, KEY.0, KEY.1), "another title");
            lose_a_field(source);
        })
        .await;
    stage.ends("plan", &["--out", "release.plan"], 0).await;
    let before = stage.writes();
    for (config, named) in BOUNDS {
        configure(&stage, &format!("[gates]\n{config}"));
        for (command, args) in [
            ("plan", &[] as &[&str]),
            ("sync", &[]),
            ("sync", &["--dry-run"]),
            ("apply", &["release.plan"]),
        ] {
            let ended = stage.ends(command, args, 5).await;
            assert!(ended.stderr.contains(named), "{command}: {}", ended.stderr);
            assert!(ended.stderr.contains("LG-4007"), "{}", ended.stderr);
        }
    }
    assert_eq!(stage.writes(), before);
    configure(&stage, "");
    stage.ends("apply", &["release.plan"], 0).await;
    // What has nothing to write breaks nothing.
    configure(&stage, "[gates]\ntargets = [\"00000000-u\"]");
    stage.ends("sync", &[], 0).await;
}

fn lose_a_field(source: &mut lockgate::mock::file::InstanceFile) {
    let is_author = |row: &&mut Row| row["referenceName"] == "Author";
    let model = source.models.iter_mut().find(is_author).unwrap();
    let fields = model["fields"].as_array_mut().unwrap();
    fields.retain(|field| field["name"] != "Role");
    model["lastModifiedDate"] = "2026-02-11T14:05:31.93".into();
}

#[tokio::test]
async fn a_conflict_is_decided_by_the_policy_of_its_container() {
    for (policy, code, wins) in [
        ("content:articles=source", 0, "of the source"),
        ("content:articles=target", 0, "of the target"),
        ("content:articles=skip", 5, "of the target"),
        ("content:topics=source", 5, "of the target"),
    ] {
        let stage = Stage::new().await;
        stage.ends("sync", &[], 0).await;
        let there = counterpart(&stage, KEY);
        stage
            .edit(|source, target| {
                retitle(item(source, KEY.0, KEY.1), "of the source");
                retitle(item(target, there, KEY.1), "of the target");
            })
            .await;
        configure(&stage, &format!("sync.on_conflict = [{policy:?}]"));
        stage.ends("plan", &[], code).await;
        stage.ends("sync", &[], code).await;
        assert_eq!(title(&stage, TARGET, there), wins, "{policy}");
    }
}

#[tokio::test]
async fn what_is_read_only_is_never_written() {
    let stage = Stage::new().await;
    stage.ends("sync", &[], 0).await;
    let there = counterpart(&stage, KEY);
    let old = title(&stage, TARGET, there);
    stage
        .edit(|source, _| {
            retitle(item(source, KEY.0, KEY.1), "not to be written");
            let mut row = item(source, KEY.0, KEY.1).clone();
            row["contentID"] = 990_001.into();
            retitle(&mut row, "not to be created");
            source.content.push(row);
        })
        .await;
    configure(&stage, "sync.read_only = [\"container:articles\"]");
    let before = stage.writes();
    stage.ends("sync", &[], 0).await;
    assert_eq!(title(&stage, TARGET, there), old);
    assert_eq!(stage.writes(), before);
    let all: BTreeMap<_, _> = titles(&stage.instance(TARGET));
    assert!(
        !all.values().any(|title| title.contains("not to be")),
        "{all:?}"
    );
    std::fs::remove_file(stage.workspace.path().join("lockgate.toml")).unwrap();
    stage.ends("sync", &[], 0).await;
    assert_eq!(title(&stage, TARGET, there), "not to be written");
}

/// What needs something that is read-only and new cannot be written, and says why.
#[tokio::test]
async fn what_needs_something_that_is_not_created_is_blocked() {
    let stage = Stage::of(instances(&fixture("starter-site"))).await;
    configure(&stage, "sync.read_only = [\"content:authors\"]");
    let ended = stage.ends("plan", &["--output", "json"], 1).await;
    let plan: Value = serde_json::from_str(&ended.stdout).unwrap();
    let entities = plan["entities"].as_array().unwrap();
    let article = entities
        .iter()
        .find(|one| one["key"] == "content:1021@en-us");
    assert_eq!(article.unwrap()["action"], json!("block"));
    let author = entities
        .iter()
        .find(|one| one["key"] == "content:1010@en-us");
    assert_eq!(author.unwrap()["action"], json!("out-of-scope"));
    stage.ends("sync", &["--no-tui"], 1).await;
    let all: BTreeMap<_, _> = titles(&stage.instance(TARGET));
    assert!(all.is_empty() || !all.values().any(|title| title.contains("low tide")));
}

#[tokio::test]
async fn a_setting_that_cannot_be_is_named() {
    for (text, word) in [
        ("sync.ask = \"sometimes\"", "sometimes"),
        ("sync.on_conflict = [\"things=source\"]", "things"),
        ("sync.on_conflict = [\"page=merged\"]", "merged"),
        ("sync.read_only = [\"page:[\"]", "glob"),
        ("gates.max_change = [\"page=many\"]", "20%"),
        ("gates.deny = [\"model.removed\"]", "model.field-removed"),
        ("gates.freeze = [\"today\"]", "FROM/TO"),
        ("gates.targets = [\"production\"]", "GUID"),
    ] {
        let stage = Stage::of(instances(&fixture("cycle-of-two"))).await;
        configure(&stage, text);
        let ended = stage.ends("plan", &[], 2).await;
        assert!(ended.stderr.contains(word), "{text}: {}", ended.stderr);
    }
}

/// What the source no longer has stays on the target, and every run and plan says so.
#[tokio::test]
async fn what_is_gone_from_the_source_is_reported_and_left_alone() {
    let stage = Stage::new().await;
    stage.ends("sync", &[], 0).await;
    let there = counterpart(&stage, (1030, "en-us"));
    stage
        .edit(|source, _| source.content.retain(|row| row["contentID"] != 1030))
        .await;
    for command in ["plan", "sync", "sync"] {
        let ended = stage.ends(command, &[], 0).await;
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(
            said.contains("gone from the source and"),
            "{command}: {said}"
        );
        assert!(said.contains("content:1030@en-us"), "{command}: {said}");
    }
    assert!(titles(&stage.instance(TARGET)).contains_key(&(there, KEY.1.to_owned())));
}

/// Without a terminal a first run into a target that holds something needs a word of the user; a later one does not. The
/// address stands for this machine and is not one of it, so the server counts as a real one.
#[tokio::test]
async fn a_first_run_into_a_target_that_is_not_empty_needs_agreement() {
    let mut filled = instances(&fixture("cycle-of-two"));
    let model = json!({ "id": 900, "referenceName": "Other", "displayName": "Other",
                        "contentDefinitionTypeID": 1, "fields": [] });
    let empty = filled.clone();
    let target = filled.instances.iter_mut().find(|one| one.guid == TARGET);
    target
        .unwrap()
        .models
        .push(serde_json::from_value(model).unwrap());
    for (site, agreement, code) in [
        (&filled, &[] as &[&str], 2),
        (&filled, &["--yes"], 0),
        (&empty, &[], 0),
    ] {
        let stage = Stage::of(site.clone()).await;
        let url = stage.url().replace("127.0.0.1", "0.0.0.0");
        let sync = async |args: &[&str]| {
            let args = [&["--allow-http"], args].concat();
            end_of(stage.workspace.between("sync", &url, &args)).await
        };
        let ended = sync(agreement).await;
        assert_eq!(ended.code, Some(code), "{agreement:?}: {}", ended.stderr);
        assert_eq!(stage.writes() > 0, code == 0);
        if code == 2 {
            assert!(ended.stderr.contains("LG-1016"), "{}", ended.stderr);
            continue;
        }
        stage
            .edit(|source, _| source.models[0]["displayName"] = "Another name".into())
            .await;
        let before = stage.writes();
        let ended = sync(&[]).await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(stage.writes() > before, "{}", ended.stderr);
    }
}

/// The text of a field, whatever the case of its name.
fn text(row: &Row, field: &str) -> Option<String> {
    let mut fields = row["fields"].as_object()?.iter();
    let found = fields.find(|(name, _)| name.eq_ignore_ascii_case(field));
    found.and_then(|(_, value)| Some(value.as_str()?.to_owned()))
}

fn set(row: &mut Row, field: &str, value: &str) {
    let fields = row["fields"].as_object_mut().unwrap();
    let own = fields.keys().find(|name| name.eq_ignore_ascii_case(field));
    let own = own.unwrap().clone();
    fields.insert(own, value.into());
}

#[tokio::test]
async fn a_read_only_field_keeps_what_the_target_says() {
    let stage = Stage::new().await;
    stage.ends("sync", &[], 0).await;
    let there = counterpart(&stage, KEY);
    // An edit of the field is one of the target, so the policy says what becomes of the rest.
    configure(
        &stage,
        "[sync]\nread_only = [\"content:articles#Summary\"]\non_conflict = [\"content:articles=source\"]",
    );
    stage
        .edit(|source, target| {
            let row = item(source, KEY.0, KEY.1);
            set(row, "Summary", "not to be written");
            retitle(row, "another title");
            let mut new = row.clone();
            new["contentID"] = 990_001.into();
            retitle(&mut new, "a new one");
            source.content.push(new);
            // Of the target's own, in the field that is theirs to edit.
            let row = item(target, there, KEY.1);
            set(row, "Summary", "of the target");
            let version = row["properties"]["versionID"].as_i64().unwrap();
            row["properties"]["versionID"] = (version + 1_000).into();
        })
        .await;
    let plan = stage.ends("plan", &[], 0).await.stdout;
    assert!(plan.contains("another title"), "{plan}");
    assert!(!plan.contains("not to be written"), "{plan}");
    stage.ends("sync", &[], 0).await;
    let mut target = stage.instance(TARGET);
    let row = item(&mut target, there, KEY.1);
    assert_eq!(text(row, "Headline").as_deref(), Some("another title"));
    assert_eq!(text(row, "Summary").as_deref(), Some("of the target"));
    let is_new = |row: &&Row| text(row, "Headline").as_deref() == Some("a new one");
    let new = target.content.iter().find(is_new).unwrap();
    assert!(
        text(new, "Summary").unwrap_or_default().is_empty(),
        "{new:?}"
    );
    let before = stage.writes();
    stage.ends("sync", &[], 0).await;
    assert_eq!(stage.writes(), before);
    // The target shows a link in another form than it takes; it is kept with the fields that repeat it.
    let links = ["writerID", "topics_ValueField", "documents"];
    let said = |stage: &Stage| {
        let mut target = stage.instance(TARGET);
        let row = item(&mut target, there, KEY.1).clone();
        links.map(|name| row["fields"].get(name).map(ToString::to_string))
    };
    let kept = said(&stage);
    configure(
        &stage,
        "sync.read_only = [\"content:articles#Writer\", \"content:articles#Topics\", \"content:articles#Documents\"]",
    );
    stage
        .edit(|source, _| {
            let row = item(source, KEY.0, KEY.1);
            retitle(row, "once more");
            row["fields"]["writer"] = json!({ "contentid": 1011, "fulllist": false });
            row["fields"]["writerID"] = "1011".into();
            row["fields"]["topics"] =
                json!({ "referencename": "topics", "sortids": "1002", "fulllist": false });
            row["fields"]["topics_ValueField"] = "1002".into();
        })
        .await;
    stage.ends("plan", &[], 0).await;
    stage.ends("sync", &[], 0).await;
    assert_eq!(title(&stage, TARGET, there), "once more");
    assert_eq!(said(&stage), kept);
    let before = stage.writes();
    stage.ends("sync", &[], 0).await;
    assert_eq!(stage.writes(), before);
}
