//! A selection takes what belongs to an item, and says why.

use std::collections::BTreeMap;

use lockgate::mock::file::StateFile;
use serde_json::{Value, json};

use crate::binary::{Ended, Workspace, end_of};
use crate::support::{TARGET, empty_target, fixture, instances, serve};

/// `nested-grids` with a shared list that the grid refers to as a whole.
fn state() -> StateFile {
    let mut all = instances(&fixture("nested-grids"));
    let source = &mut all.instances[0];
    let grid = source
        .models
        .iter_mut()
        .find(|model| model["referenceName"] == "CardGrid");
    let news = json!({
        "name": "News", "label": "News", "type": "Content", "itemOrder": 9, "isDataField": true,
        "settings": { "ContentDefinition": "CardLink", "ContentView": "news", "SharedContent": "news" },
    });
    grid.unwrap()["fields"].as_array_mut().unwrap().push(news);
    let mut list = source.containers[2].clone();
    list["contentViewID"] = json!(190);
    list["referenceName"] = json!("news");
    list["contentViewName"] = json!("news");
    list["isShared"] = json!(true);
    source.containers.push(list);
    for id in [1900, 1901] {
        let mut item = source.content[5].clone();
        item["contentID"] = json!(id);
        item["properties"]["referenceName"] = json!("news");
        source.content.push(item);
    }
    source.content[0]["fields"]["news"] = json!({ "referencename": "news", "fulllist": true });
    let locales = source.locales.clone();
    all.instances.truncate(1);
    all.instances.push(empty_target(&locales));
    all
}

/// The entities of `plan --output json`, by key.
fn planned(done: &Ended) -> BTreeMap<String, Value> {
    let plan: Value = serde_json::from_str(&done.stdout)
        .unwrap_or_else(|error| json!([error.to_string(), done.stderr]));
    let entities = plan["entities"].as_array().unwrap().iter();
    entities
        .map(|one| (one["key"].as_str().unwrap().to_owned(), one.clone()))
        .collect()
}

/// The container of a private grid arrived, and was empty.
#[tokio::test]
async fn a_private_grid_comes_with_its_items() {
    let selections: [&[&str]; 4] = [
        &["--pages", "20"],
        &["--content", "1000"],
        &["--containers", "home_CardGrid"],
        &["--models-with-deps", "CardGrid"],
    ];
    for selection in selections {
        let (workspace, server) = (Workspace::new(), serve(state()).await);
        let done = end_of(workspace.sync(&server, selection)).await;
        assert_eq!(
            done.code,
            Some(0),
            "{selection:?}: {}{}",
            done.stdout,
            done.stderr
        );
        let mut all = server.state().instances;
        all.retain(|instance| instance.guid == TARGET);
        let titles: Vec<&str> = all[0]
            .content
            .iter()
            .filter_map(|item| item["fields"]["Title"].as_str())
            .collect();
        for title in [
            "Plan a visit",
            "Get in touch",
            "Open every day",
            "Timetable",
            "Prices",
        ] {
            let count = titles.iter().filter(|one| **one == title).count();
            assert_eq!(count, 1, "{selection:?}: {title} in {titles:?}");
        }
        server.stop().await;
    }
}

/// A shared list is not taken with whoever shows it, and that is said, as is why each entity is there.
#[tokio::test]
async fn what_is_included_says_why_and_a_shared_list_stays_out() {
    let (workspace, server) = (Workspace::new(), serve(state()).await);
    let args = ["--pages", "20", "--output", "json"];
    let done = end_of(workspace.between("plan", &server.base_url(), &args)).await;
    let plan = planned(&done);
    let because = |key: &str| plan[key]["because"].as_str().unwrap().to_owned();
    assert!(!because("page:20@en-us").contains("included"));
    for (key, why) in [
        (
            "content:1000@en-us",
            "included because page:20@en-us refers to it",
        ),
        ("content:1001@en-us", "content:1000@en-us"),
        (
            "content:1004@en-us",
            "included because it stands in a list of content:1001@en-us",
        ),
        ("template:5", "included because page:20@en-us refers to it"),
    ] {
        assert!(because(key).contains(why), "{key}: {}", because(key));
    }
    assert_eq!(plan["content:1900@en-us"]["action"], "out-of-scope");
    let said = "list `news` is referred to and is not in the selection: 2 items";
    assert!(done.stderr.contains(said), "{}", done.stderr);
    let args = ["--pages", "20", "--dry-run"];
    let done = end_of(workspace.sync(&server, &args)).await;
    assert!(
        format!("{}{}", done.stdout, done.stderr).contains(said),
        "{}",
        done.stderr
    );
    server.stop().await;
}

/// `--elements` was ignored without a word where a name was given as well.
#[tokio::test]
async fn kinds_and_names_exclude_each_other() {
    let (workspace, server) = (Workspace::new(), serve(state()).await);
    for name in [
        ["--containers", "home_CardGrid"],
        ["--models", "CardGrid"],
        ["--models-with-deps", "CardGrid"],
        ["--content", "1000"],
        ["--pages", "20"],
    ] {
        let args = ["--elements", "Content", name[0], name[1]];
        let done = end_of(workspace.sync(&server, &args)).await;
        assert_eq!(done.code, Some(2), "{name:?}: {}", done.stderr);
        assert!(
            done.stderr.contains("cannot be used together"),
            "{}",
            done.stderr
        );
        assert!(done.stderr.contains("sync.elements"), "{}", done.stderr);
    }
    assert!(server.writes(TARGET).is_empty());
    server.stop().await;
}
