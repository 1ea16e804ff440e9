//! The bytes of an upload while they arrive.
//!
//! A filler repeats its first block, so of such a file no more than that block is kept: files of any size can be moved
//! between mock instances in bounded memory.

use bytes::Bytes;

use super::blob::BLOCK;

/// What has arrived so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Received {
    /// The first block while everything repeats it, else all bytes.
    kept: Vec<u8>,
    length: u64,
    is_other: bool,
}

impl Received {
    pub(crate) fn push(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() && !self.is_other {
            let at = usize::try_from(self.length % BLOCK as u64).unwrap_or_default();
            let (here, rest) = piece.split_at(piece.len().min(BLOCK - at));
            if self.length < BLOCK as u64 {
                self.kept.extend_from_slice(here);
            } else if self.kept[at..at + here.len()] != *here {
                self.unfold();
                break;
            }
            self.length += here.len() as u64;
            piece = rest;
        }
        if self.is_other {
            self.kept.extend_from_slice(piece);
            self.length += piece.len() as u64;
        }
    }

    /// It is no filler after all.
    fn unfold(&mut self) {
        self.is_other = true;
        let block = std::mem::take(&mut self.kept);
        let whole = usize::try_from(self.length).unwrap_or(usize::MAX);
        self.kept = block.iter().copied().cycle().take(whole).collect();
    }

    pub(crate) fn len(&self) -> u64 {
        self.length
    }

    /// Whether the file is `block` over and over, the last time perhaps not to its end.
    pub(super) fn repeats(&self, block: &[u8]) -> bool {
        !self.is_other && !self.kept.is_empty() && block.starts_with(&self.kept)
    }

    /// All bytes.
    pub(super) fn into_bytes(mut self) -> Bytes {
        if !self.is_other {
            self.unfold();
        }
        self.kept.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_the_same_however_they_arrive() {
        let block: Vec<u8> = (0..BLOCK)
            .map(|at| u8::try_from(at % 251).unwrap())
            .collect();
        let filler: Vec<u8> = block.iter().copied().cycle().take(3 * BLOCK + 17).collect();
        let mut other = filler.clone();
        other[2 * BLOCK + 5] ^= 1;
        for (bytes, is_filler) in [(filler, true), (other, false), (vec![7], false)] {
            for step in [1000, 5000, 100_000] {
                let mut received = Received::default();
                bytes.chunks(step).for_each(|piece| received.push(piece));
                assert_eq!(received.len(), bytes.len() as u64);
                assert_eq!(received.repeats(&block), is_filler);
                assert!(!is_filler || received.kept.len() == BLOCK);
                assert_eq!(received.into_bytes(), bytes);
            }
        }
    }
}
