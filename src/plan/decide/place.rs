//! The places of pages: their rows on both sides, and which side moved what since the last agreement.
//!
//! First the row: a page that the source put below another parent goes there, one that the target moved stays where it is,
//! and where both did something else it is a conflict. Then the order within a row (see [`order`]).

use std::collections::{HashMap, HashSet};

use super::chains::{self, Siblings, present};
use super::channels;
use super::held::Held;
use super::lists::Listed;
use super::matching::Match;
use super::order::{self, Entry, Member, Standing, Verdict};
use super::weigh::Place;
use crate::domain::{
    AgreedPlace, Entity, Home, Id as _, Inventory, Key, Kind, Locale, Placement, SourceId, TargetId,
};
use crate::plan::action::{Agreements, PagePlace, PlaceAgreement, Slot};
use crate::plan::graph::Node;
use crate::plan::policy::Policies;

/// The place of one page.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) verdict: Verdict,
    pub(super) place: PagePlace,
}

impl Placed {
    /// What the page itself is decided upon with.
    pub(super) const fn decided(&self) -> Place {
        Place {
            verdict: self.verdict,
            moves: self.place.moves,
        }
    }
}

/// The places of all pages, and of items that stand elsewhere.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// By page; one that no sitemap lists is not in it.
    pub(super) pages: HashMap<Node, Placed>,
    /// By item of a list in which something stands elsewhere.
    pub(super) items: HashMap<Node, Listed>,
    /// The rows on the target as they are going to be.
    pub(super) rows: Vec<Vec<Slot>>,
    /// The first of each pair is saved after the second, if both are.
    pub(super) waits: Vec<(Node, Node)>,
}

/// What the places are found from.
#[derive(Clone, Copy)]
pub(super) struct Sides<'a> {
    pub(super) source: &'a Inventory<SourceId>,
    pub(super) target: &'a Inventory<TargetId>,
    pub(super) agreements: &'a Agreements,
    pub(super) matches: &'a [Match],
    pub(super) policies: &'a Policies,
    /// Pages that stay where they are, because they are not written.
    pub(super) held: &'a Held,
}

/// A row of the target.
type Row = (Locale, Home);

impl<'a> Sides<'a> {
    /// Compares the places of all pages.
    pub(super) fn places(self) -> Places {
        let groups = chains::siblings(self.source);
        let homes: HashMap<Node, Verdict> = groups
            .iter()
            .flat_map(|group| &group.nodes)
            .map(|node| (*node, self.home(*node)))
            .collect();
        let comes = |node: Node| homes.get(&node) == Some(&Verdict::Source);
        let leaving: HashSet<(&Locale, TargetId)> = homes
            .keys()
            .filter(|node| comes(**node))
            .filter_map(|node| Some((self.entity(*node).locale()?, self.there(*node)?.key.id)))
            .collect();
        let mut rows = self.target_rows();
        for (row, pages) in &mut rows {
            pages.retain(|page| !leaving.contains(&(&row.0, *page)));
        }
        let mut places = Places::default();
        for group in &groups {
            self.merge(group, &homes, &rows, &mut places);
        }
        self.find_those_away(&mut places);
        let arriving: HashSet<Node> = homes.keys().copied().filter(|node| comes(*node)).collect();
        for node in &arriving {
            let above = self.ancestors(*node).find(|above| arriving.contains(above));
            places.waits.extend(above.map(|above| (*node, above)));
        }
        places.waits.sort_unstable();
        places.waits.dedup();
        places
    }

    fn entity(self, node: Node) -> &'a Entity<SourceId> {
        &self.source.entities()[node as usize]
    }

    /// Whether the source wins where both sides moved it.
    pub(super) fn overwrites(self, node: Node) -> bool {
        self.policies.overwrites(self.entity(node))
    }

    fn there(self, node: Node) -> Option<&'a Entity<TargetId>> {
        present(self.entity(node), &self.matches[node as usize], self.target)
    }

    fn agreed(self, node: Node) -> Option<&'a AgreedPlace> {
        let agreement = self.agreements.get(&self.entity(node).key)?;
        agreement.place.as_deref()
    }

    /// Whether the page stands in the row where the source has it, and else which side moved it. [`Verdict::Source`] means
    /// that it goes there.
    fn home(self, node: Node) -> Verdict {
        let Some(there) = self.there(node) else {
            return Verdict::Agrees;
        };
        let Some(placement) = self.entity(node).placement.as_deref() else {
            return Verdict::Agrees;
        };
        let stands = there.placement.as_deref().map(Home::of);
        if stands.is_some() && stands == self.expected(self.entity(node), placement) {
            return Verdict::Agrees;
        }
        let verdict = match (self.agreed(node), stands) {
            (None, Some(_)) => Verdict::Unknown,
            // No sitemap lists it, so an editor cannot have given it a place.
            (_, None) => Verdict::Source,
            // It was put somewhere, and never seen there.
            (Some(agreed), Some(_)) if agreed.owed => Verdict::Source,
            (Some(agreed), Some(stands)) => {
                match (
                    agreed.source != Home::of(placement),
                    agreed.target != stands,
                ) {
                    (true, true) => Verdict::Both,
                    (false, true) => Verdict::Target,
                    // Neither side moved it: its parent has another counterpart now.
                    (_, false) => Verdict::Source,
                }
            }
        };
        match verdict {
            Verdict::Source | Verdict::Both | Verdict::Unknown if self.held.contains(node) => {
                Verdict::Held
            }
            Verdict::Both | Verdict::Unknown if self.overwrites(node) => Verdict::Source,
            verdict => verdict,
        }
    }

    /// The row on the target that the page belongs to; `None` while its parent is not there.
    fn expected(self, page: &Entity<SourceId>, placement: &Placement) -> Option<Home> {
        let present = self
            .source
            .position(&page.key)
            .and_then(|node| self.there(node));
        let channel = channels::channel_id(page, present, self.target)?;
        let Some(parent) = placement.parent else {
            return Some(Home {
                channel,
                parent: None,
            });
        };
        let parent = self.source.position(&parent_key(page, parent))?;
        let parent = self.there(parent)?;
        Some(Home {
            channel,
            parent: Some(parent.key.id.raw()),
        })
    }

    fn ancestors(self, node: Node) -> impl Iterator<Item = Node> + 'a {
        let parent = move |node: &Node| {
            let page = self.entity(*node);
            let parent = page.placement.as_ref()?.parent?;
            self.source.position(&parent_key(page, parent))
        };
        // A tree is never deeper than it has nodes; a cycle of parents must not hang us.
        let most = self.source.of_kind(Kind::Page).len();
        std::iter::successors(parent(&node), parent).take(most)
    }

    /// Every row of the target in display order.
    fn target_rows(self) -> HashMap<Row, Vec<TargetId>> {
        let id = |at: &u32| self.target.entities()[*at as usize].key.id;
        let rows = self.target.page_rows().into_iter();
        rows.map(|(row, pages)| (row, pages.iter().map(id).collect()))
            .collect()
    }

    fn merge(
        self,
        group: &Siblings,
        homes: &HashMap<Node, Verdict>,
        rows: &HashMap<Row, Vec<TargetId>>,
        places: &mut Places,
    ) {
        let Some((page, placement)) = group
            .nodes
            .first()
            .map(|node| self.entity(*node))
            .and_then(|page| Some((page, page.placement.as_deref()?)))
        else {
            return;
        };
        let expected = self.expected(page, placement);
        let row = expected.zip(page.locale());
        let row = row.and_then(|(home, locale)| rows.get(&(locale.clone(), home)));
        let there = row.map_or(&[][..], Vec::as_slice);
        let positions: HashMap<TargetId, usize> =
            there.iter().enumerate().map(|(at, id)| (*id, at)).collect();
        let members: Vec<Member> = group
            .nodes
            .iter()
            .map(|node| self.member(*node, expected, homes[node], &positions))
            .collect();
        // The order is that of the whole row.
        let overwrite = group.nodes.iter().all(|node| self.overwrites(*node));
        let merged = order::merge(&members, there.len(), overwrite);
        let number = u32::try_from(places.rows.len()).unwrap_or(u32::MAX);
        for (at, node) in group.nodes.iter().enumerate() {
            let entry = merged
                .row
                .iter()
                .position(|entry| *entry == Entry::Member(at));
            let verdict = match homes[node] {
                Verdict::Both | Verdict::Unknown | Verdict::Held => homes[node],
                _ if members[at].held => Verdict::Held,
                _ if members[at].standing == Standing::New => Verdict::Agrees,
                _ => merged.verdicts[at],
            };
            let kept = entry
                .is_none()
                .then(|| self.there(*node)?.placement.as_deref());
            let place = PagePlace {
                at: entry.map(|entry| (number, u32::try_from(entry).unwrap_or(u32::MAX))),
                present: self.there(*node).map(|there| there.key.id),
                kept: kept.flatten().map(Home::of),
                moves: merged.moves[at],
                place_only: false,
                before: None,
                rank: merged.ranks[at],
                agreement: match verdict {
                    Verdict::Agrees | Verdict::Source => PlaceAgreement::Renewed,
                    Verdict::Both if homes[node] == Verdict::Agrees => PlaceAgreement::Disputed,
                    Verdict::Target | Verdict::Both | Verdict::Unknown | Verdict::Held => {
                        PlaceAgreement::Kept
                    }
                },
            };
            places.pages.insert(*node, Placed { verdict, place });
        }
        if let Some(end) = merged.end {
            let first = group.nodes[end.first];
            let last = end.last.and_then(|last| self.there(group.nodes[last]));
            if let Some(placed) = places.pages.get_mut(&first) {
                placed.place.before = last.map(|last| last.key.id);
            }
            let behind = end.behind.iter().map(|at| (group.nodes[*at], first));
            places.waits.extend(behind);
        }
        let slot = |entry: &Entry| match entry {
            Entry::Member(at) => Slot::Page(group.nodes[*at]),
            Entry::Other(at) => Slot::Other(there[*at]),
        };
        places.rows.push(merged.row.iter().map(slot).collect());
    }

    fn member(
        self,
        node: Node,
        expected: Option<Home>,
        home: Verdict,
        positions: &HashMap<TargetId, usize>,
    ) -> Member {
        let placement = self.entity(node).placement.as_deref();
        let here = placement.map(Home::of);
        let agreed = self
            .agreed(node)
            .filter(|agreed| Some(agreed.source) == here);
        let there = self.there(node);
        let standing = match (there, home) {
            (None, _) => Standing::New,
            (Some(_), Verdict::Source) => Standing::Arrives,
            (Some(_), Verdict::Target | Verdict::Both | Verdict::Unknown | Verdict::Held) => {
                Standing::Away
            }
            (Some(there), Verdict::Agrees) => positions
                .get(&there.key.id)
                .map_or(Standing::Arrives, |at| Standing::Here(*at)),
        };
        let is_here = matches!(standing, Standing::Here(_));
        // Agreed upon in this row on both sides, or it says nothing about the order here.
        let agreed = agreed.filter(|agreed| !is_here || Some(agreed.target) == expected);
        let is_new = matches!(standing, Standing::New | Standing::Arrives);
        let owed = is_here && agreed.is_some_and(|agreed| agreed.owed);
        Member {
            standing,
            agreed: agreed
                .filter(|agreed| !is_new && !owed && !agreed.disputed)
                .map(|agreed| agreed.rank),
            owed,
            held: self.held.contains(node),
        }
    }

    /// Pages that stay in a row of the target where the source does not have them keep their place in it.
    fn find_those_away(self, places: &mut Places) {
        let mut slots: HashMap<(&Locale, TargetId), (u32, u32)> = HashMap::new();
        for (number, row) in (0..).zip(&places.rows) {
            let locale = row.iter().find_map(|slot| match slot {
                Slot::Page(node) => self.entity(*node).locale(),
                Slot::Other(_) => None,
            });
            let Some(locale) = locale else { continue };
            for (at, slot) in (0..).zip(row) {
                if let Slot::Other(id) = slot {
                    slots.insert((locale, *id), (number, at));
                }
            }
        }
        for (node, placed) in &mut places.pages {
            if let (None, Some(id), Some(locale)) = (
                placed.place.at,
                placed.place.present,
                self.entity(*node).locale(),
            ) {
                placed.place.at = slots.get(&(locale, id)).copied();
            }
        }
    }
}

fn parent_key(page: &Entity<SourceId>, parent: i64) -> Key<SourceId> {
    Key {
        kind: Kind::Page,
        id: SourceId::new(parent),
        locale: page.key.locale.clone(),
    }
}
