//! Answers without end, and numbers without measure: reading ends with what grew, and never for want of memory or time.

use std::io::Write as _;
use std::process::Stdio;

use axum::http::{StatusCode, header};
use flate2::Compression;
use flate2::write::GzEncoder;
use lockgate::mock::Server;
use serde_json::{Value, json};

use super::proxy::{Answer, Asked, Proxy};
use crate::binary::{Ended, Workspace, end_of};
use crate::support::{SOURCE, TARGET, fixture, instances, serve};

/// The largest answer that is allowed in these tests, in megabytes.
const ANSWER_MB: &str = "16";

/// What a run may have in memory with such answers, in kilobytes: 200 MB and two answers.
const PEAK_KB: u64 = (200 + 2 * 16) << 10;

/// A command through a proxy that spoils what is read.
struct Bed {
    server: Server,
    proxy: Proxy,
    workspace: Workspace,
}

impl Bed {
    async fn new(
        name: &str,
        rewrite: impl Fn(&Asked, &mut Answer) + Send + Sync + 'static,
    ) -> Self {
        let server = serve(instances(&fixture(name))).await;
        let proxy = Proxy::start(&server.base_url(), rewrite).await;
        Self {
            server,
            proxy,
            workspace: Workspace::new(),
        }
    }

    async fn run(&self, words: &str, variables: &[(&str, &str)]) -> Ended {
        let mut words = words.split(' ');
        let name = words.next().unwrap();
        let words: Vec<&str> = words.collect();
        let mut command = self.workspace.between(name, self.proxy.url(), &words);
        command.env("LOCKGATE_LIMITS_ANSWER_MB", ANSWER_MB);
        command.envs(variables.iter().copied());
        end_of(command).await
    }

    /// Runs a plan, which has to end as an incomplete reading with these words.
    async fn ends_with(&self, case: &str, variables: &[(&str, &str)], words: &[&str]) {
        let ended = self.run("plan", variables).await;
        assert_eq!(ended.code, Some(3), "{case}: {}", ended.stderr);
        for word in words {
            assert!(ended.stderr.contains(word), "{case}: {}", ended.stderr);
        }
        assert!(ended.stderr.len() < 4000, "{case}: {}", ended.stderr);
    }

    /// The largest memory of a plan, in kilobytes, and how it ended.
    async fn peak(&self) -> (u64, Option<i32>) {
        let mut command = self.workspace.between("plan", self.proxy.url(), &[]);
        command.env("LOCKGATE_LIMITS_ANSWER_MB", ANSWER_MB);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let status = format!("/proc/{}/status", child.id().unwrap());
        let mut peak = 0;
        loop {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let number = line.and_then(|line| line.trim().split(' ').next()?.parse().ok());
            peak = number.unwrap_or(0).max(peak);
            let pause = std::time::Duration::from_millis(5);
            if let Ok(ended) = tokio::time::timeout(pause, child.wait()).await {
                return (peak, ended.unwrap().code());
            }
        }
    }
}

/// Every list that a plan reads, by a part of its address.
const LISTS: [&str; 11] = [
    "/locales",
    "model/list/false",
    "container/list",
    "page/templates",
    "asset/galleries",
    "asset/container",
    "asset/list",
    "sync/items",
    "sync/pages",
    "/sitemap",
    "urlredirection",
];

/// Beginnings of answers with what they repeat without end.
const FLOODS: [(&str, &str); 7] = [
    ("[", "{\"id\":1,\"referenceName\":\"a\"},"),
    ("{\"items\":[", "{\"contentID\":1},"),
    ("[", "0,"),
    ("[", "[],"),
    ("{", "\"a\":{},"),
    ("\"", "text without end "),
    ("", "        "),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_without_end_is_cut_in_every_list() {
    for (at, part) in LISTS.iter().enumerate() {
        let (start, piece) = FLOODS[at % FLOODS.len()];
        let bed = Bed::new("starter-site", move |asked, answer| {
            if asked.is_for(part) {
                answer.never_end(start, piece);
            }
        })
        .await;
        let words = ["16 MB", "limits.answer_mb", "LG-2014"];
        bed.ends_with(part, &[], &words).await;
        bed.server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_takes_more_memory_than_is_allowed() {
    for (start, piece) in FLOODS {
        let bed = Bed::new("starter-site", move |asked, answer| {
            // Several at once, and of both instances.
            if ["model/list", "container/list", "sync/", "sitemap", "asset/"]
                .iter()
                .any(|part| asked.is_for(part))
            {
                answer.never_end(start, piece);
            }
        })
        .await;
        let (peak, code) = bed.peak().await;
        assert_eq!(code, Some(3), "{start}{piece}");
        assert!(peak > 0 && peak < PEAK_KB, "{peak} kB of {start}{piece}");
        bed.server.stop().await;
    }
}

/// Bodies just below the limit that are much more in memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_are_counted_before_they_are_made() {
    let most = 15 << 20;
    for (start, piece, end) in [
        ("[", "0,", "0]"),
        ("[", "[],", "[]]"),
        ("[", "{},", "{}]"),
        ("[", "[0],", "[0]]"),
        ("[", "{\"a\":0},", "{}]"),
        ("{\"a\":0", ",\"b\":0", "}"),
    ] {
        let body = format!("{start}{}{end}", piece.repeat((most - 20) / piece.len()));
        let bed = Bed::new("starter-site", move |asked, answer| {
            if ["model/list", "container/list"]
                .iter()
                .any(|part| asked.is_for(part))
            {
                answer.body = body.clone().into_bytes();
            }
        })
        .await;
        let (peak, code) = bed.peak().await;
        assert_eq!(code, Some(3), "{piece}");
        assert!(peak > 0 && peak < PEAK_KB, "{peak} kB of {piece}");
        bed.server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_answer_does_not_unpack_to_a_large_one() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(b"[").unwrap();
    let blanks = " ".repeat(65_536);
    for _ in 0..4096 {
        packed.write_all(blanks.as_bytes()).unwrap();
    }
    let packed = packed.finish().unwrap();
    let bed = Bed::new("starter-site", move |asked, answer| {
        if asked.is_for("container/list") {
            answer
                .headers
                .insert(header::CONTENT_ENCODING, "gzip".parse().unwrap());
            answer.body.clone_from(&packed);
        }
    })
    .await;
    bed.ends_with("gzip", &[], &["limits.answer_mb"]).await;
    let (peak, _) = bed.peak().await;
    assert!(peak < PEAK_KB, "{peak} kB");
    bed.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_body_of_an_error_is_read_in_part() {
    for status in [400, 403, 404, 500] {
        let bed = Bed::new("two-locales", move |asked, answer| {
            if asked.is_for("container/list") {
                answer.never_end("It is not to be. ", "And so on. ");
                answer.status = StatusCode::from_u16(status).unwrap();
            }
        })
        .await;
        let status = status.to_string();
        let once = [("LOCKGATE_RETRY_ATTEMPTS", "1")];
        bed.ends_with(&status, &once, &["It is not to be. And so on."])
            .await;
        bed.server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_key_is_none() {
    let key = "k".repeat(15 << 20);
    let bed = Bed::new("two-locales", move |asked, answer| {
        if asked.is_for("GetPreviewKey") {
            answer.body = key.clone().into_bytes();
        }
    })
    .await;
    bed.ends_with("key", &[], &["no key"]).await;
    bed.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_count_of_a_server_is_believed_before_it_is_looked_at() {
    let huge = [
        "100000000",
        "9223372036854775807",
        "9223372036854775808",
        "1e300",
        "-1",
    ];
    for part in ["asset/list", "asset/galleries"] {
        for count in huge {
            let bed = Bed::new("galleries-and-assets", move |asked, answer| {
                if asked.is_for(part) {
                    let text = String::from_utf8(answer.body.clone()).unwrap();
                    let mut list: Value = serde_json::from_str(&text).unwrap();
                    list["totalCount"] = "COUNT".into();
                    let text = list.to_string().replace("\"COUNT\"", count);
                    answer.body = text.into_bytes();
                }
            })
            .await;
            let told = match count {
                "100000000" | "9223372036854775807" => count,
                _ => "totalCount",
            };
            bed.ends_with(&format!("{part} {count}"), &[], &[told])
                .await;
            bed.server.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_that_only_grows_its_token_ends() {
    for part in ["sync/items", "sync/pages"] {
        for empties in [true, false] {
            let bed = Bed::new("two-locales", move |asked, answer| {
                if !asked.is_for(part) {
                    return;
                }
                let token = asked.uri.query().unwrap().rsplit('=').next().unwrap();
                let token: i64 = token.parse().unwrap();
                let mut page: Value = serde_json::from_slice(&answer.body).unwrap();
                page["syncToken"] = (token + 1).into();
                if empties {
                    page["items"] = json!([]);
                }
                answer.body = page.to_string().into_bytes();
            })
            .await;
            let words = ["goes on", "nothing new", "LG-2014"];
            bed.ends_with(part, &[], &words).await;
            bed.server.stop().await;
        }
    }
}

/// News on every page, for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_and_rows_are_counted() {
    let news = |asked: &Asked, answer: &mut Answer| {
        if asked.is_for("sync/items") {
            let token = asked.uri.query().unwrap().rsplit('=').next().unwrap();
            let token: i64 = token.parse().unwrap();
            let rows = (0..10).map(|at| json!({ "contentID": 100_000 + token * 10 + at, "properties": {
                "state": 2, "versionID": 1, "referenceName": "a", "definitionName": "b" }, "fields": {} }));
            let page = json!({ "syncToken": token + 1, "items": rows.collect::<Vec<_>>() });
            answer.body = page.to_string().into_bytes();
        }
    };
    let bed = Bed::new("two-locales", news).await;
    let pages = [("LOCKGATE_LIMITS_PAGES", "20")];
    bed.ends_with(
        "pages",
        &pages,
        &["20 pages", "limits.pages", "the content of"],
    )
    .await;
    let rows = [("LOCKGATE_LIMITS_ENTITIES", "300")];
    bed.ends_with(
        "rows",
        &rows,
        &["300 rows", "limits.entities", "the content of"],
    )
    .await;
    bed.server.stop().await;

    let many = |asked: &Asked, answer: &mut Answer| {
        if asked.is_for("model/list/false") {
            let rows = (1..5000).map(|id| json!({ "id": id, "referenceName": format!("m{id}") }));
            answer.body = rows.collect::<Value>().to_string().into_bytes();
        }
    };
    let bed = Bed::new("two-locales", many).await;
    bed.ends_with("models", &rows, &["300 rows", "the list of content models"])
        .await;
    bed.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_without_a_length_and_without_an_end_is_cut() {
    let bed = Bed::new("galleries-and-assets", |asked, answer| {
        if asked.uri.path().ends_with("/readme.txt") && asked.is_for("origin") {
            answer.never_end("", "bytes without end ");
        } else if asked.is_for("asset/list") {
            let mut list: Value = serde_json::from_slice(&answer.body).unwrap();
            for row in list["assetMedias"].as_array_mut().unwrap() {
                row.as_object_mut().unwrap().remove("size");
            }
            answer.body = list.to_string().into_bytes();
        }
    })
    .await;
    let ended = bed.run("sync", &[("LOCKGATE_LIMITS_FILE_MB", "2")]).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("limits.file_mb"), "{}", ended.stderr);
    let state = bed.server.state();
    let target = state.instances.iter().find(|one| one.guid == TARGET);
    let assets = &target.unwrap().assets;
    assert!(assets.iter().all(|row| row["originKey"] != "readme.txt"));
    bed.server.stop().await;
}

/// Every number of every answer as large and as small as a number can be: a run may fail, and never breaks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_number_breaks_a_run() {
    let names = number_names().await;
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        for number in [
            "9223372036854775807",
            "-9223372036854775808",
            "18446744073709551615",
            "1e308",
        ] {
            let member = name.clone();
            let bed = Bed::new("starter-site", move |asked, answer| {
                if asked.is_for(SOURCE)
                    && let Ok(mut body) = serde_json::from_slice(&answer.body)
                {
                    replace(&mut body, &member);
                    let text = body.to_string().replace("\"NUMBER\"", number);
                    answer.body = text.into_bytes();
                }
            })
            .await;
            let ended = bed.run("plan", &[("LOCKGATE_RETRY_ATTEMPTS", "1")]).await;
            let case = format!("{name} {number}: {}", ended.stderr);
            assert!(matches!(ended.code, Some(0 | 1 | 3 | 5)), "{case}");
            assert!(!ended.stderr.contains("panicked"), "{case}");
            bed.server.stop().await;
        }
    }
}

/// The same for a whole run, with the numbers that decide about its writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_number_breaks_a_write() {
    let of_source = [
        "size",
        "versionID",
        "itemOrder",
        "mediaGroupingID",
        "contentDefinitionTypeID",
        "state",
    ];
    let of_target = [
        "batchID",
        "percentComplete",
        "numItemsProcessed",
        "itemID",
        "mediaID",
        "size",
        "batchState",
    ];
    let of_source = of_source.map(|name| (SOURCE, name));
    let of_target = of_target.map(|name| (TARGET, name));
    for (side, member) in of_source.into_iter().chain(of_target) {
        let bed = Bed::new("galleries-and-assets", move |asked, answer| {
            if asked.is_for(side)
                && let Ok(mut body) = serde_json::from_slice(&answer.body)
            {
                replace(&mut body, member);
                let text = body
                    .to_string()
                    .replace("\"NUMBER\"", "9223372036854775807");
                answer.body = text.into_bytes();
            }
        })
        .await;
        let hurry = [
            ("LOCKGATE_RETRY_ATTEMPTS", "1"),
            ("LOCKGATE_TIMEOUTS_BATCH_S", "1"),
            ("LOCKGATE_TIMEOUTS_SETTLE_MS", "1"),
        ];
        let ended = bed.run("sync", &hurry).await;
        let case = format!("{side} {member}: {}", ended.stderr);
        assert!(
            matches!(ended.code, Some(0 | 1 | 3 | 5)),
            "{:?} {case}",
            ended.code
        );
        assert!(!ended.stderr.contains("panicked"), "{case}");
        bed.server.stop().await;
    }
}

fn replace(value: &mut Value, name: &str) {
    match value {
        Value::Object(map) => {
            for (key, member) in map {
                if key == name && member.is_number() {
                    *member = "NUMBER".into();
                }
                replace(member, name);
            }
        }
        Value::Array(rows) => rows.iter_mut().for_each(|row| replace(row, name)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The members that hold a number in any answer that a plan reads.
async fn number_names() -> std::collections::BTreeSet<String> {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(std::collections::BTreeSet::new()));
    let noted = std::sync::Arc::clone(&seen);
    let bed = Bed::new("starter-site", move |asked, answer| {
        if asked.is_for(SOURCE)
            && let Ok(body) = serde_json::from_slice::<Value>(&answer.body)
        {
            collect(&body, &mut noted.lock().unwrap());
        }
    })
    .await;
    let ended = bed.run("plan", &[]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    bed.server.stop().await;
    let names = seen.lock().unwrap();
    names.clone()
}

fn collect(value: &Value, names: &mut std::collections::BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, member) in map {
                if member.is_number() {
                    names.insert(key.clone());
                }
                collect(member, names);
            }
        }
        Value::Array(rows) => rows.iter().for_each(|row| collect(row, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
