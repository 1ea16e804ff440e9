//! Files that leave together: those of one folder and one gallery share an upload, and one that cannot arrive costs its
//! neighbours nothing.

use lockgate::mock::file::{InstanceFile, Row, StateFile};
use lockgate::mock::{self, RequestRecord, Server};
use serde_json::{Value, json};

use crate::support::{SOURCE, Setup, TARGET, empty_target, serve_with};

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
    let number: usize = path.bytes().filter(u8::is_ascii_digit).map(usize::from).sum();
    format!("the bytes of {path}{}", ".".repeat(number))
}

fn gallery(id: i64, name: &str) -> Row {
    let row = json!({ "mediaGroupingID": id, "groupingTypeID": 1, "name": name });
    let Value::Object(row) = row else {
        unreachable!("it is an object")
    };
    row
}

fn state(assets: Vec<Row>, galleries: Vec<Row>) -> StateFile {
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
fn many(count: i64) -> Vec<Row> {
    let path = |at| format!("img/file{at:03}.txt");
    (0..count).map(|at| file(100 + at, &path(at), None)).collect()
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

#[tokio::test]
async fn small_files_of_one_folder_leave_twenty_at_a_time() {
    let server = served(state(many(70), Vec::new()), &[]).await;
    let mut setup = Setup::new().await;
    let ran = Box::pin(setup.sync(&server.base_url())).await;
    assert_eq!(ran.report.unwrap().failed, 0);
    assert_eq!(uploads(&server).len(), 4);
    assert_eq!(arrived(&server), expected(&many(70)));
    server.stop().await;
}

/// Paths and texts of the files of the target, in the order of their paths.
fn arrived(server: &Server) -> Vec<(String, String)> {
    let state = server.state();
    let target = state.instances.iter().find(|one| one.guid == TARGET);
    paths_and_texts(&target.unwrap().assets)
}

fn expected(files: &[Row]) -> Vec<(String, String)> {
    paths_and_texts(files)
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
