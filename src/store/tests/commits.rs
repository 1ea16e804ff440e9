//! How commits share transactions, and what each of them may rely on. Called for a file and for a server.

use super::*;

/// Rows of one table share statements, so their order has to survive that: within a statement, across statements,
/// and around a removal.
pub(super) async fn of_many_changes_in_one_commit_the_last_word_counts(place: Place) {
    let store = place.open().await;
    let settled = |id, because: &str| RunEntity {
        run: RunId(RUN.to_owned()),
        key: key(id),
        name: format!("item {id}"),
        outcome: Outcome::Created,
        target: Some(TargetId::new(id + 1000)),
        because: because.to_owned(),
    };
    let mut changes = Vec::new();
    for id in 1..=200 {
        changes.push(write_mapping(&mapping(key(id), id + 1000)));
        changes.push(Change::Entity(settled(id, "first")));
    }
    let (pair, removed) = (pair(), key(7));
    changes.push(Change::MappingRemoved {
        pair,
        key: removed,
        prior: TargetId::new(1007),
    });
    changes.push(write_mapping(&mapping(key(7), 2007)));
    changes.push(write_mapping(&mapping(key(9), 2009)));
    changes.push(write_mapping(&mapping(key(9), 3009)));
    changes.push(Change::Entity(settled(9, "last")));
    store.commit(changes).await.unwrap();

    let targets = store.mappings(&self::pair()).await.unwrap();
    let targets: Vec<i64> = targets.iter().map(|row| row.target.raw()).collect();
    let expected = (1..=200).map(|id| match id {
        7 => 2007,
        9 => 3009,
        id => id + 1000,
    });
    assert_eq!(targets, expected.collect::<Vec<_>>());
    let settled = store.run_entities(&RunId(RUN.to_owned())).await.unwrap();
    assert_eq!(settled.len(), 200);
    assert_eq!(settled[8].because, "last");
    store.close().await;

    let mut raw = place.connect().await;
    let read = |row: Row<'_>| Ok((row.get("source_id").unwrap(), row.get("target_id").unwrap()));
    let asked = query("SELECT source_id, target_id FROM mapping_history ORDER BY id");
    let history: Vec<(i64, i64)> = raw.rows(&asked, read).await.unwrap();
    assert_eq!(history, [(7, 1007), (9, 1009), (9, 2009)]);
}

pub(super) async fn many_small_commits_share_few_transactions(place: Place) {
    let store = place.open().await;
    let rows = 24_164;
    let store_ref = &store;
    let commits = (0..rows).map(|id| async move {
        store_ref
            .commit(vec![write_mapping(&mapping(key(id), id + 100_000))])
            .await
    });
    try_join_all(commits).await.unwrap();
    assert_eq!(store.mappings(&pair()).await.unwrap().len(), 24_164);
    // How many depends on how fast the disk is; a quick one leaves less time for rows to queue up.
    let most = rows.unsigned_abs() / 50;
    assert!(store.commits() <= most, "{} transactions", store.commits());
    store.close().await;
}

pub(super) async fn commits_that_come_while_it_gathers_share_a_transaction(place: Place) {
    let store = place.open().await;
    store.gather(std::time::Duration::from_millis(200));
    let one = |id, after_ms| {
        let store = store.clone();
        async move {
            tokio::time::sleep(std::time::Duration::from_millis(after_ms)).await;
            let changes = vec![write_mapping(&mapping(key(id), id + 100))];
            store.commit(changes).await
        }
    };
    try_join_all([one(1, 0), one(2, 5), one(3, 10)])
        .await
        .unwrap();
    assert_eq!(store.commits(), 1);
    store.close().await;
}

pub(super) async fn only_the_commit_that_cannot_be_stored_fails(place: Place) {
    let store = place.open().await;
    let bad = vec![
        write_mapping(&mapping(key(2), 20)),
        Change::IntentClosed {
            run: RunId(RUN.to_owned()),
            id: IntentId(404),
            state: IntentState::Done,
            answers: Vec::new(),
        },
    ];
    let results = join_all([
        store.commit(vec![write_mapping(&mapping(key(1), 10))]),
        store.commit(bad),
        store.commit(vec![write_mapping(&mapping(key(3), 30))]),
    ])
    .await;
    assert!(results[0].is_ok() && results[2].is_ok());
    assert!(
        matches!(results[1], Err(StoreError::Unknown { .. })),
        "{:?}",
        results[1]
    );
    let stored = store.mappings(&pair()).await.unwrap();
    assert_eq!(stored, [mapping(key(1), 10), mapping(key(3), 30)]);
    store.close().await;
}

pub(super) async fn what_was_accepted_is_written_even_if_nobody_waits(place: Place) {
    let store = place.open().await;
    let mut unheard = Box::pin(store.commit(vec![write_mapping(&mapping(key(1), 10))]));
    assert!(futures_util::poll!(&mut unheard).is_pending());
    drop(unheard);
    let other = store.clone();
    store.close().await;
    let refused = other
        .commit(vec![write_mapping(&mapping(key(2), 20))])
        .await;
    assert!(matches!(refused, Err(StoreError::Closed)));
    assert!(matches!(other.runs(1).await, Err(StoreError::Closed)));

    let store = place.open().await;
    assert_eq!(
        store.mappings(&pair()).await.unwrap(),
        [mapping(key(1), 10)]
    );
    store.close().await;
}
