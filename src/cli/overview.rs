//! What a plan changes, from what a session decided.

use crate::config::Settings;
use crate::engine::Decided;
use crate::plan::{EffortLimits, Overview, Seen};

/// The requests in flight that an estimate assumes at most: those with which a run begins.
pub(super) const AT_ONCE: usize = 16;

/// What a plan changes.
pub(super) fn overview(settings: &Settings, decided: &Decided) -> Overview {
    let rows = decided.mappings.iter();
    let mapped: Vec<_> = rows.map(|row| (row.key.clone(), row.target)).collect();
    let webhooks = decided.webhooks.iter();
    let webhooks = webhooks.map(|webhook| webhook.name.to_string());
    Overview::of(&Seen {
        plan: &decided.plan,
        source: &decided.source,
        target: &decided.target,
        policies: &settings.sync.policies,
        maps: &decided.maps,
        locales: &decided.locales,
        prune: &decided.prune,
        withdrawn: &decided.withdrawn,
        still_public: decided.still_public,
        webhooks: &webhooks.collect::<Vec<_>>(),
        pauses_webhooks: settings.sync.pause_webhooks,
        mapped: &mapped,
        files: &decided.files(),
        published: &decided.published,
        limits: EffortLimits {
            batch_items: settings.batch_size,
            in_flight: settings.pace.concurrency.min(AT_ONCE),
            per_second_max: [settings.pace.per_second_max, decided.per_second]
                .into_iter()
                .flatten()
                .reduce(f64::min),
            upload: settings.upload,
        },
    })
}
