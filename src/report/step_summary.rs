//! The report of a run beside the step of a workflow (GitHub's reference, "Adding a job summary").

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::PathBuf;

use super::run_folder::report_text;
use super::{Reporter, WhenFailing};
use crate::event::Stamped;
use crate::progress::Progress;

/// Adds `report.md` to a file when the run is over. Other steps and runs add to the same file.
#[derive(Debug)]
pub(crate) struct StepSummary {
    path: PathBuf,
}

impl StepSummary {
    pub(crate) const fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

impl Reporter for StepSummary {
    fn name(&self) -> &'static str {
        "step summary"
    }

    fn event(&mut self, _: &Stamped, _: &Progress) -> io::Result<()> {
        Ok(())
    }

    fn tick(&mut self, _: &Progress, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self, progress: &Progress) -> io::Result<()> {
        if progress.run().is_none() {
            return Ok(());
        }
        let mut options = OpenOptions::new();
        let mut file = options.create(true).append(true).open(&self.path)?;
        file.write_all(report_text(progress).as_bytes())?;
        file.write_all(b"\n")
    }

    fn when_failing(&self, _: &io::Error) -> WhenFailing {
        WhenFailing::Warn
    }
}
