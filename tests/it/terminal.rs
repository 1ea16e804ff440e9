//! The real binary in a real terminal: the dashboard from the first key to the restored screen.
//!
//! The terminal is tmux, whose screen can be read as text. Where there is none the test says so and proves nothing; in a
//! pipeline (`CI`) that is a failure.

use std::io::Write as _;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::Instant;

use lockgate::mock;

use crate::binary::Workspace;
use crate::secrets::Traces;
use crate::support::{SOURCE, TARGET, fixture, instances, serve_with};
use crate::targets;

/// Longer than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// Between two looks at the screen: it is another process, which tells nobody when it has drawn.
const LOOK: Duration = Duration::from_millis(50);

/// A terminal of 100 by 30 on a server of its own.
pub(crate) struct Terminal {
    socket: String,
}

impl Terminal {
    /// Runs a line of shell in a new terminal; `None` when there is no tmux.
    pub(crate) async fn open(workspace: &Workspace, line: &str) -> Option<Self> {
        let path = workspace.path().join("tmux");
        let socket = path.to_str().unwrap().to_owned();
        let terminal = Self { socket };
        let mut command = terminal.tmux();
        command
            .args([
                "-f",
                "/dev/null",
                "new-session",
                "-d",
                "-x",
                "100",
                "-y",
                "30",
            ])
            .args(["-c", workspace.path().to_str().unwrap(), "sh", "-c", line])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LANG", "C.UTF-8")
            .env("TERM", "xterm-256color");
        let Ok(started) = command.output().await else {
            let is_pipeline = std::env::var_os("CI").is_some();
            assert!(!is_pipeline, "tmux is needed here, and is not installed");
            return None;
        };
        let said = String::from_utf8_lossy(&started.stderr).into_owned();
        assert!(started.status.success(), "{said}");
        Some(terminal)
    }

    fn tmux(&self) -> Command {
        let mut command = Command::new("tmux");
        command.args(["-u", "-S", &self.socket]).env_remove("TMUX");
        command
    }

    pub(crate) async fn press(&self, key: &str) {
        let mut command = self.tmux();
        let pressed = command.args(["send-keys", key]).status().await.unwrap();
        assert!(pressed.success());
    }

    async fn screen(&self) -> String {
        self.capture(&[]).await
    }

    /// The screen with all that has left it at the top.
    async fn printed(&self) -> String {
        self.capture(&["-S", "-"]).await
    }

    async fn capture(&self, part: &[&str]) -> String {
        let mut command = self.tmux();
        command.args(["capture-pane", "-p"]).args(part);
        let screen = command.output().await.unwrap();
        String::from_utf8(screen.stdout).unwrap()
    }

    /// Waits until the screen is as wanted, and returns it.
    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let screen = self.screen().await;
            if wanted(&screen) {
                return screen;
            }
            assert!(start.elapsed() < PATIENCE, "never {what}:\n{screen}");
            tokio::time::sleep(LOOK).await;
        }
    }

    pub(crate) async fn shows(&self, text: &str) -> String {
        self.until(text, |screen| screen.contains(text)).await
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let mut end = std::process::Command::new("tmux");
        // A server that ended by itself has nothing to be ended.
        drop(end.args(["-S", &self.socket, "kill-server"]).output());
    }
}

#[tokio::test]
async fn the_dashboard_answers_keys_and_gives_the_terminal_back() {
    let workspace = Workspace::new();
    let binary = env!("CARGO_BIN_EXE_lockgate");
    // Batches are slow, so that there is time to look also on a busy machine, and small, so that draining is short.
    let line = format!(
        "echo before the run; {binary} demo --batch-size 2 --item-ms 900; echo \"status=$?\"; stty -a; exec cat"
    );
    let Some(terminal) = Terminal::open(&workspace, &line).await else {
        writeln!(std::io::stderr(), "skipped: there is no tmux here").unwrap();
        return;
    };
    let running = terminal.shows("● uploading").await;
    assert!(running.contains("2 batched-content"), "{running}");
    assert!(!running.contains("before the run"), "{running}");

    terminal.press("?").await;
    terminal.shows("this help").await;
    terminal.press("?").await;
    terminal
        .until("without help", |screen| !screen.contains("this help"))
        .await;

    terminal.press("p").await;
    terminal.shows("‖ paused").await;
    terminal.press("p").await;
    terminal
        .until("going on", |screen| screen.contains("● uploading"))
        .await;

    terminal.press("q").await;
    terminal.shows("draining").await;
    let ended = terminal.shows("status=130").await;
    assert!(ended.contains("(exit code 130)"), "{ended}");

    // The screen of before is back, and lines and echo work again.
    let restored = terminal.shows("icanon").await;
    assert!(!restored.contains("-icanon"), "{restored}");
    assert!(!restored.contains(" -echo "), "{restored}");
    terminal.press("echoed").await;
    terminal.shows("echoed").await;
}

/// From the lists to an entity by its name, to what it needs, back, and out.
#[tokio::test]
async fn the_dashboard_is_searched_and_walked_into_and_the_run_is_drained() {
    let workspace = Workspace::new();
    let binary = env!("CARGO_BIN_EXE_lockgate");
    let line = format!("{binary} demo --batch-size 2 --item-ms 900; echo \"status=$?\"; exec cat");
    let Some(terminal) = Terminal::open(&workspace, &line).await else {
        writeln!(std::io::stderr(), "skipped: there is no tmux here").unwrap();
        return;
    };
    terminal.shows("● uploading").await;
    terminal.press("/").await;
    terminal.shows("Esc back").await;
    terminal.press("about").await;
    terminal
        .until("one match", |screen| screen.contains("▸page:"))
        .await;
    terminal.press("Enter").await;
    let opened = terminal.shows("plan of run").await;
    assert!(opened.contains("Entity page:"), "{opened}");
    assert!(opened.contains("needs"), "{opened}");
    // Down to the first entity that it needs, and into it. The clock above goes on meanwhile.
    let selected = |screen: &str| -> String {
        let mut lines = screen.lines().filter(|line| line.starts_with('▸'));
        lines.next().unwrap_or_default().to_owned()
    };
    let mut row = selected(&opened);
    while !row.contains("needs") {
        terminal.press("Down").await;
        let next = terminal
            .until("another row", |screen| selected(screen) != row)
            .await;
        row = selected(&next);
    }
    terminal.press("Enter").await;
    terminal
        .until("what it needs", |screen| {
            screen.contains("needed by") && !screen.contains("Entity page:")
        })
        .await;
    terminal.press("Escape").await;
    terminal.shows("Entity page:").await;
    terminal.press("Escape").await;
    terminal.shows("2 batched-content").await;
    terminal.press("q").await;
    terminal.shows("status=130").await;
}

/// What a run was is seen in its replay as well: from the folder, where the state knows nothing of it.
#[tokio::test]
async fn a_replay_is_searched_and_walked_into() {
    let workspace = Workspace::new();
    let binary = env!("CARGO_BIN_EXE_lockgate");
    let line = format!(
        "{binary} demo --quiet; {binary} runs replay last --speed 0.1; echo \"status=$?\"; exec cat"
    );
    let Some(terminal) = Terminal::open(&workspace, &line).await else {
        writeln!(std::io::stderr(), "skipped: there is no tmux here").unwrap();
        return;
    };
    terminal.shows("REPLAY 0.1x").await;
    terminal.press("/").await;
    terminal.press("/about").await;
    terminal
        .until("the best match", |screen| screen.contains("▸page:"))
        .await;
    terminal.press("Enter").await;
    let opened = terminal.shows("plan of run").await;
    assert!(opened.contains("Entity page:"), "{opened}");
    assert!(opened.contains("created"), "{opened}");
    terminal.press("q").await;
    terminal.shows("status=0").await;
}

/// `TERM=dumb` opened the dashboard all the same.
#[tokio::test]
async fn a_terminal_that_can_only_append_gets_lines() {
    let workspace = Workspace::new();
    let binary = env!("CARGO_BIN_EXE_lockgate");
    let line = format!("TERM=dumb {binary} demo; echo \"status=$?\"; exec cat");
    let Some(terminal) = Terminal::open(&workspace, &line).await else {
        writeln!(std::io::stderr(), "skipped: there is no tmux here").unwrap();
        return;
    };
    terminal.shows("status=0").await;
    let printed = terminal.printed().await;
    assert!(printed.contains("batched-content done"), "{printed}");
}

/// A dashboard that breaks gives the terminal back before the panic is printed.
#[tokio::test]
async fn a_panic_gives_the_terminal_back() {
    let workspace = Workspace::new();
    let binary = env!("CARGO_BIN_EXE_lockgate");
    let line = format!(
        "echo before the run; PANIC_WHILE_UPLOADING=1 {binary} demo; echo \"status=$?\"; stty -a; exec cat"
    );
    let Some(terminal) = Terminal::open(&workspace, &line).await else {
        writeln!(std::io::stderr(), "skipped: there is no tmux here").unwrap();
        return;
    };
    let ended = terminal.shows("status=70").await;
    assert!(
        ended.contains("the environment asks for this panic"),
        "{ended}"
    );
    let restored = terminal.shows("icanon").await;
    assert!(!restored.contains("-icanon"), "{restored}");
    assert!(!restored.contains(" -echo "), "{restored}");
}

/// The run waits for a token when the present one expires, takes a new one without showing it, and goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_expires_is_asked_for_and_the_run_goes_on() {
    let fault = format!("status=401,method=POST,path={TARGET},from=9");
    let server = serve_with(mock::Options {
        state: instances(&fixture("starter-site")),
        faults: vec![fault.parse().unwrap()],
        ..mock::Options::default()
    })
    .await;
    let workspace = Workspace::new();
    let (binary, url) = (env!("CARGO_BIN_EXE_lockgate"), server.base_url());
    let line = format!(
        "LOCKGATE_TOKEN=test-token-0123456789 {binary} sync --source {SOURCE} --target {TARGET} --source-url {url} \
         --target-url {url}; echo \"status=$?\"; exec cat"
    );
    let Some(terminal) = Terminal::open(&workspace, &line).await else {
        writeln!(std::io::stderr(), "skipped: there is no tmux here").unwrap();
        return;
    };
    terminal.shows("Paste a new token").await;
    server.strike_with(&[]);
    terminal.press("another-token-9876543210").await;
    let typed = terminal.shows("***").await;
    assert!(!typed.contains("another-token"), "{typed}");
    terminal.press("Enter").await;
    terminal.shows("status=0").await;
    let mut traces = Traces::new("a new token");
    traces.of_folder(&workspace.path().join(".lockgate"));
    traces.assert_without("another-token-9876543210");
    server.stop().await;
}

/// Each target took the terminal for itself, and what was seen changed between them with every drawing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_targets_share_the_screen_and_each_can_be_opened() {
    let guids = [targets::QA, targets::PROD];
    let server = serve_with(mock::Options {
        state: targets::with_empty("starter-site", &guids),
        batches: mock::BatchWork {
            item_time: Duration::from_millis(900),
            ..mock::BatchWork::default()
        },
        ..mock::Options::default()
    })
    .await;
    let tables = [("qa", targets::QA), ("prod", targets::PROD)];
    let workspace = targets::workspace(&server.base_url(), &tables);
    let binary = env!("CARGO_BIN_EXE_lockgate");
    let line = format!(
        "echo before the run; LOCKGATE_TOKEN=test-token-0123456789 {binary} sync --target qa --target prod \
         --batch-size 2; echo \"status=$?\"; stty -a; exec cat"
    );
    let Some(terminal) = Terminal::open(&workspace, &line).await else {
        writeln!(std::io::stderr(), "skipped: there is no tmux here").unwrap();
        return;
    };
    let all = terminal.shows("2 uploading").await;
    for part in ["2 targets", "▸qa", " prod", "2 batched-content"] {
        assert!(all.contains(part), "{part}: {all}");
    }
    assert!(!all.contains("before the run"), "{all}");
    terminal.press("Down").await;
    terminal.shows("▸prod").await;
    terminal.press("Enter").await;
    let one = terminal.shows("all targets").await;
    assert!(one.contains("lockgate  prod"), "{one}");
    terminal.press("Escape").await;
    terminal.shows("2 targets").await;
    // What ends one of them leaves the other.
    terminal.press("Enter").await;
    terminal.shows("lockgate  prod").await;
    terminal.press("q").await;
    terminal.shows("ended, exit code 130").await;
    terminal.press("Escape").await;
    let rest = terminal.shows("2 targets").await;
    assert!(rest.contains("1 uploading"), "{rest}");
    terminal.press("C-c").await;
    terminal.shows("status=130").await;
    let restored = terminal.shows("icanon").await;
    assert!(!restored.contains("-icanon"), "{restored}");
    let printed = terminal.printed().await;
    for line in ["before the run", "qa   | ", "prod | "] {
        assert!(printed.contains(line), "{line}: {printed}");
    }
    server.stop().await;
}
