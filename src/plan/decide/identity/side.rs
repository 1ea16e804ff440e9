//! The items of one side.

use hashbrown::HashMap;
use serde_json::Value;

use super::face::Face;
use crate::domain::{Entity, Id, Inventory, Kind, Locale};
use crate::plan::decide::spread;

/// An item with all its locales.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) id: i64,
    /// The target's name of its container, in lower case.
    pub(super) container: Box<str>,
    /// By locale; `None` where it refers to something that does not exist.
    pub(super) faces: Vec<(Locale, Option<Face>)>,
}

impl Item {
    /// Where it stands in its list, for a choice among equals that is the same each time.
    pub(super) fn rank(&self) -> (i64, i64) {
        let orders = self
            .faces
            .iter()
            .filter_map(|(_, face)| Some(face.as_ref()?.order));
        (orders.min().unwrap_or(i64::MAX), self.id)
    }

    pub(super) fn face(&self, locale: &Locale) -> Option<&Face> {
        let found = self.faces.iter().find(|(other, _)| other == locale);
        found.and_then(|(_, face)| face.as_ref())
    }
}

/// The items of one side, by id.
#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) items: Vec<Item>,
    by_id: HashMap<i64, usize>,
}

impl Side {
    /// The items of `inventory`; `container` gives the target's name of a container.
    pub(super) fn of<I: Id>(
        inventory: &Inventory<I>,
        face: impl Fn(&Entity<I>) -> Option<Face> + Sync,
        container: impl Fn(&str) -> Box<str> + Sync,
    ) -> Self {
        let faces = spread::each(inventory, |_, entity| {
            (entity.key.kind == Kind::Content).then(|| {
                let name = container_name(&entity.body.parse());
                (container(&name), face(entity))
            })
        });
        let mut side = Self::default();
        for (entity, found) in inventory.entities().iter().zip(faces) {
            let (Some((container, face)), Some(locale)) = (found, entity.locale()) else {
                continue;
            };
            let id = entity.key.id.raw();
            let at = *side.by_id.entry(id).or_insert_with(|| {
                side.items.push(Item {
                    id,
                    container,
                    faces: Vec::new(),
                });
                side.items.len() - 1
            });
            side.items[at].faces.push((locale.clone(), face));
        }
        side
    }

    pub(super) fn at(&self, id: i64) -> Option<usize> {
        self.by_id.get(&id).copied()
    }
}

fn container_name(body: &Value) -> String {
    let name = body["properties"]["referenceName"].as_str();
    name.unwrap_or_default().to_owned()
}
