//! Reasons for which a sign-in does not complete.

use std::io;
use std::time::Duration;

/// A sign-in that did not complete. Nothing was kept.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The server, or the user on its page, refused.
    #[error("sign-in at {host} was denied: {reason:?}")]
    Denied {
        /// Host and port.
        host: String,
        /// What the server gives as the reason.
        reason: String,
    },
    /// The time is over.
    #[error("no sign-in at {host} within {} s", after.as_secs())]
    TimedOut {
        /// Host and port.
        host: String,
        /// How long was waited.
        after: Duration,
        /// Whether the browser was to come back to this machine.
        comes_back: bool,
    },
    /// The port for the way back cannot be used.
    #[error("cannot wait for the browser on port {port} of this machine")]
    Listen {
        /// The port; 0 stands for any.
        port: u16,
        /// The system's reason.
        source: io::Error,
    },
}

impl SignInError {
    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Denied { .. } => {
                "run it again and agree, or use a personal access token (LOCKGATE_TOKEN)"
            }
            Self::TimedOut {
                comes_back: true, ..
            } => {
                "run it again; if the browser is on another machine, or its page ends in an error, use --no-browser"
            }
            Self::TimedOut {
                comes_back: false, ..
            } => "run it again, and raise --wait if that was too short",
            Self::Listen { .. } => "leave --port out to take any free port, or use --no-browser",
        }
    }
}
