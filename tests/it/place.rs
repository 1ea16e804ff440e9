//! The place of a page is an agreement of its own: who moved it, and what became of its fields meanwhile.

use std::time::Duration;

use lockgate::domain::{Id as _, Outcome};
use lockgate::engine::Schedule;
use lockgate::engine::verify::DifferenceKind;
use lockgate::event::Event;
use lockgate::mock::file::{InstanceFile, Row, StateFile};
use lockgate::mock::{self, Server};
use serde_json::{Value, json};

use crate::support::{Ran, SOURCE, Setup, TARGET, empty_target, put_state, serve_with};

mod held;

const ENGLISH: &str = "en-us";
const FRENCH: &str = "fr-ca";

/// Two instances whose pages are folders, named by one letter.
struct Site {
    server: Server,
    setup: Setup,
}

/// A page that needs nothing. Its title is its name until it is edited.
fn page(id: i64, name: &str, parent: i64, locale: &str) -> Row {
    let body = json!({
        "pageID": id, "locale": locale, "name": name, "title": name, "menuText": name, "pageType": "folder",
        "visible": { "menu": true, "sitemap": true }, "parentPageID": parent, "channelID": 1,
        "properties": { "state": 2, "modified": "2025-04-02T11:22:07.09", "versionID": 8000 + id }, "zones": {}
    });
    body.as_object().unwrap().clone()
}

/// Pages at the root in this order, whose ids do not follow it.
fn roots(names: &[&str], locale: &str) -> Vec<Row> {
    let row = |(at, name): (i64, &&str)| page(100 - 7 * at, name, -1, locale);
    (0..).zip(names).map(row).collect()
}

fn source(pages: Vec<Row>, locales: &[&str]) -> InstanceFile {
    InstanceFile {
        guid: SOURCE.to_owned(),
        locales: locales.iter().map(ToString::to_string).collect(),
        pages,
        ..InstanceFile::default()
    }
}

impl Site {
    async fn with(pages: Vec<Row>, locales: &[&str], options: mock::Options) -> Self {
        let source = source(pages, locales);
        let target = empty_target(&source.locales);
        let state = StateFile {
            instances: vec![source, target],
            ..StateFile::default()
        };
        Self {
            server: serve_with(mock::Options { state, ..options }).await,
            setup: Setup::new().await,
        }
    }

    /// The pages crossed once.
    async fn synced(pages: Vec<Row>) -> Self {
        let mut site = Self::with(pages, &[ENGLISH], mock::Options::default()).await;
        site.in_sync().await;
        site
    }

    async fn run(&mut self) -> Ran {
        Box::pin(self.setup.sync(&self.server.base_url())).await
    }

    async fn overwrite(&mut self) -> Ran {
        self.setup.overwrite = true;
        let ran = self.run().await;
        self.setup.overwrite = false;
        ran
    }

    fn writes(&self) -> usize {
        self.server.writes(TARGET).len()
    }

    /// A run without a failure, a conflict or a difference.
    async fn in_sync(&mut self) -> Ran {
        let ran = self.run().await;
        let report = ran.report.as_ref().unwrap();
        assert_eq!(
            (report.failed, report.conflicts),
            (0, 0),
            "{:?}",
            ran.outcomes()
        );
        // What only the target edited differs and is left alone.
        let differences = report.differences.as_deref().unwrap();
        let wrong: Vec<_> = differences.iter().filter(|one| !one.left_alone).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        ran
    }

    /// Another run, which has nothing left to do.
    async fn is_quiet(&mut self) {
        let before = self.writes();
        self.in_sync().await;
        assert_eq!(self.writes(), before, "the second run wrote");
    }

    /// Changes both instances behind the back of the program.
    async fn edit(&self, edit: impl FnOnce(&mut InstanceFile, &mut InstanceFile)) {
        let mut state = self.server.state();
        let (source, target) = state.instances.split_at_mut(1);
        edit(&mut source[0], &mut target[0]);
        put_state(&self.server.base_url(), &state).await;
    }

    fn target(&self) -> InstanceFile {
        let mut state = self.server.state();
        state.instances.remove(1)
    }

    /// The names of the target's pages at the root.
    fn order(&self) -> String {
        below(&self.target(), None, ENGLISH)
    }
}

/// The names of the pages below one, in display order.
fn below(instance: &InstanceFile, parent: Option<&str>, locale: &str) -> String {
    let parent = parent.map_or(-1, |name| id(instance, name));
    let is_there = |row: &&Row| row["parentPageID"] == parent && row["locale"] == locale;
    let pages = instance.pages.iter().filter(is_there);
    pages.map(|row| row["name"].as_str().unwrap()).collect()
}

/// Whether the run names the place of a page among what it left alone, though it wrote the page.
fn is_named_as_left(ran: &Ran, page: i64) -> bool {
    let report = ran.report.as_ref().unwrap();
    let mut differences = report.differences.iter().flatten();
    differences.any(|found| {
        let is_place = found.difference == DifferenceKind::WrongOrder;
        is_place && found.left_alone && found.key.id.raw() == page
    })
}

fn id(instance: &InstanceFile, name: &str) -> i64 {
    let found = instance.pages.iter().find(|row| row["name"] == name);
    found.unwrap()["pageID"].as_i64().unwrap()
}

fn find<'a>(instance: &'a mut InstanceFile, name: &str) -> &'a mut Row {
    let found = instance.pages.iter_mut().find(|row| row["name"] == name);
    found.unwrap()
}

fn title(instance: &InstanceFile, name: &str) -> String {
    let found = instance.pages.iter().find(|row| row["name"] == name);
    found.unwrap()["title"].as_str().unwrap().to_owned()
}

fn retitle(instance: &mut InstanceFile, name: &str, title: &str) {
    find(instance, name).insert("title".to_owned(), title.into());
}

fn state(instance: &InstanceFile, name: &str) -> Value {
    let found = instance.pages.iter().find(|row| row["name"] == name);
    found.unwrap()["properties"]["state"].clone()
}

fn set_state(instance: &mut InstanceFile, name: &str, state: i64) {
    find(instance, name)["properties"]["state"] = state.into();
}

/// Lets the pages of a locale stand in this order; those that are not named come behind.
fn reorder(instance: &mut InstanceFile, names: &str, locale: &str) {
    let rank = |row: &Row| {
        let name = row["name"].as_str().unwrap();
        names.find(name).unwrap_or(usize::MAX)
    };
    let is_here = |row: &Row| row["locale"] == locale;
    let key = |row: &Row| is_here(row).then(|| rank(row));
    instance.pages.sort_by_key(key);
}

fn remove(instance: &mut InstanceFile, name: &str) {
    instance.pages.retain(|row| row["name"] != name);
}

fn move_below(instance: &mut InstanceFile, name: &str, parent: Option<&str>) {
    let parent = parent.map_or(-1, |parent| id(instance, parent));
    find(instance, name).insert("parentPageID".to_owned(), parent.into());
}

fn outcome_of(ran: &Ran, instance: i64) -> Outcome {
    let key = format!("page:{instance}@{ENGLISH}").parse().unwrap();
    ran.outcomes()[&key].clone()
}

/// Every order of some letters.
fn permutations(names: &str) -> Vec<String> {
    if names.is_empty() {
        return vec![String::new()];
    }
    let mut all = Vec::new();
    for (at, first) in names.char_indices() {
        let rest = format!("{}{}", &names[..at], &names[at + 1..]);
        all.extend(
            permutations(&rest)
                .iter()
                .map(|rest| format!("{first}{rest}")),
        );
    }
    all
}

/// The source moved a page in front while the target edited its title, and the title was lost.
#[tokio::test]
async fn a_title_of_the_target_survives_a_move_of_the_source() {
    let mut site = Site::synced(roots(&["a", "b", "c"], ENGLISH)).await;
    site.edit(|source, target| {
        reorder(source, "cab", ENGLISH);
        retitle(target, "c", "edited there");
    })
    .await;
    site.in_sync().await;
    assert_eq!(site.order(), "cab");
    assert_eq!(title(&site.target(), "c"), "edited there");
    site.is_quiet().await;
}

#[tokio::test]
async fn a_move_of_the_target_survives_an_edit_of_the_source() {
    let mut site = Site::synced(roots(&["a", "b", "c"], ENGLISH)).await;
    site.edit(|source, target| {
        retitle(source, "c", "edited here");
        reorder(target, "cab", ENGLISH);
    })
    .await;
    let ran = site.in_sync().await;
    assert!(is_named_as_left(&ran, 86));
    assert_eq!(site.order(), "cab");
    assert_eq!(title(&site.target(), "c"), "edited here");
    site.is_quiet().await;
    assert_eq!(site.order(), "cab");
}

/// What stands there says what was sent, whether the request moved it or not.
#[tokio::test]
async fn a_move_without_an_answer_is_not_taken_for_done() {
    for moment in ["before", "after"] {
        let mut site = Site::synced(roots(&["a", "b", "c"], ENGLISH)).await;
        site.setup.options.settle = Duration::from_millis(200);
        site.edit(|source, _| reorder(source, "cab", ENGLISH)).await;
        let fault = format!("reset={moment},method=POST,path={TARGET}/en-us/page,count=1");
        site.server.strike_with(&[fault.parse().unwrap()]);
        site.in_sync().await;
        assert_eq!(site.server.struck(), 1);
        assert_eq!(site.order(), "cab");
        site.is_quiet().await;
    }
}

/// It was moved back by every run.
#[tokio::test]
async fn a_move_that_only_the_target_made_is_left_alone() {
    let mut site = Site::synced(roots(&["a", "b", "c", "d"], ENGLISH)).await;
    site.edit(|_, target| reorder(target, "dabc", ENGLISH))
        .await;
    site.is_quiet().await;
    site.edit(|source, _| retitle(source, "b", "edited here"))
        .await;
    site.in_sync().await;
    assert_eq!(site.order(), "dabc");
    // The source moves another one: each keeps its place.
    site.edit(|source, _| reorder(source, "bacd", ENGLISH))
        .await;
    site.in_sync().await;
    let order = site.order();
    assert_eq!(order.replace('d', ""), "bac");
    assert!(order.find('d') < order.find('a'), "{order}");
    site.is_quiet().await;
}

#[tokio::test]
async fn a_page_that_both_moved_is_a_conflict_until_the_source_may_overwrite() {
    let mut site = Site::synced(roots(&["a", "b", "c", "d", "e"], ENGLISH)).await;
    site.edit(|source, target| {
        reorder(source, "eabcd", ENGLISH);
        reorder(target, "abecd", ENGLISH);
    })
    .await;
    let before = site.writes();
    for _ in 0..2 {
        let ran = site.run().await;
        assert_eq!(ran.report.as_ref().unwrap().conflicts, 1);
        assert_eq!(outcome_of(&ran, 72), Outcome::Conflict);
        assert_eq!(site.writes(), before);
    }
    site.overwrite().await;
    assert_eq!(site.order(), "eabcd");
    site.is_quiet().await;
}

/// When the pages that the target's was moved across were gone, its place was the agreed one, and the source's was taken.
#[tokio::test]
async fn a_page_that_both_moved_stays_a_conflict_when_its_siblings_go() {
    let mut site = Site::synced(roots(&["a", "b", "c", "d"], ENGLISH)).await;
    site.edit(|source, target| {
        reorder(source, "acdb", ENGLISH);
        reorder(target, "bacd", ENGLISH);
    })
    .await;
    let ran = site.run().await;
    assert_eq!(ran.report.as_ref().unwrap().conflicts, 1);
    site.edit(|source, target| {
        for side in [source, target] {
            remove(side, "a");
        }
    })
    .await;
    let before = site.writes();
    for _ in 0..2 {
        let ran = site.run().await;
        assert_eq!(ran.report.as_ref().unwrap().conflicts, 1);
        assert_eq!((site.order().as_str(), site.writes()), ("bcd", before));
    }
    // An editor who puts it where the source has it ends the conflict.
    site.edit(|_, target| reorder(target, "cdb", ENGLISH)).await;
    site.is_quiet().await;
    site.edit(|source, _| reorder(source, "bcd", ENGLISH)).await;
    site.in_sync().await;
    assert_eq!(site.order(), "bcd");
}

#[tokio::test]
async fn a_page_that_both_moved_alike_is_in_sync() {
    let mut site = Site::synced(roots(&["a", "b", "c", "d"], ENGLISH)).await;
    site.edit(|source, target| {
        reorder(source, "dabc", ENGLISH);
        reorder(target, "dabc", ENGLISH);
    })
    .await;
    site.is_quiet().await;
    // That is what they agree on from now on.
    site.edit(|source, _| reorder(source, "abcd", ENGLISH))
        .await;
    site.in_sync().await;
    assert_eq!(site.order(), "abcd");
    site.is_quiet().await;
}

/// A save leaves a page unpublished, whatever it changes.
#[tokio::test]
async fn a_page_that_only_moved_stays_published() {
    let mut site = Site::synced(roots(&["a", "b", "c"], ENGLISH)).await;
    site.edit(|source, target| {
        reorder(source, "cab", ENGLISH);
        for name in ["a", "b", "c"] {
            set_state(target, name, 2);
        }
    })
    .await;
    site.in_sync().await;
    assert_eq!(site.order(), "cab");
    for name in ["a", "b", "c"] {
        assert_eq!(state(&site.target(), name), 2, "{name}");
    }
    site.is_quiet().await;
}

#[tokio::test]
async fn edits_that_the_target_has_not_published_stay_unpublished() {
    let mut site = Site::synced(roots(&["a", "b", "c"], ENGLISH)).await;
    site.edit(|source, target| {
        reorder(source, "cab", ENGLISH);
        retitle(target, "c", "draft");
        set_state(target, "c", 1);
    })
    .await;
    site.in_sync().await;
    assert_eq!(site.order(), "cab");
    assert_eq!(title(&site.target(), "c"), "draft");
    assert_eq!(state(&site.target(), "c"), 1);
}

/// One page goes to the end: it is put in front of the last one, which is then put in front of it.
#[tokio::test]
async fn a_move_to_the_end_writes_no_long_row() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let mut site = Site::synced(roots(&names, ENGLISH)).await;
    site.edit(|source, _| reorder(source, "bcdefgha", ENGLISH))
        .await;
    let before = site.writes();
    site.in_sync().await;
    assert_eq!(site.order(), "bcdefgha");
    let saves = site.server.writes(TARGET).split_off(before);
    let saves = saves.iter().filter(|write| write.path.ends_with("/page"));
    assert_eq!(saves.count(), 2);
    site.is_quiet().await;
}

#[tokio::test]
async fn pages_of_the_target_alone_stay_where_they_are() {
    let mut site = Site::synced(roots(&["a", "b", "c"], ENGLISH)).await;
    site.edit(|source, target| {
        reorder(source, "bca", ENGLISH);
        target.pages.push(page(2_000_001, "x", -1, ENGLISH));
        target.pages.push(page(2_000_002, "y", -1, ENGLISH));
        reorder(target, "axbcy", ENGLISH);
    })
    .await;
    site.in_sync().await;
    let order = site.order();
    let at = |name| order.find(name).unwrap();
    assert!(at("b") < at("c") && at("c") < at("a"), "{order}");
    assert!(at("x") < at("b") && at("c") < at("y"), "{order}");
    site.is_quiet().await;
}

fn tree() -> Vec<Row> {
    let mut pages = roots(&["a", "b", "c"], ENGLISH);
    let parent = pages[0]["pageID"].as_i64().unwrap();
    pages.push(page(10, "k", parent, ENGLISH));
    pages.push(page(11, "l", parent, ENGLISH));
    pages
}

#[tokio::test]
async fn another_parent_on_the_source_and_an_edit_on_the_target_both_survive() {
    let mut site = Site::synced(tree()).await;
    site.edit(|source, target| {
        move_below(source, "k", Some("b"));
        move_below(source, "l", None);
        retitle(target, "k", "edited there");
    })
    .await;
    site.in_sync().await;
    let target = site.target();
    assert_eq!(below(&target, Some("b"), ENGLISH), "k");
    assert_eq!(below(&target, Some("a"), ENGLISH), "");
    assert_eq!(title(&target, "k"), "edited there");
    site.is_quiet().await;
}

#[tokio::test]
async fn another_parent_on_the_target_and_an_edit_on_the_source_both_survive() {
    let mut site = Site::synced(tree()).await;
    site.edit(|source, target| {
        retitle(source, "k", "edited here");
        move_below(target, "k", Some("b"));
    })
    .await;
    let ran = site.in_sync().await;
    assert!(is_named_as_left(&ran, 10));
    let target = site.target();
    assert_eq!(below(&target, Some("b"), ENGLISH), "k");
    assert_eq!(title(&target, "k"), "edited here");
    site.is_quiet().await;
}

#[tokio::test]
async fn two_other_parents_are_a_conflict() {
    let mut site = Site::synced(tree()).await;
    site.edit(|source, target| {
        move_below(source, "k", Some("b"));
        move_below(target, "k", Some("c"));
    })
    .await;
    let before = site.writes();
    let ran = site.run().await;
    assert_eq!(outcome_of(&ran, 10), Outcome::Conflict);
    assert_eq!(site.writes(), before);
    site.overwrite().await;
    assert_eq!(below(&site.target(), Some("b"), ENGLISH), "k");
    site.is_quiet().await;
}

/// The child is put below a page that is still below the child, unless that one moves first.
#[tokio::test]
async fn a_parent_and_its_child_change_places_in_one_run() {
    let mut site = Site::synced(tree()).await;
    site.edit(|source, _| {
        move_below(source, "k", None);
        move_below(source, "a", Some("k"));
    })
    .await;
    site.in_sync().await;
    let target = site.target();
    assert_eq!(below(&target, Some("k"), ENGLISH), "a");
    assert_eq!(below(&target, Some("a"), ENGLISH), "l");
    site.is_quiet().await;
}

#[tokio::test]
async fn locales_have_orders_of_their_own() {
    let mut pages = roots(&["a", "b", "c"], ENGLISH);
    pages.extend(roots(&["a", "b", "c"], FRENCH));
    let mut site = Site::with(pages, &[ENGLISH, FRENCH], mock::Options::default()).await;
    site.in_sync().await;
    site.edit(|source, target| {
        reorder(source, "cab", ENGLISH);
        reorder(source, "bca", FRENCH);
        retitle(target, "c", "edited there");
    })
    .await;
    site.in_sync().await;
    assert_eq!(below(&site.target(), None, ENGLISH), "cab");
    assert_eq!(below(&site.target(), None, FRENCH), "bca");
    assert_eq!(title(&site.target(), "c"), "edited there");
    site.is_quiet().await;
}

/// Moves and new siblings among four pages: 5 to 8 of 12 were in another order after the first run.
async fn all_orders_arrive(schedule: Schedule) {
    let mut wrong = Vec::new();
    for (number, order) in (0..).zip(permutations("abcd")) {
        let options = mock::Options {
            jitter: std::time::Duration::from_millis(4),
            seed: number,
            ..mock::Options::default()
        };
        let mut site = Site::with(roots(&["a", "b", "c", "d"], ENGLISH), &[ENGLISH], options).await;
        site.setup.options.schedule = schedule;
        site.in_sync().await;
        // Two new ones each at a place of its own.
        let at = usize::try_from(number % 5).unwrap();
        let order = format!("{}x{}y", &order[..at], &order[at..]);
        site.edit(|source, _| {
            for (id, name) in [(301, "x"), (55, "y")] {
                source.pages.push(page(id, name, -1, ENGLISH));
            }
            reorder(source, &order, ENGLISH);
        })
        .await;
        let ran = site.run().await;
        let found = site.order();
        let differences = ran.report.unwrap().differences.unwrap();
        if found != order || !differences.is_empty() {
            wrong.push(format!("{order}: {found} {differences:?}"));
        }
        site.server.stop().await;
    }
    assert!(
        wrong.is_empty(),
        "{} of 24:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[tokio::test]
async fn every_order_of_moved_and_new_siblings_arrives_in_one_run_pipelined() {
    all_orders_arrive(Schedule::Pipelined).await;
}

#[tokio::test]
async fn every_order_of_moved_and_new_siblings_arrives_in_one_run_phased() {
    all_orders_arrive(Schedule::Phased).await;
}

/// How many pages were at the target at one time, at most.
fn at_once(ran: &Ran) -> usize {
    let (mut now, mut most) = (0, 0);
    for event in &ran.events {
        match event {
            Event::BatchSubmitted { .. } => now += 1,
            Event::BatchFinished { .. } => now -= 1,
            _ => {}
        }
        most = most.max(now);
    }
    most
}

/// New pages of one row are at the target together. This one begins them all at once, and half of them take longer.
#[tokio::test]
async fn new_siblings_are_put_in_order_where_batches_overtake_one_another() {
    let names: Vec<String> = ('a'..='n').map(String::from).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut moved = 0;
    for seed in 0..6 {
        let options = mock::Options {
            batches: mock::BatchWork {
                workers: None,
                batch_time: Duration::from_millis(60),
                stall: Some(mock::Stall {
                    share: 0.5,
                    time: Duration::from_millis(90),
                }),
                ..mock::BatchWork::default()
            },
            seed,
            ..mock::Options::default()
        };
        let mut rows = roots(&names, ENGLISH);
        rows.extend((0..6).map(|at| page(300 - at, &format!("x{at}"), 100, ENGLISH)));
        rows.extend(roots(&names, FRENCH));
        let mut site = Site::with(rows, &[ENGLISH, FRENCH], options).await;
        let ran = site.in_sync().await;
        for locale in [ENGLISH, FRENCH] {
            assert_eq!(below(&site.target(), None, locale), names.concat());
        }
        assert_eq!(below(&site.target(), Some("a"), ENGLISH), "x0x1x2x3x4x5");
        assert!(at_once(&ran) > 4, "siblings waited for one another");
        moved += site.writes() - (2 * names.len() + 6);
        site.is_quiet().await;
        site.server.stop().await;
    }
    assert!(moved > 0, "no batch overtook another");
}

/// What a run leaves that ended before it looked at the order is put right by the next one.
#[tokio::test]
async fn the_order_of_new_siblings_is_owed_until_it_was_looked_at() {
    let pages = roots(&["a", "b", "c", "d", "e", "f"], ENGLISH);
    let mut site = Site::with(pages, &[ENGLISH], mock::Options::default()).await;
    site.setup.options.verify = false;
    site.run().await;
    site.edit(|_, target| reorder(target, "bacdfe", ENGLISH))
        .await;
    site.setup.options.verify = true;
    site.in_sync().await;
    assert_eq!(site.order(), "abcdef");
    site.is_quiet().await;
}
