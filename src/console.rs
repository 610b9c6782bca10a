//! What people read, on stderr: messages, warnings, what is waited for, and with -v what is done. It must not take a
//! value of type `Secret`.

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use crate::text;

/// Starts the log: warnings always, the summary unless `quiet`, more with -v and -vv.
pub(crate) fn start(verbose: usize, quiet: bool) {
    let level = match (verbose, quiet) {
        (0, true) => Level::WARN,
        (0, false) => Level::INFO,
        (1, _) => Level::DEBUG,
        _ => Level::TRACE,
    };
    // The library reports its own errors, such as a closed stderr, by eprintln!, which panics where stderr is closed.
    let log = tracing_subscriber::fmt().log_internal_errors(false).with_max_level(level);
    let log = log.event_format(Plain).with_writer(Stderr);
    // A second call in one process keeps the first log.
    let _ = tracing::subscriber::set_global_default(log.finish());
}

/// Writes one message. A closed stderr is no reason to fail.
pub(crate) fn say(text: &str) {
    waited();
    let _ = writeln!(io::stderr().lock(), "{}", painted(text, colour().stderr));
}

/// Whether what people read has colours.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Colour {
    /// On stderr.
    pub stderr: bool,
    /// A report on stdout.
    pub stdout: bool,
}

static COLOUR: OnceLock<Colour> = OnceLock::new();

/// Settles whether there are colours; the first call counts.
pub(crate) fn set_colour(colour: Colour) {
    let _ = COLOUR.set(colour);
}

/// What was settled; no colours until then.
pub(crate) fn colour() -> Colour {
    COLOUR.get().copied().unwrap_or_default()
}

/// How lines begin, and in which colour.
const STARTS: &[(&str, Style)] = &[
    ("error: ", bold(AnsiColor::Red)),
    ("warning: ", bold(AnsiColor::Yellow)),
    ("hint: ", bold(AnsiColor::Cyan)),
    ("✓", plain(AnsiColor::Green)),
    ("! ", bold(AnsiColor::Yellow)),
    ("✗", bold(AnsiColor::Red)),
];

const fn plain(colour: AnsiColor) -> Style {
    Style::new().fg_color(Some(anstyle::Color::Ansi(colour)))
}

const fn bold(colour: AnsiColor) -> Style {
    plain(colour).bold()
}

/// The text, with `error:`, `hint:` and their like in colour if that is `wanted`.
pub(crate) fn painted(text: &str, wanted: bool) -> String {
    let line = |line: &str| match STARTS.iter().find(|(start, _)| line.starts_with(start)) {
        Some((start, style)) => {
            let start = start.trim_end();
            format!("{style}{start}{style:#}{}", &line[start.len()..])
        }
        None => line.to_owned(),
    };
    if wanted { text.split('\n').map(line).collect::<Vec<_>>().join("\n") } else { text.to_owned() }
}

/// The least time between two lines of a log that tell what is waited for.
const BETWEEN: Duration = Duration::from_secs(5);

/// What is known of the line that tells what is waited for.
struct Waiting {
    /// When a log last got it.
    said: Option<Instant>,
    /// Whether the terminal shows it now, so that the next line replaces it.
    shown: bool,
}

static WAITING: Mutex<Waiting> = Mutex::new(Waiting { said: None, shown: false });

/// Says what is waited for: on a terminal in the place of what was said before, in a log every few seconds.
pub(crate) fn waiting(text: &str) {
    let Ok(mut waiting) = WAITING.lock() else { return };
    let line = painted(&text::one_line(&format!("warning: {text}")), colour().stderr);
    let mut stderr = io::stderr().lock();
    if stderr.is_terminal() {
        waiting.shown = write!(stderr, "{TAKE_PLACE}{line}").and_then(|()| stderr.flush()).is_ok();
    } else if waiting.said.is_none_or(|said| said.elapsed() >= BETWEEN) {
        waiting.said = Some(Instant::now());
        let _ = writeln!(stderr, "{line}");
    }
}

/// Ends the wait: its line is removed from the terminal.
pub(crate) fn waited() {
    let Ok(mut waiting) = WAITING.lock() else { return };
    if std::mem::take(&mut waiting.shown) {
        let _ = write!(io::stderr().lock(), "{TAKE_PLACE}");
    }
}

/// To the line's beginning, and clear it (ECMA-48, EL).
const TAKE_PLACE: &str = "\r\x1b[K";

struct Stderr;

impl MakeWriter<'_> for Stderr {
    type Writer = std::io::Stderr;
    fn make_writer(&self) -> Self::Writer {
        std::io::stderr()
    }
}

struct Plain;

impl<S, N> FormatEvent<S, N> for Plain
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        // Libraries have logs of their own, and do not know what is secret here.
        if !event.metadata().target().starts_with("ci_creds") {
            return Ok(());
        }
        let start = match *event.metadata().level() {
            Level::ERROR => "error: ",
            Level::WARN => "warning: ",
            Level::INFO => "ci-creds: ",
            Level::DEBUG => "debug: ",
            Level::TRACE => "trace: ",
        };
        let mut line = String::new();
        context.field_format().format_fields(Writer::new(&mut line), event)?;
        waited();
        writeln!(out, "{}", painted(&format!("{start}{}", text::one_line(&line)), colour().stderr))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_beginnings_are_painted() {
        let text = "error: no\n  caused by: error: x\nhint: do";
        assert_eq!(painted(text, false), text);
        assert_eq!(
            painted(text, true),
            "\x1b[1m\x1b[31merror:\x1b[0m no\n  caused by: error: x\n\x1b[1m\x1b[36mhint:\x1b[0m do"
        );
        assert_eq!(painted("✓ login", true), "\x1b[32m✓\x1b[0m login");
    }
}
