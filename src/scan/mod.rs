//! Looks for the values that a job was given in what the job leaves behind: files and folders, and what is in gzip, tar
//! and zip. Only whole values count, in any form that the mask knows, so that a find is never a guess.
//!
//! What is searched is not trusted. No link inside a folder is followed, and only regular files are opened (a FIFO
//! would be waited for); archives are read as they stream, in memory that does not depend on them, up to a limit on
//! what comes out of them; names are shown without control characters, and with secrets masked.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use rustix::fs::OFlags;

use crate::exec::find::{Find, Sought};
use crate::exec::mask::Filter;
use crate::input::{Seems, seems};
use crate::secret::Secret;
use crate::text::Text;
use archive::{EXPANSION, LAYERS, Look, RATIO, is_bomb};
use source::Stream;

mod archive;
mod error;
mod report;
mod source;
mod tar;
mod zip;

pub(crate) use crate::exec::find::is_too_short;
pub use error::Error;
pub use report::Lines;
pub(crate) use report::Report;

/// What else a file may begin with that hides its content. Runners can be told to make caches with zstd.
const CLOSED: [(&[u8], &str); 5] = [
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh", "bzip2"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
];

/// A value, and the variables that have it.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    /// For messages.
    pub(crate) variables: String,
    /// The value.
    pub(crate) secret: Secret,
}

/// Looks for `values` in `paths`.
pub(crate) fn search(values: &[Value], paths: &[OsString]) -> Result<Report, Error> {
    let secrets: Vec<Secret> = values.iter().map(|value| value.secret.clone()).collect();
    let Some(sought) = Sought::new(&secrets)? else { return Err(Error::TooShort) };
    let mut search = Search { sought, values, report: Report::default() };
    for path in paths {
        search.start(Path::new(path));
    }
    Ok(search.report)
}

struct Search<'a> {
    sought: Sought,
    values: &'a [Value],
    report: Report,
}

impl Search<'_> {
    /// A path that the user named: a link is followed, as `grep -r` does.
    fn start(&mut self, path: &Path) {
        match std::fs::metadata(path) {
            Ok(there) if there.is_dir() => self.folder(path),
            Ok(there) if there.is_file() => self.file(path, true),
            Ok(_) => self.fault(path, "it is neither a file nor a folder"),
            Err(error) => self.fault(path, &error.to_string()),
        }
    }

    fn folder(&mut self, path: &Path) {
        let mut folders = vec![path.to_owned()];
        while let Some(folder) = folders.pop() {
            let entries = match std::fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) => {
                    self.fault(&folder, &error.to_string());
                    continue;
                }
            };
            for entry in entries {
                let entry = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)));
                match entry {
                    Ok((path, kind)) if kind.is_dir() => {
                        self.name(path.as_os_str().as_bytes());
                        folders.push(path);
                    }
                    Ok((path, kind)) if kind.is_file() => self.file(&path, false),
                    // An archive has the link itself: where it points.
                    Ok((path, kind)) if kind.is_symlink() => {
                        self.name(path.as_os_str().as_bytes());
                        let target = std::fs::read_link(&path).unwrap_or_default();
                        self.name(target.as_os_str().as_bytes());
                    }
                    // Devices, sockets and FIFOs are in no archive.
                    Ok(_) => {}
                    Err(error) => self.fault(&folder, &error.to_string()),
                }
            }
        }
    }

    fn file(&mut self, path: &Path, follow: bool) {
        self.name(path.as_os_str().as_bytes());
        match open(path, follow) {
            Ok(Some((file, size))) => self.content(file, size, &self.shown(path.as_os_str().as_bytes())),
            // It was a regular file a moment ago.
            Ok(None) => {}
            Err(error) => self.fault(path, &error.to_string()),
        }
    }

    fn content(&mut self, file: File, size: u64, shown: &str) {
        self.report.files += 1;
        let budget = Cell::new(EXPANSION.saturating_add(RATIO.saturating_mul(size)));
        let mut source = Stream::new(file, None, self.sought.finder());
        if let Err(error) = self.stream(&mut source, shown, LAYERS, &budget) {
            self.report.faults.add(format!("{shown}: {}", said(&error)));
        }
    }

    /// Searches a stream to its end, and what is in it if it is an archive. Returns whose values were found. An error
    /// is one that ends the whole file.
    fn stream(
        &mut self,
        source: &mut Stream<'_>,
        shown: &str,
        layers: u8,
        budget: &Cell<u64>,
    ) -> io::Result<BTreeSet<usize>> {
        let head = source.peek(512);
        let kind = head.as_ref().map_or(Kind::Plain, |head| Kind::of(head));
        let outcome = head.map(drop);
        let layers_inside = layers.saturating_sub(1);
        let mut look = Look { search: self, shown, layers: layers_inside, budget, found: BTreeSet::new() };
        let outcome = outcome.and_then(|()| match kind {
            Kind::Plain => Ok(()),
            Kind::Closed(name) => {
                look.closed(name);
                Ok(())
            }
            _ if layers == 0 => {
                look.closed("nested too deep");
                Ok(())
            }
            Kind::Gzip => look.stream(b"", MultiGzDecoder::new(&mut *source)),
            Kind::Tar => tar::each(source, &mut look),
            Kind::Zip => zip::each(source, &mut look),
        });
        let mut found = look.found;
        // What is left of the stream, behind an archive as well, is searched as plain bytes.
        let rest = match &outcome {
            Err(error) if is_bomb(error) => Ok(()),
            _ => source.drain(),
        };
        source.finish();
        for find in std::mem::take(&mut source.finds) {
            if found.insert(find.secret) {
                self.found(find, shown, source.binary);
            }
        }
        match outcome.and(rest) {
            Err(error) if !is_bomb(&error) => {
                self.report.faults.add(format!("{shown}: {}", said(&error)));
                Ok(found)
            }
            outcome => outcome.map(|()| found),
        }
    }

    fn found(&mut self, find: Find, shown: &str, binary: bool) {
        let place = if binary { format!("offset {}", find.offset) } else { format!("line {}", find.line) };
        self.tell(find.secret, &format!("{shown}, {place}"));
    }

    /// A name may have a value in it as well.
    fn name(&mut self, name: &[u8]) {
        let mut finds = Vec::new();
        let mut finder = self.sought.finder();
        finder.push(name, |find| finds.push(find));
        finder.finish(|find| finds.push(find));
        for find in finds {
            self.tell(find.secret, &format!("the name {}", self.shown(name)));
        }
    }

    fn tell(&mut self, secret: usize, place: &str) {
        let variables = self.values.get(secret).map_or("", |value| &value.variables);
        self.report.finds.add(format!("{place}: {variables}"));
    }

    /// A path that can't be searched may be a token that was pasted in its place.
    fn fault(&mut self, path: &Path, why: &str) {
        let content = seems(&path.to_string_lossy()).filter(|seems| *seems != Seems::Long);
        let shown = match content {
            Some(seems) => format!("({seems}; not shown)"),
            None => self.shown(path.as_os_str().as_bytes()),
        };
        self.report.faults.add(format!("{shown}: {why}"));
    }

    /// A name that somebody chose, for people.
    fn shown(&self, name: &[u8]) -> String {
        let mut out = Vec::new();
        let mut filter = Filter::new(self.sought.patterns());
        filter.push(name, &mut out);
        filter.finish(&mut out);
        Text::new(&String::from_utf8_lossy(&out)).into()
    }
}

/// What a file is, by how it begins.
enum Kind {
    Plain,
    Gzip,
    Tar,
    Zip,
    Closed(&'static str),
}

impl Kind {
    fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, 8, ..] => Self::Gzip,
            _ if head.starts_with(zip::LOCAL) => Self::Zip,
            _ if tar::begins(head) => Self::Tar,
            _ => {
                let closed = CLOSED.iter().find(|(mark, _)| head.starts_with(mark));
                closed.map_or(Self::Plain, |(_, name)| Self::Closed(name))
            }
        }
    }
}

/// A regular file, and its size.
fn open(path: &Path, follow: bool) -> io::Result<Option<(File, u64)>> {
    let mut flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    if !follow {
        flags |= OFlags::NOFOLLOW;
    }
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    let there = file.metadata()?;
    Ok(there.is_file().then_some((file, there.len())))
}

fn said(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "it ends in the middle".to_owned(),
        _ => error.to_string(),
    }
}
