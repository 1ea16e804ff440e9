//! A proxy in front of the mock that changes answers: `Proxy::start(&server.base_url(), |asked, answer| …)` calls the
//! closure with each request and its answer, of which it may change status, headers and body. A write has taken effect.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::Response;
use futures_util::{StreamExt, stream};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::support::http_builder;

/// A request as the proxy received it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    /// The token that came with it, empty without one.
    pub(crate) fn token(&self) -> &str {
        let sent = self.headers.get(header::AUTHORIZATION);
        let text = sent.and_then(|value| value.to_str().ok());
        text.and_then(|text| text.strip_prefix("Bearer "))
            .unwrap_or_default()
    }

    /// Whether path and query contain a text.
    pub(crate) fn is_for(&self, part: &str) -> bool {
        self.uri.to_string().contains(part)
    }
}

/// An answer on its way back. `content-length` is computed from the body afterwards.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// What follows the body again and again, without end.
    pub(crate) endless: Option<&'static str>,
}

impl Answer {
    /// Becomes an answer that begins with one text and repeats another one without end.
    pub(crate) fn never_end(&mut self, start: &str, endless: &'static str) {
        self.headers.clear();
        self.body = start.as_bytes().to_vec();
        self.endless = Some(endless);
    }

    /// Becomes a failure with this body.
    pub(crate) fn fail(&mut self, status: u16, content_type: &str, body: String) {
        self.status = StatusCode::from_u16(status).unwrap();
        self.headers.clear();
        self.headers
            .insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        self.body = body.into_bytes();
    }
}

/// A running proxy; it ends when it is dropped.
pub(crate) struct Proxy {
    url: String,
    /// Ends with the proxy.
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// Listens on a free port of this machine. Addresses of `upstream` in answers become those of the proxy, so that
    /// downloads pass through it as well.
    pub(crate) async fn start(
        upstream: &str,
        rewrite: impl Fn(&Asked, &mut Answer) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let passing = Arc::new(Passing {
            upstream: upstream.to_owned(),
            own: url.clone(),
            client: http_builder()
                .no_proxy()
                .no_gzip()
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .unwrap(),
            rewrite: Box::new(rewrite),
        });
        let router = Router::new().fallback(move |request| {
            let passing = Arc::clone(&passing);
            async move { passing.pass(request).await }
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, _tasks: tasks }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

type Rewrite = Box<dyn Fn(&Asked, &mut Answer) + Send + Sync>;

struct Passing {
    upstream: String,
    own: String,
    client: reqwest::Client,
    rewrite: Rewrite,
}

impl Passing {
    async fn pass(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let asked = Asked {
            method: parts.method,
            uri: parts.uri,
            headers: parts.headers,
            body: to_bytes(body, usize::MAX).await.unwrap().to_vec(),
        };
        let mut answer = self.ask(&asked).await;
        (self.rewrite)(&asked, &mut answer);
        let body = match answer.endless {
            Some(piece) => without_end(answer.body, piece),
            None => Body::from(answer.body),
        };
        let mut response = Response::new(body);
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        response
    }

    async fn ask(&self, asked: &Asked) -> Answer {
        let mut headers = asked.headers.clone();
        for name in [header::HOST, header::CONNECTION, header::ACCEPT_ENCODING] {
            headers.remove(name);
        }
        let sent = self
            .client
            .request(
                asked.method.clone(),
                format!("{}{}", self.upstream, asked.uri),
            )
            .headers(headers)
            .body(asked.body.clone())
            .send();
        let answered = sent.await.unwrap();
        let (status, mut headers) = (answered.status(), answered.headers().clone());
        for name in [header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
            headers.remove(name);
        }
        let body = answered.bytes().await.unwrap().to_vec();
        let body = match String::from_utf8(body) {
            Ok(text) => text.replace(&self.upstream, &self.own).into_bytes(),
            Err(binary) => binary.into_bytes(),
        };
        Answer {
            status,
            headers,
            body,
            endless: None,
        }
    }
}

fn without_end(start: Vec<u8>, piece: &str) -> Body {
    let more = piece.repeat(65_536 / piece.len());
    let start = stream::once(async { start });
    let more = stream::repeat(more.into_bytes());
    Body::from_stream(start.chain(more).map(Ok::<_, std::io::Error>))
}
