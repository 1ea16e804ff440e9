//! A plan in all its forms.
//!
//! Snapshots of the real binary: what a reviewer reads before anything is written.

use lockgate::mock::file::{InstanceFile, Row};
use lockgate::mock::generate::{Shape, generate};
use serde_json::{Value, json};

use crate::apply::{Stage, item, retitle, titles};
use crate::support::{SOURCE, TARGET, empty_target, fixture, instances};

/// Takes a plan in every form, and shows each.
async fn shows(stage: &Stage, name: &str, args: &[&str], code: i32) {
    for form in ["text", "markdown", "html", "json"] {
        let args = [&["--format", form, "--quiet"], args].concat();
        let ended = stage.ends("plan", &args, code).await;
        let shown = match form {
            "html" => body(&ended.stdout),
            "json" => changed(&ended.stdout),
            _ => ended.stdout,
        };
        insta::with_settings!({
            filters => vec![
                (r"127\.0\.0\.1:\d+", "HOST"),
                (r"\d{4}-\d\d-\d\dT[0-9:.]+", "DATE"),
                (r"5e6f7a8b-u/en-us/content/listitem-\d+", "5e6f7a8b-u/en-us/content/listitem-ID"),
                (r#""target": \d+"#, "\"target\": ID"),
                (r"\d+ on the target", "ID on the target"),
                // Which of them is named depends on their ids.
                ("still referenced by content.*? on the target", "still referenced by ITEM on the target"),
            ],
            snapshot_suffix => form,
            omit_expression => true,
        }, { insta::assert_snapshot!(name, shown) });
    }
}

/// A page without its style and script.
fn body(page: &str) -> String {
    let from = page.find("<main>").unwrap();
    page[from..page.find("</main>").unwrap()].to_owned()
}

/// The document, of entities those with changes only.
fn changed(text: &str) -> String {
    let mut plan: Value = serde_json::from_str(text).unwrap();
    let entities = plan["entities"].as_array_mut().unwrap();
    entities.retain(|entity| {
        entity["changes"]
            .as_array()
            .is_some_and(|all| !all.is_empty())
    });
    for entity in entities {
        for name in ["source_hash", "remaining_ms", "class", "level", "patched"] {
            entity.as_object_mut().unwrap().remove(name);
        }
    }
    serde_json::to_string_pretty(&plan).unwrap()
}

/// Both sides in agreement.
async fn synced() -> Stage {
    let stage = Stage::new().await;
    stage.ends("sync", &[], 0).await;
    stage
}

fn newer(row: &mut Row) {
    let version = row["properties"]["versionID"].as_i64().unwrap();
    row["properties"]["versionID"] = (version + 1_000).into();
}

fn page(instance: &mut InstanceFile, id: i64) -> &mut Row {
    let is_it = |row: &&mut Row| row["pageID"] == id && row["locale"] == "en-us";
    instance.pages.iter_mut().find(is_it).unwrap()
}

#[tokio::test]
async fn nothing_to_do() {
    let stage = synced().await;
    shows(&stage, "nothing", &[], 0).await;
}

#[tokio::test]
async fn a_first_sync_with_a_cycle() {
    let stage = Stage::of(instances(&fixture("cycle-of-two"))).await;
    shows(&stage, "first", &[], 0).await;
}

#[tokio::test]
async fn a_long_text_a_list_and_a_reference() {
    let stage = synced().await;
    stage
        .edit(|source, _| {
            let row = item(source, 1020, "en-us");
            let fields = &mut row["fields"];
            let text = fields["Body"].as_str().unwrap();
            fields["Body"] = text.replace("forty of them", "fifty of them").into();
            fields["Writer"] = json!({ "contentid": 1010, "fulllist": false });
            fields["WriterID"] = "1010".into();
            fields["WriterName"] = "Rosa Vega".into();
            fields["Related"]["sortids"] = "1022,1024,1028".into();
            fields["RelatedKeys"] = "1022,1024,1028".into();
            newer(row);
        })
        .await;
    shows(&stage, "fields", &[], 0).await;
}

/// One redirection goes, one was changed on the target, and a container is still needed by its items.
#[tokio::test]
async fn what_is_gone_is_deleted_or_named() {
    let stage = synced().await;
    stage
        .edit(|source, target| {
            let changed = source.redirections.pop().unwrap()["originUrl"].clone();
            source.redirections.pop();
            for row in &mut target.redirections {
                if row["originUrl"] == changed {
                    row.insert("destinationUrl".to_owned(), "~/elsewhere".into());
                }
            }
            source
                .galleries
                .retain(|row| row["name"] != "Harbour at dawn");
        })
        .await;
    shows(&stage, "prune", &["--prune"], 5).await;
}

#[tokio::test]
async fn conflicts_side_by_side() {
    let stage = synced().await;
    let key = (1021, "en-us");
    let there = titles(&stage.instance(TARGET));
    let before = titles(&stage.instance(SOURCE))[&(key.0, key.1.to_owned())].clone();
    let there = there
        .iter()
        .find(|(_, title)| **title == before)
        .unwrap()
        .0
        .0;
    stage
        .edit(|source, target| {
            retitle(item(source, key.0, key.1), "What the source says");
            retitle(item(target, there, key.1), "What the target says");
        })
        .await;
    shows(&stage, "conflict", &[], 5).await;
}

#[tokio::test]
async fn a_field_that_a_model_loses() {
    let stage = synced().await;
    stage
        .edit(|source, _| {
            let is_author = |row: &&mut Row| row["referenceName"] == "Author";
            let model = source.models.iter_mut().find(is_author).unwrap();
            let fields = model["fields"].as_array_mut().unwrap();
            fields.retain(|field| field["name"] != "Role");
            model["lastModifiedDate"] = "2026-02-11T14:05:31.93".into();
        })
        .await;
    shows(&stage, "removed", &[], 0).await;
}

#[tokio::test]
async fn a_page_that_moves() {
    let stage = synced().await;
    stage
        .edit(|source, _| {
            let row = page(source, 23);
            row["parentPageID"] = 21.into();
            newer(row);
        })
        .await;
    shows(&stage, "moved", &[], 0).await;
}

#[tokio::test]
async fn a_list_in_another_order() {
    let stage = synced().await;
    stage
        .edit(|source, _| {
            for (id, number) in [(1000, 7), (1001, 0)] {
                let row = item(source, id, "en-us");
                row["properties"]["itemOrder"] = number.into();
                newer(row);
            }
        })
        .await;
    shows(&stage, "order", &[], 0).await;
}

#[tokio::test]
async fn a_file_that_is_replaced() {
    let stage = synced().await;
    stage
        .edit(|source, _| {
            let is_it = |row: &&mut Row| row["originKey"] == "img/tram/ribbon.svg";
            let row = source.assets.iter_mut().find(is_it).unwrap();
            row.insert("content".to_owned(), json!({ "filler": 4_321 }));
            row["size"] = 4_321.into();
            row["dateModified"] = "2026-03-03T10:00:00".into();
        })
        .await;
    shows(&stage, "replaced", &[], 0).await;
}

#[tokio::test]
async fn a_new_file() {
    let stage = synced().await;
    stage
        .edit(|source, _| {
            let is_it = |row: &&Row| row["originKey"] == "img/tram/ribbon.svg";
            let mut row = source.assets.iter().find(is_it).unwrap().clone();
            row.retain(|name, _| !name.ends_with("Url"));
            row.insert("mediaID".to_owned(), 399.into());
            row.insert("originKey".to_owned(), "img/tram/signal.svg".into());
            row.insert("fileName".to_owned(), "signal.svg".into());
            row.insert("content".to_owned(), json!({ "text": "<svg/>" }));
            row.insert("size".to_owned(), 6.into());
            source.assets.push(row);
        })
        .await;
    shows(&stage, "new_file", &[], 0).await;
}

#[tokio::test]
async fn what_is_published_and_what_is_gone() {
    let stage = synced().await;
    stage
        .edit(|source, _| {
            retitle(item(source, 1022, "en-us"), "Published afterwards");
            source.content.retain(|row| row["contentID"] != 1030);
        })
        .await;
    let args = ["--publish", "--content", "1022"];
    shows(&stage, "published", &args, 0).await;
}

/// A site of 2,000 entities in which editors changed 20: the plan shows these, and of the rest the number.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_changes_in_two_thousand_entities() {
    let mut site = generate(&Shape::new(2_000, 5));
    let locales = site.instances[0].locales.clone();
    site.instances.push(empty_target(&locales));
    let stage = Stage::of(site).await;
    stage.ends("sync", &["--no-verify"], 0).await;
    stage
        .edit(|source, _| {
            let rows = source.content.iter_mut().filter(|row| name(row).is_some());
            for row in rows.step_by(7).take(20) {
                let name = name(row).unwrap().to_owned();
                let old = row["fields"][&name].as_str().unwrap().to_owned();
                row["fields"][&name] = format!("{old}, edited").into();
                newer(row);
            }
        })
        .await;
    let plan = stage.ends("plan", &["--quiet"], 0).await.stdout;
    assert!(plan.contains("\n20 update, 1,980 unchanged\n"), "{plan}");
    let updates = plan.matches("  ~ update content:").count();
    let edits = plan.lines();
    let edits = edits.filter(|line| line.contains(" → ") && line.ends_with(", edited"));
    assert_eq!((updates, edits.count()), (20, 20), "{plan}");
    assert!(!plan.contains(" create "), "{plan}");
    for form in ["markdown", "html"] {
        let plan = stage
            .ends("plan", &["--quiet", "--format", form], 0)
            .await
            .stdout;
        assert_eq!(
            plan.matches("<code>content:").count() + plan.matches("`content:").count(),
            20
        );
    }
    let json = stage.ends("plan", &["--format", "json"], 0).await.stdout;
    let plan: Value = serde_json::from_str(&changed(&json)).unwrap();
    assert_eq!(plan["entities"].as_array().unwrap().len(), 20);
}

/// A field that holds what a person would call the item.
fn name(row: &Row) -> Option<&str> {
    let mut names = row["fields"].as_object()?.iter();
    let is_name = |name: &str| {
        ["title", "headline", "heading", "label"]
            .iter()
            .any(|one| name.eq_ignore_ascii_case(one))
    };
    let found = names.find(|(name, value)| is_name(name) && value.is_string());
    found.map(|(name, _)| name.as_str())
}
