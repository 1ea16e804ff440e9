//! What programs read of a run fits its published schema, however the run ended.

use std::path::Path;

use boon::{Compiler, SchemaIndex, Schemas};
use lockgate::mock;
use serde_json::Value;

use crate::binary::{Workspace, end_of, lines_of_json};
use crate::support::{fixture, instances, serve, serve_with};

/// The schemas in `docs/schema`.
struct Published {
    schemas: Schemas,
    event: SchemaIndex,
    summary: SchemaIndex,
}

/// Lets objects have the members only that the schema names.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.values_mut().for_each(close);
            if members.get("type") == Some(&"object".into()) && members.contains_key("properties") {
                members
                    .entry("additionalProperties")
                    .or_insert(Value::Bool(false));
            }
        }
        Value::Array(all) => all.iter_mut().for_each(close),
        _ => {}
    }
}

/// The schema forbade what its text allows: a member of a later version.
#[test]
fn a_reader_takes_members_that_it_does_not_know() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema");
    let text = std::fs::read(folder.join("event.schema.json")).unwrap();
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    let schema = serde_json::from_slice(&text).unwrap();
    compiler.add_resource("event", schema).unwrap();
    let event = compiler.compile("event", &mut schemas).unwrap();
    let later = serde_json::json!({"at_ms": 1, "type": "paused", "by": "a later version"});
    assert!(schemas.validate(&later, event).is_ok());
    let wrong = serde_json::json!({"at_ms": "1", "type": "paused"});
    assert!(schemas.validate(&wrong, event).is_err());
}

impl Published {
    fn read() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema");
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        let mut compile = |name: &str| {
            let text = std::fs::read(folder.join(name)).unwrap();
            let mut schema = serde_json::from_slice(&text).unwrap();
            // A reader takes what it does not know; what is written has to be documented all the same.
            close(&mut schema);
            compiler.add_resource(name, schema).unwrap();
            compiler.compile(name, &mut schemas).unwrap()
        };
        let (event, summary) = (compile("event.schema.json"), compile("summary.schema.json"));
        Self {
            schemas,
            event,
            summary,
        }
    }

    fn check(&self, value: &Value, schema: SchemaIndex) {
        let checked = self.schemas.validate(value, schema);
        let wrong = checked.err().map(|error| format!("{value}\n{error:#}"));
        assert_eq!(wrong, None);
    }

    /// Checks every file of a run, and gives its events and its summary.
    fn check_run(&self, folder: &Path) -> (Vec<Value>, Value) {
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let events = lines_of_json(&read("events.ndjson"));
        for event in &events {
            self.check(event, self.event);
        }
        for lane in [
            "lane-1-independent-entities",
            "lane-2-batched-content",
            "lane-3-complex-entities",
        ] {
            let own = lines_of_json(&read(&format!("{lane}.ndjson")));
            assert_eq!(own[0]["type"], "run-started");
            for event in &own {
                assert!(
                    events.contains(event),
                    "{lane} has an event of its own: {event}"
                );
            }
        }
        let summary = serde_json::from_str(&read("summary.json")).unwrap();
        self.check(&summary, self.summary);
        assert!(summary["commits"].as_u64().is_some());
        (events, summary)
    }
}

fn has_plan(folder: &Path) -> bool {
    let files = ["plan.json", "graph.json"];
    let whole = |name: &&str| {
        let text = std::fs::read(folder.join(name)).ok();
        text.is_some_and(|text| serde_json::from_slice::<Value>(&text).is_ok())
    };
    files.iter().all(whole)
}

#[tokio::test]
async fn a_run_in_which_everything_crosses_fits() {
    let workspace = Workspace::new();
    let ended = end_of(workspace.command(["demo", "--quiet"])).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let folder = workspace.run_folder();
    let (events, summary) = Published::read().check_run(&folder);
    assert!(summary["error"].is_null());
    assert!(summary["commits"].as_u64().unwrap() > 0);
    let level = events.iter().filter_map(|event| event["gate"].as_str());
    assert!(
        level
            .into_iter()
            .any(|gate| gate == "content-level-0-complete")
    );
}

#[tokio::test]
async fn a_run_with_failures_fits_and_tells_their_kind() {
    let server = serve(instances(&fixture("failed-parent"))).await;
    let workspace = Workspace::new();
    let ended = end_of(workspace.sync(&server, &[])).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let folder = workspace.run_folder();
    let (events, summary) = Published::read().check_run(&folder);
    let failed = |event: &&Value| event["outcome"] == "failed";
    let failed: Vec<_> = events.iter().filter(failed).collect();
    assert!(!failed.is_empty());
    assert!(
        failed.iter().all(|event| event["cause"] == "refused"),
        "{failed:?}"
    );
    assert_eq!(summary["failures"][0]["code"], "LG-5009");
    assert!(has_plan(&folder));
    server.stop().await;
}

/// A cause is the code and the status of the response, whatever the server says of each entity.
#[tokio::test]
async fn a_refusal_has_its_status_and_one_cause() {
    let server = serve_with(mock::Options {
        state: instances(&fixture("many-redirections")),
        faults: vec![
            "status=422,method=POST,path=5e6f7a8b-u/url-redirections"
                .parse()
                .unwrap(),
        ],
        ..mock::Options::default()
    })
    .await;
    let workspace = Workspace::new();
    let ended = end_of(workspace.sync(&server, &[])).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let (events, summary) = Published::read().check_run(&workspace.run_folder());
    let failed = events.iter().filter(|event| event["outcome"] == "failed");
    let statuses: Vec<_> = failed.map(|event| &event["status"]).collect();
    assert!(statuses.len() > 1, "{summary}");
    assert!(
        statuses.iter().all(|status| **status == 422),
        "{statuses:?}"
    );
    let causes = summary["failures"].as_array().unwrap();
    assert_eq!(causes.len(), 1, "{causes:?}");
    assert_eq!(causes[0]["status"], 422);
    server.stop().await;
}

#[tokio::test]
async fn a_cycle_that_stays_closed_has_its_own_code() {
    let server = serve(instances(&fixture("cycle-required"))).await;
    let workspace = Workspace::new();
    end_of(workspace.sync(&server, &[])).await;
    let (_, summary) = Published::read().check_run(&workspace.run_folder());
    assert_eq!(summary["failures"][0]["code"], "LG-5007", "{summary}");
    server.stop().await;
}

#[tokio::test]
async fn a_run_without_a_plan_fits_and_says_why() {
    let server = serve_with(mock::Options {
        state: instances(&fixture("failed-parent")),
        faults: vec!["status=500,path=1a2b3c4d-u/container/list".parse().unwrap()],
        ..mock::Options::default()
    })
    .await;
    let workspace = Workspace::new();
    let ended = end_of(workspace.sync(&server, &[])).await;
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    let folder = workspace.run_folder();
    let (_, summary) = Published::read().check_run(&folder);
    let error = &summary["error"];
    let code = error["code"].as_str().unwrap();
    assert!(ended.stderr.contains(code), "{code}: {}", ended.stderr);
    for message in error["messages"].as_array().unwrap() {
        assert!(
            ended.stderr.contains(message.as_str().unwrap()),
            "{message}"
        );
    }
    assert!(!folder.join("plan.json").exists());
    server.stop().await;
}

#[tokio::test]
async fn a_run_that_breaks_off_after_planning_keeps_its_plan() {
    let server = serve_with(mock::Options {
        state: instances(&fixture("failed-parent")),
        // The list of galleries is read once before the plan and once by the verification.
        faults: vec![
            "status=401,path=5e6f7a8b-u/asset/galleries,from=2"
                .parse()
                .unwrap(),
        ],
        ..mock::Options::default()
    })
    .await;
    let workspace = Workspace::new();
    let ended = end_of(workspace.sync(&server, &[])).await;
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    let folder = workspace.run_folder();
    let (_, summary) = Published::read().check_run(&folder);
    assert!(summary["entities"]["total"].as_u64().unwrap() > 0);
    let code = summary["error"]["code"].as_str().unwrap();
    assert!(ended.stderr.contains(code), "{code}: {}", ended.stderr);
    assert!(has_plan(&folder));
    server.stop().await;
}
