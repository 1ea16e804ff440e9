//! A plan that is too long for a comment, and text that is not ours.

use super::*;
use crate::domain::{EntityKey, Guid, Kind};
use crate::plan::{Change, Effort, Entry, Group, Intended, Overview};

fn entry(id: i64, name: &str, change: Change) -> Entry {
    Entry {
        node: 0,
        key: EntityKey::global(Kind::Model, id),
        name: name.to_owned(),
        action: Intended::Update,
        target: None,
        because: "the source changed".to_owned(),
        evidence: None,
        kept: Vec::new(),
        changes: vec![change],
        source_url: None,
        target_url: None,
    }
}

fn value(was: &str, becomes: &str) -> Change {
    Change::Value {
        field: "title".to_owned(),
        was: Some(was.to_owned()),
        becomes: Some(becomes.to_owned()),
    }
}

fn overview(entries: Vec<Entry>) -> Overview {
    let counts = vec![(Intended::Update, entries.len())];
    Overview {
        source: Guid::new("1a2b3c4d-u"),
        target: Guid::new("5e6f7a8b-u"),
        counts: vec![(Kind::Model, counts.clone())],
        groups: vec![Group {
            kind: Kind::Model,
            container: None,
            counts,
            entries,
        }],
        removed: Vec::new(),
        deferred: Vec::new(),
        published: Vec::new(),
        withdrawn: Vec::new(),
        still_public: 0,
        below_drafts: None,
        drafts: 0,
        deleted: Vec::new(),
        gone: Vec::new(),
        webhooks: Vec::new(),
        pauses_webhooks: false,
        selected: None,
        maps: Vec::new(),
        effort: Effort::default(),
    }
}

#[test]
fn what_does_not_fit_into_a_comment_is_counted() {
    let entries = (0..2_000).map(|id| entry(id, "Article", value("old", "new")));
    let text = markdown(&overview(entries.collect()));
    assert!(text.chars().count() <= 60_000, "{}", text.chars().count());
    let shown = text.matches("**update**").count();
    assert!(shown > 300, "{shown}");
    let cut = format!(
        "{} entries do not fit",
        crate::report::count_of(2_000 - shown)
    );
    assert!(text.contains(&cut), "{}", &text[text.len() - 300..]);
    assert_eq!(
        text.matches("<details").count(),
        text.matches("</details>").count()
    );
}

#[test]
fn foreign_text_opens_no_markup_and_steers_nothing() {
    let hostile = "<img src=x>\u{1b}[2J`|```\n</details>";
    let long = format!("{hostile} {}", "word ".repeat(30));
    let plan = overview(vec![
        entry(1, hostile, value(hostile, "new")),
        entry(2, "two", value(&long, "new")),
    ]);
    let look = Look::default();
    for form in [text(&plan, look), markdown(&plan), html(&plan)] {
        assert!(!form.contains('\u{1b}'), "{form}");
    }
    assert!(!html(&plan).contains("<img"));
    let comment = markdown(&plan);
    let outside: String = comment.split("````").step_by(2).collect();
    assert!(!outside.contains("\n</details> "), "{comment}");
    assert!(outside.contains("\\<img"), "{outside}");
}

#[test]
fn colours_are_added_to_text_that_is_clean() {
    let plan = overview(vec![entry(1, "\u{1b}[31mred", value("old", "new"))]);
    let look = Look {
        color: true,
        ascii: false,
    };
    let shown = text(&plan, look);
    assert!(
        shown.contains("\u{1b}[33m~ update\u{1b}[0m model:1"),
        "{shown:?}"
    );
    assert!(shown.contains("\\u001b[31mred"), "{shown:?}");
}
