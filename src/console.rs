//! What people read, on stderr: what is said, warnings, and with -v what is done. A value of type `Secret` has no
//! way here.

use std::fmt;
use std::io::Write as _;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use crate::text;

/// Starts the log: warnings always, the summary unless `quiet`, more with -v and -vv.
pub fn start(verbose: usize, quiet: bool) {
    let level = match (verbose, quiet) {
        (0, true) => Level::WARN,
        (0, false) => Level::INFO,
        (1, _) => Level::DEBUG,
        _ => Level::TRACE,
    };
    // Internal errors, such as a stderr that takes nothing, would be told by eprintln!, which panics there.
    let log = tracing_subscriber::fmt().log_internal_errors(false).with_max_level(level);
    let log = log.event_format(Plain).with_writer(Stderr);
    // A second call in one process keeps the first log.
    let _ = tracing::subscriber::set_global_default(log.finish());
}

/// Writes one message. A closed stderr is nobody's fault, and no reason to fail.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

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
        out.write_str(match *event.metadata().level() {
            Level::ERROR => "error: ",
            Level::WARN => "warning: ",
            Level::INFO => "ci-creds: ",
            Level::DEBUG => "debug: ",
            Level::TRACE => "trace: ",
        })?;
        let mut line = String::new();
        context.field_format().format_fields(Writer::new(&mut line), event)?;
        writeln!(out, "{}", text::one_line(&line))
    }
}
