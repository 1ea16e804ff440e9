//! `lockgate undo` as users start it: what it says, what it asks, how it ends, and that it may be killed anywhere.

use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use lockgate::mock::file::{InstanceFile, StateFile};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::binary::{Ended, Workspace, end_of, lines_of_json};
use crate::lease::{shell, take_over_by};
use crate::mock_process::MockProcess;
use crate::same_state;
use crate::support::{TARGET, fixture, http, instances, put_state};
use crate::terminal::Terminal;
use crate::undo::move_on;

/// A server quick enough for many runs, and slow enough that batches queue up.
const QUICK: [&str; 4] = ["--latency-ms", "1", "--item-ms", "2"];

/// Two instances of a fixture, and a workspace in which a sync between them was run.
struct Place {
    server: MockProcess,
    workspace: Workspace,
    before: InstanceFile,
}

impl Place {
    async fn synced(name: &str, args: &[&str]) -> Self {
        let server = MockProcess::start(&instances(&fixture(name)), args).await;
        let workspace = Workspace::new();
        let before = server.target().await;
        let place = Self {
            server,
            workspace,
            before,
        };
        let done = place.sync().await;
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        place
    }

    fn patient(mut command: Command) -> Command {
        command
            .env("LOCKGATE_TIMEOUTS_SETTLE_MS", "1200")
            .env("LOCKGATE_RETRY_ATTEMPTS", "5");
        command
    }

    async fn sync(&self) -> Ended {
        let sync = self
            .workspace
            .between("sync", &self.server.base_url, &["--quiet"]);
        end_of(Self::patient(sync)).await
    }

    /// The URLs are those of the run.
    fn undo(&self, args: &[&str]) -> Command {
        let words = ["undo", "last"].into_iter().chain(args.iter().copied());
        Self::patient(self.workspace.command(words))
    }

    async fn undone(&self, args: &[&str]) -> Ended {
        end_of(self.undo(args)).await
    }

    /// What the target has that it did not have before the sync, or the other way round.
    async fn remains(&self) -> Vec<String> {
        same_state::differences(&self.before, &self.server.target().await)
    }

    async fn edit(&self, edit: impl FnOnce(&mut InstanceFile)) {
        self.edit_both(|_, target| edit(target)).await;
    }

    async fn edit_both(&self, edit: impl FnOnce(&mut InstanceFile, &mut InstanceFile)) {
        let url = format!("{}/_mock/state", self.server.base_url);
        let state = http().get(url).send().await.unwrap();
        let mut state: StateFile = state.json().await.unwrap();
        let (source, target) = state.instances.split_at_mut(1);
        assert_eq!(target[0].guid, TARGET);
        edit(&mut source[0], &mut target[0]);
        put_state(&self.server.base_url, &state).await;
    }

    /// Kills an undo after so many events and microseconds. Returns whether it was still there.
    async fn killed_after(&self, events: u32, later: Duration) -> bool {
        let mut command = self.undo(&["--yes", "--output", "json"]);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for _ in 0..events {
            if lines.next_line().await.unwrap().is_none() {
                break;
            }
        }
        // The moment is arbitrary on purpose; nothing is expected of its length.
        tokio::time::sleep(later).await;
        child.start_kill().unwrap();
        child.wait().await.unwrap().code().is_none()
    }

    /// Kills an undo as soon as the server has answered a request of it that fits.
    async fn killed_when(&self, fits: impl Fn(&Value) -> bool) {
        let from = self.server.answered().len();
        let mut command = self.undo(&["--yes", "--quiet"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        tokio::select! {
            () = self.server.until(from, fits) => {}
            ended = child.wait() => unreachable!("the undo ended with {ended:?} before the moment came"),
        }
        child.start_kill().unwrap();
        assert_eq!(child.wait().await.unwrap().code(), None);
    }
}

fn is_delete(path: &'static str) -> impl Fn(&Value) -> bool {
    move |request| {
        let asked = request["path"].as_str().unwrap_or_default();
        request["method"] == "DELETE" && request["status"] == 200 && asked.contains(path)
    }
}

#[tokio::test]
async fn an_undo_that_is_killed_anywhere_goes_on_where_it_was() {
    let mut chance = ChaCha8Rng::seed_from_u64(20_261_121);
    let place = Place::synced("starter-site", &QUICK).await;
    let mut killed = 0;
    for _ in 0..10 {
        let events = chance.random_range(0..60);
        let later = Duration::from_micros(chance.random_range(0..6_000));
        killed += u32::from(place.killed_after(events, later).await);
    }
    assert!(killed >= 5, "only {killed} kills met an undo");
    let done = place.undone(&["--yes", "--quiet"]).await;
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    assert_eq!(place.remains().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_undo_of_an_update_that_is_killed_anywhere_goes_on_where_it_was() {
    let mut chance = ChaCha8Rng::seed_from_u64(11);
    let mut place = Place::synced("starter-site", &QUICK).await;
    place.edit_both(|source, _| move_on(source)).await;
    place.before = place.server.target().await;
    let again = place.sync().await;
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert!(!place.remains().await.is_empty());
    let mut killed = 0;
    for _ in 0..8 {
        let events = chance.random_range(0..24);
        let later = Duration::from_micros(chance.random_range(0..6_000));
        killed += u32::from(place.killed_after(events, later).await);
    }
    assert!(killed >= 4, "only {killed} kills met an undo");
    let done = place.undone(&["--yes", "--quiet"]).await;
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    assert_eq!(place.remains().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_interrupt_lets_what_is_in_flight_end() {
    let place = Place::synced("starter-site", &["--item-ms", "30"]).await;
    let mut command = place.undo(&["--yes", "--output", "json"]);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.contains("batch-submitted") {
            break;
        }
    }
    let signal = format!("kill -INT {}", child.id().unwrap());
    let sent = std::process::Command::new("sh")
        .args(["-c", &signal])
        .status();
    assert!(sent.unwrap().success());
    let mut last = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        last = line;
    }
    assert_eq!(child.wait().await.unwrap().code(), Some(130), "{last}");
    assert!(last.contains("run-finished"), "{last}");
    assert!(!place.remains().await.is_empty());
    let warned = place.undone(&["--yes", "--output", "json"]).await;
    assert_eq!(warned.code, Some(0), "{}", warned.stderr);
    let events = lines_of_json(&warned.stdout);
    let mut warnings = events.iter().filter(|event| event["type"] == "warned");
    assert_eq!(
        warnings.next(),
        None,
        "the interrupted undo left something open"
    );
    assert_eq!(place.remains().await, Vec::<String>::new());
}

#[tokio::test]
async fn between_every_kind_of_delete_and_its_answer() {
    for path in [
        "/model/",
        "/container/",
        "/asset/delete/",
        "/page/template/",
        "/url-redirections",
        "/item/",
        "/page/",
    ] {
        // The effect is there, and the answer takes longer than the kill.
        let slow = format!("method=DELETE,path={path},count=1,slow-body=2000");
        let args = [&QUICK[..], &["--fault", &slow]].concat();
        let place = Place::synced("starter-site", &args).await;
        place.killed_when(is_delete(path)).await;
        let done = place.undone(&["--yes", "--quiet"]).await;
        assert_eq!(done.code, Some(0), "{path}: {}{}", done.stdout, done.stderr);
        assert_eq!(place.remains().await, Vec::<String>::new(), "{path}");
    }
}

/// The first of two is killed, or sleeps until the other one has ended, in the middle of a delete.
#[tokio::test]
async fn an_undo_on_another_machine_takes_over() {
    for is_killed in [true, false] {
        let slow = "method=DELETE,path=/item/,count=1,slow-body=2000";
        let args = [&QUICK[..], &["--fault", slow]].concat();
        let place = Place::synced("starter-site", &args).await;
        let on = |host: &str| {
            let mut command = place.undo(&["--yes", "--quiet"]);
            command
                .env("HOSTNAME", host)
                .env("LOCKGATE_TIMEOUTS_LEASE_S", "3")
                // A takeover waits as long as a request of the other one may be under way.
                .env("LOCKGATE_TIMEOUT", "5");
            command
        };
        let from = place.server.answered().len();
        let mut first = on("desk-a");
        first.stdout(Stdio::null()).stderr(Stdio::null());
        let mut first = first.spawn().unwrap();
        place.server.until(from, is_delete("/item/")).await;
        let id = first.id().unwrap();
        if is_killed {
            first.kill().await.unwrap();
            take_over_by(|| on("desk-b"), || {}).await;
        } else {
            shell(&format!("kill -STOP {id}"));
            // A moment in which the commit ends.
            let locked = || shell(&format!("kill -CONT {id}; sleep 0.003; kill -STOP {id}"));
            take_over_by(|| on("desk-b"), locked).await;
            shell(&format!("kill -CONT {id}"));
            assert_eq!(first.wait().await.unwrap().code(), Some(4));
        }
        assert_eq!(place.remains().await, Vec::<String>::new(), "{is_killed}");
    }
}

#[tokio::test]
async fn a_sync_after_an_undo_that_was_killed_brings_back_what_it_deleted() {
    let slow = ["--item-ms", "20"];
    let place = Place::synced("three-siblings", &slow).await;
    let full = place.server.target().await;
    place.killed_when(is_delete("/item/")).await;
    let again = place.sync().await;
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert_eq!(
        same_state::differences(&full, &place.server.target().await),
        Vec::<String>::new()
    );
    // And that run can be undone as well.
    let done = place.undone(&["--yes", "--quiet"]).await;
    assert!(matches!(done.code, Some(0 | 5)), "{}", done.stderr);
}

#[tokio::test]
async fn it_shows_its_plan_and_does_nothing_unless_told() {
    let place = Place::synced("starter-site", &QUICK).await;
    let writes = place.server.effects().len();
    let shown = place.undone(&["--dry-run"]).await;
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    for line in [
        "content items  76      0        76",
        "all            159     0        159",
    ] {
        assert!(shown.stdout.contains(line), "{}", shown.stdout);
    }
    let json = place.undone(&["--dry-run", "--output", "json"]).await;
    let lines = lines_of_json(&json.stdout);
    assert_eq!(lines.len(), 159);
    assert!(lines.iter().all(|line| line["decision"] == "delete"));

    let mut dry = place.undo(&["--yes"]);
    dry.env("LOCKGATE_DRY_RUN", "1");
    assert_eq!(end_of(dry).await.stdout, shown.stdout);

    let alone = place.undone(&[]).await;
    assert_eq!(alone.code, Some(2));
    assert!(
        alone.stderr.contains("--yes carries it out"),
        "{}",
        alone.stderr
    );
    let elsewhere = place.undone(&["--yes", "--target", "9a9a9a9a-u"]).await;
    assert_eq!(elsewhere.code, Some(2), "{}", elsewhere.stderr);
    let unknown = place
        .workspace
        .command(["undo", "20200101-000000-0000", "--yes"]);
    assert_eq!(end_of(unknown).await.code, Some(2));
    assert_eq!(place.server.effects().len(), writes);
    let runs = end_of(place.workspace.command(["runs"])).await;
    assert!(!runs.stdout.contains("undo"), "{}", runs.stdout);
}

#[tokio::test]
async fn it_is_on_record_and_tells_what_it_left_alone() {
    let place = Place::synced("starter-site", &QUICK).await;
    place
        .edit(|target| {
            let rule = &mut target.redirections[0];
            rule.insert("destinationUrl".to_owned(), json!("~/elsewhere"));
        })
        .await;
    let kept = place.undone(&["--yes"]).await;
    assert_eq!(kept.code, Some(5), "{}{}", kept.stdout, kept.stderr);
    let line = "changed since  redirection:7";
    assert!(kept.stdout.contains(line), "{}", kept.stdout);
    assert_eq!(place.server.target().await.redirections.len(), 1);

    let runs = end_of(place.workspace.command(["runs", "--output", "json"])).await;
    let runs = lines_of_json(&runs.stdout);
    let undo = runs.iter().find(|run| run["command"] == "undo").unwrap();
    let sync = runs.iter().find(|run| run["command"] == "sync").unwrap();
    assert_eq!(undo["options"]["undone"], sync["run"]);
    assert_eq!(undo["exit"], 5);
    assert_eq!(undo["counts"]["deleted"], 158);
    assert_eq!(undo["counts"]["kept"], 1);
    let name = undo["run"].as_str().unwrap();
    let shown = end_of(
        place
            .workspace
            .command(["runs", sync["run"].as_str().unwrap()]),
    )
    .await;
    assert!(
        shown
            .stdout
            .contains(&format!("undone by {name}: 5 conflicts")),
        "{}",
        shown.stdout
    );
    assert!(
        place
            .workspace
            .path()
            .join(".lockgate/runs")
            .join(name)
            .join("report.md")
            .exists()
    );
    let twice = end_of(place.workspace.command(["undo", name, "--yes"])).await;
    assert_eq!(twice.code, Some(2), "{}", twice.stderr);

    let all = place.undone(&["--yes", "--changed-too"]).await;
    assert_eq!(all.code, Some(0), "{}{}", all.stdout, all.stderr);
    assert_eq!(place.remains().await, Vec::<String>::new());
}

#[tokio::test]
async fn on_a_terminal_it_asks() {
    let place = Place::synced("two-locales", &QUICK).await;
    let binary = env!("CARGO_BIN_EXE_lockgate");
    let token = "LOCKGATE_TOKEN=test-token-0123456789";
    let ask = format!("{token} {binary} undo last; echo \"status=$?\"");
    let line = format!("{ask}; echo again; {ask}; exec cat");
    let Some(terminal) = Terminal::open(&place.workspace, &line).await else {
        writeln!(std::io::stderr(), "skipped: there is no tmux here").unwrap();
        return;
    };
    terminal.shows("Undo this run? [y/N]").await;
    terminal.press("Enter").await;
    let declined = terminal.shows("again").await;
    assert!(declined.contains("nothing was undone"), "{declined}");
    assert!(declined.contains("status=0"), "{declined}");
    assert!(!place.remains().await.is_empty());
    terminal
        .until("asked once more", |screen| {
            screen.matches("[y/N]").count() == 2
        })
        .await;
    terminal.press("y").await;
    terminal.press("Enter").await;
    let left = terminal
        .until("at its end", |screen| {
            screen.trim_end().ends_with("status=0")
        })
        .await;
    assert!(left.contains("15 in sync"), "{left}");
    assert_eq!(place.remains().await, Vec::<String>::new());
}
