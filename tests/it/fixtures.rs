//! Every fixture, under both schedules, ends as its expectation says.

use std::collections::BTreeMap;
use std::path::Path;

use lockgate::domain::{EntityKey, Outcome};
use lockgate::engine::Schedule;
use serde_json::Value;

use crate::support::{Ran, Setup, TARGET, fixture, instances, serve};

/// The folders in `fixtures/`.
pub(crate) fn all() -> Vec<String> {
    let entries = std::fs::read_dir(fixture("")).unwrap().map(Result::unwrap);
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().join("case.json").exists())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    names
}

/// What is expected of a fixture.
pub(crate) fn case(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("case.json")).unwrap()).unwrap()
}

/// Where the outcomes differ from what is expected, one line each.
fn mistakes(case: &Value, outcomes: &BTreeMap<EntityKey, Outcome>) -> Vec<String> {
    let expected = case["outcomes"].as_object().unwrap();
    let mut mistakes = Vec::new();
    for (key, outcome) in outcomes {
        let wanted = expected
            .get(&key.to_string())
            .or_else(|| expected.get(&format!("{}:*", key.kind)));
        let name = wanted.and_then(|wanted| wanted.as_str().or_else(|| wanted["outcome"].as_str()));
        let mut fits = name == Some(outcome.name());
        if let (Outcome::Failed { reason }, Some(part)) =
            (outcome, wanted.and_then(|wanted| wanted["reason"].as_str()))
        {
            fits &= reason.contains(part);
        }
        if let (Outcome::Blocked { by }, Some(cause)) =
            (outcome, wanted.and_then(|wanted| wanted["by"].as_str()))
        {
            fits &= by.to_string() == cause;
        }
        if !fits {
            mistakes.push(format!("{key}: expected {wanted:?}, was {outcome:?}"));
        }
    }
    for key in expected.keys().filter(|key| !key.ends_with('*')) {
        if !outcomes.contains_key(&key.parse::<EntityKey>().unwrap()) {
            mistakes.push(format!("{key}: has no outcome"));
        }
    }
    mistakes
}

fn differences(ran: &Ran) -> Vec<String> {
    let Ok(report) = &ran.report else {
        return vec![format!("{:?}", ran.report)];
    };
    let found = report.differences.iter().flatten();
    found
        .map(|found| {
            format!(
                "{} {}: {}",
                found.key,
                found.difference.name(),
                found.detail
            )
        })
        .collect()
}

async fn crosses(name: &str, schedule: Schedule) -> Vec<String> {
    let folder = fixture(name);
    let case = case(&folder);
    let server = serve(instances(&folder)).await;
    let mut setup = Setup::new().await;
    setup.options.schedule = schedule;
    setup.overwrite = case["args"]
        .as_array()
        .is_some_and(|args| args.iter().any(|arg| arg == "--overwrite"));
    let ran = setup.sync(&server.base_url()).await;
    let mut problems = mistakes(&case, &ran.outcomes());
    problems.extend(differences(&ran));
    if problems.is_empty() && case["exit"] == 0 {
        let before = server.writes(TARGET).len();
        let again = setup.sync(&server.base_url()).await;
        let writes = server.writes(TARGET);
        for write in &writes[before..] {
            problems.push(format!(
                "the second run wrote: {} {}",
                write.method, write.path
            ));
        }
        for (key, outcome) in again
            .outcomes()
            .iter()
            .filter(|(_, outcome)| **outcome != Outcome::Unchanged)
        {
            problems.push(format!("the second run: {key} is {outcome:?}"));
        }
        problems.extend(differences(&again));
    }
    server.stop().await;
    problems
}

async fn all_cross(schedule: Schedule) {
    let mut problems = Vec::new();
    for name in all() {
        for problem in crosses(&name, schedule).await {
            problems.push(format!("{name}: {problem}"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[tokio::test]
async fn every_fixture_ends_as_expected_pipelined() {
    all_cross(Schedule::Pipelined).await;
}

#[tokio::test]
async fn every_fixture_ends_as_expected_phased() {
    all_cross(Schedule::Phased).await;
}
