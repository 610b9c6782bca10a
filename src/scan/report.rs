//! What a search found, passed over and could not read. It must not hold a value that was found.

/// How many lines are kept of each kind.
const MOST: usize = 100;

/// Lines for people, of which only the first are kept.
#[derive(Debug, Default)]
pub struct Lines {
    lines: Vec<String>,
    /// How many there were.
    pub count: usize,
}

impl Lines {
    pub(super) fn add(&mut self, line: String) {
        self.count += 1;
        if self.lines.len() < MOST {
            self.lines.push(line);
        }
    }

    /// The lines, and how many more there are.
    pub fn told(&self) -> Vec<String> {
        let more = self.count - self.lines.len();
        let rest = (more > 0).then(|| format!("and {more} more"));
        self.lines.iter().cloned().chain(rest).collect()
    }
}

/// The result of a search.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Where which variable's value was found.
    pub(crate) finds: Lines,
    /// What could not be looked into, and why.
    pub(crate) faults: Lines,
    /// What was not looked into, and why.
    pub(crate) passed: Lines,
    /// How many files were searched.
    pub(crate) files: u64,
}
