//! The order of the items of a list: who sorted it, and what arrives.

use std::collections::BTreeMap;

use lockgate::domain::Outcome;
use lockgate::mock::file::{InstanceFile, Row};
use serde_json::{Value, json};

use crate::moves::Site;
use crate::support::{Ran, SOURCE};

/// A list of `titles` in this order.
fn source(titles: &[&str]) -> InstanceFile {
    let rows = |rows: Value| -> Vec<Row> { serde_json::from_value(rows).unwrap() };
    let item = |(at, title): (i64, &&str)| {
        json!({ "contentID": 31 + at, "locale": "en-us", "fields": { "title": title, "note": "" },
                "properties": { "state": 2, "versionID": 31 + at, "referenceName": "posts", "definitionName": "Post",
                                "itemOrder": at } })
    };
    InstanceFile {
        guid: SOURCE.to_owned(),
        locales: vec!["en-us".to_owned()],
        models: rows(
            json!([{ "id": 11, "referenceName": "Post", "displayName": "Post", "contentDefinitionTypeID": 1,
            "fields": [{ "name": "Title", "type": "Text", "settings": {}, "itemOrder": 0 },
                       { "name": "Note", "type": "Text", "settings": {}, "itemOrder": 1 }] }]),
        ),
        containers: rows(
            json!([{ "contentViewID": 21, "referenceName": "posts", "contentViewName": "posts",
            "contentDefinitionID": 11, "contentDefinitionName": "Post", "contentDefinitionTypeID": 1, "isShared": true }]),
        ),
        content: rows((0..).zip(titles).map(item).collect()),
        ..InstanceFile::default()
    }
}

/// A text of an item; the sides spell the keys of fields in different cases.
fn field<'a>(item: &'a mut Row, name: &str) -> &'a mut Value {
    let fields = item["fields"].as_object_mut().unwrap();
    let found = fields
        .keys()
        .find(|key| key.eq_ignore_ascii_case(name))
        .cloned();
    fields
        .entry(found.unwrap_or_else(|| name.to_owned()))
        .or_insert(Value::Null)
}

fn item<'a>(side: &'a mut InstanceFile, title: &str) -> &'a mut Row {
    let is_it = |item: &mut Row| *field(item, "title") == title;
    let at = side.content.iter_mut().position(is_it).unwrap();
    &mut side.content[at]
}

fn remove(side: &mut InstanceFile, title: &str) {
    side.content
        .retain_mut(|item| *field(item, "title") != title);
}

/// Gives the items of a list the order of `titles`.
fn sort(side: &mut InstanceFile, titles: &[&str]) {
    for (at, title) in titles.iter().enumerate() {
        item(side, title)["properties"]["itemOrder"] = at.into();
    }
}

/// The titles of a list in its order.
fn titles(mut side: InstanceFile) -> Vec<String> {
    let numbered = side.content.iter_mut().map(|item| {
        let number = item["properties"]["itemOrder"].as_i64();
        (number, field(item, "title").as_str().unwrap().to_owned())
    });
    let mut all: Vec<_> = numbered.collect();
    all.sort();
    all.into_iter().map(|(_, title)| title).collect()
}

fn outcomes(ran: &Ran) -> BTreeMap<String, Outcome> {
    let all = ran.outcomes().into_iter();
    let content = all.filter(|(key, _)| key.locale.is_some());
    content
        .map(|(key, outcome)| (key.to_string(), outcome))
        .collect()
}

#[tokio::test]
async fn a_list_that_the_source_sorts_arrives_in_its_order() {
    let mut site = Site::of(source(&["a", "b", "c", "d"])).await;
    assert_eq!(titles(site.target()), ["a", "b", "c", "d"]);
    site.edit_both(|source, _| sort(source, &["d", "b", "a", "c"]))
        .await;
    site.in_sync().await;
    assert_eq!(titles(site.target()), ["d", "b", "a", "c"]);
    site.is_quiet().await;
}

/// The others get their numbers once, and what was read-only gets its own as soon as it may be written.
#[tokio::test]
async fn a_list_with_an_item_that_is_not_written_is_sorted_around_it() {
    let mut site = Site::of(source(&["a", "b", "c", "d"])).await;
    site.setup.looks = false;
    site.setup.read_only = vec!["content:posts/a".to_owned()];
    site.edit_both(|source, _| sort(source, &["d", "b", "c", "a"]))
        .await;
    Box::pin(site.setup.sync(&site.server.base_url())).await;
    let before = site.server.writes(crate::support::TARGET).len();
    Box::pin(site.setup.sync(&site.server.base_url())).await;
    assert_eq!(site.server.writes(crate::support::TARGET).len(), before);
    let mut target = site.target();
    assert_eq!(item(&mut target, "a")["properties"]["itemOrder"], 0);
    site.setup.read_only.clear();
    site.setup.looks = true;
    site.in_sync().await;
    assert_eq!(titles(site.target()), ["d", "b", "c", "a"]);
    site.is_quiet().await;
}

#[tokio::test]
async fn a_list_that_the_target_sorts_is_left_alone_whatever_else_changes() {
    let mut site = Site::of(source(&["a", "b", "c", "d"])).await;
    site.setup.looks = false;
    site.edit_both(|_, target| sort(target, &["d", "a", "b", "c"]))
        .await;
    let before = site.server.writes(crate::support::TARGET).len();
    let ran = Box::pin(site.setup.sync(&site.server.base_url())).await;
    assert_eq!(site.server.writes(crate::support::TARGET).len(), before);
    let left = outcomes(&ran);
    let left = left
        .values()
        .filter(|outcome| **outcome == Outcome::LeftAlone);
    assert_eq!(left.count(), 1);

    site.edit_both(|source, _| {
        *field(item(source, "d"), "note") = "edited".into();
        // A new one in front gives the others new numbers, and sorts nothing.
        let mut new = source.content[0].clone();
        new.insert("contentID".to_owned(), 90.into());
        *field(&mut new, "title") = "new".into();
        source.content.push(new);
        sort(source, &["new", "a", "b", "c", "d"]);
    })
    .await;
    let ran = Box::pin(site.setup.sync(&site.server.base_url())).await;
    let report = ran.report.unwrap();
    assert_eq!((report.failed, report.conflicts), (0, 0));
    let mut target = site.target();
    assert_eq!(*field(item(&mut target, "d"), "note"), "edited");
    let mut order = titles(target);
    order.retain(|title| title != "new");
    assert_eq!(order, ["d", "a", "b", "c"]);
}

#[tokio::test]
async fn a_list_that_both_sort_is_a_conflict_that_overwrite_decides() {
    let mut site = Site::of(source(&["a", "b", "c", "d"])).await;
    site.setup.looks = false;
    site.edit_both(|source, target| {
        sort(source, &["b", "a", "c", "d"]);
        sort(target, &["a", "d", "b", "c"]);
    })
    .await;
    let ran = Box::pin(site.setup.sync(&site.server.base_url())).await;
    assert!(ran.report.unwrap().conflicts > 0);
    assert_eq!(titles(site.target()), ["a", "d", "b", "c"]);
    site.setup.overwrite = true;
    site.in_sync().await;
    assert_eq!(titles(site.target()), ["b", "a", "c", "d"]);
    site.is_quiet().await;
}

/// When the items that the target had sorted were gone, its order was the agreed one, and the source's was taken.
#[tokio::test]
async fn a_list_that_both_sorted_stays_a_conflict_when_items_go() {
    let mut site = Site::of(source(&["a", "b", "c", "d"])).await;
    site.setup.looks = false;
    site.edit_both(|source, target| {
        sort(source, &["a", "b", "d", "c"]);
        sort(target, &["b", "a", "c", "d"]);
    })
    .await;
    let ran = Box::pin(site.setup.sync(&site.server.base_url())).await;
    assert!(ran.report.unwrap().conflicts > 0);
    site.edit_both(|source, target| {
        for side in [source, target] {
            remove(side, "a");
        }
    })
    .await;
    for _ in 0..2 {
        let ran = Box::pin(site.setup.sync(&site.server.base_url())).await;
        assert!(ran.report.unwrap().conflicts > 0);
        assert_eq!(titles(site.target()), ["b", "c", "d"]);
    }
    site.edit_both(|_, target| sort(target, &["b", "d", "c"]))
        .await;
    site.setup.looks = true;
    site.is_quiet().await;
}

#[tokio::test]
async fn both_sort_a_list_alike_and_nothing_is_written() {
    let mut site = Site::of(source(&["a", "b", "c"])).await;
    site.edit_both(|source, target| {
        sort(source, &["c", "a", "b"]);
        sort(target, &["c", "a", "b"]);
    })
    .await;
    site.is_quiet().await;
    site.edit_both(|source, _| sort(source, &["a", "b", "c"]))
        .await;
    site.in_sync().await;
    assert_eq!(titles(site.target()), ["a", "b", "c"]);
}

#[tokio::test]
async fn a_sorted_list_keeps_what_the_target_edited_in_an_item() {
    let mut site = Site::of(source(&["a", "b", "c"])).await;
    site.setup.looks = false;
    site.edit_both(|source, target| {
        sort(source, &["b", "c", "a"]);
        *field(item(target, "b"), "note") = "of the target".into();
    })
    .await;
    let ran = Box::pin(site.setup.sync(&site.server.base_url())).await;
    let report = ran.report.unwrap();
    assert_eq!((report.failed, report.conflicts), (0, 0));
    let mut target = site.target();
    assert_eq!(*field(item(&mut target, "b"), "note"), "of the target");
}

/// What is there says what was sent, whether the request sorted it or not.
#[tokio::test]
async fn a_sorting_without_an_answer_is_not_taken_for_done() {
    for moment in ["before", "after"] {
        let mut site = Site::of(source(&["a", "b", "c"])).await;
        site.setup.options.settle = std::time::Duration::from_millis(200);
        site.edit_both(|source, _| sort(source, &["c", "a", "b"]))
            .await;
        let fault = format!("reset={moment},method=POST,path=/item/multi,count=1");
        site.server.strike_with(&[fault.parse().unwrap()]);
        site.in_sync().await;
        assert_eq!(site.server.struck(), 1);
        assert_eq!(titles(site.target()), ["c", "a", "b"]);
        site.is_quiet().await;
    }
}

/// Items of one number stand in no order.
#[tokio::test]
async fn a_list_without_order_is_not_sorted() {
    let mut site = Site::of(source(&["a", "b", "c"])).await;
    let none = |side: &mut InstanceFile| {
        for item in &mut side.content {
            item["properties"]["itemOrder"] = 0.into();
        }
    };
    site.edit_both(|source, _| none(source)).await;
    site.is_quiet().await;
    site.edit_both(|_, target| none(target)).await;
    site.is_quiet().await;
}
