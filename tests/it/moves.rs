//! What the source moved arrives where it is now, in one run, with everything that refers to it.

use std::collections::BTreeMap;

use lockgate::domain::Outcome;
use lockgate::mock::file::{InstanceFile, Row, StateFile};
use lockgate::mock::{self, Server};
use serde_json::{Value, json};

use crate::support::{Ran, SOURCE, Setup, TARGET, empty_target, put_state, serve_with};

fn rows(rows: Value) -> Vec<Row> {
    let rows: Vec<Row> = serde_json::from_value(rows).unwrap();
    rows
}

/// Two lists, an item that another one links to, and a file that both show, in two galleries.
fn source() -> InstanceFile {
    let fields = json!([
        { "name": "Title", "type": "Text", "settings": {}, "itemOrder": 0 },
        { "name": "Image", "type": "ImageAttachment", "settings": {}, "itemOrder": 1 },
        { "name": "Next", "type": "Content", "itemOrder": 2, "settings": {
            "ContentDefinition": "Post", "RenderAs": "dropdown", "SharedContent": "posts", "ContentView": "posts",
            "LinkedContentNestedTypeID": "0", "LinkeContentDropdownValueField": "NextID" } },
        { "name": "NextID", "type": "Text", "settings": {}, "itemOrder": 3 }
    ]);
    let list = |id: i64, name: &str| {
        json!({ "contentViewID": id, "referenceName": name, "contentViewName": name, "contentDefinitionID": 11,
                "contentDefinitionName": "Post", "contentDefinitionTypeID": 1, "isShared": true })
    };
    let item = |id: i64, locale: &str, next: &str| {
        let url = "{base}/cdn/demo/img/one.txt";
        json!({ "contentID": id, "locale": locale,
                "properties": { "state": 2, "versionID": id, "referenceName": "posts", "definitionName": "Post", "itemOrder": 0 },
                "fields": { "title": format!("item {id}"), "image": { "url": url }, "nextID": next } })
    };
    InstanceFile {
        guid: SOURCE.to_owned(),
        asset_container: "demo".to_owned(),
        locales: vec!["en-us".to_owned(), "fr-ca".to_owned()],
        models: rows(
            json!([{ "id": 11, "referenceName": "Post", "displayName": "Post", "contentDefinitionTypeID": 1,
                              "fields": fields }]),
        ),
        containers: rows(json!([list(21, "posts"), list(22, "archive")])),
        galleries: rows(
            json!([{ "mediaGroupingID": 61, "name": "One", "groupingTypeID": 1 },
                               { "mediaGroupingID": 62, "name": "Two", "groupingTypeID": 1 }]),
        ),
        assets: rows(
            json!([{ "mediaID": 71, "originKey": "img/one.txt", "fileName": "one.txt", "mediaGroupingID": 61,
                              "content": { "text": "bytes" }, "dateModified": "2025-01-01T00:00:00" }]),
        ),
        content: rows(json!([
            item(31, "en-us", ""),
            item(31, "fr-ca", ""),
            item(32, "en-us", "31"),
            item(32, "fr-ca", "31")
        ])),
        ..InstanceFile::default()
    }
}

pub(crate) struct Site {
    pub(crate) server: Server,
    pub(crate) setup: Setup,
}

impl Site {
    async fn synced() -> Self {
        Self::of(source()).await
    }

    /// A pair whose source is brought to an empty target.
    pub(crate) async fn of(source: InstanceFile) -> Self {
        let target = empty_target(&source.locales);
        let state = StateFile {
            instances: vec![source, target],
            ..StateFile::default()
        };
        let options = mock::Options {
            state,
            ..mock::Options::default()
        };
        let server = serve_with(options).await;
        let setup = Setup::new().await;
        let mut site = Self { server, setup };
        site.in_sync().await;
        site
    }

    async fn edit(&self, edit: impl FnOnce(&mut InstanceFile)) {
        self.edit_both(|source, _| edit(source)).await;
    }

    pub(crate) async fn edit_both(&self, edit: impl FnOnce(&mut InstanceFile, &mut InstanceFile)) {
        let mut state = self.server.state();
        let (source, target) = state.instances.split_at_mut(1);
        edit(&mut source[0], &mut target[0]);
        put_state(&self.server.base_url(), &state).await;
    }

    pub(crate) async fn in_sync(&mut self) -> Ran {
        let ran = Box::pin(self.setup.sync(&self.server.base_url())).await;
        let report = ran.report.as_ref().unwrap();
        assert_eq!(
            (report.failed, report.conflicts),
            (0, 0),
            "{:?}",
            ran.outcomes()
        );
        assert_eq!(report.differences.as_deref(), Some(&[][..]));
        ran
    }

    pub(crate) async fn is_quiet(&mut self) {
        let before = self.server.writes(TARGET).len();
        self.in_sync().await;
        assert_eq!(self.server.writes(TARGET).len(), before, "it wrote");
    }

    pub(crate) fn target(&self) -> InstanceFile {
        self.server.state().instances.remove(1)
    }
}

fn outcomes(ran: &Ran) -> BTreeMap<String, Outcome> {
    let all = ran.outcomes().into_iter();
    all.map(|(key, outcome)| (key.to_string(), outcome))
        .collect()
}

/// Lets an asset of the source be at another path, and everything that shows it.
fn put_file(source: &mut InstanceFile, path: &str) {
    let asset = &mut source.assets[0];
    for computed in ["originUrl", "edgeUrl"] {
        asset.remove(computed);
    }
    asset.insert("originKey".to_owned(), path.into());
    let name = path.rsplit('/').next().unwrap();
    asset.insert("fileName".to_owned(), name.into());
    for item in &mut source.content {
        let text = Value::Object(item.clone()).to_string();
        let text = text.replace("img/one.txt", path);
        *item = serde_json::from_str(&text).unwrap();
    }
}

#[tokio::test]
async fn a_file_in_another_folder_is_moved() {
    let mut site = Site::synced().await;
    let id = site.target().assets[0]["mediaID"].clone();
    site.edit(|source| put_file(source, "archive/2025/one.txt"))
        .await;
    site.in_sync().await;
    let target = site.target();
    let files: Vec<&Row> = target
        .assets
        .iter()
        .filter(|row| row["isFolder"] == false)
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!(files[0]["originKey"], "archive/2025/one.txt");
    assert_eq!(files[0]["mediaID"], id);
    assert!(
        Value::from_iter(target.content.clone())
            .to_string()
            .contains("archive/2025/one.txt")
    );
    site.is_quiet().await;
}

#[tokio::test]
async fn a_file_of_another_name_is_new_and_the_old_one_is_named() {
    let mut site = Site::synced().await;
    site.edit(|source| put_file(source, "img/two.txt")).await;
    let ran = site.in_sync().await;
    let plan = &ran.report.as_ref().unwrap().plan;
    let names =
        |because: &str| because.contains("img/one.txt") && because.contains("is left there");
    assert!(plan.entities.iter().any(|planned| names(&planned.because)));
    assert!(
        !Value::from_iter(site.target().content.clone())
            .to_string()
            .contains("one.txt")
    );
    site.is_quiet().await;
}

#[tokio::test]
async fn a_file_changes_its_gallery() {
    let mut site = Site::synced().await;
    site.edit(|source| {
        source.assets[0].insert("mediaGroupingID".to_owned(), 62.into());
        source.assets[0].remove("mediaGroupingName");
    })
    .await;
    site.in_sync().await;
    let target = site.target();
    let two = target
        .galleries
        .iter()
        .find(|row| row["name"] == "Two")
        .unwrap();
    assert_eq!(target.assets[0]["mediaGroupingID"], two["mediaGroupingID"]);
    site.is_quiet().await;
}

/// The server refuses to save an item into another list, so it failed in every run.
#[tokio::test]
async fn an_item_in_another_container_is_created_there_and_the_old_one_is_named() {
    let mut site = Site::synced().await;
    site.edit(|source| {
        for item in source
            .content
            .iter_mut()
            .filter(|row| row["contentID"] == 31)
        {
            item["properties"]["referenceName"] = "archive".into();
        }
    })
    .await;
    let ran = site.in_sync().await;
    let found = outcomes(&ran);
    assert_eq!(found["content:31@en-us"], Outcome::Created);
    assert_eq!(found["content:31@fr-ca"], Outcome::Created);
    let plan = &ran.report.as_ref().unwrap().plan;
    let names = |because: &str| because.contains("in posts, is left there");
    assert!(plan.entities.iter().any(|planned| names(&planned.because)));
    let target = site.target();
    let moved = target
        .content
        .iter()
        .find(|row| row["properties"]["referenceName"] == "archive");
    let moved = moved.unwrap()["contentID"].as_i64().unwrap();
    let links = Value::from_iter(target.content.clone()).to_string();
    assert!(links.matches(&moved.to_string()).count() >= 4, "{links}");
    site.is_quiet().await;
}

/// An asset of the source at a path, with a text.
fn file(id: i64, path: &str, text: &str) -> Row {
    let name = path.rsplit('/').next().unwrap();
    let row = json!({ "mediaID": id, "originKey": path, "fileName": name, "content": { "text": text },
                      "dateModified": format!("2025-01-01T00:00:{}", id % 60) });
    row.as_object().unwrap().clone()
}

/// The text at each path.
fn texts(instance: &InstanceFile) -> BTreeMap<String, String> {
    let files = instance.assets.iter().filter(|row| row["isFolder"] != true);
    let text = |row: &Row| row["content"].to_string();
    files
        .map(|row| (row["originKey"].as_str().unwrap().to_owned(), text(row)))
        .collect()
}

/// Replaces the files of the source but the first.
async fn with_files(site: &mut Site, files: &[(i64, &str, &str)]) {
    site.edit(|source| {
        source.assets.truncate(1);
        source
            .assets
            .extend(files.iter().map(|(id, path, text)| file(*id, path, text)));
    })
    .await;
}

/// Syncs `before`, then `after`, and expects the files of the target where they are on the source.
async fn files_follow(before: &[(i64, &str, &str)], after: &[(i64, &str, &str)]) {
    let mut site = Site::synced().await;
    with_files(&mut site, before).await;
    site.in_sync().await;
    with_files(&mut site, after).await;
    site.in_sync().await;
    let state = site.server.state();
    let (here, there) = (texts(&state.instances[0]), texts(&state.instances[1]));
    for (path, text) in &here {
        assert_eq!(there.get(path), Some(text), "{path} of {there:?}");
    }
    site.is_quiet().await;
}

#[tokio::test]
async fn a_new_file_takes_the_path_of_a_moved_one() {
    files_follow(
        &[(81, "a/f.txt", "one")],
        &[(81, "b/f.txt", "one"), (82, "a/f.txt", "two")],
    )
    .await;
}

#[tokio::test]
async fn a_new_file_takes_the_path_of_a_renamed_one() {
    files_follow(
        &[(81, "a/f.txt", "one")],
        &[(81, "a/g.txt", "one"), (82, "a/f.txt", "two")],
    )
    .await;
}

#[tokio::test]
async fn files_that_swap_their_folders_arrive_in_one_run() {
    files_follow(
        &[
            (81, "a/f.txt", "one"),
            (82, "b/f.txt", "two"),
            (83, "c/f.txt", "three"),
        ],
        &[
            (81, "b/f.txt", "one"),
            (82, "c/f.txt", "two"),
            (83, "a/f.txt", "three"),
        ],
    )
    .await;
}

#[tokio::test]
async fn files_that_swap_their_names_arrive_in_one_run() {
    files_follow(
        &[(81, "a/f.txt", "one"), (82, "a/g.txt", "two")],
        &[(81, "a/g.txt", "one"), (82, "a/f.txt", "two")],
    )
    .await;
}
