//! Folders that name a host for the token: nothing is sent there unless the user named it, too.
//!
//! `0.0.0.0` stands for a foreign host: it is not a loopback address, and still leads to the mock server, so that the
//! mock would log a request that should not have been sent.

use lockgate::mock::Server;

use crate::binary::{Ended, TOKEN, Workspace, end_of};
use crate::support::{SOURCE, TARGET, fixture, instances, serve};

/// Every command that sends a token, besides `retry` and `undo`, which need a run.
const COMMANDS: [&[&str]; 5] = [
    &["sync"],
    &["sync", "--dry-run"],
    &["plan"],
    &["verify"],
    &["graph"],
];

const ENDS: [&str; 4] = ["--source", SOURCE, "--target", TARGET];

struct Bed {
    server: Server,
    workspace: Workspace,
}

impl Bed {
    async fn new() -> Self {
        Self {
            server: serve(instances(&fixture("two-locales"))).await,
            workspace: Workspace::new(),
        }
    }

    /// The server under an address that is not this machine's own.
    fn foreign(&self) -> String {
        self.server.base_url().replace("127.0.0.1", "0.0.0.0")
    }

    fn host(&self) -> String {
        self.foreign().replace("http://", "")
    }

    fn file(&self, name: &str, text: &str) {
        let path = self.workspace.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    async fn run(&self, words: &[&str], variables: &[(&str, &str)]) -> Ended {
        let mut command = self.workspace.command(words);
        command.envs(variables.iter().copied());
        end_of(command).await
    }

    /// Runs a command, which has to refuse and to send nothing.
    async fn refuses(&self, words: &[&str], variables: &[(&str, &str)], told: &[&str]) {
        let before = self.server.requests().len();
        let ended = self.run(words, variables).await;
        let case = format!("{words:?} {variables:?}: {}", ended.stderr);
        assert_eq!(ended.code, Some(2), "{case}");
        assert_eq!(self.server.requests().len(), before, "{case}");
        for text in told {
            assert!(ended.stderr.contains(text), "{text:?} in {case}");
        }
        assert!(ended.stderr.contains("LG-1015"), "{case}");
        assert!(!ended.stderr.contains(TOKEN), "{case}");
    }

    async fn agrees(&self, words: &[&str], variables: &[(&str, &str)]) {
        let before = self.server.requests().len();
        let ended = self.run(words, variables).await;
        assert_eq!(
            ended.code,
            Some(0),
            "{words:?} {variables:?}: {}",
            ended.stderr
        );
        assert!(self.server.requests().len() > before, "{words:?}");
    }
}

/// Both instances at one URL, which stands in line 2 and 4.
fn names(url: &str) -> String {
    format!("[source]\nurl = \"{url}\"\n[target]\nurl = \"{url}\"\n")
}

fn words<'a>(command: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [command, &ENDS, more].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_of_the_folder_gets_no_token_from_any_command() {
    let bed = Bed::new().await;
    bed.file("lockgate.toml", &names(&bed.foreign()));
    let host = bed.host();
    let way = format!("--allow-host {host}");
    for command in COMMANDS {
        let told = [host.as_str(), "lockgate.toml, line 2", &way];
        bed.refuses(&words(command, &["--allow-http"]), &[], &told)
            .await;
        // The other side is named by the folder as well.
        let source = words(command, &["--allow-http", "--source-url", &bed.foreign()]).join(" ");
        let source: Vec<&str> = source.split(' ').collect();
        bed.refuses(&source, &[], &[&host, "lockgate.toml, line 4", &way])
            .await;
    }
    bed.refuses(
        &["config", "--allow-http"],
        &[],
        &[&host, "lockgate.toml, line 2"],
    )
    .await;
    bed.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_the_user_names_gets_the_token() {
    let bed = Bed::new().await;
    let (foreign, host) = (bed.foreign(), bed.host());
    let urls = ["--source-url", &foreign, "--target-url", &foreign];
    bed.agrees(
        &words(&["plan"], &[&urls[..], &["--allow-http"]].concat()),
        &[],
    )
    .await;
    let variables = [
        ("LOCKGATE_SOURCE_URL", foreign.as_str()),
        ("LOCKGATE_TARGET_URL", foreign.as_str()),
    ];
    let http = ("LOCKGATE_ALLOW_HTTP", "true");
    bed.agrees(&words(&["plan"], &[]), &[variables[0], variables[1], http])
        .await;

    bed.file("lockgate.toml", &names(&foreign));
    bed.agrees(
        &words(&["plan"], &["--allow-http", "--allow-host", &host]),
        &[],
    )
    .await;
    bed.agrees(
        &words(
            &["plan"],
            &["--allow-http", "--allow-host", "x.test,0.0.0.0"],
        ),
        &[],
    )
    .await;
    bed.agrees(
        &words(&["plan"], &[]),
        &[("LOCKGATE_ALLOW_HOSTS", host.as_str()), http],
    )
    .await;
    bed.refuses(
        &words(&["plan"], &["--allow-host", "0.0.0.0:1,0.0.0,x0.0.0.0"]),
        &[http],
        &[&host],
    )
    .await;

    // The user's own configuration is another folder.
    let own = Workspace::new();
    let path = own.path().join("lockgate");
    std::fs::create_dir_all(&path).unwrap();
    let text = format!("[hosts]\nallow = [\"{host}\"]\nallow_http = true\n");
    std::fs::write(path.join("lockgate.toml"), text).unwrap();
    let home = ("XDG_CONFIG_HOME", own.path().to_str().unwrap());
    bed.agrees(&words(&["plan"], &[]), &[home]).await;
    bed.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_cannot_allow_itself() {
    let bed = Bed::new().await;
    let (foreign, host) = (bed.foreign(), bed.host());
    let allow = format!("[hosts]\nallow = [\"{host}\"]\n{}", names(&foreign));
    bed.file("lockgate.toml", &allow);
    bed.refuses(
        &words(&["sync"], &["--allow-http"]),
        &[],
        &["hosts.allow", "lockgate.toml, line 2"],
    )
    .await;
    bed.file(
        "lockgate.toml",
        &format!("hosts.allow_http = true\n{}", names(&foreign)),
    );
    bed.refuses(
        &words(&["sync"], &["--allow-host", &host]),
        &[],
        &["hosts.allow_http", "lockgate.toml, line 1"],
    )
    .await;

    // Another file of the folder, a file that looks like a flag, and one below a folder named like the user's.
    std::fs::remove_file(bed.workspace.path().join("lockgate.toml")).unwrap();
    for name in [
        "other.toml",
        "flag --source-url",
        ".config/lockgate/lockgate.toml",
    ] {
        bed.file(name, &names(&foreign));
        bed.refuses(
            &words(&["sync"], &["--allow-http", "--config", name]),
            &[],
            &[&host, name],
        )
        .await;
    }
    let relative = ("XDG_CONFIG_HOME", ".config");
    bed.refuses(
        &words(&["sync"], &["--allow-http", "--config", "other.toml"]),
        &[relative],
        &[&host],
    )
    .await;

    // Of an .env file only the names of the vendor's tool count, and none of them names a host.
    let variables = format!(
        "AGILITY_TOKEN=x\nLOCKGATE_ALLOW_HOSTS={host}\nLOCKGATE_ALLOW_HTTP=true\nLOCKGATE_SOURCE_URL={foreign}\n"
    );
    bed.file(".env", &variables);
    bed.refuses(
        &words(&["sync"], &["--config", "other.toml"]),
        &[],
        &[&host],
    )
    .await;
    bed.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_only_the_state_remembers_gets_no_token() {
    let bed = Bed::new().await;
    // One entity fails, so that there is something to retry.
    let fault = serve_failing().await;
    let failing = fault.base_url().replace("127.0.0.1", "0.0.0.0");
    let urls_of_failing = [
        "--source-url",
        &failing,
        "--target-url",
        &failing,
        "--allow-http",
    ];
    let ended = bed.run(&words(&["sync"], &urls_of_failing), &[]).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let before = fault.requests().len();
    for command in [
        &["retry"] as &[&str],
        &["undo", "last", "--yes"],
        &["undo", "last", "--dry-run"],
    ] {
        bed.refuses(
            &[command, &["--allow-http"]].concat(),
            &[],
            &["0.0.0.0", "run 2"],
        )
        .await;
        assert_eq!(fault.requests().len(), before, "{command:?}");
    }
    fault.stop().await;
    bed.server.stop().await;
}

async fn serve_failing() -> Server {
    crate::support::serve_with(lockgate::mock::Options {
        state: instances(&fixture("two-locales")),
        faults: vec!["fail-item=1".parse().unwrap()],
        ..lockgate::mock::Options::default()
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_needs_a_permission_unless_it_stays_on_this_machine() {
    let bed = Bed::new().await;
    let base = bed.server.base_url();
    let port = base.rsplit(':').next().unwrap();
    for host in [
        "0.0.0.0",
        "[::]",
        "[::ffff:127.0.0.1]",
        "0",
        "[::ffff:7f00:1]",
        "198.51.100.7",
        "host.test",
        "mgmt.aglty.io",
    ] {
        let url = format!("http://{host}:{port}");
        for command in COMMANDS {
            let named = words(command, &["--source-url", &url, "--target-url", &base]).join(" ");
            let named: Vec<&str> = named.split(' ').collect();
            bed.refuses(&named, &[], &["--allow-http", "unencrypted"])
                .await;
        }
    }
    for host in ["127.0.0.1", "localhost", "127.1"] {
        let url = format!("http://{host}:{port}");
        bed.agrees(
            &words(&["plan"], &["--source-url", &url, "--target-url", &base]),
            &[],
        )
        .await;
    }
    for url in [
        "https://127.0.0.1.evil.test",
        "https://aglty.io.evil.test",
        "https://evilaglty.io",
    ] {
        bed.file("lockgate.toml", &names(url));
        bed.refuses(
            &words(&["plan"], &[]),
            &[],
            &[url.trim_start_matches("https://")],
        )
        .await;
    }
    bed.server.stop().await;
}
