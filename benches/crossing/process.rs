//! What a process costs, from the proc file system of Linux. Elsewhere the costs are not known.

use std::fs;
use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::process::Child;

use crate::memory::status_bytes;

/// Ticks per second of the times in `/proc/<pid>/stat` (`USER_HZ`, 100 on every architecture that runs this).
const TICKS_PER_SECOND: f64 = 100.0;

/// Time between two looks at a process. Its peak is kept by the kernel, so only growth in the last of these is missed.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What a process has cost so far; `None` where the system does not report it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    /// Most bytes that were resident at one time.
    pub(crate) peak_bytes: Option<u64>,
    /// Seconds on a processor, in user and kernel mode together.
    pub(crate) cpu_seconds: Option<f64>,
}

impl Cost {
    /// The cost of a process up to now.
    pub(crate) fn of(pid: u32) -> Self {
        Self {
            peak_bytes: status_bytes(pid, "VmHWM:"),
            cpu_seconds: stat(pid).map(|stat| stat.cpu_seconds),
        }
    }

    /// The larger of each.
    fn or_more(self, other: Self) -> Self {
        Self {
            peak_bytes: self.peak_bytes.max(other.peak_bytes),
            cpu_seconds: other.cpu_seconds.or(self.cpu_seconds),
        }
    }
}

/// Waits for a process to end, and returns what it cost.
///
/// It is looked at until it is a zombie: then its processor time is final, and it is reaped only after that.
///
/// # Errors
/// The process cannot be waited for.
pub(crate) async fn watch(mut child: Child) -> io::Result<(ExitStatus, Cost)> {
    let mut cost = Cost::default();
    if let Some(pid) = child.id() {
        while let Some(stat) = stat(pid) {
            cost = cost.or_more(Cost::of(pid));
            if stat.is_over {
                break;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    Ok((child.wait().await?, cost))
}

struct Stat {
    is_over: bool,
    cpu_seconds: f64,
}

/// Fields 3, 14 and 15 of `/proc/<pid>/stat` (proc(5)). The second is a name in brackets that may hold anything, so
/// counting starts behind it.
fn stat(pid: u32) -> Option<Stat> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = line.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u32>().ok();
    Some(Stat {
        is_over: matches!(*fields.first()?, "Z" | "X"),
        cpu_seconds: (f64::from(ticks(11)?) + f64::from(ticks(12)?)) / TICKS_PER_SECOND,
    })
}
