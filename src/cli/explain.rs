//! `lockgate explain`: the page of an error code.

use std::io::Write;

use clap::Args;
use serde_json::json;

use crate::error::{Error, ExitStatus, code};

/// Explains an error code: what happened, why, and what to do
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  lockgate explain            lists all codes
  lockgate explain LG-2006
  lockgate explain 2006 --json")]
pub(super) struct ExplainArgs {
    /// The code that an error was printed with [default: lists all]
    code: Option<String>,
    /// JSON: one object per code, with its code, title and page in Markdown
    #[arg(long)]
    json: bool,
}

/// Prints the page, or the first line of each.
///
/// # Errors
/// [`Error::Usage`] for a code that does not exist.
pub(super) fn run(args: &ExplainArgs, out: &mut (dyn Write + Send)) -> Result<ExitStatus, Error> {
    let pages: Vec<&str> = match &args.code {
        Some(wanted) => vec![code::page(wanted).ok_or_else(|| Error::Usage {
            message: format!("unknown error code {wanted:?}"),
            hint: Some("`lockgate explain` lists all".to_owned()),
        })?],
        None => code::all().filter_map(code::page).collect(),
    };
    for page in pages {
        let title = page.lines().next().unwrap_or_default();
        let title = title.trim_start_matches("# ");
        if args.json {
            let (code, title) = title.split_once(':').unwrap_or((title, ""));
            let line = json!({ "code": code.trim(), "title": title.trim(), "page": page });
            writeln!(out, "{line}")?;
        } else if args.code.is_some() {
            out.write_all(page.as_bytes())?;
        } else {
            writeln!(out, "{title}")?;
        }
    }
    out.flush()?;
    Ok(ExitStatus::Agreed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(code: Option<&str>, json: bool) -> String {
        let code = code.map(str::to_owned);
        let mut out = Vec::new();
        run(&ExplainArgs { code, json }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// Only `LG-2006` was known.
    #[test]
    fn a_code_is_known_by_its_number_alone() {
        let page = printed(Some("LG-2006"), false);
        assert!(page.starts_with("# LG-2006"), "{page}");
        for code in ["2006", "lg2006", " lg-2006"] {
            assert_eq!(printed(Some(code), false), page, "{code}");
        }
    }

    #[test]
    fn programs_get_an_object_for_each_code() {
        let lines = printed(None, true);
        let codes = code::all().count();
        assert_eq!(lines.lines().count(), codes);
        let one: serde_json::Value = serde_json::from_str(&printed(Some("2006"), true)).unwrap();
        assert_eq!(one["code"], "LG-2006");
        assert!(one["title"].as_str().is_some_and(|title| !title.is_empty()));
        assert_eq!(one["page"], printed(Some("2006"), false));
    }
}
