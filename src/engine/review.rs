//! The checks between a plan and its first write.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::asset_bytes::{Looked, known};
use super::run_error::RunError;
use crate::domain::{EntityKey, Inventory, Locale, SourceId, TargetId};
use crate::instance::Webhook;
use crate::plan::{Files, Node, Plan, Prune, shows_file};
use crate::store::Mapping;

/// A plan and both instances that it was made from.
#[derive(Debug)]
pub struct Decided {
    /// What would happen.
    pub plan: Arc<Plan>,
    /// What the target is to have of the source, in the order of the plan.
    pub source: Arc<Inventory<SourceId>>,
    /// What was mapped on the way to that, one sentence each.
    pub maps: Arc<[String]>,
    /// Locales that have another name on the target: that of the source, and that of the target.
    pub locales: Arc<[(Locale, Locale)]>,
    /// What the target holds.
    pub target: Arc<Inventory<TargetId>>,
    /// What the state has of the pair.
    pub mappings: Arc<Vec<Mapping>>,
    /// What a run that carries this out publishes, content before pages.
    pub published: Vec<Node>,
    /// What earlier runs published and the source has unpublished since: unpublished by a run that publishes.
    pub withdrawn: Vec<Node>,
    /// How much there is of that where a run does not publish.
    pub still_public: usize,
    /// What it deletes after that, and what it leaves alone although the source no longer has it.
    pub prune: Arc<Prune>,
    /// The webhooks of the target that are enabled.
    pub webhooks: Arc<Vec<Webhook>>,
    /// The limit of requests per second at the target, where it is known.
    pub per_second: Option<f64>,
    /// What was read of assets to decide about them.
    pub(super) looked: Arc<HashMap<SourceId, Looked>>,
    /// What was found out of the bytes of assets, where that was asked for.
    pub(super) hashed: Option<Files>,
}

impl Decided {
    /// What is known of the bytes of assets: what was found out about those that the plan shows, or else what was known
    /// anyway.
    pub fn files(&self) -> Files {
        let shown = |key: &EntityKey| {
            let planned = self.source.position(key);
            planned.is_some_and(|node| shows_file(&self.plan.entities[node as usize]))
        };
        let found = self.hashed.clone();
        found.unwrap_or_else(|| known(&self.looked, &self.mappings, &self.target, shown))
    }

    /// Whether a run that carries this out writes anything.
    pub fn has_work(&self) -> bool {
        let is_work = self.plan.entities.iter().any(|one| one.action.is_work());
        let publishes = !self.published.is_empty() || !self.withdrawn.is_empty();
        is_work || publishes || self.prune.deletes().next().is_some()
    }
}

/// Looks at what a run decided before it writes anything.
pub trait Review: fmt::Debug + Send + Sync {
    /// Lets the run go on, or returns why not. It may take as long as a person does; it is dropped when the run is asked
    /// to end.
    ///
    /// # Errors
    /// [`RunError::NotAgreed`], [`RunError::Gates`] or [`RunError::Interrupted`]: then nothing is written.
    fn review<'a>(&'a self, decided: &'a Decided) -> BoxFuture<'a, Result<(), RunError>>;
}
