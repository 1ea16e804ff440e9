//! Rules in which servers differ, and that are chosen for all instances of one.

use std::str::FromStr;

use super::names::Names;

/// What an instance does that callers cannot know beforehand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent rules")]
pub struct Rules {
    /// Which names it takes for one.
    pub names: Names,
    /// Whether a create under a name that is in use is a save over what has it. Otherwise it is refused; the upload of an
    /// asset is one in any case.
    pub replaces: bool,
    /// What it says of the bytes of files.
    pub digests: FileDigests,
    /// Which forms of a selection of one item it keeps.
    pub links: Links,
    /// Whether a file that is uploaded over another one gets another id.
    pub new_media_ids: bool,
    /// Whether it makes the companion field that a setting of a model asks for with `CREATENEW`. Otherwise the word stays: the
    /// vendor's own mapper has met models that carry it.
    pub makes_companions: bool,
    /// What it refuses although no description says that the real server does.
    pub refuses: Refuses,
    /// The form of the addresses of files.
    pub asset_urls: AssetUrls,
    /// What a batch answers for an update that failed.
    pub failed_updates: FailedUpdates,
    /// Whether an upload makes a row for each folder of its path; the list of assets has these rows, too.
    pub folder_rows: bool,
    /// Whether errors are objects with `exceptionMessage`, where the vendor's CLI looks first.
    pub exception_messages: bool,
    /// Whether a dynamic page without items has a node of its own in the sitemaps of the Fetch API.
    pub empty_dynamic_pages: bool,
}

impl Rules {
    /// The same with every rule that a client tested against this server only can break.
    #[must_use]
    pub fn strict(self) -> Self {
        Self {
            refuses: Refuses::ALL,
            asset_urls: AssetUrls::Plain,
            failed_updates: FailedUpdates::Nothing,
            folder_rows: true,
            exception_messages: true,
            empty_dynamic_pages: true,
            ..self
        }
    }
}

/// References to what does not exist that are refused; otherwise they are stored as they are sent. The default is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent rules")]
pub struct Refuses {
    /// A gallery, of an upload and of a field.
    pub galleries: bool,
    /// The model of a default module of a template zone.
    pub default_modules: bool,
    /// Items in `sortids`, and in the text of value and sort fields where no link shows them.
    pub sort_ids: bool,
    /// A zone of a page that its template does not have.
    pub zones: bool,
}

impl Refuses {
    /// All of them.
    pub const ALL: Self = Self {
        galleries: true,
        default_modules: true,
        sort_ids: true,
        zones: true,
    };
}

impl FromStr for Refuses {
    type Err = String;

    /// A comma list of `galleries`, `default-modules`, `sort-ids` and `zones`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut all = Self::default();
        for part in text.split(',') {
            let known = [
                ("galleries", 0),
                ("default-modules", 1),
                ("sort-ids", 2),
                ("zones", 3),
            ];
            match word(part, &known)? {
                0 => all.galleries = true,
                1 => all.default_modules = true,
                2 => all.sort_ids = true,
                _ => all.zones = true,
            }
        }
        Ok(all)
    }
}

/// The form of the addresses of files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AssetUrls {
    /// `{host}/origin/{container}/{key}` and `{host}/cdn/{container}/{key}`: the two differ, as they do where each has a host.
    #[default]
    Split,
    /// `{host}/{container}/{key}` for both, in the form of the vendor's.
    Plain,
}

impl FromStr for AssetUrls {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        word(text, &[("split", Self::Split), ("plain", Self::Plain)])
    }
}

/// What a batch answers as `itemID` for an update that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailedUpdates {
    /// The id of the item.
    #[default]
    Id,
    /// −1, with `itemNull`, as for a create.
    Nothing,
}

impl FromStr for FailedUpdates {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        word(text, &[("id", Self::Id), ("nothing", Self::Nothing)])
    }
}

/// In which forms an instance takes a selection of one item; it answers with success in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Links {
    /// The id as text; an object is stored as nothing.
    #[default]
    Scalar,
    /// An object; an id as text is stored as nothing.
    Object,
    /// As [`Links::Scalar`]; where a value field is named, only the name of the list beside it, and any other form loses
    /// what is in the value field, too.
    Name,
}

impl Links {
    /// All of them, with the words for them.
    const ALL: [(&'static str, Self); 3] = [
        ("scalar", Self::Scalar),
        ("object", Self::Object),
        ("name", Self::Name),
    ];
}

impl FromStr for Links {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        word(text, &Self::ALL)
    }
}

/// What an instance says of the bytes of its files, in `Content-MD5`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileDigests {
    /// Their MD5, of files that a store takes in one piece.
    #[default]
    Right,
    /// Nothing.
    None,
    /// An MD5 that is not theirs.
    Wrong,
}

impl FileDigests {
    /// All of them, with the words for them.
    const ALL: [(&'static str, Self); 3] = [
        ("right", Self::Right),
        ("none", Self::None),
        ("wrong", Self::Wrong),
    ];
}

impl FromStr for FileDigests {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        word(text, &Self::ALL)
    }
}

/// The value for a word.
pub(super) fn word<T: Copy>(text: &str, all: &[(&str, T)]) -> Result<T, String> {
    let known = all.iter().find(|(word, _)| *word == text.trim());
    known.map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<&str> = all.iter().map(|(word, _)| *word).collect();
        format!("expected one of {}", words.join(", "))
    })
}
