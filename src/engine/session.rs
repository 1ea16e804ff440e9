//! What a run, an undo and a plan have in common: the two instances, the state, and what is decided from them.

mod left_over;
mod public;
mod restore;
mod webhooks;

use std::cell::LazyCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::watch;

use super::agreements::by_key;
use super::asset_bytes::{self, Looked};
use super::channels;
use super::context::{Instances, Journal, Live, PlanView, PreImages, RunContext};
use super::end::End;
use super::lease::{Fence, Keeper};
use super::options::{Matching, Options, Publish, UnknownOutcome};
use super::outage::Alarm;
use super::poll::BatchTimes;
use super::publish::{Choice, Former};
use super::pull::Reader;
use super::reconcile::{Known, Recovery, settle_undone};
use super::retry::Retries;
use super::review::{Decided, Review};
use super::run_error::RunError;
use super::sink::Sink;
use super::upload_size::UploadSize;
use crate::domain::{
    AgreedPlace, ContentHash, EntityKey, Id, Inventory, Key, Kind, Locale, RunId, SourceId,
    TargetId,
};
use crate::event::{Event, Phase};
use crate::id_map::{Counterpart, IdMap};
use crate::instance::{Source, Target, Webhook, Webhooks};
use crate::plan::{
    self, Action, Agreed, Agreement, Agreements, Approved, AssetIndex, Defaults, Hint, Inputs,
    Mapped, Merged, Plan, Policies, PruneInputs, Recognition, RunLocales, Schema, Selection,
    asset_urls, built_ins,
};
use crate::store::{LeaseOwner, Mapping, Pair, PublishState, Store, StoreError};

pub(super) use left_over::PrunePlan;
pub(super) use public::PublicVersions;

/// Everything that a run needs.
#[derive(Debug)]
pub struct Session<S, T> {
    /// The instance read from.
    pub source: Arc<Reader<S>>,
    /// The instance written to.
    pub target: Arc<Reader<T>>,
    /// The durable state.
    pub store: Store,
    /// The run.
    pub run: RunId,
    /// The owner of the run, shown to other runs of the pair.
    pub owner: LeaseOwner,
    /// The locales asked for; empty takes all of the source.
    pub locales: Vec<Locale>,
    /// What is to be moved.
    pub selection: Selection,
    /// Which side wins where both changed, and what is never written.
    pub policies: Policies,
    /// Looks at what was decided before anything is written; `None` lets everything pass.
    pub review: Option<Arc<dyn Review>>,
    /// The plan that was agreed to, where one is applied.
    pub approved: Option<Arc<Approved>>,
    /// How entities without a mapping are matched.
    pub matching: Matching,
    /// The webhooks of the target; `None` where a run has nothing to do with them.
    pub webhooks: Option<Arc<dyn Webhooks>>,
    /// How it is carried out.
    pub options: Options,
    /// Where events go.
    pub sink: Sink,
    /// Gets the plan as soon as there is one, with what the source holds, whatever becomes of the run after that.
    pub planned: watch::Sender<Option<PlanMade>>,
}

/// A plan and what it is about, in the same order.
pub type PlanMade = (Arc<Plan>, Arc<Inventory<SourceId>>);

/// Both instances as read, and what is going to happen.
pub(super) struct Prepared {
    pub(super) locales: Vec<Locale>,
    pub(super) source: Arc<Inventory<SourceId>>,
    pub(super) mapped: Mapped,
    pub(super) target: Arc<Inventory<TargetId>>,
    pub(super) mappings: Arc<Vec<Mapping>>,
    pub(super) places: Arc<HashMap<EntityKey, AgreedPlace>>,
    pub(super) plan: Arc<Plan>,
    pub(super) prune: PrunePlan,
    pub(super) published: Former,
    pub(super) public: PublicVersions,
    pub(super) doubts: HashMap<EntityKey, String>,
    pub(super) defaults: Defaults,
    pub(super) equal_bytes: HashMap<SourceId, ContentHash>,
    pub(super) looked: Arc<HashMap<SourceId, Looked>>,
    pub(super) webhooks: Arc<Vec<Webhook>>,
}

impl<S: Source, T: Target> Session<S, T> {
    /// Decides what would happen to every entity of the source, and writes nothing.
    ///
    /// # Errors
    /// [`RunError`] when an instance or the state cannot be read, or the selection names what is not there.
    pub async fn decide(&self) -> Result<Decided, RunError> {
        Ok(self.decided(&self.prepare().await?))
    }

    pub(super) fn decided(&self, prepared: &Prepared) -> Decided {
        let how = (self.options.publish, self.approved.as_deref());
        let sides = (&*prepared.source, &*prepared.target);
        let known = (&**prepared.mappings, &prepared.published);
        let choice = Choice::new(&prepared.plan, sides, how, known);
        let withdrawn = choice.withdrawn();
        let publishes = self.options.publish != Publish::Off;
        Decided {
            published: choice.all(),
            still_public: if publishes { 0 } else { withdrawn.len() },
            withdrawn: if publishes { withdrawn } else { Vec::new() },
            plan: Arc::clone(&prepared.plan),
            source: Arc::clone(&prepared.source),
            maps: Arc::clone(&prepared.mapped.told),
            locales: Arc::clone(&prepared.mapped.locales),
            target: Arc::clone(&prepared.target),
            mappings: Arc::clone(&prepared.mappings),
            prune: Arc::clone(&prepared.prune.0),
            webhooks: Arc::clone(&prepared.webhooks),
            per_second: self.target.pacer.learned().per_second,
            looked: Arc::clone(&prepared.looked),
            hashed: None,
        }
    }

    pub(super) async fn prepare(&self) -> Result<Prepared, RunError> {
        self.phase(Phase::Pull).await;
        let locales = self.resolve_locales().await?;
        let (mapped, target) = self.pull(&locales).await?;
        self.plan(locales.written, mapped, target, HashMap::new())
            .await
    }

    /// Waits until no request of a run can be under way that lost its lease to this one.
    pub(super) async fn after_takeover(&self, keeper: &Keeper) -> Result<(), RunError> {
        if let Some(left) = keeper.former_requests(self.options.request_timeout) {
            let message = format!(
                "the lock was taken over from a run on another machine, whose requests may be under way for {} s; waiting for their end",
                left.as_secs_f64().ceil()
            );
            self.sink.emit(Event::Warned { message }).await;
            tokio::time::sleep(left).await;
        }
        Ok(())
    }

    /// Finds out the outcome of the open requests of earlier runs, so that the plan sees it.
    pub(super) async fn prepare_after_recovery(&self, fence: &Fence) -> Result<Prepared, RunError> {
        self.phase(Phase::Pull).await;
        let locales = self.resolve_locales().await?;
        let mut doubts = settle_undone(self.recovery(fence)).await?;
        let recovery = self.recovery(fence).begin().await?;
        let (mapped, mut target) = self.pull(&locales).await?;
        if let Some(recovery) = recovery {
            let known = Known {
                source: &self.source,
                source_inventory: &mapped.source,
                target_inventory: &target,
                mappings: by_key(self.store.mappings(&self.pair()).await?),
            };
            let settled = recovery.settle(&known).await?;
            doubts.extend(settled.doubts);
            if settled.target_is_stale {
                target = self.target.pull(&locales.written).await?;
            }
        }
        self.plan(locales.written, mapped, target, doubts).await
    }

    /// What finds out about the requests of earlier runs.
    pub(super) fn recovery<'a>(&'a self, fence: &'a Fence) -> Recovery<'a, T> {
        Recovery {
            target: &self.target,
            store: &self.store,
            pair: self.pair(),
            options: &self.options,
            sink: &self.sink,
            fence,
            times: BatchTimes::of(&self.options.probed),
            open: Vec::new(),
        }
    }

    /// Reads both instances; the source comes as the target is to have it.
    pub(super) async fn pull(
        &self,
        locales: &RunLocales,
    ) -> Result<(Mapped, Inventory<TargetId>), RunError> {
        let (read, target) = tokio::try_join!(
            self.source.pull_once(&locales.read),
            self.target.pull(&locales.written)
        )?;
        let mapped = self.options.maps.apply(read, self.source.bodies.as_ref())?;
        self.selection.check(&mapped.source)?;
        let gone = self.selection.gone(&mapped.source);
        if let Some(first) = gone.first() {
            let message = format!(
                "the source no longer has {} of what was selected, such as {first}",
                gone.len()
            );
            self.sink.emit(Event::Warned { message }).await;
        }
        Ok((mapped, target))
    }

    async fn plan(
        &self,
        locales: Vec<Locale>,
        mapped: Mapped,
        mut target: Inventory<TargetId>,
        doubts: HashMap<EntityKey, String>,
    ) -> Result<Prepared, RunError> {
        let source = Arc::clone(&mapped.source);
        let public = self.public_versions(&mapped).await;
        channels::rename(&self.options.maps.channels, &source, &mut target)?;
        let target = Arc::new(target);
        let mappings = self.store.mappings(&self.pair()).await?;
        let places = self.store.page_places(&self.pair()).await?;
        let places: HashMap<EntityKey, AgreedPlace> = places.into_iter().collect();
        let mut agreements = self.agreements(&mappings, &places).await?;
        let hints = self.hints((&source, &target), &mut agreements).await?;
        let disputed = self.disputed().await?;
        let looks = plan::assets_to_look_at(&source, &target, &agreements);
        let at_once = self.options.downloads_in_flight();
        let bytes = asset_bytes::look((&*self.source, &*self.target), looks, at_once).await;
        let equal_bytes = bytes.equal.keys().copied().collect();
        let defaults = Defaults::of(&agreements, &source);
        let approved = self.approved.as_deref();
        let begun = self.begun(&mappings);
        self.phase(Phase::Plan).await;
        let plan = plan::plan(&Inputs {
            source: &source,
            target: &target,
            agreements: &agreements,
            defaults: &defaults,
            equal_bytes: &equal_bytes,
            replaced_bytes: &bytes.replaced,
            locales: &locales,
            doubts: &doubts,
            disputed: &disputed,
            hints: &hints,
            adopt: self.matching.adopt,
            policies: &self.policies,
            excluded: &mapped.excluded,
            public: &public.hashes,
            selection: &self.selection,
            weights: self.target.pacer.pace_snapshot().weights(),
            agreed: self.approved.as_deref().map(|approved| Agreed {
                approved,
                begun: &begun,
            }),
        });
        let (origins, in_doubt) = (left_over::origins(&mappings), left_over::in_doubt(&doubts));
        let prune = self.plan_prune(PruneInputs {
            plan: &plan,
            source: &source,
            target: &target,
            agreements: &agreements,
            origins: &origins,
            in_doubt: &in_doubt,
            policies: &self.policies,
            selection: &self.selection,
            approved,
        });
        let prune = Box::pin(prune).await?;
        let published = self.former(&public).await?;
        let webhooks = Arc::new(self.enabled_webhooks().await?);
        let is_pruned = !prune.0.traces.is_empty();
        self.tell_of_plan((&plan, is_pruned), (&source, &target), &mappings)
            .await;
        let plan = Arc::new(plan);
        self.planned
            .send_replace(Some((Arc::clone(&plan), Arc::clone(&source))));
        Ok(Prepared {
            locales,
            mapped,
            mappings: Arc::new(mappings),
            places: Arc::new(places),
            plan,
            prune,
            published,
            public,
            doubts,
            defaults,
            equal_bytes: bytes.equal,
            looked: Arc::new(bytes.looked),
            webhooks,
            source,
            target,
        })
    }

    /// What earlier attempts to apply the approved plan have done.
    fn begun(&self, mappings: &[Mapping]) -> HashSet<EntityKey> {
        let approved = self.approved.as_deref();
        let of_attempt = |row: &&Mapping| approved.is_some_and(|plan| plan.is_attempt(&row.run));
        let begun = mappings.iter().filter(of_attempt);
        begun.map(|row| row.key.clone()).collect()
    }

    /// What both sides last agreed about, with the places of pages and items.
    async fn agreements(
        &self,
        mappings: &[Mapping],
        places: &HashMap<EntityKey, AgreedPlace>,
    ) -> Result<Agreements, StoreError> {
        let mut agreements: Agreements = mappings.iter().map(agreement).collect();
        for (key, place) in places {
            if let Some(agreement) = agreements.get_mut(key) {
                agreement.place = Some(Box::new(place.clone()));
            }
        }
        for (list, numbers) in self.store.list_orders(&self.pair()).await? {
            for (item, number) in numbers {
                let key = EntityKey::localised(Kind::Content, item.raw(), &list.locale);
                if let Some(agreement) = agreements.get_mut(&key) {
                    agreement.number = Some(number);
                }
            }
        }
        Ok(agreements)
    }

    /// The outcome of what earlier runs published.
    async fn former(&self, public: &PublicVersions) -> Result<Former, StoreError> {
        let (pair, store) = (self.pair(), &self.store);
        let published = store.published(&pair, PublishState::Published).await?;
        let refused = store.published(&pair, PublishState::Refused).await?;
        let versions = if public.hashes.is_empty() {
            HashMap::new()
        } else {
            self.published_versions().await?
        };
        Ok(Former {
            published: published.into_iter().collect(),
            refused: refused.into_iter().collect(),
            versions,
        })
    }

    /// Entities whose mapping contradicted that of another one when the state was brought up to date.
    async fn disputed(&self) -> Result<HashMap<EntityKey, String>, StoreError> {
        let rows = self.store.disputed(&self.pair()).await?;
        if rows.is_empty() || self.options.unknown_outcome == UnknownOutcome::Resend {
            return Ok(HashMap::new());
        }
        let message = format!(
            "{} mappings of the state named an entity of the target twice and are not used, such as {} and {} on the target",
            rows.len(),
            rows[0].0,
            rows[0].1
        );
        self.sink.emit(Event::Warned { message }).await;
        let why = |(key, target): (EntityKey, TargetId)| {
            let why = format!(
                "the state mapped it and another entity to {target} on the target, and nothing else tells which one \
                 that is; --unknown-outcome resend creates it"
            );
            (key, why)
        };
        Ok(rows.into_iter().map(why).collect())
    }

    /// What else names pairs of entities: the state of the way back, what the caller found, and mappings through a third
    /// instance, which come last: they are two steps away from what was seen.
    async fn hints(
        &self,
        (source, target): (&Inventory<SourceId>, &Inventory<TargetId>),
        agreements: &mut Agreements,
    ) -> Result<Vec<Hint>, StoreError> {
        for message in &self.matching.problems {
            let message = message.clone();
            self.sink.emit(Event::Warned { message }).await;
        }
        let others = self.store.other_pairs(&self.pair()).await?;
        let hints = others.way_back.into_iter().map(|mapping| Hint {
            key: Key {
                kind: mapping.key.kind,
                id: SourceId::new(mapping.target.raw()),
                locale: mapping.key.locale.clone(),
            },
            target: TargetId::new(mapping.key.id.raw()),
            evidence: Recognition::OtherDirection,
            target_version: None,
        });
        let derived = others.through.into_iter().map(|through| Hint {
            key: through.key,
            target: through.target,
            evidence: Recognition::Derived(through.middle),
            target_version: None,
        });
        let named = self.matching.hints.iter().cloned();
        let mut hints: Vec<Hint> = hints.chain(named).chain(derived).collect();
        // What names pairs goes by the locales of the source, or by those that earlier runs wrote into.
        let mapped = hints.iter().filter_map(|hint| {
            let locale = hint.key.locale.as_ref()?;
            let mapped = self.options.maps.locale(locale);
            let mut hint = (mapped != *locale).then(|| hint.clone())?;
            hint.key.locale = Some(mapped);
            Some(hint)
        });
        let mapped: Vec<Hint> = mapped.collect();
        hints.extend(mapped);
        if self.matching.is_restore {
            hints.extend(restore::hints(source, target));
            restore::forget_bases(agreements);
        }
        Ok(hints)
    }

    /// The locales of the run: those asked for, else all of the source. Each must be on both sides, by its own name there.
    pub(super) async fn resolve_locales(&self) -> Result<RunLocales, RunError> {
        let (source, target) = tokio::join!(self.source.locales(), self.target.locales());
        let (source, target) = (source?, target?);
        let list = |locales: &[Locale]| {
            locales
                .iter()
                .map(Locale::as_str)
                .collect::<Vec<_>>()
                .join(", ")
        };
        if let Some(wanted) = self.locales.iter().find(|wanted| !source.contains(wanted)) {
            return Err(RunError::UnknownLocale {
                wanted: wanted.clone(),
                known: list(&source),
            });
        }
        // In the source's order, whatever the order of the request: the first locale makes the ids.
        let asked = |locale: &&Locale| self.locales.is_empty() || self.locales.contains(locale);
        let read: Vec<Locale> = source.iter().filter(asked).cloned().collect();
        let locales = self.options.maps.run_locales(read, &source)?;
        let mut written = locales.written.iter();
        match written.find(|locale| !target.contains(locale)) {
            Some(missing) => Err(RunError::TargetLocale {
                missing: missing.clone(),
                known: list(&target),
            }),
            None => Ok(locales),
        }
    }

    pub(super) fn context(&self, prepared: &Prepared, fence: Option<Fence>) -> RunContext<(S, T)> {
        let (source, target) = (Arc::clone(&prepared.source), Arc::clone(&prepared.target));
        let bare = self.bare_context(source, target, fence);
        let view = PlanView {
            plan: Arc::clone(&prepared.plan),
            pre_images: PreImages::new(
                Arc::clone(&prepared.mappings),
                Arc::clone(&prepared.places),
            ),
            schema: Schema::of(&prepared.source),
            assets: AssetIndex::of(&prepared.source),
            merged: Merged::of(&prepared.plan.entities, &prepared.source),
            ids: warm_ids(prepared),
            equal_bytes: prepared.equal_bytes.clone(),
            defaults: prepared.defaults.clone(),
            public: Arc::clone(&prepared.public.entities),
            ..bare.view
        };
        RunContext { view, ..bare }
    }

    /// The context of jobs without a plan and counterparts.
    pub(super) fn bare_context(
        &self,
        source: Arc<Inventory<SourceId>>,
        target: Arc<Inventory<TargetId>>,
        fence: Option<Fence>,
    ) -> RunContext<(S, T)> {
        RunContext {
            instances: Instances {
                source: self.source.instance.clone(),
                target: self.target.instance.clone(),
                source_pacer: Arc::clone(&self.source.pacer),
                target_pacer: Arc::clone(&self.target.pacer),
                retries: Retries::new(&self.options),
                sink: self.sink.clone(),
                fence,
                alarm: Alarm::new(self.options.waits_for_user),
                batch_times: BatchTimes::of(&self.options.probed),
                upload_size: UploadSize::new(self.options.upload.bytes),
            },
            journal: Journal::new(self.store.clone(), self.pair(), self.run.clone()),
            view: PlanView::bare(source, target, self.policies.clone(), &self.options),
            live: Live::default(),
            sink: self.sink.clone(),
            options: self.options.clone(),
        }
    }

    pub(super) async fn phase(&self, phase: Phase) {
        self.sink.emit(Event::PhaseStarted { phase }).await;
    }

    pub(super) fn pair(&self) -> Pair {
        Pair {
            source: self.source.guid.clone(),
            target: self.target.guid.clone(),
        }
    }
}

/// Whether another run may have the pair.
pub(super) const fn is_lost(ended: Result<&End, &RunError>) -> bool {
    matches!(
        ended,
        Ok(End::LeaseLost(_)) | Err(RunError::Store(StoreError::LeaseLost { .. }))
    )
}

pub(super) fn sorted(doubts: HashMap<EntityKey, String>) -> Vec<(EntityKey, String)> {
    let mut doubts: Vec<_> = doubts.into_iter().collect();
    doubts.sort_unstable();
    doubts
}

fn agreement(mapping: &Mapping) -> (crate::domain::EntityKey, Agreement) {
    let agreement = Agreement {
        target: mapping.target,
        source_hash: mapping.source_hash,
        target_hash: mapping.target_hash,
        target_version: mapping.target_version,
        proof: mapping.proof,
        filled: mapping.filled.clone(),
        fields: mapping.fields.clone(),
        bytes_hash: mapping.bytes_hash,
        bytes_date: mapping.bytes_date.clone(),
        place: None,
        number: None,
        evidence: mapping.evidence.as_deref().map(Into::into),
    };
    (mapping.key.clone(), agreement)
}

/// The id map as it is before anything is written.
fn warm_ids(prepared: &Prepared) -> IdMap {
    let ids = IdMap::new(prepared.target.asset_container.clone());
    let mapped = LazyCell::new(|| {
        let rows = prepared.mappings.iter();
        rows.map(|mapping| (&mapping.key, mapping.target))
            .collect::<HashMap<_, _>>()
    });
    for (node, planned) in (0_u32..).zip(&prepared.plan.entities) {
        let key = &prepared.source.entities()[node as usize].key;
        let is_excluded = prepared.mapped.excluded.contains_key(key);
        let is_lost =
            is_excluded || matches!(planned.action, Action::Fail { .. } | Action::Block { .. });
        // What cannot be written this time, or is not to be, is on the target all the same.
        let found = planned.found.filter(|_| is_excluded);
        let kept = || found.or_else(|| is_lost.then(|| mapped.get(key).copied()).flatten());
        if let Some(target) = planned.action.counterpart().or_else(kept) {
            let there = prepared.target.get(&key.with_id(target));
            if is_lost && there.is_none() {
                continue;
            }
            if let Some(there) = there {
                let here = &prepared.source.entities()[node as usize];
                if key.kind.is_named() {
                    ids.record_name(key.kind, &here.name, &there.name);
                }
                if key.kind == Kind::Asset
                    && let Some(urls) = asset_urls(&there.body.parse())
                {
                    ids.record_urls(key.id, urls);
                }
            }
            let version = there.and_then(|there| there.version);
            // Two rows of the store that contradict one another: the first in key order stays, and the
            // verification names the other.
            drop(ids.record(
                key,
                Counterpart {
                    id: target,
                    version,
                },
            ));
        }
    }
    for (kind, id, there) in built_ins(&prepared.source, &prepared.target) {
        ids.record_shared(kind, SourceId::new(id), TargetId::new(there.id));
        ids.record_name(kind, &there.name, &there.name);
    }
    for mapping in prepared.mappings.iter() {
        // Items and pages in locales that this run leaves out.
        let key = &mapping.key;
        let is_absent = prepared.source.get(key).is_none();
        if key.kind.is_localised() && is_absent && ids.shared(key.kind, key.id).is_none() {
            ids.record_shared(key.kind, key.id, mapping.target);
        }
        let is_read = |locale: &Locale| prepared.source.locales.contains(locale);
        let is_gone = is_absent && key.locale.as_ref().is_none_or(is_read);
        if !is_gone {
            ids.reserve(key.kind, mapping.target, key.id);
        }
    }
    for (planned, here) in prepared
        .plan
        .entities
        .iter()
        .zip(prepared.source.entities())
    {
        if let Action::Create { joins: Some(there) } = &planned.action
            && ids.shared(here.key.kind, here.key.id).is_none()
        {
            ids.record_shared(here.key.kind, here.key.id, there.target);
        }
    }
    ids
}
