//! Answers that are lost, of what the target then has otherwise than it was sent, or has only later: nothing is created twice.
//!
//! What is not on the target as it was sent is proven absent only where nothing new can be it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use lockgate::agility::Instance;
use lockgate::domain::{BatchId, Id, Kind, Locale, Outcome, TargetId};
use lockgate::engine::UnknownOutcome;
use lockgate::instance::{
    BatchStatus, Cause, DeleteRequest, Deleted, Download, PageSave, ReadRequest, ReadResponse,
    RequestError, RowResult, Save, Saved, Source, Target, Upload, Workflow,
};
use lockgate::store::Store;

use crate::crash::{losses, server, target};
use crate::support::{Ran, Setup};

/// A target that loses the answer of the first save of a kind.
#[derive(Clone, Debug)]
struct Altering {
    instance: Instance,
    kind: Kind,
    is_done: Arc<AtomicBool>,
    /// The first save of something that has a name, until it takes effect with the second.
    late: Arc<Mutex<Option<Save>>>,
}

fn failed(cause: Cause) -> RequestError {
    RequestError::new("saving", cause)
}

/// The same with another value in its first text.
fn altered(save: &Save) -> Save {
    let mut body = (*save.body).clone();
    match save.kind {
        Kind::Content => {
            let fields = body["fields"].as_object_mut().unwrap();
            let first = fields.values_mut().find(|value| value.is_string());
            *first.unwrap() = "altered".into();
        }
        _ => body["title"] = "altered".into(),
    }
    Save {
        body: body.into(),
        ..save.clone()
    }
}

impl Altering {
    fn new(instance: Instance, kind: Kind) -> Self {
        Self {
            instance,
            kind,
            is_done: Arc::default(),
            late: Arc::default(),
        }
    }

    fn is_first_of(&self, kind: Kind) -> bool {
        self.kind == kind && !self.is_done.swap(true, Ordering::Relaxed)
    }
}

impl Source for Altering {
    async fn read<I: Id>(&self, ask: &ReadRequest) -> Result<ReadResponse<I>, RequestError> {
        self.instance.read(ask).await
    }

    async fn download(&self, url: &str) -> Result<Download, RequestError> {
        self.instance.download(url).await
    }
}

impl Target for Altering {
    async fn save(&self, save: &Save) -> Result<Saved, RequestError> {
        if self.is_first_of(save.kind) {
            *self.late.lock().unwrap() = Some(save.clone());
            return Err(failed(Cause::Broken("reset".to_owned())));
        }
        let late = self
            .late
            .lock()
            .unwrap()
            .take_if(|late| late.name == save.name);
        let Some(late) = late else {
            return self.instance.save(save).await;
        };
        self.instance.save(&late).await?;
        Err(failed(Cause::Refused { status: 400 }))
    }

    async fn save_redirections(&self, rows: &[Save]) -> Result<Vec<RowResult>, RequestError> {
        self.instance.save_redirections(rows).await
    }

    async fn upload(&self, upload: Upload) -> Result<Vec<RowResult>, RequestError> {
        self.instance.upload(upload).await
    }

    async fn move_asset(&self, asset: TargetId, folder: &str) -> Result<Saved, RequestError> {
        self.instance.move_asset(asset, folder).await
    }

    async fn submit_items(&self, locale: &Locale, items: &[Save]) -> Result<BatchId, RequestError> {
        if !self.is_first_of(Kind::Content) {
            return self.instance.submit_items(locale, items).await;
        }
        let items: Vec<Save> = items.iter().map(altered).collect();
        self.instance.submit_items(locale, &items).await?;
        Err(failed(Cause::Broken("reset".to_owned())))
    }

    async fn submit_page(&self, page: &PageSave) -> Result<BatchId, RequestError> {
        if !self.is_first_of(Kind::Page) {
            return self.instance.submit_page(page).await;
        }
        let save = altered(&page.save);
        let page = PageSave {
            save,
            ..page.clone()
        };
        self.instance.submit_page(&page).await?;
        Err(failed(Cause::Broken("reset".to_owned())))
    }

    async fn poll(&self, batch: BatchId) -> Result<BatchStatus, RequestError> {
        self.instance.poll(batch).await
    }

    async fn delete(&self, doomed: &DeleteRequest) -> Result<Deleted, RequestError> {
        self.instance.delete(doomed).await
    }

    async fn submit_workflow(
        &self,
        step: Workflow,
        kind: Kind,
        locale: &Locale,
        ids: &[TargetId],
    ) -> Result<BatchId, RequestError> {
        self.instance.submit_workflow(step, kind, locale, ids).await
    }
}

/// How many entities are in doubt.
fn in_doubt(ran: &Ran) -> usize {
    let outcomes = ran.outcomes();
    let is_it = |outcome: &&Outcome| match outcome {
        Outcome::Failed { reason } => reason.contains("altered copy"),
        _ => false,
    };
    outcomes.values().filter(is_it).count()
}

/// An item that the server stored otherwise was created a second time.
#[tokio::test]
async fn an_item_that_is_there_otherwise_is_left_in_doubt() {
    let server = server("ordered-links", Vec::new()).await;
    let expected = server.state().instances[0].content.len();
    let mut setup = Setup::impatient(Store::open_in_memory().await.unwrap());
    setup.options.batch_items = 1;
    let altering = |instance| Altering::new(instance, Kind::Content);
    let ran = Box::pin(setup.sync_with(&server.base_url(), altering)).await;
    assert_eq!(in_doubt(&ran), 1, "{:?}", ran.outcomes());
    let before = target(&server).content.len();
    let again = Box::pin(setup.sync(&server.base_url())).await;
    assert_eq!(target(&server).content.len(), before);
    assert_eq!(again.report.unwrap().in_doubt.len(), 1);
    // Its user has compared both, and knows that the one there is another.
    setup.options.unknown_outcome = UnknownOutcome::Resend;
    let last = Box::pin(setup.sync(&server.base_url())).await;
    assert_eq!(losses(&last), Vec::<String>::new());
    assert_eq!(target(&server).content.len(), expected + 1);
    server.stop().await;
}

/// A page of the same name in the same row is what the next run takes it for.
#[tokio::test]
async fn a_page_that_is_there_otherwise_is_not_created_twice() {
    let server = server("three-siblings", Vec::new()).await;
    let expected = server.state().instances[0].pages.len();
    let mut setup = Setup::impatient(Store::open_in_memory().await.unwrap());
    setup.overwrite = true;
    let altering = |instance| Altering::new(instance, Kind::Page);
    let ran = Box::pin(setup.sync_with(&server.base_url(), altering)).await;
    assert_eq!(in_doubt(&ran), 1, "{:?}", ran.outcomes());
    let again = Box::pin(setup.sync(&server.base_url())).await;
    assert_eq!(losses(&again), Vec::<String>::new());
    assert_eq!(target(&server).pages.len(), expected);
    server.stop().await;
}

/// The second request for a gallery was refused, because the first one had taken effect by then. That was told as a failure.
#[tokio::test]
async fn a_gallery_whose_second_request_is_refused_is_the_first_ones() {
    let server = server("galleries-and-assets", Vec::new()).await;
    let mut setup = Setup::impatient(Store::open_in_memory().await.unwrap());
    let altering = |instance| Altering::new(instance, Kind::Gallery);
    let ran = Box::pin(setup.sync_with(&server.base_url(), altering)).await;
    assert_eq!(losses(&ran), Vec::<String>::new());
    let galleries = server.state().instances[0].galleries.len();
    assert_eq!(target(&server).galleries.len(), galleries);
    server.stop().await;
}
