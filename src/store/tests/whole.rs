//! What concerns a whole state: its bytes, its copies, and which users may write to it. Called for a file and for a server.

use super::*;

/// The commit comes after the takeover, as that of a process that was stopped in between, and the new owner is another process.
pub(super) async fn a_run_stores_nothing_after_its_lease_was_taken_over(place: Place) {
    let (store, other) = (place.open().await, place.open().await);
    let start: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
    let mine = owner("first");
    let lease = store
        .acquire_lease_at(&pair(), mine, TTL, start)
        .await
        .unwrap();
    assert_eq!(lease.ended_ago(), None);
    let row = |id| vec![write_mapping(&mapping(key(id), id + 10))];
    store.commit(row(1)).await.unwrap();
    let elsewhere = LeaseOwner {
        host: "table".to_owned(),
        ..owner("second")
    };
    let later = start + 100.seconds();
    let next = other
        .acquire_lease_at(&pair(), elsewhere, TTL, later)
        .await
        .unwrap();
    assert_eq!(next.ended_ago(), Some(Duration::from_secs(40)));
    let results = join_all([
        store.commit(row(2)),
        store.for_another_lease().commit(row(3)),
    ])
    .await;
    let is_lost = matches!(&results[0], Err(StoreError::LeaseLost { run }) if run.0 == "first");
    assert!(is_lost, "{results:?}");
    assert!(results[1].is_ok(), "{results:?}");
    other.commit(row(4)).await.unwrap();
    store.release_lease(lease).await.unwrap();
    other.release_lease(next).await.unwrap();
    let stored = other.mappings(&pair()).await.unwrap();
    let stored: Vec<i64> = stored.iter().map(|row| row.key.id.raw()).collect();
    assert_eq!(stored, [1, 3, 4]);
    // What was given back is no takeover.
    let third = other
        .acquire_lease_at(&pair(), owner("third"), TTL, later)
        .await
        .unwrap();
    assert_eq!(third.ended_ago(), None);
    store.close().await;
    other.close().await;
}

pub(super) async fn bytes_are_kept_once_and_read_back(place: Place) {
    use tokio::io::AsyncReadExt;
    let store = place.open().await;
    let long: Vec<u8> = (0..2_500_000_u32)
        .map(|n| n.to_le_bytes()[n as usize % 3])
        .collect();
    for bytes in [&b"some"[..], &[][..], &long[..], &b"some"[..]] {
        let mut keeping = store.keep_bytes().await.unwrap().unwrap();
        for part in bytes.chunks(70_000) {
            keeping.write(part).await.unwrap();
        }
        let (hash, length) = keeping.finish().await.unwrap();
        assert_eq!(
            (hash, length),
            (ContentHash::of_bytes(bytes), bytes.len() as u64)
        );
        let mut read = Vec::new();
        let mut file = store.kept_bytes(hash).await.unwrap().unwrap();
        file.read_to_end(&mut read).await.unwrap();
        assert!(read == bytes, "{} of {}", read.len(), bytes.len());
    }
    let none = store.kept_bytes(ContentHash::of_bytes(b"none")).await;
    assert!(none.unwrap().is_none());
    assert_eq!(store.kept_hashes().await.unwrap().len(), 3);
    store.close().await;
}

pub(super) async fn a_plan_gets_a_copy_of_what_is_known(place: Place) {
    let none = Store::open_copy(&place.url).await.unwrap();
    assert_eq!(none.mappings(&pair()).await.unwrap(), []);
    none.close().await;
    assert!(
        !place.url.exists().await.unwrap(),
        "looking leaves no trace"
    );
    let store = place.open().await;
    let rows: Vec<Mapping> = (0..5000).map(|id| mapping(key(id), id + 10_000)).collect();
    store
        .commit(rows.iter().map(write_mapping).collect())
        .await
        .unwrap();
    store.close().await;
    let copy = Store::open_copy(&place.url).await.unwrap();
    assert_eq!(copy.mappings(&pair()).await.unwrap(), rows);
    copy.commit(vec![write_mapping(&mapping(key(5001), 9))])
        .await
        .unwrap();
    copy.close().await;
    let store = place.open().await;
    assert_eq!(store.mappings(&pair()).await.unwrap().len(), 5000);
    store.close().await;
}

pub(super) async fn everything_can_be_surveyed_and_exported(place: Place) {
    let store = place.open().await;
    fill(&store).await;
    let lease = store
        .acquire_lease(&pair(), owner("first"), TTL)
        .await
        .unwrap();
    let survey = store.survey().await.unwrap();
    let rows = |name: &str| {
        let mut tables = survey.tables.iter();
        tables
            .find(|(table, _)| table == name)
            .map(|(_, held)| held.rows)
    };
    assert_eq!(
        (rows("mappings"), rows("runs"), rows("hosts")),
        (Some(2), Some(1), Some(1))
    );
    assert_eq!((survey.checked_mappings, survey.open_intents), (2, 1));
    let held: Vec<&str> = survey.leases.iter().map(|held| &*held.run.0).collect();
    assert_eq!(held, ["first"]);
    assert!(survey.size_bytes > 10_000, "{}", survey.size_bytes);
    let mut exported = Vec::new();
    let each = |table: &str, row: serde_json::Value| {
        exported.push((table.to_owned(), row));
        Ok::<_, StoreError>(())
    };
    store.export(each).await.unwrap();
    let run = exported.iter().find(|(table, _)| table == "runs").unwrap();
    assert_eq!(run.1["options"], json!({"overwrite": true}));
    assert_eq!(run.1["finished_at"], json!(null));
    store.release_lease(lease).await.unwrap();
    store.close().await;
}
