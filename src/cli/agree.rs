//! Agreement before writing: bounds of the configuration first, then the user.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt as _};
use tokio::sync::oneshot;

use super::overview::overview;
use super::together::{Seat, Together};
use crate::agility::{Place, place};
use crate::config::{Ask, OutputMode, Settings};
use crate::domain::time;
use crate::engine::{Decided, NotAgreed, Review, RunError};
use crate::plan::{Besides, Overview};
use crate::report;

/// Removed fields and conflicts that a question shows one by one.
const SHOWN: usize = 10;

/// What a run does about agreement.
#[derive(Debug)]
pub(super) struct Reviewer {
    settings: Settings,
    /// Whether the plan was agreed to already, or nothing real is written.
    is_agreed: bool,
    /// Its place among the runs that are asked about at once.
    seat: Seat,
}

impl Reviewer {
    pub(super) fn new(settings: &Settings, is_agreed: bool, together: &Arc<Together>) -> Self {
        let reviewer = Self {
            settings: settings.clone(),
            is_agreed,
            seat: together.seat(),
        };
        if !reviewer.may_ask() {
            reviewer.seat.leave();
        }
        reviewer
    }

    /// Whether there may be a question, for which the terminal has to be free.
    pub(super) fn may_ask(&self) -> bool {
        !self.is_agreed && self.asks_here() && has_terminal(&self.settings)
    }

    /// Whether runs into this target are asked about.
    fn asks_here(&self) -> bool {
        match self.settings.sync.ask {
            Ask::Always => true,
            Ask::Never => false,
            Ask::Auto => !is_on_this_machine(&self.settings),
        }
    }

    async fn look(&self, decided: &Decided) -> Result<(), RunError> {
        let way = self.way(decided);
        match way {
            Ok(Way::Ask) => {}
            Ok(Way::On) | Err(_) => self.seat.leave(),
        }
        match way.map_err(|error| *error)? {
            Way::On => Ok(()),
            Way::Ask => {
                let (target, lines) = (
                    self.settings.target.label().to_owned(),
                    summary(&overview(&self.settings, decided)),
                );
                if self.seat.agrees(target, lines, put).await {
                    return Ok(());
                }
                Err(RunError::Interrupted)
            }
        }
    }

    /// How the run continues with what was decided.
    fn way(&self, decided: &Decided) -> Result<Way, Box<RunError>> {
        if let Some(broken) = broken_gates(&self.settings, decided) {
            return Err(Box::new(broken));
        }
        if self.is_agreed || !self.asks_here() || !decided.has_work() {
            return Ok(Way::On);
        }
        let is_unknown = decided.mappings.iter().all(|row| row.evidence.is_some());
        let is_first = is_unknown && !decided.target.entities().is_empty();
        let has_terminal = has_terminal(&self.settings);
        way(self.settings.sync.ask, has_terminal, is_first).map_err(|no| Box::new(no.into()))
    }
}

impl Review for Reviewer {
    fn review<'a>(&'a self, decided: &'a Decided) -> BoxFuture<'a, Result<(), RunError>> {
        self.look(decided).boxed()
    }
}

/// The bounds that a plan breaks, as the error that ends its run; `None` where it keeps to all.
pub(super) fn broken_gates(settings: &Settings, decided: &Decided) -> Option<RunError> {
    let broken = settings.gates.broken(
        &decided.plan,
        Besides {
            publishes: !decided.published.is_empty() || !decided.withdrawn.is_empty(),
            prune: &decided.prune,
            target: &decided.target,
        },
        &decided.source,
        time::now(),
    );
    (!broken.is_empty()).then_some(RunError::Gates(broken))
}

/// How a run continues that has something to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    On,
    Ask,
}

/// Whether the user is asked. `is_first`: the state holds nothing of the pair and the target is not empty.
fn way(ask: Ask, has_terminal: bool, is_first: bool) -> Result<Way, NotAgreed> {
    match (ask, has_terminal) {
        (Ask::Auto | Ask::Always, true) => Ok(Way::Ask),
        (Ask::Always, false) => Err(NotAgreed::Asked),
        (Ask::Auto, false) if is_first => Err(NotAgreed::FirstRun),
        (Ask::Auto, false) | (Ask::Never, _) => Ok(Way::On),
    }
}

/// Whether a user reads the question and can answer it.
pub(super) fn has_terminal(settings: &Settings) -> bool {
    // A pipeline may have a terminal that no user looks at.
    let is_read = settings.output.mode != OutputMode::Json && settings.host_info.pipeline.is_none();
    is_read && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Whether the target is a server on this machine, such as a mock.
pub(super) fn is_on_this_machine(settings: &Settings) -> bool {
    let url = settings.target.url.as_deref().map(url::Url::parse);
    matches!(url, Some(Ok(url)) if place(&url) == Place::Loopback)
}

/// The plan in a few lines: what is asked about.
fn summary(overview: &Overview) -> Vec<String> {
    let mut lines = vec![format!(
        "plan for {} to {}:",
        overview.source, overview.target
    )];
    let facts = report::overview::facts(overview);
    lines.extend(facts.into_iter().map(|fact| format!("  {fact}")));
    let removed = overview.removed.iter().take(SHOWN);
    lines.extend(removed.map(|one| format!("  - {} {}: {}", one.key, one.name, one.what)));
    let more = overview.removed.len().saturating_sub(SHOWN);
    if more > 0 {
        lines.push(format!("  - and {more} more removals"));
    }
    let deleted = overview.deleted.iter().take(SHOWN);
    lines.extend(deleted.map(|one| format!("  - delete {} {}", one.key, one.name)));
    let more = overview.deleted.len().saturating_sub(SHOWN);
    if more > 0 {
        lines.push(format!("  - and {more} more deletions"));
    }
    lines.push("  `lockgate plan` shows every change".to_owned());
    lines
}

/// Puts the question for all runs, and says once that nothing was written.
fn put(question: String) -> BoxFuture<'static, bool> {
    async {
        let agreed = asked(question).await;
        if !agreed {
            report::tell("nothing was written");
        }
        agreed
    }
    .boxed()
}

/// Asks on the terminal whether to continue. Anything but a yes is a no.
pub(super) async fn asked(question: String) -> bool {
    let (answer, answered) = oneshot::channel();
    // A thread of its own, because a line that is being read cannot be given up: it ends with the process at the latest.
    std::thread::spawn(move || {
        let mut stderr = std::io::stderr();
        drop(write!(stderr, "{question}").and_then(|()| stderr.flush()));
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line);
        let yes = read.is_ok() && ["y", "yes"].contains(&line.trim().to_lowercase().as_str());
        // The run may have been interrupted meanwhile.
        answer.send(yes).ok();
    });
    answered.await.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_only_a_first_run_into_something_is_refused() {
        use {Ask::*, NotAgreed as No, Way as On};
        for (ask, has_terminal, is_first, expected) in [
            (Auto, true, false, Ok(On::Ask)),
            (Auto, true, true, Ok(On::Ask)),
            (Auto, false, false, Ok(On::On)),
            (Auto, false, true, Err(No::FirstRun)),
            (Always, true, false, Ok(On::Ask)),
            (Always, false, false, Err(No::Asked)),
            (Never, true, true, Ok(On::On)),
            (Never, false, true, Ok(On::On)),
        ] {
            let found = way(ask, has_terminal, is_first);
            assert_eq!(found, expected, "{ask:?} {has_terminal} {is_first}");
        }
    }
}
