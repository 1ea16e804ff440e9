//! The way into an instance: every request takes its time and may go wrong.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use lockgate::domain::{BatchId, Id, Kind, Locale, TargetId};
use lockgate::instance::{
    Answer, Ask, BatchStatus, Cause, Deleted, Doomed, Download, PageSave, Refusal, RequestError,
    Save, Saved, Source, Target, Upload, Workflow,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::{Instant, sleep};

use super::watch::{Counted, Limits, name_of};
use super::world::{Work, World};

/// An instance that many jobs talk to.
#[derive(Clone, Debug)]
pub(crate) struct Double(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    world: Mutex<World>,
    dice: Mutex<ChaCha8Rng>,
    /// How many requests of a hundred go wrong.
    faults: u32,
}

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Fine,
    Throttled,
    NotSent,
    /// It took effect, and nobody heard of it.
    Unheard,
    /// It had no effect, and nobody knows.
    Lost,
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

    fn fate(&self) -> (Duration, Fate, Duration) {
        let mut dice = self.dice.lock().unwrap();
        let mut pause = || Duration::from_millis(dice.random_range(1..120));
        let (before, after) = (pause(), pause());
        let fate = if dice.random_ratio(self.faults, 100) {
            match dice.random_range(0..4) {
                0 => Fate::Throttled,
                1 => Fate::NotSent,
                2 => Fate::Unheard,
                _ => Fate::Lost,
            }
        } else {
            Fate::Fine
        };
        (before, fate, after)
    }

    /// Sends a request that does `act`.
    async fn request<R>(
        &self,
        operation: &str,
        open: Open<'_>,
        act: impl FnOnce(&mut World) -> Result<R, Cause>,
    ) -> Result<R, RequestError> {
        let failed = |cause| RequestError {
            operation: operation.to_owned(),
            cause,
            said: None,
            request_id: None,
        };
        let (before, fate, after) = self.fate();
        sleep(before).await;
        let result = match fate {
            Fate::Throttled => Err(Cause::Throttled {
                retry_after: Some(after),
            }),
            Fate::NotSent => Err(Cause::Connect {
                host: "double".to_owned(),
                detail: "refused".to_owned(),
            }),
            Fate::Lost => Err(Cause::TimedOut(Duration::from_mins(1))),
            Fate::Fine | Fate::Unheard => {
                let mut world = self.world();
                world.advance(Instant::now());
                act(&mut world)
            }
        };
        sleep(after).await;
        drop(open);
        let result = match (fate, result) {
            (Fate::Unheard, Ok(_)) => Err(Cause::Broken("reset".to_owned())),
            (_, result) => result,
        };
        result.map_err(failed)
    }

    /// Hands in a batch. What it holds is being saved until the worker is through, unless it never arrives.
    async fn submit(&self, what: Counted, work: Vec<Work>) -> Result<BatchId, RequestError> {
        let open = self.open(None, Vec::new());
        {
            let mut world = self.world();
            world.advance(Instant::now());
            for work in &work {
                match work {
                    Work::Item(save) => world.check(save),
                    Work::Page(page) => world.check_page(page),
                }
            }
        }
        let (delay, fails) = {
            let mut dice = self.dice.lock().unwrap();
            let fails = dice.random_ratio(self.faults, 300);
            (Duration::from_millis(dice.random_range(10..800)), fails)
        };
        self.request("submitting", open, |world| {
            world.watch.enter(what);
            for work in &work {
                world.watch.begin(&name_of(work.save()));
                if let Work::Page(page) = work
                    && world.takes_place(page)
                {
                    world.watch.begin_page(page);
                }
            }
            Ok(world.submit(work, Instant::now() + delay, fails))
        })
        .await
    }
}

impl Double {
    /// An instance whose delays and faults are drawn from `seed`.
    pub(crate) fn new(world: World, seed: u64, faults: u32) -> Self {
        Self(Arc::new(Shared {
            world: Mutex::new(world),
            dice: Mutex::new(ChaCha8Rng::seed_from_u64(seed)),
            faults,
        }))
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
    async fn read<I: Id>(&self, ask: &Ask) -> Result<Answer<I>, RequestError> {
        let open = self.0.open(None, Vec::new());
        let answer = |world: &mut World| {
            Ok(Answer {
                found: world.answer(ask),
                follow_ups: Vec::new(),
            })
        };
        self.0
            .request(&format!("reading {ask}"), open, answer)
            .await
    }

    async fn download(&self, url: &str) -> Result<Download, RequestError> {
        let open = self.0.open(Some(Counted::File), Vec::new());
        let find = |world: &mut World| world.bytes(url).ok_or(Cause::NotFound);
        let bytes = self.0.request("downloading", open, find).await?;
        let pieces: Vec<_> = bytes
            .chunks(7)
            .map(Bytes::copy_from_slice)
            .map(Ok)
            .collect();
        Ok(Download {
            length_bytes: Some(bytes.len() as u64),
            focal: (None, None),
            bytes: stream::iter(pieces).boxed(),
        })
    }
}

impl Target for Double {
    async fn save(&self, save: &Save) -> Result<Saved, RequestError> {
        self.world().check(save);
        let open = self.0.open(Some(Counted::Save), vec![name_of(save)]);
        let refused = |_: Refusal| Cause::Refused { status: 400 };
        self.0
            .request("saving", open, |world| world.save(save).map_err(refused))
            .await
    }

    async fn save_redirections(
        &self,
        rows: &[Save],
    ) -> Result<Vec<Result<Saved, Refusal>>, RequestError> {
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
        let act = |world: &mut World| Ok(rows.iter().map(|row| save(world, row)).collect());
        self.0.request("saving redirections", open, act).await
    }

    async fn upload(&self, upload: Upload) -> Result<Saved, RequestError> {
        let name = format!("{}/{}", upload.folder, upload.file_name);
        self.world().check_id(upload.gallery);
        let open = self
            .0
            .open(Some(Counted::Asset), vec![format!("asset {name}")]);
        let mut bytes = Vec::new();
        let mut pieces = upload.bytes;
        while let Some(piece) = pieces.next().await {
            bytes.extend_from_slice(&piece?);
        }
        let gallery = upload.gallery.map(Id::raw);
        let act = |world: &mut World| Ok(world.upload(&name, gallery, bytes));
        self.0.request("uploading", open, act).await
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
        self.0
            .request("polling", open, |world| Ok(world.poll(batch)))
            .await
    }

    async fn delete(&self, _: &Doomed) -> Result<Deleted, RequestError> {
        unreachable!("a run deletes nothing")
    }

    async fn submit_workflow(
        &self,
        _: Workflow,
        _: Kind,
        _: &Locale,
        _: &[TargetId],
    ) -> Result<BatchId, RequestError> {
        self.0.submit(Counted::Batch, Vec::new()).await
    }
}
