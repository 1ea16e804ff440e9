//! `lockgate runs replay` and `lockgate runs attach`: the recording of a run through the same screen and lines.
//!
//! Both read `events.ndjson` of the run folder and hand its events to the reporters of a run. A replay keeps the times
//! between them, divided by the speed; attaching to a run shows at once what has happened and then what happens. What
//! is watched is never touched: a key that would pause or end a run pauses or ends the watching.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use clap::Args;
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt as _, AsyncSeekExt as _, BufReader};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::args::{Collected, FileArgs, OutputArgs};
use super::records::Records;
use super::{stop, wiring};
use crate::config::Config;
use crate::engine::EVENTS_IN_FLIGHT;
use crate::error::{Error, ExitStatus};
use crate::event::{Command, Event, Playback, SCHEMA, Stamped};
use crate::progress::Progress;
use crate::report::Watch;
use crate::report::{self, Place};
use crate::store::Store;

/// Commands that may queue up, as in a run.
const COMMANDS_IN_FLIGHT: usize = 16;

/// Between two looks whether the run that is followed has written more.
const LOOK: Duration = Duration::from_millis(100);

/// Looks without anything new after which it is asked whether the run still lives.
const SILENCE: u32 = 5;

/// Replays a past run in the dashboard or as log lines
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  lockgate runs replay last
  lockgate runs replay 20260315-101500-3f2a --speed 20")]
pub(super) struct ReplayArgs {
    /// The run; `last` is the latest one
    #[arg(default_value = "last")]
    run: String,
    /// Playback speed factor
    #[arg(long, value_name = "N", default_value = "1", value_parser = speed)]
    speed: f64,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    file: FileArgs,
}

/// Follows the run in progress, such as one in a pipeline or in another terminal
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
The run is only watched: ending this command leaves it alone. It ends with code 130 when the run was
killed.")]
pub(super) struct AttachArgs {
    /// The run [default: the latest one that has no end]
    run: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    file: FileArgs,
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (0.01..=100_000.0).contains(&speed) => Ok(speed),
        Ok(_) | Err(_) => Err("expected a number from 0.01 to 100000".to_owned()),
    }
}

/// Plays a run again.
///
/// # Errors
/// [`Error::Usage`] when there is no such run or its recording makes no sense.
pub(super) async fn replay(args: &ReplayArgs) -> Result<ExitStatus, Error> {
    let config = args.file.load(args.output.collect(Collected::default()))?;
    let runs = config.paths()?.runs;
    let run = match args.run.as_str() {
        "last" => report::newest_run(&runs)
            .map_err(|source| unreadable(&runs, source))?
            .ok_or_else(|| no_recording("last", &runs))?,
        name => name.to_owned(),
    };
    let recording = Recording::open(&runs, &run).await?;
    let watch = Watch::Replay { speed: args.speed };
    show(&config, watch, recording, Box::new(|| false)).await
}

/// Follows a run in progress.
///
/// # Errors
/// [`Error::Usage`] when there is none, or its recording makes no sense.
pub(super) async fn attach(args: &AttachArgs) -> Result<ExitStatus, Error> {
    let config = args.file.load(args.output.collect(Collected::default()))?;
    let runs = config.paths()?.runs;
    let run = match &args.run {
        Some(name) => name.clone(),
        None => report::newest_unfinished_run(&runs)
            .map_err(|source| unreadable(&runs, source))?
            .ok_or_else(|| Error::Usage {
                message: format!("no run is in progress in {}", runs.display()),
                hint: Some("`lockgate runs replay last` plays the latest one again".to_owned()),
            })?,
    };
    let recording = Recording::open(&runs, &run).await?;
    let folder = runs.join(&run);
    let is_gone = Box::new(move || report::is_abandoned(&folder));
    show(&config, Watch::Attached, recording, is_gone).await
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    Error::File {
        path: path.to_owned(),
        source,
    }
}

fn no_recording(run: &str, runs: &Path) -> Error {
    let archive = runs.join(format!("{run}.tar.gz"));
    let hint = if archive.exists() {
        format!(
            "it was archived: `tar -xzf {} -C {}` brings it back",
            archive.display(),
            runs.display()
        )
    } else {
        "`lockgate runs` lists the runs; use --run-dir to read another run folder".to_owned()
    };
    Error::Usage {
        message: format!("no recording of run {run:?} in {}", runs.display()),
        hint: Some(hint),
    }
}

/// How a recording is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Play {
    /// With the times that it had, divided by a speed.
    Again,
    /// At once, then as it grows.
    Live,
}

/// Whether the run that is watched is known to have died.
type IsGone = Box<dyn Fn() -> bool + Send>;

async fn show(
    config: &Config,
    watch: Watch,
    recording: Recording,
    is_gone: IsGone,
) -> Result<ExitStatus, Error> {
    let (events, received) = mpsc::channel::<Stamped>(EVENTS_IN_FLIGHT);
    let (commands, commanded) = mpsc::channel::<Command>(COMMANDS_IN_FLIGHT);
    let (asking, asked) = mpsc::channel(1);
    let options = report::Options {
        watch,
        lookup: Some(asking),
        ..wiring::presentation(&config.output()?, &config.paths()?, &config.host_info())
    };
    let reporters = report::reporters(&options, &commands, Place::alone())?;
    // Nothing is asked once the reporters are gone.
    drop(options);
    let records = records(config).await?;
    let (play, speed) = match watch {
        Watch::Replay { speed } => (Play::Again, speed),
        Watch::Attached | Watch::Run => (Play::Live, 1.0),
    };
    let player = Player {
        play,
        recording,
        events,
        commanded,
        now: Now::start(speed),
        is_gone,
        silence: 0,
    };
    let playing = async {
        tokio::select! {
            ended = player.run() => ended,
            () = stop::asked() => Ok(ExitStatus::Agreed),
        }
    };
    let reporting = records.beside(report::run(received, reporters, commands), asked);
    let (ended, _) = tokio::join!(playing, reporting);
    if let Some(store) = records.store {
        store.close().await;
    }
    ended
}

/// What is known of the runs beside the recording. A state that does not exist is not made.
async fn records(config: &Config) -> Result<Records, Error> {
    let paths = config.paths()?;
    let store = if paths.state.exists().await? {
        Some(Store::open_to_look(&paths.state).await?)
    } else {
        None
    };
    let runs = paths.runs;
    Ok(Records { store, runs })
}

/// The events of a run as its folder has them.
struct Recording {
    path: PathBuf,
    lines: BufReader<File>,
    /// What was read of a line that is not whole yet.
    line: Vec<u8>,
    number: u32,
}

/// What the recording of a run adds up to; `None` where there is none, or none that can be read whole.
pub(super) async fn folded(runs: &Path, run: &str) -> Option<Progress> {
    let mut recording = Recording::open(runs, run).await.ok()?;
    let mut progress = Progress::new();
    while let Some(event) = recording.next().await.ok()? {
        progress.apply(&event);
    }
    progress.run().is_some().then_some(progress)
}

impl Recording {
    async fn open(runs: &Path, run: &str) -> Result<Self, Error> {
        // Anything but one plain name would leave the directory.
        let mut parts = Path::new(run).components();
        let is_name = matches!(
            (parts.next(), parts.next()),
            (Some(Component::Normal(_)), None)
        );
        let path = runs.join(run).join("events.ndjson");
        match File::open(&path).await {
            Ok(file) if is_name => Ok(Self {
                path,
                lines: BufReader::new(file),
                line: Vec::new(),
                number: 0,
            }),
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(unreadable(&path, source))
            }
            Ok(_) | Err(_) => Err(no_recording(run, runs)),
        }
    }

    /// Goes back to the first event.
    async fn rewind(&mut self) -> Result<(), Error> {
        let rewound = self.lines.rewind().await;
        rewound.map_err(|source| unreadable(&self.path, source))?;
        self.line.clear();
        self.number = 0;
        Ok(())
    }

    /// The next event; `None` when there is no further whole line now.
    async fn next(&mut self) -> Result<Option<Stamped>, Error> {
        loop {
            let read = self.lines.read_until(b'\n', &mut self.line).await;
            read.map_err(|source| unreadable(&self.path, source))?;
            if !self.line.ends_with(b"\n") {
                return Ok(None);
            }
            self.number += 1;
            let event = self.event()?;
            self.line.clear();
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    /// The event of the line; `None` for one of a type that this program does not recognise.
    fn event(&self) -> Result<Option<Stamped>, Error> {
        let event = serde_json::from_slice::<Stamped>(&self.line);
        if let Ok(Stamped {
            event: Event::RunStarted { schema, .. },
            ..
        }) = &event
            && *schema > SCHEMA
        {
            return Err(self.senseless(&format!(
                "is of schema {schema}; this version supports {SCHEMA}"
            )));
        }
        let is_object = || {
            serde_json::from_slice::<serde_json::Value>(&self.line)
                .is_ok_and(|value| value["type"].is_string())
        };
        match event {
            Ok(event) => Ok(Some(event)),
            Err(_) if is_object() => Ok(None),
            Err(_) => Err(self.senseless("is not an event")),
        }
    }

    fn senseless(&self, what: &str) -> Error {
        Error::Usage {
            message: format!("line {} of {} {what}", self.number, self.path.display()),
            hint: None,
        }
    }
}

/// Where the watching stands in the time of the run.
struct Now {
    at: Duration,
    since: Instant,
    speed: f64,
    is_paused: bool,
}

impl Now {
    fn start(speed: f64) -> Self {
        Self {
            at: Duration::ZERO,
            since: Instant::now(),
            speed,
            is_paused: false,
        }
    }

    /// The moment of the run that is shown.
    fn moment(&self) -> Duration {
        if self.is_paused {
            self.at
        } else {
            self.at + self.since.elapsed().mul_f64(self.speed)
        }
    }

    fn go_to(&mut self, moment: Duration) {
        (self.at, self.since) = (moment, Instant::now());
    }

    /// Pauses, or resumes.
    fn toggle(&mut self) {
        self.go_to(self.moment());
        self.is_paused = !self.is_paused;
    }

    fn set_speed(&mut self, speed: f64) {
        self.go_to(self.moment());
        self.speed = speed;
    }
}

struct Player {
    play: Play,
    recording: Recording,
    events: mpsc::Sender<Stamped>,
    commanded: mpsc::Receiver<Command>,
    now: Now,
    is_gone: IsGone,
    /// Looks at a run in progress since it last wrote something.
    silence: u32,
}

/// Whether to continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    GoOn,
    /// The recording was wound back to its start.
    Anew,
    End,
    /// The run that is watched was killed.
    Gone,
}

impl Player {
    /// Plays until the end of the run, or until the user has seen enough.
    async fn run(mut self) -> Result<ExitStatus, Error> {
        let mut shown_ms = 0;
        loop {
            let event = self.recording.next().await?;
            let next = match (&event, self.play) {
                (Some(event), Play::Again) => self.wait(event.at_ms).await?,
                (Some(_), Play::Live) => Next::GoOn,
                (None, Play::Again) => Next::End,
                (None, Play::Live) => self.look(shown_ms).await,
            };
            match next {
                Next::GoOn => {}
                Next::Anew => continue,
                Next::End => return Ok(ExitStatus::Agreed),
                Next::Gone => return Ok(ExitStatus::Interrupted),
            }
            let Some(event) = event else { continue };
            self.silence = 0;
            shown_ms = event.at_ms;
            // Once the last event was shown, nothing receives events any more.
            if self.events.send(event).await.is_err() {
                return Ok(ExitStatus::Agreed);
            }
        }
    }

    /// Waits until a moment of the run is due.
    async fn wait(&mut self, at_ms: u64) -> Result<Next, Error> {
        let due = Duration::from_millis(at_ms);
        loop {
            let left = due.saturating_sub(self.now.moment());
            if left.is_zero() {
                return Ok(Next::GoOn);
            }
            let sleep = tokio::time::sleep(left.div_f64(self.now.speed));
            let command = tokio::select! {
                () = sleep, if !self.now.is_paused => continue,
                command = self.commanded.recv() => command,
            };
            match command {
                Some(Command::Pause | Command::Resume) => self.now.toggle(),
                Some(Command::Play(Playback::Speed(speed))) => self.now.set_speed(speed),
                Some(Command::Play(Playback::Seek(by_ms))) => {
                    if self.seek(by_ms).await? == Next::Anew {
                        return Ok(Next::Anew);
                    }
                }
                Some(Command::SetRate(_)) => {}
                Some(Command::Drain | Command::Abort) | None => return Ok(Next::End),
            }
        }
    }

    /// Goes forward or back. What was shown cannot be undone, so going back shows everything anew up to that moment.
    async fn seek(&mut self, by_ms: i64) -> Result<Next, Error> {
        let by = Duration::from_millis(by_ms.unsigned_abs());
        let now = self.now.moment();
        if by_ms >= 0 {
            self.now.go_to(now + by);
            return Ok(Next::GoOn);
        }
        self.now.go_to(now.saturating_sub(by));
        self.recording.rewind().await?;
        Ok(Next::Anew)
    }

    /// Waits a moment for the run to write more. A dead run will not, but what it wrote before is shown first.
    async fn look(&mut self, at_ms: u64) -> Next {
        if self.silence == SILENCE && (self.is_gone)() {
            self.warn(at_ms, GONE).await;
            return Next::Gone;
        }
        self.silence = self.silence % SILENCE + 1;
        let command = tokio::select! {
            () = tokio::time::sleep(LOOK) => return Next::GoOn,
            command = self.commanded.recv() => command,
        };
        match command {
            Some(Command::Pause | Command::Resume | Command::SetRate(_) | Command::Play(_)) => {
                Next::GoOn
            }
            Some(Command::Drain | Command::Abort) | None => Next::End,
        }
    }

    async fn warn(&self, at_ms: u64, message: &str) -> Next {
        let event = Event::Warned {
            message: message.to_owned(),
        };
        match self.events.send(Stamped { at_ms, event }).await {
            Ok(()) => Next::GoOn,
            Err(_) => Next::End,
        }
    }
}

/// What is said when the run that is watched has died.
const GONE: &str = "the process running this run has died without finishing; the same command again finds out what arrived \
                    and goes on from there";

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const RUN: &str = "20260315-101500-3f2a";

    fn line(at_ms: u64, event: &str) -> String {
        format!("{{\"at_ms\":{at_ms},\"type\":\"{event}\"}}\n")
    }

    async fn recording(text: &str) -> (tempfile::TempDir, Recording) {
        let base = tempfile::tempdir().unwrap();
        std::fs::create_dir(base.path().join(RUN)).unwrap();
        std::fs::write(base.path().join(RUN).join("events.ndjson"), text).unwrap();
        let recording = Recording::open(base.path(), RUN).await.unwrap();
        (base, recording)
    }

    type Watched = (mpsc::Receiver<Stamped>, mpsc::Sender<Command>);

    fn player(play: Play, recording: Recording) -> (Player, Watched) {
        let (events, received) = mpsc::channel(64);
        let (commands, commanded) = mpsc::channel(4);
        let player = Player {
            play,
            recording,
            events,
            commanded,
            now: Now::start(1.0),
            is_gone: Box::new(|| true),
            silence: 0,
        };
        (player, (received, commands))
    }

    #[tokio::test]
    async fn half_a_line_waits_for_its_end_and_unknown_types_are_left_out() {
        let text = line(1, "paused") + &line(2, "from-the-future") + "{\"at_ms\":3,\"ty";
        let (base, mut recording) = recording(&text).await;
        assert_eq!(recording.next().await.unwrap().unwrap().at_ms, 1);
        assert!(recording.next().await.unwrap().is_none());
        let path = base.path().join(RUN).join("events.ndjson");
        let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
        file.write_all(b"pe\":\"resumed\"}\n").unwrap();
        let event = recording.next().await.unwrap().unwrap();
        assert_eq!((event.at_ms, event.event), (3, Event::Resumed));
    }

    #[tokio::test]
    async fn what_is_no_event_is_told_with_its_line() {
        let (_base, mut recording) = recording("nonsense\n").await;
        let error = recording.next().await.unwrap_err().to_string();
        assert!(error.starts_with("line 1 of "), "{error}");
    }

    #[tokio::test]
    async fn a_name_cannot_lead_out_of_the_directory() {
        let base = tempfile::tempdir().unwrap();
        std::fs::write(base.path().join("events.ndjson"), "").unwrap();
        std::fs::create_dir(base.path().join("runs")).unwrap();
        for name in ["..", "../runs", "."] {
            let opened = Recording::open(&base.path().join("runs"), name).await;
            assert!(opened.is_err(), "{name}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_replay_keeps_the_times_divided_by_the_speed() {
        let text = line(0, "paused") + &line(60_000, "resumed");
        let (_base, recording) = recording(&text).await;
        let (mut player, (mut received, _commands)) = player(Play::Again, recording);
        player.now.set_speed(10.0);
        let start = Instant::now();
        player.run().await.unwrap();
        let took = start.elapsed();
        assert!((5_990..6_100).contains(&took.as_millis()), "{took:?}");
        assert_eq!(received.recv().await.unwrap().at_ms, 0);
        assert_eq!(received.recv().await.unwrap().at_ms, 60_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_replay_stands_still_while_paused_and_ends_when_asked() {
        let text = line(0, "paused") + &line(60_000, "resumed");
        let (_base, recording) = recording(&text).await;
        let (player, (mut received, commands)) = player(Play::Again, recording);
        commands.send(Command::Pause).await.unwrap();
        commands.send(Command::Drain).await.unwrap();
        player.run().await.unwrap();
        assert_eq!(received.recv().await.unwrap().at_ms, 0);
        assert!(received.recv().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_replay_goes_on_and_back_and_faster() {
        let text = line(0, "paused") + &line(10_000, "resumed") + &line(60_000, "paused");
        let (_base, recording) = recording(&text).await;
        let (player, (mut received, commands)) = player(Play::Again, recording);
        // At once to 0:30, back to 0:10, and the fifty seconds from there on in five.
        for play in [
            Playback::Seek(30_000),
            Playback::Seek(-20_000),
            Playback::Speed(10.0),
        ] {
            commands.send(Command::Play(play)).await.unwrap();
        }
        let start = Instant::now();
        player.run().await.unwrap();
        let took = start.elapsed();
        assert!((4_990..5_100).contains(&took.as_millis()), "{took:?}");
        let mut shown = Vec::new();
        while let Some(event) = received.recv().await {
            shown.push(event.at_ms);
        }
        assert_eq!(shown, [0, 10_000, 0, 10_000, 60_000]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_died_is_told_after_all_that_it_wrote() {
        let (_base, recording) = recording(&line(7, "paused")).await;
        let (player, (mut received, _commands)) = player(Play::Live, recording);
        assert_eq!(player.run().await.unwrap(), ExitStatus::Interrupted);
        assert_eq!(received.recv().await.unwrap().at_ms, 7);
        let told = received.recv().await.unwrap();
        assert!(matches!(told.event, Event::Warned { message } if message == GONE));
        assert!(received.recv().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_watches_a_run_cannot_pause_it() {
        let (_base, recording) = recording(&line(7, "paused")).await;
        let (player, (mut received, commands)) = player(Play::Live, recording);
        commands.send(Command::Resume).await.unwrap();
        commands.send(Command::Drain).await.unwrap();
        player.run().await.unwrap();
        assert_eq!(received.recv().await.unwrap().at_ms, 7);
        assert!(received.recv().await.is_none());
    }
}
