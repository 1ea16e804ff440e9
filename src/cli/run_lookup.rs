//! Finds runs and what they left, for commands that go by what was done before.

use crate::config::{Config, Paths};
use crate::domain::RunId;
use crate::error::Error;
use crate::store::{RunRecord, StateUrl, Store};

/// As many runs as a workspace will ever have; the state lists the newest first.
pub(super) const ALL: u32 = 1_000_000;

/// Opens the state of a workspace in which something was done before.
///
/// # Errors
/// [`Error::Usage`] when there is none: opening would create it, and looking should leave no trace.
/// [`Error::Store`] when it cannot be opened, [`Error::Config`] when its place cannot be.
pub(super) async fn open(config: &Config) -> Result<Store, Error> {
    open_or_create(&existing(config).await?).await
}

/// Opens the state, which is created when absent, with the place of the files that it keeps.
///
/// # Errors
/// [`Error::Store`] when it cannot be opened.
pub(super) async fn open_or_create(paths: &Paths) -> Result<Store, Error> {
    let store = Store::open(&paths.state).await?;
    Ok(store.with_blobs(paths.blobs.as_ref()))
}

/// The same for commands that change nothing, which a state that cannot be written to does not stop.
///
/// # Errors
/// As of [`open`].
pub(super) async fn look(config: &Config) -> Result<Store, Error> {
    let paths = existing(config).await?;
    let store = Store::open_to_look(&paths.state).await?;
    Ok(store.with_blobs(paths.blobs.as_ref()))
}

/// Opens the state at `url` if there is one.
///
/// # Errors
/// As of [`open`].
pub(super) async fn open_at(url: &StateUrl) -> Result<Store, Error> {
    must_exist(url).await?;
    Ok(Store::open(url).await?)
}

async fn existing(config: &Config) -> Result<Paths, Error> {
    let paths = config.paths()?;
    must_exist(&paths.state).await?;
    Ok(paths)
}

async fn must_exist(url: &StateUrl) -> Result<(), Error> {
    if url.exists().await? {
        return Ok(());
    }
    Err(Error::Usage {
        message: format!("no state at {}", named(url)),
        hint: Some(
            "run `lockgate sync` first, or pass the path of the state file with --state".to_owned(),
        ),
    })
}

/// A state as it was named: a file by its path.
pub(super) fn named(url: &StateUrl) -> String {
    let path = url.file().map(|path| path.display().to_string());
    path.unwrap_or_else(|| url.to_string())
}

/// The run of this name, or the newest one that `fits` when the name is `last`.
///
/// # Errors
/// [`Error::Usage`] when there is none, [`Error::Store`] when the state cannot be read.
pub(super) async fn find(
    store: &Store,
    name: &str,
    fits: impl Fn(&RunRecord) -> bool,
) -> Result<RunRecord, Error> {
    let found = match name {
        "last" => store.runs(ALL).await?.into_iter().find(fits),
        name => store.run(&RunId(name.to_owned())).await?,
    };
    found.ok_or_else(|| no_such_run(name))
}

/// The complaint about a run that is not there.
pub(super) fn no_such_run(name: &str) -> Error {
    let message = match name {
        "last" => "no matching run yet in this workspace".to_owned(),
        name => format!("run {name:?} not found in this workspace"),
    };
    Error::Usage {
        message,
        hint: Some("`lockgate runs` lists them; use --state to read another state file".to_owned()),
    }
}

/// Whether a run was between the instances that the configuration names, as far as it names any.
///
/// # Errors
/// [`Error::Config`] for a GUID that cannot be.
pub(super) fn between(config: &Config) -> Result<impl Fn(&RunRecord) -> bool + use<>, Error> {
    let (source, target) = config.guids()?;
    Ok(move |record: &RunRecord| {
        source
            .as_ref()
            .is_none_or(|guid| *guid == record.pair.source)
            && target
                .as_ref()
                .is_none_or(|guid| *guid == record.pair.target)
    })
}
