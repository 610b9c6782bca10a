//! A profile that was put into a file, as the state file has it, and how it is taken out. It must not take out lines
//! that are no longer those that were written.

use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::lines::{Fault, Lines, indent};
use super::{Error, FORMS, Form, MARK, Profile, file, hash, sum, written_by};
use crate::private_file::{self, whole};
use crate::shutdown::Shutdown;

/// A profile that was put into a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    path: PathBuf,
    /// The name of the kind of file.
    format: String,
    profile: String,
    /// How many bytes the profile has, without its last line end.
    size: usize,
    /// SHA-256 of them, in hexadecimal.
    digest: String,
    /// The check over its values, in the comment among its lines.
    check: String,
    /// Whether there was no file before.
    creates: bool,
    /// The new file, which takes the place of the old one when it is whole.
    made: PathBuf,
    device: u64,
    inode: u64,
}

/// What became of a profile, or of a file, that had to be taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was taken away, now or before.
    Gone,
    /// It is not what was written: it stays.
    Another,
}

/// What a text says about a profile.
enum Look {
    /// It is there, as it was written: the text without it.
    There(Zeroizing<String>),
    /// It is not there, or a later run has replaced it.
    Gone,
    /// It is there, and is another.
    Another,
    /// A line of this text can't be read.
    Unread(Fault),
}

impl Part {
    pub(super) fn new(
        path: &Path,
        profile: &Profile,
        part: &str,
        creates: bool,
        fresh: &NamedTempFile,
    ) -> io::Result<Self> {
        let there = fresh.as_file().metadata()?;
        Ok(Self {
            // `revoke` may run in another folder.
            path: whole(path),
            format: profile.form.name.to_owned(),
            profile: profile.name.clone(),
            size: part.len(),
            digest: hash(part),
            check: sum(profile.values.lines()),
            creates,
            made: whole(fresh.path()),
            device: there.dev(),
            inode: there.ino(),
        })
    }

    /// What it is, for messages.
    pub(crate) fn shown(&self) -> String {
        format!("profile {} in {}", crate::text::one_line(&self.profile), crate::input::path(&self.path))
    }

    /// Whether it is there, and still what was written.
    pub(crate) fn is_there(&self) -> bool {
        let text = file::text(&self.path).ok().flatten();
        text.is_some_and(|text| matches!(self.look(&text), Look::There(_)))
    }

    /// Takes it out.
    pub(crate) async fn take_out(&self, shutdown: &Shutdown) -> Result<Fate, Error> {
        self.remove_made();
        private_file::sweep(private_file::folder(&self.path));
        let seen = std::cell::Cell::new(Ok(Fate::Gone));
        let look = |text: &str| match self.look(text) {
            Look::There(rest) => Some(rest),
            Look::Gone => None,
            Look::Another => {
                seen.set(Ok(Fate::Another));
                None
            }
            Look::Unread(fault) => {
                seen.set(Err(fault));
                None
            }
        };
        match file::change(&self.path, self.creates, shutdown, look).await {
            Err(Error::Unsafe { .. }) if self.is_anothers() => Ok(Fate::Another),
            outcome => outcome.and_then(|()| {
                let path = self.path.clone();
                seen.into_inner().map_err(|Fault { line, what }| Error::Content {
                    path,
                    line: line + 1,
                    what,
                })
            }),
        }
    }

    /// Whether what stands at its path can't be the file that it was written to.
    fn is_anothers(&self) -> bool {
        let there = self.path.symlink_metadata();
        there.is_ok_and(|there| !there.is_file() && !there.is_symlink() || !private_file::is_own(&there))
    }

    /// Deletes the new file, if the process died before it took its place.
    fn remove_made(&self) {
        let Ok(there) = self.made.symlink_metadata() else { return };
        let same = (there.dev(), there.ino()) == (self.device, self.inode);
        if same && there.is_file() && private_file::is_own(&there) && private_file::is_own_name(&self.made) {
            let _ = std::fs::remove_file(&self.made);
        }
    }

    #[cfg(test)]
    pub(super) fn without(&self, text: &str) -> Option<Zeroizing<String>> {
        match self.look(text) {
            Look::There(rest) => Some(rest),
            _ => None,
        }
    }

    #[cfg(test)]
    pub(super) fn is_gone(&self, text: &str) -> bool {
        matches!(self.look(text), Look::Gone)
    }

    /// Whether a later run has written these lines.
    fn is_replaced(&self, lines: &Lines<'_>, at: &Range<usize>) -> bool {
        written_by(lines, at).is_some_and(|(_, check)| check != self.check)
    }

    fn look(&self, text: &str) -> Look {
        let Some(form) = FORMS.into_iter().find(|form| form.name == self.format) else {
            return Look::Another;
        };
        let lines = match Lines::of(text) {
            Ok(lines) => lines,
            Err(fault) => return Look::Unread(fault),
        };
        let head = (form.head)(&self.profile);
        let begins =
            |line: &str| head.as_ref().map_or(line.starts_with(MARK), |head| line.trim_start() == head);
        let same =
            lines.places(begins, self.size).filter(|at| hash(&lines.joined(at.clone())) == self.digest);
        match same.collect::<Vec<_>>().as_slice() {
            [at] if ends(form, &lines, at.end, indent(lines.text(at.start))) => {
                Look::There(without_parent(form, lines.without(at.clone())))
            }
            [] => match (form.find)(&lines, &self.profile).map(|found| found.at) {
                Ok(at) if at.iter().all(|at| self.is_replaced(&lines, at)) => Look::Gone,
                _ => Look::Another,
            },
            _ => Look::Another,
        }
    }
}

/// Whether a profile whose head has this indentation ends before the line of this number.
fn ends(form: &Form, lines: &Lines<'_>, number: usize, indent: usize) -> bool {
    lines.next(number).is_none_or(|line| (form.ends)(line, indent))
}

/// Without the line for all profiles as well, if ci-creds added it and nothing is left under it.
fn without_parent(form: &Form, text: Zeroizing<String>) -> Zeroizing<String> {
    let Ok(lines) = Lines::of(&text) else { return text };
    let number = lines.all().find(|(_, line)| Some(*line) == form.parent).map(|(number, _)| number);
    match number {
        Some(number) if ends(form, &lines, number + 1, 0) => lines.without(number..number + 1),
        _ => text,
    }
}
