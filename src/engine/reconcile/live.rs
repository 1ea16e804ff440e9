//! Looks of a run for what it sent itself.

use super::carry::Cargo;
use super::inquiry::Inquiry;
use super::look::{Knowledge, Looked, Quiet, Sought, content, order, pages, saved};
use super::resemble;
use crate::domain::{ByName, Entity, Kind, TargetId, TargetKey};
use crate::engine::crew::{Crew, Prepared, container_of};
use crate::instance::{Ask, RequestError, Source, Target};
use crate::plan::{Schema, target_hash};
use crate::planted::{self, Bug};
use crate::store::IntentId;

/// What the run knows of what it sent with an intent.
struct Own<'a, S, T> {
    crew: &'a Crew<S, T>,
    items: &'a [Prepared],
    intent: IntentId,
}

impl<S: Source + Clone, T: Target + Clone> Knowledge for Own<'_, S, T> {
    fn schema(&self) -> &Schema {
        &self.crew.schema
    }

    fn is_new(&self, there: &TargetKey) -> bool {
        is_new(self.crew, there)
    }

    fn has_rival(&self, at: usize) -> bool {
        let signature = self.crew.signature(&self.items[at]);
        self.crew.open.has_rival(self.intent, &signature)
    }

    fn was_equal(&self, at: usize) -> bool {
        let (crew, item) = (self.crew, &self.items[at]);
        let key = &crew.entity(item.node).key;
        let before = item.save.id;
        let before = before.and_then(|id| crew.target_inventory.get(&key.with_id(id)));
        before.is_some_and(|before| target_hash(before, &crew.schema) == item.target_hash)
    }

    fn claims(&self, at: usize, found: TargetId) -> bool {
        let key = &self.crew.entity(self.items[at].node).key;
        self.crew.ids.claim(key, found).is_ok()
    }
}

/// Whether something on the target can be the effect of a create of this run: it was not there before, and is nobody's
/// counterpart.
pub(super) fn is_new<S, T>(crew: &Crew<S, T>, there: &TargetKey) -> bool {
    let is_taken = crew.ids.is_claimed(there.kind, there.id);
    crew.target_inventory.get(there).is_none() && (!is_taken || planted::has(Bug::LooksAmongTaken))
}

/// Looks until everything is found or nothing more comes.
pub(super) async fn until_quiet<S, T>(
    crew: &Crew<S, T>,
    cargo: Cargo<'_>,
    items: &[Prepared],
    intent: IntentId,
) -> Result<Looked, RequestError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let mut quiet = Quiet::new(crew);
    let mut all = Looked::nothing(items.len());
    let mut is_first = true;
    loop {
        let places = std::mem::take(&mut all.absent);
        let missing: Vec<Prepared> = places.iter().map(|at| items[*at].clone()).collect();
        let looked = once(crew, cargo, &missing, (intent, quiet.looks > 0)).await?;
        // What was found is claimed, and no later look shows it.
        let found = looked.found.into_iter();
        all.found
            .extend(found.map(|(at, saved)| (places[at], saved)));
        all.absent = looked.absent.into_iter().map(|at| places[at]).collect();
        let is_over = quiet.is_over(all.absent.len(), |batch| crew.batches.contains(batch));
        if all.absent.is_empty() || (is_over && looked.contested.is_empty()) {
            all.strangers = looked.strangers;
            resemble::take(crew, (intent, items), &mut all);
            return Ok(all);
        }
        if is_first {
            quiet.also_after(crew);
        }
        is_first = false;
        tokio::time::sleep(crew.inquiry().between_looks()).await;
    }
}

/// Finds which of what was sent with `intent` is on the target as it was sent, claims it, and tells what is not there.
pub(super) async fn once<S, T>(
    crew: &Crew<S, T>,
    cargo: Cargo<'_>,
    items: &[Prepared],
    (intent, takes_any): (IntentId, bool),
) -> Result<Looked, RequestError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let inquiry = crew.inquiry();
    let own = Own {
        crew,
        items,
        intent,
    };
    let sought: Vec<Sought<'_>> = items.iter().map(|item| sought(crew, item)).collect();
    match cargo {
        Cargo::Items(locale) => content(&inquiry, locale, &sought, (&own, takes_any)).await,
        Cargo::Page(sent) => {
            let Some(locale) = &sent.save.locale else {
                return Ok(Looked::nothing(1));
            };
            let page = Sought {
                parent: sent.parent,
                place_before: sent.place_before,
                ..sought[0].clone()
            };
            pages(&inquiry, locale, &[page], &own).await
        }
        Cargo::Rows => rows(&inquiry, crew, items).await,
    }
}

fn sought<'a, S, T>(crew: &'a Crew<S, T>, item: &'a Prepared) -> Sought<'a>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let key = &crew.entity(item.node).key;
    Sought {
        key,
        hash: item.target_hash,
        // In a second locale a page has the id that it was given in the first.
        target: item.save.id.or_else(|| crew.ids.shared(key.kind, key.id)),
        container: container_of(&item.save),
        order: order(&item.save.body),
        parent: None,
        place_before: None,
    }
}

/// Finds redirections by their origin.
pub(super) async fn rows<S, T>(
    inquiry: &Inquiry<'_, T>,
    crew: &Crew<S, T>,
    items: &[Prepared],
) -> Result<Looked, RequestError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let rules: Vec<Entity<TargetId>> = inquiry.entities(&Ask::Redirections).await?;
    let mut by_name = ByName::default();
    for entity in rules.iter().filter(|rule| is_new(crew, &rule.key)) {
        by_name.insert(Kind::Redirection, &entity.name, saved(entity));
    }
    let mut looked = Looked::default();
    for (at, item) in items.iter().enumerate() {
        let found = match item.save.id {
            None => by_name.get(Kind::Redirection, &item.save.name).cloned(),
            // What was saved over something shows by what it says.
            Some(id) => {
                let says = |rule: &&Entity<TargetId>| {
                    rule.key.id == id && target_hash(rule, &crew.schema) == item.target_hash
                };
                rules.iter().find(says).map(saved)
            }
        };
        looked.add(at, found);
    }
    Ok(looked)
}
