//! A stream with a reader that may stop reading.
//!
//! A pipe that nothing reads from blocks whatever writes to it. So the bytes go into a buffer, and a thread of its own
//! writes them out. Where the buffer is full and nothing of it goes out for a while, writing fails with
//! [`io::ErrorKind::TimedOut`] from then on, and the thread is left behind.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::{redact_message, shown_lines};

/// Bytes that wait for the reader before writing waits for it, too.
const BUFFER: usize = 256 * 1024;

/// The writing end. Dropped, it waits until all has gone out, or nothing goes out any more.
pub(super) struct Patient {
    shared: Arc<Shared>,
    patience: Duration,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    buffer: Vec<u8>,
    /// Whether the thread has bytes that are not out yet.
    is_writing: bool,
    /// How often bytes went out.
    rounds: u64,
    /// Nothing more comes.
    is_closed: bool,
    /// Why nothing goes out any more.
    error: Option<(io::ErrorKind, String)>,
}

/// How long the last words on standard error wait for a reader.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Standard error for what is said at the very end, which a reader that takes nothing does not hold up.
pub fn last_words() -> Box<dyn Write + Send> {
    match Patient::new(Box::new(io::stderr()), LAST_WORDS) {
        Ok(patient) => Box::new(patient),
        Err(_) => Box::new(io::stderr()),
    }
}

/// Writes a line on standard error, fit to be shown.
pub fn tell(line: &str) {
    // Nothing is left to report to when standard error is gone.
    drop(writeln!(
        io::stderr(),
        "{}",
        shown_lines(&redact_message(line))
    ));
}

impl Patient {
    /// Writes to `out`, and waits for `patience` at most until something goes out.
    ///
    /// # Errors
    /// When there is no thread for it.
    pub(super) fn new(mut out: Box<dyn Write + Send>, patience: Duration) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let own = Arc::clone(&shared);
        thread::Builder::new()
            .name("output".to_owned())
            .spawn(move || own.write_to(&mut *out))?;
        Ok(Self { shared, patience })
    }

    /// Waits until `is_enough`, or until nothing has gone out for as long as the patience lasts.
    fn wait(&self, is_enough: impl Fn(&State) -> bool) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.shared.lock();
        let (mut since, mut rounds) = (Instant::now(), state.rounds);
        loop {
            if let Some((kind, text)) = &state.error {
                return Err(io::Error::new(*kind, text.clone()));
            }
            if is_enough(&state) {
                return Ok(state);
            }
            if state.rounds != rounds {
                (since, rounds) = (Instant::now(), state.rounds);
            }
            let Some(left) = self.patience.checked_sub(since.elapsed()) else {
                let text = format!("its reader took nothing for {} s", self.patience.as_secs());
                state.error = Some((io::ErrorKind::TimedOut, text));
                continue;
            };
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread: writes what comes until nothing more does, or it cannot.
    fn write_to(&self, out: &mut dyn Write) {
        let mut bytes = Vec::new();
        loop {
            let mut state = self.lock();
            while state.buffer.is_empty() && !state.is_closed && state.error.is_none() {
                let woken = self.changed.wait(state);
                state = woken.unwrap_or_else(PoisonError::into_inner);
            }
            if state.buffer.is_empty() || state.error.is_some() {
                return;
            }
            std::mem::swap(&mut state.buffer, &mut bytes);
            state.is_writing = true;
            drop(state);
            let written = out.write_all(&bytes).and_then(|()| out.flush());
            bytes.clear();
            let mut state = self.lock();
            state.is_writing = false;
            state.rounds += 1;
            if let Err(error) = written {
                let known = (error.kind(), error.to_string());
                state.error.get_or_insert(known);
            }
            self.changed.notify_all();
        }
    }
}

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.wait(|state| state.buffer.len() < BUFFER)?;
        state.buffer.extend_from_slice(bytes);
        self.shared.changed.notify_all();
        Ok(bytes.len())
    }

    /// Bytes go out by themselves; this only fails once they do not any more.
    fn flush(&mut self) -> io::Result<()> {
        self.wait(|_| true).map(drop)
    }
}

impl Drop for Patient {
    fn drop(&mut self) {
        // What failed is known from the last write.
        drop(self.wait(|state| state.buffer.is_empty() && !state.is_writing));
        self.shared.lock().is_closed = true;
        self.shared.changed.notify_all();
    }
}

impl fmt::Debug for Patient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Patient").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Takes what is written to it when it is allowed to.
    struct Gate {
        allowed: Receiver<()>,
        taken: Sender<Vec<u8>>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.allowed.recv().is_err() {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            drop(self.taken.send(bytes.to_vec()));
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn gate(patience: Duration) -> (Patient, Sender<()>, Receiver<Vec<u8>>) {
        let (allow, allowed) = channel();
        let (taken, taking) = channel();
        let gate = Box::new(Gate { allowed, taken });
        (Patient::new(gate, patience).unwrap(), allow, taking)
    }

    const LONG: Duration = Duration::from_mins(10);

    #[test]
    fn all_bytes_go_out_in_order_before_it_ends() {
        let (mut writer, allow, taking) = gate(LONG);
        for number in 0..100 {
            writeln!(writer, "{number}").unwrap();
            allow.send(()).unwrap();
        }
        drop(writer);
        let all: Vec<u8> = taking.try_iter().flatten().collect();
        let lines = String::from_utf8(all).unwrap();
        let numbers = lines.lines().map(|line| line.parse::<u32>().unwrap());
        assert!(numbers.eq(0..100), "{lines}");
    }

    #[test]
    fn a_reader_that_stalls_fails_the_writer_and_holds_nothing_up() {
        let (mut writer, allow, _taking) = gate(Duration::from_millis(20));
        let piece = vec![b'x'; BUFFER];
        // One piece is with the reader, one fills the buffer, and the third waits in vain.
        let ended = (0..3).find_map(|_| writer.write(&piece).err());
        assert_eq!(ended.unwrap().kind(), io::ErrorKind::TimedOut);
        assert_eq!(writer.flush().unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(writer);
        drop(allow);
    }

    #[test]
    fn a_reader_that_went_away_is_an_error_of_a_later_write() {
        let (mut writer, allow, _taking) = gate(LONG);
        drop(allow);
        writer.write_all(b"one").unwrap();
        let went = |state: &State| !state.is_writing && state.buffer.is_empty();
        assert!(writer.wait(went).is_err());
        let error = writer.write(b"two").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
