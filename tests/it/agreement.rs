//! What counts as an agreement: only what was read back and found equal.

use std::collections::BTreeMap;

use lockgate::mock::Server;
use lockgate::mock::file::{Habits, InstanceFile, Row, StateFile};
use serde_json::{Value, json};

use crate::binary::{Ended, Workspace, end_of};
use crate::support::{TARGET, fixture, instances, put_state, serve};

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
        put_state(&self.server.base_url(), &state).await;
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

/// A gallery with a description. Which one a target has first is left to chance.
fn gallery(file: &mut InstanceFile) -> &mut Row {
    row(&mut file.galleries, "Harbour at dawn")
}

/// What the server fills in is not what an editor sets, and not what the source took away.
#[tokio::test]
async fn an_edit_of_what_the_server_fills_in_is_seen() {
    let stage = Stage::starter(filling(&["container", "gallery"])).await;
    stage.ends("sync", &[], 0).await;
    stage
        .edit(|state| {
            gallery(target(state)).insert("description".to_owned(), "Edited".into());
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
const LOST: [(&str, &str); 6] = [
    ("model", "fields.settings"),
    ("container", "isShared"),
    ("gallery", "description"),
    ("content", "fields.summary"),
    ("page", "menuText"),
    ("page", "visible"),
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
        drop: BTreeMap::from([("content".to_owned(), vec!["fields.summary".to_owned()])]),
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
            gallery(target(state)).insert("description".to_owned(), "Edited".into());
        })
        .await;
    stage.ends("sync", &[], 5).await;
    assert_eq!(gallery(&mut stage.target())["description"], "Edited");
    stage.ends("sync", &["--overwrite"], 0).await;
    stage.ends("verify", &[], 0).await;
    stage.server.stop().await;
}

fn row<'r>(rows: &'r mut [Row], part: &str) -> &'r mut Row {
    let has = |row: &&mut Row| Value::Object((**row).clone()).to_string().contains(part);
    rows.iter_mut().find(has).unwrap()
}

/// The second column of rows: of `verify` and of a rehearsal.
fn named(stdout: &str) -> std::collections::BTreeSet<String> {
    let is_key = |word: &&str| word.contains(':') && word.split(':').count() == 2;
    let keys = stdout
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1));
    keys.filter(is_key).map(str::to_owned).collect()
}

/// A rehearsal called 31 edits of a target 0 differences; verification found all but a value in a field that the source's
/// item leaves out, and the order of a list.
#[tokio::test]
async fn edits_of_the_target_are_found_by_every_command_alike() {
    let stage = Stage::starter(Habits::default()).await;
    stage.ends("sync", &[], 0).await;
    stage
        .edit(|state| {
            let target = target(state);
            target.models[0].insert("description".to_owned(), "Edited".into());
            target.containers[0].insert("title".to_owned(), "Edited".into());
            gallery(target).insert("description".to_owned(), "Edited".into());
            target.redirections[0].insert("destinationUrl".to_owned(), "~/edited".into());
            target.pages[0].insert("menuText".to_owned(), "Edited".into());
            target.pages[1].insert("pullDate".to_owned(), "2031-01-01T00:00:00".into());
            for (position, item) in target.content.iter_mut().take(3).enumerate() {
                let fields = item["fields"].as_object_mut().unwrap();
                match position {
                    0 => fields.insert("description".to_owned(), "Edited".into()),
                    1 => fields.insert("extra".to_owned(), "A value of no field".into()),
                    _ => None,
                };
            }
            let is_topic = |item: &&mut Row| {
                item["properties"]["referenceName"] == "topics" && item["locale"] == "en-us"
            };
            let last = target.content.iter_mut().filter(is_topic).last().unwrap();
            last["properties"]["itemOrder"] = (-5).into();
            let is_root = |page: &Row| page["locale"] == "en-us" && page["parentPageID"] == -1;
            let last = target.pages.iter().rposition(is_root).unwrap();
            let last = target.pages.remove(last);
            target.pages.insert(0, last);
        })
        .await;
    let verified = stage.ends("verify", &[], 1).await;
    let rehearsed = stage.ends("sync", &["--dry-run"], 0).await;
    assert_eq!(
        named(&verified.stdout),
        named(&rehearsed.stdout),
        "{}",
        rehearsed.stdout
    );
    assert_eq!(named(&verified.stdout).len(), 10, "{}", verified.stdout);
    let done = stage.writes_nothing(&[]).await;
    for told in [&rehearsed.stderr, &done.stderr] {
        assert!(
            told.contains("149 in sync") && told.contains("10 left alone"),
            "{told}"
        );
    }
    stage.server.stop().await;
}

/// An item whose model was in conflict lost the value of the new field, and no later run sent it again.
#[tokio::test]
async fn an_item_is_not_sent_into_a_model_that_cannot_hold_it() {
    let stage = Stage::starter(Habits::default()).await;
    stage.ends("sync", &[], 0).await;
    stage
        .edit(|state| {
            let model = row(&mut source(state).models, "\"referenceName\":\"Topic\"");
            let mut field = model["fields"][0].clone();
            field["name"] = "Motto".into();
            field["label"] = "Motto".into();
            field["settings"] = json!({});
            field["itemOrder"] = 9.into();
            model["fields"].as_array_mut().unwrap().push(field);
            let mut topics = source(state).content.iter_mut();
            let with = topics.next().unwrap();
            with["fields"]["motto"] = "On the move".into();
            let without = topics.next().unwrap();
            without["fields"]["description"] = "Changed.".into();
            let model = row(&mut target(state).models, "\"referenceName\":\"Topic\"");
            model.insert("description".to_owned(), "Edited".into());
        })
        .await;
    let ended = stage.ends("sync", &[], 1).await;
    assert!(ended.stderr.contains("1 blocked"), "{}", ended.stderr);
    let content = stage.target().content;
    let has = |part: &str| {
        content
            .iter()
            .any(|item| Value::Object(item.clone()).to_string().contains(part))
    };
    assert!(has("Changed.") && !has("On the move"));
    stage.ends("sync", &[], 1).await;
    stage.ends("sync", &["--overwrite"], 0).await;
    stage.ends("verify", &[], 0).await;
    stage.server.stop().await;
}

/// Gives a file, the same on both sides, other bytes of the same length.
fn replace_file(file: &mut InstanceFile, letter: char, date: Option<&str>) {
    let is_file = |asset: &&mut Row| asset.get("isFolder") != Some(&Value::Bool(true));
    let key = |asset: &&mut Row| asset["originKey"].as_str().unwrap().to_owned();
    let asset = file
        .assets
        .iter_mut()
        .filter(is_file)
        .min_by_key(key)
        .unwrap();
    let length = usize::try_from(asset["size"].as_u64().unwrap_or(0)).unwrap();
    let text = letter.to_string().repeat(length);
    asset.insert("content".to_owned(), json!({ "text": text }));
    if let Some(date) = date {
        asset.insert("dateModified".to_owned(), date.into());
    }
}

/// The edit of the target was written over: the sizes were equal.
#[tokio::test]
async fn a_file_that_is_replaced_on_both_sides_is_a_conflict() {
    for date in [None, Some("2031-01-01T00:00:00")] {
        let stage = Stage::starter(Habits::default()).await;
        stage.ends("sync", &[], 0).await;
        stage
            .edit(|state| {
                replace_file(source(state), 's', Some("2030-01-01T00:00:00"));
                replace_file(target(state), 't', date);
            })
            .await;
        stage.ends("sync", &[], 5).await;
        stage.ends("sync", &["--overwrite"], 0).await;
        stage.ends("verify", &[], 0).await;
        stage.server.stop().await;
    }
}

/// With a date that moves, also a file that was replaced on the target alone is seen; one that only the source replaced
/// is brought along.
#[tokio::test]
async fn a_file_that_is_replaced_on_one_side_is_left_alone_or_brought_along() {
    let stage = Stage::starter(Habits::default()).await;
    stage.ends("sync", &[], 0).await;
    stage
        .edit(|state| replace_file(target(state), 't', Some("2031-01-01T00:00:00")))
        .await;
    let ended = stage.writes_nothing(&[]).await;
    assert!(ended.stderr.contains("1 left alone"), "{}", ended.stderr);
    stage
        .edit(|state| replace_file(target(state), 's', Some("2032-01-01T00:00:00")))
        .await;
    stage
        .edit(|state| replace_file(source(state), 's', Some("2030-01-01T00:00:00")))
        .await;
    stage.writes_nothing(&[]).await;
    stage
        .edit(|state| replace_file(source(state), 'u', Some("2033-01-01T00:00:00")))
        .await;
    stage.ends("sync", &[], 0).await;
    stage.ends("verify", &[], 0).await;
    stage.server.stop().await;
}
