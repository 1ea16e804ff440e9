//! A probe from its first test to its report.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::answers::{AT, Answer, Finding, Observed};
use super::clean::{Left, Things, clean};
use super::content::Content;
use super::known::rate_rows;
use super::names::Names;
use super::stage::{Made, Stage, Unanswered};
use super::{batches, limit, media, secret};
use crate::domain::{Guid, Kind, Locale, TargetId, time};
use crate::engine::lease::{Fence, Keeper};
use crate::engine::pull::Reader;
use crate::engine::run_error::RunError;
use crate::instance::{Effect, Target, Throwaway};
use crate::store::{Intent, LeaseOwner, Pair, Store, StoreError};

/// What stands for the source of a probe in the state: no instance has such a GUID.
pub const SOURCE: &str = "lockgate-probe";

/// How long questions are asked. Deleting comes on top.
const TIME: Duration = Duration::from_mins(1);

/// A probe of one target. The state has a record of its run.
#[derive(Debug)]
pub struct Probe<'a, T> {
    /// The target.
    pub target: &'a Arc<Reader<T>>,
    /// The same, for what no run asks.
    pub port: &'a dyn Throwaway,
    /// Keeps intents.
    pub store: &'a Store,
    /// The holder of the lease, with its run.
    pub owner: &'a LeaseOwner,
    /// How long the lease of a probe that died blocks others, at most.
    pub lease_ttl: Duration,
    /// How long a batch is waited for before its items are deleted.
    pub patience: Duration,
    /// Ends the questions; what was made is deleted all the same.
    pub stop: &'a CancellationToken,
}

/// What came of a probe.
#[derive(Debug, Default)]
pub struct ProbeReport {
    /// The questions in their order; empty where only things of earlier probes were deleted.
    pub findings: Vec<Finding>,
    /// Names of earlier probes whose things were deleted.
    pub removed: Vec<String>,
    /// Names of probes that may be under way, whose things were left alone.
    pub young: Vec<String>,
    /// What could not be deleted.
    pub left: Vec<Left>,
    /// What is kept for the host; empty after an interruption.
    pub rows: Vec<(String, f64)>,
}

impl<T: Target> Probe<'_, T> {
    /// Deletes what earlier probes left, asks, and deletes what it made. `known` is what the state keeps of the host.
    ///
    /// # Errors
    /// [`RunError`] when the lease is held or lost, and when the locales or the state cannot be read.
    pub async fn run(&self, known: &[(String, f64)]) -> Result<ProbeReport, RunError> {
        self.under_lease(async |fence: Fence| {
            let mut stage = self.stage(fence).await?;
            let mut report = self.clean_earlier(&stage, false).await?;
            let asked = self.ask(&mut stage, &mut report).await;
            let intents = self.open().await;
            let made = std::mem::take(&mut stage.made);
            let things = Things {
                names: &stage.names,
                intents: intents.as_deref().unwrap_or_default(),
                made: &made,
                // What is announced is not known.
                search_all: intents.is_err(),
            };
            report.left.extend(clean(&stage, &things).await?);
            asked?;
            if !self.stop.is_cancelled() {
                report.rows = rows(&report.findings, known);
            }
            Ok(report)
        })
        .await
    }

    /// Deletes what earlier probes left, also those that this state does not have.
    ///
    /// # Errors
    /// As of [`Probe::run`].
    pub async fn clean(&self) -> Result<ProbeReport, RunError> {
        self.under_lease(async |fence: Fence| {
            let stage = self.stage(fence).await?;
            self.clean_earlier(&stage, true).await
        })
        .await
    }

    fn pair(&self) -> Pair {
        Pair {
            source: Guid::new(SOURCE),
            target: self.target.guid.clone(),
        }
    }

    async fn under_lease<R>(
        &self,
        work: impl AsyncFnOnce(Fence) -> Result<R, RunError>,
    ) -> Result<R, RunError> {
        let (pair, owner) = (self.pair(), self.owner.clone());
        let keeper = Keeper::acquire(self.store, &pair, owner, self.lease_ttl).await?;
        let mut lost = keeper.lost();
        let done = {
            let working = Box::pin(work(keeper.fence()));
            let losing = async {
                let why = lost.wait_for(Option::is_some).await;
                why.ok().and_then(|why| why.clone())
            };
            // What is dropped was announced: another probe deletes it.
            tokio::select! {
                done = working => done,
                Some(why) = losing => Err(why.into()),
            }
        };
        keeper.release().await;
        done
    }

    async fn stage(&self, fence: Fence) -> Result<Stage<'_, T>, RunError> {
        let locales = self.target.locales().await?;
        let locale = locales.into_iter().next();
        Ok(Stage {
            target: self.target,
            port: self.port,
            store: self.store,
            pair: self.pair(),
            run: self.owner.run.clone(),
            fence,
            stop: self.stop.clone(),
            until: Instant::now() + TIME,
            patience: self.patience,
            locale: locale.unwrap_or_else(|| Locale::new("en-us")),
            names: Names::of(&self.owner.run),
            intents: 0,
            things: 0,
            made: Made::default(),
        })
    }

    /// What this probe has announced and not deleted.
    async fn open(&self) -> Result<Vec<Intent>, StoreError> {
        let all = self.store.open_intents(&self.pair()).await?;
        let own = |intent: &Intent| intent.run == self.owner.run;
        Ok(all.into_iter().filter(own).collect())
    }

    /// Deletes what probes announced that are over. With `search`, also what has the name of any probe.
    async fn clean_earlier(
        &self,
        stage: &Stage<'_, T>,
        search: bool,
    ) -> Result<ProbeReport, RunError> {
        let mut report = ProbeReport::default();
        let mut earlier: BTreeMap<Names, Vec<Intent>> = BTreeMap::new();
        for intent in self.store.open_intents(&self.pair()).await? {
            let names = Names::of(&intent.run);
            earlier.entry(names).or_default().push(intent);
        }
        let found = if search {
            self.search().await?
        } else {
            BTreeSet::new()
        };
        for names in found {
            let is_announced = earlier.contains_key(&names);
            if !is_announced && names.is_young(time::now()) {
                report.young.push(names.name().to_owned());
            } else {
                earlier.entry(names).or_default();
            }
        }
        for (names, intents) in &earlier {
            let things = Things {
                names,
                intents,
                made: &Made::default(),
                search_all: search,
            };
            let left = clean(stage, &things).await?;
            if left.is_empty() {
                report.removed.push(names.name().to_owned());
            }
            report.left.extend(left);
        }
        Ok(report)
    }

    /// The names of all probes of which the target has something.
    async fn search(&self) -> Result<BTreeSet<Names>, RunError> {
        let kinds = [Kind::Model, Kind::Container, Kind::Asset];
        let inventory = self.target.pull_kinds::<TargetId>(&[], &kinds).await?;
        let names = inventory.entities().iter().map(|entity| &*entity.name);
        let rows = inventory.passed.iter().map(|row| &*row.name);
        let mut found: BTreeSet<Names> = names.chain(rows).filter_map(Names::of_thing).collect();
        let read = || self.port.webhooks();
        // A token without rights on webhooks has made none.
        if let Ok(all) = self.target.sender().send(Effect::Read, read).await {
            found.extend(
                all.iter()
                    .filter_map(|webhook| Names::of_thing(&webhook.name)),
            );
        }
        Ok(found)
    }

    /// Asks all questions, whatever becomes of each.
    async fn ask(
        &self,
        stage: &mut Stage<'_, T>,
        report: &mut ProbeReport,
    ) -> Result<(), StoreError> {
        let findings = &mut report.findings;
        let content = match Content::make(stage).await {
            Ok(content) => Ok(content),
            Err(Unanswered::Store(error)) => return Err(error),
            Err(Unanswered::Because(why)) => Err(why),
        };
        let content = content.as_ref();
        findings.push(of_content(content, Content::alone));
        findings.push(of_content(content, Content::with_value));
        findings.push(of_content(content, Content::picked));
        findings.push(of_content(content, Content::order));
        findings.push(of_content(content, Content::ids));
        findings.push(of_content(content, Content::time_of_one));
        findings.push(of_content(content, Content::time_of_many));
        let batches = match content {
            Ok(content) => batches::ask(stage, content).await,
            Err(why) => Err(Unanswered::Because(why.clone())),
        };
        findings.push(finding(batches)?);
        findings.push(finding(media::ask(stage).await)?);
        findings.push(finding(secret::ask(stage).await)?);
        findings.push(finding(limit::ask(stage).await)?);
        let stated = self.port.limit_headers();
        findings.push(Finding::of(limit::headers(&stated)));
        Ok(())
    }
}

fn finding<A: Answer>(asked: Result<Observed<A>, Unanswered>) -> Result<Finding, StoreError> {
    match asked {
        Ok(observed) => Ok(Finding::of(observed)),
        Err(Unanswered::Store(error)) => Err(error),
        Err(Unanswered::Because(why)) => Ok(Finding::of(Observed::<A>::nothing(why))),
    }
}

/// What `see` makes of the items, or why there are none.
fn of_content<A: Answer>(
    content: Result<&Content, &String>,
    see: impl Fn(&Content) -> Observed<A>,
) -> Finding {
    Finding::of(content.map_or_else(Observed::nothing, see))
}

/// What is kept for the host: when the probe was, its answers, and the rate that the next run starts with.
fn rows(findings: &[Finding], known: &[(String, f64)]) -> Vec<(String, f64)> {
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970")]
    let at = time::now().as_second() as f64;
    let answers = findings.iter().map(Finding::row);
    let rates = rate_rows(findings, known);
    std::iter::once((AT.to_owned(), at))
        .chain(answers)
        .chain(rates)
        .collect()
}
