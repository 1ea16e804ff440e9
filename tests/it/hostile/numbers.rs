//! Numbers in fields are sent as they came, whatever 64 bits make of them.

use std::sync::{Arc, Mutex};

use super::proxy::Proxy;
use crate::binary::Workspace;
use crate::support::{SOURCE, TARGET, fixture, instances, serve};

/// Numbers that a parser shortens, or spells in another way.
const NUMBERS: [&str; 10] = [
    "99999999999999999999",
    "-99999999999999999999",
    "18446744073709551616",
    "0.1000000000000000055511151231257827",
    "100.0",
    "1.10",
    "1e20",
    "1E+2",
    "-0.0",
    "-0",
];

/// Runs a sync of a source that has `value` as the title of one item, and gives what was sent of content.
async fn sent(value: &str) -> String {
    let server = serve(instances(&fixture("two-locales"))).await;
    let bodies = Arc::new(Mutex::new(String::new()));
    let noted = Arc::clone(&bodies);
    let member = format!("\"title\":{value}");
    let proxy = Proxy::start(&server.base_url(), move |asked, answer| {
        if asked.is_for("item/multi") && asked.is_for(TARGET) {
            let body = String::from_utf8(asked.body.clone()).unwrap();
            noted.lock().unwrap().push_str(&body);
        }
        if asked.is_for(SOURCE)
            && let Ok(text) = String::from_utf8(answer.body.clone())
        {
            let text = text.replace("\"title\":\"The lift\"", &member);
            answer.body = text.into_bytes();
        }
    })
    .await;
    let space = Workspace::new();
    // The mock's own instances are not what the run read, so the usual look at both would tell a difference.
    let mut command = space.between("sync", proxy.url(), &[]);
    let ended = command.output().await.unwrap();
    let told = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(0), "{value}: {told}");
    server.stop().await;
    bodies.lock().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_digit_of_a_number_is_sent() {
    for number in NUMBERS {
        let body = sent(number).await;
        assert!(
            body.contains(&format!("\"title\":{number},"))
                || body.contains(&format!("\"title\":{number}}}")),
            "{number} in {body}"
        );
    }
}

/// Redirections leave many in one request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_of_redirections_keep_their_spelling() {
    let server = serve(instances(&fixture("many-redirections"))).await;
    let bodies = Arc::new(Mutex::new(String::new()));
    let noted = Arc::clone(&bodies);
    let proxy = Proxy::start(&server.base_url(), move |asked, answer| {
        if asked.is_for("url-redirections") && asked.is_for(TARGET) {
            let body = String::from_utf8(asked.body.clone()).unwrap();
            noted.lock().unwrap().push_str(&body);
        }
        if asked.is_for("urlredirection") && asked.is_for(SOURCE) {
            let text = String::from_utf8(answer.body.clone()).unwrap();
            let text = text.replace("\"content\":null", "\"content\":1.10");
            answer.body = text.into_bytes();
        }
    })
    .await;
    let space = Workspace::new();
    let mut command = space.between("sync", proxy.url(), &[]);
    command.output().await.unwrap();
    server.stop().await;
    let bodies = bodies.lock().unwrap().clone();
    assert!(bodies.contains("\"content\":1.10"), "{bodies:.2000}");
    assert!(!bodies.contains("\"content\":1.1,"), "{bodies:.2000}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_stay_texts() {
    for text in [
        "99999999999999999999",
        "\u{f1a7}12",
        "\u{f1a7}1.10",
        "\u{f1a7}\u{f1a7}1.10",
    ] {
        let value = format!("\"{text}\"");
        let body = sent(&value).await;
        assert!(body.contains(&format!("\"title\":{value}")), "{body}");
    }
}
