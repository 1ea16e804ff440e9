//! Commands in documents are run, page by page, each page in a directory of its own with instances of its own.
//!
//! A fenced block of `sh` that calls the program is run as it stands, in the order of its page. Its info string may say
//! `exit=5`, the exit code that it ends with, or `no-run=REASON`; then its words are parsed only. A comment that begins with
//! `setup:` holds commands that are run before the blocks below it and that readers need not see.

use std::fmt::Write as _;

use futures_util::StreamExt;

use crate::pages::{self, Page, Piece};
use crate::shell::{self, Stage};

/// Pages whose commands run at one time.
const AT_ONCE: usize = 4;

/// Something of a page to be run.
struct Step {
    at: String,
    script: String,
    exit: i32,
    /// Why it is not run.
    not_run: Option<String>,
}

/// What an info string says: `sh,exit=5`.
fn attribute<'i>(info: &'i str, name: &str) -> Option<&'i str> {
    let mut attributes = info.split(',');
    attributes.find_map(|attribute| attribute.trim().strip_prefix(name)?.strip_prefix('='))
}

fn step((line, piece): (usize, Piece), page: &Page) -> Option<Step> {
    let at = format!("{}:{line}", page.path.display());
    match piece {
        Piece::Comment(text) => Some(Step {
            at,
            script: text.strip_prefix("setup:")?.to_owned(),
            exit: 0,
            not_run: None,
        }),
        Piece::Block { info, text } if ["sh", "console"].contains(&info.split(',').next()?) => {
            let exit = attribute(&info, "exit").map_or(0, |code| code.parse().unwrap());
            let not_run = attribute(&info, "no-run").map(str::to_owned);
            let calls = !shell::calls(&text).is_empty();
            calls.then_some(Step {
                at,
                script: text,
                exit,
                not_run,
            })
        }
        Piece::Block { .. } | Piece::Code(_) | Piece::Link(_) | Piece::Heading(_) => None,
    }
}

fn steps(page: &Page) -> Vec<Step> {
    let pieces = page.pieces().into_iter();
    pieces.filter_map(|piece| step(piece, page)).collect()
}

/// What went wrong with the commands of a page. After the first one the rest is not tried.
async fn failure(page: &Page) -> Option<String> {
    let steps = steps(page);
    if steps.iter().all(|step| step.not_run.is_some()) {
        return None;
    }
    let stage = Stage::new().await;
    let mut failure = None;
    for step in steps.iter().filter(|step| step.not_run.is_none()) {
        let ended = stage.run(&step.script).await;
        if ended.code != Some(step.exit) {
            let Step {
                at, script, exit, ..
            } = step;
            let (code, said) = (ended.code, ended.said);
            failure = Some(format!(
                "{at}: ended with {code:?} and not with {exit}\n{script}\n{said}"
            ));
            break;
        }
    }
    stage.end().await;
    failure
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_every_page_work() {
    let pages = pages::all();
    let run = futures_util::stream::iter(&pages)
        .map(failure)
        .buffer_unordered(AT_ONCE);
    let failures: Vec<String> = run.filter_map(|failure| async { failure }).collect().await;
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// Commands that no test can run: each says why, and the program takes its words.
#[test]
#[expect(
    clippy::print_stdout,
    reason = "what is not run stands in the output of the test, with its reason"
)]
fn what_is_not_run_has_a_reason_and_is_accepted() {
    let (mut report, mut wrong) = (String::new(), Vec::new());
    let (mut run, mut not_run) = (0, 0);
    for step in pages::all().iter().flat_map(steps) {
        let calls = shell::calls(&step.script);
        let refused = calls.iter().filter(|words| !shell::is_accepted(words));
        wrong.extend(refused.map(|words| format!("{}: {words:?}", step.at)));
        let Some(reason) = step.not_run else {
            run += calls.len();
            continue;
        };
        not_run += calls.len();
        writeln!(report, "{}: not run: {}", step.at, reason.replace('-', " ")).unwrap();
        if reason.is_empty() {
            wrong.push(format!("{}: no reason", step.at));
        }
    }
    println!("{report}{run} commands of documents are run, {not_run} are not");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(run > 50, "{run} commands are run");
    assert!(not_run * 5 < run, "{not_run} are not run");
}

/// Commands in sentences, such as `lockgate plan --out`.
#[test]
fn commands_in_sentences_exist() {
    let mut wrong = Vec::new();
    // The changelog names what was replaced.
    let pages = pages::all().into_iter();
    for page in pages.filter(|page| !page.path.ends_with("CHANGELOG.md")) {
        for (line, piece) in page.pieces() {
            let Piece::Code(code) = piece else { continue };
            let code = code.trim_end_matches(['…', ' ']);
            let refused = shell::calls(code)
                .into_iter()
                .filter(|words| !shell::may_begin_a_call(words));
            wrong.extend(refused.map(|words| format!("{}:{line}: {words:?}", page.path.display())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A configuration that a page shows is one.
#[tokio::test]
async fn every_configuration_that_is_shown_is_accepted() {
    let stage = Stage::new().await;
    let (mut wrong, mut checked) = (Vec::new(), 0);
    for page in pages::all() {
        for (line, piece) in page.pieces() {
            let Piece::Block { info, text } = piece else {
                continue;
            };
            if info != "toml" {
                continue;
            }
            std::fs::write(stage.path().join("shown.toml"), text).unwrap();
            let ended = stage.run("lockgate config --config shown.toml").await;
            checked += 1;
            if ended.code != Some(0) {
                wrong.push(format!("{}:{line}: {}", page.path.display(), ended.said));
            }
        }
    }
    stage.end().await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked > 3, "{checked} configurations");
}
