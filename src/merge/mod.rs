//! Files of profiles that others write too, such as `~/.aws/credentials`: one profile is put in, and taken out again.
//! It must not change any other byte, and not a file that it does not understand.
//!
//! # No library
//!
//! The edit is one of whole lines, and the work is to know where they may go. For INI, `ini-roundtrip` keeps the
//! format, but its dialect is not that of botocore and the other SDKs: it takes what they refuse, and the reverse. For
//! YAML, `yaml-edit` keeps it too; it lists CRLF among its known failures, and with its syntax tree it is larger than
//! the whole of what the program may still grow by. A [`Form`] reads the few kinds of lines that such files are made
//! of, and a line of any other kind is refused by its number.
//!
//! # How a profile is known again
//!
//! The lines of a profile have a comment among them: who wrote it, until when it is good, and a check over the values.
//! A profile with such a comment whose values fit the check is ci-creds' own, and a later run may replace it. What
//! takes it out goes by the digest of all its lines, which the state file has ([`Part`]).
//!
//! Where the last line had no line end, the profile gets one before it and none behind it. So it can be taken out
//! without a trace, whatever was put behind it in the meantime.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::text;

mod error;
mod file;
mod ini;
mod lines;
mod part;
mod target;
mod yaml;

pub use error::Error;
pub(crate) use ini::AWS;
pub(crate) use part::{Fate, Part};
pub(crate) use target::{Target, check};

pub(crate) use yaml::SCW;

use lines::{Fault, Lines};

/// How a comment of ci-creds begins.
const MARK: &str = "# ci-creds: ";

/// A kind of file.
#[derive(Debug)]
pub struct Form {
    /// The name of the format.
    pub name: &'static str,
    /// Finds a profile, and the place for it.
    find: fn(&Lines<'_>, profile: &str) -> Result<Found, Fault>,
    /// The line before a profile's values; none where they stand at the top level.
    head: fn(profile: &str) -> Option<String>,
    /// The line that profiles stand under, where ci-creds had to add it.
    parent: Option<&'static str>,
    /// Whether this line, with this indentation, ends a profile whose head has that one.
    ends: fn(line: &str, indent: usize) -> bool,
}

/// Every form.
pub static FORMS: [&Form; 2] = [&AWS, &SCW];

/// What a file says about a profile.
#[derive(Debug, Default)]
struct Found {
    /// The lines of the profile: the first, and the one behind the last. Empty where it is not there.
    at: Vec<std::ops::Range<usize>>,
    /// The line before which the profile goes.
    place: usize,
    /// How far its head is indented there, and its values.
    indents: (usize, usize),
    /// Whether the parent's line has to be added.
    needs_parent: bool,
}

/// Who writes a profile, for the comment among its lines.
#[derive(Debug, Clone, Default)]
pub(crate) struct Owner {
    /// The job.
    pub job: Option<String>,
    /// When the credentials end.
    pub until: Option<Timestamp>,
}

impl Owner {
    /// The job, as far as it fits into a comment: a variable of the pipeline has it, and may have lines.
    fn job(&self) -> Option<String> {
        let fits = |char: &char| char.is_ascii_alphanumeric() || "-_.".contains(*char);
        let job: Option<String> = self.job.as_ref().map(|job| job.chars().filter(fits).take(64).collect());
        job.filter(|job| !job.is_empty())
    }
}

/// What is to be put into a file.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    /// The kind of file.
    pub form: &'static Form,
    /// Its name.
    pub name: String,
    /// Its lines, without indentation.
    pub values: Zeroizing<String>,
    /// Who writes it.
    pub owner: Owner,
}

/// A text with the profile in it.
#[derive(Debug)]
struct Put {
    /// All of it.
    text: Zeroizing<String>,
    /// The profile's lines, without the last line end.
    part: Zeroizing<String>,
}

/// Why a profile can't go into a text.
#[derive(Debug)]
enum Why {
    /// A line is not understood.
    Fault(Fault),
    /// It is there, and somebody else's.
    Taken,
    /// It is there more than once.
    Twice,
    /// Another job's, whose credentials are still good.
    InUse { job: Option<String>, until: Timestamp },
}

impl Profile {
    /// `text` with this profile in it, in place of an older one of ci-creds'.
    fn put_into(&self, text: &str, now: Timestamp) -> Result<Put, Why> {
        let lines = Lines::of(text).map_err(Why::Fault)?;
        let found = (self.form.find)(&lines, &self.name).map_err(Why::Fault)?;
        match found.at.as_slice() {
            [] => Ok(self.insert(&lines, &found)),
            [old] => {
                let (written, _) = written_by(&lines, old).ok_or(Why::Taken)?;
                let ours = written.job() == self.owner.job();
                match written.until.filter(|until| !ours && *until > now) {
                    Some(until) => Err(Why::InUse { job: written.job, until }),
                    None => self.put_into(&lines.without(old.clone()), now),
                }
            }
            _ => Err(Why::Twice),
        }
    }

    fn insert(&self, lines: &Lines<'_>, found: &Found) -> Put {
        let (indent, deeper) = found.indents;
        let head = (self.form.head)(&self.name).map(|head| format!("{:indent$}{head}", ""));
        let values = self.values.lines().map(|line| format!("{:deeper$}{line}", ""));
        let mut all = Zeroizing::new(Vec::new());
        all.extend(head.into_iter().chain([format!("{:deeper$}{}", "", self.mark())]).chain(values));
        let part = Zeroizing::new(all.join(lines.usual_end()));
        let parent = self.form.parent.filter(|_| found.needs_parent);
        Put { text: lines.with(found.place, parent.into_iter().chain([part.as_str()])), part }
    }

    /// The comment: who, until when, and what the values were.
    fn mark(&self) -> String {
        let mut mark = MARK.to_owned();
        if let Some(job) = self.owner.job() {
            let _ = write!(mark, "job {job}, ");
        }
        if let Some(until) = self.owner.until {
            let _ = write!(mark, "until {until}, ");
        }
        let _ = write!(mark, "check {}", sum(self.values.lines()));
        mark
    }
}

/// `text` with a profile in it, for tests; `None` where it is refused.
pub fn merged(form: &'static Form, name: &str, values: &str, text: &str) -> Option<String> {
    let (name, values) = (name.to_owned(), Zeroizing::new(values.to_owned()));
    let profile = Profile { form, name, values, owner: Owner::default() };
    profile.put_into(text, Timestamp::UNIX_EPOCH).ok().map(|put| put.text.to_string())
}

/// Who wrote these lines, if it was ci-creds and the values still are what it wrote; and the check over them.
fn written_by<'a>(lines: &Lines<'a>, at: &std::ops::Range<usize>) -> Option<(Owner, &'a str)> {
    let mut rest = at.clone().map(|number| lines.text(number).trim());
    let said = rest.by_ref().take(2).find_map(|line| line.strip_prefix(MARK))?;
    let mut owner = Owner::default();
    let mut fits = None;
    for word in said.split(", ") {
        match word.split_once(' ')? {
            ("job", job) => owner.job = Some(text::one_line(job)),
            ("until", until) => owner.until = Some(until.parse().ok()?),
            ("check", known) => fits = Some(known).filter(|known| *known == sum(rest.by_ref())),
            _ => return None,
        }
    }
    Some((owner, fits?))
}

/// A check over values: enough to see that they were changed.
fn sum<'a>(values: impl Iterator<Item = &'a str>) -> String {
    let all = Zeroizing::new(values.collect::<Vec<_>>().join("\n"));
    hash(&all).chars().take(16).collect()
}

/// SHA-256, in hexadecimal.
fn hash(text: &str) -> String {
    text::hex(digest(&SHA256, text.as_bytes()).as_ref())
}

#[cfg(test)]
mod tests;
