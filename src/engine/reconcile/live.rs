//! What a run knows of its own requests, for the search on the target.

use serde_json::Value;

use super::carry::Cargo;
use super::files;
use super::inquiry::Inquiry;
use super::look::{Knowledge, Looked, Quiet, Sought, content, order, pages, saved};
use super::resemble;
use crate::domain::{ByName, Entity, Kind, TargetId, TargetKey, same_name};
use crate::engine::context::{Ends, PlanView, Prepared, RunContext};
use crate::instance::{ReadRequest, RequestError, Target};
use crate::plan::{Schema, container_of, target_hash};
use crate::planted::{self, Bug};
use crate::store::IntentId;

/// The knowledge of a run of what it sent with an intent.
struct Own<'a, E: Ends> {
    context: &'a RunContext<E>,
    items: &'a [Prepared],
    intent: IntentId,
}

impl<E: Ends> Knowledge for Own<'_, E> {
    fn schema(&self) -> &Schema {
        &self.context.view.schema
    }

    fn is_new(&self, there: &TargetKey) -> bool {
        is_new(&self.context.view, there)
    }

    fn has_rival(&self, at: usize) -> bool {
        let signature = self.context.view.signature(&self.items[at]);
        self.context.journal.open.has_rival(self.intent, &signature)
    }

    fn was_equal(&self, at: usize) -> bool {
        let (context, item) = (self.context, &self.items[at]);
        let key = &context.view.entity(item.node).key;
        let before = item.save.id;
        let before = before.and_then(|id| context.view.target_inventory.get(&key.with_id(id)));
        before.is_some_and(|before| target_hash(before, &context.view.schema) == item.target_hash)
    }

    fn claims(&self, at: usize, found: TargetId) -> bool {
        let key = &self.context.view.entity(self.items[at].node).key;
        self.context.view.ids.claim(key, found).is_ok()
    }
}

/// Whether something on the target can be the effect of a create of this run: it was not there before, and is not a
/// counterpart.
pub(super) fn is_new(view: &PlanView, there: &TargetKey) -> bool {
    let is_taken = view.ids.is_claimed(there.kind, there.id);
    view.target_inventory.get(there).is_none() && (!is_taken || planted::has(Bug::LooksAmongTaken))
}

/// Looks once, and until nothing more comes if something is there that may be what was sent.
pub(super) async fn at_once<E: Ends>(
    context: &RunContext<E>,
    cargo: Cargo<'_>,
    items: &[Prepared],
    intent: IntentId,
) -> Result<Looked, RequestError> {
    let first = once(context, cargo, items, (intent, true)).await?;
    if first.suspects.is_empty() {
        return Ok(first);
    }
    further(context, cargo, items, (intent, first)).await
}

/// Looks until everything is found or nothing more comes.
pub(super) async fn until_quiet<E: Ends>(
    context: &RunContext<E>,
    cargo: Cargo<'_>,
    items: &[Prepared],
    intent: IntentId,
) -> Result<Looked, RequestError> {
    let all = Looked::nothing(items.len());
    further(context, cargo, items, (intent, all)).await
}

async fn further<E: Ends>(
    context: &RunContext<E>,
    cargo: Cargo<'_>,
    items: &[Prepared],
    (intent, mut all): (IntentId, Looked),
) -> Result<Looked, RequestError> {
    let in_batches = |node| {
        let kind = context.view.entity(node).key.kind;
        matches!(kind, Kind::Content | Kind::Page)
    };
    // A request without a number yet may be in front of this one all the same.
    let mut quiet = Quiet::after(context.journal.open.awaited(in_batches));
    loop {
        let missing: Vec<Prepared> = all.absent.iter().map(|at| items[*at].clone()).collect();
        match once(context, cargo, &missing, (intent, quiet.looks > 0)).await {
            Ok(looked) => {
                let is_contested = !looked.contested.is_empty();
                if all.narrow(looked) {
                    // What is there may be what another request has made, and that one reports it.
                    quiet.wait_for(context.journal.open.awaited(in_batches));
                }
                let still = |before: &IntentId| context.journal.open.is_awaited(*before);
                let is_over = quiet.is_over(all.absent.len(), still);
                if all.absent.is_empty() || (is_over && !is_contested) {
                    resemble::take(&context.view, items, &mut all);
                    return Ok(all);
                }
            }
            Err(error) if quiet.may_fail(&error) => {
                context.journal.open.note(intent, &error.to_string());
            }
            Err(error) => return Err(error),
        }
        tokio::time::sleep(context.inquiry().between_looks()).await;
    }
}

/// Finds which of what was sent with `intent` is on the target as it was sent, claims it, and returns what is not there.
pub(super) async fn once<E: Ends>(
    context: &RunContext<E>,
    cargo: Cargo<'_>,
    items: &[Prepared],
    (intent, takes_any): (IntentId, bool),
) -> Result<Looked, RequestError> {
    let inquiry = context.inquiry();
    let own = Own {
        context,
        items,
        intent,
    };
    let sought: Vec<Sought<'_>> = items
        .iter()
        .map(|item| sought(&context.view, item))
        .collect();
    let mut looked = match cargo {
        Cargo::Items(locale) => content(&inquiry, locale, &sought, (&own, takes_any)).await?,
        Cargo::Page(sent) => {
            let Some(locale) = &sent.save.locale else {
                return Ok(Looked::nothing(1));
            };
            let page = Sought {
                parent: sent.parent,
                place_before: sent.place_before,
                ..sought[0].clone()
            };
            pages(&inquiry, locale, &[page], &own).await?
        }
        Cargo::Rows => rows(&inquiry, &context.view, items).await?,
        Cargo::Files => files::look(context, items).await?,
    };
    own.suspect(&sought, &mut looked);
    Ok(looked)
}

impl<E: Ends> Own<'_, E> {
    /// Notes for what is absent which strangers may be it, altered. What another request creates is no stranger.
    fn suspect(&self, sought: &[Sought<'_>], looked: &mut Looked) {
        let (context, schema) = (self.context, &self.context.view.schema);
        let is_strange = |there: &Entity<TargetId>| {
            let key = &there.key;
            let signature = (key.kind, key.locale.clone(), target_hash(there, schema));
            is_new(&context.view, key) && !context.journal.open.is_created(&signature)
        };
        looked.strangers.retain(is_strange);
        for at in looked
            .absent
            .iter()
            .filter(|at| sought[**at].target.is_none())
        {
            let place = place_of(self.items[*at].save.kind, &self.items[*at].save.body);
            let there = looked.strangers.iter();
            let there = there.filter(|there| {
                let other = place_of(there.key.kind, &there.body.parse());
                place
                    .as_ref()
                    .zip(other)
                    .is_some_and(|(own, other)| same_name(own, &other))
            });
            let suspects: Vec<TargetId> = there.map(|there| there.key.id).collect();
            if !suspects.is_empty() {
                looked.suspects.insert(*at, suspects);
            }
        }
    }
}

/// Where something that is created is to be: the container of content, the name of a page in its row. What has a name of its
/// own on the whole instance is looked for by that.
fn place_of(kind: Kind, body: &Value) -> Option<String> {
    let name = match kind {
        Kind::Content => Some(container_of(body)).filter(|name| !name.is_empty()),
        Kind::Page => body["name"].as_str(),
        Kind::Model
        | Kind::Container
        | Kind::Template
        | Kind::Gallery
        | Kind::Asset
        | Kind::Redirection => return None,
    };
    name.map(str::to_owned)
}

fn sought<'a>(view: &'a PlanView, item: &'a Prepared) -> Sought<'a> {
    let key = &view.entity(item.node).key;
    Sought {
        key,
        hash: item.target_hash,
        // In a second locale a page has the id that it was given in the first.
        target: item.save.id.or_else(|| view.ids.shared(key.kind, key.id)),
        container: container_of(&item.save.body),
        order: order(&item.save.body),
        parent: None,
        place_before: None,
    }
}

/// Finds redirections by their origin.
pub(super) async fn rows<T: Target>(
    inquiry: &Inquiry<'_, T>,
    view: &PlanView,
    items: &[Prepared],
) -> Result<Looked, RequestError> {
    let rules: Vec<Entity<TargetId>> = inquiry.entities(&ReadRequest::Redirections).await?;
    let mut by_name = ByName::default();
    for entity in rules.iter().filter(|rule| is_new(view, &rule.key)) {
        by_name.insert(Kind::Redirection, &entity.name, saved(entity));
    }
    let mut looked = Looked::default();
    for (at, item) in items.iter().enumerate() {
        let found = match item.save.id {
            None => by_name.get(Kind::Redirection, &item.save.name).cloned(),
            // What was saved over something shows by what it says.
            Some(id) => {
                let says = |rule: &&Entity<TargetId>| {
                    rule.key.id == id && target_hash(rule, &view.schema) == item.target_hash
                };
                rules.iter().find(says).map(saved)
            }
        };
        looked.add(at, found);
    }
    Ok(looked)
}
