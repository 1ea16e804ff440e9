//! Curves over the time of a run: throughput by lane, requests per second, requests in flight.

use super::timeline::{Axis, row, tone};
use crate::event::Lane;
use crate::progress::{History, Slot};
use crate::report::text::rate;

/// Points of a curve: as many as a wide screen can show apart.
const POINTS: u64 = 150;

/// A point is no narrower than this, unless the whole run is short: batches settle all at once, and a finer curve would
/// show nothing but that.
const POINT_MS: u64 = 1_000;

/// Height of the pictures in units of their own.
const HEIGHT: f64 = 100.0;

/// Width of the pictures in units of their own.
const WIDTH: f64 = 1_000.0;

/// Some slots as one point.
struct Point {
    from_ms: u64,
    to_ms: u64,
    slot: Slot,
}

/// The rows with curves; none for a run in which nothing was measured.
pub(super) fn curves(history: &History, axis: Axis) -> String {
    let points = points(history, axis);
    [
        throughput(&points, axis),
        requests(&points, axis),
        in_flight(&points, axis),
    ]
    .concat()
}

fn points(history: &History, axis: Axis) -> Vec<Point> {
    let width = history.width_ms();
    let narrowest = POINT_MS.min(axis.end_ms / 30);
    let together = (axis.end_ms / POINTS).max(narrowest).div_ceil(width).max(1);
    let size = usize::try_from(together).unwrap_or(usize::MAX);
    let chunks = history.slots().chunks(size);
    (0..)
        .zip(chunks)
        .map(|(at, chunk): (u64, &[Slot])| {
            let slot = chunk
                .iter()
                .fold(Slot::default(), |sum, next| sum.plus(next));
            let from_ms = at * together * width;
            let to_ms = (from_ms + together * width).min(axis.end_ms.max(from_ms + 1));
            Point {
                from_ms,
                to_ms,
                slot,
            }
        })
        .collect()
}

fn seconds(ms: u64) -> f64 {
    std::time::Duration::from_millis(ms).as_secs_f64()
}

fn x(ms: u64, axis: Axis) -> f64 {
    seconds(ms.min(axis.end_ms)) / seconds(axis.end_ms) * WIDTH
}

/// The height of a value under this highest one.
fn y(value: f64, top: f64) -> f64 {
    HEIGHT - value / top * HEIGHT
}

/// The next round number: 1, 2 or 5 times a power of ten, so that a curve nearly fills its field.
fn round_up(value: f64) -> f64 {
    let mut power = 1.0;
    while power * 10.0 < value {
        power *= 10.0;
    }
    [1.0, 2.0, 3.0, 5.0, 8.0, 10.0]
        .into_iter()
        .map(|step| step * power)
        .find(|step| *step >= value)
        .unwrap_or(value)
}

fn svg(label: &str, shapes: &str) -> String {
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{label}\">{shapes}</svg>"
    )
}

fn legend(entries: &[(&str, &str)]) -> String {
    let mut text = String::from("<span class=\"legend\">");
    for (class, name) in entries {
        append!(text, "<span><i class=\"{class}\"></i>{name}</span>");
    }
    text + "</span>"
}

fn throughput(points: &[Point], axis: Axis) -> String {
    let per_second = |point: &Point, lanes: usize| {
        let settled: u32 = point.slot.settled[..lanes].iter().sum();
        f64::from(settled) / seconds(point.to_ms - point.from_ms).max(0.001)
    };
    let highest = highest(
        points
            .iter()
            .map(|point| per_second(point, Lane::ALL.len())),
    );
    if highest <= 0.0 {
        return String::new();
    }
    let top = round_up(highest);
    let mut shapes = String::new();
    for lane in Lane::ALL {
        let (below, above) = (lane as usize, lane as usize + 1);
        let mut path = String::new();
        let mut back = Vec::new();
        for point in points {
            let (from, to) = (x(point.from_ms, axis), x(point.to_ms, axis));
            let (low, high) = (
                y(per_second(point, below), top),
                y(per_second(point, above), top),
            );
            let sign = if path.is_empty() { 'M' } else { 'L' };
            append!(path, "{sign}{from:.1} {high:.1}L{to:.1} {high:.1}");
            back.push(format!("L{to:.1} {low:.1}L{from:.1} {low:.1}"));
        }
        back.reverse();
        let class = tone(lane);
        append!(
            shapes,
            "<path class=\"area {class}\" d=\"{path}{}Z\"/>",
            back.concat()
        );
    }
    let mut text = String::new();
    let name = format!(
        "<b>uploads per second</b>{}",
        legend(&[
            ("mark o-lane1", "lane 1"),
            ("mark o-lane2", "lane 2"),
            ("mark o-lane3", "lane 3"),
        ])
    );
    let picture = svg("Uploads processed per second, by lane", &shapes);
    row(&mut text, "curve", &name, &picture, &rate(top));
    text
}

fn requests(points: &[Point], axis: Axis) -> String {
    let values = || {
        let known = points.iter();
        known.filter_map(|point| Some((point, point.slot.requests_per_second()?)))
    };
    let limit = highest(points.iter().map(|point| point.slot.limit));
    let top = highest(values().map(|(_, value)| value)).max(limit);
    if top <= 0.0 {
        return String::new();
    }
    let top = round_up(top);
    let mut shapes = line(values(), axis, top);
    let mut entries = vec![("mark o-neutral", "sent")];
    if limit > 0.0 {
        let limits = points.iter().filter(|point| point.slot.limit > 0.0);
        shapes += &cap(limits.map(|point| (point, point.slot.limit)), axis, top);
        entries.push(("dash", "limit"));
    }
    let mut text = String::new();
    let name = format!("<b>requests per second</b>{}", legend(&entries));
    let picture = svg("Requests per second to the target", &shapes);
    row(&mut text, "curve l0", &name, &picture, &rate(top));
    text
}

fn in_flight(points: &[Point], axis: Axis) -> String {
    let values = || {
        let known = points.iter();
        known.filter_map(|point| Some((point, point.slot.in_flight()?)))
    };
    let allowed = || {
        let known = points.iter().filter(|point| point.slot.concurrency > 0);
        known.map(|point| (point, f64::from(point.slot.concurrency)))
    };
    let top = highest(values().chain(allowed()).map(|(_, value)| value));
    if top <= 0.0 {
        return String::new();
    }
    let top = round_up(top);
    let shapes = line(values(), axis, top) + &cap(allowed(), axis, top);
    let entries = [("mark o-neutral", "in flight"), ("dash", "allowed")];
    let mut text = String::new();
    let name = format!("<b>concurrency</b>{}", legend(&entries));
    let picture = svg("Requests in flight and how many were allowed", &shapes);
    row(&mut text, "curve l0", &name, &picture, &rate(top));
    text
}

fn highest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, f64::max)
}

fn path<'a>(values: impl Iterator<Item = (&'a Point, f64)>, axis: Axis, top: f64) -> String {
    let mut path = String::new();
    for (point, value) in values {
        let sign = if path.is_empty() { 'M' } else { 'L' };
        let (from, to) = (x(point.from_ms, axis), x(point.to_ms, axis));
        let (at, y) = (f64::midpoint(from, to), y(value, top));
        append!(path, "{sign}{at:.1} {y:.1}");
    }
    path
}

fn line<'a>(values: impl Iterator<Item = (&'a Point, f64)>, axis: Axis, top: f64) -> String {
    format!("<path class=\"stroke\" d=\"{}\"/>", path(values, axis, top))
}

fn cap<'a>(values: impl Iterator<Item = (&'a Point, f64)>, axis: Axis, top: f64) -> String {
    format!("<path class=\"cap\" d=\"{}\"/>", path(values, axis, top))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_mark_is_round_and_close() {
        for (value, top) in [
            (0.4, 1.0),
            (1.0, 1.0),
            (2.4, 3.0),
            (17.0, 20.0),
            (481.0, 500.0),
        ] {
            assert!((round_up(value) - top).abs() < 1e-9, "{value}");
        }
    }
}
