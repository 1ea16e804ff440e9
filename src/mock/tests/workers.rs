//! How batches are processed, on a clock of its own.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::{article, state};
use crate::mock::BatchWork;
use crate::mock::instance::Instance;
use crate::mock::world::World;

/// An instance by itself.
fn instance() -> Arc<Instance> {
    let file = state().instances.remove(0);
    let world = World::load(file, "http://127.0.0.1:1", crate::mock::Rules::default());
    Arc::new(Instance::new(world.unwrap(), Duration::ZERO))
}

/// Queues a batch of so many items.
fn submit(instance: &Instance, count: usize) -> i64 {
    use crate::mock::world::batch::{Operation, Spoil, Work};
    let work = (0..count).map(|_| Work::SaveContent {
        locale: 0,
        row: article(-1, "x").as_object().unwrap().clone(),
    });
    let mut world = instance.world();
    world.submit(Operation::SaveContent, work.collect(), Spoil::Nothing)
}

/// The milliseconds after which each of four batches of two items is done.
async fn done_after(work: BatchWork) -> Vec<u128> {
    let instance = instance();
    let mut tasks = tokio::task::JoinSet::new();
    let batches: Vec<i64> = (0..4).map(|_| submit(&instance, 2)).collect();
    tasks.spawn(Arc::clone(&instance).work(work, 0));
    let start = tokio::time::Instant::now();
    let mut after = Vec::new();
    for batch in batches {
        let is_done =
            || instance.world().batches().read(batch, false).unwrap()["batchState"] == json!(3);
        while !is_done() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        after.push(start.elapsed().as_millis() / 10 * 10);
    }
    instance.retire();
    after
}

#[tokio::test(start_paused = true)]
async fn batches_share_workers_or_have_their_own() {
    let ms = Duration::from_millis;
    let work = BatchWork {
        batch_time: ms(100),
        item_time: ms(10),
        ..BatchWork::default()
    };
    let with = |workers| BatchWork { workers, ..work };
    assert_eq!(done_after(with(Some(1))).await, [120, 240, 360, 480]);
    assert_eq!(done_after(with(Some(2))).await, [120, 120, 240, 240]);
    assert_eq!(done_after(with(None)).await, [120; 4]);
    assert_eq!(
        done_after(crate::mock::Profile::ParallelInstant.work()).await,
        [0; 4]
    );
    let stalls = BatchWork {
        stall: Some(crate::mock::Stall {
            share: 1.0,
            time: ms(1_000),
        }),
        ..with(None)
    };
    assert_eq!(done_after(stalls).await, [1_120; 4]);
}

#[tokio::test(start_paused = true)]
async fn the_worker_is_serial_and_takes_its_time() {
    let instance = instance();
    let mut tasks = tokio::task::JoinSet::new();
    let work = BatchWork {
        item_time: Duration::from_millis(100),
        ..BatchWork::default()
    };
    tasks.spawn(Arc::clone(&instance).work(work, 0));
    let submit = |count| submit(&instance, count);
    let (first, second) = (submit(4), submit(1));
    let read = |id: i64| {
        let row = instance.world().batches().read(id, false).unwrap();
        (
            row["batchState"].clone(),
            row["numItemsProcessed"].clone(),
            row["percentComplete"].clone(),
        )
    };
    assert_eq!(read(first).0, 1);
    instance.wake();
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert_eq!(read(first), (json!(2), json!(2), json!(50)));
    assert_eq!(read(second).0, 1);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!((read(first).0, read(second).0), (json!(3), json!(2)));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(read(second).0, 3);
    instance.retire();
    tasks.join_next().await.unwrap().unwrap();
}
