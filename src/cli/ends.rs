//! The two ends of a run. The source is an instance, or a folder that holds one.

use std::path::Path;

use tokio::time::{Duration, Instant};

use super::session::Rehearsal;
use super::wiring;
use crate::agility::{ConnectionError, Instance};
use crate::config::{Config, Settings};
use crate::domain::{ContentHash, Id, RequestLog, Token};
use crate::engine::Reader;
use crate::error::Error;
use crate::instance::{
    Download, Effect, FileDigest, ReadRequest, ReadResponse, RequestError, Source,
};
use crate::report;
use crate::snapshot::{Folder, find_folder};

/// Between two lines about the check of a folder.
const BEAT: Duration = Duration::from_secs(2);

/// Where a run reads from.
#[derive(Clone, Debug)]
pub(super) enum SourceEnd {
    Instance(Instance),
    Folder(Folder),
}

impl Source for SourceEnd {
    async fn read<I: Id>(&self, ask: &ReadRequest) -> Result<ReadResponse<I>, RequestError> {
        match self {
            Self::Instance(instance) => instance.read(ask).await,
            Self::Folder(folder) => folder.read(ask).await,
        }
    }

    async fn download(&self, url: &str) -> Result<Download, RequestError> {
        match self {
            Self::Instance(instance) => instance.download(url).await,
            Self::Folder(folder) => folder.download(url).await,
        }
    }

    async fn digest(&self, url: &str) -> Result<Option<FileDigest>, RequestError> {
        match self {
            Self::Instance(instance) => instance.digest(url).await,
            Self::Folder(folder) => folder.digest(url).await,
        }
    }

    fn checked_hash(&self, url: &str) -> Option<ContentHash> {
        match self {
            Self::Instance(instance) => instance.checked_hash(url),
            Self::Folder(folder) => folder.checked_hash(url),
        }
    }
}

/// One end of a run, as far as a server may be behind it.
pub(super) trait Endpoint: Source {
    /// The server; `None` where there is none.
    fn instance(&self) -> Option<&Instance>;
}

impl Endpoint for Instance {
    fn instance(&self) -> Option<&Instance> {
        Some(self)
    }
}

impl Endpoint for SourceEnd {
    fn instance(&self) -> Option<&Instance> {
        match self {
            Self::Instance(instance) => Some(instance),
            Self::Folder(_) => None,
        }
    }
}

/// The instances of a run.
pub(super) struct Ends {
    pub(super) source: SourceEnd,
    pub(super) target: Instance,
    /// Present when the target is a copy.
    pub(super) rehearsal: Option<Rehearsal>,
}

impl Ends {
    /// The instances of the settings. A folder that stands for the source is checked file by file.
    ///
    /// # Errors
    /// [`Error::Connection`] when a URL or token cannot be one, [`Error::Folder`] for a folder that is not as it was written.
    pub(super) fn of(settings: &Settings) -> Result<Self, Error> {
        Self::from(source(settings)?, settings)
    }

    /// The instances of several settings with one source, which is opened once.
    ///
    /// # Errors
    /// As [`Ends::of`] for the source; a target without a way to it has its own.
    pub(super) fn of_each(each: &[Settings]) -> Result<Vec<Result<Self, Error>>, Error> {
        let Some(first) = each.first() else {
            return Ok(Vec::new());
        };
        let source = source(first)?;
        let ends = each
            .iter()
            .map(|settings| Self::from(source.clone(), settings));
        Ok(ends.collect())
    }

    fn from(source: SourceEnd, settings: &Settings) -> Result<Self, Error> {
        Ok(Self {
            source,
            target: target(settings)?,
            rehearsal: None,
        })
    }

    /// The same for work that reads nothing of the source: a folder need not be there any more.
    ///
    /// # Errors
    /// [`Error::Connection`] when a URL or token cannot be one.
    pub(super) fn without_source(settings: &Settings) -> Result<Self, Error> {
        if settings.source_folder.is_none() {
            return Self::of(settings);
        }
        Self::from(SourceEnd::Instance(target(settings)?), settings)
    }

    /// The latest requests to each server.
    pub(super) fn requests(&self) -> Vec<RequestLog> {
        let ends = [self.source.instance(), Some(&self.target)];
        ends.into_iter().flatten().map(Instance::requests).collect()
    }

    /// What a new token of the target replaces: also that of the source, where both had the same.
    pub(super) fn tokens(&self, settings: &Settings) -> Vec<Token> {
        let is_shared = settings.source.token == settings.target.token;
        let source = self.source.instance().filter(|_| is_shared);
        let all = source.into_iter().chain([&self.target]);
        all.map(Instance::token).collect()
    }
}

fn source(settings: &Settings) -> Result<SourceEnd, Error> {
    Ok(match &settings.source_folder {
        Some(folder) => SourceEnd::Folder(open(folder, settings)?),
        None => SourceEnd::Instance(Instance::new(wiring::connections(settings).0)?),
    })
}

fn target(settings: &Settings) -> Result<Instance, ConnectionError> {
    Instance::new(wiring::connections(settings).1)
}

/// Opens the folder of the settings, and says what it holds.
fn open(path: &Path, settings: &Settings) -> Result<Folder, Error> {
    let has_lines = settings.output.has_lines();
    let mut next = Instant::now() + BEAT;
    let folder = Folder::open(path, &mut |checked, all| {
        if has_lines && Instant::now() >= next {
            next = Instant::now() + BEAT;
            report::tell(&format!(
                "checking {}: {checked} of {all} files",
                path.display()
            ));
        }
    })?;
    if has_lines {
        let manifest = folder.manifest();
        report::tell(&format!(
            "the source is {}: {} as of {}",
            path.display(),
            manifest.instance,
            manifest.pulled_at
        ));
    }
    Ok(folder)
}

/// Lets the folder that the configuration names stand for the source.
///
/// # Errors
/// [`Error::Folder`] when it holds no instance, or several.
pub(super) fn with_folder(config: Config) -> Result<Config, Error> {
    let Some(dir) = config.source_folder()? else {
        return Ok(config);
    };
    let (folder, instance) = find_folder(&dir)?;
    Ok(config.with_source_folder(folder, instance))
}

/// Checks that the token has rights on an instance. A folder needs none.
///
/// # Errors
/// [`Error::Unreachable`]
pub(super) async fn authorise<E: Endpoint>(reader: &Reader<E>) -> Result<(), Error> {
    let Some(instance) = reader.instance.instance() else {
        return Ok(());
    };
    reader
        .sender()
        .send(Effect::Read, || instance.authorise())
        .await
        .map_err(|error| unreachable(reader, error))
}

/// The error of a request that an instance did not answer.
pub(super) fn unreachable<E>(reader: &Reader<E>, error: RequestError) -> Error {
    Error::Unreachable {
        side: format!("{} {}", super::session::side_name(reader.side), reader.guid),
        source: Box::new(error),
    }
}
