//! What only a server can do: lose a connection, be shared, and have a state copied to it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::*;

#[tokio::test]
async fn several_programs_may_open_a_fresh_state_at_once() {
    let Some(place) = Place::server() else { return };
    let opened = try_join_all((0..6).map(|_| Store::open(&place.url)))
        .await
        .unwrap();
    for store in opened {
        store.close().await;
    }
    let mut raw = place.connect().await;
    let rows = query("SELECT count(*) AS count FROM schema_version");
    assert_eq!(raw.number(&rows, "count").await.unwrap(), 1);
}

/// Both asked when the lease was free, and one was faster.
#[tokio::test]
async fn of_many_that_ask_at_once_one_gets_the_lease() {
    let Some(place) = Place::server() else { return };
    let stores = try_join_all((0..6).map(|_| Store::open(&place.url)))
        .await
        .unwrap();
    let asked = stores.iter().enumerate().map(|(number, store)| async move {
        let owner = owner(&format!("run {number}"));
        store.acquire_lease(&pair(), owner, TTL).await
    });
    let lent = join_all(asked).await;
    let held = lent
        .iter()
        .filter(|lent| matches!(lent, Err(StoreError::LeaseHeld { .. })));
    assert_eq!(
        (
            held.count(),
            lent.iter().filter(|lent| lent.is_ok()).count()
        ),
        (5, 1),
        "{lent:?}"
    );
    for store in stores {
        store.close().await;
    }
}

#[tokio::test]
async fn a_lease_ends_by_the_clock_of_the_server() {
    let Some(place) = Place::server() else { return };
    let store = place.open().await;
    let lease = store
        .acquire_lease(&pair(), owner("first"), TTL)
        .await
        .unwrap();
    let mut raw = place.connect().await;
    let now = raw.now_ms().await.unwrap().unwrap();
    let held = query("SELECT expires_ms - 60000 AS since FROM leases");
    let since = raw.number(&held, "since").await.unwrap();
    assert!((now - since).abs() < 20_000, "{now} {since}");
    assert!((store.now().as_millisecond() - now).abs() < 20_000);
    assert!(store.lease_held(&pair(), "desk").await.unwrap().is_some());
    store.release_lease(lease).await.unwrap();
    assert!(store.lease_held(&pair(), "desk").await.unwrap().is_none());
    store.close().await;
}

#[tokio::test]
async fn a_state_is_the_same_after_a_copy_there_and_back() {
    let Some(server) = Place::server() else {
        return;
    };
    let (file, back) = (Place::file(), Place::file());
    let first = file.open().await;
    fill(&first).await;
    let rows: Vec<_> = (100..4500)
        .map(|id| write_mapping(&mapping(key(id), id)))
        .collect();
    first.commit(rows).await.unwrap();
    let (second, third) = (server.open().await, back.open().await);
    let copied = first.copy_into(&second).await.unwrap();
    let rows = |name: &str| copied.iter().find(|one| one.table == name).unwrap().rows;
    assert_eq!(
        (rows("mappings"), rows("mapping_history"), rows("bytes")),
        (4402, 1, 1)
    );
    second.copy_into(&third).await.unwrap();
    let surveys = [
        first.survey().await,
        second.survey().await,
        third.survey().await,
    ];
    let tables: Vec<_> = surveys
        .iter()
        .map(|survey| &survey.as_ref().unwrap().tables)
        .collect();
    assert_eq!(tables[0], tables[1]);
    assert_eq!(tables[0], tables[2]);
    let former = ContentHash::of_bytes(b"former");
    assert!(third.kept_bytes(former).await.unwrap().is_some());
    // Ids that are counted go on behind those that were copied.
    second
        .commit(vec![write_mapping(&mapping(key(1), 12))])
        .await
        .unwrap();

    let refused = first.copy_into(&second).await;
    assert!(
        matches!(refused, Err(StoreError::NotEmpty { .. })),
        "{refused:?}"
    );
    let lease = first
        .acquire_lease(&pair(), owner("first"), TTL)
        .await
        .unwrap();
    let refused = first.copy_into(&Place::file().open().await).await;
    assert!(
        matches!(refused, Err(StoreError::LeaseHeld { .. })),
        "{refused:?}"
    );
    first.release_lease(lease).await.unwrap();
}

#[tokio::test]
async fn a_user_who_may_only_read_can_look_and_not_write() {
    let Some(place) = Place::server() else { return };
    let store = place.open().await;
    fill(&store).await;
    store.close().await;
    let StateUrl::Postgres(server) = &place.url else {
        return;
    };
    let schema = server.schema();
    let mut raw = place.connect().await;
    let role = format!(
        "CREATE ROLE {schema} LOGIN PASSWORD 'only-looks-1'; GRANT USAGE ON SCHEMA {schema} TO {schema};
         GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {schema}"
    );
    raw.script(&role).await.unwrap();
    let url = postgres::fresh().unwrap();
    let mut url = url::Url::parse(&url).unwrap();
    url.set_username(schema).unwrap();
    url.set_password(Some("only-looks-1")).unwrap();
    url.set_query(Some(&format!("schema={schema}")));
    let url = StateUrl::parse(url.as_str()).unwrap();
    let looked = Store::open_to_look(&url).await.unwrap();
    assert_eq!(looked.mappings(&pair()).await.unwrap().len(), 2);
    let refused = looked.commit(vec![Change::RunStarted(record())]).await;
    assert!(
        matches!(refused, Err(StoreError::ReadOnly { .. })),
        "{refused:?}"
    );
    looked.close().await;
    raw.script(&format!("DROP OWNED BY {schema}; DROP ROLE {schema}"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_wrong_password_is_told_and_not_shown() {
    let Some(url) = postgres::fresh() else { return };
    let mut url = url::Url::parse(&url).unwrap();
    url.set_password(Some("n33dle-that-is-wrong")).unwrap();
    let url = StateUrl::parse(url.as_str()).unwrap();
    let error = Store::open(&url).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error:?}");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("password authentication failed"), "{cause}");
    let shown = format!(
        "{error} {error:?} {cause} {url} {url:?} {}",
        error.hint().unwrap()
    );
    assert!(!shown.contains("n33dle"), "{shown}");
}

#[tokio::test]
async fn a_session_that_the_server_ends_costs_nothing() {
    let Some(place) = Place::server() else { return };
    let store = place.open().await;
    let row = |id| vec![write_mapping(&mapping(key(id), id + 10))];
    store.commit(row(1)).await.unwrap();
    store.mappings(&pair()).await.unwrap();
    let mut raw = place.connect().await;
    let StateUrl::Postgres(server) = &place.url else {
        return;
    };
    let end = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE pid <> pg_backend_pid() AND application_name = 'lockgate {}'",
        server.schema()
    );
    raw.script(&end).await.unwrap();
    store.commit(row(2)).await.unwrap();
    assert_eq!(store.mappings(&pair()).await.unwrap().len(), 2);
    store.close().await;
}

#[tokio::test]
async fn a_shared_rate_is_changed_by_whichever_read_it_last() {
    let Some(place) = Place::server() else { return };
    let (first, second) = (place.open().await, place.open().await);
    let key = RateKey {
        host: "mgmt.example".to_owned(),
        account: "00ff".to_owned(),
        class: "main",
    };
    let read = first.rate_row(&key).await.unwrap();
    let also = second.rate_row(&key).await.unwrap();
    assert_eq!((read.version, &*read.joint), (0, ""));
    assert!(first.set_rate_row(&key, &read, "{\"a\":1}").await.unwrap());
    assert!(!second.set_rate_row(&key, &also, "{\"b\":1}").await.unwrap());
    let now = second.rate_row(&key).await.unwrap();
    assert_eq!((now.version, &*now.joint), (1, "{\"a\":1}"));
    assert!(second.set_rate_row(&key, &now, "{\"b\":2}").await.unwrap());
    assert!(!first.set_rate_row(&key, &now, "{\"a\":2}").await.unwrap());
    let fetch = RateKey {
        class: "fetch",
        ..key.clone()
    };
    assert_eq!(first.rate_row(&fetch).await.unwrap().version, 0);

    let mut raw = place.connect().await;
    let clock = raw.now_ms().await.unwrap().unwrap();
    assert!((clock - now.now_us / 1000).abs() < 20_000, "{clock}");
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE pid <> pg_backend_pid() AND application_name = current_setting('application_name')";
    raw.script(end).await.unwrap();
    // The session is opened again for the next question.
    drop(first.rate_row(&key).await);
    assert_eq!(first.rate_row(&key).await.unwrap().joint, "{\"b\":2}");
    first.clone().close().await;
    let closed = first.rate_row(&key).await;
    assert!(matches!(closed, Err(StoreError::Closed)), "{closed:?}");
    second.close().await;
}

/// Passes bytes on between clients and the server, and cuts the connection at the first commit after it was armed.
struct Proxy {
    url: StateUrl,
    armed: Arc<AtomicBool>,
    _work: JoinSet<()>,
}

/// Where the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    BeforeCommit,
    AfterCommit,
}

impl Proxy {
    async fn before(place: &Place, url: &str, cut: Cut) -> Self {
        let mut url = url::Url::parse(url).unwrap();
        let server = format!("127.0.0.1:{}", url.port().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port()))
            .unwrap();
        let StateUrl::Postgres(own) = &place.url else {
            unreachable!("a proxy is for a server")
        };
        url.set_query(Some(&format!("schema={}", own.schema())));
        let armed = Arc::new(AtomicBool::new(false));
        let mut work = JoinSet::new();
        let is_armed = Arc::clone(&armed);
        work.spawn(async move {
            let mut passed = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                passed.spawn(pass(client, server, cut, Arc::clone(&is_armed)));
            }
        });
        Self {
            url: StateUrl::parse(url.as_str()).unwrap(),
            armed,
            _work: work,
        }
    }
}

async fn pass(mut client: TcpStream, mut server: TcpStream, cut: Cut, armed: Arc<AtomicBool>) {
    let (mut of_client, mut of_server) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = client.read(&mut of_client) => {
                let Ok(length @ 1..) = read else { return };
                let bytes = &of_client[..length];
                let is_commit = bytes.windows(6).any(|word| word == b"COMMIT");
                if is_commit && armed.swap(false, Relaxed) {
                    if cut == Cut::AfterCommit {
                        server.write_all(bytes).await.unwrap();
                        // Its answer says that it is done, and never arrives.
                        assert!(server.read(&mut of_server).await.unwrap() > 0);
                    }
                    return;
                }
                if server.write_all(bytes).await.is_err() { return }
            }
            read = server.read(&mut of_server) => {
                let Ok(length @ 1..) = read else { return };
                if client.write_all(&of_server[..length]).await.is_err() { return }
            }
        }
    }
}

#[tokio::test]
async fn a_connection_that_ends_around_a_commit_loses_and_doubles_nothing() {
    for cut in [Cut::BeforeCommit, Cut::AfterCommit] {
        let Some(url) = postgres::fresh() else { return };
        let place = Place {
            url: StateUrl::parse(&url).unwrap(),
            _folder: None,
        };
        let proxy = Proxy::before(&place, &url, cut).await;
        let store = Store::open(&proxy.url).await.unwrap();
        store
            .commit(vec![Change::RunStarted(record())])
            .await
            .unwrap();
        let commits = store.commits();
        proxy.armed.store(true, Relaxed);
        // A second time, it would be refused.
        let changes = vec![Change::IntentOpened {
            pair: pair(),
            intent: intent(1),
        }];
        store.commit(changes).await.unwrap();
        assert!(!proxy.armed.load(Relaxed), "{cut:?}: nothing was cut");
        assert_eq!(store.commits(), commits + 1);
        assert_eq!(store.open_intents(&pair()).await.unwrap(), [intent(1)]);
        store.close().await;
    }
}
