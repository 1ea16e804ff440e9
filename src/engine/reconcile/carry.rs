//! Several entities in one request: sent, polled, looked for, and sent again in parts until each has its outcome.
//!
//! One entity that the server cannot process makes the whole request fail. So a request that failed without an effect is
//! sent again in halves, down to that entity. A single entity is sent as often as attempts are allowed, unless it was
//! refused.

use super::believe;
use super::files;
use super::live;
use super::look::Looked;
use super::outcome::{
    altered, close, failed, failure, keep_all, not_known, not_sent, publish_to_id_map,
    refusal_message, refused,
};
use super::polling::{BatchEnd, HandedIn, follow_noted};
use crate::domain::{BatchId, Failure, FailureCause, Kind, Locale};
use crate::engine::context::{Ends, Prepared, RunContext};
use crate::engine::pace::Class;
use crate::engine::poll::BatchKind;
use crate::engine::state::{Step, StepResult};
use crate::event::Event;
use crate::instance::{
    Cause, Effect, PageSave, RequestError, RowResult, Save, Saved, Target as _, Unconfirmed,
    Verdict,
};
use crate::planted::{self, Bug};
use crate::store::{Change, IntentId, IntentState, Operation, StoreError};

/// So many that were given up alone, one after another and without a success between, speak for all that is left.
const SPEAK_FOR_ALL: u32 = 3;

/// What a request carries.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) enum Cargo<'a> {
    /// Content items of a locale, in batches.
    Items(&'a Locale),
    /// A page, in a batch of its own.
    Page(&'a PageSave),
    /// URL redirections, answered at once.
    Rows,
    /// New files of one folder and gallery, answered at once.
    Files,
}

/// A request that was made by a job that broke before it had the answer.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Sent {
    pub(in crate::engine) intent: IntentId,
    pub(in crate::engine) attempt: u32,
    pub(in crate::engine) batch: Option<BatchId>,
    /// What to report of it if nothing else is known.
    pub(in crate::engine) why: &'static str,
}

/// What came of some entities.
#[derive(Debug)]
pub(in crate::engine) struct Carried {
    /// One each, in their order.
    pub(in crate::engine) results: Vec<StepResult>,
    /// Those that were answered with the counterpart of another entity.
    pub(in crate::engine) taken: Vec<(usize, Saved)>,
}

/// Sends `items`, or takes up the request in which they were sent, and brings each to its outcome.
///
/// # Errors
/// [`StoreError`] when the state could not be made durable: the run cannot go on.
pub(in crate::engine) async fn carry<E: Ends>(
    context: &RunContext<E>,
    cargo: Cargo<'_>,
    items: &[Prepared],
    sent: Option<Sent>,
) -> Result<Carried, StoreError> {
    let mut carrier = Carrier {
        context,
        cargo,
        items,
        results: vec![None; items.len()],
        taken: Vec::new(),
        given_up: 0,
    };
    let first = match (cargo, sent) {
        (Cargo::Files, None) => files::first_parts(context, items),
        _ => vec![(0..items.len()).collect()],
    };
    let part = |at| Part {
        at,
        attempt: sent.map_or(1, |sent| sent.attempt),
        sent,
    };
    let mut open: Vec<Part> = first.into_iter().rev().map(part).collect();
    while let Some(part) = open.pop() {
        for left in carrier.bring(part).await? {
            open.extend(carrier.parts_of(left));
        }
    }
    let results = carrier.results.into_iter();
    Ok(Carried {
        results: results
            .map(|result| result.unwrap_or_else(|| failed("the answer has no row for it")))
            .collect(),
        taken: carrier.taken,
    })
}

pub(super) struct Carrier<'a, E: Ends> {
    pub(super) context: &'a RunContext<E>,
    cargo: Cargo<'a>,
    pub(super) items: &'a [Prepared],
    pub(super) results: Vec<Option<StepResult>>,
    taken: Vec<(usize, Saved)>,
    /// Entities that were given up alone since the last success.
    given_up: u32,
}

/// Entities that share a request.
pub(super) struct Part {
    /// Their places among all.
    pub(super) at: Vec<usize>,
    /// Which attempt it is, the first being 1.
    pub(super) attempt: u32,
    pub(super) sent: Option<Sent>,
}

/// How a request ended.
pub(super) enum End {
    /// One result for each entity, in order.
    Each(Vec<RowResult>),
    /// Without an effect as far as the server states, with this result for each. `looks`: parts of it may have had one all
    /// the same.
    Whole {
        result: StepResult,
        splits: bool,
        looks: bool,
    },
    /// It is not known. `working`: the target may still be at it under a number that is known. Then it is never sent again.
    Unknown {
        cause: FailureCause,
        why: String,
        working: bool,
    },
    /// The bytes of the file at this place among those of the request were not right, so that the request was cut off.
    Cut { at: usize, error: RequestError },
    /// It never left.
    Unsent,
    /// It is not known, and the run ends before it could be asked for.
    Halted,
}

impl End {
    pub(super) fn of(error: &RequestError) -> Self {
        if error.cause == Cause::Halted {
            return Self::Unsent;
        }
        if error.verdict(Effect::Write) == Verdict::Reconcile {
            return Self::Unknown {
                // What makes no sense is no refusal either.
                cause: if matches!(error.cause, Cause::Malformed(_)) {
                    Failure::InDoubt.into()
                } else {
                    error.cause.of_entity()
                },
                why: error.to_string(),
                working: false,
            };
        }
        // One item can make the server refuse the request that carries it, also for lack of rights on its container.
        Self::Whole {
            result: not_sent(error),
            splits: matches!(error.cause, Cause::Refused { .. } | Cause::Forbidden),
            looks: false,
        }
    }
}

/// Entities that are proven absent.
pub(super) struct Left {
    pub(super) at: Vec<usize>,
    attempt: u32,
    /// How many entities shared their request.
    of: usize,
    /// What becomes of those that are not sent again.
    pub(super) result: StepResult,
    /// Whether they may be sent again in smaller parts.
    splits: bool,
    /// Whether one that stands alone may be sent again.
    repeats: bool,
    /// The one of which the request failed: the others are sent again without it.
    pub(super) without: Option<usize>,
}

impl Left {
    /// What is absent after an attempt whose effect was not known, to be sent again.
    pub(super) fn after(attempt: u32, of: usize, result: StepResult) -> Self {
        Self {
            at: Vec::new(),
            attempt: attempt + 1,
            of,
            result,
            splits: true,
            repeats: true,
            without: None,
        }
    }

    /// What is absent of entities that an answer named neither way.
    fn unclear(attempt: u32, of: usize, why: &str) -> Self {
        Self::after(attempt, of, not_known(why))
    }
}

impl<E: Ends> Carrier<'_, E> {
    /// Sends a part and follows it to its end. Returns what of it is to be sent again, if it may be.
    async fn bring(&mut self, part: Part) -> Result<Vec<Left>, StoreError> {
        if let (Cargo::Files, None) = (self.cargo, part.sent) {
            return self.bring_files(part).await;
        }
        let mut items: Vec<Prepared> = part.at.iter().map(|at| self.items[*at].clone()).collect();
        let (intent, batch, end) = match part.sent {
            Some(sent) => {
                self.context.journal.open.note(sent.intent, sent.why);
                if let Cargo::Files = self.cargo {
                    files::hash_sent(self.context, &mut items).await;
                }
                let end = match sent.batch {
                    Some(batch) => self.follow(sent.intent, &items, batch).await?,
                    None => End::Unknown {
                        cause: Failure::Refused.into(),
                        why: sent.why.to_owned(),
                        working: false,
                    },
                };
                (sent.intent, sent.batch, end)
            }
            None => self.send(&items, part.attempt).await?,
        };
        let left = self.take(&part, intent, &items, end).await?;
        if let Some(batch) = batch {
            self.emit_end(batch, &part.at, left.as_ref()).await;
        }
        Ok(left.into_iter().collect())
    }

    async fn send(
        &self,
        items: &[Prepared],
        attempt: u32,
    ) -> Result<(IntentId, Option<BatchId>, End), StoreError> {
        let context = self.context;
        let intent = context
            .open_intent(self.operation(items), items, attempt)
            .await?;
        let saves: Vec<Save> = items.iter().map(|item| item.save.clone()).collect();
        let sender = context.under(intent);
        let submitted = match self.cargo {
            Cargo::Rows => {
                let save = || context.instances.target.save_redirections(&saves);
                let end = match sender.send(Effect::Write, save).await {
                    Ok(rows) => each(rows, items.len(), "the answer"),
                    Err(error) => End::of(&error),
                };
                return Ok((intent, None, end));
            }
            // They leave with what was opened of them.
            Cargo::Files => return Ok((intent, None, End::Unsent)),
            Cargo::Items(locale) => {
                let submit = || context.instances.target.submit_items(locale, &saves);
                sender.send_as(Class::Submit, Effect::Write, submit).await
            }
            Cargo::Page(page) => {
                let submit = || context.instances.target.submit_page(page);
                sender.send_as(Class::Submit, Effect::Write, submit).await
            }
        };
        match submitted {
            Ok(batch) => {
                let end = self.follow(intent, items, batch).await?;
                Ok((intent, Some(batch), end))
            }
            Err(error) => Ok((intent, None, End::of(&error))),
        }
    }

    fn operation(&self, items: &[Prepared]) -> Operation {
        if let Cargo::Rows = self.cargo {
            return Operation::Create;
        }
        if items.iter().all(|item| item.step == Step::Patch) {
            Operation::Patch
        } else if items.iter().all(|item| item.save.id.is_some()) {
            Operation::Update
        } else {
            Operation::Create
        }
    }

    /// Waits for the end of a batch.
    async fn follow(
        &self,
        intent: IntentId,
        items: &[Prepared],
        batch: BatchId,
    ) -> Result<End, StoreError> {
        let context = self.context;
        let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
        let (kind, locale) = match self.cargo {
            Cargo::Items(locale) => (Kind::Content, Some(locale)),
            Cargo::Page(page) => (Kind::Page, page.save.locale.as_ref()),
            Cargo::Rows => (Kind::Redirection, None),
            Cargo::Files => (Kind::Asset, None),
        };
        let handed = HandedIn {
            batch,
            kind,
            locale,
            items: count,
            does: BatchKind::saving(kind),
        };
        Ok(match follow_noted(context, intent, &handed).await? {
            BatchEnd::Finished(rows) => each(rows, items.len(), &format!("batch {batch}")),
            BatchEnd::Failed(refusal) => {
                context
                    .journal
                    .open
                    .note(intent, &refusal_message(&refusal));
                End::Whole {
                    result: refused(&refusal),
                    splits: true,
                    looks: true,
                }
            }
            BatchEnd::Unknown(why) => End::Unknown {
                cause: Failure::InDoubt.into(),
                why,
                working: true,
            },
            BatchEnd::Halted => End::Halted,
        })
    }

    /// Makes the end of a request durable, and returns what is left of it.
    pub(super) async fn take(
        &mut self,
        part: &Part,
        intent: IntentId,
        items: &[Prepared],
        end: End,
    ) -> Result<Option<Left>, StoreError> {
        match end {
            End::Each(rows) => {
                let rows = self.look_into(part.attempt, (intent, items), rows).await;
                let cargo = self.cargo;
                let checked = believe::checked(self.context, cargo, (intent, items), rows).await;
                match checked {
                    Ok(rows) => self.keep(part, intent, items, rows).await,
                    Err(error) => {
                        let why = "the ids that it was answered with could not be checked";
                        let left = Left::unclear(part.attempt, items.len(), why);
                        let intent = (intent, false);
                        self.found(part, intent, items, (Err(error), left)).await
                    }
                }
            }
            End::Whole {
                result,
                splits,
                looks,
            } => {
                let found = if looks {
                    self.context.journal.open.doubt(intent, reason(&result));
                    live::at_once(self.context, self.cargo, items, intent).await
                } else {
                    Ok(Looked::nothing(items.len()))
                };
                let left = Left {
                    at: Vec::new(),
                    attempt: part.attempt,
                    of: items.len(),
                    result,
                    splits,
                    repeats: false,
                    without: None,
                };
                self.found(part, (intent, false), items, (found, left))
                    .await
            }
            End::Unknown {
                cause,
                why,
                working,
            } => {
                self.context.journal.open.doubt(intent, &why);
                // What makes no sense is looked for, even where it could be repeated.
                let is_harmless = items.len() == 1 && cause.failure != Failure::InDoubt;
                let found = self.look(items, intent, is_harmless).await;
                let result = if working {
                    not_known(&why)
                } else {
                    failure(cause, why)
                };
                let left = Left {
                    splits: !working,
                    repeats: !working,
                    ..Left::after(part.attempt, items.len(), result)
                };
                self.found(part, (intent, working), items, (found, left))
                    .await
            }
            End::Cut { at, error } => self.take_cut(part, (intent, items), (at, error)).await,
            End::Unsent => {
                close(&self.context.journal, intent, IntentState::Failed).await?;
                self.set_all(part, &StepResult::Held);
                Ok(None)
            }
            End::Halted => {
                self.set_all(part, &StepResult::Held);
                Ok(None)
            }
        }
    }

    /// Looks for entities of a request whose effect is not known. `is_harmless`: one that may be sent again unseen, where
    /// the cargo allows that.
    async fn look(
        &self,
        items: &[Prepared],
        intent: IntentId,
        is_harmless: bool,
    ) -> Result<Looked, RequestError> {
        let Cargo::Files = self.cargo else {
            return live::until_quiet(self.context, self.cargo, items, intent).await;
        };
        tokio::time::sleep(self.context.inquiry().between_looks()).await;
        if is_harmless {
            return Ok(Looked::nothing(items.len()));
        }
        files::look(self.context, items).await
    }

    /// What was refused in a later attempt may be there from an earlier one: the target refuses a second rule for one
    /// origin, and a second page of one name.
    async fn look_into(
        &self,
        attempt: u32,
        (intent, items): (IntentId, &[Prepared]),
        mut rows: Vec<RowResult>,
    ) -> Vec<RowResult> {
        if attempt > 1
            && rows.iter().any(Result::is_err)
            && let Ok(there) = live::once(self.context, self.cargo, items, (intent, false)).await
        {
            for (at, saved) in there.found {
                if rows[at].is_err() {
                    rows[at] = Ok(saved);
                }
            }
        }
        rows
    }

    /// Records what was answered item by item, and looks for what was answered neither way.
    async fn keep(
        &mut self,
        part: &Part,
        intent: IntentId,
        items: &[Prepared],
        mut rows: Vec<RowResult>,
    ) -> Result<Option<Left>, StoreError> {
        if planted::has(Bug::SwapsResults) {
            rows.reverse();
        }
        let saved = rows.iter().enumerate();
        let saved: Vec<(usize, Saved)> = saved
            .filter_map(|(at, row)| Some((at, row.as_ref().ok()?.clone())))
            .collect();
        let mut unclear = Vec::new();
        let mut why = String::new();
        for (at, row) in rows.iter().enumerate() {
            match row {
                Ok(_) => {}
                Err(Unconfirmed::Refused(refusal)) => {
                    self.results[part.at[at]] = Some(refused(refusal));
                }
                Err(Unconfirmed::Unclear(words)) => {
                    unclear.push(at);
                    why.clone_from(words);
                }
            }
        }
        let closed = || self.context.journal.closed(intent, IntentState::Done);
        let closed = unclear.is_empty().then(closed);
        self.store(part, items, saved, closed).await?;
        if unclear.is_empty() {
            return Ok(None);
        }
        let some = Part {
            at: unclear.iter().map(|at| part.at[*at]).collect(),
            attempt: part.attempt,
            sent: None,
        };
        let items: Vec<Prepared> = unclear.iter().map(|at| items[*at].clone()).collect();
        self.context.journal.open.doubt(intent, &why);
        let found = self.look(&items, intent, false).await;
        let left = Left::unclear(part.attempt, items.len(), &why);
        self.found(&some, (intent, false), &items, (found, left))
            .await
    }

    /// Claims what is there, makes it durable in one commit, then shows it.
    async fn store(
        &mut self,
        part: &Part,
        items: &[Prepared],
        saved: Vec<(usize, Saved)>,
        closed: Option<Change>,
    ) -> Result<(), StoreError> {
        let kept = saved.iter().map(|(at, saved)| (*at, &items[*at], saved));
        let (mut changes, mut taken) = keep_all(self.context, kept);
        changes.extend(closed);
        self.context.journal.store.commit(changes).await?;
        for (at, saved) in saved {
            let place = part.at[at];
            let result = if let Some(refused) = taken.remove(&at) {
                self.taken.push((place, saved));
                refused
            } else {
                self.given_up = 0;
                publish_to_id_map(&self.context.view, &self.context.live, &items[at], &saved)
            };
            self.results[place] = Some(result);
        }
        Ok(())
    }

    /// Keeps what was found on the target. `intent` is still open, with whether the target may still process it.
    pub(super) async fn found(
        &mut self,
        part: &Part,
        (intent, working): (IntentId, bool),
        items: &[Prepared],
        (looked, mut left): (Result<Looked, RequestError>, Left),
    ) -> Result<Option<Left>, StoreError> {
        let looked = match looked {
            Ok(looked) => looked,
            Err(error) if error.cause == Cause::Halted => {
                self.set_all(part, &StepResult::Held);
                return Ok(None);
            }
            Err(error) => {
                close(&self.context.journal, intent, IntentState::InDoubt).await?;
                let why = format!("{}; {error}", reason(&left.result));
                self.set_all(part, &not_known(&why));
                return Ok(None);
            }
        };
        let is_doubtful = working || !looked.suspects.is_empty();
        let state = match (is_doubtful, looked.absent.is_empty()) {
            (_, true) => IntentState::Done,
            (true, false) => IntentState::InDoubt,
            (false, false) => IntentState::Failed,
        };
        let closed = self.context.journal.closed(intent, state);
        self.store(part, items, looked.found, Some(closed)).await?;
        for (at, suspects) in &looked.suspects {
            let why = altered(reason(&left.result), items[*at].save.kind, suspects);
            self.results[part.at[*at]] = Some(not_known(&why));
        }
        let absent = looked.absent.iter();
        let absent = absent.filter(|at| !looked.suspects.contains_key(at));
        left.at = absent.map(|at| part.at[*at]).collect();
        Ok((!left.at.is_empty()).then_some(left))
    }

    /// What is sent next of what is proven absent, the first part last. What is given up has its result.
    fn parts_of(&mut self, mut left: Left) -> Vec<Part> {
        let part = |at, attempt| Part {
            at,
            attempt,
            sent: None,
        };
        if let Some(place) = left.without {
            let (cut, others): (Vec<usize>, Vec<usize>) =
                left.at.iter().partition(|at| **at == place);
            let parts = [cut, others].into_iter().filter(|at| !at.is_empty());
            return parts.map(|at| part(at, left.attempt)).collect();
        }
        let is_alone = left.at.len() == 1;
        let is_hopeless = left.repeats && self.given_up >= SPEAK_FOR_ALL;
        // Once one was given up, others alone are tried once, until something arrives again.
        let may_repeat =
            left.repeats && self.given_up == 0 && left.attempt <= self.context.options.attempts;
        let is_tried = left.of == 1 && !may_repeat;
        if is_hopeless || is_tried || !left.splits {
            self.given_up += u32::from(left.repeats);
            for at in left.at {
                self.results[at] = Some(left.result.clone());
            }
            return Vec::new();
        }
        if is_alone {
            return vec![part(left.at, left.attempt)];
        }
        let second = left.at.split_off(left.at.len().div_ceil(2));
        vec![part(second, left.attempt), part(left.at, left.attempt)]
    }

    fn set_all(&mut self, part: &Part, result: &StepResult) {
        for at in &part.at {
            self.results[*at] = Some(result.clone());
        }
    }

    /// Reports how a batch ended; nothing of one that is left to the next run.
    async fn emit_end(&self, batch: BatchId, at: &[usize], left: Option<&Left>) {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let of = |wanted: fn(&StepResult) -> bool| {
            let results = at.iter().filter_map(|at| self.results[*at].as_ref());
            results.filter(|result| wanted(result)).count()
        };
        if of(|result| matches!(result, StepResult::Held)) > 0 {
            return;
        }
        let items = count(at.len());
        let is_split = left.is_some_and(|left| left.splits && left.at.len() > 1);
        let succeeded = count(of(|result| matches!(result, StepResult::Done(_))));
        let event = if is_split {
            Event::BatchSplit { batch, items }
        } else {
            Event::BatchFinished {
                batch,
                succeeded,
                failed: items - succeeded,
            }
        };
        self.context.sink.emit(event).await;
    }
}

/// The results of a request, if there is one for each entity.
pub(super) fn each(rows: Vec<RowResult>, count: usize, what: &str) -> End {
    if rows.len() == count {
        return End::Each(rows);
    }
    End::Unknown {
        cause: Failure::InDoubt.into(),
        why: format!("{what} has {} results for {count} entities", rows.len()),
        working: false,
    }
}

fn reason(result: &StepResult) -> &str {
    match result {
        StepResult::Failed { reason, .. } => reason,
        StepResult::Done(_) | StepResult::Held => "its request failed",
    }
}
