//! Files that runs replace, kept in a bucket: any machine undoes with them what another one did.

use std::process::Stdio;

use lockgate::mock::Server;
use lockgate::mock::file::{InstanceFile, Row, StateFile};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::binary::{Ended, Workspace, end_of, lines_of_json};
use crate::bucket::{Bucket, SECRET};
use crate::postgres;
use crate::secrets::Traces;
use crate::support::{TARGET, fixture, instances, put_state, serve};

const PLACE: &str = "s3://undo/team/lockgate";
const LOGO: &str = "img/logo.svg";
const NEW: &str = "<svg>another one</svg>";

/// Two instances, of which the source moves on after the first run, and a bucket.
struct Site {
    server: Server,
    bucket: Bucket,
}

impl Site {
    async fn new() -> Self {
        Self {
            server: serve(instances(&fixture("starter-site"))).await,
            bucket: Bucket::start(),
        }
    }

    /// The command, with the bucket as its place for files.
    fn with_bucket(&self, mut command: Command) -> Command {
        command.env("LOCKGATE_BLOBS", PLACE);
        command.envs(self.bucket.environment());
        command
    }

    fn sync(&self, workspace: &Workspace) -> Command {
        self.with_bucket(workspace.sync(&self.server, &["--yes", "--quiet"]))
    }

    fn undo(&self, workspace: &Workspace) -> Command {
        self.with_bucket(workspace.command(["undo", "last", "--yes", "--output", "json"]))
    }

    /// Puts other bytes into a file of the source.
    async fn move_on(&self) {
        let mut state = self.server.state();
        let logo = logo(&mut state.instances[0]);
        logo.insert("content".to_owned(), json!({ "text": NEW }));
        logo.insert("dateModified".to_owned(), json!("2027-06-01T00:00:00"));
        logo.remove("size");
        put_state(&self.server.base_url(), &state).await;
    }

    /// What the file holds on the target.
    fn on_target(&self) -> Value {
        let StateFile { mut instances, .. } = self.server.state();
        let mut target = instances.iter_mut().find(|one| one.guid == TARGET);
        logo(target.as_mut().unwrap())["content"].clone()
    }
}

fn logo(instance: &mut InstanceFile) -> &mut Row {
    let mut assets = instance.assets.iter_mut();
    assets.find(|row| row["originKey"] == LOGO).unwrap()
}

async fn done(command: Command) -> Ended {
    let ended = end_of(command).await;
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    ended
}

/// What became of the file, and why.
fn outcome(ended: &Ended) -> (String, String) {
    let events = lines_of_json(&ended.stdout);
    let of_logo = events.iter().rfind(|event| {
        let name = event["name"].as_str().unwrap_or_default();
        event["type"] == "entity-settled" && name.ends_with("logo.svg")
    });
    let event = of_logo.unwrap_or_else(|| unreachable!("no event of it: {}", ended.stdout));
    let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    (
        text("outcome"),
        format!("{} {}", text("because"), text("reason")),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_machine_restores_replaced_bytes() {
    let Some(url) = postgres::fresh() else { return };
    let (first, second) = (Workspace::sharing(&url), Workspace::sharing(&url));
    let site = Site::new().await;
    done(site.sync(&first)).await;
    let before = site.on_target();
    site.move_on().await;
    done(site.sync(&first)).await;
    assert_eq!(site.on_target(), json!({ "text": NEW }));
    let objects = site.bucket.keys();
    assert!(objects.iter().all(|key| key.starts_with("team/lockgate/")));
    assert_eq!(objects.len(), 2, "one is that of the check: {objects:?}");

    let survey = site.with_bucket(second.command(["state", "doctor", "--json"]));
    let survey: Value = serde_json::from_str(&done(survey).await.stdout).unwrap();
    assert_eq!(
        (&survey["blobs"], &survey["kept_contents"]),
        (&json!(PLACE), &json!(1))
    );
    let exported = site.with_bucket(second.command(["state", "export"]));
    let head: Value =
        serde_json::from_str(done(exported).await.stdout.lines().next().unwrap()).unwrap();
    assert_eq!(head["blobs"], PLACE);
    assert_eq!(outcome(&done(site.undo(&second)).await).0, "restored");
    assert_eq!(site.on_target(), before);
    site.server.stop().await;
}

/// The bytes are in the bucket, the run dies before it can note them, and nothing was replaced yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_killed_after_it_kept_bytes_and_before_it_noted_them_is_repeated() {
    let (site, workspace) = (Site::new().await, Workspace::new());
    done(site.sync(&workspace)).await;
    let before = site.on_target();
    site.move_on().await;
    site.bucket.hold(true);
    let mut command = site.sync(&workspace);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    tokio::select! {
        () = site.bucket.has_stored() => {}
        ended = child.wait() => unreachable!("it ended with {ended:?} before it kept anything"),
    }
    child.start_kill().unwrap();
    assert_eq!(child.wait().await.unwrap().code(), None);
    assert_eq!(
        site.on_target(),
        before,
        "nothing is replaced whose bytes are not noted"
    );
    site.bucket.hold(false);
    done(site.sync(&workspace)).await;
    assert_eq!(site.on_target(), json!({ "text": NEW }));
    done(site.undo(&workspace)).await;
    assert_eq!(site.on_target(), before);
    site.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_or_unreachable_bytes_are_not_restored_and_the_next_undo_can() {
    let (site, workspace) = (Site::new().await, Workspace::new());
    done(site.sync(&workspace)).await;
    let before = site.on_target();
    site.move_on().await;
    done(site.sync(&workspace)).await;
    // A machine on which the bucket is not named.
    let words = ["undo", "last", "--yes", "--output", "json"];
    let without = end_of(workspace.command(words)).await;
    let (result, because) = outcome(&without);
    assert_eq!((without.code, &*result), (Some(1), "failed"), "{because}");
    assert!(because.contains("--blobs"), "{because}");
    let is_content = |key: &str| !key.ends_with("lockgate-check");
    let turned = |bytes: &[u8]| -> Vec<u8> { bytes.iter().rev().copied().collect() };
    site.bucket.damage(is_content, turned);
    let damaged = end_of(site.undo(&workspace)).await;
    let (result, because) = outcome(&damaged);
    assert_eq!((damaged.code, &*result), (Some(1), "failed"), "{because}");
    for part in ["is damaged", "restore that file"] {
        assert!(because.contains(part), "{because}");
    }
    assert_eq!(site.on_target(), json!({ "text": NEW }));
    site.bucket.damage(is_content, turned);
    done(site.undo(&workspace)).await;
    assert_eq!(site.on_target(), before);
    site.server.stop().await;
}

/// Nothing is written to the target whose undo would lack the files, and the secrets of the bucket are nowhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_credentials_end_a_run_before_it_writes_and_are_nowhere() {
    const WRONG: &str = "n33dle/wrong+secret/of0123456789abcdefgh";
    let (site, workspace) = (Site::new().await, Workspace::new());
    let mut traces = Traces::new("a bucket");
    let with = |mut command: Command, secret: &str| {
        command.env("AWS_SECRET_ACCESS_KEY", secret);
        command
    };
    let refused = end_of(with(site.sync(&workspace), WRONG)).await;
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    for part in [
        PLACE,
        "SignatureDoesNotMatch",
        "LG-3017",
        "help: check AWS_ACCESS_KEY_ID",
    ] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
    assert_eq!(site.server.writes(TARGET).len(), 0);
    traces.of_call(&refused);
    let doctor =
        || site.with_bucket(workspace.between("doctor", &site.server.base_url(), &["--json"]));
    let found = end_of(with(doctor(), WRONG)).await;
    assert_eq!(found.code, Some(4), "{}", found.stdout);
    traces.of_call(&found);
    let found = done(doctor()).await;
    let ok = format!("{PLACE} can be read and written");
    assert!(found.stdout.contains(&ok), "{}", found.stdout);
    traces.of_call(&found);
    let wrong_url = workspace.command(["runs", "--blobs", &format!("s3://AKID:{WRONG}@undo")]);
    let wrong_url = end_of(wrong_url).await;
    assert_eq!(wrong_url.code, Some(2), "{}", wrong_url.stderr);
    traces.of_call(&wrong_url);

    traces.of_call(&done(site.sync(&workspace)).await);
    site.move_on().await;
    traces.of_call(&done(with(site.sync(&workspace), SECRET)).await);
    traces.of_call(&end_of(with(site.undo(&workspace), WRONG)).await);
    for words in [&["state", "doctor"][..], &["state", "export"], &["config"]] {
        traces.of_call(&end_of(site.with_bucket(workspace.command(words))).await);
    }
    traces.of_folder(workspace.path());
    traces.assert_without(SECRET);
    traces.assert_without(WRONG);
    site.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_for_a_state_on_a_server_is_warned_of() {
    let Some(url) = postgres::fresh() else { return };
    let (workspace, site) = (Workspace::sharing(&url), Site::new().await);
    let doctor = |args: &[&str]| {
        let args = [args, &["--json"]].concat();
        end_of(workspace.between("doctor", &site.server.base_url(), &args))
    };
    let of_files = |ended: &Ended| {
        let findings = lines_of_json(&ended.stdout);
        let of_files = findings
            .into_iter()
            .find(|one| one["check"] == "kept files");
        of_files.unwrap_or_else(|| unreachable!("{}", ended.stdout))
    };
    let inside = of_files(&doctor(&[]).await);
    assert_eq!(inside["level"], "ok", "{inside}");
    let beside = of_files(&doctor(&["--blobs", "files"]).await);
    assert_eq!(beside["level"], "warning", "{beside}");
    assert!(
        beside["next"].as_str().unwrap().contains("s3://"),
        "{beside}"
    );
    site.server.stop().await;
}
