//! Logins with the real program and the real mock server: the way through a browser, renewals while a run is under way,
//! several processes on one login, and what a kill leaves.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use lockgate::mock::{self, Server};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::binary::{Ended, Workspace, end_of};
use crate::secrets::Traces;
use crate::support::{SOURCE, TARGET, fixture, http_builder, instances, serve_with};
use crate::terminal::Terminal;

/// A workspace with a folder for the user's own files, and no token.
pub(crate) struct User {
    pub(crate) workspace: Workspace,
    /// The address of a session bus, where the user has one.
    pub(crate) bus: Option<String>,
}

impl User {
    pub(crate) fn new() -> Self {
        Self {
            workspace: Workspace::new(),
            bus: None,
        }
    }

    fn own(&self) -> PathBuf {
        self.workspace.path().join("home/lockgate")
    }

    pub(crate) fn list(&self) -> PathBuf {
        self.own().join("logins.json")
    }

    fn in_the_environment(&self, mut command: Command) -> Command {
        command
            .env_remove("LOCKGATE_TOKEN")
            .env("XDG_CONFIG_HOME", self.workspace.path().join("home"));
        if let Some(bus) = &self.bus {
            command.env("DBUS_SESSION_BUS_ADDRESS", bus);
        }
        command
    }

    pub(crate) fn between(&self, command: &str, server: &Server, args: &[&str]) -> Command {
        let command = self.workspace.between(command, &server.base_url(), args);
        self.in_the_environment(command)
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.in_the_environment(self.workspace.command(args))
    }

    /// Signs in as a user does whose browser is here.
    pub(crate) async fn signs_in(&self, server: &Server, args: &[&str]) -> Ended {
        let mut login = self.between("login", server, args);
        login.env("BROWSER", "true");
        let (child, url) = begun(login).await;
        visit(&url).await;
        end(child).await
    }

    /// The tokens in the list.
    fn tokens(&self) -> Vec<String> {
        let list: Value = serde_json::from_slice(&std::fs::read(self.list()).unwrap()).unwrap();
        let rows = list["logins"].as_object().unwrap().values();
        let tokens = rows.flat_map(|row| {
            ["access_token", "refresh_token"]
                .map(|name| row["tokens"][name].as_str().unwrap().to_owned())
        });
        tokens.collect()
    }

    /// Rewrites every login of the list.
    fn rewrite(&self, change: impl Fn(&mut Value)) {
        let mut list: Value = serde_json::from_slice(&std::fs::read(self.list()).unwrap()).unwrap();
        for row in list["logins"].as_object_mut().unwrap().values_mut() {
            change(&mut row["tokens"]);
        }
        std::fs::write(self.list(), serde_json::to_vec(&list).unwrap()).unwrap();
    }

    /// Lets the access token count as expired here, whatever the server says.
    fn expire(&self) {
        self.rewrite(|tokens| tokens["expires_at"] = "2020-01-01T00:00:00Z".into());
    }
}

pub(crate) async fn server(lifetime: Duration, faults: &[&str]) -> Server {
    serve_with(mock::Options {
        state: instances(&fixture("two-locales")),
        token_lifetime: lifetime,
        faults: faults.iter().map(|text| text.parse().unwrap()).collect(),
        // Without a login nothing gets in.
        tokens: vec!["nothing-else-is-accepted".to_owned()],
        ..mock::Options::default()
    })
    .await
}

const HOUR: Duration = Duration::from_hours(1);

/// Starts a sign-in, and waits for the address that it prints.
async fn begun(mut command: Command) -> (Child, String) {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let url = lines.next_line().await.unwrap();
    assert!(url.is_some(), "no address: {}", end(child).await.stderr);
    (child, url.unwrap())
}

async fn end(mut child: Child) -> Ended {
    let mut stderr = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .await
        .unwrap();
    Ended {
        code: child.wait().await.unwrap().code(),
        stdout: String::new(),
        stderr,
    }
}

/// What a browser does with an address: it follows it to the end.
async fn visit(url: &str) -> String {
    let client = http_builder().no_proxy().build().unwrap();
    client.get(url).send().await.unwrap().text().await.unwrap()
}

/// How often something was asked.
pub(crate) fn asked(server: &Server, route: &str, status: u16) -> usize {
    let requests = server.requests();
    let is_it = |path: &str| path.eq_ignore_ascii_case(&format!("/oauth/{route}"));
    requests
        .iter()
        .filter(|one| is_it(&one.path) && one.status == status)
        .count()
}

#[tokio::test]
async fn a_sign_in_with_the_browser_is_enough_for_a_run() {
    let (server, user) = (server(HOUR, &[]).await, User::new());
    let without = end_of(user.between("sync", &server, &[])).await;
    assert_eq!(without.code, Some(2), "{}", without.stderr);
    assert!(
        without.stderr.contains("or sign in with `lockgate login`"),
        "{}",
        without.stderr
    );

    let ended = user.signs_in(&server, &[]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("as mock@example.test; kept in "),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("is valid for 59 min"),
        "{}",
        ended.stderr
    );
    assert!(
        ended
            .stderr
            .contains("the keyring of the system cannot be used: "),
        "{}",
        ended.stderr
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&user.own()), mode(&user.list())), (0o700, 0o600));
    }
    let tokens = user.tokens();
    assert_eq!(tokens.len(), 2, "one login for both instances of the host");

    let ran = end_of(user.between("sync", &server, &["--yes"])).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let doctor = end_of(user.between("doctor", &server, &[])).await;
    assert!(
        doctor
            .stdout
            .contains("in a private file); its access token is valid for"),
        "{}",
        doctor.stdout
    );
    let shown = end_of(user.command(&["login", "--show", "--json"])).await;
    let row: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(
        (row["kept"].as_str(), row["renews"].as_bool()),
        (Some("file"), Some(true))
    );

    let mut traces = Traces::new("a sign-in, a run, a check and a list");
    for ended in [&without, &ended, &ran, &doctor, &shown] {
        traces.of_call(ended);
    }
    traces.of_folder(&user.workspace.path().join(".lockgate"));
    traces.of_server(&server);
    for token in &tokens {
        traces.assert_without(token);
    }

    let out = end_of(user.between("logout", &server, &[])).await;
    assert_eq!(out.code, Some(0), "{}", out.stderr);
    let list = std::fs::read_to_string(user.list()).unwrap();
    assert!(tokens.iter().all(|token| !list.contains(token)), "{list}");
    assert_eq!(
        end_of(user.between("sync", &server, &[])).await.code,
        Some(2)
    );
}

#[tokio::test]
async fn without_a_browser_here_the_address_can_be_opened_anywhere() {
    let (server, user) = (server(HOUR, &[]).await, User::new());
    // No BROWSER and no DISPLAY: the same as --no-browser.
    let (child, url) = begun(user.between("login", &server, &["--keep", "file"])).await;
    assert!(url.contains("CliAuth"), "{url}");
    assert_eq!(visit(&url).await, "\"Signed in.\"");
    let ended = end(child).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("no display"), "{}", ended.stderr);
    assert_eq!(user.tokens().len(), 2);
}

#[tokio::test]
async fn what_ends_a_sign_in_is_said_and_keeps_nothing() {
    let denying = serve_with(mock::Options {
        state: instances(&fixture("two-locales")),
        denies_sign_in: true,
        ..mock::Options::default()
    })
    .await;
    let user = User::new();
    let denied = user.signs_in(&denying, &[]).await;
    assert_eq!(denied.code, Some(3));
    assert!(
        denied.stderr.contains("was denied: \"access_denied\""),
        "{}",
        denied.stderr
    );
    assert!(denied.stderr.contains("LG-1018"), "{}", denied.stderr);

    let server = server(HOUR, &[]).await;
    let mut late = user.between("login", &server, &["--wait", "1"]);
    late.env("BROWSER", "true");
    let late = end_of(late).await;
    assert_eq!(late.code, Some(3));
    assert!(
        late.stderr.contains("within 1 s") && late.stderr.contains("--no-browser"),
        "{}",
        late.stderr
    );

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let busy = end_of(user.between("login", &server, &["--port", &port])).await;
    assert_eq!(busy.code, Some(2));
    assert!(
        busy.stderr.contains(&format!("on port {port}")),
        "{}",
        busy.stderr
    );

    let nowhere = end_of(user.command(&["login"])).await;
    assert_eq!(nowhere.code, Some(2));
    assert!(
        nowhere.stderr.contains("no instance is named"),
        "{}",
        nowhere.stderr
    );
    assert!(!user.list().exists());
}

/// The browser is not sent to a host that only the working folder names, nor are tokens.
#[tokio::test]
async fn a_host_of_the_working_folder_gets_no_sign_in() {
    let user = User::new();
    let file = format!("[target]\nguid = \"{TARGET}\"\nurl = \"https://elsewhere.test\"\n");
    std::fs::write(user.workspace.path().join("lockgate.toml"), file).unwrap();
    for args in [["login", "--no-browser"], ["logout", "--quiet"]] {
        let refused = end_of(user.command(&args)).await;
        assert_eq!(refused.code, Some(2), "{args:?}");
        assert!(refused.stderr.contains("LG-1015"), "{}", refused.stderr);
    }
}

#[tokio::test]
async fn a_token_that_expires_while_a_run_is_under_way_is_renewed() {
    // Each request takes a while, so that the run takes several lifetimes.
    let server = serve_with(mock::Options {
        state: instances(&fixture("two-locales")),
        token_lifetime: Duration::from_secs(2),
        latency: Duration::from_millis(50),
        tokens: vec!["nothing-else-is-accepted".to_owned()],
        ..mock::Options::default()
    })
    .await;
    let user = User::new();
    assert_eq!(user.signs_in(&server, &[]).await.code, Some(0));
    let first = user.tokens();
    let ran = end_of(user.between("sync", &server, &["--yes", "--rate", "10"])).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(
        asked(&server, "refresh", 200) >= 2,
        "{}",
        asked(&server, "refresh", 200)
    );
    assert_eq!(
        asked(&server, "refresh", 400),
        0,
        "no refresh token was used twice"
    );
    let last = user.tokens();
    assert!(first.iter().all(|token| !last.contains(token)));
    let mut traces = Traces::new("a run with renewals");
    traces.of_call(&ran);
    traces.of_folder(&user.workspace.path().join(".lockgate"));
    traces.of_server(&server);
    for token in first.iter().chain(&last) {
        traces.assert_without(token);
    }
}

/// The server ends a token before its time: the refusal itself brings the next one, for every request that met it.
#[tokio::test]
async fn a_token_that_is_refused_before_its_time_is_renewed() {
    let (server, user) = (server(HOUR, &[]).await, User::new());
    assert_eq!(user.signs_in(&server, &[]).await.code, Some(0));
    user.rewrite(|tokens| {
        tokens["access_token"] = "mock-access-of-before-the-restart".into();
        tokens["obtained_at"] = "2020-01-01T00:00:00Z".into();
    });
    let ran = end_of(user.between("sync", &server, &["--yes"])).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(asked(&server, "refresh", 200), 1);
    assert_eq!(asked(&server, "refresh", 400), 0);
}

#[tokio::test]
async fn processes_that_renew_at_the_same_time_use_each_refresh_token_once() {
    let (server, user) = (
        server(HOUR, &["slow-body=500,path=oauth/refresh"]).await,
        User::new(),
    );
    assert_eq!(user.signs_in(&server, &[]).await.code, Some(0));
    user.expire();
    let check = || end_of(user.between("doctor", &server, &[]));
    let all = tokio::join!(check(), check(), check());
    for ended in [&all.0, &all.1, &all.2] {
        let access = ended.stdout.lines().filter(|line| line.contains("(owner)"));
        assert_eq!(access.count(), 2, "{}", ended.stdout);
    }
    assert_eq!(
        asked(&server, "refresh", 200),
        1,
        "the others found what the first one got"
    );
    assert_eq!(asked(&server, "refresh", 400), 0);
}

#[tokio::test]
async fn a_kill_between_a_renewal_and_its_store_asks_for_a_new_sign_in() {
    let (server, user) = (
        server(HOUR, &["slow-body=60000,path=oauth/refresh,nth=1"]).await,
        User::new(),
    );
    assert_eq!(user.signs_in(&server, &[]).await.code, Some(0));
    user.expire();
    let before = std::fs::read(user.list()).unwrap();
    let mut killed = user.between("sync", &server, &["--yes"]);
    let mut child = killed
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while asked(&server, "refresh", 200) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    child.kill().await.unwrap();
    assert_eq!(
        std::fs::read(user.list()).unwrap(),
        before,
        "whole, as before"
    );
    // The server ended the old access token as well.
    user.rewrite(|tokens| tokens["access_token"] = "mock-access-that-has-expired".into());
    let after = end_of(user.between("sync", &server, &["--yes"])).await;
    assert_eq!(after.code, Some(3), "{}", after.stderr);
    assert!(
        after.stderr.contains("has ended") && after.stderr.contains("lockgate login"),
        "{}",
        after.stderr
    );
    assert!(after.stderr.contains("LG-2016"), "{}", after.stderr);
    assert_eq!(user.signs_in(&server, &[]).await.code, Some(0));
    let ran = end_of(user.between("sync", &server, &["--yes"])).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[tokio::test]
async fn a_side_has_an_account_of_its_own() {
    let (server, user) = (server(HOUR, &[]).await, User::new());
    for side in ["source", "target"] {
        let ended = user.signs_in(&server, &["--only", side]).await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
    let shown = end_of(user.command(&["login", "--show"])).await;
    for guid in [SOURCE, TARGET] {
        assert!(
            shown
                .stdout
                .contains(&format!("{} {guid}", server.base_url())),
            "{}",
            shown.stdout
        );
    }
    assert_eq!(user.tokens().len(), 4);
    let ran = end_of(user.between("sync", &server, &["--yes"])).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

/// A command that prints tokens one after another, as a vault with short leases does.
#[cfg(unix)]
#[tokio::test]
async fn a_command_is_run_again_when_its_token_is_refused() {
    let server = serve_with(mock::Options {
        state: instances(&fixture("two-locales")),
        tokens: vec!["second-token-0123456789".to_owned()],
        ..mock::Options::default()
    })
    .await;
    let workspace = Workspace::new();
    let script = "if [ -e used ]; then echo second-token-0123456789; else touch used; echo first-token-0123456789; fi";
    let command = |script: &str| {
        let mut command = workspace.sync(&server, &["--yes"]);
        command
            .env_remove("LOCKGATE_TOKEN")
            .env("LOCKGATE_TOKEN_COMMAND", script);
        command
    };
    let ran = end_of(command(script)).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let same = end_of(command("echo first-token-0123456789")).await;
    assert_eq!(same.code, Some(3), "{}", same.stderr);
    assert!(
        same.stderr.contains("it gives the refused token again"),
        "{}",
        same.stderr
    );
    let mut traces = Traces::new("a command for the token");
    traces.of_call(&ran);
    traces.of_call(&same);
    traces.of_folder(&workspace.path().join(".lockgate"));
    traces.of_server(&server);
    traces.assert_without("first-token-0123456789");
    traces.assert_without("second-token-0123456789");
}

/// The first answer is no, and the command is printed; the second one leads through the sign-in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_without_a_token_is_followed_by_the_sign_in() {
    let (user, server) = (User::new(), server(HOUR, &[]).await);
    let (url, home) = (server.base_url(), user.workspace.path().join("home"));
    let (binary, home) = (env!("CARGO_BIN_EXE_lockgate"), home.display());
    let ends = format!("--source {SOURCE} --target {TARGET} --locale en-us");
    let line = format!(
        "export XDG_CONFIG_HOME={home} LOCKGATE_SOURCE_URL={url} LOCKGATE_TARGET_URL={url}; \
         for file in no.toml yes.toml; do \
         {binary} init {ends} --token-from environment --file $file > $file.address; \
         echo \"$file ended with $?\"; done; exec cat"
    );
    let Some(terminal) = Terminal::open(&user.workspace, &line).await else {
        writeln!(std::io::stderr(), "skipped: there is no tmux here").unwrap();
        return;
    };
    let asks = |times: usize| move |screen: &str| screen.matches("Sign in with").count() == times;
    terminal.until("the question", asks(1)).await;
    terminal.press("n").await;
    terminal.press("Enter").await;
    let refused = terminal.shows("no.toml ended with 0").await;
    assert!(
        refused.contains("lockgate login --config no.toml"),
        "{refused}"
    );
    assert!(!user.list().exists());
    terminal.until("the second question", asks(2)).await;
    terminal.press("Enter").await;
    terminal.shows("this machine has no display").await;
    let printed = user.workspace.path().join("yes.toml.address");
    let address = loop {
        let text = std::fs::read_to_string(&printed).unwrap_or_default();
        if let Some((address, _)) = text.split_once('\n') {
            break address.to_owned();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    visit(&address).await;
    let done = terminal.shows("yes.toml ended with 0").await;
    assert!(done.contains("next: lockgate doctor"), "{done}");
    assert!(user.list().exists());
    server.stop().await;
}
