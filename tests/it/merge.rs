//! `on_conflict = ["…=merge"]`: fields that different sides changed come together, and what both changed stays a conflict. The
//! oracle compares three ways, field by field, and knows nothing of hashes, forms or plans.

use std::collections::{BTreeMap, BTreeSet};

use lockgate::mock::file::{InstanceFile, Row};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::apply::{Stage, item};
use crate::cli_life::Running;
use crate::support::{SOURCE, TARGET};

/// Cases that are always tried; `PROPTEST_CASES` makes it more.
const CASES: u32 = 2;

const MERGE: &str = "sync.on_conflict = [\"content=merge\", \"page=merge\"]\n";

/// Fields of articles that are edited: texts, a link to one item, a list of links, and what stands beside the fields.
const FIELDS: [&str; 6] = ["headline", "summary", "body", "writer", "topics", "seo"];
/// Members of pages.
const MEMBERS: [&str; 4] = ["title", "menuText", "visible", "MainContentZone"];

/// An item or page of the source, by kind, id and locale.
type Key = (&'static str, i64, String);

/// What is edited of every entity, with the edit.
type Edits = BTreeMap<Key, BTreeMap<&'static str, u32>>;

fn configure(stage: &Stage, text: &str) {
    std::fs::write(stage.workspace.path().join("lockgate.toml"), text).unwrap();
}

fn text_of<'r>(row: &'r Row, member: &str) -> &'r str {
    row[member].as_str().unwrap_or_default()
}

fn list_of(row: &Row) -> &str {
    row["properties"]["referenceName"]
        .as_str()
        .unwrap_or_default()
}

fn articles(side: &InstanceFile) -> Vec<Key> {
    let rows = side.content.iter().filter(|row| list_of(row) == "articles");
    rows.map(|row| {
        (
            "content",
            row["contentID"].as_i64().unwrap(),
            text_of(row, "locale").to_owned(),
        )
    })
    .collect()
}

/// Pages with a zone of modules.
fn pages(side: &InstanceFile) -> Vec<Key> {
    let rows = side.pages.iter().filter(|row| {
        let zone = row["zones"]["MainContentZone"].as_array();
        let names: Option<BTreeSet<&str>> = zone.map(|zone| {
            zone.iter()
                .filter_map(|module| module["module"].as_str())
                .collect()
        });
        // An order is seen where modules have names of their own.
        let is_ordered = names
            .zip(zone)
            .is_some_and(|(names, zone)| names.len() == zone.len() && zone.len() > 1);
        row["pageType"] == "static" && is_ordered
    });
    rows.map(|row| {
        (
            "page",
            row["pageID"].as_i64().unwrap(),
            text_of(row, "locale").to_owned(),
        )
    })
    .collect()
}

fn row<'s>(side: &'s mut InstanceFile, key: &Key) -> &'s mut Row {
    if key.0 == "content" {
        return item(side, key.1, &key.2);
    }
    let is_it = |row: &&mut Row| row["pageID"] == key.1 && row["locale"] == key.2.as_str();
    side.pages.iter_mut().find(is_it).unwrap()
}

/// Ids of one side by what identifies the item on both.
fn ids(side: &InstanceFile, list: &str, label: &str) -> Vec<(String, i64)> {
    let rows = side
        .content
        .iter()
        .filter(|row| list_of(row).eq_ignore_ascii_case(list) && row["locale"] == "en-us");
    let mut found: Vec<(String, i64)> = rows
        .map(|row| {
            let fields = row["fields"].as_object().unwrap();
            let name = fields
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(label));
            let name = name
                .and_then(|(_, value)| value.as_str())
                .unwrap_or_default();
            (name.to_owned(), row["contentID"].as_i64().unwrap())
        })
        .collect();
    found.sort();
    found
}

/// The member of the fields with this name, in whatever case it is there.
fn field<'r>(row: &'r mut Row, name: &str) -> &'r mut Value {
    let fields = row.get_mut("fields").unwrap().as_object_mut().unwrap();
    let own = fields
        .keys()
        .find(|key| key.eq_ignore_ascii_case(name))
        .cloned();
    fields
        .entry(own.unwrap_or_else(|| name.to_owned()))
        .or_insert(Value::Null)
}

/// Carries out an edit. `side` tells the ids of the items that are linked to.
fn edit(side: &mut InstanceFile, key: &Key, what: &str, value: u32) {
    let writers = ids(side, "authors", "name");
    let topics = ids(side, "topics", "label");
    let row = row(side, key);
    let text = format!("edited {what} {value}");
    let at = value as usize;
    match what {
        "headline" | "summary" => *field(row, what) = text.into(),
        "body" => *field(row, what) = format!("<p>{text}</p>").into(),
        "writer" => {
            let (name, id) = &writers[at % writers.len()];
            *field(row, "writer") = json!({ "contentid": id, "fulllist": false });
            *field(row, "writerID") = id.to_string().into();
            *field(row, "writerName") = name.as_str().into();
        }
        "topics" => {
            let picked = [&topics[at % topics.len()], &topics[(at + 1) % topics.len()]];
            let listed: Vec<String> = picked.iter().map(|(_, id)| id.to_string()).collect();
            let names: Vec<&str> = picked.iter().map(|(name, _)| name.as_str()).collect();
            *field(row, "topics") = json!({ "referencename": "topics", "sortids": listed.join(","), "fulllist": false });
            *field(row, "topics_ValueField") = listed.join(",").into();
            *field(row, "topics_TextField") = names.join(",").into();
        }
        "seo" => {
            let seo = json!({ "metaDescription": text, "metaKeywords": "", "metaHTML": "", "menuVisible": null, "sitemapVisible": null });
            row.insert(what.to_owned(), seo);
        }
        "title" | "menuText" => drop(row.insert(what.to_owned(), text.into())),
        "visible" => {
            let visible =
                json!({ "menu": value.is_multiple_of(2), "sitemap": value.is_multiple_of(3) });
            row.insert(what.to_owned(), visible);
        }
        zone => {
            let modules = row["zones"][zone].as_array_mut().unwrap();
            let by = 1 + at % (modules.len() - 1);
            modules.rotate_left(by);
        }
    }
    let version = row["properties"]["versionID"].as_i64().unwrap();
    row["properties"]["versionID"] = (version + 1_000).into();
}

/// What a field says, in terms that both sides share.
fn said(side: &InstanceFile, key: &Key, what: &str) -> String {
    let writers = ids(side, "authors", "name");
    let topics = ids(side, "topics", "label");
    let names: BTreeMap<String, String> = writers
        .into_iter()
        .chain(topics)
        .map(|(name, id)| (id.to_string(), name))
        .collect();
    let mut copy = side.clone();
    let row = row(&mut copy, key);
    let people = |ids: &str| -> Vec<String> {
        let ids = ids.split(',').map(str::trim);
        ids.map(|id| names.get(id).cloned().unwrap_or_else(|| format!("?{id}")))
            .collect()
    };
    match what {
        "headline" | "summary" | "body" => {
            let text = field(row, what).as_str().unwrap_or_default();
            // Each side has its own addresses of files.
            text.replace(&format!("/{TARGET}/"), "/demo/")
        }
        // The companion has the id, whatever form the link is shown in.
        "writer" => people(field(row, "writerID").as_str().unwrap_or_default()).join(","),
        "topics" => people(field(row, "topics_ValueField").as_str().unwrap_or_default()).join(","),
        "seo" => {
            let seo = row.get("seo").cloned().unwrap_or_default();
            seo["metaDescription"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        }
        "title" | "menuText" => {
            let text = row.get(what).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        }
        "visible" => {
            let visible = row.get(what).cloned().unwrap_or_default();
            format!("{} {}", visible["menu"] == true, visible["sitemap"] == true)
        }
        zone => {
            let modules = row["zones"][zone].as_array().unwrap().iter();
            modules
                .map(|module| module["module"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
                .join(",")
        }
    }
}

fn names_of(key: &Key) -> &'static [&'static str] {
    if key.0 == "content" {
        &FIELDS
    } else {
        &MEMBERS
    }
}

/// Everything that can be edited, with what it says.
fn all_said(side: &InstanceFile, keys: &[Key]) -> BTreeMap<Key, BTreeMap<&'static str, String>> {
    let each = keys.iter().map(|key| {
        let fields = names_of(key)
            .iter()
            .map(|name| (*name, said(side, key, name)));
        (key.clone(), fields.collect())
    });
    each.collect()
}

/// Edits of one side to some of the entities.
fn drawn(keys: &[Key], dice: &mut ChaCha8Rng) -> Edits {
    let some: Vec<&Key> = keys.sample(dice, keys.len() / 2).collect();
    let mut edits = Edits::new();
    for key in some {
        let names = names_of(key);
        let count = dice.random_range(1..3);
        for name in names.sample(dice, count) {
            edits
                .entry(key.clone())
                .or_default()
                .insert(name, dice.random_range(0..4));
        }
    }
    edits
}

/// The counterparts of keys, by the ids that the plan names.
fn counterparts(plan: &Value) -> BTreeMap<Key, Key> {
    let entities = plan["entities"].as_array().unwrap().iter();
    let pairs = entities.filter_map(|entity| {
        let (kind, rest) = entity["key"].as_str()?.split_once(':')?;
        let (id, locale) = rest.split_once('@')?;
        let kind = ["content", "page"]
            .into_iter()
            .find(|known| *known == kind)?;
        let there = entity["target"].as_i64()?;
        Some((
            (kind, id.parse().ok()?, locale.to_owned()),
            (kind, there, locale.to_owned()),
        ))
    });
    pairs.collect()
}

struct Pair {
    stage: Stage,
    keys: Vec<Key>,
    there: BTreeMap<Key, Key>,
}

impl Pair {
    async fn synced() -> Self {
        let stage = Stage::new().await;
        configure(&stage, MERGE);
        stage.ends("sync", &[], 0).await;
        let source = stage.instance(SOURCE);
        let mut keys = articles(&source);
        keys.extend(pages(&source));
        let plan = stage.ends("plan", &["--format", "json"], 0).await;
        let there = counterparts(&serde_json::from_str(&plan.stdout).unwrap());
        Self { stage, keys, there }
    }

    async fn edit(&self, here: &Edits, over: &Edits) {
        self.stage
            .edit(|source, target| {
                for (key, edits) in here {
                    for (what, value) in edits {
                        edit(source, key, what, *value);
                    }
                }
                for (key, edits) in over {
                    let key = &self.there[key];
                    for (what, value) in edits {
                        edit(target, key, what, *value);
                    }
                }
            })
            .await;
    }

    fn source(&self) -> BTreeMap<Key, BTreeMap<&'static str, String>> {
        all_said(&self.stage.instance(SOURCE), &self.keys)
    }

    fn target(&self) -> BTreeMap<Key, BTreeMap<&'static str, String>> {
        let side = self.stage.instance(TARGET);
        let each = self.keys.iter().map(|key| {
            let there = &self.there[key];
            let fields = names_of(key)
                .iter()
                .map(|name| (*name, said(&side, there, name)));
            (key.clone(), fields.collect())
        });
        each.collect()
    }
}

/// What the target holds after a run, and the entities in conflict.
fn expected(
    base: &BTreeMap<Key, BTreeMap<&'static str, String>>,
    here: &BTreeMap<Key, BTreeMap<&'static str, String>>,
    there: &BTreeMap<Key, BTreeMap<&'static str, String>>,
) -> (BTreeMap<Key, BTreeMap<&'static str, String>>, BTreeSet<Key>) {
    let mut after = there.clone();
    let mut conflicts = BTreeSet::new();
    for (key, fields) in here {
        let own = &there[key];
        let of_base = &base[key];
        let both = fields.iter().any(|(name, text)| {
            text != &of_base[name] && own[name] != of_base[name] && text != &own[name]
        });
        if both {
            conflicts.insert(key.clone());
            continue;
        }
        for (name, text) in fields
            .iter()
            .filter(|(name, text)| *text != &of_base[*name])
        {
            after.get_mut(key).unwrap().insert(name, text.clone());
        }
    }
    (after, conflicts)
}

/// Rounds of random edits: the target is as the oracle says after each, and a second run finds nothing to do.
async fn rounds(seed: u64) {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let pair = Pair::synced().await;
    let mut base = pair.source();
    assert_eq!(base, pair.target(), "both sides say the same at first");
    for round in 0..3 {
        let (here, over) = (drawn(&pair.keys, &mut dice), drawn(&pair.keys, &mut dice));
        pair.edit(&here, &over).await;
        let (source, target) = (pair.source(), pair.target());
        let (after, conflicts) = expected(&base, &source, &target);
        let code = if conflicts.is_empty() { 0 } else { 5 };
        let verify: &[&str] = if dice.random_ratio(1, 3) {
            &["--no-verify"]
        } else {
            &[]
        };
        let told = pair.stage.ends("sync", verify, code).await;
        let found = pair.target();
        for key in &pair.keys {
            assert_eq!(
                found[key], after[key],
                "seed {seed}, round {round}, {key:?}\nbase {:?}\nsource {:?}\ntarget {:?}\n{}",
                base[key], source[key], target[key], told.stderr
            );
        }
        let writes = pair.stage.writes();
        pair.stage.ends("sync", &[], code).await;
        assert_eq!(
            pair.stage.writes(),
            writes,
            "seed {seed}, round {round}: a second run writes"
        );
        // What is agreed upon by now: what the source says, but for what is in conflict.
        for (key, fields) in source {
            if !conflicts.contains(&key) {
                base.insert(key, fields);
            }
        }
        if !conflicts.is_empty() {
            // The source wins these, so that the next round begins without them.
            pair.stage.ends("sync", &["--overwrite"], 5).await;
            configure(
                &pair.stage,
                "sync.on_conflict = [\"content=source\", \"page=source\"]\n",
            );
            pair.stage.ends("sync", &[], 0).await;
            configure(&pair.stage, MERGE);
            for key in conflicts {
                let fields = pair.source().remove(&key).unwrap();
                assert_eq!(pair.target()[&key], fields, "seed {seed}, round {round}");
                base.insert(key, fields);
            }
        }
    }
}

#[test]
fn random_edits_of_both_sides_are_merged_field_by_field() {
    let mut config = Config {
        failure_persistence: None,
        max_shrink_iters: 0,
        ..Config::default()
    };
    if config.cases == Config::with_cases(256).cases {
        config.cases = CASES;
    }
    let dice = TestRng::from_seed(RngAlgorithm::ChaCha, &[3; 32]);
    let mut runner = TestRunner::new_with_rng(config, dice);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let tried = runner.run(&any::<u64>(), |seed| {
        runtime.block_on(rounds(seed));
        Ok(())
    });
    tried.unwrap();
}

fn one(key: &Key, what: &'static str, value: u32) -> Edits {
    Edits::from([(key.clone(), BTreeMap::from([(what, value)]))])
}

/// The plan says what comes from where, in every form; without the policy it is a conflict.
#[tokio::test]
async fn a_plan_shows_what_is_merged_and_what_stays() {
    let pair = Pair::synced().await;
    let key = pair.keys[0].clone();
    pair.edit(&one(&key, "headline", 1), &one(&key, "topics", 2))
        .await;
    for form in ["text", "markdown", "html", "json"] {
        let plan = pair.stage.ends("plan", &["--format", form], 0).await;
        let told = "merged: headline from the source; the target keeps topics";
        assert!(plan.stdout.contains(told), "{form}: {}", plan.stdout);
    }
    let plan = pair.stage.ends("plan", &[], 0).await;
    assert!(plan.stdout.contains("1 entity merged"), "{}", plan.stdout);
    assert!(
        !plan.stdout.contains("topics:"),
        "what stays is no change: {}",
        plan.stdout
    );
    configure(&pair.stage, "");
    pair.stage.ends("plan", &[], 5).await;
    configure(&pair.stage, MERGE);
    let said = pair.stage.ends("sync", &["--verbose"], 0).await;
    let said = format!("{}{}", said.stdout, said.stderr);
    assert!(
        said.contains("kept as the target has it (merged)"),
        "{said}"
    );
    let after = &pair.target()[&key];
    assert_eq!(after["headline"], "edited headline 1");
    assert_ne!(after["topics"], pair.source()[&key]["topics"]);
}

#[tokio::test]
async fn one_field_changed_by_both_is_a_conflict_that_names_it() {
    let pair = Pair::synced().await;
    let key = pair.keys[0].clone();
    pair.edit(&one(&key, "headline", 1), &one(&key, "headline", 2))
        .await;
    let before = pair.stage.writes();
    for command in ["plan", "sync"] {
        let ended = pair.stage.ends(command, &[], 5).await;
        let said = format!("{}{}", ended.stdout, ended.stderr);
        let told = "changed on both source and target since the last sync: headline";
        assert!(said.contains(told), "{command}: {said}");
    }
    assert_eq!(pair.stage.writes(), before);
    // The same edit on both sides is none.
    pair.edit(&one(&key, "headline", 3), &one(&key, "headline", 3))
        .await;
    pair.stage.ends("sync", &[], 0).await;
    assert_eq!(pair.stage.writes(), before);
}

/// A plan that merges is agreed to, kept and applied; an undo brings back what was there.
#[tokio::test]
async fn a_merge_is_applied_from_a_plan_and_undone() {
    let pair = Pair::synced().await;
    let key = pair.keys[0].clone();
    pair.edit(&one(&key, "body", 1), &one(&key, "summary", 2))
        .await;
    let before = pair.target();
    pair.stage.ends("plan", &["--out", "release.plan"], 0).await;
    pair.stage.ends("apply", &["release.plan"], 0).await;
    let after = pair.target();
    assert_eq!(after[&key]["body"], "<p>edited body 1</p>");
    assert_eq!(after[&key]["summary"], "edited summary 2");
    pair.stage.ends("undo", &["last", "--yes"], 0).await;
    assert_eq!(pair.target(), before);
    // What was agreed upon before is agreed upon again.
    pair.stage.ends("sync", &[], 0).await;
    assert_eq!(pair.target(), after);
}

/// What the target keeps is named by a verification, as everything in which the sides differ, and as left alone; a run that
/// agreed to it ends with 0 all the same.
#[tokio::test]
async fn a_verification_after_a_merge_names_what_the_target_keeps() {
    let pair = Pair::synced().await;
    let key = pair.keys[0].clone();
    pair.edit(&one(&key, "headline", 1), &one(&key, "topics", 2))
        .await;
    pair.stage.ends("sync", &[], 0).await;
    let fields = async || {
        let found = pair.stage.ends("verify", &[], 1).await;
        let lines = found.stderr.lines();
        let named = lines.filter_map(|line| {
            line.split_once("difference ")?
                .1
                .split_once(": at /fields/")
        });
        let named = named.map(|(_, rest)| {
            assert!(rest.ends_with(", left alone"), "{rest}");
            rest.split(':').next().unwrap().to_owned()
        });
        named.collect::<BTreeSet<String>>()
    };
    let kept = BTreeSet::from(["topics", "topics_textfield"].map(str::to_owned));
    assert_eq!(fields().await, kept);
    pair.edit(&Edits::new(), &one(&key, "summary", 3)).await;
    let mut more = kept;
    more.insert("summary".to_owned());
    assert_eq!(fields().await, more);
    pair.stage.ends("sync", &[], 0).await;
}

/// Wherever a run that merges is killed, the next one brings the rest together and repeats nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_merges_goes_on_after_a_kill() {
    for (event, count) in [
        ("batch-submitted", 1),
        ("batch-submitted", 3),
        ("batch-finished", 2),
    ] {
        let pair = Pair::synced().await;
        configure(&pair.stage, &format!("{MERGE}timeouts.settle_ms = 1500\n"));
        let edits = |of_items, of_pages| {
            let each = pair.keys.iter().map(|key| {
                let what = if key.0 == "content" {
                    of_items
                } else {
                    of_pages
                };
                (key.clone(), BTreeMap::from([(what, 1)]))
            });
            each.collect::<Edits>()
        };
        let (here, over) = (edits("headline", "title"), edits("summary", "menuText"));
        let base = pair.source();
        pair.edit(&here, &over).await;
        let (after, conflicts) = expected(&base, &pair.source(), &pair.target());
        assert_eq!(conflicts, BTreeSet::new());
        let words = ["--output", "json", "--batch-size", "2"];
        let url = pair.stage.url();
        let mut running = Running::of(pair.stage.workspace.between("sync", &url, &words));
        running.until(event, count).await;
        running.signal("-KILL");
        drop(running.end().await);
        assert_ne!(
            pair.target(),
            after,
            "{event} {count}: it was killed too late"
        );
        pair.stage.ends("sync", &[], 0).await;
        assert_eq!(pair.target(), after, "{event} {count}");
        let writes = pair.stage.writes();
        pair.stage.ends("sync", &[], 0).await;
        assert_eq!(
            pair.stage.writes(),
            writes,
            "{event} {count}: a second run writes"
        );
    }
}
