//! What the files of a folder are called, and how their JSON is written.
//!
//! Names that come from an instance are not trusted: a path that one file system cannot hold, or takes for another path,
//! gives way to the id of its asset. So a folder may be copied to any system, and no asset leaves it.

use std::collections::{BTreeMap, HashSet};

use percent_encoding::percent_decode_str;

use super::error::FolderError;
use crate::domain::{Key, Kind, Locale, SourceId, name_key};

/// Where the asset container and rows that are no entities stand.
pub(super) const INSTANCE: &str = "instance.json";

/// Folders of the instance, of which no locale can have the name.
const FOLDERS: [&str; 6] = [
    "models",
    "containers",
    "galleries",
    "templates",
    "sitemaps",
    "assets",
];

/// Below `assets`: files whose own path cannot be used.
const BY_ID: &str = "by-id";
/// Below `assets`: the lists.
const LISTS: &str = "json";

/// Bytes of a part of a path, and of a path, that every file system can hold.
const PART_MAX: usize = 120;
const PATH_MAX: usize = 200;

/// Assets of one list, as many as the official CLI asks for at once.
pub(super) const ASSETS_AT_ONCE: usize = 250;

/// The file of an entity that has one of its own.
pub(super) fn file_of(key: &Key<SourceId>) -> Option<String> {
    let id = key.id;
    let in_locale = |folder| {
        let locale = key.locale.as_ref()?;
        Some(format!("{locale}/{folder}/{id}.json"))
    };
    match key.kind {
        Kind::Model => Some(format!("models/{id}.json")),
        Kind::Container => Some(format!("containers/{id}.json")),
        Kind::Template => Some(format!("templates/{id}.json")),
        Kind::Gallery => Some(format!("galleries/{id}.json")),
        Kind::Content => in_locale("item"),
        Kind::Page => in_locale("page"),
        Kind::Asset | Kind::Redirection => None,
    }
}

/// The folder in which the entities of a kind have a file each, with a slash at its end.
pub(super) fn folder_of(kind: Kind, locale: Option<&Locale>) -> Option<String> {
    match (kind, locale) {
        (Kind::Model, _) => Some("models/".to_owned()),
        (Kind::Container, _) => Some("containers/".to_owned()),
        (Kind::Template, _) => Some("templates/".to_owned()),
        (Kind::Gallery, _) => Some("galleries/".to_owned()),
        (Kind::Asset, _) => Some(format!("assets/{LISTS}/")),
        (Kind::Content, Some(locale)) => Some(format!("{locale}/item/")),
        (Kind::Page, Some(locale)) => Some(format!("{locale}/page/")),
        (Kind::Content | Kind::Page, None) | (Kind::Redirection, _) => None,
    }
}

/// The list of assets with this number, counted from 1.
pub(super) fn asset_list(number: usize) -> String {
    format!("assets/{LISTS}/{number}.json")
}

/// The pages of a locale in all channels, with those that the public feeds leave out.
pub(super) fn sitemap(locale: &Locale) -> String {
    format!("sitemaps/{locale}.json")
}

/// The redirections, which the official CLI keeps in every locale.
pub(super) fn redirections(locale: &Locale) -> String {
    format!("{locale}/urlredirections/urlredirections.json")
}

/// Checks that a locale can be the name of a folder.
///
/// # Errors
/// [`FolderError::Locale`]
pub(super) fn check_locale(locale: &Locale) -> Result<(), FolderError> {
    let code = locale.as_str();
    let is_code = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_folder =
        !code.is_empty() && code.bytes().all(is_code) && !is_reserved(code) && code.len() < 36;
    if is_folder && !FOLDERS.contains(&code) {
        return Ok(());
    }
    let code = code.to_owned();
    Err(FolderError::Locale { code })
}

/// The files of assets by their id, below the folder of the instance. `assets` are ids and origin URLs. Whatever the order,
/// the same assets have the same files, and a new one takes the file of no other.
pub fn asset_files<'a>(
    assets: impl IntoIterator<Item = (SourceId, &'a str)>,
) -> BTreeMap<SourceId, String> {
    let sorted: BTreeMap<SourceId, &str> = assets.into_iter().collect();
    let mut taken = Taken::default();
    let files = sorted.into_iter().map(|(id, url)| {
        let own = path_of(url).filter(|path| is_portable(path) && taken.take(path));
        let file = own.unwrap_or_else(|| format!("{BY_ID}/{id}{}", extension(url)));
        (id, format!("assets/{file}"))
    });
    files.collect()
}

/// Paths in use, as the strictest file system compares them.
#[derive(Default)]
struct Taken {
    files: HashSet<Box<str>>,
    folders: HashSet<Box<str>>,
}

impl Taken {
    /// Takes a path, unless it is in use, is the folder of another file, or is below one.
    fn take(&mut self, path: &str) -> bool {
        let path = name_key(path);
        let folders = path.match_indices('/').map(|(at, _)| &path[..at]);
        let folders: Vec<Box<str>> = folders.map(Into::into).collect();
        let is_free = !self.files.contains(&path)
            && !self.folders.contains(&path)
            && !folders.iter().any(|folder| self.files.contains(folder));
        if is_free {
            self.folders.extend(folders);
            self.files.insert(path);
        }
        is_free
    }
}

/// The path of an origin URL as the official CLI takes it: decoded, after `/assets/`, otherwise without its first part.
fn path_of(url: &str) -> Option<String> {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let (_, path) = url.split_once("://")?;
    let (_, path) = path.split_once('/')?;
    let path = percent_decode_str(path).decode_utf8().ok()?;
    let below = match path.split_once("assets/") {
        Some((before, below)) if before.is_empty() || before.ends_with('/') => below,
        _ => path.split_once('/')?.1,
    };
    Some(below.to_owned())
}

/// Whether every file system takes a path for what it is, and no tool gives it a meaning.
fn is_portable(path: &str) -> bool {
    let is_plain = |part: &str| {
        !part.is_empty()
            && part.len() <= PART_MAX
            && !part.starts_with(['.', ' '])
            && !part.ends_with(['.', ' '])
            && !part.contains(|c: char| c.is_control() || "<>:\"|?*\\".contains(c))
            && !is_reserved(part)
    };
    let first = path.split('/').next().unwrap_or_default();
    let is_ours = [BY_ID, LISTS].contains(&&*name_key(first));
    let is_list = !path.contains('/')
        && path
            .strip_suffix(".json")
            .is_some_and(|id| id.bytes().all(|byte| byte.is_ascii_digit()));
    path.len() <= PATH_MAX && path.split('/').all(is_plain) && !is_ours && !is_list
}

/// Names of devices on Windows, with any extension.
fn is_reserved(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or_default().trim_end();
    let stem = stem.to_ascii_lowercase();
    let is_numbered = |name| {
        stem.strip_prefix(name)
            .is_some_and(|rest: &str| rest.len() == 1 && rest.bytes().all(|b| b.is_ascii_digit()))
    };
    ["con", "prn", "aux", "nul"].contains(&&*stem) || is_numbered("com") || is_numbered("lpt")
}

/// The extension of a file with its dot, where it is a plain one.
fn extension(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let extension = url
        .rsplit('/')
        .next()
        .and_then(|name| name.rsplit_once('.'));
    let plain = extension.map(|(_, extension)| extension).filter(|text| {
        (1..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    plain.map_or_else(String::new, |text| {
        format!(".{}", text.to_ascii_lowercase())
    })
}

/// The file of a channel as the official CLI names it; `None` where nothing of the name is left.
pub(super) fn channel_file(name: &str) -> Option<String> {
    const LEFT_OUT: &str = "`!@#$%^&*()+=[]{};':\"\\|,.<>/?~";
    let is_kept = |c: &char| !LEFT_OUT.contains(*c) && !c.is_control();
    let name: String = name.to_lowercase().chars().filter(is_kept).collect();
    let name = name.trim();
    let is_usable = !name.is_empty() && name.len() <= PART_MAX && !is_reserved(name);
    is_usable.then(|| format!("{name}.json"))
}

/// A JSON text with two blanks of indentation and a line end. Only white space between values is changed: numbers, escapes
/// and the order of members stay as they were.
pub(super) fn indented(json: &str) -> String {
    let mut text = String::with_capacity(json.len() * 5 / 4);
    let (mut depth, mut in_string, mut is_escaped) = (0_usize, false, false);
    let mut rest = json.chars().peekable();
    while let Some(c) = rest.next() {
        if in_string {
            text.push(c);
            in_string = is_escaped || c != '"';
            is_escaped = !is_escaped && c == '\\';
            continue;
        }
        match c {
            ' ' | '\t' | '\r' | '\n' => {}
            '{' | '[' => {
                text.push(c);
                while rest.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(end) = rest.next_if(|c| matches!(c, '}' | ']')) {
                    text.push(end);
                } else {
                    depth += 1;
                    new_line(&mut text, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut text, depth);
                text.push(c);
            }
            ',' => {
                text.push(c);
                new_line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            c => {
                in_string = c == '"';
                text.push(c);
            }
        }
    }
    text.push('\n');
    text
}

fn new_line(text: &mut String, depth: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Id;

    fn files(urls: &[&str]) -> Vec<String> {
        let ids = (1..).map(SourceId::new);
        asset_files(ids.zip(urls.iter().copied()))
            .into_values()
            .collect()
    }

    #[test]
    fn files_of_assets_have_their_own_path_where_every_system_can_hold_it() {
        let host = |path: &str| format!("https://origin.example/{path}");
        let one = |path: &str| files(&[&host(path)]).remove(0);
        assert_eq!(one("1a/assets/img/team%20a.png"), "assets/img/team a.png");
        assert_eq!(one("1a/img/a.png"), "assets/img/a.png");
        assert_eq!(one("assets/caf%C3%A9.png?v=2"), "assets/café.png");
        let long = format!("1a/{}.png", "x".repeat(150));
        let deep = format!("1a/{}a.png", "folder/".repeat(40));
        for odd in [
            "1a/assets/../../etc/passwd",
            "1a/assets/%2e%2e/%2e%2e/x.png",
            "1a/assets/a%5C..%5Cb.png",
            "1a/assets//x.png",
            "1a/assets/.git/hooks/pre-commit",
            "1a/assets/CON.png",
            "1a/assets/com1",
            "1a/assets/a:b.png",
            "1a/assets/a%00b.png",
            "1a/assets/a%0ab.png",
            "1a/assets/trailing.",
            "1a/assets/trailing%20",
            "1a/assets/json/1.json",
            "1a/assets/By-Id/1.png",
            "1a/assets/12.json",
            "1a/assets/%ff.png",
            "1a/",
            &*long,
            &*deep,
        ] {
            let file = one(odd);
            assert!(file.starts_with("assets/by-id/1"), "{odd}: {file}");
            assert!(!file.contains(".."), "{file}");
        }
        assert_eq!(files(&["no url"]), ["assets/by-id/1"]);
    }

    #[test]
    fn twins_of_case_and_files_in_the_place_of_folders_have_files_of_their_own() {
        let found = files(&[
            "https://h/c/Logo.png",
            "https://h/c/logo.PNG",
            "https://h/c/e\u{301}.png",
            "https://h/c/\u{e9}.png",
            "https://h/c/docs",
            "https://h/c/docs/a.pdf",
            "https://h/c/more/a.pdf",
            "https://h/c/more",
        ]);
        assert_eq!(
            found,
            [
                "assets/Logo.png",
                "assets/by-id/2.png",
                "assets/e\u{301}.png",
                "assets/by-id/4.png",
                "assets/docs",
                "assets/by-id/6.pdf",
                "assets/more/a.pdf",
                "assets/by-id/8",
            ]
        );
    }

    #[test]
    fn a_locale_is_a_folder_of_its_own() {
        for code in ["en-us", "zh-hant-tw"] {
            assert!(check_locale(&Locale::new(code)).is_ok(), "{code}");
        }
        for code in [
            "", "..", "en/us", "models", "assets", "con", "en.us", ".git",
        ] {
            assert!(check_locale(&Locale::new(code)).is_err(), "{code}");
        }
    }

    #[test]
    fn only_white_space_between_values_changes() {
        let json = r#"{"a":1.10,"b":{},"c":[ ],"d":[-0,"x: {\"y\", \\"],"e":{"f":"\u00e9"}}"#;
        let text = indented(json);
        insta::assert_snapshot!(text, @r#"
        {
          "a": 1.10,
          "b": {},
          "c": [],
          "d": [
            -0,
            "x: {\"y\", \\"
          ],
          "e": {
            "f": "\u00e9"
          }
        }
        "#);
        assert_eq!(indented(&text), text);
    }

    #[test]
    fn channels_have_the_files_of_the_official_cli() {
        assert_eq!(
            channel_file("My Web-Site!").as_deref(),
            Some("my web-site.json")
        );
        for odd in ["..", "///", "", "Con"] {
            assert_eq!(channel_file(odd), None, "{odd}");
        }
    }
}
