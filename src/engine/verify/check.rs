//! One verification from its first question to its last event.

use std::sync::Arc;

use super::bytes::compare_bytes;
use super::compare::Verifier;
use super::difference::{Difference, Scope};
use super::read_back::{read_localised, read_unclaimed, surroundings};
use crate::domain::Locale;
use crate::engine::crew::Crew;
use crate::engine::pull::{PullError, Reader};
use crate::event::Event;
use crate::instance::{Source, Target};
use crate::plan::{Action, Node};

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
    // Files come from elsewhere and take nothing from the rate of the API.
    let (bytes, mut differences) = tokio::try_join!(
        async { Ok(compare_bytes(crew, &nodes, scope).await) },
        compare_entities(crew, reader, (locales, &nodes), scope),
    )?;
    differences.extend(bytes);
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

async fn compare_entities<S, T>(
    crew: &Arc<Crew<S, T>>,
    reader: &Arc<Reader<T>>,
    (locales, nodes): (&[Locale], &[Node]),
    scope: Scope,
) -> Result<Vec<Difference>, PullError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let found = surroundings(reader, locales).await?;
    let mut verifier = Verifier::new(crew, found, scope);
    let is_listed = |node: &&Node| !crew.entity(**node).key.kind.is_localised();
    for node in nodes.iter().filter(is_listed) {
        verifier.compare_listed(*node);
    }
    read_localised(crew, reader, nodes, &mut verifier).await?;
    verifier.sort();
    verifier.order(locales);
    verifier.duplicates(read_unclaimed(crew, reader, locales).await?);
    Ok(verifier.into_differences())
}

pub(super) fn is_compared<S, T>(crew: &Crew<S, T>, node: Node, scope: Scope) -> bool
where
    S: Source + Clone,
    T: Target + Clone,
{
    let planned = crew.planned(node);
    match (scope, &planned.action) {
        (_, Action::OutOfScope)
        | (Scope::AfterRun, Action::Conflict { .. } | Action::Fail { .. } | Action::Block { .. }) => {
            false
        }
        (Scope::Everything, _) => true,
        // What the run could not write has no counterpart, or is reported as failed already.
        (Scope::AfterRun, Action::Create { .. } | Action::Update { .. }) => {
            crew.ids.resolve(&crew.entity(node).key).is_some() && !crew.unfinished.contains(&node)
        }
        (Scope::AfterRun, Action::Adopt { .. } | Action::Unchanged { .. }) => !planned.left_alone,
    }
}
