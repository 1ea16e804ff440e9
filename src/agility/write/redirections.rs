//! Saving URL redirections, many at a time.

use serde_json::Value;

use crate::domain::{Id, TargetId, same_name};
use crate::instance::{Refusal, RequestError, RowResult, Save, Saved, Unconfirmed};

use super::super::classify;
use super::super::client::{Call, Client};
use super::super::shape::{self, ShapeError};
use super::{list, unsendable};

/// `POST url-redirections`. Rows that the server skips do not fail the others.
pub(crate) async fn save_redirections(
    client: &Client,
    rows: &[Save],
) -> Result<Vec<RowResult>, RequestError> {
    let operation = format!("saving {} redirections on {}", rows.len(), client.guid);
    let payload = list(rows).map_err(|odd| unsendable(operation.clone(), &odd))?;
    let bodies: Vec<Value> = rows.iter().map(|row| (*row.body).clone()).collect();
    let call = Call::post(operation, "url-redirections".to_owned(), payload);
    let reply = client.send(call).await?;
    reply.understand(|answer| {
        let mut results = results(&bodies, &answer)?;
        for result in &mut results {
            if let Err(Unconfirmed::Refused(refusal)) = result {
                refusal.said = classify::readable(&refusal.said).unwrap_or_default();
            }
        }
        Ok(results)
    })
}

/// Pairs `{ created, updated, skipped }` with the rows of the request, by `index` and else by origin URL.
fn results(sent: &[Value], answer: &Value) -> Result<Vec<RowResult>, ShapeError> {
    if !answer.is_object() {
        return Err(ShapeError(
            "the answer does not contain its rows".to_owned(),
        ));
    }
    let mut results: Vec<_> = sent
        .iter()
        .map(|_| Err(unclear("the response does not include this redirection")))
        .collect();
    for list in ["created", "updated", "skipped"] {
        let rows = shape::member(answer, list).and_then(Value::as_array);
        for row in rows.into_iter().flatten() {
            let at = position(sent, row).and_then(|at| results.get_mut(at));
            if let Some(result) = at {
                *result = result_of(list, row);
            }
        }
    }
    Ok(results)
}

fn result_of(list: &str, row: &Value) -> RowResult {
    if list == "skipped" {
        let reason = shape::text(row, "reason").unwrap_or("skipped without a reason");
        return Err(refusal(reason).into());
    }
    match shape::int(row, "urlRedirectionID").filter(|id| *id > 0) {
        Some(id) => Ok(Saved {
            id: TargetId::new(id),
            version: None,
            name: None,
            urls: None,
        }),
        None => Err(unclear("the response contains no id for this redirection")),
    }
}

fn position(sent: &[Value], row: &Value) -> Option<usize> {
    if let Some(index) = shape::int(row, "index") {
        return usize::try_from(index).ok();
    }
    let origin = |row| shape::text(row, "originUrl").map(str::trim);
    let wanted = origin(row)?;
    let exactly = sent.iter().position(|row| origin(row) == Some(wanted));
    exactly.or_else(|| {
        let fits = |row| origin(row).is_some_and(|origin| same_name(origin, wanted));
        sent.iter().position(fits)
    })
}

fn refusal(said: &str) -> Refusal {
    Refusal {
        about: None,
        error_type: None,
        said: said.to_owned(),
    }
}

fn unclear(why: &str) -> Unconfirmed {
    Unconfirmed::Unclear(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rows_are_paired_by_index_whatever_list_they_are_in() {
        let sent = ["~/a", "~/b", "~/c", "~/d"].map(|origin| json!({ "originUrl": origin }));
        let answer = json!({
            "created": [{"index": 2, "urlRedirectionID": 12}],
            "Updated": [{"Index": 0, "UrlRedirectionID": 10}],
            "skipped": [{"index": 1, "urlRedirectionID": 0, "reason": "origin taken"}]
        });
        let results = results(&sent, &answer).unwrap();
        assert_eq!(results[0].as_ref().unwrap().id, TargetId::new(10));
        assert_eq!(results[1], Err(refusal("origin taken").into()));
        assert_eq!(results[2].as_ref().unwrap().id, TargetId::new(12));
        let untold = "the response does not include this redirection";
        assert_eq!(results[3], Err(unclear(untold)));
    }

    #[test]
    fn without_an_index_the_origin_url_pairs() {
        let sent = ["~/a", "~/B "].map(|origin| json!({ "originUrl": origin }));
        let answer = json!({"created": [{"urlRedirectionID": 5, "originUrl": "~/b"}]});
        let results = results(&sent, &answer).unwrap();
        assert!(results[0].is_err());
        assert_eq!(results[1].as_ref().unwrap().id, TargetId::new(5));
    }

    #[test]
    fn an_answer_without_rows_is_not_taken_for_success() {
        assert!(results(&[json!({})], &json!("ok")).is_err());
    }
}
