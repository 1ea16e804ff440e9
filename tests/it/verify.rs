//! `lockgate verify` through the binary: what somebody changes on the target is found, and called what it is.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use lockgate::mock;
use lockgate::mock::file::{InstanceFile, Row, StateFile};

use crate::binary::{Workspace, end_of, lines_of_json};
use crate::support::{TARGET, fixture, instances, serve, serve_with};

fn text(row: &Row) -> String {
    Value::Object(row.clone()).to_string()
}

fn find<'a>(rows: &'a mut [Row], part: &str) -> &'a mut Row {
    rows.iter_mut()
        .find(|row| text(row).contains(part))
        .unwrap()
}

fn target(state: &mut StateFile) -> &mut InstanceFile {
    let found = state.instances.iter_mut().find(|one| one.guid == TARGET);
    found.unwrap()
}

/// Changes a target in every way that a verification tells apart, but for bytes.
fn spoil(target: &mut InstanceFile) {
    let copy = find(&mut target.content, "<p>first</p>").clone();
    let middle = find(&mut target.content, "<p>middle</p>")["contentID"].clone();
    let left = find(&mut target.content, "<p>left</p>")["contentID"].clone();
    let third = find(&mut target.content, "<p>third</p>")["contentID"].clone();
    let spoilt = text(find(&mut target.content, "<p>second</p>")).replace("second", "2nd");
    let Value::Object(spoilt) = serde_json::from_str(&spoilt).unwrap() else {
        unreachable!()
    };
    *find(&mut target.content, "<p>second</p>") = spoilt;
    target.content.retain(|row| row["contentID"] != third);
    let mut twice = copy;
    twice.insert("contentID".to_owned(), json!(999_999));
    target.content.push(twice);
    for page in &mut target.pages {
        let zones = page["zones"]
            .to_string()
            .replace(&left.to_string(), &middle.to_string());
        page.insert("zones".to_owned(), serde_json::from_str(&zones).unwrap());
        if page["name"] == "right" {
            page.insert("parentPageID".to_owned(), json!(-1));
        }
    }
    let last = target
        .pages
        .iter()
        .position(|page| page["name"] == "third")
        .unwrap();
    let moved = target.pages.remove(last);
    target.pages.insert(0, moved);
}

#[tokio::test]
async fn every_kind_of_change_on_the_target_is_found() {
    let workspace = Workspace::new();
    let server = serve(instances(&fixture("three-siblings"))).await;
    assert_eq!(
        end_of(workspace.sync(&server, &["--no-tui"])).await.code,
        Some(0)
    );
    let clean = end_of(workspace.between("verify", &server.base_url(), &["--no-tui"])).await;
    assert_eq!(
        (clean.code, clean.stdout.as_str()),
        (Some(0), ""),
        "{}",
        clean.stderr
    );

    let mut state = server.state();
    server.stop().await;
    spoil(target(&mut state));
    let server = serve(state).await;
    let before = server.writes(TARGET).len();
    let found = end_of(workspace.between("verify", &server.base_url(), &["--no-tui"])).await;
    assert_eq!(found.code, Some(1), "{}", found.stderr);
    for difference in [
        "different-field",
        "missing",
        "duplicate",
        "wrong-reference",
        "wrong-order",
        "wrong-parent",
    ] {
        let is_row = |line: &str| line.starts_with(difference);
        assert!(
            found.stdout.lines().any(is_row),
            "{difference} is not in\n{}",
            found.stdout
        );
    }
    let json = end_of(workspace.between("verify", &server.base_url(), &["--output", "json"])).await;
    let events = lines_of_json(&json.stdout);
    let told = events
        .iter()
        .filter(|event| event["type"] == "difference-found")
        .count();
    assert_eq!(
        (json.code, told),
        (Some(1), found.stdout.lines().count() - 1)
    );
    assert_eq!(
        server.writes(TARGET).len(),
        before,
        "a verification writes nothing"
    );
    server.stop().await;
}

/// What hosts say of files spares their downloads, once it has been right; and a file that changed is found whatever they say.
#[tokio::test]
async fn bytes_are_compared_by_digests_that_have_been_right() {
    for (digests, spares) in [
        (mock::FileDigests::Right, true),
        (mock::FileDigests::None, false),
        (mock::FileDigests::Wrong, false),
    ] {
        let workspace = Workspace::new();
        let options = |state| mock::Options {
            state,
            rules: mock::Rules {
                digests,
                ..mock::Rules::default()
            },
            ..mock::Options::default()
        };
        let server = serve_with(options(instances(&fixture("starter-site")))).await;
        let synced = end_of(workspace.sync(&server, &["--no-tui"])).await;
        assert_eq!(synced.code, Some(0), "{digests:?}: {}", synced.stderr);
        let files = server.state().instances[0].assets.len();
        let before = server.requests().len();
        let verify = || workspace.between("verify", &server.base_url(), &["--json"]);
        let clean = end_of(verify()).await;
        assert_eq!(clean.code, Some(0), "{digests:?}: {}", clean.stderr);
        let fetched = server.requests().split_off(before).into_iter();
        let fetched = fetched.filter(|one| one.method == "GET" && one.path.starts_with("/origin/"));
        let fetched = fetched.count();
        assert_eq!(
            fetched < files,
            spares,
            "{digests:?}: {fetched} of {files} files of two sides"
        );
        let events = lines_of_json(&clean.stdout);
        let compared = events
            .iter()
            .find(|event| event["type"] == "files-compared")
            .unwrap();
        let (by_digest, downloaded) = (&compared["by_digest"], &compared["downloaded"]);
        assert_eq!(by_digest.as_u64() > Some(0), spares, "{compared}");
        assert!(downloaded.as_u64() >= Some(3), "{compared}");

        // As many other bytes in the place of those of the last file.
        let mut state = server.state();
        server.stop().await;
        let held = target(&mut state).assets.last_mut().unwrap();
        let size = usize::try_from(held["size"].as_u64().unwrap()).unwrap();
        held.insert("content".to_owned(), json!({ "text": "x".repeat(size) }));
        let server = serve_with(options(state)).await;
        let verify = workspace.between("verify", &server.base_url(), &["--no-tui"]);
        let found = end_of(verify).await;
        assert_eq!(found.code, Some(1), "{digests:?}: {}", found.stderr);
        assert!(found.stdout.contains("different-bytes"), "{}", found.stdout);
        server.stop().await;
    }
}

/// A run with nothing to do has created nothing twice, so the lists of the target need not be read once more. A verification of
/// its own reads them.
#[tokio::test]
async fn doubles_are_not_looked_for_after_a_run_with_nothing_to_do() {
    let workspace = Workspace::new();
    let server = serve(instances(&fixture("starter-site"))).await;
    let asked_by = async |command: &str| {
        let before = server.requests().len();
        let ended = end_of(workspace.between(command, &server.base_url(), &[])).await;
        assert_eq!(ended.code, Some(0), "{command}: {}", ended.stderr);
        let requests = server.requests().split_off(before);
        let lists = requests.into_iter().filter_map(|one| {
            let (start, list) = one.path.split_once("/list/")?;
            let is_of_items = one.method == "POST" && start.contains(TARGET);
            is_of_items.then(|| format!("{} {list}", &start[start.len() - 5..]))
        });
        lists.collect::<BTreeSet<String>>()
    };
    let first = asked_by("sync").await;
    assert!(
        first.contains("en-us articles") && first.len() > 5,
        "{first:?}"
    );
    assert_eq!(
        asked_by("sync").await,
        BTreeSet::new(),
        "nothing is written"
    );
    assert!(asked_by("verify").await.is_superset(&first));
}
