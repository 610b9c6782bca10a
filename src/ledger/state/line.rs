//! Sorts the lines of a state file: those that this process may use, those of others, and damaged ones. It must not use
//! a line of another job.

use std::io;
use std::time::Duration;

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::Record;
use super::record::VERSION;
use super::seal::{Seal, Sealed};

/// How long a line of another job is kept: its tokens have ended by then, or will without us.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// The lines of a file.
#[derive(Debug, Default)]
pub struct Content {
    /// Whether there is no file.
    pub missing: bool,
    /// Those that this process may use, oldest first.
    pub records: Vec<Record>,
    /// How many are another job's, and not old yet.
    pub others: usize,
    /// How many are of other jobs and are to be dropped.
    pub old: usize,
    /// How many are not ci-creds'.
    pub damaged: usize,
    /// The number of the first of those.
    pub first_damaged: Option<usize>,
}

/// What a line is.
#[derive(Debug)]
pub(crate) enum Line {
    /// One that may be used.
    Usable(Box<Record>),
    /// Another job's, written at this time.
    Foreign(Timestamp),
    /// Damaged, or not written by ci-creds.
    Damaged,
}

impl Line {
    /// Reads one. In a job, which has a seal, only what was sealed with it may be used; elsewhere only what is plain.
    pub(crate) fn read(line: &[u8], seal: Option<&Seal>) -> Self {
        let plain = |text: &[u8]| {
            serde_json::from_slice::<Record>(text).ok().filter(|record| record.version() == VERSION)
        };
        let foreign = |written: &str| written.parse().map_or(Self::Damaged, Self::Foreign);
        let Ok(sealed) = serde_json::from_slice::<Sealed>(line) else {
            return match (plain(line), seal) {
                (None, _) => Self::Damaged,
                (Some(record), None) => Self::Usable(Box::new(record)),
                (Some(record), Some(_)) => foreign(record.written()),
            };
        };
        if sealed.version != VERSION {
            return Self::Damaged;
        }
        match seal.and_then(|seal| seal.open(&sealed)) {
            None => foreign(&sealed.written),
            Some(text) => {
                plain(&text).map_or(Self::Damaged, |record| Self::Usable(Box::new(record.sealed())))
            }
        }
    }
}

impl Content {
    /// The lines of `text`.
    pub fn of(text: &[u8], seal: Option<&Seal>, now: Timestamp) -> Self {
        let mut content = Self::default();
        for (number, line) in lines(text) {
            match Line::read(line, seal) {
                Line::Usable(record) => content.records.push(*record),
                Line::Foreign(written) if is_old(written, now) => content.old += 1,
                Line::Foreign(_) => content.others += 1,
                Line::Damaged => {
                    content.damaged += 1;
                    content.first_damaged.get_or_insert(number);
                }
            }
        }
        content
    }
}

/// Whether another job's line is to be dropped. Its time is not authenticated: one with a time in the future is not
/// kept either.
pub(super) fn is_old(written: Timestamp, now: Timestamp) -> bool {
    now.duration_since(written).unsigned_abs() > KEPT
}

/// A record as it is written down.
pub(super) fn of(record: &Record, seal: Option<&Seal>) -> io::Result<Zeroizing<Vec<u8>>> {
    let plain = Zeroizing::new(serde_json::to_vec(record)?);
    let Some(seal) = seal else { return Ok(plain) };
    let sealed = seal.close(VERSION, record.written().to_owned(), &plain).map_err(io::Error::other)?;
    Ok(Zeroizing::new(serde_json::to_vec(&sealed)?))
}

/// The lines that are not blank, numbered from 1.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let lines = text.split(|byte| *byte == b'\n').enumerate();
    lines.filter(|(_, line)| !line.trim_ascii().is_empty()).map(|(index, line)| (index + 1, line))
}
