//! One request from its arrival to its answer.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, FromRequest, Multipart, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use bytes::Bytes;
use serde_json::Value;
use tokio::time::Instant;

use super::answer::{self, respond};
use super::call::{Answer, Call, Payload, Reply};
use super::target::Target;
use super::{admin, assets};
use crate::mock::fault::{FaultAction, Moment, ResetMoment};
use crate::mock::limit::Standing;
use crate::mock::line::Cut;
use crate::mock::log::{Arrival, Body, Finish};
use crate::mock::server::Shared;
use crate::mock::world::asset::Upload;
use crate::mock::world::batch::Spoil;
use crate::mock::world::failure::Refusal;
use crate::mock::world::received::Received;

/// The largest JSON body that is read. The vendor documents no bound; 250 large items fit many times.
const BODY_MOST: usize = 256 << 20;

/// How far a list lags behind that a fault makes stale.
const STALE: Duration = Duration::from_secs(2);

/// The whole server as one service.
pub(in crate::mock) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .fallback(handle)
        .layer(DefaultBodyLimit::disable())
        .with_state(shared)
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    request: Request,
) -> Response {
    let uri = request.uri().clone();
    let (path, query) = (uri.path(), uri.query().unwrap_or_default());
    let mut call = Call::new(
        request.method().as_str(),
        path,
        query,
        Payload::Bytes(Bytes::new()),
    );
    if call.tail(0).first() == Some(&"_mock") {
        let body = to_bytes(request.into_body(), usize::MAX)
            .await
            .unwrap_or_default();
        return respond(admin::route(&shared, &call, &body));
    }
    let busy = cut.busy();
    let target = Target::of(&call);
    let arrival = Arrival {
        method: request.method().as_str(),
        path,
        query,
        guid: target.guid(&call),
        writes: target.writes(&call),
    };
    let sequence = shared.log.arrive(arrival);
    let stopping = shared.stopping.clone();
    let served = async {
        let credential = target.credential(request.headers());
        call.payload = read(request).await?;
        Ok(serve(&shared, &mut call, target, credential).await)
    };
    let outcome = stopping.run_until_cancelled(served).await;
    let served = match outcome {
        Some(Ok(served)) => served,
        Some(Err(refusal)) => Served::refused(refusal),
        None => Served::refused(Refusal::new(503, "The server is stopping.")),
    };
    let response = finish(&shared, &cut, &call, sequence, served);
    drop(busy);
    response
}

/// A request that went through, with what a fault still has to do to its answer.
struct Served {
    answer: Answer,
    authorised: bool,
    standing: Option<Standing>,
    spoilt: Option<FaultAction>,
}

impl Served {
    /// A refusal that no route had a say in.
    fn refused(refusal: Refusal) -> Self {
        Self {
            answer: Err(refusal),
            authorised: false,
            standing: None,
            spoilt: None,
        }
    }
}

/// Records the answer, and spoils it if a fault says so.
fn finish(shared: &Shared, cut: &Cut, call: &Call, sequence: u64, served: Served) -> Response {
    let batch_id = match &served.answer {
        Ok(Reply::Batch(id)) => Some(*id),
        Ok(Reply::Json(_) | Reply::File(_) | Reply::Redirect(_)) | Err(_) => None,
    };
    let mut response = match &served.spoilt {
        Some(fault) => answer::spoil(fault, served.answer),
        None => respond(served.answer),
    };
    if let Some(standing) = &served.standing {
        answer::tell_limit(&mut response, standing, shared);
    }
    let reset = matches!(
        served.spoilt,
        Some(
            FaultAction::Reset(ResetMoment::BeforeEffect | ResetMoment::AfterEffect)
                | FaultAction::Refuse(_)
        )
    );
    let status = if reset { 0 } else { response.status().as_u16() };
    let finish = Finish {
        status,
        authorised: served.authorised,
        batch_id,
        body: body_record(call),
    };
    shared.log.finish(sequence, finish);
    if let Some(FaultAction::Refuse(time)) = served.spoilt {
        shared.shutter.pull(time);
    }
    if reset {
        cut.pull();
    } else {
        answer::add_request_id(&mut response, sequence);
    }
    response
}

fn body_record(call: &Call) -> Body {
    match &call.payload {
        Payload::Files(_) => Body::Summary(assets::upload_record(call)),
        Payload::Bytes(bytes) if bytes.is_empty() => Body::None,
        Payload::Bytes(bytes) => Body::Raw(bytes.clone()),
    }
}

async fn serve(
    shared: &Shared,
    call: &mut Call,
    target: Target,
    credential: Option<String>,
) -> Served {
    let admission = target.admit(shared, call, credential.as_deref());
    let authorised = admission.is_ok();
    let payer = target.payer(shared, call, credential.as_deref());
    let standing = payer.and_then(|who| shared.admit(&who, Instant::now()));
    let done = |answer, spoilt| Served {
        answer,
        authorised,
        standing,
        spoilt,
    };
    if standing.is_some_and(|standing| !standing.admitted) {
        return done(Err(Refusal::new(429, "Too many requests.")), None);
    }
    // After the rate, so that a refused request does not use up a fault that was meant for its repetition.
    let (fault, share) = shared.strike(call);
    let wait = shared.latency + shared.jitter.mul_f64(share);
    // Even a sleep of no time takes a tick of the timer.
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    match &fault {
        // Until the client gives up, or the server stops; both drop this future.
        Some(FaultAction::Hang) => std::future::pending().await,
        Some(
            FaultAction::Status { .. }
            | FaultAction::HtmlPage
            | FaultAction::Busy
            | FaultAction::Refuse(_)
            | FaultAction::Reset(ResetMoment::BeforeEffect),
        ) => {
            return done(Err(Refusal::new(500, "")), fault);
        }
        Some(FaultAction::FailWholeBatch) => call.spoil = Spoil::FailAll,
        Some(FaultAction::FailItem(place)) => call.spoil = Spoil::FailItem(*place),
        Some(FaultAction::DropItemResult) => call.spoil = Spoil::DropResult,
        Some(FaultAction::ReorderResults) => call.spoil = Spoil::Reorder,
        Some(FaultAction::StickBatch(Moment::BeforeEffect)) => call.spoil = Spoil::StickBefore,
        Some(FaultAction::StickBatch(Moment::AfterEffect)) => call.spoil = Spoil::StickAfter,
        Some(
            FaultAction::TruncatedJson
            | FaultAction::ShortFile
            | FaultAction::StaleList
            | FaultAction::SlowBody(_)
            | FaultAction::StatusAfterEffect(_)
            | FaultAction::Reset(ResetMoment::AfterEffect | ResetMoment::DuringBody),
        )
        | None => {}
    }
    let mut answer = match admission {
        Ok(()) => target.route(shared, call, credential.as_deref()),
        Err(refusal) => Err(refusal),
    };
    if shared.rules.exception_messages {
        answer = answer.map_err(Refusal::into_exception);
    }
    let lag = match fault {
        Some(FaultAction::StaleList) => STALE.max(shared.read_lag),
        Some(_) | None => shared.read_lag,
    };
    if !lag.is_zero() && !target.writes(call) {
        answer = answer.map(|reply| target.stale(shared, call, reply, lag));
    }
    done(answer, fault)
}

/// Reads the body: files of a multipart form, or the bytes of anything else.
async fn read(request: Request) -> Result<Payload, Refusal> {
    let kind = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    let broken = |error: &dyn std::fmt::Display| {
        Refusal::new(400, format!("The body could not be read: {error}"))
    };
    if !kind.starts_with("multipart/form-data") {
        return to_bytes(request.into_body(), BODY_MOST)
            .await
            .map(Payload::Bytes)
            .map_err(|error| broken(&error));
    }
    let mut form = Multipart::from_request(request, &())
        .await
        .map_err(|error| broken(&error))?;
    let mut files = Vec::new();
    while let Some(mut part) = form.next_field().await.map_err(|error| broken(&error))? {
        let name = part
            .file_name()
            .filter(|name| !name.is_empty())
            .map(decoded);
        let content_type = part.content_type().map(str::to_owned);
        // The server takes the parts called `files` and passes over all others.
        if let (Some("files"), Some(name)) = (part.name(), name) {
            let mut bytes = Received::default();
            while let Some(piece) = part.chunk().await.map_err(|error| broken(&error))? {
                bytes.push(&piece);
            }
            files.push(Upload {
                name,
                content_type,
                bytes,
            });
        }
    }
    Ok(Payload::Files(files))
}

/// A file name as a browser meant it (HTML standard, "multipart/form-data encoding algorithm").
fn decoded(name: &str) -> String {
    let escapes = [("%22", "\""), ("%0D", "\r"), ("%0A", "\n")];
    escapes
        .iter()
        .fold(name.to_owned(), |name, (escape, char)| {
            name.replace(escape, char)
        })
}

/// A value in JSON, for the routes that have no refusals.
pub(super) fn json(value: impl Into<Value>) -> Reply {
    Reply::Json(value.into())
}
