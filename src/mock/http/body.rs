//! Bodies that arrive late, short or not to their end.

use std::io;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, HttpBody as _};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderValue, Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};

use crate::mock::world::asset::Download;

/// How many pieces a slow body has, at least when it is as many bytes long.
const PIECES: u32 = 8;

/// The answer with a body that breaks off in the middle.
pub(super) fn cut_off(response: Response<Body>) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    let told = head.headers.get(CONTENT_LENGTH);
    let told = told.and_then(|length| length.to_str().ok()?.parse().ok());
    let length: u64 = told.or(body.size_hint().exact()).unwrap_or(0);
    head.headers
        .insert(CONTENT_LENGTH, HeaderValue::from(length));
    let start = (body.into_data_stream(), Some(length / 2));
    let halved = stream::unfold(start, |(mut pieces, left)| async move {
        let left = left?;
        let next = if left == 0 { None } else { pieces.next().await };
        let Some(Ok(piece)) = next else {
            let broken = io::Error::from(io::ErrorKind::ConnectionReset);
            return Some((Err(broken), (pieces, None)));
        };
        let most = usize::try_from(left).unwrap_or(usize::MAX);
        let piece = piece.slice(..piece.len().min(most));
        let left = left - piece.len() as u64;
        Some((Ok(piece), (pieces, Some(left))))
    });
    Response::from_parts(head, Body::from_stream(halved))
}

/// The answer with a body that takes `time` to arrive.
pub(super) fn slowed(response: Response<Body>, time: Duration) -> Response<Body> {
    let (head, body) = response.into_parts();
    let slow = Slow {
        pieces: body.into_data_stream(),
        rest: Bytes::new(),
        step: 0,
        pauses: PIECES,
    };
    let pause = time / PIECES;
    let slowed = stream::unfold(slow, move |mut slow| async move {
        if slow.rest.is_empty() {
            slow.rest = match slow.pieces.next().await? {
                Ok(piece) => piece,
                Err(error) => return Some((Err(error), slow)),
            };
            slow.step = slow.rest.len().div_ceil(PIECES as usize);
        }
        if slow.pauses > 0 {
            slow.pauses -= 1;
            tokio::time::sleep(pause).await;
        }
        let piece = slow.rest.split_to(slow.step.min(slow.rest.len()));
        Some((Ok(piece), slow))
    });
    Response::from_parts(head, Body::from_stream(slowed))
}

struct Slow {
    pieces: BodyDataStream,
    rest: Bytes,
    step: usize,
    pauses: u32,
}

/// The answer of a download with the first half of the file, as if that were all.
pub(super) fn shortened(file: &Download, response: Response<Body>) -> Response<Body> {
    let length = file.blob.len() / 2;
    let (mut head, _) = response.into_parts();
    head.headers
        .insert(CONTENT_LENGTH, HeaderValue::from(length));
    let mut left = length;
    let pieces: Vec<_> = file
        .blob
        .chunks(&file.key)
        .map_while(|piece| {
            let most = usize::try_from(left).unwrap_or(usize::MAX);
            let piece = piece.slice(..piece.len().min(most));
            left -= piece.len() as u64;
            (!piece.is_empty()).then_some(Ok::<_, io::Error>(piece))
        })
        .collect();
    Response::from_parts(head, Body::from_stream(stream::iter(pieces)))
}
