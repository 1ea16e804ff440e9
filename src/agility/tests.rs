//! The adapter against the mock server: both were written from the same description of the API, by separate
//! code, so what they disagree on is a mistake of one of them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::domain::{
    BatchId, Guid, Id, Inventory, ItemState, Key, Kind, Locale, Secret, SourceId, TargetId,
};
use crate::instance::{
    BatchStatus, Cause, Effect, PageSave, ReadRequest, ReadResponse, Record, RequestError,
    RowResult, Save, Source, Target, Unconfirmed, Upload, UploadFile, Verdict, Workflow,
};
use crate::mock::file::StateFile;
use crate::mock::{Options, Server};
use crate::snapshot::{Builder, first_asks};

use super::{Connection, Instance, Limits};

const SOURCE: &str = "1a2b3c4d-u";
const TARGET: &str = "5e6f7a8b-u";
const TOKEN: &str = "token";

fn en() -> Locale {
    Locale::new("en-us")
}

fn fr() -> Locale {
    Locale::new("fr-ca")
}

fn state() -> StateFile {
    let item = |locale: &str, id: i64, headline: &str| {
        json!({"locale": locale, "contentID": id, "properties": {"referenceName": "articles", "definitionName": "Article", "state": 2},
            "fields": {"headline": headline}})
    };
    let page = |locale: &str, id: i64, parent: i64, name: &str, kind: &str| {
        json!({"locale": locale, "pageID": id, "parentPageID": parent, "name": name, "title": name, "menuText": name,
            "pageType": kind, "channelID": 1, "templateName": if kind == "link" { Value::Null } else { json!("Main") },
            "zones": if kind == "link" { Value::Null } else { json!({"MainZone": []}) }})
    };
    let mut home = page("en-us", 70, -1, "home", "static");
    home["zones"] =
        json!({"MainZone": [{"module": "Teaser", "item": {"contentid": 2, "fulllist": false}}]});
    let mut list = page("en-us", 71, 70, "article", "dynamic");
    list["dynamic"] = json!({"referenceName": "empty"});
    let mut link = page("en-us", 72, -1, "away", "link");
    link["redirectUrl"] = json!("https://away.test/");
    let many = |count: i64, row: fn(i64) -> Value| (0..count).map(row).collect::<Vec<_>>();
    let mut assets = many(
        260,
        |n| json!({"mediaID": 400 + n, "originKey": format!("img/{n}.txt"), "content": {"text": format!("bytes {n}")}}),
    );
    assets.push(json!({"mediaID": 399, "originKey": "img", "isFolder": true}));
    assets[0]["mediaGroupingID"] = json!(100);
    assets[1]["focalX"] = json!(0.25);
    assets[1]["focalY"] = json!(0.5);
    let numbered = (1..=300).map(|id| item("en-us", id, &format!("Number {id}")));
    let mut content: Vec<_> = numbered.collect();
    content.push(item("fr-ca", 1, "Numéro 1"));
    content.push(item("fr-ca", 900, "Seul"));
    let state = json!({"schema": 1, "instances": [
        {"guid": SOURCE, "locales": ["en-us", "fr-ca"], "first_id": 2000, "asset_container": "demo",
         "models": [
            {"id": 10, "referenceName": "Article", "contentDefinitionTypeID": 1,
             "fields": [{"name": "Headline", "type": "Text", "settings": {}}]},
            {"id": 11, "referenceName": "Teaser", "contentDefinitionTypeID": 2,
             "fields": [{"name": "Headline", "type": "Text", "settings": {}}]}],
         "containers": [
            {"contentViewID": 20, "referenceName": "articles", "contentDefinitionID": 10},
            {"contentViewID": 21, "referenceName": "empty", "contentDefinitionID": 10}],
         "templates": [{"pageTemplateID": 30, "pageTemplateName": "Main", "contentSectionDefinitions": [
            {"pageItemTemplateID": 31, "pageItemTemplateName": "Main", "pageItemTemplateReferenceName": "MainZone"}]}],
         "galleries": many(251, |n| json!({"mediaGroupingID": 100 + n, "name": format!("Gallery {n}")})),
         "assets": assets,
         "content": content,
         "pages": [home, list, link, page("fr-ca", 70, -1, "accueil", "static")],
         "redirections": [{"urlRedirectionID": 5, "originUrl": "~/old", "destinationUrl": "~/new", "httpCode": 302}]},
        {"guid": TARGET, "locales": ["en-us", "fr-ca"], "first_id": 5000}]});
    serde_json::from_value(state).unwrap()
}

async fn serve() -> Server {
    serve_with(&[]).await
}

/// A server that misbehaves as `faults` say.
async fn serve_with(faults: &[&str]) -> Server {
    Server::start(Options {
        state: state(),
        tokens: vec![TOKEN.to_owned()],
        faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(),
        ..Options::default()
    })
    .await
    .unwrap()
}

fn connect(server: &Server, guid: &str, token: &str) -> Instance {
    Instance::new(Connection {
        guid: Guid::new(guid),
        base_url: Some(server.base_url()),
        token: Secret::new(token),
        renewal: None,
        connect_timeout: Duration::from_secs(10),
        request_timeout: Duration::from_secs(30),
        asset_hosts: Vec::new(),
        limits: Limits::default(),
    })
    .unwrap()
}

/// Asks until nothing is left to ask.
async fn whole(instance: &Instance) -> Inventory<SourceId> {
    let mut builder = Builder::new(instance.guid().clone());
    let mut asks = vec![ReadRequest::Locales];
    asks.extend(first_asks(&[en(), fr()], &Kind::ALL));
    builder.expect(&asks);
    while let Some(ask) = asks.pop() {
        let answer = instance.read(&ask).await.unwrap();
        asks.extend(builder.add(&ask, answer));
        if asks.is_empty() {
            asks = builder.missing_pages();
        }
    }
    builder.finish().unwrap()
}

async fn one(instance: &Instance, kind: Kind, id: TargetId, locale: Option<Locale>) -> Value {
    let id = id.raw();
    let ask = ReadRequest::One { kind, id, locale };
    let answer: ReadResponse<TargetId> = instance.read(&ask).await.unwrap();
    match answer.found.as_slice() {
        [] => Value::Null,
        [Record::Entity(entity)] => entity.body.parse(),
        other => panic!("{other:?}"),
    }
}

/// Polls a batch to its end; the server works while the client waits for the answer.
async fn end(instance: &Instance, batch: BatchId) -> Vec<RowResult> {
    loop {
        match instance.poll(batch).await.unwrap() {
            BatchStatus::Unknown | BatchStatus::Working { .. } => {}
            BatchStatus::Finished(results) => return results,
            BatchStatus::Failed(refusal) => panic!("{refusal:?}"),
        }
    }
}

fn save(kind: Kind, body: Value) -> Save {
    Save {
        kind,
        name: "x".into(),
        id: None,
        locale: Some(en()),
        body: body.into(),
        numbers: crate::domain::Exact::default(),
    }
}

fn page(locale: Locale, name: &str) -> PageSave {
    let body = json!({"name": name, "title": name, "menuText": name, "pageType": "folder", "templateName": null,
        "visible": {"menu": true, "sitemap": true}, "zones": null});
    PageSave {
        save: Save {
            locale: Some(locale),
            ..save(Kind::Page, body)
        },
        parent: None,
        place_before: None,
        channel_id: 1,
        other_locale: None,
    }
}

#[tokio::test]
async fn a_whole_instance_is_read() {
    let server = serve().await;
    let inventory = whole(&connect(&server, SOURCE, TOKEN)).await;
    let counts = Kind::ALL.map(|kind| inventory.of_kind(kind).len());
    assert_eq!(counts, [2, 2, 1, 251, 260, 302, 4, 1]);
    assert_eq!(inventory.locales, [en(), fr()]);
    assert_eq!(inventory.channels.len(), 1);
    assert!(!inventory.asset_container.origin_url.is_empty());
    let passed = |kind, name: &str| {
        let mut rows = inventory.passed.iter();
        rows.any(|row| row.kind == kind && row.name.eq_ignore_ascii_case(name))
    };
    assert!(passed(Kind::Model, "RichTextArea"));
    assert!(passed(Kind::Container, "AgilityCSSFiles"));
    assert!(passed(Kind::Asset, "img"));
    server.stop().await;
}

#[tokio::test]
async fn what_is_read_has_its_place_state_and_shape() {
    let server = serve().await;
    let inventory = whole(&connect(&server, SOURCE, TOKEN)).await;
    let item = inventory
        .get(&Key::localised(Kind::Content, 1, &fr()))
        .unwrap();
    assert_eq!(&*item.name, "Numéro 1");
    assert_eq!(item.state, ItemState::Published);
    assert!(item.version.is_some());
    let place = |id| {
        let key = Key::localised(Kind::Page, id, &en());
        let place = inventory.get(&key).unwrap().placement.as_ref().unwrap();
        (place.parent, place.position)
    };
    assert_eq!(place(70), (None, 0));
    assert_eq!(place(71), (Some(70), 0));
    assert_eq!(place(72), (None, 1));
    let home = inventory
        .get(&Key::localised(Kind::Page, 70, &en()))
        .unwrap();
    assert_eq!(
        home.body.parse()["zones"]["MainZone"][0]["item"],
        json!({"contentid": 2, "fulllist": false})
    );
    let link = inventory
        .get(&Key::localised(Kind::Page, 72, &en()))
        .unwrap();
    assert_eq!(
        link.body.parse()["redirectUrl"],
        json!("https://away.test/")
    );
    let rule = inventory
        .get(&Key::global(Kind::Redirection, 5))
        .unwrap()
        .body
        .parse();
    assert_eq!(rule["httpCode"], json!(302));
    assert_eq!(rule.get("id"), None);
    server.stop().await;
}

#[tokio::test]
async fn definitions_are_created_and_replaced() {
    let server = serve().await;
    let target = connect(&server, TARGET, TOKEN);
    let field = json!({"name": "Headline", "label": "Headline", "type": "Text", "settings": {}});
    let body = json!({"id": 10, "displayName": "Article", "referenceName": "Article", "contentDefinitionTypeID": 1, "fields": [field]});
    let model = target.save(&save(Kind::Model, body.clone())).await.unwrap();
    assert_eq!(model.name.as_deref(), Some("Article"));
    let again = Save {
        id: Some(model.id),
        ..save(Kind::Model, body)
    };
    assert_eq!(target.save(&again).await.unwrap().id, model.id);

    let body = json!({"contentViewID": 20, "referenceName": "articles", "contentViewName": "Articles", "contentDefinitionID": model.id.raw()});
    let container = target
        .save(&save(Kind::Container, body.clone()))
        .await
        .unwrap();
    assert_eq!(container.name.as_deref(), Some("articles"));
    let stored = one(&target, Kind::Container, container.id, None).await;
    assert_eq!(stored["contentDefinitionID"], json!(model.id.raw()));
    let taken = target.save(&save(Kind::Container, body)).await.unwrap_err();
    assert!(taken.to_string().contains("already exists"), "{taken}");

    let zone = json!({"pageItemTemplateID": -1, "pageItemTemplateName": "Main", "pageItemTemplateReferenceName": "MainZone", "itemOrder": 0});
    let body = json!({"pageTemplateName": "Main", "digitalChannelTypeID": 1, "contentSectionDefinitions": [zone]});
    let template = target.save(&save(Kind::Template, body)).await.unwrap();
    assert_eq!(template.name.as_deref(), Some("Main"));
    let stored = one(&target, Kind::Template, template.id, Some(en())).await;
    assert_eq!(
        stored["contentSectionDefinitions"][0]["pageItemTemplateReferenceName"],
        json!("MainZone")
    );

    let body = json!({"name": "Team", "groupingTypeID": 1, "isDeleted": false});
    let gallery = target.save(&save(Kind::Gallery, body)).await.unwrap();
    let stored = one(&target, Kind::Gallery, gallery.id, None).await;
    assert_eq!(stored["name"], json!("Team"));
    server.stop().await;
}

#[tokio::test]
async fn definitions_are_found_by_name() {
    let server = serve().await;
    let source = connect(&server, SOURCE, TOKEN);
    let found = async |kind, name: &str| {
        let (name, locale) = (name.into(), Some(en()));
        let ask = ReadRequest::Named { kind, name, locale };
        let answer: ReadResponse<SourceId> = source.read(&ask).await.unwrap();
        match answer.found.as_slice() {
            [] => None,
            [Record::Entity(entity)] => Some(entity.key.id.raw()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(found(Kind::Model, "article").await, Some(10));
    assert_eq!(found(Kind::Container, "Articles").await, Some(20));
    assert_eq!(found(Kind::Template, "Main").await, Some(30));
    assert_eq!(found(Kind::Gallery, "Gallery 3").await, Some(103));
    for kind in [Kind::Model, Kind::Container, Kind::Template, Kind::Gallery] {
        assert_eq!(found(kind, "nothing").await, None, "{kind}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_items_of_a_container_are_listed_to_the_end() {
    let server = serve().await;
    let source = connect(&server, SOURCE, TOKEN);
    let mut asks = vec![ReadRequest::ContainerItems {
        locale: en(),
        container: "articles".into(),
        offset: 0,
    }];
    let mut ids = std::collections::BTreeSet::new();
    while let Some(ask) = asks.pop() {
        let answer: ReadResponse<SourceId> = source.read(&ask).await.unwrap();
        asks.extend(answer.follow_ups);
        for found in answer.found {
            let Record::Passed { kind, id, name } = found else {
                panic!("{found:?}");
            };
            assert_eq!((kind, &*name), (Kind::Content, "en-us"));
            ids.insert(id);
        }
    }
    assert_eq!(ids, (1..=300).collect());
    server.stop().await;
}

#[tokio::test]
async fn a_model_that_names_an_unknown_one_is_refused_in_the_servers_words() {
    let server = serve().await;
    let target = connect(&server, TARGET, TOKEN);
    let field = json!({"name": "Writer", "label": "Writer", "type": "Content", "settings": {"ContentDefinition": "Person"}});
    let body = json!({"referenceName": "Article", "displayName": "Article", "contentDefinitionTypeID": 1, "fields": [field]});
    let error = target.save(&save(Kind::Model, body)).await.unwrap_err();
    assert_eq!(error.cause, Cause::NotFound);
    assert!(error.said.is_some(), "{error}");
    server.stop().await;
}

#[tokio::test]
async fn redirections_are_answered_row_by_row() {
    let server = serve().await;
    let target = connect(&server, TARGET, TOKEN);
    let row = |from: &str| {
        let body = json!({"originUrl": from, "destinationUrl": "~/new", "httpCode": 301});
        save(Kind::Redirection, body)
    };
    let rows = [row("~/a"), row("~/A "), row("~/b")];
    let results = target.save_redirections(&rows).await.unwrap();
    assert_eq!(results.len(), 3);
    let first = results[0].as_ref().unwrap().id;
    assert!(results[1].is_err(), "the origin is taken");
    assert!(results[2].is_ok());
    let stored = one(&target, Kind::Redirection, first, None).await;
    assert_eq!(stored["originUrl"], json!("~/a"));
    server.stop().await;
}

#[tokio::test]
async fn an_asset_goes_from_one_instance_to_the_other() {
    let server = serve().await;
    let (source, target) = (
        connect(&server, SOURCE, TOKEN),
        connect(&server, TARGET, TOKEN),
    );
    let ask = ReadRequest::One {
        kind: Kind::Asset,
        id: 401,
        locale: None,
    };
    let answer: ReadResponse<SourceId> = source.read(&ask).await.unwrap();
    let Some(Record::Entity(asset)) = answer.found.first() else {
        panic!("expected the asset");
    };
    let origin = asset.body.parse()["originUrl"].clone();
    let download = source.download(origin.as_str().unwrap()).await.unwrap();
    assert_eq!(download.length_bytes, Some(7));
    assert_eq!(download.focal.0.as_deref(), Some("0.25"));
    let uploaded = target
        .upload(Upload {
            folder: "img/team of \"two\"".to_owned(),
            gallery: None,
            focal: download.focal,
            files: vec![UploadFile {
                name: "a b.txt".to_owned(),
                content_type: Some("text/plain".to_owned()),
                length_bytes: download.length_bytes,
                bytes: download.bytes,
            }],
        })
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    let stored = one(&target, Kind::Asset, uploaded.id, None).await;
    assert_eq!(stored["originKey"], json!("img/team of \"two\"/a b.txt"));
    let copy = target
        .download(&uploaded.urls.unwrap().origin)
        .await
        .unwrap();
    assert_eq!(copy.focal.1.as_deref(), Some("0.5"));
    let pieces: Vec<bytes::Bytes> = futures_util::TryStreamExt::try_collect(copy.bytes)
        .await
        .unwrap();
    assert_eq!(pieces.concat(), b"bytes 1");
    server.stop().await;
}

/// A file of which `announced` bytes are announced.
fn file(name: &str, bytes: &'static [u8], announced: u64) -> UploadFile {
    let pieces = [Ok(bytes::Bytes::from_static(bytes))];
    UploadFile {
        name: name.to_owned(),
        content_type: None,
        length_bytes: Some(announced),
        bytes: Box::pin(futures_util::stream::iter(pieces)),
    }
}

#[tokio::test]
async fn several_files_are_stored_and_answered_in_their_order() {
    let server = serve().await;
    let target = connect(&server, TARGET, TOKEN);
    let upload = Upload {
        folder: "docs".to_owned(),
        gallery: None,
        focal: (None, None),
        files: vec![
            file("b.txt", b"--boundary--\r\n", 14),
            file("empty.txt", b"", 0),
            file("a.txt", b"last", 4),
        ],
    };
    let rows = target.upload(upload).await.unwrap();
    let keys = [("docs/b.txt", 14), ("docs/empty.txt", 0), ("docs/a.txt", 4)];
    assert_eq!(rows.len(), keys.len());
    for (row, (key, size)) in rows.iter().zip(keys) {
        let stored = one(&target, Kind::Asset, row.as_ref().unwrap().id, None).await;
        assert_eq!(
            (&stored["originKey"], &stored["size"]),
            (&json!(key), &json!(size))
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn an_upload_with_a_file_of_the_wrong_length_stores_nothing_and_names_it() {
    let server = serve().await;
    let target = connect(&server, TARGET, TOKEN);
    let upload = Upload {
        folder: String::new(),
        gallery: None,
        focal: (None, None),
        files: vec![file("whole.txt", b"whole", 5), file("a.txt", b"short", 100)],
    };
    let error = target.upload(upload).await.unwrap_err();
    assert_eq!(
        error.cause,
        Cause::Content("5 bytes where 100 were announced".to_owned())
    );
    assert!(error.operation.contains("\"a.txt\""), "{error}");
    let inventory = whole(&target).await;
    assert!(inventory.of_kind(Kind::Asset).is_empty());
    server.stop().await;
}

#[tokio::test]
async fn items_are_worked_off_in_order_and_refused_one_by_one() {
    let server = serve().await;
    let source = connect(&server, SOURCE, TOKEN);
    let item = |container: &str, headline: &str| {
        let properties = json!({"referenceName": container, "definitionName": "Article"});
        save(
            Kind::Content,
            json!({"properties": properties, "fields": {"headline": headline}, "seo": null, "scripts": null}),
        )
    };
    let items = [
        item("articles", "first"),
        item("nowhere", "lost"),
        item("articles", "last"),
    ];
    let batch = source.submit_items(&en(), &items).await.unwrap();
    let results = end(&source, batch).await;
    assert_eq!(results.len(), 3);
    let first = results[0].as_ref().unwrap();
    assert!(first.version.is_some());
    assert!(matches!(&results[1], Err(Unconfirmed::Refused(refusal)) if !refusal.said.is_empty()));
    let last = results[2].as_ref().unwrap();
    let ask = ReadRequest::ItemsById {
        locale: en(),
        ids: vec![first.id.raw(), last.id.raw(), 99_999],
    };
    let answer: ReadResponse<TargetId> = source.read(&ask).await.unwrap();
    let names: Vec<_> = answer
        .found
        .iter()
        .map(|found| match found {
            Record::Entity(entity) => &*entity.name,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(names, ["first", "last"]);

    let update = Save {
        id: Some(first.id),
        ..item("articles", "changed")
    };
    let batch = source.submit_items(&fr(), &[update]).await.unwrap();
    let french = end(&source, batch).await;
    assert_eq!(
        french[0].as_ref().unwrap().id,
        first.id,
        "one id in all locales"
    );
    let batch = source
        .submit_workflow(
            Workflow::Publish,
            Kind::Content,
            &en(),
            &[first.id, last.id],
        )
        .await
        .unwrap();
    assert!(end(&source, batch).await.iter().all(Result::is_ok));
    let stored = one(&source, Kind::Content, first.id, Some(en())).await;
    assert_eq!(stored["properties"]["state"], json!(2));
    server.stop().await;
}

#[tokio::test]
async fn pages_stand_where_they_are_put() {
    let server = serve().await;
    let target = connect(&server, TARGET, TOKEN);
    let put = async |page: PageSave| {
        let batch = target.submit_page(&page).await.unwrap();
        let mut results = end(&target, batch).await;
        results.remove(0).unwrap().id
    };
    let parent = put(page(en(), "parent")).await;
    let below = |name| PageSave {
        parent: Some(parent),
        ..page(en(), name)
    };
    let last = put(below("last")).await;
    let first = put(PageSave {
        place_before: Some(last),
        ..below("first")
    })
    .await;
    let french = put(PageSave {
        other_locale: Some((parent, en())),
        ..page(fr(), "parent-fr")
    })
    .await;
    assert_eq!(french, parent);
    let inventory = whole(&target).await;
    let place = |id: TargetId, locale| {
        let key = Key::localised(Kind::Page, id.raw(), &locale);
        let place = inventory.get(&key).unwrap().placement.as_ref().unwrap();
        (place.parent, place.position)
    };
    assert_eq!(place(parent, en()), (None, 0));
    assert_eq!(place(first, en()), (Some(parent.raw()), 0));
    assert_eq!(place(last, en()), (Some(parent.raw()), 1));
    assert_eq!(place(parent, fr()), (None, 0));
    let batch = target
        .submit_workflow(Workflow::Publish, Kind::Page, &en(), &[parent])
        .await
        .unwrap();
    assert!(end(&target, batch).await[0].is_ok());
    server.stop().await;
}

#[tokio::test]
async fn what_does_not_exist_is_an_empty_answer() {
    let server = serve().await;
    let target = connect(&server, TARGET, TOKEN);
    for kind in Kind::ALL {
        let nothing = one(&target, kind, TargetId::new(99_999), Some(en())).await;
        assert_eq!(nothing, Value::Null, "{kind}");
    }
    let unknown = target.poll(BatchId(99_999)).await.unwrap();
    assert_eq!(unknown, BatchStatus::Unknown);
    server.stop().await;
}

#[tokio::test]
async fn a_wrong_token_and_a_wrong_guid_are_told_apart() {
    let server = serve().await;
    let failure = async |guid, token| -> RequestError {
        connect(&server, guid, token).authorise().await.unwrap_err()
    };
    let wrong = failure(SOURCE, "another-token").await;
    assert_eq!(wrong.cause, Cause::Unauthorised);
    assert!(!format!("{wrong:?}").contains("another-token"));
    let unknown = failure("00000000-u", TOKEN).await;
    assert!(
        matches!(unknown.cause, Cause::Forbidden | Cause::NotFound),
        "{unknown}"
    );
    let read: Result<ReadResponse<SourceId>, _> = connect(&server, SOURCE, TOKEN)
        .read(&ReadRequest::Templates(Locale::new("xx-xx")))
        .await;
    assert!(matches!(
        read.unwrap_err().cause,
        Cause::NotFound | Cause::Refused { .. }
    ));
    server.stop().await;
}

#[tokio::test]
async fn a_throttled_read_says_how_long_to_wait() {
    let server = serve_with(&["status=429,retry-after=7,path=container/list"]).await;
    let source = connect(&server, SOURCE, TOKEN);
    let read: Result<ReadResponse<SourceId>, _> = source.read(&ReadRequest::Containers).await;
    let after = Some(Duration::from_secs(7));
    assert_eq!(
        read.unwrap_err().verdict(Effect::Read),
        Verdict::Retry { after }
    );
    server.stop().await;
}

#[tokio::test]
async fn half_an_answer_and_a_web_page_are_no_answers() {
    let server = serve_with(&[
        "truncated-json,path=container/list",
        "html,path=page/templates",
    ])
    .await;
    let source = connect(&server, SOURCE, TOKEN);
    let half: Result<ReadResponse<SourceId>, _> = source.read(&ReadRequest::Containers).await;
    let half = half.unwrap_err();
    assert!(matches!(half.cause, Cause::Malformed(_)), "{half}");
    let page: Result<ReadResponse<SourceId>, _> = source.read(&ReadRequest::Templates(en())).await;
    let page = page.unwrap_err();
    let failed = Cause::ServerFailed {
        status: 502,
        retry_after: None,
    };
    assert_eq!(page.cause, failed);
    assert!(!page.to_string().contains('<'), "{page}");
    server.stop().await;
}

#[tokio::test]
async fn a_submit_whose_answer_is_lost_is_in_doubt_and_sent_once() {
    let server = serve_with(&["reset=after,path=item/multi"]).await;
    let source = connect(&server, SOURCE, TOKEN);
    let properties = json!({"referenceName": "articles", "definitionName": "Article"});
    let body = json!({"properties": properties, "fields": {"headline": "once"}});
    let lost = source
        .submit_items(&en(), &[save(Kind::Content, body)])
        .await;
    assert_eq!(lost.unwrap_err().verdict(Effect::Write), Verdict::Reconcile);
    assert_eq!(server.writes(SOURCE).len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn a_batch_that_failed_as_a_whole_says_so() {
    let server = serve_with(&["fail-batch,path=item/multi"]).await;
    let source = connect(&server, SOURCE, TOKEN);
    let properties = json!({"referenceName": "articles", "definitionName": "Article"});
    let body = json!({"properties": properties, "fields": {"headline": "x"}});
    let items = [save(Kind::Content, body.clone()), save(Kind::Content, body)];
    let batch = source.submit_items(&en(), &items).await.unwrap();
    let status = loop {
        match source.poll(batch).await.unwrap() {
            BatchStatus::Unknown | BatchStatus::Working { .. } => {}
            status => break status,
        }
    };
    assert!(matches!(status, BatchStatus::Failed(_)), "{status:?}");
    server.stop().await;
}
