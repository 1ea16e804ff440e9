//! Files that leave together: opened, sent in one request, and found again by their paths and bytes.
//!
//! ```text
//!   open all ─┬▶ not given by the source ─▶ failed, and left out
//!             ├▶ with a focal point ─▶ a request of its own
//!             └▶ the others ─▶ one request ─┬▶ answered row by row
//!                                           ├▶ one was cut in the middle ─▶ looked for, then sent again without it
//!                                           └▶ anything else ─▶ as for every request of several entities
//! ```
//!
//! A file that is sent a second time lands on the same path with the same bytes. So one look is enough before those that are
//! not there are sent again, and a file that was sent alone needs none.

use std::collections::HashMap;

use futures_util::future::join_all;

use super::carry::{Carrier, End, Left, Part, each};
use super::live::is_new;
use super::look::{Looked, saved};
use super::outcome::not_sent;
use crate::domain::{Entity, Kind, TargetId, TargetKey, name_key, same_name};
use crate::engine::context::{Ends, Prepared, RunContext};
use crate::engine::files::{Opened, Outgoing, bytes_hash, fetched, path};
use crate::engine::pace::Class;
use crate::engine::upload_size::split;
use crate::instance::{
    Cause, Effect, ReadRequest, Record, RequestError, RowResult, Saved, Unconfirmed, Verdict,
};
use crate::store::{IntentId, Operation, StoreError};

/// Files that are open and leave in one request.
#[derive(Default)]
struct OpenFiles {
    /// Their places among all.
    at: Vec<usize>,
    files: Vec<Outgoing>,
    opened: Vec<Opened>,
}

/// What came of a request with files.
struct Answered {
    at: Vec<usize>,
    intent: IntentId,
    /// With the hashes of what was sent of them.
    items: Vec<Prepared>,
    end: End,
}

/// The first requests with some files: one, or more while the target takes less at one time.
pub(super) fn first_parts<E: Ends>(context: &RunContext<E>, items: &[Prepared]) -> Vec<Vec<usize>> {
    let Some(limit) = context.instances.upload_size.limit() else {
        return vec![(0..items.len()).collect()];
    };
    let length = |item| {
        Outgoing::of(&context.view, item)
            .listed_bytes()
            .unwrap_or(limit)
    };
    let lengths: Vec<u64> = items.iter().map(length).collect();
    split(&lengths, limit)
}

impl<E: Ends> Carrier<'_, E> {
    /// Opens the files of a part, sends them, and brings each request to its end. Returns what is to be sent again.
    pub(super) async fn bring_files(&mut self, part: Part) -> Result<Vec<Left>, StoreError> {
        let attempt = part.attempt;
        let requests = self.open_files(part.at).await;
        let sends = requests
            .into_iter()
            .map(|files| self.send_files(files, attempt));
        let mut left = Vec::new();
        for answered in join_all(sends).await {
            let Answered {
                at,
                intent,
                items,
                end,
            } = answered?;
            let part = Part {
                at,
                attempt,
                sent: None,
            };
            left.extend(self.take(&part, intent, &items, end).await?);
        }
        Ok(left)
    }

    /// Opens files, and sorts them into requests. One that the source does not give has its result.
    async fn open_files(&mut self, places: Vec<usize>) -> Vec<OpenFiles> {
        let context = self.context;
        let files = places.into_iter().map(|at| {
            let file = Outgoing::of(&context.view, &self.items[at]);
            async move {
                let opened = context.instances.open_file(&file).await;
                (at, file, opened)
            }
        });
        let mut plain = OpenFiles::default();
        let mut requests = Vec::new();
        for (at, file, opened) in join_all(files).await {
            match opened {
                Ok(opened) if file.has_focal(&opened) => requests.push(OpenFiles {
                    at: vec![at],
                    files: vec![file],
                    opened: vec![opened],
                }),
                Ok(opened) => {
                    plain.at.push(at);
                    plain.files.push(file);
                    plain.opened.push(opened);
                }
                Err(error) => self.results[at] = Some(not_sent(&error)),
            }
        }
        requests.extend((!plain.at.is_empty()).then_some(plain));
        requests
    }

    async fn send_files(&self, open: OpenFiles, attempt: u32) -> Result<Answered, StoreError> {
        let context = self.context;
        let OpenFiles { at, files, opened } = open;
        let mut items: Vec<Prepared> = at.iter().map(|at| self.items[*at].clone()).collect();
        let intent = context
            .open_intent(Operation::Upload, &items, attempt)
            .await?;
        let mut opened = Some(opened);
        let answer = context
            .under(intent)
            .send_as(Class::Asset, Effect::Write, || {
                context.upload_files(&files, opened.take())
            })
            .await;
        for (item, file) in items.iter_mut().zip(&files) {
            if let Some(sent) = file.meter.whole() {
                (item.bytes, item.sent) = (sent.digest.bytes, Some(sent));
            }
        }
        if items.len() > 1 {
            context
                .instances
                .upload_size
                .record_answer(answer.as_ref().err());
        }
        let cut = files.iter().position(|file| file.meter.broke());
        let end = match (answer, cut) {
            (Ok(rows), _) => each(rows, items.len(), "the answer"),
            (Err(error), Some(at)) if items.len() > 1 && error.cause != Cause::Halted => {
                End::Cut { at, error }
            }
            (Err(error), _) => End::of(&error),
        };
        Ok(Answered {
            at,
            intent,
            items,
            end,
        })
    }

    /// Looks for what was sent together with a file that was cut, and leaves that one out of what is sent again.
    pub(super) async fn take_cut(
        &mut self,
        part: &Part,
        (intent, items): (IntentId, &[Prepared]),
        (cut, error): (usize, RequestError),
    ) -> Result<Option<Left>, StoreError> {
        self.context.journal.open.doubt(intent, &error.to_string());
        let looked = look(self.context, items).await;
        let place = part.at[cut];
        let mut left = Left::after(part.attempt, items.len(), not_sent(&error));
        left.without = Some(place);
        let left = self
            .found(part, (intent, false), items, (looked, left))
            .await?;
        let Some(mut left) = left else {
            return Ok(None);
        };
        // Otherwise the source may give it next time.
        if error.verdict(Effect::Write) == Verdict::GiveUp {
            left.at.retain(|at| *at != place);
            self.results[place] = Some(left.result.clone());
        }
        Ok((!left.at.is_empty()).then_some(left))
    }
}

/// Finds files that were sent in whole: those that are at their paths with the bytes that were sent.
pub(super) async fn look<E: Ends>(
    context: &RunContext<E>,
    items: &[Prepared],
) -> Result<Looked, RequestError> {
    let sent = items.iter().filter(|item| item.sent.is_some());
    let there = at_paths(context, &sent.collect::<Vec<_>>()).await?;
    let found = items.iter().map(|item| async {
        let file = there.get(&name_key(path(&context.view, item)))?;
        is_equal(context, item, file).await.then(|| saved(file))
    });
    let mut looked = Looked::default();
    for (at, found) in join_all(found).await.into_iter().enumerate() {
        looked.add(at, found);
    }
    Ok(looked)
}

/// Whether a file of the target has the bytes that were sent. Bytes that cannot be read count as different: then they are
/// sent again to the same path.
async fn is_equal<E: Ends>(
    context: &RunContext<E>,
    item: &Prepared,
    file: &Entity<TargetId>,
) -> bool {
    let media = file.body.parse();
    let size = media["size"].as_u64();
    if item.sent.is_none() || size.is_some_and(|size| size != item.bytes) {
        return false;
    }
    let url = media["originUrl"].as_str().unwrap_or_default();
    let there = context
        .instances
        .to_target()
        .send_as(Class::Download, Effect::Read, || {
            bytes_hash(&context.instances.target, url)
        })
        .await;
    there.ok() == item.sent.map(|sent| sent.hash)
}

/// Finds out what a job that broke had sent: the bytes that the source has.
pub(super) async fn hash_sent<E: Ends>(context: &RunContext<E>, items: &mut [Prepared]) {
    let read = items.iter().map(|item| async {
        let file = Outgoing::of(&context.view, item);
        let read = || fetched(&context.instances.source, file.url());
        let sender = context.instances.to_source();
        let read = sender.send_as(Class::Download, Effect::Read, read).await;
        (file.listed_bytes(), read.ok())
    });
    let read = join_all(read).await;
    for (item, (bytes, fetched)) in items.iter_mut().zip(read) {
        item.bytes = bytes.unwrap_or_default();
        item.sent = fetched
            .filter(|_| bytes.is_some())
            .map(|fetched| fetched.bytes);
    }
}

/// The files of the target at the paths of some assets, by the keys of their paths. What was there before the run is taken
/// for one only where it is what is saved over.
async fn at_paths<E: Ends>(
    context: &RunContext<E>,
    items: &[&Prepared],
) -> Result<HashMap<Box<str>, Entity<TargetId>>, RequestError> {
    let wanted = items
        .iter()
        .map(|item| (name_key(path(&context.view, item)), *item));
    let mut wanted: HashMap<Box<str>, &Prepared> = wanted.collect();
    let mut there = HashMap::new();
    let mut open = vec![ReadRequest::Assets { offset: 0 }];
    while let Some(ask) = open.pop().filter(|_| !wanted.is_empty()) {
        let answer = context.inquiry().ask(&ask).await?;
        open.extend(answer.follow_ups);
        for found in answer.found {
            let Record::Entity(file) = found else {
                continue;
            };
            let name = name_key(&file.name);
            let is_it = |item: &&Prepared| {
                file.key.kind == Kind::Asset
                    && (item.save.id == Some(file.key.id) || is_new(&context.view, &file.key))
            };
            if wanted.get(&name).is_some_and(is_it) {
                wanted.remove(&name);
                there.insert(name, file);
            }
        }
    }
    Ok(there)
}

/// Finds the file that was sent to the path of an asset and answered with nothing that can be trusted. One that is new can
/// only be what was sent; what was there before is taken for it where that is what was saved over.
///
/// # Errors
/// [`RequestError`] when the target cannot be asked.
pub(in crate::engine) async fn find_file<E: Ends>(
    context: &RunContext<E>,
    item: &Prepared,
) -> Result<Option<Saved>, RequestError> {
    let there = at_paths(context, &[item]).await?;
    Ok(there.values().next().map(saved))
}

/// The id that is trusted of an answer. One of another file, that is of the counterpart of another asset or of a file that
/// the target had before at another path, is trusted only when the path that was sent has no file of its own: then the
/// server has written over the other one.
///
/// # Errors
/// [`RequestError`] when the target cannot be asked.
pub(in crate::engine) async fn checked_file<E: Ends>(
    context: &RunContext<E>,
    item: &Prepared,
    saved: Saved,
) -> Result<Saved, RequestError> {
    let key = TargetKey::global(Kind::Asset, crate::domain::Id::raw(saved.id));
    let own = context
        .view
        .ids
        .shared(Kind::Asset, context.view.entity(item.node).key.id);
    let is_own = own.or(item.save.id) == Some(saved.id);
    let before = context.view.target_inventory.get(&key);
    let is_other = match before {
        Some(there) => !same_name(&there.name, path(&context.view, item)),
        None => context.view.ids.is_claimed(Kind::Asset, saved.id),
    };
    if is_own || !is_other {
        return Ok(saved);
    }
    Ok(find_file(context, item).await?.unwrap_or(saved))
}

/// The rows of an answer with the ids that are trusted. One id of two files is that of neither until it is looked for.
///
/// # Errors
/// [`RequestError`] when the target cannot be asked.
pub(super) async fn checked<E: Ends>(
    context: &RunContext<E>,
    items: &[Prepared],
    rows: Vec<RowResult>,
) -> Result<Vec<RowResult>, RequestError> {
    let mut times: HashMap<TargetId, u32> = HashMap::new();
    for saved in rows.iter().flatten() {
        *times.entry(saved.id).or_default() += 1;
    }
    let mut believed = Vec::with_capacity(rows.len());
    for (item, row) in items.iter().zip(rows) {
        believed.push(match row {
            Ok(saved) if times.get(&saved.id).is_some_and(|times| *times > 1) => {
                let why = format!("{} was answered as the id of several files", saved.id);
                Err(Unconfirmed::Unclear(why))
            }
            Ok(saved) => Ok(checked_file(context, item, saved).await?),
            Err(unconfirmed) => Err(unconfirmed),
        });
    }
    Ok(believed)
}
