//! Mappings that are wrong: the target has nothing under their id, or something of another container. They are named, and the
//! next run finds the counterpart anew and writes nothing.

use lockgate::domain::{Guid, Id, Kind, Outcome, TargetId};
use lockgate::event::Event;
use lockgate::store::{Change, Mapping, Pair, StateUrl, Store};

use crate::binary::{Workspace, end_of};
use crate::independent::mappings_of;
use crate::support::{Ran, SOURCE, Setup, TARGET, fixture, instances, serve};

/// An id that no instance gives out.
const NOWHERE: i64 = 9_000_000;

fn pair() -> Pair {
    Pair {
        source: Guid::new(SOURCE),
        target: Guid::new(TARGET),
    }
}

/// Gives mappings other targets.
async fn poison(store: &Store, rows: Vec<(Mapping, TargetId)>) {
    let removed = rows.iter().map(|(row, _)| Change::MappingRemoved {
        pair: pair(),
        key: row.key.clone(),
        prior: row.target,
    });
    let mut changes: Vec<Change> = removed.collect();
    changes.extend(rows.into_iter().map(|(row, target)| Change::Mapping {
        pair: pair(),
        mapping: Mapping { target, ..row },
    }));
    store.commit(changes).await.unwrap();
}

/// The mappings of the first entity of a kind, in all of its locales.
fn first_of(kind: Kind, mappings: &[Mapping]) -> Vec<Mapping> {
    let of_kind = || mappings.iter().filter(|row| row.key.kind == kind);
    let first = of_kind().map(|row| row.key.id).min();
    of_kind()
        .filter(|row| Some(row.key.id) == first)
        .cloned()
        .collect()
}

fn is_whole(ran: &Ran) -> bool {
    ran.report.as_ref().is_ok_and(|report| {
        report.failed == 0
            && report.conflicts == 0
            && report.differences.as_ref().is_some_and(Vec::is_empty)
    })
}

fn writes(ran: &Ran) -> Vec<String> {
    let outcomes = ran.outcomes().into_iter();
    let written =
        outcomes.filter(|(_, outcome)| !matches!(outcome, Outcome::Unchanged | Outcome::Adopted));
    written
        .map(|(key, outcome)| format!("{key}: {outcome:?}"))
        .collect()
}

fn warnings(ran: &Ran) -> Vec<&str> {
    let told = |event: &'_ Event| matches!(event, Event::Warned { .. });
    let told = ran.events.iter().filter(|event| told(event));
    told.map(|event| match event {
        Event::Warned { message } => message.as_str(),
        _ => "",
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mapping_to_nothing_is_named_and_healed() {
    for kind in Kind::ALL {
        let server = serve(instances(&fixture("starter-site"))).await;
        let url = server.base_url();
        let mut setup = Setup::new().await;
        assert!(is_whole(&setup.sync(&url).await));
        let right = mappings_of(&setup.store).await;
        let rows = first_of(kind, &right);
        let key = rows[0].key.clone();
        let wrong = rows.into_iter().map(|row| (row, TargetId::new(NOWHERE)));
        poison(&setup.store, wrong.collect()).await;
        let healed = setup.sync(&url).await;
        assert!(
            is_whole(&healed),
            "{kind}: {:?}",
            healed.report.map(|report| report.differences)
        );
        assert_eq!(writes(&healed), Vec::<String>::new(), "{kind}");
        let told = warnings(&healed);
        let is_named = |text: &&str| text.contains(&key.to_string()) && text.contains("9000000");
        assert!(told.iter().any(is_named), "{kind}: {told:#?}");
        let mut now = mappings_of(&setup.store).await;
        let mut right = right;
        let ids = |rows: &mut Vec<Mapping>| {
            rows.sort_by(|one, other| one.key.cmp(&other.key));
            rows.iter()
                .map(|row| (row.key.clone(), row.target))
                .collect::<Vec<_>>()
        };
        assert_eq!(ids(&mut now), ids(&mut right), "{kind}");
        let quiet = setup.sync(&url).await;
        let is_named = |text: &&str| text.contains("the state maps");
        let named: Vec<&str> = warnings(&quiet).into_iter().filter(is_named).collect();
        assert!(is_whole(&quiet) && named.is_empty(), "{kind}: {named:#?}");
        server.stop().await;
    }
}

/// Two items of different containers that are mapped crosswise.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mappings_into_other_containers_are_named_and_healed() {
    let server = serve(instances(&fixture("starter-site"))).await;
    let url = server.base_url();
    let mut setup = Setup::new().await;
    assert!(is_whole(&setup.sync(&url).await));
    let right = mappings_of(&setup.store).await;
    let state = crate::independent::dump(&url).await;
    let container = |row: &Mapping| {
        let mut items = state.instances[0].content.iter();
        let item = items.find(|item| item["contentID"] == row.key.id.raw());
        item.unwrap()["properties"]["referenceName"].clone()
    };
    let one = first_of(Kind::Content, &right);
    let of_id = |id| {
        right
            .iter()
            .filter(move |row| row.key.kind == Kind::Content && row.key.id == id)
    };
    let other = right.iter().find(|row| {
        row.key.kind == Kind::Content
            && container(row) != container(&one[0])
            && of_id(row.key.id).count() == one.len()
    });
    let other: Vec<Mapping> = of_id(other.unwrap().key.id).cloned().collect();
    let (first, second) = (one[0].target, other[0].target);
    let crossed = one.iter().cloned().map(|row| (row, second));
    let crossed = crossed.chain(other.iter().cloned().map(|row| (row, first)));
    poison(&setup.store, crossed.collect()).await;
    let healed = setup.sync(&url).await;
    assert!(
        is_whole(&healed),
        "{:?}",
        healed.report.map(|report| report.differences)
    );
    assert_eq!(writes(&healed), Vec::<String>::new());
    let told = warnings(&healed).join("\n");
    for row in [&one[0], &other[0]] {
        assert!(told.contains(&row.key.to_string()), "{told}");
    }
    let now = mappings_of(&setup.store).await;
    for row in &right {
        let same = now.iter().find(|now| now.key == row.key);
        assert_eq!(same.map(|now| now.target), Some(row.target), "{}", row.key);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verification_lists_a_wrong_mapping_until_a_run_corrects_it() {
    let server = serve(instances(&fixture("two-locales"))).await;
    let workspace = Workspace::new();
    let ended = end_of(workspace.sync(&server, &[])).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let file = workspace.path().join(".lockgate/state.db");
    let store = Store::open(&StateUrl::Sqlite(file)).await.unwrap();
    let rows = first_of(Kind::Content, &mappings_of(&store).await);
    let key = rows[0].key.to_string();
    poison(
        &store,
        rows.into_iter()
            .map(|row| (row, TargetId::new(NOWHERE)))
            .collect(),
    )
    .await;
    store.close().await;
    let verified = end_of(workspace.between("verify", &server.base_url(), &[])).await;
    let told = format!("{}{}", verified.stdout, verified.stderr);
    assert_eq!(verified.code, Some(1), "{told}");
    let is_row = |line: &&str| line.starts_with("wrong-mapping") && line.contains(&key);
    let row = verified.stdout.lines().find(is_row).unwrap_or_default();
    assert!(row.contains("9000000"), "{told}");
    assert!(told.contains("lockgate sync"), "{told}");
    let ended = end_of(workspace.sync(&server, &[])).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let verified = end_of(workspace.between("verify", &server.base_url(), &[])).await;
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
    assert!(!verified.stderr.contains("9000000"), "{}", verified.stderr);
    server.stop().await;
}
