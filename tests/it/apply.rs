//! A plan in a file is carried out as it was agreed to: no more, and what moved since is left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lockgate::mock::Server;
use lockgate::mock::file::{InstanceFile, Row, StateFile};
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::binary::{Ended, Workspace, end_of};
use crate::mock_process::MockProcess;
use crate::same_state;
use crate::support::{SOURCE, TARGET, fixture, instances, put_state, serve};

const PLAN: &str = "release.plan";

pub(crate) struct Stage {
    pub(crate) workspace: Workspace,
    server: Server,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::of(instances(&fixture("starter-site"))).await
    }

    pub(crate) async fn of(state: StateFile) -> Self {
        Self {
            workspace: Workspace::new(),
            server: serve(state).await,
        }
    }

    pub(crate) async fn ends(&self, command: &str, args: &[&str], code: i32) -> Ended {
        let url = self.server.base_url();
        let ended = end_of(self.workspace.between(command, &url, args)).await;
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert_eq!(ended.code, Some(code), "{command} {args:?}: {said}");
        ended
    }

    pub(crate) fn url(&self) -> String {
        self.server.base_url()
    }

    pub(crate) fn writes(&self) -> usize {
        self.server.writes(TARGET).len()
    }

    fn plan(&self) -> Value {
        let text = std::fs::read(self.workspace.path().join(PLAN)).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    pub(crate) async fn edit(&self, edit: impl FnOnce(&mut InstanceFile, &mut InstanceFile)) {
        let mut state = self.server.state();
        let (source, target) = sides(&mut state);
        edit(source, target);
        put_state(&self.server.base_url(), &state).await;
    }

    pub(crate) fn instance(&self, guid: &str) -> InstanceFile {
        let state = self.server.state();
        let mut instances = state.instances.into_iter();
        instances.find(|one| one.guid == guid).unwrap()
    }
}

fn sides(state: &mut StateFile) -> (&mut InstanceFile, &mut InstanceFile) {
    let (first, second) = state.instances.split_at_mut(1);
    if first[0].guid == SOURCE {
        (&mut first[0], &mut second[0])
    } else {
        (&mut second[0], &mut first[0])
    }
}

/// The name of the field that holds the headline of an article, as it is spelt in the row.
fn headline(row: &Row) -> Option<&str> {
    let mut names = row["fields"].as_object()?.keys();
    let found = names.find(|name| name.eq_ignore_ascii_case("headline"));
    found.map(String::as_str)
}

/// Gives an item another title and a higher version.
pub(crate) fn retitle(row: &mut Row, title: &str) {
    let headline = headline(row).unwrap().to_owned();
    row["fields"][&headline] = title.into();
    let version = row["properties"]["versionID"].as_i64().unwrap();
    row["properties"]["versionID"] = (version + 1_000).into();
}

pub(crate) fn item<'a>(instance: &'a mut InstanceFile, id: i64, locale: &str) -> &'a mut Row {
    let is_it = |row: &&mut Row| row["contentID"] == id && row["locale"] == locale;
    instance.content.iter_mut().find(is_it).unwrap()
}

/// Titles by id and locale.
pub(crate) fn titles(instance: &InstanceFile) -> BTreeMap<(i64, String), String> {
    let rows = instance.content.iter();
    let rows = rows.filter_map(|row| {
        let title = row["fields"][headline(row)?].as_str()?.to_owned();
        let locale = row["locale"].as_str()?.to_owned();
        Some(((row["contentID"].as_i64()?, locale), title))
    });
    rows.collect()
}

/// The counterparts that a plan names, by source id and locale.
fn counterparts(plan: &Value) -> BTreeMap<(i64, String), i64> {
    let entities = plan["entities"].as_array().unwrap().iter();
    let items = entities.filter_map(|entity| {
        let key = entity["key"].as_str()?.strip_prefix("content:")?;
        let (id, locale) = key.split_once('@')?;
        let target = entity["target"].as_i64()?;
        Some(((id.parse().ok()?, locale.to_owned()), target))
    });
    items.collect()
}

#[tokio::test]
async fn a_plan_is_carried_out_once_and_completely() {
    let stage = Stage::new().await;
    stage.ends("plan", &["--out", PLAN], 0).await;
    let plan = stage.plan();
    assert_eq!(
        (&plan["applyable"], &plan["complete"]),
        (&json!(true), &json!(true))
    );
    stage.ends("apply", &[PLAN], 0).await;
    let before = stage.writes();
    assert!(before > 0);
    stage.ends("sync", &[], 0).await;
    assert_eq!(stage.writes(), before, "something was left to do");
    let ended = stage.ends("apply", &[PLAN], 2).await;
    assert!(
        ended.stderr.contains("was applied by run"),
        "{}",
        ended.stderr
    );
    assert_eq!(stage.writes(), before);
}

#[tokio::test]
async fn a_plan_of_nothing_says_so() {
    let stage = Stage::new().await;
    stage.ends("sync", &[], 0).await;
    let before = stage.writes();
    stage
        .ends("plan", &["--out", PLAN, "--detailed-exitcode"], 0)
        .await;
    assert_eq!(stage.plan()["applyable"], false);
    stage.ends("apply", &[PLAN], 0).await;
    assert_eq!(stage.writes(), before);
}

/// Random edits on either side between the plan and its application: the part that nothing touched is done, and nothing else.
#[tokio::test]
async fn exactly_what_did_not_move_is_done() {
    for seed in 0..4 {
        exactly_the_rest(seed).await;
    }
}

async fn exactly_the_rest(seed: u64) {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let stage = Stage::new().await;
    stage.ends("sync", &[], 0).await;
    let keys: Vec<(i64, String)> = titles(&stage.instance(SOURCE)).into_keys().collect();
    let planned: BTreeSet<_> = keys.sample(&mut dice, 8).cloned().collect();
    stage
        .edit(|source, _| {
            for (id, locale) in &planned {
                retitle(item(source, *id, locale), &format!("planned {id} {locale}"));
            }
        })
        .await;
    stage
        .ends("plan", &["--out", PLAN, "--detailed-exitcode"], 6)
        .await;
    let there = counterparts(&stage.plan());
    let (here, over) = (touched(&keys, &mut dice), touched(&keys, &mut dice));
    stage
        .edit(|source, target| {
            for (id, locale) in &here {
                retitle(item(source, *id, locale), &format!("later {id} {locale}"));
            }
            for key in &over {
                retitle(
                    item(target, there[key], &key.1),
                    &format!("theirs {}", key.0),
                );
            }
        })
        .await;
    let before = titles(&stage.instance(TARGET));
    let is_untouched = |key: &&(i64, String)| !here.contains(key) && !over.contains(key);
    // What was not planned and changed on the source is something that moved as well.
    let is_refused = !here.is_empty() || over.iter().any(|key| planned.contains(key));
    let code = if is_refused { 5 } else { 0 };
    let ended = stage.ends("apply", &[PLAN], code).await;
    let after = titles(&stage.instance(TARGET));
    let mut expected = before;
    for key in planned.iter().filter(is_untouched) {
        expected.insert(
            (there[key], key.1.clone()),
            format!("planned {} {}", key.0, key.1),
        );
    }
    assert_eq!(
        after, expected,
        "seed {seed}: {planned:?} {here:?} {over:?}\n{}",
        ended.stderr
    );
}

fn touched(keys: &[(i64, String)], dice: &mut ChaCha8Rng) -> BTreeSet<(i64, String)> {
    let count = dice.random_range(0..4);
    keys.sample(dice, count).cloned().collect()
}

#[tokio::test]
async fn what_moved_is_named_and_decided_anew_where_that_is_asked_for() {
    let stage = Stage::new().await;
    stage.ends("sync", &[], 0).await;
    let key = titles(&stage.instance(SOURCE)).into_keys().next().unwrap();
    let (id, locale) = &key;
    stage
        .edit(|source, _| retitle(item(source, *id, locale), "one"))
        .await;
    stage.ends("plan", &["--out", PLAN], 0).await;
    stage
        .edit(|source, _| retitle(item(source, *id, locale), "two"))
        .await;
    let before = stage.writes();
    let ended = stage.ends("apply", &[PLAN, "--verbose"], 5).await;
    assert_eq!(stage.writes(), before);
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert!(
        said.contains("the source changed since the plan was made"),
        "{said}"
    );
    stage.ends("plan", &["--out", PLAN], 0).await;
    stage
        .edit(|source, _| retitle(item(source, *id, locale), "three"))
        .await;
    stage.ends("apply", &[PLAN, "--replan-moved"], 0).await;
    let there = counterparts(&stage.plan())[&key];
    let titles = titles(&stage.instance(TARGET));
    assert_eq!(titles[&(there, locale.clone())], "three");
}

#[tokio::test]
async fn what_is_new_since_is_not_touched() {
    let stage = Stage::new().await;
    stage.ends("plan", &["--out", PLAN], 0).await;
    stage
        .edit(|source, _| {
            let is_article = |row: &&Row| headline(row).is_some();
            let mut row = source.content.iter().find(is_article).unwrap().clone();
            row["contentID"] = 990_001.into();
            retitle(&mut row, "not agreed to");
            source.content.push(row);
        })
        .await;
    stage.ends("apply", &[PLAN], 0).await;
    let titles = titles(&stage.instance(TARGET));
    assert!(
        !titles.values().any(|title| title == "not agreed to"),
        "{titles:?}"
    );
    stage.ends("sync", &[], 0).await;
}

/// A model that was to be new and is there by now is left alone, and so is all that needs its fields, directly or not.
#[tokio::test]
async fn what_needs_what_moved_is_blocked_and_does_not_fail() {
    let stage = Stage::new().await;
    stage.ends("plan", &["--out", PLAN], 0).await;
    let model = json!({ "id": 900, "referenceName": "Author", "displayName": "Author",
                        "contentDefinitionTypeID": 1, "fields": [] });
    stage
        .edit(|_, target| target.models.push(serde_json::from_value(model).unwrap()))
        .await;
    let ended = stage.ends("apply", &[PLAN], 1).await;
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert!(said.contains("conflict model:"), "{said}");
    assert!(!said.contains(" failed content:"), "{said}");
}

#[tokio::test]
async fn a_plan_that_was_changed_or_is_for_others_is_refused() {
    let stage = Stage::new().await;
    stage.ends("plan", &["--out", PLAN], 0).await;
    let path = stage.workspace.path().join(PLAN);
    let text = std::fs::read_to_string(&path).unwrap();
    for (changed, why) in [
        (text.replacen("\"create\"", "\"update\"", 1), "checksum"),
        (text.replacen("\"form\": 3", "\"form\": 9", 1), "form 9"),
        (text[..text.len() / 2].to_owned(), "line"),
        (String::new(), "not a plan file"),
    ] {
        std::fs::write(&path, changed).unwrap();
        let ended = stage.ends("apply", &[PLAN], 2).await;
        assert!(ended.stderr.contains(why), "{why}: {}", ended.stderr);
    }
    std::fs::write(&path, &text).unwrap();
    let url = stage.server.base_url();
    let (ends, urls) = (
        ["--source", SOURCE, "--target", SOURCE],
        ["--source-url", &*url, "--target-url", &*url],
    );
    let words = ["apply", PLAN].into_iter().chain(ends).chain(urls);
    let ended = end_of(stage.workspace.command(words)).await;
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("is configured"), "{}", ended.stderr);
    assert_eq!(stage.writes(), 0);
}

/// A run that is killed did not apply the plan: it is applied again, and goes on from there.
#[tokio::test]
async fn a_plan_goes_on_after_a_kill() {
    let workspace = Workspace::new();
    let state = instances(&fixture("starter-site"));
    let server = MockProcess::start(&state, &["--latency-ms", "5"]).await;
    let end = async |command: &str, args: &[&str]| {
        end_of(workspace.between(command, &server.base_url, args)).await
    };
    let planned = end("plan", &["--out", PLAN]).await;
    assert_eq!(planned.code, Some(0), "{}", planned.stderr);
    let mut apply = workspace.between("apply", &server.base_url, &[PLAN, "--rate", "20"]);
    let mut child = apply.spawn().unwrap();
    let is_write = |line: &Value| line["writes"] == true && line["guid"] == TARGET;
    server.until(0, is_write).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    child.kill().await.unwrap();
    let again = async || {
        let mut apply = workspace.between("apply", &server.base_url, &[PLAN]);
        apply.env("LOCKGATE_TIMEOUTS_SETTLE_MS", "1500");
        end_of(apply).await
    };
    let ended = again().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let once = Workspace::new();
    let other = MockProcess::start(&state, &["--latency-ms", "1"]).await;
    let ended = end_of(once.between("sync", &other.base_url, &[])).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let differences = same_state::differences(&other.target().await, &server.target().await);
    assert!(differences.is_empty(), "{differences:?}");
    assert_eq!(server.creates(), other.creates());
}

/// What the plan deletes is deleted if it is as it was then; what went afterwards is not.
#[tokio::test]
async fn what_the_source_no_longer_has_is_deleted_as_it_was_agreed() {
    let stage = Stage::new().await;
    stage.ends("sync", &[], 0).await;
    let redirections = |source: &mut InstanceFile, keep: usize| source.redirections.truncate(keep);
    let all = stage.instance(TARGET).redirections.len();
    assert!(all > 2, "{all}");
    stage.edit(|source, _| redirections(source, all - 1)).await;
    stage.ends("plan", &["--out", PLAN, "--prune"], 0).await;
    let plan = stage.plan();
    assert_eq!(plan["form"], 2);
    assert_eq!(plan["counts"]["delete"], 1);
    assert_eq!(plan["deletions"].as_array().unwrap().len(), 1);
    stage.edit(|source, _| redirections(source, all - 2)).await;
    stage.ends("apply", &[PLAN], 0).await;
    assert_eq!(stage.instance(TARGET).redirections.len(), all - 1);

    // One that moved since is a conflict, and stays.
    stage.ends("plan", &["--out", PLAN, "--prune"], 0).await;
    stage
        .edit(|_, target| {
            for row in &mut target.redirections {
                row.insert("destinationUrl".to_owned(), "~/elsewhere".into());
            }
        })
        .await;
    stage.ends("apply", &[PLAN], 5).await;
    assert_eq!(stage.instance(TARGET).redirections.len(), all - 1);
}

#[tokio::test]
async fn no_more_is_deleted_than_a_bound_allows() {
    let stage = Stage::new().await;
    stage.ends("sync", &[], 0).await;
    stage.edit(|source, _| source.redirections.clear()).await;
    let all = stage.instance(TARGET).redirections.len();
    let settings = "[gates]\nmax_delete = [\"redirection=1\"]\n[sync]\nprune = true\n";
    let file = stage.workspace.path().join("bounded.toml");
    std::fs::write(&file, settings).unwrap();
    let config = ["--config", "bounded.toml"];
    let ended = stage.ends("sync", &config, 5).await;
    assert!(
        ended.stderr.contains("gates.max_delete"),
        "{}",
        ended.stderr
    );
    assert_eq!(stage.instance(TARGET).redirections.len(), all);
}
