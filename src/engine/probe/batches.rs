//! Tests whether batches wait for one another.

use std::time::Duration;

use super::answers::{Batches, Observed};
use super::content::{Content, between, plain};
use super::stage::{Followed, Stage, Unanswered};
use crate::domain::TargetId;
use crate::instance::Target;

/// A large batch that is not seen at work after that time shows nothing: looks and the network take as long.
const LEAST: Duration = Duration::from_millis(30);

/// Saves the items of the large batch once more, and with them, in a batch behind it, the first one.
pub(super) async fn ask<T: Target>(
    stage: &mut Stage<'_, T>,
    content: &Content,
) -> Result<Observed<Batches>, Unanswered> {
    let name = stage.names.name().to_owned();
    let there = content.many.iter().enumerate();
    let again: Vec<(Option<TargetId>, _)> = there
        .filter_map(|(at, id)| Some((Some(*id.as_ref().ok()?), plain(&name, at))))
        .collect();
    let large = stage.submit(again).await?;
    let first = vec![(Some(content.first), plain(&name, 0))];
    let small = stage.submit(first).await?;
    let followed = stage.follow(&[large, small]).await?;
    let [large, small] = &followed[..] else {
        return Ok(Observed::nothing("two batches were followed"));
    };
    Ok(Observed {
        seen: format!("20 items: {}; 1 item: {}", between(large), between(small)),
        answer: conclude(large, small, content.first_batch.most),
    })
}

/// The small batch was handed in last. It is done after the large one where they wait for one another, and about as soon as
/// when it was alone where they do not.
fn conclude(large: &Followed, small: &Followed, alone: Duration) -> Result<Batches, String> {
    if large.least < LEAST {
        return Err("batches are done too quickly to measure".to_owned());
    }
    let (serial, parallel) = (large.most + alone, alone);
    Ok(
        if small.most.abs_diff(serial) < small.most.abs_diff(parallel) {
            Batches::Serial
        } else {
            Batches::Parallel
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn concluded(large: u64, small: u64, alone: u64) -> Result<Batches, String> {
        let ms = Duration::from_millis;
        let batch = |time| Followed {
            rows: Ok(Vec::new()),
            least: ms(time) * 3 / 4,
            most: ms(time),
        };
        conclude(&batch(large), &batch(small), ms(alone))
    }

    #[test]
    fn a_small_batch_shows_whether_it_waited_for_a_large_one() {
        assert_eq!(concluded(100, 110, 5), Ok(Batches::Serial));
        assert_eq!(concluded(500, 1_030, 510), Ok(Batches::Serial));
        assert_eq!(concluded(2_010, 2_030, 2_005), Ok(Batches::Parallel));
        assert_eq!(concluded(1_000, 60, 50), Ok(Batches::Parallel));
        assert!(concluded(20, 25, 1).is_err());
    }
}
