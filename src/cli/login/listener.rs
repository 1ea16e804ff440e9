//! The way back from the browser: a port of this machine, for one answer.
//!
//! Browsers open connections on which they send nothing, and pages of others may send what they like. So each connection is
//! answered for itself, and only an answer with our own `state` ends the wait (RFC 6749, section 10.12; RFC 8252, section 7.3).

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use url::Url;

use super::error::SignInError;

/// Where the browser comes back to.
const PATH: &str = "/callback";

/// How long a browser may take to send a request.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest head of a request that is read, in bytes.
const HEAD: usize = 16 << 10;

/// Connections at one time: a browser opens a few.
const CONNECTIONS: usize = 16;

/// What the browser came back with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A code, to be exchanged for tokens.
    Code(String),
    /// A refusal, with the server's reason.
    Denied(String),
}

/// A port that waits for the browser.
#[derive(Debug)]
pub(super) struct Listener {
    listener: TcpListener,
    port: u16,
}

impl Listener {
    /// Takes a port of the loopback interface; 0 takes any.
    ///
    /// # Errors
    /// [`SignInError::Listen`]
    pub(super) async fn open(port: u16) -> Result<Self, SignInError> {
        let failed = |source| SignInError::Listen { port, source };
        let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        let listener = bound.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        Ok(Self { listener, port })
    }

    /// The address that the browser is to come back to.
    pub(super) fn redirect(&self) -> String {
        format!("http://127.0.0.1:{}{PATH}", self.port)
    }

    /// Waits for an answer with this state.
    ///
    /// # Errors
    /// [`SignInError::Listen`] when the port is lost.
    pub(super) async fn answer(&self, state: &str) -> Result<Answer, SignInError> {
        let state: Arc<str> = state.into();
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if connections.len() < CONNECTIONS => {
                    let (stream, _) = accepted.map_err(|source| SignInError::Listen {
                        port: self.port,
                        source,
                    })?;
                    let state = Arc::clone(&state);
                    connections.spawn(tokio::time::timeout(PATIENCE, serve(stream, state)));
                }
                Some(served) = connections.join_next() => {
                    if let Ok(Ok(Some(answer))) = served {
                        return Ok(answer);
                    }
                }
            }
        }
    }
}

/// Answers one request; returns what it says if it is the one that is waited for.
async fn serve(mut stream: TcpStream, state: Arc<str>) -> Option<Answer> {
    let target = target(&mut stream).await?;
    let found = read(&target, &state);
    let (status, words) = match &found {
        Found::Answer(Answer::Code(_)) => (
            "200 OK",
            "Signed in. Lockgate goes on in its terminal, and this page can be closed.",
        ),
        Found::Answer(Answer::Denied(_)) => (
            "200 OK",
            "Not signed in. Lockgate says why in its terminal, and this page can be closed.",
        ),
        Found::Foreign => (
            "400 Bad Request",
            "This does not belong to the sign-in that Lockgate waits for.",
        ),
        Found::Nothing => ("404 Not Found", "There is nothing here."),
    };
    // A browser that is gone does not see it; what it brought counts all the same.
    drop(stream.write_all(page(status, words).as_bytes()).await);
    drop(stream.shutdown().await);
    match found {
        Found::Answer(answer) => Some(answer),
        Found::Foreign | Found::Nothing => None,
    }
}

/// The target of a `GET` request.
async fn target(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut piece = [0; 2048];
        let length = stream.read(&mut piece).await.ok()?;
        if length == 0 || head.len() + length > HEAD {
            return None;
        }
        head.extend_from_slice(&piece[..length]);
    }
    let head = String::from_utf8(head).ok()?;
    let mut words = head.lines().next()?.split(' ');
    let is_get = words.next() == Some("GET");
    words.next().filter(|_| is_get).map(str::to_owned)
}

#[derive(Debug, PartialEq, Eq)]
enum Found {
    Answer(Answer),
    /// It has not our state.
    Foreign,
    /// It is about something else, such as an icon.
    Nothing,
}

fn read(target: &str, state: &str) -> Found {
    let base = Url::parse("http://127.0.0.1/").ok();
    let url = base.and_then(|base| base.join(target).ok());
    let Some(url) = url.filter(|url| url.path() == PATH) else {
        return Found::Nothing;
    };
    let value = |name: &str| {
        let mut pairs = url.query_pairs();
        pairs
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    if value("state").as_deref() != Some(state) {
        return Found::Foreign;
    }
    match (value("error"), value("code")) {
        (Some(error), _) => {
            Found::Answer(Answer::Denied(value("error_description").unwrap_or(error)))
        }
        (None, Some(code)) if !code.is_empty() => Found::Answer(Answer::Code(code)),
        (None, _) => Found::Nothing,
    }
}

/// A page with fixed words; nothing of the request is in it.
fn page(status: &str, words: &str) -> String {
    let body =
        format!("<!doctype html><meta charset=utf-8><title>Lockgate</title><p>{words}</p>\n");
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n\
         Content-Security-Policy: default-src 'none'\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_with_our_state_counts() {
        let code = |code: &str| Found::Answer(Answer::Code(code.to_owned()));
        let denied = |why: &str| Found::Answer(Answer::Denied(why.to_owned()));
        for (target, found) in [
            ("/callback?code=a%2Bb&state=s1", code("a+b")),
            (
                "/callback?state=s1&error=access_denied",
                denied("access_denied"),
            ),
            (
                "/callback?state=s1&error=x&error_description=not+you&code=c",
                denied("not you"),
            ),
            ("/callback?code=c&state=s2", Found::Foreign),
            ("/callback?code=c", Found::Foreign),
            ("/callback?code=&state=s1", Found::Nothing),
            ("/favicon.ico", Found::Nothing),
            ("http://elsewhere.test/?code=c&state=s1", Found::Nothing),
        ] {
            assert_eq!(read(target, "s1"), found, "{target}");
        }
    }

    #[tokio::test]
    async fn silent_and_foreign_connections_do_not_end_the_wait() {
        let listener = Listener::open(0).await.unwrap();
        let taken = Listener::open(listener.port).await;
        assert!(matches!(taken, Err(SignInError::Listen { .. })));
        let base = listener.redirect();
        // An error says that one is chosen already.
        drop(rustls::crypto::ring::default_provider().install_default());
        let browser = async {
            let silent = TcpStream::connect(("127.0.0.1", listener.port))
                .await
                .unwrap();
            let foreign = reqwest::get(format!("{base}?code=evil&state=x"))
                .await
                .unwrap();
            assert_eq!(foreign.status(), 400);
            let ours = reqwest::get(format!("{base}?code=good&state=mine"))
                .await
                .unwrap();
            assert!(ours.text().await.unwrap().contains("Signed in."));
            drop(silent);
        };
        let (answer, ()) = tokio::join!(listener.answer("mine"), browser);
        assert_eq!(answer.unwrap(), Answer::Code("good".to_owned()));
    }
}
