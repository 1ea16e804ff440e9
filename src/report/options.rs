//! Which reporters a run gets.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc;

use super::junit::Junit;
use super::lookup::Lookup;
use super::patient::Patient;
use super::step_summary::StepSummary;
use super::{
    Annotations, Dashboard, JsonLines, Keep, Label, Later, Place, Plain, Reporter, RunFolder,
    Style, closing,
};
use crate::domain::{RequestLog, Token, shown_lines};
use crate::event::Command;
use crate::progress::Progress;

/// How a run is presented.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where people or programs look.
    pub mode: Mode,
    /// The level of detail of the lines.
    pub detail: Detail,
    /// Whether colours may be used; off when `NO_COLOR` is set.
    pub color: bool,
    /// Whether only ASCII characters may be used.
    pub ascii: bool,
    /// The CI system that marks failures, when one was detected.
    pub annotations: Option<Annotations>,
    /// The file that gets the result as JUnit XML.
    pub junit: Option<PathBuf>,
    /// The file to which the report is added in Markdown, as GitHub Actions shows it with the step.
    pub step_summary: Option<PathBuf>,
    /// The folder that holds a folder per run; `None` writes no files.
    pub run_dir: Option<PathBuf>,
    /// Which run folders stay as they are.
    pub keep: Keep,
    /// How long a reader of the output may take nothing before it is left behind.
    pub patience: Duration,
    /// What is watched.
    pub watch: Watch,
    /// The tokens that a new one of the user takes the place of.
    pub tokens: Vec<Token>,
    /// Where the dashboard asks what it does not know; `None` where nothing can be asked.
    pub lookup: Option<Lookup>,
    /// The latest requests of this process.
    pub requests: Vec<RequestLog>,
    /// The name of this run where it is one of several.
    pub label: Option<Label>,
}

/// Where people or programs look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The dashboard on the terminal, and the result on standard error when it is over.
    Dashboard,
    /// Lines until an undo has been agreed to, the dashboard from then on.
    DashboardLater,
    /// Lines on standard error.
    Plain,
    /// Events as JSON lines on standard output; on standard error lines where every detail is wanted, else only why it ends early.
    Json,
}

/// What the dashboard shows, and with that what its keys do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Watch {
    /// A run of this process: the keys reach it.
    Run,
    /// A run of another process, which is only watched.
    Attached,
    /// A recording.
    Replay {
        /// How many times as fast as it was it is played.
        speed: f64,
    },
}

/// The level of detail of the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Only that a reporter failed, which no reader of its output can see, and that the run ends early.
    Ends,
    /// Failures and the closing line.
    Quiet,
    /// What a user needs to know.
    Normal,
    /// Every entity, batch and attempt too.
    Verbose,
}

fn style(options: &Options) -> Style {
    Style {
        detail: options.detail,
        color: options.color,
        ascii: options.ascii,
        annotations: options.annotations,
        run_dir: options.run_dir.clone(),
        watch: options.watch,
        tokens: options.tokens.clone(),
        lookup: options.lookup.clone(),
        requests: options.requests.clone(),
    }
}

/// What a run says at its end: the table, what failed and what is left by name, the next step, and the last line. Every
/// line ends in a line end.
pub fn result(progress: &Progress, options: &Options) -> String {
    let style = style(options);
    let result = closing::result(progress, &style);
    shown_lines(&format!("{result}\n{}\n", closing::line(progress))).into_owned()
}

/// The reporters of a run, in the order in which they get each event. Keys of the dashboard go to `commands`; `place` is where
/// the screen has it.
///
/// # Errors
/// When the terminal cannot be prepared for the dashboard; it is left as it was.
pub fn reporters(
    options: &Options,
    commands: &mpsc::Sender<Command>,
    place: Place,
) -> io::Result<Vec<Box<dyn Reporter>>> {
    let mut reporters: Vec<Box<dyn Reporter>> = Vec::new();
    if let Some(base) = &options.run_dir {
        reporters.push(Box::new(RunFolder::new(base.clone(), options.keep)));
    }
    if let Some(path) = &options.junit {
        reporters.push(Box::new(Junit::new(own_path(path, options.label.as_ref()))));
    }
    if let Some(path) = &options.step_summary {
        reporters.push(Box::new(StepSummary::new(path.clone())));
    }
    let style = style(options);
    let (out, err) = streams(options);
    let name = options.label.as_ref().map(|label| label.name.clone());
    // What is left on the terminal is written by the thread that ends, which may wait for it.
    let result = || match &options.label {
        Some(_) => err(),
        None => Ok(Box::new(io::stderr()) as Box<dyn io::Write + Send>),
    };
    match options.mode {
        Mode::Dashboard => {
            let dashboard = Dashboard::open(style, commands.clone(), (place, name), result()?)?;
            reporters.push(Box::new(dashboard));
        }
        Mode::DashboardLater => {
            let streams = (err()?, result()?);
            let later = Later::new(style, commands.clone(), (place, name), streams);
            reporters.push(Box::new(later));
        }
        Mode::Plain => {
            reporters.push(Box::new(Plain::new(err()?, style)));
        }
        Mode::Json => {
            reporters.push(Box::new(JsonLines::new(out()?, name)));
            let detail = match options.detail {
                Detail::Verbose => Detail::Verbose,
                Detail::Normal | Detail::Quiet | Detail::Ends => Detail::Ends,
            };
            reporters.push(Box::new(Plain::new(err()?, Style { detail, ..style })));
        }
    }
    Ok(reporters)
}

type Stream = io::Result<Box<dyn io::Write + Send>>;

/// Standard output and standard error: of one run alone, or of one of several.
fn streams(options: &Options) -> (impl Fn() -> Stream, impl Fn() -> Stream) {
    let patient = |out: Box<dyn io::Write + Send>| -> Stream {
        Ok(Box::new(Patient::new(out, options.patience)?))
    };
    let out = move || match &options.label {
        Some(label) => Ok(Box::new(label.stdout()) as Box<dyn io::Write + Send>),
        None => patient(Box::new(io::stdout())),
    };
    let err = move || match &options.label {
        Some(label) => Ok(Box::new(label.stderr()) as Box<dyn io::Write + Send>),
        None => patient(Box::new(io::stderr())),
    };
    (out, err)
}

/// The file of one of several runs: `result.xml` is `result-qa.xml` for qa.
fn own_path(path: &Path, label: Option<&Label>) -> PathBuf {
    let Some(label) = label else {
        return path.to_owned();
    };
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let own = path.with_file_name(format!("{stem}-{}", label.name));
    match path.extension() {
        Some(extension) => own.with_added_extension(extension),
        None => own,
    }
}
