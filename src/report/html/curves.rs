//! Curves over the time of a run: throughput by lane, requests per second, requests in flight.

use maud::{Markup, html};

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
pub(super) fn curves(history: &History, axis: Axis) -> Markup {
    let points = points(history, axis);
    html! {
        (throughput(&points, axis))
        (requests(&points, axis))
        (in_flight(&points, axis))
    }
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

/// A row with a picture and its legend: a class and a name for each curve.
fn curve(
    class: &str,
    name: &str,
    legend: &[(&str, &str)],
    (label, shapes): (&str, Markup),
    top: f64,
) -> Markup {
    let name = html! {
        b { (name) }
        span.legend { @for (class, name) in legend { span { i class=(class) {} (name) } } }
    };
    let picture = html! {
        svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label=(label) { (shapes) }
    };
    row(class, name, picture, &rate(top))
}

fn throughput(points: &[Point], axis: Axis) -> Markup {
    let per_second = |point: &Point, lanes: usize| {
        let settled: u32 = point.slot.settled[..lanes].iter().sum();
        f64::from(settled) / seconds(point.to_ms - point.from_ms).max(0.001)
    };
    let all = points.iter();
    let highest = highest(all.map(|point| per_second(point, Lane::ALL.len())));
    if highest <= 0.0 {
        return Markup::default();
    }
    let top = round_up(highest);
    let area = |lane: Lane| {
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
        path + &back.concat() + "Z"
    };
    let shapes = html! { @for lane in Lane::ALL { path.area.(tone(lane)) d=(area(lane)) {} } };
    let legend = [
        ("mark o-lane1", "lane 1"),
        ("mark o-lane2", "lane 2"),
        ("mark o-lane3", "lane 3"),
    ];
    let picture = ("Uploads processed per second, by lane", shapes);
    curve("curve", "uploads per second", &legend, picture, top)
}

/// Values of points, in their order.
type Values<'a> = Vec<(&'a Point, f64)>;

fn requests(points: &[Point], axis: Axis) -> Markup {
    let all = points.iter();
    let sent = all.filter_map(|point| Some((point, point.slot.requests_per_second()?)));
    let limited = points.iter().filter(|point| point.slot.limit > 0.0);
    let limits = limited.map(|point| (point, point.slot.limit));
    let words = [
        "requests per second",
        "Requests per second to the target",
        "sent",
        "limit",
    ];
    bounded(words, &sent.collect(), &limits.collect(), axis)
}

fn in_flight(points: &[Point], axis: Axis) -> Markup {
    let all = points.iter();
    let values = all.filter_map(|point| Some((point, point.slot.in_flight()?)));
    let known = points.iter().filter(|point| point.slot.concurrency > 0);
    let allowed = known.map(|point| (point, f64::from(point.slot.concurrency)));
    let words = [
        "concurrency",
        "Requests in flight and how many were allowed",
        "in flight",
        "allowed",
    ];
    bounded(words, &values.collect(), &allowed.collect(), axis)
}

/// A row with what was measured and, dashed, what was allowed.
fn bounded(
    [name, label, measured, bound]: [&str; 4],
    values: &Values<'_>,
    bounds: &Values<'_>,
    axis: Axis,
) -> Markup {
    let top = highest(values.iter().chain(bounds).map(|(_, value)| *value));
    if top <= 0.0 {
        return Markup::default();
    }
    let top = round_up(top);
    let mut legend = vec![("mark o-neutral", measured)];
    if !bounds.is_empty() {
        legend.push(("dash", bound));
    }
    let shapes = html! {
        path.stroke d=(path(values, axis, top)) {}
        @if !bounds.is_empty() { path.cap d=(path(bounds, axis, top)) {} }
    };
    curve("curve l0", name, &legend, (label, shapes), top)
}

fn highest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, f64::max)
}

fn path(values: &Values<'_>, axis: Axis, top: f64) -> String {
    let mut path = String::new();
    for (point, value) in values {
        let sign = if path.is_empty() { 'M' } else { 'L' };
        let (from, to) = (x(point.from_ms, axis), x(point.to_ms, axis));
        let (at, y) = (f64::midpoint(from, to), y(*value, top));
        append!(path, "{sign}{at:.1} {y:.1}");
    }
    path
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
