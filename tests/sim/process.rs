//! The instances as one process sees them, which can be stopped and go on.
//!
//! A process that stands still sends nothing and hears nothing: what was on its way takes effect, and the answer is read when
//! it goes on. Its timers run on, which nobody can see from outside. What it would have read meanwhile it reads afterwards. What
//! it would have written is never sent: a real one would only have come to that afterwards, and asks before each write
//! whether it still has the lease. Each write is checked as it leaves: the lease is held, and an open intent in the store
//! names what is written.

use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use lockgate::domain::{BatchId, EntityKey, Id, Kind, Locale, TargetId};
use lockgate::instance::{
    BatchStatus, DeleteRequest, Deleted, Download, PageSave, ReadRequest, ReadResponse,
    RequestError, RowResult, Save, Saved, Source, Target, Upload, UploadFile, Workflow,
};
use lockgate::store::{IntentDetail, Store};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::double::Double;
use crate::stage::{LEASE, Stage};

/// Whether a process stands still. Whoever waits goes on in the order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Halt {
    is_stopped: AtomicBool,
    since: Mutex<Option<Instant>>,
    has_overslept: AtomicBool,
    bell: Notify,
}

impl Halt {
    pub(crate) fn set(&self, is_stopped: bool) {
        if self.has_lost_its_lease() {
            self.has_overslept.store(true, Ordering::Relaxed);
        }
        self.is_stopped.store(is_stopped, Ordering::Relaxed);
        *self.since.lock().unwrap() = is_stopped.then(Instant::now);
        self.bell.notify_waiters();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }

    /// Whether it stands still, or stood still before it went on, for longer than a lease lasts.
    fn has_lost_its_lease(&self) -> bool {
        let since = *self.since.lock().unwrap();
        self.has_overslept.load(Ordering::Relaxed)
            || since.is_some_and(|since| since.elapsed() > LEASE)
    }

    async fn ends(&self) {
        loop {
            // What is rung from here on wakes it.
            let rung = self.bell.notified();
            if !self.is_stopped() {
                return;
            }
            rung.await;
        }
    }
}

/// An instance as a process sees it.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) instance: Double,
    pub(crate) halt: Arc<Halt>,
    /// The state as everybody sees it.
    pub(crate) store: Store,
}

impl Process {
    async fn read<R>(&self, request: impl Future<Output = R>) -> R {
        self.halt.ends().await;
        let answer = request.await;
        self.halt.ends().await;
        answer
    }

    async fn write<R>(&self, request: impl Future<Output = R>) -> R {
        if self.halt.has_lost_its_lease() {
            self.instance
                .accuse("a write leaves after the lease was over");
        }
        if self.halt.is_stopped() {
            pending::<()>().await;
        }
        self.read(request).await
    }

    /// As [`Process::write`], of what an open intent has to name.
    async fn save_named<R>(&self, saves: &[(Kind, String)], request: impl Future<Output = R>) -> R {
        if !self.halt.is_stopped() {
            let open = self.store.open_intents(&Stage::pair()).await.unwrap();
            let noted = open
                .iter()
                .flat_map(|intent| intent.keys.iter().zip(&intent.details));
            let noted: Vec<(&EntityKey, &IntentDetail)> = noted.collect();
            for (kind, name) in saves {
                let is_it = |(key, detail): &(&EntityKey, &IntentDetail)| {
                    key.kind == *kind && detail.name == *name
                };
                if !noted.iter().any(is_it) {
                    self.instance.accuse(&format!(
                        "{kind} {name:?} leaves, and no open intent names it"
                    ));
                }
            }
        }
        self.write(request).await
    }
}

fn named(save: &Save) -> (Kind, String) {
    (save.kind, save.name.to_string())
}

impl Source for Process {
    async fn read<I: Id>(&self, ask: &ReadRequest) -> Result<ReadResponse<I>, RequestError> {
        self.read(self.instance.read(ask)).await
    }

    async fn download(&self, url: &str) -> Result<Download, RequestError> {
        self.read(self.instance.download(url)).await
    }
}

impl Target for Process {
    async fn save(&self, save: &Save) -> Result<Saved, RequestError> {
        self.save_named(&[named(save)], self.instance.save(save))
            .await
    }

    async fn save_redirections(&self, rows: &[Save]) -> Result<Vec<RowResult>, RequestError> {
        let names: Vec<_> = rows.iter().map(named).collect();
        let save = self.instance.save_redirections(rows);
        self.save_named(&names, save).await
    }

    async fn upload(&self, upload: Upload) -> Result<Vec<RowResult>, RequestError> {
        let name = |file: &UploadFile| format!("{}/{}", upload.folder, file.name);
        let names = upload.files.iter().map(|file| (Kind::Asset, name(file)));
        let names: Vec<_> = names.collect();
        self.save_named(&names, self.instance.upload(upload)).await
    }

    async fn move_asset(&self, asset: TargetId, folder: &str) -> Result<Saved, RequestError> {
        self.write(self.instance.move_asset(asset, folder)).await
    }

    async fn submit_items(&self, locale: &Locale, items: &[Save]) -> Result<BatchId, RequestError> {
        let names: Vec<_> = items.iter().map(named).collect();
        let submit = self.instance.submit_items(locale, items);
        self.save_named(&names, submit).await
    }

    async fn submit_page(&self, page: &PageSave) -> Result<BatchId, RequestError> {
        let names = [named(&page.save)];
        self.save_named(&names, self.instance.submit_page(page))
            .await
    }

    async fn poll(&self, batch: BatchId) -> Result<BatchStatus, RequestError> {
        self.read(self.instance.poll(batch)).await
    }

    async fn delete(&self, doomed: &DeleteRequest) -> Result<Deleted, RequestError> {
        self.write(self.instance.delete(doomed)).await
    }

    async fn submit_workflow(
        &self,
        step: Workflow,
        kind: Kind,
        locale: &Locale,
        ids: &[TargetId],
    ) -> Result<BatchId, RequestError> {
        let submit = self.instance.submit_workflow(step, kind, locale, ids);
        self.write(submit).await
    }
}
