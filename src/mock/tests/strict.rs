//! Rules that a client tested against the usual mock only can break.

use std::net::SocketAddr;

use reqwest::multipart::{Form, Part};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::mock::{AssetUrls, FailedUpdates, Refuses, Rules};

async fn with(rules: Rules) -> Bed {
    Bed::start(Options {
        rules,
        ..Options::default()
    })
    .await
}

impl Bed {
    async fn upload(&self, query: &str) -> reqwest::Response {
        let part = Part::text("x").file_name("a.txt");
        let form = Form::new().part("files", part);
        let request = self.request(Method::POST, &format!("asset/upload?{query}"));
        request.multipart(form).send().await.unwrap()
    }

    async fn status(&self, path: &str, body: Value) -> u16 {
        let request = self.request(Method::POST, path).json(&body);
        request.send().await.unwrap().status().as_u16()
    }
}

#[tokio::test]
async fn plain_addresses_of_files_have_the_container_first_and_lead_to_the_file() {
    let bed = with(Rules {
        asset_urls: AssetUrls::Plain,
        ..Rules::default()
    })
    .await;
    let url = format!("{}/demo/img/a%20b.jpg", bed.server.base_url());
    let asset = bed.get("asset/50").await;
    assert_eq!(
        (&asset["originUrl"], &asset["edgeUrl"]),
        (&json!(url), &json!(url))
    );
    let container = bed.get("asset/container").await;
    assert_eq!(
        container["edgeUrl"],
        format!("{}/demo", bed.server.base_url())
    );
    let item = bed.get("en-us/item/1").await;
    let stored = serde_json::to_string(&item).unwrap();
    assert!(!stored.contains("/cdn/"), "{stored}");
    let file = bed.client.get(&url).send().await.unwrap();
    assert_eq!(file.text().await.unwrap(), "pixels");
    let usual = Bed::start(Options::default()).await;
    let url = format!("{}/demo/img/a%20b.jpg", usual.server.base_url());
    assert_eq!(usual.client.get(url).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_failed_update_has_its_id_or_nothing() {
    let missing = |id: i64| json!([{ "contentID": id, "properties": { "referenceName": "articles" }, "fields": { "next": "999" } }]);
    for (failed_updates, id, is_null) in [
        (FailedUpdates::Id, 1, false),
        (FailedUpdates::Nothing, -1, true),
    ] {
        let rules = Rules {
            failed_updates,
            ..Rules::default()
        };
        let batch = with(rules).await.save(missing(1)).await;
        let row = &batch["items"][0];
        assert_eq!(
            (&row["itemID"], &row["itemNull"]),
            (&json!(id), &json!(is_null))
        );
        assert!(row["errorMessage"].is_string(), "{row}");
        assert_eq!(batch["failedItems"][0]["itemId"], json!(id));
    }
}

#[tokio::test]
async fn folders_have_rows_where_that_is_the_rule_and_no_address() {
    for folder_rows in [false, true] {
        let bed = with(Rules {
            folder_rows,
            ..Rules::default()
        })
        .await;
        assert_eq!(bed.upload("folderPath=docs%2Fmaps").await.status(), 200);
        let list = bed.get("asset/list").await;
        let rows = list["assetMedias"].as_array().unwrap();
        let folders: Vec<_> = rows.iter().filter(|row| row["isFolder"] == true).collect();
        let keys: Vec<_> = folders.iter().map(|row| row["originKey"].clone()).collect();
        if !folder_rows {
            assert_eq!(folders, Vec::<&Value>::new());
            continue;
        }
        assert_eq!(keys, [json!("docs"), json!("docs/maps")]);
        assert!(
            folders
                .iter()
                .all(|row| row["originUrl"].is_null() && row["edgeUrl"].is_null())
        );
        assert_eq!(list["totalCount"], 5);
    }
}

#[tokio::test]
async fn errors_say_what_is_wrong_where_the_vendors_cli_looks_first() {
    let bed = with(Rules {
        exception_messages: true,
        ..Rules::default()
    })
    .await;
    let unknown = bed.get("model/77").await;
    assert_eq!(unknown["exceptionMessage"], "Model 77 was not found.");
    assert_eq!(unknown["message"], "An error has occurred.");
    let invalid = bed.post("en-us/page", json!({})).await;
    assert_eq!(invalid["exceptionMessage"], "The title field is required.");
}

#[tokio::test]
async fn what_no_description_says_is_refused_only_by_strict_rules() {
    let template = json!({ "pageTemplateID": -1, "pageTemplateName": "Other", "contentSectionDefinitions": [
        { "pageItemTemplateReferenceName": "Zone", "defaultModules": [{ "contentDefinitionID": 99 }] } ] });
    let page = json!({ "pageID": -1, "name": "a", "title": "A", "pageType": "static", "templateName": "Main", "channelID": 1,
        "zones": { "Sidebar": [] } });
    let item = json!([{ "contentID": -1, "properties": { "referenceName": "articles" },
        "fields": { "next": { "referencename": "articles", "sortids": "1,999", "fulllist": false } } }]);
    for is_strict in [false, true] {
        let refuses = if is_strict {
            Refuses::ALL
        } else {
            Refuses::default()
        };
        let rules = Rules {
            refuses,
            ..Rules::default()
        };
        let bed = with(rules).await;
        let check = |status: u16| assert_eq!(status != 200, is_strict, "{status}");
        check(
            bed.upload("folderPath=%2F&groupingID=77")
                .await
                .status()
                .as_u16(),
        );
        check(bed.status("en-us/page/template", template.clone()).await);
        let saved = bed.save(item.clone()).await;
        assert_eq!(saved["failureCount"], u32::from(is_strict), "{saved}");
        let batch = bed.post("en-us/page", page.clone()).await;
        let saved = bed.settled(&batch).await;
        assert_eq!(saved["failureCount"], u32::from(is_strict), "{saved}");
    }
}

#[tokio::test]
async fn a_dynamic_page_without_items_is_in_the_sitemap_where_that_is_the_rule() {
    let dynamic = json!({ "pageID": -1, "name": "story", "title": "Story", "pageType": "dynamic", "templateName": "Main",
        "channelID": 1, "zones": {}, "dynamic": { "referenceName": "articles", "fieldName": "Headline" } });
    for empty_dynamic_pages in [false, true] {
        let bed = with(Rules {
            empty_dynamic_pages,
            ..Rules::default()
        })
        .await;
        let batch = bed
            .request(Method::DELETE, "en-us/item/1")
            .send()
            .await
            .unwrap();
        bed.settled(&batch.json().await.unwrap()).await;
        let batch = bed.post("en-us/page", dynamic.clone()).await;
        bed.settled(&batch).await;
        let key = bed.key("Preview").await;
        let path = format!("{GUID}/preview/en-us/sitemap/flat/website");
        let flat: Value = bed.fetch(&path, &key).await.json().await.unwrap();
        assert_eq!(flat.get("/story").is_some(), empty_dynamic_pages, "{flat}");
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_one_that_waits_for_an_answer_is_not() {
    let idle = Duration::from_millis(300);
    let bed = Bed::start(Options {
        idle: Some(idle),
        latency: idle * 3,
        ..Options::default()
    })
    .await;
    let url = bed.server.base_url();
    let address: SocketAddr = url.strip_prefix("http://").unwrap().parse().unwrap();
    let mut line = TcpStream::connect(address).await.unwrap();
    let ask = format!(
        "GET /api/v1/instance/{GUID}/locales HTTP/1.1\r\nHost: mock\r\nAuthorization: Bearer token\r\n\r\n"
    );
    line.write_all(ask.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let began = tokio::time::Instant::now();
    // Ends when the server closes the connection.
    line.read_to_end(&mut answer).await.unwrap();
    let text = String::from_utf8(answer).unwrap();
    assert!(
        text.starts_with("HTTP/1.1 200") && text.contains("fr-ca"),
        "{text}"
    );
    assert!(began.elapsed() >= idle * 4, "{:?}", began.elapsed());
}
