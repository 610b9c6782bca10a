//! tar, as it streams: the entries one after the other, in constant memory whatever their names and sizes.
//! POSIX.1-2001 (ustar and pax) and GNU tar's long names; the crates for it read a long name whole, however long.

use std::io::{self, Read as _};

use super::archive::{Look, damaged};
use super::source::Stream;

const BLOCK: usize = 512;
/// The longest name: Linux has no longer paths.
const LONGEST_NAME: u64 = 4096;

/// Whether this is the first header of one: ustar's mark, and a right checksum.
pub(super) fn begins(head: &[u8]) -> bool {
    head.get(257..262) == Some(b"ustar") && head.first_chunk::<BLOCK>().is_some_and(is_sound)
}

fn is_sound(header: &[u8; BLOCK]) -> bool {
    // The field itself counts as blanks.
    let bytes = header.iter().enumerate();
    let sum: u64 =
        bytes.map(|(at, byte)| u64::from(if (148..156).contains(&at) { b' ' } else { *byte })).sum();
    number(&header[148..156]) == Some(sum)
}

/// An octal number; for what is larger than that, GNU tar's binary one.
fn number(field: &[u8]) -> Option<u64> {
    if let Some(0x80) = field.first() {
        let bytes = field.get(field.len().checked_sub(8)?..)?;
        return Some(u64::from_be_bytes(bytes.try_into().ok()?));
    }
    let text = std::str::from_utf8(field).ok()?;
    let text = text.trim_matches([' ', '\0']);
    if text.is_empty() { Some(0) } else { u64::from_str_radix(text, 8).ok() }
}

/// Shows every file in it to `look`.
pub(super) fn each(source: &mut Stream<'_>, look: &mut Look<'_, '_>) -> io::Result<()> {
    let mut long_name = None;
    loop {
        let mut header = [0; BLOCK];
        let there = source.peek(BLOCK)?;
        // Blocks of zeros mark the end; some writers leave them out.
        if there.is_empty() || there.iter().take(BLOCK).all(|byte| *byte == 0) {
            return Ok(());
        }
        source.read_exact(&mut header)?;
        if !is_sound(&header) {
            return Err(damaged("a header of it is damaged"));
        }
        let size = number(&header[124..136]).ok_or_else(|| damaged("a header of it is damaged"))?;
        let padding = size.next_multiple_of(BLOCK as u64) - size;
        match header[156] {
            b'L' => long_name = Some(beginning(source, size)?),
            b'x' => long_name = path_of_pax(&beginning(source, size)?).or(long_name),
            // Links, folders and devices have no content, whatever size they claim.
            b'1'..=b'6' => {
                long_name = None;
                continue;
            }
            b'g' | b'K' => source.skip(size)?,
            kind => {
                let mut extended = kind == b'S' && header[482] != 0;
                while extended {
                    let mut more = [0; BLOCK];
                    source.read_exact(&mut more)?;
                    extended = more[504] != 0;
                }
                let name = long_name.take().unwrap_or_else(|| name(&header));
                look.member(&name, source, size)?;
            }
        }
        source.skip(padding)?;
    }
}

fn name(header: &[u8; BLOCK]) -> Vec<u8> {
    let text = |field: &[u8]| field.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
    let (name, prefix) = (text(&header[..100]), text(&header[345..500]));
    if &header[257..263] == b"ustar\0" && !prefix.is_empty() { [prefix, name].join(&b'/') } else { name }
}

/// As much of an entry as can be a name; the rest is passed over.
fn beginning(source: &mut Stream<'_>, size: u64) -> io::Result<Vec<u8>> {
    let kept = size.min(LONGEST_NAME);
    let mut text = vec![0; usize::try_from(kept).unwrap_or_default()];
    source.read_exact(&mut text)?;
    source.skip(size - kept)?;
    while text.last() == Some(&0) {
        text.pop();
    }
    Ok(text)
}

/// `LENGTH path=VALUE\n`
fn path_of_pax(text: &[u8]) -> Option<Vec<u8>> {
    let lines = text.split(|byte| *byte == b'\n');
    lines
        .filter_map(|line| line.splitn(2, |byte| *byte == b' ').nth(1))
        .find_map(|line| line.strip_prefix(b"path=").map(<[u8]>::to_vec))
}
