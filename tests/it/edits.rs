//! Random edits on both sides of a synced pair, and an oracle that knows no more than three-way comparison: what only one
//! side changed is as that side has it, what both changed differently is a conflict and stays as the target has it, what
//! was deleted on the target does not come back unasked, what was deleted on the source stays.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use lockgate::domain::{EntityKey, Id, Kind, Locale, Outcome};
use lockgate::mock::file::{InstanceFile, Row, StateFile};
use lockgate::store::{Pair, StateUrl, Store};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{SOURCE, Setup, TARGET, fixture, instances, serve};

/// Cases that are always tried; `PROPTEST_CASES` makes it more.
const CASES: u32 = 10;

/// What is compared of an entity: its texts without references.
type Texts = BTreeMap<&'static str, String>;

/// A kind with the list that its rows stand in, the member with their ids, and the texts that are edited.
struct Subject {
    kind: Kind,
    id: &'static str,
    texts: &'static [&'static str],
}

const SUBJECTS: [Subject; 4] = [
    Subject {
        kind: Kind::Content,
        id: "contentID",
        texts: &["label", "description"],
    },
    Subject {
        kind: Kind::Gallery,
        id: "mediaGroupingID",
        texts: &["name", "description"],
    },
    Subject {
        kind: Kind::Page,
        id: "pageID",
        texts: &["name", "title"],
    },
    Subject {
        kind: Kind::Redirection,
        id: "urlRedirectionID",
        texts: &["originUrl", "destinationUrl"],
    },
];

impl Subject {
    fn rows<'a>(&self, side: &'a InstanceFile) -> Vec<&'a Row> {
        let rows = match self.kind {
            Kind::Content => &side.content,
            Kind::Gallery => &side.galleries,
            Kind::Page => &side.pages,
            _ => &side.redirections,
        };
        rows.iter().filter(|row| self.is_subject(row)).collect()
    }

    fn rows_mut<'a>(&self, side: &'a mut InstanceFile) -> &'a mut Vec<Row> {
        match self.kind {
            Kind::Content => &mut side.content,
            Kind::Gallery => &mut side.galleries,
            Kind::Page => &mut side.pages,
            _ => &mut side.redirections,
        }
    }

    /// Items of one list in one locale, pages of one locale.
    fn is_subject(&self, row: &Row) -> bool {
        match self.kind {
            Kind::Content => {
                row["locale"] == "en-us" && row["properties"]["referenceName"] == "topics"
            }
            Kind::Page => row["locale"] == "en-us",
            // Addresses of files begin with that of the server, which is another one in every case.
            Kind::Redirection => !row["destinationUrl"].to_string().contains("://"),
            _ => true,
        }
    }

    fn id(&self, row: &Row) -> i64 {
        row[self.id].as_i64().unwrap()
    }

    fn key(&self, id: i64) -> EntityKey {
        match self.kind {
            Kind::Content | Kind::Page => {
                EntityKey::localised(self.kind, id, &Locale::new("en-us"))
            }
            _ => EntityKey::global(self.kind, id),
        }
    }

    fn texts(&self, row: &Row) -> Texts {
        let of = |name: &&'static str| (*name, text(self.kind, row, name));
        self.texts.iter().map(of).collect()
    }
}

/// The text of a row; the two sides write the keys of fields in different cases.
fn text(kind: Kind, row: &Row, name: &str) -> String {
    let own = Value::Object(row.clone());
    let members = if kind == Kind::Content {
        &own["fields"]
    } else {
        &own
    };
    let found = members.as_object().unwrap().iter();
    let mut found = found.filter(|(key, _)| key.eq_ignore_ascii_case(name));
    let found = found.next().and_then(|(_, value)| value.as_str());
    found.unwrap_or_default().to_owned()
}

fn set_text(kind: Kind, row: &mut Row, name: &str, value: &str) {
    let members = if kind == Kind::Content {
        row["fields"].as_object_mut().unwrap()
    } else {
        row
    };
    let key = members.keys().find(|key| key.eq_ignore_ascii_case(name));
    let key = key.cloned().unwrap_or_else(|| name.to_owned());
    members.insert(key, json!(value));
}

fn instance<'a>(state: &'a mut StateFile, guid: &str) -> &'a mut InstanceFile {
    let found = state.instances.iter_mut().find(|one| one.guid == guid);
    found.unwrap()
}

/// A synced pair with its state.
struct Synced {
    state: StateFile,
    folder: TempDir,
    /// Counterparts by entity.
    mapped: BTreeMap<EntityKey, i64>,
}

const STATE: &str = "state.db";

async fn store_in(folder: &Path) -> Store {
    Store::open(&StateUrl::Sqlite(folder.join(STATE)))
        .await
        .unwrap()
}

async fn synced() -> Synced {
    let folder = TempDir::new().unwrap();
    let server = serve(instances(&fixture("starter-site"))).await;
    let store = store_in(folder.path()).await;
    let mut setup = Setup::impatient(store.clone());
    let ran = setup.sync(&server.base_url()).await;
    assert_eq!(ran.report.unwrap().differences.unwrap().len(), 0);
    let pair = Pair {
        source: lockgate::domain::Guid::new(SOURCE),
        target: lockgate::domain::Guid::new(TARGET),
    };
    let mapped = store.mappings(&pair).await.unwrap();
    let mapped = mapped.into_iter().map(|row| (row.key, row.target.raw()));
    let mapped = mapped.collect();
    store.close().await;
    let state = server.state();
    server.stop().await;
    Synced {
        state,
        folder,
        mapped,
    }
}

/// Edits of one side. Only the source gives names to other entities; only one of the sides moves pages.
fn edit(side: &mut InstanceFile, is_source: bool, moves: bool, dice: &mut ChaCha8Rng) {
    for _ in 0..dice.random_range(2..7) {
        let subject = SUBJECTS.choose(dice).unwrap();
        let choice = dice.random_range(0..14);
        match choice {
            0..=4 => retitle(subject, side, dice),
            5 if is_source => rename(subject, side, dice),
            6 if is_source => swap(subject, side, dice),
            7 => delete(subject, side, dice),
            8 => create(subject, side, is_source, dice),
            9 if moves => shift(side, dice),
            10 if moves => put_below(side, dice),
            11 if is_source => recreate(subject, side, dice),
            12 => set_state(subject, side, dice),
            _ => {}
        }
    }
}

/// The rows of a subject that no other row depends on, by position in their list.
fn free(subject: &Subject, side: &mut InstanceFile) -> Vec<usize> {
    let rows = subject.rows_mut(side).iter().enumerate();
    let free = rows.filter(|(_, row)| subject.is_subject(row));
    free.map(|(at, _)| at).collect()
}

fn retitle(subject: &Subject, side: &mut InstanceFile, dice: &mut ChaCha8Rng) {
    let Some(at) = free(subject, side).choose(dice).copied() else {
        return;
    };
    let row = &mut subject.rows_mut(side)[at];
    let name = subject.texts[1];
    // A few words only, so that both sides now and then write the same.
    let value = match subject.kind {
        Kind::Redirection => format!("~/elsewhere-{}", dice.random_range(0..3)),
        _ => format!("Words {}", dice.random_range(0..3)),
    };
    set_text(subject.kind, row, name, &value);
}

/// Gives a new name, or the old one in other letters.
fn rename(subject: &Subject, side: &mut InstanceFile, dice: &mut ChaCha8Rng) {
    let Some(at) = free(subject, side).choose(dice).copied() else {
        return;
    };
    let row = &mut subject.rows_mut(side)[at];
    let name = subject.texts[0];
    let old = text(subject.kind, row, name);
    let new = match subject.kind {
        Kind::Page => format!("renamed-{}", dice.random_range(0..1000)),
        Kind::Redirection => format!("~/renamed-{}", dice.random_range(0..1000)),
        _ if dice.random_bool(0.3) => old.to_uppercase(),
        _ => format!("Renamed {}", dice.random_range(0..1000)),
    };
    set_text(subject.kind, row, name, &new);
}

/// Gives two entities each other's names.
fn swap(subject: &Subject, side: &mut InstanceFile, dice: &mut ChaCha8Rng) {
    if subject.kind == Kind::Content {
        return;
    }
    // Names of pages are unique among siblings only.
    let is_root = |row: &Row| subject.kind != Kind::Page || row["parentPageID"] == -1;
    let mut some = free(subject, side);
    some.retain(|at| is_root(&subject.rows_mut(side)[*at]));
    let (Some(one), Some(other)) = (some.choose(dice).copied(), some.choose(dice).copied()) else {
        return;
    };
    let name = subject.texts[0];
    let rows = subject.rows_mut(side);
    let names = [one, other].map(|at| text(subject.kind, &rows[at], name));
    set_text(subject.kind, &mut rows[one], name, &names[1]);
    set_text(subject.kind, &mut rows[other], name, &names[0]);
}

/// Deletes something and makes the same anew, under another id.
fn recreate(subject: &Subject, side: &mut InstanceFile, dice: &mut ChaCha8Rng) {
    if subject.kind != Kind::Redirection {
        return;
    }
    if let Some(at) = free(subject, side).choose(dice).copied() {
        let number = dice.random_range(10_000..99_999);
        subject.rows_mut(side)[at].insert(subject.id.to_owned(), json!(number));
    }
}

/// Publishes something, or takes it back into staging; nothing is promoted of that unasked.
fn set_state(subject: &Subject, side: &mut InstanceFile, dice: &mut ChaCha8Rng) {
    if !matches!(subject.kind, Kind::Content | Kind::Page) {
        return;
    }
    if let Some(at) = free(subject, side).choose(dice).copied() {
        let state = dice.random_range(1..3);
        subject.rows_mut(side)[at]["properties"]["state"] = json!(state);
    }
}

/// Puts a page without children below another one.
fn put_below(side: &mut InstanceFile, dice: &mut ChaCha8Rng) {
    let is_root = |row: &Row| row["locale"] == "en-us" && row["parentPageID"] == -1;
    let has_children = |id: &Value| side.pages.iter().any(|row| row["parentPageID"] == *id);
    let roots: Vec<usize> = (0..side.pages.len())
        .filter(|at| is_root(&side.pages[*at]))
        .collect();
    let leaves: Vec<usize> = roots
        .iter()
        .copied()
        .filter(|at| !has_children(&side.pages[*at]["pageID"]))
        .collect();
    let (Some(page), Some(parent)) = (leaves.choose(dice), roots.choose(dice)) else {
        return;
    };
    if page != parent {
        let parent = side.pages[*parent]["pageID"].clone();
        side.pages[*page].insert("parentPageID".to_owned(), parent);
    }
}

fn delete(subject: &Subject, side: &mut InstanceFile, dice: &mut ChaCha8Rng) {
    // Nothing refers to these.
    let is_free = |row: &Row| match subject.kind {
        Kind::Redirection => true,
        Kind::Page => row["name"] == "privacy" || row["name"] == "masthead",
        _ => false,
    };
    let mut some = free(subject, side);
    some.retain(|at| is_free(&subject.rows_mut(side)[*at]));
    if let Some(at) = some.choose(dice) {
        subject.rows_mut(side).remove(*at);
    }
}

fn create(subject: &Subject, side: &mut InstanceFile, is_source: bool, dice: &mut ChaCha8Rng) {
    let Some(at) = free(subject, side).choose(dice).copied() else {
        return;
    };
    if subject.kind == Kind::Page {
        return;
    }
    let rows = subject.rows_mut(side);
    let mut row = rows[at].clone();
    let number = dice.random_range(10_000..99_999);
    row.insert(subject.id.to_owned(), json!(number));
    let whose = if is_source { "source" } else { "target" };
    for name in subject.texts {
        let value = match subject.kind {
            Kind::Redirection => format!("~/{whose}-{number}"),
            _ => format!("New on the {whose} {number}"),
        };
        set_text(subject.kind, &mut row, name, &value);
    }
    rows.push(row);
}

/// Puts a page at the root elsewhere among its siblings.
fn shift(side: &mut InstanceFile, dice: &mut ChaCha8Rng) {
    let is_root = |row: &Row| row["locale"] == "en-us" && row["parentPageID"] == -1;
    let some: Vec<usize> = (0..side.pages.len())
        .filter(|at| is_root(&side.pages[*at]))
        .collect();
    if let (Some(from), Some(to)) = (some.choose(dice).copied(), some.choose(dice).copied()) {
        let page = side.pages.remove(from);
        side.pages.insert(to.min(side.pages.len()), page);
    }
}

/// The texts of every subject by its id.
fn all_texts(subject: &Subject, side: &InstanceFile) -> BTreeMap<i64, Texts> {
    let rows = subject.rows(side).into_iter();
    rows.map(|row| (subject.id(row), subject.texts(row)))
        .collect()
}

/// The pages at the root in display order.
fn roots(side: &InstanceFile) -> Vec<i64> {
    let is_root = |row: &&Row| row["locale"] == "en-us" && row["parentPageID"] == -1;
    let roots = side.pages.iter().filter(is_root);
    roots.map(|row| row["pageID"].as_i64().unwrap()).collect()
}

/// What the target has to hold, and what has to be a conflict.
struct Expected {
    texts: BTreeMap<i64, Texts>,
    created: Vec<Texts>,
    conflicts: BTreeSet<EntityKey>,
}

fn expected(
    subject: &Subject,
    base: &InstanceFile,
    (source, target): (&InstanceFile, &InstanceFile),
    mapped: &BTreeMap<EntityKey, i64>,
) -> Expected {
    let before = all_texts(subject, base);
    let mut expected = Expected {
        texts: all_texts(subject, target),
        created: Vec::new(),
        conflicts: BTreeSet::new(),
    };
    for (id, here) in all_texts(subject, source) {
        let key = subject.key(id);
        let Some(there) = mapped.get(&key) else {
            match recognised(subject, &here, (source, target), mapped) {
                Some(there) => drop(expected.texts.insert(there, here)),
                None => expected.created.push(here),
            }
            continue;
        };
        let before = &before[&id];
        match expected.texts.get(there) {
            Some(found) if *found == here || here == *before => {}
            Some(found) if found == before => drop(expected.texts.insert(*there, here)),
            None | Some(_) => drop(expected.conflicts.insert(key)),
        }
    }
    keep_held_names(subject, &mut expected.texts, &all_texts(subject, target));
    expected
}

/// What has the name of something new on the target, and is the counterpart of nothing any more.
fn recognised(
    subject: &Subject,
    here: &Texts,
    (source, target): (&InstanceFile, &InstanceFile),
    mapped: &BTreeMap<EntityKey, i64>,
) -> Option<i64> {
    if subject.kind == Kind::Content {
        return None;
    }
    let name = subject.texts[0];
    let live = subject.rows(source).into_iter();
    let live = live.filter_map(|row| mapped.get(&subject.key(subject.id(row))));
    let live: BTreeSet<i64> = live.copied().collect();
    let there = all_texts(subject, target).into_iter();
    let mut named = there.filter(|(id, texts)| {
        !live.contains(id) && texts[name].to_lowercase() == here[name].to_lowercase()
    });
    named.next().map(|(id, _)| id)
}

/// A name that something else keeps on the target cannot be taken: what wants it stays as it is.
fn keep_held_names(
    subject: &Subject,
    expected: &mut BTreeMap<i64, Texts>,
    before: &BTreeMap<i64, Texts>,
) {
    let name = subject.texts[0];
    if subject.kind == Kind::Content {
        return;
    }
    loop {
        let held = expected.iter().find_map(|(id, texts)| {
            let is_renamed = texts[name] != before[id][name];
            let holds = |(other, held): (&i64, &Texts)| {
                other != id && held[name].to_lowercase() == texts[name].to_lowercase()
            };
            (is_renamed && expected.iter().any(holds)).then_some(*id)
        });
        let Some(id) = held else { return };
        expected.insert(id, before[&id].clone());
    }
}

async fn play(synced: &Synced, seed: u64) -> Vec<String> {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let mut state = synced.state.clone();
    let source_moves = dice.random_bool(0.5);
    edit(instance(&mut state, SOURCE), true, source_moves, &mut dice);
    edit(
        instance(&mut state, TARGET),
        false,
        !source_moves,
        &mut dice,
    );
    let base = instance(&mut synced.state.clone(), SOURCE).clone();
    let source = instance(&mut state, SOURCE).clone();
    let target = instance(&mut state, TARGET).clone();

    let folder = TempDir::new().unwrap();
    std::fs::copy(synced.folder.path().join(STATE), folder.path().join(STATE)).unwrap();
    let store = store_in(folder.path()).await;
    let mut setup = Setup::impatient(store.clone());
    setup.run = 1;
    let server = serve(state).await;
    let ran = setup.sync(&server.base_url()).await;
    let mut found = is_planned(&ran);
    let after = instance(&mut server.state(), TARGET).clone();
    let conflicts: BTreeSet<EntityKey> = ran
        .outcomes()
        .into_iter()
        .filter(|(_, outcome)| *outcome == Outcome::Conflict)
        .map(|(key, _)| key)
        .collect();
    let mut expected_conflicts = BTreeSet::new();
    for subject in &SUBJECTS {
        let expected = expected(subject, &base, (&source, &target), &synced.mapped);
        found.extend(compare(subject, &expected, &all_texts(subject, &after)));
        expected_conflicts.extend(expected.conflicts);
    }
    let unlike = conflicts.symmetric_difference(&expected_conflicts);
    let sides = [&base, &source, &target];
    found.extend(unlike.map(|key| conflict(key, conflicts.contains(key), sides, (synced, &ran))));
    let order = order(
        synced,
        if source_moves { &source } else { &target },
        source_moves,
        &after,
    );
    found.extend(order);
    let mover = if source_moves { &source } else { &target };
    found.extend(parents(
        synced,
        (mover, source_moves),
        &after,
        &ran.outcomes(),
    ));
    let writes = server.writes(TARGET).len();
    let again = setup.sync(&server.base_url()).await;
    if server.writes(TARGET).len() > writes {
        found.push(format!("a second run wrote: {:?}", again.outcomes()));
    }
    store.close().await;
    server.stop().await;
    found
        .iter()
        .map(|line| format!("seed {seed}: {line}"))
        .collect()
}

/// What each side said about an entity that is a conflict and should be none, or the other way round.
fn conflict(
    key: &EntityKey,
    is_one: bool,
    [base, source, target]: [&InstanceFile; 3],
    (synced, ran): (&Synced, &crate::support::Ran),
) -> String {
    let mut subjects = SUBJECTS.iter();
    let subject = subjects.find(|subject| subject.kind == key.kind).unwrap();
    let says = |side: &InstanceFile, id: i64| all_texts(subject, side).remove(&id);
    let there = synced.mapped.get(key).and_then(|id| says(target, *id));
    let because = ran.report.as_ref().ok().and_then(|report| {
        let node = report.source.position(key)?;
        Some(report.plan.entities[node as usize].because.to_string())
    });
    format!(
        "{key} is a conflict: {is_one}, because {because:?}; it was {:?}, is {:?} on the source and {there:?} on the target",
        says(base, key.id.raw()),
        says(source, key.id.raw()),
    )
}

/// Every entity ended as the plan said.
fn is_planned(ran: &crate::support::Ran) -> Vec<String> {
    let Ok(report) = &ran.report else {
        return vec![format!("{:?}", ran.report.as_ref().err())];
    };
    let outcomes = ran.outcomes();
    let pairs = report.plan.entities.iter().zip(report.source.entities());
    pairs
        .filter_map(|(planned, entity)| {
            let outcome = outcomes.get(&entity.key)?.name();
            let action = planned.name();
            let is_same = outcome.starts_with(action) || outcome == action.trim_end_matches('e');
            (!is_same).then(|| {
                format!(
                    "{} was planned as {action} and ended as {outcome}",
                    entity.key
                )
            })
        })
        .collect()
}

fn compare(subject: &Subject, expected: &Expected, found: &BTreeMap<i64, Texts>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut created = expected.created.clone();
    for (id, texts) in found {
        match expected.texts.get(id) {
            Some(wanted) if wanted == texts => {}
            Some(wanted) => problems.push(format!(
                "{} {id}: {texts:?}, expected {wanted:?}",
                subject.kind
            )),
            None => match created.iter().position(|wanted| wanted == texts) {
                Some(at) => drop(created.remove(at)),
                None => problems.push(format!("{} {id} was not expected: {texts:?}", subject.kind)),
            },
        }
    }
    let gone = expected
        .texts
        .iter()
        .filter(|(id, _)| !found.contains_key(id));
    problems.extend(gone.map(|(id, texts)| format!("{} {id} is gone: {texts:?}", subject.kind)));
    problems.extend(
        created
            .iter()
            .map(|texts| format!("{} was not created: {texts:?}", subject.kind)),
    );
    problems
}

/// The pages at the root stand as the side has them that moved some, those that both sides know.
fn order(
    synced: &Synced,
    mover: &InstanceFile,
    is_source: bool,
    after: &InstanceFile,
) -> Option<String> {
    let mapped = |id: i64| {
        let key = EntityKey::localised(Kind::Page, id, &Locale::new("en-us"));
        synced.mapped.get(&key).copied()
    };
    let of_mover: Vec<i64> = if is_source {
        roots(mover).into_iter().filter_map(mapped).collect()
    } else {
        roots(mover)
    };
    let found = roots(after);
    let wanted: Vec<i64> = of_mover
        .iter()
        .copied()
        .filter(|id| found.contains(id))
        .collect();
    let found: Vec<i64> = found
        .into_iter()
        .filter(|id| of_mover.contains(id))
        .collect();
    (wanted != found).then(|| format!("pages at the root {found:?}, expected {wanted:?}"))
}

/// Pages are below the parents that the side gives them which moves some, but for those that were left as they were.
fn parents(
    synced: &Synced,
    (mover, is_source): (&InstanceFile, bool),
    after: &InstanceFile,
    outcomes: &BTreeMap<EntityKey, Outcome>,
) -> Vec<String> {
    let by_id = |side: &InstanceFile, id: i64| {
        let mut rows = side.pages.iter();
        let found = rows.find(|row| row["locale"] == "en-us" && row["pageID"] == id);
        found.map(|row| row["parentPageID"].as_i64().unwrap())
    };
    let key = |id: i64| EntityKey::localised(Kind::Page, id, &Locale::new("en-us"));
    let mut problems = Vec::new();
    for (page, there) in synced
        .mapped
        .iter()
        .filter(|(page, _)| page.kind == Kind::Page)
    {
        let is_left = |outcome: &Outcome| {
            matches!(
                outcome,
                Outcome::Conflict | Outcome::Failed { .. } | Outcome::Blocked { .. }
            )
        };
        if outcomes.get(page).is_none_or(is_left) || *page != key(page.id.raw()) {
            continue;
        }
        let wanted = if is_source {
            let parent = by_id(mover, page.id.raw());
            parent.and_then(|parent| synced.mapped.get(&key(parent)).copied().or(Some(-1)))
        } else {
            by_id(mover, *there)
        };
        let found = by_id(after, *there);
        if wanted.is_some() && wanted != found {
            problems.push(format!("{page} is below {found:?}, expected {wanted:?}"));
        }
    }
    problems
}

/// The same cases every time; `EDITS_SEED` plays one of them again.
#[test]
fn what_only_one_side_changed_arrives_and_what_both_changed_is_a_conflict() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let synced = runtime.block_on(synced());
    if let Some(seed) = std::env::var_os("EDITS_SEED") {
        let seed = seed.to_string_lossy().parse().unwrap();
        let problems = runtime.block_on(play(&synced, seed));
        assert!(problems.is_empty(), "{}", problems.join("\n"));
        return;
    }
    let mut config = Config {
        failure_persistence: None,
        max_shrink_iters: 0,
        ..Config::default()
    };
    if config.cases == Config::with_cases(256).cases {
        config.cases = CASES;
    }
    let dice = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, dice);
    let outcome = runner.run(&any::<u64>(), |seed| {
        let problems = runtime.block_on(play(&synced, seed));
        prop_assert!(problems.is_empty(), "{}", problems.join("\n"));
        Ok(())
    });
    if let Err(broken) = outcome {
        panic!("{broken}");
    }
}
