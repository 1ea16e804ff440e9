//! Several targets of one command: `lockgate sync --target qa --target prod`.

use std::collections::BTreeMap;
use std::time::Duration;

use lockgate::mock::file::{InstanceFile, Row, StateFile};
use lockgate::mock::{self, Server};
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

use crate::binary::{Ended, Workspace, end_of, lines_of_json};
use crate::same_state;
use crate::support::{SOURCE, empty_target, fixture, instances, put_state, serve, serve_with};

pub(crate) const QA: &str = "0a0a0a0a-u";
pub(crate) const PROD: &str = "0b0b0b0b-u";
const EXTRA: &str = "0c0c0c0c-u";

/// The source of a fixture, and these instances, which are empty.
pub(crate) fn with_empty(name: &str, guids: &[&str]) -> StateFile {
    let mut state = instances(&fixture(name));
    state.instances.truncate(1);
    let locales = state.instances[0].locales.clone();
    state
        .instances
        .extend(guids.iter().map(|guid| InstanceFile {
            guid: (*guid).to_owned(),
            ..empty_target(&locales)
        }));
    state
}

/// A workspace with tables for these instances, which all are on one server.
pub(crate) fn workspace(url: &str, tables: &[(&str, &str)]) -> Workspace {
    let workspace = Workspace::new();
    let of = |name: &str, guid: &str| format!("[{name}]\nguid = \"{guid}\"\nurl = \"{url}\"\n\n");
    let tables = tables
        .iter()
        .map(|(name, guid)| of(&format!("targets.{name}"), guid));
    let text = of("source", SOURCE) + &tables.collect::<String>();
    std::fs::write(workspace.path().join("lockgate.toml"), text).unwrap();
    workspace
}

pub(crate) async fn ends(workspace: &Workspace, words: &str, code: i32) -> Ended {
    let ended = end_of(workspace.command(words.split(' '))).await;
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.code, Some(code), "{words}: {said}");
    ended
}

pub(crate) fn held(server: &Server, guid: &str) -> InstanceFile {
    let mut instances = server.state().instances.into_iter();
    let mut held = instances.find(|one| one.guid == guid).unwrap();
    // The number of its asset container is that of the instance.
    held.assets
        .iter_mut()
        .for_each(|row| drop(row.remove("containerID")));
    held
}

/// What a run into one target alone leaves there.
pub(crate) async fn alone(name: &str) -> InstanceFile {
    let server = serve(with_empty(name, &[QA])).await;
    let workspace = workspace(&server.base_url(), &[("qa", QA)]);
    ends(&workspace, "sync --target qa", 0).await;
    held(&server, QA)
}

/// The same on another instance, whose files have other addresses.
pub(crate) fn as_on(instance: &InstanceFile, guid: &str) -> InstanceFile {
    let text = serde_json::to_string(instance).unwrap();
    serde_json::from_str(&text.replace(QA, guid)).unwrap()
}

/// The first question for the items of a locale.
fn feeds_begun(server: &Server, guid: &str) -> usize {
    let requests = server.requests();
    let begins = requests.iter().filter(|one| {
        one.path.contains(guid)
            && one.path.contains("/en-us/sync/items")
            && one.query.split('&').any(|part| part == "syncToken=0")
    });
    begins.count()
}

#[tokio::test]
async fn each_target_holds_what_it_would_alone_and_the_source_is_read_once() {
    let server = serve(with_empty("starter-site", &[QA, PROD])).await;
    let workspace = workspace(&server.base_url(), &[("qa", QA), ("prod", PROD)]);
    let done = ends(&workspace, "sync --target qa --target prod", 0).await;
    let expected = alone("starter-site").await;
    for guid in [QA, PROD] {
        let found = same_state::differences(&as_on(&expected, guid), &held(&server, guid));
        assert!(found.is_empty(), "{guid}: {}", found.join("\n"));
    }
    assert_eq!(feeds_begun(&server, SOURCE), 1);
    for line in ["qa   | ", "prod | ", "target  created  updated  in sync"] {
        assert!(done.stderr.contains(line), "{line}: {}", done.stderr);
    }
    assert_eq!(workspace.run_folders().len(), 2, "one run for each");
    let before = [QA, PROD].map(|guid| server.writes(guid).len());
    ends(&workspace, "sync --target qa,prod", 0).await;
    ends(&workspace, "verify --target prod --target qa", 0).await;
    let after = [QA, PROD].map(|guid| server.writes(guid).len());
    assert_eq!(before, after, "a second run writes nothing");
}

#[tokio::test]
async fn a_target_that_is_gone_does_not_stop_the_others() {
    let server = serve(with_empty("starter-site", &[QA])).await;
    let workspace = workspace(&server.base_url(), &[("qa", QA), ("gone", PROD)]);
    let done = ends(&workspace, "sync --target gone --target qa", 3).await;
    assert!(done.stderr.contains("gone: error: "), "{}", done.stderr);
    let expected = alone("starter-site").await;
    let found = same_state::differences(&expected, &held(&server, QA));
    assert!(found.is_empty(), "{}", found.join("\n"));
    // Each form of a command goes on with the rest.
    ends(&workspace, "verify --target gone --target qa", 3).await;
    let plan = ends(&workspace, "plan --target gone --target qa", 3).await;
    assert!(plan.stdout.starts_with("qa:"), "{}", plan.stdout);
    let dry = ends(&workspace, "sync --target gone --target qa --dry-run", 3).await;
    assert!(dry.stderr.contains("gone: error: "), "{}", dry.stderr);
}

#[tokio::test]
async fn lines_of_json_carry_the_name_of_their_target() {
    let server = serve(with_empty("starter-site", &[QA, PROD])).await;
    let workspace = workspace(&server.base_url(), &[("qa", QA), ("prod", PROD)]);
    let done = ends(&workspace, "sync --target qa --target prod --json", 0).await;
    let mut lines = lines_of_json(&done.stdout);
    let last = lines.pop().unwrap();
    assert_eq!(last["type"], "targets-finished");
    assert_eq!(last["exit"], 0);
    let rows: Vec<_> = last["targets"].as_array().unwrap().iter().collect();
    assert_eq!(
        (&rows[0]["name"], &rows[1]["name"]),
        (&"qa".into(), &"prod".into())
    );
    assert!(rows.iter().all(|row| row["created"].as_u64() > Some(100)));
    for name in ["qa", "prod"] {
        let of_one: Vec<&Value> = lines
            .iter()
            .filter(|line| line["target_name"] == name)
            .collect();
        assert_eq!(of_one[0]["type"], "run-started");
        assert_eq!(of_one.last().unwrap()["type"], "run-finished");
        let read = |line: &&&Value| line["type"] == "read-progressed" && line["side"] == "source";
        assert!(
            of_one.iter().any(|line| read(&line)),
            "{name} tells of the source"
        );
    }
    assert!(lines.iter().all(|line| line["target_name"].is_string()));
}

#[tokio::test]
async fn targets_of_one_host_and_token_share_a_rate() {
    const RATE: usize = 40;
    let server = serve(with_empty("starter-site", &[QA, PROD])).await;
    let workspace = workspace(&server.base_url(), &[("qa", QA), ("prod", PROD)]);
    ends(
        &workspace,
        "sync --target qa --target prod --rate 40 --no-verify",
        0,
    )
    .await;
    let asked: Vec<u64> = server
        .requests()
        .iter()
        .filter(|one| !one.path.contains("/origin/") && !one.path.contains("/cdn/"))
        .map(|one| one.at_ms)
        .collect();
    let most = asked.iter().map(|from| {
        let within = |at: &&u64| **at >= *from && **at < from + 2_000;
        asked.iter().filter(within).count()
    });
    let most = most.max().unwrap();
    assert!(
        most <= 2 * RATE + RATE / 2,
        "{most} requests within two seconds"
    );
}

#[tokio::test]
async fn forms_for_one_target_refuse_several() {
    let server = serve(with_empty("starter-site", &[QA, PROD])).await;
    let workspace = workspace(&server.base_url(), &[("qa", QA), ("prod", PROD)]);
    for words in [
        "plan --target qa --target prod --out x.plan",
        "plan --target qa --target prod --format html",
        "graph --target qa --target prod",
        "sync --target qa --target qa",
        "sync --target qq --target prod",
    ] {
        let ended = ends(&workspace, words, 2).await;
        assert!(ended.stderr.contains("help: "), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn doctor_checks_each_target() {
    let server = serve(with_empty("starter-site", &[QA])).await;
    let workspace = workspace(&server.base_url(), &[("qa", QA), ("gone", PROD)]);
    let done = ends(&workspace, "doctor --json", 3).await;
    let findings = lines_of_json(&done.stdout);
    let of = |target: &str| {
        let found = findings
            .iter()
            .find(|one| one["check"] == "target" && one["target"] == target);
        found.unwrap()["level"].clone()
    };
    assert_eq!((of("qa"), of("gone")), ("ok".into(), "error".into()));
}

/// Identity and text of an article: its locale and headline, which no test edits, and its summary.
type Article = (String, String);
type Articles = BTreeMap<Article, String>;

fn field<'r>(row: &'r Row, name: &str) -> Option<(&'r str, &'r str)> {
    let fields = row["fields"].as_object()?.iter();
    let mut found = fields.filter(|(key, _)| key.eq_ignore_ascii_case(name));
    let (key, value) = found.next()?;
    Some((key, value.as_str()?))
}

fn article(row: &Row) -> Option<Article> {
    field(row, "summary")?;
    let headline = field(row, "headline")?.1.to_owned();
    Some((row["locale"].as_str()?.to_owned(), headline))
}

fn articles(instance: &InstanceFile) -> Articles {
    let rows = instance.content.iter();
    let rows = rows.filter_map(|row| Some((article(row)?, field(row, "summary")?.1.to_owned())));
    rows.collect()
}

fn write(instance: &mut InstanceFile, key: &Article, text: &str) {
    let row = instance
        .content
        .iter_mut()
        .find(|row| article(row).as_ref() == Some(key))
        .unwrap();
    let name = field(row, "summary").unwrap().0.to_owned();
    row["fields"][&name] = text.into();
    let version = row["properties"]["versionID"].as_i64().unwrap();
    row["properties"]["versionID"] = (version + 1_000).into();
}

/// What a target must hold: told from nothing but the edits of both sides.
#[derive(Default)]
struct Model {
    /// What both sides last had in common.
    base: Articles,
    there: Articles,
    conflicts: usize,
    created: usize,
    updated: usize,
}

impl Model {
    fn promote(&mut self, source: &Articles) {
        (self.conflicts, self.created, self.updated) = (0, 0, 0);
        for (key, text) in source {
            let (base, there) = (self.base.get(key), self.there.get(key));
            let is_same = there == Some(text);
            match (base, there) {
                (_, None) => self.created += 1,
                _ if is_same => {}
                (Some(base), Some(there)) if base == there => self.updated += 1,
                // Edited on the target only: left as it is.
                (Some(base), Some(_)) if base == text => continue,
                (_, Some(_)) => {
                    self.conflicts += 1;
                    continue;
                }
            }
            self.base.insert(key.clone(), text.clone());
            self.there.insert(key.clone(), text.clone());
        }
    }
}

/// Copies an article of one locale under a new id and headline.
fn add_article(source: &mut InstanceFile, number: i64) {
    let is_template = |row: &&Row| row["contentID"] == 1029 && row["locale"] == "en-us";
    let mut row = source.content.iter().find(is_template).unwrap().clone();
    row["contentID"] = (5_000 + number).into();
    row["fields"]["headline"] = format!("News of week {number}").into();
    row["fields"]["summary"] = format!("What happened in week {number}.").into();
    row["properties"]["versionID"] = (50_000 + number).into();
    row["properties"]["itemOrder"] = (100 + number).into();
    source.content.push(row);
}

fn of<'s>(state: &'s mut StateFile, guid: &str) -> &'s mut InstanceFile {
    let mut instances = state.instances.iter_mut();
    instances.find(|one| one.guid == guid).unwrap()
}

/// What editors do in a week, on all sides.
async fn edit(server: &Server, models: &mut [Model; 3], (week, random): (i64, &mut ChaCha8Rng)) {
    let mut state = server.state();
    let keys: Vec<Article> = articles(of(&mut state, SOURCE)).into_keys().collect();
    let edited: Vec<&Article> = keys.sample(random, 4).collect();
    for key in &edited {
        write(
            of(&mut state, SOURCE),
            key,
            &format!("Source, week {week}."),
        );
    }
    add_article(of(&mut state, SOURCE), week);
    let others: Vec<&Article> = keys.sample(random, 2).collect();
    for key in others {
        let text = format!("Target, week {week}.");
        write(of(&mut state, PROD), key, &text);
        models[1].there.insert(key.clone(), text);
    }
    // The rival edits what the source edits, once in the same words.
    let same = random.random_bool(0.5);
    for (at, key) in edited.iter().take(2).enumerate() {
        let text = if at == 0 && same {
            format!("Source, week {week}.")
        } else {
            format!("Rival, week {week}.")
        };
        write(of(&mut state, EXTRA), key, &text);
        models[2].there.insert((*key).clone(), text);
    }
    put_state(&server.base_url(), &state).await;
}

/// Ten weeks: the source is edited and grows, one target is never touched, one is edited a little, one at the same places as the
/// source. After each promotion every target holds what the model says, conflicts are exact, and a second run writes nothing.
#[tokio::test]
async fn ten_weekly_promotions_to_three_targets_of_different_drift() {
    let all = [QA, PROD, EXTRA];
    let server = serve(with_empty("starter-site", &all)).await;
    let tables = [("quiet", QA), ("edited", PROD), ("rival", EXTRA)];
    let workspace = workspace(&server.base_url(), &tables);
    let mut random = ChaCha8Rng::seed_from_u64(10);
    let mut models = [Model::default(), Model::default(), Model::default()];
    let (mut conflicts_seen, mut updates_seen) = (0, 0);
    for week in 1..=10 {
        if week > 1 {
            edit(&server, &mut models, (week, &mut random)).await;
        }
        let source = articles(&held(&server, SOURCE));
        for model in &mut models {
            model.promote(&source);
        }
        let worst = if models.iter().any(|model| model.conflicts > 0) {
            5
        } else {
            0
        };
        let command = "sync --target quiet --target edited --target rival --json";
        let done = ends(&workspace, command, worst).await;
        let last = lines_of_json(&done.stdout).pop().unwrap();
        for ((guid, model), row) in all
            .iter()
            .zip(&models)
            .zip(last["targets"].as_array().unwrap())
        {
            let place = format!("week {week}, {}", row["name"]);
            assert_eq!(articles(&held(&server, guid)), model.there, "{place}");
            assert_eq!(row["conflicts"], model.conflicts, "{place}");
            if week > 1 {
                assert_eq!(row["created"], model.created, "{place}");
                assert_eq!(row["updated"], model.updated, "{place}");
            }
            assert_eq!(
                row["exit"],
                if model.conflicts > 0 { 5 } else { 0 },
                "{place}"
            );
            conflicts_seen += model.conflicts;
            updates_seen += model.updated;
        }
        let before = all.map(|guid| server.writes(guid).len());
        ends(&workspace, command, worst).await;
        let after = all.map(|guid| server.writes(guid).len());
        assert_eq!(before, after, "week {week}: a second run writes nothing");
    }
    assert!(
        conflicts_seen > 5 && updates_seen > 50,
        "{conflicts_seen} {updates_seen}"
    );
}

/// A server whose Fetch side shows only after this time what was saved. Redirections, which a run itself can read there only,
/// are left out where `with_redirections` is false.
pub(crate) async fn lagging(lag: Duration, with_redirections: bool) -> (Server, Workspace) {
    let mut state = with_empty("starter-site", &[QA, PROD]);
    if !with_redirections {
        state.instances[0].redirections.clear();
    }
    let server = serve_with(mock::Options {
        state,
        fetch_lag: lag,
        ..mock::Options::default()
    })
    .await;
    let tables = [("dev", SOURCE), ("qa", QA), ("prod", PROD)];
    let workspace = workspace(&server.base_url(), &tables);
    (server, workspace)
}

/// What a chain must not be misled by: the Fetch side of qa shows what was saved only seconds later.
#[tokio::test]
async fn a_chain_waits_until_what_was_written_can_be_read() {
    let (server, workspace) = lagging(Duration::from_secs(3), false).await;
    let done = ends(&workspace, "promote dev..qa..prod", 0).await;
    let is_waiting = done.stderr.contains("waiting for qa to show");
    assert!(is_waiting, "{}", done.stderr);
    let shown = |guid: &str| {
        let mut instance = held(&server, guid);
        instance.redirections.clear();
        instance
    };
    let mut expected = alone("starter-site").await;
    expected.redirections.clear();
    for guid in [QA, PROD] {
        let found = same_state::differences(&as_on(&expected, guid), &shown(guid));
        assert!(found.is_empty(), "{guid}: {}", found.join("\n"));
    }
    // An edit is shown late as well.
    let mut state = server.state();
    let key = articles(of(&mut state, SOURCE)).into_keys().next().unwrap();
    write(of(&mut state, SOURCE), &key, "Edited on dev.");
    put_state(&server.base_url(), &state).await;
    ends(&workspace, "promote dev..qa..prod", 0).await;
    assert_eq!(articles(&held(&server, PROD))[&key], "Edited on dev.");
    let before = server.writes(PROD).len() + server.writes(QA).len();
    ends(&workspace, "promote dev..qa..prod", 0).await;
    let after = server.writes(PROD).len() + server.writes(QA).len();
    assert_eq!(after, before);
}

/// A run took redirections for missing that the Fetch side did not show yet, and ended with 1.
#[tokio::test]
async fn redirections_that_are_shown_late_are_not_missing() {
    let (server, workspace) = lagging(Duration::from_secs(2), true).await;
    ends(&workspace, "promote dev..qa..prod", 0).await;
    assert_eq!(held(&server, PROD).redirections.len(), 8);
}

#[tokio::test]
async fn a_chain_whose_target_shows_nothing_in_time_ends_with_3() {
    let (server, workspace) = lagging(Duration::from_mins(10), false).await;
    let done = ends(&workspace, "promote dev..qa..prod --wait 1", 3).await;
    assert!(done.stderr.contains("LG-2015"), "{}", done.stderr);
    assert!(server.writes(PROD).is_empty());
}

#[tokio::test]
async fn a_chain_ends_with_the_hop_that_ends_otherwise_than_0() {
    let server = serve(with_empty("starter-site", &[QA, PROD])).await;
    let tables = [("dev", SOURCE), ("qa", QA), ("prod", PROD)];
    let workspace = workspace(&server.base_url(), &tables);
    ends(&workspace, "promote dev..qa..prod", 0).await;
    let mut state = server.state();
    let key = articles(of(&mut state, SOURCE)).into_keys().next().unwrap();
    write(of(&mut state, SOURCE), &key, "Edited on dev.");
    write(of(&mut state, QA), &key, "Edited on qa.");
    put_state(&server.base_url(), &state).await;
    let done = ends(&workspace, "promote dev..qa..prod", 5).await;
    assert!(
        done.stderr.contains("the chain ends after dev..qa"),
        "{}",
        done.stderr
    );
    assert_ne!(articles(&held(&server, PROD))[&key], "Edited on qa.");
    ends(
        &workspace,
        "promote dev..qa..prod --continue-on-conflict",
        5,
    )
    .await;
    assert_eq!(articles(&held(&server, PROD))[&key], "Edited on qa.");
    for (words, said) in [
        ("promote dev", "is not a chain"),
        ("promote dev..dev", "is not a chain"),
        ("promote dev..qa..prud", "did you mean prod?"),
        ("promote dev..qa --dry-run", "a chain has no dry run"),
        (
            "promote dev..qa..prod --content 1020",
            "ids select on one source only",
        ),
    ] {
        let ended = ends(&workspace, words, 2).await;
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
}

/// With mappings from dev to qa and from qa to prod, those from dev to prod are known, also of items that nothing else would
/// recognise.
#[tokio::test]
async fn mappings_through_a_third_instance_are_evidence() {
    let server = serve(with_empty("starter-site", &[QA, PROD])).await;
    let tables = [("dev", SOURCE), ("qa", QA), ("prod", PROD)];
    let workspace = workspace(&server.base_url(), &tables);
    ends(&workspace, "promote dev..qa..prod", 0).await;
    let plan = ends(&workspace, "plan --source dev --target prod --json", 0).await;
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    let entities = plan["entities"].as_array().unwrap();
    let derived =
        |entity: &&Value| entity["because"] == format!("derived from the mappings through {QA}");
    let content = entities
        .iter()
        .filter(|entity| entity["key"].as_str().unwrap().starts_with("content:"));
    let (known, all) = (
        content.clone().filter(derived).count(),
        content.clone().count(),
    );
    assert_eq!(
        known,
        all,
        "{}",
        content.clone().find(|one| !derived(one)).unwrap()
    );
    let before = server.writes(PROD).len();
    ends(&workspace, "sync --source dev --target prod", 0).await;
    assert_eq!(server.writes(PROD).len(), before);
}
