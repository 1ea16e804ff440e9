//! Paths of assets that cannot be sent, and those that two assets would share.
//!
//! An upload overwrites what is at its path. So of two assets whose paths are equal for the strictest server, the one whose
//! counterpart is there keeps the path, otherwise the first; the other one is not sent.

use std::collections::HashMap;

use super::make::Inputs;
use super::matching::Match;
use crate::domain::{Entity, Failure, Kind, SourceId, name_key, unsendable};
use crate::plan::action::{Action, Planned};
use crate::plan::graph::Node;

/// Fails the assets that cannot be uploaded to their paths.
pub(super) fn refuse(entities: &mut [Planned], inputs: &Inputs<'_>, matches: &[Match]) {
    let assets: Vec<(Node, &Entity<SourceId>)> = (0..)
        .zip(inputs.source.entities())
        .filter(|(_, entity)| entity.key.kind == Kind::Asset)
        .collect();
    let stays = |node: Node, entity: &Entity<SourceId>| {
        let there = matches[node as usize].entity(&entity.key, inputs.target);
        there.is_some_and(|there| name_key(&there.name) == name_key(&entity.name))
    };
    let mut owners: HashMap<Box<str>, Node> = HashMap::new();
    for (node, entity) in &assets {
        if stays(*node, entity) {
            owners.entry(name_key(&entity.name)).or_insert(*node);
        }
    }
    for (node, entity) in assets {
        if !entities[node as usize].action.is_work() {
            continue;
        }
        let because = if let Some(why) = unsendable(&entity.name) {
            // The quotes keep it one cause, whatever is wrong with each path.
            format!(
                "the path {:?} would not arrive as it is: \"{why}\"; rename the file on the source",
                entity.name
            )
        } else if stays(node, entity) {
            continue;
        } else {
            let owner = *owners.entry(name_key(&entity.name)).or_insert(node);
            if owner == node {
                continue;
            }
            let owner = &inputs.source.entities()[owner as usize].key;
            format!(
                "the path {:?} is that of {owner} as well, where case and Unicode form do not count: one file would be \
                 written over the other; rename one of the two on the source",
                entity.name
            )
        };
        let planned = &mut entities[node as usize];
        planned.action = Action::Fail {
            cause: Failure::Refused,
        };
        planned.because = because.into();
    }
}
