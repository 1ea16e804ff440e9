//! One verification from its first question to its last event.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::bodies::Compared;
use super::bytes::compare_bytes;
use super::compare::{Found, Verifier};
use super::difference::{Difference, DifferenceKind, Scope};
use super::late;
use super::notes::Notes;
use super::read_back::{read_localised, read_unclaimed, target_tree};
use crate::domain::{EntityKey, Kind, Locale};
use crate::engine::context::{Ends, Live, PlanView, RunContext};
use crate::engine::pull::{PullError, Reader};
use crate::engine::sink::Sink;
use crate::event::Event;
use crate::plan::{Action, ListOrder, Node};
use crate::planted::{self, Bug};

/// What a verification found.
#[derive(Debug)]
pub struct Verified {
    /// What is not as it should be.
    pub differences: Vec<Difference>,
    /// What this run wrote, as it was read back.
    pub(in crate::engine) compared: Vec<Compared>,
    /// The order of lists that this run wrote to.
    pub(in crate::engine) lists: Vec<ListOrder>,
    /// Pages of rows that this run wrote to, and whether their places are still owed.
    pub(in crate::engine) places: Vec<(Node, bool)>,
}

/// What the target should be, read back and compared. `earlier` was found by what was compared before that.
///
/// # Errors
/// [`PullError`] when the target cannot be read.
pub async fn verify<E: Ends>(
    context: &Arc<RunContext<E>>,
    reader: &Arc<Reader<E::Target>>,
    locales: &[Locale],
    (scope, earlier): (Scope, Vec<Difference>),
) -> Result<Verified, PullError> {
    let scoped: Vec<Node> = (0..context.view.plan.graph.len())
        .filter(|node| is_compared(&context.view, &context.live, *node, scope))
        .filter(|node| {
            let kind = context.view.entity(*node).key.kind;
            !(kind == Kind::Content && planted::has(Bug::VerifiesNoContent))
        })
        .collect();
    let total = u32::try_from(scoped.len()).unwrap_or(u32::MAX);
    // Files come from elsewhere and take nothing from the rate of the API. A task of its own goes on fetching them while
    // entities are compared, which takes a processor and not the network.
    let mut files = JoinSet::new();
    files.spawn(compare_bytes(Arc::clone(context), scoped.clone(), scope));
    let found = compare_entities(context, reader, (locales, &scoped), scope).await?;
    let bytes = match files.join_next().await {
        Some(Ok(bytes)) => bytes,
        Some(Err(broken)) => std::panic::resume_unwind(broken.into_panic()),
        None => Vec::new(),
    };
    let Found {
        mut differences,
        mut compared,
        lists,
        places,
        notes,
    } = found;
    differences.extend(bytes);
    if planted::has(Bug::TellsNoPages) {
        differences.retain(|found| found.key.kind != Kind::Page);
    }
    let different = spoilt(&differences);
    for compared in &mut compared {
        compared.is_equal &= !different.contains(&context.view.entity(compared.node).key);
    }
    differences.extend(earlier);
    tell(&context.sink, (&differences, &notes), total).await;
    Ok(Verified {
        differences,
        compared,
        lists,
        places,
    })
}

/// The entities that differ in themselves. Order and doubles are others' doing as well, and what the target keeps was not to be
/// written.
fn spoilt(differences: &[Difference]) -> HashSet<EntityKey> {
    let ours = differences.iter().filter(|found| !found.left_alone);
    let own = ours.filter(|found| match found.difference {
        DifferenceKind::Missing
        | DifferenceKind::Dangling
        | DifferenceKind::WrongReference
        | DifferenceKind::DifferentField
        | DifferenceKind::WrongParent
        | DifferenceKind::DifferentBytes
        | DifferenceKind::StillThere => true,
        DifferenceKind::Duplicate | DifferenceKind::WrongOrder | DifferenceKind::WrongMapping => {
            false
        }
    });
    own.map(|found| found.key.clone()).collect()
}

async fn tell(sink: &Sink, (differences, notes): (&[Difference], &Notes), total: u32) {
    for message in notes.sentences() {
        sink.emit(Event::Warned { message }).await;
    }
    for difference in differences {
        sink.emit(difference.found()).await;
    }
    let count = u32::try_from(differences.len()).unwrap_or(u32::MAX);
    sink.emit(Event::VerifyFinished {
        checked: total,
        differences: count,
    })
    .await;
}

async fn compare_entities<E: Ends>(
    context: &Arc<RunContext<E>>,
    reader: &Arc<Reader<E::Target>>,
    (locales, nodes): (&[Locale], &[Node]),
    scope: Scope,
) -> Result<Found, PullError> {
    let mut found = target_tree(reader, locales).await?;
    if scope == Scope::AfterRun {
        found.lists = late::until_shown(context, reader, (locales, nodes), found.lists).await?;
    }
    let mut verifier = Verifier::new(context, found, scope);
    let is_listed = |node: &&Node| !context.view.entity(**node).key.kind.is_localised();
    for node in nodes.iter().filter(is_listed) {
        verifier.compare_listed(*node);
    }
    // Each is a chain of a few answers, and neither needs the other.
    let ((), unclaimed) = tokio::try_join!(
        read_localised(context, reader, nodes, &mut verifier),
        read_unclaimed(context, reader, (locales, scope)),
    )?;
    verifier.conclude_open();
    verifier.wrong_mappings();
    verifier.sort();
    verifier.order(locales);
    verifier.duplicates(unclaimed);
    Ok(verifier.into_found())
}

pub(super) fn is_compared(view: &PlanView, live: &Live, node: Node, scope: Scope) -> bool {
    let planned = view.planned(node);
    match (scope, &planned.action) {
        (_, Action::OutOfScope)
        | (
            Scope::AfterRun,
            Action::Fail { .. } | Action::Block { .. } | Action::Conflict { target: None },
        ) => false,
        // What the run could not write has no counterpart, or is reported as failed already.
        (Scope::AfterRun, Action::Create { .. } | Action::Update { .. }) => {
            view.ids.resolve(&view.entity(node).key).is_some() && !live.unfinished.contains(&node)
        }
        (Scope::Everything, _)
        | (
            Scope::AfterRun,
            Action::Adopt { .. } | Action::Unchanged { .. } | Action::Conflict { target: Some(_) },
        ) => true,
    }
}
