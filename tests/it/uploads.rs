//! Files that leave together: those of one folder and one gallery share an upload, and one that cannot arrive costs its
//! neighbours nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use lockgate::domain::{Id as _, Outcome};
use lockgate::mock::file::{InstanceFile, Row, StateFile};
use lockgate::mock::{self, RequestRecord, Server};
use lockgate::store::Store;
use serde_json::{Value, json};

use crate::binary::{Workspace, end_of};
use crate::hostile::proxy::{Answer, Asked, Proxy};
use crate::independent;
use crate::panics::Breaking;
use crate::support::{Ran, SOURCE, Setup, TARGET, empty_target, serve_with};

/// A file with these bytes; `gallery` is the number of one, if it is in one.
fn file(id: i64, path: &str, gallery: Option<i64>) -> Row {
    let row = json!({
        "mediaID": id, "fileName": path.rsplit('/').next(), "originKey": path,
        "mediaGroupingID": gallery.unwrap_or(-1), "content": { "text": text(path) }
    });
    let Value::Object(row) = row else {
        unreachable!("it is an object")
    };
    row
}

/// What is in the file of a path. No two have the same, nor the same length.
fn text(path: &str) -> String {
    let number: usize = path
        .bytes()
        .filter(u8::is_ascii_digit)
        .map(usize::from)
        .sum();
    format!("the bytes of {path}{}", ".".repeat(number))
}

fn gallery(id: i64, name: &str) -> Row {
    let row = json!({ "mediaGroupingID": id, "groupingTypeID": 1, "name": name });
    let Value::Object(row) = row else {
        unreachable!("it is an object")
    };
    row
}

pub(crate) fn state(assets: Vec<Row>, galleries: Vec<Row>) -> StateFile {
    let locales = vec!["en-us".to_owned()];
    let source = InstanceFile {
        guid: SOURCE.to_owned(),
        locales: locales.clone(),
        assets,
        galleries,
        ..InstanceFile::default()
    };
    StateFile {
        instances: vec![source, empty_target(&locales)],
        ..StateFile::default()
    }
}

/// So many files in one folder.
pub(crate) fn many(count: i64) -> Vec<Row> {
    let path = |at| format!("img/file{at:03}.txt");
    (0..count)
        .map(|at| file(100 + at, &path(at), None))
        .collect()
}

async fn served(state: StateFile, faults: &[&str]) -> Server {
    serve_with(mock::Options {
        state,
        faults: faults.iter().map(|text| text.parse().unwrap()).collect(),
        ..mock::Options::default()
    })
    .await
}

/// The uploads that were asked for.
fn uploads(server: &Server) -> Vec<RequestRecord> {
    let all = server.requests().into_iter();
    all.filter(|request| request.path.ends_with("/asset/upload"))
        .collect()
}

/// The names of the files that an upload brought.
fn names(upload: &RequestRecord) -> Vec<String> {
    let body = upload.body.clone().unwrap_or_default();
    let files = body["files"].as_array().cloned().unwrap_or_default();
    let name = |file: &Value| file["name"].as_str().unwrap().to_owned();
    files.iter().map(name).collect()
}

/// How often each file was brought by an upload that was answered as done.
fn times(server: &Server) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for upload in uploads(server) {
        if upload.status == 200 {
            for name in names(&upload) {
                *times.entry(name).or_default() += 1;
            }
        }
    }
    times
}

async fn run(server: &Server) -> Ran {
    let mut setup = Setup::impatient(Store::open_in_memory().await.unwrap());
    Box::pin(setup.sync(&server.base_url())).await
}

/// The keys of what failed, with the reasons.
fn failed(ran: &Ran) -> BTreeMap<String, String> {
    let failed = ran.outcomes().into_iter();
    let failed = failed.filter_map(|(key, outcome)| match outcome {
        Outcome::Failed { reason } => Some((key.to_string(), reason)),
        _ => None,
    });
    failed.collect()
}

#[tokio::test]
async fn small_files_of_one_folder_leave_twenty_at_a_time() {
    let files = many(70);
    let server = served(state(files.clone(), Vec::new()), &[]).await;
    let ran = run(&server).await;
    assert_eq!(failed(&ran), BTreeMap::new());
    assert_eq!(uploads(&server).len(), 4);
    assert_eq!(arrived(&server), paths_and_texts(&files));
    server.stop().await;
}

#[tokio::test]
async fn the_plan_shows_the_uploads_and_limits_are_settings() {
    let server = served(state(many(70), Vec::new()), &[]).await;
    let space = Workspace::new();
    for (args, told) in [
        (&[] as &[&str], "files: 70 in 4 uploads"),
        (&["--asset-batch-files", "50"], "files: 70 in 2 uploads"),
        (&["--asset-batch-bytes", "1"], "files: 70 in 70 uploads"),
    ] {
        let ended = end_of(space.between("plan", &server.base_url(), args)).await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stdout.contains(told), "{}", ended.stdout);
    }
    let rehearsed = end_of(space.sync(&server, &["--dry-run"])).await;
    assert_eq!(rehearsed.code, Some(0), "{}", rehearsed.stderr);
    assert_eq!(uploads(&server), []);
    let args = ["--asset-batch-files", "50"];
    let ended = end_of(space.sync(&server, &args)).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(uploads(&server).len(), 2);
    server.stop().await;
}

#[tokio::test]
async fn only_files_of_one_folder_and_gallery_share_an_upload() {
    let mut focal = file(9, "a/focal.txt", None);
    focal.insert("focalX".to_owned(), json!(0.5));
    focal.insert("focalY".to_owned(), json!(0.25));
    let mut large = file(10, "a/large.bin", None);
    large.insert("content".to_owned(), json!({ "filler": 9 << 20 }));
    let files = vec![
        file(1, "a/one.txt", None),
        file(2, "a/two.txt", None),
        file(3, "b/three.txt", None),
        file(4, "a/four.txt", Some(41)),
        file(5, "a/five.txt", Some(42)),
        file(6, "a/six.txt", Some(41)),
        file(7, "seven.txt", None),
        file(8, "a/b/eight.txt", None),
        focal,
        large,
    ];
    let galleries = vec![gallery(41, "Left"), gallery(42, "Right")];
    let server = served(state(files.clone(), galleries), &[]).await;
    assert_eq!(failed(&run(&server).await), BTreeMap::new());
    assert_eq!(arrived(&server), paths_and_texts(&files));
    let mut shared: Vec<Vec<String>> = uploads(&server).iter().map(names).collect();
    shared.sort_unstable();
    let expected: [&[&str]; 8] = [
        &["eight.txt"],
        &["five.txt"],
        &["focal.txt"],
        &["four.txt", "six.txt"],
        &["large.bin"],
        &["one.txt", "two.txt"],
        &["seven.txt"],
        &["three.txt"],
    ];
    assert_eq!(shared, expected);
    let state = server.state();
    let target = state.instances.iter().find(|one| one.guid == TARGET);
    let row = |name: &str| {
        let mut rows = target.unwrap().assets.iter();
        rows.find(|row| row["fileName"] == name).unwrap()
    };
    assert_eq!(row("six.txt")["mediaGroupingName"], "Left");
    assert_eq!(row("five.txt")["mediaGroupingName"], "Right");
    assert_eq!(row("one.txt").get("focalX"), None);
    assert_eq!(row("focal.txt")["focalY"], "0.25");
    server.stop().await;
}

/// A focal point that only the download tells.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_whose_download_tells_a_focal_point_leaves_alone() {
    let server = served(state(many(5), Vec::new()), &[]).await;
    let tells = |asked: &Asked, answer: &mut Answer| {
        if asked.is_for("origin") && asked.is_for("file003") {
            answer
                .headers
                .insert("agility-focal-x", "0.5".parse().unwrap());
        }
    };
    let proxy = Proxy::start(&server.base_url(), tells).await;
    let mut setup = Setup::impatient(Store::open_in_memory().await.unwrap());
    // The target has what the source does not list.
    setup.looks = false;
    let ran = Box::pin(setup.sync(proxy.url())).await;
    assert_eq!(failed(&ran), BTreeMap::new());
    let with = |upload: &&RequestRecord| upload.query.contains("focalX=0.5");
    let all = uploads(&server);
    let focal: Vec<_> = all.iter().filter(with).map(names).collect();
    assert_eq!(focal, [["file003.txt"]]);
    assert_eq!((all.len(), arrived(&server).len()), (2, 5));
    server.stop().await;
}

/// One file in twenty is refused by the server, the source cuts one off, and one is longer than the source lists.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_bad_files_cost_seventeen_good_ones_nothing() {
    let files = many(20);
    let faults = [
        "status=400,method=POST,path=/asset/upload,text=file007",
        "reset=during,method=GET,path=/origin/1a2b3c4d-u/img/file003",
    ];
    let server = served(state(files.clone(), Vec::new()), &faults).await;
    let base = server.base_url();
    let lists_less = move |asked: &Asked, answer: &mut Answer| {
        if !asked.is_for("/asset/list") && !asked.is_for("/asset/container") {
            return;
        }
        // Files come from the server itself: the proxy cannot pass on half of one.
        let own = format!("http://{}", asked.headers["host"].to_str().unwrap());
        let text = String::from_utf8(std::mem::take(&mut answer.body)).unwrap();
        let mut told: Value = serde_json::from_str(&text.replace(&own, &base)).unwrap();
        let rows = told["assetMedias"].as_array_mut();
        for row in rows.into_iter().flatten().filter(|_| asked.is_for(SOURCE)) {
            if row["fileName"] == "file012.txt" {
                row["size"] = (row["size"].as_u64().unwrap() - 1).into();
            }
        }
        answer.body = told.to_string().into_bytes();
    };
    let proxy = Proxy::start(&server.base_url(), lists_less).await;
    let mut setup = Setup::impatient(Store::open_in_memory().await.unwrap());
    setup.options.attempts = 2;
    let ran = Box::pin(setup.sync(proxy.url())).await;
    let failed = failed(&ran);
    assert_eq!(failed.len(), 3, "{failed:?}");
    assert!(failed["asset:107"].contains("HTTP 400"), "{failed:?}");
    assert!(
        failed["asset:103"].contains("connection was lost"),
        "{failed:?}"
    );
    assert!(failed["asset:112"].contains("lists"), "{failed:?}");
    let good = |row: &&Row| ![103, 107, 112].contains(&row["mediaID"].as_i64().unwrap());
    let good: Vec<Row> = files.iter().filter(good).cloned().collect();
    assert_eq!(arrived(&server), paths_and_texts(&good));
    let times = times(&server);
    assert_eq!(times.len(), good.len());
    assert!(times.values().all(|times| *times == 1), "{times:?}");
    server.stop().await;
}

/// The answer is lost after the effect: what is there is found by its path and bytes, and nothing is sent twice.
#[tokio::test]
async fn what_arrived_without_an_answer_is_found_and_not_sent_again() {
    for fault in [
        "reset=after",
        "status-after=500",
        "status-after=504",
        "truncated-json",
    ] {
        let files = many(20);
        let fault = format!("{fault},method=POST,path=/asset/upload,count=1");
        let server = served(state(files.clone(), Vec::new()), &[&fault]).await;
        let ran = run(&server).await;
        assert_eq!(failed(&ran), BTreeMap::new(), "{fault}");
        assert_eq!(arrived(&server), paths_and_texts(&files), "{fault}");
        assert_eq!(uploads(&server).len(), 1, "{fault}");
        server.stop().await;
    }
}

/// Nothing came of the request: its files are sent again in halves, each once.
#[tokio::test]
async fn what_did_not_arrive_is_sent_again_in_halves() {
    for fault in ["reset=before", "status=500", "html", "status=413"] {
        let files = many(20);
        let fault = format!("{fault},method=POST,path=/asset/upload,count=1");
        let server = served(state(files.clone(), Vec::new()), &[&fault]).await;
        let ran = run(&server).await;
        assert_eq!(failed(&ran), BTreeMap::new(), "{fault}");
        assert_eq!(arrived(&server), paths_and_texts(&files), "{fault}");
        let times = times(&server);
        assert!(
            times.values().all(|times| *times == 1),
            "{fault}: {times:?}"
        );
        let counts: Vec<usize> = uploads(&server)
            .iter()
            .map(|one| names(one).len())
            .collect();
        assert_eq!(counts, [20, 10, 10], "{fault}");
        server.stop().await;
    }
}

/// A gateway that takes little at one time: after it refused an upload for its size, those that follow are smaller.
#[tokio::test]
async fn uploads_become_smaller_after_one_is_refused_for_its_size() {
    let mut files = many(20);
    for row in &mut files {
        row.insert("content".to_owned(), json!({ "filler": 400_000 }));
    }
    let faults = ["status=413,method=POST,path=/asset/upload,count=1"];
    let server = served(state(files.clone(), Vec::new()), &faults).await;
    let mut setup = Setup::impatient(Store::open_in_memory().await.unwrap());
    // Two uploads are in flight at one time.
    setup.options.assets_in_flight = 1;
    setup.options.upload.files = 5;
    setup.options.upload.bytes = 2_000_000;
    let ran = Box::pin(setup.sync(&server.base_url())).await;
    assert_eq!(failed(&ran), BTreeMap::new());
    let all = uploads(&server);
    let counts: Vec<usize> = all.iter().map(|one| names(one).len()).collect();
    assert!(counts[2..].iter().all(|count| *count <= 3), "{counts:?}");
    let times = times(&server);
    assert_eq!(times.len(), 20);
    assert!(times.values().all(|times| *times == 1), "{times:?}");
    server.stop().await;
}

/// Rows that cannot be told apart by their places are not believed: each file is looked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_in_another_order_gives_every_file_its_own_id() {
    type Change = fn(&mut Vec<Value>);
    let changes: [(&str, Change); 5] = [
        ("turned", |rows| rows.reverse()),
        ("one missing", |rows| drop(rows.pop())),
        ("none", Vec::clear),
        ("without ids", |rows| {
            for row in rows {
                row["mediaID"] = Value::Null;
            }
        }),
        ("one id", |rows| {
            for row in rows {
                row["mediaID"] = json!(10_001);
            }
        }),
    ];
    for (case, change) in changes {
        let files = many(6);
        let server = served(state(files.clone(), Vec::new()), &[]).await;
        let rewrite = move |asked: &Asked, answer: &mut Answer| {
            if asked.is_for("asset/upload") {
                let mut rows: Vec<Value> = serde_json::from_slice(&answer.body).unwrap();
                change(&mut rows);
                answer.body = Value::Array(rows).to_string().into_bytes();
            }
        };
        let proxy = Proxy::start(&server.base_url(), rewrite).await;
        let mut setup = Setup::impatient(Store::open_in_memory().await.unwrap());
        // It compares every id with the path that it stands for.
        setup.looks = true;
        let ran = Box::pin(setup.sync(proxy.url())).await;
        assert_eq!(failed(&ran), BTreeMap::new(), "{case}");
        assert_eq!(arrived(&server), paths_and_texts(&files), "{case}");
        assert_eq!(uploads(&server).len(), 1, "{case}");
        assert!(ids_fit(&setup, &server).await, "{case}");
        server.stop().await;
    }
}

/// An answer that came before the files were sent says nothing about them.
#[tokio::test]
async fn what_was_answered_unread_is_sent_again() {
    let files = many(4);
    let server = served(state(files.clone(), Vec::new()), &[]).await;
    let mut setup = Setup::impatient(Store::open_in_memory().await.unwrap());
    let unread = Arc::new(AtomicI64::new(1));
    let hasty = |target| Breaking::answering_unread(target, &unread);
    let ran = Box::pin(setup.sync_with(&server.base_url(), hasty)).await;
    assert!(
        unread.load(Ordering::Relaxed) < 1,
        "one upload was not read"
    );
    assert_eq!(failed(&ran), BTreeMap::new());
    assert_eq!(arrived(&server), paths_and_texts(&files));
    assert!(ids_fit(&setup, &server).await);
    server.stop().await;
}

/// Whether every asset is mapped to the file of its own path.
async fn ids_fit(setup: &Setup, server: &Server) -> bool {
    let mappings = independent::mappings_of(&setup.store).await;
    let state = server.state();
    let path = |guid: &str, id: i64| {
        let instance = state.instances.iter().find(|one| one.guid == guid)?;
        let row = instance.assets.iter().find(|row| row["mediaID"] == id)?;
        Some(row["originKey"].clone())
    };
    mappings.iter().all(|mapping| {
        let source = path(SOURCE, mapping.key.id.raw());
        source.is_some() && source == path(TARGET, mapping.target.raw())
    })
}

/// Paths and texts of the files of the target, in the order of their paths.
fn arrived(server: &Server) -> Vec<(String, String)> {
    let state = server.state();
    let target = state.instances.iter().find(|one| one.guid == TARGET);
    paths_and_texts(&target.unwrap().assets)
}

fn paths_and_texts(rows: &[Row]) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut files: Vec<_> = rows
        .iter()
        .map(|row| (text(&row["originKey"]), text(&row["content"]["text"])))
        .collect();
    files.sort_unstable();
    files
}
