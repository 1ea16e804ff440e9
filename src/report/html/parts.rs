//! What every page is made of.

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use sha2::{Digest as _, Sha256};

use crate::domain::shown_lines;

/// The style of all pages.
const STYLE: &str = include_str!("style.css");

/// The search in tables.
const SEARCH: &str = include_str!("search.js");

/// Foreign text as it may stand in an element or a quoted attribute.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    let text = shown_lines(text);
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return text;
    }
    let mut safe = String::with_capacity(text.len() + text.len() / 8);
    for char in text.chars() {
        match char {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            char => safe.push(char),
        }
    }
    Cow::Owned(safe)
}

/// A whole page. `title` is escaped here; `style`, `body` and `script` are markup of our own. The page runs this script and
/// no other, because its policy names the hash of it (Content Security Policy Level 3, section 2.3.1).
pub(crate) fn page(title: &str, style: &str, body: &str, script: &str) -> String {
    let title = escape(title);
    let script = format!("\n{SEARCH}{script}");
    let hash = BASE64.encode(Sha256::digest(&script));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hash}'\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>\n{STYLE}{style}</style>\n</head>\n\
         <body>\n<main>\n{body}</main>\n<script>{script}</script>\n</body>\n</html>\n"
    )
}

/// The colours of all pages alone: everything in the style before its first rule for elements, and what names lanes.
pub(crate) fn colours() -> String {
    let end = STYLE.find("\n* {").unwrap_or(STYLE.len());
    format!(
        "{}\n.l1 {{ --tone: var(--lane1); }} .l2 {{ --tone: var(--lane2); }} .l3 {{ --tone: var(--lane3); }}\n",
        &STYLE[..end]
    )
}

/// A part of a page under a heading. An empty body gives no part.
pub(crate) fn card(title: &str, explanation: &str, body: &str) -> String {
    if body.is_empty() {
        return String::new();
    }
    let explanation = if explanation.is_empty() {
        String::new()
    } else {
        format!("<p class=\"soft small\">{}</p>\n", escape(explanation))
    };
    format!(
        "<section class=\"card\">\n<h2>{}</h2>\n{explanation}{body}</section>\n",
        escape(title)
    )
}

/// A share in per cent with three digits, as CSS takes it: `12.500%`. Never more than all.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    let thousandths = u128::from(part.min(whole)) * 100_000 / u128::from(whole.max(1));
    format!("{}.{:03}%", thousandths / 1_000, thousandths % 1_000)
}

/// The field that searches the rows of a table.
pub(crate) fn search(table: &str, what: &str) -> String {
    format!(
        "<div class=\"find\"><input type=\"search\" data-table=\"{table}\" placeholder=\"Search {what}\" \
         aria-label=\"Search {what}\"><span class=\"soft small\" id=\"{table}-shown\" role=\"status\"></span></div>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_opens_no_markup() {
        assert_eq!(
            escape("<b onclick='x'>\"&\x1b[2J"),
            "&lt;b onclick=&#39;x&#39;&gt;&quot;&amp;\\u001b[2J"
        );
        assert!(matches!(escape("plain text"), Cow::Borrowed(_)));
    }

    #[test]
    fn shares_are_exact_and_bounded() {
        assert_eq!(percent(1, 8), "12.500%");
        assert_eq!(percent(9, 8), "100.000%");
        assert_eq!(percent(0, 0), "0.000%");
    }
}
