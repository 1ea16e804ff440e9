//! What a command can end with: exit codes, and errors as people see them.
//!
//! The rooms describe their own failures; this file alone turns them into exit codes and prints them.

pub mod code;

use std::error::Error as _;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::agility::ConnectionError;
use crate::cli::login::SignInError;
#[cfg(feature = "mock")]
use crate::cli::mocked::{generate::GenerateError, serve::ServeError};
use crate::config::ConfigError;
use crate::domain::{RunEnd, redact_message, shown_lines};
use crate::engine::{PullError, RunError, WebhooksError};
use crate::event::RunFailure;
use crate::instance::{Cause, RequestError};
use crate::snapshot::FolderError;
use crate::store::StoreError;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// Everything is in agreement, or done as asked.
    Agreed,
    /// Some entities failed, were blocked, or differ.
    Failed,
    /// The command line or the configuration cannot be used.
    Usage,
    /// An instance cannot be reached, refuses access, or could not be read completely.
    Unreachable,
    /// The state is locked or damaged.
    State,
    /// Conflicts were left alone.
    Conflicts,
    /// A plan has something to do, where that was asked for.
    Changes,
    /// A bug of ours.
    Internal,
    /// The user or the system asked to stop.
    Interrupted,
}

impl ExitStatus {
    /// Every one, from the one that hides all others to the one that hides none.
    pub const BY_WEIGHT: [Self; 9] = [
        Self::Internal,
        Self::State,
        Self::Unreachable,
        Self::Usage,
        Self::Interrupted,
        Self::Failed,
        Self::Conflicts,
        Self::Changes,
        Self::Agreed,
    ];

    /// The exit code of the process.
    pub const fn code(self) -> u8 {
        match self {
            Self::Agreed => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::State => 4,
            Self::Conflicts => 5,
            Self::Changes => 6,
            Self::Internal => 70,
            Self::Interrupted => 130,
        }
    }

    /// The one that is reported when both apply.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self::BY_WEIGHT
            .into_iter()
            .find(|status| *status == self || *status == other)
            .unwrap_or(self)
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        status.code().into()
    }
}

/// Why a command did not end as asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The command line asks for something that does not exist, such as an unknown run or locale.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// The next step.
        hint: Option<String>,
    },
    /// A file that the command reads or writes.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// An instance cannot be used: no connection, no access, no sense.
    #[error("cannot connect to the {side}")]
    Unreachable {
        /// `source 1a2b3c4d-u` or `target 5e6f7a8b-u`.
        side: String,
        /// The request that failed.
        source: Box<RequestError>,
    },
    /// A run could not begin or not go on.
    #[error(transparent)]
    Run(Box<RunError>),
    /// The state cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A folder with an instance cannot be read or written.
    #[error(transparent)]
    Folder(Box<FolderError>),
    /// Entities failed, or were blocked by those.
    #[error("{failed} of {total} entities failed, {blocked} more were blocked by them")]
    EntitiesFailed {
        /// Root causes.
        failed: u64,
        /// Dependants.
        blocked: u64,
        /// All entities of the source.
        total: u64,
    },
    /// The verification found differences.
    #[error("{differences} differences between source and target in {checked} entities")]
    Different {
        /// Differences found.
        differences: u64,
        /// Entities compared.
        checked: u64,
    },
    /// Both sides changed, and nobody said who wins.
    #[error(
        "{conflicts} conflicts were skipped: source and target both changed since they last agreed"
    )]
    Conflicts {
        /// How many.
        conflicts: u64,
    },
    /// The target stored a reference otherwise than it was sent.
    #[error("the run was stopped: {0}")]
    WrongReference(String),
    /// A target does not show what a hop of a chain has written.
    #[error("{target} does not show what was written, after {seconds} s: {what}")]
    NotShown {
        /// The target.
        target: String,
        /// What it lacks.
        what: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The run was asked to stop before its end.
    #[error("interrupted; what was in flight has its outcome in the state")]
    Interrupted,
    /// Invalid connection settings.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// A sign-in did not come to its end.
    #[error(transparent)]
    SignIn(#[from] SignInError),
    /// The mock server could not be started, or its state not be saved.
    #[cfg(feature = "mock")]
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// A generated instance could not be written.
    #[cfg(feature = "mock")]
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// Standard output or standard error does not take any more.
    #[error("cannot write the output")]
    Output(#[from] io::Error),
    /// A bug of ours.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Error {
    /// The exit code that tells this error. The only place that decides it.
    pub const fn exit_code(&self) -> ExitStatus {
        match self {
            Self::Config(_) | Self::Usage { .. } | Self::File { .. } | Self::Connection(_) => {
                ExitStatus::Usage
            }
            #[cfg(feature = "mock")]
            Self::Serve(_) | Self::Generate(_) => ExitStatus::Usage,
            Self::SignIn(SignInError::Listen { .. }) => ExitStatus::Usage,
            Self::Unreachable { .. }
            | Self::NotShown { .. }
            | Self::SignIn(SignInError::Denied { .. } | SignInError::TimedOut { .. }) => {
                ExitStatus::Unreachable
            }
            Self::Run(error) => run_exit_code(error),
            Self::Store(error) => store_exit_code(error),
            Self::Folder(error) => folder_exit_code(error),
            Self::EntitiesFailed { .. }
            | Self::Different { .. }
            | Self::WrongReference(_)
            | Self::Output(_) => ExitStatus::Failed,
            Self::Conflicts { .. } => ExitStatus::Conflicts,
            Self::Interrupted => ExitStatus::Interrupted,
            Self::Internal(_) => ExitStatus::Internal,
        }
    }

    /// What brought a run to its end that ended with this error.
    pub fn end(&self) -> RunEnd {
        let is_lost = |error: &StoreError| matches!(error, StoreError::LeaseLost { .. });
        match self {
            Self::Interrupted => RunEnd::Interrupted,
            Self::Run(error) => match error.as_ref() {
                RunError::Interrupted => RunEnd::Interrupted,
                RunError::Store(error) if is_lost(error) => RunEnd::LeaseLost,
                RunError::Store(_)
                | RunError::Pull(_)
                | RunError::Selection(_)
                | RunError::Map(_)
                | RunError::Unplaced(_)
                | RunError::NotAgreed(_)
                | RunError::Gates(_)
                | RunError::Webhooks(_)
                | RunError::UnknownLocale { .. }
                | RunError::TargetLocale { .. }
                | RunError::TargetChannel { .. } => RunEnd::Stopped,
            },
            Self::Store(error) if is_lost(error) => RunEnd::LeaseLost,
            Self::Store(_)
            | Self::Folder(_)
            | Self::Config(_)
            | Self::Usage { .. }
            | Self::File { .. }
            | Self::Unreachable { .. }
            | Self::NotShown { .. }
            | Self::EntitiesFailed { .. }
            | Self::Different { .. }
            | Self::Conflicts { .. }
            | Self::WrongReference(_)
            | Self::Connection(_)
            | Self::SignIn(_)
            | Self::Output(_)
            | Self::Internal(_) => RunEnd::Stopped,
            #[cfg(feature = "mock")]
            Self::Serve(_) | Self::Generate(_) => RunEnd::Stopped,
        }
    }

    /// The code that stands for this kind of error in every version: see [`code`].
    pub const fn code(&self) -> &'static str {
        code::of(self)
    }

    /// The next step, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Config(error) => error.hint(),
            Self::Usage { hint, .. } => hint.clone(),
            Self::Unreachable { source, .. } => request_hint(&source.cause).map(str::to_owned),
            Self::Run(error) => run_hint(error),
            Self::Store(error) => error.hint(),
            Self::Folder(error) => error.hint(),
            Self::EntitiesFailed { .. } => Some(
                "fix what the failures name and run again: only what is missing is sent".to_owned(),
            ),
            Self::Different { .. } => Some(
                "`lockgate sync` brings the target into agreement; add --overwrite where it was edited"
                    .to_owned(),
            ),
            Self::Conflicts { .. } => {
                Some("run again with --overwrite to let the source win".to_owned())
            }
            Self::WrongReference(_) => Some(
                "look at that entity on the target: nothing that was written is published; report it if the target shows \
                 the reference as it is on the source"
                    .to_owned(),
            ),
            Self::NotShown { .. } => Some(
                "run the same command again: what has arrived is not sent again; --wait SECONDS waits longer"
                    .to_owned(),
            ),
            Self::Interrupted => Some("run the same command again: it goes on from there".to_owned()),
            Self::Internal(_) => Some(
                "this is a bug of lockgate; please report it with the run folder, which holds no credentials"
                    .to_owned(),
            ),
            Self::Connection(error) => error.hint(),
            Self::SignIn(error) => Some(error.hint().to_owned()),
            Self::File { .. } | Self::Output(_) => None,
            #[cfg(feature = "mock")]
            Self::Serve(_) | Self::Generate(_) => None,
        }
    }

    /// Whether the reader of our output went away, as `head` does. Nobody is left to be told.
    pub fn is_broken_pipe(&self) -> bool {
        let error = match self {
            Self::Output(error) => Some(error),
            #[cfg(feature = "mock")]
            Self::Serve(ServeError::Output(error))
            | Self::Generate(GenerateError::Stdout(error)) => Some(error),
            _ => None,
        };
        error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    }
}

const fn run_exit_code(error: &RunError) -> ExitStatus {
    match error {
        RunError::Pull(
            PullError::Request { .. } | PullError::Incomplete { .. } | PullError::Endless { .. },
        ) => ExitStatus::Unreachable,
        RunError::Store(error) => store_exit_code(error),
        RunError::Interrupted => ExitStatus::Interrupted,
        RunError::Webhooks(error) => webhooks_exit_code(error),
        RunError::Unplaced(_) | RunError::Gates(_) => ExitStatus::Conflicts,
        RunError::Selection(_)
        | RunError::Map(_)
        | RunError::NotAgreed(_)
        | RunError::UnknownLocale { .. }
        | RunError::TargetLocale { .. }
        | RunError::TargetChannel { .. } => ExitStatus::Usage,
    }
}

const fn webhooks_exit_code(error: &WebhooksError) -> ExitStatus {
    match error {
        WebhooksError::Unread(_) | WebhooksError::Failed { .. } => ExitStatus::Unreachable,
        WebhooksError::Unproven { .. } => ExitStatus::Usage,
        WebhooksError::Altered { .. } => ExitStatus::Failed,
    }
}

const fn store_exit_code(error: &StoreError) -> ExitStatus {
    match error {
        StoreError::Create { .. }
        | StoreError::Damaged { .. }
        | StoreError::Foreign { .. }
        | StoreError::Newer { .. }
        | StoreError::ReadOnly { .. }
        | StoreError::Locked { .. }
        | StoreError::Full { .. }
        | StoreError::Failed { .. }
        | StoreError::Unreadable { .. }
        | StoreError::LeaseHeld { .. }
        | StoreError::LeaseLost { .. }
        | StoreError::Bytes { .. }
        | StoreError::BytesDamaged { .. }
        | StoreError::Unreachable { .. }
        | StoreError::Undecided { .. } => ExitStatus::State,
        StoreError::NotEmpty { .. } => ExitStatus::Usage,
        StoreError::Unknown { .. } | StoreError::Closed => ExitStatus::Internal,
    }
}

const fn folder_exit_code(error: &FolderError) -> ExitStatus {
    match error {
        FolderError::Manifest { .. }
        | FolderError::Newer { .. }
        | FolderError::Damaged { .. }
        | FolderError::Changed { .. } => ExitStatus::Unreachable,
        FolderError::NoManifest { .. }
        | FolderError::Several { .. }
        | FolderError::Busy { .. }
        | FolderError::Other { .. }
        | FolderError::Locales { .. }
        | FolderError::Locale { .. }
        | FolderError::Full { .. }
        | FolderError::Io { .. } => ExitStatus::Usage,
    }
}

impl From<FolderError> for Error {
    fn from(error: FolderError) -> Self {
        Self::Folder(Box::new(error))
    }
}

impl From<RunError> for Error {
    fn from(error: RunError) -> Self {
        Self::Run(Box::new(error))
    }
}

fn run_hint(error: &RunError) -> Option<String> {
    match error {
        RunError::Pull(PullError::Request { cause, .. }) => {
            request_hint(&cause.cause).map(str::to_owned)
        }
        RunError::Interrupted => Error::Interrupted.hint(),
        RunError::Pull(PullError::Incomplete { .. } | PullError::Endless { .. })
        | RunError::Store(_)
        | RunError::Selection(_)
        | RunError::Map(_)
        | RunError::Unplaced(_)
        | RunError::NotAgreed(_)
        | RunError::Gates(_)
        | RunError::Webhooks(_)
        | RunError::UnknownLocale { .. }
        | RunError::TargetLocale { .. }
        | RunError::TargetChannel { .. } => error.hint(),
    }
}

/// What a user can do about a request that failed before anything was written.
const fn request_hint(cause: &Cause) -> Option<&'static str> {
    match cause {
        Cause::Connect { .. } => {
            Some("check the network, the GUID's region and --source-url or --target-url, if given")
        }
        Cause::TimedOut(_) => Some("try again, or raise timeouts.request_s (--timeout)"),
        Cause::Broken(_) | Cause::ServerFailed { .. } => Some("try again in a few minutes"),
        Cause::Throttled { .. } => Some(
            "try again later: it goes on where it stopped; pace.retry_after_max_s is how long a run waits for the server",
        ),
        Cause::Busy => Some(
            "try again later, or raise timeouts.busy_s, which is how long a run waits for the feed",
        ),
        Cause::Renewed => Some("try again"),
        Cause::NotRenewed(_) => {
            Some("sign in again with `lockgate login`, or correct what the token comes from")
        }
        Cause::Unauthorised => Some(
            "set LOCKGATE_TOKEN to a personal access token that is still valid; LOCKGATE_SOURCE_TOKEN and LOCKGATE_TARGET_TOKEN, if set, take precedence",
        ),
        Cause::Forbidden => {
            Some("check the GUID, and that the token's user has rights on that instance")
        }
        Cause::NotFound => Some("check the GUID and its region"),
        Cause::Malformed(_) => Some(
            "check that --source-url and --target-url lead to the API and not to a proxy's own page",
        ),
        Cause::TooLarge(_) => Some("if the instance is that large, raise the named setting"),
        Cause::Misplaced(_) => Some("if the host may be read, add it to assets.hosts"),
        Cause::Refused { .. } | Cause::Content(_) | Cause::Halted => None,
    }
}

/// Prints an error with its causes, its next step and its code.
///
/// # Errors
/// Whatever `out` says.
pub fn print(error: &Error, out: &mut impl Write) -> io::Result<()> {
    let failure = told(error);
    for (number, message) in failure.messages.iter().enumerate() {
        let label = if number == 0 { "error" } else { "  caused by" };
        writeln!(out, "{label}: {}", shown_lines(message))?;
    }
    if let Some(hint) = failure.hint {
        writeln!(out, "  help: {}", shown_lines(&hint))?;
    }
    let code = error.code();
    writeln!(out, "  code: {code}; see `lockgate explain {code}`")?;
    out.flush()
}

/// Prints an error on standard error as the last thing that is said; a reader that takes nothing does not hold it up.
///
/// # Errors
/// When it cannot be written.
pub fn print_last(error: &Error) -> io::Result<()> {
    print(error, &mut crate::report::last_words())
}

/// An error as the last event of a run tells it, without credentials.
pub fn told(error: &Error) -> RunFailure {
    let mut messages = vec![redact_message(&error.to_string())];
    let mut cause = error.source();
    while let Some(error) = cause {
        messages.push(redact_message(&error.to_string()));
        cause = error.source();
    }
    RunFailure {
        code: error.code().to_owned(),
        messages,
        hint: error.hint().map(|hint| redact_message(&hint)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    fn printed(error: &Error) -> String {
        let mut text = Vec::new();
        print(error, &mut text).unwrap();
        format!(
            "{}exit: {}",
            String::from_utf8(text).unwrap(),
            error.exit_code().code()
        )
    }

    fn request(cause: Cause) -> Error {
        Error::Unreachable {
            side: "source 1a2b3c4d-u".to_owned(),
            source: Box::new(RequestError::new(
                "reading the locales of 1a2b3c4d-u",
                cause,
            )),
        }
    }

    #[test]
    fn the_heavier_status_is_reported() {
        use ExitStatus::{Agreed, Conflicts, Failed, Internal, Interrupted, State, Unreachable};
        let heaviest_first = [
            Internal,
            State,
            Unreachable,
            Interrupted,
            Failed,
            Conflicts,
            Agreed,
        ];
        for (rank, heavy) in heaviest_first.into_iter().enumerate() {
            for light in &heaviest_first[rank..] {
                assert_eq!(heavy.or(*light), heavy);
                assert_eq!(light.or(heavy), heavy);
            }
        }
        let codes = heaviest_first.map(ExitStatus::code);
        assert_eq!(codes, [70, 4, 3, 130, 1, 5, 0]);
        assert_eq!(ExitStatus::Usage.code(), 2);
    }

    #[test]
    fn errors_are_printed_with_cause_and_next_step() {
        insta::assert_snapshot!(printed(&request(Cause::Unauthorised)), @r"
        error: cannot connect to the source 1a2b3c4d-u
          caused by: reading the locales of 1a2b3c4d-u failed: authentication failed (HTTP 401): the token is missing, wrong or expired
          help: set LOCKGATE_TOKEN to a personal access token that is still valid; LOCKGATE_SOURCE_TOKEN and LOCKGATE_TARGET_TOKEN, if set, take precedence
          code: LG-2006; see `lockgate explain LG-2006`
        exit: 3
        ");
        insta::assert_snapshot!(printed(&request(Cause::TimedOut(Duration::from_mins(1)))), @r"
        error: cannot connect to the source 1a2b3c4d-u
          caused by: reading the locales of 1a2b3c4d-u failed: timed out after 60 s
          help: try again, or raise timeouts.request_s (--timeout)
          code: LG-2002; see `lockgate explain LG-2002`
        exit: 3
        ");
        insta::assert_snapshot!(printed(&Error::Interrupted), @r"
        error: interrupted; what was in flight has its outcome in the state
          help: run the same command again: it goes on from there
          code: LG-4004; see `lockgate explain LG-4004`
        exit: 130
        ");
        insta::assert_snapshot!(printed(&Error::Conflicts { conflicts: 3 }), @r"
        error: 3 conflicts were skipped: source and target both changed since they last agreed
          help: run again with --overwrite to let the source win
          code: LG-4003; see `lockgate explain LG-4003`
        exit: 5
        ");
        insta::assert_snapshot!(printed(&Error::EntitiesFailed { failed: 1, blocked: 4, total: 120 }), @r"
        error: 1 of 120 entities failed, 4 more were blocked by them
          help: fix what the failures name and run again: only what is missing is sent
          code: LG-4001; see `lockgate explain LG-4001`
        exit: 1
        ");
        insta::assert_snapshot!(printed(&Error::Different { differences: 2, checked: 80 }), @r"
        error: 2 differences between source and target in 80 entities
          help: `lockgate sync` brings the target into agreement; add --overwrite where it was edited
          code: LG-4002; see `lockgate explain LG-4002`
        exit: 1
        ");
        insta::assert_snapshot!(printed(&Error::Internal("lane 2 panicked".to_owned())), @r"
        error: internal error: lane 2 panicked
          help: this is a bug of lockgate; please report it with the run folder, which holds no credentials
          code: LG-9001; see `lockgate explain LG-9001`
        exit: 70
        ");
    }

    #[test]
    fn errors_of_the_state_are_printed_with_next_step() {
        let place = || ".lockgate/state.db".to_owned();
        let create = StoreError::Create {
            path: ".lockgate".into(),
            source: Arc::new(io::Error::from(io::ErrorKind::PermissionDenied)),
        };
        insta::assert_snapshot!(printed(&create.into()), @r"
        error: the state cannot be kept in .lockgate
          caused by: permission denied
          help: make .lockgate writable, or name another place with --state
          code: LG-3001; see `lockgate explain LG-3001`
        exit: 4
        ");
        let newer = StoreError::Newer {
            place: place(),
            found: 9,
            known: 1,
        };
        insta::assert_snapshot!(printed(&newer.into()), @r"
        error: the state in .lockgate/state.db has schema version 9; this version supports up to 1
          help: update lockgate, or name another file with --state
          code: LG-3004; see `lockgate explain LG-3004`
        exit: 4
        ");
        insta::assert_snapshot!(printed(&StoreError::Full { place: place() }.into()), @r"
        error: no space is left for the state in .lockgate/state.db
          help: free some space and run again: it goes on where it stopped
          code: LG-3007; see `lockgate explain LG-3007`
        exit: 4
        ");
        insta::assert_snapshot!(printed(&StoreError::Locked { place: place() }.into()), @r"
        error: the state in .lockgate/state.db is locked by another process
          help: wait for the other process; `lockgate runs` lists what was started here
          code: LG-3006; see `lockgate explain LG-3006`
        exit: 4
        ");
        insta::assert_snapshot!(printed(&StoreError::Closed.into()), @r"
        error: the state has been closed
          code: LG-3013; see `lockgate explain LG-3013`
        exit: 70
        ");
    }

    #[test]
    fn a_reader_that_went_away_is_no_news() {
        assert!(Error::from(io::Error::from(io::ErrorKind::BrokenPipe)).is_broken_pipe());
        assert!(!Error::from(io::Error::from(io::ErrorKind::StorageFull)).is_broken_pipe());
    }
}
