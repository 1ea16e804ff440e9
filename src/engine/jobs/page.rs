//! Pages: one in each batch, below its parent and in front of the nearest sibling behind it that is there.

use std::future::Future;
use std::pin::Pin;

use super::doubt::{self, Doubt};
use super::polling::{self, BatchEnd};
use super::{close, content, held, never_left, not_prepared, not_sent, read_back};
use crate::domain::{BatchId, Failure, Id as _, Kind, Locale, TargetId};
use crate::engine::crew::{Crew, Prepared};
use crate::engine::pace::Class;
use crate::engine::state::{Step, StepResult};
use crate::event::Event;
use crate::instance::{Cause, Effect, PageSave, Source, Target, Verdict};
use crate::plan::{Action, Node};
use crate::store::{IntentId, IntentState, Operation, StoreError};

type Results = Result<Vec<StepResult>, StoreError>;

pub(super) async fn run<S, T>(
    crew: &Crew<S, T>,
    (node, step): (Node, Step),
    probe: bool,
) -> Result<(Vec<StepResult>, Option<String>), StoreError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let prepared = if crew.planned(node).is_place_only() && step == Step::Save {
        crew.prepare_as_it_is(node).await
    } else {
        crew.prepare(node, step)
    };
    let item = match prepared {
        Ok(item) => item,
        Err(reason) => return Ok((vec![not_prepared(reason)], None)),
    };
    let page = match place(crew, &item) {
        Ok(page) => page,
        Err(reason) => return Ok((vec![not_prepared(reason)], None)),
    };
    let results = submit(crew, &item, &page, 1).await?;
    let wrong = if probe {
        read_back::compare(crew, &[item], &results).await
    } else {
        None
    };
    Ok((results, wrong))
}

/// Hands in a page and follows it to its end. Boxed, because a page that is proven absent is handed in again.
pub(super) fn submit<'a, S, T>(
    crew: &'a Crew<S, T>,
    item: &'a Prepared,
    page: &'a PageSave,
    attempt: u32,
) -> Pin<Box<dyn Future<Output = Results> + Send + 'a>>
where
    S: Source + Clone,
    T: Target + Clone,
{
    Box::pin(async move {
        let operation = if item.save.id.is_some() {
            Operation::Update
        } else {
            Operation::Create
        };
        let items = std::slice::from_ref(item);
        let intent = crew.open_intent(operation, items, attempt).await?;
        let submit = || crew.target.submit_page(page);
        let sender = crew.under(intent);
        match sender.send_as(Class::Submit, Effect::Write, submit).await {
            Ok(batch) => follow(crew, item, page, (intent, attempt), batch).await,
            Err(error) if error.cause == Cause::Halted => never_left(crew, intent, 1).await,
            Err(error) if error.verdict(Effect::Write) == Verdict::Reconcile => {
                let why = error.to_string();
                let doubt = Doubt::ended(intent, attempt, (error.cause.failure(), &why));
                doubt::settle_page(crew, item, page, doubt).await
            }
            Err(error) => {
                close(crew, intent, IntentState::Failed).await?;
                Ok(vec![not_sent(&error)])
            }
        }
    })
}

pub(super) async fn follow<S, T>(
    crew: &Crew<S, T>,
    item: &Prepared,
    page: &PageSave,
    (intent, attempt): (IntentId, u32),
    batch: BatchId,
) -> Results
where
    S: Source + Clone,
    T: Target + Clone,
{
    let at_target = crew.worker.begin(1);
    crew.number_intent(intent, batch).await?;
    if let Some(locale) = &item.save.locale {
        let submitted = Event::BatchSubmitted {
            batch,
            locale: locale.clone(),
            kind: Kind::Page,
            items: 1,
        };
        crew.sink.emit(submitted).await;
    }
    let results = match polling::wait(crew, batch, at_target).await {
        BatchEnd::Finished(results) if results.len() == 1 => {
            content::keep(crew, intent, std::slice::from_ref(item), results).await?
        }
        BatchEnd::Failed(refusal) => {
            crew.open.note(intent, &content::told(&refusal));
            close(crew, intent, IntentState::Failed).await?;
            vec![content::refused(&refusal)]
        }
        BatchEnd::Finished(results) => {
            let why = format!("batch {batch} has {} results for one page", results.len());
            let doubt = Doubt::ended(intent, attempt, (Failure::Refused, &why));
            doubt::settle_page(crew, item, page, doubt).await?
        }
        BatchEnd::Halted => return Ok(held(1)),
        BatchEnd::Unknown(why) => {
            doubt::settle_page(crew, item, page, Doubt::working(intent, attempt, &why)).await?
        }
    };
    let succeeded = u32::from(matches!(results[0], StepResult::Saved { .. }));
    crew.sink
        .emit(Event::BatchFinished {
            batch,
            succeeded,
            failed: 1 - succeeded,
        })
        .await;
    Ok(results)
}

/// Where the page goes on the target.
///
/// # Errors
/// A sentence that names the channel which the target does not have, or the parent that has no counterpart.
pub(super) fn place<S, T>(crew: &Crew<S, T>, item: &Prepared) -> Result<PageSave, String>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let home = crew.home(item.node)?;
    Ok(PageSave {
        parent: home.parent.map(TargetId::new),
        place_before: crew.following(item.node),
        channel_id: home.channel,
        other_locale: if item.save.id.is_none() {
            other_locale(crew, item.node)
        } else {
            None
        },
        save: item.save.clone(),
    })
}

/// The page in a locale in which the target has it already.
fn other_locale<S, T>(crew: &Crew<S, T>, node: Node) -> Option<(TargetId, Locale)>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let entity = crew.entity(node);
    let id = crew.ids.shared(Kind::Page, entity.key.id)?;
    if let Action::Create {
        joins: Some(joined),
    } = &crew.planned(node).action
        && joined.target == id
    {
        return Some((id, joined.locale.clone()));
    }
    crew.source_inventory
        .locales
        .iter()
        .chain(&crew.target_inventory.locales)
        .filter(|locale| Some(*locale) != entity.locale())
        .find(|locale| {
            let key = crate::domain::Key {
                locale: Some((*locale).clone()),
                ..entity.key.clone()
            };
            crew.ids.resolve(&key).is_some()
        })
        .map(|locale| (id, locale.clone()))
}
