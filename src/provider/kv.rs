//! The paths of the two versions of the KV engine. It must not ask which version it is.

use super::Read;
use crate::vault::Mount;

/// The same secret as the KV engine's version has it: with data/ behind the mount, or without.
pub fn other_version(read: &Read, mount: &Mount) -> Option<(Read, &'static str)> {
    let rest = read.path.strip_prefix(mount.path.as_str()).filter(|_| !read.post)?;
    let (path, why) = match (mount.kv_version?, rest.strip_prefix("data/")) {
        (2, None) => (format!("{}data/{rest}", mount.path), "as it is KV version 2"),
        (1, Some(rest)) => (format!("{}{rest}", mount.path), "as it is KV version 1"),
        _ => return None,
    };
    Some((Read { post: false, path: path.into() }, why))
}
