//! The search in the files of an archive, and how much of them is read. It must not keep a file in memory.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::{self, Read};

use super::Search;
use super::source::{Bomb, Stream};

/// How much may come out of the archives in one file: so many bytes, and so many times its size.
pub(super) const EXPANSION: u64 = 256 << 20;
/// See [`EXPANSION`].
pub(super) const RATIO: u64 = 100;
/// How many layers of archives are opened: those of a compressed tar in another compressed tar.
pub(super) const LAYERS: u8 = 4;

/// Takes the files of an archive, one by one, and searches them.
pub(super) struct Look<'s, 'a> {
    pub(super) search: &'s mut Search<'a>,
    pub(super) shown: &'s str,
    pub(super) layers: u8,
    pub(super) budget: &'s Cell<u64>,
    pub(super) found: BTreeSet<usize>,
}

impl Look<'_, '_> {
    /// A file that is the next `size` bytes of `source`.
    pub(super) fn member(&mut self, name: &[u8], source: &mut Stream<'_>, size: u64) -> io::Result<()> {
        let mut whole = Read::take(source, size);
        self.stream(name, &mut whole)?;
        match whole.limit() {
            0 => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// A file of this name, or the only one.
    pub(super) fn stream(&mut self, name: &[u8], input: impl Read) -> io::Result<()> {
        let shown = self.path(name);
        let mut source = Stream::new(input, Some(self.budget), self.search.sought.finder());
        let found = self.search.stream(&mut source, &shown, self.layers, self.budget)?;
        self.found.extend(found);
        Ok(())
    }

    fn path(&self, name: &[u8]) -> String {
        match name {
            b"" => self.shown.to_owned(),
            name => format!("{}: {}", self.shown, self.search.shown(name)),
        }
    }

    pub(super) fn pass_over(&mut self, name: &[u8], why: &str) {
        let line = format!("{} ({why})", self.path(name));
        self.search.report.passed.add(line);
    }

    pub(super) fn closed(&mut self, why: &str) {
        self.pass_over(b"", why);
    }
}

/// Whether our own limit ended a stream; decoders wrap this error.
pub(super) fn is_bomb(error: &io::Error) -> bool {
    let mut source = error.get_ref().map(|inner| inner as &(dyn std::error::Error + 'static));
    while let Some(inner) = source {
        if inner.is::<Bomb>() {
            return true;
        }
        source = match inner.downcast_ref::<io::Error>() {
            Some(error) => error.get_ref().map(|inner| inner as _),
            None => inner.source(),
        };
    }
    false
}

pub(super) fn damaged(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
