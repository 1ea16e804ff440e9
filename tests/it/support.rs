//! Two instances on one mock server, and a run between them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lockgate::agility::{Connection, Instance, Limits};
use lockgate::domain::{BodyFile, EntityKey, Guid, Locale, Outcome, RunId, Secret};
use lockgate::engine::pace::Pacer;
use lockgate::engine::retry::Retries;
use lockgate::engine::{
    EVENTS_IN_FLIGHT, Matching, Options, ReadOnce, Reader, RunError, RunReport, Session, Sink,
    UndoEnd, UndoOutlook, UndoRequest,
};
use lockgate::event::{Command, Event, Side, Stamped};
use lockgate::instance::Target;
use lockgate::mock::file::{InstanceFile, SCHEMA, StateFile};
use lockgate::mock::{self, Server};
use lockgate::plan::{Policies, Selection};
use lockgate::store::{Change, LeaseOwner, Pair, RunRecord, Store};
use tokio::sync::mpsc;

use crate::independent;

pub(crate) const SOURCE: &str = "1a2b3c4d-u";
pub(crate) const TARGET: &str = "5e6f7a8b-u";

/// Reads a state file of a fixture.
pub(crate) fn state(path: &Path) -> StateFile {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The folder of a fixture.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(name)
}

/// The instances of a fixture; a target that it does not describe is empty and has the source's locales.
pub(crate) fn instances(folder: &Path) -> StateFile {
    let mut all = state(&folder.join("source.json"));
    let target = folder.join("target.json");
    if target.exists() {
        all.instances.extend(state(&target).instances);
    } else {
        all.instances.push(empty_target(&all.instances[0].locales));
    }
    all
}

/// A target that holds nothing.
pub(crate) fn empty_target(locales: &[String]) -> InstanceFile {
    InstanceFile {
        guid: TARGET.to_owned(),
        locales: locales.to_vec(),
        ..InstanceFile::default()
    }
}

/// A server that plays `state` at once and keeps all rules.
pub(crate) async fn serve(state: StateFile) -> Server {
    serve_with(mock::Options {
        state,
        ..mock::Options::default()
    })
    .await
}

/// A client with the usual settings, for requests of a test itself.
pub(crate) fn http() -> reqwest::Client {
    http_builder().build().unwrap()
}

/// What such a client is built from.
pub(crate) fn http_builder() -> reqwest::ClientBuilder {
    // An error says that one is chosen already.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder()
}

/// Replaces what the instances of a server hold, behind the back of the program.
pub(crate) async fn put_state(base_url: &str, state: &StateFile) {
    let url = format!("{base_url}/_mock/state");
    let request = http().put(url).json(state);
    request.send().await.unwrap().error_for_status().unwrap();
}

/// A server with options of its own.
pub(crate) async fn serve_with(mut options: mock::Options) -> Server {
    options.state.schema = SCHEMA;
    Server::start(options).await.unwrap()
}

/// What came of a run.
pub(crate) struct Ran {
    pub(crate) report: Result<RunReport, RunError>,
    pub(crate) events: Vec<Event>,
}

impl Ran {
    /// The warnings of something else that writes to the target.
    pub(crate) fn foreign(&self) -> Vec<&str> {
        let told = self.events.iter().filter_map(|event| match event {
            Event::Warned { message } => Some(message.as_str()),
            _ => None,
        });
        told.filter(|message| message.contains("during this run and not by it"))
            .collect()
    }

    /// The outcome of every entity.
    pub(crate) fn outcomes(&self) -> BTreeMap<EntityKey, Outcome> {
        let settled = |event: &Event| match event {
            Event::EntitySettled { key, outcome, .. } => Some((key.clone(), outcome.clone())),
            _ => None,
        };
        self.events.iter().filter_map(settled).collect()
    }
}

/// What came of an undo.
pub(crate) struct Undone {
    pub(crate) end: Result<UndoEnd, RunError>,
    pub(crate) events: Vec<Event>,
}

/// The name of the run of a number.
pub(crate) fn run_id(number: u16) -> RunId {
    RunId(format!("20250101-000000-{number:04x}"))
}

/// Whether something else than the runs of a test writes to the target.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Others {
    /// Nothing does, and no run may say so.
    None,
    /// Something does.
    Write,
}

/// How a run between the two instances of a server is to be.
pub(crate) struct Setup {
    pub(crate) options: Options,
    pub(crate) overwrite: bool,
    /// Patterns of what is never written.
    pub(crate) read_only: Vec<String>,
    pub(crate) store: Store,
    pub(crate) run: u16,
    pub(crate) request_timeout: Duration,
    /// Whether a run that finds everything in sync is believed only after a look at both instances.
    pub(crate) looks: bool,
    /// Whether something else writes to the target during a run.
    pub(crate) others: Others,
    /// Whether content of the target that cannot be placed is left as it is.
    pub(crate) creates_unmatched: bool,
    /// What a run is about.
    pub(crate) selection: Selection,
    /// The locales of a run; empty: all.
    pub(crate) locales: Vec<Locale>,
}

impl Setup {
    pub(crate) async fn new() -> Self {
        Self::with(Store::open_in_memory().await.unwrap(), Options::default())
    }

    /// The same with a store of its own, and with little patience: the server is fast.
    pub(crate) fn impatient(store: Store) -> Self {
        let settle = Duration::from_millis(80);
        Self::with(
            store,
            Options {
                settle,
                ..Options::default()
            },
        )
    }

    fn with(store: Store, mut options: Options) -> Self {
        options.first_delay = Duration::from_millis(5);
        Self {
            options,
            overwrite: false,
            read_only: Vec::new(),
            store,
            run: 0,
            request_timeout: Duration::from_secs(30),
            looks: true,
            others: Others::None,
            creates_unmatched: false,
            selection: Selection::default(),
            locales: Vec::new(),
        }
    }

    async fn look_at_both(&self, base_url: &str, report: &Result<RunReport, RunError>) {
        let is_whole = report.as_ref().is_ok_and(|report| {
            let is_equal = report.differences.as_ref().is_some_and(Vec::is_empty);
            let is_unknown = !report.in_doubt.is_empty() || !report.unpublished.is_empty();
            is_equal && report.failed == 0 && report.conflicts == 0 && !is_unknown
        });
        if is_whole {
            let mappings = independent::mappings_of(&self.store).await;
            let state = independent::dump(base_url).await;
            let found = independent::differences(&state, &mappings);
            assert!(
                found.is_empty(),
                "called in sync, and differs:\n{}",
                found.join("\n")
            );
        }
    }

    /// Carries out one run.
    pub(crate) async fn sync(&mut self, base_url: &str) -> Ran {
        self.sync_with(base_url, |target| target).await
    }

    /// Carries out one run on what `wrap` makes of the target.
    pub(crate) async fn sync_with<T: Target>(
        &mut self,
        base_url: &str,
        wrap: impl FnOnce(Instance) -> T,
    ) -> Ran {
        self.run += 1;
        let (events, mut received) = mpsc::channel::<Stamped>(EVENTS_IN_FLIGHT);
        let (_commands, mut commanded) = mpsc::channel(1);
        let session = self.session(base_url, Sink::new(events), wrap);
        let collect = async {
            let mut all = Vec::new();
            while let Some(stamped) = received.recv().await {
                all.push(stamped.event);
            }
            all
        };
        let run = async {
            let report = session.sync(&mut commanded).await;
            drop(session);
            report
        };
        let (report, events) = tokio::join!(run, collect);
        if self.looks {
            self.look_at_both(base_url, &report).await;
        }
        let ran = Ran { report, events };
        let seen = ran.foreign();
        match self.others {
            Others::None => assert!(seen.is_empty(), "{seen:?}"),
            Others::Write => {}
        }
        ran
    }

    /// Undoes the run of this number, as the program does it when it does not have to ask.
    pub(crate) async fn undo(&mut self, base_url: &str, run: u16, changed_too: bool) -> Undone {
        self.undo_with(base_url, (run, changed_too), |target| target, |_| None)
            .await
    }

    /// The same on what `wrap` makes of the target, with the commands that `answer` makes of events.
    pub(crate) async fn undo_with<T: Target>(
        &mut self,
        base_url: &str,
        (run, changed_too): (u16, bool),
        wrap: impl FnOnce(Instance) -> T,
        mut answer: impl FnMut(&Event) -> Option<Command>,
    ) -> Undone {
        self.run += 1;
        let (events, mut received) = mpsc::channel::<Stamped>(EVENTS_IN_FLIGHT);
        let (commands, mut commanded) = mpsc::channel(8);
        let session = self.session(base_url, Sink::new(events), wrap);
        let request = UndoRequest {
            run: run_id(run),
            changed_too,
        };
        let own = RunRecord {
            run: session.run.clone(),
            pair: Pair {
                source: Guid::new(SOURCE),
                target: Guid::new(TARGET),
            },
            command: "undo".to_owned(),
            options: serde_json::json!({ "undone": request.run }),
            started_at: format!("2025-01-01T00:{:02}:00Z", self.run),
            finished_at: None,
            exit: None,
            end: None,
            counts: None,
        };
        let store = self.store.clone();
        let agree = |_: &UndoOutlook| async move {
            store.commit(vec![Change::RunStarted(own)]).await?;
            Ok(true)
        };
        let collect = async {
            let mut all = Vec::new();
            while let Some(stamped) = received.recv().await {
                if let Some(command) = answer(&stamped.event) {
                    commands.send(command).await.unwrap();
                }
                all.push(stamped.event);
            }
            all
        };
        let run = async {
            let end = Box::pin(session.undo(&request, &mut commanded, agree)).await;
            drop(session);
            end
        };
        let (end, events) = tokio::join!(run, collect);
        Undone { end, events }
    }

    /// What a run between the two instances is carried out with, on what `wrap` makes of the target.
    pub(crate) fn session<T: Target>(
        &self,
        base_url: &str,
        sink: Sink,
        wrap: impl FnOnce(Instance) -> T,
    ) -> Session<Instance, T> {
        let run = run_id(self.run);
        let source = self.reader(base_url, SOURCE, Side::Source, &sink);
        // The rates of servers are tried elsewhere.
        source.pacer.without_start();
        let target = self.reader(base_url, TARGET, Side::Target, &sink);
        let target = Reader {
            instance: wrap(target.instance),
            guid: target.guid,
            side: target.side,
            // One host and one token have one rate.
            pacer: Arc::new(source.pacer.sharing(self.options.ceilings())),
            retries: target.retries,
            concurrency: target.concurrency,
            limits: target.limits,
            sink: target.sink,
            bodies: target.bodies,
            former: None,
            once: ReadOnce::default(),
        };
        Session {
            source: Arc::new(source),
            target: Arc::new(target),
            store: self.store.clone(),
            run: run.clone(),
            owner: LeaseOwner {
                owner: "tester".to_owned(),
                host: "desk".to_owned(),
                process: std::process::id(),
                run,
            },
            locales: self.locales.clone(),
            selection: self.selection.clone(),
            policies: self.policies(),
            webhooks: None,
            review: None,
            approved: None,
            matching: Matching {
                create_unmatched: self.creates_unmatched,
                ..Matching::default()
            },
            options: self.options.clone(),
            sink,
            planned: tokio::sync::watch::Sender::new(None),
        }
    }

    fn policies(&self) -> Policies {
        let mut policies = Policies {
            overwrite: self.overwrite,
            ..Policies::default()
        };
        for pattern in &self.read_only {
            policies.protect(pattern).unwrap();
        }
        policies
    }

    pub(crate) fn reader(
        &self,
        base_url: &str,
        guid: &str,
        side: Side,
        sink: &Sink,
    ) -> Reader<Instance> {
        let connection = Connection {
            guid: Guid::new(guid),
            base_url: Some(base_url.to_owned()),
            token: Secret::new("test-token-0123456789"),
            renewal: None,
            connect_timeout: Duration::from_secs(5),
            request_timeout: self.request_timeout,
            asset_hosts: Vec::new(),
            limits: Limits::default(),
        };
        Reader {
            instance: Instance::new(connection).unwrap(),
            guid: Guid::new(guid),
            side,
            pacer: Arc::new(Pacer::with(
                self.options.ceilings(),
                self.options.per_second_max,
            )),
            retries: Retries::new(&self.options),
            concurrency: self.options.concurrency,
            limits: self.options.reading,
            sink: sink.clone(),
            bodies: Some(Arc::new(BodyFile::new(tempfile::tempfile().unwrap()))),
            former: None,
            once: ReadOnce::default(),
        }
    }
}
