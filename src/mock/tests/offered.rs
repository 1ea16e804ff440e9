//! Calls that the API describes and for which the vendor's published client has no method; `tests/contract` has them, too.

use super::clients::column;
use super::*;
use crate::mock::Rules;

impl Bed {
    async fn sent(&self, method: Method, path: &str, body: Value) -> Value {
        let request = self.request(method, path).json(&body);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.unwrap()
    }

    async fn status_of(&self, method: Method, path: &str, body: Value) -> u16 {
        let request = self.request(method, path).json(&body);
        request.send().await.unwrap().status().as_u16()
    }
}

#[tokio::test]
async fn definitions_are_listed_by_type_and_by_the_date_of_their_change() {
    let bed = Bed::start(Options::default()).await;
    let used = bed
        .get("model/used-field-types?includeDefaults=false")
        .await;
    assert_eq!(used, json!(["Content", "Text"]));
    for (kind, expected) in [("0", true), ("1", false), ("2", true), ("3", false)] {
        let page = bed
            .get(&format!(
                "container/list/paged?contentType={kind}&pageSize=50"
            ))
            .await;
        let names = column(&page["items"], "referenceName");
        assert_eq!(names.contains(&&json!("articles")), expected, "{kind}");
    }
    for (list, rows) in [
        ("container/list", ""),
        ("model/list/true", ""),
        ("container/list/paged", "items"),
        ("asset/list", "assetMedias"),
    ] {
        let count = async |since: &str| {
            let answer = bed.get(&format!("{list}?updatedSince={since}")).await;
            let rows = if rows.is_empty() {
                &answer
            } else {
                &answer[rows]
            };
            rows.as_array().unwrap().len()
        };
        assert!(count("2019-12-31").await > 0, "{list}");
        assert_eq!(count("2099-01-01T00:00:00Z").await, 0, "{list}");
    }
    let status = bed.get("fetch-api-status").await;
    assert_eq!(status["pushType"], 2, "what is published is the default");
    let other = bed.request(Method::GET, "fetch-api-status?mode=other");
    assert_eq!(other.send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn a_folder_takes_its_files_along_and_these_keep_their_bytes() {
    let bed = Bed::start(Options::default()).await;
    let bytes = async |asset: &Value| bed.bytes(asset["originUrl"].as_str().unwrap()).await;
    let before = bed.get("asset/51").await;
    let filler = bytes(&before).await;
    let moved = bed
        .sent(Method::POST, "asset/move/51?newFolder=img", json!(null))
        .await;
    assert_eq!(moved["originKey"], "img/big.bin");
    assert!(
        bytes(&moved).await == filler,
        "the bytes followed from the key"
    );
    let rename = "asset/folder/rename?folderName=img&newFolderName=pictures";
    bed.sent(Method::POST, rename, json!(null)).await;
    let all = bed.get("asset/list").await;
    let keys = column(&all["assetMedias"], "originKey");
    assert_eq!(keys, ["pictures/a b.jpg", "pictures/big.bin"]);
    assert_eq!(bed.status_of(Method::POST, rename, json!(null)).await, 404);
    let delete = "asset/folder/delete?originKey=pictures";
    bed.sent(Method::POST, delete, json!(null)).await;
    assert_eq!(bed.get("asset/list").await["totalCount"], 0);
    assert_eq!(bed.status_of(Method::POST, delete, json!(null)).await, 404);
}

#[tokio::test]
async fn locales_are_made_switched_and_ordered_and_a_state_keeps_them() {
    let bed = Bed::start(Options::default()).await;
    bed.sent(
        Method::POST,
        "locales",
        json!({ "localeCode": "de-de", "localeName": "Deutsch" }),
    )
    .await;
    let codes = async || {
        let rows = bed.get("locales").await;
        column(&rows, "localeCode")
            .into_iter()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(codes().await, ["en-us", "fr-ca", "de-de"]);
    let rows = bed.get("locales").await;
    let ids: Vec<Value> = column(&rows, "localeID").into_iter().cloned().collect();
    bed.sent(
        Method::POST,
        "locales/sort-order",
        json!({ "orderedIds": [ids[2], ids[0]] }),
    )
    .await;
    assert_eq!(codes().await, ["de-de", "en-us", "fr-ca"]);
    let french = format!("locales/{}/disable", ids[1]);
    bed.sent(Method::PATCH, &french, json!(null)).await;
    assert_eq!(codes().await, ["de-de", "en-us"]);
    let all = bed.get("locales/all").await;
    assert_eq!(column(&all["disabledLocales"], "localeCode"), ["fr-ca"]);
    assert_eq!(
        bed.status_of(Method::GET, "fr-ca/sitemap", json!(null))
            .await,
        404
    );
    let state = bed.server.state();
    assert_eq!(state.instances[0].locales, ["de-de", "en-us"]);
    assert_eq!(state.instances[0].disabled_locales, ["fr-ca"]);
    for id in [&ids[0], &ids[2]] {
        let path = format!("locales/{id}/disable");
        let last = bed.status_of(Method::PATCH, &path, json!(null)).await;
        assert_eq!(last, if *id == ids[0] { 200 } else { 400 });
    }
}

#[tokio::test]
async fn a_version_becomes_the_first_one_of_another_locale_and_overwrites_none() {
    let bed = Bed::start(Options::default()).await;
    let body = json!({ "languageCodeSource": "en-us", "languageCodeTargets": ["fr-ca"], "contentVersionIds": [7] });
    let batch = bed.post("initialize/content", body.clone()).await;
    let row = bed.settled(&batch).await;
    assert_eq!(
        (&row["operationType"], &row["successCount"]),
        (&json!(20), &json!(1))
    );
    let (french, english) = (bed.get("fr-ca/item/1").await, bed.get("en-us/item/1").await);
    assert_eq!(french["fields"], english["fields"]);
    assert_eq!(french["properties"]["state"], 1);
    let again = bed.post("translate/content", body).await;
    let row = bed.settled(&again).await;
    assert_eq!(
        (&row["operationType"], &row["failureCount"]),
        (&json!(19), &json!(1))
    );
    let list = json!({ "languageCodeSource": "fr-ca", "languageCodeTarget": "en-us", "contentViewIds": [20] });
    let batch = bed.post("initialize/contentlist", list).await;
    assert_eq!(
        bed.settled(&batch).await["items"],
        json!([]),
        "both have it"
    );
    let unknown = json!({ "languageCodeSource": "en-us", "languageCodeTarget": "fr-ca", "pageVersionIds": [99] });
    assert_eq!(
        bed.status_of(Method::POST, "initialize/page", unknown)
            .await,
        404
    );
}

#[tokio::test]
async fn a_model_gets_the_companions_that_it_asks_for_where_the_server_makes_them() {
    let ask = json!({ "id": 0, "referenceName": "Memo", "contentDefinitionTypeID": 1, "fields": [
        { "name": "Writer", "type": "Content", "settings": { "LinkeContentDropdownValueField": "createnew", "SortIDFieldName": "" } } ] });
    for makes_companions in [false, true] {
        let rules = Rules {
            makes_companions,
            ..Rules::default()
        };
        let bed = Bed::start(Options {
            rules,
            ..Options::default()
        })
        .await;
        let saved = bed.post("model", ask.clone()).await;
        let names = column(&saved["fields"], "name");
        let setting = &saved["fields"][0]["settings"]["LinkeContentDropdownValueField"];
        if makes_companions {
            assert_eq!(
                (names, setting),
                (
                    vec![&json!("Writer"), &json!("Writer_ValueField")],
                    &json!("Writer_ValueField")
                )
            );
        } else {
            assert_eq!(
                (names, setting),
                (vec![&json!("Writer")], &json!("createnew"))
            );
        }
    }
}
