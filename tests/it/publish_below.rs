//! Items that the source shows to the public in an older version than the draft that editors have: both arrive.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use lockgate::mock::Server;
use serde_json::{Value, json};

use crate::binary::{Ended, TOKEN, Workspace, end_of};
use crate::cli_life::Running;
use crate::hostile::proxy::{Answer, Asked, Proxy};
use crate::support::{SOURCE, TARGET, fixture, http, instances, serve_with};

/// An article, which links to an author and shows images.
const ARTICLE: i64 = 1020;

/// What it is called in its published version, in its draft, and in a later draft.
const PUBLIC: &str = "Tram line 9 opens at dawn";
const DRAFT: &str = "Tram line 9 opens at noon";

async fn play() -> Server {
    serve_with(lockgate::mock::Options {
        state: instances(&fixture("starter-site")),
        ..lockgate::mock::Options::default()
    })
    .await
}

async fn asked(request: reqwest::RequestBuilder) -> Option<Value> {
    let answer = request.bearer_auth(TOKEN).send().await.unwrap();
    let is_success = answer.status().is_success();
    let text = answer.text().await.unwrap();
    is_success.then(|| serde_json::from_str(&text).unwrap_or(Value::from(text)))
}

fn management(server: &Server, guid: &str, path: &str) -> String {
    format!("{}/api/v1/instance/{guid}/en-us/{path}", server.base_url())
}

/// What editors have of an item.
async fn newest(server: &Server, guid: &str, id: i64) -> Value {
    let url = management(server, guid, &format!("item/{id}"));
    asked(http().get(url)).await.unwrap()
}

/// What the public sees of an item, if it sees one.
async fn public(server: &Server, guid: &str, id: i64) -> Option<Value> {
    let client = http();
    let base = server.base_url();
    let key = client.get(format!("{base}/oauth/GetFetchKey?guid={guid}"));
    let key = asked(key).await.unwrap().as_str().unwrap().to_owned();
    let url = format!("{base}/{guid}/fetch/en-us/item/{id}?contentLinkDepth=0");
    let answer = client.get(url).header("APIKey", key).send().await.unwrap();
    let is_success = answer.status().is_success();
    if is_success {
        Some(answer.json().await.unwrap())
    } else {
        None
    }
}

/// Saves an item of the source with another headline: that makes a draft, and leaves what is published.
async fn edit(server: &Server, headline: &str) {
    edit_one(server, ARTICLE, headline).await;
}

async fn edit_one(server: &Server, id: i64, headline: &str) {
    let mut item = newest(server, SOURCE, id).await;
    let fields = item["fields"].as_object_mut().unwrap();
    let name = fields
        .keys()
        .find(|name| name.eq_ignore_ascii_case("headline"));
    let name = name.unwrap().clone();
    fields.insert(name, headline.into());
    let save = http().post(management(server, SOURCE, "item/multi"));
    done(server, asked(save.json(&json!([item]))).await).await;
}

async fn publish(server: &Server, guid: &str, id: i64) {
    let path = format!("item/batch-workflow?contentIDs={id}&operation=Publish");
    let publish = http().post(management(server, guid, &path));
    done(server, asked(publish).await).await;
}

/// Waits for the end of a batch.
async fn done(server: &Server, batch: Option<Value>) {
    let url = format!(
        "{}/api/v1/instance/{SOURCE}/batch/{}",
        server.base_url(),
        batch.unwrap()
    );
    for _ in 0..200 {
        if asked(http().get(&url))
            .await
            .is_some_and(|batch| batch["batchState"] == 3)
        {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    unreachable!("{url} does not end");
}

/// The counterpart of the article.
fn there(server: &Server) -> i64 {
    let target = server.state().instances.remove(1);
    assert_eq!(target.guid, TARGET);
    let mut rows = target.content.iter().filter(|row| {
        let headline = field(&row["fields"], "headline");
        row["locale"] == "en-us" && [PUBLIC, DRAFT].iter().any(|one| headline == *one)
    });
    rows.next().unwrap()["contentID"].as_i64().unwrap()
}

/// The value of a field, whose name the two APIs write in different cases.
fn field(fields: &Value, name: &str) -> Value {
    let mut all = fields.as_object().unwrap().iter();
    let found = all.find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.clone()).unwrap_or_default()
}

fn headline_of(item: &Value) -> String {
    let headline = field(&item["fields"], "headline");
    headline.as_str().unwrap_or_default().to_owned()
}

/// What is wrong with the two versions on the target.
async fn problems(server: &Server, (seen, draft): (&str, &str)) -> Vec<String> {
    let id = there(server);
    let mut found = Vec::new();
    let (shown, newest) = (
        public(server, TARGET, id).await,
        newest(server, TARGET, id).await,
    );
    let Some(shown) = shown else {
        return vec!["the public sees nothing of it".to_owned()];
    };
    if headline_of(&shown) != seen {
        found.push(format!("the public sees {}", headline_of(&shown)));
    }
    if headline_of(&newest) != draft || newest["properties"]["state"] != 1 {
        found.push(format!(
            "the newest version is {}, {}",
            headline_of(&newest),
            newest["properties"]
        ));
    }
    // A reference of the source would lead elsewhere: the two count from different numbers.
    let source = self::newest(server, SOURCE, ARTICLE).await;
    let author = |item: &Value| field(&item["fields"], "writerID");
    let ids = [author(&shown), author(&newest), author(&source)];
    if ids[0].is_null() || ids[0] != ids[1] || ids[0] == ids[2] {
        found.push(format!("authors {ids:?}"));
    }
    found
}

async fn sync(workspace: &Workspace, server: &Server, args: &[&str]) -> Ended {
    let done = end_of(workspace.sync(server, args)).await;
    assert_eq!(done.code, Some(0), "{args:?}: {}", done.stderr);
    done
}

fn writes(server: &Server) -> usize {
    server.writes(TARGET).len()
}

/// How often something was published on the target.
fn published(server: &Server) -> usize {
    let writes = server.writes(TARGET).into_iter();
    let steps = writes.filter(|one| one.path.contains("batch-workflow"));
    steps.count()
}

/// Both versions of the article are on the target.
async fn arrived(server: &Server, versions: (&str, &str)) {
    let problems = problems(server, versions).await;
    assert_eq!(problems, Vec::<String>::new());
}

/// Another run that publishes has nothing left to do.
async fn is_quiet(workspace: &Workspace, server: &Server) {
    let count = writes(server);
    sync(workspace, server, &["--publish"]).await;
    assert_eq!(writes(server), count, "the second run wrote");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_run_brings_the_public_version_and_the_draft_on_top_of_it() {
    let (server, workspace) = (play().await, Workspace::new());
    edit(&server, DRAFT).await;
    assert_eq!(
        headline_of(&public(&server, SOURCE, ARTICLE).await.unwrap()),
        PUBLIC
    );
    let foretold = sync(&workspace, &server, &["--publish", "--dry-run"]).await;
    assert_eq!(writes(&server), 0, "{}", foretold.stderr);
    let plan =
        end_of(workspace.between("plan", &server.base_url(), &["--no-pager", "--publish"])).await;
    let fact = "1 of these below a newer draft, which is saved on top again";
    assert!(plan.stdout.contains(fact), "{}", plan.stdout);
    sync(&workspace, &server, &["--publish"]).await;
    arrived(&server, (PUBLIC, DRAFT)).await;
    is_quiet(&workspace, &server).await;
    let verified = end_of(workspace.between("verify", &server.base_url(), &[])).await;
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_run_that_publishes_brings_the_public_version_and_an_undo_takes_it_back() {
    let (server, workspace) = (play().await, Workspace::new());
    edit(&server, DRAFT).await;
    sync(&workspace, &server, &[]).await;
    let id = there(&server);
    assert_eq!(public(&server, TARGET, id).await, None);
    sync(&workspace, &server, &["--publish"]).await;
    arrived(&server, (PUBLIC, DRAFT)).await;
    is_quiet(&workspace, &server).await;
    let runs = workspace.run_folders();
    let run = runs[runs.len() - 2]
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let undone = end_of(workspace.command(["undo", &run, "--yes"])).await;
    assert_eq!(undone.code, Some(0), "{}", undone.stderr);
    assert_eq!(public(&server, TARGET, id).await, None);
    assert_eq!(headline_of(&newest(&server, TARGET, id).await), DRAFT);
    // What was undone is owed again.
    sync(&workspace, &server, &["--publish"]).await;
    arrived(&server, (PUBLIC, DRAFT)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_run_has_published_is_not_published_again_below_a_newer_draft() {
    let (server, workspace) = (play().await, Workspace::new());
    sync(&workspace, &server, &["--publish"]).await;
    edit(&server, DRAFT).await;
    let (count, requests) = (published(&server), writes(&server));
    sync(&workspace, &server, &["--publish"]).await;
    assert_eq!(published(&server), count, "it was published again");
    assert_eq!(writes(&server), requests + 1, "the draft and nothing else");
    arrived(&server, (PUBLIC, DRAFT)).await;
    // A newer public version below a newer draft goes over both.
    publish(&server, SOURCE, ARTICLE).await;
    edit(&server, PUBLIC).await;
    sync(&workspace, &server, &["--publish"]).await;
    arrived(&server, (DRAFT, PUBLIC)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_is_applied_with_the_version_that_was_agreed_to() {
    let (server, workspace) = (play().await, Workspace::new());
    edit(&server, DRAFT).await;
    let url = server.base_url();
    let plan = ["--publish", "--out", "release.plan"];
    let plan = end_of(workspace.between("plan", &url, &plan)).await;
    assert_eq!(plan.code, Some(0), "{}", plan.stderr);
    let words = [
        "apply",
        "release.plan",
        "--source-url",
        &url,
        "--target-url",
        &url,
    ];
    let done = end_of(workspace.command(words)).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    arrived(&server, (PUBLIC, DRAFT)).await;
}

/// One request for each draft is more than one for a page of all that is published.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_public_versions_are_read_together() {
    let (server, workspace) = (play().await, Workspace::new());
    edit(&server, DRAFT).await;
    for id in [1021, 1022, 1023] {
        edit_one(&server, id, &format!("Draft of {id}")).await;
    }
    sync(&workspace, &server, &["--publish"]).await;
    let asked = server.requests();
    let is_public = |path: &str| path.contains(&format!("{SOURCE}/fetch/en-us"));
    let of_public: Vec<String> = asked
        .into_iter()
        .map(|one| one.path)
        .filter(|path| is_public(path))
        .collect();
    assert!(
        (1..4).contains(&of_public.len())
            && of_public.iter().all(|path| path.ends_with("/sync/items")),
        "{of_public:?}"
    );
    arrived(&server, (PUBLIC, DRAFT)).await;
    is_quiet(&workspace, &server).await;
}

/// A run is killed after each of its batches: between the save of the public version, its publication and the draft on top, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_killed_between_the_two_saves_is_resumed() {
    let (server, workspace) = (play().await, Workspace::new());
    edit(&server, DRAFT).await;
    sync(&workspace, &server, &[]).await;
    let mut killed = 0;
    for (wanted, count) in [
        ("batch-submitted", 1),
        ("batch-finished", 1),
        ("batch-submitted", 2),
        ("batch-finished", 2),
        ("batch-submitted", 3),
    ] {
        let command = workspace.sync(&server, &["--output", "json", "--publish=content"]);
        let mut running = Running::of(command);
        if running.reaches(wanted, count).await {
            running.signal("-KILL");
            killed += 1;
        }
        drop(running.end().await);
    }
    assert!(killed > 1, "{killed}");
    sync(&workspace, &server, &["--publish"]).await;
    arrived(&server, (PUBLIC, DRAFT)).await;
    is_quiet(&workspace, &server).await;
}

/// A proxy in front of the target that shows the published version of the article without its author, so many times.
async fn without_author(server: &Server, times: u32) -> (Proxy, Arc<AtomicU32>) {
    let left = Arc::new(AtomicU32::new(times));
    let spoils = Arc::clone(&left);
    let proxy = Proxy::start(
        &server.base_url(),
        move |asked: &Asked, answer: &mut Answer| {
            let Ok(mut rows) = serde_json::from_slice::<Value>(&answer.body) else {
                return;
            };
            let is_read = asked.method == "GET" && asked.is_for("/api/v1/instance/");
            for row in rows
                .as_array_mut()
                .into_iter()
                .flatten()
                .filter(|_| is_read)
            {
                if row["contentID"].is_null() || headline_of(row) != PUBLIC {
                    continue;
                }
                let is_left = spoils.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                    left.checked_sub(1)
                });
                if let (Ok(_), Some(fields)) = (is_left, row["fields"].as_object_mut()) {
                    fields.retain(|name, _| !name.eq_ignore_ascii_case("writerID"));
                }
            }
            answer.body = rows.to_string().into_bytes();
        },
    )
    .await;
    (proxy, left)
}

/// The draft that goes on top hides it from the verification.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_public_version_that_lost_a_reference_is_saved_once_more_before_it_is_published() {
    let (server, workspace) = (play().await, Workspace::new());
    edit(&server, DRAFT).await;
    let (proxy, left) = without_author(&server, 1).await;
    let args = ["--publish"];
    let ends = (&*server.base_url(), proxy.url());
    let done = end_of(workspace.across("sync", ends, &args)).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(left.load(Ordering::SeqCst), 0, "it was not read back");
    arrived(&server, (PUBLIC, DRAFT)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_public_version_that_the_target_does_not_keep_is_not_published() {
    let (server, workspace) = (play().await, Workspace::new());
    edit(&server, DRAFT).await;
    let (proxy, _) = without_author(&server, 9).await;
    let ends = (&*server.base_url(), proxy.url());
    let done = end_of(workspace.across("sync", ends, &["--publish"])).await;
    assert_eq!(done.code, Some(1), "{}", done.stderr);
    assert!(
        done.stderr.contains("stored it otherwise than it was sent"),
        "{}",
        done.stderr
    );
    let id = there(&server);
    assert_eq!(public(&server, TARGET, id).await, None);
    assert_eq!(headline_of(&newest(&server, TARGET, id).await), DRAFT);
    // As soon as the target keeps it, it arrives.
    sync(&workspace, &server, &["--publish"]).await;
    arrived(&server, (PUBLIC, DRAFT)).await;
    is_quiet(&workspace, &server).await;
}

/// A run that does not compare does not know what it has published.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_published_and_not_read_back_is_published_again_below_a_newer_draft() {
    let (server, workspace) = (play().await, Workspace::new());
    sync(&workspace, &server, &["--publish", "--no-verify"]).await;
    edit(&server, DRAFT).await;
    let count = published(&server);
    sync(&workspace, &server, &["--publish"]).await;
    assert_eq!(published(&server), count + 1);
    arrived(&server, (PUBLIC, DRAFT)).await;
    is_quiet(&workspace, &server).await;
}
