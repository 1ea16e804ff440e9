//! Wall-clock time: the one place that reads the clock.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::RunId;

/// The present moment. For stamps that people and files see; durations are measured with tokio's clock.
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// The moment of a date of the API, which is in UTC without saying so; `None` of one that is out of range.
pub fn of_utc(date: DateTime) -> Option<Timestamp> {
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// A moment in milliseconds since 1970 as RFC 3339, to the second; empty when it cannot be one.
pub fn of_millis(millis: i64) -> String {
    let moment = Timestamp::from_millisecond(millis);
    moment.map_or_else(
        |_| String::new(),
        |moment| moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    )
}

/// Names a run that starts at `start`; `salt` separates runs of one second.
pub fn run_id(start: Timestamp, salt: u16) -> RunId {
    RunId(format!("{}-{salt:04x}", start.strftime("%Y%m%d-%H%M%S")))
}
