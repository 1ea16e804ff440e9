//! The body of an upload: a multipart form with one file.
//!
//! The HTTP client writes file names with backslashes before quotes and backslashes. Servers do not take them out, so that
//! the name is written as browsers write it (HTML standard, "multipart/form-data encoding algorithm"): `%22` for a quote, `%0D` and
//! `%0A` for line ends, and every other character as it is.

use std::hash::{BuildHasher, Hasher, RandomState};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use reqwest::Body;
use reqwest::multipart::Part;

use super::super::shape::Misshapen;

/// A form that is ready to be sent.
#[derive(Debug)]
pub(crate) struct Form {
    /// The value of `Content-Type`, with the boundary.
    pub(crate) content_type: String,
    pub(crate) body: Body,
    /// The value of `Content-Length`; `None` when the length of the file is not known.
    pub(crate) length: Option<u64>,
}

/// A file in a part called `files`.
///
/// # Errors
/// [`Misshapen`] for a content type that is none.
pub(super) fn form<E>(
    (file_name, content_type): (&str, &str),
    bytes: impl Stream<Item = Result<Bytes, E>> + Send + 'static,
    length: Option<u64>,
) -> Result<Form, Misshapen>
where
    E: std::error::Error + Send + Sync + 'static,
{
    Part::text("")
        .mime_str(content_type)
        .map_err(|_| Misshapen(format!("{content_type:?} is not a MIME type")))?;
    let boundary = boundary();
    let start = Bytes::from(format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{}\"\r\nContent-Type: {content_type}\r\n\r\n",
        escaped(file_name)
    ));
    let end = Bytes::from(format!("\r\n--{boundary}--\r\n"));
    let around = start.len() as u64 + end.len() as u64;
    let pieces = stream::once(std::future::ready(Ok(start)))
        .chain(bytes)
        .chain(stream::once(std::future::ready(Ok(end))));
    Ok(Form {
        content_type: format!("multipart/form-data; boundary={boundary}"),
        body: Body::wrap_stream(pieces),
        length: length.map(|length| around + length),
    })
}

fn escaped(file_name: &str) -> String {
    file_name
        .replace('"', "%22")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A line that no file holds but by a chance of one in 2^128.
fn boundary() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("lockgate-{:016x}{:016x}", random(), random())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_cannot_end_its_quotes_or_its_line() {
        let name = "x\"\r\nContent-Type: text/html\\.png";
        assert_eq!(escaped(name), "x%22%0D%0AContent-Type: text/html\\.png");
        assert_eq!(escaped("日本語 é.png"), "日本語 é.png");
    }

    #[test]
    fn a_content_type_cannot_bring_lines_of_its_own() {
        let none = stream::empty::<Result<Bytes, std::io::Error>>;
        assert!(form(("a", "text/plain\r\nX: y"), none(), None).is_err());
        let good = form(("a", "text/plain"), none(), Some(0)).unwrap();
        assert!(good.length.is_some() && good.content_type.contains("boundary=lockgate-"));
    }
}
