//! Jobs that break: what they carried is taken up once, from where it stood.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use lockgate::agility::Instance;
use lockgate::domain::{BatchId, Body, Id, Kind, Locale, TargetId};
use lockgate::engine::{End, StopCause};
use lockgate::instance::{
    BatchStatus, Cause, DeleteRequest, Deleted, Download, PageSave, ReadRequest, ReadResponse,
    Record, RequestError, RowResult, Save, Saved, Source, Target, Upload, Workflow,
};
use lockgate::mock::file::InstanceFile;
use lockgate::store::Store;

use crate::crash::{losses, report, server, target, undisturbed};
use crate::same_state;
use crate::support::{Ran, Setup, TARGET};

/// Why a job broke for good, if one did.
fn broken(ran: &Ran) -> Option<String> {
    match &ran.report.as_ref().unwrap().end {
        End::Stopped(StopCause::Panic(why)) => Some(why.clone()),
        _ => None,
    }
}

/// A target whose caller panics at some of its calls that write or poll.
#[derive(Clone, Debug)]
pub(crate) struct Breaking {
    instance: Instance,
    /// Calls until the first one that breaks.
    left: Arc<AtomicI64>,
    /// How many break.
    times: i64,
    /// Whether it breaks before the request leaves, or after it was answered.
    before: bool,
    /// Content items that were read one by one so far, where the first such read breaks.
    read_back: Option<Arc<AtomicI64>>,
    /// Whether they are shown without their fields.
    is_blank: bool,
    /// Downloads that are refused for the rate before one is answered.
    refused: Arc<AtomicI64>,
    /// Uploads that are answered as done although nothing was read of them.
    unread: Arc<AtomicI64>,
}

impl Breaking {
    pub(crate) fn new(instance: Instance, nth: i64, times: i64, before: bool) -> Self {
        Self {
            instance,
            left: Arc::new(AtomicI64::new(nth)),
            times,
            before,
            read_back: None,
            is_blank: false,
            refused: Arc::default(),
            unread: Arc::default(),
        }
    }

    /// Never breaks, and answers so many uploads without reading them.
    pub(crate) fn answering_unread(instance: Instance, unread: &Arc<AtomicI64>) -> Self {
        Self {
            unread: Arc::clone(unread),
            ..Self::new(instance, 0, 0, false)
        }
    }

    /// Breaks when the first item is read back, and never else.
    fn at_first_read_back(instance: Instance, is_blank: bool) -> Self {
        Self {
            read_back: Some(Arc::default()),
            is_blank,
            ..Self::new(instance, 0, 0, false)
        }
    }

    /// Never breaks, and counts its calls down from zero.
    pub(crate) fn counting(instance: Instance, left: &Arc<AtomicI64>) -> Self {
        Self {
            left: Arc::clone(left),
            ..Self::new(instance, 0, 0, false)
        }
    }

    /// Never breaks, and refuses so many downloads for the rate.
    pub(crate) fn refusing_downloads(instance: Instance, refused: &Arc<AtomicI64>) -> Self {
        Self {
            refused: Arc::clone(refused),
            ..Self::new(instance, 0, 0, false)
        }
    }

    async fn call<R>(&self, call: impl Future<Output = R>) -> R {
        let left = self.left.fetch_sub(1, Ordering::Relaxed);
        let breaks = left <= 1 && left > 1 - self.times;
        assert!(!(breaks && self.before), "broken on purpose, before");
        let answer = call.await;
        assert!(!breaks, "broken on purpose, after");
        answer
    }
}

fn is_one_item(ask: &ReadRequest) -> bool {
    let kind = Kind::Content;
    matches!(ask, ReadRequest::One { kind: one, .. } if *one == kind)
}

/// Takes the value of every field of an entity.
fn blank<I: Id>(found: &mut Record<I>) {
    let Record::Entity(entity) = found else {
        return;
    };
    let mut body = entity.body.parse();
    for value in body["fields"].as_object_mut().unwrap().values_mut() {
        *value = "".into();
    }
    entity.body = Body::new(&body);
}

impl Source for Breaking {
    async fn read<I: Id>(&self, ask: &ReadRequest) -> Result<ReadResponse<I>, RequestError> {
        let answer = self.instance.read(ask).await;
        let (Some(read_back), true) = (&self.read_back, is_one_item(ask)) else {
            return answer;
        };
        let before = read_back.fetch_add(1, Ordering::Relaxed);
        assert!(before > 0, "broken on purpose, at the first read-back");
        let mut answer = answer?;
        if self.is_blank {
            answer.found.iter_mut().for_each(blank);
        }
        Ok(answer)
    }

    async fn download(&self, url: &str) -> Result<Download, RequestError> {
        if self.refused.fetch_sub(1, Ordering::Relaxed) > 0 {
            return Err(RequestError::new(
                "downloading",
                Cause::Throttled {
                    retry_after: Some(Duration::from_millis(1)),
                },
            ));
        }
        self.instance.download(url).await
    }
}

impl Target for Breaking {
    async fn save(&self, save: &Save) -> Result<Saved, RequestError> {
        self.call(self.instance.save(save)).await
    }

    async fn save_redirections(&self, rows: &[Save]) -> Result<Vec<RowResult>, RequestError> {
        self.call(self.instance.save_redirections(rows)).await
    }

    async fn upload(&self, upload: Upload) -> Result<Vec<RowResult>, RequestError> {
        if self.unread.fetch_sub(1, Ordering::Relaxed) > 0 {
            let saved = |id| Saved {
                id: TargetId::new(id),
                version: None,
                name: None,
                urls: None,
            };
            let ids = (900_001..).take(upload.files.len());
            return Ok(ids.map(|id| Ok(saved(id))).collect());
        }
        self.call(self.instance.upload(upload)).await
    }

    async fn move_asset(&self, asset: TargetId, folder: &str) -> Result<Saved, RequestError> {
        self.call(self.instance.move_asset(asset, folder)).await
    }

    async fn submit_items(&self, locale: &Locale, items: &[Save]) -> Result<BatchId, RequestError> {
        self.call(self.instance.submit_items(locale, items)).await
    }

    async fn submit_page(&self, page: &PageSave) -> Result<BatchId, RequestError> {
        self.call(self.instance.submit_page(page)).await
    }

    async fn poll(&self, batch: BatchId) -> Result<BatchStatus, RequestError> {
        self.call(self.instance.poll(batch)).await
    }

    async fn delete(&self, doomed: &DeleteRequest) -> Result<Deleted, RequestError> {
        self.call(self.instance.delete(doomed)).await
    }

    async fn submit_workflow(
        &self,
        step: Workflow,
        kind: Kind,
        locale: &Locale,
        ids: &[TargetId],
    ) -> Result<BatchId, RequestError> {
        self.call(self.instance.submit_workflow(step, kind, locale, ids))
            .await
    }
}

/// What is wrong after a run of which one call breaks.
async fn broken_once(name: &str, expected: &InstanceFile, nth: i64, before: bool) -> Vec<String> {
    let server = server(name, Vec::new()).await;
    let mut setup = Setup::impatient(Store::open_in_memory().await.unwrap());
    let breaking = |target| Breaking::new(target, nth, 1, before);
    let ran = Box::pin(setup.sync_with(&server.base_url(), breaking)).await;
    let mut found = losses(&ran);
    found.extend(broken(&ran));
    found.extend(same_state::differences(expected, &target(&server)));
    let written = server.writes(TARGET).len();
    let again = Box::pin(setup.sync(&server.base_url())).await;
    found.extend(losses(&again));
    if server.writes(TARGET).len() > written {
        found.push("one run more wrote".to_owned());
    }
    server.stop().await;
    let when = if before { "before" } else { "after" };
    let told = found.iter();
    told.map(|line| format!("{name}, {when} call {nth}: {line}"))
        .collect()
}

#[tokio::test]
async fn a_job_that_breaks_once_costs_nothing() {
    let mut problems = Vec::new();
    for name in ["two-locales", "galleries-and-assets"] {
        let (expected, writes) = undisturbed(name).await;
        let calls = 1..=i64::try_from(writes).unwrap();
        let moments = calls.flat_map(|nth| [(nth, true), (nth, false)]);
        let trials = moments.map(|(nth, before)| broken_once(name, &expected, nth, before));
        // They mostly wait for a target to stay the same.
        let found: Vec<_> = stream::iter(trials).buffer_unordered(8).collect().await;
        problems.extend(found.into_iter().flatten());
    }
    report(&problems);
}

#[tokio::test]
async fn a_job_that_breaks_again_ends_the_run_and_the_next_one_goes_on() {
    let (expected, _) = undisturbed("two-locales").await;
    let server = server("two-locales", Vec::new()).await;
    let mut setup = Setup::impatient(Store::open_in_memory().await.unwrap());
    let breaking = |target| Breaking::new(target, 3, 1_000, true);
    let ran = Box::pin(setup.sync_with(&server.base_url(), breaking)).await;
    let lost = losses(&ran);
    assert!(
        lost.iter().any(|line| line.contains("on purpose")),
        "{lost:?}"
    );
    let why = broken(&ran).unwrap();
    assert!(why.contains("on purpose"), "{why}");
    let next = Box::pin(setup.sync(&server.base_url())).await;
    report(&losses(&next));
    report(&same_state::differences(&expected, &target(&server)));
    server.stop().await;
}

/// The first items with an encoding were stored, and the job broke before it had read them back. They counted as read back
/// although nothing had looked at them.
#[tokio::test]
async fn what_a_broken_job_had_stored_is_read_back_before_others_follow() {
    for is_blank in [false, true] {
        let server = server("ordered-links", Vec::new()).await;
        let mut setup = Setup::impatient(Store::open_in_memory().await.unwrap());
        // The run ends early, or the look at both is that of the control.
        setup.looks = !is_blank;
        let breaking = |target| Breaking::at_first_read_back(target, is_blank);
        let ran = Box::pin(setup.sync_with(&server.base_url(), breaking)).await;
        let end = &ran.report.as_ref().unwrap().end;
        if is_blank {
            let End::Stopped(StopCause::Reference(why)) = end else {
                panic!("{end:?}");
            };
            assert!(why.contains("stored a reference"), "{why}");
        } else {
            assert!(matches!(end, End::Complete), "{end:?}");
            report(&losses(&ran));
        }
        server.stop().await;
    }
}
