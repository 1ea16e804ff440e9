//! `lockgate explain`: the page of an error code.

use std::io::Write;

use clap::Args;

use crate::error::{Error, ExitStatus, code};

/// Explains an error code: what happened, why, and what to do
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  lockgate explain            lists all codes
  lockgate explain LG-2006")]
pub(super) struct ExplainArgs {
    /// The code that an error was printed with [default: lists all]
    code: Option<String>,
}

/// Prints the page, or the first line of each.
///
/// # Errors
/// [`Error::Usage`] for a code that does not exist.
pub(super) fn run(args: &ExplainArgs, out: &mut (dyn Write + Send)) -> Result<ExitStatus, Error> {
    if let Some(wanted) = &args.code {
        let page = code::page(wanted).ok_or_else(|| Error::Usage {
            message: format!("unknown error code {wanted:?}"),
            hint: Some("`lockgate explain` lists all".to_owned()),
        })?;
        out.write_all(page.as_bytes())?;
    } else {
        for page in code::all().filter_map(code::page) {
            let title = page.lines().next().unwrap_or_default();
            writeln!(out, "{}", title.trim_start_matches("# "))?;
        }
    }
    out.flush()?;
    Ok(ExitStatus::Agreed)
}
