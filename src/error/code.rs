//! Codes of errors, which stay the same from version to version, and a page for each.
//!
//! The thousands tell where to look: 1 the command line and the configuration, 2 requests, 3 the state, 4 how a run
//! ended, 5 why single entities failed, 6 folders with an instance, 9 a defect. A code is never given a second meaning.

use super::Error;
use crate::config::ConfigError;
use crate::engine::{PullError, RunError, WebhooksError};
use crate::instance::Cause;
use crate::snapshot::FolderError;
use crate::store::StoreError;

macro_rules! pages {
    ($($code:literal,)*) => {
        /// Every code with its page, which `docs/errors` holds.
        const PAGES: &[(&str, &str)] = &[
            $(($code, include_str!(concat!("../../docs/errors/", $code, ".md"))),)*
        ];
    };
}

pages! {
    "LG-1001",
    "LG-1002",
    "LG-1003",
    "LG-1004",
    "LG-1005",
    "LG-1006",
    "LG-1007",
    "LG-1008",
    "LG-1009",
    "LG-1010",
    "LG-1011",
    "LG-1012",
    "LG-1013",
    "LG-1014",
    "LG-1015",
    "LG-1016",
    "LG-1017",
    "LG-1018",
    "LG-1019",
    "LG-2001",
    "LG-2002",
    "LG-2003",
    "LG-2004",
    "LG-2005",
    "LG-2006",
    "LG-2007",
    "LG-2008",
    "LG-2009",
    "LG-2010",
    "LG-2011",
    "LG-2012",
    "LG-2013",
    "LG-2014",
    "LG-2015",
    "LG-2016",
    "LG-3001",
    "LG-3002",
    "LG-3003",
    "LG-3004",
    "LG-3005",
    "LG-3006",
    "LG-3007",
    "LG-3008",
    "LG-3009",
    "LG-3010",
    "LG-3011",
    "LG-3012",
    "LG-3013",
    "LG-3014",
    "LG-3015",
    "LG-3016",
    "LG-3017",
    "LG-3018",
    "LG-4001",
    "LG-4002",
    "LG-4003",
    "LG-4004",
    "LG-4005",
    "LG-4006",
    "LG-4007",
    "LG-4008",
    "LG-5001",
    "LG-5002",
    "LG-5003",
    "LG-5004",
    "LG-5005",
    "LG-5006",
    "LG-5007",
    "LG-5009",
    "LG-5010",
    "LG-5011",
    "LG-5012",
    "LG-5013",
    "LG-6001",
    "LG-6002",
    "LG-6003",
    "LG-6004",
    "LG-6005",
    "LG-9001",
}

/// Every code, ascending.
pub fn all() -> impl Iterator<Item = &'static str> {
    PAGES.iter().map(|(code, _)| *code)
}

/// The page of a code in Markdown: what happened, why, and what to do. `None` for a code that does not exist. Case does
/// not matter, and the number alone is enough: `LG-2006`, `lg2006` and `2006` are the same.
pub fn page(code: &str) -> Option<&'static str> {
    let wanted = code.trim().to_ascii_uppercase();
    let number = wanted.trim_start_matches("LG").trim_start_matches('-');
    let mut pages = PAGES.iter();
    let found = pages.find(|(known, _)| known.strip_prefix("LG-") == Some(number));
    found.map(|(_, page)| *page)
}

/// The code of an error.
pub(super) const fn of(error: &Error) -> &'static str {
    match error {
        Error::Config(error) => config(error),
        Error::Usage { .. } => "LG-1006",
        Error::File { .. } => "LG-1007",
        Error::Connection(_) => "LG-1008",
        Error::SignIn(_) => "LG-1018",
        #[cfg(feature = "mock")]
        Error::Serve(_) => "LG-1012",
        #[cfg(feature = "mock")]
        Error::Generate(_) => "LG-1013",
        Error::Output(_) => "LG-1014",
        Error::Unreachable { source, .. } => request(&source.cause),
        Error::NotShown { .. } => "LG-2015",
        Error::Run(error) => run(error),
        Error::Store(error) => store(error),
        Error::Folder(error) => folder(error),
        Error::EntitiesFailed { .. } => "LG-4001",
        Error::Different { .. } => "LG-4002",
        Error::Conflicts { .. } => "LG-4003",
        Error::WrongReference(_) => "LG-4006",
        Error::Interrupted => "LG-4004",
        Error::Internal(_) => "LG-9001",
    }
}

const fn config(error: &ConfigError) -> &'static str {
    match error {
        ConfigError::File { .. } | ConfigError::Syntax { .. } => "LG-1001",
        ConfigError::UnknownKey { .. }
        | ConfigError::UnknownVariable { .. }
        | ConfigError::UnknownPreset { .. } => "LG-1002",
        ConfigError::Value { .. }
        | ConfigError::Empty { .. }
        | ConfigError::EmptyPart { .. }
        | ConfigError::State { .. }
        | ConfigError::Blobs { .. }
        | ConfigError::TokenSource { .. }
        | ConfigError::TargetName { .. }
        | ConfigError::TargetGuid { .. }
        | ConfigError::Contradiction { .. } => "LG-1003",
        ConfigError::Missing { .. } => "LG-1004",
        ConfigError::Logins(_) => "LG-1019",
        ConfigError::SameInstance { .. } => "LG-1005",
        ConfigError::HostNotAllowed { .. }
        | ConfigError::ClearText { .. }
        | ConfigError::NotTheUsers { .. } => "LG-1015",
    }
}

const fn run(error: &RunError) -> &'static str {
    match error {
        RunError::Pull(PullError::Request { cause, .. }) => request(&cause.cause),
        RunError::Pull(PullError::Incomplete { .. }) => "LG-2012",
        RunError::Pull(PullError::Endless { .. }) => "LG-2014",
        RunError::Store(error) => store(error),
        RunError::Interrupted => "LG-4004",
        RunError::Selection(_) => "LG-1009",
        RunError::Map(_) => "LG-1017",
        RunError::Unplaced(_) => "LG-4005",
        RunError::NotAgreed(_) => "LG-1016",
        RunError::Gates(_) => "LG-4007",
        RunError::Webhooks(error) => webhooks(error),
        RunError::UnknownLocale { .. } => "LG-1010",
        RunError::TargetLocale { .. } => "LG-1011",
        RunError::TargetChannel { .. } => "LG-1006",
    }
}

const fn request(cause: &Cause) -> &'static str {
    match cause {
        Cause::Connect { .. } => "LG-2001",
        Cause::TimedOut(_) => "LG-2002",
        Cause::Broken(_) => "LG-2003",
        Cause::Throttled { .. } => "LG-2004",
        Cause::ServerFailed { .. } => "LG-2005",
        Cause::Unauthorised | Cause::Renewed => "LG-2006",
        Cause::NotRenewed(_) => "LG-2016",
        Cause::Forbidden => "LG-2007",
        Cause::NotFound => "LG-2008",
        Cause::Refused { .. } => "LG-2009",
        Cause::Malformed(_) => "LG-2010",
        Cause::Content(_) => "LG-2011",
        Cause::Busy => "LG-2013",
        Cause::TooLarge(_) => "LG-2014",
        Cause::Misplaced(_) => "LG-5011",
        Cause::Halted => "LG-4004",
    }
}

const fn folder(error: &FolderError) -> &'static str {
    match error {
        FolderError::NoManifest { .. } | FolderError::Several { .. } => "LG-6001",
        FolderError::Manifest { .. }
        | FolderError::Damaged { .. }
        | FolderError::Changed { .. } => "LG-6002",
        FolderError::Newer { .. } => "LG-6003",
        FolderError::Busy { .. }
        | FolderError::Locale { .. }
        | FolderError::Full { .. }
        | FolderError::Io { .. } => "LG-6004",
        FolderError::Other { .. } | FolderError::Locales { .. } => "LG-6005",
    }
}

const fn webhooks(error: &WebhooksError) -> &'static str {
    match error {
        WebhooksError::Unread(cause) | WebhooksError::Failed { cause, .. } => request(&cause.cause),
        WebhooksError::Unproven { .. } | WebhooksError::Altered { .. } => "LG-4008",
    }
}

const fn store(error: &StoreError) -> &'static str {
    match error {
        StoreError::Create { .. } => "LG-3001",
        StoreError::Damaged { .. } => "LG-3002",
        StoreError::Foreign { .. } => "LG-3003",
        StoreError::Newer { .. } => "LG-3004",
        StoreError::ReadOnly { .. } => "LG-3005",
        StoreError::Locked { .. } => "LG-3006",
        StoreError::Full { .. } => "LG-3007",
        StoreError::Failed { .. } => "LG-3008",
        StoreError::Unreadable { .. } => "LG-3009",
        StoreError::LeaseHeld { .. } => "LG-3010",
        StoreError::LeaseLost { .. } => "LG-3011",
        StoreError::Unknown { .. } => "LG-3012",
        StoreError::Closed => "LG-3013",
        StoreError::Unreachable { .. } => "LG-3014",
        StoreError::Undecided { .. } => "LG-3015",
        StoreError::NotEmpty { .. } => "LG-3016",
        StoreError::Bytes { .. } => "LG-3017",
        StoreError::BytesDamaged { .. } => "LG-3018",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn docs() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors")
    }

    /// The codes that this file gives to errors, and those that reports give to failures of entities.
    fn given() -> BTreeSet<String> {
        let source = include_str!("code.rs");
        let arms = source.lines().filter(|line| line.contains("=> \"LG-"));
        let quoted = |line: &str| line.split('"').nth(1).map(str::to_owned);
        let of_errors = arms.filter_map(quoted);
        let of_failures = crate::report::FAILURE_CODES
            .iter()
            .map(|code| (*code).to_owned());
        let of_publishing = crate::report::UNPUBLISHED_CODE.to_owned();
        of_errors
            .chain(of_failures)
            .chain([of_publishing])
            .collect()
    }

    #[test]
    fn every_code_that_is_given_has_a_page_and_every_page_is_given() {
        let known: BTreeSet<String> = all().map(str::to_owned).collect();
        assert_eq!(known.len(), PAGES.len(), "a code stands twice");
        assert_eq!(given(), known);
        let files = std::fs::read_dir(docs()).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let names = names.filter_map(|name| Some(name.strip_suffix(".md")?.to_owned()));
        let pages: BTreeSet<_> = names.filter(|name| name != "index").collect();
        assert_eq!(pages, known);
    }

    #[test]
    fn every_page_says_what_why_and_what_to_do() {
        let list = std::fs::read_to_string(docs().join("index.md")).unwrap();
        let mut titles = BTreeSet::new();
        for (code, page) in PAGES {
            let title = page.lines().next().unwrap();
            let words = title.strip_prefix(&format!("# {code}: ")).unwrap();
            assert!(titles.insert(words), "{code} has the title of another code");
            assert!(page.contains("\n## Why\n\n- "), "{code}");
            assert!(page.contains("\n## What to do\n\n- "), "{code}");
            assert!(
                list.contains(&format!("| [{code}]({code}.md) | {words} |")),
                "{code}"
            );
        }
    }

    #[test]
    fn a_code_is_found_in_any_case() {
        assert_eq!(page(" lg-2006 "), page("LG-2006"));
        assert_eq!(page("2006"), page("LG-2006"));
        assert!(page("LG-2006").is_some());
        assert!(page("LG-9999").is_none());
    }
}
