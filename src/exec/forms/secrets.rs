//! The secrets that are looked for, as one text, and where each stands in it. It must not know how they are written.

use std::ops::Range;

use zeroize::Zeroizing;

use super::SHORTEST;

/// All secrets, one behind the other. Each has a line break behind it, as `echo` writes it.
pub(in crate::exec) struct Secrets {
    pub(in crate::exec) text: Zeroizing<String>,
    /// Where each begins, by its place in what was given, and the end of the last one.
    starts: Vec<u32>,
}

impl Secrets {
    /// What is too short is left out; `None` if all of them are longer than `most` bytes together.
    pub(in crate::exec) fn new<'a>(
        secrets: impl Iterator<Item = &'a str> + Clone,
        most: usize,
    ) -> Option<Self> {
        let long = || secrets.clone().map(|secret| if secret.len() < SHORTEST { "" } else { secret });
        let size = long().map(|secret| secret.len() + 1).sum::<usize>();
        if size > most {
            return None;
        }
        let mut text = Zeroizing::new(String::with_capacity(size));
        let mut starts = vec![0];
        for secret in long() {
            if !secret.is_empty() {
                text.push_str(secret);
                text.push('\n');
            }
            starts.push(u32::try_from(text.len()).ok()?);
        }
        Some(Self { text, starts })
    }

    pub(in crate::exec) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Where each is that is looked for, without the line break behind it.
    pub(in crate::exec) fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        let ranges = self.starts.windows(2).map(|pair| pair[0] as usize..pair[1] as usize);
        ranges.filter(|range| !range.is_empty()).map(|range| range.start..range.end - 1)
    }

    /// Whose byte this is.
    pub(in crate::exec) fn owner(&self, at: u32) -> usize {
        self.starts.partition_point(|start| *start <= at).saturating_sub(1)
    }

    /// Where the secret of this byte ends, with the line break behind it.
    pub(in crate::exec) fn end(&self, at: u32) -> usize {
        self.starts.get(self.owner(at) + 1).map_or(0, |end| *end as usize)
    }

    /// Whether so many characters of base64 from this byte on are all that depend on its secret alone, to its end.
    pub(in crate::exec) fn ends_within(&self, at: u32, characters: usize) -> bool {
        let owner = self.owner(at);
        let text = self.text.get(self.starts[owner] as usize..self.end(at)).unwrap_or_default();
        let end = self.starts[owner] as usize + text.trim_end().len();
        end.checked_sub(at as usize).is_some_and(|rest| characters >= 8 * rest / 6)
    }

    pub(in crate::exec) fn memory(&self) -> usize {
        self.text.capacity() + size_of::<u32>() * self.starts.capacity()
    }

    /// The lines of this part, without blanks around them, that are long enough.
    pub(in crate::exec) fn lines(&self, part: &Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let (mut at, text) = (part.start, &self.text[part.clone()]);
        let lines = text.split(['\n', '\r']).map(move |line| {
            let start = at + line.len() - line.trim_start().len();
            at += line.len() + 1;
            start..start + line.trim().len()
        });
        lines.filter(|line| line.len() >= SHORTEST)
    }

    /// Without the blanks around it: a shell's `echo $KEY`, and most readers of files, drop them.
    pub(in crate::exec) fn trimmed(&self, part: &Range<usize>) -> Range<usize> {
        let text = &self.text[part.clone()];
        let start = part.start + text.len() - text.trim_start().len();
        start..start + text.trim().len()
    }
}
