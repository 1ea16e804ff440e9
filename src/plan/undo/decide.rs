//! Decides about every entity that a run wrote.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::again;
use super::dropped::model_of;
use super::needs::{self, References};
use super::order;
use super::own::Own;
use crate::domain::{
    ContentHash, Entity, EntityKey, Inventory, ItemState, Kind, RunId, TargetId, TargetKey,
};
use crate::plan::schema::name_key;

/// What a run left of one entity.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts of a run")]
pub struct Trace {
    /// The entity of the source.
    pub key: EntityKey,
    /// What a person calls it.
    pub name: String,
    /// Its counterpart.
    pub there: TargetKey,
    /// The hashes of all that the run sent for it.
    pub left: Vec<ContentHash>,
    /// The hash of the bytes that the run left of an asset, where it is known.
    pub left_bytes: Option<ContentHash>,
    /// Whether it existed before the run.
    pub existed: bool,
    /// Whether the run deleted it.
    pub deleted: bool,
    /// Whether the run did not write it, and only its model: a field went, and its value with it.
    pub along: bool,
    /// What it was before; `None` when it did not exist, or was not recorded.
    pub prior: Option<PriorState>,
    /// The latest run that wrote it afterwards.
    pub later: Option<RunId>,
    /// Whether the run published it and wrote nothing of it.
    pub only_published: bool,
    /// What the public saw of it before the run published it, where that was another version than the former one.
    pub live: Option<Live>,
}

impl Trace {
    /// Nothing but what it is called and where it stands.
    pub fn new(key: EntityKey, name: String, there: TargetKey) -> Self {
        Self {
            key,
            name,
            there,
            left: Vec::new(),
            left_bytes: None,
            existed: false,
            deleted: false,
            along: false,
            prior: None,
            later: None,
            only_published: false,
            live: None,
        }
    }
}

/// What the public saw of an item or page.
#[derive(Clone, Debug)]
pub enum Live {
    /// Nothing.
    Nothing,
    /// This version.
    Version(Box<Entity<TargetId>>),
}

/// What an entity of the target was before a run.
#[derive(Clone, Debug)]
pub struct PriorState {
    /// As it was read then.
    pub entity: Entity<TargetId>,
    /// The outcome of its bytes.
    pub bytes: PriorBytes,
}

/// The bytes that an asset had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PriorBytes {
    /// It is no asset.
    None,
    /// They are kept under this hash.
    Kept(ContentHash),
    /// They are not, and why.
    Lost(String),
}

/// Everything that a decision rests on.
#[derive(Debug)]
pub struct Inputs<'a> {
    /// What the run wrote.
    pub traces: &'a [Trace],
    /// The target as it is now, in all its locales.
    pub target: &'a Inventory<TargetId>,
    /// The target with its models as the run left them.
    pub left: &'a Own,
    /// The target with its models as they were before.
    pub before: &'a Own,
    /// The hashes of the bytes that assets have now, of those whose bytes are compared.
    pub bytes: &'a HashMap<TargetId, ContentHash>,
    /// The hashes of what the public sees now, of those that are to show something else. One that is missing shows nothing.
    pub live: &'a HashMap<TargetKey, ContentHash>,
    /// What entities refer to once they are written, where that is not what they refer to now.
    pub rewritten: &'a HashMap<TargetKey, Vec<TargetKey>>,
    /// Whether what was changed since is undone as well.
    pub changed_too: bool,
}

/// What happens to an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The run created it: it is deleted.
    Delete,
    /// The run wrote over it: it is saved as it was.
    Restore,
    /// The run wrote over it, and it is as it was before already.
    AsBefore,
    /// It is not there any more.
    Gone,
    /// The run deleted it: it is created again.
    CreateAgain,
    /// It is skipped.
    Keep(Kept),
}

/// Why an entity is skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is no longer as the run left it.
    Changed {
        /// The later run that wrote it, if one did.
        by: Option<RunId>,
    },
    /// Something that stays refers to it.
    Needed {
        /// What refers to it.
        by: TargetKey,
        /// What a person calls that.
        name: String,
    },
    /// It cannot be brought back.
    NotRestorable(String),
    /// It may not be deleted.
    Protected(String),
}

impl Decision {
    /// The name as tables write it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Restore => "restore",
            Self::AsBefore => "as before",
            Self::Gone => "gone already",
            Self::CreateAgain => "create again",
            Self::Keep(Kept::Changed { .. }) => "changed since",
            Self::Keep(Kept::Needed { .. }) => "still needed",
            Self::Keep(Kept::NotRestorable(_)) => "not restorable",
            Self::Keep(Kept::Protected(_)) => "protected",
        }
    }

    /// Whether it means a request that writes.
    pub const fn is_work(&self) -> bool {
        match self {
            Self::Delete | Self::Restore | Self::CreateAgain => true,
            Self::AsBefore | Self::Gone | Self::Keep(_) => false,
        }
    }
}

impl std::fmt::Display for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Changed { by: None } => f.write_str("it was changed on the target since"),
            Self::Changed { by: Some(run) } => write!(f, "run {run} wrote it later"),
            Self::Needed { by, name } => {
                write!(f, "still referenced by {by} {name:?} on the target")
            }
            Self::NotRestorable(why) | Self::Protected(why) => f.write_str(why),
        }
    }
}

/// What has to happen to what the public sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LiveWork {
    /// Nothing.
    #[default]
    Leave,
    /// It is unpublished.
    Unpublish,
    /// The version of [`Trace::live`] is saved and published.
    PublishVersion,
}

/// What was decided about one entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// What happens.
    pub decision: Decision,
    /// Whether it has to be published once it is as it was, because it was published.
    pub publish: bool,
    /// What has to happen to what the public sees of it, before it is saved as it was.
    pub live: LiveWork,
    /// Entities of the plan that refer to it now and are deleted or restored: when that fails, it stays.
    pub held_by: Vec<usize>,
}

/// What an undo does. Indices are those of [`Inputs::traces`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UndoPlan {
    /// One per trace.
    pub entities: Vec<Decided>,
    /// What is restored, stage by stage.
    pub restores: Vec<Vec<usize>>,
    /// What is deleted after that, stage by stage.
    pub deletes: Vec<Vec<usize>>,
}

impl UndoPlan {
    /// How many entities are skipped because something changed them.
    pub fn changed(&self) -> usize {
        let is_changed =
            |one: &&Decided| matches!(one.decision, Decision::Keep(Kept::Changed { .. }));
        self.entities.iter().filter(is_changed).count()
    }

    /// How many entities end in each decision, by kind.
    pub fn counts(&self, traces: &[Trace]) -> BTreeMap<Kind, BTreeMap<&'static str, u32>> {
        let mut counts: BTreeMap<Kind, BTreeMap<&'static str, u32>> = BTreeMap::new();
        for (trace, decided) in traces.iter().zip(&self.entities) {
            let row = counts.entry(trace.key.kind).or_default();
            *row.entry(decided.decision.name()).or_default() += 1;
        }
        counts
    }
}

/// Decides about everything that the run wrote. The same inputs give the same plan.
pub fn plan(inputs: &Inputs<'_>) -> UndoPlan {
    let mut entities: Vec<Decided> = inputs
        .traces
        .iter()
        .map(|trace| decide(trace, inputs))
        .collect();
    leave_without_model(&mut entities, inputs);
    again::leave_out(&mut entities, inputs);
    ordered(entities, inputs)
}

/// The plan of what was decided about each entity by itself: what is still needed stays, and the rest has its order.
pub(in crate::plan) fn ordered(mut entities: Vec<Decided>, inputs: &Inputs<'_>) -> UndoPlan {
    let references = References::of(inputs);
    needs::keep_what_is_needed(&mut entities, inputs, &references);
    needs::hold(&mut entities, inputs, &references);
    let (restores, deletes) = order::stages(&entities, inputs);
    UndoPlan {
        entities,
        restores,
        deletes,
    }
}

fn decide(trace: &Trace, inputs: &Inputs<'_>) -> Decided {
    let present = inputs.target.get(&trace.there);
    if trace.deleted {
        return decide_deleted(trace, present, inputs);
    }
    let Some(present) = present else {
        return decided(Decision::Gone, false);
    };
    if !trace.existed {
        let decision = if inputs.changed_too || is_as_left(trace, present, inputs) {
            Decision::Delete
        } else {
            changed(trace)
        };
        return decided(decision, false);
    }
    let Some(prior) = &trace.prior else {
        let why = "the previous version was not recorded before the run".to_owned();
        return decided(Decision::Keep(Kept::NotRestorable(why)), false);
    };
    let was_published = prior.entity.state == ItemState::Published;
    let live = live_work(trace, inputs);
    let is_whole = live == LiveWork::Leave && is_in_former_state(trace, prior, present);
    if is_whole && is_as_before(prior, present, inputs) {
        let publish = was_published && present.state != ItemState::Published;
        return decided(Decision::AsBefore, publish);
    }
    let decision = match &prior.bytes {
        _ if !inputs.changed_too && !is_as_left(trace, present, inputs) => changed(trace),
        PriorBytes::Lost(why) => {
            let why = format!("its former bytes could not be kept: {why}");
            Decision::Keep(Kept::NotRestorable(why))
        }
        PriorBytes::None | PriorBytes::Kept(_) => Decision::Restore,
    };
    let is_restored = decision == Decision::Restore;
    Decided {
        live: if is_restored { live } else { LiveWork::Leave },
        ..decided(decision, was_published && is_restored)
    }
}

/// What was deleted is created again, unless something has its place: an undo that was interrupted may have come so far.
fn decide_deleted(
    trace: &Trace,
    present: Option<&Entity<TargetId>>,
    inputs: &Inputs<'_>,
) -> Decided {
    let Some(prior) = &trace.prior else {
        let why = "what it was before it was deleted was not recorded".to_owned();
        return decided(Decision::Keep(Kept::NotRestorable(why)), false);
    };
    let was_published = prior.entity.state == ItemState::Published;
    match (present, &prior.bytes) {
        (Some(present), _) if inputs.before.says(present, &prior.entity) => {
            let publish = was_published && present.state != ItemState::Published;
            decided(Decision::AsBefore, publish)
        }
        (Some(_), _) => decided(changed(trace), false),
        (None, PriorBytes::Lost(why)) => {
            let why = format!("its bytes could not be kept when it was deleted: {why}");
            decided(Decision::Keep(Kept::NotRestorable(why)), false)
        }
        (None, PriorBytes::None | PriorBytes::Kept(_)) => {
            decided(Decision::CreateAgain, was_published)
        }
    }
}

/// What the public has to see again.
fn live_work(trace: &Trace, inputs: &Inputs<'_>) -> LiveWork {
    let now = inputs.live.get(&trace.there);
    match (&trace.live, now) {
        (None, _) | (Some(Live::Nothing), None) => LiveWork::Leave,
        (Some(Live::Nothing), Some(_)) => LiveWork::Unpublish,
        (Some(Live::Version(version)), Some(now)) if *now == inputs.before.hash(version) => {
            LiveWork::Leave
        }
        (Some(Live::Version(_)), _) => LiveWork::PublishVersion,
    }
}

/// Whether an entity whose publication is undone has the state that it had: a save leaves it in staging.
fn is_in_former_state(trace: &Trace, prior: &PriorState, present: &Entity<TargetId>) -> bool {
    let expected = if prior.entity.state == ItemState::Unpublished {
        ItemState::Unpublished
    } else {
        ItemState::Staging
    };
    trace.live.is_none() || present.state == expected
}

/// A value can come back only with its field, so it stays away when its model is left as the run left it.
fn leave_without_model(entities: &mut [Decided], inputs: &Inputs<'_>) {
    let comes_back =
        |decided: &Decided| matches!(decided.decision, Decision::Restore | Decision::AsBefore);
    let models: HashSet<Box<str>> = inputs
        .traces
        .iter()
        .zip(entities.iter())
        .filter(|(trace, decided)| trace.key.kind == Kind::Model && comes_back(decided))
        .filter_map(|(trace, _)| Some(name_key(&trace.prior.as_ref()?.entity.name)))
        .collect();
    for (trace, decided) in inputs.traces.iter().zip(entities) {
        let model = trace
            .prior
            .as_ref()
            .and_then(|prior| model_of(&prior.entity));
        if trace.along
            && decided.decision == Decision::Restore
            && !model.is_some_and(|model| models.contains(&model))
        {
            let why = "its model is left as the run left it, without the field of the lost value";
            *decided = self::decided(Decision::Keep(Kept::NotRestorable(why.to_owned())), false);
        }
    }
}

pub(in crate::plan) fn decided(decision: Decision, publish: bool) -> Decided {
    Decided {
        decision,
        publish,
        live: LiveWork::Leave,
        held_by: Vec::new(),
    }
}

fn changed(trace: &Trace) -> Decision {
    Decision::Keep(Kept::Changed {
        by: trace.later.clone(),
    })
}

/// Whether it has not changed since the run. Versions do not show that: publishing raises them and changes nothing.
fn is_as_left(trace: &Trace, present: &Entity<TargetId>, inputs: &Inputs<'_>) -> bool {
    let now = inputs
        .bytes
        .get(&present.key.id)
        .filter(|_| present.key.kind == Kind::Asset);
    let same_bytes = match (trace.left_bytes, now) {
        (Some(left), Some(now)) => left == *now,
        (_, _) => true,
    };
    let now = inputs.left.hash(present);
    let is_as_left =
        || trace.left.contains(&now) || trace.left.contains(&inputs.left.whole_hash(present));
    // What the run did not write was left as it was, but for the fields that its model has no more.
    let as_it_was = || {
        let prior = trace.prior.as_ref().filter(|_| trace.along);
        prior.is_some_and(|prior| inputs.left.hash(&prior.entity) == now)
    };
    same_bytes && (is_as_left() || as_it_was() || is_publication(trace, present, inputs))
}

/// Whether it says what it said before the run published it, or what an undo that was interrupted left of it.
fn is_publication(trace: &Trace, present: &Entity<TargetId>, inputs: &Inputs<'_>) -> bool {
    let now = inputs.before.hash(present);
    let is_now = |entity: &Entity<TargetId>| inputs.before.hash(entity) == now;
    let is_former = trace
        .prior
        .as_ref()
        .is_some_and(|prior| is_now(&prior.entity));
    match &trace.live {
        Some(Live::Version(version)) => is_former || is_now(version),
        Some(Live::Nothing) => is_former,
        None => is_former && trace.only_published,
    }
}

/// Whether it says what it said before the run. Bytes that were not compared count as different.
fn is_as_before(prior: &PriorState, present: &Entity<TargetId>, inputs: &Inputs<'_>) -> bool {
    let same_bytes = match &prior.bytes {
        PriorBytes::None => true,
        PriorBytes::Kept(hash) => inputs.bytes.get(&present.key.id) == Some(hash),
        PriorBytes::Lost(_) => false,
    };
    same_bytes && inputs.before.hash(present) == inputs.before.hash(&prior.entity)
}
