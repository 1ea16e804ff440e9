//! What others do to the two instances, between runs and during them.

use std::collections::BTreeSet;

use lockgate::domain::Kind;
use lockgate::event::Side;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use serde_json::json;

use crate::double::{Row, RowKey, World};

/// An edit of one instance. What it is about is chosen by number from what there is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edit {
    pub(crate) side: Side,
    pub(crate) what: What,
    pub(crate) kind: Kind,
    pub(crate) pick: usize,
    pub(crate) word: u32,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A text says something else.
    Retitle,
    /// It has another name.
    Rename,
    /// It has the name of the next one of its kind, which has its name.
    Swap,
    /// There is another item that says the same.
    Twin,
    /// It goes, if nothing refers to it.
    Delete,
}

/// Kinds with texts that are no references.
const KINDS: [Kind; 6] = [
    Kind::Content,
    Kind::Content,
    Kind::Page,
    Kind::Gallery,
    Kind::Container,
    Kind::Redirection,
];

impl Edit {
    pub(crate) fn draw(dice: &mut ChaCha8Rng) -> Self {
        let side = *[Side::Source, Side::Target].choose(dice).unwrap();
        let what = match dice.random_range(0..10) {
            0..5 => What::Retitle,
            5 if side == Side::Source => What::Rename,
            6 if side == Side::Source => What::Swap,
            7 => What::Delete,
            _ => What::Twin,
        };
        Self {
            side,
            what,
            kind: match what {
                What::Retitle => *KINDS.choose(dice).unwrap(),
                What::Rename | What::Swap => Kind::Gallery,
                What::Twin => Kind::Content,
                What::Delete => *[Kind::Content, Kind::Redirection].choose(dice).unwrap(),
            },
            pick: dice.random_range(0..1_000),
            word: dice.random_range(0..4),
        }
    }

    /// Does it, and names the rows that are not what they were.
    pub(crate) fn apply(self, world: &mut World) -> Vec<RowKey> {
        let keys: Vec<RowKey> = world.of_kind(self.kind).map(Row::key).collect();
        let Some(key) = keys.get(self.pick % keys.len().max(1)).cloned() else {
            return Vec::new();
        };
        match self.what {
            What::Retitle => self.retitle(world, &key),
            What::Rename => rename(world, &key, &format!("renamed {}", self.word)),
            What::Swap => {
                let other = keys[(self.pick + 1) % keys.len()].clone();
                swap(world, key, other)
            }
            What::Twin => twin(world, &key),
            What::Delete => delete(world, &key),
        }
    }

    /// Few words, so that both sides now and then write the same.
    fn retitle(self, world: &mut World, key: &RowKey) -> Vec<RowKey> {
        let text = json!(format!("words {}", self.word));
        let row = world.rows.get_mut(key).unwrap();
        match self.kind {
            Kind::Content => row.body["fields"]["title"] = text,
            Kind::Gallery => row.body["description"] = text,
            Kind::Redirection => row.body["destinationUrl"] = json!(format!("~/to-{}", self.word)),
            Kind::Page | Kind::Container => row.body["title"] = text,
            Kind::Model | Kind::Template | Kind::Asset => {}
        }
        row.version += 1;
        vec![key.clone()]
    }
}

fn rename(world: &mut World, key: &RowKey, name: &str) -> Vec<RowKey> {
    if world.of_kind(key.0).any(|row| row.name == name) {
        return Vec::new();
    }
    give_name(world, key, name);
    vec![key.clone()]
}

fn give_name(world: &mut World, key: &RowKey, name: &str) {
    let row = world.rows.get_mut(key).unwrap();
    name.clone_into(&mut row.name);
    row.body["name"] = name.into();
}

fn swap(world: &mut World, one: RowKey, other: RowKey) -> Vec<RowKey> {
    let (first, second) = (
        world.rows[&one].name.clone(),
        world.rows[&other].name.clone(),
    );
    give_name(world, &one, &second);
    give_name(world, &other, &first);
    vec![one, other]
}

/// Copies an item in one locale.
fn twin(world: &mut World, key: &RowKey) -> Vec<RowKey> {
    let mut row = world.rows[key].clone();
    row.id = world.new_id(Kind::Content);
    row.name = format!("copy {}", row.id);
    row.body["contentID"] = row.id.into();
    row.live = None;
    let key = row.key();
    world.rows.insert(key.clone(), row);
    vec![key]
}

fn delete(world: &mut World, key: &RowKey) -> Vec<RowKey> {
    let number = key.1.to_string();
    let others = world.rows.values().filter(|row| row.key() != *key);
    let texts: BTreeSet<String> = others.map(|row| row.body.to_string()).collect();
    if texts.iter().any(|text| text.contains(&number)) {
        return Vec::new();
    }
    world.delete(key);
    vec![key.clone()]
}
