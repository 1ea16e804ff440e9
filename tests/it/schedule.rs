//! Release and pull dates of items and pages: carried, compared, and shown in the plan.

use lockgate::mock::file::{InstanceFile, Row};
use serde_json::Value;

use crate::apply::Stage;
use crate::support::{SOURCE, TARGET};

/// An article and a page of the source.
const ITEM: i64 = 1020;

/// Sets the dates of an item, whose properties have them.
fn set_item(instance: &mut InstanceFile, id: i64, dates: (Value, Value)) {
    let item = of(&mut instance.content, "contentID", id);
    item["properties"]["releaseDate"] = dates.0;
    item["properties"]["pullDate"] = dates.1;
}

/// Sets the dates of a page.
fn set_page(instance: &mut InstanceFile, id: i64, dates: (Value, Value)) {
    let page = of(&mut instance.pages, "pageID", id);
    page.insert("releaseDate".to_owned(), dates.0);
    page.insert("pullDate".to_owned(), dates.1);
}

fn of<'r>(rows: &'r mut [Row], member: &str, id: i64) -> &'r mut Row {
    let mut rows = rows.iter_mut();
    rows.find(|row| row[member] == id && row["locale"] == "en-us")
        .unwrap()
}

/// All dates of an instance, in some order.
fn dates(instance: &InstanceFile) -> Vec<(Value, Value)> {
    let items = instance.content.iter().map(|item| {
        let properties = &item["properties"];
        (
            properties["releaseDate"].clone(),
            properties["pullDate"].clone(),
        )
    });
    let get = |page: &Row, name: &str| page.get(name).cloned().unwrap_or_default();
    let pages = instance.pages.iter();
    let pages = pages.map(|page| (get(page, "releaseDate"), get(page, "pullDate")));
    let mut all: Vec<_> = items
        .chain(pages)
        .filter(|(release, pull)| !(release.is_null() && pull.is_null()))
        .collect();
    all.sort_by_key(|(release, pull)| format!("{release}{pull}"));
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dates_of_items_and_pages_arrive_are_compared_and_stand_in_the_plan() {
    let stage = Stage::new().await;
    let page = stage.instance(SOURCE).pages[0]["pageID"].as_i64().unwrap();
    let first = ("2031-01-01T08:00:00".into(), "2031-02-01T08:00:00".into());
    let second = ("2031-01-02T08:00:00".into(), Value::Null);
    stage
        .edit(|source, _| {
            set_item(source, ITEM, first);
            set_page(source, page, second);
        })
        .await;
    stage.ends("sync", &["--publish"], 0).await;
    let arrived = dates(&stage.instance(TARGET));
    assert_eq!(arrived, dates(&stage.instance(SOURCE)));
    assert_eq!(arrived.len(), 2, "{arrived:?}");
    let count = stage.writes();
    stage.ends("sync", &["--publish"], 0).await;
    assert_eq!(stage.writes(), count, "the second run wrote");

    // One date moves, and another one goes.
    stage
        .edit(|source, _| {
            set_item(source, ITEM, (Value::Null, "2031-03-01T08:00:00".into()));
            set_page(source, page, (Value::Null, "2031-04-01T08:00:00".into()));
        })
        .await;
    let plan = stage.ends("plan", &["--no-pager"], 0).await;
    for text in [
        "releasedate: 2031-01-01T08:00:00 → (nothing)",
        "pulldate: 2031-02-01T08:00:00 → 2031-03-01T08:00:00",
        "releasedate: 2031-01-02T08:00:00 → (nothing)",
        "pulldate: (nothing) → 2031-04-01T08:00:00",
    ] {
        assert!(plan.stdout.contains(text), "{text}: {}", plan.stdout);
    }
    stage.ends("sync", &["--publish"], 0).await;
    assert_eq!(
        dates(&stage.instance(TARGET)),
        dates(&stage.instance(SOURCE))
    );

    // A date that the target sets is a difference, and stays.
    stage
        .edit(|_, target| {
            let id = target.pages[0]["pageID"].as_i64().unwrap();
            set_page(target, id, (Value::Null, "2032-01-01T00:00:00".into()));
        })
        .await;
    stage.ends("verify", &[], 1).await;
}
