//! Which encodings of references this target has been seen to store right.
//!
//! A save can succeed and store a reference empty. So the first entity that holds an encoding is read back, and others that
//! hold it wait until then. Each encoding is proven by itself: proofs of several are at the target together, in one batch with
//! whatever needs none.

use super::Ready;

/// Encodings, as bits.
#[derive(Clone, Debug, Default)]
pub(super) struct Proof {
    proven: u64,
    /// Those of which a proof is in flight.
    in_flight: u64,
    /// What waits for the proofs in flight.
    waiting: Vec<Ready>,
}

impl Proof {
    /// Takes in what has to wait for a proof in flight. Else gives it back, with the encodings that it is the first to use.
    pub(super) fn admit(&mut self, ready: Ready) -> Option<(Ready, u64)> {
        let unproven = ready.encodings & !self.proven;
        let new = unproven & !self.in_flight;
        if unproven != 0 && new == 0 {
            self.waiting.push(ready);
            return None;
        }
        self.in_flight |= new;
        Some((ready, new))
    }

    /// Notes that the proof of some encodings came back, and which were stored right. Returns what waited.
    pub(super) fn came_back(&mut self, encodings: u64, proven: u64) -> Vec<Ready> {
        if encodings == 0 {
            return Vec::new();
        }
        self.in_flight &= !encodings;
        self.proven |= proven;
        std::mem::take(&mut self.waiting)
    }
}
