//! Finds the folders of runs.

use std::io;
use std::path::Path;

/// Whether a name is that of a run: `YYYYMMDD-HHMMSS-` and four hexadecimal digits. Nothing else in the directory is
/// ever touched, because a user may have named any directory.
pub(crate) fn is_run_name(name: &str) -> bool {
    let mut parts = name.split('-');
    let digits = |part: Option<&str>, length| {
        part.is_some_and(|part| {
            part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    let starts = digits(parts.next(), 8) && digits(parts.next(), 6);
    let salt = parts
        .next()
        .is_some_and(|part| part.len() == 4 && part.bytes().all(|byte| byte.is_ascii_hexdigit()));
    starts && salt && parts.next().is_none()
}

/// The names of the run folders in a directory, the newest first; none when there is no such directory.
///
/// # Errors
/// When the directory cannot be read.
pub(crate) fn folders(base: &Path) -> io::Result<Vec<String>> {
    names(base, |entry| {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let name = entry.file_name().into_string().ok()?;
        (is_folder && is_run_name(&name)).then_some(name)
    })
}

/// The runs of which there is an archive, the newest first.
///
/// # Errors
/// When the directory cannot be read.
pub(crate) fn archives(base: &Path) -> io::Result<Vec<String>> {
    names(base, |entry| {
        let name = entry.file_name().into_string().ok()?;
        let run = name.strip_suffix(".tar.gz")?;
        is_run_name(run).then(|| run.to_owned())
    })
}

fn names(
    base: &Path,
    name: impl Fn(&std::fs::DirEntry) -> Option<String>,
) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(base) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(name(&entry?));
    }
    names.sort_unstable_by(|left, right| right.cmp(left));
    Ok(names)
}

/// The newest run that has a folder.
///
/// # Errors
/// When the directory cannot be read.
pub fn newest(base: &Path) -> io::Result<Option<String>> {
    Ok(folders(base)?.into_iter().next())
}

/// The newest run that has a folder and no end yet: it is in progress, or was killed.
///
/// # Errors
/// When the directory cannot be read.
pub fn newest_open(base: &Path) -> io::Result<Option<String>> {
    let is_open = |name: &String| !base.join(name).join("summary.json").exists();
    Ok(folders(base)?.into_iter().find(is_open))
}
