//! The result of a run as JUnit XML, which CI systems show as tests: a suite for each kind, a case for each entity.
//!
//! There is no standard; this keeps to what Jenkins, GitLab and GitHub's actions read: `testsuites`, `testsuite` with
//! counts, `testcase` with `failure` or `skipped`. An entity that was blocked or left out is skipped; one that could not be
//! published and one that differs from the source have a case of their own that failed.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use super::advice::advice;
use super::text::clean;
use super::{Reporter, WhenFailing};
use crate::domain::{EntityKey, FailureCause, Outcome};
use crate::event::{Event, Stamped};
use crate::progress::Progress;

/// The cases of a suite.
#[derive(Debug, Default)]
struct Suite {
    cases: String,
    tests: u32,
    failures: u32,
    skipped: u32,
}

/// Collects a case for each entity, and writes the file when the run is over.
#[derive(Debug)]
pub(crate) struct Junit {
    path: PathBuf,
    suites: BTreeMap<&'static str, Suite>,
}

/// How a case went.
enum Went {
    Well,
    Wrong { kind: String, why: String },
    Skipped { why: String },
}

impl Junit {
    /// Writes to this file; its directory is there already.
    pub(crate) const fn new(path: PathBuf) -> Self {
        Self {
            path,
            suites: BTreeMap::new(),
        }
    }

    fn add(&mut self, suite: &'static str, (key, name): (&EntityKey, &str), went: Went) {
        let suite = self.suites.entry(suite).or_default();
        suite.tests += 1;
        let case = format!(
            "    <testcase classname=\"{}\" name=\"{} {}\"",
            key.kind.name(),
            key,
            safe(name)
        );
        let text = match went {
            Went::Well => format!("{case}/>\n"),
            Went::Wrong { kind, why } => {
                suite.failures += 1;
                let (kind, why) = (safe(&kind), safe(&why));
                format!("{case}><failure type=\"{kind}\" message=\"{why}\"/></testcase>\n")
            }
            Went::Skipped { why } => {
                suite.skipped += 1;
                format!("{case}><skipped message=\"{}\"/></testcase>\n", safe(&why))
            }
        };
        suite.cases += &text;
    }

    fn settled(&mut self, event: &Event) {
        let Event::EntitySettled {
            key,
            name,
            outcome,
            cause,
            status,
            because,
            ..
        } = event
        else {
            return;
        };
        let skipped = || Went::Skipped {
            why: format!("{outcome}: {because}"),
        };
        let went = match outcome {
            Outcome::Failed { reason } => {
                let (failure, status) = (cause.unwrap_or_default(), *status);
                Went::Wrong {
                    kind: advice(FailureCause { failure, status }).code.to_owned(),
                    why: reason.clone(),
                }
            }
            Outcome::Blocked { by } => Went::Skipped {
                why: format!("blocked by {by}"),
            },
            Outcome::Conflict | Outcome::LeftAlone | Outcome::OutOfScope | Outcome::Kept { .. } => {
                skipped()
            }
            Outcome::Created
            | Outcome::Adopted
            | Outcome::Updated
            | Outcome::Unchanged
            | Outcome::Deleted
            | Outcome::Restored => Went::Well,
        };
        self.add(key.kind.plural(), (key, name), went);
    }

    fn text(&self, progress: &Progress) -> String {
        let took = progress.elapsed(progress.last_at_ms()).as_secs_f64();
        let sum = |of: fn(&Suite) -> u32| self.suites.values().map(of).sum::<u32>();
        let (tests, failures) = (sum(|suite| suite.tests), sum(|suite| suite.failures));
        let mut text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <testsuites name=\"lockgate\" tests=\"{tests}\" failures=\"{failures}\" time=\"{took:.3}\">\n"
        );
        for (name, suite) in &self.suites {
            append!(
                text,
                "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\">\n{}  </testsuite>\n",
                suite.tests,
                suite.failures,
                suite.skipped,
                suite.cases
            );
        }
        text + "</testsuites>\n"
    }
}

/// Foreign text in an attribute: nothing in it ends the attribute, and nothing is there that XML does not allow.
fn safe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in clean(text).chars() {
        match char {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            char => safe.push(char),
        }
    }
    safe
}

impl Reporter for Junit {
    fn name(&self) -> &'static str {
        "JUnit file"
    }

    fn event(&mut self, event: &Stamped, _: &Progress) -> io::Result<()> {
        match &event.event {
            Event::EntitySettled { .. } => self.settled(&event.event),
            Event::PublishRefused {
                key, name, reason, ..
            } => {
                let went = Went::Wrong {
                    kind: super::UNPUBLISHED_CODE.to_owned(),
                    why: reason.clone(),
                };
                self.add("publishing", (key, name), went);
            }
            Event::DifferenceFound {
                key,
                difference,
                detail,
                left_alone: false,
            } => {
                let went = Went::Wrong {
                    kind: difference.clone(),
                    why: detail.clone(),
                };
                self.add("verification", (key, difference), went);
            }
            Event::EntitiesLeft { first, .. } => {
                for left in first {
                    let why = "the run ended before".to_owned();
                    self.add(
                        "not processed",
                        (&left.key, &left.name),
                        Went::Skipped { why },
                    );
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn tick(&mut self, _: &Progress, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self, progress: &Progress) -> io::Result<()> {
        std::fs::write(&self.path, self.text(progress))
    }

    fn when_failing(&self, _: &io::Error) -> WhenFailing {
        WhenFailing::Warn
    }
}
