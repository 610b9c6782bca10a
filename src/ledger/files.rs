//! Files with credentials, recognised by device, inode and digest. It must not delete a file that is no longer what
//! ci-creds wrote.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::merge::Fate;
use crate::private_file::{self, is_own, is_own_name, whole};
use crate::secret::Secret;
use crate::text;

/// A file that ci-creds writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Where it is made, under a random name.
    made: PathBuf,
    /// The path that it is moved to when it is complete, if that is another.
    goal: Option<PathBuf>,
    device: u64,
    inode: u64,
    size: u64,
    /// SHA-256 of its content, in hexadecimal.
    digest: String,
}

impl Written {
    /// `file` is new and still empty; `content` is what will be in it.
    pub fn new(file: &File, made: &Path, goal: Option<&Path>, content: &[u8]) -> io::Result<Self> {
        let there = file.metadata()?;
        let mut context = Context::new(&SHA256);
        context.update(content);
        Ok(Self {
            // `revoke` may run in another folder.
            made: whole(made),
            goal: goal.map(whole),
            device: there.dev(),
            inode: there.ino(),
            size: content.len() as u64,
            digest: hex(context),
        })
    }

    /// Where people look for it.
    pub(super) fn place(&self) -> &Path {
        self.goal.as_deref().unwrap_or(&self.made)
    }

    /// What is in it, if it still is what was written and text.
    pub(super) fn content(&self) -> Option<Secret> {
        let mut file = self.opened()?;
        let mut text = Zeroizing::new(String::new());
        file.rewind().ok()?;
        file.take(self.size).read_to_string(&mut text).ok()?;
        Some(Secret::from(text.as_str()))
    }

    /// Whether it is there, and still what was written.
    pub(super) fn is_there(&self) -> bool {
        self.opened().is_some()
    }

    /// The file at its place, if it still is what was written.
    fn opened(&self) -> Option<File> {
        let mut file = private_file::open(self.place(), OpenOptions::new().read(true)).ok()?;
        self.is_ours(&mut file, false).ok()?.then_some(file)
    }

    /// Deletes it, at either of its two paths.
    pub(super) fn remove(&self) -> io::Result<Fate> {
        let made = self.remove_at(&self.made, true)?;
        match &self.goal {
            None => Ok(made),
            Some(goal) => self.remove_at(goal, false),
        }
    }

    /// `made`: the process may have died while it wrote there.
    fn remove_at(&self, path: &Path, made: bool) -> io::Result<Fate> {
        let mut file = match private_file::open(path, OpenOptions::new().read(true)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Fate::Gone),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(Fate::Gone),
            Err(_) => return Ok(Fate::Another),
        };
        if !self.is_ours(&mut file, made)? {
            return Ok(Fate::Another);
        }
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(Fate::Gone),
        }
    }

    fn is_ours(&self, file: &mut File, made: bool) -> io::Result<bool> {
        let there = file.metadata()?;
        if !there.is_file() || !is_own(&there) || (there.dev(), there.ino()) != (self.device, self.inode) {
            return Ok(false);
        }
        if there.len() == self.size && digest(file, self.size)? == self.digest {
            return Ok(true);
        }
        // It is empty or incomplete, so that its digest can't tell. Its inode and a name that only ci-creds makes up
        // do.
        Ok(made && there.len() < self.size && is_own_name(&self.made))
    }
}

fn digest(file: &mut File, size: u64) -> io::Result<String> {
    let mut context = Context::new(&SHA256);
    let mut rest = file.take(size);
    let mut buffer = [0; 8192];
    loop {
        match rest.read(&mut buffer)? {
            0 => return Ok(hex(context)),
            count => context.update(buffer.get(..count).unwrap_or_default()),
        }
    }
}

fn hex(context: Context) -> String {
    text::hex(context.finish().as_ref())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::os::unix::fs::symlink;

    use super::*;

    fn make(dir: &Path, name: &str) -> (File, PathBuf, Written) {
        let (path, goal) = (dir.join(name), dir.join("goal"));
        let file = OpenOptions::new().write(true).create_new(true).open(&path).unwrap();
        let written = Written::new(&file, &path, Some(&goal), b"secret").unwrap();
        (file, path, written)
    }

    /// However far the process got before it was killed, the new file goes and the old one stays.
    #[test]
    fn what_was_begun_goes_and_what_was_there_stays() {
        for content in ["", "sec", "secret"] {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join("goal"), "older").unwrap();
            let (mut file, path, written) = make(dir.path(), ".ci-creds-x");
            file.write_all(content.as_bytes()).unwrap();
            assert_eq!(written.remove().unwrap(), Fate::Another);
            assert!(!path.exists(), "{content}");
            assert_eq!(fs::read(dir.path().join("goal")).unwrap(), b"older");
        }
    }

    #[test]
    fn only_the_very_file_goes() {
        let dir = tempfile::tempdir().unwrap();
        let goal = dir.path().join("goal");
        let (mut file, path, written) = make(dir.path(), ".ci-creds-x");
        file.write_all(b"secret").unwrap();
        fs::rename(&path, &goal).unwrap();
        // The same content in another file; the same file with other content; a link to it; something else.
        fs::copy(&goal, dir.path().join("copy")).unwrap();
        fs::rename(&goal, dir.path().join("moved")).unwrap();
        for stand_in in ["copy", "moved"] {
            let _ = fs::remove_file(&goal);
            symlink(dir.path().join(stand_in), &goal).unwrap();
            assert_eq!(written.remove().unwrap(), Fate::Another);
            fs::rename(dir.path().join(stand_in), &goal).unwrap();
            if stand_in == "copy" {
                assert_eq!(written.remove().unwrap(), Fate::Another);
            }
        }
        for (content, fate) in [("Secret", Fate::Another), ("", Fate::Another), ("secret", Fate::Gone)] {
            fs::write(&goal, content).unwrap();
            assert_eq!(written.remove().unwrap(), fate, "{content}");
        }
        fs::create_dir(&goal).unwrap();
        assert_eq!(written.remove().unwrap(), Fate::Another);
        fs::remove_dir(&goal).unwrap();
        assert_eq!(written.remove().unwrap(), Fate::Gone);
    }
}
