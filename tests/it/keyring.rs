//! Logins in a real Secret Service, which `tests/keyring.sh` starts. Where its programs are not installed the test says so and proves
//! nothing.

use std::io::Write as _;
use std::process::Child;
use std::time::Duration;

use serde_json::Value;

use crate::binary::end_of;
use crate::login::{User, asked, server};
use crate::script;
use crate::secrets::Traces;

/// The exit code of the script where its programs are missing.
const NOT_INSTALLED: i32 = 3;

/// An unlocked keyring behind a session bus of its own. It ends with its standard input, and so with the test.
struct Keyring {
    bus: String,
    runs: Child,
}

impl Keyring {
    fn start() -> Option<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keyring.sh");
        let (bus, mut runs) = script::start(script)?;
        if bus.is_empty() {
            let ended = runs.wait().ok()?;
            assert_eq!(
                ended.code(),
                Some(NOT_INSTALLED),
                "a keyring cannot be started"
            );
            let mut screen = std::io::stderr();
            writeln!(screen, "skipped: gnome-keyring is not installed").unwrap();
            return None;
        }
        Some(Self { bus, runs })
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        drop(self.runs.stdin.take());
        self.runs.wait().unwrap();
    }
}

/// Everything that a keyring is used for: a sign-in stores the tokens in it, runs read and renew them, a sign-out removes them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_is_kept_in_the_keyring_read_renewed_and_removed() {
    let Some(keyring) = Keyring::start() else {
        return;
    };
    let server = server(Duration::from_secs(1), &[]).await;
    let mut user = User::new();
    user.bus = Some(keyring.bus.clone());
    let login = user.signs_in(&server, &[]).await;
    assert_eq!(login.code, Some(0), "{}", login.stderr);
    assert!(
        login.stderr.contains("kept in the keyring of the system"),
        "{}",
        login.stderr
    );
    let list = std::fs::read_to_string(user.list()).unwrap();
    assert!(!list.contains("_token"), "{list}");
    let shown = end_of(user.command(&["login", "--show", "--json"])).await;
    let row: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(row["kept"], "keyring");

    // Each run takes several lifetimes of a token. The second one has the refresh token that the first one got: each is for one use.
    let mut traces = Traces::new("a sign-in, runs and a check with a keyring");
    for round in 1..=2 {
        let renewed = asked(&server, "refresh", 200);
        let ran = end_of(user.between("sync", &server, &["--yes", "--rate", "10"])).await;
        assert_eq!(ran.code, Some(0), "round {round}: {}", ran.stderr);
        assert!(asked(&server, "refresh", 200) > renewed, "round {round}");
        traces.of_call(&ran);
    }
    assert_eq!(asked(&server, "refresh", 400), 0);
    let doctor = end_of(user.between("doctor", &server, &[])).await;
    assert!(
        doctor.stdout.contains("(in the keyring); its access token"),
        "{}",
        doctor.stdout
    );

    let list = std::fs::read(user.list()).unwrap();
    let out = end_of(user.between("logout", &server, &[])).await;
    assert_eq!(out.code, Some(0), "{}", out.stderr);
    let without = end_of(user.between("sync", &server, &["--yes"])).await;
    assert_eq!(without.code, Some(2), "{}", without.stderr);
    // With the list alone, nothing is signed in: the keyring has let the tokens go.
    std::fs::write(user.list(), &list).unwrap();
    let gone = end_of(user.between("sync", &server, &["--yes"])).await;
    assert_ne!(gone.code, Some(0), "{}", gone.stderr);

    for ended in [&login, &shown, &doctor, &out, &without, &gone] {
        traces.of_call(ended);
    }
    traces.of_folder(&user.workspace.path().join(".lockgate"));
    traces.of_folder(&user.workspace.path().join("home"));
    traces.of_server(&server);
    traces.assert_without("mock-access-");
    traces.assert_without("mock-refresh-");
}
