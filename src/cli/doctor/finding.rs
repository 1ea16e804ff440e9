//! What a check found.

use serde::{Serialize, Serializer};

use crate::error::{Error, ExitStatus, told};

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) check: &'static str,
    /// The target that it is about, where several are checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) target: Option<String>,
    pub(super) level: Level,
    pub(super) detail: String,
    /// The next step; `None` where there is nothing to do.
    pub(super) next: Option<String>,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Ok,
    Warning,
    /// A run would end with this.
    Error(ExitStatus),
}

impl Level {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error(_) => "error",
        }
    }
}

impl Serialize for Level {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl Finding {
    pub(super) fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self {
            check,
            target: None,
            level: Level::Ok,
            detail: detail.into(),
            next: None,
        }
    }

    pub(super) fn warning(
        check: &'static str,
        detail: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self {
            check,
            target: None,
            level: Level::Warning,
            detail: detail.into(),
            next: Some(next.into()),
        }
    }

    pub(super) fn error(
        check: &'static str,
        status: ExitStatus,
        detail: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self {
            check,
            target: None,
            level: Level::Error(status),
            detail: detail.into(),
            next: Some(next.into()),
        }
    }

    /// What a command would end with.
    pub(super) fn of_error(check: &'static str, error: &Error) -> Self {
        let failure = told(error);
        let explained = || format!("see `lockgate explain {}`", failure.code);
        Self {
            check,
            target: None,
            level: Level::Error(error.exit_code()),
            detail: failure.messages.join(": "),
            next: Some(failure.hint.unwrap_or_else(explained)),
        }
    }

    pub(super) const fn is_error(&self) -> bool {
        matches!(self.level, Level::Error(_))
    }
}
