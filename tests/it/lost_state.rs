//! A pair that was synced before, and whose state is lost: a second machine, a removed folder, another tool.

use std::collections::BTreeMap;
use std::io::Write as _;

use lockgate::mock::file::{InstanceFile, Row, StateFile};
use lockgate::mock::generate::{Preset, Shape, generate};
use lockgate::mock::{self, Server};
use serde_json::{Value, json};

use crate::binary::{Ended, Workspace, end_of, events_in, lines_of_json};
use crate::support::{SOURCE, TARGET, empty_target, fixture, instances, serve, serve_with};

pub(crate) fn instance<'a>(state: &'a mut StateFile, guid: &str) -> &'a mut InstanceFile {
    let found = state.instances.iter_mut().find(|one| one.guid == guid);
    found.unwrap()
}

/// A generated site and an empty target.
pub(crate) fn generated(shape: &Shape) -> StateFile {
    let mut state = generate(shape);
    let locales = state.instances[0].locales.clone();
    state.instances.push(empty_target(&locales));
    state
}

/// Both sides of a sync that was complete; nothing is remembered of it.
pub(crate) async fn filled(state: StateFile, args: &[&[&str]]) -> StateFile {
    let (workspace, server) = (Workspace::new(), serve(state).await);
    for args in args {
        let done = end_of(workspace.sync(&server, args)).await;
        assert_eq!(done.code, Some(0), "{}", done.stderr);
    }
    let state = server.state();
    server.stop().await;
    state
}

/// The outcomes of the run whose events are in `ended`.
pub(crate) fn outcomes(ended: &Ended) -> BTreeMap<String, (String, String)> {
    let settled = lines_of_json(&ended.stdout).into_iter();
    let settled = settled.filter(|event| event["type"] == "entity-settled");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    settled
        .map(|event| {
            let outcome = (text(&event["outcome"]), text(&event["because"]));
            (text(&event["key"]), outcome)
        })
        .collect()
}

pub(crate) fn count(outcomes: &BTreeMap<String, (String, String)>, wanted: &str) -> usize {
    let outcomes = outcomes.values();
    outcomes.filter(|(outcome, _)| outcome == wanted).count()
}

pub(crate) async fn play(state: StateFile) -> Server {
    serve_with(mock::Options {
        state,
        ..mock::Options::default()
    })
    .await
}

/// How many entities an instance has; asset folders are none.
pub(crate) fn entities_of(instance: &InstanceFile) -> usize {
    let is_file = |row: &&Row| row.get("isFolder") != Some(&Value::Bool(true));
    let files = instance.assets.iter().filter(is_file).count();
    let rows = [
        &instance.models,
        &instance.containers,
        &instance.templates,
        &instance.galleries,
        &instance.content,
        &instance.pages,
        &instance.redirections,
    ];
    files + rows.iter().map(|rows| rows.len()).sum::<usize>()
}

const JSON: &[&str] = &["--output", "json"];

/// Nothing changed: everything is recognised and nothing is written, however the target was filled.
async fn is_recognised(state: StateFile, entities: usize) {
    let (workspace, server) = (Workspace::new(), play(state).await);
    let before = server.writes(TARGET).len();
    let done = end_of(workspace.sync(&server, JSON)).await;
    let outcomes = outcomes(&done);
    let odd: Vec<_> = outcomes
        .iter()
        .filter(|(_, (outcome, _))| outcome != "adopted")
        .collect();
    assert!(odd.is_empty(), "{} of {entities}: {odd:?}", odd.len());
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(outcomes.len(), entities);
    assert_eq!(server.writes(TARGET).len(), before);
    // What was recognised is remembered.
    let again = end_of(workspace.sync(&server, JSON)).await;
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    server.stop().await;
}

#[tokio::test]
async fn a_site_in_two_locales_is_recognised() {
    let state = filled(instances(&fixture("starter-site")), &[&[]]).await;
    is_recognised(state, 159).await;
}

#[tokio::test]
async fn items_in_cycles_are_recognised() {
    for name in ["cycle-of-two", "cycle-of-five", "self-reference"] {
        let state = filled(instances(&fixture(name)), &[&[]]).await;
        let entities = entities_of(&state.instances[0]);
        is_recognised(state, entities).await;
    }
}

#[tokio::test]
async fn a_target_that_was_filled_in_another_order_is_recognised() {
    let parts: &[&[&str]] = &[
        &["--containers", "authors,topics"],
        &["--schedule", "phased", "--batch-size", "3"],
    ];
    let state = filled(instances(&fixture("starter-site")), parts).await;
    is_recognised(state, 159).await;
}

/// The row of an item or page.
pub(crate) fn rows<'a>(rows: &'a mut [Row], locale: &'a str) -> impl Iterator<Item = &'a mut Row> {
    rows.iter_mut().filter(move |row| row["locale"] == locale)
}

/// Makes every third item of the largest list equal to its neighbour.
pub(crate) fn with_twins(mut state: StateFile) -> StateFile {
    let source = instance(&mut state, SOURCE);
    let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
    let list = |row: &Row| row["properties"]["referenceName"].to_string();
    for row in &source.content {
        *sizes.entry(list(row)).or_default() += 1;
    }
    let (largest, _) = sizes.into_iter().max_by_key(|(_, size)| *size).unwrap();
    let mut before: BTreeMap<String, Value> = BTreeMap::new();
    let rows = source.content.iter_mut();
    for (at, row) in rows.filter(|row| list(row) == largest).enumerate() {
        let locale = row["locale"].to_string();
        match before.get(&locale) {
            Some(fields) if at % 3 == 0 => drop(row.insert("fields".to_owned(), fields.clone())),
            _ => drop(before.insert(locale, row["fields"].clone())),
        }
    }
    state
}

#[tokio::test]
async fn equal_items_are_interchangeable() {
    let state = with_twins(generated(&Shape::new(600, 11)));
    let entities = entities_of(&state.instances[0]);
    let state = filled(state, &[&[]]).await;
    is_recognised(state, entities).await;
}

/// Edits `share` of a hundred of the items and pages of one side: the body of most, the title of every fourth.
fn edit(side: &mut InstanceFile, share: usize, offset: usize, word: &str) -> usize {
    let mut edited = 0;
    let step = 100 / share;
    for (at, row) in rows(&mut side.content, "en-us").enumerate() {
        if at % step != offset {
            continue;
        }
        let Some(fields) = row["fields"].as_object_mut() else {
            continue;
        };
        let texts = fields.iter_mut().filter(|(name, value)| {
            let text = value.as_str().unwrap_or_default();
            let is_link = name.to_lowercase().ends_with("id") || text.parse::<i64>().is_ok();
            text.contains(' ') && !is_link && !text.starts_with('{')
        });
        if let Some((_, value)) = texts.last() {
            *value = json!(format!("{} {word}", value.as_str().unwrap()));
            edited += 1;
        }
    }
    edited
}

/// What became of a pair without its state that was edited a little on both sides.
#[derive(Debug)]
struct Found {
    entities: usize,
    edited: usize,
    /// Fewer than were edited where one item was edited on both sides, or one here and its equal there.
    conflicts: usize,
    /// Items of the target that match nothing on the source: one edited here and its equal edited there.
    unplaced: usize,
}

impl Found {
    fn assert_is_right(&self) {
        assert!(self.unplaced * 1_000 <= self.entities * 5, "{self:?}");
        assert!(
            self.conflicts <= self.edited && self.conflicts * 10 >= self.edited * 9,
            "{self:?}"
        );
    }
}

async fn edited_on_both_sides(state: StateFile) -> Found {
    let mut state = filled(state, &[&[]]).await;
    let edited = edit(instance(&mut state, SOURCE), 2, 3, "source")
        + edit(instance(&mut state, TARGET), 2, 23, "target");
    assert!(edited > 0);
    let entities = entities_of(instance(&mut state, SOURCE));
    let (workspace, server) = (Workspace::new(), play(state).await);
    let before = server.writes(TARGET).len();
    let done = end_of(workspace.sync(&server, JSON)).await;
    assert_eq!(done.code, Some(5), "{}", done.stderr);
    assert_eq!(server.writes(TARGET).len(), before);
    let holds = done.stderr.split("the target holds ").nth(1);
    let unplaced = holds.map_or(0, |rest| rest.split(' ').next().unwrap().parse().unwrap());
    let overwritten = ["--overwrite", "--create-unmatched", "--output", "json"];
    let overwritten = end_of(workspace.sync(&server, &overwritten)).await;
    assert_eq!(overwritten.code, Some(0), "{}", overwritten.stderr);
    let outcomes = outcomes(&overwritten);
    let conflicts = count(&outcomes, "updated");
    assert_eq!(count(&outcomes, "created"), unplaced);
    let kept = count(&outcomes, "adopted") + count(&outcomes, "unchanged");
    assert_eq!(kept + conflicts + unplaced, entities);
    server.stop().await;
    let found = Found {
        entities,
        edited,
        conflicts,
        unplaced,
    };
    drop(writeln!(std::io::stderr(), "{found:?}"));
    found
}

#[tokio::test]
async fn a_little_edited_on_both_sides_it_is_a_conflict_and_no_second_item() {
    let found = edited_on_both_sides(generated(&Shape::new(900, 5))).await;
    assert_eq!(found.unplaced, 0);
    found.assert_is_right();
}

/// A page at the path of one of the source that says something else is its counterpart, although it is not written: what refers
/// to it is written with its id. So the state has the pair.
#[tokio::test]
async fn a_page_in_conflict_is_in_the_state() {
    let mut state = filled(instances(&fixture("starter-site")), &[&[]]).await;
    let page = instance(&mut state, TARGET).pages.iter_mut();
    let mut pages = page.filter(|row| row["locale"] == "en-us" && row["name"] == "about");
    let page = pages.next().unwrap();
    page.insert("title".to_owned(), json!("Words of the target"));
    let id = page["pageID"].as_i64().unwrap();
    drop(pages);
    let (workspace, server) = (Workspace::new(), play(state).await);
    let done = end_of(workspace.sync(&server, JSON)).await;
    assert_eq!(done.code, Some(5), "{}", done.stderr);
    let reason = format!("the target's page {id} has the same path and differs");
    assert!(done.stdout.contains(&reason), "{}", done.stdout);
    let exported = end_of(workspace.command(["state", "export"])).await;
    let rows = exported.stdout.lines();
    let rows = rows.map(|row| serde_json::from_str::<Value>(row).unwrap());
    let mut pages = rows.filter(|row| row["table"] == "mappings" && row["row"]["kind"] == "page");
    assert!(
        pages.any(|row| row["row"]["target_id"] == json!(id) && row["row"]["locale"] == "en-us"),
        "{}",
        exported.stdout
    );
    server.stop().await;
}

/// The sizes that were asked for, by name: `cargo test --test it lost_state -- --ignored`.
#[tokio::test]
#[ignore = "some minutes"]
async fn small_and_medium_are_recognised() {
    for preset in [Preset::Small, Preset::Medium] {
        let shape = Shape::new(preset.entities(), 1);
        let found = edited_on_both_sides(generated(&shape)).await;
        assert_eq!(found.unplaced, 0);
        found.assert_is_right();
        found.assert_is_right();
        let found = edited_on_both_sides(with_twins(generated(&shape))).await;
        found.assert_is_right();
    }
}

/// The target holds items of its own in a list of the source.
fn with_items_of_its_own(state: &mut StateFile) {
    let list = "articles";
    let target = instance(state, TARGET);
    let item = target
        .content
        .iter()
        .find(|row| row["properties"]["referenceName"] == list && row["locale"] == "en-us");
    let mut item = item.unwrap().clone();
    item.insert("contentID".to_owned(), json!(77_777_777));
    item["fields"] = json!({ "title": "Written by an editor of the target", "slug": "own-words" });
    target.content.push(item);
}

#[tokio::test]
async fn content_that_cannot_be_placed_is_shown_before_anything_is_written() {
    let mut state = filled(instances(&fixture("starter-site")), &[&[]]).await;
    with_items_of_its_own(&mut state);
    let (workspace, server) = (Workspace::new(), play(state).await);
    let before = server.writes(TARGET).len();
    for words in [
        ["sync", "--no-tui"],
        ["sync", "--dry-run"],
        ["plan", "--quiet"],
    ] {
        let ended = end_of(workspace.between(words[0], &server.base_url(), &words[1..])).await;
        assert_eq!(ended.code, Some(5), "{words:?}: {}", ended.stderr);
        for word in [
            "news",
            "recognised",
            "unplaced",
            "--create-unmatched",
            "--adopt",
        ] {
            assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
        }
    }
    assert_eq!(server.writes(TARGET).len(), before);
    let agreed = end_of(workspace.sync(&server, &["--create-unmatched"])).await;
    assert_eq!(agreed.code, Some(0), "{}", agreed.stderr);
    assert_eq!(server.writes(TARGET).len(), before);
    // From now on there is a state.
    let later = end_of(workspace.sync(&server, &[])).await;
    assert_eq!(later.code, Some(0), "{}", later.stderr);
    server.stop().await;
}

#[tokio::test]
async fn a_verification_without_state_judges_what_is_there() {
    let mut state = filled(instances(&fixture("starter-site")), &[&[]]).await;
    let (workspace, server) = (Workspace::new(), play(state.clone()).await);
    let clean = end_of(workspace.between("verify", &server.base_url(), &["--no-tui"])).await;
    assert_eq!(clean.code, Some(0), "{}{}", clean.stdout, clean.stderr);
    server.stop().await;
    let edited = edit(instance(&mut state, TARGET), 10, 3, "spoilt");
    let server = play(state).await;
    let found = end_of(workspace.between("verify", &server.base_url(), JSON)).await;
    let differences = lines_of_json(&found.stdout)
        .into_iter()
        .filter(|event| event["type"] == "difference-found")
        .count();
    assert_eq!((found.code, differences), (Some(1), edited));
    server.stop().await;
}

#[tokio::test]
async fn the_way_back_finds_what_the_way_there_created() {
    let (workspace, server) = (
        Workspace::new(),
        play(instances(&fixture("starter-site"))).await,
    );
    assert_eq!(end_of(workspace.sync(&server, &[])).await.code, Some(0));
    let mut state = server.state();
    server.stop().await;
    // No other evidence than the mapping is left of some items.
    let edited = edit(instance(&mut state, TARGET), 10, 3, "renamed");
    assert!(edited > 0);
    let server = play(state).await;
    let url = server.base_url();
    let ends = ["--source", TARGET, "--target", SOURCE];
    let urls = ["--source-url", &url, "--target-url", &url];
    let words = ["sync"].iter().chain(&ends).chain(&urls).chain(JSON);
    let done = end_of(workspace.command(words)).await;
    let outcomes = outcomes(&done);
    assert_eq!(count(&outcomes, "created"), 0, "{outcomes:?}");
    assert_eq!(count(&outcomes, "conflict"), edited, "{}", done.stderr);
    assert!(
        outcomes
            .values()
            .any(|(_, because)| because.contains("mapping of the other direction"))
    );
    server.stop().await;
}

/// The mapping files of the vendor's own CLI beside the workspace.
fn write_official_mappings(workspace: &Workspace, events: &[Value]) {
    let folder = workspace
        .path()
        .join(format!("agility-files/mappings/{SOURCE}-{TARGET}"));
    let mut items: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for event in events
        .iter()
        .filter(|event| event["type"] == "entity-settled")
    {
        let key = event["key"].as_str().unwrap();
        let Some((id, locale)) = key
            .strip_prefix("content:")
            .and_then(|key| key.split_once('@'))
        else {
            continue;
        };
        items.entry(locale.to_owned()).or_default().push(json!({
            "sourceGuid": SOURCE, "targetGuid": TARGET,
            "sourceContentID": id.parse::<i64>().unwrap(), "targetContentID": event["target"],
            "sourceVersionID": 1, "targetVersionID": 1,
        }));
    }
    for (locale, rows) in items {
        let folder = folder.join(locale).join("item");
        std::fs::create_dir_all(&folder).unwrap();
        let text = serde_json::to_string_pretty(&rows).unwrap();
        std::fs::write(folder.join("mappings.json"), text).unwrap();
    }
}

#[tokio::test]
async fn the_mapping_files_of_the_official_cli_are_evidence() {
    let (workspace, server) = (
        Workspace::new(),
        play(instances(&fixture("starter-site"))).await,
    );
    assert_eq!(end_of(workspace.sync(&server, &[])).await.code, Some(0));
    let events = events_in(&workspace.run_folder());
    let mut state = server.state();
    server.stop().await;
    let target = instance(&mut state, TARGET);
    let mut retitled = 0;
    for row in rows(&mut target.content, "en-us") {
        for (_, value) in row["fields"].as_object_mut().unwrap() {
            if value.as_str().is_some_and(|text| text.contains(' ')) {
                *value = json!(format!("other words {retitled}"));
                retitled += 1;
            }
        }
    }
    let (fresh, server) = (Workspace::new(), play(state).await);
    write_official_mappings(&fresh, &events);
    let done = end_of(fresh.sync(&server, JSON)).await;
    let outcomes = outcomes(&done);
    assert_eq!(count(&outcomes, "created"), 0, "{}", done.stderr);
    assert!(
        outcomes
            .values()
            .any(|(_, because)| because.contains("mapping folder of the official CLI"))
    );
    server.stop().await;
}

/// An older state could hold two entities with one counterpart. Neither row is believed, and both entities are found.
#[tokio::test]
async fn mappings_that_contradict_one_another_are_reported_and_recognised_anew() {
    use sqlx::{ConnectOptions, Connection, Executor};
    let (workspace, server) = (
        Workspace::new(),
        play(instances(&fixture("starter-site"))).await,
    );
    assert_eq!(end_of(workspace.sync(&server, &[])).await.code, Some(0));
    let before = server.writes(TARGET).len();
    let state = workspace.path().join(".lockgate/state.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(state);
    let mut raw = options.connect().await.unwrap();
    // As the migration of such a state leaves it.
    raw.execute(
        "INSERT INTO disputed_mappings (source, target, kind, source_id, locale, target_id)
         SELECT source, target, kind, source_id, locale, 1 FROM mappings
         WHERE kind = 'content' AND source_id IN (1000, 1001) AND locale = 'en-us';
         DELETE FROM mappings WHERE kind = 'content' AND source_id IN (1000, 1001) AND locale = 'en-us'",
    )
    .await
    .unwrap();
    raw.close().await.unwrap();
    let done = end_of(workspace.sync(&server, &[])).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(
        done.stderr.contains("named an entity of the target twice"),
        "{}",
        done.stderr
    );
    assert_eq!(server.writes(TARGET).len(), before);
    server.stop().await;
}
