//! Links between pages lead to files and headings that exist, and the book has every page.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use crate::pages::{self, Page, Piece};

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            _ => plain.push(part),
        }
    }
    plain
}

/// Whether a link leaves the repository.
fn is_outside(link: &str) -> bool {
    ["https://", "http://", "mailto:"]
        .iter()
        .any(|scheme| link.starts_with(scheme))
}

/// What is wrong with the links of a page.
fn broken(page: &Page, anchors: &BTreeMap<PathBuf, BTreeSet<String>>) -> Vec<String> {
    let mut broken = Vec::new();
    for (line, piece) in page.pieces() {
        let Piece::Link(link) = piece else { continue };
        if is_outside(&link) {
            continue;
        }
        let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
        let target = match file {
            "" => page.path.clone(),
            file => plain(&page.path.parent().unwrap().join(file)),
        };
        let place = format!("{}:{line}: {link}", page.path.display());
        // The book holds `docs` alone, so its pages link to nothing else.
        if page.path.starts_with("docs") && !target.starts_with("docs") {
            broken.push(format!("{place} leads out of the book"));
        } else if page.path.starts_with("docs")
            && target.ends_with("README.md")
            && !page.path.ends_with("SUMMARY.md")
        {
            broken.push(format!("{place}: the book names this page index.html"));
        } else if !pages::root().join(&target).exists() {
            broken.push(format!("{place} leads nowhere"));
        } else if !anchor.is_empty()
            && !anchors.get(&target).is_some_and(|all| all.contains(anchor))
        {
            broken.push(format!("{place}: no such heading"));
        }
    }
    broken
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages::all();
    let anchors = pages.iter().map(|page| (page.path.clone(), page.anchors()));
    let anchors: BTreeMap<_, _> = anchors.collect();
    let found: Vec<String> = pages
        .iter()
        .flat_map(|page| broken(page, &anchors))
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn broken_links_are_found() {
    let page = |text: &str| Page {
        path: PathBuf::from("docs/glossary.md"),
        text: text.to_owned(),
    };
    let anchors = BTreeMap::from([(PathBuf::from("docs/glossary.md"), page("# One").anchors())]);
    let broken = |text: &str| broken(&page(text), &anchors).len();
    assert_eq!(
        broken("[a](SECURITY.md) [b](#one) [c](https://example.com)"),
        0
    );
    assert_eq!(broken("[a](nothing.md)"), 1);
    assert_eq!(broken("[a](#two)"), 1);
    assert_eq!(broken("[a](../README.md)"), 1);
    assert_eq!(broken("[a](README.md)"), 1);
}

/// A page that is not in the summary is not in the book.
#[test]
fn the_book_has_every_page_once() {
    let summary = Page::read(PathBuf::from("docs/SUMMARY.md"));
    let pieces = summary.pieces().into_iter();
    let listed = pieces.filter_map(|(_, piece)| match piece {
        Piece::Link(link) if !link.is_empty() => Some(plain(&Path::new("docs").join(link))),
        _ => None,
    });
    let mut listed: Vec<PathBuf> = listed.collect();
    listed.sort();
    let all = pages::all().into_iter().map(|page| page.path);
    let mut expected: Vec<PathBuf> = all
        .filter(|path| path.starts_with("docs") && !path.ends_with("SUMMARY.md"))
        .collect();
    expected.sort();
    assert_eq!(listed, expected);
}

#[test]
fn the_readme_is_short() {
    let readme = Page::read(PathBuf::from("README.md"));
    let lines = readme.text.lines().count();
    assert!(
        lines < 200,
        "{lines} lines: what is more belongs into the book"
    );
}
