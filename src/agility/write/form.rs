//! The body of an upload: a multipart form with one part for each file.
//!
//! The HTTP client writes file names with backslashes before quotes and backslashes. Servers do not take them out, so that
//! the name is written as browsers write it (HTML standard, "multipart/form-data encoding algorithm"): `%22` for a quote, `%0D` and
//! `%0A` for line ends, and every other character as it is.

use std::future::ready;
use std::hash::{BuildHasher, Hasher, RandomState};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use reqwest::{Body, multipart};

use super::super::shape::ShapeError;

/// A form that is ready to be sent.
#[derive(Debug)]
pub(crate) struct Form {
    /// The value of `Content-Type`, with the boundary.
    pub(crate) content_type: String,
    pub(crate) body: Body,
    /// The value of `Content-Length`; `None` when the length of a file is not known.
    pub(crate) length: Option<u64>,
}

/// A file on its way into a form.
pub(super) struct Part<B> {
    pub(super) name: String,
    pub(super) content_type: String,
    pub(super) length: Option<u64>,
    pub(super) bytes: B,
}

/// Files in parts called `files`, in their order.
///
/// # Errors
/// [`ShapeError`] for a content type that is none.
pub(super) fn form<E, B>(parts: Vec<Part<B>>) -> Result<Form, ShapeError>
where
    E: std::error::Error + Send + Sync + 'static,
    B: Stream<Item = Result<Bytes, E>> + Send + 'static,
{
    let boundary = boundary();
    let end = format!("\r\n--{boundary}--\r\n");
    let mut length = Some(end.len() as u64);
    let mut before = "";
    let mut pieces = Vec::with_capacity(parts.len());
    for part in parts {
        let start = Bytes::from(format!("{before}{}", part.head(&boundary)?));
        let of_part = part.length.map(|length| start.len() as u64 + length);
        length = length.zip(of_part).map(|(all, more)| all + more);
        pieces.push(stream::once(ready(Ok(start))).chain(part.bytes));
        before = "\r\n";
    }
    let pieces = stream::iter(pieces).flatten();
    let end = stream::once(ready(Ok(Bytes::from(end))));
    Ok(Form {
        content_type: format!("multipart/form-data; boundary={boundary}"),
        body: Body::wrap_stream(pieces.chain(end)),
        length,
    })
}

impl<B> Part<B> {
    /// The lines before the bytes.
    fn head(&self, boundary: &str) -> Result<String, ShapeError> {
        let content_type = &self.content_type;
        multipart::Part::text("")
            .mime_str(content_type)
            .map_err(|_| ShapeError(format!("{content_type:?} is not a MIME type")))?;
        Ok(format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{}\"\r\nContent-Type: {content_type}\r\n\r\n",
            escaped(&self.name)
        ))
    }
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

    type Piece = Result<Bytes, std::io::Error>;

    fn part(
        content_type: &str,
        text: &'static str,
    ) -> Part<stream::Iter<std::vec::IntoIter<Piece>>> {
        Part {
            name: "a.txt".to_owned(),
            content_type: content_type.to_owned(),
            length: Some(text.len() as u64),
            bytes: stream::iter(vec![Ok(Bytes::from_static(text.as_bytes()))]),
        }
    }

    #[test]
    fn a_content_type_cannot_bring_lines_of_its_own() {
        assert!(form(vec![part("text/plain\r\nX: y", "")]).is_err());
        let good = form(vec![part("text/plain", "")]).unwrap();
        assert!(good.length.is_some() && good.content_type.contains("boundary=lockgate-"));
    }

    #[test]
    fn one_file_of_unknown_length_leaves_the_length_open() {
        let unknown = Part {
            length: None,
            ..part("text/plain", "one")
        };
        let whole = form(vec![part("text/plain", "two"), unknown]).unwrap();
        assert_eq!(whole.length, None);
    }
}
