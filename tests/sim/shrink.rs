//! Makes a failing history smaller while it still fails.

use crate::cut::Cut;
use crate::history::History;
use crate::play::play;

/// Plays that may be spent on one history.
const PLAYS: u32 = 120;

/// What can be taken out of a failing history so that it still fails.
pub(crate) fn shrink(failing: &History) -> Vec<Cut> {
    let (mut history, mut cuts, mut left) = (failing.clone(), Vec::new(), PLAYS);
    loop {
        let smaller = Cut::all(&history).into_iter().find_map(|cut| {
            let mut smaller = history.clone();
            if left == 0 || !cut.apply(&mut smaller) {
                return None;
            }
            left -= 1;
            let fails = !play(&smaller, false).problems.is_empty();
            fails.then_some((cut, smaller))
        });
        let Some((cut, smaller)) = smaller else {
            return cuts;
        };
        cuts.push(cut);
        history = smaller;
    }
}
