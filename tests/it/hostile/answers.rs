//! Answers to writes that do not add up: ids that are missing, null, or those of something else. The write has taken
//! effect each time. So nothing may be sent a second time, and nothing may be taken for the counterpart of something else.

use std::sync::Mutex;
use std::time::Duration;

use lockgate::domain::Outcome;
use lockgate::engine::Publish;
use lockgate::mock::file::{InstanceFile, StateFile};
use lockgate::store::Store;
use serde_json::{Map, Value, json};

use super::proxy::{Answer, Asked, Proxy};
use crate::independent;
use crate::support::{Ran, SOURCE, Setup, TARGET, fixture, instances, serve};

/// Members of `values` that are objects.
fn objects(values: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    let rows = values.as_array_mut().into_iter().flatten();
    rows.filter_map(Value::as_object_mut)
}

fn edit(answer: &mut Answer, change: impl FnOnce(&mut Value)) {
    if let Ok(mut value) = serde_json::from_slice::<Value>(&answer.body) {
        change(&mut value);
        answer.body = value.to_string().into_bytes();
    }
}

/// Changes the rows of finished batches, of saves or of steps of the workflow.
fn batch(of_workflow: bool, asked: &Asked, answer: &mut Answer, change: impl FnOnce(&mut Value)) {
    if asked.is_for("/batch/") {
        edit(answer, |batch| {
            let operation = batch["operationType"].as_i64().unwrap_or(0);
            let is_over = batch["batchState"] == json!(3);
            if is_over && (1..=5).contains(&operation) == of_workflow {
                change(batch);
            }
        });
    }
}

fn is_file(row: &Map<String, Value>) -> bool {
    row.get("isFolder") != Some(&json!(true))
}

/// How many rows of each kind an instance has, folders left out.
fn counts(instance: &InstanceFile) -> [usize; 8] {
    [
        instance.models.len(),
        instance.containers.len(),
        instance.templates.len(),
        instance.galleries.len(),
        instance.assets.iter().filter(|row| is_file(row)).count(),
        instance.content.len(),
        instance.pages.len(),
        instance.redirections.len(),
    ]
}

fn sides(state: &StateFile) -> [[usize; 8]; 2] {
    [SOURCE, TARGET].map(|guid| {
        let of_side = state.instances.iter().find(|one| one.guid == guid);
        counts(of_side.unwrap())
    })
}

async fn setup() -> Setup {
    let mut setup = Setup::impatient(Store::open_in_memory().await.unwrap());
    setup.options.attempts = 3;
    setup.options.batch_timeout = Duration::from_secs(3);
    setup
}

/// Whether a run calls all in sync.
fn is_whole(ran: &Ran) -> bool {
    ran.report.as_ref().is_ok_and(|report| {
        report.failed == 0 && report.differences.as_ref().is_some_and(Vec::is_empty)
    })
}

/// What a run says of what did not go well.
fn told(ran: &Ran) -> String {
    match &ran.report {
        Ok(report) => {
            let failed: Vec<_> = ran
                .outcomes()
                .into_iter()
                .filter(|(_, outcome)| matches!(outcome, Outcome::Failed { .. }))
                .collect();
            format!("{failed:#?}\n{:#?}\n{:?}", report.differences, report.end)
        }
        Err(error) => format!("{error:#?}").chars().take(2_000).collect(),
    }
}

/// A run whose answers are changed, and one after it whose answers are not. The first may know less than it should, and
/// does not say that all is in sync unless it is; the second ends in sync, and nothing is there twice.
async fn holds(
    name: &str,
    what: &str,
    rewrite: impl Fn(&Asked, &mut Answer) + Send + Sync + 'static,
) -> Ran {
    let server = serve(instances(&fixture(name))).await;
    let proxy = Proxy::start(&server.base_url(), rewrite).await;
    let mut setup = setup().await;
    setup.options.publish = Publish::Both;
    let first = setup.sync(proxy.url()).await;
    let second = setup.sync(&server.base_url()).await;
    assert!(is_whole(&second), "{what}: {}", told(&second));
    let [source, target] = sides(&independent::dump(&server.base_url()).await);
    assert_eq!(source, target, "{what}: something is there twice");
    let third = setup.sync(&server.base_url()).await;
    let written = third.outcomes().into_values();
    let mut written = written.filter(|outcome| *outcome != Outcome::Unchanged);
    assert_eq!(written.next(), None, "{what}");
    server.stop().await;
    first
}

/// A change of one row, in the member with the id.
type Change = fn(&mut Map<String, Value>, &str);

/// Ways in which an id is not told.
const WITHOUT_ID: [(&str, Change); 4] = [
    ("0", |row, id| set(row, id, json!(0))),
    ("null", |row, id| set(row, id, Value::Null)),
    ("no member", |row, id| drop(row.shift_remove(id))),
    ("-1", |row, id| set(row, id, json!(-1))),
];

fn set(row: &mut Map<String, Value>, name: &str, value: Value) {
    row.insert(name.to_owned(), value);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batch_rows_without_an_id_are_looked_up() {
    for (what, change) in WITHOUT_ID {
        let rewrite = move |asked: &Asked, answer: &mut Answer| {
            batch(false, asked, answer, |batch| {
                objects(&mut batch["items"]).for_each(|row| change(row, "itemID"));
            });
        };
        let first = holds("starter-site", what, rewrite).await;
        assert!(is_whole(&first), "{what}: {}", told(&first));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_says_it_is_null_without_a_reason_is_looked_up() {
    let rewrite = |asked: &Asked, answer: &mut Answer| {
        batch(false, asked, answer, |batch| {
            for row in objects(&mut batch["items"]) {
                row.insert("itemNull".to_owned(), json!(true));
                row.insert("itemID".to_owned(), json!(-1));
            }
        });
    };
    let first = holds("two-locales", "itemNull", rewrite).await;
    assert!(is_whole(&first), "{}", told(&first));
}

/// The ids of the rows of a batch.
fn ids(batch: &Value) -> Vec<Value> {
    let rows = batch["items"].as_array().into_iter().flatten();
    rows.map(|row| row["itemID"].clone()).collect()
}

fn give(batch: &mut Value, ids: impl IntoIterator<Item = Value>) {
    for (row, id) in objects(&mut batch["items"]).zip(ids) {
        row.insert("itemID".to_owned(), id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batch_rows_with_the_id_of_a_neighbour_are_not_believed() {
    let rewrite = |asked: &Asked, answer: &mut Answer| {
        batch(false, asked, answer, |batch| {
            let mut told = ids(batch);
            let by = told.len().min(1);
            told.rotate_left(by);
            give(batch, told);
        });
    };
    let first = holds("starter-site", "rotated", rewrite).await;
    assert!(is_whole(&first), "{}", told(&first));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batch_rows_with_ids_that_are_shifted_are_not_believed() {
    for by in [-1, 1, 100_000] {
        let rewrite = move |asked: &Asked, answer: &mut Answer| {
            batch(false, asked, answer, |batch| {
                let told = ids(batch).into_iter();
                let shifted = told.map(|id| json!(id.as_i64().unwrap_or(0) + by));
                give(batch, shifted.collect::<Vec<_>>());
            });
        };
        let first = holds("starter-site", &format!("shifted by {by}"), rewrite).await;
        assert!(is_whole(&first), "{by}: {}", told(&first));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_that_were_told_before_are_not_believed() {
    let before: Mutex<Vec<Value>> = Mutex::default();
    let rewrite = move |asked: &Asked, answer: &mut Answer| {
        batch(false, asked, answer, |batch| {
            let mut before = before.lock().unwrap();
            let told = ids(batch);
            let (again, _) = before.split_at(told.len().min(before.len()));
            give(batch, again.to_vec());
            before.extend(told);
        });
    };
    let first = holds("starter-site", "reused", rewrite).await;
    assert!(is_whole(&first), "{}", told(&first));
}

/// Ids that the target had before the run: content of the same container among them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_of_content_that_was_there_before_are_not_believed() {
    let mut state = instances(&fixture("starter-site"));
    let container = state.instances[0].content[0]["properties"]["referenceName"].clone();
    let old = json!({"contentID": 77, "locale": "en-us", "properties": {"state": 1, "versionID": 9,
        "referenceName": container, "definitionName": "Post", "itemOrder": 0}, "fields": {"title": "Old and foreign"}});
    let of_container = |rows: &[Map<String, Value>]| -> Vec<Map<String, Value>> {
        let named = |row: &&Map<String, Value>| row["referenceName"] == container;
        rows.iter().filter(named).cloned().collect()
    };
    let containers = of_container(&state.instances[0].containers);
    state.instances[1].containers = containers;
    state.instances[1].models = state.instances[0].models.clone();
    state.instances[1].content = vec![old.as_object().unwrap().clone()];
    let server = serve(state).await;
    let rewrite = |asked: &Asked, answer: &mut Answer| {
        batch(false, asked, answer, |batch| {
            let told = ids(batch);
            let all = told.iter().map(|_| json!(77)).collect::<Vec<_>>();
            give(batch, all);
        });
    };
    let proxy = Proxy::start(&server.base_url(), rewrite).await;
    let mut setup = setup().await;
    setup.creates_unmatched = true;
    let first = setup.sync(proxy.url()).await;
    assert!(is_whole(&first), "{}", told(&first));
    let [source, target] = sides(&independent::dump(&server.base_url()).await);
    assert_eq!(source[5] + 1, target[5]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_with_too_many_or_too_few_rows_is_looked_up() {
    for more in [true, false] {
        let rewrite = move |asked: &Asked, answer: &mut Answer| {
            batch(false, asked, answer, |batch| {
                if let Some(rows) = batch["items"].as_array_mut() {
                    if more {
                        rows.extend(rows.last().cloned());
                    } else {
                        rows.pop();
                    }
                }
            });
        };
        let first = holds("two-locales", &format!("more: {more}"), rewrite).await;
        assert!(is_whole(&first), "{more}: {}", told(&first));
    }
}

/// The progress of a batch goes beyond its total, and it ends once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_beyond_the_total_is_bounded() {
    let looks: Mutex<Map<String, Value>> = Mutex::default();
    let rewrite = move |asked: &Asked, answer: &mut Answer| {
        batch(false, asked, answer, |batch| {
            let mut looks = looks.lock().unwrap();
            let count = looks
                .entry(batch["batchID"].to_string())
                .or_insert(json!(0));
            let number = count.as_i64().unwrap_or(0);
            *count = json!(number + 1);
            if number < 3 {
                batch["batchState"] = json!(2);
                batch["numItemsProcessed"] = json!(4_000_000_000_u64 - number.unsigned_abs());
            }
        });
    };
    let first = holds("two-locales", "progress", rewrite).await;
    assert!(is_whole(&first), "{}", told(&first));
    for event in &first.events {
        if let lockgate::event::Event::BatchProgressed { processed, .. } = event {
            assert!(
                *processed <= 250,
                "{processed} items of a batch of at most 250"
            );
        }
    }
}

/// A batch that the target never knows ends as an unknown outcome, and the next run finds what it did.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_is_unknown_for_ever_is_an_unknown_outcome() {
    let rewrite = |asked: &Asked, answer: &mut Answer| {
        if asked.is_for("/batch/") {
            answer.fail(404, "text/plain", "no such batch".to_owned());
        }
    };
    let first = holds("two-locales", "unknown batches", rewrite).await;
    let refused = first.outcomes().into_values().any(|outcome| {
        matches!(&outcome, Outcome::Failed { reason } if !reason.contains("is not known"))
    });
    assert!(!refused, "{}", told(&first));
}

/// The answer to each kind of single save: where it goes, and the member with the id.
const SAVES: [(&str, &str, &str); 5] = [
    ("model", "/model", "id"),
    ("container", "/container", "contentViewID"),
    ("template", "/page/template", "pageTemplateID"),
    ("gallery", "/asset/gallery", "mediaGroupingID"),
    ("asset", "/asset/upload", "mediaID"),
];

/// Changes the answers to saves of one kind.
fn saves(
    (path, id): (&'static str, &'static str),
    change: impl Fn(&mut Map<String, Value>, &str) + Send + Sync + 'static,
) -> impl Fn(&Asked, &mut Answer) + Send + Sync + 'static {
    move |asked: &Asked, answer: &mut Answer| {
        let asked_path = asked.uri.path();
        if asked.method == "POST" && asked_path.ends_with(path) {
            edit(answer, |saved| match saved {
                Value::Object(row) => change(row, id),
                rows => objects(rows).for_each(|row| change(row, id)),
            });
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn single_saves_without_an_id_are_looked_up() {
    for (kind, path, id) in SAVES {
        for (what, change) in WITHOUT_ID {
            let what = format!("{kind} {what}");
            let first = holds("galleries-and-assets", &what, saves((path, id), change)).await;
            assert!(is_whole(&first), "{what}: {}", told(&first));
        }
    }
}

/// The id that was told last is told for the next one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn single_saves_with_the_id_of_another_are_not_believed() {
    for (kind, path, id) in SAVES {
        let last: Mutex<Option<Value>> = Mutex::default();
        let change = move |row: &mut Map<String, Value>, id: &str| {
            let mut last = last.lock().unwrap();
            let own = row[id].clone();
            if let Some(before) = last.replace(own) {
                row.insert(id.to_owned(), before);
            }
        };
        holds(
            "starter-site",
            &format!("{kind} of another"),
            saves((path, id), change),
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn single_saves_with_an_id_that_does_not_exist_are_not_believed() {
    for (kind, path, id) in SAVES {
        let change = |row: &mut Map<String, Value>, id: &str| {
            let own = row[id].as_i64().unwrap_or(0);
            row.insert(id.to_owned(), json!(own + 500_000));
        };
        holds(
            "starter-site",
            &format!("{kind} of nothing"),
            saves((path, id), change),
        )
        .await;
    }
}

/// Changes the rows of the answer to an import of redirections.
fn redirections(
    change: impl Fn(&mut Value) + Send + Sync + 'static,
) -> impl Fn(&Asked, &mut Answer) + Send + Sync + 'static {
    move |asked: &Asked, answer: &mut Answer| {
        if asked.method == "POST" && asked.uri.path().ends_with("/url-redirections") {
            edit(answer, &change);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redirections_without_an_id_are_looked_up() {
    for (what, change) in WITHOUT_ID {
        let rewrite = redirections(move |answer| {
            objects(&mut answer["created"]).for_each(|row| change(row, "urlRedirectionID"));
        });
        let first = holds("starter-site", what, rewrite).await;
        assert!(is_whole(&first), "{what}: {}", told(&first));
    }
    let first = holds(
        "starter-site",
        "no rows",
        redirections(|answer| *answer = json!({})),
    )
    .await;
    assert!(is_whole(&first), "{}", told(&first));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redirections_with_the_id_of_a_neighbour_are_not_believed() {
    let rewrite = redirections(|answer| {
        let rows = answer["created"].as_array_mut().into_iter().flatten();
        let mut rows: Vec<&mut Value> = rows.collect();
        let mut ids: Vec<Value> = rows
            .iter()
            .map(|row| row["urlRedirectionID"].clone())
            .collect();
        let by = ids.len().min(1);
        ids.rotate_left(by);
        for (row, id) in rows.iter_mut().zip(ids) {
            row["urlRedirectionID"] = id;
        }
    });
    let first = holds("starter-site", "rotated", rewrite).await;
    assert!(is_whole(&first), "{}", told(&first));
}

/// A batch that publishes and has no rows, or rows without ids, proves nothing: the target shows what is published.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishing_that_the_answer_does_not_tell_is_looked_up() {
    for (what, change) in WITHOUT_ID {
        let rewrite = move |asked: &Asked, answer: &mut Answer| {
            batch(true, asked, answer, |batch| {
                objects(&mut batch["items"]).for_each(|row| change(row, "itemID"));
            });
        };
        let first = holds("two-locales", what, rewrite).await;
        assert!(is_whole(&first), "{what}: {}", told(&first));
        let report = first.report.unwrap();
        assert!(
            report.unpublished.is_empty(),
            "{what}: {:?}",
            report.unpublished
        );
    }
}

/// A step of the workflow that did nothing, and whose batch has no rows, is not taken for done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishing_that_did_nothing_is_named() {
    let state = instances(&fixture("two-locales"));
    let server = serve(state).await;
    let rewrite = |asked: &Asked, answer: &mut Answer| {
        batch(true, asked, answer, |batch| batch["items"] = json!([]));
        if asked.is_for("/items?ids=") || asked.is_for("/page/") {
            let text = String::from_utf8_lossy(&answer.body);
            answer.body = text.replace("\"state\":2", "\"state\":1").into_bytes();
        }
    };
    let proxy = Proxy::start(&server.base_url(), rewrite).await;
    let mut setup = setup().await;
    setup.options.publish = Publish::Both;
    let first = setup.sync(proxy.url()).await;
    let report = first.report.unwrap();
    assert!(!report.unpublished.is_empty());
    server.stop().await;
}
