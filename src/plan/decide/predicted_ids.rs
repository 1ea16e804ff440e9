//! Counterparts as they will be after the run.
//!
//! Entities that are going to be created get provisional ids, far above any id of a server. So the plan can write every
//! entity as the run will, and compare it with what is on the target.

use hashbrown::HashMap;

use super::left::{is_in_other_folder, mapped};
use super::matching::Match;
use crate::domain::{
    AssetContainer, AssetUrls, ByName, Id, Inventory, Kind, Locale, SourceId, TargetId, TargetKey,
    same_name,
};
use crate::plan::action::{Action, Agreements, Planned};
use crate::plan::graph::Node;
use crate::plan::{Counterparts, asset_urls};

/// Where provisional ids start.
const PROVISIONAL: i64 = i64::MAX / 2;

/// The counterparts that agreements name.
pub(super) fn ids(
    agreements: &Agreements,
) -> impl Iterator<Item = (Kind, SourceId, TargetId)> + '_ {
    let rows = agreements.iter();
    rows.map(|(key, agreement)| (key.kind, key.id, agreement.target))
}

/// The entity that a provisional id stands for; `None` of an id of the target.
pub(in crate::plan) fn provisional(id: i64) -> Option<Node> {
    Node::try_from(id.checked_sub(PROVISIONAL)?).ok()
}

/// Where every entity of the source is going to be.
pub(in crate::plan) struct PredictedIds<'a> {
    ids: HashMap<(Kind, i64), TargetId>,
    names: ByName<Box<str>>,
    urls: HashMap<i64, AssetUrls>,
    target: &'a Inventory<TargetId>,
}

impl<'a> PredictedIds<'a> {
    /// As the actions of a plan say. `known` has what else is known, such as locales that the plan leaves out.
    pub(in crate::plan) fn of_plan(
        sides: (&Inventory<SourceId>, &'a Inventory<TargetId>),
        known: impl Iterator<Item = (Kind, SourceId, TargetId)>,
        entities: &[Planned],
    ) -> Self {
        let matches = entities.iter().map(|planned| match &planned.action {
            Action::Create { joins: Some(there) } => {
                Match::Joins(there.target, there.locale.clone())
            }
            action => action.counterpart().map_or(Match::None, Match::Mapped),
        });
        let matches: Vec<Match> = matches.collect();
        Self::new(sides, known, &matches, |_| false)
    }

    /// `keeps_name`: whether the counterpart of an entity keeps a name that differs.
    pub(super) fn new(
        (source, target): (&Inventory<SourceId>, &'a Inventory<TargetId>),
        known: impl Iterator<Item = (Kind, SourceId, TargetId)>,
        matches: &[Match],
        keeps_name: impl Fn(Node) -> bool,
    ) -> Self {
        let mut map = Self {
            ids: HashMap::new(),
            names: ByName::default(),
            urls: HashMap::new(),
            target,
        };
        map.ids
            .extend(known.map(|(kind, id, target)| ((kind, id.raw()), target)));
        for (number, (entity, found)) in (0_u32..).zip(source.entities().iter().zip(matches)) {
            let raw = (entity.key.kind, entity.key.id.raw());
            let there = match found {
                Match::Mapped(id) | Match::Natural(id) | Match::Joins(id, _) => Some(*id),
                Match::Gone(_) | Match::Left(_) | Match::OtherType(_) | Match::None => None,
            };
            match there {
                Some(id) => map.insert_known(raw, &entity.name, (id, keeps_name(number))),
                // Another locale of the same item may have given the id already, unless it is gone.
                None if matches!(found, Match::Gone(_) | Match::Left(_)) => {
                    map.ids
                        .insert(raw, TargetId::new(PROVISIONAL + i64::from(number)));
                }
                None => {
                    map.ids
                        .entry(raw)
                        .or_insert_with(|| TargetId::new(PROVISIONAL + i64::from(number)));
                }
            }
            // A file that is moved to another folder has the addresses of that one.
            let moves = mapped(entity, found, target).is_some_and(|there| {
                entity.key.kind == Kind::Asset && is_in_other_folder(entity, there)
            });
            if there.is_none() || moves {
                map.insert_predicted(raw, &entity.name);
            }
        }
        map.insert_passed(source);
        map
    }

    fn insert_known(&mut self, raw: (Kind, i64), name: &str, (id, keeps_name): (TargetId, bool)) {
        self.ids.insert(raw, id);
        let there = TargetKey {
            kind: raw.0,
            id,
            locale: None,
        };
        if raw.0.is_localised() {
            return;
        }
        if let Some(entity) = self.target.get(&there) {
            if raw.0.is_named() {
                let renamed = !keeps_name && !same_name(name, &entity.name);
                let then = if renamed { name } else { &entity.name };
                self.names.insert(raw.0, name, then.into());
            }
            if raw.0 == Kind::Asset
                && let Some(urls) = asset_urls(&entity.body.parse())
            {
                self.urls.insert(raw.1, urls);
            }
        }
    }

    /// A new entity keeps its name, and a new asset its path below the target's container.
    fn insert_predicted(&mut self, raw: (Kind, i64), name: &str) {
        if raw.0.is_named() {
            self.names.insert(raw.0, name, name.into());
        }
        if raw.0 == Kind::Asset {
            let container = &self.target.asset_container;
            let below = |prefix: &str| format!("{prefix}/{name}").into();
            let urls = AssetUrls {
                origin: below(&container.origin_url),
                edge: below(&container.edge_url),
            };
            self.urls.insert(raw.1, urls);
        }
    }

    /// Built-in models and containers stand for themselves.
    fn insert_passed(&mut self, source: &Inventory<SourceId>) {
        for (kind, id, counterpart) in super::built_ins(source, self.target) {
            self.ids.insert((kind, id), TargetId::new(counterpart.id));
            self.names
                .insert(kind, &counterpart.name, counterpart.name.clone());
        }
    }
}

impl Counterparts for PredictedIds<'_> {
    fn id(&self, kind: Kind, id: i64, _locale: Option<&Locale>) -> Option<TargetId> {
        self.ids.get(&(kind, id)).copied()
    }

    fn name(&self, kind: Kind, source_name: &str) -> Option<Box<str>> {
        self.names.get(kind, source_name).cloned()
    }

    fn asset_urls(&self, id: i64) -> Option<AssetUrls> {
        self.urls.get(&id).cloned()
    }

    fn asset_container(&self) -> &AssetContainer {
        &self.target.asset_container
    }
}
