//! A login in use: its access token is replaced before it expires, and when the server refuses it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::book::{Kept, Login, LoginBook, LoginNote, LoginsError};
use crate::agility::{NotRefreshed, OAuth, Renewal};
use crate::domain::{Secret, is_readable_by_others, time};
use crate::report;

/// How long a renewal that failed is not tried again before its time has come: the token may still be good for as long.
const PAUSE: Duration = Duration::from_secs(10);

/// The login of an instance, as the settings have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredLogin {
    /// Where it is.
    pub book: LoginBook,
    /// Its name there.
    pub name: String,
    /// What is known of it.
    pub note: LoginNote,
    /// From when on the access token should be replaced.
    pub(super) due_at: Option<Timestamp>,
}

impl StoredLogin {
    /// What the user should know about the place where it is kept.
    pub(in crate::config) fn warning(&self) -> Option<String> {
        let file = self.book.path();
        (self.note.kept == Kept::File && is_readable_by_others(&file)).then(|| {
            let file = file.display();
            format!(
                "other users of this machine may read {file}, which holds a login; take the right away with chmod 600 {file}"
            )
        })
    }

    /// What renews it while requests are under way.
    pub(in crate::config) fn renewal(&self, oauth: OAuth) -> LoginRenewal {
        LoginRenewal {
            login: Arc::new(InUse {
                book: self.book.clone(),
                name: self.name.clone(),
                oauth,
                state: Mutex::new(State {
                    due_at: self.due_at,
                    not_before: None,
                    unkept: None,
                }),
            }),
            tasks: Mutex::default(),
        }
    }
}

/// Renews a login.
#[derive(Debug)]
pub(in crate::config) struct LoginRenewal {
    login: Arc<InUse>,
    /// Renewals under way. Each is a task of its own: the request that waits for it may be dropped at any time, and then the
    /// answer of the server, with the only token that gives the next one, would be dropped with it.
    tasks: Mutex<JoinSet<()>>,
}

#[derive(Debug)]
struct InUse {
    book: LoginBook,
    name: String,
    oauth: OAuth,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    due_at: Option<Timestamp>,
    /// Until when nothing is tried because it is due.
    not_before: Option<Instant>,
    /// Tokens that could be kept nowhere else.
    unkept: Option<Login>,
}

impl Renewal for LoginRenewal {
    fn is_due(&self) -> bool {
        let state = self.login.state();
        let is_due = state.due_at.is_some_and(|due| time::now() >= due);
        is_due
            && state
                .not_before
                .is_none_or(|moment| Instant::now() >= moment)
    }

    fn renew<'a>(&'a self, old: &'a Secret) -> BoxFuture<'a, Result<Secret, String>> {
        let (done, answer) = oneshot::channel();
        let (login, old) = (Arc::clone(&self.login), old.clone());
        {
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            while tasks.try_join_next().is_some() {}
            tasks.spawn(async move {
                let result = login.renewed(&old).await;
                // What waited for it may be gone.
                drop(done.send(result));
            });
        }
        async move {
            let lost = || Err("the renewal was cut short".to_owned());
            answer.await.unwrap_or_else(|_| lost())
        }
        .boxed()
    }
}

impl InUse {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn renewed(self: Arc<Self>, old: &Secret) -> Result<Secret, String> {
        let result = self.fetched(old).await;
        let mut state = self.state();
        match &result {
            Ok(login) => {
                state.due_at = login.due_at();
                state.not_before = None;
            }
            // The user may give another token, which this login must not take the place of.
            Err(NotRefreshed::Ended(_)) => state.due_at = None,
            Err(NotRefreshed::Failed(_)) => state.not_before = Some(Instant::now() + PAUSE),
        }
        let token = result.map(|login| login.access);
        token.map_err(|error| error.to_string())
    }

    /// The next tokens: those that another process has got meanwhile, or new ones, which are kept before they are used.
    async fn fetched(self: &Arc<Self>, old: &Secret) -> Result<Login, NotRefreshed> {
        let failed = |error: LoginsError| NotRefreshed::Failed(in_words(&error));
        let held = self.book.lock().await.map_err(failed)?;
        let read = self.blocking(|login| login.book.read(&login.name)).await;
        let unkept = self.state().unkept.take();
        let stored = unkept.or(read.map_err(NotRefreshed::Failed)?);
        let ended = |why: &str| NotRefreshed::Ended(format!("the login at {} {why}", self.name));
        let stored = stored.ok_or_else(|| ended("was removed"))?;
        if stored.access != *old && !stored.is_due() {
            return Ok(stored);
        }
        if stored.is_fresh() {
            return Err(ended(
                "has a token that the server has just given and refuses",
            ));
        }
        let refresh = stored.refresh;
        let refresh = refresh.ok_or_else(|| ended("has expired, and nothing renews it"))?;
        let grant = self
            .oauth
            .refresh(&refresh)
            .await
            .map_err(|error| match error {
                NotRefreshed::Ended(said) => ended(&format!("has ended: {said}")),
                failed @ NotRefreshed::Failed(_) => failed,
            })?;
        let mut next = Login::of(grant);
        // A server that gives no new one leaves the old one as it is.
        next.refresh = next.refresh.or(Some(refresh));
        self.keep(&next).await;
        drop(held);
        Ok(next)
    }

    /// Keeps the next tokens where those before were. This process goes on with them in any case.
    async fn keep(self: &Arc<Self>, next: &Login) {
        let kept = next.clone();
        let written = self.blocking(move |login| {
            let notes = login.book.notes()?;
            let wanted = notes.get(&login.name).map(|note| note.kept);
            let wanted = wanted.unwrap_or(Kept::File);
            login.book.write(&login.name, &kept, wanted)
        });
        match written.await {
            Ok((_, None)) => {}
            Ok((_, Some(reason))) => report::tell(&format!(
                "warning: the keyring does not take the renewed login ({reason}); it is in {} now",
                self.book.path().display()
            )),
            Err(reason) => {
                self.state().unkept = Some(next.clone());
                report::tell(&format!(
                    "warning: the renewed login could not be kept, so the next command may need `lockgate login`: {reason}"
                ));
            }
        }
    }

    /// Reads or writes the list and the keyring, which may wait.
    async fn blocking<R: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<R, LoginsError> + Send + 'static,
    ) -> Result<R, String> {
        let login = Arc::clone(self);
        let working =
            tokio::task::spawn_blocking(move || work(&login).map_err(|error| in_words(&error)));
        working.await.unwrap_or_else(|error| Err(error.to_string()))
    }
}

/// An error with its reason, and what to do.
fn in_words(error: &LoginsError) -> String {
    let cause = std::error::Error::source(error);
    let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{error}{cause}; {}", error.hint())
}
