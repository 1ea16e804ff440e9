//! Computes what a plan changes.

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroUsize;

use super::changes::changes;
use super::effort::{Effort, EffortLimits};
use super::media::{self, FileChange, Files};
use super::names::{Names, called};
use super::{Change, Deferred, Entry, Gone, Group, Overview, Removed};
use crate::domain::{
    Entity, EntityKey, Inventory, Kind, Locale, SourceId, TargetId, TargetKey, editor_url, redact,
};
use crate::plan::action::{Plan, Planned};
use crate::plan::approved::Intended;
use crate::plan::decide::predicted_ids::PredictedIds;
use crate::plan::graph::Node;
use crate::plan::merge::Merged;
use crate::plan::normal::{normal, without};
use crate::plan::notice::Concern;
use crate::plan::payload::whole_payload;
use crate::plan::policy::Policies;
use crate::plan::prune::Prune;
use crate::plan::undo::{Kept, Trace};
use crate::plan::{AssetIndex, Context, LinkForms, Schema, container_of, number_in_list};

/// What an overview is made from.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The instance that is read from.
    pub source: &'a Inventory<SourceId>,
    /// The instance that is written to, as it is before.
    pub target: &'a Inventory<TargetId>,
    /// Every pair that the state has.
    pub mapped: &'a [(EntityKey, TargetId)],
    /// What is never written.
    pub policies: &'a Policies,
    /// What was mapped, one sentence each.
    pub maps: &'a [String],
    /// Locales that have another name on the target: that of the source, and that of the target.
    pub locales: &'a [(Locale, Locale)],
    /// What is known of the bytes of assets.
    pub files: &'a Files,
    /// What is published afterwards.
    pub published: &'a [Node],
    /// What is unpublished before that.
    pub withdrawn: &'a [Node],
    /// What is not unpublished although the source did that.
    pub still_public: usize,
    /// What is deleted after that.
    pub prune: &'a Prune,
    /// The webhooks of the target that are enabled.
    pub webhooks: &'a [String],
    /// Whether they are switched off meanwhile.
    pub pauses_webhooks: bool,
    /// What limits a run.
    pub limits: EffortLimits,
}

impl Overview {
    /// What a plan changes. The same inputs give the same overview.
    pub fn of(seen: &Seen<'_>) -> Self {
        let of_source = Schema::of(seen.source);
        let assets = AssetIndex::of(seen.source);
        let mapped = seen.mapped.iter();
        let mapped = mapped.map(|(key, target)| (key.kind, key.id, *target));
        let sides = (seen.source, seen.target);
        let maker = Maker {
            seen,
            context: Context {
                schema: &of_source,
                assets: &assets,
                policies: Some(seen.policies),
                merged: Some(&Merged::of(&seen.plan.entities, seen.source)),
                links: LinkForms::default(),
            },
            target_schema: &Schema::of(seen.target),
            counterparts: &PredictedIds::of_plan(sides, mapped, &seen.plan.entities),
        };
        let mut overview = Self {
            source: seen.source.guid.clone(),
            target: seen.target.guid.clone(),
            counts: Vec::new(),
            groups: Vec::new(),
            removed: removed(seen),
            deferred: deferred(seen),
            published: seen
                .published
                .iter()
                .map(|node| seen.named(*node))
                .collect(),
            below_drafts: NonZeroUsize::new(seen.below_drafts()),
            withdrawn: seen
                .withdrawn
                .iter()
                .map(|node| seen.named(*node))
                .collect(),
            still_public: seen.still_public,
            drafts: seen.drafts(),
            deleted: seen.deleted(),
            gone: seen.gone(),
            webhooks: seen.webhooks.to_vec(),
            pauses_webhooks: seen.pauses_webhooks,
            selected: seen.selected(),
            maps: seen
                .maps
                .iter()
                .map(|told| redact(told).into_owned())
                .collect(),
            effort: Effort::of(
                seen.plan,
                seen.source,
                // Two saves come with each of those below a draft.
                seen.published.len() + 2 * seen.below_drafts(),
                seen.limits,
            ),
        };
        maker.fill(&mut overview);
        overview
    }

    /// How many entities have this action.
    pub fn count(&self, action: Intended) -> usize {
        let all = self.counts.iter().flat_map(|(_, counts)| counts);
        let wanted = all.filter(|(of, _)| *of == action);
        wanted.map(|(_, count)| count).sum()
    }

    /// Whether a run would write nothing and leave nothing open.
    pub fn is_nothing(&self) -> bool {
        let publishes = !self.published.is_empty() || !self.withdrawn.is_empty();
        self.groups.is_empty() && !publishes && self.deleted.is_empty()
    }
}

impl Seen<'_> {
    fn entity(&self, node: Node) -> &Entity<SourceId> {
        &self.source.entities()[node as usize]
    }

    /// The key of an entity with the locale that the source has it in.
    fn read_key(&self, key: &EntityKey) -> EntityKey {
        let mut read = key.clone();
        let mut maps = self.locales.iter();
        if let Some((here, _)) = maps.find(|(_, there)| Some(there) == key.locale.as_ref()) {
            read.locale = Some(here.clone());
        }
        read
    }

    fn named(&self, node: Node) -> (EntityKey, String) {
        let entity = self.entity(node);
        (entity.key.clone(), called(entity))
    }

    /// How many entities were asked for, how many more are needed, and why the first of those is.
    fn selected(&self) -> Option<String> {
        let selected = self.plan.selected?;
        let (asked, needed) = (selected.asked, selected.needed);
        let (verb, more) = (
            if asked == 1 { "entity" } else { "entities" },
            if needed == 1 { "is" } else { "are" },
        );
        let Some((one, by)) = selected.example else {
            return Some(format!(
                "{asked} {verb} asked for, and nothing else is needed"
            ));
        };
        let ((one, name), (by, of)) = (self.named(one), self.named(by));
        Some(format!(
            "{asked} {verb} asked for, {needed} more {more} needed: such as {one} {name} because of {by} {of}"
        ))
    }

    fn deleted(&self) -> Vec<Gone> {
        let deleted = self.prune.deletes();
        deleted.map(|trace| self.left_over(trace, None)).collect()
    }

    /// What stays on the target although the source no longer has it.
    fn gone(&self) -> Vec<Gone> {
        if self.prune.traces.is_empty() {
            let mapped = self.mapped.iter().map(|(key, id)| (key, *id));
            return gone(self.plan, (self.source, self.target), mapped);
        }
        let kept = self.prune.kept();
        kept.map(|(trace, why)| self.left_over(trace, Some(why)))
            .collect()
    }

    fn left_over(&self, trace: &Trace, kept: Option<&Kept>) -> Gone {
        let there = self.target.get(&trace.there);
        Gone {
            key: trace.key.clone(),
            target: trace.there.id,
            name: there.map_or_else(|| trace.name.clone(), called),
            because: kept.map(|why| redact(&why.to_string()).into_owned()),
            conflict: matches!(kept, Some(Kept::Changed { .. })),
        }
    }

    /// How many are published in another version than their newest one.
    fn below_drafts(&self) -> usize {
        let published = self.published.iter();
        let below = published.filter(|node| self.plan.entities[**node as usize].public.is_some());
        below.count()
    }

    /// What is written, is published on the source, and is not published afterwards.
    fn drafts(&self) -> usize {
        let published: HashSet<Node> = self.published.iter().copied().collect();
        let entities = (0..).zip(self.plan.entities.iter().zip(self.source.entities()));
        let drafts = entities.filter(|(node, (planned, entity))| {
            planned.action.is_work() && entity.is_published() && !published.contains(node)
        });
        drafts.count()
    }
}

struct Maker<'a> {
    seen: &'a Seen<'a>,
    context: Context<'a>,
    target_schema: &'a Schema,
    counterparts: &'a PredictedIds<'a>,
}

/// Actions of one kind or group.
type Counts = BTreeMap<Intended, usize>;

impl Maker<'_> {
    fn fill(&self, overview: &mut Overview) {
        let mut kinds: BTreeMap<Kind, Counts> = BTreeMap::new();
        let mut groups: BTreeMap<(Kind, Option<String>), (Counts, Vec<Entry>)> = BTreeMap::new();
        let entities = self.seen.source.entities().iter();
        for (node, (entity, planned)) in (0..).zip(entities.zip(&self.seen.plan.entities)) {
            let Some(action) = Intended::of(planned) else {
                continue;
            };
            let kind = entity.key.kind;
            *kinds.entry(kind).or_default().entry(action).or_default() += 1;
            let group = groups.entry((kind, container(entity))).or_default();
            *group.0.entry(action).or_default() += 1;
            if action != Intended::Unchanged {
                group.1.push(self.entry(node, entity, planned, action));
            }
        }
        for deleted in &overview.deleted {
            let kind = kinds.entry(deleted.key.kind).or_default();
            *kind.entry(Intended::Delete).or_default() += 1;
        }
        let listed = |counts: Counts| counts.into_iter().collect::<Vec<_>>();
        overview.counts = kinds
            .into_iter()
            .map(|(kind, counts)| (kind, listed(counts)))
            .collect();
        let groups = groups
            .into_iter()
            .filter(|(_, (_, entries))| !entries.is_empty());
        overview.groups = groups
            .map(|((kind, container), (counts, entries))| Group {
                kind,
                container,
                counts: listed(counts),
                entries,
            })
            .collect();
    }

    fn entry(
        &self,
        node: Node,
        entity: &Entity<SourceId>,
        planned: &Planned,
        action: Intended,
    ) -> Entry {
        let target = planned.action.counterpart();
        let there = target.and_then(|id| self.seen.target.get(&entity.key.with_id(id)));
        let is_shown = matches!(
            action,
            Intended::Update | Intended::Conflict | Intended::LeftAlone
        );
        let mut changes = Vec::new();
        if let Some(there) = there.filter(|_| is_shown) {
            if !planned.is_place_only() {
                changes = self.changes(entity, there, planned);
            }
            changes.extend(self.place(entity, there, planned));
            if changes.is_empty() {
                changes.extend(number(entity, there, planned));
            }
        }
        let file = FileChange::of((entity, there), action, self.seen.files);
        changes.extend(file.map(Change::File));
        let (source, target_guid) = (&self.seen.source.guid, &self.seen.target.guid);
        Entry {
            node,
            key: entity.key.clone(),
            name: redact(&entity.name).into_owned(),
            action,
            target,
            because: redact(&planned.because).into_owned(),
            evidence: planned.evidence.as_ref().map(ToString::to_string),
            kept: planned
                .merge
                .as_ref()
                .map_or_else(Vec::new, |merge| merge.kept.to_vec()),
            changes,
            source_url: editor_url(source, &self.seen.read_key(&entity.key)),
            target_url: there.and_then(|there| editor_url(target_guid, &there.key)),
        }
    }

    fn changes(
        &self,
        entity: &Entity<SourceId>,
        there: &Entity<TargetId>,
        planned: &Planned,
    ) -> Vec<Change> {
        let kind = entity.key.kind;
        let existing = there.body.parse();
        let written = whole_payload(entity, &self.context, self.counterparts, Some(&existing));
        // What refers to something without a counterpart is not written.
        let Ok(written) = written else {
            return Vec::new();
        };
        let expected = normal(kind, &written.body, self.context.schema);
        let found = without(normal(kind, &existing, self.target_schema), &planned.filled);
        let model = existing["properties"]["definitionName"].as_str();
        let names = Names {
            source: self.seen.source,
            target: self.seen.target,
            locale: entity.locale(),
            model: model.and_then(|name| self.target_schema.model(name)),
        };
        let mut changes = changes(&found, &expected, &names);
        if kind == Kind::Asset {
            // A file is shown as one.
            changes.retain(|change| change.field() != "size");
        }
        changes
    }

    /// Where a page stands, and where it goes.
    fn place(
        &self,
        entity: &Entity<SourceId>,
        there: &Entity<TargetId>,
        planned: &Planned,
    ) -> Option<Change> {
        let place = planned.place.as_ref().filter(|place| place.moves)?;
        let placement = entity.placement.as_deref()?;
        let (row, at) = place.at?;
        let position = |at: u32| at.saturating_add(1);
        let below = |path: Option<String>| path.unwrap_or_else(|| "the root".to_owned());
        let locale = entity.locale();
        let parent = placement.parent.and_then(|parent| {
            let key = EntityKey::localised(Kind::Page, parent, locale?);
            self.seen.source.get(&key).map(called)
        });
        let slots = self.seen.plan.rows.get(row as usize).map_or(0, Vec::len);
        let becomes = format!("place {} of {slots} below {}", position(at), below(parent));
        let was = there.placement.as_deref().map(|stands| {
            let parent = stands.parent.and_then(|parent| {
                let key = TargetKey::localised(Kind::Page, parent, locale?);
                self.seen.target.get(&key).map(called)
            });
            format!(
                "place {} below {}",
                position(stands.position),
                below(parent)
            )
        });
        Some(Change::Value {
            field: "place".to_owned(),
            was,
            becomes: Some(becomes),
        })
    }
}

impl Change {
    /// The field that it is about.
    pub fn field(&self) -> &str {
        match self {
            Self::Value { field, .. } | Self::List { field, .. } => field,
            Self::File(_) => media::FIELD,
        }
    }
}

/// The numbers of an item that is written for its place in a list and nothing else.
fn number(
    entity: &Entity<SourceId>,
    there: &Entity<TargetId>,
    planned: &Planned,
) -> Option<Change> {
    if entity.key.kind != Kind::Content || planned.keeps_number.is_some() {
        return None;
    }
    let (_, was) = number_in_list(&there.body)?;
    let (list, becomes) = number_in_list(&entity.body)?;
    (was != becomes).then(|| Change::Value {
        field: format!("number in {list}"),
        was: Some(was.to_string()),
        becomes: Some(becomes.to_string()),
    })
}

/// The container of an item, the channel of a page.
fn container(entity: &Entity<SourceId>) -> Option<String> {
    match entity.key.kind {
        Kind::Content => Some(container_of(&entity.body.parse()).to_owned()),
        Kind::Page => {
            let placement = entity.placement.as_ref();
            placement.map(|placement| placement.channel.to_string())
        }
        Kind::Model
        | Kind::Container
        | Kind::Template
        | Kind::Gallery
        | Kind::Asset
        | Kind::Redirection => None,
    }
}

fn removed(seen: &Seen<'_>) -> Vec<Removed> {
    let taken = seen.plan.notices.iter();
    let taken = taken.filter(|notice| notice.about == Concern::TakenAway);
    taken
        .map(|notice| Removed {
            key: seen.entity(notice.node).key.clone(),
            name: called(seen.entity(notice.node)),
            what: redact(what(&notice.text)).into_owned(),
        })
        .collect()
}

/// A notice without its verb.
fn what(text: &str) -> &str {
    text.strip_prefix("it takes away ").unwrap_or(text)
}

fn deferred(seen: &Seen<'_>) -> Vec<Deferred> {
    let name = |node: &Node| {
        let (key, name) = seen.named(*node);
        format!("{key} {name}")
    };
    let is_work = |node: &Node| seen.plan.entities[*node as usize].action.is_work();
    let open = seen.plan.cycles.iter();
    let open = open.filter(|cycle| cycle.members.iter().any(is_work));
    open.map(|cycle| Deferred {
        members: cycle.members.iter().map(name).collect(),
        references: cycle
            .cut
            .iter()
            .map(|(from, to)| (name(from), name(to)))
            .collect(),
    })
    .collect()
}

/// What the state maps, the source no longer has, and the target still has, in the order of `mapped`. What the plan takes as
/// the counterpart of something else is not among it.
pub fn gone<'a>(
    plan: &Plan,
    (source, target): (&Inventory<SourceId>, &Inventory<TargetId>),
    mapped: impl Iterator<Item = (&'a EntityKey, TargetId)>,
) -> Vec<Gone> {
    let is_read = |locale: &Locale| source.locales.contains(locale);
    let (live, gone): (Vec<_>, Vec<_>) = mapped.partition(|(key, _)| source.get(key).is_some());
    let gone = gone.into_iter();
    let mut gone = gone
        .filter(|(key, _)| key.locale.as_ref().is_none_or(is_read))
        .peekable();
    if gone.peek().is_none() {
        return Vec::new();
    }
    // What is the counterpart of something else by now is not left over.
    let live = live.into_iter().map(|(key, id)| key.with_id(id));
    let planned = source.entities().iter().zip(&plan.entities);
    let planned = planned
        .filter_map(|(entity, planned)| Some(entity.key.with_id(planned.action.counterpart()?)));
    let live: HashSet<TargetKey> = live.chain(planned).collect();
    let gone = gone.filter_map(|(key, id)| {
        let there = target.get(&key.with_id(id))?;
        if live.contains(&there.key) {
            return None;
        }
        Some(Gone {
            key: key.clone(),
            target: id,
            name: called(there),
            because: None,
            conflict: false,
        })
    });
    gone.collect()
}
