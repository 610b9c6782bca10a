//! Finds the file behind a command's name, and tells what it is. It must not run it.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rustix::fs::Access;
use rustix::io::Errno;

/// Whether the kernel does not know how to run such a file.
pub(super) fn is_no_program(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::NOEXEC)
}

/// Whether a file may be a script: a program for another machine is none, and no shell should try to read it.
pub(super) fn is_text(file: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(file).and_then(|file| file.take(128).read_to_end(&mut start));
    read.is_ok() && !start.contains(&0)
}

/// The path of `program`, found as execvp(3) does.
pub(super) fn located(program: &OsStr, environment: &HashMap<OsString, OsString>) -> PathBuf {
    let path = environment.get(OsStr::new("PATH")).map_or(OsStr::new("/bin:/usr/bin"), OsString::as_os_str);
    let is_program = |file: &PathBuf| file.is_file() && rustix::fs::access(file, Access::EXEC_OK).is_ok();
    let named = !program.as_encoded_bytes().contains(&b'/');
    let found =
        std::env::split_paths(path).filter(|_| named).map(|folder| folder.join(program)).find(is_program);
    found.unwrap_or_else(|| program.into())
}
