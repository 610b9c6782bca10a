//! The report: plain text, line by line as the steps are done, at most 100 columns wide; or JSON, at the end. It must
//! not show text that was not made safe.

use serde_json::json;

use super::{Status, Step};
use crate::emit::sink;
use crate::error::{Code, Explain};
use crate::text::one_line;

/// The log of a CI system breaks long lines badly.
const WIDTH: usize = 100;
/// Mark, blank, the longest id, two blanks.
const INDENT: usize = 17;

/// The steps so far.
#[derive(Debug)]
pub(crate) struct Report {
    json: bool,
    strict: bool,
    /// Whether it goes to stderr: an `eval` may read stdout.
    aside: bool,
    steps: Vec<Step>,
    /// The table of a role's demands, for JSON.
    pub claims: Vec<serde_json::Value>,
    /// The roles of an audit, for JSON.
    pub roles: Vec<serde_json::Value>,
    /// Whether there is something that the run would issue, and this look did not.
    pub untried: bool,
    /// The call that prints what Vault must have.
    pub setup: Option<String>,
    /// What the steps did not check, each once.
    unchecked: Vec<String>,
}

/// A step failed: the error of the process.
#[derive(Debug, thiserror::Error)]
#[error("doctor found {count}: {first}")]
pub(crate) struct FailedSteps {
    count: String,
    first: String,
    hints: Vec<String>,
    code: Code,
}

impl Explain for FailedSteps {
    fn code(&self) -> Code {
        self.code
    }

    /// The end of a log is what people see first.
    fn hints(&self) -> Vec<String> {
        self.hints.iter().map(|hint| spaced(hint)).collect()
    }
}

impl Report {
    /// A report without steps.
    pub(crate) fn new(json: bool, strict: bool) -> Self {
        Self {
            json,
            strict,
            aside: false,
            steps: Vec::new(),
            claims: Vec::new(),
            roles: Vec::new(),
            untried: false,
            setup: None,
            unchecked: Vec::new(),
        }
    }

    /// A report on stderr.
    pub(crate) fn aside(self) -> Self {
        Self { aside: true, ..self }
    }

    fn print(&self, text: &str) -> Result<(), sink::Error> {
        if self.aside {
            crate::console::say(text.trim_end_matches('\n'));
            return Ok(());
        }
        sink::text(&crate::console::painted(text, crate::console::colour().stdout))
    }

    /// Prints a line above the steps.
    pub(crate) fn title(&self, title: &str) -> Result<(), sink::Error> {
        if self.json { Ok(()) } else { self.print(&format!("{}\n\n", one_line(title))) }
    }

    /// Adds a step, and prints it.
    pub(crate) fn add(&mut self, step: Step) -> Result<(), sink::Error> {
        let mut step = printable(step);
        let open = step.unchecked.take().filter(|what| !self.unchecked.contains(what));
        self.unchecked.extend(open);
        if !self.json {
            self.print(&plain(&step))?;
        }
        self.steps.push(step);
        Ok(())
    }

    /// Whether there is a step of this id.
    pub(super) fn has(&self, id: &str) -> bool {
        self.steps.iter().any(|step| step.id == id)
    }

    /// Whether some step has failed.
    pub(crate) fn failed(&self) -> bool {
        self.steps.iter().any(|step| step.status == Status::Fail)
    }

    /// The end: JSON is printed, and the first fault becomes the error.
    pub(crate) fn finish(self) -> Result<Result<(), FailedSteps>, sink::Error> {
        let found = self.found();
        let code = found.as_ref().map_or(0, |found| found.code as u8);
        if self.json {
            let steps: Vec<_> = self.steps.iter().map(as_json).collect();
            let mut report = json!({"version": 1, "code": code, "steps": steps});
            if !self.claims.is_empty() {
                report["claims"] = self.claims.into();
            }
            if !self.roles.is_empty() {
                report["roles"] = self.roles.into();
            }
            sink::text(&format!("{report}\n"))?;
        } else if found.is_none() {
            let warnings = self.steps.iter().filter(|step| step.status == Status::Warn).count();
            let end = match &self.unchecked[..] {
                [] => well(warnings, self.untried),
                left => wrap(&partly(warnings, left, self.untried), "", "").join("\n"),
            };
            self.print(&format!("\n{end}\n"))?;
        }
        Ok(found.map_or(Ok(()), Err))
    }

    fn found(&self) -> Option<FailedSteps> {
        let bad = |step: &&Step| step.status == Status::Fail || (self.strict && step.status == Status::Warn);
        let first = self.steps.iter().find(bad)?;
        let count = self.steps.iter().filter(bad).count();
        let setup = self.setup.clone().filter(|_| self.steps.iter().any(|step| bad(&step) && step.absent));
        Some(FailedSteps {
            count: if count == 1 { "one fault".to_owned() } else { format!("{count} faults; begin with") },
            first: format!("{}: {}", first.id, first.seen.first().map(String::as_str).unwrap_or_default()),
            hints: first.hints.first().cloned().into_iter().chain(setup).collect(),
            code: first.code,
        })
    }
}

/// Makes a step's text safe: parts of it are the server's, such as a mount or a role.
fn printable(mut step: Step) -> Step {
    for text in step.seen.iter_mut().chain(&mut step.hints).chain(&mut step.source).chain(&mut step.unchecked)
    {
        *text = one_line(text);
    }
    step
}

/// The last line of a good report. What the answer holds, such as a secret without the field that is asked for, shows
/// only when it is there.
fn well(warnings: usize, untried: bool) -> String {
    let marked = match warnings {
        1 => "one remark is marked with !".to_owned(),
        _ => format!("{warnings} remarks are marked with !"),
    };
    match (warnings, untried) {
        (0, false) => "All is well.".to_owned(),
        (0, true) => {
            "All is well as far as it goes without issuing: --issue tries the read itself.".to_owned()
        }
        (_, false) => format!("It works; {marked}."),
        (_, true) => {
            format!("No fault was found; {marked}. The read itself was not tried: --issue tries it.")
        }
    }
}

/// The last line of a report that found no fault where it looked.
fn partly(warnings: usize, unchecked: &[String], untried: bool) -> String {
    let marked = if warnings == 0 { "" } else { " beside what is marked with !" };
    let named = unchecked.iter().any(|what| what.contains("--issue"));
    let read = if untried && !named { "; the read itself: --issue tries it" } else { "" };
    format!("No fault was found{marked}, but not everything was looked at: {}{read}.", unchecked.join("; "))
}

fn as_json(step: &Step) -> serde_json::Value {
    let status = match step.status {
        Status::Ok => "ok",
        Status::Warn => "warn",
        Status::Fail => "fail",
        Status::Skip => "skip",
    };
    let lines = |lines: &[String]| lines.iter().map(|line| spaced(line)).collect::<Vec<_>>().join("\n");
    let hint = (!step.hints.is_empty()).then(|| lines(&step.hints));
    json!({"id": step.id, "status": status, "seen": lines(&step.seen), "source": step.source, "hint": hint})
}

fn plain(step: &Step) -> String {
    let mark = match step.status {
        Status::Ok => "✓",
        Status::Warn => "!",
        Status::Fail => "✗",
        Status::Skip => "-",
    };
    let mut lines = Vec::new();
    for (index, seen) in step.seen.iter().enumerate() {
        let last = index + 1 == step.seen.len();
        let seen = match step.source.as_ref().filter(|_| last) {
            Some(source) => format!("{seen} ({source})"),
            None => seen.clone(),
        };
        lines.extend(wrap(&seen, "", ""));
    }
    for hint in &step.hints {
        lines.extend(wrap(hint, "→ ", "  "));
    }
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        let head = if index == 0 { format!("{mark} {:<14} ", step.id) } else { " ".repeat(INDENT) };
        text.push_str(&format!("{}\n", format!("{head}{line}").trim_end()));
    }
    text
}

/// Unbreakable blanks hold a command's words and a table's columns together until here.
fn spaced(text: &str) -> String {
    text.replace('\u{a0}', " ")
}

/// Breaks at blanks; a word that fits no line is cut.
fn wrap(text: &str, first: &str, rest: &str) -> Vec<String> {
    let width = WIDTH - INDENT;
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut empty = true;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let mut word: Vec<char> = word.chars().collect();
        let room = |line: &String| width.saturating_sub(line.chars().count());
        if !empty && word.len() + 1 > room(&line) {
            lines.push(spaced(&std::mem::replace(&mut line, rest.to_owned())));
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        while word.len() > room(&line) && room(&line) > 0 {
            line.extend(word.drain(..room(&line)));
            lines.push(spaced(&std::mem::replace(&mut line, rest.to_owned())));
        }
        line.extend(word);
        empty = false;
    }
    lines.push(spaced(&line));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_100_columns_wide() {
        let step = Step::ok("login", "word ".repeat(60)).hint("x".repeat(250)).from("VAULT_ADDR");
        let text = plain(&step);
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert!(text.starts_with("✓ login          word word"), "{text}");
        assert!(text.contains("\n                 → xxx"), "{text}");
    }

    #[test]
    fn unbreakable_blanks_become_blanks() {
        assert_eq!(wrap("a b\u{a0}c", "→ ", "  "), ["→ a b c"]);
    }
}
