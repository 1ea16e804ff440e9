//! What every page is made of.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use maud::{DOCTYPE, Markup, PreEscaped, Render, html};
use sha2::{Digest as _, Sha256};

use crate::domain::shown_lines;

/// The style of all pages.
const STYLE: &str = include_str!("style.css");

/// The search in tables.
const SEARCH: &str = include_str!("search.js");

/// A whole page; `style` and `script` are our own. The page runs this script and no other, because its policy names the hash
/// of it (Content Security Policy Level 3, section 2.3.1).
pub(crate) fn page(title: &str, style: &str, body: Markup, script: &str) -> String {
    let script = format!("\n{SEARCH}{script}");
    let hash = BASE64.encode(Sha256::digest(&script));
    let policy =
        format!("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hash}'");
    let page = html! {
        (DOCTYPE) "\n"
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="color-scheme" content="light dark";
                title { (shown_lines(title)) }
                style { "\n" (PreEscaped(STYLE)) (PreEscaped(style)) }
            }
            "\n"
            body { main { "\n" (harmless(body)) } script { (PreEscaped(script)) } }
        }
        "\n"
    };
    page.into_string()
}

/// Markup without characters that steer a terminal or mislead a reader; see [`shown_lines`].
pub(crate) fn harmless(markup: Markup) -> Markup {
    PreEscaped(shown_lines(&markup.into_string()).into_owned())
}

/// The head of a page, with what stands at its right.
pub(crate) fn top(
    brand: &str,
    title: impl Render,
    facts: impl Render,
    right: impl Render,
) -> Markup {
    html! {
        header.top {
            div { div.brand { (brand) } h1 { (title) } (facts) }
            (right)
        }
        "\n"
    }
}

/// The two instances in a title.
pub(crate) fn pair(source: &str, target: &str) -> Markup {
    html! { (source) span.arrow { "→" } (target) }
}

/// The colours of all pages alone: everything in the style before its first rule for elements, and what names lanes.
pub(crate) fn colours() -> String {
    let end = STYLE.find("\n* {").unwrap_or(STYLE.len());
    format!(
        "{}\n.l1 {{ --tone: var(--lane1); }} .l2 {{ --tone: var(--lane2); }} .l3 {{ --tone: var(--lane3); }}\n",
        &STYLE[..end]
    )
}

/// A part of a page, under a heading if it has one. An empty body gives no part.
pub(crate) fn card(title: &str, explanation: &str, body: &Markup) -> Markup {
    html! {
        @if !body.0.is_empty() {
            section.card {
                "\n"
                @if !title.is_empty() { h2 { (title) } "\n" }
                @if !explanation.is_empty() { p.soft.small { (explanation) } "\n" }
                (body)
            }
            "\n"
        }
    }
}

/// A share in per cent with three digits, as CSS takes it: `12.500%`. Never more than all.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    let thousandths = u128::from(part.min(whole)) * 100_000 / u128::from(whole.max(1));
    format!("{}.{:03}%", thousandths / 1_000, thousandths % 1_000)
}

/// A table whose rows can be searched, with the cells of its head. The class says what happens to what does not fit.
pub(crate) fn table(class: &str, id: &str, what: &str, head: &Markup, rows: &Markup) -> Markup {
    let search = format!("Search {what}");
    html! {
        div.find {
            input type="search" data-table=(id) placeholder=(search) aria-label=(search);
            span.soft.small id={ (id) "-shown" } role="status" {}
        }
        "\n"
        div.(class) { table #(id) { thead { tr { (head) } } tbody { "\n" (rows) } } }
        "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_opens_no_markup() {
        let text = "<b onclick='x'>\"&\x1b[2J";
        let shown = harmless(html! { p title=(text) { (text) } }).into_string();
        let safe = "&lt;b onclick='x'&gt;&quot;&amp;\\u001b[2J";
        assert_eq!(shown, format!("<p title=\"{safe}\">{safe}</p>"));
    }

    #[test]
    fn shares_are_exact_and_bounded() {
        assert_eq!(percent(1, 8), "12.500%");
        assert_eq!(percent(9, 8), "100.000%");
        assert_eq!(percent(0, 0), "0.000%");
    }
}
