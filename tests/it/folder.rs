//! A folder is an instance: what was pulled fills another one, restores the same one, and is refused where it is not as the
//! pull left it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use lockgate::mock::file::{InstanceFile, StateFile};
use lockgate::mock::{self, Server};
use lockgate::snapshot::{Folder, FolderError};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::binary::{Ended, Workspace, end_of};
use crate::independent;
use crate::mock_process::MockProcess;
use crate::same_state;
use crate::support::{
    SOURCE, TARGET, empty_target, fixture, instances, put_state, serve, serve_with,
};
use crate::uploads;

/// `lockgate pull` of the source into `backup`.
fn pull(workspace: &Workspace, url: &str, args: &[&str]) -> Command {
    let words = [
        "pull",
        "--source",
        SOURCE,
        "--source-url",
        url,
        "--dir",
        "backup",
    ];
    workspace.command(words.iter().chain(args))
}

/// `lockgate push` of `backup`.
fn push(workspace: &Workspace, url: &str, target: &str, args: &[&str]) -> Command {
    let words = [
        "push",
        "--dir",
        "backup",
        "--target",
        target,
        "--target-url",
        url,
        "--yes",
    ];
    workspace.command(words.iter().chain(args))
}

/// What a pull says of itself.
async fn pulled(workspace: &Workspace, url: &str, args: &[&str]) -> Value {
    let args = [args, &["--output", "json", "--quiet"]].concat();
    let ended = end_of(pull(workspace, url, &args)).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    serde_json::from_str(&ended.stdout).unwrap()
}

fn root(workspace: &Workspace) -> PathBuf {
    workspace.path().join("backup").join(SOURCE)
}

/// Every file below a folder with its bytes.
fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
                files.insert(name.replace('\\', "/"), fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// The same without the moment of the pull.
fn timeless(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = tree(folder);
    let manifest = files.remove("lockgate.json").unwrap();
    let mut manifest: Value = serde_json::from_slice(&manifest).unwrap();
    manifest.as_object_mut().unwrap().remove("pulled_at");
    files.insert(
        "lockgate.json".to_owned(),
        manifest.to_string().into_bytes(),
    );
    files
}

fn starter() -> StateFile {
    instances(&fixture("starter-site"))
}

fn of(state: &StateFile, guid: &str) -> InstanceFile {
    let mut all = state.instances.iter();
    all.find(|instance| instance.guid == guid).unwrap().clone()
}

/// The first file of an asset.
fn asset_in(files: &BTreeMap<String, Vec<u8>>) -> &String {
    let mut assets = files.keys().filter(|path| path.starts_with("assets/"));
    assets
        .find(|path| !path.starts_with("assets/json/"))
        .unwrap()
}

/// Downloads of files that a server was asked for.
fn downloads(server: &Server) -> usize {
    let requests = server.requests().into_iter();
    requests
        .filter(|request| is_download(&request.path))
        .count()
}

fn is_download(path: &str) -> bool {
    path.starts_with("/origin/") || path.starts_with("/cdn/")
}

async fn complete_source(workspace: &Workspace) {
    let server = serve(starter()).await;
    pulled(workspace, &server.base_url(), &[]).await;
    server.stop().await;
}

/// With a server that does not have the source at all.
#[tokio::test]
async fn what_was_pulled_fills_an_empty_target() {
    let (workspace, both) = (Workspace::new(), serve(starter()).await);
    pulled(&workspace, &both.base_url(), &[]).await;
    let source = of(&both.state(), SOURCE);
    let direct = Workspace::new();
    assert_eq!(end_of(direct.sync(&both, &[])).await.code, Some(0));
    let expected = of(&both.state(), TARGET);
    both.stop().await;

    let alone = serve(StateFile {
        instances: vec![empty_target(&source.locales)],
        ..StateFile::default()
    })
    .await;
    let url = alone.base_url();
    let ended = end_of(push(&workspace, &url, TARGET, &[])).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let mut state = alone.state();
    let found = of(&state, TARGET);
    assert_eq!(
        same_state::differences(&expected, &found),
        Vec::<String>::new()
    );
    state.instances.push(source);
    let mappings = independent::mappings_in(workspace.path()).await.unwrap();
    assert_eq!(
        independent::differences(&state, &mappings),
        Vec::<String>::new()
    );
    let bytes: Vec<_> = found
        .assets
        .iter()
        .filter(|row| row.contains_key("content"))
        .collect();
    assert!(bytes.len() > 10, "{}", bytes.len());

    let args = [
        "--source",
        "backup",
        "--target",
        TARGET,
        "--target-url",
        &url,
    ];
    let verified = workspace.command(["verify"].iter().chain(&args));
    let verified = end_of(verified).await;
    assert_eq!(
        verified.code,
        Some(0),
        "{}{}",
        verified.stdout,
        verified.stderr
    );
    let before = alone.writes(TARGET).len();
    assert_eq!(
        end_of(push(&workspace, &url, TARGET, &[])).await.code,
        Some(0)
    );
    assert_eq!(
        alone.writes(TARGET).len(),
        before,
        "a second push writes nothing"
    );
    alone.stop().await;
}

/// Without its state, and with a target that was filled from the instance: the pair is the same.
#[tokio::test]
async fn a_folder_uses_the_mappings_of_its_instance() {
    let (workspace, server) = (Workspace::new(), serve(starter()).await);
    let url = server.base_url();
    assert_eq!(end_of(workspace.sync(&server, &[])).await.code, Some(0));
    pulled(&workspace, &url, &[]).await;
    let before = server.writes(TARGET).len();
    let ended = end_of(push(&workspace, &url, TARGET, &[])).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(server.writes(TARGET).len(), before);
    server.stop().await;
}

#[tokio::test]
async fn a_plan_of_a_folder_is_applied_from_the_folder() {
    let (workspace, server) = (Workspace::new(), serve(starter()).await);
    let url = server.base_url();
    pulled(&workspace, &url, &[]).await;
    let ends = [
        "--source",
        "folder:backup",
        "--target",
        TARGET,
        "--target-url",
        &url,
    ];
    let plan = ["plan"]
        .iter()
        .chain(&ends)
        .chain(&["--out", "release.plan"]);
    let ended = end_of(workspace.command(plan)).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let apply = ["apply", "release.plan"].iter().chain(&ends);
    let ended = end_of(workspace.command(apply)).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!server.writes(TARGET).is_empty());
    let rehearsed = end_of(push(&workspace, &url, TARGET, &["--dry-run"])).await;
    assert_eq!(rehearsed.code, Some(0), "{}", rehearsed.stderr);
    let doctor = ["doctor"].iter().chain(&ends);
    let doctor = end_of(workspace.command(doctor)).await;
    assert_eq!(doctor.code, Some(0), "{}{}", doctor.stdout, doctor.stderr);
    assert!(doctor.stdout.contains("every file is as the pull wrote it"));
    server.stop().await;
}

#[tokio::test]
async fn a_second_pull_writes_and_fetches_only_what_changed() {
    let (workspace, server) = (Workspace::new(), serve(starter()).await);
    let url = server.base_url();
    let first = pulled(&workspace, &url, &[]).await;
    assert_eq!(first["counts"]["content"], 76);
    let (before, fetched) = (tree(&root(&workspace)), downloads(&server));
    assert!(fetched > 10, "{fetched}");
    assert_eq!(first["assets"]["fetched"], fetched);

    let again = pulled(&workspace, &url, &[]).await;
    let unchanged = before.len() - 1;
    let nothing = json!({ "written": 0, "removed": 0, "unchanged": unchanged });
    assert_eq!(again["files"], nothing);
    assert_eq!(again["assets"]["fetched"], 0);
    assert_eq!(downloads(&server), fetched);
    assert_eq!(tree(&root(&workspace)), before, "not even its manifest");

    let mut state = server.state();
    let source = &mut state.instances[0];
    source.content[0]["fields"]["Label"] = json!("Trams");
    let doomed = source.content.remove(1);
    put_state(&url, &state).await;
    let edited = pulled(&workspace, &url, &[]).await;
    let few = json!({ "written": 1, "removed": 1, "unchanged": unchanged - 2 });
    assert_eq!(edited["files"], few);
    assert_eq!(edited["assets"]["fetched"], 0);
    let gone = format!(
        "{}/item/{}.json",
        doomed["locale"].as_str().unwrap(),
        doomed["contentID"]
    );
    let after = tree(&root(&workspace));
    assert!(before.contains_key(&gone) && !after.contains_key(&gone));
    let changed = after
        .iter()
        .filter(|(path, bytes)| before.get(*path) != Some(bytes));
    let changed: Vec<_> = changed.map(|(path, _)| path.as_str()).collect();
    assert_eq!(changed, ["en-us/item/1000.json", "lockgate.json"]);

    let anew = pulled(&workspace, &url, &["--refetch"]).await;
    assert_eq!(anew["assets"]["fetched"], fetched);
    assert_eq!(anew["files"]["written"], 0);
    server.stop().await;
}

/// A file that was damaged is written again, whatever the instance says of its date.
#[tokio::test]
async fn a_pull_heals_what_is_damaged() {
    let (workspace, server) = (Workspace::new(), serve(starter()).await);
    let url = server.base_url();
    pulled(&workspace, &url, &[]).await;
    let before = tree(&root(&workspace));
    let model = before.keys().find(|path| path.starts_with("models/"));
    for path in [asset_in(&before), model.unwrap()] {
        fs::write(root(&workspace).join(path), "damaged").unwrap();
    }
    fs::remove_file(root(&workspace).join("instance.json")).unwrap();
    let healed = pulled(&workspace, &url, &[]).await;
    assert_eq!(healed["assets"]["fetched"], 1);
    assert_eq!(tree(&root(&workspace)), before);
    server.stop().await;
}

/// The instance that was read, after somebody edited, deleted and created items.
#[tokio::test]
async fn a_folder_restores_the_instance_that_it_was_read_from() {
    let (workspace, server) = (Workspace::new(), serve(starter()).await);
    let url = server.base_url();
    pulled(&workspace, &url, &[]).await;
    let untouched = push(&workspace, &url, SOURCE, &["--output", "json"]);
    let untouched = end_of(untouched).await;
    assert_eq!(untouched.code, Some(0), "{}", untouched.stderr);
    assert_eq!(
        server.writes(SOURCE).len(),
        0,
        "its own entities are recognised"
    );

    let mut state = server.state();
    let source = &mut state.instances[0];
    let count = source.content.len();
    source.content[0]["fields"]["Label"] = json!("Trams");
    source.content[0]["properties"]["versionID"] = json!(9_001);
    let (gone, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut source.content)
        .into_iter()
        .partition(|row| row["contentID"] == 1001);
    source.content = rest;
    let (doomed, mut created) = (gone[0].clone(), gone[0].clone());
    created["contentID"] = json!(7_777);
    created["fields"]["Label"] = json!("Created since");
    source.content.push(created);
    put_state(&url, &state).await;

    let asked = end_of(push(&workspace, &url, SOURCE, &[])).await;
    assert_eq!(asked.code, Some(5), "{}", asked.stderr);
    let label = |id: &Value| {
        let source = of(&server.state(), SOURCE);
        let item = source
            .content
            .into_iter()
            .find(|row| row["contentID"] == *id);
        item.map(|row| row["fields"]["Label"].clone())
    };
    assert_eq!(
        label(&json!(1000)),
        Some(json!("Trams")),
        "an edit is not lost unasked"
    );

    let restored = end_of(push(&workspace, &url, SOURCE, &["--overwrite"])).await;
    assert_eq!(restored.code, Some(0), "{}", restored.stderr);
    assert_eq!(label(&json!(1000)), Some(json!("Transport")));
    assert_eq!(label(&json!(7_777)), Some(json!("Created since")));
    let source = of(&server.state(), SOURCE);
    let same = source.content.iter().filter(|row| {
        row["fields"]["Label"] == doomed["fields"]["Label"] && row["locale"] == doomed["locale"]
    });
    assert_eq!(same.count(), 1, "what was deleted is there again, once");
    assert_eq!(source.content.len(), count + 1);

    // What only the instance changes after a restore is reverted as well.
    let mut state = server.state();
    let row = state.instances[0].content.iter_mut();
    let row = row
        .into_iter()
        .find(|row| row["contentID"] == 1000)
        .unwrap();
    row["fields"]["Label"] = json!("Buses");
    put_state(&url, &state).await;
    let again = end_of(push(&workspace, &url, SOURCE, &["--overwrite"])).await;
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert_eq!(label(&json!(1000)), Some(json!("Transport")));

    // The next backup has the restored item under its new id.
    pulled(&workspace, &url, &[]).await;
    let before = server.writes(SOURCE).len();
    let ended = end_of(push(&workspace, &url, SOURCE, &[])).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(server.writes(SOURCE).len(), before);
    server.stop().await;
}

/// An undo needs the target and the state, and not the folder.
#[tokio::test]
async fn a_restore_is_undone_without_its_folder() {
    let (workspace, server) = (Workspace::new(), serve(starter()).await);
    let url = server.base_url();
    pulled(&workspace, &url, &[]).await;
    let mut state = server.state();
    state.instances[0].content[0]["fields"]["Label"] = json!("Trams");
    put_state(&url, &state).await;
    let restored = end_of(push(&workspace, &url, SOURCE, &["--overwrite"])).await;
    assert_eq!(restored.code, Some(0), "{}", restored.stderr);
    fs::remove_dir_all(workspace.path().join("backup")).unwrap();
    let undone = end_of(workspace.command(["undo", "last", "--yes"])).await;
    assert_eq!(undone.code, Some(0), "{}{}", undone.stdout, undone.stderr);
    let source = of(&server.state(), SOURCE);
    assert_eq!(source.content[0]["fields"]["Label"], "Trams");
    server.stop().await;
}

/// Kills a pull after so many downloads.
async fn killed_after(workspace: &Workspace, server: &MockProcess, count: usize) {
    let before = server.answered().len();
    let mut command = pull(workspace, &server.base_url, &["--quiet"]);
    command.env("LOCKGATE_PACE_ASSETS", "1");
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    loop {
        let answered = server.answered();
        let own = answered.iter().skip(before);
        let fetched = own.filter(|one| one["path"].as_str().is_some_and(is_download));
        if fetched.count() >= count {
            break;
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended too early");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    child.kill().await.unwrap();
}

#[tokio::test]
async fn a_pull_that_is_killed_leaves_the_former_folder_and_the_next_one_goes_on() {
    let mut first = uploads::state(uploads::many(40), Vec::new());
    let server = MockProcess::start(&first, &["--latency-ms", "10"]).await;
    let workspace = Workspace::new();
    killed_after(&workspace, &server, 12).await;
    assert!(!root(&workspace).exists(), "half an instance is no folder");
    let done = pulled(&workspace, &server.base_url, &[]).await;
    let fetched = done["assets"]["fetched"].as_u64().unwrap();
    assert!((1..40).contains(&fetched), "{fetched}");
    let former = tree(&root(&workspace));

    for asset in &mut first.instances[0].assets {
        let path = asset["originKey"].as_str().unwrap().to_owned();
        asset.insert("dateModified".to_owned(), json!("2031-01-01T00:00:00"));
        asset.insert(
            "content".to_owned(),
            json!({ "text": format!("new bytes of {path}") }),
        );
        asset.remove("size");
    }
    put_state(&server.base_url, &first).await;
    killed_after(&workspace, &server, 5).await;
    assert_eq!(tree(&root(&workspace)), former);
    Folder::open(&root(&workspace), &mut |_, _| ()).unwrap();
    let done = pulled(&workspace, &server.base_url, &[]).await;
    let fetched = done["assets"]["fetched"].as_u64().unwrap();
    assert!((1..40).contains(&fetched), "{fetched}");
    let fresh = Workspace::new();
    pulled(&fresh, &server.base_url, &[]).await;
    assert_eq!(timeless(&root(&workspace)), timeless(&root(&fresh)));
    assert_eq!(
        fs::read_dir(workspace.path().join("backup"))
            .unwrap()
            .count(),
        1
    );
}

/// From the moment on at which the new list of files is durable, the folder is the new one: whatever opens it finishes what
/// was begun, wherever that was interrupted.
#[tokio::test]
async fn a_pull_that_is_killed_at_its_end_is_finished_by_what_comes_next() {
    let (new, server) = (Workspace::new(), serve(starter()).await);
    let url = server.base_url();
    let old = Workspace::new();
    pulled(&old, &url, &[]).await;
    let mut state = server.state();
    let source = &mut state.instances[0];
    for item in &mut source.content {
        item["fields"]["Label"] = json!("edited");
    }
    source.pages.truncate(5);
    put_state(&url, &state).await;
    pulled(&new, &url, &[]).await;
    server.stop().await;
    let (before, after) = (tree(&root(&old)), tree(&root(&new)));
    let changed: Vec<&String> = after
        .keys()
        .filter(|path| before.get(*path) != after.get(*path) && *path != "lockgate.json")
        .collect();
    assert!(changed.len() > 10);
    for moved in [0, 1, changed.len() / 2, changed.len()] {
        let workspace = Workspace::new();
        let folder = root(&workspace);
        let write = |path: &Path, bytes: &[u8]| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        for (path, bytes) in &before {
            write(&folder.join(path), bytes);
        }
        let staging = workspace
            .path()
            .join("backup")
            .join(format!("{SOURCE}.pull"));
        for (at, path) in changed.iter().enumerate() {
            let place = if at < moved {
                folder.clone()
            } else {
                staging.join("tree")
            };
            write(&place.join(path), &after[*path]);
        }
        write(&staging.join("commit.json"), &after["lockgate.json"]);
        Folder::open(&folder, &mut |_, _| ()).unwrap();
        assert_eq!(tree(&folder), after, "after {moved}");
        assert!(!staging.exists());
    }
}

/// Plans from the folder, which is to be refused with this code.
async fn refused(workspace: &Workspace, dir: &str, args: &[&str], code: &str) -> Ended {
    let server = serve(starter()).await;
    let url = server.base_url();
    let source = format!("folder:{dir}");
    let words = [
        "plan",
        "--source",
        &source,
        "--target",
        TARGET,
        "--target-url",
        &url,
    ];
    let ended = end_of(workspace.command(words.iter().chain(args))).await;
    assert!(ended.stderr.contains(code), "{code}: {}", ended.stderr);
    assert!(ended.stderr.contains("help: "), "{}", ended.stderr);
    assert_eq!(server.writes(TARGET).len(), 0);
    server.stop().await;
    ended
}

#[tokio::test]
async fn a_folder_that_is_not_as_the_pull_left_it_is_refused_by_name() {
    let workspace = Workspace::new();
    complete_source(&workspace).await;
    let folder = root(&workspace);
    let item = folder.join("en-us/item/1000.json");
    let whole = fs::read_to_string(&item).unwrap();
    let says = async |code: &str, words: &[&str]| {
        let ended = refused(&workspace, "backup", &[], code).await;
        assert_eq!(ended.code, Some(3), "{}", ended.stderr);
        for word in words {
            assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
        }
    };

    fs::remove_file(&item).unwrap();
    says("LG-6002", &["en-us/item/1000.json is missing"]).await;
    fs::write(&item, &whole[..whole.len() / 2]).unwrap();
    says(
        "LG-6002",
        &["en-us/item/1000.json is not valid JSON", "line "],
    )
    .await;
    fs::write(&item, whole.replace("Transport", "Transpart")).unwrap();
    says("LG-6002", &["en-us/item/1000.json does not have the hash"]).await;
    #[cfg(unix)]
    {
        fs::remove_file(&item).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", &item).unwrap();
        says(
            "LG-6002",
            &["en-us/item/1000.json cannot be read: not a regular file"],
        )
        .await;
        fs::remove_file(&item).unwrap();
    }
    fs::write(&item, &whole).unwrap();

    let foreign = folder.join("models/999.json");
    fs::write(&foreign, "{}").unwrap();
    says(
        "LG-6002",
        &["models/999.json is not listed", "move the file"],
    )
    .await;
    fs::remove_file(&foreign).unwrap();
    // Hidden files of tools are none of the instance.
    fs::write(folder.join(".gitattributes"), "* -text").unwrap();

    let asset = folder.join(asset_in(&tree(&folder)));
    let bytes = fs::read(&asset).unwrap();
    fs::write(&asset, [&bytes[1..], b"x"].concat()).unwrap();
    says("LG-6002", &["does not have the hash"]).await;
    fs::write(&asset, &bytes).unwrap();

    let manifest = folder.join("lockgate.json");
    let whole = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, &whole[..whole.len() - 10]).unwrap();
    says("LG-6002", &["lockgate.json cannot be read: EOF"]).await;
    fs::write(&manifest, whole.replace("\"form\": 1", "\"form\": 2")).unwrap();
    says("LG-6003", &["has form 2, and this version reads up to 1"]).await;
    fs::write(
        &manifest,
        whole.replace("\"instance.json\"", "\"../instance.json\""),
    )
    .unwrap();
    says("LG-6002", &["leads out of the folder"]).await;
    fs::write(&manifest, &whole).unwrap();

    let locale = refused(&workspace, "backup", &["--locale", "de-de"], "LG-1010").await;
    assert!(locale.stderr.contains("en-us"), "{}", locale.stderr);
    let none = refused(&workspace, ".", &[], "LG-6001").await;
    assert_eq!(none.code, Some(2));
    let other = workspace.path().join("backup/5e6f7a8b-u");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("lockgate.json"), whole.replace(SOURCE, TARGET)).unwrap();
    let several = refused(&workspace, "backup", &[], "LG-6001").await;
    assert!(
        several.stderr.contains("1a2b3c4d-u, 5e6f7a8b-u"),
        "{}",
        several.stderr
    );
}

/// What would be lost is named before anything is read.
#[tokio::test]
async fn a_pull_removes_nothing_that_the_instance_has_and_nothing_that_is_not_its_own() {
    let (workspace, server) = (Workspace::new(), serve(starter()).await);
    let url = server.base_url();
    let fails = async |args: &[&str], code: &str, words: &str| {
        let ended = end_of(pull(&workspace, &url, args)).await;
        assert_ne!(ended.code, Some(0));
        let said = &ended.stderr;
        assert!(said.contains(code) && said.contains(words), "{said}");
    };
    fs::create_dir_all(root(&workspace).join("models")).unwrap();
    fs::write(root(&workspace).join("models/1.json"), "{}").unwrap();
    fails(&[], "LG-6005", "models/1.json").await;
    fs::remove_dir_all(root(&workspace)).unwrap();

    pulled(&workspace, &url, &[]).await;
    let before = tree(&root(&workspace));
    fails(&["--locale", "en-us"], "LG-6005", "fr-ca").await;
    fails(&["--locale", "xx-yy"], "LG-1010", "en-us, fr-ca").await;
    let folder = end_of(workspace.command(["pull", "--source", "backup"])).await;
    assert_eq!(folder.code, Some(2));
    assert!(
        folder.stderr.contains("backup is a folder"),
        "{}",
        folder.stderr
    );
    fs::write(root(&workspace).join("notes.txt"), "mine").unwrap();
    fails(&[], "LG-6002", "notes.txt is not listed").await;
    fs::remove_file(root(&workspace).join("notes.txt")).unwrap();
    assert_eq!(tree(&root(&workspace)), before);

    let staging = workspace
        .path()
        .join("backup")
        .join(format!("{SOURCE}.pull"));
    fs::create_dir_all(&staging).unwrap();
    let lock = File::create(staging.join("lock")).unwrap();
    lock.lock().unwrap();
    fails(&[], "LG-6004", "another pull").await;
    drop(lock);

    let part = Workspace::new();
    let summary = pulled(&part, &url, &["--locale", "fr-ca"]).await;
    assert_eq!(summary["locales"], json!(["fr-ca"]));
    assert!(
        tree(&root(&part))
            .keys()
            .all(|path| !path.starts_with("en-us/"))
    );
    server.stop().await;
}

/// Names of an instance stay below the folder, whatever they are.
#[tokio::test]
async fn no_name_of_an_instance_leads_out_of_the_folder_or_hides_another_file() {
    let long = format!("{}.txt", "x".repeat(240));
    let names = [
        "Logo.txt",
        "logo.TXT",
        "con.txt",
        "a:b.txt",
        "trailing.",
        "docs",
        "docs/inner.txt",
        "12.json",
        "json/1.json",
        "by-id/3.txt",
        ".git/config",
        "caf\u{e9}.txt",
        "cafe\u{301}.txt",
        "back\\slash.txt",
        "../up.txt",
        "a/../../up.txt",
        "new\nline.txt",
        &long,
    ];
    let row = |(id, name): (i64, &&str)| {
        let row = json!({
            "mediaID": id, "fileName": name.rsplit('/').next(), "originKey": name, "mediaGroupingID": -1,
            "content": { "text": format!("bytes of {id}") },
        });
        row.as_object().unwrap().clone()
    };
    let rows = (100..).zip(&names).map(row).collect();
    let mut options = mock::Options {
        state: uploads::state(rows, Vec::new()),
        ..mock::Options::default()
    };
    options.rules.names = mock::Names::Exact;
    let server = serve_with(options).await;
    let workspace = Workspace::new();
    let ended = end_of(pull(&workspace, &server.base_url(), &["--quiet"])).await;
    let folder = Folder::open(&root(&workspace), &mut |_, _| ()).unwrap();
    let manifest = folder.manifest();
    let mut known = 0;
    for (path, entry) in &manifest.files {
        let Some(asset) = &entry.asset else { continue };
        let text = fs::read_to_string(root(&workspace).join(path)).unwrap();
        assert_eq!(text, format!("bytes of {}", asset.id), "{path}");
        known += 1;
    }
    assert_eq!(
        known + manifest.missing.len(),
        names.len(),
        "{}",
        ended.stderr
    );
    assert!(known >= names.len() - 4, "{:?}", manifest.missing);
    let entries = fs::read_dir(workspace.path()).unwrap();
    let outside: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(outside, ["backup"]);
    server.stop().await;
}

/// One lost file does not prevent a backup, and is named each time.
#[tokio::test]
async fn an_asset_that_the_instance_does_not_give_is_named_and_the_rest_is_kept() {
    let state = uploads::state(uploads::many(5), Vec::new());
    let server = serve_with(mock::Options {
        state,
        faults: vec!["status=404,path=file003".parse().unwrap()],
        ..mock::Options::default()
    })
    .await;
    let (workspace, url) = (Workspace::new(), server.base_url());
    let ended = end_of(pull(&workspace, &url, &[])).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("asset:103 is missing"),
        "{}",
        ended.stderr
    );
    let moved = end_of(push(&workspace, &url, TARGET, &[])).await;
    assert_eq!(moved.code, Some(1), "{}", moved.stderr);
    assert!(moved.stderr.contains("asset:103"), "{}", moved.stderr);
    let target = of(&server.state(), TARGET);
    let files = target
        .assets
        .iter()
        .filter(|row| row.contains_key("content"));
    assert_eq!(files.count(), 4);
    server.stop().await;
}

/// A server out of reach ends a pull; it is not an instance that lacks most of its files.
#[tokio::test]
async fn a_pull_from_a_server_that_fails_writes_nothing() {
    for fault in ["status=503,path=file", "status=500,path=/model"] {
        let server = serve_with(mock::Options {
            state: uploads::state(uploads::many(5), Vec::new()),
            faults: vec![fault.parse().unwrap()],
            ..mock::Options::default()
        })
        .await;
        let workspace = Workspace::new();
        let ended = end_of(pull(&workspace, &server.base_url(), &[])).await;
        assert_eq!(ended.code, Some(3), "{}", ended.stderr);
        assert!(matches!(
            Folder::open(&root(&workspace), &mut |_, _| ()),
            Err(FolderError::NoManifest { .. })
        ));
        server.stop().await;
    }
}
