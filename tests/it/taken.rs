//! What a run takes away from the target is named with the values that go, and is a conflict where they are its own.

use lockgate::mock::Server;
use lockgate::mock::file::StateFile;
use serde_json::{Value, json};

use crate::binary::{Ended, Workspace, end_of, lines_of_json};
use crate::support::{SOURCE, TARGET, fixture, instances, serve};

/// Both sides as the mock would have them after a run, so that each test changes what it is about.
async fn synced() -> (Workspace, StateFile) {
    let (workspace, server) = (
        Workspace::new(),
        serve(instances(&fixture("starter-site"))).await,
    );
    let done = end_of(workspace.sync(&server, &[])).await;
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    let all = server.state();
    server.stop().await;
    (workspace, all)
}

fn side<'s>(all: &'s mut StateFile, guid: &str) -> &'s mut lockgate::mock::file::InstanceFile {
    all.instances
        .iter_mut()
        .find(|instance| instance.guid == guid)
        .unwrap()
}

/// The event that settles an entity.
fn settled(done: &Ended, key: &str) -> Value {
    let mut events = lines_of_json(&done.stdout);
    events.retain(|event| event["type"] == "entity-settled" && event["key"] == key);
    events
        .pop()
        .unwrap_or_else(|| json!(format!("no {key}: {}", done.stderr)))
}

fn field(name: &str) -> Value {
    json!({ "name": name, "label": name, "type": "Text", "settings": {}, "itemOrder": 90, "isDataField": true })
}

/// Gives a model of one side a field, and its first items there a value.
fn with_field(all: &mut StateFile, guid: &str, model: &str, values: usize) -> usize {
    let instance = side(all, guid);
    let row = instance
        .models
        .iter_mut()
        .find(|row| row["referenceName"] == model);
    row.unwrap()["fields"]
        .as_array_mut()
        .unwrap()
        .push(field("Extra"));
    let items = instance
        .content
        .iter_mut()
        .filter(|item| item["properties"]["definitionName"] == model);
    let mut given = 0;
    for item in items.take(values) {
        item["fields"]["Extra"] = json!("the target's own");
        given += 1;
    }
    given
}

/// The name and key of a model of the source that has items.
fn model_with_items(all: &mut StateFile) -> (String, String) {
    let source = side(all, SOURCE);
    let name = source.content[0]["properties"]["definitionName"]
        .as_str()
        .unwrap();
    let row = source.models.iter().find(|row| {
        row["referenceName"]
            .as_str()
            .unwrap()
            .eq_ignore_ascii_case(name)
    });
    let row = row.unwrap();
    let name = row["referenceName"].as_str().unwrap().to_owned();
    (name, format!("model:{}", row["id"]))
}

async fn run(workspace: &Workspace, server: &Server, args: &[&str]) -> Ended {
    let args: Vec<&str> = args.iter().copied().chain(["--output", "json"]).collect();
    end_of(workspace.sync(server, &args)).await
}

/// A model of the same name with a field more lost that field, with all values in it, and nobody heard of it.
#[tokio::test]
async fn a_field_that_only_the_target_has() {
    let (_, mut all) = synced().await;
    let (name, key) = model_with_items(&mut all);
    let values = with_field(&mut all, TARGET, &name, 2);
    assert!(values > 0);
    let server = serve(all).await;
    // Without state: nothing but the name tells that the two models are one.
    let workspace = Workspace::new();
    let done = run(&workspace, &server, &[]).await;
    let event = settled(&done, &key);
    assert_eq!(event["outcome"], "conflict", "{event}");
    let because = event["because"].as_str().unwrap();
    assert!(because.contains("\"Extra\""), "{because}");
    assert!(because.contains(&format!("{values} item")), "{because}");
    let done = run(&workspace, &server, &["--overwrite"]).await;
    let event = settled(&done, &key);
    assert_eq!(event["outcome"], "updated", "{event}");
    let because = event["because"].as_str().unwrap();
    assert!(
        because.contains("takes away the field \"Extra\""),
        "{because}"
    );
    assert!(
        done.stdout.contains("\"type\":\"warned\""),
        "it is warned about"
    );
    server.stop().await;
}

/// The same without a value in the field: nothing is lost but the field, which is named.
#[tokio::test]
async fn a_field_without_values_goes_and_is_named() {
    let (_, mut all) = synced().await;
    let (name, key) = model_with_items(&mut all);
    with_field(&mut all, TARGET, &name, 0);
    let server = serve(all).await;
    let done = run(&Workspace::new(), &server, &["--dry-run"]).await;
    let event = settled(&done, &key);
    assert_eq!(event["outcome"], "updated", "{event}");
    let because = event["because"].as_str().unwrap();
    assert!(
        because.contains("\"Extra\" with values in 0 items"),
        "{because}"
    );
    server.stop().await;
}

/// An update that removes a field on the source: the values that an earlier run brought go with it, counted; those that
/// the target changed since make it a conflict.
#[tokio::test]
async fn a_field_that_the_source_lost() {
    for changed in [false, true] {
        let mut all = instances(&fixture("starter-site"));
        let (name, key) = model_with_items(&mut all);
        let values = with_field(&mut all, SOURCE, &name, 2);
        let (workspace, server) = (Workspace::new(), serve(all).await);
        let done = end_of(workspace.sync(&server, &[])).await;
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        let mut all = server.state();
        server.stop().await;
        let source = side(&mut all, SOURCE);
        let model = source
            .models
            .iter_mut()
            .find(|row| row["referenceName"] == *name);
        let model = model.unwrap();
        model["lastModifiedDate"] = json!("2026-01-01T00:00:00");
        model["fields"]
            .as_array_mut()
            .unwrap()
            .retain(|row| row["name"] != "Extra");
        for item in &mut source.content {
            item["fields"].as_object_mut().unwrap().remove("Extra");
        }
        if changed {
            let target = side(&mut all, TARGET);
            let item = target
                .content
                .iter_mut()
                .find(|item| item["fields"]["Extra"].is_string());
            item.unwrap()["fields"]["Extra"] = json!("edited on the target");
        }
        let server = serve(all).await;
        let done = run(&workspace, &server, &["--dry-run"]).await;
        let event = settled(&done, &key);
        let because = event["because"].as_str().unwrap_or_default();
        assert!(because.contains("\"Extra\""), "{event}");
        assert!(because.contains(&format!("{values} item")), "{because}");
        let expected = if changed { "conflict" } else { "updated" };
        assert_eq!(event["outcome"], expected, "{event}");
        server.stop().await;
    }
}

/// A template of the same name with a zone more: it fails, and the way out is said; taken, it names zone and modules.
#[tokio::test]
async fn a_zone_that_only_the_target_has() {
    let mut all = instances(&fixture("template-without-mapping"));
    let target = side(&mut all, TARGET);
    let zones = &mut target.templates[1]["contentSectionDefinitions"];
    let mut zone = zones[0].clone();
    zone["pageItemTemplateID"] = json!(599);
    zone["pageItemTemplateReferenceName"] = json!("Aside");
    zone["pageItemTemplateName"] = json!("Aside");
    zones.as_array_mut().unwrap().push(zone);
    target.content.push(json!({
        "contentID": 900, "locale": "en-us",
        "properties": { "state": 2, "modified": "2025-04-02T11:20:00.117", "versionID": 1, "referenceName": "RichTextArea", "definitionName": "RichTextArea" },
        "fields": { "textblob": "own" },
    }).as_object().unwrap().clone());
    target.pages.push(json!({
        "pageID": 901, "locale": "en-us", "name": "own", "path": "/own", "title": "Own", "menuText": "Own",
        "pageType": "static", "templateName": "Wide Template", "parentPageID": -1, "channelID": 1,
        "properties": { "state": 2, "modified": "2025-04-02T11:22:07.09", "versionID": 2 },
        "zones": { "Aside": [{ "module": "RichTextArea", "item": { "contentid": 900, "fulllist": false } }] },
    }).as_object().unwrap().clone());
    let server = serve(all).await;
    let workspace = Workspace::new();
    let done = run(&workspace, &server, &["--dry-run"]).await;
    let event = settled(&done, "template:6");
    assert_eq!(event["outcome"], "failed", "{event}");
    assert!(
        event["because"].as_str().unwrap().contains("--overwrite"),
        "{event}"
    );
    let done = run(&workspace, &server, &["--overwrite", "--dry-run"]).await;
    let event = settled(&done, "template:6");
    assert_eq!(event["outcome"], "updated", "{event}");
    let because = event["because"].as_str().unwrap();
    assert!(
        because.contains("the zone \"Aside\" with 1 module on 1 page"),
        "{because}"
    );
    server.stop().await;
}

/// A container of the same name with a setting that the source does not have.
#[tokio::test]
async fn a_setting_that_only_the_target_has() {
    let (workspace, mut all) = synced().await;
    let source = side(&mut all, SOURCE);
    let container = source.containers[0].clone();
    let key = format!("container:{}", container["contentViewID"]);
    let target = side(&mut all, TARGET);
    let same = target
        .containers
        .iter_mut()
        .find(|row| row["referenceName"] == container["referenceName"]);
    same.unwrap()
        .insert("defaultPage".to_owned(), json!("~/news"));
    let server = serve(all).await;
    let done = run(&workspace, &server, &["--dry-run", "--overwrite"]).await;
    let event = settled(&done, &key);
    let because = event["because"].as_str().unwrap_or_default();
    if event["outcome"] == "updated" {
        assert!(because.contains("\"defaultpage\""), "{event}");
    }
    let done = run(&Workspace::new(), &server, &["--dry-run", "--overwrite"]).await;
    let event = settled(&done, &key);
    assert_eq!(event["outcome"], "updated", "{event}");
    assert!(
        event["because"]
            .as_str()
            .unwrap()
            .contains("the setting \"defaultpage\""),
        "{event}"
    );
    server.stop().await;
}
