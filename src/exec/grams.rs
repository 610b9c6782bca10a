//! Finds where a secret may begin, in bulk: which four bytes may stand beside each other in the first eight of a form,
//! and which eight these are. A look at every fifth place will do, because eight bytes have five places for four in them.

use super::forms::SHORTEST;

const GRAM: usize = 4;
/// Places of a gram in a head.
const PLACES: usize = SHORTEST - GRAM + 1;

/// What begins with a head.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A form.
    Written,
    /// Two groups of base64.
    Encoded,
}

/// A set of heads and their grams, as bits: it may say yes to one that is not in it.
pub(super) struct Grams(Vec<u64>);

// What is called for each byte of a text is inlined: in code that is built for size, the calls take most of the time.
impl Grams {
    /// So much is taken in any case where it helps, in bits: 64 KiB.
    const CHEAP: usize = 1 << 19;

    /// With room for so many grams and heads.
    pub(super) fn new(count: usize) -> Self {
        Self(vec![0; Self::size(count).div_ceil(8)])
    }

    /// How much memory `new` takes.
    pub(super) fn size(count: usize) -> usize {
        (count * 64).min(Self::CHEAP).max(count * 8).max(1 << 15) / 8
    }

    pub(super) fn memory(&self) -> usize {
        size_of::<u64>() * self.0.capacity()
    }

    pub(super) fn add(&mut self, kind: Kind, head: &[u8; SHORTEST]) {
        let grams = head.windows(GRAM).filter_map(<[u8]>::first_chunk).map(|gram| hash(*gram));
        for hash in grams.chain([hash_of_head(kind, head)]) {
            let (word, bit) = self.place(hash);
            if let Some(word) = self.0.get_mut(word) {
                *word |= bit;
            }
        }
    }

    #[inline(always)]
    pub(super) fn has(&self, gram: [u8; GRAM]) -> bool {
        self.has_hash(hash(gram))
    }

    /// Whether this is a head.
    #[inline(always)]
    pub(super) fn has_head(&self, kind: Kind, head: &[u8; SHORTEST]) -> bool {
        self.has_hash(hash_of_head(kind, head))
    }

    #[inline(always)]
    fn has_hash(&self, hash: u32) -> bool {
        let (word, bit) = self.place(hash);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Where the bit of a hash is: it is taken as a part of all bits.
    #[inline(always)]
    fn place(&self, hash: u32) -> (usize, u64) {
        let bit = (u64::from(hash) * (self.0.len() as u64 * 64)) >> 32;
        ((bit / 64) as usize, 1 << (bit % 64))
    }

    /// The first of these places where a head of one of these kinds may begin; `to` if there is none.
    pub(super) fn find(&self, kinds: &[Kind], text: &[u8], from: usize, to: usize) -> usize {
        let end = text.len().min(to + SHORTEST);
        let mut rest = text.get(from + PLACES - 1..end).unwrap_or_default();
        while let Some((&[a, b, c, d, _], behind)) = rest.split_first_chunk::<PLACES>() {
            if self.has([a, b, c, d])
                && let Some(start) = self.start(kinds, text, end - rest.len()).filter(|start| *start < to)
            {
                return start;
            }
            rest = behind;
        }
        to
    }

    /// The first place where a head may begin that has the gram at `at`.
    #[inline(never)]
    fn start(&self, kinds: &[Kind], text: &[u8], at: usize) -> Option<usize> {
        let has =
            |at: usize| text.get(at..).and_then(<[u8]>::first_chunk).is_some_and(|gram| self.has(*gram));
        let (mut start, mut last) = (at, at);
        while start + PLACES > at + 1 && has(start - 1) {
            start -= 1;
        }
        while start <= at {
            // A head has as many in a row as it has places.
            while last < start + PLACES - 1 {
                last += 1;
                if !has(last) {
                    return None;
                }
            }
            let head = text.get(start..)?.first_chunk()?;
            if kinds.iter().any(|kind| self.has_head(*kind, head)) {
                return Some(start);
            }
            start += 1;
        }
        None
    }
}

#[inline(always)]
fn hash(gram: [u8; GRAM]) -> u32 {
    u32::from_le_bytes(gram).wrapping_mul(0x9E37_79B1)
}

#[inline(always)]
fn hash_of_head(kind: Kind, head: &[u8; SHORTEST]) -> u32 {
    let factor = match kind {
        Kind::Written => 0x9E37_79B9_7F4A_7C15,
        Kind::Encoded => 0xC2B2_AE3D_27D4_EB4F,
    };
    (u64::from_le_bytes(*head).wrapping_mul(factor) >> 32) as u32
}
