//! A target that is filled part by part ends as one that is filled at once.

use lockgate::mock::file::InstanceFile;
use lockgate::mock::{self, Server};

use crate::binary::{Workspace, end_of, lines_of_json};
use crate::same_state;
use crate::support::{TARGET, empty_target, fixture, instances, serve, serve_with};

async fn server(fault: Option<&str>) -> Server {
    serve_with(mock::Options {
        state: instances(&fixture("starter-site")),
        faults: fault
            .map(|fault| fault.parse().unwrap())
            .into_iter()
            .collect(),
        ..mock::Options::default()
    })
    .await
}

fn target_of(server: &Server) -> InstanceFile {
    let mut all = server.state().instances;
    all.retain(|instance| instance.guid == TARGET);
    all.remove(0)
}

/// Runs each part in turn, then everything: that has nothing to correct, and all is as if it had come at once.
async fn ends_as_a_whole(parts: &[&[&str]]) {
    let (workspace, parted) = (Workspace::new(), server(None).await);
    for part in parts {
        let done = end_of(workspace.sync(&parted, part)).await;
        assert_eq!(
            done.code,
            Some(0),
            "{part:?}: {}{}",
            done.stdout,
            done.stderr
        );
    }
    let done = end_of(workspace.sync(&parted, &["--output", "json"])).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let corrected: Vec<_> = lines_of_json(&done.stdout)
        .into_iter()
        .filter(|event| event["type"] == "entity-settled" && event["outcome"] == "updated")
        .collect();
    assert!(corrected.is_empty(), "{corrected:?}");
    is_as_a_whole(&parted).await;
    parted.stop().await;
}

async fn is_as_a_whole(parted: &Server) {
    let (workspace, whole) = (Workspace::new(), server(None).await);
    assert_eq!(end_of(workspace.sync(&whole, &[])).await.code, Some(0));
    assert_eq!(
        same_state::differences(&target_of(&whole), &target_of(parted)),
        Vec::<String>::new()
    );
    whole.stop().await;
}

/// Pages of the second locale were created as pages of their own, because the first locale was not read.
#[tokio::test]
async fn locale_by_locale() {
    ends_as_a_whole(&[&["--locale", "en-us"], &["--locale", "fr-ca"]]).await;
}

/// A page that came later landed behind its siblings, because the run did not know of those that it left alone.
#[tokio::test]
async fn pages_in_any_order() {
    let parts: [&[&str]; 4] = [
        &["--pages", "30"],
        &["--pages", "27"],
        &["--pages", "20"],
        &["--pages", "32"],
    ];
    ends_as_a_whole(&parts).await;
}

/// As above with one page of one locale that was refused, and that `retry` brings.
#[tokio::test]
async fn one_locale_of_a_page_that_was_refused() {
    let workspace = Workspace::new();
    let refusing = "method=POST,path=/fr-ca/page,count=1,status=400,body={\"message\":\"not now\"}";
    let parted = server(Some(refusing)).await;
    let done = end_of(workspace.sync(&parted, &[])).await;
    assert_eq!(done.code, Some(1), "{}", done.stderr);
    let done = end_of(workspace.command(["retry"])).await;
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    is_as_a_whole(&parted).await;
    parted.stop().await;
}

/// Pages that got another parent together were put at its end in the order in which they came.
#[tokio::test]
async fn siblings_that_get_another_parent_keep_their_order() {
    let (workspace, before) = (Workspace::new(), server(None).await);
    assert_eq!(end_of(workspace.sync(&before, &[])).await.code, Some(0));
    let mut moved = before.state();
    before.stop().await;
    let source = moved.instances.iter_mut().find(|one| one.guid != TARGET);
    for page in &mut source.unwrap().pages {
        if page["locale"] == "en-us" && page["parentPageID"] == 23 {
            page.insert("parentPageID".to_owned(), 31.into());
        }
    }
    let mut fresh = moved.clone();
    fresh.instances.retain(|one| one.guid != TARGET);
    let locales = fresh.instances[0].locales.clone();
    fresh.instances.push(empty_target(&locales));
    let after = serve_with(mock::Options {
        state: moved,
        ..mock::Options::default()
    })
    .await;
    let done = end_of(workspace.sync(&after, &[])).await;
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    let writes = after.writes(TARGET).len();
    assert_eq!(end_of(workspace.sync(&after, &[])).await.code, Some(0));
    assert_eq!(after.writes(TARGET).len(), writes);

    let (other, whole) = (Workspace::new(), serve(fresh).await);
    assert_eq!(end_of(other.sync(&whole, &[])).await.code, Some(0));
    assert_eq!(
        same_state::differences(&target_of(&whole), &target_of(&after)),
        Vec::<String>::new()
    );
    after.stop().await;
    whole.stop().await;
}

fn says(said: &str, wanted: &str) {
    assert!(said.contains(wanted), "{said}");
}

/// What a selection by pattern takes, what it needs, and why each of that is there.
#[tokio::test]
async fn a_selection_by_pattern_shows_what_else_it_needs_and_why() {
    let stage = crate::apply::Stage::new().await;
    let ended = stage
        .ends("plan", &["--content", "auth*", "--quiet"], 0)
        .await;
    let fact = ended.stdout.lines().find(|line| line.contains("asked for"));
    let fact = fact.expect("it says what it takes");
    assert!(fact.contains("more are needed: such as"), "{fact}");
    let unknown = stage.ends("plan", &["--pages", "/nows/**"], 2).await;
    says(&unknown.stderr, "/nows/**");
    says(&unknown.stderr, "did you mean");
    let none = stage
        .ends("plan", &["--changed-since", "2100-01-01", "--quiet"], 0)
        .await;
    says(&none.stdout, "0 entities asked for");

    let unknown = stage.ends("plan", &["--changed-by", "Nemo"], 2).await;
    says(&unknown.stderr, "no user with changes called");
    let all = stage
        .ends("plan", &["--changed-by", "12", "--quiet"], 0)
        .await;
    says(&all.stdout, "asked for");
    let limited = stage.ends("plan", &["--rate", "40", "--quiet"], 0).await;
    says(&limited.stdout, " at 40 a second at most");

    stage.ends("sync", &["--pages", "/news/**"], 0).await;
    let pages = stage.instance(crate::support::TARGET).pages;
    let source = stage.instance(crate::support::SOURCE).pages;
    assert!(!pages.is_empty() && pages.len() < source.len());
    let command = stage.workspace.command(["why", "--included", "template:6"]);
    let why = crate::binary::end_of(command).await;
    assert_eq!(why.code, Some(0), "{}", why.stderr);
    let lines: Vec<&str> = why.stdout.lines().collect();
    assert!(lines[0].ends_with("is needed by"), "{lines:?}");
    assert!(
        lines.last().unwrap().ends_with("was asked for"),
        "{lines:?}"
    );
}
