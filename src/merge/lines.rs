//! A text as lines with their ends, put together again with every byte. It must not know what is in them.

use std::ops::Range;

use zeroize::Zeroizing;

/// A line that is not understood. It never holds what is in the line, which may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    /// Its number, from 0.
    pub line: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

/// A text that only has line ends that all readers take for such.
#[derive(Debug)]
pub(super) struct Lines<'a>(Vec<&'a str>);

impl<'a> Lines<'a> {
    /// The lines of `text`.
    pub(super) fn of(text: &'a str) -> Result<Self, Fault> {
        let all: Vec<_> = text.split_inclusive('\n').collect();
        let odd = |line: &&str| cut(line).chars().any(|char| char.is_control() && char != '\t');
        match all.iter().position(odd) {
            Some(line) => Err(Fault { line, what: "has a control character" }),
            None => Ok(Self(all)),
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// One of them, without its end.
    pub(super) fn text(&self, number: usize) -> &'a str {
        self.0.get(number).map_or("", |line| cut(line))
    }

    /// All of them, numbered, without their ends.
    pub(super) fn all(&self) -> impl Iterator<Item = (usize, &'a str)> {
        self.0.iter().map(|line| cut(line)).enumerate()
    }

    /// The line end of the text.
    pub(super) fn usual_end(&self) -> &'static str {
        if self.0.first().is_some_and(|line| line.ends_with("\r\n")) { "\r\n" } else { "\n" }
    }

    /// With these lines before the one of this number. Where they come last and the text ends without a line end, so
    /// it does with them.
    pub(super) fn with<'b>(&self, number: usize, new: impl Iterator<Item = &'b str>) -> Zeroizing<String> {
        let end = self.usual_end();
        let (before, after) = self.0.split_at(number.min(self.0.len()));
        let is_open = before.last().is_some_and(|line| !line.ends_with('\n'));
        let mut text = Zeroizing::new(before.concat());
        for line in new {
            if is_open {
                text.push_str(end);
            }
            text.push_str(line);
            if !is_open {
                text.push_str(end);
            }
        }
        text.push_str(&Zeroizing::new(after.concat()));
        text
    }

    /// Without these lines. Where they come last and had no line end, the one before them has none then.
    pub(super) fn without(&self, gone: Range<usize>) -> Zeroizing<String> {
        let (before, rest) = self.0.split_at(gone.start.min(self.0.len()));
        let (lines, after) = rest.split_at(gone.len().min(rest.len()));
        let mut text = Zeroizing::new(before.concat());
        if after.is_empty() && lines.last().is_some_and(|line| !line.ends_with('\n')) {
            let length = cut(&text).len();
            text.truncate(length);
        }
        text.push_str(&Zeroizing::new(after.concat()));
        text
    }

    /// The ranges of lines whose first line `begins` accepts, and that have this many bytes without the last line
    /// end.
    pub(super) fn places(
        &self,
        begins: impl Fn(&str) -> bool,
        size: usize,
    ) -> impl Iterator<Item = Range<usize>> {
        let starts = self.all().filter(move |(_, line)| begins(line));
        starts.filter_map(move |(start, _)| {
            let mut length = 0;
            for (number, line) in self.0.iter().enumerate().skip(start) {
                if length + cut(line).len() == size {
                    return Some(start..number + 1);
                }
                length += line.len();
            }
            None
        })
    }

    /// These lines, without the last line end.
    pub(super) fn joined(&self, at: Range<usize>) -> Zeroizing<String> {
        let mut text = Zeroizing::new(self.0.get(at).unwrap_or_default().concat());
        let length = cut(&text).len();
        text.truncate(length);
        text
    }

    /// The first line from this number on that says something.
    pub(super) fn next(&self, number: usize) -> Option<&'a str> {
        self.all().skip(number).map(|(_, line)| line).find(|line| !is_silent(line, &['#', ';']))
    }
}

/// A line without its end.
fn cut(line: &str) -> &str {
    line.strip_suffix("\r\n").or_else(|| line.strip_suffix('\n')).unwrap_or(line)
}

/// Whether a line says nothing: it is blank, or a comment.
pub(super) fn is_silent(line: &str, comments: &[char]) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with(comments)
}

/// How many blanks a line begins with.
pub(super) fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}
