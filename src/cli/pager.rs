//! Text for people on standard output: in colours and through a pager where there is a terminal.

use std::io::{IsTerminal, Write};
use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::config::{ColorChoice, Settings};
use crate::domain::redact;
use crate::error::Error;
use crate::report::overview::Look;

/// How text on standard output looks.
pub(super) fn look(settings: &Settings) -> Look {
    Look {
        color: match settings.output.color {
            ColorChoice::Auto => std::io::stdout().is_terminal() && !settings.host_info.dumb,
            ColorChoice::Always => true,
            ColorChoice::Never => false,
        },
        ascii: !settings.host_info.unicode,
    }
}

/// Shows a text whose foreign parts are fit to be shown. A pager that cannot be started is done without.
///
/// # Errors
/// [`Error`] when standard output takes nothing.
pub(super) async fn show(
    text: &str,
    settings: &Settings,
    may_page: bool,
    out: &mut (dyn Write + Send),
) -> Result<(), Error> {
    let is_paged = may_page && std::io::stdout().is_terminal() && !settings.host_info.dumb;
    if is_paged && page(text, settings.host_info.pager.as_deref()).await {
        return Ok(());
    }
    if look(settings).color {
        // What is foreign in it is clean by now; the colours would not survive a second time.
        let mut out = std::io::stdout().lock();
        out.write_all(redact(text).as_bytes())?;
        out.flush()?;
        return Ok(());
    }
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Whether the user's pager showed it. One that was left early has shown what was asked for.
async fn page(text: &str, pager: Option<&str>) -> bool {
    let mut words = pager.unwrap_or("less").split_whitespace();
    let Some(program) = words.next().filter(|program| *program != "cat") else {
        return false;
    };
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::piped()).kill_on_drop(true);
    if program.ends_with("less") {
        // One screen is printed and left; colours are kept.
        command.arg("-FRX");
    }
    let Ok(mut child) = command.spawn() else {
        return false;
    };
    if let Some(mut stdin) = child.stdin.take() {
        // It closes its end when it is left early.
        stdin
            .write_all(redact(text).as_bytes())
            .await
            .unwrap_or_default();
    }
    child.wait().await.is_ok()
}
