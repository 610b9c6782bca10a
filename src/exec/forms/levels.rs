//! In how many ways secrets are looked for: in fewer, where all of them would take more memory than the mask has. A
//! whole secret is dearer than its lines, and what is common is dearer than what is seldom met.

use std::ops::Range;

use super::LONG;
use super::written::{AS_IS, BASIC, COUNT};

/// In how many ways.
pub(in crate::exec) struct Level {
    /// For whole secrets.
    pub(super) whole: Range<u8>,
    /// For single lines of a secret of up to [`LONG`] bytes.
    lines: Range<u8>,
    /// For single lines of a longer one.
    lines_of_long: Range<u8>,
    /// Whether the base64 of single lines is looked for up to both ends, in a secret of up to [`LONG`] bytes.
    has_line_ends: bool,
}

/// From the most to the least.
pub(in crate::exec) const LEVELS: [Level; 3] = [
    Level { whole: 0..COUNT, lines: 0..COUNT, lines_of_long: BASIC, has_line_ends: true },
    Level { whole: 0..COUNT, lines: BASIC, lines_of_long: BASIC, has_line_ends: false },
    Level { whole: BASIC, lines: AS_IS..AS_IS + 1, lines_of_long: AS_IS..AS_IS + 1, has_line_ends: false },
];

impl Level {
    /// For single lines of a secret of this length.
    pub(super) fn lines(&self, length: usize) -> Range<u8> {
        if length > LONG { self.lines_of_long.clone() } else { self.lines.clone() }
    }

    /// Whether the base64 of single lines of such a secret is looked for up to both ends.
    pub(in crate::exec) fn has_line_ends(&self, length: usize) -> bool {
        self.has_line_ends && length <= LONG
    }
}
