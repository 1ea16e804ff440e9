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
/// [`Error::Output`] when standard output is closed, [`Error::Config`] when the directory cannot be written to.
pub(super) fn run(args: &ManArgs, out: &mut (dyn Write + Send)) -> Result<ExitStatus, Error> {
    let command = super::help::command();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page() {
        let directory = tempfile::tempdir().unwrap();
        let pages = directory.path().join("man1");
        let args = ManArgs {
            directory: Some(pages.clone()),
        };
        run(&args, &mut Vec::new()).unwrap();
        for name in ["lockgate.1", "lockgate-sync.1", "lockgate-runs-replay.1"] {
            let page = std::fs::read_to_string(pages.join(name)).unwrap();
            assert!(page.contains(".SH SYNOPSIS"), "{name}: {page}");
        }
        let mut printed = Vec::new();
        run(&ManArgs { directory: None }, &mut printed).unwrap();
        assert!(String::from_utf8(printed).unwrap().contains("lockgate"));
    }
}
