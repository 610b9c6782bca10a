//! What people read, on stderr: the summary, warnings, and with -v what is done. A value of type `Secret` has no
//! way here.

use std::fmt;
use std::io::Write as _;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use crate::credentials::Credentials;
use crate::duration::show;
use crate::job::Job;

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

/// One line per provider.
pub fn summary(all: &[Credentials], job: &Job) {
    for one in all {
        tracing::info!("{}{}", line(one), rest(one, job));
    }
}

/// What it is, and its end.
pub fn line(one: &Credentials) -> String {
    let mut line = one.provider.clone();
    if one.provider == "read" {
        line = format!("{line} {}", one.path);
    }
    if let Some(label) = &one.label {
        let label: String = label.chars().filter(|char| !char.is_control()).take(120).collect();
        line = format!("{line} {label}");
    }
    if let Some(role) = &one.role {
        line = format!("{line} (role {role})");
    }
    if let Some(detour) = &one.detour {
        line = format!("{line}, {detour}");
    }
    match one.life {
        Some(life) => format!("{line}, valid {}, until {}", show(life.ttl), life.until),
        None => format!("{line}, without an end that is known"),
    }
}

/// How much longer the job may run.
fn rest(one: &Credentials, job: &Job) -> String {
    let rest = one.life.and_then(|life| job.time_after(life.until));
    rest.map(|rest| format!(" (the job may run {} longer)", show(rest))).unwrap_or_default()
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
        context.field_format().format_fields(out.by_ref(), event)?;
        writeln!(out)
    }
}
