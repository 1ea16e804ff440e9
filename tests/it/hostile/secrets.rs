//! Servers that repeat the token, in every form and in every place where words of a server are read.

use std::sync::atomic::{AtomicUsize, Ordering};

use lockgate::config::KEYS;
use lockgate::mock::{self, Server};
use serde_json::{Value, json};

use super::forms::{forms, traces};
use super::proxy::{Answer, Asked, Proxy};
use crate::binary::{Ended, Workspace, end_of};
use crate::secrets::Traces;
use crate::support::{SOURCE, TARGET, fixture, instances, serve_with};

/// Nothing else looks like it, and its encodings differ from it.
const SECRET: &str = "lgpat-8Qv3/needle+Zk41xWt0";

/// A signature in the query of an asset's URL.
const SIGNATURE: &str = "sEcretSignature0815of4711";

async fn server(name: &str, faults: &[&str]) -> Server {
    serve_with(mock::Options {
        state: instances(&fixture(name)),
        tokens: vec![SECRET.to_owned()],
        faults: faults.iter().map(|text| text.parse().unwrap()).collect(),
        ..mock::Options::default()
    })
    .await
}

/// Runs a command between the instances behind the proxy, and notes what it leaves.
async fn call(workspace: &Workspace, proxy: &Proxy, args: &[&str], left: &mut Traces) -> Ended {
    let mut command = workspace.between(args[0], proxy.url(), &args[1..]);
    command.env("LOCKGATE_TOKEN", SECRET);
    let ended = end_of(command).await;
    left.of_call(&ended);
    ended
}

/// Runs a command that takes no instances.
async fn look(workspace: &Workspace, args: &[&str], left: &mut Traces) -> Ended {
    let mut command = workspace.command(args);
    command.env("LOCKGATE_TOKEN", SECRET);
    let ended = end_of(command).await;
    left.of_call(&ended);
    ended
}

fn assert_clean(mut left: Traces, workspace: &Workspace) {
    left.of_folder(workspace.path());
    let none: Vec<String> = Vec::new();
    assert_eq!(left.places_of_any(&traces(SECRET)), none);
}

/// Fails a request in one of the ways in which servers do, with the token in the given form.
fn refuse(way: usize, form: &str, answer: &mut Answer) {
    let words = format!("you sent {form}, which will not do");
    let page = format!("<!DOCTYPE html><html><head><title>No {form}</title></head></html>");
    match way {
        0 => answer.fail(400, "text/plain", words),
        1 => {
            let body = json!({ "message": words, "exceptionType": format!("X.{form}") });
            answer.fail(400, "application/json", body.to_string());
        }
        2 => answer.fail(400, "text/html", page),
        3 => {
            // The escapes are those of the JSON itself.
            let body =
                format!("{{\"title\":\"No\",\"detail\":\"{words}\",\"traceId\":\"{form}\"}}");
            answer.fail(400, "application/json", body);
        }
        4 => {
            let errors = json!({ "errors": { "Name": [words] }, "title": "Invalid" });
            answer.fail(422, "application/problem+json", errors.to_string());
        }
        _ => {
            answer.fail(400, "text/plain", "no".to_owned());
            if let Ok(value) = form.parse() {
                answer.headers.insert("x-request-id", value);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_that_repeat_the_token_leave_no_trace_of_it() {
    const WAYS: usize = 6;
    for mode in ["plain", "json"] {
        let server = server("many-galleries", &[]).await;
        let (all, refused) = (forms(SECRET), AtomicUsize::new(0));
        let rewrite = move |asked: &Asked, answer: &mut Answer| {
            if asked.method == "POST" && asked.is_for("gallery") {
                assert_eq!(asked.token(), SECRET);
                let number = refused.fetch_add(1, Ordering::Relaxed);
                refuse(number % WAYS, &all[number / WAYS % all.len()], answer);
            }
        };
        let proxy = Proxy::start(&server.base_url(), rewrite).await;
        let (workspace, mut left) = (Workspace::new(), Traces::new(mode));
        let args = ["sync", "--verbose", "--output", mode];
        let ended = call(&workspace, &proxy, &args, &mut left).await;
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        let told = ended.stderr.contains("[redacted]");
        assert!(told, "{}", ended.stderr);
        for args in [
            &["runs"] as &[&str],
            &["why", "gallery:3"],
            &["runs", "--output", "json"],
        ] {
            look(&workspace, args, &mut left).await;
        }
        call(&workspace, &proxy, &["retry", "--dry-run"], &mut left).await;
        assert_clean(left, &workspace);
        server.stop().await;
    }
}

/// Puts the token into every member that explains a failure.
fn explain_with(form: &str, value: &mut Value) {
    const WORDS: [&str; 6] = [
        "errorMessage",
        "errorType",
        "exceptionType",
        "message",
        "statusMessage",
        "errorData",
    ];
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let is_said = member.as_str().is_some_and(|text| !text.is_empty());
                if is_said && WORDS.contains(&name.as_str()) {
                    *member = Value::from(format!("System.{form}"));
                } else {
                    explain_with(form, member);
                }
            }
        }
        Value::Array(parts) => parts.iter_mut().for_each(|part| explain_with(form, part)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_that_repeat_the_token_leave_no_trace_of_it() {
    let server = server("starter-site", &["fail-item=1"]).await;
    let (all, told) = (forms(SECRET), AtomicUsize::new(0));
    let rewrite = move |asked: &Asked, answer: &mut Answer| {
        let said = serde_json::from_slice::<Value>(&answer.body);
        if let (true, Ok(mut batch)) = (asked.is_for("/batch/"), said) {
            let number = told.fetch_add(1, Ordering::Relaxed);
            explain_with(&all[number % all.len()], &mut batch);
            answer.body = batch.to_string().into_bytes();
        }
    };
    let proxy = Proxy::start(&server.base_url(), rewrite).await;
    let (workspace, mut left) = (Workspace::new(), Traces::new("batches"));
    let args = ["sync", "--verbose", "--output", "json", "--batch-size", "1"];
    let ended = call(&workspace, &proxy, &args, &mut left).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("[redacted]"), "{}", ended.stderr);
    for args in [&["verify"] as &[&str], &["plan"], &["graph"]] {
        call(&workspace, &proxy, args, &mut left).await;
    }
    assert_clean(left, &workspace);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_and_failures_while_reading_leave_no_trace_of_the_token() {
    let server = server("two-locales", &[]).await;
    let all = forms(SECRET);
    let (workspace, mut left) = (Workspace::new(), Traces::new("reading"));
    for (number, form) in all.iter().enumerate() {
        let (form, is_page) = (form.clone(), number % 2 == 0);
        let rewrite = move |asked: &Asked, answer: &mut Answer| {
            if asked.is_for("/model/") && is_page {
                let page = format!("<html><head><title>Log in as {form}</title></head></html>");
                answer.fail(200, "text/html", page);
            } else if asked.is_for("/model/") {
                refuse(number % 6, &form, answer);
            }
        };
        let proxy = Proxy::start(&server.base_url(), rewrite).await;
        let command = ["sync", "plan", "verify"][number % 3];
        let ended = call(&workspace, &proxy, &[command], &mut left).await;
        assert_eq!(ended.code, Some(3), "{command}: {}", ended.stderr);
    }
    assert_clean(left, &workspace);
    server.stop().await;
}

/// Gives every asset a URL with user, password and signature, and lets its download be redirected, then refused.
fn sign_urls(asked: &Asked, answer: &mut Answer, own: &str) {
    if asked.is_for("/elsewhere/") {
        assert_eq!(asked.headers.get("referer"), None, "{}", asked.uri);
        assert_eq!(asked.headers.get("authorization"), None, "{}", asked.uri);
        answer.fail(
            403,
            "text/plain",
            format!("no https://x/y?sig={SIGNATURE} for {SECRET}"),
        );
    } else if asked
        .uri
        .query()
        .is_some_and(|query| query.contains(SIGNATURE))
    {
        assert_eq!(asked.headers.get("authorization"), None, "{}", asked.uri);
        answer.fail(302, "text/plain", String::new());
        let to = format!("{own}/elsewhere/?sig={SIGNATURE}&token={SECRET}");
        answer.headers.insert("location", to.parse().unwrap());
    } else if asked.is_for(SOURCE) && asked.is_for("asset/list") {
        let mut list: Value = serde_json::from_slice(&answer.body).unwrap();
        for asset in list["assetMedias"].as_array_mut().unwrap() {
            // Folders have none.
            let Some(url) = asset["originUrl"].as_str() else {
                continue;
            };
            let url = url.replace("http://", &format!("http://ann:{SIGNATURE}@"));
            asset["originUrl"] = format!("{url}?sv=1&sig={SIGNATURE}&token={SECRET}").into();
        }
        answer.body = list.to_string().into_bytes();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn downloads_tell_neither_where_they_come_from_nor_what_their_urls_hold() {
    let server = server("galleries-and-assets", &[]).await;
    let own = std::sync::Arc::new(std::sync::OnceLock::<String>::new());
    let of_proxy = std::sync::Arc::clone(&own);
    let rewrite = move |asked: &Asked, answer: &mut Answer| {
        sign_urls(asked, answer, of_proxy.get().unwrap());
    };
    let proxy = Proxy::start(&server.base_url(), rewrite).await;
    own.set(proxy.url().to_owned()).unwrap();
    for mode in ["plain", "json"] {
        let (workspace, mut left) = (Workspace::new(), Traces::new(mode));
        let ended = call(
            &workspace,
            &proxy,
            &["sync", "--verbose", "--output", mode],
            &mut left,
        )
        .await;
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert!(ended.stderr.contains("sig=[redacted]"), "{}", ended.stderr);
        left.of_folder(workspace.path());
        left.assert_without(SIGNATURE);
        assert_clean(left, &workspace);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_in_any_other_setting_is_not_repeated() {
    let workspace = Workspace::new();
    let mut left = Traces::new("settings");
    let ends = ["--source", SOURCE, "--target", TARGET];
    let others = ["LOCKGATE_PRESET", "LOCKGATE_CONFIG", "LOCKGATE_NOTHING"];
    let keyed = KEYS.iter().filter(|info| !info.secret);
    let named = keyed.flat_map(|info| info.official.into_iter().chain([info.variable]));
    for variable in named.chain(others) {
        for words in [&["config"] as &[&str], &["sync"]] {
            let is_sync =
                words == ["sync"] && !["LOCKGATE_SOURCE", "LOCKGATE_TARGET"].contains(&variable);
            let ends: &[&str] = if is_sync { &ends } else { &[] };
            let mut command = workspace.command(words.iter().chain(ends));
            command.env_remove("LOCKGATE_TOKEN").env(variable, SECRET);
            let ended = end_of(command).await;
            assert_ne!(ended.code, Some(70), "{variable}: {}", ended.stderr);
            left.of_call(&ended);
        }
    }
    for words in [
        &["sync", SECRET] as &[&str],
        &["sync", "--rate", SECRET],
        &["sync", "--token", SECRET, "--nothing"],
        &["sync", "--output", SECRET],
        &["runs", "--nothing", SECRET],
        &[SECRET],
    ] {
        let mut command = workspace.command(words);
        command.env_remove("LOCKGATE_TOKEN");
        let ended = end_of(command).await;
        assert_eq!(ended.code, Some(2), "{words:?}: {}", ended.stderr);
        left.of_call(&ended);
    }
    let files = [
        format!("{SECRET} = 1"),
        format!("pace.{SECRET} = 1"),
        format!("\"{SECRET}\" = 1"),
        format!("sync.models = {SECRET}"),
    ];
    for text in files {
        std::fs::write(workspace.path().join("lockgate.toml"), text).unwrap();
        let ended = end_of(workspace.command(["config"])).await;
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        left.of_call(&ended);
    }
    std::fs::remove_file(workspace.path().join("lockgate.toml")).unwrap();
    assert_clean(left, &workspace);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_token_on_the_command_line_warns() {
    let server = server("two-locales", &[]).await;
    let proxy = Proxy::start(&server.base_url(), |_, _| ()).await;
    let (workspace, mut left) = (Workspace::new(), Traces::new("flags"));
    for flags in [
        &["--token"] as &[&str],
        &["--source-token", "--target-token"],
    ] {
        for command in ["sync", "plan", "verify"] {
            let values = flags.iter().flat_map(|flag| [*flag, SECRET]);
            let words: Vec<&str> = std::iter::once(command).chain(values).collect();
            let ended = call(&workspace, &proxy, &words, &mut left).await;
            for flag in flags {
                let warning = format!("warning: {flag} shows the token");
                assert!(
                    ended.stderr.contains(&warning),
                    "{command}: {}",
                    ended.stderr
                );
            }
        }
    }
    assert_clean(left, &workspace);
    server.stop().await;
}
