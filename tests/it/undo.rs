//! Undo: afterwards the target is what it was before the run, and what others did since stays.

use std::collections::BTreeMap;
use std::time::Duration;

use lockgate::domain::Outcome;
use lockgate::engine::Publish;
use lockgate::event::Event;
use lockgate::mock::file::{InstanceFile, Row, StateFile};
use lockgate::mock::{self, Server};
use lockgate::plan::undo::{Decision, Kept};
use lockgate::store::{StateUrl, Store};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::crash::{losses, report, target};
use crate::fixtures::all;
use crate::same_state;
use crate::support::{Setup, TARGET, Undone, fixture, instances, put_state, serve_with};

/// Two instances, and a state in a file, so that the bytes of assets can be kept.
pub(crate) struct Place {
    pub(crate) server: Server,
    pub(crate) setup: Setup,
    url: StateUrl,
    pub(crate) folder: TempDir,
}

impl Place {
    pub(crate) async fn of(name: &str) -> Self {
        Self::with(instances(&fixture(name))).await
    }

    async fn with(state: StateFile) -> Self {
        Self::faulty(state, &[]).await
    }

    pub(crate) async fn faulty(state: StateFile, faults: &[&str]) -> Self {
        let server = serve_with(mock::Options {
            state,
            faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(),
            ..mock::Options::default()
        })
        .await;
        let folder = TempDir::new().unwrap();
        let url = StateUrl::Sqlite(folder.path().join("state.db"));
        let setup = Setup::impatient(Store::open(&url).await.unwrap());
        Self {
            server,
            setup,
            url,
            folder,
        }
    }

    /// Moves what there is to move; returns the number of the run.
    pub(crate) async fn sync(&mut self) -> u16 {
        let ran = Box::pin(self.setup.sync(&self.server.base_url())).await;
        assert!(ran.report.is_ok(), "{:?}", ran.report);
        self.setup.run
    }

    pub(crate) async fn undo(&mut self, run: u16) -> Undone {
        let url = self.server.base_url();
        Box::pin(self.setup.undo(&url, run, false)).await
    }

    pub(crate) fn target(&self) -> InstanceFile {
        target(&self.server)
    }

    /// Changes both instances behind everybody's back.
    async fn edit(&self, edit: impl FnOnce(&mut InstanceFile, &mut InstanceFile)) {
        let mut state = self.server.state();
        let (source, target) = state.instances.split_at_mut(1);
        edit(&mut source[0], &mut target[0]);
        assert_eq!(target[0].guid, TARGET);
        put_state(&self.server.base_url(), &state).await;
    }

    /// Gives the state up and opens it again, as a process that comes after one that died.
    async fn reopen(&mut self) {
        self.setup.store.clone().close().await;
        self.setup.store = Store::open(&self.url).await.unwrap();
    }
}

/// What an undo could not do, or found to differ.
pub(crate) fn problems(undone: &Undone) -> Vec<String> {
    let end = match &undone.end {
        Ok(end) => end,
        Err(error) => return vec![format!("{error:?}")],
    };
    let failed = undone.events.iter().filter_map(|event| match event {
        Event::EntitySettled {
            key,
            outcome: outcome @ (Outcome::Failed { .. } | Outcome::Blocked { .. }),
            ..
        } => Some(format!("{key}: {outcome:?}")),
        _ => None,
    });
    let mut lines: Vec<String> = failed.collect();
    lines.extend(
        end.differences
            .iter()
            .flatten()
            .map(|found| format!("{}: {}", found.key, found.detail)),
    );
    lines.extend(end.unpublished.iter().cloned());
    lines.extend(
        end.in_doubt
            .iter()
            .map(|(key, why)| format!("{key}: {why}")),
    );
    if !end.end.is_complete() {
        lines.push(format!("it ended early: {:?}", end.end));
    }
    lines
}

/// How many entities ended in each decision.
fn decisions(undone: &Undone) -> BTreeMap<&'static str, u32> {
    let mut counts = BTreeMap::new();
    for decided in &undone.end.as_ref().unwrap().outlook.plan.entities {
        *counts.entry(decided.decision.name()).or_default() += 1;
    }
    counts
}

/// What is left alone because it was changed, by name.
fn changed(undone: &Undone) -> Vec<String> {
    let outlook = &undone.end.as_ref().unwrap().outlook;
    let mut names: Vec<String> = outlook
        .traces
        .iter()
        .zip(&outlook.plan.entities)
        .filter(|(_, decided)| matches!(decided.decision, Decision::Keep(Kept::Changed { .. })))
        .map(|(trace, _)| trace.key.to_string())
        .collect();
    names.sort_unstable();
    names
}

fn find<'a>(rows: &'a mut [Row], member: &str, value: &str) -> &'a mut Row {
    let found = rows.iter_mut().find(|row| row[member] == *value);
    found.expect(value)
}

fn set(row: &mut Row, member: &str, value: impl Into<Value>) {
    row.insert(member.to_owned(), value.into());
}

/// Sets a field of an item, in whatever case it is written.
fn set_field(item: &mut Row, name: &str, value: &str) {
    let fields = item["fields"].as_object_mut().unwrap();
    let (_, field) = fields
        .iter_mut()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .unwrap();
    *field = value.into();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_undo_of_a_first_run_every_target_is_as_before() {
    let mut lines = Vec::new();
    for name in all() {
        let mut place = Place::of(&name).await;
        let before = place.target();
        let run = place.sync().await;
        let undone = place.undo(run).await;
        let mut found = problems(&undone);
        found.extend(same_state::differences(&before, &place.target()));
        let outlook = &undone.end.as_ref().unwrap().outlook;
        let written = outlook.traces.len();
        let planned: u32 = decisions(&undone).values().sum();
        if written != planned as usize
            || decisions(&undone)
                .keys()
                .any(|name| !["delete", "restore", "as before"].contains(name))
        {
            found.push(format!("{:?} of {written}", decisions(&undone)));
        }
        lines.extend(found.into_iter().map(|line| format!("{name}: {line}")));
        place.server.stop().await;
    }
    report(&lines);
}

/// Changes one entity of every kind, moves pages, and adds an item.
pub(crate) fn move_on(source: &mut InstanceFile) {
    let topic_model = find(&mut source.models, "referenceName", "Topic");
    set(topic_model, "displayName", "Theme");
    let author = find(&mut source.models, "referenceName", "Author");
    let field = json!({ "name": "Nickname", "label": "Nickname", "type": "Text", "settings": {}, "itemOrder": 9 });
    author["fields"].as_array_mut().unwrap().push(field);
    let list = find(&mut source.containers, "referenceName", "footerlinks");
    set(list, "title", "Links at the foot");
    let template = find(&mut source.templates, "pageTemplateName", "Main Template");
    template["contentSectionDefinitions"][0]["pageItemTemplateName"] = "Main zone".into();
    let gallery = find(&mut source.galleries, "name", "Harbour at dawn");
    set(gallery, "description", "Pictures by nobody");
    let logo = find(&mut source.assets, "originKey", "img/logo.svg");
    set(logo, "content", json!({ "text": "<svg>another one</svg>" }));
    set(logo, "dateModified", "2025-06-01T00:00:00");
    logo.remove("size");
    let is_topic =
        |row: &&mut Row| row["locale"] == "en-us" && row["properties"]["definitionName"] == "Topic";
    let topic = source.content.iter_mut().find(is_topic).unwrap();
    let mut other = topic.clone();
    set_field(topic, "description", "How the town stands still.");
    set(&mut other, "contentID", 777_777);
    set_field(&mut other, "description", "A new one.");
    source.content.push(other);
    set(
        find(&mut source.pages, "name", "about"),
        "title",
        "About them",
    );
    // The last of the pages at the root goes to the front.
    let is_last = |page: &Row| page["name"] == "privacy";
    let at = source.pages.iter().position(is_last).unwrap();
    let page = source.pages.remove(at);
    source.pages.insert(0, page);
    let rule = find(&mut source.redirections, "originUrl", "~/index.html");
    set(rule, "destinationUrl", "~/news");
}

/// A site that crossed once, and a second run after the source moved on. Returns the second run, and the target between.
pub(crate) async fn moved_on(publish: Publish) -> (Place, u16, InstanceFile) {
    let mut place = Place::of("starter-site").await;
    place.setup.options.publish = publish;
    place.sync().await;
    place.edit(|source, _| move_on(source)).await;
    let before = place.target();
    let run = place.sync().await;
    let kinds = [
        "model",
        "container",
        "template",
        "gallery",
        "asset",
        "content",
        "page",
        "redirection",
    ];
    let written = place
        .setup
        .store
        .run_entities(&crate::support::run_id(run))
        .await
        .unwrap();
    for kind in kinds {
        let updated = |entity: &&lockgate::store::RunEntity| {
            entity.key.kind.name() == kind && entity.outcome == Outcome::Updated
        };
        assert!(
            written.iter().any(|entity| updated(&entity)),
            "no {kind} was updated: {written:?}"
        );
    }
    (place, run, before)
}

#[tokio::test]
async fn after_the_undo_of_an_update_every_kind_is_as_before() {
    for publish in [Publish::Off, Publish::Both] {
        let (mut place, run, before) = moved_on(publish).await;
        assert!(!same_state::differences(&before, &place.target()).is_empty());
        let undone = place.undo(run).await;
        report(&problems(&undone));
        report(&same_state::differences(&before, &place.target()));
        assert_eq!(decisions(&undone)["delete"], 1, "{:?}", decisions(&undone));
        // The next run finds what the undone one had found.
        let again = place.sync().await;
        let written = place
            .setup
            .store
            .run_entities(&crate::support::run_id(again))
            .await
            .unwrap();
        let wrote = |outcome: &Outcome| {
            written
                .iter()
                .filter(|entity| entity.outcome == *outcome)
                .count()
        };
        assert_eq!(wrote(&Outcome::Created), 1);
        assert!(
            wrote(&Outcome::Updated) >= 8,
            "{}",
            wrote(&Outcome::Updated)
        );
        place.server.stop().await;
    }
}

/// A model that loses a field takes the values from items that the run never wrote.
#[tokio::test]
async fn values_that_went_with_a_field_come_back_with_it() {
    let mut place = Place::of("starter-site").await;
    place.sync().await;
    place
        .edit(|source, target| {
            let author = find(&mut source.models, "referenceName", "Author");
            let fields = author["fields"].as_array_mut().unwrap();
            fields.retain(|field| field["name"] != "Website");
            let is_author = |row: &&Row| row["properties"]["definitionName"] == "Author";
            let mut own = target.content.iter().find(is_author).unwrap().clone();
            set(&mut own, "contentID", 999_999);
            set_field(&mut own, "name", "Nobody of the source");
            target.content.push(own);
        })
        .await;
    let before = place.target();
    // A value of the target's own goes with the field, so it is a conflict unless the source is to win.
    place.setup.overwrite = true;
    let run = place.sync().await;
    let mut between = place.target();
    let own = |target: &mut InstanceFile| {
        let mut items = target
            .content
            .iter()
            .filter(|row| row["contentID"] == 999_999);
        let fields = items.next().unwrap()["fields"].as_object().unwrap().clone();
        fields
            .keys()
            .any(|name| name.eq_ignore_ascii_case("website"))
    };
    assert!(own(&mut before.clone()) && !own(&mut between));
    let undone = place.undo(run).await;
    report(&problems(&undone));
    report(&same_state::differences(&before, &place.target()));
    let again = place.undo(run).await;
    report(&problems(&again));
    assert_eq!(
        decisions(&again).get("restore"),
        None,
        "{:?}",
        decisions(&again)
    );
    place.server.stop().await;
}

#[tokio::test]
async fn a_file_of_the_same_length_is_seen_to_be_another_one() {
    let mut place = Place::of("galleries-and-assets").await;
    let run = place.sync().await;
    let mut name = String::new();
    place
        .edit(|_, target| {
            let is_text = |row: &&mut Row| row["content"]["text"].is_string();
            let asset = target.assets.iter_mut().find(is_text).unwrap();
            let text = asset["content"]["text"].as_str().unwrap();
            asset["content"]["text"] = "x".repeat(text.len()).into();
            asset["originKey"].as_str().unwrap().clone_into(&mut name);
        })
        .await;
    let undone = place.undo(run).await;
    report(&problems(&undone));
    assert_eq!(changed(&undone).len(), 1, "{:?}", changed(&undone));
    assert!(
        place
            .target()
            .assets
            .iter()
            .any(|asset| asset["originKey"] == *name)
    );
    place.server.stop().await;
}

#[tokio::test]
async fn what_was_changed_since_an_update_is_told_and_kept() {
    let (mut place, run, _) = moved_on(Publish::Off).await;
    place
        .edit(|_, target| {
            set(
                find(&mut target.galleries, "name", "Harbour at dawn"),
                "description",
                "Edited",
            );
            set(find(&mut target.pages, "name", "about"), "title", "Edited");
            set(
                find(&mut target.redirections, "originUrl", "~/index.html"),
                "destinationUrl",
                "~/edited",
            );
        })
        .await;
    let undone = place.undo(run).await;
    report(&problems(&undone));
    assert_eq!(
        changed(&undone),
        ["gallery:3", "page:23@en-us", "redirection:7"]
    );
    assert_eq!(decisions(&undone)["changed since"], 3);
    assert_eq!(decisions(&undone).get("still needed"), None);
    let mut target = place.target();
    assert_eq!(
        find(&mut target.galleries, "name", "Harbour at dawn")["description"],
        "Edited"
    );
    assert_eq!(find(&mut target.pages, "name", "about")["title"], "Edited");
    assert_eq!(
        find(&mut target.redirections, "originUrl", "~/index.html")["destinationUrl"],
        "~/edited"
    );
    assert_eq!(
        find(&mut target.models, "referenceName", "Topic")["displayName"],
        "Topic"
    );

    // Told otherwise, it takes these back as well.
    let url = place.server.base_url();
    let undone = Box::pin(place.setup.undo(&url, run, true)).await;
    report(&problems(&undone));
    assert_eq!(decisions(&undone)["restore"], 3);
    let mut target = place.target();
    assert_eq!(find(&mut target.pages, "name", "about")["title"], "About");
    place.server.stop().await;
}

#[tokio::test]
async fn what_was_changed_since_a_first_run_keeps_what_it_needs() {
    let mut place = Place::of("starter-site").await;
    let run = place.sync().await;
    place
        .edit(|_, target| {
            set(
                find(&mut target.galleries, "name", "Harbour at dawn"),
                "description",
                "Edited",
            );
            set(
                find(&mut target.redirections, "originUrl", "~/index.html"),
                "destinationUrl",
                "~/edited",
            );
            let topics = target.content.iter_mut();
            let mut topics = topics.filter(|row| row["properties"]["definitionName"] == "Topic");
            set_field(topics.next().unwrap(), "description", "Edited");
        })
        .await;
    let undone = place.undo(run).await;
    report(&problems(&undone));
    assert_eq!(changed(&undone).len(), 3, "{:?}", changed(&undone));
    // The topic lies in a container, which has a model.
    assert_eq!(decisions(&undone)["still needed"], 2);
    let target = place.target();
    let left = (
        target.models.len(),
        target.containers.len(),
        target.content.len(),
        target.galleries.len(),
    );
    assert_eq!(left, (1, 1, 1, 1));
    assert_eq!(
        (
            target.pages.len(),
            target.redirections.len(),
            target.templates.len()
        ),
        (0, 1, 0)
    );
    place.server.stop().await;
}

#[tokio::test]
async fn an_item_of_somebody_else_keeps_its_container_and_model() {
    let mut place = Place::of("starter-site").await;
    let run = place.sync().await;
    place
        .edit(|_, target| {
            let is_topic = |row: &&Row| row["properties"]["definitionName"] == "Topic";
            let mut own = target.content.iter().find(is_topic).unwrap().clone();
            set(&mut own, "contentID", 999_999);
            target.content.push(own);
        })
        .await;
    let undone = place.undo(run).await;
    report(&problems(&undone));
    assert_eq!(changed(&undone), Vec::<String>::new());
    assert_eq!(
        decisions(&undone)["still needed"],
        2,
        "{:?}",
        decisions(&undone)
    );
    let mut target = place.target();
    assert_eq!(target.content.len(), 1);
    assert_eq!(target.content[0]["contentID"], 999_999);
    assert_eq!((target.containers.len(), target.models.len()), (1, 1));
    find(&mut target.models, "referenceName", "Topic");
    place.server.stop().await;
}

#[tokio::test]
async fn a_full_disk_at_any_commit_of_an_undo_is_no_harm() {
    let mut lines = Vec::new();
    // Every commit in turn takes minutes; these fall on restores, deletes, siblings and publishing in turn.
    for transactions in (0..).step_by(7) {
        let (mut place, run, before) = moved_on(Publish::Off).await;
        place.setup.store.fail_after(transactions);
        let first = place.undo(run).await;
        place.reopen().await;
        let undone = place.undo(run).await;
        let mut found = problems(&undone);
        found.extend(same_state::differences(&before, &place.target()));
        lines.extend(
            found
                .into_iter()
                .map(|line| format!("commit {transactions}: {line}")),
        );
        place.server.stop().await;
        if first.end.is_ok() {
            assert!(
                transactions > 8,
                "an undo takes more than {transactions} commits"
            );
            break;
        }
    }
    report(&lines);
}

/// What a run did until it died is found out first, and taken back then.
#[tokio::test]
async fn a_run_that_died_is_undone_as_far_as_it_came() {
    let mut lines = Vec::new();
    for (name, every) in [
        ("cycle-of-five", 3),
        ("galleries-and-assets", 7),
        ("two-locales", 5),
    ] {
        for transactions in (1..).step_by(every) {
            let mut place = Place::of(name).await;
            let before = place.target();
            place.setup.store.fail_after(transactions);
            let ran = Box::pin(place.setup.sync(&place.server.base_url())).await;
            let run = place.setup.run;
            place.reopen().await;
            let undone = place.undo(run).await;
            let mut found = problems(&undone);
            found.extend(same_state::differences(&before, &place.target()));
            lines.extend(
                found
                    .into_iter()
                    .map(|line| format!("{name}, commit {transactions}: {line}")),
            );
            place.server.stop().await;
            if ran.report.is_ok() {
                break;
            }
        }
    }
    report(&lines);
}

#[tokio::test]
async fn a_run_that_took_up_another_one_is_undone_before_it() {
    let mut lines = Vec::new();
    for name in ["cycle-of-five", "three-siblings", "model-cycle"] {
        for transactions in [6, 11, 17, 23] {
            let mut place = Place::of(name).await;
            let before = place.target();
            place.setup.store.fail_after(transactions);
            let died = Box::pin(place.setup.sync(&place.server.base_url())).await;
            let first = place.setup.run;
            place.reopen().await;
            let second = place.sync().await;
            let mut found = Vec::new();
            for run in [second, first] {
                found.extend(problems(&place.undo(run).await));
            }
            found.extend(same_state::differences(&before, &place.target()));
            lines.extend(
                found
                    .into_iter()
                    .map(|line| format!("{name}, commit {transactions}: {line}")),
            );
            place.server.stop().await;
            if died.report.is_ok() {
                break;
            }
        }
    }
    report(&lines);
}

#[tokio::test]
async fn a_sync_after_an_undo_that_died_settles_its_deletes() {
    let mut lines = Vec::new();
    for transactions in [2, 5, 9, 14] {
        let mut place = Place::of("two-locales").await;
        place.sync().await;
        let expected = place.target();
        place.setup.store.fail_after(transactions);
        let first = place.undo(1).await;
        assert!(first.end.is_err(), "{transactions} commits were enough");
        place.reopen().await;
        // What was deleted is nobody's counterpart any more, so it is created, not in conflict.
        let ran = Box::pin(place.setup.sync(&place.server.base_url())).await;
        let mut found = losses(&ran);
        found.extend(same_state::differences(&expected, &place.target()));
        lines.extend(
            found
                .into_iter()
                .map(|line| format!("commit {transactions}: {line}")),
        );
        place.server.stop().await;
    }
    report(&lines);
}

#[tokio::test]
async fn lost_answers_and_refusals_are_told_apart() {
    let faults = [
        ("reset=after,method=DELETE,nth=3", 0),
        ("status=500,method=DELETE,path=model,nth=1", 0),
        ("status=403,method=DELETE,path=asset/gallery", 3),
    ];
    for (fault, failed) in faults {
        let state = instances(&fixture("starter-site"));
        let mut place = Place::with(state).await;
        place.server.stop().await;
        place.server = serve_with(mock::Options {
            state: instances(&fixture("starter-site")),
            faults: vec![fault.parse().unwrap()],
            batches: lockgate::mock::BatchWork {
                item_time: Duration::from_millis(1),
                ..lockgate::mock::BatchWork::default()
            },
            ..mock::Options::default()
        })
        .await;
        let before = place.target();
        let run = place.sync().await;
        let undone = place.undo(run).await;
        assert_eq!(
            undone.end.as_ref().unwrap().failed,
            failed,
            "{fault}: {:?}",
            problems(&undone)
        );
        if failed == 0 {
            report(&problems(&undone));
            report(&same_state::differences(&before, &place.target()));
        }
        place.server.stop().await;
    }
}
