//! What an editor wrote arrives to the byte, except for the URLs and ids in it.

use lockgate::mock::Server;
use lockgate::mock::file::{InstanceFile, StateFile};
use serde_json::{Value, json};

use crate::binary::{Workspace, end_of};
use crate::support::{SOURCE, TARGET, empty_target, fixture, instances, serve};

/// The items of the source, each with the text in question, and of the target what it must hold.
fn texts() -> Vec<(&'static str, String, String)> {
    let edge = "http://mock.invalid/cdn/demo/img/tram.svg";
    let pair = |name, text: &str| {
        let with = |url: &str| {
            let once = url.replace(':', "%3A").replace('/', "%2F");
            text.replace("<url>", url)
                .replace("<slashes>", &url.replace('/', "\\/"))
                .replace("<unicode>", &url.replace('/', "\\u002F"))
                .replace("<twice>", &once.replace('%', "%25"))
                .replace("<once>", &once)
        };
        (name, with(edge), with(&edge.replace("demo", TARGET)))
    };
    vec![
        pair(
            "numbers",
            r#"{"price": 52.10, "big": 12345678901234567890123, "e": 1E5, "u": "<url>"}"#,
        ),
        pair(
            "duplicate keys",
            r#"{"a": 1, "a": 2, "u": "<url>", "u":"<url>"}"#,
        ),
        pair(
            "escapes",
            r#"{"t": "\u00e9\/\t", "u": "<slashes>?a\u0026b", "v": "<unicode>"}"#,
        ),
        pair("white space", " [\n\t{ \"u\" :  \"<url>\" } ,\r\n 1.0 ]\n"),
        pair(
            "json in json",
            r#"{"inner": "{\"n\": 1.50, \"u\": \"<slashes>\"}"}"#,
        ),
        pair(
            "in another url",
            "<img src=\"/_next/image?url=<once>&amp;w=640&amp;q=75\" srcset='/p?u=<twice>&w=1 1x'>",
        ),
        pair(
            "in an attribute",
            r#"<div data-x="{&quot;u&quot;:&quot;<slashes>&quot;,&quot;p&quot;:1.0}"></div>"#,
        ),
        pair(
            "in a script",
            r#"<script>var a = {u:"<unicode>", s:"<slashes>\u003Fw=1", n:1.0}</script>"#,
        ),
        pair("nothing of ours", r#"{"price": 52.10,  "a":1,"a":2}"#),
        pair("a date as text", "2025-03-06T03:38:21.250Z"),
    ]
}

fn state() -> StateFile {
    let mut all = instances(&fixture("asset-urls-in-html"));
    let source = &mut all.instances[0];
    source.content.clear();
    for (id, (name, text, _)) in (2000..).zip(texts()) {
        let row = json!({
            "contentID": id, "locale": "en-us",
            "properties": {
                "state": 2, "modified": "2025-04-02T11:20:00.117", "versionID": id, "referenceName": "stories",
                "definitionName": "Story", "itemOrder": id,
            },
            "fields": { "title": name, "remarks": text },
        });
        source.content.push(row.as_object().unwrap().clone());
    }
    let locales = source.locales.clone();
    all.instances.truncate(1);
    all.instances.push(empty_target(&locales));
    all
}

fn instance(server: &Server, guid: &str) -> InstanceFile {
    let mut all = server.state().instances;
    all.retain(|instance| instance.guid == guid);
    all.remove(0)
}

fn of_title<'i>(instance: &'i InstanceFile, title: &str) -> &'i Value {
    let item = instance
        .content
        .iter()
        .find(|item| item["fields"]["Title"] == title);
    &item.unwrap()["fields"]["Remarks"]
}

/// JSON in a text was parsed and printed again: `52.10` became `52.1`, a number of 23 digits lost its last ones, of two
/// equal keys one was left, escapes and spaces changed; a URL that was percent-encoded stayed that of the source.
#[tokio::test]
async fn a_text_arrives_to_the_byte_but_for_its_urls() {
    let (workspace, server) = (Workspace::new(), serve(state()).await);
    let done = end_of(workspace.sync(&server, &[])).await;
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    let (source, target) = (instance(&server, SOURCE), instance(&server, TARGET));
    for (name, text, expected) in texts() {
        assert_eq!(*of_title(&source, name), json!(text), "the source's {name}");
        assert_eq!(*of_title(&target, name), json!(expected), "{name}");
    }
    let again = end_of(workspace.sync(&server, &["--dry-run"])).await;
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    server.stop().await;
}

/// A byte that the target lost in a text was not seen: what it said was still the same number.
#[tokio::test]
async fn a_changed_byte_of_a_text_is_a_difference() {
    let changes: [(&str, &str, &str); 4] = [
        ("numbers", "52.10", "52.1"),
        ("white space", "{ ", "{"),
        ("duplicate keys", "\"a\": 1, ", ""),
        ("a date as text", ".250Z", ".25Z"),
    ];
    for (name, old, new) in changes {
        let (workspace, server) = (Workspace::new(), serve(state()).await);
        let done = end_of(workspace.sync(&server, &[])).await;
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        let mut all = server.state();
        server.stop().await;
        let target = all.instances.iter_mut().find(|one| one.guid == TARGET);
        let items = target.unwrap().content.iter_mut();
        for item in items.filter(|item| item["fields"]["Title"] == name) {
            let text = item["fields"]["Remarks"]
                .as_str()
                .unwrap()
                .replacen(old, new, 1);
            item["fields"]["Remarks"] = text.into();
        }
        let server = serve(all).await;
        let found = end_of(workspace.between("verify", &server.base_url(), &[])).await;
        assert_eq!(
            found.code,
            Some(1),
            "{name}: {}{}",
            found.stdout,
            found.stderr
        );
        server.stop().await;
    }
}
