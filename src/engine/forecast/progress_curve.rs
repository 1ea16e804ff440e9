//! The progress that a simulation predicts over time, to see whether it still holds.

use std::time::Duration;

/// Points of a course: as fine as one asks.
const POINTS: u32 = 128;

/// How many uploads have no outcome yet, from the first point of a play to the last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::engine) struct ProgressCurve {
    /// Fewer and fewer uploads, later and later.
    points: Vec<(u32, Duration)>,
    /// Uploads between two points.
    step: u32,
}

impl ProgressCurve {
    /// Notes how many are left at a moment of the play. Moments come in their order.
    pub(in crate::engine) fn note(&mut self, unsettled: u32, at: Duration) {
        match self.points.last() {
            Some((last, _)) if unsettled > 0 && last.saturating_sub(unsettled) < self.step => {}
            Some(_) => self.points.push((unsettled, at)),
            None => {
                self.step = (unsettled / POINTS).max(1);
                self.points.push((unsettled, at));
            }
        }
    }

    /// When so many were to be left; `None` where the play has nothing of that.
    pub(in crate::engine) fn at(&self, unsettled: u32) -> Option<Duration> {
        let after = self.points.partition_point(|(left, _)| *left > unsettled);
        let (left, at) = self.points.get(after)?;
        let Some((more, before)) = after.checked_sub(1).and_then(|last| self.points.get(last))
        else {
            return (*left == unsettled).then_some(*at);
        };
        let passed = f64::from(more - unsettled) / f64::from((more - left).max(1));
        Some(*before + at.saturating_sub(*before).mul_f64(passed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn between_two_points_uploads_go_on_evenly() {
        let mut course = ProgressCurve::default();
        course.note(1_280, seconds(0));
        course.note(1_275, seconds(7));
        course.note(1_000, seconds(10));
        course.note(0, seconds(40));
        assert_eq!(course.points.len(), 3, "five uploads are no step");
        assert_eq!(course.at(1_000), Some(seconds(10)));
        assert_eq!(course.at(1_140), Some(seconds(5)));
        assert_eq!(course.at(250), Some(Duration::from_millis(32_500)));
        assert_eq!(course.at(0), Some(seconds(40)));
        assert_eq!(course.at(1_281), None, "more than there were");
        assert_eq!(ProgressCurve::default().at(9), None);
    }
}
