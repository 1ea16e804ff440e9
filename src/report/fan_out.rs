//! The loop that folds events and hands them on.

use std::borrow::Cow;
use std::io;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior};

use crate::domain::{redact, redact_value};
use crate::event::{Command, Event, Stamped, millis};
use crate::progress::Progress;

/// Between two ticks: the screen is drawn at most ten times a second.
const TICK: Duration = Duration::from_millis(100);

/// Shows a run to a user or a program.
pub trait Reporter: Send {
    /// What it is called in the warning when it fails.
    fn name(&self) -> &'static str;

    /// Takes an event that `progress` already contains.
    ///
    /// # Errors
    /// When it cannot be shown, such as a closed pipe.
    fn event(&mut self, event: &Stamped, progress: &Progress) -> io::Result<()>;

    /// Comes ten times a second; `now_ms` is the present moment in milliseconds since the start of the run.
    ///
    /// # Errors
    /// When it cannot be shown.
    fn tick(&mut self, progress: &Progress, now_ms: u64) -> io::Result<()>;

    /// Comes once, after the last event.
    ///
    /// # Errors
    /// When it cannot be shown.
    fn finish(&mut self, progress: &Progress) -> io::Result<()>;

    /// Takes that another reporter failed, before the event that says so.
    ///
    /// # Errors
    /// When it cannot be shown.
    fn other_failed(&mut self, _message: &str, _at_ms: u64) -> io::Result<()> {
        Ok(())
    }

    /// What this failure means for the run.
    fn when_failing(&self, _error: &io::Error) -> WhenFailing {
        WhenFailing::Drain
    }
}

/// What the failure of a reporter means for the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFailing {
    /// The reporter is dropped and the run drains.
    Drain,
    /// The reporter is dropped and the run continues.
    Leave,
    /// The run continues, and the reporter too; its first failure is a warning, later ones are not reported.
    Warn,
}

/// Folds events until the last one of the run, or until every sender is gone, and hands each to all reporters.
///
/// A failing reporter is reported by a warning of its own, which the others get like any event, and by one
/// [`Command::Drain`]. Commands never wait for room: if the channel is full, the next tick tries again,
/// so that engine and reporters cannot wait for each other.
///
/// Reporters have a thread of their own, so that one that waits for a disk or a reader holds up no other task. A slow
/// reporter slows the run once `events` is full. Dropping the future leaves the thread to itself.
///
/// # Panics
/// When the system has no thread for it.
pub async fn run(
    events: mpsc::Receiver<Stamped>,
    reporters: Vec<Box<dyn Reporter>>,
    commands: mpsc::Sender<Command>,
) -> Progress {
    let (done, folded) = oneshot::channel();
    let thread = std::thread::Builder::new().name("reporters".to_owned());
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime without input and output needs nothing of the system");
        // Without a listener the run is over.
        drop(done.send(runtime.block_on(fold(events, reporters, commands))));
    };
    let thread = thread.spawn(work).expect("there is room for a thread");
    match folded.await {
        Ok(progress) => progress,
        Err(_) => match thread.join() {
            Ok(()) => Progress::new(),
            Err(panic) => std::panic::resume_unwind(panic),
        },
    }
}

/// What [`run`] does, on the thread of the reporters.
async fn fold(
    mut events: mpsc::Receiver<Stamped>,
    reporters: Vec<Box<dyn Reporter>>,
    commands: mpsc::Sender<Command>,
) -> Progress {
    let mut fan_out = FanOut::new(reporters, commands);
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while fan_out.progress.exit().is_none() {
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => fan_out.event(&without_credentials(event)),
                None => break,
            },
            _ = ticks.tick() => fan_out.tick(),
        }
    }
    fan_out.finish();
    fan_out.progress
}

/// The event as every reporter may show it. Credentials have been taken out of messages where they were read; what
/// entities are called, and whatever else an event may hold, is searched here.
fn without_credentials(stamped: Stamped) -> Stamped {
    let is_clean =
        serde_json::to_string(&stamped).is_ok_and(|text| matches!(redact(&text), Cow::Borrowed(_)));
    if is_clean {
        return stamped;
    }
    let cleaned = serde_json::to_value(&stamped).and_then(|mut value| {
        redact_value(&mut value);
        serde_json::from_value(value)
    });
    cleaned.unwrap_or_else(|_| Stamped {
        at_ms: stamped.at_ms,
        event: Event::Warned {
            message: "an event is not shown because it holds a credential".to_owned(),
        },
    })
}

struct FanOut {
    progress: Progress,
    reporters: Vec<Listener>,
    commands: mpsc::Sender<Command>,
    drain: Drain,
    /// A moment of the run and when it was here.
    anchor: (u64, Instant),
}

struct Listener {
    reporter: Box<dyn Reporter>,
    /// Whether a failure of it was reported.
    told: bool,
}

/// Whether the run has to be drained for a failed reporter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Drain {
    NotNeeded,
    Needed,
    Asked,
}

impl FanOut {
    fn new(reporters: Vec<Box<dyn Reporter>>, commands: mpsc::Sender<Command>) -> Self {
        Self {
            progress: Progress::new(),
            reporters: reporters
                .into_iter()
                .map(|reporter| Listener {
                    reporter,
                    told: false,
                })
                .collect(),
            commands,
            drain: Drain::NotNeeded,
            anchor: (0, Instant::now()),
        }
    }

    fn event(&mut self, event: &Stamped) {
        // A replay that goes back begins anew.
        if matches!(event.event, Event::RunStarted { .. }) && self.progress.run().is_some() {
            self.progress = Progress::new();
            self.anchor = (event.at_ms, Instant::now());
        }
        if event.at_ms > self.now_ms() {
            self.anchor = (event.at_ms, Instant::now());
        }
        self.progress.apply(event);
        self.each(&mut |reporter, progress| reporter.event(event, progress));
    }

    fn tick(&mut self) {
        let now_ms = self.now_ms();
        self.each(&mut |reporter, progress| reporter.tick(progress, now_ms));
        self.ask_to_drain();
    }

    fn finish(&mut self) {
        self.each(&mut |reporter, progress| reporter.finish(progress));
    }

    /// Milliseconds since the start of the run, never behind its last event.
    fn now_ms(&self) -> u64 {
        let (at_ms, when) = self.anchor;
        at_ms + millis(when.elapsed())
    }

    /// Does the same with every reporter, then reports those that failed to the rest.
    fn each(&mut self, act: &mut dyn FnMut(&mut dyn Reporter, &Progress) -> io::Result<()>) {
        let mut warnings = Vec::new();
        let (progress, drain) = (&self.progress, &mut self.drain);
        self.reporters.retain_mut(|listener| {
            let Err(error) = act(listener.reporter.as_mut(), progress) else {
                return true;
            };
            let name = listener.reporter.name();
            let when_failing = listener.reporter.when_failing(&error);
            if !listener.told {
                warnings.push(warning(name, when_failing, &error));
                listener.told = true;
            }
            if when_failing == WhenFailing::Drain && *drain == Drain::NotNeeded {
                *drain = Drain::Needed;
            }
            when_failing == WhenFailing::Warn
        });
        self.ask_to_drain();
        for message in warnings {
            let at_ms = self.progress.last_at_ms();
            self.each(&mut |reporter, _| reporter.other_failed(&message, at_ms));
            let event = Event::Warned { message };
            self.event(&Stamped { at_ms, event });
        }
    }

    fn ask_to_drain(&mut self) {
        if self.drain == Drain::Needed && self.commands.try_send(Command::Drain).is_ok() {
            self.drain = Drain::Asked;
        }
    }
}

/// What to say about a failed reporter.
fn warning(name: &str, when_failing: WhenFailing, error: &io::Error) -> String {
    match when_failing {
        WhenFailing::Drain => format!("the {name} failed ({error}); stopping the run gracefully"),
        WhenFailing::Leave | WhenFailing::Warn => {
            format!("the {name} failed ({error}); the run goes on without it")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::domain::Kind;
    use crate::progress::script::Script;

    /// Notes what it receives, and fails from the given event on.
    struct Witness {
        told: Arc<Mutex<Vec<String>>>,
        fails_from: usize,
        when_failing: WhenFailing,
        events: usize,
    }

    impl Witness {
        fn boxed(
            fails_from: usize,
            when_failing: WhenFailing,
        ) -> (Box<dyn Reporter>, Arc<Mutex<Vec<String>>>) {
            let told = Arc::default();
            let witness = Self {
                told: Arc::clone(&told),
                fails_from,
                when_failing,
                events: 0,
            };
            (Box::new(witness), told)
        }
    }

    impl Reporter for Witness {
        fn name(&self) -> &'static str {
            "witness"
        }

        fn event(&mut self, event: &Stamped, progress: &Progress) -> io::Result<()> {
            assert_eq!(progress.last_at_ms(), event.at_ms);
            self.events += 1;
            let json = serde_json::to_value(event).unwrap();
            self.told
                .lock()
                .unwrap()
                .push(json["type"].as_str().unwrap().to_owned());
            if self.events >= self.fails_from {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            Ok(())
        }

        fn tick(&mut self, _: &Progress, _: u64) -> io::Result<()> {
            Ok(())
        }

        fn finish(&mut self, _: &Progress) -> io::Result<()> {
            self.told.lock().unwrap().push("finish".to_owned());
            Ok(())
        }

        fn when_failing(&self, _: &io::Error) -> WhenFailing {
            self.when_failing
        }
    }

    fn script() -> Script {
        Script::uploading(&[(Kind::Model, 2)])
            .create(Kind::Model, 0..2, 10)
            .finish(0)
    }

    async fn play(reporters: Vec<Box<dyn Reporter>>) -> (Progress, Vec<Command>) {
        let (events, receiver) = mpsc::channel(64);
        let (commands, mut asked) = mpsc::channel(4);
        for event in script().events() {
            events.send(event.clone()).await.unwrap();
        }
        let progress = fold(receiver, reporters, commands).await;
        let mut all = Vec::new();
        asked.recv_many(&mut all, 4).await;
        (progress, all)
    }

    #[tokio::test(start_paused = true)]
    async fn every_reporter_gets_every_event_and_the_end() {
        let (one, told_one) = Witness::boxed(usize::MAX, WhenFailing::Drain);
        let (two, told_two) = Witness::boxed(usize::MAX, WhenFailing::Drain);
        let (progress, asked) = play(vec![one, two]).await;
        assert_eq!(progress, script().fold());
        assert_eq!(asked, []);
        assert_eq!(told_one.lock().unwrap().len(), script().events().len() + 1);
        assert_eq!(*told_one.lock().unwrap(), *told_two.lock().unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn reporters_that_fail_drain_the_run_once_and_get_nothing_more() {
        let (bad, told_bad) = Witness::boxed(2, WhenFailing::Drain);
        let (worse, _) = Witness::boxed(3, WhenFailing::Drain);
        let (good, told_good) = Witness::boxed(usize::MAX, WhenFailing::Drain);
        let (progress, asked) = play(vec![bad, worse, good]).await;
        assert_eq!(asked, [Command::Drain]);
        assert_eq!(told_bad.lock().unwrap().len(), 2);
        assert_eq!(progress.warned(), 2);
        let warnings = told_good
            .lock()
            .unwrap()
            .iter()
            .filter(|told| *told == "warned")
            .count();
        assert_eq!(warnings, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reporter_that_may_fail_only_warns_and_stays() {
        let (bad, told) = Witness::boxed(2, WhenFailing::Warn);
        let (progress, asked) = play(vec![bad]).await;
        assert_eq!((progress.warned(), asked), (1, vec![]));
        assert_eq!(told.lock().unwrap().last().unwrap(), "finish");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_last_event_the_end_of_the_channel_is_the_end() {
        let (events, receiver) = mpsc::channel(1);
        let (commands, _asked) = mpsc::channel(1);
        let (witness, told) = Witness::boxed(usize::MAX, WhenFailing::Drain);
        drop(events);
        let progress = run(receiver, vec![witness], commands).await;
        assert_eq!(progress.exit(), None);
        assert_eq!(*told.lock().unwrap(), ["finish"]);
    }

    /// A replay that was rewound to its start counted everything twice.
    #[tokio::test]
    async fn a_run_that_starts_again_is_counted_anew() {
        let (events, received) = mpsc::channel(256);
        let (commands, _asked) = mpsc::channel(1);
        let script = Script::uploading(&[(Kind::Model, 3)]).create(Kind::Model, 0..2, 10);
        for event in script.events().iter().chain(script.events()) {
            events.send(event.clone()).await.unwrap();
        }
        drop(events);
        let progress = run(received, Vec::new(), commands).await;
        assert_eq!(progress, script.fold());
    }
}
