//! Numbers, times and foreign text as people read them.

use std::time::Duration;

use crate::domain::shown;
use crate::progress::Eta;

/// A count with separators between thousands: `24,164`.
pub(crate) fn count(number: impl Into<u64>) -> String {
    let digits = number.into().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The same of things in memory.
pub(crate) fn count_of(number: usize) -> String {
    count(u64::try_from(number).unwrap_or(u64::MAX))
}

/// A count and its noun: `1 failure`, `2 failures`.
pub(crate) fn counted(number: u32, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", count(number))
}

/// What is said of so many webhooks that are not switched off, with their names.
pub(crate) fn webhooks_fire(number: usize, names: &str) -> String {
    let (webhooks, fire) = match number {
        1 => ("1 webhook".to_owned(), "fires"),
        several => (format!("{} webhooks", count_of(several)), "fire"),
    };
    format!(
        "{webhooks} of the target {fire} for what is written: {names}; --pause-webhooks switches them off meanwhile"
    )
}

/// A moment or span as a clock shows it: `0:07`, `12:40`, `1:02:03`.
pub(crate) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// How long something took: `340 ms`, `12.4 s`, `3 min 10 s`, `1 h 2 min`.
pub(crate) fn took(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{} ms", time.as_millis()),
        1..60 => format!("{}.{} s", seconds, time.subsec_millis() / 100),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600.. => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// A rate: `0.4`, `9.8`, `41`.
pub(crate) fn rate(per_second: f64) -> String {
    if per_second < 9.95 {
        format!("{per_second:.1}")
    } else {
        format!("{per_second:.0}")
    }
}

/// An amount of data: `512 B`, `1.5 kB`, `20.0 MB`.
pub(crate) fn bytes(amount: u64) -> String {
    let (unit, name) = match amount {
        0..1_000 => return format!("{amount} B"),
        1_000..1_000_000 => (1_000, "kB"),
        1_000_000..1_000_000_000 => (1_000_000, "MB"),
        1_000_000_000.. => (1_000_000_000, "GB"),
    };
    format!("{}.{} {name}", amount / unit, amount % unit * 10 / unit)
}

/// A share in whole per cent, rounded down so that 100 means all: `33 %`.
pub(crate) fn percent(part: u32, whole: u32) -> String {
    let share = u64::from(part) * 100 / u64::from(whole.max(1));
    format!("{share} %")
}

/// A share from 0 to 1 in per cent with one digit, rounded down: `99.9 %`.
pub(crate) fn share(share: f64) -> String {
    format!("{:.1} %", (share * 1_000.0 + 1e-6).floor() / 10.0)
}

/// The range of an estimate, coarse enough to stand still: `40-55 s`, `3:10-4:00 min`, `12-15 min`. `dash` stands
/// between the ends; ends that read alike are shown once.
pub(crate) fn eta(eta: &Eta, dash: &str) -> String {
    let (low, high) = (eta.low.as_secs(), eta.high.as_secs());
    let (low, high, unit) = match high {
        0..60 => (low.max(1).to_string(), high.max(1).to_string(), "s"),
        60..600 => (tens(low), tens(high), "min"),
        600..3600 => (minutes(low), minutes(high), "min"),
        3600.. => (hours(low), hours(high), "h"),
    };
    if low == high {
        format!("{low} {unit}")
    } else {
        format!("{low}{dash}{high} {unit}")
    }
}

/// Minutes and seconds, in steps of ten seconds.
fn tens(seconds: u64) -> String {
    let seconds = seconds.next_multiple_of(10).max(10);
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

fn minutes(seconds: u64) -> String {
    seconds.div_ceil(60).max(1).to_string()
}

fn hours(seconds: u64) -> String {
    let minutes = seconds.div_ceil(60);
    format!("{}:{:02}", minutes / 60, minutes % 60)
}

/// Foreign text on one line, as [`shown`] makes it fit for that.
pub(crate) fn clean(text: &str) -> String {
    shown(text).into_owned()
}

/// Clean text of at most `most` characters; what is longer ends in an ellipsis.
pub(crate) fn short(text: &str, most: usize) -> String {
    let text = clean(text);
    if text.chars().count() <= most {
        return text;
    }
    let mut kept: String = text.chars().take(most.saturating_sub(1)).collect();
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Bottleneck;

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(7_u32), "7");
        assert_eq!(count(999_u32), "999");
        assert_eq!(count(1_000_u32), "1,000");
        assert_eq!(count(1_234_567_u32), "1,234,567");
        assert_eq!(counted(1, "failure"), "1 failure");
        assert_eq!(counted(0, "failure"), "0 failures");
        assert_eq!(rate(0.44), "0.4");
        assert_eq!(rate(41.2), "41");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_560), "1.5 kB");
        assert_eq!(bytes(20_000_000), "20.0 MB");
        assert_eq!(percent(1_999, 2_000), "99 %");
        assert_eq!(percent(0, 0), "0 %");
        assert_eq!(share(0.9999), "99.9 %");
        assert_eq!(share(1.0), "100.0 %");
    }

    #[test]
    fn times_read_well() {
        let text = |ms| {
            (
                clock(Duration::from_millis(ms)),
                took(Duration::from_millis(ms)),
            )
        };
        assert_eq!(text(340), ("0:00".into(), "340 ms".into()));
        assert_eq!(text(12_460), ("0:12".into(), "12.4 s".into()));
        assert_eq!(text(190_000), ("3:10".into(), "3 min 10 s".into()));
        assert_eq!(text(3_723_000), ("1:02:03".into(), "1 h 2 min".into()));
    }

    #[test]
    fn estimates_are_ranges_as_coarse_as_their_length() {
        let range = |low, high| {
            let (low, high) = (Duration::from_secs(low), Duration::from_secs(high));
            eta(
                &Eta {
                    low,
                    likely: low,
                    high,
                    by: Bottleneck::Rate,
                },
                "-",
            )
        };
        assert_eq!(range(0, 0), "1 s");
        assert_eq!(range(40, 55), "40-55 s");
        assert_eq!(range(45, 61), "0:50-1:10 min");
        assert_eq!(range(185, 187), "3:10 min");
        assert_eq!(range(59, 900), "1-15 min");
        assert_eq!(range(3_000, 4_000), "0:50-1:07 h");
    }

    #[test]
    fn foreign_text_cannot_steer_the_terminal() {
        assert_eq!(clean(" a\x1b[2J\nb\t"), "a\\u001b[2J b");
        assert_eq!(short("abcdef", 4), "abc…");
        assert_eq!(short("abcd", 4), "abcd");
    }
}
