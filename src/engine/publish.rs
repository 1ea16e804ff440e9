//! Publishing: what is published on the source, and was written by this run, content before pages.

use std::collections::BTreeMap;

use super::crew::Crew;
use super::jobs::{BatchEnd, wait};
use super::options::Publish;
use super::pace::Class;
use crate::domain::{Kind, Locale, TargetId};
use crate::event::Event;
use crate::instance::{Effect, Source, Target};
use crate::plan::Node;
use crate::store::StoreError;

/// Ids in one request (limit of `batch-workflow`).
const IDS_AT_ONCE: usize = 250;

/// Publishes, and returns why something could not be.
///
/// # Errors
/// [`StoreError`] when the state could not be made durable.
pub(super) async fn publish<S, T>(crew: &Crew<S, T>) -> Result<Vec<String>, StoreError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let kinds: &[Kind] = match crew.options.publish {
        Publish::Off => &[],
        Publish::Content => &[Kind::Content],
        Publish::Pages => &[Kind::Page],
        Publish::Both => &[Kind::Content, Kind::Page],
    };
    let mut problems = Vec::new();
    for kind in kinds {
        for (locale, ids) in eligible(crew, *kind) {
            for some in ids.chunks(IDS_AT_ONCE) {
                problems.extend(publish_some(crew, *kind, &locale, some).await);
            }
        }
    }
    Ok(problems)
}

/// Everything that this run wrote and the source has published, each id once, by locale.
fn eligible<S, T>(crew: &Crew<S, T>, kind: Kind) -> BTreeMap<Locale, Vec<TargetId>>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let mut ids: BTreeMap<Locale, Vec<TargetId>> = BTreeMap::new();
    for (node, entity) in (0..).zip(crew.source_inventory.entities()) {
        let node: Node = node;
        let written = crew.planned(node).action.is_work() && !crew.unfinished.contains(&node);
        if entity.key.kind != kind || !entity.is_published() || !written {
            continue;
        }
        if let (Some(locale), Some(there)) = (entity.locale(), crew.ids.resolve(&entity.key)) {
            ids.entry(locale.clone()).or_default().push(there.id);
        }
    }
    for ids in ids.values_mut() {
        ids.sort_unstable();
        ids.dedup();
    }
    ids
}

async fn publish_some<S, T>(
    crew: &Crew<S, T>,
    kind: Kind,
    locale: &Locale,
    ids: &[TargetId],
) -> Option<String>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let what = format!("publishing {} {} of {locale}", ids.len(), kind.plural());
    let submit = || crew.target.submit_publish(kind, locale, ids);
    let batch = match crew
        .to_target()
        .send_as(Class::Submit, Effect::Write, submit)
        .await
    {
        Ok(batch) => batch,
        Err(error) => return Some(format!("{what}: {error}")),
    };
    let items = u32::try_from(ids.len()).unwrap_or(u32::MAX);
    crew.sink
        .emit(Event::BatchSubmitted {
            batch,
            locale: locale.clone(),
            kind,
            items,
        })
        .await;
    let problem = match wait(crew, batch, items).await {
        BatchEnd::Finished(results) => {
            // A workflow batch may list more items than were asked for, and in another order.
            let refused: Vec<_> = results
                .iter()
                .filter_map(|result| result.as_ref().err())
                .collect();
            refused.first().map(|first| {
                format!(
                    "{what}: {} refused; the first: {:?}",
                    refused.len(),
                    first.said
                )
            })
        }
        BatchEnd::Failed(refusal) => Some(format!("{what}: {:?}", refusal.said)),
        BatchEnd::Unknown(why) => Some(format!("{what}: {why}")),
    };
    let failed = u32::from(problem.is_some()) * items;
    crew.sink
        .emit(Event::BatchFinished {
            batch,
            succeeded: items - failed,
            failed,
        })
        .await;
    problem
}
