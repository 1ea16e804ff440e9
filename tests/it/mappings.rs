//! `lockgate mappings`: in from the official CLI and back, compared with both instances, and rebuilt without any state.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use lockgate::mock::Server;
use lockgate::mock::file::{Row, StateFile};
use lockgate::mock::generate::Shape;
use serde_json::{Value, json};

use crate::binary::{Ended, Workspace, end_of, lines_of_json};
use crate::lost_state::{
    count, entities_of, filled, generated, instance, outcomes, play, rows, with_twins,
};
use crate::support::{SOURCE, TARGET, fixture, instances, serve};

/// A subcommand between the two instances of a server.
async fn mappings(workspace: &Workspace, server: &Server, words: &[&str]) -> Ended {
    let url = server.base_url();
    let ends = ["--source", SOURCE, "--target", TARGET];
    let urls = ["--source-url", &url, "--target-url", &url];
    let all = ["mappings"].iter().chain(words).chain(&ends).chain(&urls);
    end_of(workspace.command(all)).await
}

/// What a command printed, without how far its reading was.
fn said(ended: &Ended) -> String {
    let lines = ended.stdout.lines().chain(ended.stderr.lines());
    // Both sides are read at one time, and either may come first.
    let is_reading = |line: &&str| {
        let starts = [
            "reading both instances",
            "the source was read",
            "the target was read",
        ];
        starts.iter().any(|start| line.starts_with(start))
    };
    let kept = lines.filter(|line| !is_reading(line));
    kept.collect::<Vec<_>>().join("\n")
}

/// The mappings of a state: entity and counterpart.
async fn pairs_in(workspace: &Workspace, server: &Server) -> BTreeMap<String, i64> {
    let listed = mappings(workspace, server, &["list", "--json"]).await;
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
    let rows = lines_of_json(&listed.stdout).into_iter();
    let pair = |row: Value| {
        let entity = row["entity"].as_str().unwrap().to_owned();
        (entity, row["counterpart"].as_i64().unwrap())
    };
    rows.map(pair).collect()
}

/// A workspace with a synced pair, and the server with it.
async fn synced(state: StateFile) -> (Workspace, Server) {
    let (workspace, server) = (Workspace::new(), serve(state).await);
    let done = end_of(workspace.sync(&server, &[])).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    (workspace, server)
}

fn official(workspace: &Workspace) -> PathBuf {
    let folder = format!("agility-files/mappings/{SOURCE}-{TARGET}");
    workspace.path().join(folder)
}

/// Writes the mapping folder of a synced pair into another workspace.
async fn exported_to(from: &Workspace, server: &Server, to: &Workspace) {
    let folder = to.path().join("agility-files");
    let done = mappings(from, server, &["export", folder.to_str().unwrap()]).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
}

fn read(path: &Path) -> Vec<Value> {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn write(path: &Path, rows: &[Value]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, serde_json::to_string_pretty(rows).unwrap()).unwrap();
}

/// The files of a folder, by their path.
fn files(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                found.insert(path, text);
            }
        }
    }
    let keyed = found.into_iter();
    keyed
        .map(|(path, text)| (path.strip_prefix(folder).unwrap().to_owned(), text))
        .collect()
}

/// Puts each defect into a folder once.
fn spoil(folder: &Path) {
    let change = |file: &str, change: &dyn Fn(&mut Vec<Value>)| {
        let path = folder.join(file);
        let mut rows = if path.exists() {
            read(&path)
        } else {
            Vec::new()
        };
        change(&mut rows);
        write(&path, &rows);
    };
    change("en-us/item/mappings.json", &|rows| {
        rows.sort_by_key(|row| row["sourceContentID"].as_i64());
        let double = json!({ "sourceContentID": rows[0]["sourceContentID"], "targetContentID": 1 });
        let target =
            json!({ "sourceContentID": 77_001, "targetContentID": rows[1]["targetContentID"] });
        rows[2]["targetGuid"] = json!("00000000-u");
        rows[3]["targetContentID"] = json!("12");
        rows[4] = json!([1, 2]);
        let repeated = rows[6].clone();
        rows.extend([double, target, repeated]);
    });
    change("fr-ca/item/mappings.json", &|rows| {
        rows.sort_by_key(|row| row["sourceContentID"].as_i64());
        let id = rows[7]["targetContentID"].as_i64().unwrap();
        rows[7]["targetContentID"] = json!(id + 100_000);
    });
    change("models/mappings.json", &|rows| {
        let name = rows[0]["sourceReferenceName"].as_str().unwrap();
        let upper = name.to_uppercase();
        let stale = json!({ "sourceID": 4_711, "targetID": 4_712, "sourceReferenceName": upper });
        rows.push(stale);
    });
    change("urlredirections/mappings.json", &|rows| {
        rows[0]["targetUrlRedirectionID"] = json!(99_999);
    });
    std::fs::write(
        folder.join("galleries/mappings.json"),
        "[{\"sourceGuid\": \"1a",
    )
    .unwrap();
}

#[tokio::test]
async fn each_defect_of_a_folder_is_reported_and_the_good_rows_are_imported() {
    let (first, server) = synced(instances(&fixture("starter-site"))).await;
    let fresh = Workspace::new();
    exported_to(&first, &server, &fresh).await;
    spoil(&official(&fresh));
    let dry = mappings(&fresh, &server, &["import", "--dry-run"]).await;
    assert_eq!(dry.code, Some(1), "{}", dry.stderr);
    assert!(!fresh.path().join(".lockgate/state.db").exists());
    let said = said(&dry);
    // Ids of the target are random.
    insta::with_settings!({ filters => vec![(r"\d{6,}", "[id]")] }, {
        insta::assert_snapshot!(said);
    });
    let done = mappings(&fresh, &server, &["import", "--json"]).await;
    assert_eq!(done.code, Some(1), "{}", done.stderr);
    let rows = lines_of_json(&done.stdout);
    let (summary, defects) = rows.split_last().unwrap();
    assert_eq!(summary["defects"].as_u64(), Some(defects.len() as u64));
    let codes: std::collections::BTreeSet<_> = defects
        .iter()
        .filter_map(|row| row["code"].as_str())
        .collect();
    let all = [
        "locales-disagree",
        "name-twice",
        "other-instance",
        "source-twice",
        "target-gone",
        "target-twice",
        "torn",
        "wrong-type",
    ];
    assert_eq!(codes.into_iter().collect::<Vec<_>>(), all);
    let (known, true_ones) = (
        pairs_in(&fresh, &server).await,
        pairs_in(&first, &server).await,
    );
    assert_eq!(known.len() as u64, summary["imported"].as_u64().unwrap());
    for (entity, target) in &known {
        assert_eq!(true_ones.get(entity), Some(target), "{entity}");
    }
    // Once more, now against the state.
    let again = mappings(&fresh, &server, &["import", "--json"]).await;
    let last = lines_of_json(&again.stdout).pop().unwrap();
    let (imported, in_state) = (last["imported"].as_u64(), last["known"].as_u64());
    assert_eq!((imported, in_state), (Some(0), Some(known.len() as u64)));
    server.stop().await;
}

#[tokio::test]
async fn a_folder_without_the_pair_names_what_it_has() {
    let (workspace, server) = (
        Workspace::new(),
        serve(instances(&fixture("starter-site"))).await,
    );
    let nothing = mappings(&workspace, &server, &["import"]).await;
    assert_eq!(nothing.code, Some(2), "{}", nothing.stderr);
    let mapped = "agility-files/mappings/00000000-u-11111111-u/models/mappings.json";
    write(&workspace.path().join(mapped), &[]);
    let other = mappings(&workspace, &server, &["import"]).await;
    assert_eq!(other.code, Some(2));
    assert!(
        other
            .stderr
            .contains("--source 00000000-u --target 11111111-u"),
        "{}",
        other.stderr
    );
    let all = mappings(&workspace, &server, &["import", "--all", "--offline"]).await;
    assert_eq!(all.code, Some(0), "{}", all.stderr);
    assert!(
        all.stderr.contains("00000000-u to 11111111-u: 0 rows"),
        "{}",
        all.stderr
    );
    server.stop().await;
}

#[tokio::test]
async fn import_sync_export_and_import_are_equal() {
    let (first, server) = synced(instances(&fixture("starter-site"))).await;
    let wanted = pairs_in(&first, &server).await;
    let (second, third) = (Workspace::new(), Workspace::new());
    exported_to(&first, &server, &second).await;
    // A member that only the official CLI knows.
    let items = official(&second).join("en-us/item/mappings.json");
    let mut rows = read(&items);
    rows[0]["ofAnotherVersion"] = json!({ "kept": true });
    write(&items, &rows);
    let before = files(&official(&second));
    let imported = mappings(&second, &server, &["import"]).await;
    assert_eq!(imported.code, Some(0), "{}", imported.stderr);
    assert_eq!(pairs_in(&second, &server).await, wanted);
    let writes = server.writes(TARGET).len();
    let done = end_of(second.sync(&server, &[])).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(server.writes(TARGET).len(), writes);
    exported_to(&second, &server, &second).await;
    assert_eq!(files(&official(&second)), before);
    std::fs::create_dir_all(third.path().join("agility-files")).unwrap();
    exported_to(&second, &server, &third).await;
    let imported = mappings(&third, &server, &["import", "--offline"]).await;
    assert_eq!(imported.code, Some(0), "{}", imported.stderr);
    assert_eq!(pairs_in(&third, &server).await, wanted);
    server.stop().await;
}

/// Changes a text of every item of one locale.
fn retitle(rows: &mut [Row], word: &str) -> usize {
    let mut changed = 0;
    for row in crate::lost_state::rows(rows, "en-us") {
        let fields = row["fields"].as_object_mut().unwrap();
        let mut texts = fields
            .values_mut()
            .filter(|value| value.as_str().is_some_and(|text| text.contains(' ')));
        if let Some(value) = texts.next() {
            *value = json!(format!("{word} {changed}"));
            changed += 1;
        }
    }
    changed
}

#[tokio::test]
async fn an_imported_pair_writes_what_differs_and_names_its_evidence() {
    let (first, server) = synced(instances(&fixture("starter-site"))).await;
    let (fresh, beside) = (Workspace::new(), Workspace::new());
    exported_to(&first, &server, &fresh).await;
    exported_to(&first, &server, &beside).await;
    let mut state = server.state();
    server.stop().await;
    let edited = retitle(&mut instance(&mut state, SOURCE).content, "newer words");
    let server = play(state).await;
    let imported = mappings(&fresh, &server, &["import"]).await;
    assert_eq!(imported.code, Some(0), "{}", imported.stderr);
    std::fs::remove_dir_all(fresh.path().join("agility-files")).unwrap();
    let why = end_of(fresh.command(["why", "model:10"])).await;
    assert!(
        why.stdout.contains("mapping folder of the official CLI"),
        "{}{}",
        why.stdout,
        why.stderr
    );
    let undo = end_of(fresh.command(["undo", "last", "--yes"])).await;
    assert_eq!(undo.code, Some(2), "{}", undo.stderr);
    let done = end_of(fresh.sync(&server, &["--output", "json"])).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let found = outcomes(&done);
    // The target has the version that the official CLI left, so nothing of it is lost.
    assert_eq!(
        (count(&found, "updated"), count(&found, "created")),
        (edited, 0)
    );
    assert!(found.values().any(|(_, why)| why.contains(
        "mapping folder of the official CLI, differs in 1 field; the target was not edited since it was mapped"
    )));
    let again = end_of(fresh.sync(&server, &["--output", "json"])).await;
    assert_eq!(
        count(&outcomes(&again), "unchanged"),
        159,
        "{}",
        again.stderr
    );
    server.stop().await;
}

#[tokio::test]
async fn a_folder_in_the_working_directory_is_used_and_named() {
    let (first, server) = synced(instances(&fixture("starter-site"))).await;
    let fresh = Workspace::new();
    exported_to(&first, &server, &fresh).await;
    let mut state = server.state();
    server.stop().await;
    retitle(&mut instance(&mut state, TARGET).content, "other words");
    let server = play(state).await;
    let plan =
        |args: &'static [&'static str]| end_of(fresh.between("plan", &server.base_url(), args));
    let found = plan(&["--output", "json"]).await;
    let said = "mappings of the official CLI in agility-files/mappings are used as evidence";
    assert!(found.stderr.contains(said), "{}", found.stderr);
    let whole: Value = serde_json::from_str(&found.stdout).unwrap();
    let actions = whole["entities"].as_array().unwrap();
    let created = actions.iter().filter(|one| one["action"] == "create");
    assert_eq!(created.count(), 0);
    let without = plan(&["--no-official-mappings", "--output", "json"]).await;
    assert!(!without.stderr.contains(said), "{}", without.stderr);
    server.stop().await;
}

/// The rows of the source by id, each with what it says in every locale.
fn items(state: &mut StateFile) -> HashMap<i64, BTreeMap<String, Value>> {
    let mut items: HashMap<i64, BTreeMap<String, Value>> = HashMap::new();
    for row in &instance(state, SOURCE).content {
        let id = row["contentID"].as_i64().unwrap();
        let locale = row["locale"].as_str().unwrap().to_owned();
        items
            .entry(id)
            .or_default()
            .insert(locale, row["fields"].clone());
    }
    items
}

#[tokio::test]
async fn two_thousand_entities_with_twins_are_recognised_without_state() {
    let state = with_twins(generated(&Shape::new(2_000, 23)));
    let (first, server) = synced(state).await;
    let right = pairs_in(&first, &server).await;
    let fresh = Workspace::new();
    let done = mappings(&fresh, &server, &["rebuild", "--json"]).await;
    let found = pairs_in(&fresh, &server).await;
    assert!(right.len() >= 1_900, "{}", right.len());
    assert!(
        found.len() * 100 >= right.len() * 99,
        "{} of {}",
        found.len(),
        right.len()
    );
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let by_target: HashMap<_, _> = right
        .iter()
        .map(|(entity, target)| ((entity.split(':').next().unwrap(), *target), entity))
        .collect();
    let items = items(&mut server.state());
    let id = |entity: &str| -> i64 {
        let id = entity.split([':', '@']).nth(1).unwrap();
        id.parse().unwrap()
    };
    let wrong = found.iter().filter(|(entity, target)| {
        let kind = entity.split(':').next().unwrap();
        // Equal items are interchangeable.
        let own = by_target[&(kind, **target)];
        let is_twin = || kind == "content" && items[&id(own)] == items[&id(entity)];
        right.get(*entity) != Some(*target) && !is_twin()
    });
    assert_eq!(wrong.count(), 0);
    let writes = server.writes(TARGET).len();
    let synced = end_of(fresh.sync(&server, &[])).await;
    assert_eq!(synced.code, Some(0), "{}", synced.stderr);
    assert_eq!(server.writes(TARGET).len(), writes);
    server.stop().await;
}

/// Leaves nothing of two items of a list by which they could be recognised. Gives their ids on both sides.
fn estrange(state: &mut StateFile, pairs: &BTreeMap<String, i64>) -> Vec<(i64, i64)> {
    let list = "articles";
    let source = instance(state, SOURCE);
    let of_list = source
        .content
        .iter()
        .filter(|row| row["properties"]["referenceName"] == list && row["locale"] == "en-us");
    let ids: Vec<i64> = of_list
        .filter_map(|row| row["contentID"].as_i64())
        .collect();
    let chosen: Vec<(i64, i64)> = ids
        .into_iter()
        .take(2)
        .map(|id| (id, pairs[&format!("content:{id}@en-us")]))
        .collect();
    let target = instance(state, TARGET);
    for row in &mut target.content {
        let id = row["contentID"].as_i64().unwrap();
        if chosen.iter().any(|(_, there)| *there == id) {
            row["fields"] =
                json!({ "title": format!("Another title {id}"), "slug": format!("other-{id}") });
            row["properties"]["itemOrder"] = json!(900 + id % 7);
        }
    }
    chosen
}

#[tokio::test]
async fn what_is_not_recognised_is_decided_in_a_file() {
    let (first, server) = synced(instances(&fixture("starter-site"))).await;
    let right = pairs_in(&first, &server).await;
    let mut state = server.state();
    server.stop().await;
    let chosen = estrange(&mut state, &right);
    let (fresh, server) = (Workspace::new(), play(state).await);
    let open = mappings(&fresh, &server, &["rebuild", "--adopt", "equal"]).await;
    assert_eq!(open.code, Some(1), "{}{}", open.stdout, open.stderr);
    // What is not decided is not created unasked by the next run.
    let asked = end_of(fresh.sync(&server, &["--adopt", "equal"])).await;
    assert_eq!(asked.code, Some(5), "{}", asked.stderr);
    let path = fresh.path().join("mapping-decisions.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut decisions: Value = serde_json::from_str(&text).unwrap();
    let rows = decisions["decisions"].as_array_mut().unwrap();
    for row in rows.iter_mut() {
        let (id, locale) = (&row["id"], row["locales"][0].as_str().unwrap());
        let there = right[&format!("content:{id}@{locale}")];
        if chosen.iter().any(|(here, _)| *id == *here) {
            let mut candidates = row["candidates"].as_array().unwrap().iter();
            assert!(candidates.any(|one| one["target"] == there), "{row}");
        }
        row["target"] = json!(there);
    }
    assert!(rows.len() >= chosen.len() && chosen.len() == 2, "{text}");
    std::fs::write(&path, decisions.to_string()).unwrap();
    let words = [
        "rebuild",
        "--adopt",
        "equal",
        "--decisions",
        "mapping-decisions.json",
    ];
    let done = mappings(&fresh, &server, &words).await;
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    assert_eq!(pairs_in(&fresh, &server).await, right);
    let listed = mappings(&fresh, &server, &["list"]).await;
    assert!(
        listed.stdout.contains("decision of the user"),
        "{}",
        listed.stdout
    );
    server.stop().await;
}

#[tokio::test]
async fn mappings_are_checked_against_both_instances() {
    let (workspace, server) = synced(instances(&fixture("starter-site"))).await;
    let clean = mappings(&workspace, &server, &["check"]).await;
    assert_eq!(
        (clean.code, &*clean.stdout),
        (Some(0), ""),
        "{}",
        clean.stderr
    );
    let pairs = pairs_in(&workspace, &server).await;
    let mut state = server.state();
    server.stop().await;
    let source = instance(&mut state, SOURCE);
    let gone_here = source.content.pop().unwrap()["contentID"].as_i64().unwrap();
    source.content.retain(|row| row["contentID"] != gone_here);
    let target = instance(&mut state, TARGET);
    let gallery = target.galleries[0]["mediaGroupingID"].clone();
    target.galleries[0].insert("name".to_owned(), json!("Renamed by an editor"));
    let item = rows(&mut target.content, "en-us").next().unwrap();
    let gone = item["contentID"].as_i64().unwrap();
    target.content.retain(|row| row["contentID"] != gone);
    let server = play(state).await;
    let found = mappings(&workspace, &server, &["check", "--json"]).await;
    assert_eq!(found.code, Some(1), "{}", found.stderr);
    let states = lines_of_json(&found.stdout);
    assert_eq!(states.len(), pairs.len());
    let of = |state: &str| -> Vec<i64> {
        let of_state = states.iter().filter(|row| row["state"] == state);
        of_state
            .filter_map(|row| row["counterpart"].as_i64())
            .collect()
    };
    assert_eq!(of("name-differs"), [gallery.as_i64().unwrap()]);
    assert!(!of("target-gone").is_empty() && of("target-gone").iter().all(|id| *id == gone));
    assert!(!of("source-gone").is_empty());
    server.stop().await;
}

#[tokio::test]
async fn a_lost_pair_is_named_by_kind_and_evidence() {
    let state = filled(instances(&fixture("starter-site")), &[&[]]).await;
    let entities = entities_of(&state.instances[0]);
    let mut state = state;
    let entities = entities.min(entities_of(instance(&mut state, SOURCE)));
    let (workspace, server) = (Workspace::new(), play(state).await);
    let done = mappings(&workspace, &server, &["rebuild"]).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    insta::assert_snapshot!(said(&done));
    assert_eq!(pairs_in(&workspace, &server).await.len(), entities);
    let again = mappings(&workspace, &server, &["rebuild"]).await;
    assert_eq!(
        (again.code, &*again.stdout),
        (Some(0), ""),
        "{}",
        again.stderr
    );
    server.stop().await;
}

/// The source deleted a redirection and made it again, so the state has the counterpart of one that is gone.
#[tokio::test]
async fn a_mapping_of_what_is_gone_gives_way() {
    let (workspace, server) = synced(instances(&fixture("starter-site"))).await;
    let before = pairs_in(&workspace, &server).await;
    let mut state = server.state();
    server.stop().await;
    let redirection = &mut instance(&mut state, SOURCE).redirections[0];
    let old = redirection["urlRedirectionID"].as_i64().unwrap();
    redirection.insert("urlRedirectionID".to_owned(), json!(old + 50_000));
    let server = play(state).await;
    let done = mappings(&workspace, &server, &["rebuild", "--json"]).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let after = pairs_in(&workspace, &server).await;
    let (old, new) = (
        format!("redirection:{old}"),
        format!("redirection:{}", old + 50_000),
    );
    assert_eq!(after.get(&new), before.get(&old));
    assert_eq!((after.len(), after.get(&old)), (before.len(), None));
    server.stop().await;
}
