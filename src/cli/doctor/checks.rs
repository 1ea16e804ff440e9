//! All checks, side by side.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _, join_all};

use super::finding::{Finding, Level};
use super::{instances, local};
use crate::config::{Config, Settings};
use crate::error::{Error, ExitStatus};
use crate::event::Side;
use crate::report;

use super::super::ends::{Endpoint as _, Ends, SourceEnd};

/// How long one check may take.
const LIMIT: Duration = Duration::from_secs(20);
/// When it is said for the first time what is still being checked, and between two such lines.
const PATIENCE: Duration = Duration::from_secs(1);

/// A check and what becomes of it when it takes too long.
struct Check<'a> {
    name: &'static str,
    /// The instance that it asks; `None` of checks of this machine.
    side: Option<Side>,
    work: BoxFuture<'a, Vec<Finding>>,
}

/// Runs every check that there are settings for: of the first target all, of each other one those that are about it.
pub(super) async fn of_each(configs: &[Config], quiet: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, config) in configs.iter().enumerate() {
        let mut found = of_one(config, quiet, at == 0).await;
        if configs.len() > 1 {
            let label = config.target_label();
            for one in &mut found {
                one.target.clone_from(&label);
            }
        }
        findings.extend(found);
    }
    findings
}

async fn of_one(config: &Config, quiet: bool, is_first: bool) -> Vec<Finding> {
    let settings = config.settings().map_err(Error::from);
    let ends = match &settings {
        Ok(settings) => Some(Ends::of(settings)),
        Err(_) => None,
    };
    let mut findings = local::configuration(config, &settings);
    findings.extend(settings.iter().flat_map(local::logins));
    findings.retain(|finding| is_first || finding.level != Level::Ok);
    let ready = match (&settings, &ends) {
        (Ok(settings), Some(Ok(ends))) => Some((settings, ends)),
        (_, Some(Err(error))) => {
            findings.push(Finding::of_error("connection", error));
            None
        }
        (_, _) => None,
    };
    let mut checks = ready.map_or_else(Vec::new, |(settings, ends)| of_instances(settings, ends));
    checks.extend(of_this_machine(config, settings.as_ref().ok()));
    let is_of_target =
        |check: &Check<'_>| check.side == Some(Side::Target) || check.name == "state";
    checks.retain(|check| is_first || is_of_target(check));
    findings.extend(side_by_side(checks, quiet).await);
    findings
}

fn check<'a>(
    name: &'static str,
    side: Option<Side>,
    work: impl Future<Output = Vec<Finding>> + Send + 'a,
) -> Check<'a> {
    let work = work.boxed();
    Check { name, side, work }
}

fn of_instances<'a>(settings: &'a Settings, ends: &'a Ends) -> Vec<Check<'a>> {
    let target = &ends.target;
    let mut checks = vec![
        check("source", Some(Side::Source), source(settings, &ends.source)),
        check(
            "target",
            Some(Side::Target),
            instances::access("target", target, &settings.target),
        ),
        check(
            "locales and channels",
            Some(Side::Target),
            instances::locales_and_channels(&ends.source, target, settings),
        ),
        check("webhooks", Some(Side::Target), instances::webhooks(target)),
    ];
    if let Some(source) = ends.source.instance() {
        let published = instances::published("source published", source);
        checks.push(check("source published", Some(Side::Source), published));
    }
    let published = instances::published("target published", target);
    checks.push(check("target published", Some(Side::Target), published));
    checks
}

/// Access to the source; a folder was checked when it was opened.
async fn source(settings: &Settings, end: &SourceEnd) -> Vec<Finding> {
    match (end.instance(), &settings.source_folder) {
        (Some(source), _) => instances::access("source", source, &settings.source).await,
        (None, folder) => {
            let folder = folder.as_deref().unwrap_or(Path::new("")).display();
            let guid = &settings.source.guid;
            let detail = format!("{guid} in {folder}; every file is as the pull wrote it");
            vec![Finding::ok("source", detail)]
        }
    }
}

fn of_this_machine<'a>(config: &'a Config, settings: Option<&'a Settings>) -> Vec<Check<'a>> {
    vec![
        check("state", None, local::state(config, settings)),
        check("kept files", None, local::blobs(config)),
        check("disk", None, async { local::disk(config) }),
        check("terminal", None, async { local::terminal(config) }),
    ]
}

/// Runs checks at the same time, and keeps their order.
async fn side_by_side(checks: Vec<Check<'_>>, quiet: bool) -> Vec<Finding> {
    let open: Mutex<BTreeMap<usize, &str>> =
        Mutex::new(checks.iter().map(|check| check.name).enumerate().collect());
    let open = &open;
    let running = checks
        .into_iter()
        .enumerate()
        .map(|(at, check)| async move {
            let found = tokio::time::timeout(LIMIT, check.work).await;
            let found = found.unwrap_or_else(|_| vec![late(check.name, check.side)]);
            open.lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .remove(&at);
            (check.side, found)
        });
    let saying = async {
        loop {
            tokio::time::sleep(PATIENCE).await;
            let names: Vec<&str> = {
                let open = open
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                open.values().copied().collect()
            };
            if !quiet {
                report::tell(&format!("checking: {}", names.join(", ")));
            }
        }
    };
    let found = tokio::select! {
        found = join_all(running) => found,
        () = saying => Vec::new(),
    };
    without_repetition(found)
}

fn late(name: &'static str, side: Option<Side>) -> Finding {
    let status = if side.is_some() {
        ExitStatus::Unreachable
    } else {
        ExitStatus::State
    };
    let detail = format!("no result within {} s", LIMIT.as_secs());
    Finding::error(
        name,
        status,
        detail,
        "run it again; if it stays so, look at the network and the disk",
    )
}

/// Leaves out errors that only repeat that an instance cannot be accessed, which has a line of its own.
fn without_repetition(found: Vec<(Option<Side>, Vec<Finding>)>) -> Vec<Finding> {
    let fails = |side: Side| {
        let mut of_side = found.iter().filter(|(of, _)| *of == Some(side));
        of_side
            .next()
            .is_some_and(|(_, first)| first.iter().any(Finding::is_error))
    };
    let (source, target) = (fails(Side::Source), fails(Side::Target));
    let mut left = Vec::new();
    for (_, findings) in found {
        let is_access = |finding: &Finding| ["source", "target"].contains(&finding.check);
        let of_instance = |finding: &Finding| instances::CHECKS.contains(&finding.check);
        left.extend(findings.into_iter().filter(|finding| {
            let is_repetition = of_instance(finding) && finding.is_error() && !is_access(finding);
            !(is_repetition && (source || target))
        }));
    }
    left
}
