//! The screen as a reporter.
//!
//! Drawing and keys have a thread of their own, so that a slow terminal slows nobody: each tick offers the present
//! progress, and if the thread is still busy with an earlier one, the offer lapses. Keys show with the next
//! drawing, at most a tenth of a second later.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crossterm::event::Event as Input;
use ratatui::layout::Rect;
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError as TrySendCommandError;

use super::clerk::Clerk;
use super::course::Course;
use super::draw::{anchors, draw};
use super::log::{Log, LogLine};
use super::terminal::Terminal;
use super::view::{View, look};
use crate::domain::RequestLog;
use crate::event::{Command, Event, Stamped};
use crate::progress::{History, Progress};
use crate::report::note::note;
use crate::report::{Reporter, Style, closing};

/// How long the thread waits for something to draw before it looks at the keys again.
const LOOK_AT_KEYS: Duration = Duration::from_millis(50);

/// The dashboard. It draws on standard error, which like standard input must be a terminal.
pub struct Dashboard {
    style: Style,
    screen: Option<Screen>,
    log: Log,
    history: History,
}

/// The thread that has the terminal.
struct Screen {
    /// Holds one: a newer offer lapses while an older one waits, and the next tick makes another.
    offers: SyncSender<Offer>,
    thread: JoinHandle<io::Result<()>>,
}

/// Something to draw.
struct Offer {
    progress: Progress,
    now_ms: u64,
    log: Log,
    course: Course,
}

impl Dashboard {
    /// Takes the terminal. Keys become commands.
    ///
    /// # Errors
    /// When the terminal cannot be prepared; it is left as it was.
    pub fn open(style: Style, commands: Sender<Command>) -> io::Result<Self> {
        let terminal = Terminal::take()?;
        let mut view = View::new(look(style.color, style.ascii), style.watch);
        view.prompt.tokens.clone_from(&style.tokens);
        let (offers, receiver) = sync_channel(1);
        let keys = Keys {
            commands,
            unsent: VecDeque::new(),
        };
        let desk = Desk {
            clerk: Clerk::new(style.lookup.clone()),
            requests: style.requests.clone(),
            has_links: !style.ascii,
        };
        let thread = std::thread::Builder::new()
            .name("dashboard".to_owned())
            .spawn(move || show((terminal, view), &receiver, keys, desk))?;
        Ok(Self {
            style: Style {
                // The thread has the only one that is left of it, so that nothing is asked once the screen is gone.
                lookup: None,
                ..style
            },
            screen: Some(Screen { offers, thread }),
            log: Log::default(),
            history: History::default(),
        })
    }

    /// Offers the present to the screen.
    fn offer(&mut self, progress: &Progress, now_ms: u64) -> io::Result<()> {
        let Some(screen) = &self.screen else {
            return Ok(());
        };
        let offer = Offer {
            progress: progress.clone(),
            now_ms,
            log: std::mem::take(&mut self.log),
            course: Course::of(&self.history),
        };
        match screen.offers.try_send(offer) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(offer)) => {
                self.log = offer.log;
                Ok(())
            }
            Err(TrySendError::Disconnected(_)) => self.close(),
        }
    }

    /// Ends the thread, which gives the terminal back, and tells how it ended.
    fn close(&mut self) -> io::Result<()> {
        let Some(Screen { offers, thread }) = self.screen.take() else {
            return Ok(());
        };
        drop(offers);
        thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the dashboard panicked")))
    }
}

impl fmt::Debug for Dashboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dashboard").finish_non_exhaustive()
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        drop(self.close());
    }
}

impl Reporter for Dashboard {
    fn name(&self) -> &'static str {
        "dashboard"
    }

    fn event(&mut self, event: &Stamped, progress: &Progress) -> io::Result<()> {
        if matches!(event.event, Event::RunStarted { .. }) {
            self.log = Log::anew();
            self.history = History::default();
        }
        self.history.apply(event);
        if let Some(note) = note(&event.event, progress) {
            let at_ms = event.at_ms;
            self.log.push(LogLine { at_ms, note });
        }
        Ok(())
    }

    fn tick(&mut self, progress: &Progress, now_ms: u64) -> io::Result<()> {
        self.offer(progress, now_ms)
    }

    /// Gives the terminal back and leaves the result on it.
    fn finish(&mut self, progress: &Progress) -> io::Result<()> {
        let closed = self.close();
        closing::write(&mut io::stderr().lock(), progress, &self.style)?;
        closed
    }
}

/// What the keys asked for.
struct Keys {
    commands: Sender<Command>,
    /// Commands for which there was no room yet.
    unsent: VecDeque<Command>,
}

impl Keys {
    /// Takes the keys that were pressed, and what the mouse did on a screen of this size.
    fn take(&mut self, view: &mut View, screen: Rect, progress: &Progress) -> io::Result<()> {
        while crossterm::event::poll(Duration::ZERO)? {
            match crossterm::event::read()? {
                Input::Key(key) => self.unsent.extend(view.key(key, progress)),
                Input::Mouse(mouse) => view.mouse(mouse, screen, progress),
                Input::FocusGained | Input::FocusLost | Input::Paste(_) | Input::Resize(..) => {}
            }
        }
        self.send();
        Ok(())
    }

    /// Sends as much as there is room for. Once nobody takes commands any more, the run is over.
    fn send(&mut self) {
        while let Some(command) = self.unsent.pop_front() {
            if let Err(TrySendCommandError::Full(command)) = self.commands.try_send(command) {
                self.unsent.push_front(command);
                return;
            }
        }
    }
}

/// What the screen shows beside the progress.
struct Desk {
    clerk: Clerk,
    requests: Vec<RequestLog>,
    /// Whether addresses are written so that the terminal can open them.
    has_links: bool,
}

/// Draws what is offered, until nothing more can come.
fn show(
    (mut terminal, mut view): (Terminal, View),
    offers: &Receiver<Offer>,
    mut keys: Keys,
    mut desk: Desk,
) -> io::Result<()> {
    let mut progress = Progress::new();
    loop {
        match offers.recv_timeout(LOOK_AT_KEYS) {
            Ok(offer) => {
                progress = offer.progress;
                if !view.is_held {
                    view.now_ms = offer.now_ms;
                }
                view.prompt.follow(progress.needs_token());
                view.log.append(offer.log);
                view.course = offer.course;
                view.requests.follow(&desk.requests);
                terminal.draw(|frame| draw(frame, &progress, &view))?;
                if desk.has_links {
                    terminal.link(&anchors(terminal.area()?, &progress, &view))?;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
        desk.clerk
            .serve(&mut view, progress.run().map(|run| &run.id));
        keys.take(&mut view, terminal.area()?, &progress)?;
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::channel;

    use super::*;

    #[test]
    fn commands_wait_for_room_and_keep_their_order() {
        let (commands, mut taken) = channel(1);
        let mut keys = Keys {
            commands,
            unsent: VecDeque::from([Command::Pause, Command::Resume, Command::Drain]),
        };
        let mut order = Vec::new();
        while order.len() < 3 {
            keys.send();
            order.push(taken.try_recv().unwrap());
        }
        assert_eq!(order, [Command::Pause, Command::Resume, Command::Drain]);
    }

    #[test]
    fn commands_are_dropped_once_nobody_takes_them() {
        let (commands, taken) = channel(1);
        drop(taken);
        let unsent = VecDeque::from([Command::Pause, Command::Drain]);
        let mut keys = Keys { commands, unsent };
        keys.send();
        assert!(keys.unsent.is_empty());
    }
}
