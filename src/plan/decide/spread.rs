//! Work on every entity, spread over the processors.
//!
//! Entities are independent of one another here, and results are in the order of the entities, so that the same inputs
//! give the same plan on any machine.

use rayon::prelude::*;

use crate::domain::{Entity, Id, Inventory};
use crate::plan::graph::Node;

/// Entities below which another thread costs more than it saves.
const WORTH_A_THREAD: usize = 1_000;

/// What `look` says of every entity, in their order.
pub(in crate::plan) fn each<I: Id + Sync, R: Send>(
    inventory: &Inventory<I>,
    look: impl Fn(Node, &Entity<I>) -> R + Sync + Send,
) -> Vec<R> {
    let numbered = inventory.entities().par_iter().enumerate();
    let looked = numbered.with_min_len(WORTH_A_THREAD).map(|(at, entity)| {
        let node = Node::try_from(at).expect("nodes are numbered with 32 bits");
        look(node, entity)
    });
    looked.collect()
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
