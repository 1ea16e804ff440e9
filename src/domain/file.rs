//! Files that are opened by their path, whatever created them.

use std::io::{self, ErrorKind};
use std::path::Path;

/// Reads a file. A pipe or a device in its place is an error: to read from one may never end.
///
/// # Errors
/// [`io::Error`] of the system; [`ErrorKind::InvalidInput`] for what is not a regular file.
pub fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    check_regular(path)?;
    std::fs::read(path)
}

/// As [`read_file`], for text in UTF-8.
///
/// # Errors
/// The same; [`ErrorKind::InvalidData`] for other bytes.
pub fn read_text(path: &Path) -> io::Result<String> {
    check_regular(path)?;
    std::fs::read_to_string(path)
}

/// Checks that a file, if it exists, is neither a pipe nor a device. A folder is left to the caller.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] when it is; [`io::Error`] of the system when it cannot be looked at.
pub fn check_regular(path: &Path) -> io::Result<()> {
    let kind = std::fs::metadata(path)?.file_type();
    if kind.is_file() || kind.is_dir() {
        return Ok(());
    }
    let message = "not a regular file, but a pipe, a socket or a device";
    Err(io::Error::new(ErrorKind::InvalidInput, message))
}

/// Checks that a path is not a symbolic link which leads where its user did not mean to write: both the link and what it
/// leads to have to belong to the user of this process. What does not exist is fine.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] for a link of another user, or to something of another user, or to nothing.
pub fn check_link(path: &Path) -> io::Result<()> {
    let is_link = std::fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
    if !is_link || is_own(path)? {
        return Ok(());
    }
    let message = "a symbolic link that does not belong to this user, or whose end does not";
    Err(io::Error::new(ErrorKind::InvalidInput, message))
}

#[cfg(unix)]
fn is_own(link: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    // The user of this process is the owner of what it makes.
    let user = tempfile::tempfile()?.metadata()?.uid();
    let own = std::fs::symlink_metadata(link)?.uid() == user;
    let end = std::fs::metadata(link).is_ok_and(|end| end.uid() == user);
    Ok(own && end)
}

/// Elsewhere only an administrator can make links.
#[cfg(not(unix))]
fn is_own(_: &Path) -> io::Result<bool> {
    Ok(true)
}

/// Whether other users of the machine may read a file; false where it does not exist.
pub fn is_readable_by_others(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(path).map(|found| found.permissions().mode());
        mode.is_ok_and(|mode| mode & 0o044 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// Whether every user of the machine may write to a file or folder; false where it does not exist.
pub fn is_open_to_all(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(path).map(|found| found.permissions().mode());
        // In a folder with the sticky bit no user can replace what belongs to others.
        mode.is_ok_and(|mode| mode & 0o002 != 0 && mode & 0o1000 == 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}
