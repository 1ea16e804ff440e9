//! Which reporters a run gets.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;

use super::junit::Junit;
use super::lookup::Lookup;
use super::patient::Patient;
use super::step_summary::StepSummary;
use super::{
    Annotations, Dashboard, JsonLines, Keep, Later, Plain, Reporter, RunFolder, Style, closing,
};
use crate::domain::{RequestLog, Token, shown_lines};
use crate::event::Command;
use crate::progress::Progress;

/// How a run is presented.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where people or programs look.
    pub mode: Mode,
    /// How much the lines tell.
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

/// How much the lines tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Only that a reporter failed, which no reader of its output can see, and that the run ends early.
    Ends,
    /// Failures and the closing line.
    Quiet,
    /// What a person wants to know.
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

/// The reporters of a run, in the order in which they are told. Keys of the dashboard go to `commands`.
///
/// # Errors
/// When the terminal cannot be prepared for the dashboard; it is left as it was.
pub fn reporters(
    options: &Options,
    commands: &mpsc::Sender<Command>,
) -> io::Result<Vec<Box<dyn Reporter>>> {
    let mut reporters: Vec<Box<dyn Reporter>> = Vec::new();
    if let Some(base) = &options.run_dir {
        reporters.push(Box::new(RunFolder::new(base.clone(), options.keep)));
    }
    if let Some(path) = &options.junit {
        reporters.push(Box::new(Junit::new(path.clone())));
    }
    if let Some(path) = &options.step_summary {
        reporters.push(Box::new(StepSummary::new(path.clone())));
    }
    let style = style(options);
    let patient = |out: Box<dyn io::Write + Send>| -> io::Result<Box<dyn io::Write + Send>> {
        Ok(Box::new(Patient::new(out, options.patience)?))
    };
    match options.mode {
        Mode::Dashboard => {
            reporters.push(Box::new(Dashboard::open(style, commands.clone())?));
        }
        Mode::DashboardLater => {
            reporters.push(Box::new(Later::new(style, commands.clone())));
        }
        Mode::Plain => {
            reporters.push(Box::new(Plain::new(
                patient(Box::new(io::stderr()))?,
                style,
            )));
        }
        Mode::Json => {
            reporters.push(Box::new(JsonLines::new(patient(Box::new(io::stdout()))?)));
            let detail = match options.detail {
                Detail::Verbose => Detail::Verbose,
                Detail::Normal | Detail::Quiet | Detail::Ends => Detail::Ends,
            };
            reporters.push(Box::new(Plain::new(
                patient(Box::new(io::stderr()))?,
                Style { detail, ..style },
            )));
        }
    }
    Ok(reporters)
}
