//! Reads the target back and compares it with what the source becomes through the id map.
//!
//! Everything is read through the Management API, which shows what was saved at once; only redirections have no
//! other list than that of the Fetch API.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::crew::Crew;
use super::jobs::bytes_hash;
use super::pace::Class;
use super::pull::{PullError, Reader};
use crate::domain::{
    Entity, EntityKey, Id, Inventory, Kind, Locale, PageNode, SourceId, TargetId, TargetKey,
};
use crate::event::Event;
use crate::instance::{Ask, Effect, Found, RequestError, Source, Target};
use crate::plan::{
    Action, LeaveOut, Node, differences, expected_hash, normal, payload, target_hash,
};

/// Ids in one question (limit of [`Ask::ItemsById`]).
const IDS_AT_ONCE: usize = 100;

/// How the target differs from what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DifferenceKind {
    /// It is not there.
    Missing,
    /// It is there twice.
    Duplicate,
    /// A reference points at nothing.
    Dangling,
    /// A reference points at something else.
    WrongReference,
    /// A field says something else.
    DifferentField,
    /// Siblings stand in another order.
    WrongOrder,
    /// A page stands below another parent.
    WrongParent,
    /// The bytes of an asset are not the same.
    DifferentBytes,
}

impl DifferenceKind {
    /// The name as reports write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Duplicate => "duplicate",
            Self::Dangling => "dangling",
            Self::WrongReference => "wrong-reference",
            Self::DifferentField => "different-field",
            Self::WrongOrder => "wrong-order",
            Self::WrongParent => "wrong-parent",
            Self::DifferentBytes => "different-bytes",
        }
    }
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The entity of the source.
    pub key: EntityKey,
    /// What a person calls it.
    pub name: String,
    /// What is wrong.
    pub difference: DifferenceKind,
    /// Where, and what was expected and found.
    pub detail: String,
}

/// Which entities are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// After a run: what it left in agreement. Failures and conflicts are reported already.
    AfterRun,
    /// On request: everything that the selection has, whoever changed it.
    Everything,
}

/// What the target should be, read back and compared.
///
/// # Errors
/// [`PullError`] when the target cannot be read.
pub async fn verify<S, T>(
    crew: &Arc<Crew<S, T>>,
    reader: &Arc<Reader<T>>,
    locales: &[Locale],
    scope: Scope,
) -> Result<Vec<Difference>, PullError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let nodes: Vec<Node> = (0..crew.plan.graph.len())
        .filter(|node| is_compared(crew, *node, scope))
        .collect();
    let total = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
    let found = read_back(crew, reader, locales, &nodes).await?;
    let mut verifier = Verifier {
        crew,
        found,
        scope,
        differences: Vec::new(),
    };
    for (checked, node) in (1..).zip(&nodes) {
        verifier.compare(*node);
        if checked % 500 == 0 {
            crew.sink
                .emit(Event::VerifyProgressed { checked, total })
                .await;
        }
    }
    verifier.order(locales);
    verifier.duplicates();
    let mut differences = verifier.differences;
    differences.extend(compare_bytes(crew, &nodes, scope).await);
    for difference in &differences {
        crew.sink
            .emit(Event::DifferenceFound {
                key: difference.key.clone(),
                difference: difference.difference.name().to_owned(),
                detail: difference.detail.clone(),
            })
            .await;
    }
    let count = u32::try_from(differences.len()).unwrap_or(u32::MAX);
    crew.sink
        .emit(Event::VerifyFinished {
            checked: total,
            differences: count,
        })
        .await;
    Ok(differences)
}

fn is_compared<S, T>(crew: &Crew<S, T>, node: Node, scope: Scope) -> bool
where
    S: Source + Clone,
    T: Target + Clone,
{
    let planned = crew.planned(node);
    match (scope, &planned.action) {
        (_, Action::OutOfScope) => false,
        (Scope::Everything, _) => true,
        (Scope::AfterRun, Action::Conflict { .. } | Action::Fail | Action::Block { .. }) => false,
        // What the run could not write has no counterpart, or is reported as failed already.
        (Scope::AfterRun, Action::Create { .. } | Action::Update { .. }) => {
            crew.ids.resolve(&crew.entity(node).key).is_some() && !crew.unfinished.contains(&node)
        }
        (Scope::AfterRun, Action::Adopt { .. } | Action::Unchanged { .. }) => !planned.left_alone,
    }
}

/// The target as the Management API has it now.
struct ReadBack {
    lists: Inventory<TargetId>,
    localised: HashMap<TargetKey, Entity<TargetId>>,
    /// Ids of the items of each container that nobody claims.
    unclaimed: Vec<Entity<TargetId>>,
    nodes: HashMap<(Locale, i64), PageNode>,
}

async fn read_back<S, T>(
    crew: &Arc<Crew<S, T>>,
    reader: &Arc<Reader<T>>,
    locales: &[Locale],
    nodes: &[Node],
) -> Result<ReadBack, PullError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let kinds = [
        Kind::Model,
        Kind::Container,
        Kind::Template,
        Kind::Gallery,
        Kind::Asset,
        Kind::Redirection,
    ];
    let lists = reader.pull_kinds(locales, &kinds).await?;
    let mut asks = items_and_pages(crew, nodes);
    asks.extend(locales.iter().cloned().map(Ask::Sitemap));
    let mut found = reader.ask_everything(asks).await?;
    let listed = reader.ask_everything(container_asks(crew, locales)).await?;
    let unclaimed = unclaimed(crew, listed);
    let more = reader.ask_everything(by_id(unclaimed)).await?;
    let mut back = ReadBack {
        lists,
        localised: HashMap::new(),
        unclaimed: Vec::new(),
        nodes: HashMap::new(),
    };
    for found in found.drain(..) {
        match found {
            Found::Entity(entity) => {
                back.localised.insert(entity.key.clone(), entity);
            }
            Found::Node(node) => {
                back.nodes.insert((node.locale.clone(), node.page), node);
            }
            _ => {}
        }
    }
    back.unclaimed = more
        .into_iter()
        .filter_map(|found| match found {
            Found::Entity(entity) => Some(entity),
            _ => None,
        })
        .collect();
    Ok(back)
}

fn items_and_pages<S, T>(crew: &Crew<S, T>, nodes: &[Node]) -> Vec<Ask>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let mut items: BTreeMap<Locale, Vec<i64>> = BTreeMap::new();
    let mut asks = Vec::new();
    for node in nodes {
        let key = &crew.entity(*node).key;
        let (Some(counterpart), Some(locale)) = (crew.ids.resolve(key), &key.locale) else {
            continue;
        };
        match key.kind {
            Kind::Content => items
                .entry(locale.clone())
                .or_default()
                .push(counterpart.id.raw()),
            _ => asks.push(Ask::One {
                kind: key.kind,
                id: counterpart.id.raw(),
                locale: Some(locale.clone()),
            }),
        }
    }
    asks.extend(by_id(items));
    asks
}

fn by_id(items: BTreeMap<Locale, Vec<i64>>) -> Vec<Ask> {
    let mut asks = Vec::new();
    for (locale, ids) in items {
        for some in ids.chunks(IDS_AT_ONCE) {
            asks.push(Ask::ItemsById {
                locale: locale.clone(),
                ids: some.to_vec(),
            });
        }
    }
    asks
}

/// Lists the items of every container that the run has content in.
fn container_asks<S, T>(crew: &Crew<S, T>, locales: &[Locale]) -> Vec<Ask>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let mut asks = Vec::new();
    for container in crew.source_inventory.of_kind(Kind::Container) {
        let Some(name) =
            crate::plan::Counterparts::name(&crew.ids, Kind::Container, &container.name)
        else {
            continue;
        };
        for locale in locales {
            asks.push(Ask::ContainerItems {
                locale: locale.clone(),
                container: name.clone(),
                offset: 0,
            });
        }
    }
    asks
}

/// Items that are nobody's counterpart and were not there before the run.
fn unclaimed<S, T>(crew: &Crew<S, T>, listed: Vec<Found<TargetId>>) -> BTreeMap<Locale, Vec<i64>>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let mut ids: BTreeMap<Locale, Vec<i64>> = BTreeMap::new();
    for found in listed {
        // The list puts the locale where other rows have their name.
        let Found::Passed {
            kind: Kind::Content,
            id,
            name,
        } = found
        else {
            continue;
        };
        let locale = Locale::new(&name);
        if !crew.ids.is_claimed(Kind::Content, TargetId::new(id)) {
            ids.entry(locale).or_default().push(id);
        }
    }
    ids
}

struct Verifier<'a, S, T> {
    crew: &'a Crew<S, T>,
    found: ReadBack,
    scope: Scope,
    differences: Vec<Difference>,
}

impl<S: Source + Clone, T: Target + Clone> Verifier<'_, S, T> {
    fn compare(&mut self, node: Node) {
        let entity = self.crew.entity(node);
        let key = &entity.key;
        let Some(counterpart) = self.crew.ids.resolve(key) else {
            return self.report(
                node,
                DifferenceKind::Missing,
                "it has no counterpart on the target".to_owned(),
            );
        };
        let there = TargetKey {
            kind: key.kind,
            id: counterpart.id,
            locale: key.locale.clone(),
        };
        let found = if key.kind.is_localised() {
            self.found.localised.get(&there)
        } else {
            self.found.lists.get(&there)
        };
        let Some(found) = found.cloned() else {
            let detail = format!("its counterpart {} is not there", counterpart.id);
            return self.report(node, DifferenceKind::Missing, detail);
        };
        self.compare_bodies(node, entity, &found);
        if key.kind == Kind::Page {
            self.compare_parent(node, entity, counterpart.id);
        }
    }

    fn compare_bodies(&mut self, node: Node, entity: &Entity<SourceId>, found: &Entity<TargetId>) {
        let existing = found.body.parse();
        let written = payload(
            entity,
            &self.crew.context(),
            &self.crew.ids,
            &LeaveOut::default(),
            Some(&existing),
        );
        let written = match written {
            Ok(written) => written,
            Err(unresolved) => {
                return self.report(node, DifferenceKind::Dangling, unresolved.to_string());
            }
        };
        let kind = entity.key.kind;
        let expected = normal(kind, &written.body, &self.crew.schema);
        let stored = normal(kind, &existing, &self.crew.schema);
        for difference in differences(&expected, &stored) {
            let detail = format!(
                "at {}: expected {}, found {}",
                difference.at, difference.expected, difference.found
            );
            let what = match (difference.is_reference, kind) {
                (true, _) => DifferenceKind::WrongReference,
                (false, Kind::Asset) if difference.at == "/size" => DifferenceKind::DifferentBytes,
                (false, _) => DifferenceKind::DifferentField,
            };
            self.report(node, what, detail);
        }
    }

    fn compare_parent(&mut self, node: Node, entity: &Entity<SourceId>, id: TargetId) {
        let Some(locale) = entity.locale() else {
            return;
        };
        let expected = self.crew.parent(entity).map(Id::raw);
        let Some(found) = self.found.nodes.get(&(locale.clone(), id.raw())) else {
            let detail = "no sitemap of the target lists it".to_owned();
            return self.report(node, DifferenceKind::WrongParent, detail);
        };
        let found = found.placement.parent;
        if expected != found {
            let show = |id: Option<i64>| {
                id.map_or_else(|| "the root".to_owned(), |id| format!("page {id}"))
            };
            let detail = format!(
                "expected below {}, found below {}",
                show(expected),
                show(found)
            );
            self.report(node, DifferenceKind::WrongParent, detail);
        }
    }

    /// Siblings have to stand in the source's order among themselves; others may stand between them.
    fn order(&mut self, locales: &[Locale]) {
        let mut groups: BTreeMap<(Locale, Option<i64>), Vec<(u32, Node, u32)>> = BTreeMap::new();
        for (node, entity) in (0..).zip(self.crew.source_inventory.entities()) {
            let (Some(locale), Some(placement)) = (entity.locale(), &entity.placement) else {
                continue;
            };
            let Some(counterpart) = self.crew.ids.resolve(&entity.key) else {
                continue;
            };
            if !locales.contains(locale) || !is_compared(self.crew, node, self.scope) {
                continue;
            }
            if let Some(found) = self
                .found
                .nodes
                .get(&(locale.clone(), counterpart.id.raw()))
            {
                let group = groups
                    .entry((locale.clone(), placement.parent))
                    .or_default();
                group.push((placement.position, node, found.placement.position));
            }
        }
        for (_, mut group) in groups {
            group.sort_unstable();
            for pair in group.windows(2).filter(|pair| pair[0].2 > pair[1].2) {
                let after = self.crew.entity(pair[1].1).key.clone();
                self.report(
                    pair[0].1,
                    DifferenceKind::WrongOrder,
                    format!("it stands behind {after}"),
                );
            }
        }
    }

    fn duplicates(&mut self) {
        self.twice_in_lists();
        let mut expected: HashMap<_, Node> = HashMap::new();
        for (node, entity) in (0..).zip(self.crew.source_inventory.entities()) {
            if entity.key.kind != Kind::Content {
                continue;
            }
            let written = payload(
                entity,
                &self.crew.context(),
                &self.crew.ids,
                &LeaveOut::default(),
                None,
            );
            if let Ok(written) = written {
                let hash = expected_hash(Kind::Content, &written.body, None, &self.crew.schema);
                expected.insert((entity.key.locale.clone(), hash), node);
            }
        }
        for entity in std::mem::take(&mut self.found.unclaimed) {
            let is_old = self.crew.target_inventory.get(&entity.key).is_some()
                && self.scope == Scope::AfterRun;
            let hash = target_hash(&entity, &self.crew.schema);
            if let Some(node) = expected.get(&(entity.key.locale.clone(), hash))
                && !is_old
            {
                let detail = format!("the target has it a second time as {}", entity.key.id);
                self.report(*node, DifferenceKind::Duplicate, detail);
            }
        }
    }

    /// Names are unique on an instance; a second entity of the same name came from somewhere.
    fn twice_in_lists(&mut self) {
        let mut seen: HashMap<(Kind, String), TargetId> = HashMap::new();
        let mut twice = HashSet::new();
        for entity in self.found.lists.entities() {
            let name = (entity.key.kind, entity.name.to_lowercase());
            if seen.insert(name.clone(), entity.key.id).is_some() {
                twice.insert(name);
            }
        }
        for (node, entity) in (0..).zip(self.crew.source_inventory.entities()) {
            if twice.contains(&(entity.key.kind, entity.name.to_lowercase())) {
                let detail = "the target has two of this name".to_owned();
                self.report(node, DifferenceKind::Duplicate, detail);
            }
        }
    }

    fn report(&mut self, node: Node, difference: DifferenceKind, detail: String) {
        let entity = self.crew.entity(node);
        self.differences.push(Difference {
            key: entity.key.clone(),
            name: entity.name.to_string(),
            difference,
            detail,
        });
    }
}

/// Compares the bytes of assets: after a run those that it sent, on request all.
async fn compare_bytes<S, T>(
    crew: &Arc<Crew<S, T>>,
    nodes: &[Node],
    scope: Scope,
) -> Vec<Difference>
where
    S: Source + Clone,
    T: Target + Clone,
{
    if !crew.options.verify_bytes {
        return Vec::new();
    }
    let mut open: Vec<Node> = nodes
        .iter()
        .copied()
        .filter(|node| {
            let key = &crew.entity(*node).key;
            key.kind == Kind::Asset
                && (scope == Scope::Everything || crew.sent_bytes.contains_key(&key.id))
                && crew.ids.resolve(key).is_some()
        })
        .collect();
    let mut running = JoinSet::new();
    let mut differences = Vec::new();
    loop {
        while running.len() < crew.options.assets_in_flight
            && let Some(node) = open.pop()
        {
            let crew = Arc::clone(crew);
            running.spawn(async move {
                let detail = differing_bytes(&crew, node).await;
                (node, detail)
            });
        }
        let Some(joined) = running.join_next().await else {
            break;
        };
        let (node, detail) =
            joined.unwrap_or_else(|broken| std::panic::resume_unwind(broken.into_panic()));
        let entity = crew.entity(node);
        differences.extend(detail.map(|detail| Difference {
            key: entity.key.clone(),
            name: entity.name.to_string(),
            difference: DifferenceKind::DifferentBytes,
            detail,
        }));
    }
    differences.sort_by(|left, right| left.key.cmp(&right.key));
    differences
}

async fn differing_bytes<S, T>(crew: &Crew<S, T>, node: Node) -> Option<String>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let entity = crew.entity(node);
    let sent = crew.sent_bytes.get(&entity.key.id).map(|hash| *hash);
    let expected = match sent {
        Some(hash) => Ok(hash),
        None => {
            let body = entity.body.parse();
            let url = body["originUrl"].as_str().unwrap_or_default().to_owned();
            crew.to_source()
                .send_as(Class::Download, Effect::Read, || {
                    bytes_hash(&crew.source, &url)
                })
                .await
        }
    };
    let urls = crate::plan::Counterparts::asset_urls(&crew.ids, entity.key.id.raw())?;
    let found = crew
        .to_target()
        .send_as(Class::Download, Effect::Read, || {
            bytes_hash(&crew.target, &urls.origin)
        })
        .await;
    match (expected, found) {
        (Ok(expected), Ok(found)) if expected == found => None,
        (Ok(_), Ok(_)) => Some("the bytes on the target are not those of the source".to_owned()),
        (Err(error), _) => Some(format!("the source's bytes could not be read: {error}")),
        (_, Err(error)) => Some(format!("the target's bytes could not be read: {error}")),
    }
}

/// Whether the bytes of two assets are the same.
///
/// # Errors
/// [`RequestError`] when one of them cannot be read.
pub async fn same_bytes<S: Source, T: Source>(
    source: (&S, &str),
    target: (&T, &str),
) -> Result<bool, RequestError> {
    let (here, there) = tokio::join!(
        bytes_hash(source.0, source.1),
        bytes_hash(target.0, target.1)
    );
    Ok(here? == there?)
}
