//! Rows of lists that cannot be used, and answers with an odd form: each row is an entity, a row of a known class, or the
//! reason why the instance could not be read. None is passed over in silence.

use std::sync::{Arc, Mutex};

use lockgate::engine::{PullError, RunError};
use lockgate::store::Store;
use serde_json::{Map, Value, json};

use super::proxy::{Answer, Asked, Proxy};
use crate::binary::{Workspace, end_of};
use crate::support::{SOURCE, Setup, TARGET, fixture, instances, serve};

type Row = Map<String, Value>;
type Change = fn(&mut Row);

/// Changes the first row of a list, or the row itself, of answers to reads of the source whose path contains a text. `list`
/// is the member that holds the rows.
fn row(
    (part, list): (&'static str, &'static str),
    change: impl Fn(&mut Row) + Send + Sync + 'static,
) -> impl Fn(&Asked, &mut Answer) + Send + Sync + 'static {
    move |asked: &Asked, answer: &mut Answer| {
        if asked.method != "GET" || !asked.is_for(part) || !asked.is_for(SOURCE) {
            return;
        }
        let Ok(mut value) = serde_json::from_slice::<Value>(&answer.body) else {
            return;
        };
        let rows = match list {
            "" => &mut value,
            list => &mut value[list],
        };
        let first = match rows {
            Value::Array(rows) => rows.iter_mut().find_map(Value::as_object_mut),
            row => row.as_object_mut(),
        };
        if let Some(first) = first {
            first.shift_remove("isFolder");
            change(first);
            answer.body = value.to_string().into_bytes();
        }
    }
}

/// A change that gives a member a value.
fn set(row: &mut Row, name: &str, value: Value) {
    row.insert(name.to_owned(), value);
}

/// What a run says why an instance could not be read.
async fn reading(rewrite: impl Fn(&Asked, &mut Answer) + Send + Sync + 'static) -> String {
    let server = serve(instances(&fixture("starter-site"))).await;
    let proxy = Proxy::start(&server.base_url(), rewrite).await;
    let mut setup = Setup::impatient(Store::open_in_memory().await.unwrap());
    setup.options.attempts = 2;
    let ran = setup.sync(proxy.url()).await;
    server.stop().await;
    let error = ran.report.map(|report| report.plan.entities.len());
    let Err(RunError::Pull(PullError::Request { cause, .. })) = error else {
        return format!("it is no failure of a read: {error:?}");
    };
    cause.cause.to_string()
}

const FEED: (&str, &str) = ("/sync/items", "items");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn items_that_cannot_be_used_are_named() {
    let forms: [(&str, Change); 6] = [
        ("properties", |row| set(row, "properties", Value::Null)),
        ("properties", |row| drop(row.shift_remove("properties"))),
        ("properties", |row| set(row, "properties", json!("none"))),
        ("properties.definitionName", |row| {
            row["properties"]["definitionName"] = Value::Null;
        }),
        ("properties.referenceName", |row| {
            row["properties"]["referenceName"] = json!(" ");
        }),
        ("contentID", |row| set(row, "contentID", json!(0))),
    ];
    for (place, change) in forms {
        let why = reading(row(FEED, change)).await;
        assert!(
            why.contains("items[0]") && why.contains(place),
            "{place}: {why}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_without_a_locale_is_not_read() {
    for locales in [
        json!([]),
        json!([{"localeCode": "en-us", "enabled": false}, {"localeCode": "fr-ca", "enabled": false}]),
    ] {
        let why = reading(move |asked: &Asked, answer: &mut Answer| {
            if asked.uri.path().ends_with("/locales") {
                answer.body = locales.to_string().into_bytes();
            }
        })
        .await;
        assert!(why.contains("locale"), "{why}");
    }
}

/// A locale that is left out takes all of its content with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locale_that_does_not_say_whether_it_is_enabled_is_named() {
    for enabled in [json!(0), json!("perhaps"), json!([]), json!({})] {
        let why = reading(row(("/locales", ""), move |row| {
            set(row, "enabled", enabled.clone());
        }))
        .await;
        assert!(why.contains("[0].enabled"), "{why}");
    }
}

/// Lists by kind: path, member with the rows, id and name.
const LISTS: [(&str, &str, &str, &str); 9] = [
    ("/model/list/false", "", "id", ""),
    ("/container/list", "", "contentViewID", ""),
    ("/page/templates", "", "pageTemplateID", "pageTemplateName"),
    (
        "/asset/galleries",
        "assetMediaGroupings",
        "mediaGroupingID",
        "name",
    ),
    ("/asset/list", "assetMedias", "mediaID", "originKey"),
    ("/sync/pages", "items", "pageID", "path"),
    ("/urlredirection", "items", "urlRedirectionID", "originUrl"),
    ("/sync/items", "items", "contentID", ""),
    ("/sitemap", "", "digitalChannelID", ""),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_without_an_id_are_named() {
    for (part, list, id, _) in LISTS {
        let remove = move |row: &mut Row| {
            row.retain(|name, _| !name.eq_ignore_ascii_case(id) && name != "id");
        };
        let why = reading(row((part, list), remove)).await;
        assert!(why.contains("[0]") && why.contains(id), "{part}: {why}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_without_a_name_are_named() {
    for (part, list, _, name) in LISTS {
        if name.is_empty() {
            continue;
        }
        let remove = move |row: &mut Row| {
            row.retain(|member, _| !member.eq_ignore_ascii_case(name) && member != "fileName");
            row.shift_remove("name");
        };
        let why = reading(row((part, list), remove)).await;
        assert!(why.contains("[0]") && why.contains(name), "{part}: {why}");
    }
}

/// What is read one by one, and announced by a list.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_and_a_container_without_a_name_are_named() {
    let nameless = |row: &mut Row| {
        row.shift_remove("referenceName");
    };
    for (is_it, kind) in [("/model/", "model"), ("/container/", "container")] {
        let why = reading(move |asked: &Asked, answer: &mut Answer| {
            let path = asked.uri.path();
            let is_one = path
                .rsplit('/')
                .next()
                .is_some_and(|end| end.parse::<i64>().is_ok());
            if is_one && path.contains(is_it) {
                row(("", ""), nameless)(asked, answer);
            }
        })
        .await;
        assert!(why.contains(kind) && why.contains("referenceName"), "{why}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_cannot_be_used_ends_with_3_and_a_place() {
    let server = serve(instances(&fixture("two-locales"))).await;
    let rewrite = row(FEED, |row| set(row, "properties", Value::Null));
    let proxy = Proxy::start(&server.base_url(), rewrite).await;
    let workspace = Workspace::new();
    for command in ["plan", "verify"] {
        let mut call = workspace.between(command, proxy.url(), &[]);
        call.env("LOCKGATE_RETRY_ATTEMPTS", "1");
        let ended = end_of(call).await;
        assert_eq!(ended.code, Some(3), "{}", ended.stderr);
        let is_named = ended.stderr.contains("items[0]") && ended.stderr.contains("LG-2010");
        assert!(is_named, "{}", ended.stderr);
    }
    server.stop().await;
}

/// Folders, built-in models and the like are told with their number and an example.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_a_known_class_are_counted_and_named() {
    let server = serve(instances(&fixture("starter-site"))).await;
    let workspace = Workspace::new();
    let ended = end_of(workspace.sync(&server, &[])).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let text = format!("{}{}", ended.stdout, ended.stderr);
    let is_told = text.contains("source: 5 rows in the list of assets left out");
    assert!(is_told, "{text}");
    let events = crate::binary::events_in(&workspace.run_folder());
    let mut ignored = events
        .iter()
        .filter(|event| event["type"] == "rows-ignored");
    assert!(ignored.any(|event| event["kind"] == "asset" && event["rows"] == 5));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_byte_order_mark_before_json_is_accepted() {
    let server = serve(instances(&fixture("two-locales"))).await;
    let rewrite = |asked: &Asked, answer: &mut Answer| {
        if !asked.is_for("/origin/") && !asked.is_for("_mock") {
            answer.body.splice(0..0, *b"\xef\xbb\xbf");
        }
    };
    let proxy = Proxy::start(&server.base_url(), rewrite).await;
    let workspace = Workspace::new();
    let ended = end_of(workspace.between("sync", proxy.url(), &[])).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_page_that_is_null_is_no_failure_of_the_server() {
    let server = serve(instances(&fixture("two-locales"))).await;
    let left = Mutex::new(2);
    let rewrite = move |asked: &Asked, answer: &mut Answer| {
        let mut left = left.lock().unwrap();
        if asked.is_for("/sync/pages") && *left > 0 {
            *left -= 1;
            answer.body = b"null".to_vec();
        }
    };
    let proxy = Proxy::start(&server.base_url(), rewrite).await;
    let workspace = Workspace::new();
    let ended = end_of(workspace.between("sync", proxy.url(), &["--verbose"])).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let text = format!("{}{}", ended.stdout, ended.stderr);
    assert!(!text.contains("503"), "{text}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_asset_of_unknown_size_is_the_same_to_a_rehearsal_and_to_a_run() {
    type Size = fn(&Value) -> Value;
    let sizes: [(&str, Size); 5] = [
        ("null", |_| Value::Null),
        ("negative", |_| json!(-1)),
        ("a number as text", |size| json!(size.to_string())),
        ("another text", |_| json!("unknown")),
        ("a fraction", |_| json!(1.5)),
    ];
    for (what, size) in sizes {
        let server = serve(instances(&fixture("galleries-and-assets"))).await;
        let rewrite = move |asked: &Asked, answer: &mut Answer| {
            let is_list = asked.is_for("/asset/list");
            if let (true, Ok(mut value)) = (is_list, serde_json::from_slice::<Value>(&answer.body))
            {
                let rows = value["assetMedias"].as_array_mut().into_iter().flatten();
                rows.for_each(|row| row["size"] = size(&row["size"]));
                answer.body = value.to_string().into_bytes();
            }
        };
        let proxy = Proxy::start(&server.base_url(), rewrite).await;
        let workspace = Workspace::new();
        for args in [&["--dry-run"] as &[&str], &[], &["--dry-run"], &[]] {
            let ended = end_of(workspace.between("sync", proxy.url(), args)).await;
            assert_eq!(ended.code, Some(0), "{what} {args:?}: {}", ended.stderr);
        }
        server.stop().await;
    }
}

/// A number that no floating-point number holds arrives with all of its digits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn digits_beyond_a_floating_point_number_are_kept() {
    const DIGITS: &str = "0.123456789012345678901234";
    const WHOLE: &str = "12345678901234567890123";
    let server = serve(instances(&fixture("two-locales"))).await;
    let sent: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&sent);
    let rewrite = move |asked: &Asked, answer: &mut Answer| {
        if asked.is_for("/sync/items") && asked.is_for(SOURCE) {
            let text = String::from_utf8(std::mem::take(&mut answer.body)).unwrap();
            let fields = format!("\"fields\":{{\"exact\":{DIGITS},\"whole\":{WHOLE},");
            answer.body = text.replace("\"fields\":{", &fields).into_bytes();
        }
        if asked.method == "POST" && asked.is_for(TARGET) {
            let body = String::from_utf8_lossy(&asked.body).into_owned();
            seen.lock().unwrap().push(body);
        }
    };
    let proxy = Proxy::start(&server.base_url(), rewrite).await;
    let mut setup = Setup::impatient(Store::open_in_memory().await.unwrap());
    setup.looks = false;
    setup.sync(proxy.url()).await.report.unwrap();
    let sent = sent.lock().unwrap().clone();
    for digits in [DIGITS, WHOLE] {
        assert!(
            sent.iter().any(|body| body.contains(digits)),
            "{digits} was not sent"
        );
    }
    server.stop().await;
}
