//! Names and texts that are markup, scripts or addresses of scripts: in every page that is written they stay text.

use std::path::Path;

use super::terminal_names::tainted;
use crate::apply::{Stage, item, retitle, titles};
use crate::binary::end_of;
use crate::support::{SOURCE, TARGET, fixture, instances};

const HOSTILE: &str = "</title></style></textarea>--><script>alert(1)</script><img src=x onerror=alert(2)>\" onclick=\"alert(3)\" x='\
    <a href=\"javascript:alert(4)\">javascript:alert(5)</a>&lt;script&gt;";

/// How the text above begins in a page.
const ESCAPED: &str = "&lt;/title&gt;&lt;/style&gt;";

/// What may be a tag in a page, each with what it may have inside.
fn tags(page: &str) -> Vec<&str> {
    let mut tags = Vec::new();
    let mut rest = page;
    while let Some(from) = rest.find('<') {
        rest = &rest[from + 1..];
        let end = rest.find('>').unwrap();
        tags.push(&rest[..end]);
        rest = &rest[end + 1..];
        // What is inside is no markup, up to the end of the element.
        let raw = tags.last().and_then(|tag| tag.split(' ').next());
        if let Some(raw @ ("style" | "script")) = raw {
            rest = &rest[rest.find(&format!("</{raw}>")).unwrap()..];
        }
    }
    tags
}

/// The attributes of a tag; a value ends where its quotation mark does.
fn attributes(tag: &str) -> Vec<(&str, &str)> {
    let mut attributes = Vec::new();
    let mut rest = tag.split_once(' ').map_or("", |(_, rest)| rest);
    while let Some((name, after)) = rest.split_once("=\"") {
        let (value, after) = after.split_once('"').unwrap();
        attributes.push((name.trim(), value));
        rest = after;
    }
    attributes
}

/// Fails when a page has an element, a handler or a link that is not its own.
fn check(what: &str, page: &str) {
    let own = [
        "!DOCTYPE", "a", "b", "body", "code", "defs", "del", "details", "div", "footer", "g", "h1",
        "h2", "h3", "head", "header", "html", "i", "input", "ins", "li", "main", "marker", "meta",
        "p", "path", "rect", "script", "section", "span", "style", "summary", "svg", "table",
        "tbody", "td", "text", "th", "thead", "title", "tr", "ul",
    ];
    let tags = tags(page);
    for tag in &tags {
        let name = tag.trim_start_matches('/').split(' ').next().unwrap();
        assert!(own.contains(&name), "{what}: <{tag}>");
        for (name, value) in attributes(tag) {
            let is_plain = |char: char| char.is_ascii_lowercase() || char == '-';
            let is_known =
                name.chars().all(is_plain) || tag.starts_with("svg") || tag.starts_with("marker");
            assert!(is_known && !name.starts_with("on"), "{what}: <{tag}>");
            let is_address = ["href", "src", "action"].contains(&name);
            let is_own = value.starts_with("https://app.agilitycms.com/") || !value.contains(':');
            assert!(!is_address || is_own, "{what}: <{tag}>");
        }
    }
    let scripts = tags.iter().filter(|tag| tag.starts_with("script"));
    assert!(scripts.count() <= 1, "{what}");
}

/// Every page below a folder, by its name.
fn pages(folder: &Path, into: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            pages(&path, into);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "html")
        {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            into.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_are_markup_stay_text_in_every_page() {
    let stage = Stage::of(instances(&fixture("starter-site"))).await;
    stage.ends("sync", &[], 0).await;
    let mut served = tainted(HOSTILE);
    let hostile = served.instances.remove(0);
    stage
        .edit(|source, target| {
            assert_eq!(
                (source.guid.as_str(), target.guid.as_str()),
                (SOURCE, TARGET)
            );
            *source = hostile;
            // Changed on both sides, on one with a text that is compared line by line.
            retitle(item(source, 1021, "en-us"), HOSTILE);
            let there = titles(target).into_iter();
            let mut same = there.filter(|(_, title)| title == "What the low tide left behind");
            let ((id, locale), _) = same.next().unwrap();
            retitle(item(target, id, &locale), &format!("{HOSTILE}\n{HOSTILE}"));
        })
        .await;
    let calls: [(&str, &[&str]); 6] = [
        ("plan", &["--format", "html"]),
        ("plan", &["--format", "html", "--overwrite"]),
        ("graph", &["--format", "html", "--fold", "none"]),
        ("graph", &["--format", "html", "--fold", "containers"]),
        ("graph", &["--format", "svg", "--fold", "none"]),
        ("sync", &["--overwrite"]),
    ];
    for (command, args) in calls {
        let call = stage.workspace.between(command, &stage.url(), args);
        let ended = end_of(call).await;
        let what = format!("{command} {args:?}");
        assert!(
            ended.code.is_some_and(|code| code < 70),
            "{what}: {ended:?}"
        );
        if command != "sync" {
            check(&what, &ended.stdout);
            assert!(ended.stdout.contains(ESCAPED), "{what}: {}", ended.stdout);
        }
    }
    let mut written = Vec::new();
    pages(&stage.workspace.path().join(".lockgate/runs"), &mut written);
    for (name, page) in &written {
        check(name, page);
    }
    let of = |name: &str| written.iter().filter(|(of, _)| of == name).count();
    assert!(of("report.html") >= 2 && of("index.html") == 1);
    let is_named =
        |(name, page): &(String, String)| name == "report.html" && page.contains(ESCAPED);
    assert!(written.iter().any(is_named), "no report names one of them");
}
