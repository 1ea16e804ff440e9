//! Paths of assets, and which of them can be sent.
//!
//! A path goes to a server in two pieces, the folder in a query and the file name in the header of a multipart body. Servers
//! take both for paths of a file system and tidy them up: `a//b` arrives as `a/b`, `../x` somewhere else. What does not
//! arrive as itself is in the wrong place, or over another file, so that it is refused before anything is sent.

/// Folder and file name of a path; a file at the top is in the folder without a name.
pub fn folder_and_name(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Why a path cannot arrive as it is; `None` where it can.
pub fn unsendable(path: &str) -> Option<&'static str> {
    let (_, name) = folder_and_name(path);
    let is_escape = |text: &str| {
        let escapes = ["%22", "%0d", "%0a"];
        escapes
            .iter()
            .any(|escape| text.to_ascii_lowercase().contains(escape))
    };
    if path.is_empty() {
        Some("it is empty")
    } else if path.split('/').any(str::is_empty) {
        Some("a part of it is empty")
    } else if path.split('/').any(|part| matches!(part, "." | "..")) {
        Some("a part of it stands for another folder")
    } else if path.contains(char::is_control) {
        Some("it has control characters")
    } else if path.split('/').any(|part| part.trim() != part) {
        Some("a part of it begins or ends with a blank")
    } else if name.ends_with('\\') {
        Some("it ends with a backslash")
    } else if is_escape(name) {
        // HTML standard, "multipart/form-data encoding algorithm": a quote is encoded to the same text.
        Some("it is spelled like the escape of a quote or a line end")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_would_tidy_up_is_not_sent() {
        for path in [
            "",
            "/",
            "/etc/x.png",
            "a//b.png",
            "a/",
            ".",
            "..",
            "../../x.png",
            "a/../b.png",
            "a/./b.png",
            "a\u{1}.png",
            "a\r\nContent-Type: x",
            "a\0",
            "a\u{9b}b",
            "a\u{7f}",
            " a.png",
            "a /b.png",
            "x\\",
            "x%22.png",
            "x%0a.png",
        ] {
            assert!(unsendable(path).is_some(), "{path:?}");
        }
        for path in [
            "a.png",
            "img/team/a b.png",
            "x\"y.png",
            "back\\slash.png",
            "...",
            "a..b",
            ".hidden",
            "100%.png",
            "a%20b.png",
            "日本語/é.png",
            "a\u{202e}b.png",
        ] {
            assert_eq!(unsendable(path), None, "{path:?}");
        }
    }
}
