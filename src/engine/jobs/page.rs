//! Pages: one per batch, below its parent and in front of the nearest following sibling that is on the target.

use super::read_back;
use crate::domain::{Id as _, Kind, Locale, TargetId};
use crate::engine::context::{Ends, Live, PlanView, Prepared, RunContext};
use crate::engine::reconcile::{Cargo, Sent, carry, not_prepared};
use crate::engine::state::{Step, StepResult};
use crate::instance::PageSave;
use crate::plan::{Action, Node};
use crate::store::StoreError;

pub(super) async fn run<E: Ends>(
    context: &RunContext<E>,
    (node, step): (Node, Step),
    (probe, sent): (u64, Option<Sent>),
) -> Result<(Vec<StepResult>, Option<String>), StoreError> {
    let prepared = if context.view.planned(node).is_place_only() && step == Step::Save {
        context.prepare_as_it_is(node).await
    } else {
        context.view.prepare(node, step)
    };
    let item = match prepared {
        Ok(item) => item,
        Err(reason) => return Ok((vec![not_prepared(reason)], None)),
    };
    let page = match place(&context.view, &context.live, &item) {
        Ok(page) => page,
        Err(reason) => return Ok((vec![not_prepared(reason)], None)),
    };
    let items = std::slice::from_ref(&item);
    let results = carry(context, Cargo::Page(&page), items, sent)
        .await?
        .results;
    let wrong = read_back::compare(context, probe, items, &results).await;
    Ok((results, wrong))
}

/// Where the page goes on the target.
///
/// # Errors
/// A sentence that names the channel which the target does not have, or the parent that has no counterpart.
fn place(view: &PlanView, live: &Live, item: &Prepared) -> Result<PageSave, String> {
    let home = view.home(item.node)?;
    Ok(PageSave {
        parent: home.parent.map(TargetId::new),
        place_before: view.following(live, item.node),
        channel_id: home.channel,
        other_locale: if item.save.id.is_none() {
            other_locale(view, item.node)
        } else {
            None
        },
        save: item.save.clone(),
    })
}

/// The page in a locale in which the target has it already.
fn other_locale(view: &PlanView, node: Node) -> Option<(TargetId, Locale)> {
    let entity = view.entity(node);
    let id = view.ids.shared(Kind::Page, entity.key.id)?;
    if let Action::Create {
        joins: Some(joined),
    } = &view.planned(node).action
        && joined.target == id
    {
        return Some((id, joined.locale.clone()));
    }
    view.source_inventory
        .locales
        .iter()
        .chain(&view.target_inventory.locales)
        .filter(|locale| Some(*locale) != entity.locale())
        .find(|locale| {
            let key = crate::domain::Key {
                locale: Some((*locale).clone()),
                ..entity.key.clone()
            };
            view.ids.resolve(&key).is_some()
        })
        .map(|locale| (id, locale.clone()))
}
