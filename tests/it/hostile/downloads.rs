//! Addresses of files that an editor chose, or a server: bytes of a place that is not the source's are never fetched, so that
//! they cannot be uploaded, and nothing is sent there.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use lockgate::mock::Server;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::proxy::{Answer, Asked, Proxy};
use crate::binary::{Workspace, end_of};
use crate::support::{TARGET, fixture, instances, serve};

/// What must not be fetched.
const SECRET: &str = "credentials of a cloud instance";

/// A service that is none of the source's.
struct Internal {
    port: u16,
    /// The requests that reached it, as path and headers.
    asked: Arc<Mutex<Vec<String>>>,
    _serving: JoinSet<()>,
}

impl Internal {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        let answer = move |request: Request| {
            let line = format!("{} {:?}", request.uri(), request.headers());
            noted.lock().unwrap().push(line);
            async { SECRET }
        };
        let router = Router::new().fallback(answer);
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            port,
            asked,
            _serving: serving,
        }
    }

    fn requests(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Lists `readme.txt` as a file at `url`, as long as the secret.
fn lists_at(url: String) -> impl Fn(&Asked, &mut Answer) + Send + Sync + 'static {
    lists(Some(url))
}

/// Lists `readme.txt` as long as the secret, and at `url` if there is one.
fn lists(url: Option<String>) -> impl Fn(&Asked, &mut Answer) + Send + Sync + 'static {
    move |asked, answer| {
        if !asked.is_for("asset/list") || asked.is_for(TARGET) {
            return;
        }
        let mut list: Value = serde_json::from_slice(&answer.body).unwrap();
        for row in list["assetMedias"].as_array_mut().unwrap() {
            if row["originKey"] == "readme.txt" {
                for member in url.iter().flat_map(|_| ["originUrl", "edgeUrl"]) {
                    row[member] = url.as_deref().into();
                }
                row["size"] = SECRET.len().into();
            }
        }
        answer.body = serde_json::to_vec(&list).unwrap();
    }
}

/// Answers the download of `readme.txt` with a redirect, wherever it is asked for.
fn redirects_to(status: u16, url: String) -> impl Fn(&Asked, &mut Answer) + Send + Sync + 'static {
    move |asked, answer| {
        if asked.uri.path().ends_with("/readme.txt") && asked.is_for("origin") {
            answer.status = StatusCode::from_u16(status).unwrap();
            answer.headers.clear();
            answer
                .headers
                .insert(header::LOCATION, url.parse().unwrap());
            answer.body = Vec::new();
        }
    }
}

async fn server() -> Server {
    serve(instances(&fixture("galleries-and-assets"))).await
}

/// The text of `readme.txt` on the target, if it is there.
fn arrived(server: &Server) -> Option<String> {
    let state = server.state();
    let target = state.instances.iter().find(|one| one.guid == TARGET);
    let row = target
        .unwrap()
        .assets
        .iter()
        .find(|row| row["originKey"] == "readme.txt")?;
    Some(row["content"]["text"].as_str().unwrap_or_default().into())
}

/// Runs a sync with what the proxy does, in which this one file fails as one cause with a code of its own.
async fn refuses(
    case: &str,
    internal: &Internal,
    rewrite: impl Fn(&Asked, &mut Answer) + Send + Sync + 'static,
) {
    let server = server().await;
    let proxy = Proxy::start(&server.base_url(), rewrite).await;
    let space = Workspace::new();
    let ended = end_of(space.across("sync", (proxy.url(), &server.base_url()), &[])).await;
    assert_eq!(ended.code, Some(1), "{case}: {}", ended.stderr);
    assert_eq!(internal.requests(), [] as [&str; 0], "{case}");
    assert_eq!(arrived(&server), None, "{case}");
    let summary = std::fs::read(space.run_folder().join("summary.json")).unwrap();
    let summary: Value = serde_json::from_slice(&summary).unwrap();
    let causes = summary["failures"].as_array().unwrap();
    assert_eq!(causes.len(), 1, "{case}: {causes:?}");
    assert_eq!(causes[0]["code"], "LG-5011", "{case}: {causes:?}");
    let told = causes[0].to_string();
    assert!(!told.contains("s3cret"), "{case}: {told}");
    assert!(
        ended.stderr.contains("assets.hosts"),
        "{case}: {}",
        ended.stderr
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_at_other_places_are_not_fetched() {
    let internal = Internal::start().await;
    let port = internal.port;
    for url in [
        format!("http://127.0.0.1:{port}/latest/meta-data"),
        format!("http://localhost:{port}/"),
        format!("http://0.0.0.0:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://me:s3cret@127.0.0.1:{port}/"),
        format!("http://127.0.0.1.:{port}/"),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "http://10.0.0.1/".to_owned(),
        "https://elsewhere.invalid/readme.txt".to_owned(),
        "https://cdn.aglty.io.evil.invalid/readme.txt".to_owned(),
        "https://cdn.aglty.io:22/readme.txt".to_owned(),
        "ftp://127.0.0.1/readme.txt".to_owned(),
        "file:///etc/passwd".to_owned(),
        "data:text/plain,hello".to_owned(),
    ] {
        refuses(&url, &internal, lists_at(url.clone())).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_leads_nowhere_where_a_file_may_not_be() {
    let internal = Internal::start().await;
    let port = internal.port;
    for (status, url) in [
        (301, format!("http://127.0.0.1:{port}/")),
        (302, format!("//localhost:{port}/")),
        (303, format!("http://me:s3cret@127.0.0.1:{port}/")),
        (307, "http://169.254.169.254/".to_owned()),
        (308, "file:///etc/passwd".to_owned()),
        (302, "https://elsewhere.invalid/".to_owned()),
    ] {
        refuses(&url, &internal, redirects_to(status, url.clone())).await;
    }
}

/// Runs a sync with what the proxy does, which has to bring the file.
async fn fetches(
    case: &str,
    variables: &[(&str, &str)],
    rewrite: impl Fn(&Asked, &mut Answer) + Send + Sync + 'static,
) -> Option<String> {
    let server = server().await;
    let proxy = Proxy::start(&server.base_url(), rewrite).await;
    let space = Workspace::new();
    let mut command = space.across("sync", (proxy.url(), &server.base_url()), &[]);
    command.envs(variables.iter().copied());
    let ended = end_of(command).await;
    assert_eq!(ended.code, Some(0), "{case}: {}", ended.stderr);
    let text = arrived(&server);
    server.stop().await;
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_the_user_named_is_fetched_from_without_a_credential() {
    let internal = Internal::start().await;
    let host = format!("127.0.0.1:{}", internal.port);
    for named in [host.as_str(), "127.0.0.1"] {
        let variables = [("LOCKGATE_ASSETS_HOSTS", named)];
        for url in [
            format!("http://{host}/a"),
            format!("http://me:s3cret@{host}/a?signature=s"),
        ] {
            let text = fetches(&url, &variables, lists_at(url.clone())).await;
            assert_eq!(text.as_deref(), Some(SECRET), "{url}");
        }
    }
    let redirected = format!("http://me:s3cret@{host}/b");
    let variables = [("LOCKGATE_ASSETS_HOSTS", host.as_str())];
    let (list, redirect) = (lists(None), redirects_to(302, redirected));
    let text = fetches("redirect", &variables, move |asked, answer| {
        list(asked, answer);
        redirect(asked, answer);
    });
    assert_eq!(text.await.as_deref(), Some(SECRET));
    for request in internal.requests() {
        let headers = request.to_lowercase();
        for word in ["authorization", "apikey", "referer", "s3cret", "cookie"] {
            assert!(!headers.contains(word), "{word} in {request}");
        }
    }
    assert!(!internal.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_of_the_source_to_itself_is_followed_and_ends() {
    let hops = |count: usize| {
        move |asked: &Asked, answer: &mut Answer| {
            let hop = asked.uri.query().and_then(|query| query.parse().ok());
            let hop: usize = hop.unwrap_or(0);
            if asked.uri.path().ends_with("/readme.txt") && hop < count {
                redirects_to(302, format!("?{}", hop + 1))(asked, answer);
            }
        }
    };
    let text = fetches("three", &[], hops(3)).await;
    assert_eq!(text.as_deref(), Some("Lies in the root folder."));

    let server = server().await;
    let proxy = Proxy::start(&server.base_url(), hops(usize::MAX)).await;
    let space = Workspace::new();
    let ended = end_of(space.across("sync", (proxy.url(), &server.base_url()), &[])).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("redirects"), "{}", ended.stderr);
    server.stop().await;
}

/// An address may be as long as a server likes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_address_is_cut_wherever_it_is_told() {
    let long = "elsewhere/".repeat(5000);
    for url in [
        format!("https://host.invalid/{long}"),
        format!("https://{}/", "h".repeat(20_000)),
        format!("{}://host.invalid/", "s".repeat(20_000)),
        format!("https://host.invalid:{long}"),
    ] {
        let server = server().await;
        let proxy = Proxy::start(&server.base_url(), lists_at(url)).await;
        let space = Workspace::new();
        let words = ["--verbose"];
        let ended = end_of(space.across("sync", (proxy.url(), &server.base_url()), &words)).await;
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        let mut texts = vec![ended.stdout, ended.stderr];
        for entry in std::fs::read_dir(space.run_folder()).unwrap() {
            let path = entry.unwrap().path();
            texts.extend(std::fs::read_to_string(path));
        }
        for text in texts {
            for word in ["elsewhere/", "h", "s"] {
                let longest = word.repeat(600 / word.len());
                let at = text.find(&longest);
                let near = at.map(|at| &text[at.saturating_sub(200)..at]);
                assert_eq!(near, None, "{word}");
            }
        }
        server.stop().await;
    }
}
