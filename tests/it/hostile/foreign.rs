//! Something else writes to the target while a run is at work: another run with another state, or an editor. One warning
//! names what it changed. What the run does itself, in several saves, in other locales and by publishing, is no such change.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lockgate::domain::{BatchId, Entity, Id as _, Kind, Locale, TargetId};
use lockgate::engine::{Publish, Sink};
use lockgate::event::Side;
use lockgate::instance::{BatchStatus, PageSave, Save, Target as _};
use lockgate::mock::Server;
use lockgate::mock::file::StateFile;
use serde_json::Value;
use tokio::sync::mpsc;

use super::Proxy;
use super::proxy::Asked;
use crate::support::{Others, Ran, SOURCE, Setup, TARGET, fixture, instances, serve};

/// A text of one item, before and after the source changes it.
const WRITTEN: &str = "Transport";
const CHANGED: &str = "changed on the source";

/// An editor of the target, with a client of its own.
struct Editor {
    base_url: String,
    locales: Vec<Locale>,
}

impl Editor {
    fn of(server: &Server) -> Self {
        let state = server.state();
        let locales = state.instances[0].locales.iter();
        Self {
            base_url: server.base_url(),
            locales: locales.map(|locale| Locale::new(locale)).collect(),
        }
    }

    /// Changes a text of the last entity of a kind that has one and is not what the run writes, or saves a copy of it. Returns
    /// its key. Ids of the target differ from run to run, so the last one does, too.
    async fn edit(&self, kind: Kind, copies: bool) -> String {
        let setup = Setup::new().await;
        let (events, mut unheard) = mpsc::channel(64);
        let sink = Sink::new(events);
        let reader = Arc::new(setup.reader(&self.base_url, TARGET, Side::Target, &sink));
        let listen = async { while unheard.recv().await.is_some() {} };
        let edit = async {
            let all = reader.pull::<TargetId>(&self.locales).await.unwrap();
            let there = all.of_kind(kind).iter().rfind(|there| is_editable(there));
            let there = there.unwrap().clone();
            let save = save_of(&there, copies);
            match kind {
                Kind::Content => {
                    let locale = there.locale().unwrap();
                    let submitted = reader.instance.submit_items(locale, &[save]).await;
                    self.finish(&reader.instance, submitted.unwrap()).await;
                }
                Kind::Page => {
                    let place = there.placement.as_deref().unwrap();
                    let page = PageSave {
                        save,
                        parent: place.parent.map(TargetId::new),
                        place_before: None,
                        channel_id: place.channel_id,
                        other_locale: None,
                    };
                    let submitted = reader.instance.submit_page(&page).await;
                    self.finish(&reader.instance, submitted.unwrap()).await;
                }
                _ => drop(reader.instance.save(&save).await.unwrap()),
            }
            drop((reader, sink));
            there.key.to_string()
        };
        tokio::join!(edit, listen).0
    }

    async fn finish(&self, target: &lockgate::agility::Instance, batch: BatchId) {
        loop {
            match target.poll(batch).await.unwrap() {
                BatchStatus::Finished(rows) => return assert!(rows[0].is_ok(), "{rows:?}"),
                BatchStatus::Unknown | BatchStatus::Working { .. } => {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                BatchStatus::Failed(refusal) => unreachable!("{refusal:?}"),
            }
        }
    }
}

/// A text in the body of an entity that an editor may change.
fn text_in(kind: Kind, body: &mut Value) -> Option<&mut Value> {
    if kind == Kind::Content {
        let mut fields = body["fields"].as_object_mut()?.values_mut();
        return fields.find(|value| value.is_string());
    }
    let names = ["title", "displayName", "contentViewName", "description"];
    let name = names.iter().find(|name| body[**name].is_string())?;
    Some(&mut body[*name])
}

/// Whether it has a text and is not the item that [`pair`] changes on the source.
fn is_editable(there: &Entity<TargetId>) -> bool {
    let mut body = there.body.parse();
    let is_written = |value: &Value| [WRITTEN, CHANGED].iter().any(|text| value == text);
    let fields = body["fields"].as_object();
    let is_own = fields.is_some_and(|fields| fields.values().any(is_written));
    !is_own && text_in(there.key.kind, &mut body).is_some()
}

/// What an editor saves: another text, or a second entity with it.
fn save_of(there: &Entity<TargetId>, copies: bool) -> Save {
    let mut body = there.body.parse();
    *text_in(there.key.kind, &mut body).unwrap() = "edited meanwhile".into();
    Save {
        kind: there.key.kind,
        name: there.name.clone(),
        id: Some(there.key.id).filter(|_| !copies),
        locale: there.locale().cloned(),
        body: body.into(),
        numbers: there.body.numbers(),
    }
}

/// A pair in sync, with a change on the source that the next run carries over.
async fn pair(setup: &mut Setup) -> StateFile {
    let server = serve(instances(&fixture("starter-site"))).await;
    let first = setup.sync(&server.base_url()).await;
    assert_eq!(first.foreign(), Vec::<&str>::new());
    let mut state = server.state();
    server.stop().await;
    let source = state.instances.iter_mut().find(|one| one.guid == SOURCE);
    let items = source.unwrap().content.iter_mut();
    let mut values = items.flat_map(|item| item["fields"].as_object_mut().unwrap().values_mut());
    *values.find(|value| **value == WRITTEN).unwrap() = CHANGED.into();
    state
}

/// When the editor is at work, by the requests of the run.
#[derive(Clone, Copy, Debug)]
enum When {
    /// After the first write of the run.
    Written,
    /// When the target is read for the second time: the verification begins.
    Verified,
}

impl When {
    fn is_now(self, asked: &Asked, sitemaps: &AtomicUsize) -> bool {
        let is_target = asked.is_for(TARGET);
        match self {
            Self::Written => is_target && asked.is_for("item/multi"),
            Self::Verified => {
                let is_sitemap = is_target && asked.is_for("en-us/sitemap");
                is_sitemap && sitemaps.fetch_add(1, Ordering::Relaxed) == 1
            }
        }
    }
}

/// A run during which an editor changes the last entity of a kind.
async fn run_beside(kind: Kind, copies: bool, when: When) -> (Ran, String) {
    let mut setup = Setup::new().await;
    let state = pair(&mut setup).await;
    let server = serve(state).await;
    let editor = Editor::of(&server);
    let edited = Arc::new(std::sync::OnceLock::new());
    let (keep, sitemaps) = (Arc::clone(&edited), AtomicUsize::new(0));
    let proxy = Proxy::start(&server.base_url(), move |asked, _| {
        if when.is_now(asked, &sitemaps) && keep.get().is_none() {
            let edit = editor.edit(kind, copies);
            let edit = || tokio::runtime::Handle::current().block_on(edit);
            drop(keep.set(tokio::task::block_in_place(edit)));
        }
    })
    .await;
    setup.looks = false;
    setup.others = Others::Write;
    let ran = setup.sync(proxy.url()).await;
    server.stop().await;
    (ran, edited.get().expect("the editor was at work").clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_an_editor_saves_during_a_run_is_named_once() {
    let cases = [
        (Kind::Content, When::Written),
        (Kind::Content, When::Verified),
        (Kind::Page, When::Written),
        (Kind::Page, When::Verified),
        (Kind::Model, When::Written),
        (Kind::Container, When::Written),
        (Kind::Gallery, When::Written),
    ];
    for (kind, when) in cases {
        let (ran, key) = run_beside(kind, false, when).await;
        let told = ran.foreign();
        assert_eq!(told.len(), 1, "{kind} {when:?}: {told:?} {:?}", ran.report);
        assert!(told[0].contains(&key), "{kind} {when:?}: {key}: {told:?}");
        assert!(told[0].contains("lockgate sync"), "{kind}: {told:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_an_editor_creates_during_a_run_is_named() {
    let (ran, _) = run_beside(Kind::Content, true, When::Written).await;
    let told = ran.foreign();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("content:"), "{told:?}");
}

/// A page save can raise the versions of the page in other locales.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn versions_that_the_run_raises_itself_are_no_sign_of_another() {
    for name in ["two-locales", "starter-site", "cycle-of-two"] {
        let server = serve(instances(&fixture(name))).await;
        let proxy = Proxy::start(&server.base_url(), |asked, answer| {
            let is_page = asked.is_for(TARGET) && asked.uri.path().contains("/page/");
            if is_page && asked.method == "GET" {
                let body = String::from_utf8_lossy(&answer.body);
                // All versions of a page rise by as much.
                let raised = body.replace("\"versionID\":", "\"versionID\":7");
                answer.body = raised.into_bytes();
            }
        })
        .await;
        let mut setup = Setup::new().await;
        setup.options.publish = Publish::Both;
        for _ in 0..2 {
            let ran = setup.sync(proxy.url()).await;
            assert_eq!(ran.foreign(), Vec::<&str>::new(), "{name}");
        }
        server.stop().await;
    }
}
