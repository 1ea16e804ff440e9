//! Emits pace and forecast once a second in phases that have no dispatcher.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

use crate::engine::context::{Ends, RunContext};
use crate::engine::pace::Sample;
use crate::event::Event;

/// Does `work`, and reports at once and then every second the pace and the time that is left: `forecast` derives that from
/// the pace when the work began and the present one, and returns nothing while it has no basis.
pub(in crate::engine) async fn emit_while<E: Ends, R>(
    context: &RunContext<E>,
    mut forecast: impl FnMut(&Sample, &Sample) -> Option<Event>,
    work: impl Future<Output = R>,
) -> R {
    let mut tick = tokio::time::interval_at(Instant::now(), Duration::from_secs(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let began = context.instances.target_pacer.sample();
    let mut before = began;
    let mut work = std::pin::pin!(work);
    loop {
        // The work is polled in place and never dropped half done; the tick is cancel-safe.
        tokio::select! {
            biased;
            done = &mut work => return done,
            _ = tick.tick() => {}
        }
        before = emit_pace(context, &before).await;
        if let Some(event) = forecast(&began, &before) {
            context.sink.emit(event).await;
        }
    }
}

/// A number with two digits behind the point: JSON readers that are not exact get longer ones back changed.
fn short(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

/// Reports the pace since the sample before, and returns the new one.
pub(in crate::engine) async fn emit_pace<E: Ends>(
    context: &RunContext<E>,
    before: &Sample,
) -> Sample {
    let now = context.instances.target_pacer.sample();
    let notices = [
        &context.instances.source_pacer,
        &context.instances.target_pacer,
    ]
    .map(|pacer| pacer.take_notice());
    if let Some(message) = notices.into_iter().flatten().next() {
        context.sink.emit(Event::Warned { message }).await;
    }
    let per_second = short(now.per_second_since(before));
    context
        .sink
        .emit(Event::PaceSampled {
            per_second,
            limit_per_second: now.per_second_max.map(short),
            in_flight: now.in_flight,
            concurrency: u32::try_from(now.concurrency).unwrap_or(u32::MAX),
            latency_ms: short(now.latency.as_secs_f64() * 1000.0),
            requests: now.requests,
            refused: now.refused,
        })
        .await;
    now
}
