//! What was deleted on the target: it is a conflict until the source may overwrite, whatever its kind.

use std::collections::BTreeMap;

use lockgate::domain::Outcome;
use lockgate::mock::file::{InstanceFile, Row, StateFile};
use lockgate::mock::{self, Server};
use serde_json::{Value, json};

use crate::same_state;
use crate::support::{Ran, SOURCE, Setup, TARGET, empty_target, put_state, serve_with};

const LOCALES: [&str; 2] = ["en-us", "fr-ca"];

fn rows(rows: Value) -> Vec<Row> {
    let Value::Array(rows) = rows else {
        return Vec::new();
    };
    rows.into_iter()
        .map(|row| row.as_object().unwrap().clone())
        .collect()
}

/// One entity of every kind that nothing refers to, and a list with an item that another one links to.
pub(crate) fn source() -> InstanceFile {
    let model = |id: i64, name: &str| {
        let title = json!({ "name": "Title", "type": "Text", "settings": {}, "itemOrder": 0 });
        let next = json!({ "name": "Next", "type": "Content", "itemOrder": 1, "settings": {
            "ContentDefinition": "Post", "RenderAs": "dropdown", "SharedContent": "posts", "ContentView": "posts",
            "LinkedContentNestedTypeID": "0", "LinkeContentDropdownValueField": "NextID" } });
        let value = json!({ "name": "NextID", "type": "Text", "settings": {}, "itemOrder": 2 });
        json!({ "id": id, "referenceName": name, "displayName": name, "contentDefinitionTypeID": 1,
                "fields": [title, next, value] })
    };
    let container = |id: i64, name: &str| {
        json!({ "contentViewID": id, "referenceName": name, "contentViewName": name, "contentDefinitionID": 11,
                "contentDefinitionName": "Post", "contentDefinitionTypeID": 1, "isShared": true })
    };
    let item = |id: i64, locale: &str, next: &str| {
        json!({ "contentID": id, "locale": locale,
                "properties": { "state": 2, "versionID": id, "referenceName": "posts", "definitionName": "Post", "itemOrder": 0 },
                "fields": { "title": format!("item {id}"), "nextID": next } })
    };
    let page = |id: i64, locale: &str| {
        json!({ "pageID": id, "locale": locale, "name": format!("p{id}"), "title": "Page", "menuText": "Page",
                "pageType": "folder", "visible": { "menu": true, "sitemap": true }, "parentPageID": -1, "channelID": 1,
                "properties": { "state": 2, "versionID": id }, "zones": {} })
    };
    let both = |make: &dyn Fn(&str) -> Value| LOCALES.map(make).to_vec();
    let mut content = both(&|locale| item(31, locale, ""));
    content.extend(both(&|locale| item(32, locale, "31")));
    content.extend(both(&|locale| item(33, locale, "")));
    let mut pages = both(&|locale| page(41, locale));
    pages.extend(both(&|locale| page(42, locale)));
    InstanceFile {
        guid: SOURCE.to_owned(),
        locales: LOCALES.map(str::to_owned).to_vec(),
        models: rows(json!([model(11, "Post"), model(12, "Unused")])),
        containers: rows(json!([container(21, "posts"), container(22, "unused")])),
        templates: rows(
            json!([{ "pageTemplateID": 5, "pageTemplateName": "Unused", "digitalChannelTypeID": 1,
                                 "contentSectionDefinitions": [] }]),
        ),
        galleries: rows(json!([{ "mediaGroupingID": 61, "name": "Unused", "groupingTypeID": 1 }])),
        assets: rows(
            json!([{ "mediaID": 71, "originKey": "img/unused.txt", "fileName": "unused.txt",
                              "content": { "text": "bytes" }, "dateModified": "2025-01-01T00:00:00" }]),
        ),
        content: rows(Value::Array(content)),
        pages: rows(Value::Array(pages)),
        redirections: rows(
            json!([{ "urlRedirectionID": 81, "originUrl": "~/old", "destinationUrl": "~/new", "httpCode": 301 }]),
        ),
        ..InstanceFile::default()
    }
}

fn is_item_33(row: &Row) -> bool {
    let fields = row["fields"].as_object().unwrap();
    fields.values().any(|value| value == "item 33")
}

struct Site {
    server: Server,
    setup: Setup,
    whole: InstanceFile,
}

impl Site {
    async fn synced() -> Self {
        let source = source();
        let target = empty_target(&source.locales);
        let state = StateFile {
            instances: vec![source, target],
            ..StateFile::default()
        };
        let server = serve_with(mock::Options {
            state,
            ..mock::Options::default()
        })
        .await;
        let mut setup = Setup::new().await;
        let ran = Box::pin(setup.sync(&server.base_url())).await;
        let report = ran.report.as_ref().unwrap();
        assert_eq!(report.failed, 0, "{:?}", ran.outcomes());
        assert_eq!(report.differences.as_deref(), Some(&[][..]));
        let whole = server.state().instances.remove(1);
        Self {
            server,
            setup,
            whole,
        }
    }

    async fn delete(&self, delete: impl FnOnce(&mut InstanceFile)) {
        let mut state = self.server.state();
        delete(&mut state.instances[1]);
        put_state(&self.server.base_url(), &state).await;
    }

    async fn run(&mut self) -> Ran {
        Box::pin(self.setup.sync(&self.server.base_url())).await
    }

    /// Twice a conflict without a write, then one run that brings it back, and one that has nothing to do.
    async fn comes_back_when_asked(&mut self, expected: &[(&str, &str)]) {
        let before = self.server.writes(TARGET).len();
        for _ in 0..2 {
            let ran = self.run().await;
            let found: BTreeMap<String, String> = ran
                .outcomes()
                .into_iter()
                .filter(|(_, outcome)| *outcome != Outcome::Unchanged)
                .map(|(key, outcome)| (key.to_string(), outcome.name().to_owned()))
                .collect();
            let wanted = expected.iter();
            let wanted: BTreeMap<String, String> = wanted
                .map(|(key, outcome)| ((*key).to_owned(), (*outcome).to_owned()))
                .collect();
            assert_eq!(found, wanted);
            assert_eq!(self.server.writes(TARGET).len(), before, "it wrote");
        }
        self.setup.overwrite = true;
        let ran = self.run().await;
        let report = ran.report.as_ref().unwrap();
        assert_eq!(
            (report.failed, report.conflicts),
            (0, 0),
            "{:?}",
            ran.outcomes()
        );
        assert_eq!(report.differences.as_deref(), Some(&[][..]));
        self.setup.overwrite = false;
        let found = self.server.state().instances.remove(1);
        assert_eq!(
            same_state::differences(&self.whole, &found),
            Vec::<String>::new()
        );
        let before = self.server.writes(TARGET).len();
        let ran = self.run().await;
        let is_quiet = |outcome: &Outcome| *outcome == Outcome::Unchanged;
        assert!(
            ran.outcomes().values().all(is_quiet),
            "{:?}",
            ran.outcomes()
        );
        assert_eq!(self.server.writes(TARGET).len(), before);
    }
}

#[tokio::test]
async fn one_of_every_kind_is_a_conflict_and_comes_back_when_asked() {
    let mut site = Site::synced().await;
    site.delete(|target| {
        target.models.retain(|row| row["referenceName"] != "Unused");
        target
            .containers
            .retain(|row| row["referenceName"] != "unused");
        target.templates.clear();
        target.galleries.clear();
        target.assets.retain(|row| row["fileName"] != "unused.txt");
        target.redirections.clear();
        target.content.retain(|row| !is_item_33(row));
        target.pages.retain(|row| row["name"] != "p41");
    })
    .await;
    site.comes_back_when_asked(&[
        ("asset:71", "conflict"),
        ("container:22", "conflict"),
        ("content:33@en-us", "conflict"),
        ("content:33@fr-ca", "conflict"),
        ("gallery:61", "conflict"),
        ("model:12", "conflict"),
        ("page:41@en-us", "conflict"),
        ("page:41@fr-ca", "conflict"),
        ("redirection:81", "conflict"),
        ("template:5", "conflict"),
    ])
    .await;
}

/// It ended with 1 for ever.
#[tokio::test]
async fn what_was_deleted_in_one_locale_is_a_conflict_there() {
    let mut site = Site::synced().await;
    site.delete(|target| {
        let stays = |row: &Row| row["locale"] != "en-us";
        target.content.retain(|row| stays(row) || !is_item_33(row));
        target
            .pages
            .retain(|row| stays(row) || row["name"] != "p41");
    })
    .await;
    site.comes_back_when_asked(&[
        ("content:33@en-us", "conflict"),
        ("page:41@en-us", "conflict"),
    ])
    .await;
}
