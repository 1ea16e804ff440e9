//! The screen as a reporter.
//!
//! Drawing and keys have a thread of their own, so that a slow terminal slows nothing else: each tick offers the present
//! progress, and if the thread is still busy with an earlier one, the offer lapses. Keys show with the next
//! drawing, at most a tenth of a second later.
//!
//! Several runs share one screen ([`Screen`]): it takes the terminal once each of them is shown there or is over, and gives it
//! back after the last one.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError as TrySendCommandError;

use super::board::{Board, Tile};
use super::clerk::Clerk;
use super::course::Course;
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

/// The terminal that one run has, or several share. Clones share it. It draws on standard error, which like standard input must
/// be a terminal.
#[derive(Clone)]
pub struct Screen(Arc<Mutex<Shared>>);

struct Shared {
    runs: Vec<State>,
    thread: Option<DrawingThread>,
    /// Why the terminal could not be taken.
    failed: Option<String>,
    /// What is left on the terminal of runs that are over, and where it is written.
    closings: Vec<(Box<dyn Write + Send>, Vec<u8>)>,
}

/// How far a run is that shares the screen.
enum State {
    /// It is not shown there yet.
    Before,
    /// It is shown there as soon as the others are.
    Ready(Box<Shown>),
    /// It is shown there.
    Shown,
    /// It is over.
    Over,
}

/// What the thread has of a run.
struct Shown {
    /// The place of the run among all that share the screen.
    number: usize,
    view: View,
    keys: Keys,
    records: Records,
}

/// The thread that has the terminal.
struct DrawingThread {
    /// Holds one of each run: a newer offer lapses while there is no room, and the next tick makes another.
    offers: SyncSender<Offer>,
    thread: JoinHandle<io::Result<()>>,
}

/// Something to draw.
struct Offer {
    number: usize,
    progress: Progress,
    now_ms: u64,
    log: Log,
    course: Course,
}

/// The place of a run on the screen. Dropped, the others no longer wait for it.
pub struct Place {
    number: usize,
    screen: Screen,
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Screen").finish_non_exhaustive()
    }
}

impl Screen {
    /// A screen with a place for each of so many runs. The terminal is not touched yet.
    pub fn places(runs: usize) -> Vec<Place> {
        let screen = Self::with_places(runs);
        let place = |number| Place {
            number,
            screen: screen.clone(),
        };
        (0..runs).map(place).collect()
    }

    fn with_places(runs: usize) -> Self {
        Self(Arc::new(Mutex::new(Shared {
            runs: (0..runs).map(|_| State::Before).collect(),
            thread: None,
            failed: None,
            closings: Vec::new(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Takes the terminal when every run is ready or over.
    fn open(&mut self) {
        let is_before = self.runs.iter().any(|run| matches!(run, State::Before));
        if is_before || self.thread.is_some() || self.failed.is_some() {
            return;
        }
        let mut shown = Vec::new();
        for run in &mut self.runs {
            match std::mem::replace(run, State::Shown) {
                State::Ready(ready) => shown.push(*ready),
                before => *run = before,
            }
        }
        if shown.is_empty() {
            return;
        }
        match DrawingThread::start(shown) {
            Ok(thread) => self.thread = Some(thread),
            Err(error) => self.failed = Some(error.to_string()),
        }
    }

    /// Ends the thread once no run needs it any more, which gives the terminal back, and then writes what is left on it.
    fn close(&mut self) -> io::Result<()> {
        if self.runs.iter().any(|run| !matches!(run, State::Over)) {
            return Ok(());
        }
        let closed = self.thread.take().map_or(Ok(()), DrawingThread::end);
        let written = self.closings.drain(..).try_for_each(|(mut out, text)| {
            out.write_all(&text)?;
            out.flush()
        });
        closed.and(written)
    }
}

impl DrawingThread {
    fn start(shown: Vec<Shown>) -> io::Result<Self> {
        let terminal = Terminal::take()?;
        let (offers, receiver) = sync_channel(shown.len());
        let thread = std::thread::Builder::new()
            .name("dashboard".to_owned())
            .spawn(move || show(terminal, shown, &receiver))?;
        Ok(Self { offers, thread })
    }

    fn end(self) -> io::Result<()> {
        let Self { offers, thread } = self;
        drop(offers);
        thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the dashboard panicked")))
    }
}

impl Place {
    /// The place of a run that has the screen for itself.
    pub fn alone() -> Self {
        Self {
            number: 0,
            screen: Screen::with_places(1),
        }
    }

    /// Notes that the run is over. The screen closes with the last one.
    fn leave(&self) -> io::Result<()> {
        let mut shared = self.screen.lock();
        shared.runs[self.number] = State::Over;
        shared.open();
        shared.close()
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.leave());
    }
}

/// What shows one run on the screen.
pub struct Dashboard {
    style: Style,
    place: Place,
    /// Where the result goes.
    out: Option<Box<dyn Write + Send>>,
    log: Log,
    history: History,
    now_ms: u64,
}

impl Dashboard {
    /// Shows a run at its place, under this name if it is one of several. Keys become commands, and the result goes to `out`
    /// once the terminal is given back. The terminal is taken when every run that shares it is ready or over.
    ///
    /// # Errors
    /// When the terminal cannot be prepared; it is left as it was.
    pub fn open(
        style: Style,
        commands: Sender<Command>,
        (place, name): (Place, Option<String>),
        out: Box<dyn Write + Send>,
    ) -> io::Result<Self> {
        let mut view = View::new(look(style.color, style.ascii), style.watch);
        view.prompt.tokens.clone_from(&style.tokens);
        view.name = name;
        let shown = Shown {
            number: place.number,
            view,
            keys: Keys {
                commands,
                unsent: VecDeque::new(),
            },
            records: Records {
                clerk: Clerk::new(style.lookup.clone()),
                requests: style.requests.clone(),
                has_links: !style.ascii,
            },
        };
        {
            let mut shared = place.screen.lock();
            shared.runs[place.number] = State::Ready(Box::new(shown));
            shared.open();
            if let Some(why) = &shared.failed {
                return Err(io::Error::other(why.clone()));
            }
        }
        Ok(Self {
            style: Style {
                // The thread has the only one that is left of it, so that nothing is asked once the screen is gone.
                lookup: None,
                ..style
            },
            place,
            out: Some(out),
            log: Log::default(),
            history: History::default(),
            now_ms: 0,
        })
    }

    /// Whether the terminal shows it.
    pub fn is_shown(&self) -> bool {
        self.place.screen.lock().thread.is_some()
    }

    /// Offers the present to the screen.
    fn offer(&mut self, progress: &Progress, now_ms: u64) -> io::Result<()> {
        // Other runs on the screen do not wait for the copy that is made here.
        let offers = {
            let shared = self.place.screen.lock();
            shared.thread.as_ref().map(|thread| thread.offers.clone())
        };
        let Some(offers) = offers else {
            return Ok(());
        };
        let offer = Offer {
            number: self.place.number,
            progress: progress.clone(),
            now_ms,
            log: std::mem::take(&mut self.log),
            course: Course::of(&self.history),
        };
        match offers.try_send(offer) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(offer)) => {
                self.log = offer.log;
                Ok(())
            }
            Err(TrySendError::Disconnected(_)) => self.give_up(),
        }
    }

    /// The thread has ended. Says why, once.
    fn give_up(&self) -> io::Result<()> {
        let thread = self.place.screen.lock().thread.take();
        thread.map_or(Ok(()), DrawingThread::end)
    }
}

impl fmt::Debug for Dashboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dashboard").finish_non_exhaustive()
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
        self.now_ms = now_ms;
        self.offer(progress, now_ms)
    }

    /// Leaves the result on the terminal, once it is given back.
    fn finish(&mut self, progress: &Progress) -> io::Result<()> {
        // The last of it is seen as long as other runs have the screen.
        self.offer(progress, self.now_ms)?;
        let mut text = Vec::new();
        closing::write(&mut text, progress, &self.style)?;
        if let Some(out) = self.out.take() {
            self.place.screen.lock().closings.push((out, text));
        }
        self.place.leave()
    }
}

/// What the keys asked for.
struct Keys {
    commands: Sender<Command>,
    /// Commands for which there was no room yet.
    unsent: VecDeque<Command>,
}

impl Keys {
    /// Sends as much as there is room for. Once nothing takes commands any more, the run is over.
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
struct Records {
    clerk: Clerk,
    requests: Vec<RequestLog>,
    /// Whether addresses are written so that the terminal can open them.
    has_links: bool,
}

/// Draws what is offered, until nothing more can come.
fn show(mut terminal: Terminal, shown: Vec<Shown>, offers: &Receiver<Offer>) -> io::Result<()> {
    let (mut numbers, mut views, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for one in shown {
        numbers.push(one.number);
        views.push(one.view);
        others.push((one.keys, one.records));
    }
    let has_links = others.iter().any(|(_, records)| records.has_links);
    let look = views
        .first()
        .map_or_else(|| look(false, true), |view| view.look);
    let mut board = Board::new(look, views);
    loop {
        match offers.recv_timeout(LOOK_AT_KEYS) {
            Ok(first) => {
                for offer in std::iter::once(first).chain(offers.try_iter()) {
                    let Some(at) = numbers.iter().position(|number| *number == offer.number) else {
                        continue;
                    };
                    board.tiles[at].take(offer, &others[at].1);
                }
                terminal.draw(|frame| board.draw(frame))?;
                if has_links {
                    terminal.link(&board.anchors(terminal.area()?))?;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
        for (tile, (_, records)) in board.tiles.iter_mut().zip(&mut others) {
            let run = tile.progress.run().map(|run| &run.id);
            records.clerk.serve(&mut tile.view, run);
        }
        while crossterm::event::poll(Duration::ZERO)? {
            let input = crossterm::event::read()?;
            for (at, command) in board.input(&input, terminal.area()?) {
                others[at].0.unsent.push_back(command);
            }
        }
        for (keys, _) in &mut others {
            keys.send();
        }
    }
}

impl Tile {
    fn take(&mut self, offer: Offer, records: &Records) {
        self.progress = offer.progress;
        let view = &mut self.view;
        if !view.is_held {
            view.now_ms = offer.now_ms;
        }
        view.prompt.follow(self.progress.needs_token());
        view.log.append(offer.log);
        view.course = offer.course;
        view.requests.follow(&records.requests);
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
