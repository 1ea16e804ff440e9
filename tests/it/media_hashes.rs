//! The hashes of files in a plan: from their hosts where these have been right, else from the bytes, else a reason.

use std::collections::BTreeMap;
use std::time::Duration;

use lockgate::engine::{EVENTS_IN_FLIGHT, HashLimits, Sink};
use lockgate::event::Stamped;
use lockgate::mock::file::{InstanceFile, Row, StateFile};
use lockgate::mock::{self, Server};
use lockgate::plan::{FileHash, KnownBytes};
use md5::{Digest as _, Md5};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::binary::{Ended, Workspace, end_of};
use crate::support::{SOURCE, Setup, TARGET, put_state, serve_with};
use crate::uploads::{many, state};

async fn served(state: StateFile, digests: mock::FileDigests, faults: &[&str]) -> Server {
    serve_with(mock::Options {
        state,
        faults: faults.iter().map(|text| text.parse().unwrap()).collect(),
        rules: mock::Rules {
            digests,
            ..mock::Rules::default()
        },
        ..mock::Options::default()
    })
    .await
}

async fn ends(space: &Workspace, server: &Server, words: &[&str], code: i32) -> Ended {
    let url = server.base_url();
    let ended = end_of(space.between(words[0], &url, &words[1..])).await;
    assert_eq!(ended.code, Some(code), "{words:?}: {}", ended.stderr);
    ended
}

/// What a plan as JSON says of files, by their name.
async fn files(space: &Workspace, server: &Server, args: &[&str]) -> BTreeMap<String, Value> {
    let words = [&["plan", "--format", "json", "--quiet"], args].concat();
    let plan = ends(space, server, &words, 0).await;
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    let entities = plan["entities"].as_array().unwrap().iter();
    let files = entities.filter_map(|entity| {
        let changes = entity["changes"].as_array()?.iter();
        let mut changes = changes.filter(|change| change["field"] == "file");
        Some((entity["name"].as_str()?.to_owned(), changes.next()?.clone()))
    });
    files.collect()
}

/// How often files were asked for with this method since then.
fn asked(server: &Server, since: usize, method: &str) -> usize {
    let requests = server.requests().split_off(since).into_iter();
    let is_of_file =
        |one: &mock::RequestRecord| one.method == method && one.path.starts_with("/origin/");
    requests.filter(is_of_file).count()
}

fn row<'a>(instance: &'a mut InstanceFile, path: &str) -> &'a mut Row {
    let is_it = |row: &&mut Row| row["originKey"] == path;
    instance.assets.iter_mut().find(is_it).unwrap()
}

fn text(row: &Row) -> String {
    row["content"]["text"].as_str().unwrap().to_owned()
}

fn hash(algorithm: &str, digits: &str) -> Value {
    json!({ "algorithm": algorithm, "digits": digits })
}

fn md5(text: &str) -> Value {
    let digits = u128::from_be_bytes(Md5::digest(text).into());
    hash("md5", &format!("{digits:032x}"))
}

/// New files have the hash of their bytes, whatever their host says: what is right spares downloads, what is wrong is not
/// believed, and what is refused is not asked for again and again.
#[tokio::test]
async fn new_files_have_their_hash_whatever_their_host_says() {
    use mock::FileDigests::{None, Right, Wrong};
    const REFUSED: &str = "status=405,method=HEAD,path=/origin";
    const FORBIDDEN: &str = "status=403,method=HEAD,path=/origin";
    let new = many(30);
    let expected = new.iter().map(|row| {
        let name = row["originKey"].as_str().unwrap().to_owned();
        (name, md5(&text(row)))
    });
    let expected: BTreeMap<String, Value> = expected.collect();
    for (digests, faults, are_spared) in [
        (Right, &[] as &[&str], true),
        (None, &[], false),
        (Wrong, &[], false),
        (Right, &[REFUSED], false),
        (Right, &[FORBIDDEN], false),
    ] {
        let server = served(state(new.clone(), Vec::new()), digests, faults).await;
        let space = Workspace::new();
        let found = files(&space, &server, &[]).await;
        for change in found.values() {
            assert_eq!(
                (&change["was"], &change["file"]["was"]),
                (&Value::Null, &Value::Null)
            );
        }
        let found: BTreeMap<String, Value> = found
            .into_iter()
            .map(|(name, change)| (name, change["file"]["becomes"]["hash"].clone()))
            .collect();
        assert_eq!(found, expected, "{digests:?} {faults:?}");
        let (read, headed) = (asked(&server, 0, "GET"), asked(&server, 0, "HEAD"));
        match (are_spared, faults.is_empty()) {
            (true, _) => assert_eq!((read, headed), (3, 27)),
            (false, true) => assert_eq!((read, headed), (30, 0), "{digests:?}"),
            // Those that were under way together.
            (false, false) => assert!(read == 30 && (1..=27).contains(&headed), "{read} {headed}"),
        }
        assert!(server.writes(TARGET).is_empty());
        server.stop().await;
    }
}

#[tokio::test]
async fn nothing_is_asked_for_where_hashes_are_switched_off() {
    let server = served(state(many(5), Vec::new()), mock::FileDigests::Right, &[]).await;
    let space = Workspace::new();
    let found = files(&space, &server, &["--media-hashes", "never"]).await;
    assert_eq!(found.len(), 5);
    for change in found.values() {
        assert_eq!(change["file"]["becomes"]["hash"], Value::Null);
        assert!(!change["becomes"].as_str().unwrap().contains("unknown"));
    }
    assert_eq!(asked(&server, 0, "GET") + asked(&server, 0, "HEAD"), 0);
    server.stop().await;
}

/// A plan with files that cannot be read says so, and is applied as any other: what it agreed to does not depend on hashes.
#[tokio::test]
async fn a_plan_without_hashes_says_why_and_is_applied() {
    let server = served(
        state(many(4), Vec::new()),
        mock::FileDigests::Right,
        &["status=410,path=file002"],
    )
    .await;
    let space = Workspace::new();
    let out = ["plan", "--quiet", "--out", "release.plan"];
    let plan = ends(&space, &server, &out, 0).await;
    let refused = "hash unknown (the server refused it (HTTP 410))";
    assert_eq!(plan.stdout.matches(refused).count(), 1, "{}", plan.stdout);
    let state = server.state();
    server.stop().await;

    let file = std::fs::read(space.path().join("release.plan")).unwrap();
    let file: Value = serde_json::from_slice(&file).unwrap();
    let agreed = file["entities"].as_array().unwrap().iter();
    let agreed = agreed.filter_map(|one| one["file"]["becomes"].as_str());
    let agreed: Vec<&str> = agreed.collect();
    assert_eq!(agreed.len(), 4);
    let known = agreed.iter().filter(|line| line.contains(", md5 "));
    assert_eq!(known.count(), 3, "{agreed:?}");
    assert!(
        agreed.iter().any(|line| line.contains(refused)),
        "{agreed:?}"
    );

    let server = served(state, mock::FileDigests::None, &[]).await;
    ends(&space, &server, &["apply", "release.plan"], 0).await;
    let state = server.state();
    let target = state.instances.iter().find(|one| one.guid == TARGET);
    let arrived = target.unwrap().assets.iter();
    let arrived = arrived.filter(|row| row.contains_key("content"));
    assert_eq!(arrived.count(), 4);
    server.stop().await;
}

/// A file that was saved again without a change, and one that has other bytes: both sides have a hash of one kind.
#[tokio::test]
async fn a_replaced_file_shows_whether_its_bytes_are_the_same() {
    for digests in [mock::FileDigests::Right, mock::FileDigests::None] {
        let server = served(state(many(6), Vec::new()), digests, &[]).await;
        let space = Workspace::new();
        ends(&space, &server, &["sync"], 0).await;
        let mut edited = server.state();
        let is_source = |one: &&mut InstanceFile| one.guid == SOURCE;
        let source = edited.instances.iter_mut().find(is_source).unwrap();
        let before = text(row(source, "img/file002.txt"));
        for path in ["img/file001.txt", "img/file002.txt"] {
            row(source, path).insert("dateModified".to_owned(), "2026-05-05T10:00:00".into());
        }
        let other = row(source, "img/file002.txt");
        other.insert("content".to_owned(), json!({ "text": "other bytes" }));
        other.insert("size".to_owned(), 11.into());
        put_state(&server.base_url(), &edited).await;

        let found = files(&space, &server, &[]).await;
        let names: Vec<&String> = found.keys().collect();
        assert_eq!(names, ["img/file001.txt", "img/file002.txt"]);
        let (same, other) = (&found["img/file001.txt"], &found["img/file002.txt"]);
        assert_eq!(same["file"]["same_bytes"], true, "{same}");
        assert_eq!(
            same["file"]["was"]["hash"], same["file"]["becomes"]["hash"],
            "{same}"
        );
        assert_eq!(other["file"]["same_bytes"], false, "{other}");
        assert_eq!(other["file"]["was"]["hash"], md5(&before));
        assert_eq!(other["file"]["becomes"]["hash"], md5("other bytes"));
        let shown = ends(&space, &server, &["plan", "--quiet"], 0).await.stdout;
        assert_eq!(shown.matches("(same bytes)").count(), 1, "{shown}");
        server.stop().await;
    }
}

/// The list of a folder has the hash of each file: no file is read, and the target's is of the same kind.
#[tokio::test]
async fn a_folder_as_the_source_has_the_hashes_of_its_list() {
    let server = served(state(many(6), Vec::new()), mock::FileDigests::Right, &[]).await;
    let space = Workspace::new();
    ends(&space, &server, &["sync"], 0).await;
    let mut edited = server.state();
    let is_source = |one: &&mut InstanceFile| one.guid == SOURCE;
    let source = edited.instances.iter_mut().find(is_source).unwrap();
    let replaced = row(source, "img/file003.txt");
    let before = text(replaced);
    replaced.insert("content".to_owned(), json!({ "text": "other bytes" }));
    replaced.insert("size".to_owned(), 11.into());
    replaced.insert("dateModified".to_owned(), "2026-05-05T10:00:00".into());
    let mut new = row(source, "img/file004.txt").clone();
    new.retain(|name, _| !name.ends_with("Url"));
    new.insert("mediaID".to_owned(), 900.into());
    new.insert("originKey".to_owned(), "img/new.txt".into());
    new.insert("fileName".to_owned(), "new.txt".into());
    new.insert("content".to_owned(), json!({ "text": "new bytes" }));
    new.insert("size".to_owned(), 9.into());
    source.assets.push(new);
    put_state(&server.base_url(), &edited).await;
    let url = server.base_url();
    let pull = [
        "pull",
        "--source",
        SOURCE,
        "--source-url",
        &url,
        "--dir",
        "backup",
    ];
    let pulled = end_of(space.command(pull)).await;
    assert_eq!(pulled.code, Some(0), "{}", pulled.stderr);

    let since = server.requests().len();
    let words = ["plan", "--format", "json", "--source", "folder:backup"];
    let target = ["--target", TARGET, "--target-url", &url, "--quiet"];
    let plan = end_of(space.command(words.iter().chain(&target))).await;
    assert_eq!(plan.code, Some(0), "{}", plan.stderr);
    let blake3 = |text: &str| hash("blake3", &blake3::hash(text.as_bytes()).to_hex()[..32]);
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    let entities = plan["entities"].as_array().unwrap();
    let side = |name: &str, side: &str| {
        let found = entities.iter().find(|entity| entity["name"] == name);
        found.unwrap()["changes"][0]["file"][side]["hash"].clone()
    };
    assert_eq!(side("img/file003.txt", "was"), blake3(&before));
    assert_eq!(side("img/file003.txt", "becomes"), blake3("other bytes"));
    assert_eq!(side("img/new.txt", "becomes"), blake3("new bytes"));
    // The target's, before it would be written over.
    assert_eq!(asked(&server, since, "GET"), 1);
    assert_eq!(asked(&server, since, "HEAD"), 0);
    server.stop().await;
}

/// What a plan finds out of files within limits, by their name, and how it went on the way.
async fn found(server: &Server, limits: HashLimits) -> (BTreeMap<String, KnownBytes>, usize) {
    let setup = Setup::new().await;
    let (events, mut received) = mpsc::channel::<Stamped>(EVENTS_IN_FLIGHT);
    let session = setup.session(&server.base_url(), Sink::new(events), |target| target);
    let mut calls = 0;
    let working = async {
        let mut decided = session.decide().await.unwrap();
        let told = &mut |done: usize, all: usize| {
            calls += 1;
            assert!(done <= all);
        };
        session.hash_files(&mut decided, limits, told).await;
        drop(session);
        let files = decided.files();
        let assets = decided.source.of_kind(lockgate::domain::Kind::Asset).iter();
        let known = assets.map(|one| (one.name.to_string(), files[&one.key.id].becomes.clone()));
        known.collect()
    };
    let draining = async { while received.recv().await.is_some() {} };
    let (known, ()) = tokio::join!(working, draining);
    (known, calls)
}

fn large(path: &str, bytes: usize) -> Row {
    let mut row = many(1).remove(0);
    row.insert("mediaID".to_owned(), 990.into());
    row.insert("originKey".to_owned(), path.into());
    row.insert("fileName".to_owned(), path.rsplit('/').next().into());
    row.insert("content".to_owned(), json!({ "text": "x".repeat(bytes) }));
    row
}

/// A file that is too large to be read has the hash that its host states, once others have shown that it can be believed.
#[tokio::test]
async fn a_large_file_has_the_hash_of_its_host_and_none_where_that_states_none() {
    let limits = HashLimits {
        file_bytes: 1_000,
        ..HashLimits::default()
    };
    for (digests, is_known) in [
        (mock::FileDigests::Right, true),
        (mock::FileDigests::None, false),
        (mock::FileDigests::Wrong, false),
    ] {
        let mut assets = many(3);
        assets.push(large("img/large.bin", 5_000));
        let server = served(state(assets, Vec::new()), digests, &[]).await;
        let (known, calls) = found(&server, limits).await;
        let large = &known["img/large.bin"];
        assert_eq!(large.md5.is_some(), is_known, "{digests:?} {large:?}");
        assert_eq!(large.blake3, None, "it was not read");
        let reason = large.unknown.as_ref().map(ToString::to_string);
        assert_eq!(reason.is_some(), !is_known);
        assert!(known["img/file001.txt"].blake3.is_some());
        assert_eq!(calls, 4);
        server.stop().await;
    }
}

/// Only a large file is new: others of the instance are read to find out about its host, which is asked then.
#[tokio::test]
async fn the_host_of_a_large_file_is_judged_by_others() {
    let server = served(state(many(5), Vec::new()), mock::FileDigests::Right, &[]).await;
    let space = Workspace::new();
    ends(&space, &server, &["sync"], 0).await;
    let mut edited = server.state();
    let is_source = |one: &&mut InstanceFile| one.guid == SOURCE;
    let source = edited.instances.iter_mut().find(is_source).unwrap();
    // Of a file above 4 MiB the mock states nothing.
    let mut video = large("img/video.bin", 1);
    video.insert("content".to_owned(), json!({ "filler": 9 << 20 }));
    source.assets.push(video);
    put_state(&server.base_url(), &edited).await;
    let since = server.requests().len();
    let found = files(&space, &server, &[]).await;
    assert_eq!(found.len(), 1, "{found:?}");
    let facts = &found["img/video.bin"]["file"]["becomes"];
    assert_eq!(facts["hash"], Value::Null, "{facts}");
    let why = facts["hash_unknown"].as_str().unwrap();
    assert!(why.contains("larger than 8 MiB"), "{why}");
    assert_eq!(asked(&server, since, "GET"), 3, "others, not the file");
    assert_eq!(asked(&server, since, "HEAD"), 1);
    server.stop().await;
}

#[tokio::test]
async fn no_more_is_read_than_the_limits_allow() {
    let server = served(state(many(9), Vec::new()), mock::FileDigests::None, &[]).await;
    let few = HashLimits {
        files: 4,
        ..HashLimits::default()
    };
    let (known, _) = found(&server, few).await;
    let hashed = known.values().filter(|known| known.md5.is_some());
    assert_eq!(hashed.count(), 4);
    let mut others = known.values().filter_map(|known| known.unknown.as_ref());
    assert!(others.all(|why| why.to_string().contains("too many to read")));
    assert_eq!(asked(&server, 0, "GET"), 4);
    server.stop().await;
}

/// A host that never answers costs a plan no more than its time.
#[tokio::test]
async fn a_host_that_does_not_answer_is_given_up() {
    let faults = ["hang,path=/origin"];
    let server = served(
        state(many(70), Vec::new()),
        mock::FileDigests::Right,
        &faults,
    )
    .await;
    let short = HashLimits {
        time: Duration::from_millis(50),
        ..HashLimits::default()
    };
    let (known, calls) = found(&server, short).await;
    assert_eq!((known.len(), calls), (70, 0));
    for known in known.values() {
        let why = known.unknown.as_ref().map(ToString::to_string);
        assert_eq!(why.as_deref(), Some("it took too long to find out"));
    }
    server.stop().await;
}

#[test]
fn a_hash_is_written_with_leading_zeros() {
    let mut bytes = [0; 16];
    bytes[15] = 7;
    let digits = FileHash::Md5(bytes).digits();
    assert_eq!((digits.len(), &digits[30..]), (32, "07"));
}
