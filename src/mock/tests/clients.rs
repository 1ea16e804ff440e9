//! What the vendor's own clients ask for beyond the program's requests; `tests/contract` runs them.

use super::*;

fn column<'a>(rows: &'a Value, member: &str) -> Vec<&'a Value> {
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
    assert_eq!(
        (&without["totalCount"], &with["totalCount"]),
        (&json!(3), &json!(4))
    );
}
