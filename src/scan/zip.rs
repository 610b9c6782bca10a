//! zip, as it streams: by the headers in front of the files, not by the directory at the end, so that one inside
//! another archive can be looked into as well, in constant memory whatever the number of files. PKWARE's APPNOTE 4.3.
//!
//! Runners write artifacts and, unless told otherwise, caches as zip: files are deflated or stored, and their sizes may
//! come behind them (gitlab-runner `commands/helpers/archive`).

use std::io::{self, Read};

use flate2::bufread::DeflateDecoder;

use super::archive::{Look, damaged};
use super::source::Stream;

pub(super) const LOCAL: &[u8] = b"PK\x03\x04";
const DESCRIPTOR: &[u8] = b"PK\x07\x08";
/// What begins the directory, or the end where there is none: (zip64) end of it, archive extra data.
const AFTER: [&[u8]; 4] = [b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x08"];
/// An empty archive has no file, and nothing to be looked into.
const HEADER: usize = 30;
/// A descriptor with zip64's sizes.
const LONGEST_DESCRIPTOR: usize = 24;

const ENCRYPTED: u16 = 1;
const SIZES_BEHIND: u16 = 1 << 3;

/// A file's header.
struct Header {
    flags: u16,
    method: u16,
    /// The size of the compressed file.
    size: u64,
    name: Vec<u8>,
}

fn two(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |two| u16::from_le_bytes(*two))
}

fn four(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |four| u64::from(u32::from_le_bytes(*four)))
}

impl Header {
    fn read(source: &mut Stream<'_>) -> io::Result<Self> {
        let mut fixed = [0; HEADER];
        source.read_exact(&mut fixed)?;
        let mut name = vec![0; usize::from(two(&fixed, 26))];
        source.read_exact(&mut name)?;
        let mut extra = vec![0; usize::from(two(&fixed, 28))];
        source.read_exact(&mut extra)?;
        let size = match four(&fixed, 18) {
            0xffff_ffff => zip64(&extra).unwrap_or(0xffff_ffff),
            size => size,
        };
        Ok(Self { flags: two(&fixed, 6), method: two(&fixed, 8), size, name })
    }

    fn has_size(&self) -> bool {
        self.flags & SIZES_BEHIND == 0 || self.size != 0
    }
}

/// The compressed size in the extra field of zip64: behind the other one.
fn zip64(mut extra: &[u8]) -> Option<u64> {
    while extra.len() >= 4 {
        let (kind, length) = (two(extra, 0), usize::from(two(extra, 2)));
        if kind == 1 {
            return Some(u64::from_le_bytes(*extra.get(12..)?.first_chunk()?));
        }
        extra = extra.get(4 + length..)?;
    }
    None
}

/// Shows every file in it to `look`.
pub(super) fn each(source: &mut Stream<'_>, look: &mut Look<'_, '_>) -> io::Result<()> {
    loop {
        let there = source.peek(4)?;
        match there.first_chunk::<4>() {
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
            Some(mark) if mark == LOCAL => file(source, look)?,
            Some(mark) if AFTER.contains(&mark.as_slice()) => return Ok(()),
            // A descriptor, or what is no part of it.
            Some(_) => {
                let rest = there.get(1..).unwrap_or_default();
                let gap = 1 + memchr::memchr(b'P', rest).unwrap_or(rest.len());
                source.skip(gap as u64)?;
            }
        }
    }
}

fn file(source: &mut Stream<'_>, look: &mut Look<'_, '_>) -> io::Result<()> {
    let header = Header::read(source)?;
    let encrypted = header.flags & ENCRYPTED != 0;
    match header.method {
        0 if !encrypted && header.has_size() => return look.member(&header.name, source, header.size),
        0 if !encrypted => return look.stream(&header.name, Stored { source, count: 0, ended: false }),
        8 if !encrypted && header.has_size() => {
            let mut whole = io::Read::take(&mut *source, header.size);
            look.stream(&header.name, DeflateDecoder::new(&mut whole))?;
            let left = whole.limit();
            return source.skip(left);
        }
        8 if !encrypted => return look.stream(&header.name, DeflateDecoder::new(source)),
        _ => {}
    }
    look.pass_over(
        &header.name,
        if encrypted { "encrypted" } else { "compressed in a way that is not known" },
    );
    if header.has_size() { source.skip(header.size) } else { Ok(()) }
}

/// A stored file whose size comes behind it: it ends where a descriptor with the right size is.
struct Stored<'a, 'b> {
    source: &'a mut Stream<'b>,
    count: u64,
    ended: bool,
}

impl Read for Stored<'_, '_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.ended {
            return Ok(0);
        }
        let there = self.source.peek(LONGEST_DESCRIPTOR)?;
        if there.len() < 16 {
            return Err(damaged("a file in it has no end"));
        }
        // What may be a descriptor that is not all here yet waits for the next time.
        let mut sure = there.len().saturating_sub(LONGEST_DESCRIPTOR).max(1);
        for at in memchr::memmem::find_iter(there, DESCRIPTOR) {
            let size = self.count + at as u64;
            let is_end = four(there, at + 8) == size & 0xffff_ffff;
            if at <= sure && is_end {
                self.ended = true;
                sure = at;
                break;
            }
        }
        let count = there.get(..sure).unwrap_or_default().read(to)?;
        self.ended &= count == sure;
        self.source.skip(count as u64)?;
        self.count += count as u64;
        Ok(count)
    }
}
