use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::archive::{Keep, archive_old};
use super::find::{archives, folders, is_run_name, newest_open};
use super::index::write_index;

const OLD: &str = "20260101-101500-0a1b";
const NEW: &str = "20260201-101500-0a1b";
const OPEN: &str = "20260301-101500-0a1b";

fn run(base: &Path, name: &str, has_summary: bool) {
    let folder = base.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("events.ndjson"), "{}\n").unwrap();
    if has_summary {
        let summary = r#"{"run":{"source":"1a2b3c4d-u","target":"5e6f7a8b-u","started_at":"2026-01-01T10:15:00Z"},"exit":1,
            "elapsed_ms":61000,"entities":{"total":1234,"success_rate":0.5,"outcomes":{"failed":2,"blocked":3}}}"#;
        std::fs::write(folder.join("summary.json"), summary).unwrap();
    }
}

fn three_runs() -> tempfile::TempDir {
    let base = tempfile::tempdir().unwrap();
    run(base.path(), OLD, true);
    run(base.path(), NEW, true);
    run(base.path(), OPEN, false);
    std::fs::create_dir(base.path().join("my notes")).unwrap();
    base
}

fn now() -> Timestamp {
    crate::domain::time::now()
}

#[test]
fn what_is_too_much_is_archived_and_what_goes_on_stays() {
    let base = three_runs();
    let keep = Keep { runs: 1, days: 90 };
    archive_old(base.path(), keep, now()).unwrap();
    assert_eq!(folders(base.path()).unwrap(), [OPEN]);
    assert_eq!(archives(base.path()).unwrap(), [NEW, OLD]);
    assert!(base.path().join("my notes").exists());
    assert_eq!(newest_open(base.path()).unwrap().unwrap(), OPEN);
}

#[test]
fn what_is_too_old_is_archived_even_without_an_end() {
    let base = three_runs();
    let keep = Keep { runs: 9, days: 90 };
    archive_old(
        base.path(),
        keep,
        now() + SignedDuration::from_hours(24 * 91),
    )
    .unwrap();
    assert_eq!(archives(base.path()).unwrap(), [OPEN, NEW, OLD]);
}

#[test]
fn a_folder_that_was_left_beside_its_archive_goes_and_the_archive_stays() {
    let base = three_runs();
    let keep = Keep { runs: 1, days: 90 };
    archive_old(base.path(), keep, now()).unwrap();
    let archive = base.path().join(format!("{OLD}.tar.gz"));
    let before = std::fs::read(&archive).unwrap();
    let folder = base.path().join(OLD);
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("summary.json"), "half of it is gone").unwrap();
    archive_old(base.path(), keep, now()).unwrap();
    assert!(!folder.exists());
    assert_eq!(std::fs::read(&archive).unwrap(), before);
}

#[test]
fn the_index_lists_folders_and_archives_alike() {
    let base = three_runs();
    let keep = Keep { runs: 2, days: 90 };
    archive_old(base.path(), keep, now()).unwrap();
    write_index(base.path()).unwrap();
    let page = std::fs::read_to_string(base.path().join("index.html")).unwrap();
    assert!(page.contains(&format!("href=\"{OLD}.tar.gz\"")));
    assert!(page.contains(&format!("href=\"{NEW}/\"")));
    assert_eq!(page.matches("1,234").count(), 2);
    assert!(page.contains("no end recorded"));
    let places = [OPEN, NEW, OLD].map(|name| page.find(name).unwrap());
    assert!(places.is_sorted());
}

#[test]
fn only_names_of_runs_are_runs() {
    for name in [
        "20260101-101500",
        "2026-01-01",
        "x0260101-101500-0a1b",
        "20260101-101500-0a1b-1",
    ] {
        assert!(!is_run_name(name), "{name}");
    }
    assert!(is_run_name(OLD));
}
