//! The classes of requests that share an instance.

use crate::instance::ReadRequest;

/// A kind of request with its own window and its own share of the quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Reading lists and entities.
    Read,
    /// Reading from the Content Fetch API, which has a host and a limit of its own.
    Fetch,
    /// Saving one model, container, template or gallery, or redirections.
    Write,
    /// Uploading the bytes of an asset.
    Asset,
    /// Handing in a batch of content, a page, or ids to publish.
    Submit,
    /// Asking how far a batch has come.
    Poll,
    /// Fetching the bytes of an asset. They come from a content delivery network and not from the API, so
    /// they do not count against its rate.
    Download,
}

impl Class {
    /// The class of a question.
    pub const fn of(ask: &ReadRequest) -> Self {
        if ask.is_fetched() {
            Self::Fetch
        } else {
            Self::Read
        }
    }

    /// Every class, in the order of their declaration.
    pub const ALL: [Self; 7] = [
        Self::Read,
        Self::Fetch,
        Self::Write,
        Self::Asset,
        Self::Submit,
        Self::Poll,
        Self::Download,
    ];

    /// The name under which it is remembered and shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Fetch => "fetch",
            Self::Write => "write",
            Self::Asset => "asset",
            Self::Submit => "submit",
            Self::Poll => "poll",
            Self::Download => "download",
        }
    }

    /// Its share of the quota while all classes wait, in proportion to the others.
    ///
    /// A submit moves up to 250 items and keeps a worker of the target busy; a save opens the way for all
    /// items of a model. An asset moves one entity. A poll moves none, but its answer frees what waits for the
    /// batch; content as a whole, submits and polls, so has 6 of every 8 requests beside a flood of assets.
    pub(super) const fn weight(self) -> u32 {
        match self {
            Self::Read | Self::Fetch | Self::Write | Self::Submit => 4,
            Self::Asset | Self::Poll | Self::Download => 2,
        }
    }

    /// Whether it counts against the rate of the API.
    pub(in crate::engine) const fn is_metered(self) -> bool {
        match self {
            Self::Read | Self::Fetch | Self::Write | Self::Asset | Self::Submit | Self::Poll => {
                true
            }
            Self::Download => false,
        }
    }

    /// Whether its time to answer shows how busy the server is. That of a file shows how long the file is.
    pub(super) const fn is_timed(self) -> bool {
        match self {
            Self::Read | Self::Fetch | Self::Write | Self::Submit | Self::Poll => true,
            Self::Asset | Self::Download => false,
        }
    }
}

/// One value per class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) struct PerClass<T>([T; Class::ALL.len()]);

impl<T> PerClass<T> {
    /// What `make` gives for each class.
    pub(in crate::engine) fn of(make: impl FnMut(Class) -> T) -> Self {
        Self(Class::ALL.map(make))
    }

    pub(in crate::engine) const fn get(&self, class: Class) -> &T {
        &self.0[class as usize]
    }

    pub(in crate::engine) const fn get_mut(&mut self, class: Class) -> &mut T {
        &mut self.0[class as usize]
    }
}
