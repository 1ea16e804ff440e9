//! Work on every entity, spread over the processors.
//!
//! Each entity is looked at on its own, and results come back in the order of the entities, so that the same inputs
//! give the same plan on any machine.

use std::num::NonZero;
use std::thread;

use crate::domain::{Entity, Id, Inventory};
use crate::plan::graph::Node;

/// Entities below which another thread costs more than it saves.
const WORTH_A_THREAD: usize = 1_000;

/// What `look` says of every entity, in their order.
pub(in crate::plan) fn each<I: Id + Sync, R: Send>(
    inventory: &Inventory<I>,
    look: impl Fn(Node, &Entity<I>) -> R + Sync,
) -> Vec<R> {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let entities = inventory.entities();
    let threads = processors.min(entities.len() / WORTH_A_THREAD).max(1);
    let share = entities.len().div_ceil(threads).max(1);
    let look = &look;
    let look_at = |part: &[Entity<I>], first: usize| -> Vec<R> {
        let nodes = (0..).skip(first);
        nodes
            .zip(part)
            .map(|(node, entity)| look(node, entity))
            .collect()
    };
    if threads == 1 {
        return look_at(entities, 0);
    }
    let look_at = &look_at;
    thread::scope(|scope| {
        let parts = (0..).step_by(share).zip(entities.chunks(share));
        let running: Vec<_> = parts
            .map(|(first, part)| scope.spawn(move || look_at(part, first)))
            .collect();
        let mut parts = running.into_iter().map(|part| {
            part.join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        // The first part grows, so that no result is held twice.
        let mut all = parts.next().unwrap_or_default();
        all.reserve_exact(entities.len() - all.len());
        parts.for_each(|part| all.extend(part));
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Body, Guid, ItemState, Key, Kind, SourceId};

    #[test]
    fn results_stand_in_the_order_of_the_entities() {
        for count in [0, 1, 2_500, 7_001] {
            let entity = |id| Entity {
                key: Key::global(Kind::Gallery, id),
                name: "gallery".into(),
                version: None,
                state: ItemState::None,
                placement: None,
                body: Body::new(&serde_json::Value::Null),
            };
            let source = Inventory::<SourceId>::empty(Guid::new("a-u"))
                .with_entities((0..count).map(entity).collect());
            let seen = each(&source, |node, entity| {
                (i64::from(node), entity.key.id.raw())
            });
            assert_eq!(seen, (0..count).map(|id| (id, id)).collect::<Vec<_>>());
        }
    }
}
