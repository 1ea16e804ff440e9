//! Flipped bits, full disks and files of other programs.

use super::*;

/// Changed bits that leave every page in order: whatever they hit, a mapping is what was written or an error.
#[tokio::test]
async fn flipped_bits_never_make_another_counterpart() {
    let (directory, url, store) = fresh().await;
    let rows = (0..40).map(|id| write_mapping(&mapping(key(id), 500 + id)));
    store.commit(rows.collect()).await.unwrap();
    let written = store.mappings(&pair()).await.unwrap();
    store.close().await;
    let bytes = std::fs::read(url.file().unwrap()).unwrap();
    let guid = pair().target;
    let guid = guid.as_str().as_bytes();
    let rows: Vec<usize> = (0..bytes.len() - guid.len())
        .filter(|at| bytes[*at..].starts_with(guid))
        .collect();
    assert!(rows.len() >= 40, "{}", rows.len());
    let copy = directory.path().join("copy.db");
    let (mut noticed, mut trials) = (0, 0);
    for (number, row) in rows.iter().enumerate() {
        // Some bytes before the row, where its types and lengths are, and those of its values.
        for step in 0..12 {
            let at = (row + step * 17 + number % 17).saturating_sub(60);
            let mut bytes = bytes.clone();
            let Some(byte) = bytes.get_mut(at) else {
                continue;
            };
            *byte ^= 1 << (number % 8);
            std::fs::write(&copy, bytes).unwrap();
            trials += 1;
            let found = match Store::open(&StateUrl::Sqlite(copy.clone())).await {
                Ok(store) => {
                    let found = store.mappings(&pair()).await;
                    store.close().await;
                    found
                }
                Err(error) => Err(error),
            };
            match found {
                Ok(found) => assert_eq!(found, written, "byte {at}"),
                Err(error) => {
                    let is_damage = matches!(
                        error,
                        StoreError::Damaged { .. } | StoreError::Unreadable { .. }
                    );
                    assert!(is_damage, "byte {at}: {error:?}");
                    noticed += 1;
                }
            }
        }
    }
    assert!(noticed * 4 > trials, "{noticed} of {trials}");
}

/// A connection whose transaction failed on a full disk may not be able to begin another one; the disk stays the cause.
#[tokio::test]
async fn a_full_disk_stays_the_cause_that_is_told() {
    let (_directory, url, store) = fresh().await;
    store.close().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(url.file().unwrap())
        .pragma("max_page_count", "60");
    let place = "full".into();
    let working = crate::store::in_place::Working::Beside;
    let store = Store::start(
        connection::Opener::file(options),
        place,
        (None, None),
        working,
    )
    .await
    .unwrap();
    let mut errors = Vec::new();
    for round in 0..12 {
        let rows =
            (0..200).map(|id| write_mapping(&mapping(key(1000 * round + id), 1000 * round + id)));
        if let Err(error) = store.commit(rows.collect()).await {
            errors.push(error);
        }
    }
    assert!(errors.len() > 2, "{errors:?}");
    let is_full = |error: &StoreError| matches!(error, StoreError::Full { .. });
    assert!(errors.iter().all(is_full), "{errors:?}");
    store.close().await;
}

/// Nothing about the file of another program changes, whatever its journal is.
#[tokio::test]
async fn a_foreign_database_keeps_every_byte() {
    for journal in ["delete", "wal"] {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("shop.db");
        let url = StateUrl::Sqlite(path.clone());
        let mut raw = connect(&url).await;
        let script = format!("PRAGMA journal_mode = {journal}; CREATE TABLE orders (id INTEGER)");
        raw.execute(sqlx::AssertSqlSafe(&*script)).await.unwrap();
        raw.close().await.unwrap();
        let before = std::fs::read(&path).unwrap();
        let error = Store::open(&url).await.unwrap_err();
        assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), before, "{journal}");
        let files = std::fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(files, 1, "{journal}");
    }
}
