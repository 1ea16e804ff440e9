//! Undo undoes publishing: what the public saw is what it sees again, and staging is what it was.

use lockgate::mock::file::StateFile;
use lockgate::mock::{self, Server};
use serde_json::Value;

use crate::binary::{TOKEN, Workspace, end_of};
use crate::support::{SOURCE, TARGET, empty_target, fixture, http, instances, put_state, serve};

/// The starter site on one server and an empty target on another, so that the source can be changed by itself.
struct Site {
    source: Server,
    target: Server,
    workspace: Workspace,
}

/// What editors and what the public see of everything on the target.
type Seen = Vec<(String, Value)>;

impl Site {
    async fn new() -> Self {
        let mut all = instances(&fixture("starter-site"));
        all.instances.truncate(1);
        let locales = all.instances[0].locales.clone();
        let target = StateFile {
            instances: vec![empty_target(&locales)],
            ..StateFile::default()
        };
        Self {
            source: serve(all).await,
            target: serve(target).await,
            workspace: Workspace::new(),
        }
    }

    async fn run(&self, command: &str, args: &[&str]) {
        let ended = self.ended(command, args).await;
        assert_eq!(ended.code, Some(0), "{command} {args:?}: {}", ended.stderr);
    }

    async fn ended(&self, command: &str, args: &[&str]) -> crate::binary::Ended {
        let (source, target) = (self.source.base_url(), self.target.base_url());
        let mut words = vec![command, "--no-tui"];
        if command == "sync" {
            words.extend(["--source", SOURCE, "--target", TARGET]);
        }
        words.extend(["--source-url", &source, "--target-url", &target]);
        words.extend(args);
        end_of(self.workspace.command(words)).await
    }

    /// Gives an item and a page of the source, both published, another title.
    async fn edit(&self, title: &str) {
        let mut state = self.source.state();
        let source = &mut state.instances[0];
        let is_meant = |row: &&mut mock::file::Row| {
            row["locale"] == "en-us" && row["properties"]["state"] != 1
        };
        let item = source
            .content
            .iter_mut()
            .filter(is_meant)
            .find(|row| row["fields"]["Label"].is_string());
        item.unwrap()["fields"]["Label"] = title.into();
        let page = source.pages.iter_mut().find(is_meant);
        page.unwrap()["title"] = title.into();
        put_state(&self.source.base_url(), &state).await;
    }

    async fn get(&self, path: &str, header: (&str, &str)) -> Option<Value> {
        let url = format!("{}/{path}", self.target.base_url());
        let answer = http().get(url).header(header.0, header.1);
        let answer = answer.send().await.unwrap();
        let text = answer
            .status()
            .is_success()
            .then_some(answer.text())?
            .await
            .unwrap();
        serde_json::from_str(&text).ok().or(Some(Value::from(text)))
    }

    async fn seen(&self) -> Seen {
        let bearer = format!("Bearer {TOKEN}");
        let path = format!("oauth/GetFetchKey?guid={TARGET}");
        let key = self.get(&path, ("Authorization", &bearer));
        let key = key.await.unwrap().as_str().unwrap().to_owned();
        let target = self.target.state().instances.remove(0);
        let mut seen = Vec::new();
        for (rows, member, route) in [
            (&target.content, "contentID", "item"),
            (&target.pages, "pageID", "page"),
        ] {
            for row in rows {
                let locale = row["locale"].as_str().unwrap();
                // Without what it links to, which says its own versions.
                let path = format!(
                    "{TARGET}/fetch/{locale}/{route}/{}?contentLinkDepth=0",
                    row[member]
                );
                let live = self.get(&path, ("APIKey", &key)).await;
                let staging = Value::Object(row.clone());
                seen.push((path.clone(), essence(&staging, true)));
                seen.push((
                    format!("public {path}"),
                    live.map_or(Value::Null, |live| essence(&live, false)),
                ));
            }
        }
        seen.sort_by(|left, right| left.0.cmp(&right.0));
        seen
    }
}

/// What says something: versions and dates change with every save.
fn essence(row: &Value, with_state: bool) -> Value {
    let state = row
        .pointer("/properties/state")
        .cloned()
        .filter(|_| with_state);
    let named = |name: &str| row.get(name).cloned().unwrap_or_default();
    serde_json::json!({ "state": state, "fields": named("fields"), "title": named("title"), "zones": named("zones") })
}

fn differing(before: &Seen, after: &Seen) -> Vec<String> {
    assert_eq!(before.len(), after.len());
    let pairs = before.iter().zip(after);
    pairs
        .filter(|(before, after)| before != after)
        .map(|(before, after)| format!("{}\n  {}\n  {}", before.0, before.1, after.1))
        .collect()
}

/// Carries out `steps`, notes what is seen, lets a run publish, and undoes it.
async fn undone(before: impl AsyncFnOnce(&Site), published: impl AsyncFnOnce(&Site)) {
    let site = Site::new().await;
    before(&site).await;
    let seen = site.seen().await;
    published(&site).await;
    assert!(
        !differing(&seen, &site.seen().await).is_empty(),
        "the run published nothing"
    );
    site.run("undo", &["last", "--yes"]).await;
    let again = differing(&seen, &site.seen().await);
    assert!(again.is_empty(), "{}", again.join("\n"));
    // A second undo of the same run finds nothing to do.
    let run = site.workspace.run_folders();
    let run = run[run.len() - 2]
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let second = site.ended("undo", &[&run, "--yes"]).await;
    assert_eq!(second.code, Some(0), "{}", second.stderr);
    let again = differing(&seen, &site.seen().await);
    assert!(again.is_empty(), "{}", again.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_never_published_is_in_staging_again() {
    undone(
        async |site| site.run("sync", &[]).await,
        async |site| site.run("sync", &["--publish"]).await,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_only_published_leaves_the_older_version_to_the_public_again() {
    undone(
        async |site| {
            site.run("sync", &["--publish"]).await;
            site.edit("Second").await;
            site.run("sync", &[]).await;
        },
        async |site| site.run("sync", &["--publish"]).await,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_wrote_and_published_is_undone_with_staging_and_the_older_public_version() {
    undone(
        async |site| {
            site.run("sync", &["--publish"]).await;
            site.edit("Second").await;
            site.run("sync", &[]).await;
            site.edit("Third").await;
        },
        async |site| site.run("sync", &["--publish"]).await,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_public_as_it_stood_is_public_again() {
    undone(
        async |site| {
            site.run("sync", &["--publish"]).await;
            site.edit("Second").await;
        },
        async |site| site.run("sync", &["--publish"]).await,
    )
    .await;
}
