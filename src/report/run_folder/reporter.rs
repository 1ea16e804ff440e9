//! Writes the files during the run.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use super::super::json_lines::write_line;
use super::super::{Reporter, WhenFailing};
use super::archive::archive_old;
use super::files::{create_file, create_folder, write_whole};
use super::index::write_index;
use super::lanes::LaneLogs;
use super::running;
use super::summary::Summary;
use super::{Keep, markdown};
use crate::domain::{HeldFile, check_link, shown_lines};
use crate::event::{Event, Stamped};
use crate::progress::{History, Progress};
use crate::report::html;

/// Keeps the folder of a run. When something cannot be written, the run continues with a warning, and the rest is still
/// tried.
#[derive(Debug)]
pub struct RunFolder {
    base: PathBuf,
    keep: Keep,
    folder: Option<PathBuf>,
    events: Option<BufWriter<File>>,
    lanes: Option<LaneLogs>,
    /// Locked during the run; `None` where a file cannot be locked.
    running: Option<HeldFile>,
    history: History,
}

impl RunFolder {
    /// Keeps a folder named after the run in `base`, which is created when needed. When the run is over, older
    /// folders there are archived as `keep` says.
    pub fn new(base: PathBuf, keep: Keep) -> Self {
        Self {
            base,
            keep,
            folder: None,
            events: None,
            lanes: None,
            running: None,
            history: History::default(),
        }
    }

    fn open(&mut self, run: &str) -> io::Result<()> {
        let folder = self.base.join(run);
        // `.lockgate` may be the link as well.
        for place in self.base.ancestors().take(2) {
            check_link(place)?;
        }
        create_folder(&folder)?;
        self.running = running::mark(&folder).ok();
        let events = create_file(&folder.join("events.ndjson"))?;
        let lanes = LaneLogs::create(&folder);
        self.folder = Some(folder);
        self.events = Some(BufWriter::new(events));
        self.lanes = Some(lanes?);
        Ok(())
    }

    /// Does something with the event file; when that fails, the file is left as it is from then on.
    fn with_events(
        &mut self,
        act: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> io::Result<()> {
        let Some(mut events) = self.events.take() else {
            return Ok(());
        };
        act(&mut events)?;
        self.events = Some(events);
        Ok(())
    }

    /// Does the same with the logs of the lanes.
    fn with_lanes(&mut self, act: impl FnOnce(&mut LaneLogs) -> io::Result<()>) -> io::Result<()> {
        let Some(mut lanes) = self.lanes.take() else {
            return Ok(());
        };
        act(&mut lanes)?;
        self.lanes = Some(lanes);
        Ok(())
    }
}

impl Reporter for RunFolder {
    fn name(&self) -> &'static str {
        "run folder"
    }

    fn event(&mut self, event: &Stamped, progress: &Progress) -> io::Result<()> {
        if let Event::RunStarted { run, .. } = &event.event
            && self.folder.is_none()
        {
            self.open(&run.0).map_err(|error| self.named(&error))?;
        }
        self.history.apply(event);
        let events = self.with_events(|events| write_line(events, event));
        events.and(self.with_lanes(|lanes| lanes.write(event, progress)))
    }

    fn tick(&mut self, _: &Progress, _: u64) -> io::Result<()> {
        let events = self.with_events(BufWriter::flush);
        events.and(self.with_lanes(LaneLogs::flush))
    }

    fn finish(&mut self, progress: &Progress) -> io::Result<()> {
        let Some(folder) = self.folder.clone() else {
            return Ok(());
        };
        let events = self.with_events(BufWriter::flush);
        let lanes = self.with_lanes(LaneLogs::flush);
        let summary = serde_json::to_string_pretty(&Summary::of(progress))?;
        let summary = write_whole(&folder, "summary.json", shown_lines(&summary).as_bytes());
        let report = write_whole(&folder, "report.md", report_text(progress).as_bytes());
        if let Some(running) = self.running.take() {
            running.release();
        }
        let page = html::report(progress, &self.history);
        let page = write_whole(&folder, "report.html", page.as_bytes());
        // What the folder does not hold cannot be archived or listed.
        events.and(lanes).and(summary).and(report).and(page)?;
        let archived = archive_old(&self.base, self.keep, crate::domain::time::now());
        archived.and(write_index(&self.base))
    }

    fn when_failing(&self, _: &io::Error) -> WhenFailing {
        WhenFailing::Warn
    }
}

/// The text of `report.md`.
pub(crate) fn report_text(progress: &Progress) -> String {
    shown_lines(&markdown::report(progress)).into_owned()
}

impl RunFolder {
    /// The error with the folder that it is about.
    fn named(&self, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("{}: {error}", self.base.display()))
    }
}
