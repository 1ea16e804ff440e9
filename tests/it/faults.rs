//! Every fault that the mock can play, at up to every fifth request: the run ends, what can arrive arrives once, and
//! what cannot is named with its reason.
//!
//! Each test is one kind of fault under several conditions, with the seed of its chance in its name. The order of requests is
//! not the same in every run, so neither are the requests that are struck: what is asserted holds for all of them.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use lockgate::domain::Outcome;
use lockgate::engine::{End, StopCause};
use lockgate::mock::file::{InstanceFile, Row, StateFile};
use lockgate::mock::generate::{Shape, generate};
use lockgate::mock::{self, Fault, RateChange, Server};

use crate::support::{Ran, SOURCE, Setup, TARGET, empty_target, serve_with};

/// The longest that a run may take; a healthy one takes a few seconds.
const PATIENCE: Duration = Duration::from_secs(50);

/// What is expected of a run.
enum Expected {
    /// Everything arrives.
    Clean,
    /// At least one entity fails, and each failure has one of these texts in its reason.
    Fails(&'static [&'static str]),
    /// Failures are possible, and each has one of these texts in its reason.
    MayFail(&'static [&'static str]),
    /// The run ends early, with this text in the chain of its error or as its one cause, and no entity fails.
    Ends(&'static str),
}

impl Expected {
    fn is_end(&self, error: &dyn Error) -> bool {
        let Self::Ends(part) = self else { return false };
        let mut link: Option<&dyn Error> = Some(error);
        while let Some(error) = link {
            if error.to_string().contains(part) {
                return true;
            }
            link = error.source();
        }
        false
    }
}

/// One run under faults.
struct Case {
    faults: Vec<Fault>,
    seed: u64,
    expected: Expected,
    adjust: fn(&mut Setup, &mut mock::Options),
}

impl Case {
    fn new(seed: u64, faults: &[&str]) -> Self {
        Self {
            faults: faults.iter().map(|text| text.parse().unwrap()).collect(),
            seed,
            expected: Expected::Clean,
            adjust: |_, _| {},
        }
    }

    fn expecting(mut self, expected: Expected) -> Self {
        self.expected = expected;
        self
    }

    fn with(mut self, adjust: fn(&mut Setup, &mut mock::Options)) -> Self {
        self.adjust = adjust;
        self
    }

    async fn holds(self) {
        let mut setup = Setup::new().await;
        setup.options.attempts = 10;
        setup.options.delay_max = Duration::from_secs(2);
        setup.options.settle = Duration::from_millis(200);
        setup.request_timeout = Duration::from_secs(5);
        let mut options = mock::Options {
            state: site(),
            seed: self.seed,
            faults: self.faults,
            ..mock::Options::default()
        };
        (self.adjust)(&mut setup, &mut options);
        let is_faulty = !options.faults.is_empty();
        let server = serve_with(options).await;
        let url = server.base_url();
        let ran = tokio::time::timeout(PATIENCE, setup.sync(&url)).await;
        let ran = ran.expect("the run hangs");
        let mut problems = problems(&ran, &server, &self.expected);
        if is_faulty && server.struck() == 0 {
            problems.push("no fault struck".to_owned());
        }
        server.stop().await;
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    }
}

/// A generated site and an empty target.
fn site() -> StateFile {
    let mut state = generate(&Shape::new(300, 7));
    let target = empty_target(&state.instances[0].locales);
    state.instances.push(target);
    state
}

/// Everything that is not as it should be, one line each.
fn problems(ran: &Ran, server: &Server, expected: &Expected) -> Vec<String> {
    let report = match &ran.report {
        Ok(report) => report,
        Err(error) if expected.is_end(error) => {
            return duplicates(&server.state(), false);
        }
        Err(error) => return vec![format!("the run ended early: {error:?}")],
    };
    let reasons: Vec<(String, String)> = ran
        .outcomes()
        .into_iter()
        .filter_map(|(key, outcome)| match outcome {
            Outcome::Failed { reason } => Some((key.to_string(), reason)),
            _ => None,
        })
        .collect();
    let (allowed, must_fail): (&[&str], bool) = match expected {
        Expected::Clean => (&[], false),
        Expected::Fails(allowed) => (allowed, true),
        Expected::MayFail(allowed) => (allowed, false),
        Expected::Ends(part) => {
            let ended = match &report.end {
                End::Stopped(StopCause::Outage(outage)) => outage.error.to_string().contains(part),
                _ => false,
            };
            let mut problems = duplicates(&server.state(), false);
            if !ended || !reasons.is_empty() {
                problems.push(format!("{:?}, {reasons:?}", report.end));
            }
            return problems;
        }
    };
    let mut problems = Vec::new();
    for (key, reason) in &reasons {
        if !allowed.iter().any(|part| reason.contains(part)) {
            problems.push(format!("{key} failed: {reason}"));
        }
    }
    if must_fail && reasons.is_empty() {
        problems.push("nothing failed".to_owned());
    }
    if !report.end.is_complete() {
        problems.push(format!("it ended before its time: {:?}", report.end));
    }
    let found = report.differences.iter().flatten();
    problems.extend(found.map(|found| {
        let (key, name, detail) = (&found.key, found.difference.name(), &found.detail);
        format!("{key} {name}: {detail}")
    }));
    problems.extend(duplicates(&server.state(), reasons.is_empty()));
    problems
}

/// Groups of equal names that have more members on the target than on the source, or, where everything
/// arrived, another number of them.
fn duplicates(state: &StateFile, is_complete: bool) -> Vec<String> {
    let of = |guid: &str| {
        let found = state.instances.iter().find(|file| file.guid == guid);
        groups(found.unwrap())
    };
    let (source, target) = (of(SOURCE), of(TARGET));
    let mut problems = Vec::new();
    for (group, count) in &target {
        let there = source.get(group).copied().unwrap_or(0);
        if *count > there {
            problems.push(format!(
                "{group}: {count} on the target, {there} on the source"
            ));
        }
    }
    for (group, count) in source.iter().filter(|_| is_complete) {
        let there = target.get(group).copied().unwrap_or(0);
        if there < *count {
            problems.push(format!(
                "{group}: {there} on the target, {count} on the source"
            ));
        }
    }
    problems
}

/// How many rows there are of each kind and name; content items count by container and locale, pages by name and locale.
fn groups(file: &InstanceFile) -> BTreeMap<String, usize> {
    let text = |row: &Row, member: &str| {
        let value = row.get(member).map(ToString::to_string);
        value.unwrap_or_default().to_lowercase()
    };
    let content = |row: &Row| {
        let properties = row["properties"].as_object().unwrap();
        format!(
            "{} {}",
            text(properties, "referenceName"),
            text(row, "locale")
        )
    };
    let named = |member: &'static str| move |row: &Row| text(row, member);
    // Folders of assets are made by the uploads into them.
    let counts = |row: &&Row| {
        ["isDeleted", "isFolder"]
            .iter()
            .all(|flag| row.get(*flag) != Some(&true.into()))
    };
    let mut groups = BTreeMap::new();
    let mut add = |kind: &str, rows: &[Row], name: &dyn Fn(&Row) -> String| {
        for row in rows.iter().filter(counts) {
            *groups.entry(format!("{kind} {}", name(row))).or_insert(0) += 1;
        }
    };
    add("model", &file.models, &named("referenceName"));
    add("container", &file.containers, &named("referenceName"));
    add("template", &file.templates, &named("pageTemplateName"));
    add("gallery", &file.galleries, &named("name"));
    add("asset", &file.assets, &named("originKey"));
    add("content", &file.content, &content);
    add("page", &file.pages, &|row| {
        format!("{} {}", text(row, "name"), text(row, "locale"))
    });
    add("redirection", &file.redirections, &named("originUrl"));
    groups
}

#[tokio::test]
async fn without_faults_it_is_clean() {
    Case::new(0, &[]).holds().await;
}

#[tokio::test]
async fn errors_before_the_effect_seed_11() {
    for fault in [
        "status=500",
        "status=502",
        "status=503,retry-after=0",
        "html",
    ] {
        Case::new(11, &[&format!("{fault},rate=0.2")]).holds().await;
    }
}

#[tokio::test]
async fn errors_after_the_effect_seed_12() {
    for fault in ["status-after=500", "status-after=502", "status-after=503"] {
        Case::new(12, &[&format!("{fault},rate=0.2")]).holds().await;
    }
}

#[tokio::test]
async fn broken_connections_seed_13() {
    for fault in ["reset=before", "reset=during", "reset=after"] {
        Case::new(13, &[&format!("{fault},rate=0.2")]).holds().await;
    }
}

#[tokio::test]
async fn connections_that_are_refused_seed_31() {
    Case::new(31, &["refuse=60,rate=0.03,count=6"])
        .with(|setup, _| setup.options.attempts = 8)
        .holds()
        .await;
}

#[tokio::test]
async fn broken_and_slow_answers_seed_14() {
    for fault in ["truncated-json", "slow-body=40"] {
        Case::new(14, &[&format!("{fault},rate=0.2")]).holds().await;
    }
}

#[tokio::test]
async fn requests_that_hang_seed_15() {
    Case::new(15, &["hang,rate=0.1,count=12"])
        .with(|setup, _| setup.request_timeout = Duration::from_millis(700))
        .holds()
        .await;
}

#[tokio::test]
async fn refusals_for_the_rate_seed_16() {
    Case::new(16, &["status=429,retry-after=0,rate=0.2"])
        .holds()
        .await;
    Case::new(
        16,
        &[
            "status=429,rate=0.2,count=3",
            "status=429,retry-after=1,rate=0.2,count=3",
        ],
    )
    .holds()
    .await;
}

#[tokio::test]
async fn a_rate_that_drops_seed_17() {
    Case::new(17, &[])
        .with(|_, server| {
            server.rate_limit = Some(80);
            server.rate_limit_changes.push(RateChange {
                after: Duration::from_secs(2),
                per_second: 40,
            });
        })
        .holds()
        .await;
}

#[tokio::test]
async fn batches_that_fail_or_lose_results_seed_18() {
    for fault in ["drop-result", "reorder-results"] {
        Case::new(18, &[&format!("{fault},path=item/multi,rate=0.2")])
            .holds()
            .await;
    }
    // One that fails alone is not tried again: it is taken for the cause.
    Case::new(18, &["fail-batch,path=item/multi,rate=0.2"])
        .expecting(Expected::MayFail(&["Batch aborted"]))
        .holds()
        .await;
}

#[tokio::test]
async fn batches_that_never_end_seed_19() {
    let soon = |setup: &mut Setup, _: &mut mock::Options| {
        setup.options.batch_timeout = Duration::from_millis(800);
    };
    Case::new(19, &["stick-batch=after,method=POST,rate=0.2"])
        .with(soon)
        .holds()
        .await;
    Case::new(19, &["stick-batch=before,path=item/multi,nth=3"])
        .with(soon)
        .expecting(Expected::Fails(&["did not end"]))
        .holds()
        .await;
}

#[tokio::test]
async fn lists_that_lag_behind_seed_20() {
    Case::new(
        20,
        &[
            "stale-list,path=/list/,rate=0.2",
            "reset=after,path=item/multi,rate=0.2",
        ],
    )
    .with(|setup, _| setup.options.settle = Duration::from_secs(3))
    .holds()
    .await;
}

#[tokio::test]
async fn a_token_that_expires_seed_21() {
    Case::new(21, &["status=401,path=item/multi,from=3"])
        .expecting(Expected::Ends("HTTP 401"))
        .holds()
        .await;
    Case::new(21, &["status=401,path=/5e6f7a8b-u/,from=120"])
        .expecting(Expected::Ends("HTTP 401"))
        .holds()
        .await;
}

#[tokio::test]
async fn files_that_are_cut_short_or_gone_seed_22() {
    Case::new(22, &["reset=during,path=/origin/,rate=0.2"])
        .holds()
        .await;
    Case::new(22, &["short-file,path=/origin/files-1a2b3c4d-u/,every=5"])
        .expecting(Expected::Fails(&["bytes"]))
        .holds()
        .await;
    Case::new(22, &["status=404,path=/origin/files-1a2b3c4d-u/,every=5"])
        .expecting(Expected::Fails(&["HTTP 404"]))
        .holds()
        .await;
}

#[tokio::test]
async fn everything_at_once_seed_23() {
    Case::new(
        23,
        &[
            "status=503,rate=0.03",
            "status-after=500,rate=0.03",
            "reset=before,rate=0.03",
            "reset=after,rate=0.03",
            "truncated-json,rate=0.03",
            "slow-body=30,rate=0.03",
        ],
    )
    .holds()
    .await;
}
