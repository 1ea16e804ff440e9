//! Every answer that a reading is made of, changed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use lockgate::agility::{Connection, Instance};
use lockgate::domain::{BatchId, Guid, Locale, Secret, SourceId};
use lockgate::engine::Sink;
use lockgate::event::Side;
use lockgate::instance::{BatchStatus, ReadRequest, ReadResponse, RequestError, Source, Target};
use rand::RngExt;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::mutate::{draws, mutate};
use super::seeds;
use crate::hostile::Proxy;
use crate::support::{SOURCE, Setup, fixture, instances, serve};

/// Bodies by path and query.
type Recorded = BTreeMap<String, Vec<u8>>;

/// Asks of every kind whose answer is one response.
fn asks(recorded: &Recorded) -> Vec<ReadRequest> {
    let id_in = |part: &str| {
        let mut after = recorded.keys().filter_map(|path| path.split_once(part));
        let id = |(_, rest): (&str, &str)| rest.split(['/', '?']).next()?.parse().ok();
        after.find_map(id).unwrap()
    };
    let en = Locale::new("en-us");
    vec![
        ReadRequest::Locales,
        ReadRequest::Models { components: false },
        ReadRequest::Models { components: true },
        ReadRequest::Model(id_in("/model/")),
        ReadRequest::Containers,
        ReadRequest::Container(id_in("/container/")),
        ReadRequest::Templates(en.clone()),
        ReadRequest::Galleries { offset: 0 },
        ReadRequest::AssetContainer,
        ReadRequest::Assets { offset: 0 },
        ReadRequest::Items {
            locale: en.clone(),
            token: 0,
        },
        ReadRequest::Pages {
            locale: en.clone(),
            token: 0,
        },
        ReadRequest::Sitemap(en.clone()),
        ReadRequest::Redirections,
    ]
}

/// What a reading of the starter site is answered with.
async fn record() -> Recorded {
    let server = serve(instances(&fixture("starter-site"))).await;
    let all = Arc::new(Mutex::new(Recorded::new()));
    let into = Arc::clone(&all);
    let proxy = Proxy::start(&server.base_url(), move |asked, answer| {
        if asked.method == Method::GET {
            let body = answer.body.clone();
            into.lock().unwrap().insert(asked.uri.to_string(), body);
        }
    })
    .await;
    let setup = Setup::new().await;
    let (events, _received) = mpsc::channel(10_000);
    let reader = setup.reader(proxy.url(), SOURCE, Side::Source, &Sink::new(events));
    let reader = Arc::new(reader);
    let locales = reader.locales().await.unwrap();
    reader.pull::<SourceId>(&locales).await.unwrap();
    server.stop().await;
    let recorded = all.lock().unwrap();
    recorded.clone()
}

/// A server that answers what was recorded, changed as the present seed says.
struct Canned {
    url: String,
    seed: Arc<Mutex<Option<u64>>>,
    _tasks: JoinSet<()>,
}

impl Canned {
    async fn start(recorded: Recorded) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seed = Arc::new(Mutex::new(None));
        let present = Arc::clone(&seed);
        let recorded = Arc::new(recorded);
        let router = Router::new().fallback(move |request: Request| {
            let body = recorded.get(&request.uri().to_string()).cloned();
            let seed = *present.lock().unwrap();
            async move {
                let Some(body) = body else {
                    return (StatusCode::NOT_FOUND, Vec::new());
                };
                let Some(seed) = seed else {
                    return (StatusCode::OK, body);
                };
                let mut draw = draws(seed);
                let status = match draw.random_range(0..20) {
                    0 => StatusCode::NO_CONTENT,
                    1 => StatusCode::BAD_REQUEST,
                    2 => StatusCode::NOT_FOUND,
                    3 => StatusCode::BAD_GATEWAY,
                    _ => StatusCode::OK,
                };
                (status, mutate(&body, &mut draw))
            }
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            seed,
            _tasks: tasks,
        }
    }

    fn play(&self, seed: Option<u64>) {
        *self.seed.lock().unwrap() = seed;
    }

    fn instance(&self) -> Instance {
        Instance::new(Connection {
            guid: Guid::new(SOURCE),
            base_url: Some(self.url.clone()),
            token: Secret::new("test-token-0123456789"),
            renewal: None,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
            asset_hosts: Vec::new(),
            limits: lockgate::agility::Limits::default(),
        })
        .unwrap()
    }
}

/// The result of a call, which has to end.
async fn ended<R>(call: impl Future<Output = R>) -> R {
    tokio::time::timeout(Duration::from_mins(1), call)
        .await
        .expect("it ends")
}

async fn ask(
    instance: &Instance,
    ask: &ReadRequest,
) -> Result<ReadResponse<SourceId>, RequestError> {
    ended(instance.read::<SourceId>(ask)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_answer_is_read_or_refused() {
    let recorded = record().await;
    let asks = asks(&recorded);
    let canned = Canned::start(recorded).await;
    let instance = canned.instance();
    for one in &asks {
        let answer = ask(&instance, one).await;
        assert!(answer.is_ok(), "{one} unchanged: {answer:?}");
    }
    for seed in seeds(6_000) {
        canned.play(Some(seed));
        let at = usize::try_from(seed).unwrap() % asks.len();
        println!("MUTATION={seed}: {}", asks[at]);
        drop(ask(&instance, &asks[at]).await);
    }
}

/// A batch is polled under changed answers; an answer that nothing was changed in has two results.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_answer_to_a_poll_is_read_or_refused() {
    let batch = json!({
        "batchID": 7, "batchState": 3, "percentComplete": 100, "numItemsProcessed": 2, "operationType": 14,
        "items": [
            { "batchItemID": 1, "itemID": 31, "itemType": 2, "processedItemVersionID": 5 },
            { "batchItemID": 2, "itemID": -1, "itemType": 2, "errorMessage": "refused" },
        ],
        "errorData": null, "statusMessage": null,
    });
    let path = format!("/api/v1/instance/{SOURCE}/batch/7?expandItems=true");
    let canned = Canned::start(BTreeMap::from([(path, batch.to_string().into_bytes())])).await;
    let instance = canned.instance();
    let poll = || ended(instance.poll(BatchId(7)));
    let whole = poll().await;
    let is_whole = matches!(&whole, Ok(BatchStatus::Finished(results)) if results.len() == 2);
    assert!(is_whole, "unchanged: {whole:?}");
    for seed in seeds(1_000) {
        canned.play(Some(seed));
        println!("MUTATION={seed}");
        drop(poll().await);
    }
}
