//! Measures the rate that the server allows, and reads what its headers state of it.
//!
//! Reads leave evenly, more of them each second, until one is refused; then only those that are in flight follow. So a limit
//! costs a handful of refusals. The number that left within the second before the first refusal is the limit, if the server
//! counts a sliding second.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::answers::{Headers, Limit, Observed};
use super::stage::{Stage, Unanswered};
use crate::domain::TargetId;
use crate::engine::pace::Class;
use crate::instance::{Cause, LimitHeaders, ReadRequest, Target};

/// Requests of each second.
const STEPS: [u32; 3] = [20, 40, 80];

/// The time of a step, and that over which a limit is taken to count.
const SECOND: Duration = Duration::from_secs(1);

/// What became of a read, and when it left.
#[derive(Clone, Copy, Debug)]
struct Read {
    left: Instant,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Admitted,
    /// Refused for the rate, with the wait that was asked for.
    Refused(Option<Duration>),
    /// It failed of anything else.
    Failed,
}

impl End {
    const fn is_refused(self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

/// Sends the reads.
pub(super) async fn ask<T: Target>(stage: &Stage<'_, T>) -> Result<Observed<Limit>, Unanswered> {
    stage.goes_on()?;
    // A rate that grows slowly by itself would hide a limit.
    stage.target.pacer.without_start();
    let begin = Instant::now();
    let over = CancellationToken::new();
    let reads = join_all(moments().map(|after| read(stage, begin + after, &over))).await;
    let mut reads: Vec<Read> = reads.into_iter().flatten().collect();
    reads.sort_by_key(|read| read.left);
    let mut observed = conclude(&reads);
    let is_refused = matches!(observed.answer, Ok(Limit::PerSecond(_)));
    let stated = stage.port.limit_headers().per_second;
    // Of a refusal before the reads, such as of a look at a batch.
    let refused = stage.target.pacer.learned().per_second;
    let other = [
        (stated, "headers state a limit"),
        (refused, "earlier requests were refused at a rate"),
    ];
    let other = other.into_iter().find_map(|(rate, how)| Some((rate?, how)));
    if let Some((rate, how)) = other.filter(|_| !is_refused) {
        observed.seen = format!("{}; {how} of {rate:.0} per second", observed.seen);
        observed.answer = Ok(Limit::PerSecond(rate));
    }
    Ok(observed)
}

/// When reads leave, from the beginning.
fn moments() -> impl Iterator<Item = Duration> {
    (0..)
        .zip(STEPS)
        .flat_map(|(second, count)| (0..count).map(move |at| SECOND * second + SECOND * at / count))
}

/// One read that leaves at a moment, unless one was refused before; `None` then.
async fn read<T: Target>(
    stage: &Stage<'_, T>,
    moment: Instant,
    over: &CancellationToken,
) -> Option<Read> {
    // All are cancel-safe: a timer, and marks.
    tokio::select! {
        () = tokio::time::sleep_until(moment) => {}
        () = over.cancelled() => return None,
        () = stage.stop.cancelled() => return None,
    }
    let permit = stage.target.pacer.permit(Class::Read).await;
    if over.is_cancelled() {
        return None;
    }
    let left = Instant::now();
    let answer = stage
        .target
        .instance
        .read::<TargetId>(&ReadRequest::Locales)
        .await;
    let end = match answer.map_err(|error| error.cause) {
        Ok(_) => {
            permit.answered();
            End::Admitted
        }
        Err(Cause::Throttled { retry_after }) => {
            over.cancel();
            permit.refused(retry_after, 0);
            End::Refused(retry_after)
        }
        Err(_) => {
            over.cancel();
            End::Failed
        }
    };
    Some(Read { left, end })
}

/// From the reads in the order in which they left.
fn conclude(reads: &[Read]) -> Observed<Limit> {
    let admitted: Vec<Instant> = reads
        .iter()
        .filter(|read| read.end == End::Admitted)
        .map(|read| read.left)
        .collect();
    let before = |moment: Instant| {
        let since = |left: &&Instant| **left <= moment && moment.duration_since(**left) < SECOND;
        u32::try_from(admitted.iter().filter(since).count()).unwrap_or(u32::MAX)
    };
    if let Some(first) = reads.iter().find(|read| read.end.is_refused()) {
        let refused = reads.iter().filter(|read| read.end.is_refused()).count();
        let wait = match first.end {
            End::Refused(Some(wait)) => format!("Retry-After {} s", wait.as_secs()),
            End::Refused(None) | End::Admitted | End::Failed => "no Retry-After".to_owned(),
        };
        let rate = before(first.left);
        return Observed {
            seen: format!(
                "{refused} of {} reads refused, the first after {rate} in a second; {wait}",
                reads.len()
            ),
            answer: Ok(Limit::PerSecond(f64::from(rate.max(1)))),
        };
    }
    let most = admitted.iter().map(|left| before(*left)).max().unwrap_or(0);
    let seen = format!(
        "{} reads, at most {most} in a second, none refused for the rate",
        reads.len()
    );
    let answer = if reads.iter().any(|read| read.end == End::Failed) || most == 0 {
        Err("a read failed of something else than the rate".to_owned())
    } else {
        Ok(Limit::Beyond(f64::from(most)))
    };
    Observed { seen, answer }
}

/// What headers have stated so far. Their names are shown, and no values but those of limits.
pub(super) fn headers(stated: &LimitHeaders) -> Observed<Headers> {
    let seen: Vec<String> = stated
        .values
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    let has_limit = stated.values.keys().any(|name| name != "retry-after");
    let answer = match (stated.per_second, has_limit) {
        (Some(_), _) => Headers::PerSecond,
        (None, true) => Headers::Unclear,
        (None, false) => Headers::None,
    };
    Observed {
        seen: seen.join(", "),
        answer: Ok(answer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(refused_from: u32) -> Vec<Read> {
        let begin = Instant::now();
        let read = |(at, after)| Read {
            left: begin + after,
            end: if at >= refused_from {
                End::Refused(Some(SECOND))
            } else {
                End::Admitted
            },
        };
        (0..).zip(moments()).map(read).collect()
    }

    #[test]
    fn the_second_before_the_first_refusal_is_the_limit() {
        let seen = conclude(&reads(100)[..101]);
        let Ok(Limit::PerSecond(rate)) = seen.answer else {
            panic!("{:?}", seen.answer)
        };
        // 40 left in the second before, and 40 in the half second since.
        assert!((59.0..=61.0).contains(&rate), "{rate}");
        assert!(seen.seen.contains("Retry-After 1 s"), "{}", seen.seen);
    }

    #[test]
    fn without_a_refusal_the_busiest_second_is_what_is_known() {
        assert_eq!(conclude(&reads(u32::MAX)).answer, Ok(Limit::Beyond(80.0)));
        assert!(conclude(&[]).answer.is_err());
        let failed = Read {
            left: Instant::now(),
            end: End::Failed,
        };
        assert!(conclude(&[failed]).answer.is_err());
    }

    #[test]
    fn headers_are_named() {
        let mut stated = LimitHeaders::default();
        assert_eq!(headers(&stated).answer, Ok(Headers::None));
        stated
            .values
            .insert("retry-after".to_owned(), "1".to_owned());
        assert_eq!(headers(&stated).answer, Ok(Headers::None));
        let name = "x-ratelimit-limit".to_owned();
        stated.values.insert(name, "60".to_owned());
        let seen = headers(&stated);
        assert_eq!(seen.answer, Ok(Headers::Unclear));
        assert!(seen.seen.contains("x-ratelimit-limit: 60"), "{}", seen.seen);
        stated.per_second = Some(60.0);
        assert_eq!(headers(&stated).answer, Ok(Headers::PerSecond));
    }
}
