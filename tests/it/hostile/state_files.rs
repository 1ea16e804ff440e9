//! What stands in place of the state and of other files: databases of other programs, links of other users, pipes and devices,
//! folders that take no writes or everybody's, and rows with flipped bits.
#![cfg(unix)]

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use lockgate::mock::Server;
use tempfile::TempDir;
use tokio::process::Command;

use crate::binary::{Ended, Workspace, end_of};
use crate::support::{SOURCE, TARGET, fixture, instances, serve};

/// Another user than the one that runs the tests.
const STRANGER: u32 = 65_534;

/// Only an administrator can give files to others.
fn is_administrator(space: &Workspace) -> bool {
    std::fs::metadata(space.path()).unwrap().uid() == 0
}

/// A copy of the program that other users can start, wherever the build is. It is there as long as its folder.
fn public_program() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    set_mode(folder.path(), 0o755);
    let program = folder.path().join("lockgate");
    std::fs::copy(env!("CARGO_BIN_EXE_lockgate"), &program).unwrap();
    set_mode(&program, 0o755);
    (folder, program)
}

/// The same call by another user.
fn as_stranger(call: &Command, program: &Path) -> Command {
    let call = call.as_std();
    let mut own = Command::new(program);
    let variables = call.get_envs();
    own.args(call.get_args())
        .current_dir(call.get_current_dir().unwrap())
        .env_clear()
        .envs(variables.filter_map(|(name, value)| Some((name, value?))))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .uid(STRANGER)
        .gid(STRANGER);
    own
}

async fn three_siblings() -> Server {
    serve(instances(&fixture("three-siblings"))).await
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// A pipe in whose other end nobody ever writes would hold a reader up for ever.
async fn ends(command: Command, what: &str) -> Ended {
    let ended = tokio::time::timeout(Duration::from_mins(2), end_of(command)).await;
    ended.unwrap_or_else(|_| unreachable!("{what} hangs"))
}

fn make_pipe(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status();
    assert!(made.unwrap().success());
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_and_keeps_every_byte() {
    use sqlx::{ConnectOptions, Connection, Executor};
    let (server, space) = (three_siblings().await, Workspace::new());
    let path = space.path().join("shop.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true);
    let mut raw = options.connect().await.unwrap();
    raw.execute("CREATE TABLE orders (id INTEGER)")
        .await
        .unwrap();
    raw.close().await.unwrap();
    let before = std::fs::read(&path).unwrap();
    for command in ["sync", "plan", "verify"] {
        let ended =
            end_of(space.between(command, &server.base_url(), &["--state", "shop.db"])).await;
        assert_eq!(ended.code, Some(4), "{command}: {ended:?}");
        assert!(ended.stderr.contains("not one of lockgate's"), "{ended:?}");
        assert_eq!(std::fs::read(&path).unwrap(), before, "{command}");
        assert!(!space.path().join("shop.db-wal").exists(), "{command}");
    }
}

#[tokio::test]
async fn a_folder_that_takes_no_writes_can_be_looked_at() {
    let (server, space) = (three_siblings().await, Workspace::new());
    assert_eq!(end_of(space.sync(&server, &[])).await.code, Some(0));
    let folder = space.path().join(".lockgate");
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        set_mode(&path, if path.is_dir() { 0o555 } else { 0o444 });
    }
    let runs = folder.join("runs");
    for entry in std::fs::read_dir(&runs).unwrap() {
        let path = entry.unwrap().path();
        set_mode(&path, if path.is_dir() { 0o755 } else { 0o644 });
        for entry in path
            .is_dir()
            .then(|| std::fs::read_dir(&path).unwrap())
            .into_iter()
            .flatten()
        {
            set_mode(&entry.unwrap().path(), 0o444);
        }
    }
    set_mode(&folder, 0o555);
    set_mode(space.path(), 0o555);
    let pair = ["--source", SOURCE, "--target", TARGET];
    let calls = [
        space.command(["runs"]),
        space.command(["runs", "last"]),
        space.command(["why", "container:100"].iter().chain(&pair)),
        space.between("plan", &server.base_url(), &[]),
    ];
    // No mode holds an administrator up.
    let public = is_administrator(&space).then(public_program);
    let mut wrong = Vec::new();
    for (at, call) in calls.into_iter().enumerate() {
        let call = match &public {
            Some((_, program)) => as_stranger(&call, program),
            None => call,
        };
        let ended = end_of(call).await;
        if ended.code != Some(0) {
            wrong.push(format!("call {at}: {ended:?}"));
        }
        if at == 3 && ended.stdout.contains("create") {
            wrong.push(format!("the plan does not know the state: {ended:?}"));
        }
    }
    set_mode(space.path(), 0o755);
    set_mode(&folder, 0o755);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn links_of_other_users_are_refused_and_own_ones_followed() {
    let server = three_siblings().await;
    for place in [
        ".lockgate",
        ".lockgate/runs",
        ".lockgate/state.db",
        ".lockgate/state.db.bytes",
    ] {
        let is_file = place == ".lockgate/state.db";
        for (link_of_stranger, end_of_stranger) in [(false, false), (true, false), (false, true)] {
            let (space, elsewhere) = (Workspace::new(), Workspace::new());
            if (link_of_stranger || end_of_stranger) && !is_administrator(&space) {
                continue;
            }
            let end = elsewhere.path().join("end");
            if is_file {
                std::fs::write(&end, "").unwrap();
            } else {
                std::fs::create_dir(&end).unwrap();
            }
            let link = space.path().join(place);
            std::fs::create_dir_all(link.parent().unwrap()).unwrap();
            symlink(&end, &link).unwrap();
            if link_of_stranger {
                lchown(&link, Some(STRANGER), Some(STRANGER)).unwrap();
            }
            if end_of_stranger {
                lchown(&end, Some(STRANGER), Some(STRANGER)).unwrap();
            }
            let ended = end_of(space.sync(&server, &["--dry-run"])).await;
            let ran = end_of(space.sync(&server, &[])).await;
            let what =
                format!("{place}, {link_of_stranger}, {end_of_stranger}: {ended:?}, {ran:?}");
            let is_touched = if is_file {
                end.metadata().unwrap().len() > 0
            } else {
                std::fs::read_dir(&end).unwrap().count() > 0
            };
            if !(link_of_stranger || end_of_stranger) {
                assert_eq!(ran.code, Some(0), "{what}");
                continue;
            }
            assert!(!is_touched, "{what}");
            assert!(ran.stderr.contains("symbolic link"), "{what}");
            if place != ".lockgate/runs" {
                assert_eq!(ran.code, Some(4), "{what}");
            }
        }
    }
}

#[tokio::test]
async fn pipes_and_devices_in_place_of_files_are_errors() {
    let (server, space) = (three_siblings().await, Workspace::new());
    let pipe = space.path().join("pipe");
    make_pipe(&pipe);
    for file in ["pipe", "/dev/zero"] {
        for command in ["sync", "plan", "verify"] {
            let what = format!("{command} --state {file}");
            let call = space.between(command, &server.base_url(), &["--state", file]);
            let ended = ends(call, &what).await;
            assert_eq!(ended.code, Some(4), "{what}: {ended:?}");
            assert!(
                ended.stderr.contains("not a regular file"),
                "{what}: {ended:?}"
            );
            let what = format!("{command} --config {file}");
            let call = space.between(command, &server.base_url(), &["--config", file]);
            let ended = ends(call, &what).await;
            assert_eq!(ended.code, Some(2), "{what}: {ended:?}");
            assert!(
                ended.stderr.contains("not a regular file"),
                "{what}: {ended:?}"
            );
        }
        let what = format!("mock serve --state {file}");
        let ended = ends(space.command(["mock", "serve", "--state", file]), &what).await;
        assert!(
            ended.code.is_some_and(|code| code != 0),
            "{what}: {ended:?}"
        );
        assert!(
            ended.stderr.contains("not a regular file"),
            "{what}: {ended:?}"
        );
    }
    make_pipe(&space.path().join(".env"));
    let ended = ends(space.sync(&server, &[]), ".env").await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    std::fs::remove_file(space.path().join(".env")).unwrap();
    make_pipe(&space.path().join("lockgate.toml"));
    let ended = ends(space.sync(&server, &[]), "lockgate.toml").await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    std::fs::remove_file(space.path().join("lockgate.toml")).unwrap();
    assert_eq!(end_of(space.sync(&server, &[])).await.code, Some(0));
    let plan = space.run_folder().join("plan.json");
    std::fs::remove_file(&plan).unwrap();
    make_pipe(&plan);
    let why = space.command([
        "why",
        "container:100",
        "--source",
        SOURCE,
        "--target",
        TARGET,
    ]);
    let ended = ends(why, "plan.json").await;
    assert!(ended.code.is_some_and(|code| code != 0), "{ended:?}");
    assert!(ended.stderr.contains("not a regular file"), "{ended:?}");
}

#[tokio::test]
async fn what_everybody_may_write_to_is_warned_of() {
    let (server, space) = (three_siblings().await, Workspace::new());
    let ended = end_of(space.sync(&server, &[])).await;
    assert!(!ended.stderr.contains("chmod"), "{ended:?}");
    for (path, mode) in [(".lockgate", 0o777), (".lockgate/state.db", 0o666)] {
        let path = space.path().join(path);
        let before = path.metadata().unwrap().mode();
        set_mode(&path, mode);
        let ended = end_of(space.sync(&server, &[])).await;
        let warning = format!(
            "may write to .lockgate{}",
            if mode == 0o666 { "/state.db" } else { "" }
        );
        assert!(ended.stderr.contains(&warning), "{ended:?}");
        set_mode(&path, before);
    }
}

/// With the binary: a flipped bit in a row of the mappings ends a run with the exit code of damage, or changes nothing.
#[tokio::test]
async fn flipped_bits_in_mappings_are_damage_or_change_nothing() {
    let (server, space) = (three_siblings().await, Workspace::new());
    assert_eq!(end_of(space.sync(&server, &[])).await.code, Some(0));
    let plan = async || end_of(space.between("plan", &server.base_url(), &["--verbose"])).await;
    let expected = plan().await;
    let path = space.path().join(".lockgate/state.db");
    let bytes = std::fs::read(&path).unwrap();
    let guid = TARGET.as_bytes();
    // The pair stands side by side in these rows only, and in those of the lease and of intents.
    let pair = [SOURCE.as_bytes(), guid].concat();
    let rows = (0..bytes.len() - pair.len()).filter(|at| bytes[*at..].starts_with(&pair));
    let rows: Vec<usize> = rows.collect();
    assert!(!rows.is_empty());
    let mut damaged = 0;
    for trial in 0..24 {
        let row = rows[trial * 7 % rows.len()];
        let at = (row + trial * 5).min(bytes.len() - 1);
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (trial % 8);
        std::fs::write(&path, flipped).unwrap();
        let ended = plan().await;
        let is_same = ended.code == expected.code && ended.stdout == expected.stdout;
        assert!(is_same || ended.code == Some(4), "byte {at}: {ended:?}");
        damaged += usize::from(ended.code == Some(4));
    }
    assert!(damaged > 0);
}
