//! Paths of assets that a server would tidy up, that break out of a header, or that two assets share: what cannot arrive as
//! itself is refused while planning, as one cause, and nothing on the target is written over.

use std::collections::BTreeMap;

use lockgate::mock::file::{InstanceFile, StateFile};
use lockgate::mock::{self, Names, Rules};
use serde_json::{Value, json};

use crate::binary::{Workspace, end_of, lines_of_json};
use crate::support::{SOURCE, TARGET, empty_target, serve, serve_with};

/// Two instances; the source has a file at each path, whose text is its place.
fn state(paths: &[&str]) -> StateFile {
    let locales = vec!["en-us".to_owned()];
    let mut source = InstanceFile {
        guid: SOURCE.to_owned(),
        locales: locales.clone(),
        ..InstanceFile::default()
    };
    for (at, path) in paths.iter().enumerate() {
        let row = json!({ "mediaID": 300 + at, "originKey": path, "content": { "text": format!("file {at}") } });
        source.assets.push(row.as_object().unwrap().clone());
    }
    StateFile {
        instances: vec![source, empty_target(&locales)],
        ..StateFile::default()
    }
}

/// The text at each path of the target.
fn files(state: &StateFile) -> BTreeMap<String, String> {
    let target = state.instances.iter().find(|one| one.guid == TARGET);
    let files = target
        .unwrap()
        .assets
        .iter()
        .filter(|row| row["isFolder"] != true);
    let file = |row: &lockgate::mock::file::Row| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&row["originKey"]), text(&row["content"]["text"]))
    };
    files.map(file).collect()
}

fn expected(paths: &[&str], sent: &[usize]) -> BTreeMap<String, String> {
    let file = |at: &usize| (paths[*at].to_owned(), format!("file {at}"));
    sent.iter().map(file).collect()
}

/// The keys that a command says fail, from the events or the list of a plan.
fn failed_in_plan(stdout: &str) -> Vec<String> {
    let fails = stdout.lines().map(str::trim_start);
    let fails = fails.filter_map(|line| line.strip_prefix("x failed "));
    fails
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn what_cannot_arrive_as_itself_is_refused_while_planning_as_one_cause() {
    let paths = [
        "plain.png",
        "img/a b.png",
        "x\"y.png",
        "back\\slash.png",
        "日本語/é.png",
        "../../x.png",
        "/etc/x.png",
        ".",
        "..",
        "a//b.png",
        "img/./c.png",
        "img/../d.png",
        "bell\u{7}.png",
        "x\"\r\nContent-Type: text/html",
        "end/",
        "x%22.png",
        "end\\",
    ];
    let good = [0, 1, 2, 3, 4];
    let server = serve(state(&paths)).await;
    let space = Workspace::new();
    let bad: Vec<String> = (good.len()..paths.len())
        .map(|at| format!("asset:{}", 300 + at))
        .collect();
    let plan = end_of(space.between("plan", &server.base_url(), &[])).await;
    assert_eq!(failed_in_plan(&plan.stdout), bad, "{plan:?}");
    assert_eq!(plan.code, Some(1), "{plan:?}");
    let ran = end_of(space.sync(&server, &["--output", "json"])).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let failed: Vec<String> = lines_of_json(&ran.stdout)
        .iter()
        .filter(|event| event["type"] == "entity-settled" && event["outcome"] == "failed")
        .map(|event| event["key"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(failed, bad, "{ran:?}");
    assert_eq!(files(&server.state()), expected(&paths, &good));
    let uploads = server.writes(TARGET);
    let uploads = uploads
        .iter()
        .filter(|one| one.path.ends_with("asset/upload"));
    let brought = uploads.map(|one| {
        one.body.as_ref().unwrap()["files"]
            .as_array()
            .unwrap()
            .len()
    });
    assert_eq!(brought.sum::<usize>(), good.len());
    let summary = std::fs::read(space.run_folder().join("summary.json")).unwrap();
    let summary: Value = serde_json::from_slice(&summary).unwrap();
    let causes = summary["failures"].as_array().unwrap();
    assert_eq!(causes.len(), 1, "{causes:?}");
    assert_eq!(causes[0]["count"], bad.len());
}

#[tokio::test]
async fn of_paths_that_are_one_on_the_target_only_one_is_sent() {
    for (paths, sent) in [
        (["img/Same.png", "img/same.png"], 0),
        (["a/x.png", "a//x.png"], 0),
        (["a//x.png", "a/x.png"], 1),
        (["one/path.png", "one/path.png"], 0),
        (["caf\u{e9}.png", "cafe\u{301}.png"], 0),
        (["img/x.png", "IMG/x.png"], 0),
    ] {
        for names in [Names::Exact, Names::Folded] {
            let rules = Rules {
                names,
                ..Rules::default()
            };
            let server = serve_with(mock::Options {
                state: state(&paths),
                rules,
                ..mock::Options::default()
            })
            .await;
            let space = Workspace::new();
            let what = format!("{paths:?}, {names:?}");
            // The second run finds the first one's file and does not write over it either.
            for round in 0..2 {
                let plan = end_of(space.between("plan", &server.base_url(), &[])).await;
                assert_eq!(
                    failed_in_plan(&plan.stdout).len(),
                    1,
                    "{what}, round {round}: {plan:?}"
                );
                let ran = end_of(space.sync(&server, &[])).await;
                assert_eq!(ran.code, Some(1), "{what}, round {round}: {ran:?}");
                // A source that takes two paths for one has one file there, so that the texts say nothing.
                let there: Vec<String> = files(&server.state()).into_keys().collect();
                assert_eq!(there, [paths[sent]], "{what}, round {round}");
                let uploads = server.writes(TARGET);
                let uploads = uploads
                    .iter()
                    .filter(|one| one.path.ends_with("asset/upload"));
                assert_eq!(uploads.count(), 1, "{what}, round {round}");
            }
        }
    }
}

#[tokio::test]
async fn twins_that_the_target_has_apart_are_kept_up_to_date() {
    let paths = ["img/Same.png", "img/same.png"];
    let mut state = state(&paths);
    state.instances[1].assets = state.instances[0].assets.clone();
    let rules = Rules {
        names: Names::Exact,
        ..Rules::default()
    };
    let server = serve_with(mock::Options {
        state,
        rules,
        ..mock::Options::default()
    })
    .await;
    let space = Workspace::new();
    let ran = end_of(space.sync(&server, &[])).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(files(&server.state()), expected(&paths, &[0, 1]));
}
