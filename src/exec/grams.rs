//! Finds where a secret may begin, in bulk: which four bytes may stand beside each other in the first eight of a form.
//! A look at every fifth place will do, because eight bytes have five such places in them.

use super::forms::SHORTEST;

const GRAM: usize = 4;
/// Places of a gram in a head.
const PLACES: usize = SHORTEST - GRAM + 1;

/// A set of grams, as bits: it may say yes to one that is not in it.
pub(super) struct Grams(Vec<u64>);

impl Grams {
    /// So much is taken in any case where it helps, in bits: 64 KiB.
    const CHEAP: usize = 1 << 19;

    /// With room for so many grams.
    pub(super) fn new(count: usize) -> Self {
        let bits = (count * 64).min(Self::CHEAP).max(count * 8).max(1 << 15);
        Self(vec![0; bits.div_ceil(64)])
    }

    /// How much memory `new` takes.
    pub(super) fn size(count: usize) -> usize {
        (count * 64).min(Self::CHEAP).max(count * 8).max(1 << 15) / 8
    }

    pub(super) fn memory(&self) -> usize {
        size_of::<u64>() * self.0.capacity()
    }

    pub(super) fn add(&mut self, head: &[u8; SHORTEST]) {
        for gram in head.windows(GRAM).filter_map(<[u8]>::first_chunk) {
            let (word, bit) = self.place(*gram);
            if let Some(word) = self.0.get_mut(word) {
                *word |= bit;
            }
        }
    }

    pub(super) fn has(&self, gram: [u8; GRAM]) -> bool {
        let (word, bit) = self.place(gram);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Whether a head may be this.
    pub(super) fn begins(&self, head: &[u8]) -> bool {
        head.windows(GRAM).filter_map(<[u8]>::first_chunk).all(|gram| self.has(*gram))
    }

    /// Where a gram's bit is. Its hash is taken as a part of all bits.
    fn place(&self, gram: [u8; GRAM]) -> (usize, u64) {
        let hash = u32::from_le_bytes(gram).wrapping_mul(0x9E37_79B1);
        let bit = (u64::from(hash) * (self.0.len() as u64 * 64)) >> 32;
        ((bit / 64) as usize, 1 << (bit % 64))
    }

    /// The first of these places where a head may begin; `to` if there is none.
    pub(super) fn find(&self, text: &[u8], from: usize, to: usize) -> usize {
        let mut at = from + PLACES - 1;
        while at < to + PLACES - 1 {
            let Some(gram) = text.get(at..).and_then(<[u8]>::first_chunk) else { return to };
            if self.has(*gram) {
                // A head has as many in a row as it has places.
                let has = |at: usize| {
                    text.get(at..).and_then(<[u8]>::first_chunk).is_some_and(|gram| self.has(*gram))
                };
                let (mut start, mut last) = (at, at);
                while start + PLACES > at + 1 && has(start - 1) {
                    start -= 1;
                }
                while last < start + PLACES - 1 && has(last + 1) {
                    last += 1;
                }
                if last == start + PLACES - 1 && start < to {
                    return start;
                }
            }
            at += PLACES;
        }
        to
    }
}
