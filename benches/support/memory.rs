//! What a process holds in memory, as Linux reports it.

use std::fs;

/// A member of `/proc/<pid>/status` that is reported in kilobytes, such as `VmHWM:`, in bytes.
pub(crate) fn status_bytes(pid: u32, member: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(member))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
