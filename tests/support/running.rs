//! A command under way: signals to it, and its end, with everything that it printed searched for secrets.

use std::fs;
use std::io::{Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::run::Run;

/// How long a run may take before it counts as hanging.
const LIMIT: Duration = Duration::from_secs(90);

/// A started command.
pub struct Running {
    child: Child,
    started: Instant,
    stdout: Output,
    stderr: Output,
    may_show: bool,
    reports: bool,
}

impl Running {
    /// Starts it with this on standard input. It `may_show` secrets, or what it prints is searched for them; where it
    /// only `reports`, also what a run that succeeds says on stdout.
    #[track_caller]
    pub(super) fn start(mut command: Command, stdin: Vec<u8>, may_show: bool, reports: bool) -> Self {
        // Its own process group: a hanging run can be ended with all that it started.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = Instant::now();
        let mut child =
            command.spawn().unwrap_or_else(|error| panic!("{}: {error}", command.get_program().display()));
        let mut pipe = child.stdin.take().unwrap();
        // A command that does not read its input is no fault.
        thread::spawn(move || pipe.write_all(&stdin));
        let (stdout, stderr) = (Output::of(child.stdout.take()), Output::of(child.stderr.take()));
        Self { child, started, stdout, stderr, may_show, reports }
    }

    /// The process's id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to the process alone, as GitLab Runner does.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Sends a signal to the whole process group, as a terminal does.
    pub fn signal_group(&self, signal: Signal) {
        kill_process_group(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Whether it has ended; [`Running::wait`] tells how.
    pub fn has_ended(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        stat.rsplit_once(") ").is_none_or(|(_, state)| state.starts_with('Z'))
    }

    /// Waits until stderr contains a text: the moment to send a signal.
    #[track_caller]
    pub fn wait_for_stderr(&self, text: &str) {
        super::eventually(&format!("{text:?} on stderr"), || self.stderr.so_far().contains(text));
    }

    /// Waits for its end, and searches what it printed for secrets.
    #[track_caller]
    pub fn wait(self) -> Run {
        self.wait_within(LIMIT)
    }

    /// The same for a command that may take so long from its start.
    #[track_caller]
    pub fn wait_within(mut self, limit: Duration) -> Run {
        let deadline = self.started + limit;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > deadline {
                let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
                let _ = self.child.wait();
                panic!("it hangs: not finished after {limit:?}; stderr:\n{}", self.stderr.so_far());
            }
            thread::sleep(Duration::from_millis(2));
        };
        let elapsed = self.started.elapsed();
        let run = Run::new(status, self.stdout.all(), self.stderr.all(), elapsed);
        if !self.may_show {
            run.assert_no_secret(self.reports);
        }
        run
    }
}

/// A pipe that is read in the background, so that neither side waits for the other.
struct Output {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Output {
    fn of(pipe: Option<impl Read + Send + 'static>) -> Self {
        let (bytes, mut pipe) = (Arc::new(Mutex::new(Vec::new())), pipe.unwrap());
        let sink = Arc::clone(&bytes);
        let reader = thread::spawn(move || {
            let mut buffer = [0; 8 * 1024];
            while let Ok(length @ 1..) = pipe.read(&mut buffer) {
                sink.lock().unwrap().extend_from_slice(&buffer[..length]);
            }
        });
        Self { bytes, reader }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    /// Up to the end of the pipe, which is also held by whatever the command left running.
    #[track_caller]
    fn all(&self) -> String {
        super::eventually("nothing that it started still holds its output open", || {
            self.reader.is_finished()
        });
        self.so_far()
    }
}
