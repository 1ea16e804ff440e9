//! Reads the bodies of answers, as much of them as is allowed.
//!
//! A body grows with what has arrived and never with what a header announces, and it is counted unpacked, so a small
//! answer cannot unpack to a large one. Where it goes beyond the limit the connection is dropped. Large answers are read
//! and understood one at a time in the whole program, so that the memory for answers is that of one large answer and of
//! small ones for each request in flight.

use bytes::Bytes;
use reqwest::Response;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::instance::TooLarge;

/// The memory of an answer, in bytes, from which on it is a large one.
const LARGE: u64 = 8 << 20;

/// The permit to have a large answer in memory.
static LARGE_ANSWER: Semaphore = Semaphore::const_new(1);

/// A whole body.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) bytes: Bytes,
    /// Held while a large answer is in memory.
    _large: Option<SemaphorePermit<'static>>,
}

/// Why a body was not read to its end.
#[derive(Debug)]
pub(super) enum Unread {
    Broken(reqwest::Error),
    TooLarge(TooLarge),
}

impl Body {
    /// Reads a body of at most `limit` bytes; its values take at most as many bytes in memory again.
    pub(super) async fn read(mut response: Response, limit: u64) -> Result<Self, Unread> {
        let (mut bytes, mut large) = (Vec::new(), None);
        while let Some(piece) = response.chunk().await.map_err(Unread::Broken)? {
            let length = (bytes.len() + piece.len()) as u64;
            if length > limit {
                return Err(Unread::TooLarge(TooLarge::Answer(limit)));
            }
            if length > LARGE && large.is_none() {
                large = Some(permit().await);
            }
            bytes.extend_from_slice(&piece);
        }
        drop(response);
        let memory = memory_of_values(&bytes);
        if memory > limit {
            return Err(Unread::TooLarge(TooLarge::Values(limit)));
        }
        if memory > LARGE && large.is_none() {
            large = Some(permit().await);
        }
        Ok(Self {
            bytes: without_mark(bytes.into()),
            _large: large,
        })
    }

    /// Reads the start of a body that only says what is wrong.
    pub(super) async fn start(
        mut response: Response,
        most: usize,
    ) -> Result<Bytes, reqwest::Error> {
        let mut bytes = Vec::new();
        while let Some(piece) = response.chunk().await? {
            bytes.extend_from_slice(&piece[..piece.len().min(most - bytes.len())]);
            if bytes.len() == most {
                break;
            }
        }
        Ok(without_mark(bytes.into()))
    }
}

async fn permit() -> SemaphorePermit<'static> {
    LARGE_ANSWER.acquire().await.expect("it is never closed")
}

/// A body without the byte order mark that some servers put before UTF-8.
fn without_mark(mut body: Bytes) -> Bytes {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    if body.starts_with(MARK) {
        drop(body.split_to(MARK.len()));
    }
    body
}

/// How much memory the values of a JSON text take at most, besides the text of its strings: what an object or a list
/// reserves for its first members, and what each member takes.
fn memory_of_values(json: &[u8]) -> u64 {
    const OBJECT: u64 = 512;
    const LIST: u64 = 320;
    const MEMBER: u64 = 80;
    const NAME: u64 = 96;
    let (mut bytes, mut in_string, mut is_escaped) = (0, false, false);
    for byte in json {
        if in_string {
            in_string = is_escaped || *byte != b'"';
            is_escaped = !is_escaped && *byte == b'\\';
            continue;
        }
        bytes += match byte {
            b'"' => {
                in_string = true;
                0
            }
            b'{' => OBJECT,
            b'[' => LIST,
            b',' => MEMBER,
            b':' => NAME,
            _ => 0,
        };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_structure_of_a_text_takes_memory_for_values() {
        let of = |text: &str| memory_of_values(text.as_bytes());
        assert_eq!(of(r#""a,b:[{\",{""#), 0);
        assert_eq!(of(r#""\\","#), 80);
        assert_eq!(of(r#"{"a":[1,2]}"#), 512 + 96 + 320 + 80);
        assert_eq!(of(""), 0);
    }
}
