//! Pages in Markdown: the README and everything below `docs`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A page with its path below the repository.
pub(crate) struct Page {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// Something in a page that a test looks at, with its line.
#[derive(Debug, PartialEq)]
pub(crate) enum Piece {
    /// A fenced block: its info string and its text.
    Block { info: String, text: String },
    /// `code` in a sentence.
    Code(String),
    /// Where a link or an image leads.
    Link(String),
    /// The text of a heading.
    Heading(String),
    /// A comment, which readers do not see.
    Comment(String),
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below a folder of the repository, by their path in it.
pub(crate) fn files(folder: &str) -> Vec<PathBuf> {
    let mut open = vec![root().join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// All pages.
pub(crate) fn all() -> Vec<Page> {
    let is_page = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "md");
    let paths = std::iter::once(PathBuf::from("README.md"))
        .chain(files("docs").into_iter().filter(is_page));
    let pages: Vec<Page> = paths.map(Page::read).collect();
    assert!(pages.len() > 20, "the pages are not where they should be");
    pages
}

impl Page {
    pub(crate) fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(root().join(&path)).unwrap();
        Self { path, text }
    }

    /// What stands in the page, with lines.
    pub(crate) fn pieces(&self) -> Vec<(usize, Piece)> {
        let mut pieces = Vec::new();
        // What is open: a block with its info string, or a heading. Links and code may stand in a heading.
        let (mut block, mut heading): (Option<String>, Option<String>) = (None, None);
        let mut text = String::new();
        for (event, range) in Parser::new_ext(&self.text, Options::ENABLE_TABLES).into_offset_iter()
        {
            let line = self.text[..range.start].matches('\n').count() + 1;
            match event {
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                    block = Some(info.into_string());
                    text.clear();
                }
                Event::End(TagEnd::CodeBlock) => {
                    let text = std::mem::take(&mut text);
                    let info = block.take();
                    pieces.extend(info.map(|info| (line, Piece::Block { info, text })));
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    pieces.extend(heading.take().map(|text| (line, Piece::Heading(text))));
                }
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    pieces.push((line, Piece::Link(dest_url.into_string())));
                }
                Event::Code(code) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&code);
                    }
                    pieces.push((line, Piece::Code(code.into_string())));
                }
                Event::Text(more) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&more);
                    }
                    text.push_str(&more);
                }
                Event::Html(html) | Event::InlineHtml(html) => {
                    let comment = html.trim().strip_prefix("<!--");
                    let comment = comment.and_then(|rest| rest.strip_suffix("-->"));
                    let comment = comment.map(|text| Piece::Comment(text.trim().to_owned()));
                    pieces.extend(comment.map(|comment| (line, comment)));
                }
                _ => {}
            }
        }
        pieces
    }

    /// The names by which other pages link to parts of this one.
    pub(crate) fn anchors(&self) -> BTreeSet<String> {
        let mut anchors = BTreeSet::new();
        for (_, piece) in self.pieces() {
            let Piece::Heading(text) = piece else {
                continue;
            };
            let anchor = anchor(&text);
            let mut numbered = anchor.clone();
            for number in 1.. {
                if anchors.insert(numbered) {
                    break;
                }
                numbered = format!("{anchor}-{number}");
            }
        }
        anchors
    }
}

/// The name of a heading in a link, as GitHub and mdBook make it.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter_map(|letter| match letter {
        ' ' => Some('-'),
        '-' | '_' => Some(letter),
        _ => letter.is_alphanumeric().then_some(letter),
    });
    kept.collect()
}

#[test]
fn a_page_is_taken_apart() {
    let text = "# A `b`\n\n<!-- setup: c -->\n\n```sh,exit=5\nd\n```\n\n[e](f.md#g)\n\n## A b\n";
    let page = Page {
        path: PathBuf::from("x.md"),
        text: text.to_owned(),
    };
    let pieces: Vec<Piece> = page.pieces().into_iter().map(|(_, piece)| piece).collect();
    let block = Piece::Block {
        info: "sh,exit=5".to_owned(),
        text: "d\n".to_owned(),
    };
    let expected = [
        Piece::Code("b".to_owned()),
        Piece::Heading("A b".to_owned()),
        Piece::Comment("setup: c".to_owned()),
        block,
        Piece::Link("f.md#g".to_owned()),
        Piece::Heading("A b".to_owned()),
    ];
    assert_eq!(pieces, expected);
    let anchors = page.anchors().into_iter().collect::<Vec<_>>();
    assert_eq!(anchors, ["a-b", "a-b-1"]);
}
