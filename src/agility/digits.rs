//! Numbers with more digits than a floating-point number holds.
//!
//! JSON has no limit for the digits of a number, and the program reads numbers as 64-bit ones. So a number that would lose
//! digits becomes a text of the same digits before it is read: fields of the API take numbers as texts, and compare the
//! same. Every other number stays as it is.

use std::borrow::Cow;

/// So many digits always survive.
const SAFE: usize = 15;

/// `json` with quotes around every number that would lose digits.
pub(super) fn kept(json: &[u8]) -> Cow<'_, [u8]> {
    let mut out: Option<Vec<u8>> = None;
    // How much of `json` is in `out`.
    let mut copied = 0;
    let mut at = 0;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => at = end_of_text(json, at + 1),
            b'-' | b'0'..=b'9' => {
                let end = end_of_number(json, at);
                if loses_digits(&json[at..end]) {
                    let out = out.get_or_insert_default();
                    out.extend_from_slice(&json[copied..at]);
                    out.push(b'"');
                    out.extend_from_slice(&json[at..end]);
                    out.push(b'"');
                    copied = end;
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    match out {
        None => Cow::Borrowed(json),
        Some(mut out) => {
            out.extend_from_slice(&json[copied..]);
            Cow::Owned(out)
        }
    }
}

/// Where a text ends whose first character is at `at`, behind its quote.
fn end_of_text(json: &[u8], mut at: usize) -> usize {
    while let Some(byte) = json.get(at) {
        at += match byte {
            b'\\' => 2,
            b'"' => return at + 1,
            _ => 1,
        };
    }
    json.len()
}

fn end_of_number(json: &[u8], start: usize) -> usize {
    let is_part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    start + json[start..].iter().take_while(is_part).count()
}

fn loses_digits(number: &[u8]) -> bool {
    if number.len() <= SAFE && !number.contains(&b'e') && !number.contains(&b'E') {
        return false;
    }
    let Ok(text) = std::str::from_utf8(number) else {
        return false;
    };
    if text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok() {
        return false;
    }
    match text.parse::<f64>() {
        Ok(float) if float.is_finite() => significant(text) != significant(&format!("{float:e}")),
        Ok(_) => true,
        // It is no number, which the reader complains about.
        Err(_) => false,
    }
}

/// The digits of a number without its point, its exponent and the zeros around them.
fn significant(number: &str) -> String {
    let mantissa = number.split(['e', 'E']).next().unwrap_or_default();
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    digits.trim_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> String {
        String::from_utf8(kept(json.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn numbers_that_survive_stay_as_they_are() {
        for json in [
            r#"{"a":1,"b":-0.0,"c":100.0,"d":1e20,"e":9223372036854775807,"f":18446744073709551615}"#,
            "[0.1,0.30000000000000004,1.7976931348623157e308,120000000000000000000000000]",
            r#"{"text":"0.123456789012345678901234 and \"12345678901234567890123\" \\"}"#,
            "not JSON at all 1-2-3",
        ] {
            assert_eq!(read(json), json);
        }
    }

    #[test]
    fn numbers_that_would_lose_digits_become_texts() {
        assert_eq!(
            read(r#"{"a":0.123456789012345678901234,"b":[12345678901234567890123,-1e999]}"#),
            r#"{"a":"0.123456789012345678901234","b":["12345678901234567890123","-1e999"]}"#
        );
    }
}
