//! The server over HTTP: what only a socket can show.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use super::file::StateFile;
use super::{Options, Server};

mod clients;
mod offered;
mod strict;
mod workers;

const GUID: &str = "1a2b3c4d-u";

fn state() -> StateFile {
    serde_json::from_value(json!({ "schema": 1, "instances": [
        { "guid": GUID, "locales": ["en-us", "fr-ca"], "first_id": 1000, "asset_container": "demo",
          "models": [
            { "id": 10, "referenceName": "Article", "contentDefinitionTypeID": 1, "fields": [
                { "name": "Headline", "type": "Text", "settings": {} },
                { "name": "Next", "type": "Content", "settings": { "ContentView": "articles" } } ] } ],
          "containers": [{ "contentViewID": 20, "referenceName": "articles", "contentDefinitionID": 10 }],
          "templates": [{ "pageTemplateID": 30, "pageTemplateName": "Main", "contentSectionDefinitions": [
                { "pageItemTemplateID": 31, "pageItemTemplateReferenceName": "MainZone" } ] }],
          "assets": [
            { "mediaID": 50, "originKey": "img/a b.jpg", "focalX": 0.25, "focalY": 0.5, "content": { "text": "pixels" } },
            { "mediaID": 51, "originKey": "big.bin", "content": { "filler": 200_000 } } ],
          "content": [{ "locale": "en-us", "contentID": 1, "properties": { "referenceName": "articles", "versionID": 7 },
                "fields": { "headline": "First", "hero": { "url": "http://mock.invalid/cdn/demo/img/a%20b.jpg" } } }] },
        { "guid": "5e6f7a8b-u", "locales": ["en-us"] } ] }))
    .unwrap()
}

struct Bed {
    server: Server,
    client: Client,
}

impl Bed {
    async fn start(options: Options) -> Self {
        let options = Options {
            state: state(),
            ..options
        };
        // An error says that one is chosen already.
        drop(rustls::crypto::ring::default_provider().install_default());
        Self {
            server: Server::start(options).await.unwrap(),
            client: Client::new(),
        }
    }

    async fn faulty(fault: &str) -> Self {
        Self::start(Options {
            faults: vec![fault.parse().unwrap()],
            ..Options::default()
        })
        .await
    }

    /// The bytes of a file.
    async fn bytes(&self, url: &str) -> axum::body::Bytes {
        let answer = self.client.get(url).send().await.unwrap();
        answer.bytes().await.unwrap()
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}/api/v1/instance/{GUID}/{path}", self.server.base_url());
        self.client.request(method, url).bearer_auth("token")
    }

    async fn get(&self, path: &str) -> Value {
        self.request(Method::GET, path)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.request(Method::POST, path)
            .json(&body)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    async fn fetch(&self, path: &str, key: &str) -> reqwest::Response {
        let url = format!("{}/{path}", self.server.base_url());
        self.client
            .get(url)
            .header("APIKey", key)
            .send()
            .await
            .unwrap()
    }

    async fn key(&self, kind: &str) -> String {
        let url = format!("{}/oauth/Get{kind}Key?guid={GUID}", self.server.base_url());
        self.client
            .get(url)
            .bearer_auth("token")
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    /// Polls a batch to its end; the server works while the runtime waits for the answer.
    async fn settled(&self, batch: &Value) -> Value {
        loop {
            let row = self.get(&format!("batch/{batch}?expandItems=true")).await;
            if row["batchState"] == 3 {
                return row;
            }
        }
    }

    async fn save(&self, items: Value) -> Value {
        let batch = self.post("en-us/item/multi", items).await;
        self.settled(&batch).await
    }
}

fn article(id: i64, headline: &str) -> Value {
    json!({ "contentID": id, "properties": { "referenceName": "Articles", "state": 2 }, "fields": { "headline": headline } })
}

#[tokio::test]
async fn tokens_and_keys_are_checked() {
    let bed = Bed::start(Options {
        tokens: vec!["token".into()],
        ..Options::default()
    })
    .await;
    let base = bed.server.base_url();
    let status = async |path: &str, token: &str| {
        bed.client
            .get(format!("{base}/{path}"))
            .bearer_auth(token)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(
        status("api/v1/instance/1A2B3C4D-u/Locales", "token").await,
        200
    );
    assert_eq!(
        status(&format!("api/v1/instance/{GUID}/locales"), "other").await,
        401
    );
    assert_eq!(
        status("api/v1/instance/unknown-u/locales", "token").await,
        403
    );
    assert_eq!(
        status("oauth/getpreviewkey?guid=unknown-u", "token").await,
        403
    );
    assert_eq!(status("nowhere", "token").await, 404);
    let (preview, live) = (bed.key("Preview").await, bed.key("Fetch").await);
    let path = |mode: &str| format!("{GUID}/{mode}/en-us/sync/items");
    for (mode, key, expected) in [
        ("preview", &preview, 200),
        ("fetch", &live, 200),
        ("fetch", &preview, 401),
        ("preview", &live, 401),
    ] {
        assert_eq!(
            bed.fetch(&path(mode), key).await.status().as_u16(),
            expected,
            "{mode}"
        );
    }
    let log = bed.server.requests();
    assert!(
        !serde_json::to_string(&log).unwrap().contains(&preview),
        "keys stay out of the log"
    );
    assert_eq!(log.iter().filter(|record| !record.authorised).count(), 5);
}

#[tokio::test]
async fn a_batch_saves_in_the_order_of_the_request() {
    let bed = Bed::start(Options::default()).await;
    let row = bed
        .save(json!([article(-1, "A"), article(99, "B"), article(1, "C")]))
        .await;
    let items = row["items"].as_array().unwrap();
    assert_eq!(items[0]["itemID"], 1000);
    assert_eq!(
        (&items[1]["itemID"], &items[1]["itemNull"]),
        (&json!(99), &json!(false))
    );
    assert!(
        items[1]["errorMessage"]
            .as_str()
            .unwrap()
            .contains("does not exist")
    );
    assert_eq!(items[2]["itemID"], 1);
    assert_eq!(
        (&row["successCount"], &row["failureCount"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(
        row["failedItems"][0]["batchItemId"],
        items[1]["batchItemID"]
    );
    let summary: Value = serde_json::from_str(row["errorData"].as_str().unwrap()).unwrap();
    assert_eq!(summary["failureCount"], 1);
    let saved = bed.get("en-us/item/1").await;
    assert_eq!(
        (&saved["fields"]["Headline"], &saved["properties"]["state"]),
        (&json!("C"), &json!(1))
    );
    assert_eq!(
        saved["properties"]["versionID"],
        items[2]["processedItemVersionID"]
    );
}

#[tokio::test]
async fn limits_of_a_batch_are_refused_at_once() {
    let bed = Bed::start(Options::default()).await;
    let many: Vec<Value> = (0..251).map(|n| article(-1, &n.to_string())).collect();
    let over = bed
        .request(Method::POST, "en-us/item/multi")
        .json(&many)
        .send()
        .await
        .unwrap();
    assert_eq!(over.status(), StatusCode::BAD_REQUEST);
    let twice = bed
        .request(
            Method::POST,
            "en-us/item/batch-workflow?contentIDs=1,1&operation=Publish",
        )
        .send()
        .await
        .unwrap();
    assert_eq!(twice.status(), StatusCode::BAD_REQUEST);
    let locale = bed
        .request(Method::GET, "xx-xx/item/1")
        .send()
        .await
        .unwrap();
    assert_eq!(locale.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_save_is_staged_and_publishing_makes_it_live() {
    let bed = Bed::start(Options::default()).await;
    let (preview, live) = (bed.key("Preview").await, bed.key("Fetch").await);
    let headline = async |mode: &str, key: &str| {
        let row: Value = bed
            .fetch(&format!("{GUID}/{mode}/en-us/item/1"), key)
            .await
            .json()
            .await
            .unwrap();
        row["fields"]["headline"].clone()
    };
    bed.save(json!([article(1, "Second")])).await;
    assert_eq!(
        (
            headline("preview", &preview).await,
            headline("fetch", &live).await
        ),
        (json!("Second"), json!("First"))
    );
    let batch = bed.get("en-us/item/1/publish?comments=null").await;
    bed.settled(&batch).await;
    assert_eq!(headline("fetch", &live).await, "Second");
    let writes = bed.server.writes(GUID);
    assert_eq!(
        writes
            .iter()
            .map(|record| record.method.as_str())
            .collect::<Vec<_>>(),
        ["POST", "GET"]
    );
    assert_eq!(writes[1].batch_id, batch.as_i64());
    assert_eq!(writes[0].body.as_ref().unwrap()[0]["contentID"], 1);
}

#[tokio::test]
async fn an_answer_tells_the_limit_where_the_server_does() {
    let bed = Bed::start(Options {
        rate_limit: Some(2),
        rate_limit_headers: true,
        ..Options::default()
    })
    .await;
    let answer = bed.request(Method::GET, "locales").send().await.unwrap();
    let told = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(
        (told("x-ratelimit-limit"), told("x-ratelimit-remaining")),
        ("2".to_owned(), "1".to_owned())
    );
    assert!(!answer.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn lists_may_lag_behind() {
    let bed = Bed::start(Options {
        read_lag: Duration::from_mins(1),
        ..Options::default()
    })
    .await;
    bed.save(json!([article(-1, "A")])).await;
    let list = bed.get("en-us/list/articles").await;
    assert_eq!(list["totalCount"], 1, "the one that was there at the start");
}

#[tokio::test]
async fn assets_are_listed_and_downloaded() {
    let bed = Bed::start(Options::default()).await;
    let list = bed.get("asset/list?pageSize=1&recordOffset=0").await;
    assert_eq!(
        (
            list["totalCount"].as_i64(),
            list["assetMedias"].as_array().unwrap().len()
        ),
        (Some(2), 1)
    );
    let url = list["assetMedias"][0]["originUrl"].as_str().unwrap();
    assert!(url.ends_with("/origin/demo/img/a%20b.jpg"), "{url}");
    let got = bed.client.get(url).send().await.unwrap();
    assert_eq!(got.headers()["agility-focal-x"], "0.25");
    assert_eq!(got.headers()["agility-focal-y"], "0.5");
    assert_eq!(got.headers()["content-type"], "image/jpeg");
    assert_eq!(got.text().await.unwrap(), "pixels");
    let big = bed
        .client
        .get(format!("{}/cdn/demo/big.bin", bed.server.base_url()))
        .send()
        .await
        .unwrap();
    assert_eq!(big.content_length(), Some(200_000));
    let text = bed.request(Method::GET, "asset?url=").send().await.unwrap();
    assert_eq!(text.status(), StatusCode::NOT_FOUND);
    let by_url = bed.get(&format!("asset?url={url}%3Fw=800")).await;
    assert_eq!(by_url["mediaID"], 50);
}

#[tokio::test]
async fn uploads_keep_their_bytes_and_overwriting_keeps_the_id() {
    let bed = Bed::start(Options::default()).await;
    let url = format!("{}/cdn/demo/big.bin", bed.server.base_url());
    let bytes = bed.bytes(&url).await;
    let part = || reqwest::multipart::Part::bytes(bytes.to_vec()).file_name("big.bin");
    let form = reqwest::multipart::Form::new()
        .part("files", part())
        .part("other", part());
    let path = "asset/upload?folderPath=docs%2Fnew&groupingID=-1";
    let media: Value = bed
        .request(Method::POST, path)
        .multipart(form)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(
        (
            &media[0]["originKey"],
            &media[0]["size"],
            media.as_array().unwrap().len()
        ),
        (&json!("docs/new/big.bin"), &json!(200_000), 1)
    );
    let again = bed
        .client
        .get(media[0]["edgeUrl"].as_str().unwrap())
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    assert_eq!(again, bytes);
    let form = reqwest::multipart::Form::new().part(
        "files",
        reqwest::multipart::Part::text("v2").file_name("big.bin"),
    );
    let over: Value = bed
        .request(Method::POST, path)
        .multipart(form)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(
        (&over[0]["mediaID"], &over[0]["size"]),
        (&media[0]["mediaID"], &json!(2))
    );
    let record = &bed.server.writes(GUID)[0];
    let expected = json!({ "folderPath": "docs/new", "groupingID": null, "files": [{ "name": "big.bin", "length": 200_000 }] });
    assert_eq!(record.body, Some(expected));
}

#[tokio::test]
async fn uploads_need_a_folder_and_a_known_gallery() {
    let bed = Bed::start(Options {
        rules: super::Rules::default().strict(),
        ..Options::default()
    })
    .await;
    for path in [
        "asset/upload",
        "asset/upload?folderPath=%2F&groupingID=77",
        "asset/upload?folderPath=%2F&x=empty",
    ] {
        let mut form = reqwest::multipart::Form::new();
        if !path.ends_with("empty") {
            form = form.part(
                "files",
                reqwest::multipart::Part::text("x").file_name("a.txt"),
            );
        }
        let answer = bed
            .request(Method::POST, path)
            .multipart(form)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{path}");
    }
    assert_eq!(bed.server.state().instances[0].assets.len(), 2);
}

#[tokio::test]
async fn a_late_status_hides_an_effect() {
    let bed = Bed::faulty("status-after=500,path=/model,nth=1").await;
    let model =
        json!({ "id": 0, "referenceName": "New", "contentDefinitionTypeID": 1, "fields": [] });
    let answer = bed
        .request(Method::POST, "model")
        .json(&model)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(bed.get("model/New").await["id"], 1000);
}

#[tokio::test]
async fn state_can_be_read_replaced_and_reset() {
    let bed = Bed::start(Options::default()).await;
    bed.save(json!([article(-1, "New")])).await;
    let admin = |method: Method, path: &str| {
        bed.client
            .request(method, format!("{}/_mock/{path}", bed.server.base_url()))
    };
    let dump: Value = admin(Method::GET, "state")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let content = dump["instances"][0]["content"].as_array().unwrap();
    assert_eq!(content.len(), 2);
    assert_eq!(
        content[0]["fields"]["hero"]["url"],
        "http://mock.invalid/cdn/demo/img/a%20b.jpg"
    );
    assert_eq!(
        admin(Method::POST, "reset").send().await.unwrap().status(),
        StatusCode::OK
    );
    assert!(bed.server.requests().is_empty());
    assert_eq!(bed.server.state().instances[0].content.len(), 1);
    assert_eq!(
        admin(Method::PUT, "state")
            .json(&dump)
            .send()
            .await
            .unwrap()
            .status(),
        StatusCode::OK
    );
    assert_eq!(bed.server.state().instances[0].content.len(), 2);
    bed.save(json!([article(-1, "Another")])).await;
    let bad = admin(Method::PUT, "state")
        .json(&json!({ "schema": 9, "instances": [] }))
        .send()
        .await
        .unwrap();
    assert_eq!(bad.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_rate_limit_counts_per_token() {
    let bed = Bed::start(Options {
        rate_limit: Some(3),
        ..Options::default()
    })
    .await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(bed.request(Method::GET, "locales").send().await.unwrap());
    }
    assert_eq!(
        statuses
            .iter()
            .map(|answer| answer.status().as_u16())
            .collect::<Vec<_>>(),
        [200, 200, 200, 429]
    );
    assert_eq!(statuses[3].headers()["retry-after"], "1");
    let url = statuses[3].url().clone();
    let other = bed
        .client
        .get(url)
        .bearer_auth("other")
        .send()
        .await
        .unwrap();
    assert_eq!(other.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_status_fault_has_no_effect_and_says_when_to_return() {
    let bed = Bed::faulty("status=503,path=/item/multi,nth=1,retry-after=7").await;
    let first = bed
        .request(Method::POST, "en-us/item/multi")
        .json(&json!([article(-1, "A")]))
        .send()
        .await
        .unwrap();
    assert_eq!(
        (first.status().as_u16(), &first.headers()["retry-after"]),
        (503, &"7".parse().unwrap())
    );
    assert_eq!(
        bed.save(json!([article(-1, "A")])).await["items"][0]["itemID"],
        1000
    );
}

#[tokio::test]
async fn a_reset_cuts_the_connection_before_or_after_the_effect() {
    for (fault, effects) in [
        ("reset=before,path=/model,nth=1", 0),
        ("reset=after,path=/model,nth=1", 1),
    ] {
        let bed = Bed::faulty(fault).await;
        let model =
            json!({ "id": 0, "referenceName": "New", "contentDefinitionTypeID": 1, "fields": [] });
        assert!(
            bed.request(Method::POST, "model")
                .json(&model)
                .send()
                .await
                .is_err(),
            "{fault}"
        );
        let names = bed.get("model/list/false").await;
        assert_eq!(
            names
                .as_array()
                .unwrap()
                .iter()
                .filter(|row| row["referenceName"] == "New")
                .count(),
            effects,
            "{fault}"
        );
        assert_eq!(bed.server.writes(GUID)[0].status, 0);
    }
}

#[tokio::test]
async fn answers_can_be_broken() {
    let bed = Bed::faulty("truncated-json,path=locales").await;
    let text = bed
        .request(Method::GET, "locales")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        text.starts_with('[') && serde_json::from_str::<Value>(&text).is_err(),
        "{text}"
    );
    let bed = Bed::faulty("html,path=locales").await;
    let page = bed.request(Method::GET, "locales").send().await.unwrap();
    assert_eq!(page.status(), StatusCode::BAD_GATEWAY);
    assert!(page.text().await.unwrap().contains("<html>"));
}

#[tokio::test]
async fn batch_faults_spoil_the_result_only_as_said() {
    let items = json!([article(-1, "A"), article(-1, "B")]);
    let failed = Bed::faulty("fail-batch,path=/item/multi")
        .await
        .save(items.clone())
        .await;
    assert_eq!(
        (
            failed["successCount"].as_i64(),
            failed["items"][0]["itemID"].as_i64()
        ),
        (Some(0), Some(-1))
    );
    assert!(failed["errorData"].as_str().unwrap().contains("aborted"));
    let dropped = Bed::faulty("drop-result,path=/item/multi")
        .await
        .save(items.clone())
        .await;
    assert_eq!(
        (
            dropped["batchItemCount"].as_i64(),
            dropped["items"].as_array().unwrap().len()
        ),
        (Some(2), 1)
    );
    let turned = Bed::faulty("reorder-results,path=/item/multi")
        .await
        .save(items)
        .await;
    assert_eq!(
        (
            &turned["items"][0]["itemTitle"],
            &turned["items"][1]["itemTitle"]
        ),
        (&json!("B"), &json!("A"))
    );
}

#[tokio::test]
async fn bodies_break_off_or_take_their_time() {
    let bed = Bed::faulty("reset=during,path=locales").await;
    // It depends on the system whether the head of the answer gets through.
    let text = match bed.request(Method::GET, "locales").send().await {
        Ok(cut) => cut.text().await,
        Err(error) => Err(error),
    };
    assert!(text.is_err());
    let bed = Bed::faulty("slow-body=40,path=locales").await;
    let slow = bed.request(Method::GET, "locales").send().await.unwrap();
    assert_eq!(slow.content_length(), None);
    let slow: Value = slow.json().await.unwrap();
    assert_eq!(slow[0]["localeCode"], "en-us");
}

#[tokio::test]
async fn a_stuck_batch_never_ends_and_holds_up_nobody() {
    for (fault, items) in [
        ("stick-batch=before,path=/item/multi,nth=1", 2),
        ("stick-batch=after,path=/item/multi,nth=1", 3),
    ] {
        let bed = Bed::faulty(fault).await;
        let stuck = bed
            .request(Method::POST, "en-us/item/multi")
            .json(&json!([article(-1, "A")]));
        let stuck: i64 = stuck.send().await.unwrap().json().await.unwrap();
        bed.save(json!([article(-1, "B")])).await;
        let batch = bed.get(&format!("batch/{stuck}")).await;
        assert_eq!(batch["batchState"], 2, "{fault}");
        let list = bed.get("en-us/list/articles").await;
        assert_eq!(list["totalCount"], items, "{fault}");
    }
}

#[tokio::test]
async fn a_stale_list_lacks_what_was_made_just_now() {
    let bed = Bed::faulty("stale-list,path=/list/,nth=1").await;
    bed.save(json!([article(-1, "A")])).await;
    let rows = |list: &Value| {
        (
            list["totalCount"].clone(),
            list["items"].as_array().unwrap().len(),
        )
    };
    let stale = bed.get("en-us/list/articles").await;
    assert_eq!(rows(&stale), (json!(1), 1));
    let list = bed.get("en-us/list/articles").await;
    assert_eq!(rows(&list), (json!(2), 2));
}

#[tokio::test]
async fn a_limit_may_be_silent() {
    let bed = Bed::start(Options {
        rate_limit: Some(1),
        rate_limit_silent: true,
        ..Options::default()
    })
    .await;
    bed.get("locales").await;
    let refused = bed.request(Method::GET, "locales").send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(!refused.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn a_hanging_request_does_not_hold_up_the_end() {
    let bed = Bed::faulty("hang,path=locales").await;
    let request = bed.request(Method::GET, "locales").send();
    let stop = async {
        while bed.server.requests().is_empty() {
            tokio::task::yield_now().await;
        }
        bed.server.shared_for_tests().stopping.cancel();
    };
    let (answer, ()) = tokio::join!(request, stop);
    assert_eq!(answer.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    bed.server.stop().await;
}

#[tokio::test]
async fn each_request_is_one_line_of_the_log_file() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("requests.ndjson");
    let bed = Bed::start(Options {
        request_log: Some(path.clone()),
        ..Options::default()
    })
    .await;
    bed.get("locales").await;
    bed.save(json!([article(-1, "A")])).await;
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), bed.server.requests().len());
    assert_eq!(lines[1]["body"][0]["fields"]["headline"], "A");
    assert!(lines[1]["batchId"].is_i64() && lines[1]["writes"] == true && !text.contains("token"));
}
