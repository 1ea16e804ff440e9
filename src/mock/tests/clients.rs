//! What the vendor's own clients ask for beyond the program's requests; `tests/contract` runs them.

use super::*;

pub(super) fn column<'a>(rows: &'a Value, member: &str) -> Vec<&'a Value> {
    rows.as_array()
        .unwrap()
        .iter()
        .map(|row| &row[member])
        .collect()
}

#[tokio::test]
async fn built_in_page_modules_are_listed_on_request() {
    let bed = Bed::start(Options::default()).await;
    let rows = bed.get("model/list-page-modules/true").await;
    let names = column(&rows, "referenceName");
    assert!(names.contains(&&json!("RichTextArea")), "{names:?}");
    assert!(!names.contains(&&json!("AgilityCSS")), "{names:?}");
    assert_eq!(bed.get("model/list-page-modules/false").await, json!([]));
}

#[tokio::test]
async fn saving_nothing_is_a_batch_without_items() {
    let bed = Bed::start(Options::default()).await;
    let batch = bed.save(json!([])).await;
    assert_eq!(
        (&batch["items"], &batch["batchItemCount"]),
        (&json!([]), &json!(0))
    );
    let answer = bed.post("url-redirections", json!([])).await;
    assert_eq!(
        answer,
        json!({ "created": [], "updated": [], "skipped": [] })
    );
}

#[tokio::test]
async fn a_history_is_read_in_pages() {
    let bed = Bed::start(Options::default()).await;
    for headline in ["Second", "Third", "Fourth"] {
        bed.save(json!([article(1, headline)])).await;
    }
    let all = bed.get("en-us/item/1/history").await;
    let numbers = column(&all["items"], "VersionNumber");
    let part = bed.get("en-us/item/1/history?take=2&skip=1").await;
    assert_eq!(column(&part["items"], "VersionNumber"), numbers[1..3]);
    assert_eq!(part["totalCount"], all["totalCount"]);
}

#[tokio::test]
async fn a_list_is_ordered_and_filtered() {
    let bed = Bed::start(Options::default()).await;
    let saved = bed
        .save(json!([
            article(-1, "Beta"),
            article(-1, "Gamma"),
            article(-1, "alpha")
        ]))
        .await;
    let ids = column(&saved["items"], "itemID");
    let (beta, gamma, alpha) = (ids[0], ids[1], ids[2]);
    let batch = bed.get(&format!("en-us/item/{gamma}/publish")).await;
    bed.settled(&batch).await;
    let path = |query: &str| format!("en-us/list/articles?{query}");

    let sorted = bed
        .post(
            &path("sortField=Headline&sortDirection=desc&take=3"),
            json!({}),
        )
        .await;
    assert_eq!(
        column(&sorted["items"], "contentID"),
        [gamma, &json!(1), beta]
    );
    let published = bed.post(&path(""), json!({ "stateIds": [2] })).await;
    assert_eq!(column(&published["items"], "contentID"), [gamma, &json!(1)]);
    let found = bed
        .post(&path(""), json!({ "genericSearch": "ALPH" }))
        .await;
    assert_eq!(
        (column(&found["items"], "contentID"), &found["totalCount"]),
        (vec![alpha], &json!(1))
    );

    let batch: Value = bed
        .request(Method::DELETE, &format!("en-us/item/{beta}"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    bed.settled(&batch).await;
    let without = bed.post(&path("showDeleted=false"), json!({})).await;
    let with = bed.post(&path("showDeleted=true"), json!({})).await;
    assert_eq!(without["totalCount"], 3);
    assert_eq!(
        column(&with["items"], "contentID"),
        [beta],
        "deleted rows and no others"
    );
}

/// The article 1 and two more, each of which links to the one before.
async fn linked() -> Bed {
    let bed = Bed::start(Options::default()).await;
    for next in [1, 1000] {
        let mut row = article(-1, &format!("After {next}"));
        row["fields"]["next"] = json!(next.to_string());
        let saved = bed.save(json!([row])).await;
        assert_eq!(saved["failureCount"], 0, "{saved}");
    }
    bed
}

async fn shown(bed: &Bed, path: &str) -> Value {
    let key = bed.key("Preview").await;
    let answer = bed
        .fetch(&format!("{GUID}/preview/en-us/{path}"), &key)
        .await;
    answer.json().await.unwrap()
}

#[tokio::test]
async fn links_are_followed_as_far_as_a_read_asks() {
    let bed = linked().await;
    let id = |value: &Value| value["contentID"].clone();
    let none = shown(&bed, "item/1001?contentLinkDepth=0").await;
    assert_eq!(
        none["fields"]["next"],
        json!({ "contentid": 1000, "fulllist": false })
    );
    let one = shown(&bed, "item/1001").await;
    assert_eq!(id(&one["fields"]["next"]), 1000);
    assert_eq!(
        one["fields"]["next"]["fields"]["next"],
        json!({ "contentid": 1, "fulllist": false })
    );
    let two = shown(&bed, "item/1001?contentLinkDepth=2").await;
    assert_eq!(id(&two["fields"]["next"]["fields"]["next"]), 1);
    let list = shown(&bed, "list/articles?contentLinkDepth=1").await;
    let linked = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| !id(&row["fields"]["next"]).is_null());
    assert_eq!(linked.count(), 2);
}

#[tokio::test]
async fn lists_of_the_fetch_api_are_ordered_and_filtered() {
    let bed = linked().await;
    let ids = async |query: &str| {
        let list = shown(&bed, &format!("list/articles?{query}")).await;
        let ids = column(&list["items"], "contentID").into_iter().cloned();
        ids.collect::<Vec<_>>()
    };
    assert_eq!(
        ids("sort=fields.headline&direction=desc").await,
        [1, 1001, 1000]
    );
    assert_eq!(ids("filter=fields.headline[like]AFTER").await.len(), 2);
    assert_eq!(ids("filter=fields.headline[contains]after").await.len(), 0);
    assert_eq!(ids("filter=fields.headline[contains]first").await.len(), 1);
    assert_eq!(
        ids(r#"filter=fields.headline[eq]"this and that" or fields.headline[eq]"After 1""#).await,
        [1000]
    );
    assert_eq!(
        ids("filter=fields.headline[like]after AND properties.versionID[gt]7&sort=contentID").await,
        [1000, 1001]
    );
    assert_eq!(
        ids("filter=fields.headline[eq]First OR fields.headline[in]x,after 1")
            .await
            .len(),
        2
    );
    assert_eq!(ids("filter=fields.headline[ne]First").await.len(), 2);
    let key = bed.key("Preview").await;
    let refused = bed
        .fetch(
            &format!("{GUID}/preview/en-us/list/articles?filter=headline"),
            &key,
        )
        .await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
}
