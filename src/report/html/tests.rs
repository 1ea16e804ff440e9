use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

use super::report;
use crate::domain::{Kind, Outcome};
use crate::event::{Event, Gate, Lane, Phase};
use crate::progress::script::{Script, key};
use crate::progress::{History, Progress};

fn folded(script: &Script) -> (Progress, History) {
    let mut history = History::default();
    script
        .events()
        .iter()
        .for_each(|event| history.apply(event));
    (script.fold(), history)
}

fn trouble() -> Script {
    Script::uploading(&[(Kind::Model, 3), (Kind::Content, 2)])
        .lane(Lane::IndependentEntities)
        .pace(8.0, 4, 20.0)
        .create(Kind::Model, 0..2, 400)
        .fail(
            Kind::Model,
            2,
            "the server said \"<script>alert(1)</script>\"",
        )
        .event(Event::GateFailed {
            gate: Gate::ModelsComplete,
            by: key(Kind::Model, 2),
        })
        .settle(
            Kind::Content,
            7,
            Outcome::Blocked {
                by: key(Kind::Model, 2),
            },
        )
        .wait(700)
        .phase(Phase::Verify)
        .event(Event::DifferenceFound {
            key: key(Kind::Content, 8),
            difference: "missing".to_owned(),
            detail: "<img src=x onerror=alert(2)>".to_owned(),
            left_alone: false,
        })
        .event(Event::VerifyFinished {
            checked: 4,
            differences: 1,
        })
        .finish(1)
}

#[test]
fn foreign_text_cannot_become_markup() {
    let (progress, history) = folded(&trouble());
    let page = report(&progress, &history);
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(page.contains("&lt;img src=x"));
    assert!(!page.contains("<script>alert"));
    assert!(!page.contains("<img"));
}

#[test]
fn a_page_asks_nothing_of_any_network() {
    let (progress, history) = folded(&trouble());
    let page = report(&progress, &history);
    for sign in ["http://", "https://", "src=\"", "@import", "url("] {
        assert!(!page.contains(sign), "{sign}");
    }
    assert!(page.contains("default-src 'none'"));
}

/// What lies between the first `start` in a page and the next `end`.
fn between<'a>(page: &'a str, start: &str, end: &str) -> &'a str {
    let from = page.find(start).unwrap() + start.len();
    &page[from..from + page[from..].find(end).unwrap()]
}

#[test]
fn the_policy_of_a_page_allows_its_own_script_only() {
    let (progress, history) = folded(&trouble());
    let other = super::parts::page("Another", "", maud::html! { p { "…" } }, "(() => 1)();");
    for page in [report(&progress, &history), other] {
        let policy = between(&page, "script-src ", "\">");
        let script = between(&page, "<script>", "</script>");
        assert!(script.contains("=>"), "{script}");
        let hash = BASE64_STANDARD.encode(Sha256::digest(script));
        assert_eq!(policy, format!("'sha256-{hash}'"));
        assert_eq!(page.matches("<script").count(), 1);
        assert!(!page.contains(" onclick=") && !page.contains("javascript:"));
    }
}

#[test]
fn the_page_tells_what_the_run_came_to() {
    let (progress, history) = folded(&trouble());
    let page = report(&progress, &history);
    for part in [
        "1a2b3c4d-u",
        "Entities failed, were blocked or differ",
        "models-complete",
        "needs model:2, which failed",
        "uploads per second",
        "Dependency levels of content",
        "Slowest uploads",
        "prefers-color-scheme: dark",
        "@media print",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

/// Rows stood in the order of their time, so that a page on paper showed what was blocked and not what failed.
#[test]
fn what_failed_stands_before_what_it_blocked() {
    let (progress, history) = folded(&trouble());
    let page = report(&progress, &history);
    let last_failed = page.rfind("<span class=\"tag failed\">failed</span>");
    let first_blocked = page.find("<span class=\"tag blocked\">blocked</span>");
    assert!(last_failed.is_some() && last_failed < first_blocked);
}

#[test]
fn elements_are_closed_in_order() {
    let (progress, history) = folded(&trouble());
    let page = report(&progress, &history);
    let body = &page[page.find("<main>").unwrap()..page.find("<script>").unwrap()];
    let mut open: Vec<&str> = Vec::new();
    for tag in body.split('<').skip(1) {
        let tag = &tag[..tag.find('>').unwrap()];
        let name = tag.split([' ', '/']).find(|part| !part.is_empty()).unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "{open:?}");
        } else if !tag.ends_with('/') && name != "input" {
            open.push(name);
        }
    }
    assert_eq!(open, ["body"; 0]);
}

#[test]
fn a_run_that_told_nothing_has_a_page_all_the_same() {
    let page = report(&Progress::new(), &History::default());
    assert!(page.contains("Ended without a result"));
}
