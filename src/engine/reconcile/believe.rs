//! Whether an id in an answer is that of what was sent.
//!
//! An answer can be wrong in ways that nothing in it shows: rows that are rotated, ids that are shifted, numbered anew or
//! given a second time. Believed once, such an id stays in the state. So before the id of something new is recorded, the
//! entity that has it is read back, many with one question where the API allows that, and compared with what was sent. An
//! id that the target contradicts counts as no id: what was sent is looked for by what it says.
//!
//! A server may store something a little different from what it was sent. So a difference alone contradicts nothing, unless
//! what was sent is there under another id:
//!
//! ```text
//!   of another id than the one that was saved over               ─▶ contradicted
//!   not there, or in another container, or of another name       ─▶ contradicted
//!   counterpart of another item, or there before it was created  ─▶ contradicted, unless it says what was sent
//!   says what was sent, and at most more                         ─▶ believed
//!   says what another entity of the request says                 ─▶ contradicted
//!   says something else                                          ─▶ looked for once, and believed if nothing is found
//! ```
//!
//! Files are not read back: no question is about many of them, and one for each would double the requests. A path has one
//! file, so the verification and the next plan find a wrong id of one by its path.

use std::collections::HashMap;

use super::carry::Cargo;
use super::files;
use super::live;
use crate::domain::{Entity, Id, Kind, TargetId, same_name};
use crate::engine::context::{Ends, PlanView, Prepared, RunContext};
use crate::instance::{Cause, ReadRequest, RequestError, RowResult, Save, Saved, Unconfirmed};
use crate::plan::{container_of, target_hash};
use crate::store::IntentId;

/// What a look at the entity with an answered id shows.
enum Verdict {
    /// It is what was sent.
    Believed,
    /// It says something else, which it may be that the server has made of what was sent.
    Plausible,
    /// It is something else; in words.
    Contradicted(String),
}

/// The entities of the target by their ids.
type There = HashMap<TargetId, Entity<TargetId>>;

/// Replaces answered ids that the target contradicts: by the one that it shows, or by [`Unconfirmed::Unclear`].
///
/// # Errors
/// [`RequestError`] when the target cannot be asked.
pub(super) async fn checked<E: Ends>(
    context: &RunContext<E>,
    cargo: Cargo<'_>,
    (intent, items): (IntentId, &[Prepared]),
    mut rows: Vec<RowResult>,
) -> Result<Vec<RowResult>, RequestError> {
    if let Cargo::Files = cargo {
        return files::checked(context, items, rows).await;
    }
    let there = read(context, cargo, items, &rows).await?;
    let mut plausible = Vec::new();
    for (at, (item, row)) in items.iter().zip(&mut rows).enumerate() {
        let Ok(saved) = row else { continue };
        match judge(&context.view, item, saved, &there) {
            // The look below must not find it. A claim that is refused is reported when it is recorded.
            Verdict::Believed => drop(
                context
                    .view
                    .ids
                    .claim(&context.view.entity(item.node).key, saved.id),
            ),
            Verdict::Plausible if says_another(&context.view, items, at, &there[&saved.id]) => {
                *row = unclear(saved, "says what another entity of the request says");
            }
            Verdict::Plausible => plausible.push(at),
            Verdict::Contradicted(why) => *row = unclear(saved, &why),
        }
    }
    let is_unclear = |row: &RowResult| matches!(row, Err(Unconfirmed::Unclear(_)));
    let is_shuffled = rows.iter().any(is_unclear);
    let place = |at: &usize| {
        (
            items[*at].save.kind,
            container_of(&items[*at].save.body).into(),
        )
    };
    plausible.retain(|at| is_shuffled || !context.live.altered.contains(&place(at)));
    if plausible.is_empty() {
        return Ok(rows);
    }
    let some: Vec<Prepared> = plausible.iter().map(|at| items[*at].clone()).collect();
    let looked = live::once(context, cargo, &some, (intent, true)).await?;
    for (at, saved) in looked.found {
        rows[plausible[at]] = Ok(saved);
    }
    for at in looked.absent {
        context.live.altered.insert(place(&plausible[at]));
    }
    Ok(rows)
}

fn unclear(saved: &Saved, why: &str) -> RowResult {
    let why = format!("it was answered with the id {}, which {why}", saved.id);
    Err(Unconfirmed::Unclear(why))
}

/// Reads what has the ids that were answered for something new.
async fn read<E: Ends>(
    context: &RunContext<E>,
    cargo: Cargo<'_>,
    items: &[Prepared],
    rows: &[RowResult],
) -> Result<There, RequestError> {
    let created = items.iter().zip(rows);
    let created = created.filter(|(item, _)| item.save.id.is_none());
    let ids: Vec<i64> = created
        .filter_map(|(_, row)| Some(row.as_ref().ok()?.id.raw()))
        .collect();
    if ids.is_empty() {
        return Ok(There::new());
    }
    let inquiry = context.inquiry();
    let found = match cargo {
        Cargo::Items(locale) => inquiry.items(locale, &ids).await?,
        Cargo::Page(page) => {
            let locale = page.save.locale.as_ref();
            let found = inquiry.one(Kind::Page, ids[0], locale).await?;
            found.into_iter().collect()
        }
        Cargo::Rows => inquiry.entities(&ReadRequest::Redirections).await?,
        Cargo::Files => Vec::new(),
    };
    Ok(found
        .into_iter()
        .map(|there| (there.key.id, there))
        .collect())
}

fn judge(view: &PlanView, item: &Prepared, saved: &Saved, there: &There) -> Verdict {
    if let Some(id) = item.save.id {
        return if id == saved.id {
            Verdict::Believed
        } else {
            Verdict::Contradicted(format!("is not {id}, which it was saved over"))
        };
    }
    match there.get(&saved.id) {
        // Rules are listed by the Fetch API alone, which may lag.
        None if item.save.kind == Kind::Redirection => redirection(item, there),
        None => Verdict::Contradicted("the target does not have".to_owned()),
        Some(found) => compare(view, item, found),
    }
}

/// The verdict about a rule when its answered id is in no list: where its origin is listed, that one has another id.
fn redirection(item: &Prepared, there: &There) -> Verdict {
    let mut listed = there.values();
    let origin = item.save.body["originUrl"].as_str().unwrap_or_default();
    if listed.any(|rule| same_name(&rule.name, origin)) {
        return Verdict::Contradicted("is not that of its origin on the target".to_owned());
    }
    Verdict::Believed
}

fn compare(view: &PlanView, item: &Prepared, found: &Entity<TargetId>) -> Verdict {
    if says(view, item, found) {
        return Verdict::Believed;
    }
    let key = &view.entity(item.node).key;
    let shared = view.ids.shared(key.kind, key.id);
    let is_taken = view.ids.is_claimed(key.kind, found.key.id) && shared != Some(found.key.id);
    let body = found.body.parse();
    let (sent, stored) = match item.save.kind {
        Kind::Content => (
            container_of(&item.save.body),
            body["properties"]["referenceName"].as_str(),
        ),
        Kind::Page => (
            item.save.body["name"].as_str().unwrap_or_default(),
            body["name"].as_str(),
        ),
        _ => (
            item.save.body["originUrl"].as_str().unwrap_or_default(),
            Some(&*found.name),
        ),
    };
    if !stored.is_some_and(|stored| same_name(stored, sent)) {
        let stored = stored.unwrap_or_default();
        Verdict::Contradicted(format!("is that of {stored:?} on the target"))
    } else if is_taken {
        Verdict::Contradicted("is that of another entity".to_owned())
    } else if view.target_inventory.get(&found.key).is_some() {
        Verdict::Contradicted("the target had before".to_owned())
    } else {
        Verdict::Plausible
    }
}

/// Whether an entity of the target says everything that was sent, and at most more.
fn says(view: &PlanView, item: &Prepared, found: &Entity<TargetId>) -> bool {
    let is_equal = target_hash(found, &view.schema) == item.fields_hash;
    is_equal || {
        let different = item.differences(&found.body.parse(), &view.schema);
        different
            .iter()
            .all(|difference| difference.added.is_some())
    }
}

/// Whether an entity of the target says what another one of the request says.
fn says_another(view: &PlanView, items: &[Prepared], at: usize, found: &Entity<TargetId>) -> bool {
    let hash = target_hash(found, &view.schema);
    let mut others = items.iter().enumerate().filter(|(other, _)| *other != at);
    others.any(|(_, other)| other.fields_hash == hash)
}

/// As [`checked`], of something that is saved alone: an id that the target contradicts is an answer that makes no sense.
///
/// # Errors
/// [`RequestError`] with [`Cause::Malformed`] for such an id and for one that cannot be read back, and with
/// [`Cause::Halted`] when the run ends before.
pub(in crate::engine) async fn checked_one<E: Ends>(
    context: &RunContext<E>,
    save: &Save,
    saved: Saved,
) -> Result<Saved, RequestError> {
    let contradicted = |why: String| {
        Err(RequestError::new(
            format!("saving {} {:?}", save.kind, save.name),
            Cause::Malformed(format!("it was answered with the id {}, {why}", saved.id)),
        ))
    };
    match save.id {
        Some(id) if id == saved.id => return Ok(saved),
        Some(id) => return contradicted(format!("and was saved over {id}")),
        None => {}
    }
    let (kind, id) = (save.kind, saved.id.raw());
    let found = match context.inquiry().one(kind, id, save.locale.as_ref()).await {
        Ok(Some(found)) => found,
        Ok(None) => return contradicted("which the target does not have".to_owned()),
        Err(error) if error.cause == Cause::Halted => return Err(error),
        Err(error) => return contradicted(format!("which could not be read back: {error}")),
    };
    // The server may have given it another name, which it returns then.
    let name = saved.name.as_deref().or(save.body["name"].as_str());
    let name = name.unwrap_or_default();
    if same_name(&found.name, name) {
        Ok(saved)
    } else {
        contradicted(format!("which is that of {:?} on the target", found.name))
    }
}
