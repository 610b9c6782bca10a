//! What is searched, as a stream. No byte may be read without being searched, whoever reads it and for what.

use std::cell::Cell;
use std::io::{self, BufRead, Read};

use crate::exec::find::{Find, Finder};

/// How much is read at a time.
const BUFFER: usize = 128 << 10;

/// An archive expands to more than the limit.
#[derive(Debug, thiserror::Error)]
#[error("it expands to more than {} MiB and {} times its size", super::EXPANSION >> 20, super::RATIO)]
pub(super) struct Bomb;

/// A stream.
pub(super) struct Stream<'a> {
    input: Box<dyn Read + 'a>,
    /// How much may still come out of the archives in the file, if this comes out of one.
    budget: Option<&'a Cell<u64>>,
    finder: Finder,
    /// What was found in it.
    pub(super) finds: Vec<Find>,
    /// Whether a NUL is in its first part, as in no text.
    pub(super) binary: bool,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    seen_end: bool,
    is_first: bool,
}

impl<'a> Stream<'a> {
    pub(super) fn new(input: impl Read + 'a, budget: Option<&'a Cell<u64>>, finder: Finder) -> Self {
        Self {
            input: Box::new(input),
            budget,
            finder,
            finds: Vec::new(),
            binary: false,
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            seen_end: false,
            is_first: true,
        }
    }

    /// The next `count` bytes, without taking them; fewer only at the end. `count` is small.
    pub(super) fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        while self.end - self.start < count && !self.seen_end {
            self.read_more()?;
        }
        Ok(self.rest())
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Reads more bytes, and searches them.
    fn read_more(&mut self) -> io::Result<()> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let Some(room) = self.buffer.get_mut(self.end..) else { return Ok(()) };
        let count = loop {
            match self.input.read(room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        let Some(new) = room.get(..count) else { return Ok(()) };
        self.seen_end = count == 0;
        if std::mem::take(&mut self.is_first) {
            self.binary = memchr::memchr(0, new).is_some();
        }
        let finds = &mut self.finds;
        self.finder.push(new, |find| finds.push(find));
        self.end += count;
        if let Some(budget) = self.budget {
            let left = budget.get().checked_sub(count as u64).ok_or_else(|| io::Error::other(Bomb))?;
            budget.set(left);
        }
        Ok(())
    }

    /// Reads, and so searches, all that is left.
    pub(super) fn drain(&mut self) -> io::Result<()> {
        while !self.seen_end {
            self.start = self.end;
            self.read_more()?;
        }
        self.start = self.end;
        Ok(())
    }

    /// The search ends here: what was read last may be a secret.
    pub(super) fn finish(&mut self) {
        let finds = &mut self.finds;
        self.finder.finish(|find| finds.push(find));
    }

    /// Takes `count` bytes; an error where there are fewer.
    pub(super) fn skip(&mut self, count: u64) -> io::Result<()> {
        let mut left = count;
        while left > 0 {
            let there = self.fill_buf()?.len() as u64;
            if there == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let taken = there.min(left);
            self.consume(usize::try_from(taken).unwrap_or(usize::MAX));
            left -= taken;
        }
        Ok(())
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(to)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Stream<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.peek(1)
    }

    fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }
}
