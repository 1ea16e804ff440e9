//! The way into an instance: every request takes its time and may go wrong.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use lockgate::domain::{BatchId, Id, Kind, Locale, TargetId};
use lockgate::instance::{
    BatchStatus, Cause, DeleteRequest, Deleted, Download, PageSave, ReadRequest, ReadResponse,
    Refusal, RequestError, RowResult, Save, Saved, Source, Target, Upload, UploadFile, Workflow,
};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use tokio::time::{Instant, sleep};

use super::nature::{Fault, Nature};
use super::watch::{Counted, Limits, name_of};
use super::work::Work;
use super::world::World;

/// An instance that many jobs talk to.
#[derive(Clone, Debug)]
pub(crate) struct Double(Arc<Shared>);

struct Shared {
    world: Mutex<World>,
    temper: Mutex<Temper>,
    /// What went on, where somebody wants to know.
    trace: Option<Trace>,
}

/// How the server behaves, and what of that is drawn.
#[derive(Debug)]
struct Temper {
    nature: Nature,
    dice: ChaCha8Rng,
    injected: BTreeMap<Fault, u32>,
}

/// Lines of what went on, with virtual time.
pub(crate) type Trace = Arc<dyn Fn(String) + Send + Sync>;

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// A request on its way; dropped, it is over.
struct Open<'a> {
    shared: &'a Shared,
    counted: Option<Counted>,
    /// The saves that end with it.
    saving: Vec<String>,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let mut world = self.shared.world();
        if self.counted != Some(Counted::File) {
            world.watch.leave(Counted::Request);
        }
        if let Some(what) = self.counted {
            world.watch.leave(what);
        }
        for name in &self.saving {
            world.watch.end(name);
        }
    }
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    fn open(&self, counted: Option<Counted>, saving: Vec<String>) -> Open<'_> {
        let mut world = self.world();
        if counted != Some(Counted::File) {
            world.watch.enter(Counted::Request);
        }
        if let Some(what) = counted {
            world.watch.enter(what);
        }
        for name in &saving {
            world.watch.begin(name);
        }
        Open {
            shared: self,
            counted,
            saving,
        }
    }

    fn temper(&self) -> MutexGuard<'_, Temper> {
        self.temper.lock().unwrap()
    }

    fn note(&self, line: impl FnOnce() -> String) {
        if let Some(trace) = &self.trace {
            trace(line());
        }
    }

    /// The way there, what happens, and the way back.
    fn fate(&self, writes: bool) -> (Duration, Option<Fault>, Duration) {
        let mut temper = self.temper();
        let Temper {
            nature,
            dice,
            injected,
        } = &mut *temper;
        let (before, after) = (nature.way(dice), nature.way(dice));
        // Reads change nothing later.
        let fate = nature.fate(dice).map(|fate| match fate {
            Fault::Late if !writes => Fault::Lost,
            fate => fate,
        });
        if let Some(fate) = fate {
            *injected.entry(fate).or_default() += 1;
        }
        (before, fate, after)
    }

    /// Sends a request that does `act`.
    async fn request<R: Send + 'static>(
        &self,
        (operation, writes): (String, bool),
        open: Open<'_>,
        act: impl FnOnce(&mut World) -> Result<R, Cause> + Send + 'static,
    ) -> Result<R, RequestError> {
        let (before, fate, after) = self.fate(writes);
        self.note(|| format!("{operation} leaves, {}", fate.map_or("fine", Fault::name)));
        sleep(before).await;
        let result = match fate {
            None => self.act(act),
            Some(fault) if fault.takes_effect() => {
                self.act(act).and_then(|_| Err(cause(fault, after)))
            }
            Some(fault) => {
                if fault == Fault::Late {
                    let act = Box::new(|world: &mut World| drop(act(world)));
                    self.world().postpone(Instant::now() + after * 8, act);
                }
                Err(cause(fault, after))
            }
        };
        sleep(after).await;
        drop(open);
        self.note(|| {
            let end = result
                .as_ref()
                .map_or_else(ToString::to_string, |_| "done".to_owned());
            format!("{operation}: {end}")
        });
        result.map_err(|cause| RequestError::new(operation, cause))
    }

    fn act<R>(&self, act: impl FnOnce(&mut World) -> Result<R, Cause>) -> Result<R, Cause> {
        let mut world = self.world();
        world.advance(Instant::now());
        act(&mut world)
    }

    /// Hands in a batch. What it holds is being saved until the worker is through, unless it never arrives.
    async fn submit(&self, what: Counted, mut work: Vec<Work>) -> Result<BatchId, RequestError> {
        let open = self.open(None, Vec::new());
        {
            let mut world = self.world();
            world.advance(Instant::now());
            for work in &work {
                work.check(&mut world);
            }
        }
        let (takes, fails, one_worker) = {
            let mut temper = self.temper();
            let Temper {
                nature,
                dice,
                injected,
            } = &mut *temper;
            let mut strikes = |fault: Fault| {
                let strikes = nature.strikes(fault, dice);
                *injected.entry(fault).or_default() += u32::from(strikes);
                if strikes {
                    self.note(|| format!("the next batch: {}", fault.name()));
                }
                strikes
            };
            let fails = strikes(Fault::Aborted);
            if strikes(Fault::Spoilt) {
                work.iter_mut().for_each(Work::spoil);
            }
            (nature.work(dice), fails, nature.one_worker)
        };
        let names: Vec<String> = work.iter().map(Work::name).collect();
        let operation = format!("submitting {}", names.join(", "));
        self.request((operation, true), open, move |world| {
            world.watch.enter(what);
            for work in &work {
                work.begin(world);
            }
            let begins = if one_worker {
                world.free_at()
            } else {
                world.now()
            };
            Ok(world.submit(work, begins + takes, fails))
        })
        .await
    }
}

/// Why a request failed, as its sender hears it.
fn cause(fault: Fault, wait: Duration) -> Cause {
    let failed = |status, retry_after| Cause::ServerFailed {
        status,
        retry_after,
    };
    match fault {
        Fault::Throttled => Cause::Throttled {
            retry_after: Some(wait),
        },
        Fault::NotSent => Cause::Connect {
            host: "double".to_owned(),
            detail: "refused".to_owned(),
        },
        Fault::Unheard => Cause::Broken("reset".to_owned()),
        Fault::Lost | Fault::Late | Fault::Aborted | Fault::Spoilt => {
            Cause::TimedOut(Duration::from_mins(1))
        }
        Fault::Failed => failed(500, None),
        Fault::Gateway => failed(502, None),
        Fault::Unavailable => failed(503, Some(wait)),
        Fault::Garbled => Cause::Malformed("cut off".to_owned()),
    }
}

impl Double {
    /// An instance whose delays and faults are drawn from `seed`.
    pub(crate) fn new(world: World, seed: u64, faults: u32) -> Self {
        Self::of_nature(world, seed, Nature::with_faults(faults), None)
    }

    /// An instance on a server that behaves as it likes.
    pub(crate) fn of_nature(
        mut world: World,
        seed: u64,
        nature: Nature,
        trace: Option<Trace>,
    ) -> Self {
        world.give_ids(nature.ids);
        Self(Arc::new(Shared {
            world: Mutex::new(world),
            temper: Mutex::new(Temper {
                nature,
                dice: ChaCha8Rng::seed_from_u64(seed),
                injected: BTreeMap::new(),
            }),
            trace,
        }))
    }

    /// Lets nothing go wrong from now on.
    pub(crate) fn calm(&self) {
        let mut temper = self.0.temper();
        temper.nature = temper.nature.without_faults();
    }

    /// Notes what must never happen.
    pub(crate) fn accuse(&self, problem: &str) {
        self.world().watch.problem(problem.to_owned());
    }

    /// How often each thing went wrong.
    pub(crate) fn injected(&self) -> BTreeMap<Fault, u32> {
        self.0.temper().injected.clone()
    }

    /// The instance itself.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.0.world()
    }

    /// Sets what may be in flight, and how many fields models are to have before their items arrive.
    pub(crate) fn expect(&self, limits: Limits, fields: Vec<(String, usize)>) {
        let mut world = self.world();
        world.watch.limits = limits;
        world.watch.fields = fields.into_iter().collect();
    }

    /// What went wrong up to now.
    pub(crate) fn problems(&self) -> Vec<String> {
        self.world().watch.problems.clone()
    }

    /// How many saves have arrived.
    pub(crate) fn writes(&self) -> usize {
        self.world().watch.writes
    }

    /// Lets the source change.
    pub(crate) fn replace(&self, other: World) {
        self.world().replace(other);
    }
}

impl Source for Double {
    async fn read<I: Id>(&self, ask: &ReadRequest) -> Result<ReadResponse<I>, RequestError> {
        let open = self.0.open(None, Vec::new());
        let operation = (format!("reading {ask}"), false);
        let ask = ask.clone();
        let answer = move |world: &mut World| {
            Ok(ReadResponse {
                found: world.answer(&ask),
                follow_ups: Vec::new(),
            })
        };
        self.0.request(operation, open, answer).await
    }

    async fn download(&self, url: &str) -> Result<Download, RequestError> {
        let open = self.0.open(Some(Counted::File), Vec::new());
        let operation = (format!("downloading {url}"), false);
        let url = url.to_owned();
        let find = move |world: &mut World| world.bytes(&url).ok_or(Cause::NotFound);
        let bytes = self.0.request(operation, open, find).await?;
        let pieces: Vec<_> = bytes
            .chunks(7)
            .map(Bytes::copy_from_slice)
            .map(Ok)
            .collect();
        Ok(Download {
            digest: None,
            length_bytes: Some(bytes.len() as u64),
            focal: (None, None),
            bytes: stream::iter(pieces).boxed(),
        })
    }
}

impl Target for Double {
    async fn save(&self, save: &Save) -> Result<Saved, RequestError> {
        self.world().check(save);
        let name = name_of(save);
        let open = self.0.open(Some(Counted::Save), vec![name.clone()]);
        let refused = |_: Refusal| Cause::Refused { status: 400 };
        let save = save.clone();
        let act = move |world: &mut World| world.save(&save).map_err(refused);
        self.0
            .request((format!("saving {name}"), true), open, act)
            .await
    }

    async fn save_redirections(&self, rows: &[Save]) -> Result<Vec<RowResult>, RequestError> {
        for row in rows {
            self.world().check(row);
        }
        let open = self.0.open(None, rows.iter().map(name_of).collect());
        let save = |world: &mut World, row: &Save| {
            let mut row = row.clone();
            let known = world
                .named(Kind::Redirection, &row.name)
                .map(|known| TargetId::new(known.id));
            row.id = row.id.or(known);
            world.save(&row)
        };
        let rows = rows.to_vec();
        let act = move |world: &mut World| {
            let saved = rows.iter().map(|row| Ok(save(world, row)?));
            Ok(saved.collect())
        };
        let operation = ("saving redirections".to_owned(), true);
        self.0.request(operation, open, act).await
    }

    async fn upload(&self, upload: Upload) -> Result<Vec<RowResult>, RequestError> {
        let name = |file: &UploadFile| format!("{}/{}", upload.folder, file.name);
        let names: Vec<String> = upload.files.iter().map(name).collect();
        self.world().check_id(upload.gallery);
        let saving = names.iter().map(|name| format!("asset {name}"));
        let open = self.0.open(Some(Counted::Asset), saving.collect());
        let mut files = Vec::new();
        for (name, file) in names.iter().cloned().zip(upload.files) {
            let mut bytes = Vec::new();
            let mut pieces = file.bytes;
            while let Some(piece) = pieces.next().await {
                bytes.extend_from_slice(&piece?);
            }
            files.push((name, bytes));
        }
        let gallery = upload.gallery.map(Id::raw);
        let operation = (format!("uploading {}", names.join(", ")), true);
        let act = move |world: &mut World| {
            let saved = files.into_iter();
            let saved = saved.map(|(name, bytes)| Ok(world.upload(&name, gallery, bytes)));
            Ok(saved.collect())
        };
        self.0.request(operation, open, act).await
    }

    async fn move_asset(&self, _: TargetId, _: &str) -> Result<Saved, RequestError> {
        unreachable!("no file of the double moves")
    }

    async fn submit_items(&self, _: &Locale, items: &[Save]) -> Result<BatchId, RequestError> {
        let work = items.iter().cloned().map(Work::Item).collect();
        self.0.submit(Counted::Batch, work).await
    }

    async fn submit_page(&self, page: &PageSave) -> Result<BatchId, RequestError> {
        self.0
            .submit(Counted::Page, vec![Work::Page(page.clone())])
            .await
    }

    async fn poll(&self, batch: BatchId) -> Result<BatchStatus, RequestError> {
        let open = self.0.open(None, Vec::new());
        let operation = (format!("polling {batch}"), false);
        let act = move |world: &mut World| Ok(world.poll(batch));
        self.0.request(operation, open, act).await
    }

    async fn delete(&self, _: &DeleteRequest) -> Result<Deleted, RequestError> {
        unreachable!("a run deletes nothing")
    }

    async fn submit_workflow(
        &self,
        step: Workflow,
        kind: Kind,
        locale: &Locale,
        ids: &[TargetId],
    ) -> Result<BatchId, RequestError> {
        let move_one = |id: &TargetId| Work::Step(step, kind, locale.clone(), *id);
        self.0
            .submit(Counted::Batch, ids.iter().map(move_one).collect())
            .await
    }
}
