//! Changes to bytes and to JSON, drawn from a seed.

use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt, SeedableRng};
use serde_json::{Map, Value, json};

/// The draws of one mutation.
pub(crate) fn draws(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Changes some bytes: of JSON one value or member, otherwise, and in one of four cases, the bytes themselves.
pub(crate) fn mutate(bytes: &[u8], draw: &mut ChaCha8Rng) -> Vec<u8> {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(value) if draw.random_ratio(3, 4) => mutate_json(value, draw).to_string().into_bytes(),
        _ => mutate_bytes(bytes, draw),
    }
}

/// Changes one value or member of a JSON document, or the whole of it.
pub(crate) fn mutate_json(value: Value, draw: &mut ChaCha8Rng) -> Value {
    mutate_within(value, usize::MAX, draw)
}

/// The same of a list of an instance: the list, its rows and their members, and not what is deeper.
pub(crate) fn mutate_rows(bytes: &[u8], draw: &mut ChaCha8Rng) -> Vec<u8> {
    let value = serde_json::from_slice::<Value>(bytes).unwrap();
    let depth = draw.random_range(1..=3);
    mutate_within(value, depth, draw).to_string().into_bytes()
}

fn mutate_within(mut value: Value, depth: usize, draw: &mut ChaCha8Rng) -> Value {
    let mut left = draw.random_range(0..count(&value, depth));
    change(&mut value, (&mut left, depth), draw);
    value
}

/// How many values there are in a document down to a depth, itself included.
fn count(value: &Value, depth: usize) -> usize {
    let below = |value: &Value| count(value, depth - 1);
    1 + match value {
        _ if depth == 0 => 0,
        Value::Array(rows) => rows.iter().map(below).sum(),
        Value::Object(members) => members.values().map(below).sum(),
        _ => 0,
    }
}

/// Changes the value that is `left` values further in the order of the text, of those down to a depth.
fn change(value: &mut Value, (left, depth): (&mut usize, usize), draw: &mut ChaCha8Rng) -> bool {
    if *left == 0 {
        change_this(value, draw);
        return true;
    }
    *left -= 1;
    if depth == 0 {
        return false;
    }
    let mut below = |value: &mut Value| change(value, (left, depth - 1), draw);
    match value {
        Value::Array(rows) => rows.iter_mut().any(&mut below),
        Value::Object(members) => members.values_mut().any(&mut below),
        _ => false,
    }
}

fn change_this(value: &mut Value, draw: &mut ChaCha8Rng) {
    match value {
        Value::Array(rows) if draw.random() => change_rows(rows, draw),
        Value::Object(members) if draw.random() => change_members(members, draw),
        Value::String(text) if draw.random() => *value = text_like(text, draw),
        other => *other = other_value(draw),
    }
}

fn change_rows(rows: &mut Vec<Value>, draw: &mut ChaCha8Rng) {
    if rows.is_empty() {
        return rows.push(other_value(draw));
    }
    let at = draw.random_range(0..rows.len());
    match draw.random_range(0..5) {
        0 => drop(rows.remove(at)),
        1 => rows.push(rows[at].clone()),
        2 => rows.reverse(),
        3 => rows.clear(),
        _ => rows.insert(at, other_value(draw)),
    }
}

fn change_members(members: &mut Map<String, Value>, draw: &mut ChaCha8Rng) {
    let names: Vec<String> = members.keys().cloned().collect();
    let Some(name) = names.choose(draw) else {
        members.insert("extra".to_owned(), other_value(draw));
        return;
    };
    let member = members.remove(name).unwrap_or_default();
    match draw.random_range(0..3) {
        0 => {}
        1 => drop(members.insert(name.to_uppercase(), member)),
        _ => drop(members.insert(format!("{name}\u{0}"), member)),
    }
}

/// A text that is read as something else than the one that stood there.
fn text_like(text: &str, draw: &mut ChaCha8Rng) -> Value {
    match draw.random_range(0..6) {
        0 => json!(text.to_uppercase()),
        1 => json!(text.chars().rev().collect::<String>()),
        2 => json!(text.repeat(50)),
        3 => json!(format!("{text}\u{202e}\r\n\u{1b}]52;c;aGk=\u{7}")),
        4 => json!(format!("<a href=\"{text}")),
        _ => json!([text]),
    }
}

fn other_value(draw: &mut ChaCha8Rng) -> Value {
    let numbers = [
        json!(0),
        json!(-1),
        json!(1),
        json!(100_000_000),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e300),
        json!(0.5),
    ];
    let others = [
        Value::Null,
        json!(true),
        json!(""),
        json!("x"),
        json!("-7"),
        json!([]),
        json!({}),
        json!([null]),
        json!([[], {}]),
        json!({ "id": null }),
        json!("9999-99-99T99:99:99"),
        json!("a".repeat(20_000)),
        nested(120),
    ];
    let all: Vec<&Value> = numbers.iter().chain(&others).collect();
    (*all.choose(draw).expect("there are some")).clone()
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(Value::Null, |inner, _| json!([inner]))
}

/// Changes bytes without a look at what they mean.
pub(crate) fn mutate_bytes(bytes: &[u8], draw: &mut ChaCha8Rng) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let at = draw.random_range(0..=bytes.len());
    match draw.random_range(0..9) {
        0 => out.truncate(at),
        1 => drop(out.drain(..at)),
        2 if at < out.len() => out[at] ^= 1 << draw.random_range(0..8),
        3 => {
            let to = (at + draw.random_range(0..64)).min(out.len());
            drop(out.drain(at..to));
        }
        4 => {
            let mut noise = [0; 16];
            draw.fill_bytes(&mut noise);
            out.splice(at..at, noise);
        }
        5 => {
            let half = out[at..].to_vec();
            out.extend(half);
        }
        6 => out.splice(at..at, *b"\xff\xfe\x00").for_each(drop),
        7 => out = b"<!doctype html><title>502 Bad Gateway</title>".to_vec(),
        _ => out.clear(),
    }
    out
}
