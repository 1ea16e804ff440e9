//! Notices of a plan, besides what happens to each entity.
//!
//! A notice is one sentence about one entity. It follows the reason of the entity, and so is in every list of the plan,
//! in the events and in the report. It is reported as a warning of its own; many of one kind are reported together.

use super::Node;
use crate::domain::{Inventory, SourceId};

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Concern {
    /// Something that the target has is taken away.
    TakenAway,
    /// A reference leads nowhere on the source and is left out.
    LeadsNowhere,
    /// A whole list is referred to and is not in the selection.
    ListLeftOut,
    /// The state names a counterpart that the target contradicts.
    MappedAnew,
}

/// One sentence about one entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The entity.
    pub node: Node,
    /// What it is about.
    pub about: Concern,
    /// The sentence, which goes on from "it".
    pub text: String,
}

/// Maximum number of notices of one kind that are shown one by one.
const ONE_BY_ONE: usize = 5;

/// The warnings that these notices make.
pub fn warnings(notices: &[Notice], source: &Inventory<SourceId>) -> Vec<String> {
    let kinds = [
        Concern::TakenAway,
        Concern::LeadsNowhere,
        Concern::ListLeftOut,
        Concern::MappedAnew,
    ];
    let of_kind = |about: Concern| {
        let told: Vec<String> = notices
            .iter()
            .filter(|notice| notice.about == about)
            .map(|notice| {
                let key = &source.entities()[notice.node as usize].key;
                format!("{key}: {}", notice.text)
            })
            .collect();
        match told.get(ONE_BY_ONE) {
            None => told,
            Some(_) => vec![grouped(about, &told)],
        }
    };
    kinds.into_iter().flat_map(of_kind).collect()
}

fn grouped(about: Concern, told: &[String]) -> String {
    let what = match about {
        Concern::TakenAway => "entities take something away from the target",
        Concern::LeadsNowhere => {
            "entities have references that lead nowhere on the source and are left out"
        }
        Concern::ListLeftOut => "entities refer to whole lists that are not in the selection",
        Concern::MappedAnew => "mappings of the state are contradicted by the target and replaced",
    };
    format!("{} {what}, such as {}", told.len(), told[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Guid, Kind};
    use crate::plan::testing::entity;
    use serde_json::json;

    #[test]
    fn many_of_a_kind_are_told_at_once() {
        let assets = (1..9).map(|id| entity(Kind::Asset, id, &json!({})));
        let source = Inventory::empty(Guid::new("1a2b3c4d-u")).with_entities(assets.collect());
        let notice = |node| Notice {
            node,
            about: Concern::LeadsNowhere,
            text: "it goes without its gallery".to_owned(),
        };
        let few: Vec<Notice> = (0..2).map(notice).collect();
        assert_eq!(
            warnings(&few, &source),
            [
                "asset:1: it goes without its gallery",
                "asset:2: it goes without its gallery"
            ]
        );
        let many: Vec<Notice> = (0..6).map(notice).collect();
        assert_eq!(
            warnings(&many, &source),
            [
                "6 entities have references that lead nowhere on the source and are left out, such as \
                 asset:1: it goes without its gallery"
            ]
        );
    }
}
