//! Batches in the shapes that servers of different ages send.

use serde_json::json;

use super::*;
use crate::domain::Secret;

#[test]
fn results_out_of_order_are_nobodys() {
    let batch = |operation: i64| json!({"batchState": 3, "operationType": operation, "items": [good(2, 6, 81), good(1, 5, 80)]});
    assert_eq!(status(&batch(14)), Ok(BatchStatus::Finished(Vec::new())));
    let Ok(BatchStatus::Finished(published)) = status(&batch(1)) else {
        panic!("a workflow batch has results in any order");
    };
    assert_eq!(published.len(), 2);
}

/// An answer that listed what failed, and nothing else, was taken for one that failed as a whole.
#[test]
fn a_step_of_the_workflow_tells_what_failed_in_any_form() {
    let about = |refused: &[Refusal]| -> Vec<Option<i64>> {
        let id = |refusal: &Refusal| refusal.about.map(|about| about.id.raw());
        refused.iter().map(id).collect()
    };
    let refused = |batch: Value| -> Vec<Refusal> {
        finished(&batch)
            .into_iter()
            .filter_map(|row| row.err().map(refused_as))
            .collect()
    };
    let row = json!({"batchItemId": 9, "itemId": 7, "itemType": "ContentItem", "errorMessage": "checked out"});
    let summary =
        json!({"totalItems": 6, "successCount": 5, "failureCount": 1, "failedItems": [row]});
    let listed = refused(json!({"batchState": 3, "operationType": 1, "items": [],
        "errorData": summary.to_string(), "failedItems": [row]}));
    assert_eq!(about(&listed), [Some(7)]);
    assert_eq!(listed[0].said, "checked out");
    assert_eq!(listed[0].about.unwrap().kind, Some(Kind::Content));

    let plain = refused(
        json!({"batchState": 3, "operationType": 1, "successCount": 5, "failureCount": 1,
        "errorData": "1 of 6 items could not be published.", "items": [good(1, 5, 80),
        {"batchItemID": 2, "itemID": 6, "itemType": 1, "errorMessage": "checked out"}]}),
    );
    assert_eq!(about(&plain), [Some(6)]);
    assert_eq!(plain[0].about.unwrap().kind, Some(Kind::Page));

    let counted = refused(json!({"batchState": 3, "operationType": 1, "items": [],
        "errorData": "{\"SuccessCount\": 4, \"FailureCount\": 2}"}));
    assert_eq!(
        about(&counted),
        [None, None],
        "they are counted, and nothing tells which they are"
    );

    let none = failed(
        &json!({"batchState": 3, "operationType": 1, "errorData": "Batch aborted.", "items": []}),
    );
    assert_eq!(none.said, "Batch aborted.");
}

fn refused_as(unconfirmed: Unconfirmed) -> Refusal {
    match unconfirmed {
        Unconfirmed::Refused(refusal) => refusal,
        Unconfirmed::Unclear(why) => panic!("{why}"),
    }
}

fn refusal_of(row: &RowResult) -> Refusal {
    refused_as(row.clone().unwrap_err())
}

fn is_unclear(row: &RowResult) -> bool {
    matches!(row, Err(Unconfirmed::Unclear(_)))
}

fn of(batch: &Value) -> BatchStatus {
    status(batch).unwrap()
}

fn finished(batch: &Value) -> Vec<RowResult> {
    match of(batch) {
        BatchStatus::Finished(results) => results,
        other => panic!("{other:?}"),
    }
}

fn failed(batch: &Value) -> Refusal {
    match of(batch) {
        BatchStatus::Failed(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

fn good(row: i64, id: i64, version: i64) -> Value {
    json!({"batchItemID": row, "itemID": id, "itemNull": false, "processedItemVersionID": version, "errorMessage": null})
}

fn ids(results: &[RowResult]) -> Vec<Option<i64>> {
    let id = |result: &RowResult| result.as_ref().ok().map(|saved| saved.id.raw());
    results.iter().map(id).collect()
}

#[test]
fn a_batch_at_work_tells_how_far_it_is() {
    let working = |processed| BatchStatus::Working { processed };
    assert_eq!(of(&json!({"batchState": 1})), working(None));
    assert_eq!(
        of(&json!({"BatchState": 2, "NumItemsProcessed": 7})),
        working(Some(7))
    );
    assert!(status(&json!({"message": "?"})).is_err());
}

#[test]
fn results_stand_in_the_order_of_the_request() {
    let results = finished(&json!({"batchState": 3, "items": [
        good(1, 1501, 9121),
        {"batchItemID": 2, "itemID": -1, "itemNull": true,
         "errorMessage": "{\"message\":\"Cannot create this item: sidebar_links does not exist\",\"exceptionType\":\"System.Exception\"}"},
        good(3, 1502, 9122)]}));
    assert_eq!(ids(&results), [Some(1501), None, Some(1502)]);
    assert_eq!(results[0].as_ref().unwrap().version, Some(Version(9121)));
    let refusal = refusal_of(&results[1]);
    assert_eq!(refusal.error_type.as_deref(), Some("System.Exception"));
    assert_eq!(
        refusal.said,
        "Cannot create this item: sidebar_links does not exist"
    );
}

#[test]
fn older_servers_write_members_in_pascal_case() {
    let results = finished(&json!({"BatchState": 3, "Items": [
        {"BatchItemID": 1, "ItemID": 5, "ItemNull": false, "ProcessedItemVersionID": 8}]}));
    assert_eq!(ids(&results), [Some(5)]);
}

#[test]
fn an_id_alone_is_no_success() {
    let results = finished(&json!({"batchState": 3, "items": [
        {"itemID": 5, "itemNull": true},
        {"itemID": 6, "errorMessage": "Item is checked out"},
        {"itemID": 0},
        {"itemID": 7, "errorMessage": "  "}]}));
    assert_eq!(ids(&results), [None, None, None, Some(7)]);
    let unclear: Vec<bool> = results.iter().map(is_unclear).collect();
    assert_eq!(
        unclear,
        [true, false, true, false],
        "only a reason is a refusal"
    );
}

#[test]
fn failed_items_speak_first_and_refute_an_id_without_a_version() {
    let results = finished(&json!({"batchState": 3,
        "failedItems": [
            {"batchItemId": 2, "itemId": 6, "errorType": "System.Exception", "errorMessage": "checked out"},
            {"batchItemId": 1, "itemId": 5, "errorMessage": "only a warning"}],
        "items": [
            good(1, 5, 80),
            {"batchItemID": 2, "itemID": 6, "errorMessage": null}]}));
    assert_eq!(ids(&results), [Some(5), None]);
    let refusal = refusal_of(&results[1]);
    assert_eq!(refusal.said, "checked out");
    assert_eq!(refusal.error_type.as_deref(), Some("System.Exception"));
}

#[test]
fn a_summary_with_successes_is_a_partial_failure() {
    let summary = json!({"totalItems": 2, "SuccessCount": 1, "FailureCount": 1,
        "failedItems": [{"itemId": 6, "errorMessage": "Item is checked out"}]});
    let results = finished(&json!({"batchState": 3, "errorData": summary.to_string(),
        "items": [good(1, 5, 80), {"batchItemID": 2, "itemID": 6}]}));
    assert_eq!(ids(&results), [Some(5), None]);
    assert_eq!(refusal_of(&results[1]).said, "Item is checked out");
}

#[test]
fn a_batch_without_successes_failed_as_a_whole() {
    let plain = failed(
        &json!({"batchState": 3, "errorData": "Out of disk space.", "items": [
        {"batchItemID": 1, "itemID": 5}, {"batchItemID": 2, "itemID": -1, "itemNull": true}]}),
    );
    assert_eq!(plain.said, "Out of disk space.");
    let summary = json!({"totalItems": 1, "successCount": 0, "failureCount": 1}).to_string();
    let none = failed(&json!({"batchState": 3, "errorData": summary, "items": []}));
    assert_eq!(none.said, "batch failed");
}

#[test]
fn a_whole_failure_that_explains_every_item_is_told_by_item() {
    let results = finished(
        &json!({"batchState": 3, "errorData": "{\"successCount\":0}", "items": [
        {"batchItemID": 1, "itemID": -1, "itemNull": true, "errorMessage": "too long"}]}),
    );
    assert_eq!(refusal_of(&results[0]).said, "too long");
}

#[test]
fn what_a_stopped_batch_has_stored_is_believed() {
    let results = finished(
        &json!({"batchState": 3, "abortYN": true, "errorData": "Batch aborted.",
        "items": [good(1, 5, 80), {"batchItemID": 2, "itemID": 6}]}),
    );
    assert_eq!(ids(&results), [Some(5), None]);
    assert!(
        is_unclear(&results[1]),
        "the words of the batch are about no item"
    );
    let nothing = failed(&json!({"batchState": 4, "items": [{"itemID": 6}]}));
    assert_eq!(nothing.said, "batch aborted");
}

#[test]
fn an_exception_dump_is_taken_apart() {
    let dump = "System.NullReferenceException: Object reference not set to an instance of an object.\r\n   at Agility.Content.Batch.InsertContent(String name)\r\n   at Agility.Run()";
    let read = refusal(dump).unwrap();
    assert_eq!(
        read.error_type.as_deref(),
        Some("System.NullReferenceException")
    );
    assert_eq!(
        read.said,
        "Object reference not set to an instance of an object. (in Batch.InsertContent)"
    );
    let coded = "Microsoft.Data.SqlClient.SqlException (0x80131904): The statement conflicted.\r\n   at A.B.C()";
    assert_eq!(
        refusal(coded).unwrap().error_type.as_deref(),
        Some("Microsoft.Data.SqlClient.SqlException")
    );
    let one_line = "A.B.SomeException: no good   at X.Y.Z(Int32 n)   at Q.R()";
    assert_eq!(refusal(one_line).unwrap().said, "no good (in Y.Z)");
}

#[test]
fn an_exception_inside_json_is_taken_apart_as_well() {
    let text = json!({"Message": "Agility.Shared.Exceptions.ManagementValidationException: The maximum length for the Message field is 1500 characters.\n   at A.B.C()"});
    let read = refusal(&text.to_string()).unwrap();
    assert_eq!(
        read.error_type.as_deref(),
        Some("Agility.Shared.Exceptions.ManagementValidationException")
    );
    assert!(
        read.said.ends_with("1500 characters. (in B.C)"),
        "{}",
        read.said
    );
}

#[test]
fn plain_text_stays_and_credentials_go() {
    drop(Secret::new("tok-123456"));
    let read = refusal("Meet me at noon: tok-123456").unwrap();
    assert_eq!(read.said, "Meet me at noon: [redacted]");
    assert_eq!(read.error_type, None);
    assert_eq!(refusal("  "), None);
}
