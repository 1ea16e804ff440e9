//! Requests whose effect is not known: look first, send again only what is proven absent.
//!
//! A save over a known id, and an upload over a path, may be repeated: the same content lands in the same place. A
//! create may not. Whatever has a name is looked up by it; content items, which have none, are looked
//! for among the items of their container that are nobody's counterpart, by the hash of what was sent. Items with
//! equal content are interchangeable, and each is taken once.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use super::{close, content, held, keep_all, lost, page, show};
use crate::domain::{
    BatchId, ByName, ContentHash, Entity, Failure, Id, Kind, Locale, TargetId, TargetKey,
};
use crate::engine::crew::{Crew, Prepared, container_of};
use crate::engine::pace::Class;
use crate::engine::recovery::LOOKS;
use crate::engine::state::StepResult;
use crate::instance::{
    Answer, Ask, Cause, Effect, Found, PageSave, Refusal, RequestError, Save, Saved, Source,
    Target, Verdict,
};
use crate::plan::{expected_hash, target_hash};
use crate::planted::{self, Bug};
use crate::store::{IntentId, IntentState, StoreError};

/// A request whose outcome is not known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubt<'a> {
    intent: IntentId,
    /// Which attempt it was, the first being 1.
    attempt: u32,
    /// Whether the target may still be at it under a number that is known. Then it is never sent again.
    may_be_working: bool,
    /// What is known to have gone wrong.
    cause: Failure,
    why: &'a str,
}

impl<'a> Doubt<'a> {
    /// Nothing is known of the batch, or it has ended.
    pub(super) const fn ended(
        intent: IntentId,
        attempt: u32,
        (cause, why): (Failure, &'a str),
    ) -> Self {
        Self {
            intent,
            attempt,
            may_be_working: false,
            cause,
            why,
        }
    }

    /// The batch is known and has not ended as far as anybody knows.
    pub(super) const fn working(intent: IntentId, attempt: u32, why: &'a str) -> Self {
        Self {
            intent,
            attempt,
            may_be_working: true,
            cause: Failure::InDoubt,
            why,
        }
    }
}

type Results = Result<Vec<StepResult>, StoreError>;

/// Settles a save of something that has a name.
pub(super) async fn settle_save<S, T>(
    crew: &Crew<S, T>,
    intent: IntentId,
    item: &Prepared,
    mut error: RequestError,
) -> Result<Saved, RequestError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    for _ in 0..crew.options.attempts {
        let mut save = item.save.clone();
        if save.id.is_none() {
            let named = Ask::Named {
                kind: save.kind,
                name: save.name.clone(),
                locale: save.locale.clone(),
            };
            // What was there before is no effect of the request; the server says what it makes of its name.
            let there = first(ask(crew, &named).await?).filter(|there| is_new(crew, there));
            if let Some(there) = there {
                if target_hash(&there, &crew.schema) == item.target_hash {
                    return Ok(saved(&there));
                }
                save.id = Some(there.key.id);
            }
        }
        match crew
            .under(intent)
            .send(Effect::Write, || crew.target.save(&save))
            .await
        {
            Ok(saved) => return Ok(saved),
            Err(again) if again.verdict(Effect::Write) == Verdict::Reconcile => error = again,
            Err(again) => return Err(again),
        }
        tokio::time::sleep(between_looks(crew)).await;
    }
    Err(error)
}

/// Settles redirections. The target refuses a second rule for one origin, so they may be sent again; rows that
/// are there already are then found by their origin.
pub(super) async fn settle_redirections<S, T>(
    crew: &Crew<S, T>,
    rows: &[Save],
    error: RequestError,
) -> Result<Vec<Result<Saved, Refusal>>, RequestError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let again = || crew.target.save_redirections(rows);
    let mut answers = repeat(crew, Class::Write, again, error).await?;
    if answers.iter().all(Result::is_ok) {
        return Ok(answers);
    }
    let mut there = entities(ask(crew, &Ask::Redirections).await?);
    there.retain(|entity| is_new(crew, entity));
    let mut by_name = ByName::default();
    for entity in &there {
        by_name.insert(Kind::Redirection, &entity.name, saved(entity));
    }
    for (row, answer) in rows.iter().zip(&mut answers) {
        let found = by_name.get(Kind::Redirection, &row.name);
        if let (Err(_), None, Some(saved)) = (&answer, row.id, found) {
            *answer = Ok(saved.clone());
        }
    }
    Ok(answers)
}

/// Whether something on the target can be the effect of a create of this run: it was not there before, and is nobody's
/// counterpart.
fn is_new<S, T>(crew: &Crew<S, T>, there: &Entity<TargetId>) -> bool {
    let key = &there.key;
    let is_taken = crew.ids.is_claimed(key.kind, key.id);
    crew.target_inventory.get(key).is_none() && (!is_taken || planted::has(Bug::LooksAmongTaken))
}

/// Sends something again that is harmless to repeat.
pub(in crate::engine) async fn repeat<S, T, R, F>(
    crew: &Crew<S, T>,
    class: Class,
    mut request: impl FnMut() -> F,
    mut error: RequestError,
) -> Result<R, RequestError>
where
    S: Source + Clone,
    T: Target + Clone,
    F: Future<Output = Result<R, RequestError>>,
{
    for _ in 1..crew.options.attempts {
        tokio::time::sleep(between_looks(crew)).await;
        let sender = crew.to_target();
        match sender.send_as(class, Effect::Write, &mut request).await {
            Ok(answer) => return Ok(answer),
            Err(again) if again.verdict(Effect::Write) == Verdict::Reconcile => error = again,
            Err(again) => return Err(again),
        }
    }
    Err(error)
}

/// Settles the items of a batch whose results are not known.
pub(super) async fn settle_items<S, T>(
    crew: &Crew<S, T>,
    locale: &Locale,
    items: &[Prepared],
    doubt: Doubt<'_>,
) -> Results
where
    S: Source + Clone,
    T: Target + Clone,
{
    crew.open.note(doubt.intent, doubt.why);
    let (found, absent) = match look(crew, locale, items).await {
        Ok(looked) => looked,
        Err(error) if error.cause == Cause::Halted => return Ok(held(items.len())),
        Err(error) => {
            let why = format!("{}; {error}", doubt.why);
            return in_doubt(crew, items, doubt.intent, &why).await;
        }
    };
    let state = match (doubt.may_be_working, absent.is_empty()) {
        (_, true) => IntentState::Done,
        (true, false) => IntentState::InDoubt,
        (false, false) => IntentState::Failed,
    };
    let kept = found.iter().map(|(at, saved)| (*at, &items[*at], saved));
    let (mut changes, mut taken) = keep_all(crew, kept);
    changes.push(crew.closed(doubt.intent, state));
    crew.store.commit(changes).await?;
    let result = if doubt.may_be_working {
        not_known(doubt.why)
    } else {
        lost(doubt.cause, doubt.why)
    };
    let mut results: Vec<StepResult> = items.iter().map(|_| result.clone()).collect();
    for (at, saved) in &found {
        results[*at] = match taken.remove(at) {
            Some(result) => result,
            None => show(crew, &items[*at], saved),
        };
    }
    if !absent.is_empty() && may_repeat(crew, doubt) {
        let rest: Vec<Prepared> = absent.iter().map(|at| items[*at].clone()).collect();
        let again = content::again(crew, locale, &rest, doubt.attempt + 1).await?;
        for (at, result) in absent.into_iter().zip(again) {
            results[at] = result;
        }
    }
    Ok(results)
}

fn may_repeat<S, T>(crew: &Crew<S, T>, doubt: Doubt<'_>) -> bool {
    !doubt.may_be_working && doubt.attempt < crew.options.attempts
}

/// A batch failed as a whole: what took effect all the same is kept, the rest is handed in again in halves.
pub(super) async fn split_after<S, T>(
    crew: &Crew<S, T>,
    locale: &Locale,
    items: &[Prepared],
    attempt: u32,
    refusal: &Refusal,
) -> Results
where
    S: Source + Clone,
    T: Target + Clone,
{
    let (found, absent) = match look_once(crew, locale, items).await {
        Ok(looked) => looked,
        Err(error) if error.cause == Cause::Halted => return Ok(held(items.len())),
        Err(error) => {
            let why = format!(
                "the batch failed ({:?}), and the target could not be asked: {error}",
                refusal.said
            );
            let result = lost(error.cause.failure(), why);
            return Ok(items.iter().map(|_| result.clone()).collect());
        }
    };
    let mut results: Vec<StepResult> = items.iter().map(|_| content::refused(refusal)).collect();
    let kept = found.iter().map(|(at, saved)| (*at, &items[*at], saved));
    let (changes, mut taken) = keep_all(crew, kept);
    crew.store.commit(changes).await?;
    for (at, saved) in &found {
        results[*at] = match taken.remove(at) {
            Some(result) => result,
            None => show(crew, &items[*at], saved),
        };
    }
    let rest: Vec<Prepared> = absent.iter().map(|at| items[*at].clone()).collect();
    let again = match rest.len() {
        0 => Vec::new(),
        1 => content::again(crew, locale, &rest, attempt).await?,
        _ => content::halves(crew, locale, &rest, attempt).await?,
    };
    for (at, result) in absent.into_iter().zip(again) {
        results[at] = result;
    }
    Ok(results)
}

/// Settles a page whose result is not known, by looking for it below its parent.
pub(super) async fn settle_page<S, T>(
    crew: &Crew<S, T>,
    item: &Prepared,
    page: &PageSave,
    doubt: Doubt<'_>,
) -> Results
where
    S: Source + Clone,
    T: Target + Clone,
{
    crew.open.note(doubt.intent, doubt.why);
    let items = std::slice::from_ref(item);
    let mut quiet = Quiet::new(crew);
    loop {
        match page_there(crew, item, page).await {
            Ok(Some(saved)) => {
                return content::keep(crew, doubt.intent, items, vec![Ok(saved)]).await;
            }
            Ok(None) if quiet.is_over(crew, 1) => break,
            Ok(None) => tokio::time::sleep(between_looks(crew)).await,
            Err(error) if error.cause == Cause::Halted => return Ok(held(1)),
            Err(error) => {
                let why = format!("{}; {error}", doubt.why);
                return in_doubt(crew, items, doubt.intent, &why).await;
            }
        }
    }
    if doubt.may_be_working {
        return in_doubt(crew, items, doubt.intent, doubt.why).await;
    }
    close(crew, doubt.intent, IntentState::Failed).await?;
    if may_repeat(crew, doubt) {
        return page::submit(crew, item, page, doubt.attempt + 1).await;
    }
    Ok(vec![lost(doubt.cause, doubt.why)])
}

/// The page on the target, if it is there as it was sent.
async fn page_there<S, T>(
    crew: &Crew<S, T>,
    item: &Prepared,
    page: &PageSave,
) -> Result<Option<Saved>, RequestError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let Some(locale) = &item.save.locale else {
        return Ok(None);
    };
    let parent = page.parent.map(Id::raw);
    for found in ask(crew, &Ask::Sitemap(locale.clone())).await?.found {
        let Found::Node(node) = found else { continue };
        let id = TargetId::new(node.page);
        // In a second locale a page has the id that it was given in the first.
        let shared = crew.ids.shared(Kind::Page, crew.entity(item.node).key.id);
        let is_ours =
            [item.save.id, shared].contains(&Some(id)) || !crew.ids.is_claimed(Kind::Page, id);
        if node.placement.parent != parent || !is_ours {
            continue;
        }
        let one = Ask::One {
            kind: Kind::Page,
            id: node.page,
            locale: Some(locale.clone()),
        };
        let Some(mut there) = first(ask(crew, &one).await?) else {
            continue;
        };
        there.placement = Some(Box::new(node.placement));
        let is_own = [item.save.id, shared].contains(&Some(id));
        let is_ours = is_own || is_new(crew, &there);
        if is_ours && target_hash(&there, &crew.schema) == item.target_hash {
            return Ok(Some(saved(&there)));
        }
    }
    Ok(None)
}

async fn in_doubt<S, T>(
    crew: &Crew<S, T>,
    items: &[Prepared],
    intent: IntentId,
    why: &str,
) -> Results
where
    S: Source + Clone,
    T: Target + Clone,
{
    close(crew, intent, IntentState::InDoubt).await?;
    let result = not_known(why);
    Ok(items.iter().map(|_| result.clone()).collect())
}

fn not_known(why: &str) -> StepResult {
    let reason = format!("whether it arrived is not known: {why}; run again to find out");
    lost(Failure::InDoubt, reason)
}

type Looked = (Vec<(usize, Saved)>, Vec<usize>);

/// Looks until everything is found or nothing more comes.
async fn look<S, T>(
    crew: &Crew<S, T>,
    locale: &Locale,
    items: &[Prepared],
) -> Result<Looked, RequestError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let mut quiet = Quiet::new(crew);
    loop {
        let looked = look_once(crew, locale, items).await?;
        if looked.1.is_empty() || quiet.is_over(crew, looked.1.len()) {
            return Ok(looked);
        }
        tokio::time::sleep(between_looks(crew)).await;
    }
}

/// Tells when nothing more is to be expected of a request that the target may not have worked off.
///
/// A target works off batches one after another. So whatever it had been handed before comes first, and only
/// then the time counts in which nothing changes.
struct Quiet {
    before: Vec<BatchId>,
    missing: usize,
    looks: u32,
}

impl Quiet {
    fn new<S, T>(crew: &Crew<S, T>) -> Self {
        Self {
            before: crew.batches.iter().map(|batch| *batch).collect(),
            missing: 0,
            looks: 0,
        }
    }

    /// Takes the result of one more look.
    fn is_over<S, T>(&mut self, crew: &Crew<S, T>, missing: usize) -> bool {
        self.before.retain(|batch| crew.batches.contains(batch));
        if self.before.is_empty() && missing == self.missing {
            self.looks += 1;
        } else {
            self.looks = 0;
        }
        self.missing = missing;
        self.looks > LOOKS || planted::has(Bug::LooksOnce)
    }
}

/// The wait between two looks: a part of the time that the user grants, and never less than the target has
/// needed for an item of late.
fn between_looks<S, T>(crew: &Crew<S, T>) -> Duration {
    (crew.options.settle / LOOKS).max(crew.worker.expected())
}

/// Finds which items are on the target as they were sent, and which are not.
async fn look_once<S, T>(
    crew: &Crew<S, T>,
    locale: &Locale,
    items: &[Prepared],
) -> Result<Looked, RequestError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let mut candidates: HashMap<ContentHash, Vec<Saved>> = HashMap::new();
    let known = items
        .iter()
        .filter_map(|item| item.save.id.map(Id::raw))
        .collect::<Vec<i64>>();
    let mut there = items_by_id(crew, locale, &known).await?;
    let mut containers: Vec<String> = items
        .iter()
        .filter(|item| item.save.id.is_none())
        .map(|item| container_of(&item.save).to_owned())
        .collect();
    containers.sort_unstable();
    containers.dedup();
    for name in containers {
        there.extend(unclaimed_items(crew, locale, &name).await?);
    }
    for entity in &there {
        candidates
            .entry(target_hash(entity, &crew.schema))
            .or_default()
            .push(saved(entity));
    }
    let (mut found, mut absent) = (Vec::new(), Vec::new());
    for (at, item) in items.iter().enumerate() {
        let hash = expected_hash(item.save.kind, &item.save.body, None, &crew.schema);
        let same_id = |saved: &Saved| item.save.id.is_none_or(|id| id == saved.id);
        let matching = candidates.get_mut(&hash);
        let taken = matching.and_then(|saved| Some(saved.remove(saved.iter().position(same_id)?)));
        match taken {
            Some(saved) => found.push((at, saved)),
            None => absent.push(at),
        }
    }
    Ok((found, absent))
}

/// The items of a container that are nobody's counterpart and were not there before the run.
async fn unclaimed_items<S, T>(
    crew: &Crew<S, T>,
    locale: &Locale,
    container: &str,
) -> Result<Vec<Entity<TargetId>>, RequestError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let mut open = vec![Ask::ContainerItems {
        locale: locale.clone(),
        container: container.into(),
        offset: 0,
    }];
    let mut ids = Vec::new();
    while let Some(next) = open.pop() {
        let answer = ask(crew, &next).await?;
        open.extend(answer.follow_ups);
        for found in answer.found {
            let Found::Passed { id, .. } = found else {
                continue;
            };
            let key = TargetKey::localised(Kind::Content, id, locale);
            let is_taken = crew.ids.is_claimed(Kind::Content, key.id);
            if (!is_taken || planted::has(Bug::LooksAmongTaken))
                && crew.target_inventory.get(&key).is_none()
            {
                ids.push(id);
            }
        }
    }
    items_by_id(crew, locale, &ids).await
}

async fn items_by_id<S, T>(
    crew: &Crew<S, T>,
    locale: &Locale,
    ids: &[i64],
) -> Result<Vec<Entity<TargetId>>, RequestError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let mut there = Vec::new();
    for some in ids.chunks(100) {
        let by_id = Ask::ItemsById {
            locale: locale.clone(),
            ids: some.to_vec(),
        };
        there.extend(entities(ask(crew, &by_id).await?));
    }
    Ok(there)
}

async fn ask<S, T>(crew: &Crew<S, T>, ask: &Ask) -> Result<Answer<TargetId>, RequestError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    crew.to_target()
        .send(Effect::Read, || crew.target.read(ask))
        .await
}

fn entities(answer: Answer<TargetId>) -> Vec<Entity<TargetId>> {
    let entity = |found| match found {
        Found::Entity(entity) => Some(entity),
        _ => None,
    };
    answer.found.into_iter().filter_map(entity).collect()
}

fn first(answer: Answer<TargetId>) -> Option<Entity<TargetId>> {
    entities(answer).into_iter().next()
}

fn saved(there: &Entity<TargetId>) -> Saved {
    Saved {
        id: there.key.id,
        version: there.version,
        name: Some(there.name.clone()),
        urls: (there.key.kind == Kind::Asset)
            .then(|| crate::plan::asset_urls(&there.body.parse()))
            .flatten(),
    }
}
