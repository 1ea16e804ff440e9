//! Names in time: what is renamed, what takes its name, and what differs in case only, for every kind that has names.
//!
//! Each instance holds three entities of one kind. A mark that has nothing to do with the name tells them apart, so that a name
//! that ends on the wrong entity is seen.

use std::collections::BTreeMap;
use std::future::{Future as _, poll_fn};
use std::task::Poll;
use std::time::Duration;

use lockgate::domain::{Kind, Outcome};
use lockgate::event::Event;
use lockgate::mock::file::{InstanceFile, Row, StateFile};
use lockgate::mock::{self, Names, Rules, Server};
use lockgate::store::{StateUrl, Store};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binary::{Workspace, end_of};
use crate::support::{Ran, SOURCE, Setup, TARGET, empty_target, put_state, serve_with};

/// The kinds whose entities can be renamed where they are.
const RENAMED: [Kind; 6] = [
    Kind::Model,
    Kind::Container,
    Kind::Template,
    Kind::Gallery,
    Kind::Page,
    Kind::Redirection,
];

/// Both ways; the usual one is a mixture of the two.
const NAMES: [Names; 2] = [Names::Exact, Names::Folded];

/// The id of the entity at a place, unique over all kinds.
fn id(kind: Kind, at: i64) -> i64 {
    100 + 10 * (kind as i64) + at
}

/// An entity of a name and a mark.
fn row(kind: Kind, at: i64, name: &str, mark: &str) -> Row {
    let id = id(kind, at);
    let row = match kind {
        Kind::Model => json!({
            "id": id, "referenceName": name, "displayName": mark, "contentDefinitionTypeID": 1,
            "fields": [{ "name": "Title", "type": "Text", "settings": {} }]
        }),
        Kind::Container => json!({
            "contentViewID": id, "referenceName": name, "contentViewName": mark, "contentDefinitionID": self::id(Kind::Model, 9)
        }),
        Kind::Template => json!({
            "pageTemplateID": id, "pageTemplateName": name, "contentSectionDefinitions": [{
                "pageItemTemplateID": 10 * id, "pageTemplateID": id, "pageItemTemplateName": mark,
                "pageItemTemplateReferenceName": mark, "pageItemTemplateType": 0, "itemOrder": 0
            }]
        }),
        Kind::Gallery => {
            json!({ "mediaGroupingID": id, "groupingTypeID": 1, "name": name, "description": mark })
        }
        Kind::Asset => json!({
            "mediaID": id, "originKey": format!("files/{name}.txt"), "dateModified": "2025-03-06T03:38:21.25",
            "content": { "text": mark }
        }),
        Kind::Page => json!({
            "pageID": id, "locale": "en-us", "name": name, "title": mark, "menuText": mark, "pageType": "folder",
            "templateName": null, "zones": {}, "parentPageID": -1, "channelID": 1,
            "properties": { "state": 2, "modified": "2025-04-02T11:22:07.09", "versionID": 8000 + id }
        }),
        Kind::Redirection => json!({
            "urlRedirectionID": id, "originUrl": format!("~/{name}"), "destinationUrl": format!("~/to/{mark}"),
            "httpCode": 301, "originLocales": []
        }),
        Kind::Content => unreachable!("content has no names"),
    };
    row.as_object().unwrap().clone()
}

fn rows(instance: &mut InstanceFile, kind: Kind) -> &mut Vec<Row> {
    match kind {
        Kind::Model => &mut instance.models,
        Kind::Container => &mut instance.containers,
        Kind::Template => &mut instance.templates,
        Kind::Gallery => &mut instance.galleries,
        Kind::Asset => &mut instance.assets,
        Kind::Page => &mut instance.pages,
        Kind::Redirection => &mut instance.redirections,
        Kind::Content => unreachable!("content has no names"),
    }
}

/// Names by mark, with the id of each.
fn names(instance: &InstanceFile, kind: Kind) -> BTreeMap<String, (String, i64)> {
    let mut instance = instance.clone();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of_row = |row: &Row| {
        let (mark, name, id) = match kind {
            Kind::Model => ("displayName", "referenceName", "id"),
            Kind::Container => ("contentViewName", "referenceName", "contentViewID"),
            Kind::Template => ("", "pageTemplateName", "pageTemplateID"),
            Kind::Gallery => ("description", "name", "mediaGroupingID"),
            Kind::Asset => ("content", "originKey", "mediaID"),
            Kind::Page => ("title", "name", "pageID"),
            Kind::Redirection => ("destinationUrl", "originUrl", "urlRedirectionID"),
            Kind::Content => unreachable!("content has no names"),
        };
        let mark = match kind {
            Kind::Template => text(&row["contentSectionDefinitions"][0]["pageItemTemplateName"]),
            Kind::Asset => row["content"].to_string(),
            _ => text(&row[mark]),
        };
        (mark, (text(&row[name]), row[id].as_i64().unwrap()))
    };
    rows(&mut instance, kind).iter().map(of_row).collect()
}

fn only_names(instance: &InstanceFile, kind: Kind) -> BTreeMap<String, String> {
    let all = names(instance, kind).into_iter();
    all.map(|(mark, (name, _))| (mark, name)).collect()
}

fn ids(instance: &InstanceFile, kind: Kind) -> BTreeMap<String, i64> {
    let all = names(instance, kind).into_iter();
    all.map(|(mark, (_, id))| (mark, id)).collect()
}

fn rename(row: &mut Row, kind: Kind, name: &str) {
    let renamed = self::row(kind, 0, name, "");
    let members: &[&str] = match kind {
        Kind::Model | Kind::Container => &["referenceName"],
        Kind::Template => &["pageTemplateName"],
        Kind::Gallery | Kind::Page => &["name"],
        Kind::Asset => &["originKey"],
        Kind::Redirection => &["originUrl"],
        Kind::Content => &[],
    };
    for member in members {
        row.insert((*member).to_owned(), renamed[*member].clone());
    }
    if kind == Kind::Page {
        row["properties"]["versionID"] = json!(9000 + row["pageID"].as_i64().unwrap());
    }
    // What a file says of itself besides its path follows from it.
    for follows in ["fileName", "originUrl", "edgeUrl"] {
        if kind == Kind::Asset {
            row.shift_remove(follows);
        }
    }
}

/// A source with `alpha`, `beta` and `gamma` of a kind, and an empty target.
fn pair(kind: Kind) -> StateFile {
    let mut source = InstanceFile {
        guid: SOURCE.to_owned(),
        locales: vec!["en-us".to_owned()],
        ..InstanceFile::default()
    };
    source.models.push(row(Kind::Model, 9, "Note", "note"));
    for (at, name) in (0..).zip(["alpha", "beta", "gamma"]) {
        let row = row(kind, at, name, &format!("mark-{name}"));
        rows(&mut source, kind).push(row);
    }
    let target = empty_target(&source.locales);
    StateFile {
        instances: vec![source, target],
        ..StateFile::default()
    }
}

struct Place {
    server: Server,
    setup: Setup,
    _folder: TempDir,
}

impl Place {
    async fn of(state: StateFile, rules: Rules) -> Self {
        Self::slow(state, rules, Duration::ZERO).await
    }

    async fn slow(state: StateFile, rules: Rules, latency: Duration) -> Self {
        let server = serve_with(mock::Options {
            state,
            rules,
            latency,
            ..mock::Options::default()
        })
        .await;
        let folder = TempDir::new().unwrap();
        let url = StateUrl::Sqlite(folder.path().join("state.db"));
        let setup = Setup::impatient(Store::open(&url).await.unwrap());
        Self {
            server,
            setup,
            _folder: folder,
        }
    }

    async fn sync(&mut self) -> Ran {
        Box::pin(self.setup.sync(&self.server.base_url())).await
    }

    fn side(&self, guid: &str) -> InstanceFile {
        let mut all = self.server.state().instances;
        all.retain(|instance| instance.guid == guid);
        all.remove(0)
    }

    async fn edit(&self, edit: impl FnOnce(&mut InstanceFile, &mut InstanceFile)) {
        let mut state = self.server.state();
        let (source, target) = state.instances.split_at_mut(1);
        edit(&mut source[0], &mut target[0]);
        put_state(&self.server.base_url(), &state).await;
    }
}

/// What went wrong in a run, in words.
fn problems(ran: &Ran) -> Vec<String> {
    let report = match &ran.report {
        Ok(report) => report,
        Err(error) => return vec![format!("{error:?}")],
    };
    let planned = report.plan.entities.iter().zip(report.source.entities());
    let conflicts = planned
        .filter(|(planned, _)| planned.action.name() == "conflict")
        .map(|(planned, entity)| format!("{}: conflict: {}", entity.key, planned.because));
    let failed = ran.events.iter().filter_map(|event| match event {
        Event::EntitySettled {
            key,
            outcome: outcome @ (Outcome::Failed { .. } | Outcome::Blocked { .. }),
            because,
            ..
        } => Some(format!("{key}: {}: {because}", outcome.name())),
        _ => None,
    });
    let different = report.differences.iter().flatten();
    let different = different.map(|found| format!("{}: {}", found.key, found.detail));
    conflicts.chain(failed).chain(different).collect()
}

type Edit = fn(&mut Vec<Row>, Kind);

/// What is done to the source between two runs.
const EDITS: [(&str, Edit); 5] = [
    ("a new one takes the name of a renamed one", |rows, kind| {
        rename(&mut rows[0], kind, "delta");
        rows.push(row(kind, 5, "alpha", "mark-new"));
    }),
    ("two swap their names", |rows, kind| {
        rename(&mut rows[0], kind, "beta");
        rename(&mut rows[1], kind, "alpha");
    }),
    ("a chain of three", |rows, kind| {
        rename(&mut rows[0], kind, "beta");
        rename(&mut rows[1], kind, "gamma");
        rename(&mut rows[2], kind, "delta");
    }),
    ("three turn round, and a new one follows", |rows, kind| {
        rename(&mut rows[0], kind, "beta");
        rename(&mut rows[1], kind, "gamma");
        rename(&mut rows[2], kind, "alpha");
        rows.push(row(kind, 5, "delta", "mark-new"));
    }),
    ("the name comes back in another case", |rows, kind| {
        rename(&mut rows[0], kind, "delta");
        rows.push(row(kind, 5, "Alpha", "mark-new"));
    }),
];

#[tokio::test]
async fn names_that_move_arrive_in_one_run() {
    let mut wrong = Vec::new();
    for names in NAMES {
        for kind in RENAMED {
            for (what, edit) in EDITS {
                let rules = Rules {
                    names,
                    ..Rules::default()
                };
                let mut place = Place::of(pair(kind), rules).await;
                let first = place.sync().await;
                assert_eq!(problems(&first), Vec::<String>::new(), "{kind}");
                let before = ids(&place.side(TARGET), kind);
                place.edit(|source, _| edit(rows(source, kind), kind)).await;
                let second = place.sync().await;
                let case = format!("{kind}, {names:?}, {what}");
                wrong.extend(
                    problems(&second)
                        .iter()
                        .map(|line| format!("{case}: {line}")),
                );
                let (here, there) = (
                    only_names(&place.side(SOURCE), kind),
                    only_names(&place.side(TARGET), kind),
                );
                if here != there {
                    wrong.push(format!("{case}: {there:?} instead of {here:?}"));
                }
                let mut after = ids(&place.side(TARGET), kind);
                after.retain(|mark, _| before.contains_key(mark));
                if before != after {
                    wrong.push(format!("{case}: {after:?} were {before:?}"));
                }
                let writes = place.server.writes(TARGET).len();
                let third = place.sync().await;
                wrong.extend(
                    problems(&third)
                        .iter()
                        .map(|line| format!("{case}, again: {line}")),
                );
                if place.server.writes(TARGET).len() != writes {
                    wrong.push(format!("{case}: the next run writes"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Siblings that differ in case only: a server that tells them apart gets both, another one keeps the first as it is, and
/// the second is a failure. Of files, the second is not sent in either case: it might be written over the first.
#[tokio::test]
async fn twins_that_differ_in_case_never_end_on_one_entity() {
    let mut wrong = Vec::new();
    for names in NAMES {
        for replaces in [false, true] {
            for kind in RENAMED.into_iter().chain([Kind::Asset]) {
                let mut state = pair(kind);
                // As long as its namesake: a source that takes both paths for one has only one of the files.
                let twin = row(kind, 5, "ALPHA", "mark-twins");
                rows(&mut state.instances[0], kind).push(twin);
                let mut place = Place::of(
                    state,
                    Rules {
                        names,
                        replaces,
                        ..Rules::default()
                    },
                )
                .await;
                let ran = place.sync().await;
                let case = format!("{kind}, {names:?}, replaces {replaces}");
                let there = only_names(&place.side(TARGET), kind);
                let here = only_names(&place.side(SOURCE), kind);
                let apart = names == Names::Exact && kind != Kind::Asset;
                if apart && (here != there || !problems(&ran).is_empty()) {
                    wrong.push(format!("{case}: {there:?}, {:?}", problems(&ran)));
                }
                let expected = 3 + usize::from(kind == Kind::Model);
                if !apart && (ran.report.as_ref().unwrap().failed == 0 || there.len() != expected) {
                    wrong.push(format!("{case}: {there:?}, {:?}", problems(&ran)));
                }
                let again = place.sync().await;
                if apart != problems(&again).is_empty() {
                    wrong.push(format!("{case}, again: {:?}", problems(&again)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The target has something whose name differs in case only, and that nothing on the source was known to be.
#[tokio::test]
async fn what_differs_in_case_only_is_adopted_and_an_undo_keeps_it() {
    let mut wrong = Vec::new();
    for names in NAMES {
        for replaces in [false, true] {
            for kind in RENAMED.into_iter().chain([Kind::Asset]) {
                let mut state = pair(kind);
                // Its pages differ in their title, and a conflict is no concern of this test.
                let mark = match kind {
                    Kind::Page | Kind::Template => "mark-alpha",
                    _ => "mark-old",
                };
                let old = row(kind, 7, "ALPHA", mark);
                let note = row(Kind::Model, 9, "Note", "note");
                state.instances[1].models.push(note);
                rows(&mut state.instances[1], kind).push(old);
                let mut place = Place::of(
                    state,
                    Rules {
                        names,
                        replaces,
                        ..Rules::default()
                    },
                )
                .await;
                place.setup.overwrite = true;
                let before = self::names(&place.side(TARGET), kind);
                let ran = place.sync().await;
                let case = format!("{kind}, {names:?}, replaces {replaces}");
                wrong.extend(problems(&ran).iter().map(|line| format!("{case}: {line}")));
                let there = self::names(&place.side(TARGET), kind);
                if there.len() != 3 + usize::from(kind == Kind::Model) {
                    wrong.push(format!("{case}: it is there twice: {there:?}"));
                }
                let run = place.setup.run;
                let url = place.server.base_url();
                let undone = Box::pin(place.setup.undo(&url, run, false)).await;
                let after = self::names(&place.side(TARGET), kind);
                if undone.end.is_err() || after != before {
                    wrong.push(format!(
                        "{case}: {after:?} after the undo, {before:?} before"
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A server that takes more names for one than we do writes over what is there. That is no create, and nothing that an undo
/// deletes.
#[tokio::test]
async fn a_create_that_was_a_save_over_something_is_told_and_undone_as_one() {
    let rules = Rules {
        names: Names::Loose,
        replaces: true,
        ..Rules::default()
    };
    let mut wrong = Vec::new();
    for kind in [
        Kind::Model,
        Kind::Container,
        Kind::Template,
        Kind::Gallery,
        Kind::Asset,
        Kind::Redirection,
    ] {
        let mut state = pair(kind);
        let old = row(kind, 7, "\u{e1}lpha", "mark-old");
        let note = row(Kind::Model, 9, "Note", "note");
        state.instances[1].models.push(note);
        rows(&mut state.instances[1], kind).push(old);
        let mut place = Place::of(state, rules).await;
        let before = ids(&place.side(TARGET), kind);
        let ran = place.sync().await;
        let key = format!("{kind}:{}", id(kind, 0));
        let outcome = ran.events.iter().find_map(|event| match event {
            Event::EntitySettled {
                key: found,
                outcome,
                ..
            } if found.to_string() == key => Some(outcome.name()),
            _ => None,
        });
        if outcome != Some("updated") {
            wrong.push(format!("{kind}: {outcome:?}"));
        }
        let run = place.setup.run;
        let url = place.server.base_url();
        drop(Box::pin(place.setup.undo(&url, run, false)).await);
        let after = ids(&place.side(TARGET), kind);
        let is_there = |id: &i64| after.values().any(|other| other == id);
        if !before.values().all(is_there) {
            wrong.push(format!("{kind}: the undo deleted what had been there"));
        }
        // Bytes that nobody kept do not come back; everything else does.
        if kind != Kind::Asset && after != before {
            wrong.push(format!(
                "{kind}: {after:?} after the undo, {before:?} before"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A run that ends between the temporary name and the final one.
#[tokio::test]
async fn a_temporary_name_does_not_outlive_the_next_run() {
    for kind in RENAMED {
        let mut place = Place::slow(pair(kind), Rules::default(), Duration::from_millis(15)).await;
        assert_eq!(
            problems(&place.sync().await),
            Vec::<String>::new(),
            "{kind}"
        );
        place
            .edit(|source, _| EDITS[1].1(rows(source, kind), kind))
            .await;
        let url = place.server.base_url();
        let is_temporary = |name: &String| name.contains("lockgate");
        {
            let mut run = Box::pin(place.setup.sync(&url));
            poll_fn(|context| {
                let target = place.server.state().instances.remove(1);
                if only_names(&target, kind).values().any(is_temporary) {
                    return Poll::Ready(());
                }
                assert!(
                    run.as_mut().poll(context).is_pending(),
                    "{kind} got no temporary name"
                );
                Poll::Pending
            })
            .await;
        }
        let next = place.sync().await;
        assert_eq!(problems(&next), Vec::<String>::new(), "{kind}");
        assert_eq!(
            only_names(&place.side(SOURCE), kind),
            only_names(&place.side(TARGET), kind),
            "{kind}"
        );
    }
}

/// A page below a renamed one is found where it is, and a new page that takes the old name gets children of its own.
#[tokio::test]
async fn children_stay_with_the_renamed_page_and_new_ones_go_below_the_new_page() {
    let mut state = pair(Kind::Page);
    let mut child = row(Kind::Page, 6, "child", "mark-child");
    child["parentPageID"] = json!(id(Kind::Page, 0));
    state.instances[0].pages.push(child);
    let mut place = Place::of(state, Rules::default()).await;
    assert_eq!(problems(&place.sync().await), Vec::<String>::new());
    let before = ids(&place.side(TARGET), Kind::Page);
    place
        .edit(|source, _| {
            rename(&mut source.pages[0], Kind::Page, "delta");
            source.pages.push(row(Kind::Page, 5, "alpha", "mark-new"));
            let mut child = row(Kind::Page, 8, "child", "mark-new-child");
            child["parentPageID"] = json!(id(Kind::Page, 5));
            source.pages.push(child);
        })
        .await;
    assert_eq!(problems(&place.sync().await), Vec::<String>::new());
    let target = place.side(TARGET);
    let after = ids(&target, Kind::Page);
    for mark in before.keys() {
        assert_eq!(after[mark], before[mark], "{mark}");
    }
    let parent = |mark: &str| {
        let row = target
            .pages
            .iter()
            .find(|row| row["title"] == *mark)
            .unwrap();
        row["parentPageID"].as_i64().unwrap()
    };
    assert_eq!(parent("mark-child"), after["mark-alpha"]);
    assert_eq!(parent("mark-new-child"), after["mark-new"]);
}

/// Containers of a renamed model, items of a renamed container, pages of a renamed template, and models that name one another.
#[tokio::test]
async fn what_refers_to_renamed_things_by_name_uses_the_new_names() {
    let mut state = pair(Kind::Container);
    let source = &mut state.instances[0];
    let field = |model: &str| json!({ "name": "Link", "type": "Content", "settings": { "ContentDefinition": model } });
    for (at, name, other) in [(0, "One", "Two"), (1, "Two", "One")] {
        let mut model = row(Kind::Model, at, name, &format!("mark-{name}"));
        model["fields"].as_array_mut().unwrap().push(field(other));
        source.models.push(model);
    }
    let item = |id: i64, list: &str, title: &str, version: i64| {
        let item = json!({
            "contentID": id, "locale": "en-us",
            "properties": { "state": 2, "modified": "2025-04-02T11:22:07.09", "versionID": version,
                "referenceName": list, "definitionName": "Note", "itemOrder": 0 },
            "fields": { "title": title }
        });
        item.as_object().unwrap().clone()
    };
    source.content.push(item(1001, "alpha", "of alpha", 7001));
    source.content.push(item(1002, "beta", "of beta", 7002));
    let mut place = Place::of(state, Rules::default()).await;
    assert_eq!(problems(&place.sync().await), Vec::<String>::new());
    place
        .edit(|source, _| {
            EDITS[1].1(&mut source.containers, Kind::Container);
            for model in &mut source.models {
                let (name, other) = match model["referenceName"].as_str() {
                    Some("One") => ("Two", "One"),
                    Some("Two") => ("One", "Two"),
                    _ => continue,
                };
                rename(model, Kind::Model, name);
                model["fields"][1] = field(other);
            }
            source.content[0] = item(1001, "beta", "of alpha", 7101);
            source.content[1] = item(1002, "alpha", "of beta", 7102);
            source
                .content
                .push(item(1003, "alpha", "new in beta", 7103));
        })
        .await;
    assert_eq!(problems(&place.sync().await), Vec::<String>::new());
    let target = place.side(TARGET);
    assert_eq!(
        only_names(&place.side(SOURCE), Kind::Container),
        only_names(&target, Kind::Container)
    );
    assert_eq!(
        only_names(&place.side(SOURCE), Kind::Model),
        only_names(&target, Kind::Model)
    );
    let lists: BTreeMap<&str, &str> = target
        .content
        .iter()
        .map(|item| {
            let list = item["properties"]["referenceName"].as_str().unwrap();
            (item["fields"]["Title"].as_str().unwrap(), list)
        })
        .collect();
    assert_eq!(lists["new in beta"], "alpha");
    let writes = place.server.writes(TARGET).len();
    assert_eq!(problems(&place.sync().await), Vec::<String>::new());
    assert_eq!(
        place.server.writes(TARGET).len(),
        writes,
        "the next run writes"
    );
}

/// A name that stays where it is: the failure says what holds it.
#[tokio::test]
async fn a_name_that_is_held_is_told_with_its_holder() {
    for kind in RENAMED {
        let mut place = Place::of(pair(kind), Rules::default()).await;
        assert_eq!(
            problems(&place.sync().await),
            Vec::<String>::new(),
            "{kind}"
        );
        let old = ids(&place.side(TARGET), kind);
        // beta goes on the source, and alpha takes its name; the target still has beta.
        place
            .edit(|source, _| {
                rows(source, kind).retain(|row| {
                    !row.values()
                        .any(|value| value.to_string().contains("mark-beta"))
                });
                rename(&mut rows(source, kind)[0], kind, "beta");
            })
            .await;
        let before = only_names(&place.side(TARGET), kind);
        let ran = place.sync().await;
        let told = problems(&ran).join("\n");
        let holder = old
            .iter()
            .find(|(mark, _)| mark.contains("mark-beta"))
            .unwrap()
            .1;
        assert!(told.contains(&holder.to_string()), "{kind}: {told}");
        assert!(
            told.contains(&format!("{kind}:{}", id(kind, 1))),
            "{kind}: {told}"
        );
        assert_eq!(only_names(&place.side(TARGET), kind), before, "{kind}");
    }
}

/// The rehearsal foretells the run, and promises nothing that a strict target refuses.
#[tokio::test]
async fn a_rehearsal_foretells_names_that_move() {
    for kind in RENAMED {
        let place = Place::of(pair(kind), Rules::default()).await;
        let workspace = Workspace::new();
        let first = end_of(workspace.sync(&place.server, &["--no-tui"])).await;
        assert_eq!(first.code, Some(0), "{kind}: {}", first.stderr);
        place
            .edit(|source, _| EDITS[3].1(rows(source, kind), kind))
            .await;
        let rehearsed = end_of(workspace.sync(&place.server, &["--no-tui", "--dry-run"])).await;
        assert_eq!(rehearsed.code, Some(0), "{kind}: {}", rehearsed.stderr);
        let done = end_of(workspace.sync(&place.server, &["--no-tui"])).await;
        assert_eq!(done.code, Some(0), "{kind}: {}", done.stderr);

        let twin = row(kind, 8, "GAMMA", "mark-twin");
        place.edit(|source, _| rows(source, kind).push(twin)).await;
        let rehearsed = end_of(workspace.sync(&place.server, &["--no-tui", "--dry-run"])).await;
        assert_eq!(rehearsed.code, Some(1), "{kind}: {}", rehearsed.stdout);
    }
}
