//! What counts as an agreement: only what was read back and found equal.

use std::collections::BTreeMap;

use lockgate::mock::Server;
use lockgate::mock::file::{Habits, InstanceFile, Row, StateFile};
use serde_json::{Value, json};

use crate::binary::{Ended, Workspace, end_of};
use crate::support::{TARGET, fixture, instances, serve};

/// A pair of instances whose states can be changed between runs.
struct Stage {
    workspace: Workspace,
    server: Server,
}

impl Stage {
    async fn new(state: StateFile) -> Self {
        Self {
            workspace: Workspace::new(),
            server: serve(state).await,
        }
    }

    async fn starter(habits: Habits) -> Self {
        let mut state = instances(&fixture("starter-site"));
        target(&mut state).habits = habits;
        Self::new(state).await
    }

    async fn run(&self, command: &str, args: &[&str]) -> Ended {
        let url = self.server.base_url();
        end_of(self.workspace.between(command, &url, args)).await
    }

    /// A run that has to end with this code.
    async fn ends(&self, command: &str, args: &[&str], code: i32) -> Ended {
        let ended = self.run(command, args).await;
        let told = format!("{}{}", ended.stdout, ended.stderr);
        assert_eq!(ended.code, Some(code), "{command} {args:?}: {told}");
        ended
    }

    /// A run that writes nothing.
    async fn writes_nothing(&self, args: &[&str]) -> Ended {
        let before = self.server.writes(TARGET).len();
        let ended = self.ends("sync", args, 0).await;
        let writes = self.server.writes(TARGET);
        let writes: Vec<_> = writes[before..].iter().map(|write| &write.path).collect();
        assert!(writes.is_empty(), "{writes:?}");
        ended
    }

    async fn edit(&self, edit: impl FnOnce(&mut StateFile)) {
        let mut state = self.server.state();
        edit(&mut state);
        let url = format!("{}/_mock/state", self.server.base_url());
        let request = reqwest::Client::new().put(url).json(&state);
        request.send().await.unwrap().error_for_status().unwrap();
    }

    fn target(&self) -> InstanceFile {
        let mut state = self.server.state();
        target(&mut state).clone()
    }
}

fn target(state: &mut StateFile) -> &mut InstanceFile {
    let found = state.instances.iter_mut().find(|one| one.guid == TARGET);
    found.unwrap()
}

fn source(state: &mut StateFile) -> &mut InstanceFile {
    let found = state.instances.iter_mut().find(|one| one.guid != TARGET);
    found.unwrap()
}

fn object(value: Value) -> Row {
    serde_json::from_value(value).unwrap()
}

/// What a server might give to what a save leaves out, by kind.
fn defaults() -> BTreeMap<&'static str, Value> {
    BTreeMap::from([
        (
            "model",
            json!({ "description": "A model", "allowTagging": true,
                "fields": { "labelHelpDescription": "Say it short", "settings": { "MaxChars": "4000" } } }),
        ),
        (
            "container",
            json!({ "numRowsInListing": 25, "defaultSortColumn": "itemOrder", "enableAPIOutput": true }),
        ),
        (
            "template",
            json!({ "contentSectionDefinitions": { "defaultModules": [{ "title": "Text", "autoCreate": true }] } }),
        ),
        ("gallery", json!({ "description": "No description" })),
        ("asset", json!({ "focalX": "0.5" })),
        (
            "content",
            json!({ "seo": { "sitemapVisible": true }, "scripts": { "bottom": "<!-- end -->" }, "properties": { "pullDate": "2099-01-01T00:00:00" } }),
        ),
        (
            "page",
            json!({ "excludeFromOutputCache": true, "seo": { "metaKeywords": "town" }, "releaseDate": "2001-01-01T00:00:00" }),
        ),
        (
            "redirection",
            json!({ "content": "301", "destinationLocale": "en-us" }),
        ),
    ])
}

fn filling(kinds: &[&str]) -> Habits {
    let of_kind = |(kind, row): (&str, Value)| (kind.to_owned(), object(row));
    let chosen = defaults()
        .into_iter()
        .filter(|(kind, _)| kinds.contains(kind));
    Habits {
        fill_in: chosen.map(of_kind).collect(),
        ..Habits::default()
    }
}

/// A server gave 0 to a list length that was left out: that was a difference in the first run, none in the second, and
/// one in every verification.
#[tokio::test]
async fn what_the_server_fills_in_is_no_difference() {
    let kinds: Vec<&str> = defaults().into_keys().collect();
    for kinds in kinds.chunks(1).chain([&kinds[..]]) {
        let stage = Stage::starter(filling(kinds)).await;
        stage.ends("sync", &[], 0).await;
        stage.writes_nothing(&[]).await;
        stage.ends("verify", &[], 0).await;
        stage.server.stop().await;
    }
}

/// The same where the first run did not look at what it had written.
#[tokio::test]
async fn what_the_server_fills_in_is_no_difference_to_an_unverified_run() {
    let kinds: Vec<&str> = defaults().into_keys().collect();
    let stage = Stage::starter(filling(&kinds)).await;
    stage.ends("sync", &["--no-verify"], 0).await;
    stage.writes_nothing(&[]).await;
    stage.ends("verify", &[], 0).await;
    stage.server.stop().await;
}

/// What the server fills in is not what an editor sets, and not what the source took away.
#[tokio::test]
async fn an_edit_of_what_the_server_fills_in_is_seen() {
    let stage = Stage::starter(filling(&["container", "gallery"])).await;
    stage.ends("sync", &[], 0).await;
    stage
        .edit(|state| {
            target(state).galleries[0].insert("description".to_owned(), "Edited".into());
            target(state).containers[0].insert("numRowsInListing".to_owned(), 7.into());
            source(state).galleries[1].insert("description".to_owned(), Value::Null);
        })
        .await;
    stage.ends("verify", &[], 1).await;
    let ended = stage.ends("sync", &[], 0).await;
    assert!(ended.stderr.contains("2 left alone"), "{}", ended.stderr);
    let described = |gallery: &Row| gallery["description"].clone();
    let found: Vec<Value> = stage.target().galleries.iter().map(described).collect();
    assert!(found.contains(&"Edited".into()), "{found:?}");
    assert!(found.contains(&"No description".into()), "{found:?}");
    stage.server.stop().await;
}

/// A member of each kind that the starter site uses and a server could lose.
const LOST: [(&str, &str); 8] = [
    ("model", "fields.settings"),
    ("container", "contentViewName"),
    ("template", "contentSectionDefinitions.pageItemTemplateName"),
    ("gallery", "description"),
    ("content", "fields.title"),
    ("page", "menuText"),
    ("page", "visible"),
    ("redirection", "destinationUrl"),
];

/// A difference that a run had found itself was taken for an agreement by the next one.
#[tokio::test]
async fn what_did_not_arrive_is_owed_until_it_does() {
    for (kind, path) in LOST {
        let habits = Habits {
            drop: BTreeMap::from([(kind.to_owned(), vec![path.to_owned()])]),
            ..Habits::default()
        };
        let stage = Stage::starter(habits).await;
        stage.ends("sync", &[], 1).await;
        stage.ends("verify", &[], 1).await;
        let before = stage.server.writes(TARGET).len();
        stage.ends("sync", &[], 1).await;
        assert!(
            stage.server.writes(TARGET).len() > before,
            "{kind} {path} was not sent again"
        );
        stage
            .edit(|state| target(state).habits = Habits::default())
            .await;
        stage.ends("verify", &[], 1).await;
        stage.ends("sync", &[], 0).await;
        stage.ends("verify", &[], 0).await;
        stage.writes_nothing(&[]).await;
        stage.server.stop().await;
    }
}

/// What was written and not looked at is compared by the next run, and sent again where it differs.
#[tokio::test]
async fn what_an_unverified_run_lost_is_found_by_the_next_one() {
    let habits = Habits {
        drop: BTreeMap::from([("content".to_owned(), vec!["fields.title".to_owned()])]),
        ..Habits::default()
    };
    let stage = Stage::starter(habits).await;
    let ended = stage.ends("sync", &["--no-verify"], 0).await;
    assert!(ended.stderr.contains("not verified"), "{}", ended.stderr);
    stage
        .edit(|state| target(state).habits = Habits::default())
        .await;
    stage.ends("verify", &[], 1).await;
    stage.ends("sync", &[], 0).await;
    stage.ends("verify", &[], 0).await;
    stage.server.stop().await;
}

/// What an editor changed after it had arrived incompletely is not written over.
#[tokio::test]
async fn an_edit_of_what_is_owed_is_a_conflict() {
    let habits = Habits {
        drop: BTreeMap::from([("gallery".to_owned(), vec!["description".to_owned()])]),
        ..Habits::default()
    };
    let stage = Stage::starter(habits).await;
    stage.ends("sync", &[], 1).await;
    stage
        .edit(|state| {
            target(state).habits = Habits::default();
            target(state).galleries[0].insert("description".to_owned(), "Edited".into());
        })
        .await;
    stage.ends("sync", &[], 5).await;
    assert_eq!(stage.target().galleries[0]["description"], "Edited");
    stage.ends("sync", &["--overwrite"], 0).await;
    stage.ends("verify", &[], 0).await;
    stage.server.stop().await;
}
