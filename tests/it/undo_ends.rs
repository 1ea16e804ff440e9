//! How an undo ends: as a run does, whatever happens to its jobs, its requests and its user's patience.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use futures_util::{StreamExt, stream};
use lockgate::domain::Outcome;
use lockgate::engine::{End, Publish, StopCause};
use lockgate::event::{Command, Event};
use lockgate::mock::file::{InstanceFile, StateFile};
use lockgate::store::{StateUrl, Store};
use tempfile::TempDir;

use crate::crash::report;
use crate::panics::Breaking;
use crate::same_state;
use crate::support::Undone;
use crate::undo::{Place, moved_on, problems};

/// A run that is to be undone, as it left the target and the state.
struct Left {
    state: StateFile,
    folder: TempDir,
    run: u16,
    before: InstanceFile,
}

impl Left {
    async fn by_a_first_run(name: &str) -> Self {
        let mut place = Place::of(name).await;
        let before = place.target();
        let run = place.sync().await;
        Self::of(place, run, before).await
    }

    /// By one that wrote over something of every kind, and published it.
    async fn by_an_update() -> Self {
        let (place, run, before) = moved_on(Publish::Both).await;
        Self::of(place, run, before).await
    }

    async fn of(place: Place, run: u16, before: InstanceFile) -> Self {
        let state = place.server.state();
        place.setup.store.clone().close().await;
        place.server.stop().await;
        Self {
            state,
            folder: place.folder,
            run,
            before,
        }
    }

    /// The same once more, on a server with these faults.
    async fn with(&self, faults: &[&str]) -> Place {
        let mut place = Place::faulty(self.state.clone(), faults).await;
        let url = StateUrl::Sqlite(place.folder.path().join("state.db"));
        place.setup.store.clone().close().await;
        for file in std::fs::read_dir(self.folder.path()).unwrap() {
            copy(&file.unwrap().path(), place.folder.path());
        }
        place.setup.store = Store::open(&url).await.unwrap();
        place.setup.run = self.run;
        place
    }

    /// What is wrong after one undo more, which nothing happens to.
    async fn problems_after(&self, place: &mut Place) -> Vec<String> {
        let again = place.undo(self.run).await;
        let mut found = problems(&again);
        found.extend(same_state::differences(&self.before, &place.target()));
        found
    }
}

fn copy(from: &std::path::Path, folder: &std::path::Path) {
    let to = folder.join(from.file_name().unwrap());
    if from.is_dir() {
        std::fs::create_dir_all(&to).unwrap();
        for file in std::fs::read_dir(from).unwrap() {
            copy(&file.unwrap().path(), &to);
        }
    } else {
        std::fs::copy(from, to).unwrap();
    }
}

/// Undoes on a target of which some calls that write or poll break.
async fn broken(left: &Left, place: &mut Place, (nth, times, before): (i64, i64, bool)) -> Undone {
    let url = place.server.base_url();
    let breaking = |target| Breaking::new(target, nth, times, before);
    Box::pin(
        place
            .setup
            .undo_with(&url, (left.run, false), breaking, |_| None),
    )
    .await
}

/// How many calls write or poll.
async fn calls(left: &Left) -> i64 {
    let mut place = left.with(&[]).await;
    let count = Arc::new(AtomicI64::new(0));
    let url = place.server.base_url();
    let counting = |target| Breaking::counting(target, &count);
    let undone = Box::pin(
        place
            .setup
            .undo_with(&url, (left.run, false), counting, |_| None),
    )
    .await;
    report(&problems(&undone));
    place.server.stop().await;
    -count.load(Ordering::Relaxed)
}

/// It ended the process.
#[tokio::test]
async fn a_job_of_an_undo_that_breaks_once_costs_nothing() {
    let mut lines = Vec::new();
    for (name, left) in [
        ("first run", Left::by_a_first_run("two-locales").await),
        ("update", Left::by_an_update().await),
    ] {
        let left = &left;
        let trial = |(nth, before): (i64, bool)| async move {
            let mut place = left.with(&[]).await;
            let undone = broken(left, &mut place, (nth, 1, before)).await;
            let mut found = problems(&undone);
            found.extend(same_state::differences(&left.before, &place.target()));
            let warned = |event: &&Event| {
                let taken_up = "is taken up once more";
                matches!(event, Event::Warned { message } if message.contains(taken_up))
            };
            if undone.events.iter().filter(warned).count() != 1 {
                found.push("it was not told".to_owned());
            }
            place.server.stop().await;
            let when = if before { "before" } else { "after" };
            let told = found.iter();
            told.map(|line| format!("{name}, {when} call {nth}: {line}"))
                .collect::<Vec<_>>()
        };
        let last = calls(left).await;
        assert!(last > 10, "{name}: {last} calls");
        // Those at the end fall on rows, workflow and publishing.
        let moments = (1..=last).filter(|nth| nth % 3 == 1 || *nth > last - 6);
        let moments = moments.flat_map(|nth| [(nth, true), (nth, false)]);
        let found: Vec<_> = stream::iter(moments.map(trial))
            .buffer_unordered(4)
            .collect()
            .await;
        lines.extend(found.into_iter().flatten());
    }
    report(&lines);
}

#[tokio::test]
async fn a_job_of_an_undo_that_breaks_again_ends_it_and_the_next_one_goes_on() {
    let left = Left::by_a_first_run("two-locales").await;
    let mut place = left.with(&[]).await;
    let undone = broken(&left, &mut place, (3, 1_000, false)).await;
    match &undone.end.as_ref().unwrap().end {
        End::Stopped(StopCause::Panic(why)) => assert!(why.contains("on purpose"), "{why}"),
        end => panic!("{end:?}"),
    }
    report(&left.problems_after(&mut place).await);
    place.server.stop().await;
}

/// Every entity failed by itself, one after another.
#[tokio::test]
async fn a_token_that_is_refused_ends_an_undo_and_fails_no_entity() {
    let left = Left::by_a_first_run("two-locales").await;
    let mut place = left.with(&["status=401,method=DELETE,from=3"]).await;
    let undone = place.undo(left.run).await;
    let end = undone.end.as_ref().unwrap();
    assert!(
        matches!(&end.end, End::Stopped(StopCause::Outage(_))),
        "{:?}",
        end.end
    );
    assert_eq!(end.failed, 0, "{:?}", problems(&undone));
    let failed = |event: &&Event| {
        let Event::EntitySettled { outcome, .. } = event else {
            return false;
        };
        matches!(outcome, Outcome::Failed { .. } | Outcome::Blocked { .. })
    };
    assert_eq!(undone.events.iter().find(failed), None);
    place.server.stop().await;
}

/// Nothing heard it.
#[tokio::test]
async fn an_undo_can_be_paused() {
    let left = Left::by_a_first_run("two-locales").await;
    let mut place = left.with(&[]).await;
    let url = place.server.base_url();
    let mut is_first = true;
    let answer = |event: &Event| match event {
        Event::EntityStarted { .. } if std::mem::take(&mut is_first) => Some(Command::Pause),
        Event::Paused => Some(Command::Resume),
        _ => None,
    };
    let undo = place
        .setup
        .undo_with(&url, (left.run, false), |target| target, answer);
    let undone = Box::pin(undo).await;
    report(&problems(&undone));
    let count = |wanted: &Event| {
        let events = undone.events.iter();
        events.filter(|event| *event == wanted).count()
    };
    assert_eq!((count(&Event::Paused), count(&Event::Resumed)), (1, 1));
    report(&same_state::differences(&left.before, &place.target()));
    place.server.stop().await;
}

#[tokio::test]
async fn an_undo_that_is_aborted_drops_what_is_in_flight_and_the_next_one_goes_on() {
    let left = Left::by_a_first_run("two-locales").await;
    let mut place = left.with(&["hang,method=DELETE,count=1"]).await;
    let url = place.server.base_url();
    let mut is_first = true;
    let answer = |event: &Event| {
        let is_start = matches!(event, Event::EntityStarted { .. });
        (is_start && std::mem::take(&mut is_first)).then_some(Command::Abort)
    };
    let undo = place
        .setup
        .undo_with(&url, (left.run, false), |target| target, answer);
    let undone = Box::pin(undo).await;
    let end = &undone.end.as_ref().unwrap().end;
    assert!(matches!(end, End::Interrupted), "{end:?}");
    report(&left.problems_after(&mut place).await);
    place.server.stop().await;
}
