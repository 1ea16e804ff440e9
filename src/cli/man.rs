//! `lockgate man`: pages for the manual.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use crate::config::ConfigError;
use crate::error::{Error, ExitStatus};

/// Prints the manual page, or writes one for every command into a directory
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  lockgate man | man -l -
  lockgate man ~/.local/share/man/man1")]
pub(super) struct ManArgs {
    /// Directory that gets the pages of all commands
    directory: Option<PathBuf>,
}

/// Prints or writes the pages.
///
/// # Errors
/// [`Error::Output`] when nobody reads, [`Error::Config`] when the directory cannot be written to.
pub(super) fn run(args: &ManArgs, out: &mut (dyn Write + Send)) -> Result<ExitStatus, Error> {
    let command = super::teach::command();
    let Some(directory) = &args.directory else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        out.write_all(&page)?;
        out.flush()?;
        return Ok(ExitStatus::Agreed);
    };
    let written = std::fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(command, directory));
    written.map_err(|source| ConfigError::File {
        path: directory.clone(),
        source,
    })?;
    Ok(ExitStatus::Agreed)
}
