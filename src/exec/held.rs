//! What is held back of a stream, because it may go on. It must not know what is looked for.

/// How much of a stream is put behind what is held, to be looked at together.
const JOINED: usize = 4096;

/// The end of a stream so far, as long as it is not decided.
#[derive(Default)]
pub(super) struct Held(Vec<u8>);

impl Held {
    /// Gives `decide` the next bytes of the stream behind what is held. It returns how many of them are decided.
    pub(super) fn push(&mut self, bytes: &[u8], mut decide: impl FnMut(&[u8]) -> usize) {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.0.is_empty() {
                let count = decide(rest);
                self.0.extend_from_slice(&rest[count..]);
                return;
            }
            let (joined, behind) = rest.split_at(rest.len().min(JOINED));
            self.0.extend_from_slice(joined);
            self.again(&mut decide);
            rest = behind;
        }
    }

    /// Gives `decide` what is held.
    pub(super) fn again(&mut self, decide: impl FnOnce(&[u8]) -> usize) {
        let count = decide(&self.0);
        self.0.drain(..count);
    }
}
